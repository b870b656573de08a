package evidence

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Decision is what the team decided about a case. What Telegram shows is the
// other axis, an Observation: a case may be closed while its channel is live.
type Decision string

// Decisions, in the order in which a case usually takes them.
const (
	Triage        Decision = "triage"         // nobody has said what it is
	Confirmed     Decision = "confirmed"      // one person says that it is a leak
	Approved      Decision = "approved"       // another person agrees that it be noticed
	Drafted       Decision = "drafted"        // a notice of it lies ready
	Sent          Decision = "sent"           // a person sent one
	Answered      Decision = "answered"       // the recipient answered
	Removed       Decision = "removed"        // what was reported is gone, and a person agrees
	Closed        Decision = "closed"         // nothing is left to do
	FalsePositive Decision = "false positive" // there is no leak
	Withdrawn     Decision = "withdrawn"      // the team takes back what it said
)

// next lists where each decision may lead. What ended may only begin again.
//
//nolint:gochecknoglobals // a constant table
var next = map[Decision][]Decision{
	Triage:        {Confirmed, FalsePositive},
	Confirmed:     {Approved, FalsePositive, Withdrawn, Removed, Closed},
	Approved:      {Drafted, Sent, FalsePositive, Withdrawn, Removed, Closed},
	Drafted:       {Sent, FalsePositive, Withdrawn, Removed, Closed},
	Sent:          {Answered, Removed, Withdrawn, Closed},
	Answered:      {Sent, Removed, Withdrawn, Closed},
	Removed:       {Closed, Withdrawn, Triage},
	Closed:        {Triage},
	FalsePositive: {Triage},
	Withdrawn:     {Triage},
}

// Decisions lists them all, in order.
func Decisions() []Decision {
	return []Decision{Triage, Confirmed, Approved, Drafted, Sent, Answered, Removed, Closed, FalsePositive, Withdrawn}
}

// Ended reports whether nothing is left to do until the case is reopened.
func (d Decision) Ended() bool { return d == Closed || d == FalsePositive || d == Withdrawn }

// ErrTransition says that a decision does not follow from the one before it.
var ErrTransition = errors.New("this step does not follow")

// May reports why a case may not go from one decision to another; nil: it may.
func (d Decision) May(to Decision) error {
	if slices.Contains(next[d], to) {
		return nil
	}
	var can []string
	for _, n := range next[d] {
		can = append(can, string(n))
	}
	return fmt.Errorf("%w: from %q a case goes to %s, not to %q", ErrTransition, d, strings.Join(can, ", "), to)
}

// SamePerson reports whether two actors bear one name, whatever role they give:
// "analyst:Ana" is "analyst:counsel: ana". Who is behind a name, nobody checks.
// Where two people are asked for, this is what tells them apart.
func SamePerson(a, b string) bool {
	name := func(s string) string {
		return strings.Join(strings.Fields(s[strings.LastIndexByte(s, ':')+1:]), " ")
	}
	return strings.EqualFold(name(a), name(b))
}

// An Observation is what a look at a message, channel or bot showed.
type Observation string

// Observations. SeenUnknown is honest: we never looked, or lost our own access.
const (
	SeenLive    Observation = "live"
	SeenEdited  Observation = "edited"
	SeenRemoved Observation = "removed"
	SeenRenamed Observation = "renamed"
	SeenPrivate Observation = "private"
	SeenUnknown Observation = "unknown"
)

// Observations lists them all.
func Observations() []Observation {
	return []Observation{SeenLive, SeenEdited, SeenRemoved, SeenRenamed, SeenPrivate, SeenUnknown}
}

// Gone reports whether nobody can read it there any more.
func (o Observation) Gone() bool { return o == SeenRemoved || o == SeenPrivate }

// Overall says for many targets what one word can: the most that is still to be
// seen of them. A case is removed only when all of it is.
func Overall(all []Observation) Observation {
	for _, o := range []Observation{SeenLive, SeenEdited, SeenRenamed, SeenUnknown, SeenPrivate, SeenRemoved} {
		if slices.Contains(all, o) {
			return o
		}
	}
	return SeenUnknown
}

// A Step is one decision about a case, with who took it and why.
type Step struct {
	CaseID string
	To     Decision
	Actor  string
	Reason string
	Object string // what it rests on: a notice's id; "": the case
	SHA256 string // of that, where it has bytes
	At     time.Time
}

// A Note is what a person wrote into a case, without any identifier.
type Note struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	Text string    `json:"text"`
}
