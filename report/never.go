package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Never is what no notice may say; the data is lint.yaml.
type Never struct {
	Banned     string       `yaml:"banned"`
	WrongRoute []WrongRoute `yaml:"wrong_route"`
	Systems    []string     `yaml:"systems"`

	banned  *regexp.Regexp
	systems *regexp.Regexp
}

// A WrongRoute is a legal basis, or an address, that belongs into notices of
// other kinds.
type WrongRoute struct {
	Pattern string   `yaml:"pattern"`
	Kinds   []string `yaml:"kinds"` // that may say it
	Needs   string   `yaml:"needs"` // "eu", "aadhaar": others may say it when the facts have this
	Reason  string   `yaml:"reason"`

	pattern *regexp.Regexp
}

func (n *Never) compile() (err error) {
	if n.banned, err = regexp.Compile(n.Banned); err != nil {
		return fmt.Errorf("banned: %w", err)
	}
	for i := range n.WrongRoute {
		if n.WrongRoute[i].pattern, err = regexp.Compile(n.WrongRoute[i].Pattern); err != nil {
			return fmt.Errorf("wrong_route: %w", err)
		}
	}
	if len(n.Systems) == 0 || n.Banned == "" {
		return fmt.Errorf("banned and systems are required")
	}
	names := make([]string, len(n.Systems))
	for i, s := range n.Systems {
		names[i] = regexp.QuoteMeta(s)
	}
	any := `(?:` + strings.Join(names, "|") + `)`
	n.systems, err = regexp.Compile(`(?i)\b` + any + `(?:'s)?\s+(?:user |citizen |vaccination |customer )?(?:data|database|records?|servers?|leak|breach|dump)\b` +
		`|\b(?:leaked|stolen|taken|exfiltrated|obtained|dumped|came|comes|extracted|sourced|scraped|copied|originates?|breach|leak)\s+(?:from|of|at|by|in)\s+(?:the\s+)?` + any + `\b` +
		`|\b` + any + `\b[^.\n]{0,20}\b(?:was|were|is|has been|have been)\s+(?:breached|compromised|leaked|exposed)\b`)
	return err
}

// basis returns what a text rests on that is not for this notice.
func (n *Never) basis(kind string, facts Facts, text string) []string {
	var out []string
	for _, w := range n.WrongRoute {
		said := w.pattern.FindString(text)
		switch {
		case said == "" || slices.Contains(w.Kinds, kind) && w.Needs == "":
		case w.Needs == "eu" && facts.Answers.EU.Nexus != "", w.Needs == "aadhaar" && facts.has("aadhaar"):
		default:
			out = append(out, fmt.Sprintf("%q does not belong into a %s: %s", said, kind, w.Reason))
		}
	}
	return out
}

// likened is what stands before a system's name that is not named as the source.
var likened = regexp.MustCompile(`(?i)\b(?:consistent with|similar to)\s+(?:\w+\s+){0,3}$`)

// attribution returns a place where a text names the source of the data without
// saying that it is only consistent with it.
func (n *Never) attribution(text string) string {
	for _, at := range n.systems.FindAllStringIndex(text, -1) {
		if !likened.MatchString(text[max(0, at[0]-80):at[0]]) {
			return text[at[0]:at[1]]
		}
	}
	return ""
}
