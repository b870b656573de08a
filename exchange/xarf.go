package exchange

import (
	"fmt"
	"slices"
	"strings"

	"prahari/evidence"
)

// XARF 4.2, content/exposed_data: github.com/xarf/xarf-spec, schemas/v4.
const xarfVersion = "4.2.0"

type xarfContact struct {
	Org     string `json:"org"`
	Contact string `json:"contact"`
	Domain  string `json:"domain"`
}

type xarfSample struct {
	Description string `json:"description"`
	Redacted    string `json:"redacted_sample"`
}

type xarfReport struct {
	Version            string       `json:"xarf_version"`
	ID                 string       `json:"report_id"`
	Timestamp          string       `json:"timestamp"` // when the abuse occurred
	Reporter           xarfContact  `json:"reporter"`
	Sender             xarfContact  `json:"sender"`
	SourceIdentifier   string       `json:"source_identifier"`
	Category           string       `json:"category"`
	Type               string       `json:"type"`
	URL                string       `json:"url"`
	Domain             string       `json:"domain"`
	DataTypes          []string     `json:"data_types"`
	ExposureMethod     string       `json:"exposure_method"`
	RecordCount        int          `json:"record_count"`
	DataFormat         string       `json:"data_format"`
	EncryptionStatus   string       `json:"encryption_status"`
	Accessibility      string       `json:"accessibility"`
	SensitiveFields    []string     `json:"sensitive_fields"`
	DiscoverySource    string       `json:"discovery_source"`
	EvidenceSource     string       `json:"evidence_source"`
	Confidence         float64      `json:"confidence"`
	VerifiedAt         string       `json:"verified_at"`
	VerificationMethod string       `json:"verification_method"`
	Samples            []xarfSample `json:"sample_records,omitempty"`
	Tags               []string     `json:"tags"`
	Description        string       `json:"description"`
}

// xarf makes a report of every public source.
func (c Case) xarf() ([]File, error) {
	var out []File
	domain := c.Organisation.Domain
	if _, after, ok := strings.Cut(c.Organisation.Email, "@"); ok && domain == "" {
		domain = after
	}
	who := xarfContact{text(c.Organisation.Name, 200), c.Organisation.Email, domain}
	for _, s := range c.sources() {
		if s.address() == "" {
			continue
		}
		r := xarfReport{
			Version: xarfVersion, ID: v4(c.Case.ID, s.ID, stamp(c.At)), Timestamp: stamp(s.first().PostedAt), Reporter: who, Sender: who,
			SourceIdentifier: strings.TrimPrefix(s.address(), "https://"), Category: "content", Type: "exposed_data", URL: s.address(), Domain: "t.me",
			DataTypes: dataTypes(s.kinds()), ExposureMethod: "intentional_leak", RecordCount: s.records(), DataFormat: "plaintext",
			EncryptionStatus: "unencrypted", Accessibility: "public", SensitiveFields: fields(s), DiscoverySource: "automated_scan", EvidenceSource: "automated_scan",
			Confidence: s.confidence(), VerifiedAt: stamp(s.last().CapturedAt), VerificationMethod: "automated_crawler",
			Tags: []string{"platform:telegram", "country:in", strings.ToLower(c.TLP)}, Description: c.summary(),
		}
		for _, e := range s.items {
			for _, f := range e.Findings {
				if sample := masked(f); len(r.Samples) < 5 && sample != "" && !slices.ContainsFunc(r.Samples, func(x xarfSample) bool { return x.Redacted == sample }) {
					r.Samples = append(r.Samples, xarfSample{text(f.Title, 120), sample})
				}
			}
		}
		content, err := indented(r)
		if err != nil {
			return nil, err
		}
		name := "xarf.json"
		if len(out) > 0 {
			name = fmt.Sprintf("xarf-%d.json", len(out)+1)
		}
		out = append(out, File{name, "application/json", content})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: case %s has no public source, which XARF needs the address of", ErrNothing, c.Case.ID)
	}
	return out, nil
}

// masked renders the first record of a finding.
func masked(f evidence.Kept) string {
	if len(f.Records) == 0 {
		return ""
	}
	var parts []string
	for _, i := range f.Records[0].Identifiers {
		parts = append(parts, text(string(i.Kind)+" "+i.Masked, 60))
	}
	return strings.Join(parts, "; ")
}

// dataTypes names kinds in XARF's words.
func dataTypes(kinds []evidence.Kind) []string {
	out := []string{"personal_information"}
	words := map[evidence.Kind]string{
		evidence.Aadhaar: "government_id", evidence.VID: "government_id", evidence.PAN: "government_id", "passport": "government_id", "voter_id": "government_id",
		"driving_licence": "government_id", evidence.Mobile: "phone_numbers", evidence.Email: "email_addresses", "upi": "financial", "card": "financial",
		"account": "financial", "ifsc": "financial", "abha": "medical",
	}
	for _, k := range kinds {
		if w := words[k]; w != "" && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

// fields names what the records hold: kinds and labels, no values.
func fields(s source) []string {
	out := []string{}
	for _, k := range s.kinds() {
		out = append(out, string(k))
	}
	for _, e := range s.items {
		for _, f := range e.Findings {
			for _, r := range f.Records {
				for _, name := range r.Fields {
					if name = text(name, 40); !slices.Contains(out, name) && len(out) < 30 {
						out = append(out, name)
					}
				}
			}
		}
	}
	return out
}
