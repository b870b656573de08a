package bundle

import (
	"bytes"
	"encoding/hex"

	"golang.org/x/mod/sumdb/tlog"

	"prahari/evidence"
)

// custody walks the chain line by line. After a break it goes on from the line
// as it stands, so that every further break is named too.
func (v *verifier) custody() error {
	if !v.profile().has(custodyLog) {
		v.report.CustodyHead = v.info["Evidence-Ledger-Head"]
		v.absent("data/custody/")
		return nil
	}
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
	leaf, ok := v.leaf(n, e)
	if ok {
		v.places, v.leaves = append(v.places, *e.LogSeq), append(v.leaves, leaf)
	}
}

// leaf finds the leaf of an entry's line in the workspace's log: of the line made
// again from the entry, or as named where the bundle hides something of it.
func (v *verifier) leaf(n int, e evidence.Entry) (leaf tlog.Hash, ok bool) {
	if e.LogPrev == "" {
		v.hidden++
		if raw, err := hex.DecodeString(e.LogLeaf); err == nil && copy(leaf[:], raw) == tlog.HashSize && len(raw) == tlog.HashSize {
			return leaf, true
		}
		v.problem(custodyPath, n, "has neither log_prev nor log_leaf")
		return leaf, false
	}
	theirs, err := e.LogLine()
	if err != nil || e.LogLeaf != "" || evidence.Digest(theirs) != e.LogSHA {
		v.problem(custodyPath, n, "is not the line of the workspace's log that log_sha256 names")
		return leaf, false
	}
	return tlog.RecordHash(theirs), true
}

const maxInclusion = 256 << 20 // bytes of the proof

// inclusion proves the chain's lines to be in the workspace's log as its
// checkpoint signed it.
func (v *verifier) inclusion() error {
	if !v.profile().has(custodyLog) {
		v.absent("data/custody/")
		return nil
	}
	key := v.info["Evidence-Log-Key"]
	c, ok := v.checkpoint(checkpointPath)
	if !ok {
		return nil
	}
	v.report.LogKey, v.report.LogSize = key, c.Size
	if v.opts.LogKey != "" {
		v.report.LogCompared = true
		if v.opts.LogKey != key {
			v.problem(checkpointPath, 0, "is not by the custody log's key that was asked for")
		}
	}
	proof, ok, err := v.hashes(inclusionPath)
	if err != nil || !ok || len(v.check.Problems) > 0 {
		return err
	}
	root, err := evidence.ProvenRoot(c.Size, v.places, v.leaves, proof)
	if err != nil || root != c.Root {
		v.problem(inclusionPath, 0, "does not prove the lines of %s to be in the log of %d entries that %s signs", custodyPath, c.Size, checkpointPath)
		return nil
	}
	v.detail("%d lines are among the %d of %s", len(v.places), c.Size, c.Origin)
	if v.hidden > 0 {
		v.detail("%s; of %d the text is hidden, and their leaves stand for them", v.check.Detail, v.hidden)
	}
	return nil
}
