package evidence

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
)

// A Suggestion is findings of one source that seem to belong to a case, and why.
// A person accepts or refuses it; nothing joins a case by itself.
type Suggestion struct {
	ID       string         `json:"id"` // "s-…", the same as long as it is the same suggestion
	CaseID   string         `json:"case"`
	How      SuggestionKind `json:"how"`
	SourceID string         `json:"source"`
	Source   string         `json:"source_name"`
	Key      string         `json:"key,omitempty"` // the template or name that links them
	Findings []string       `json:"findings"`
	Cases    []string       `json:"cases,omitempty"` // other cases that hold some of them
	Reason   string         `json:"reason"`
	Shared   int            `json:"shared,omitempty"` // identifiers in common
}

// A SuggestionKind says what links findings to a case.
type SuggestionKind string

// What links findings to a case.
const (
	BySource   SuggestionKind = "source"
	ByTemplate SuggestionKind = "template"
	ByTokens   SuggestionKind = "tokens"
	BySameLink SuggestionKind = "links"
)

// Name gives a suggestion its id and its sentence.
func (s *Suggestion) Name() {
	sum := sha256.Sum256([]byte(strings.Join([]string{s.CaseID, string(s.How), s.SourceID, s.Key}, "\x00")))
	s.ID = "s-" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:5]))
	n := fmt.Sprintf("%d findings", len(s.Findings))
	if len(s.Findings) == 1 {
		n = "1 finding"
	}
	switch s.How {
	case BySource:
		s.Reason = fmt.Sprintf("%s of %s, a source that the case has", n, s.Source)
	case ByTemplate:
		s.Reason = fmt.Sprintf("%s in %s in the same form of text (%s) as findings of the case", n, s.Source, s.Key)
	case ByTokens:
		s.Reason = fmt.Sprintf("%s in %s with %d of the identifiers that the case has", n, s.Source, s.Shared)
	case BySameLink:
		s.Reason = fmt.Sprintf("%s in %s and the case lead to @%s", n, s.Source, s.Key)
	}
}
