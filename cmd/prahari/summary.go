package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/report"
)

func newReport(e env) *cobra.Command {
	return noun("report", "Numbers of the work", newReportSummary(e))
}

type summaryOptions struct {
	from, to, format, out string
}

func newReportSummary(e env) *cobra.Command {
	var o summaryOptions
	cmd := &cobra.Command{
		Use: "summary", Short: "Sum up findings, people, times and outcomes",
		Long: `Sum up what was found and what became of it: findings by kind, source and week, distinct people by
token, the time from post to finding to notice to removal, the rate of false positives of
each signature, and the outcome of each route. Nothing in it names anybody. Times of
removal are bounds: from sending to the first look that showed a target gone.`,
		Example: examples("prahari report summary", "prahari report summary --from 2026-11-01 --to 2026-12-01", "prahari report summary --format html --out summary.html", "prahari report summary --format csv > summary.csv"),
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, to, err := o.times()
			if err != nil {
				return usageError{cmd.CommandPath(), err}
			}
			if o.format == "html" && o.out == "" {
				return usageErrorf(cmd, "--format html takes --out FILE")
			}
			return e.summary(cmd.Context(), from, to, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.from, "from", "", "findings collected from this day on, such as 2026-11-01, in India's time")
	f.StringVar(&o.to, "to", "", "and before this day")
	f.StringVar(&o.format, "format", "text", "text, html or csv")
	f.StringVar(&o.out, "out", "", "write to this file instead of stdout")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "html", "csv"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (o summaryOptions) times() (from, to time.Time, err error) {
	day := func(flag, s string, otherwise time.Time) (time.Time, error) {
		if s == "" {
			return otherwise, nil
		}
		t, err := time.ParseInLocation(time.DateOnly, s, time.FixedZone("IST", 5*3600+1800))
		if err != nil {
			return t, fmt.Errorf("--%s %q is not a day such as 2026-11-01", flag, evidence.Caption(s, 20))
		}
		return t, nil
	}
	if from, err = day("from", o.from, time.Time{}); err != nil {
		return from, to, err
	}
	if to, err = day("to", o.to, time.Now()); err != nil {
		return from, to, err
	}
	switch {
	case !from.Before(to):
		return from, to, fmt.Errorf("--from is not before --to")
	case o.format != "text" && o.format != "html" && o.format != "csv":
		return from, to, fmt.Errorf("--format is one of text, html and csv")
	}
	return from, to, nil
}

func (e env) summary(ctx context.Context, from, to time.Time, o summaryOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	s, err := w.db.Summary(ctx, from, to)
	if err != nil {
		return err
	}
	var page []byte
	switch {
	case e.global.json:
		return printJSON(e.out, s)
	case o.format == "html":
		page, err = report.SummaryHTML(s, w.config.Organisation.Name)
	case o.format == "csv":
		page, err = report.SummaryCSV(s)
	default:
		var text strings.Builder
		summaryText(&text, s)
		page = []byte(text.String())
	}
	if err != nil {
		return err
	}
	if o.out == "" {
		_, err := e.out.Write(page)
		return err
	}
	if err := renameio.WriteFile(o.out, page, 0o600); err != nil {
		return fmt.Errorf("writing the summary: %w", err)
	}
	e.say("%s", o.out)
	return nil
}

// summaryText renders a summary for a terminal.
func summaryText(out io.Writer, s evidence.Summary) {
	fmt.Fprintf(out, "%-28s %d", "findings", s.Findings)
	if s.Suppressed > 0 {
		fmt.Fprintf(out, ", %d of suppressed templates", s.Suppressed)
	}
	fmt.Fprintln(out)
	counts := func(title string, all []evidence.Count, most int) {
		fmt.Fprintf(out, "\n%s\n", title)
		longest := 1
		for _, c := range all {
			longest = max(longest, c.Findings)
		}
		for i, c := range all {
			if i == most {
				fmt.Fprintf(out, "  … %d more: --format csv has them all\n", len(all)-most)
				break
			}
			fmt.Fprintf(out, "  %-26s %6d %s\n", evidence.OneLine(c.Name, 26), c.Findings, strings.Repeat("█", 30*c.Findings/longest))
		}
	}
	counts("by week of posting (IST)", s.Weeks, 26)
	counts("by source", s.Sources, 15)
	fmt.Fprintf(out, "\n%-28s %8s %8s\n", "by kind of identifier", "findings", "distinct")
	for _, k := range s.Kinds {
		fmt.Fprintf(out, "  %-26s %8d %8d\n", k.Kind, k.Findings, k.Distinct)
	}
	fmt.Fprintf(out, "\n%-28s %8s %9s %15s %s\n", "by signature", "findings", "confirmed", "false positive", "rate of false positives")
	for _, r := range s.Signatures {
		fmt.Fprintf(out, "  %-26s %8d %9d %15d %s\n", evidence.OneLine(r.Rule, 26), r.Findings, r.Confirmed, r.FalsePositive, report.Rate(r))
	}
	fmt.Fprintf(out, "\n%-28s %6s %12s %12s %12s\n", "how long it took", "of", "half within", "9 of 10", "longest")
	spread := func(name string, t evidence.Spread) {
		if t.Of == 0 {
			fmt.Fprintf(out, "  %-26s %6d\n", name, 0)
			return
		}
		fmt.Fprintf(out, "  %-26s %6d %12s %12s %12s\n", name, t.Of, report.Length(t.Median), report.Length(t.Ninety), report.Length(t.Most))
	}
	spread("post to finding", s.Found)
	spread("finding to notice sent", s.Noticed)
	spread("notice sent to gone", s.Removed)
	fmt.Fprintf(out, "\n%-28s %7s %5s %8s %9s %7s %5s %12s\n", "by route", "drafted", "sent", "answered", "withdrawn", "targets", "gone", "half within")
	for _, r := range s.Routes {
		took := ""
		if r.Took.Of > 0 {
			took = report.Length(r.Took.Median)
		}
		fmt.Fprintf(out, "  %-26s %7d %5d %8d %9d %7d %5d %12s\n", evidence.OneLine(r.Route, 26), r.Drafted, r.Sent, r.Answered, r.Withdrawn, r.Targets, r.Gone, took)
	}
}
