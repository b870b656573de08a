package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"prahari/evidence"
	"prahari/store"
)

// recordOpening puts an opening into the workspace's custody log.
func (w *workspace) recordOpening(ctx context.Context, entry evidence.Entry) error {
	return w.db.Append(ctx, entry)
}

// maxReceipts is how large a receipts file may be.
const maxReceipts = 16 << 20

// appendReceipt adds an opening to a receipts file, chained to the line before
// it, and returns the digest of the last line when it is on the disk.
func appendReceipt(path string, entry evidence.Entry) (head string, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return "", fmt.Errorf("recording the opening: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return "", fmt.Errorf("recording the opening: %w", err)
	}
	before, head, err := readReceipts(f)
	if err != nil {
		return "", fmt.Errorf("receipts file %s: %w; name another one with --receipts", path, err)
	}
	entry.Seq, entry.Prev = int64(len(before)), head
	line, err := entry.Line()
	if err != nil {
		return "", err
	}
	if _, err := f.Write(line); err != nil {
		return "", fmt.Errorf("recording the opening: %w", err)
	}
	if err := f.Sync(); err != nil {
		return "", fmt.Errorf("recording the opening: %w", err)
	}
	return evidence.Digest(line), nil
}

// readReceipts reads a chain of openings and nothing else, and returns the digest
// of its last line.
func readReceipts(r io.Reader) ([]evidence.Entry, string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxReceipts+1))
	if err != nil {
		return nil, "", err
	}
	if len(data) > maxReceipts {
		return nil, "", fmt.Errorf("it is larger than %d MiB", maxReceipts>>20)
	}
	var all []evidence.Entry
	head := evidence.Genesis
	for line := range bytes.Lines(data) {
		entry, err := evidence.ParseEntry(line)
		n := len(all) + 1
		if err != nil {
			return nil, "", fmt.Errorf("%w: line %d is no entry", store.ErrBroken, n)
		}
		again, err := entry.Line()
		switch {
		case err != nil || !bytes.Equal(again, line) || entry.Seq != int64(len(all)) || entry.Prev != head:
			return nil, "", fmt.Errorf("%w: line %d does not follow from the one before it", store.ErrBroken, n)
		case entry.Action != "reveal" || entry.Actor == "" || entry.Approver == "" || entry.Reason == "" || entry.At.IsZero():
			return nil, "", fmt.Errorf("%w: line %d is no opening with actor, approver, reason and time", store.ErrBroken, n)
		case evidence.SamePerson(entry.Actor, entry.Approver):
			return nil, "", fmt.Errorf("line %d: %w: %s cannot approve an opening of their own", n, store.ErrSecondPerson, evidence.Caption(entry.Actor, 60))
		}
		all, head = append(all, entry), evidence.Digest(line)
	}
	return all, head, nil
}

type receiptsOptions struct {
	head   string
	dryRun bool
}

func newEvidenceReceipts(e env) *cobra.Command {
	var o receiptsOptions
	cmd := &cobra.Command{
		Use: "receipts FILE", Short: "Take openings on other machines into the custody log",
		Long: `Take the receipts that 'prahari evidence open' wrote on another machine into this workspace's
custody log. The chain of the file is checked, and that each opening is of evidence of this
workspace with its commitment; nothing is taken otherwise. Receipts that were taken before
are not taken twice. A last line that was changed or cut off on the way shows when its head, which
'evidence open' said, is given with --head. The file can also be signed:
ssh-keygen -Y sign -n custody-receipt@example.org -f KEY FILE`,
		Example: examples("prahari evidence receipts opened.receipts.jsonl --head dfb8…"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return e.evidenceReceipts(cmd.Context(), args[0], o) },
	}
	cmd.Flags().StringVar(&o.head, "head", "", "the head that 'evidence open' said")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "check and count, take nothing")
	return cmd
}

func (e env) evidenceReceipts(ctx context.Context, path string, o receiptsOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading the receipts: %w", err)
	}
	defer func() { _ = f.Close() }()
	receipts, head, err := readReceipts(f)
	if err != nil {
		return fmt.Errorf("receipts file %s: %w; nothing was taken", path, err)
	}
	if o.head != "" && o.head != head {
		return fmt.Errorf("%w: receipts file %s ends with %s, another head than was said; nothing was taken", store.ErrBroken, path, head)
	}
	var fresh []evidence.Entry
	for i, r := range receipts {
		entry, known, err := w.receipt(ctx, r)
		if err != nil {
			return fmt.Errorf("receipts file %s: line %d: %w; nothing was taken", path, i+1, err)
		}
		if !known {
			fresh = append(fresh, entry)
		}
	}
	if len(fresh) > 0 && !o.dryRun {
		fresh = append(fresh, evidence.Entry{Action: "receipts.take", Object: "receipts", Actor: e.operator(), At: time.Now(), SHA256: head, Reason: count(len(fresh), "opening")})
		if err := w.db.Append(ctx, fresh...); err != nil {
			return err
		}
		fresh = fresh[:len(fresh)-1]
	}
	would := ""
	if o.dryRun {
		would = "would be "
	}
	if e.global.json {
		return printJSON(e.out, map[string]any{"receipts": len(receipts), "taken": len(fresh), "head": head, "dry_run": o.dryRun})
	}
	_, err = fmt.Fprintf(e.out, "%s: %d %staken into the custody log, %d were in it already\n", count(len(receipts), "receipt"), len(fresh), would, len(receipts)-len(fresh))
	return err
}

// receipt makes an opening on another machine an entry of the log, and says
// whether the log has it. Its words are foreign.
func (w *workspace) receipt(ctx context.Context, r evidence.Entry) (entry evidence.Entry, known bool, err error) {
	ev, err := w.db.Evidence(ctx, r.Object)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, fs.ErrNotExist), err == nil && ev.ID != r.Object:
		return entry, false, fmt.Errorf("%s is no evidence of this workspace", evidence.Caption(r.Object, 40))
	case err != nil:
		return entry, false, err
	case ev.Commitment != r.SHA256:
		return entry, false, fmt.Errorf("%w: what was opened of %s is not what this workspace sealed", store.ErrBroken, r.Object)
	}
	line, err := r.Line()
	if err != nil {
		return entry, false, err
	}
	mark := " (receipt " + evidence.Digest(line)[:16] + ")"
	entry = evidence.Entry{
		Action: "reveal", Object: ev.ID, Actor: evidence.Caption(r.Actor, 80), Approver: evidence.Caption(r.Approver, 80), At: r.At, SHA256: r.SHA256,
		Reason: evidence.Caption(r.Reason, 300) + mark,
	}
	log, err := w.db.CustodyOf(ctx, ev.ID)
	known = slices.ContainsFunc(log, func(e evidence.Entry) bool { return e.Action == "reveal" && strings.HasSuffix(e.Reason, mark) })
	return entry, known, err
}
