package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
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
}

// Answers are what only a person knows.
type Answers struct {
	Complainant Complainant `yaml:"complainant"`
	WhatItDoes  string      `yaml:"what_it_does"` // two sentences, without any identifier
	Incident    Incident    `yaml:"incident"`
}

// A Complainant is who asks or reports.
type Complainant struct {
	Name         string `yaml:"name"`
	Organisation string `yaml:"organisation"`
	Role         string `yaml:"role"`
	Email        string `yaml:"email"`
	Phone        string `yaml:"phone"`
	Address      string `yaml:"address"`
	Capacity     string `yaml:"capacity"`  // affected organisation, authorised agent, affected individual, member of the public
	Authority    string `yaml:"authority"` // of an authorised agent: what is attached
}

// An Incident is what CERT-In's form asks beside.
type Incident struct {
	ReportsFor     string `yaml:"reports_for"` // "own" or "other"
	Bound          string `yaml:"bound"`
	AffectedEntity string `yaml:"affected_entity"`
	Type           string `yaml:"type"`
	Critical       string `yaml:"critical"`
}

// A Case names the case.
type Case struct {
	ID    string `yaml:"id"`
	Title string `yaml:"title"`
}

// A Target is what a takedown request asks to remove.
type Target struct {
	Username  string              `yaml:"username"` // without @
	PeerID    int64               `yaml:"peer_id"`
	Kind      evidence.SourceKind `yaml:"kind"`
	Title     string              `yaml:"title"`
	URL       string              `yaml:"url"`
	FirstSeen time.Time           `yaml:"first_seen"`
	LastSeen  time.Time           `yaml:"last_seen"`
	Messages  []TargetMessage     `yaml:"messages"`
}

// A TargetMessage is one message with a public link.
type TargetMessage struct {
	URL      string    `yaml:"url"`
	PostedAt time.Time `yaml:"posted_at"`
	Deleted  bool      `yaml:"deleted"`
}

// A Count is the number of distinct full values of a kind.
type Count struct {
	Kind     evidence.Kind `yaml:"kind"`
	Distinct int           `yaml:"distinct"`
}

func (t Target) name() string {
	if t.Username == "" {
		return fmt.Sprintf("%s %d", t.Kind, t.PeerID)
	}
	return "@" + t.Username
}

func (t Target) line() string {
	return fmt.Sprintf("%s %s %q, Telegram id %d, %s, evidence first seen %s, last %s", t.Kind, t.name(), t.Title, t.PeerID, t.URL, both(t.FirstSeen), both(t.LastSeen))
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
				Username: e.Source.Username, PeerID: e.Source.PeerID, Kind: e.Source.Kind, Title: e.Source.Title, URL: e.Source.URL(),
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
			t.Messages = append(t.Messages, TargetMessage{e.URL, e.PostedAt, deleted(e)})
		}
		messages[key] = true
		if len(f.Samples) < maxSamples {
			f.Samples = append(f.Samples, sample(e.Findings[0]))
		}
	}
	f.Messages = len(messages)
	for _, k := range []evidence.Kind{evidence.Aadhaar, evidence.VID, evidence.Mobile, evidence.PAN, evidence.Email} {
		if n := distinct[k]; n > 0 {
			f.Counts = append(f.Counts, Count{k, n})
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
		f.Counts = append(f.Counts, Count{k, distinct[k]})
	}
	return f
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

const factsHead = "# Facts of a case. A person fills in 'answers', without any identifier of a victim; the rest is\n# written anew by every 'prahari notice draft'. Drafts print the SHA-256 of this file.\n"

// Encode renders the facts file.
func (f Facts) Encode() ([]byte, error) {
	raw, err := yaml.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encoding the facts: %w", err)
	}
	return append([]byte(factsHead), raw...), nil
}

// ReadAnswers takes a person's answers from a facts file.
func ReadAnswers(name string, raw []byte) (Answers, error) {
	var f Facts
	if err := yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict()).Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return Answers{}, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, true))
	}
	return f.Answers, nil
}
