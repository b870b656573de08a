package evidence

import "time"

// A TriageKind is one thing that a person does to findings while looking
// through them.
type TriageKind string

// What a person does to findings. Suppressing says that these are false positives
// and so is whatever comes in the same form.
const (
	TriageConfirm       TriageKind = "confirm"
	TriageFalsePositive TriageKind = "false positive"
	TriageAdd           TriageKind = "add"
	TriageSuppress      TriageKind = "suppress"
)

// A TriageAction is one such act over one or many findings. It can be undone.
type TriageAction struct {
	ID          int64      `json:"id"`
	Kind        TriageKind `json:"kind"`
	Findings    []string   `json:"findings"`
	Actor       string     `json:"actor"`
	At          time.Time  `json:"at"`
	Reason      string     `json:"reason,omitempty"`
	CaseID      string     `json:"case,omitempty"`
	Everywhere  bool       `json:"everywhere,omitempty"` // of a suppression: in every source, not only in the finding's
	Suppression []string   `json:"suppressions,omitempty"`
	Changed     int        `json:"changed"` // findings that were not so before
}

// A Suppression is a form of text that a person said is no leak. What comes in
// it later is recorded all the same, and marked.
type Suppression struct {
	ID        string    `json:"id"` // "S-0001"
	Template  string    `json:"template"`
	Rule      string    `json:"rule"`
	SourceID  string    `json:"source,omitempty"` // "": everywhere
	Reason    string    `json:"reason"`
	AddedBy   string    `json:"added_by"`
	AddedAt   time.Time `json:"added_at"`
	RemovedBy string    `json:"removed_by,omitempty"`
	RemovedAt time.Time `json:"removed_at,omitzero"`
	Findings  int       `json:"findings"` // that it marks
}
