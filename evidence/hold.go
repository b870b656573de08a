package evidence

import "time"

// A Hold keeps evidence from being purged, whatever its age.
type Hold struct {
	ID         string // "H-0001"
	Object     string // a case, a source, a piece of evidence, or WholeWorkspace
	Reason     string
	AddedBy    string
	ApprovedBy string // another person
	AddedAt    time.Time

	ReleasedBy        string
	ReleaseApprovedBy string // another person
	ReleaseReason     string
	ReleasedAt        time.Time
}

// WholeWorkspace is the object of a hold on everything.
const WholeWorkspace = "workspace"

// Holds reports whether it is in force.
func (h Hold) Holds() bool { return h.ReleasedAt.IsZero() }
