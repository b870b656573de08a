package evidence

import (
	"fmt"
	"time"
)

// A Case gathers the findings about one abuser.
type Case struct {
	ID       string // "CASE0001"
	Title    string
	OpenedAt time.Time
	OpenedBy string
	Status   Decision
	Findings []string // not in a list of cases

	FindingCount int // also in a list

	Assignee    string // "": nobody
	ConfirmedBy string
	ApprovedBy  string // never who confirmed
	ApprovedAt  time.Time
	ChangedAt   time.Time
	MergedInto  string      // the case that took its findings
	Observed    Observation // over all its targets
	Notes       []Note
}

// An Authorisation records who allowed what, on which basis.
type Authorisation struct {
	ID      string // "A-0001"
	Method  string // the one RPC it names: "channels.joinChannel"
	Source  string // the source it holds for
	GivenBy string
	Reason  string
	At      time.Time

	// Of one that a second person has to approve:
	Canary     string // the one canary that may be sent
	AddedBy    string // "" for joining, which takes one person
	ExpiresAt  time.Time
	ApprovedBy string
	ApprovedAt time.Time
	RevokedBy  string
	RevokedAt  time.Time
}

// Holds reports why an authorisation does not hold now; nil: it does.
func (a Authorisation) Holds(now time.Time) error {
	switch {
	case !a.RevokedAt.IsZero():
		return fmt.Errorf("authorisation %s was revoked on %s by %s", a.ID, a.RevokedAt.UTC().Format(time.DateOnly), a.RevokedBy)
	case a.ApprovedAt.IsZero():
		return fmt.Errorf("authorisation %s waits for a second person: 'prahari authorisation approve %s --operator NAME'", a.ID, a.ID)
	case SamePerson(a.ApprovedBy, a.AddedBy):
		return fmt.Errorf("authorisation %s was added and approved by one person", a.ID)
	case !now.Before(a.ExpiresAt):
		return fmt.Errorf("authorisation %s expired on %s", a.ID, a.ExpiresAt.UTC().Format(time.DateOnly))
	}
	return nil
}
