package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/store"
)

func newCase(e env) *cobra.Command {
	return noun("case", "Findings about one abuser, and what the team decided about them",
		rehearsable(e, newCaseOpen(e)), newCaseList(e), newCaseShow(e), rehearsable(e, newCaseAdd(e)), rehearsable(e, newCaseSuggest(e)),
		rehearsable(e, newCaseNote(e)), rehearsable(e, newCaseMerge(e)), rehearsable(e, newCaseAssign(e)),
		rehearsable(e, newCaseConfirm(e)), rehearsable(e, newCaseApprove(e)), rehearsable(e, newCaseClose(e)), rehearsable(e, newCaseReopen(e)),
		newCaseDeadlines(e), newCaseExport(e))
}

type caseOptions struct {
	title       string
	findings    []string
	sources     []string
	suggestions []string // of the case
}

func (o *caseOptions) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&o.findings, "finding", nil, "add this finding (repeat)")
	cmd.Flags().StringArrayVar(&o.sources, "source", nil, "add every finding of this source (repeat)")
}

func newCaseOpen(e env) *cobra.Command {
	var o caseOptions
	cmd := &cobra.Command{
		Use: "open", Short: "Open a case with the findings named",
		Example: examples("prahari case open --title 'Lookup bot' --source @name", "prahari case open --title 'Sale advert' --finding f-k3j9"),
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if strings.TrimSpace(o.title) == "" {
				return usageErrorf(cmd, "a case needs a --title, without any identifier in it")
			}
			return e.caseOpen(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.title, "title", "", "what the case is about")
	o.flags(cmd)
	return cmd
}

func (e env) caseOpen(ctx context.Context, o caseOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	ids, err := w.chosen(ctx, o)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return fmt.Errorf("nothing to open a case on: no findings are named, or the sources have none")
	}
	c, err := w.db.OpenCase(ctx, evidence.Case{Title: evidence.Caption(o.title, 120), OpenedAt: time.Now(), OpenedBy: e.operator(), Findings: ids})
	if err != nil {
		return err
	}
	if e.global.json {
		return printJSON(e.out, viewCase(c))
	}
	_, err = fmt.Fprintf(e.out, "%s opened with %s: %s\n", c.ID, count(len(c.Findings), "finding"), c.Title)
	return err
}

// chosen resolves the findings that flags name.
func (w *workspace) chosen(ctx context.Context, o caseOptions) ([]string, error) {
	var ids []string
	for _, name := range o.findings {
		kept, _, err := w.db.Finding(ctx, name)
		if err != nil {
			return nil, findingError(name, err)
		}
		ids = append(ids, kept.ID)
	}
	for _, name := range o.sources {
		s, err := w.db.Source(ctx, name)
		if err != nil {
			return nil, sourceUnknown(name, err)
		}
		rows, err := w.db.Findings(ctx, store.Filter{SourceID: s.ID})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
	}
	return ids, nil
}

func newCaseAdd(e env) *cobra.Command {
	var o caseOptions
	cmd := &cobra.Command{
		Use: "add CASE", Short: "Add findings to a case",
		Example: examples("prahari case add CASE0001 --finding f-k3j9", "prahari case add CASE0001 --suggestion s-k3j9x2ab"),
		Args:    usageArgs(cobra.ExactArgs(1)), ValidArgsFunction: e.completeCases,
		RunE: func(cmd *cobra.Command, args []string) error { return e.caseAdd(cmd.Context(), args[0], o) },
	}
	o.flags(cmd)
	cmd.Flags().StringArrayVar(&o.suggestions, "suggestion", nil, "add the findings of this suggestion (repeat)")
	return cmd
}

func (e env) caseAdd(ctx context.Context, id string, o caseOptions) error {
	return e.caseDo(ctx, id, func(w *workspace, c evidence.Case) error {
		ids, err := w.chosen(ctx, o)
		if err != nil {
			return err
		}
		additions := []store.Addition{{Findings: ids}}
		for _, id := range o.suggestions {
			s, err := w.suggestion(ctx, c.ID, id)
			if err != nil {
				return err
			}
			additions = append(additions, store.Addition{Findings: s.Findings, Reason: s.Reason})
		}
		added, err := w.db.AddToCase(ctx, c.ID, e.operator(), additions...)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(e.out, "%s: %s added\n", c.ID, count(added, "finding"))
		return err
	})
}

func caseUnknown(id string, err error) error {
	return fmt.Errorf("case %s: %w; 'prahari case list' shows what there is", evidence.Caption(id, 40), err)
}

// caseView is a case as printed.
type caseView struct {
	ID          string               `json:"id"`
	Title       string               `json:"title"`
	Status      evidence.Decision    `json:"status"`
	Observed    evidence.Observation `json:"observed"`
	OpenedAt    time.Time            `json:"opened_at"`
	OpenedBy    string               `json:"opened_by"`
	ChangedAt   time.Time            `json:"changed_at,omitzero"`
	Assignee    string               `json:"assignee,omitempty"`
	ConfirmedBy string               `json:"confirmed_by,omitempty"`
	ApprovedBy  string               `json:"approved_by,omitempty"`
	ApprovedAt  time.Time            `json:"approved_at,omitzero"`
	MergedInto  string               `json:"merged_into,omitempty"`
	Count       int                  `json:"finding_count"`
	Findings    []string             `json:"findings"`
	Notices     []string             `json:"notices,omitempty"`
	Notes       []evidence.Note      `json:"notes,omitempty"`
	History     []stepView           `json:"history,omitempty"`

	Suggestions []evidence.Suggestion `json:"suggestions,omitempty"`
}

// stepView is one custody entry of a case.
type stepView struct {
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"`
	Action string    `json:"action"`
	Object string    `json:"object"`
	Reason string    `json:"reason,omitempty"`
}

func viewCase(c evidence.Case) caseView {
	return caseView{
		ID: c.ID, Title: c.Title, Status: c.Status, Observed: c.Observed, OpenedAt: c.OpenedAt, OpenedBy: c.OpenedBy, ChangedAt: c.ChangedAt,
		Assignee: c.Assignee, ConfirmedBy: c.ConfirmedBy, ApprovedBy: c.ApprovedBy, ApprovedAt: c.ApprovedAt, MergedInto: c.MergedInto,
		Count: c.FindingCount, Findings: c.Findings, Notes: c.Notes,
	}
}

type caseListOptions struct {
	status, observed, assignee string
	open                       bool
}

func newCaseList(e env) *cobra.Command {
	var o caseListOptions
	cmd := &cobra.Command{
		Use: "list", Short: "List cases: what the team decided, and what Telegram shows", Args: usageArgs(cobra.NoArgs),
		Example: examples("prahari case list --open", "prahari case list --status sent --json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.status != "" && !slices.Contains(evidence.Decisions(), evidence.Decision(o.status)) {
				return usageErrorf(cmd, "--status is one of: %s", listed(evidence.Decisions()))
			}
			if o.observed != "" && !slices.Contains(evidence.Observations(), evidence.Observation(o.observed)) {
				return usageErrorf(cmd, "--observed is one of: %s", listed(evidence.Observations()))
			}
			return e.caseList(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.status, "status", "", "only cases of which this was decided")
	f.StringVar(&o.observed, "observed", "", "only cases that show this: "+listed(evidence.Observations()))
	f.StringVar(&o.assignee, "assignee", "", "only cases of this person")
	f.BoolVar(&o.open, "open", false, "only cases that are not closed, withdrawn or a false positive")
	return cmd
}

// listed are the words that a flag takes, in one line.
func listed[S ~string](words []S) string {
	names := make([]string, len(words))
	for i, word := range words {
		names[i] = string(word)
	}
	return strings.Join(names, ", ")
}

func (e env) caseList(ctx context.Context, o caseListOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	cases, err := w.db.Cases(ctx)
	if err != nil {
		return err
	}
	var views []caseView
	for _, c := range cases {
		if o.status != "" && string(c.Status) != o.status || o.observed != "" && string(c.Observed) != o.observed ||
			o.open && c.Status.Ended() || o.assignee != "" && !evidence.SamePerson(c.Assignee, o.assignee) {
			continue
		}
		if e.global.json { // with the findings' ids and the notes, which a person does not see in a list
			if c, err = w.db.Case(ctx, c.ID); err != nil {
				return err
			}
		}
		views = append(views, viewCase(c))
	}
	return printList(e, views, "No such cases. 'prahari case open' makes one from findings.",
		column[caseView]{"case", func(c caseView) string { return c.ID }, 0},
		column[caseView]{"decided", func(c caseView) string { return string(c.Status) }, 0},
		column[caseView]{"observed", func(c caseView) string { return string(c.Observed) }, 0},
		column[caseView]{"opened", func(c caseView) string { return stamp(c.OpenedAt) }, 0},
		column[caseView]{"assignee", func(c caseView) string { return c.Assignee }, 20},
		column[caseView]{"findings", func(c caseView) string { return fmt.Sprint(c.Count) }, 0},
		column[caseView]{"title", func(c caseView) string { return c.Title }, 60},
	)
}

func newCaseShow(e env) *cobra.Command {
	return &cobra.Command{
		Use: "show CASE", Short: "Show a case with its findings, notices, notes, suggestions and history",
		Long:    "Show a case. CASE is an id, its unique beginning, or its number: CASE0001, case1 or 1.",
		Example: examples("prahari case show CASE0001", "prahari case show 1 --json"),
		Args:    usageArgs(cobra.ExactArgs(1)), ValidArgsFunction: e.completeCases,
		RunE: func(cmd *cobra.Command, args []string) error { return e.caseShow(cmd.Context(), args[0]) },
	}
}

// completeCases offers the ids of cases to a shell.
func (e env) completeCases(cmd *cobra.Command, args []string, _ string) (ids []string, d cobra.ShellCompDirective) {
	d = cobra.ShellCompDirectiveNoFileComp
	w, err := e.openWorkspace(cmd.Context())
	if err != nil {
		return nil, d
	}
	defer w.close(&err)
	cases, err := w.db.Cases(cmd.Context())
	if err != nil {
		return nil, d
	}
	for _, c := range cases {
		if !slices.Contains(args, c.ID) {
			ids = append(ids, c.ID+"\t"+c.Title)
		}
	}
	return ids, d
}

func (e env) caseShow(ctx context.Context, id string) error {
	return e.caseDo(ctx, id, func(w *workspace, c evidence.Case) error {
		notices, err := w.db.Notices(ctx, c.ID)
		if err != nil {
			return err
		}
		v := viewCase(c)
		for _, n := range notices {
			v.Notices = append(v.Notices, n.ID)
		}
		if v.Suggestions, err = w.db.Suggestions(ctx, c.ID); err != nil {
			return err
		}
		history, err := w.db.History(ctx, c.ID)
		if err != nil {
			return err
		}
		for _, h := range history {
			v.History = append(v.History, stepView{h.At, h.Actor, h.Action, h.Object, h.Reason})
		}
		if e.global.json {
			return printJSON(e.out, v)
		}
		fmt.Fprintf(e.out, "%s  %s\ndecided %s, observed %s\nopened %s by %s\n", v.ID, v.Title, v.Status, v.Observed, stamp(v.OpenedAt), v.OpenedBy)
		for _, line := range [][2]string{{"assigned to", v.Assignee}, {"confirmed by", v.ConfirmedBy}, {"approved by", v.ApprovedBy}, {"merged into", v.MergedInto}} {
			if line[1] != "" {
				fmt.Fprintf(e.out, "%s %s\n", line[0], line[1])
			}
		}
		fmt.Fprintf(e.out, "%s; 'prahari finding list --case %s' lists them\n", count(len(v.Findings), "finding"), v.ID)
		for _, n := range notices {
			fmt.Fprintf(e.out, "notice %s  %s, drafted %s\n", n.ID, n.Kind, stamp(n.DraftedAt))
		}
		for _, s := range v.Suggestions {
			fmt.Fprintf(e.out, "suggestion %s  %s\n", s.ID, s.Reason)
		}
		for _, n := range v.Notes {
			fmt.Fprintf(e.out, "note %s by %s:\n%s\n", stamp(n.At), n.By, indent(evidence.Printable(n.Text)))
		}
		for _, h := range v.History {
			if h.Action != "case.add" { // the findings are counted above
				fmt.Fprintln(e.out, evidence.OneLine(fmt.Sprintf("%s  %s %s by %s %s", stamp(h.At), h.Action, h.Object, h.Actor, h.Reason), 200))
			}
		}
		return nil
	})
}
