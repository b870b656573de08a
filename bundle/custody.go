package bundle

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"prahari/evidence"
)

const (
	custodyPath     = "data/custody/custody.jsonl"
	custodyTextPath = "data/custody/custody.txt"
	checkpointPath  = "data/custody/checkpoint"          // the workspace's log, signed
	inclusionPath   = "data/custody/inclusion-proof.txt" // of all lines in that log
)

// custody writes the case's entries as a chain of their own: seq from 0, each
// line bound to the one before and to its line in the workspace's log.
func (b *builder) custody() error {
	b.head = evidence.Genesis
	err := b.tree.stream(custodyPath, func(w io.Writer) error {
		last := int64(-1)
		return ahead(b.ctx, b.in.Custody, func(e evidence.Entry, err error) error {
			if err != nil {
				return fmt.Errorf("reading the custody log: %w", err)
			}
			if e.Seq <= last {
				return fmt.Errorf("the workspace's custody entry %d follows %d: entries must rise", e.Seq, last)
			}
			last = e.Seq
			return b.entry(w, e)
		})
	})
	if err != nil {
		return err
	}
	if b.entries == 0 {
		return errors.New("the custody log has no entry of this case: nothing vouches for its evidence")
	}
	return b.inclusion()
}

// inclusion writes the signed checkpoint of the workspace's log and the proof
// that the chain's lines are in it, one hash a line.
func (b *builder) inclusion() error {
	c, err := evidence.OpenCheckpoint(b.in.Log.Checkpoint, b.in.Log.Key)
	if err != nil {
		return fmt.Errorf("the custody log's checkpoint: %w", err)
	}
	proof, err := evidence.ProveLines(c.Size, b.places, b.in.Log.Tree)
	if err != nil {
		return fmt.Errorf("proving the custody log's lines: %w", err)
	}
	if root, err := evidence.ProvenRoot(c.Size, b.places, b.leaves, proof); err != nil || root != c.Root {
		return fmt.Errorf("the entries are not in the custody log of %d lines that its checkpoint signs: run 'prahari custody verify'", c.Size)
	}
	b.gate.allow(c.Root.String(), c.Origin, b.in.Log.Key) // base64 of ours, whatever it looks like
	if _, signature, ok := strings.Cut(string(b.in.Log.Checkpoint), "\n\n"); ok {
		b.gate.allow(signature)
	}
	if err := b.tree.write(checkpointPath, b.in.Log.Checkpoint); err != nil {
		return err
	}
	if err := b.tree.stream(inclusionPath, func(w io.Writer) error { return writeHashes(w, proof) }); err != nil {
		return err
	}
	err = b.logStamps(c)
	b.places, b.leaves = nil, nil // many, and proven
	return err
}

func (b *builder) entry(w io.Writer, e evidence.Entry) error {
	theirs, err := e.Line()
	if err != nil {
		return err
	}
	leaf, seq := tlog.RecordHash(theirs), e.Seq
	b.places, b.leaves = append(b.places, seq), append(b.leaves, leaf)
	e.LogSeq, e.LogSHA, e.LogPrev = &seq, evidence.Digest(theirs), e.Prev
	e.Seq, e.Prev = b.entries, b.head
	was := e
	e.Actor, e.Action, e.Object, e.Approver = line(e.Actor), line(e.Action), line(e.Object), line(e.Approver)
	e.Reason, e.SHA256, e.CaseID = caption(e.Reason), line(e.SHA256), line(e.CaseID)
	if e != was {
		if again, err := e.LogLine(); err != nil || !bytes.Equal(again, theirs) {
			// Something in it had to be hidden: the leaf alone stands for the line.
			e.LogPrev, e.LogLeaf = "", hex.EncodeToString(leaf[:])
		}
	}
	ours, err := e.Line()
	if err != nil {
		return err
	}
	if _, err := w.Write(ours); err != nil {
		return err
	}
	if b.in.Profile.has(custodyLog) {
		if err := entryText(b.trail, &e); err != nil {
			return err
		}
	}
	if e.Action == "collect" {
		if _, ok := b.collected[e.Object]; !ok {
			b.collected[strings.Clone(e.Object)] = e.Seq
		}
	}
	b.gate.know(e.Object)
	b.showEntry(e)
	b.head = evidence.Digest(ours)
	b.entries++
	return nil
}

// custodyText puts together the chain for reading on paper, where the profile has
// it: its lines were rendered with those of the record.
func (b *builder) custodyText() error {
	if !b.in.Profile.has(custodyLog) {
		return nil
	}
	err := b.tree.stream(custodyTextPath, func(w io.Writer) error {
		out := bufio.NewWriter(w)
		fmt.Fprintf(out, "Custody of case %s, as far as this bundle goes\n", b.in.Case.ID)
		fmt.Fprintf(out, "Made from custody.jsonl, which is the record; this page is for reading.\nHead: %s\n\n", b.head)
		if len(b.stamped) > 0 {
			var stamps bytes.Buffer
			b.stampLines(&stamps)
			fmt.Fprintf(out, "%s\n", stamps.String())
		}
		if err := out.Flush(); err != nil {
			return err
		}
		return b.trail.copyTo(w)
	})
	return errors.Join(err, b.trail.f.Close()) // before the folder goes: some file systems keep the name of what is open
}

// entryText renders an entry for reading.
func entryText(w io.Writer, e *evidence.Entry) error {
	approver, reason := "", ""
	if e.Approver != "" {
		approver = ", approved by " + e.Approver
	}
	if e.Reason != "" {
		reason = ": " + e.Reason
	}
	_, err := fmt.Fprintf(w, "%6d  %s  %s  %s  by %s%s%s\n        workspace log line %d, sha256 %s\n",
		e.Seq, ist(e.At), e.Action, e.Object, e.Actor, approver, reason, *e.LogSeq, e.LogSHA)
	return err
}

// maxCustodyLine bounds what is read as one line of a custody log.
const maxCustodyLine = 1 << 20
