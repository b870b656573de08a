package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/store"
	"prahari/triage"
)

type triageOptions struct {
	source, severity, show string
}

func newTriage(e env) *cobra.Command {
	var o triageOptions
	cmd := &cobra.Command{
		Use: "triage", Short: "Look through findings in full screen and decide: confirm, false positive, suppress, add to a case",
		Long: `Look through findings in full screen and decide. Keys act on the finding under the cursor, or on
those chosen with space; ? lists them. It works on 80 by 24, over SSH and without colour (NO_COLOR).
The same acts are commands for scripts: 'prahari finding confirm|false-positive|suppress|undo' and
'prahari case add'. Everything shown is masked.`,
		Example: examples("prahari triage", "prahari triage --source @name --severity high", "NO_COLOR=1 prahari triage --show suppressed"),
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.severity != "" && evidence.Severity(o.severity).Rank() == 0 {
				return usageErrorf(cmd, "--severity is low, medium, high or critical")
			}
			if _, ok := shows()[triage.Show(o.show)]; !ok {
				return usageErrorf(cmd, "--show is undecided, confirmed, 'false positives', suppressed or all")
			}
			return e.triage(cmd, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.source, "source", "", "only this source")
	f.StringVar(&o.severity, "severity", "", "this severity or worse")
	f.StringVar(&o.show, "show", string(triage.Undecided), "undecided, confirmed, 'false positives', suppressed or all")
	return cmd
}

// shows says what the view's lists are to the store.
func shows() map[triage.Show]store.Filter {
	return map[triage.Show]store.Filter{
		triage.Undecided:  {Decision: evidence.Triage, Suppressed: store.WithoutSuppressed},
		triage.Confirmed:  {Decision: evidence.Confirmed},
		triage.False:      {Decision: evidence.FalsePositive},
		triage.Suppressed: {Suppressed: store.OnlySuppressed},
		triage.All:        {},
	}
}

// maxTriage bounds what the view loads: a person looks at the newest.
const maxTriage = 5000

func (e env) triage(cmd *cobra.Command, o triageOptions) (err error) {
	if term := e.getenv("TERM"); !e.inTTY || !e.outTTY || term == "dumb" || term == "" {
		what := fmt.Sprintf("the one here is %q", evidence.Caption(term, 20))
		if !e.inTTY || !e.outTTY {
			what = "here is a pipe or a file"
		}
		return fmt.Errorf("triage needs a terminal that can move its cursor (%s). Use 'prahari finding list --decision triage', "+
			"'finding show ID', 'finding confirm|false-positive|suppress ID…' and 'finding undo' instead", what)
	}
	ctx := cmd.Context()
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	c := triage.Config{
		List: w.triageList, Case: w.triageCase, Out: e.out, Colour: e.getenv("NO_COLOR") == "",
		Detail: w.triageDetail,
		Do: func(ctx context.Context, a evidence.TriageAction) (evidence.TriageAction, error) {
			a.Actor = e.operator()
			return w.db.Triage(ctx, a)
		},
		Undo: func(ctx context.Context) (evidence.TriageAction, error) { return w.db.UndoTriage(ctx, e.operator()) },
		Check: func(text string) error {
			_, err := free(cmd, "this", text, 400)
			return err
		},
		Filter: triage.Filter{Show: triage.Show(o.show), Severity: evidence.Severity(o.severity)},
	}
	if o.source != "" {
		s, err := w.db.Source(ctx, o.source)
		if err != nil {
			return sourceUnknown(o.source, err)
		}
		c.Filter.Source = sourceName(s)
	}
	return triage.Run(ctx, c, e.in)
}

func (w *workspace) triageList(ctx context.Context, f triage.Filter) ([]triage.Row, error) {
	filter := shows()[f.Show]
	filter.MinSeverity, filter.Limit = f.Severity, maxTriage
	if f.Source != "" {
		s, err := w.db.Source(ctx, f.Source)
		if err != nil {
			return nil, sourceUnknown(f.Source, err)
		}
		filter.SourceID = s.ID
	}
	found, err := w.db.Findings(ctx, filter)
	if err != nil {
		return nil, err
	}
	rows := make([]triage.Row, len(found))
	for i, r := range found {
		rows[i] = triage.Row{
			ID: r.ID, Source: r.SourceName, PostedAt: r.PostedAt, Severity: r.Severity, Confidence: r.Confidence, Rule: r.Rule, Records: r.Records,
			Text: r.Masked, Decision: r.Decision, Suppressed: r.Suppressed != "",
		}
	}
	return rows, nil
}

// triageDetail is a finding as the view shows it: why, then the text, then the
// rest.
func (w *workspace) triageDetail(ctx context.Context, id string) (string, error) {
	v, err := w.finding(ctx, id)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, confidence %.2f, %s  %s\n", v.Title, v.Severity, v.Confidence, count(len(v.Records), "record"), v.URL)
	for _, reason := range v.Reasons {
		fmt.Fprintf(&b, "because %s\n", reason)
	}
	if v.Plausibility.Verdict != "" {
		fmt.Fprintf(&b, "is it real? %s\n", v.Plausibility.Verdict)
	}
	for _, other := range v.NotDecisive {
		fmt.Fprintf(&b, "not decisive: %s\n", other)
	}
	fmt.Fprintf(&b, "\n%s\n\n", v.Masked)
	for i, r := range v.Records {
		if i == 20 {
			fmt.Fprintf(&b, "… %s more\n", count(len(v.Records)-i, "record"))
			break
		}
		fmt.Fprintf(&b, "record %d: %s\n", i+1, recordLine(r))
	}
	for _, s := range v.Versions {
		fmt.Fprintf(&b, "%s %s %s\n", s.State, stamp(s.At), s.EvidenceID)
	}
	fmt.Fprintf(&b, "%s, posted %s, collected %s\n", v.ID, stamp(v.PostedAt), stamp(v.CapturedAt))
	return b.String(), nil
}

func recordLine(r evidence.KeptRecord) string {
	var parts []string
	for _, id := range r.Identifiers {
		part := fmt.Sprintf("%s %s", id.Kind, id.Masked)
		if id.Validity == evidence.CheckPassed {
			part += " (check passed)"
		}
		parts = append(parts, part)
	}
	return strings.Join(append(parts, r.Fields...), ", ")
}

// triageCase finds a case by what a person typed, or opens one of that title.
func (w *workspace) triageCase(ctx context.Context, name string, _ []string) (string, error) {
	c, err := w.db.Case(ctx, name)
	switch {
	case err == nil && (c.Status.Ended() || c.MergedInto != ""):
		return "", fmt.Errorf("case %s is %s; reopen it first, or name another", c.ID, c.Status)
	case err == nil:
		return c.ID, nil
	case !errors.Is(err, store.ErrNotFound):
		return "", err
	case len(strings.Fields(name)) < 2:
		return "", fmt.Errorf("there is no case %s; for a new one write a title of two words or more", evidence.Caption(name, 40))
	}
	c, err = w.db.OpenCase(ctx, evidence.Case{Title: evidence.Caption(name, 120), OpenedAt: time.Now(), OpenedBy: w.env.operator()})
	return c.ID, err
}

type actOptions struct {
	reason     string
	everywhere bool
	dryRun     bool
}

// newFindingAct makes the plain command of one act of triage.
func newFindingAct(e env, kind evidence.TriageKind) *cobra.Command {
	var o actOptions
	use := strings.ReplaceAll(string(kind), " ", "-")
	cmd := &cobra.Command{
		Use: use + " ID…", Args: usageArgs(cobra.MinimumNArgs(1)),
		Short: map[evidence.TriageKind]string{
			evidence.TriageConfirm:       "Say that findings are leaks",
			evidence.TriageFalsePositive: "Say that findings are no leaks",
			evidence.TriageSuppress:      "Say that findings are no leaks, nor what comes later in the same form",
		}[kind],
		Example: examples("prahari finding "+use+" f-k3j9x2ab --reason 'read by hand'",
			"prahari finding list --source @name --json | jq -r .id | prahari finding "+use+" - --reason 'read by hand'"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.reason, err = free(cmd, "--reason", o.reason, 400); err != nil {
				return err
			}
			if kind == evidence.TriageSuppress && o.reason == "" {
				return usageErrorf(cmd, "a form of text is suppressed with a --reason")
			}
			return e.findingAct(cmd.Context(), kind, args, o)
		},
	}
	cmd.Flags().StringVar(&o.reason, "reason", "", "why")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would be changed, change nothing")
	if kind == evidence.TriageSuppress {
		cmd.Long = `Say that findings are no leaks, nor what comes later in the same form of text by the same signature:
later ones are recorded and marked, never dropped. It holds in the finding's own source; --everywhere
makes it hold in all, and is refused where the text has no form of its own.`
		cmd.Flags().BoolVar(&o.everywhere, "everywhere", false, "in every source")
	}
	return cmd
}

func (e env) findingAct(ctx context.Context, kind evidence.TriageKind, names []string, o actOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	if len(names) == 1 && names[0] == "-" {
		if names, err = lines(e.in); err != nil {
			return err
		}
	}
	a := evidence.TriageAction{Kind: kind, Actor: e.operator(), Reason: o.reason, Everywhere: o.everywhere}
	for _, name := range names {
		v, err := w.finding(ctx, name)
		if err != nil {
			return fmt.Errorf("%w; nothing was changed", err)
		}
		a.Findings = append(a.Findings, v.ID)
	}
	if o.dryRun {
		_, err = fmt.Fprintf(e.out, "would %s %s: %s\n", kind, count(len(a.Findings), "finding"), strings.Join(a.Findings, " "))
		return err
	}
	if a, err = w.db.Triage(ctx, a); err != nil {
		return err
	}
	if e.global.json {
		return printJSON(e.out, a)
	}
	_, err = fmt.Fprintln(e.out, triage.Said(a))
	return err
}

// lines reads ids from standard input, one a line.
func lines(r io.Reader) (all []string, err error) {
	s := bufio.NewScanner(io.LimitReader(r, 16<<20))
	for s.Scan() {
		if line := strings.TrimSpace(s.Text()); line != "" {
			all = append(all, line)
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("reading ids from standard input: %w", err)
	}
	if len(all) == 0 {
		return nil, errors.New("no ids on standard input; nothing was changed")
	}
	return all, nil
}

func newFindingUndo(e env) *cobra.Command {
	return &cobra.Command{
		Use: "undo", Short: "Take back your last act: confirm, false positive, suppress, add to a case in triage", Args: usageArgs(cobra.NoArgs),
		Example: examples("prahari finding undo"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				a, err := w.db.UndoTriage(cmd.Context(), e.operator())
				if err != nil {
					return fmt.Errorf("undoing for %s: %w", e.operator(), err)
				}
				if e.global.json {
					return printJSON(e.out, a)
				}
				_, err = fmt.Fprintf(e.out, "taken back: %s\n", triage.Said(a))
				return err
			})
		},
	}
}

func newFindingSuppressions(e env) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "suppressions", Short: "List the forms of text that are suppressed, with reasons", Args: usageArgs(cobra.NoArgs),
		Example: examples("prahari finding suppressions", "prahari finding list --suppressed"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				found, err := w.db.Suppressions(cmd.Context(), all)
				if err != nil {
					return err
				}
				return printList(e, found, "Nothing is suppressed.",
					column[evidence.Suppression]{"suppression", func(s evidence.Suppression) string { return s.ID }, 0},
					column[evidence.Suppression]{"form", func(s evidence.Suppression) string { return s.Template }, 0},
					column[evidence.Suppression]{"rule", func(s evidence.Suppression) string { return s.Rule }, 0},
					column[evidence.Suppression]{"where", func(s evidence.Suppression) string {
						if s.SourceID == "" {
							return "everywhere"
						}
						return s.SourceID
					}, 0},
					column[evidence.Suppression]{"findings", func(s evidence.Suppression) string { return fmt.Sprint(s.Findings) }, 0},
					column[evidence.Suppression]{"by", func(s evidence.Suppression) string { return s.AddedBy }, 20},
					column[evidence.Suppression]{"removed", func(s evidence.Suppression) string { return stamp(s.RemovedAt) }, 0},
					column[evidence.Suppression]{"because", func(s evidence.Suppression) string { return s.Reason }, 60})
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "those that were removed, too")
	return cmd
}

func newFindingUnsuppress(e env) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "unsuppress SUPPRESSION --reason TEXT", Short: "Take a form of text off the list; its findings lose the mark", Args: usageArgs(cobra.ExactArgs(1)),
		Example: examples("prahari finding unsuppress S-0001 --reason 'real records came in it'"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if reason, err = free(cmd, "--reason", reason, 400); err != nil {
				return err
			}
			if reason == "" {
				return usageErrorf(cmd, "a --reason is missing")
			}
			w, err := e.openWorkspace(cmd.Context())
			if err != nil {
				return err
			}
			defer w.close(&err)
			id, err := w.db.SuppressionID(cmd.Context(), args[0])
			if err != nil {
				return fmt.Errorf("suppression %s: %w; 'prahari finding suppressions' lists them", evidence.Caption(args[0], 40), err)
			}
			if err := w.db.RemoveSuppression(cmd.Context(), id, e.operator(), reason); err != nil {
				return err
			}
			_, err = fmt.Fprintf(e.out, "%s is off the list\n", id)
			return err
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	return cmd
}
