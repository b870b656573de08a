package exchange

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"prahari/evidence"
)

func lastSeen(s source) time.Time {
	last := s.first().CapturedAt
	for _, e := range s.items {
		if e.CapturedAt.After(last) {
			last = e.CapturedAt
		}
	}
	return last
}

// table is a row for every finding. No cell is a formula.
func (c Case) table() ([]byte, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	rows := [][]string{{
		"tlp", "case", "finding", "evidence", "rule", "title", "severity", "confidence", "source", "username", "message_id", "url", "posted_at_utc", "captured_at_utc",
		"people", "kinds", "masked",
	}}
	for _, s := range c.sources() {
		for _, e := range s.items {
			for _, f := range e.Findings {
				kinds := source{items: []evidence.Evidence{{Findings: []evidence.Kept{f}}}}.kinds()
				names := make([]string, len(kinds))
				for i, k := range kinds {
					names[i] = string(k)
				}
				row := []string{
					c.TLP, c.Case.ID, f.ID, e.ID, f.Rule, f.Title, string(f.Severity), strconv.FormatFloat(f.Confidence, 'f', 2, 64), s.ID, s.Username,
					strconv.FormatInt(e.MessageID, 10), e.URL, stamp(e.PostedAt), stamp(e.CapturedAt), strconv.Itoa(len(f.Records)), strings.Join(names, " "), text(e.Masked, 1000),
				}
				for i := range row {
					row[i] = evidence.Cell(row[i])
				}
				rows = append(rows, row)
			}
		}
	}
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("writing CSV: %w", err)
	}
	return out.Bytes(), nil
}

// Lines of NDJSON, told apart by type.
type (
	caseLine struct {
		Type       string         `json:"type"` // "case"
		TLP        string         `json:"tlp"`
		ID         string         `json:"id"`
		Title      string         `json:"title"`
		Status     string         `json:"status"`
		OpenedAt   time.Time      `json:"opened_at"`
		ExportedAt time.Time      `json:"exported_at"`
		Distinct   map[string]int `json:"distinct"` // full values by kind
		Tool       string         `json:"tool"`
	}
	sourceLine struct {
		Type     string `json:"type"` // "source"
		ID       string `json:"id"`
		Kind     string `json:"kind"`
		PeerID   int64  `json:"telegram_id,omitempty"`
		Username string `json:"username,omitempty"`
		Title    string `json:"title"`
		URL      string `json:"url,omitempty"`
	}
	evidenceLine struct {
		Type       string          `json:"type"` // "evidence"
		ID         string          `json:"id"`
		Source     string          `json:"source"`
		MessageID  int64           `json:"message_id"`
		Version    string          `json:"version"`
		URL        string          `json:"url,omitempty"`
		PostedAt   time.Time       `json:"posted_at"`
		CapturedAt time.Time       `json:"captured_at"`
		Masked     string          `json:"masked"`
		SealedSHA  string          `json:"sealed_sha256"`
		Findings   []evidence.Kept `json:"findings"`
	}
)

// withoutTokens copies findings without the keyed digests: they link people
// across a case, which is for the team alone.
func withoutTokens(all []evidence.Kept) []evidence.Kept {
	out := slices.Clone(all)
	for i := range out {
		out[i].Records = slices.Clone(out[i].Records)
		for j := range out[i].Records {
			out[i].Records[j].Identifiers = slices.Clone(out[i].Records[j].Identifiers)
			for k := range out[i].Records[j].Identifiers {
				out[i].Records[j].Identifiers[k].Token = ""
			}
		}
	}
	return out
}

func (c Case) lines() ([]byte, error) {
	distinct := map[string]int{}
	for k, n := range c.Distinct {
		distinct[string(k)] = n
	}
	all := []any{caseLine{
		"case", c.TLP, c.Case.ID, text(c.Case.Title, 200), string(c.Case.Status), c.Case.OpenedAt.UTC(), c.At.UTC(), distinct, c.Tool.Name + " " + c.Tool.Version,
	}}
	for _, s := range c.sources() {
		all = append(all, sourceLine{"source", s.ID, string(s.Kind), s.PeerID, text(s.Username, 64), text(s.Title, 200), s.address()})
		for _, e := range s.items {
			all = append(all, evidenceLine{
				"evidence", e.ID, s.ID, e.MessageID, e.Version, e.URL, e.PostedAt.UTC(), e.CapturedAt.UTC(), evidence.Printable(e.Masked), e.SealedSHA, withoutTokens(e.Findings),
			})
		}
	}
	var lines [][]byte
	for _, v := range all {
		line, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("encoding the export: %w", err)
		}
		lines = append(lines, line)
	}
	return joined(lines), nil
}
