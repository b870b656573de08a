package report

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// A Deadline is one row of the table of clocks.
type Deadline struct {
	ID            string     `yaml:"id" json:"id"`
	Clock         string     `yaml:"clock" json:"clock"` // rows of one clock follow each other in time
	Jurisdiction  string     `yaml:"jurisdiction" json:"jurisdiction"`
	Instrument    string     `yaml:"instrument" json:"instrument"`
	Provision     string     `yaml:"provision" json:"provision"`
	Duty          string     `yaml:"duty" json:"duty"`
	DutyHolder    string     `yaml:"duty_holder" json:"duty_holder"`
	WhoMayStart   string     `yaml:"who_may_start" json:"who_may_start"`
	Starts        Starter    `yaml:"starts" json:"starts"`
	TriggerEvent  string     `yaml:"trigger_event" json:"trigger_event"`
	Duration      string     `yaml:"duration" json:"duration"` // ISO 8601: PT36H, P7D; or WITHOUT_DELAY
	Recipient     string     `yaml:"recipient" json:"recipient"`
	ContentRef    string     `yaml:"content_list_ref" json:"content_list_ref,omitempty"`
	EffectiveFrom string     `yaml:"effective_from" json:"effective_from,omitempty"` // "": not known, never asserted
	EffectiveTo   string     `yaml:"effective_to" json:"effective_to,omitempty"`
	CertainFrom   string     `yaml:"certain_from" json:"certain_from,omitempty"` // "": effective_from
	Citation      string     `yaml:"citation" json:"citation"`
	Source        string     `yaml:"source" json:"source"`
	VerifiedOn    string     `yaml:"verified_on" json:"verified_on"`
	Confidence    Confidence `yaml:"confidence" json:"confidence"`
	Doubt         string     `yaml:"doubt" json:"doubt,omitempty"` // why it is not asserted
}

// A Starter says who may start a clock.
type Starter string

// Who may start a clock. Nobody starts one of NoStarter in a case: it runs by law.
const (
	Complaint      Starter = "complaint"
	Individual     Starter = "individual"
	Order          Starter = "order"
	Holder         Starter = "holder"
	ComplainantWas Starter = "complainant"
	NoStarter      Starter = "none"
)

// WithoutDelay is the duration of what is due at once.
const WithoutDelay = "WITHOUT_DELAY"

// Errors of clocks.
var (
	// ErrNoClock says that no row, or more than one, holds at a time.
	ErrNoClock = errors.New("check: no single row of the table holds at this time")
	// ErrMayNotStart says that whoever acts cannot start this clock.
	ErrMayNotStart = errors.New("this clock cannot be started so")
)

// Clock returns the row of a clock that holds at a trigger's time. Where it is
// not certain, it returns ErrNoClock: a wrong clock is worse than none.
func (b *Book) Clock(clock string, trigger time.Time) (Deadline, error) {
	day := trigger.In(ist).Format(time.DateOnly)
	var found []Deadline
	for _, d := range b.Deadlines {
		if d.Clock != clock {
			continue
		}
		if d.EffectiveFrom == "" {
			return Deadline{}, fmt.Errorf("%w: since when row %s holds is not known: %s", ErrNoClock, d.ID, d.Doubt)
		}
		if d.EffectiveFrom <= day && (d.EffectiveTo == "" || day <= d.EffectiveTo) {
			found = append(found, d)
		}
	}
	switch {
	case len(found) != 1:
		return Deadline{}, fmt.Errorf("%w: %d rows on %s", ErrNoClock, len(found), day)
	case found[0].Confidence == Unconfirmed:
		return Deadline{}, fmt.Errorf("%w: row %s is unconfirmed", ErrNoClock, found[0].ID)
	case found[0].Doubt != "":
		return Deadline{}, fmt.Errorf("%w: row %s: %s", ErrNoClock, found[0].ID, found[0].Doubt)
	case day < found[0].CertainFrom:
		return Deadline{}, fmt.Errorf("%w: row %s is certain only from %s", ErrNoClock, found[0].ID, found[0].CertainFrom)
	}
	return found[0], nil
}

// Knows reports whether the table has a clock of that name at all.
func (b *Book) Knows(clock string) bool {
	for _, d := range b.Deadlines {
		if d.Clock == clock {
			return true
		}
	}
	return false
}

// Coming returns the row of a clock that begins to hold after a time: a duty
// that is law already and not yet in force.
func (b *Book) Coming(clock string, at time.Time) (Deadline, bool) {
	day := at.In(ist).Format(time.DateOnly)
	for _, d := range b.Deadlines {
		if d.Clock == clock && day < d.EffectiveFrom {
			return d, true
		}
	}
	return Deadline{}, false
}

// A Right is what somebody who starts a clock can show.
type Right struct {
	Order      bool // a court order or authorised intimation is recorded, with its hash
	Individual bool // acts as the individual, or on their behalf
	Holder     bool // acts for whoever has the duty
	Answered   bool // the grievance officer's communication was received
}

// MayStart reports why a row's clock cannot be started with a right; nil: it can.
func (d Deadline) MayStart(r Right) error {
	why := ""
	switch {
	case d.Starts == Complaint, d.Starts == Individual && r.Individual, d.Starts == Order && r.Order,
		d.Starts == Holder && r.Holder, d.Starts == ComplainantWas && r.Answered:
		return nil
	case d.Starts == Order:
		why = "an analyst never starts it. Record the order first, with its hash"
	case d.Starts == Individual:
		why = "say that the complaint is the individual's own, or made on their behalf"
	case d.Starts == Holder:
		why = "only " + d.DutyHolder + " has the duty; say that you act for one"
	case d.Starts == ComplainantWas:
		why = "it runs from the answer to a complaint; say when that was received"
	default:
		why = "nobody starts it in a case"
	}
	return fmt.Errorf("%w: %s may be started by %s: %s", ErrMayNotStart, d.ID, d.WhoMayStart, why)
}

var isoDuration = regexp.MustCompile(`^P(?:([0-9]{1,4})D|T([0-9]{1,4})H|([0-9]{1,3})M|([0-9]{1,3})Y)$`)

// length returns the parts of the duration; a day is 24 hours, for the counting
// of days by statute is not confirmed and the stricter instant is shown.
func (d Deadline) length() (elapsed time.Duration, months int, ok bool) {
	if d.Duration == WithoutDelay {
		return 0, 0, true
	}
	m := isoDuration.FindStringSubmatch(d.Duration)
	if m == nil {
		return 0, 0, false
	}
	var n [5]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i])
	}
	return time.Duration(24*n[1]+n[2]) * time.Hour, n[3] + 12*n[4], true
}

// Due returns when the duty ends; what is due without delay is due at once.
func (d Deadline) Due(trigger time.Time) time.Time {
	elapsed, months, _ := d.length()
	return trigger.Add(elapsed).AddDate(0, months, 0)
}

func (d Deadline) check() error {
	if d.ID == "" || d.Clock == "" || d.Citation == "" || d.Source == "" || d.Duty == "" || d.DutyHolder == "" || d.WhoMayStart == "" {
		return errors.New("id, clock, duty, duty_holder, who_may_start, citation and source are required")
	}
	switch d.Starts {
	case Complaint, Individual, Order, Holder, ComplainantWas, NoStarter:
	default:
		return fmt.Errorf("starts %q is none of complaint, individual, order, holder, complainant, none", d.Starts)
	}
	if _, _, ok := d.length(); !ok {
		return fmt.Errorf("duration %q is not one such as PT36H, P7D or WITHOUT_DELAY", d.Duration)
	}
	switch d.Confidence {
	case Confirmed, Secondary, Unconfirmed:
	default:
		return fmt.Errorf("confidence %q is none of confirmed, secondary, unconfirmed", d.Confidence)
	}
	for _, date := range []string{d.EffectiveFrom, d.EffectiveTo, d.CertainFrom, d.VerifiedOn} {
		if _, err := time.Parse(time.DateOnly, date); date != "" && err != nil {
			return fmt.Errorf("%q is not a date such as 2026-02-20", date)
		}
	}
	switch {
	case d.VerifiedOn == "":
		return errors.New("verified_on is required")
	case d.EffectiveFrom == "" && d.Doubt == "":
		return errors.New("a row without effective_from says under doubt why it has none")
	case d.EffectiveTo != "" && d.EffectiveTo < d.EffectiveFrom:
		return fmt.Errorf("it ends on %s, before it begins on %s", d.EffectiveTo, d.EffectiveFrom)
	}
	return nil
}

// Period renders the duration for people.
func (d Deadline) Period() string {
	elapsed, months, _ := d.length()
	switch {
	case d.Duration == WithoutDelay:
		return "without delay"
	case months > 0:
		return fmt.Sprintf("every %d months", months)
	case d.Duration[1] != 'T':
		return fmt.Sprintf("%d days", int(elapsed.Hours()/24))
	}
	return fmt.Sprintf("%d hours", int(elapsed.Hours()))
}

// sentence states the clock with its law, its doubt and its row. from says what
// the trigger is: "if received now".
func (d Deadline) sentence(trigger time.Time, from string) string {
	within := "within " + d.Period()
	if d.Duration == WithoutDelay {
		within = d.Period()
	}
	return fmt.Sprintf("%s %s: %s. %s, by %s (row %s, %s, verified %s)",
		d.Duty, within, d.Citation, from, both(d.Due(trigger)), d.ID, d.Confidence, d.VerifiedOn)
}

// Doubts says what a person must know before relying on the row; drafts and
// lists print it.
func (d Deadline) Doubts(now time.Time) []string {
	var out []string
	if d.Confidence != Confirmed {
		out = append(out, fmt.Sprintf("The clock %s is %s. Check it against the text of the law.", d.ID, d.Confidence))
	}
	if d.Doubt != "" {
		out = append(out, fmt.Sprintf("The clock %s is not asserted: %s.", d.ID, d.Doubt))
	}
	if stale(d.VerifiedOn, now) {
		out = append(out, fmt.Sprintf("The clock %s was last verified on %s, more than 90 days ago. Verify it again.", d.ID, d.VerifiedOn))
	}
	return out
}
