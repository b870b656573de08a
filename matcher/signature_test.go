package matcher_test

import (
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
	text := rules.Signatures()[0].Examples.Match[0]
	r := newMatcher(t).Find(text, evidence.Bot)
	if len(r.Findings) == 0 {
		t.Fatal("nothing found")
	}
	f := r.Findings[0]
	if f.RuleHash != rules.Signatures()[0].Hash() || f.RuleVersion != 1 || f.Confidence <= 0.7 || f.Confidence >= 1 {
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
