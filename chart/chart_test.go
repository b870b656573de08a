package chart_test

import (
	"strings"
	"testing"
	"time"

	"prahari/chart"
)

// Every bar lies within its chart, whatever the counts and dates.
func TestBarsStayInside(t *testing.T) {
	days := func(first string, n, step int) map[string]int {
		at, err := time.Parse(time.DateOnly, first)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]int{}
		for i := range n {
			all[at.AddDate(0, 0, i*step).Format(time.DateOnly)] = i + 1
		}
		return all
	}
	for name, tc := range map[string]struct {
		c    chart.Chart
		bars int
		max  int
	}{
		"nothing":        {chart.Columns(nil), 0, 0},
		"one day":        {chart.Columns(days("2026-11-20", 1, 1)), 1, 1},
		"days between":   {chart.Columns(days("2026-11-20", 2, 5)), 6, 2},
		"months":         {chart.Columns(days("2026-01-31", 3, 60)), 5, 3},
		"an absurd date": {chart.Columns(map[string]int{"1970-01-01": 1, "2038-01-19": 2}), 69, 2},
		"no date":        {chart.Columns(map[string]int{"soon": 1}), 0, 0},
		"kinds":          {chart.Bars(map[string]int{"aadhaar": 900, "mobile": 1, "pan": 0}), 3, 900},
	} {
		if len(tc.c.Bars) != tc.bars || tc.c.Max != tc.max {
			t.Errorf("%s: %d bars, at most %d", name, len(tc.c.Bars), tc.c.Max)
		}
		for _, b := range tc.c.Bars {
			if b.X < 0 || b.Y < 0 || b.W < 1 || b.H < 0 || b.X+b.W > tc.c.Width || b.Y+b.H > tc.c.Height {
				t.Errorf("%s: %+v is not inside %dx%d", name, b, tc.c.Width, tc.c.Height)
			}
		}
	}
	for name, want := range map[string]string{
		"@short": "@short", "": "", "@wholesale_databases_india_market": "@wholesale_database…",
		strings.Repeat("W", 40): "WWWWWWWWWWWW…", strings.Repeat("i", 36): strings.Repeat("i", 36), strings.Repeat("漏", 40): strings.Repeat("漏", 12) + "…",
	} {
		c := chart.Bars(map[string]int{name: 1})
		if b := c.Bars[0]; b.Label != want || b.Name != name || !strings.HasPrefix(c.Describe(), name+": 1") {
			t.Errorf("%q: label %q, want %q; described as %q", name, b.Label, want, c.Describe())
		}
	}
	if c := chart.Bars(map[string]int{"a": 1, "b": 5, "c": 5}); c.Bars[0].Label != "b" || c.Bars[2].Label != "a" {
		t.Errorf("order %+v", c.Bars)
	}
}
