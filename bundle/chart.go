package bundle

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"
)

// A chart is bars with their labels, in the units of its viewBox: a template
// draws it as SVG without a style or a script.
type chart struct {
	Width, Height int
	Bars          []bar
	Max           int // the longest bar's value
}

type bar struct {
	X, Y, W, H int
	Label      string
	Value      int
	Tick       bool // the label has room
}

const (
	chartWidth = 640
	barHeight  = 22
	barLabel   = 150 // left of horizontal bars
	barValue   = 60  // right of them
	plotHeight = 160
	plotFoot   = 24
)

// bars draws counts by name, the largest on top.
func bars(counts map[string]int) chart {
	c := chart{Width: chartWidth}
	names := slices.SortedFunc(maps.Keys(counts), func(x, y string) int { return cmp.Or(cmp.Compare(counts[y], counts[x]), cmp.Compare(x, y)) })
	for i, name := range names {
		c.Max = max(c.Max, counts[name])
		w := max(1, (chartWidth-barLabel-barValue)*counts[name]/max(1, c.Max))
		c.Bars = append(c.Bars, bar{X: barLabel, Y: i * (barHeight + 6), W: w, H: barHeight, Label: name, Value: counts[name], Tick: true})
	}
	c.Height = len(names) * (barHeight + 6)
	return c
}

// maxColumns is how many days are drawn one by one; longer times are drawn by
// month.
const maxColumns = 62

// columns draws items by day, with the days between that have none.
func columns(days []dayTotal) chart {
	c := chart{Width: chartWidth, Height: plotHeight + plotFoot}
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
		c.Bars = append(c.Bars, bar{X: i * step, Y: plotHeight - h, W: max(1, step-2), H: h, Label: label, Value: counts[i], Tick: i%every == 0})
	}
	return c
}

// spread lists every day from the first to the last, or every month where there
// are too many days.
func spread(days []dayTotal) (labels []string, counts []int) {
	if len(days) == 0 {
		return nil, nil
	}
	layout, next := time.DateOnly, func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }
	first, err1 := time.Parse(time.DateOnly, days[0].Day)
	last, err2 := time.Parse(time.DateOnly, days[len(days)-1].Day)
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
	for _, d := range days {
		if at, err := time.Parse(time.DateOnly, d.Day); err == nil {
			by[at.Format(layout)] += d.Items
		}
	}
	for at := first; !at.After(last); at = next(at) {
		labels, counts = append(labels, at.Format(layout)), append(counts, by[at.Format(layout)])
	}
	return labels, counts
}

// Mid, Foot and the others place texts beside a bar.
func (b bar) Mid() int    { return b.Y + b.H/2 + 5 }
func (b bar) Right() int  { return b.X + b.W + 8 }
func (b bar) Foot() int   { return plotHeight + 16 }
func (b bar) Top() int    { return b.Y - 4 }
func (c chart) Base() int { return plotHeight }

// Describe lists the values, for who cannot see the bars.
func (c chart) Describe() string {
	var out string
	for _, b := range c.Bars {
		if b.Value > 0 {
			out += b.Label + ": " + strconv.Itoa(b.Value) + "; "
		}
	}
	return out
}
