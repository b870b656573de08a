package bundle

import (
	"bytes"

	"prahari/evidence"
)

// custody walks the chain line by line. After a break it goes on from the line
// as it stands, so that every further break is named too.
func (v *verifier) custody() error {
	prev, seq, last := evidence.Genesis, int64(0), int64(-1)
	err := v.lines(custodyPath, maxCustodyLine, func(n int, line []byte) {
		whole := append(bytes.Clone(line), '\n')
		v.entry(n, whole, prev, seq, &last)
		prev = evidence.Digest(whole)
		seq++
	})
	if err != nil {
		return err
	}
	v.report.CustodyHead = prev
	if seq == 0 {
		v.problem(custodyPath, 0, "has no line")
	}
	if head := v.info["Evidence-Ledger-Head"]; head != prev {
		v.problem(custodyPath, 0, "ends in another head than the Evidence-Ledger-Head of %s: lines are missing, added or changed", bagInfo)
	}
	v.detail("%d lines, head %s", seq, prev)
	return nil
}

func (v *verifier) entry(n int, line []byte, prev string, seq int64, last *int64) {
	e, err := evidence.ParseEntry(line)
	if err != nil {
		v.problem(custodyPath, n, "is not a custody entry")
		return
	}
	if canonical, err := e.Line(); err != nil || !bytes.Equal(canonical, line) {
		v.problem(custodyPath, n, "is not in canonical form")
	}
	if e.Seq != seq {
		v.problem(custodyPath, n, "has seq %d where %d follows", e.Seq, seq)
	}
	if e.Prev != prev {
		v.problem(custodyPath, n, "does not follow the line before it")
	}
	if e.LogSeq == nil || !hexSHA256.MatchString(e.LogSHA) {
		v.problem(custodyPath, n, "does not name its line in the workspace's log")
		return
	}
	if *e.LogSeq <= *last {
		v.problem(custodyPath, n, "stands at %d in the workspace's log, not after %d", *e.LogSeq, *last)
	}
	*last = *e.LogSeq
}
