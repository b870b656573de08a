package evidence

import (
	"fmt"
	"time"
)

// A Target is one thing of a case that is looked at again: a channel, group or
// bot, or one of its messages.
type Target struct {
	SourceID  string
	MessageID int64     // 0: the source itself
	Version   string    // of the message, as reported
	URL       string    // "" where it has none
	SentAt    time.Time // of the first notice about it; zero: none was sent
	State     Observation
	LastAt    time.Time // of the last look; zero: never
	Cases     []string
}

// Name renders a target for lists and the custody log.
func (t Target) Name() string { return TargetName(t.SourceID, t.MessageID) }

// TargetName renders a source, or one of its messages.
func TargetName(sourceID string, messageID int64) string {
	if messageID == 0 {
		return sourceID
	}
	return fmt.Sprintf("%s/%d", sourceID, messageID)
}

// Interval is the time between two looks at a target. After a notice was sent
// the clocks run in hours, so does this; a notice needs a look of the last day;
// what is gone is looked at daily, for it may come back.
func (t Target) Interval(now time.Time) time.Duration {
	since := now.Sub(t.SentAt)
	switch {
	case t.State.Gone() || t.SentAt.IsZero() || since > 14*24*time.Hour:
		return 24 * time.Hour
	case since > 48*time.Hour:
		return 6 * time.Hour
	}
	return time.Hour
}

// Due returns when the next look is due; zero: at once.
func (t Target) Due(now time.Time) time.Time {
	if t.LastAt.IsZero() {
		return time.Time{}
	}
	return t.LastAt.Add(t.Interval(now))
}

// A Sample is what one look showed, with what makes it believable.
type Sample struct {
	SourceID  string      `json:"source"`
	MessageID int64       `json:"message_id,omitempty"`
	At        time.Time   `json:"at"`
	State     Observation `json:"state"`
	Why       string      `json:"why,omitempty"`      // what Telegram answered, in words
	Account   string      `json:"account"`            // that looked
	Control   string      `json:"control,omitempty"`  // what else the same look could read there
	Username  string      `json:"username,omitempty"` // that the source has now
	Edited    time.Time   `json:"edited_at,omitzero"` // that Telegram gives the message now
}

// Name renders the sample's target.
func (s Sample) Name() string { return TargetName(s.SourceID, s.MessageID) }

// An Outcome is what became of one target after one notice.
type Outcome struct {
	CaseID   string        `json:"case"`
	NoticeID string        `json:"notice"`
	Route    string        `json:"route"` // the kind of notice
	Target   string        `json:"target"`
	SentAt   time.Time     `json:"sent_at"`
	LastSeen time.Time     `json:"last_seen,omitzero"` // the last look that still showed it
	GoneAt   time.Time     `json:"gone_at,omitzero"`   // the first that did not; zero: it is there
	State    Observation   `json:"state"`
	Took     time.Duration `json:"took_ns,omitzero"` // from sending to GoneAt: at most
}
