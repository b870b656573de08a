package evidence

import (
	"regexp"
	"strings"
	"time"
)

// A Candidate is a public name that a finding or a search led to. It is watched
// only once a person accepts it.
type Candidate struct {
	Name      string         `json:"name"` // username in lower case, without @
	State     CandidateState `json:"state"`
	FirstSeen time.Time      `json:"first_seen"`
	DecidedBy string         `json:"decided_by,omitempty"`
	DecidedAt time.Time      `json:"decided_at,omitzero"`
	Reason    string         `json:"reason,omitempty"`
	Trail     []Lead         `json:"trail"`
}

// A CandidateState says what a person decided.
type CandidateState string

// States of a candidate.
const (
	Undecided CandidateState = "undecided"
	Accepted  CandidateState = "accepted"
	Rejected  CandidateState = "rejected"
)

// A Lead is one place that led to a candidate.
type Lead struct {
	Name      string    `json:"-"`
	How       LeadKind  `json:"how"`
	SourceID  string    `json:"source,omitempty"`
	MessageID int64     `json:"message_id,omitempty"`
	Query     string    `json:"query,omitempty"` // of a search
	At        time.Time `json:"at"`
}

// A LeadKind says what led to a candidate.
type LeadKind string

// Kinds of lead.
const (
	ByLink    LeadKind = "link"    // a t.me link in a message with a finding
	ByMention LeadKind = "mention" // @name in it
	ByForward LeadKind = "forward" // it was forwarded from there
	BySearch  LeadKind = "search"  // Telegram's search gave it

	ByDiscussion LeadKind = "discussion" // it holds the comments on a source's posts
)

var (
	// namedLink reads t.me/name, also with a message's number or a start parameter.
	namedLink = regexp.MustCompile(`(?i)(?:\b(?:t|telegram)\.me/(?:s/)?|\btg://resolve\?domain=)([a-z][a-z0-9_]{3,31})\b`)
	// mention reads @name that does not end an address.
	mention = regexp.MustCompile(`(?i)(?:^|[^a-z0-9._%+@/-])@([a-z][a-z0-9_]{3,31})\b(?:[^.a-z0-9]|\.\W|\.?$)`)
)

// notNames are the paths of t.me that name nobody.
//
//nolint:gochecknoglobals // a constant set
var notNames = map[string]bool{"joinchat": true, "addstickers": true, "addemoji": true, "share": true, "proxy": true, "socks": true, "login": true, "confirmphone": true, "setlanguage": true, "addtheme": true, "boost": true, "invoice": true, "addlist": true, "iv": true, "telegrampassport": true}

// maxLeads bounds what one message can lead to.
const maxLeads = 50

// Leads returns the public names that a text leads to, each once. A name that
// holds an identifier is left out: it must not be kept.
func Leads(text string) []Lead {
	var out []Lead
	seen := map[string]bool{}
	add := func(name string, how LeadKind) {
		name = strings.ToLower(name)
		if len(out) < maxLeads && !seen[name] && !notNames[name] && CandidateName(name) {
			seen[name] = true
			out = append(out, Lead{Name: name, How: how})
		}
	}
	if strings.Contains(text, "/") { // the expressions are dear, and most texts hold neither
		for _, m := range namedLink.FindAllStringSubmatch(text, -1) {
			add(m[1], ByLink)
		}
	}
	for rest := text; strings.Contains(rest, "@"); {
		at := mention.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		add(rest[at[2]:at[3]], ByMention)
		rest = rest[at[3]:]
	}
	return out
}

// CandidateName reports whether a name may be kept: there is no identifier in it.
func CandidateName(name string) bool { return Sweep(name) == name }
