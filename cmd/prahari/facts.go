package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"prahari/evidence"
	"prahari/report"
)

// book is the law, routes, grounds and templates that drafts rest on: the
// program's own, and the workspace's corrections of them in its folders 'law' and
// 'templates'.
func (w *workspace) book() (*report.Book, error) {
	return report.Open(os.DirFS(w.path("law")), os.DirFS(w.path("templates")))
}

// factsFile is where the facts of a case lie.
func (w *workspace) factsFile(caseID string) string {
	return w.path("notices/" + caseID + "-facts.yaml")
}

// readFacts reads the facts of a case as they lie, with the SHA-256 of the file.
func (w *workspace) readFacts(caseID string) (report.Facts, string, error) {
	path := w.factsFile(caseID)
	raw, err := os.ReadFile(path)
	if err != nil {
		return report.Facts{}, "", fmt.Errorf("reading the facts file: %w; 'prahari notice draft' writes it", err)
	}
	facts, err := report.ReadFacts(path, raw)
	return facts, evidence.Digest(raw), err
}

// gather collects the facts of a case and joins the answers that a person gave
// in its facts file.
func (w *workspace) gather(ctx context.Context, c evidence.Case) (report.Facts, error) {
	items, err := w.db.CaseEvidence(ctx, c.ID)
	if err != nil {
		return report.Facts{}, err
	}
	distinct, err := w.db.DistinctTokens(ctx, c.ID)
	if err != nil {
		return report.Facts{}, err
	}
	deleted := map[string]bool{}
	for _, item := range items {
		seen, err := w.db.Sightings(ctx, item.Source.ID, item.MessageID)
		if err != nil {
			return report.Facts{}, err
		}
		deleted[item.ID] = len(seen) > 0
	}
	facts := report.Gather(c, items, distinct, func(item evidence.Evidence) bool { return deleted[item.ID] })
	looks, err := w.db.Targets(ctx, c.ID)
	if err != nil {
		return facts, err
	}
	facts.Look(looks)
	tool := thisTool()
	facts.Detector = tool.Name + " " + tool.Version
	if facts.Bundle, err = w.lastBundle(ctx, c.ID); err != nil {
		return facts, err
	}
	switch known, _, err := w.readFacts(c.ID); {
	case err == nil:
		facts.Answers = known.Answers
	case errors.Is(err, fs.ErrNotExist):
		o := w.config.Organisation
		facts.Answers.Complainant = report.Complainant{Name: o.Contact, Organisation: o.Name, Email: o.Email}
	default:
		return facts, err
	}
	return facts, nil
}

// lastBundle finds the last bundle of a case that was exported.
func (w *workspace) lastBundle(ctx context.Context, caseID string) (report.Bundle, error) {
	entries, err := w.db.Custody(ctx, 0)
	if err != nil {
		return report.Bundle{}, err
	}
	var b report.Bundle
	for _, entry := range entries {
		if entry.Action == "export" && entry.CaseID == caseID {
			b = report.Bundle{ID: entry.Object, TagManifestSHA256: entry.SHA256, ExportedAt: entry.At}
			if by, ok := strings.CutPrefix(entry.Reason, stamped); ok {
				if at, err := time.Parse(time.RFC3339, strings.Fields(by + " -")[0]); err == nil {
					b.StampedAt = at
				}
			}
		}
	}
	return b, nil
}

func (w *workspace) writeFacts(facts report.Facts) error {
	encoded, err := facts.Encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(w.path("notices"), 0o700); err != nil {
		return fmt.Errorf("making the folder for notices: %w", err)
	}
	if err := renameio.WriteFile(w.factsFile(facts.Case.ID), encoded, 0o600); err != nil {
		return fmt.Errorf("writing the facts file: %w", err)
	}
	return nil
}

// check gathers what a notice is held against.
func (w *workspace) check(ctx context.Context, n evidence.Notice, facts report.Facts, files map[string][]byte) (report.LintInput, error) {
	c := report.LintInput{Notice: n, Facts: facts, Files: files, Find: leaks, Now: time.Now()}
	var err error
	if c.Others, err = w.db.Notices(ctx, n.CaseID); err != nil {
		return c, err
	}
	c.Authorisations, err = w.expired(ctx, n.CaseID, c.Now)
	return c, err
}

// expired says of which sources of a case no authorisation holds any more,
// although the case rests on one that was approved. Joining takes one person and
// does not expire.
func (w *workspace) expired(ctx context.Context, caseID string, now time.Time) ([]string, error) {
	items, err := w.db.CaseEvidence(ctx, caseID)
	if err != nil {
		return nil, err
	}
	given, err := w.db.Authorisations(ctx)
	if err != nil {
		return nil, err
	}
	last := map[string]error{} // by source, of the last given; nil where one holds
	for _, a := range given {
		concerned := slices.ContainsFunc(items, func(i evidence.Evidence) bool { return i.Source.ID == a.Source })
		before, known := last[a.Source]
		if concerned && a.AddedBy != "" && !a.ApprovedAt.IsZero() && (!known || before != nil) {
			last[a.Source] = a.Holds(now)
		}
	}
	var out []string
	for _, err := range last {
		if err != nil {
			out = append(out, err.Error())
		}
	}
	slices.SortFunc(out, strings.Compare)
	return out, nil
}
