package evidence

import (
	"fmt"
	"time"
)

// A ChangeKind says how a source changed.
type ChangeKind string

// Kinds of change. A source is its immutable id: what else is known of it may
// change, and a name may pass to another.
const (
	Retitled   ChangeKind = "renamed"        // it has another title
	Renamed    ChangeKind = "username"       // it has another @name
	NameTaken  ChangeKind = "username_taken" // its @name belongs to another id
	Migrated   ChangeKind = "migrated"       // a basic group, which has no public name, became this supergroup, with another id
	Marked     ChangeKind = "marked"         // Telegram marks it as scam, fake or verified, or no longer does
	Restricted ChangeKind = "restricted"     // Telegram shows it to some or to nobody, with a reason
	Lifted     ChangeKind = "unrestricted"
	Privatised ChangeKind = "private" // it has no public name any more, or is gone: Telegram does not say which
	Erased     ChangeKind = "deleted" // its id names nothing any more
	Expelled   ChangeKind = "removed" // the account is no longer a member
	Barred     ChangeKind = "banned"  // it keeps the account out
	Readable   ChangeKind = "readable"
)

// A Change is an event in the life of a source. Its texts are masked.
type Change struct {
	SourceID string     `json:"source"`
	Kind     ChangeKind `json:"kind"`
	Was      string     `json:"was,omitempty"`
	Now      string     `json:"now,omitempty"`
	Detail   string     `json:"detail,omitempty"` // what Telegram said
	Account  string     `json:"account,omitempty"`
	At       time.Time  `json:"at"`
}

// Says puts a change into words, to follow the source's name.
func (c Change) Says() string {
	var say string
	switch c.Kind {
	case Retitled:
		say = fmt.Sprintf("is titled %q now, was %q", c.Now, c.Was)
	case Renamed:
		say = "is " + c.Now + " now, was " + orNothing(c.Was)
	case NameTaken:
		say = "lost its name: " + c.Was + " is " + c.Now + " now"
	case Migrated:
		say = "is " + c.Now + " now, was the basic group " + c.Was
	case Marked:
		say = "is marked by Telegram as " + orNothing(c.Now) + ", was " + orNothing(c.Was)
	case Restricted:
		say = "is restricted by Telegram"
	case Lifted:
		say = "is no longer restricted by Telegram"
	case Privatised:
		say = "is private now"
		if c.Was != "" {
			say += ", was " + c.Was
		}
	case Erased:
		say = "is deleted"
	case Expelled:
		say = "no longer has account " + c.Account + " for a member"
	case Barred:
		say = "keeps account " + c.Account + " out"
	case Readable:
		say = "can be read again"
	default:
		say = string(c.Kind)
	}
	if c.Detail != "" {
		say += ": " + c.Detail
	}
	return say
}

func orNothing(s string) string {
	if s == "" {
		return "without one"
	}
	return s
}

// Lost reports whether a kind of change leaves a source unread.
func (k ChangeKind) Lost() bool {
	return k == Privatised || k == Erased || k == Expelled || k == Barred
}

// A Deletion is a run of messages that a source deleted at a time.
type Deletion struct {
	SourceID string
	Range
	At time.Time
}
