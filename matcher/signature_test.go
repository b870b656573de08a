package matcher_test

import (
	"slices"
	"strings"
	"testing"

	"prahari/evidence"
	"prahari/matcher"
)

func newMatcher(t testing.TB) *matcher.Matcher {
	t.Helper()
	m, err := matcher.New(matcher.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func rulesOf(r evidence.Result) []string {
	var ids []string
	for _, f := range r.Findings {
		ids = append(ids, f.Rule)
	}
	return ids
}

// Every signature finds the examples that it must and none that it must not.
func TestSignaturesKeepTheirExamples(t *testing.T) {
	rules, err := matcher.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	m := newMatcher(t)
	for _, s := range rules.Signatures() {
		has := func(text string) bool {
			for _, id := range rulesOf(m.Find(text, evidence.Channel)) {
				if id == s.ID {
					return true
				}
			}
			return false
		}
		for _, text := range s.Examples.Match {
			if !has(text) {
				t.Errorf("%s misses its example\n%s\nfound %+v", s.ID, text, m.Find(text, evidence.Channel).Records)
			}
		}
		for _, text := range s.Examples.Never {
			if has(text) {
				t.Errorf("%s matches what it never may\n%s", s.ID, text)
			}
		}
	}
}

func TestPackRefusals(t *testing.T) {
	const good = `pack: p
rules:
  - id: a
    version: 1
    title: T
    description: D
    severity: high
    confidence: 0.5
    min_records: 1
    examples: {match: [x], never: [y]}
`
	if _, err := matcher.ParseRules("p.yaml", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ old, new, want string }{
		{"severity: high", "severity: hihg", `p.yaml:3: rule "a": severity "hihg"`},
		{"min_records: 1", "min_record: 1", "p.yaml:9: unknown field"},
		{"min_records: 1", "min_records: 1\n    record: {any: [adhaar]}", `p.yaml:3: rule "a": unknown kind "adhaar"`},
		{"min_records: 1", "min_records: 1\n    record: {fields: [vacine]}", `unknown field "vacine"`},
		{"min_records: 1", "min_records: 0", "needs min_records"},
		{"version: 1", "version: 0", "version must be"},
		{"never: [y]", "never: []", "needs examples"},
		{"min_records: 1", "min_records: 1\n    unless: [b]", `'unless' names "b"`},
		{"confidence: 0.5", "confidence: 50", "confidence 50"},
		{"min_records: 1", "words: [{name: w, any: [one two three four five six]}]", "6 words"},
	} {
		_, err := matcher.ParseRules("p.yaml", []byte(strings.Replace(good, tc.old, tc.new, 1)))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.new, err, tc.want)
		}
	}
}

func TestFindingsExplainThemselves(t *testing.T) {
	rules, err := matcher.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	rule := rules.Signatures()[slices.IndexFunc(rules.Signatures(), func(s matcher.Signature) bool { return s.ID == "cowin-reply" })]
	text := rule.Examples.Match[0]
	r := newMatcher(t).Find(text, evidence.Bot)
	if len(r.Findings) == 0 {
		t.Fatal("nothing found")
	}
	f := r.Findings[0]
	if f.RuleHash != rule.Hash() || f.RuleVersion != 1 || f.Confidence <= 0.7 || f.Confidence >= 1 {
		t.Errorf("finding is %+v", f)
	}
	said := strings.Join(f.Reasons, "; ")
	if !strings.Contains(said, "2 identifiers pass their checks") || !strings.Contains(said, "shape that the rule asks for") {
		t.Errorf("reasons are %q", said)
	}
	for _, digits := range []string{"9999", "6447", "Anita"} {
		if strings.Contains(said, digits) {
			t.Errorf("the reasons repeat the text: %q", said)
		}
	}
}

// A pack of the user's own: a new kind, a rule on it, and examples that must hold.
func TestPacksAddKinds(t *testing.T) {
	const pack = `pack: ours
description: Numbers of our own
identifiers:
  - {kind: badge, pattern: 'EMP-[0-9]{6}', literal: EMP-}
rules:
  - id: badge-list
    version: 1
    title: Badges with their owners
    description: A badge number and a mobile.
    severity: high
    confidence: 0.6
    min_records: 1
    record: {all: [badge], any: [mobile], parts: 2}
    examples:
      match: ["Badge EMP-123456, mobile 6297541597"]
      never: ["Badge EMP-123456 was found"]
`
	if err := matcher.TestPack("ours.yaml", []byte(pack)); err != nil {
		t.Fatal(err)
	}
	rules, err := matcher.ParseRules("ours.yaml", []byte(pack))
	if err != nil {
		t.Fatal(err)
	}
	m, err := matcher.New(matcher.Config{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	text := "no digits before EMP-000001"
	if r := m.Find(text, evidence.File); len(r.Matches) != 1 || r.Matches[0].Kind != "badge" || text[r.Matches[0].Start:] != "EMP-000001" {
		t.Errorf("found %+v", r.Matches)
	}
	if got := matcher.Canonical("badge", evidence.Full, "emp-000 001").Reveal(); got != "EMP000001" {
		t.Errorf("canonical %q", got)
	}
	for _, tc := range []struct{ old, new, want string }{
		{"literal: EMP-", "literal: E", `ours.yaml:4: identifier "badge": it needs a 'literal'`},
		{"kind: badge", "kind: pan", "knows this kind already"},
		{"[0-9]{6}'", "[0-9'", "pattern: "},
		{"EMP-[0-9]{6}", "(EMP-[0-9]{6})?", "matches nothing"},
		{"Badge EMP-123456, mobile 6297541597", "Badge EMP-123456", `ours.yaml:15: rule "badge-list" does not find its example 1`},
		{"Badge EMP-123456 was found", "EMP-123456, 6297541597", `ours.yaml:16: rule "badge-list" finds what it never may, example 1`},
		{"id: badge-list", "id: cowin-reply", "defined twice"},
	} {
		err := matcher.TestPack("ours.yaml", []byte(strings.Replace(pack, tc.old, tc.new, 1)))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.new, err, tc.want)
		}
	}
}
