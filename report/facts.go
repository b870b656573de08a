package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"prahari/evidence"
)

// Facts are what the notices of a case say of it. The collected part comes from
// the workspace and is written anew for every draft; the answers are a person's.
// Nothing in it is unmasked.
type Facts struct {
	Answers     Answers   `yaml:"answers"`
	Case        Case      `yaml:"case"`
	Targets     []Target  `yaml:"targets"`
	Counts      []Count   `yaml:"counts"`
	Samples     []string  `yaml:"samples"` // masked, at most five
	Messages    int       `yaml:"messages"`
	Findings    int       `yaml:"findings"`
	Occurred    time.Time `yaml:"occurred"` // earliest server date observed
	Detected    time.Time `yaml:"detected"` // earliest capture
	EvidenceIDs []string  `yaml:"evidence"`
	Detector    string    `yaml:"detector"` // program and version that found it
	Bundle      Bundle    `yaml:"bundle"`   // the last that was exported
}

// A Bundle is what a notice says of the evidence bundle it refers to.
type Bundle struct {
	ID                string    `yaml:"id"`
	TagManifestSHA256 string    `yaml:"tagmanifest_sha256"`
	ExportedAt        time.Time `yaml:"exported_at"`
	StampedAt         time.Time `yaml:"stamped_at"`
}

// A Case names the case.
type Case struct {
	ID    string `yaml:"id"`
	Title string `yaml:"title"`
}

// A Target is what a takedown request asks to remove.
type Target struct {
	Source    string              `yaml:"source"`
	Username  string              `yaml:"username"` // without @
	PeerID    int64               `yaml:"peer_id"`
	Kind      evidence.SourceKind `yaml:"kind"`
	Title     string              `yaml:"title"`
	URL       string              `yaml:"url"`
	FirstSeen time.Time           `yaml:"first_seen"`
	LastSeen  time.Time           `yaml:"last_seen"`
	Status    string              `yaml:"status"`     // at the last check: live, edited, removed, renamed, private, unknown
	CheckedAt time.Time           `yaml:"checked_at"` // of the last check, or of the last evidence
	Messages  []TargetMessage     `yaml:"messages"`
}

// A TargetMessage is one message with a public link.
type TargetMessage struct {
	ID       int64     `yaml:"id"`
	URL      string    `yaml:"url"`
	PostedAt time.Time `yaml:"posted_at"`
	Deleted  bool      `yaml:"deleted"`
}

// A Count is the number of distinct full values of a kind.
type Count struct {
	Kind       evidence.Kind `yaml:"kind"`
	Distinct   int           `yaml:"distinct"`
	PerMessage bool          `yaml:"per_message"` // distinct within each message only: no token tells them apart across messages
}

func (t Target) name() string {
	if t.Username == "" {
		return fmt.Sprintf("%s %d", t.Kind, t.PeerID)
	}
	return "@" + t.Username
}

func (t Target) line() string {
	id := "unresolved: it was read from a file, which names no id"
	if t.PeerID != 0 {
		id = strconv.FormatInt(t.PeerID, 10)
	}
	line := fmt.Sprintf("%s %s “%s”, Telegram id %s, %s, evidence first seen %s, last %s", t.Kind, t.name(), t.Title, id, t.URL, both(t.FirstSeen), both(t.LastSeen))
	if t.Status != "" && !t.CheckedAt.IsZero() {
		line += fmt.Sprintf(", %s when checked %s", t.Status, both(t.CheckedAt))
	}
	return line
}

// maxSamples is how many masked samples a notice shows.
const maxSamples = 5

// Gather collects the facts of a case from its evidence.
func Gather(c evidence.Case, items []evidence.Evidence, distinct map[evidence.Kind]int, deleted func(evidence.Evidence) bool) Facts {
	f := Facts{Case: Case{c.ID, c.Title}}
	messages := map[string]bool{}
	for _, e := range items {
		if len(e.Findings) == 0 {
			continue
		}
		at := slices.IndexFunc(f.Targets, func(t Target) bool {
			return t.PeerID == e.Source.PeerID && t.Kind == e.Source.Kind && t.Title == e.Source.Title
		})
		if at < 0 {
			at = len(f.Targets)
			f.Targets = append(f.Targets, Target{
				Source: e.Source.ID, Username: e.Source.Username, PeerID: e.Source.PeerID, Kind: e.Source.Kind, Title: e.Source.Title, URL: e.Source.URL(),
				FirstSeen: e.CapturedAt, LastSeen: e.CapturedAt,
			})
		}
		t := &f.Targets[at]
		t.FirstSeen, t.LastSeen = earlier(t.FirstSeen, e.CapturedAt), later(t.LastSeen, e.CapturedAt)
		f.Occurred, f.Detected = earlier(f.Occurred, e.PostedAt), earlier(f.Detected, e.CapturedAt)
		f.EvidenceIDs = append(f.EvidenceIDs, e.ID)
		f.Findings += len(e.Findings)
		key := fmt.Sprintf("%s/%d", e.Source.ID, e.MessageID)
		if !messages[key] && e.URL != "" {
			t.Messages = append(t.Messages, TargetMessage{e.MessageID, e.URL, e.PostedAt, deleted(e)})
		}
		messages[key] = true
		if s := sample(e.Findings[0]); len(f.Samples) < maxSamples && !slices.Contains(f.Samples, s) {
			f.Samples = append(f.Samples, s)
		}
	}
	f.Messages = len(messages)
	for _, k := range []evidence.Kind{evidence.Aadhaar, evidence.VID, evidence.Mobile, evidence.PAN, evidence.Email} {
		if n := distinct[k]; n > 0 {
			f.Counts = append(f.Counts, Count{Kind: k, Distinct: n})
		}
	}
	var rest []evidence.Kind
	for k := range distinct {
		if !slices.ContainsFunc(f.Counts, func(c Count) bool { return c.Kind == k }) && distinct[k] > 0 {
			rest = append(rest, k)
		}
	}
	slices.Sort(rest)
	for _, k := range rest {
		f.Counts = append(f.Counts, Count{Kind: k, Distinct: distinct[k]})
	}
	f.addUntold(items)
	return f
}

// Look takes up what later looks at the targets showed.
func (f *Facts) Look(seen []evidence.Target) {
	for _, s := range seen {
		at := slices.IndexFunc(f.Targets, func(t Target) bool { return t.Source == s.SourceID })
		if at < 0 || s.LastAt.IsZero() {
			continue
		}
		t := &f.Targets[at]
		if s.MessageID == 0 {
			t.Status, t.CheckedAt = string(s.State), s.LastAt
		}
		for i := range t.Messages {
			if t.Messages[i].ID == s.MessageID && s.State.Gone() {
				t.Messages[i].Deleted = true
			}
		}
	}
}

// addUntold counts the values of kinds that get no token.
func (f *Facts) addUntold(items []evidence.Evidence) {
	untold := map[evidence.Kind]int{}
	for _, e := range items {
		most := map[evidence.Kind]int{} // findings of one message count the same values
		for _, k := range e.Findings {
			for kind, n := range k.Distinct {
				most[kind] = max(most[kind], n)
			}
		}
		for kind, n := range most {
			untold[kind] += n
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(untold)) {
		if untold[kind] > 0 && !f.has(kind) {
			f.Counts = append(f.Counts, Count{kind, untold[kind], true})
		}
	}
}

// sample renders the first record of a finding: kinds and masked values.
func sample(k evidence.Kept) string {
	if len(k.Records) == 0 {
		return k.Title
	}
	var parts []string
	for _, i := range k.Records[0].Identifiers {
		parts = append(parts, string(i.Kind)+" "+i.Masked)
	}
	if fields := k.Records[0].Fields; len(fields) > 0 {
		parts = append(parts, "with "+strings.Join(fields, ", "))
	}
	return strings.Join(parts, "; ")
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

const factsHead = "# Facts of a case. A person fills in 'answers', without any identifier of a victim; the rest is\n# written anew by every 'prahari notice draft'. Every draft prints the SHA-256 of this file, and\n# a copy of it lies beside each draft.\n"

// Encode renders the facts file.
func (f Facts) Encode() ([]byte, error) {
	raw, err := yaml.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encoding the facts: %w", err)
	}
	return append([]byte(factsHead), raw...), nil
}

// ReadFacts reads a facts file, as Encode wrote it and a person completed it.
func ReadFacts(name string, raw []byte) (Facts, error) {
	var f Facts
	if err := yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict()).Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return Facts{}, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, true))
	}
	return f, nil
}

// has reports whether a kind of identifier was counted.
func (f Facts) has(k evidence.Kind) bool {
	return slices.ContainsFunc(f.Counts, func(c Count) bool { return c.Kind == k && c.Distinct > 0 })
}
