package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"prahari/bundle"
	"prahari/evidence"
	"prahari/store"
)

// rawDays is how long sealed originals and masked texts are kept, where the
// config does not say (guard G19).
const rawDays = 90

// expiry is the moment before which what was collected is past its retention.
func (w *workspace) expiry(now time.Time) time.Time {
	return now.AddDate(0, 0, -cmp.Or(w.config.Retention.RawDays, rawDays))
}

type purgeOptions struct {
	grounds
	dryRun, openCases bool
}

func newPurge(e env) *cobra.Command {
	var o purgeOptions
	cmd := &cobra.Command{
		Use: "purge", Short: "Delete sealed originals and masked texts that are past their retention",
		Long: `Delete the sealed original, the masked text, the tokens and the masked values of evidence
that was collected longer ago than retention.raw_days of prahari.yaml (90). What stays is
which message it was, when, which rule caught it, and its digests; the custody log gets an
entry and the database a tombstone each, and both still verify. The database is rewritten
so that no deleted byte is left in its files. The texts of notices and the case's facts file go
when their case has ended (retention.notice_days after it); steps and digests stay.
A hold keeps evidence whatever its age. So does a case that has not ended, unless
--open-cases says otherwise. Copies elsewhere are not touched: bundles, backups.
An interrupted purge keeps what it did; the same command goes on.`,
		Example: examples("prahari purge --dry-run", "prahari purge --reason 'retention of 90 days' --approver counsel"),
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !o.dryRun {
				if err := o.check(cmd, e); err != nil {
					return err
				}
			}
			return e.purge(cmd.Context(), o)
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "list what would be deleted and what is kept, delete nothing")
	cmd.Flags().BoolVar(&o.openCases, "open-cases", false, "also what belongs to cases that have not ended")
	return cmd
}

// expiredView is a piece of evidence past its retention, as printed.
type expiredView struct {
	ID         string    `json:"id"`
	CapturedAt time.Time `json:"captured_at"`
	Bytes      int64     `json:"bytes"`
	Class      string    `json:"class"` // "raw", "notice"
	State      string    `json:"state"` // "due", "held", "open case"
	Because    string    `json:"because,omitempty"`
}

func (o purgeOptions) view(x store.Expired) expiredView {
	v := expiredView{x.ID, x.CapturedAt, x.Size, "raw", "due", ""}
	switch {
	case x.Hold != "":
		v.State, v.Because = "held", x.Hold
	case x.OpenCase != "" && !o.openCases:
		v.State, v.Because = "open case", x.OpenCase
	}
	return v
}

// purged is what a purge did, as printed.
type purged struct {
	Purged   int       `json:"purged"`
	Notices  int       `json:"notices_purged"`
	Held     int       `json:"held"`
	OpenCase int       `json:"open_case"`
	Before   time.Time `json:"collected_before"`
	Bundles  []string  `json:"bundles,omitempty"` // that still hold sealed originals of what is purged
	Unread   []string  `json:"unread,omitempty"`  // beside the bundles, may hold some too
}

func (e env) purge(ctx context.Context, o purgeOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	now := time.Now()
	result := purged{Before: w.expiry(now)}
	all, err := w.db.Expired(ctx, result.Before)
	if err != nil {
		return err
	}
	views := make([]expiredView, len(all))
	for i, x := range all {
		views[i] = o.view(x)
		switch views[i].State {
		case "held":
			result.Held++
		case "open case":
			result.OpenCase++
		}
	}
	notices, err := w.db.ExpiredNotices(ctx, now.AddDate(0, 0, -w.config.Retention.NoticeDays))
	if err != nil {
		return err
	}
	for _, n := range notices {
		v := expiredView{n.ID, n.EndedAt, n.Size, "notice", "due", ""}
		if n.Hold != "" {
			v.State, v.Because = "held", n.Hold
			result.Held++
		}
		views = append(views, v)
	}
	if o.dryRun {
		return printList(e, views, "Nothing is past its retention.",
			column[expiredView]{"class", func(v expiredView) string { return v.Class }, 0},
			column[expiredView]{"object", func(v expiredView) string { return v.ID }, 0},
			column[expiredView]{"since", func(v expiredView) string { return stamp(v.CapturedAt) }, 0},
			column[expiredView]{"bytes", func(v expiredView) string { return fmt.Sprint(v.Bytes) }, 0},
			column[expiredView]{"state", func(v expiredView) string { return v.State }, 0},
			column[expiredView]{"because", func(v expiredView) string { return v.Because }, 0},
		)
	}
	// Before the deletion: what an interrupted or failed purge deleted is due no more.
	if err := w.bundlesOf(ctx, views, &result); err != nil {
		return err
	}
	result.sayBundles(e)
	bar := e.bar(int64(len(all)), "purging", false)
	order := store.Purge{Reason: o.reason, Actor: e.operator(), Approver: o.approver, At: now, OpenCases: o.openCases}
	result.Purged, err = w.db.PurgeEvidence(ctx, all, order, func(n int) { _ = bar.Set(n) })
	_ = bar.Finish()
	if err == nil {
		result.Notices, err = w.purgeNotices(ctx, notices, order)
	}
	if err != nil {
		return fmt.Errorf("%s purged, then: %w", count(result.Purged, "item"), err)
	}
	if err := w.db.Compact(ctx); err != nil {
		if errors.Is(err, store.ErrInUse) {
			return fmt.Errorf("%d are purged, and deleted bytes may still be in the database's files: %w; stop 'prahari watch' and run the same command again", result.Purged, err)
		}
		return err
	}
	return result.print(e)
}

func (r purged) sayBundles(e env) {
	for _, at := range r.Bundles {
		e.say("%s still holds sealed originals of what is purged: keep it on purpose, or delete it.", at)
	}
	for _, at := range r.Unread {
		e.say("%s could not be read: look yourself whether it holds sealed originals of what is purged.", at)
	}
}

func (r purged) print(e env) error {
	if e.global.json {
		return printJSON(e.out, r)
	}
	_, err := fmt.Fprintf(e.out, "%d purged that were collected before %s, and the text of %s; %d held, %d kept for cases that have not ended\n",
		r.Purged, r.Before.UTC().Format(time.DateOnly), count(r.Notices, "notice"), r.Held, r.OpenCase)
	return err
}

// purgeNotices deletes the texts of notices, their files in the workspace, and
// the facts of a case that has no other.
func (w *workspace) purgeNotices(ctx context.Context, notices []store.ExpiredNotice, order store.Purge) (n int, err error) {
	for _, x := range notices {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		done, err := w.db.PurgeNotice(ctx, x, order)
		if err != nil {
			return n, fmt.Errorf("notice %s: %w", x.ID, err)
		}
		if !done {
			continue
		}
		n++
		files, err := filepath.Glob(w.path("notices/" + x.ID + "-*"))
		if err != nil {
			return n, err
		}
		others, err := w.db.Notices(ctx, x.CaseID)
		if err != nil {
			return n, err
		}
		if !slices.ContainsFunc(others, func(o evidence.Notice) bool { return o.Markdown != "" }) {
			files = append(files, w.factsFile(x.CaseID))
		}
		for _, path := range files {
			if err := os.RemoveAll(path); err != nil {
				return n, fmt.Errorf("removing a notice's file: %w", err)
			}
		}
	}
	return n, nil
}

// bundlesOf finds what in the workspace's folder of bundles has sealed originals
// that are due, whatever its name: bundles may be renamed, and a killed export
// leaves a hidden one.
func (w *workspace) bundlesOf(ctx context.Context, views []expiredView, result *purged) error {
	due := map[string]bool{}
	for _, v := range views {
		if v.State == "due" {
			due[v.ID] = true
		}
	}
	if len(due) == 0 {
		return nil
	}
	dir := w.path("bundles")
	found, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		result.Unread = append(result.Unread, dir)
	}
	for _, f := range found {
		path := filepath.Join(dir, f.Name())
		items, err := bundle.SealedItems(ctx, path)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case slices.ContainsFunc(items, func(id string) bool { return due[id] }):
			result.Bundles = append(result.Bundles, path)
		case errors.Is(err, bundle.ErrNotBundle): // a file of somebody's beside the bundles
		case err != nil:
			result.Unread = append(result.Unread, path)
		}
	}
	return nil
}
