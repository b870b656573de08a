package report_test

import (
	"bytes"
	"encoding/csv"
	"regexp"
	"strings"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/fixtures"
	"prahari/report"
)

// Names of rules and sources are text on the page and in the table, whatever
// they hold.
func TestSummaryIsInert(t *testing.T) {
	s := evidence.Summary{To: time.Unix(1.7e9, 0), Days: map[string]int{"2026-11-20": 1}, Found: evidence.SpreadOf([]time.Duration{time.Minute})}
	for _, attack := range fixtures.Attacks() {
		s.Signatures = append(s.Signatures, evidence.SignatureRate{Rule: attack.Text, Findings: 2, Confirmed: 1, FalsePositive: 1})
		s.Sources = append(s.Sources, evidence.Count{Name: attack.Text, Findings: 1})
		s.Routes = append(s.Routes, evidence.RouteTotal{Route: attack.Text})
	}
	page, err := report.SummaryHTML(s, fixtures.Attacks()[0].Text)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range regexp.MustCompile(`<(/?[a-zA-Z!][a-zA-Z0-9]*)`).FindAllStringSubmatch(string(page), -1) {
		switch strings.TrimPrefix(tag[1], "/") {
		case "!DOCTYPE", "html", "head", "meta", "title", "style", "body", "p", "h1", "h2", "svg", "text", "rect", "line", "table", "thead", "tbody", "tr", "th", "td":
		default:
			t.Errorf("tag %q came in", tag[0])
		}
	}
	if bytes.ContainsAny(page, "\x1b\x00\x07\u202e") || !bytes.Contains(page, []byte("50% of 2")) {
		t.Error("a control character is on the page, or the rate is not")
	}
	table, err := report.SummaryCSV(s)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	if err != nil || len(rows) < 100 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				t.Errorf("cell %q is a formula", cell)
			}
		}
	}
}

func TestSpread(t *testing.T) {
	for name, tc := range map[string]struct {
		all  []time.Duration
		want evidence.Spread
	}{
		"none":   {nil, evidence.Spread{}},
		"one":    {[]time.Duration{5}, evidence.Spread{Of: 1, Median: 5, Ninety: 5, Most: 5}},
		"ten":    {[]time.Duration{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, evidence.Spread{Of: 10, Median: 6, Ninety: 9, Most: 10}},
		"clocks": {[]time.Duration{-3, 2}, evidence.Spread{Of: 2, Median: 2, Ninety: 2, Most: 2}},
	} {
		if got := evidence.SpreadOf(tc.all); got != tc.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
