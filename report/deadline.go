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
	ID            string     `yaml:"id"`
	Clock         string     `yaml:"clock"` // rows of one clock follow each other in time
	Duty          string     `yaml:"duty"`
	Duration      string     `yaml:"duration"` // ISO 8601: PT36H, P7D
	Holder        string     `yaml:"holder"`
	Starter       string     `yaml:"starter"`
	EffectiveFrom string     `yaml:"effective_from"`
	EffectiveTo   string     `yaml:"effective_to"`
	CertainFrom   string     `yaml:"certain_from"` // "": effective_from
	Citation      string     `yaml:"citation"`
	Source        string     `yaml:"source"`
	VerifiedOn    string     `yaml:"verified_on"`
	Confidence    Confidence `yaml:"confidence"`
}

// ErrNoClock says that no row, or more than one, holds at a time.
var ErrNoClock = errors.New("check: no single row of the table holds at this time")

// Clock returns the row of a clock that holds at a trigger's time. Where it is
// not certain, it returns ErrNoClock: a wrong clock is worse than none.
func (b *Book) Clock(clock string, trigger time.Time) (Deadline, error) {
	day := trigger.In(ist).Format(time.DateOnly)
	var found []Deadline
	for _, d := range b.Deadlines {
		if d.Clock == clock && d.EffectiveFrom <= day && (d.EffectiveTo == "" || day <= d.EffectiveTo) {
			found = append(found, d)
		}
	}
	switch {
	case len(found) != 1:
		return Deadline{}, fmt.Errorf("%w: %d rows on %s", ErrNoClock, len(found), day)
	case found[0].Confidence == Unconfirmed:
		return Deadline{}, fmt.Errorf("%w: row %s is unconfirmed", ErrNoClock, found[0].ID)
	case day < found[0].CertainFrom:
		return Deadline{}, fmt.Errorf("%w: row %s is certain only from %s", ErrNoClock, found[0].ID, found[0].CertainFrom)
	}
	return found[0], nil
}

var isoDuration = regexp.MustCompile(`^P(?:([0-9]{1,4})D|T([0-9]{1,4})H)$`)

// length returns the duration; a day is 24 hours, for the counting of days by
// statute is not confirmed and the stricter instant is shown.
func (d Deadline) length() (time.Duration, bool) {
	m := isoDuration.FindStringSubmatch(d.Duration)
	if m == nil {
		return 0, false
	}
	days, _ := strconv.Atoi(m[1])
	hours, _ := strconv.Atoi(m[2])
	return time.Duration(24*days+hours) * time.Hour, true
}

// Due returns when the duty ends.
func (d Deadline) Due(trigger time.Time) time.Time {
	length, _ := d.length()
	return trigger.Add(length)
}

func (d Deadline) check() error {
	if d.ID == "" || d.Clock == "" || d.Citation == "" || d.Source == "" {
		return errors.New("id, clock, citation and source are required")
	}
	if _, ok := d.length(); !ok {
		return fmt.Errorf("duration %q is not one such as PT36H or P7D", d.Duration)
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
	if d.EffectiveFrom == "" || d.VerifiedOn == "" {
		return errors.New("effective_from and verified_on are required")
	}
	return nil
}

// sentence states the clock with its law, its doubt and its row.
func (d Deadline) sentence(trigger time.Time) string {
	length, _ := d.length()
	period := fmt.Sprintf("%d hours", int(length.Hours()))
	if length >= 48*time.Hour && length%(24*time.Hour) == 0 && d.Duration[1] != 'T' {
		period = fmt.Sprintf("%d days", int(length.Hours()/24))
	}
	return fmt.Sprintf("%s within %s: %s. If received now, by %s (provisional, from sending; row %s, %s, verified %s)",
		d.Duty, period, d.Citation, both(d.Due(trigger)), d.ID, d.Confidence, d.VerifiedOn)
}
