package report

import (
	"fmt"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"

	"prahari/evidence"
)

// Calendar renders running clocks as iCalendar (RFC 5545): one event at each
// due time, with an alarm an hour before. Clocks that cannot be asserted or were
// stopped are left out. Nothing in it names a person.
func Calendar(standings []Standing, titles map[string]string, now time.Time) []byte {
	cal := ics.NewCalendarFor("prahari")
	cal.SetMethod(ics.MethodPublish)
	cal.SetXWRCalName("prahari deadlines")
	for _, s := range standings {
		if s.State != Running && s.State != Overdue {
			continue
		}
		c := s.Countdown
		event := cal.AddEvent(uid(c))
		event.SetDtStampTime(now.UTC().Truncate(time.Second))
		event.SetCreatedTime(c.StartedAt.UTC().Truncate(time.Second))
		event.SetStartAt(s.Due.UTC())
		event.SetEndAt(s.Due.UTC().Add(15 * time.Minute))
		event.SetClass(ics.ClassificationConfidential)
		event.SetTimeTransparency(ics.TransparencyTransparent)
		event.SetStatus(ics.ObjectStatusConfirmed)
		summary := fmt.Sprintf("%s: %s by %s", c.CaseID, s.Row.Duty, s.Row.DutyHolder)
		if c.Provisional() {
			event.SetStatus(ics.ObjectStatusTentative)
			summary += " (provisional)"
		}
		event.SetSummary(evidence.Caption(summary, 200))
		lines := []string{
			"Due " + both(s.Due), "Trigger " + both(c.Trigger) + ", " + string(c.Basis), "Case: " + titles[c.CaseID],
			fmt.Sprintf("Row %s, %s, verified %s: %s", s.Row.ID, s.Row.Confidence, s.Row.VerifiedOn, s.Row.Citation),
		}
		if c.NoticeID != "" {
			lines = append(lines, "Notice "+c.NoticeID)
		}
		event.SetDescription(evidence.Printable(strings.Join(append(lines, s.Doubts...), "\n")))
		alarm := event.AddAlarm()
		alarm.SetAction(ics.ActionDisplay)
		alarm.SetProperty(ics.ComponentPropertyDescription, evidence.Caption(summary, 200))
		alarm.SetTrigger("-PT1H")
	}
	return []byte(cal.Serialize(ics.WithNewLineWindows))
}

// uid is the same for the same clock in every export, and another's in another
// workspace.
func uid(c evidence.Countdown) string {
	return evidence.Digest(fmt.Appendf(nil, "%s|%s|%d|%s", c.ID, c.CaseID, c.StartedAt.UnixMilli(), c.StartedBy))[:24] + "@prahari"
}
