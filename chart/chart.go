// Package chart lays counts out as bars, for templates that draw them as SVG: no
// style, no script, nothing but rectangles and text.
package chart

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Chart is bars with their labels, in the units of its viewBox: a template
// draws it as SVG without a style or a script.
type Chart struct {
	Width, Height int
	Bars          []Bar
	Max           int // the longest bar's value
}

// A Bar is one of them.
type Bar struct {
	X, Y, W, H int
	Name       string // whole
	Label      string // the name as far as it has room
	Value      int
	Tick       bool // the label has room
}

const (
	chartWidth = 640
	barHeight  = 22
	barLabel   = 190 // left of horizontal bars
	labelGap   = 8   // between a label and its bar
	barValue   = 60  // right of them
	plotHeight = 160
	plotFoot   = 24
)

// Bars draws counts by name, the largest on top.
func Bars(counts map[string]int) Chart {
	c := Chart{Width: chartWidth}
	names := slices.SortedFunc(maps.Keys(counts), func(x, y string) int { return cmp.Or(cmp.Compare(counts[y], counts[x]), cmp.Compare(x, y)) })
	for i, name := range names {
		c.Max = max(c.Max, counts[name])
		w := max(1, (chartWidth-barLabel-barValue)*counts[name]/max(1, c.Max))
		c.Bars = append(c.Bars, Bar{X: barLabel, Y: i * (barHeight + 6), W: w, H: barHeight, Name: name, Label: fit(name, barLabel-labelGap), Value: counts[name], Tick: true})
	}
	c.Height = len(names) * (barHeight + 6)
	return c
}

// fit cuts a text to a width and says so with an ellipsis. It has to guess: what
// the page is drawn with is the reader's.
func fit(text string, width float64) string {
	cut, total := 0, 0.0
	for i, r := range text {
		total += runeWidth(r)
		if total > width {
			return text[:cut] + "…"
		}
		if total <= width-runeWidth('…') {
			cut = i + utf8.RuneLen(r)
		}
	}
	return text
}

// runeWidth is about the most that a character takes at 13 pixels in the usual
// sans-serif fonts.
func runeWidth(r rune) float64 {
	switch {
	case unicode.Is(unicode.Mn, r): // stands above or below another
		return 0
	case strings.ContainsRune("ijl.,:;|!' ", r):
		return 5
	case strings.ContainsRune("mwMW@%…", r) || r >= 0x1100: // from there on ideographs, Hangul, symbols
		return 13.5
	case unicode.IsUpper(r):
		return 10
	}
	return 8.5
}

// maxColumns is how many days are drawn one by one; longer times are drawn by
// month.
const maxColumns = 62

// Columns draws counts by day ("2006-01-02"), with the days between that have none.
func Columns(days map[string]int) Chart {
	c := Chart{Width: chartWidth, Height: plotHeight + plotFoot}
	labels, counts := spread(days)
	if len(labels) == 0 {
		return c
	}
	for _, n := range counts {
		c.Max = max(c.Max, n)
	}
	step := min(48, max(1, chartWidth/len(labels)))
	every := max(1, (90+step-1)/step) // a label is about 90 wide
	for i, label := range labels {
		h := (plotHeight - 16) * counts[i] / max(1, c.Max)
		if counts[i] > 0 {
			h = max(h, 2)
		}
		c.Bars = append(c.Bars, Bar{X: i * step, Y: plotHeight - h, W: max(1, step-2), H: h, Name: label, Label: label, Value: counts[i], Tick: i%every == 0})
	}
	return c
}

// spread lists every day from the first to the last, or every month where there
// are too many days.
func spread(days map[string]int) (labels []string, counts []int) {
	if len(days) == 0 {
		return nil, nil
	}
	layout, next := time.DateOnly, func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }
	sorted := slices.Sorted(maps.Keys(days))
	first, err1 := time.Parse(time.DateOnly, sorted[0])
	last, err2 := time.Parse(time.DateOnly, sorted[len(sorted)-1])
	if err1 != nil || err2 != nil {
		return nil, nil
	}
	if last.Sub(first) >= maxColumns*24*time.Hour {
		layout, next = "2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }
		first = first.AddDate(0, 0, 1-first.Day())
	}
	if last.Sub(first) >= 120*31*24*time.Hour { // an absurd date must not make a page of empty months
		layout, next = "2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }
		first = first.AddDate(0, 1-int(first.Month()), 0)
	}
	by := map[string]int{}
	for day, n := range days {
		if at, err := time.Parse(time.DateOnly, day); err == nil {
			by[at.Format(layout)] += n
		}
	}
	for at := first; !at.After(last); at = next(at) {
		labels, counts = append(labels, at.Format(layout)), append(counts, by[at.Format(layout)])
	}
	return labels, counts
}

// Mid places a text level with the bar.
func (b Bar) Mid() int { return b.Y + b.H/2 + 5 }

// Right places a text behind the bar.
func (b Bar) Right() int { return b.X + b.W + 8 }

// Foot places a text below the columns.
func (b Bar) Foot() int { return plotHeight + 16 }

// Base is where the columns stand.
func (c Chart) Base() int { return plotHeight }

// Describe lists the values, for who cannot see the bars.
func (c Chart) Describe() string {
	var out string
	for _, b := range c.Bars {
		if b.Value > 0 {
			out += b.Name + ": " + strconv.Itoa(b.Value) + "; "
		}
	}
	return out
}
