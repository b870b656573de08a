package bundle

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"prahari/evidence"
)

const (
	custodyPath     = "data/custody/custody.jsonl"
	custodyTextPath = "data/custody/custody.txt"
)

// custody writes the case's entries as a chain of their own: seq from 0, each
// line bound to the one before and to its line in the workspace's log.
func (b *builder) custody() error {
	b.head = evidence.Genesis
	err := b.tree.stream(custodyPath, func(w io.Writer) error {
		last := int64(-1)
		for e, err := range b.in.Custody {
			if err == nil {
				err = b.ctx.Err()
			}
			if err != nil {
				return fmt.Errorf("reading the custody log: %w", err)
			}
			if e.Seq <= last {
				return fmt.Errorf("the workspace's custody entry %d follows %d: entries must rise", e.Seq, last)
			}
			last = e.Seq
			if err := b.entry(w, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if b.entries == 0 {
		return errors.New("the custody log has no entry of this case: nothing vouches for its evidence")
	}
	return b.custodyText()
}

func (b *builder) entry(w io.Writer, e evidence.Entry) error {
	if e.LogSeq == nil || e.LogSHA == "" {
		theirs, err := e.Line()
		if err != nil {
			return err
		}
		seq := e.Seq
		e.LogSeq, e.LogSHA = &seq, evidence.Digest(theirs)
	}
	e.Seq, e.Prev = b.entries, b.head
	e.Actor, e.Action, e.Object, e.Approver = line(e.Actor), line(e.Action), line(e.Object), line(e.Approver)
	e.Reason, e.SHA256, e.CaseID = caption(e.Reason), line(e.SHA256), line(e.CaseID)
	ours, err := e.Line()
	if err != nil {
		return err
	}
	if _, err := w.Write(ours); err != nil {
		return err
	}
	if e.Action == "collect" {
		if _, ok := b.collected[e.Object]; !ok {
			b.collected[e.Object] = e.Seq
		}
	}
	b.gate.know(e.Object)
	b.head = evidence.Digest(ours)
	b.entries++
	return nil
}

// custodyText renders the chain for reading on paper.
func (b *builder) custodyText() error {
	f, err := os.Open(filepath.Join(b.tree.temp, filepath.FromSlash(custodyPath)))
	if err != nil {
		return fmt.Errorf("reading back the custody log: %w", err)
	}
	err = b.tree.stream(custodyTextPath, func(w io.Writer) error {
		out := bufio.NewWriter(w)
		fmt.Fprintf(out, "Custody of case %s, as far as this bundle goes\n", b.in.Case.ID)
		fmt.Fprintf(out, "Made from custody.jsonl, which is the record; this page is for reading.\nHead: %s\n\n", b.head)
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, maxCustodyLine)
		for lines.Scan() {
			e, err := evidence.ParseEntry(lines.Bytes())
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%6d  %s  %s  %s  by %s", e.Seq, ist(e.At), e.Action, e.Object, e.Actor)
			if e.Approver != "" {
				fmt.Fprintf(out, ", approved by %s", e.Approver)
			}
			if e.Reason != "" {
				fmt.Fprintf(out, ": %s", e.Reason)
			}
			fmt.Fprintf(out, "\n        workspace log line %d, sha256 %s\n", *e.LogSeq, e.LogSHA)
		}
		return errors.Join(lines.Err(), out.Flush())
	})
	return errors.Join(err, f.Close())
}

// maxCustodyLine bounds what is read as one line of a custody log.
const maxCustodyLine = 1 << 20
