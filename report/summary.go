package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"prahari/chart"
	"prahari/evidence"
)

//go:embed summary
var summaryFiles embed.FS

// maxSummarySources is how many sources the page's chart shows; the CSV has all.
const maxSummarySources = 20

// SummaryHTML renders a summary as one page with charts, without a script and
// with nothing loaded from anywhere.
func SummaryHTML(s evidence.Summary, organisation string) ([]byte, error) {
	source, err := summaryFiles.ReadFile("summary/summary.html")
	if err != nil {
		return nil, err
	}
	style, err := summaryFiles.ReadFile("summary/summary.css")
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(style)
	t, err := template.New("summary.html").Funcs(template.FuncMap{
		"style":     func() template.CSS { return template.CSS(style) }, //nolint:gosec // ours
		"styleHash": func() string { return base64.StdEncoding.EncodeToString(hash[:]) },
		"time":      func(at time.Time) string { return both(at) },
		"rate":      Rate,
		"half":      func(s evidence.Spread) string { return length(s, s.Median) },
		"ninety":    func(s evidence.Spread) string { return length(s, s.Ninety) },
		"most":      func(s evidence.Spread) string { return length(s, s.Most) },
		"span":      func(s evidence.Spread) string { return length(s, s.Median) },
	}).Parse(string(source))
	if err != nil {
		return nil, fmt.Errorf("template summary.html: %w", err)
	}
	signatures, kinds, sources := map[string]int{}, map[string]int{}, map[string]int{}
	for _, r := range s.Signatures {
		signatures[evidence.OneLine(r.Rule, 80)] += r.Findings
	}
	for _, k := range s.Kinds {
		kinds[string(k.Kind)] = k.Distinct
	}
	for _, c := range s.Sources[:min(len(s.Sources), maxSummarySources)] {
		sources[evidence.OneLine(c.Name, 80)] += c.Findings
	}
	var out strings.Builder
	err = t.Execute(&out, struct {
		evidence.Summary
		Organisation, TLP                    string
		ByDay, BySignature, ByKind, BySource chart.Chart
	}{s, evidence.OneLine(organisation, 120), DefaultTLP, chart.Columns(s.Days), chart.Bars(signatures), chart.Bars(kinds), chart.Bars(sources)})
	if err != nil {
		return nil, fmt.Errorf("template summary.html: %w", err)
	}
	return []byte(evidence.Printable(out.String())), nil
}

// SummaryCSV renders a summary as rows of section, name, measure and value.
// Lengths of time are in seconds.
func SummaryCSV(s evidence.Summary) ([]byte, error) {
	rows := [][]string{{"section", "name", "measure", "value"}}
	add := func(section, name, measure string, value any) {
		rows = append(rows, []string{section, evidence.Cell(evidence.OneLine(name, 120)), measure, fmt.Sprint(value)})
	}
	spread := func(section, name string, t evidence.Spread) {
		add(section, name, "of", t.Of)
		if t.Of > 0 {
			add(section, name, "median_seconds", int64(t.Median.Seconds()))
			add(section, name, "ninetieth_percentile_seconds", int64(t.Ninety.Seconds()))
			add(section, name, "most_seconds", int64(t.Most.Seconds()))
		}
	}
	add("findings", "all", "findings", s.Findings)
	add("findings", "suppressed", "findings", s.Suppressed)
	for _, c := range s.Weeks {
		add("week", c.Name, "findings", c.Findings)
	}
	for _, c := range s.Sources {
		add("source", c.Name, "findings", c.Findings)
	}
	for _, k := range s.Kinds {
		add("kind", string(k.Kind), "findings", k.Findings)
		add("kind", string(k.Kind), "distinct", k.Distinct)
	}
	for _, r := range s.Signatures {
		add("signature", r.Rule, "findings", r.Findings)
		add("signature", r.Rule, "confirmed", r.Confirmed)
		add("signature", r.Rule, "false_positive", r.FalsePositive)
		if share, ok := r.Rate(); ok {
			add("signature", r.Rule, "false_positive_rate", strconv.FormatFloat(share, 'f', 3, 64))
		}
	}
	spread("time", "from post to finding", s.Found)
	spread("time", "from finding to notice sent", s.Noticed)
	spread("time", "from notice sent to gone", s.Removed)
	for _, r := range s.Routes {
		add("route", r.Route, "drafted", r.Drafted)
		add("route", r.Route, "sent", r.Sent)
		add("route", r.Route, "answered", r.Answered)
		add("route", r.Route, "withdrawn", r.Withdrawn)
		add("route", r.Route, "targets", r.Targets)
		add("route", r.Route, "gone", r.Gone)
		spread("route", r.Route, r.Took)
	}
	var out strings.Builder
	w := csv.NewWriter(&out)
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("writing the summary: %w", err)
	}
	return []byte(out.String()), nil
}

// Rate renders a signature's rate of false positives, with what it rests on.
func Rate(r evidence.SignatureRate) string {
	share, ok := r.Rate()
	if !ok {
		return "nobody decided"
	}
	return fmt.Sprintf("%.0f%% of %d", 100*share, r.Confirmed+r.FalsePositive)
}

func length(s evidence.Spread, d time.Duration) string {
	if s.Of == 0 {
		return "–"
	}
	return Length(d)
}

// Length renders a length of time, the shorter the finer.
func Length(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd %dh", int(d.Hours())/24, int(d.Hours())%24)
	case d >= time.Hour:
		return fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return d.Round(time.Second).String()
}
