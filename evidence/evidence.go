// Package evidence holds the domain: what a message, a match, a finding and a
// piece of evidence are, how plaintext is masked, tokenised and sealed, and how
// the custody log is chained. It is the only package that turns plaintext into
// what may be stored, and imports nothing of ours.
package evidence

import (
	"fmt"
	"time"
)

// Evidence is what is kept of one version of one message. Nothing in it is
// plaintext: Masked is safe to show, Sealed opens only to the recipients.
type Evidence struct {
	ID         string // "ev-…", the same for the same version of the same message
	Source     Source
	MessageID  int64
	Version    string // edit time and keyed fingerprint: "0-ab12…" as posted
	URL        string
	PostedAt   time.Time
	EditedAt   time.Time // zero: as posted
	CapturedAt time.Time
	Origin     Origin
	Masked     string
	Findings   []Kept // none where an edit removed what was found
	Leads      []Lead // to candidates; not sealed, not part of a bundle
	Collection Collection
	Sealed     []byte // age file
	Commitment string // SHA-256 of the nonce-hidden container inside, hex
	SealedSHA  string // SHA-256 of Sealed, hex
	SealedSize int64
	PurgedAt   time.Time // zero: text and sealed original are still there
}

// A Kept is a finding as stored: counts and masked renderings, no spans.
type Kept struct {
	ID           string       `json:"id"` // "f-…"
	EvidenceID   string       `json:"evidence_id"`
	Rule         string       `json:"rule"`
	RuleVersion  int          `json:"rule_version"`
	RuleHash     string       `json:"rule_hash"`
	Title        string       `json:"title"`
	Severity     Severity     `json:"severity"`
	Confidence   float64      `json:"confidence"`
	Words        []string     `json:"words"`
	Reasons      []string     `json:"reasons"`
	NotDecisive  []string     `json:"not_decisive,omitempty"` // what else the text holds
	Plausibility Plausibility `json:"plausibility,omitzero"`  // of the whole text
	Records      []KeptRecord `json:"records"`
	Distinct     map[Kind]int `json:"distinct_without_token,omitempty"` // values of kinds that get no token
}

// A KeptRecord is a record as stored.
type KeptRecord struct {
	Identifiers []KeptIdentifier `json:"identifiers"`
	Fields      []string         `json:"fields"` // names of the labelled fields, no values
}

// A KeptIdentifier is a match as stored. Token links equal values without
// naming them; it is empty for masked values, which name nobody for certain.
type KeptIdentifier struct {
	Kind     Kind     `json:"kind"`
	Form     Form     `json:"form"`
	Validity Validity `json:"validity"`
	Label    string   `json:"label,omitempty"`
	Masked   string   `json:"masked"`
	Token    string   `json:"token,omitempty"`
}

// Collection says how the message was collected, by whom and with what.
type Collection struct {
	Account  string    `json:"account,omitempty"` // label
	UserID   int64     `json:"telegram_user_id,omitempty"`
	Operator string    `json:"operator"`
	Request  string    `json:"request"`
	Egress   string    `json:"egress_ip_or_proxy,omitempty"` // the way to Telegram, "" where it was not recorded
	Host     Host      `json:"host"`
	Tool     Tool      `json:"tool"`
	Clock    Clock     `json:"time_source"`
	At       time.Time `json:"captured_at_utc"`
	Media    []Media   `json:"media,omitempty"`
	Context  Context   `json:"context"`
}

// Host is the machine that collected.
type Host struct {
	Hostname  string `json:"hostname"`
	OS        string `json:"os"`
	Arch      string `json:"arch"`
	Kernel    string `json:"kernel,omitempty"`
	MachineID string `json:"machine_id_hash,omitempty"` // keyed digest of the machine's id, the same for all of its evidence
}

// Tool is the program that collected.
type Tool struct {
	Name         string `json:"name"`
	Version      string `json:"version"`
	Commit       string `json:"git_commit"`
	BinarySHA256 string `json:"binary_sha256,omitempty"` // of the program's file
	GoVersion    string `json:"go_version"`
	Library      string `json:"library"`       // module and version that spoke to Telegram
	Layer        int    `json:"mtproto_layer"` // 0: not over MTProto
}

// Clock says what the times rest on.
type Clock struct {
	Source   string `json:"source"`    // "system clock, not compared" or "telegram server time"
	OffsetMS int64  `json:"offset_ms"` // local minus server
	Checked  string `json:"checked_at,omitempty"`
}

// MessageURL returns the public link of a message, "" where there is none: a
// bot's dialog and a file have no public messages.
func MessageURL(s Source, id int64) string {
	if s.URL() == "" || s.Kind == Bot || s.Kind == File {
		return ""
	}
	return fmt.Sprintf("%s/%d", s.URL(), id)
}

// A Range is a run of message ids, both ends included.
type Range struct{ Lo, Hi int64 }

// Observed says that every message of a range that existed was seen.
type Observed struct {
	SourceID string
	Range
	How     Origin
	Account string
	At      time.Time
}

// A Gap is a range that was missed, with the reason. One with Hi 0 is open: all
// from Lo on.
type Gap struct {
	SourceID string
	Range
	Reason string
	At     time.Time
}

// A Sighting is a later look at a message already in evidence.
type Sighting struct {
	SourceID  string
	MessageID int64
	State     string // "deleted"
	At        time.Time
}

// UpdateState is the account's place in Telegram's stream of updates.
type UpdateState struct {
	Account             string
	UserID              int64
	Pts, Qts, Date, Seq int
}

// ChannelState is the account's place in one channel's stream.
type ChannelState struct {
	Account    string
	ChannelID  int64
	AccessHash int64
	Pts        int
}

// Heard is how far updates told an account of a source: the newest message that
// one told of, or that there was when they began. It is as of the account's place
// in the stream that the source's updates come with.
type Heard struct {
	Account, SourceID string
	MessageID         int64
	At                time.Time // when it was told
}

// A Batch commits as one: a crash leaves all of it or nothing. State in it never
// runs ahead of the evidence in it or before it.
type Batch struct {
	Evidence  []Evidence
	Sightings []Sighting // kept only where the message is in evidence
	Observed  []Observed
	Gaps      []Gap
	Deletions []Deletion
	Changes   []Change
	Sources   []Source // whose title, username, marks, access or state changed
	State     *UpdateState
	Channels  []ChannelState
	Heard     []Heard
	Actor     string // of the custody entries
}

// Empty reports whether there is nothing to commit.
func (b Batch) Empty() bool {
	return len(b.Evidence)+len(b.Sightings)+len(b.Observed)+len(b.Gaps)+len(b.Deletions)+len(b.Changes)+len(b.Sources)+len(b.Channels)+len(b.Heard) == 0 && b.State == nil
}
