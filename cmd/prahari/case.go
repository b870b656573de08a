package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/store"
)

func newCase(e env) *cobra.Command {
	return noun("case", "Findings about one abuser", newCaseOpen(e), newCaseList(e), newCaseShow(e), newCaseAdd(e))
}

type caseOptions struct {
	title    string
	findings []string
	sources  []string
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
			return nil, fmt.Errorf("finding %s: %w", evidence.Caption(name, 40), err)
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
		Example: examples("prahari case add CASE0001 --finding f-k3j9"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return e.caseAdd(cmd.Context(), args[0], o) },
	}
	o.flags(cmd)
	return cmd
}

func (e env) caseAdd(ctx context.Context, id string, o caseOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	c, err := w.db.Case(ctx, id)
	if err != nil {
		return caseUnknown(id, err)
	}
	ids, err := w.chosen(ctx, o)
	if err != nil {
		return err
	}
	added, err := w.db.AddToCase(ctx, c.ID, ids, e.operator())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.out, "%s: %s added\n", c.ID, count(added, "finding"))
	return err
}

func caseUnknown(id string, err error) error {
	return fmt.Errorf("case %s: %w; 'prahari case list' shows what there is", evidence.Caption(id, 40), err)
}

// caseView is a case as printed.
type caseView struct {
	ID       string    `json:"id"`
	Title    string    `json:"title"`
	Status   string    `json:"status"`
	OpenedAt time.Time `json:"opened_at"`
	OpenedBy string    `json:"opened_by"`
	Findings []string  `json:"findings"`
	Notices  []string  `json:"notices,omitempty"`
}

func viewCase(c evidence.Case) caseView {
	return caseView{ID: c.ID, Title: c.Title, Status: c.Status, OpenedAt: c.OpenedAt, OpenedBy: c.OpenedBy, Findings: c.Findings}
}

func newCaseList(e env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List cases", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			w, err := e.openWorkspace(cmd.Context())
			if err != nil {
				return err
			}
			defer w.close(&err)
			cases, err := w.db.Cases(cmd.Context())
			if err != nil {
				return err
			}
			views := make([]caseView, len(cases))
			for i, c := range cases {
				views[i] = viewCase(c)
			}
			return printList(e, views, "No cases. 'prahari case open' makes one from findings.",
				column[caseView]{"case", func(c caseView) string { return c.ID }, 0},
				column[caseView]{"status", func(c caseView) string { return c.Status }, 0},
				column[caseView]{"opened", func(c caseView) string { return stamp(c.OpenedAt) }, 0},
				column[caseView]{"findings", func(c caseView) string { return fmt.Sprint(len(c.Findings)) }, 0},
				column[caseView]{"title", func(c caseView) string { return c.Title }, 60},
			)
		},
	}
}

func newCaseShow(e env) *cobra.Command {
	return &cobra.Command{
		Use: "show CASE", Short: "Show a case with its findings and notices", Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return e.caseShow(cmd.Context(), args[0]) },
	}
}

func (e env) caseShow(ctx context.Context, id string) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	c, err := w.db.Case(ctx, id)
	if err != nil {
		return caseUnknown(id, err)
	}
	notices, err := w.db.Notices(ctx, c.ID)
	if err != nil {
		return err
	}
	v := viewCase(c)
	for _, n := range notices {
		v.Notices = append(v.Notices, n.ID)
	}
	if e.global.json {
		return printJSON(e.out, v)
	}
	fmt.Fprintf(e.out, "%s  %s (%s)\nopened %s by %s\n", v.ID, v.Title, v.Status, stamp(v.OpenedAt), v.OpenedBy)
	fmt.Fprintf(e.out, "%s; 'prahari finding list --case %s' lists them\n", count(len(v.Findings), "finding"), v.ID)
	for _, n := range notices {
		fmt.Fprintf(e.out, "notice %s  %s, drafted %s\n", n.ID, n.Kind, stamp(n.DraftedAt))
	}
	return nil
}
