package evidence

import (
	"slices"
	"time"
)

// A Summary is the numbers of a workspace over some time. No value is in it.
type Summary struct {
	From time.Time `json:"from,omitzero"` // findings collected at or after; zero: all
	To   time.Time `json:"to"`            // and before

	Findings   int             `json:"findings"`
	Suppressed int             `json:"suppressed"` // of them, of suppressed templates
	Days       map[string]int  `json:"findings_by_day_posted_ist"`
	Weeks      []Count         `json:"findings_by_week_posted_ist"` // "2026-W47"
	Signatures []SignatureRate `json:"by_signature"`
	Sources    []Count         `json:"by_source"`
	Kinds      []KindCount     `json:"by_kind"`

	Found   Spread       `json:"from_post_to_finding"`
	Noticed Spread       `json:"from_finding_to_notice_sent"` // of the first notice of a finding's case
	Removed Spread       `json:"from_notice_sent_to_gone"`    // of each target of each notice: at most
	Routes  []RouteTotal `json:"by_route"`
}

// A Count is a number of findings by name.
type Count struct {
	Name     string `json:"name"`
	Findings int    `json:"findings"`
}

// A KindCount is what was seen of one kind of identifier. Distinct is counted by
// tokens: one person has at least one value, so that the largest is the least
// number of people.
type KindCount struct {
	Kind     Kind `json:"kind"`
	Findings int  `json:"findings"`
	Distinct int  `json:"distinct"`
}

// A SignatureRate says how often people called a signature's findings wrong.
type SignatureRate struct {
	Rule          string `json:"rule"`
	Findings      int    `json:"findings"`
	Confirmed     int    `json:"confirmed"`
	FalsePositive int    `json:"false_positive"`
}

// Rate is the share of false positives among the findings that people decided
// on; ok is false where they decided on none.
func (s SignatureRate) Rate() (share float64, ok bool) {
	n := s.Confirmed + s.FalsePositive
	if n == 0 {
		return 0, false
	}
	return float64(s.FalsePositive) / float64(n), true
}

// A RouteTotal is what became of the notices of one route.
type RouteTotal struct {
	Route     string `json:"route"` // the kind of notice
	Drafted   int    `json:"drafted"`
	Sent      int    `json:"sent"`
	Answered  int    `json:"answered"`
	Withdrawn int    `json:"withdrawn"`
	Targets   int    `json:"targets"` // of those sent
	Gone      int    `json:"gone"`    // of them, after the notice was sent
	Took      Spread `json:"from_notice_sent_to_gone"`
}

// A Spread is how long something took, over all cases of it.
type Spread struct {
	Of     int           `json:"of"`
	Median time.Duration `json:"median_ns"`
	Ninety time.Duration `json:"ninetieth_percentile_ns"`
	Most   time.Duration `json:"most_ns"`
}

// SpreadOf sums up lengths of time. Those below zero, of clocks that disagree,
// count as none.
func SpreadOf(all []time.Duration) Spread {
	if len(all) == 0 {
		return Spread{}
	}
	sorted := slices.Clone(all)
	for i := range sorted {
		sorted[i] = max(0, sorted[i])
	}
	slices.Sort(sorted)
	at := func(share float64) time.Duration { return sorted[int(share*float64(len(sorted)-1)+0.5)] }
	return Spread{Of: len(sorted), Median: at(0.5), Ninety: at(0.9), Most: sorted[len(sorted)-1]}
}
