// Package alert tells a team's own endpoints of new findings: a webhook, a
// Slack-compatible hook, a mailbox. What it sends is masked and inert. It is the
// only thing that leaves the machine without a person, and goes nowhere but to
// the addresses that a person wrote into the workspace's config.
package alert

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"prahari/evidence"
)

// A Sender delivers alerts to one endpoint. Send may be called again with the
// same alert: its ID lets the receiver recognise it.
type Sender interface {
	Send(ctx context.Context, a Message) error
}

// A Message is one alert: a few findings, and how many more wait.
type Message struct {
	ID           string    `json:"id"`
	Organisation string    `json:"organisation"`
	TLP          string    `json:"tlp"`
	At           time.Time `json:"at"`
	Test         bool      `json:"test,omitempty"`
	Findings     []Finding `json:"findings"`
	More         int       `json:"more"` // found too, for the next messages
}

// A Finding is what an alert says of one. Everything in it is masked.
type Finding struct {
	ID         string            `json:"id"`
	Severity   evidence.Severity `json:"severity"`
	Title      string            `json:"title"`
	Source     string            `json:"source"`
	MessageID  int64             `json:"message_id"`
	URL        string            `json:"url,omitempty"`
	PostedAt   time.Time         `json:"posted_at"`
	CapturedAt time.Time         `json:"captured_at"`
	Records    int               `json:"records"`
	Masked     string            `json:"masked"`
}

// TLP is what every alert is marked with.
const TLP = "TLP:AMBER+STRICT"

// A PutOffError says that the endpoint asks for a longer wait.
type PutOffError struct {
	After time.Duration
	Err   error
}

func (e *PutOffError) Error() string { return e.Err.Error() }
func (e *PutOffError) Unwrap() error { return e.Err }

// Tries is how often a message is tried before it is given up: about two days.
const Tries = 52

// Wait returns how long to wait after so many failed tries: from half a minute,
// doubling, to an hour; longer where the endpoint asks for it, a day at most.
func Wait(tries int, err error) time.Duration {
	wait := time.Hour
	if tries < 8 {
		wait = min(wait, 30*time.Second<<max(0, tries-1))
	}
	var later *PutOffError
	if errors.As(err, &later) {
		wait = min(max(wait, later.After), 24*time.Hour)
	}
	return wait
}

// subject says in one line what an alert is about.
func (a Message) subject() string {
	if a.Test {
		return "Prahari: a test alert, nothing was found"
	}
	n := len(a.Findings) + a.More
	first := ""
	if len(a.Findings) > 0 {
		first = fmt.Sprintf(": %s, %s in %s", a.Findings[0].Severity, a.Findings[0].Title, a.Findings[0].Source)
	}
	if n == 1 {
		return evidence.OneLine("Prahari: 1 finding"+first, 160)
	}
	return evidence.OneLine(fmt.Sprintf("Prahari: %d findings%s", n, first), 160)
}

// plain renders an alert for a mailbox.
func (a Message) plain() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n%s\n", a.TLP, a.subject())
	for _, f := range a.Findings {
		fmt.Fprintf(&out, "\n%-8s  %s\nfinding   %s\nsource    %s, message %d\nposted    %s\n", f.Severity, f.Title, f.ID, f.Source, f.MessageID, f.PostedAt.UTC().Format(time.RFC3339))
		if f.URL != "" {
			fmt.Fprintf(&out, "link      %s\n", f.URL)
		}
		fmt.Fprintf(&out, "masked    %s\n", f.Masked)
	}
	if a.More > 0 {
		fmt.Fprintf(&out, "\n%d more: prahari finding list\n", a.More)
	}
	fmt.Fprintf(&out, "\nLook at one with: prahari finding show ID. Nothing was sent to anybody else.\n")
	return out.String()
}

// excerpt is how much of a masked text an alert shows.
const excerpt = 300

// Show makes foreign text of a finding fit for an alert.
func (f Finding) Show() Finding {
	f.Title, f.Source, f.URL = evidence.OneLine(f.Title, 120), evidence.OneLine(f.Source, 80), evidence.OneLine(f.URL, 200)
	f.Masked = evidence.OneLine(f.Masked, excerpt)
	return f
}
