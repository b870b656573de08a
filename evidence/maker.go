package evidence

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Maker turns a message and what was found in it into evidence. It is the one
// gate between plaintext and everything that is stored.
type Maker struct {
	Sealer    *Sealer
	Key       TokenKey
	Tokenless []Kind                            // identifiers that are counted and get no token
	Canonical func(Kind, Form, string) Text     // matcher.Canonical
	Weigh     func(string, Result) Plausibility // matcher.Matcher.Weigh
	Operator  string                            // who runs prahari: "analyst:a1"
	Host      Host
	Tool      Tool
}

// Make seals the message and renders what may be known of it. A result without
// findings makes evidence of a version that no longer says what was found.
func (k *Maker) Make(m Message, r Result, account string, userID int64, clock Clock) (Evidence, error) {
	if k.Sealer == nil || k.Canonical == nil || k.Weigh == nil {
		return Evidence{}, errors.New("evidence: Maker needs a Sealer, Canonical and Weigh")
	}
	version := k.Key.Version(m)
	e := Evidence{
		ID:     k.Key.ID("ev", m.Source.ID, strconv.FormatInt(m.ID, 10), version),
		Source: m.Source, MessageID: m.ID, Version: version, URL: m.URL(),
		PostedAt: m.Date.UTC(), CapturedAt: m.CapturedAt.UTC(), Origin: m.Origin,
		Masked: MaskText(m.Text, r, k.Canonical),
	}
	if !m.EditedAt.IsZero() {
		e.EditedAt = m.EditedAt.UTC()
	}
	e.Collection = Collection{
		Account: account, UserID: userID, Operator: k.Operator, Request: m.Request, Egress: m.Egress,
		Host: k.Host, Tool: k.Tool, Clock: clock, At: e.CapturedAt, Media: m.Media, Context: m.Context,
	}
	for _, f := range r.Findings {
		kept := k.keep(e.ID, m.Text.Reveal(), f)
		kept.NotDecisive = NotDecisive(r, f)
		kept.Plausibility = k.Weigh(m.Text.Reveal(), r)
		e.Findings = append(e.Findings, kept)
	}
	if len(e.Findings) > 0 {
		e.Leads = leads(m, e)
	}
	files, err := k.files(m, e)
	if err != nil {
		return Evidence{}, fmt.Errorf("message %d of %s: %w", m.ID, m.Source.ID, err)
	}
	sealed, err := k.Sealer.Seal(files, m.CapturedAt)
	if err != nil {
		return Evidence{}, fmt.Errorf("message %d of %s: %w", m.ID, m.Source.ID, err)
	}
	e.Sealed, e.SealedSHA, e.SealedSize, e.Commitment = sealed.Data, sealed.SHA256, int64(len(sealed.Data)), sealed.Commitment
	return e, nil
}

// leads says where a message with findings leads to.
func leads(m Message, e Evidence) []Lead {
	all := Leads(m.Text.Reveal())
	if name := strings.ToLower(m.Forward); name != "" && CandidateName(name) {
		all = append(all, Lead{Name: name, How: ByForward})
	}
	for i := range all {
		all[i].SourceID, all[i].MessageID, all[i].At = e.Source.ID, e.MessageID, e.CapturedAt
	}
	return all
}

// files lists what goes under the seal: the raw bytes and the full record.
func (k *Maker) files(m Message, e Evidence) ([]Raw, error) {
	var files []Raw
	if m.Raw != nil {
		raw, err := m.Raw()
		if err != nil {
			return nil, fmt.Errorf("encoding raw bytes: %w", err)
		}
		files = slices.Clone(raw)
	}
	files = append(files, m.Files...)
	type original struct {
		Name   string `json:"name"`
		SHA256 string `json:"sha256"`
		Size   int    `json:"size"`
	}
	originals := make([]original, 0, len(files))
	for _, f := range files {
		originals = append(originals, original{f.Name, Digest(f.Data), len(f.Data)})
	}
	edited := ""
	if !e.EditedAt.IsZero() {
		edited = e.EditedAt.Format(time.RFC3339)
	}
	full, err := CanonicalJSON(map[string]any{
		"item_id": e.ID, "message_id": m.ID, "version": e.Version, "url": e.URL, "origin": e.Origin,
		"source": map[string]any{
			"platform": "telegram", "id": m.Source.ID, "kind": m.Source.Kind, "access": m.Source.Access, "peer_id": m.Source.PeerID,
			"username": m.Source.Username, "title": m.Source.Title,
		},
		"text": m.Text.Reveal(), "posted_at": m.Date.UTC().Format(time.RFC3339), "edited_at": edited,
		"collection": e.Collection, "findings": e.Findings, "originals": originals,
		// From what a reader was shown to what the open record says.
		"transforms": []map[string]any{{
			"step": "mask", "input_sha256": Digest([]byte(m.Text.Reveal())), "output_sha256": Digest([]byte(e.Masked)), "tool": k.Tool,
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the full record: %w", err)
	}
	return append(files, Raw{Name: "record.full.json", Data: full}), nil
}

func (k *Maker) keep(evidenceID, text string, f Finding) Kept {
	kept := Kept{
		ID: k.Key.ID("f", evidenceID, f.Rule), EvidenceID: evidenceID,
		Rule: f.Rule, RuleVersion: f.RuleVersion, RuleHash: f.RuleHash, Title: f.Title,
		Severity: f.Severity, Confidence: f.Confidence, Words: f.Words, Reasons: f.Reasons,
	}
	for _, r := range f.Records {
		kept.Records = append(kept.Records, k.keepRecord(text, r))
	}
	kept.Distinct = k.countTokenless(text, f)
	return kept
}

func (k *Maker) keepRecord(text string, r Record) KeptRecord {
	var kept KeptRecord
	for _, m := range r.Matches {
		value := k.Canonical(m.Kind, m.Form, text[m.Start:m.End])
		id := KeptIdentifier{Kind: m.Kind, Form: m.Form, Validity: m.Validity, Label: m.Label, Masked: MaskValue(m.Kind, m.Form, value)}
		// A date of birth or a half-hidden number names nobody: no token.
		if m.Form != Masked && m.Kind != DateOfBirth && !slices.Contains(k.Tokenless, m.Kind) {
			id.Token = k.Key.Token(m.Kind, value)
		}
		kept.Identifiers = append(kept.Identifiers, id)
	}
	for _, f := range r.Fields {
		if !slices.Contains(kept.Fields, f.Name) {
			kept.Fields = append(kept.Fields, f.Name)
		}
	}
	return kept
}

// countTokenless counts the distinct values of the kinds that get no token, in
// memory: the values are dropped here, and only the numbers stay.
func (k *Maker) countTokenless(text string, f Finding) map[Kind]int {
	seen := map[Text]bool{}
	var distinct map[Kind]int
	for _, r := range f.Records {
		for _, m := range r.Matches {
			if m.Form == Masked || !slices.Contains(k.Tokenless, m.Kind) {
				continue
			}
			value := Text(m.Kind) + "|" + k.Canonical(m.Kind, m.Form, text[m.Start:m.End])
			if seen[value] {
				continue
			}
			seen[value] = true
			if distinct == nil {
				distinct = map[Kind]int{}
			}
			distinct[m.Kind]++
		}
	}
	return distinct
}
