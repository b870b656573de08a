package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"prahari/evidence"
)

// sourceDetail is a source with what became of it.
type sourceDetail struct {
	sourceView
	About     string            `json:"about,omitempty"`
	Observed  int64             `json:"observed_message_ids"`
	Missing   int64             `json:"missing_message_ids"`
	Gaps      int               `json:"gaps"`
	Deletions []deletionView    `json:"deletions"`
	Changes   []evidence.Change `json:"changes"`
}

// deletionView is a run of messages that were deleted at one time.
type deletionView struct {
	Lo int64  `json:"lo"`
	Hi int64  `json:"hi"`
	At string `json:"at"`
}

func newSourceShow(e env) *cobra.Command {
	return &cobra.Command{
		Use: "show SOURCE", Short: "Show a source, and what became of it",
		Long: `Show a source by its immutable id, and what became of it with times: other titles and
names, its name in other hands, restrictions with Telegram's reason, marks, and why it could
not be read: private, deleted, or this account removed or banned. Then what it deleted.`,
		Example: examples("prahari source show @name", "prahari source show channel-1001234567890 --json"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return e.sourceShow(cmd.Context(), args[0]) },
	}
}

func (e env) sourceShow(ctx context.Context, ref string) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	s, err := w.db.Source(ctx, ref)
	if err != nil {
		return sourceUnknown(ref, err)
	}
	d, err := w.detail(ctx, s)
	if err != nil {
		return err
	}
	if e.global.json {
		return printJSON(e.out, d)
	}
	state := "can be read"
	if d.State != "" {
		state = string(d.State)
	}
	_, err = fmt.Fprintf(e.out, "%-10s %s\n%-10s %s, %s, %s\n%-10s %s\n%-10s %s\n%-10s %s\n%-10s %s\n%-10s %d, distinct identifiers %d\n%-10s %d seen, %d missing, gaps %d\n",
		"source", d.ID, "is", d.Kind, d.Access, state, "name", sourceName(s), "title", d.Title, "about", evidence.OneLine(d.About, 200), "account", d.Account,
		"findings", d.Findings, d.People, "messages", d.Observed, d.Missing, d.Gaps)
	if d.Marks != "" && err == nil {
		_, err = fmt.Fprintf(e.out, "%-10s %s\n", "marked", d.Marks)
	}
	for _, c := range d.Changes {
		if err == nil {
			_, err = fmt.Fprintf(e.out, "%-10s %s %s\n", "change", stamp(c.At), evidence.Printable(c.Says()))
		}
	}
	for _, x := range d.Deletions {
		if err == nil {
			_, err = fmt.Fprintf(e.out, "%-10s %s %s\n", "deleted", x.At, messages(x.Lo, x.Hi))
		}
	}
	return err
}

func (w *workspace) detail(ctx context.Context, s evidence.Source) (sourceDetail, error) {
	d := sourceDetail{sourceView: viewSource(s), About: s.About, Deletions: []deletionView{}}
	counts, err := w.db.Counts(ctx, s.ID)
	if err != nil {
		return d, err
	}
	d.Findings, d.People = counts.Findings, counts.Tokens
	if d.Changes, err = w.db.Changes(ctx, s.ID); err != nil {
		return d, err
	}
	if d.Changes == nil {
		d.Changes = []evidence.Change{}
	}
	deletions, err := w.db.Deletions(ctx, s.ID)
	if err != nil {
		return d, err
	}
	for _, x := range deletions {
		d.Deletions = append(d.Deletions, deletionView{x.Lo, x.Hi, stamp(x.At)})
	}
	observed, err := w.db.Coverage(ctx, s.ID)
	if err != nil {
		return d, err
	}
	gaps, err := w.db.Gaps(ctx, s.ID)
	if err != nil {
		return d, err
	}
	d.Gaps = len(gaps)
	var ranges []evidence.Range
	top := int64(0)
	for _, o := range observed {
		ranges, top = append(ranges, o.Range), max(top, o.Hi)
	}
	for _, r := range evidence.Merge(ranges) {
		d.Observed += r.Hi - r.Lo + 1
	}
	for _, r := range evidence.Missing(evidence.Range{Lo: 1, Hi: top}, evidence.Merge(ranges)) {
		d.Missing += r.Hi - r.Lo + 1
	}
	return d, nil
}
