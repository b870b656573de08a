package evidence

import (
	"fmt"
	"maps"
	"slices"
)

// A Verdict says whether a collection of values looks like records of people. It
// rests on the values alone; it cannot say whose they are or where they are from.
type Verdict string

// Verdicts.
const (
	Plausible        Verdict = "plausible"         // checks and cross-checks hold far beyond chance
	Mixed            Verdict = "mixed"             // some hold, some do not
	LikelyFabricated Verdict = "likely fabricated" // checks hold no better than chance, or values repeat or count up
	KnownSample      Verdict = "known sample"      // values that documentation uses as examples
	TooFew           Verdict = "too few values"    // nothing can be said
)

// A Measure is one comparison of a collection with what chance would give.
type Measure struct {
	Name   string  `json:"name"`
	Hits   int     `json:"hits"`
	Of     int     `json:"of"`
	Chance float64 `json:"chance"` // share that random values would have
	Says   string  `json:"says"`   // "for", "against" or "nothing"
}

// Share returns the hits' share of all.
func (m Measure) Share() float64 {
	if m.Of == 0 {
		return 0
	}
	return float64(m.Hits) / float64(m.Of)
}

// String shows the arithmetic.
func (m Measure) String() string {
	return fmt.Sprintf("%s: %d of %d (%.0f%%, by chance %.0f%%): speaks %s", m.Name, m.Hits, m.Of, 100*m.Share(), 100*m.Chance, m.Says)
}

// Plausibility is a verdict with its arithmetic. No value is in it.
type Plausibility struct {
	Verdict  Verdict   `json:"verdict"`
	Values   int       `json:"values"` // full identifiers looked at
	Measures []Measure `json:"measures,omitempty"`
}

// NotDecisive says, a sentence each, what a text holds beside what made a
// finding of it. No value is in it.
func NotDecisive(r Result, f Finding) []string {
	var out []string
	say := func(n int, one, many string) {
		switch {
		case n == 1:
			out = append(out, "1 "+one)
		case n > 1:
			out = append(out, fmt.Sprintf("%d %s", n, many))
		}
	}
	inside := 0
	for _, record := range f.Records {
		inside += len(record.Matches)
	}
	say(len(r.Records)-len(f.Records), "record of another shape than the rule asks for", "records of another shape than the rule asks for")
	say(len(r.Matches)-inside, "identifier outside these records", "identifiers outside these records")
	failed := map[Kind]int{}
	for _, m := range r.Matches {
		if m.Validity == CheckFailed {
			failed[m.Kind]++
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(failed)) {
		say(failed[kind], fmt.Sprintf("identifier of kind %s whose check fails", kind), fmt.Sprintf("identifiers of kind %s whose check fails", kind))
	}
	for _, other := range r.Findings {
		if other.Rule != f.Rule {
			out = append(out, "the rule "+other.Rule+" fits too")
		}
	}
	return out
}
