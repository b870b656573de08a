package report

import (
	"cmp"
	"slices"
	"time"

	"prahari/evidence"
)

// A Standing is where a started clock is now.
type Standing struct {
	Countdown evidence.Countdown
	Row       Deadline  // zero where none can be asserted
	Due       time.Time // zero where none can be asserted
	State     State
	Check     string   // why no clock is asserted
	Doubts    []string // what to know before relying on it
}

// A State is a word for where a clock is.
type State string

// States of a clock.
const (
	Running State = "running"
	Overdue State = "overdue"
	Stopped State = "stopped"
	Check   State = "check" // no clock is asserted
)

// Standing says where a started clock is. The row is picked anew by the trigger's
// time: a corrected table corrects every list.
func (b *Book) Standing(c evidence.Countdown, now time.Time) Standing {
	s := Standing{Countdown: c, State: Running}
	row, err := b.Clock(c.Clock, c.Trigger)
	switch {
	case err != nil:
		s.State, s.Check = Check, err.Error()
	default:
		s.Row, s.Due, s.Doubts = row, row.Due(c.Trigger), row.Doubts(now)
		if !now.Before(s.Due) {
			s.State = Overdue
		}
	}
	if !c.StoppedAt.IsZero() {
		s.State = Stopped
	}
	return s
}

// Standings says it of many, the most urgent first: what is due, then what to
// check, then what was stopped.
func (b *Book) Standings(all []evidence.Countdown, now time.Time) []Standing {
	out := make([]Standing, len(all))
	for i, c := range all {
		out[i] = b.Standing(c, now)
	}
	rank := map[State]int{Overdue: 0, Running: 0, Check: 1, Stopped: 2}
	slices.SortStableFunc(out, func(a, b Standing) int {
		return cmp.Or(cmp.Compare(rank[a.State], rank[b.State]), a.Due.Compare(b.Due), cmp.Compare(a.Countdown.ID, b.Countdown.ID))
	})
	return out
}

// DueWithin reports whether something must be done within a time: it is due by
// then or overdue. A clock to check is no such thing, nor one that was stopped.
func (s Standing) DueWithin(now time.Time, within time.Duration) bool {
	return (s.State == Running || s.State == Overdue) && !s.Due.After(now.Add(within))
}

// Both renders a time in India's time and in UTC, as every output does.
func Both(t time.Time) string { return both(t) }
