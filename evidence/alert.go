package evidence

import "time"

// An AlertState says what became of an alert.
type AlertState string

// States of an alert.
const (
	AlertWaiting AlertState = "waiting" // to be sent, for the first time or again
	AlertSent    AlertState = "sent"    // the endpoint took it
	AlertGivenUp AlertState = "given up"
)

// An Alert is one message to one of the team's endpoints, about a few findings.
// It is the same at every try.
type Alert struct {
	ID       string     `json:"id"` // "al-…"
	Endpoint string     `json:"endpoint"`
	MadeAt   time.Time  `json:"made_at"`
	Tries    int        `json:"tries"`
	NextAt   time.Time  `json:"next_at,omitzero"` // while waiting
	State    AlertState `json:"state"`
	Error    string     `json:"error,omitempty"` // of the last try
	Findings []string   `json:"findings"`
}
