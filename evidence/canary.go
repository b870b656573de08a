package evidence

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Canary is an identifier that a bot may be sent: made up, or of a person who
// agreed in writing. Its value is nowhere; who probes types it, and its token
// must fit.
type Canary struct {
	ID        string      `json:"id"` // "C-0001"
	Label     string      `json:"label"`
	Kind      Kind        `json:"kind"`
	Token     string      `json:"token"`
	Masked    string      `json:"masked"`
	Basis     CanaryBasis `json:"basis"`
	Consent   string      `json:"consent_sha256,omitempty"` // of the consent file
	Scope     []string    `json:"scope"`                    // bots it may be sent to, as names in lower case without @
	ExpiresAt time.Time   `json:"expires_at"`
	AddedBy   string      `json:"added_by"`
	AddedAt   time.Time   `json:"added_at"`

	WithdrawnBy string    `json:"withdrawn_by,omitempty"`
	WithdrawnAt time.Time `json:"withdrawn_at,omitzero"`
}

// A CanaryBasis says why the identifier may be sent.
type CanaryBasis string

// Bases of a canary.
const (
	Synthetic CanaryBasis = "synthetic" // made up, and not in use by anybody
	Consented CanaryBasis = "consented" // of a person who agreed in writing
)

// MaySend reports why a canary must not be sent to a bot now; nil: it may.
func (c Canary) MaySend(bot string, now time.Time) error {
	switch {
	case !c.WithdrawnAt.IsZero():
		return fmt.Errorf("canary %s was withdrawn on %s by %s", c.ID, c.WithdrawnAt.UTC().Format(time.DateOnly), c.WithdrawnBy)
	case !now.Before(c.ExpiresAt):
		return fmt.Errorf("canary %s expired on %s: add a new one, with a new consent", c.ID, c.ExpiresAt.UTC().Format(time.DateOnly))
	case !slices.Contains(c.Scope, strings.ToLower(strings.TrimPrefix(bot, "@"))):
		return fmt.Errorf("canary %s is for %s, not for @%s", c.ID, "@"+strings.Join(c.Scope, ", @"), bot)
	case c.Kind == Aadhaar && c.Basis != Consented:
		return fmt.Errorf("canary %s is an Aadhaar number that nobody agreed to: a made-up one may be somebody's", c.ID)
	}
	return nil
}

// A Probe is one query that was sent to a bot.
type Probe struct {
	ID            string    `json:"id"` // "P-0001"
	SourceID      string    `json:"source"`
	Canary        string    `json:"canary"`
	Authorisation string    `json:"authorisation"`
	ApprovedBy    string    `json:"approved_by,omitempty"`    // the second person; in the custody log
	Consent       string    `json:"consent_sha256,omitempty"` // of the consent file that was shown; in the custody log
	Operator      string    `json:"operator"`
	SentAt        time.Time `json:"sent_at"` // when it was begun; the zero time: it certainly was not sent
	Replies       int       `json:"replies"`
	Findings      int       `json:"findings"`
}
