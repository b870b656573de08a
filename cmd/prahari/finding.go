package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/store"
)

func newFinding(e env) *cobra.Command {
	return noun("finding", "What the signatures caught", newFindingList(e), newFindingShow(e),
		newFindingAct(e, evidence.TriageConfirm), newFindingAct(e, evidence.TriageFalsePositive), newFindingAct(e, evidence.TriageSuppress),
		rehearsable(e, newFindingUndo(e)), newFindingSuppressions(e), rehearsable(e, newFindingUnsuppress(e)))
}

type findingOptions struct {
	source, rule, caseID, severity string
	decision, template             string
	suppressed                     bool
	since                          time.Duration
	limit                          int
}

func newFindingList(e env) *cobra.Command {
	var o findingOptions
	cmd := &cobra.Command{
		Use: "list", Short: "List findings, newest first, masked",
		Example: examples("prahari finding list --severity high", "prahari finding list --source @name --json | jq .id"),
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.severity != "" && evidence.Severity(o.severity).Rank() == 0 {
				return usageErrorf(cmd, "--severity is low, medium, high or critical")
			}
			if o.decision != "" && !slices.Contains([]evidence.Decision{evidence.Triage, evidence.Confirmed, evidence.FalsePositive}, evidence.Decision(o.decision)) {
				return usageErrorf(cmd, "--decision is triage, confirmed or 'false positive'")
			}
			return e.findingList(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.source, "source", "", "only this source (@name, link or id)")
	f.StringVar(&o.rule, "rule", "", "only this signature")
	f.StringVar(&o.caseID, "case", "", "only this case")
	f.StringVar(&o.severity, "severity", "", "this severity or worse: low, medium, high, critical")
	f.StringVar(&o.decision, "decision", "", "only these: triage (nobody decided), confirmed, 'false positive'")
	f.StringVar(&o.template, "template", "", "only this form of text")
	f.BoolVar(&o.suppressed, "suppressed", false, "only those of suppressed forms of text")
	f.DurationVar(&o.since, "since", 0, "collected within this time, such as 24h")
	f.IntVar(&o.limit, "limit", 100, "at most this many, 0 for all")
	return cmd
}

func (e env) findingList(ctx context.Context, o findingOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	filter := store.Filter{Rule: o.rule, CaseID: o.caseID, MinSeverity: evidence.Severity(o.severity), Limit: o.limit}
	filter.Decision, filter.Template = evidence.Decision(o.decision), o.template
	if o.suppressed {
		filter.Suppressed = store.OnlySuppressed
	}
	if o.caseID != "" {
		c, err := w.db.Case(ctx, o.caseID)
		if err != nil {
			return caseUnknown(o.caseID, err)
		}
		filter.CaseID = c.ID
	}
	if o.source != "" {
		s, err := w.db.Source(ctx, o.source)
		if err != nil {
			return sourceUnknown(o.source, err)
		}
		filter.SourceID = s.ID
	}
	if o.since > 0 {
		filter.Since = time.Now().Add(-o.since)
	}
	rows, err := w.db.Findings(ctx, filter)
	if err != nil {
		return err
	}
	return printList(e, rows, "No findings. 'prahari watch' collects them; 'prahari source list' shows what is watched.",
		column[store.FindingRow]{"finding", func(r store.FindingRow) string { return r.ID }, 0},
		column[store.FindingRow]{"posted", func(r store.FindingRow) string { return stamp(r.PostedAt) }, 0},
		column[store.FindingRow]{"source", func(r store.FindingRow) string { return r.SourceName }, 24},
		column[store.FindingRow]{"message", func(r store.FindingRow) string { return fmt.Sprint(r.MessageID) }, 0},
		column[store.FindingRow]{"severity", func(r store.FindingRow) string { return string(r.Severity) }, 0},
		column[store.FindingRow]{"rule", func(r store.FindingRow) string { return r.Rule }, 0},
		column[store.FindingRow]{"decided", decidedFinding, 0},
		column[store.FindingRow]{"records", func(r store.FindingRow) string { return fmt.Sprint(r.Records) }, 0},
		column[store.FindingRow]{"text, masked", func(r store.FindingRow) string { return r.Masked }, 44},
	)
}

func decidedFinding(r store.FindingRow) string {
	if r.Suppressed != "" {
		return "suppressed by " + r.Suppressed
	}
	return string(r.Decision)
}

func newFindingShow(e env) *cobra.Command {
	return &cobra.Command{
		Use: "show ID|latest", Short: "Show one finding: masked text, records, reasons, versions, where it is kept",
		Long:    "Show one finding. An id may be shortened as long as it stays unique; 'latest' is the newest.",
		Example: examples("prahari finding show f-k3j9x2ab", "prahari finding show latest --json"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return e.findingShow(cmd.Context(), args[0]) },
	}
}

// findingView is a finding with the evidence that holds it.
type findingView struct {
	evidence.Kept
	Source     string              `json:"source"`
	MessageID  int64               `json:"message_id"`
	URL        string              `json:"url,omitempty"`
	PostedAt   time.Time           `json:"posted_at"`
	EditedAt   time.Time           `json:"edited_at,omitzero"`
	CapturedAt time.Time           `json:"captured_at"`
	Origin     evidence.Origin     `json:"origin"`
	Masked     string              `json:"masked"`
	PurgedAt   time.Time           `json:"purged_at,omitzero"` // since then without text and sealed original
	Commitment string              `json:"commitment_sha256"`
	Sealed     int64               `json:"sealed_bytes"`
	Collection evidence.Collection `json:"collection"`
	Versions   []versionView       `json:"versions"`
}

type versionView struct {
	EvidenceID string    `json:"evidence_id"`
	At         time.Time `json:"at"`
	State      string    `json:"state"` // "posted", "edited", "deleted"
	Findings   int       `json:"findings"`
}

func (e env) findingShow(ctx context.Context, id string) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	v, err := w.finding(ctx, id)
	if err != nil {
		return err
	}
	if e.global.json {
		return printJSON(e.out, v)
	}
	_, err = fmt.Fprint(e.out, v.text())
	return err
}

// findingError says how to find the ids that there are.
func findingError(id string, err error) error {
	err = fmt.Errorf("finding %s: %w", evidence.Caption(id, 40), err)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w; 'prahari finding list' shows what there is", err)
	}
	return err
}

func (w *workspace) finding(ctx context.Context, id string) (findingView, error) {
	if id == "latest" {
		rows, err := w.db.Findings(ctx, store.Filter{Limit: 1})
		if err != nil {
			return findingView{}, err
		}
		if len(rows) == 0 {
			return findingView{}, fmt.Errorf("there are no findings yet: 'prahari watch' collects them")
		}
		id = rows[0].ID
	}
	kept, ev, err := w.db.Finding(ctx, id)
	if err != nil {
		return findingView{}, findingError(id, err)
	}
	v := findingView{
		Kept: kept, Source: sourceName(ev.Source), MessageID: ev.MessageID, URL: ev.URL, PostedAt: ev.PostedAt, EditedAt: ev.EditedAt,
		CapturedAt: ev.CapturedAt, Origin: ev.Origin, Masked: ev.Masked, PurgedAt: ev.PurgedAt, Commitment: ev.Commitment, Sealed: ev.SealedSize, Collection: ev.Collection,
	}
	versions, err := w.db.Versions(ctx, ev.Source.ID, ev.MessageID)
	if err != nil {
		return findingView{}, err
	}
	for _, other := range versions {
		state, at := "posted", other.PostedAt
		if !other.EditedAt.IsZero() {
			state, at = "edited", other.EditedAt
		}
		v.Versions = append(v.Versions, versionView{other.ID, at, state, len(other.Findings)})
	}
	sightings, err := w.db.Sightings(ctx, ev.Source.ID, ev.MessageID)
	if err != nil {
		return findingView{}, err
	}
	for _, s := range sightings {
		v.Versions = append(v.Versions, versionView{At: s.At, State: s.State})
	}
	return v, nil
}

func (v findingView) text() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, evidence.OneLine(fmt.Sprintf(format, args...), 400))
	}
	line("finding", "%s  %s (%s)", v.ID, v.Title, v.Rule)
	line("severity", "%s, confidence %.2f", v.Severity, v.Confidence)
	line("source", "%s, message %d, posted %s", v.Source, v.MessageID, stamp(v.PostedAt))
	if v.URL != "" {
		line("link", "%s", v.URL)
	}
	for _, reason := range v.Reasons {
		line("because", "%s", reason)
	}
	for _, other := range v.NotDecisive {
		line("not decisive", "%s", other)
	}
	if v.Plausibility.Verdict != "" {
		line("is it real?", "%s, of %s", v.Plausibility.Verdict, count(v.Plausibility.Values, "value"))
		for _, m := range v.Plausibility.Measures {
			line("", "%s", m)
		}
	}
	for i, r := range v.Records {
		if i == 5 {
			line("", "… %s more", count(len(v.Records)-i, "record"))
			break
		}
		var parts []string
		for _, id := range r.Identifiers {
			part := fmt.Sprintf("%s %s", id.Kind, id.Masked)
			if id.Validity == evidence.CheckPassed {
				part += " (check passed)"
			}
			parts = append(parts, part)
		}
		parts = append(parts, r.Fields...)
		line(fmt.Sprintf("record %d", i+1), "%s", strings.Join(parts, ", "))
	}
	for _, s := range v.Versions {
		line("version", "%s %s %s", s.State, stamp(s.At), s.EvidenceID)
	}
	line("collected", "%s by %s, %s, with %s %s", stamp(v.CapturedAt), v.Collection.Operator, v.Origin, v.Collection.Tool.Name, v.Collection.Tool.Version)
	for _, m := range v.Collection.Media {
		state := "described only"
		switch {
		case m.File != "":
			state = "sealed as " + m.File
		case m.NotKept != "":
			state = m.NotKept
		}
		line("file", "%s, %d bytes; %s", evidence.OneLine(m.MIME, 80), m.Size, state)
	}
	line("sealed", "%d bytes, commitment sha256 %s", v.Sealed, v.Commitment)
	if !v.PurgedAt.IsZero() {
		fmt.Fprintf(&b, "purged       %s: text and sealed original were deleted, digests and custody stay\n", stamp(v.PurgedAt))
		return b.String()
	}
	fmt.Fprintf(&b, "\n%s\n", indent(shorten(v.Masked, 20)))
	return b.String()
}

func sourceName(s evidence.Source) string {
	if s.Username != "" {
		return "@" + s.Username
	}
	return s.ID
}
