package evidence_test

import (
	"errors"
	"strings"
	"testing"

	"prahari/evidence"
)

// Every pair of decisions either is a step of the table or is refused with what
// may be done instead; every decision but those that end leads somewhere, and
// from every one a case can end.
func TestTransitions(t *testing.T) {
	steps := strings.Fields(`
		triage>confirmed triage>false_positive confirmed>approved confirmed>false_positive confirmed>withdrawn confirmed>removed confirmed>closed
		approved>drafted approved>sent approved>false_positive approved>withdrawn approved>removed approved>closed
		drafted>sent drafted>false_positive drafted>withdrawn drafted>removed drafted>closed
		sent>answered sent>removed sent>withdrawn sent>closed answered>sent answered>removed answered>withdrawn answered>closed
		removed>closed removed>withdrawn removed>triage closed>triage false_positive>triage withdrawn>triage`)
	allowed := map[string]bool{}
	for _, s := range steps {
		allowed[s] = true
	}
	for _, from := range evidence.Decisions() {
		for _, to := range evidence.Decisions() {
			pair := strings.ReplaceAll(string(from)+">"+string(to), " ", "_")
			switch err := from.May(to); {
			case allowed[pair] && err != nil:
				t.Errorf("%s: %v", pair, err)
			case !allowed[pair] && !errors.Is(err, evidence.ErrTransition):
				t.Errorf("%s is allowed", pair)
			}
		}
		if from.Ended() && from.May(evidence.Triage) != nil {
			t.Errorf("%s cannot begin again", from)
		}
	}
}

func TestOverall(t *testing.T) {
	for _, tc := range []struct {
		name string
		all  []evidence.Observation
		want evidence.Observation
	}{
		{"nothing was looked at", nil, evidence.SeenUnknown},
		{"one is left", []evidence.Observation{evidence.SeenRemoved, evidence.SeenLive, evidence.SeenPrivate}, evidence.SeenLive},
		{"all are gone", []evidence.Observation{evidence.SeenRemoved, evidence.SeenRemoved}, evidence.SeenRemoved},
		{"one is not known", []evidence.Observation{evidence.SeenRemoved, evidence.SeenUnknown}, evidence.SeenUnknown},
		{"one went private", []evidence.Observation{evidence.SeenRemoved, evidence.SeenPrivate}, evidence.SeenPrivate},
	} {
		if got := evidence.Overall(tc.all); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestSamePerson(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"analyst:Ana", "analyst:ana", true}, {"analyst:ana", "ana", true}, {"analyst:ana  rao", "counsel:Ana Rao", true},
		{"analyst:ana", "analyst:counsel:Ana", true},
		{"analyst:ana", "analyst:ben", false}, {"analyst:ana", "", false},
	} {
		if got := evidence.SamePerson(tc.a, tc.b); got != tc.same {
			t.Errorf("%q, %q: %t", tc.a, tc.b, got)
		}
	}
}

func TestTemplate(t *testing.T) {
	form := "🔎 Result 1 of 3\nName : R**** K****\nMobile: XXXXXX4321\nAadhaar - XXXX XXXX 1234\nCentre: X***"
	other := "🔎 Result 2 of 9\n\nNAME: A***\nMobile : XXXXXX9999\nAadhaar - XXXX XXXX 0000\nCentre : Y******* Z**"
	several := form + "\n\n" + strings.Join(strings.Split(other, "\n")[1:], "\n")
	if a, b := evidence.Template(form), evidence.Template(other); a != b || !evidence.FormTemplate(a) {
		t.Errorf("two replies of one bot differ: %s, %s", a, b)
	}
	if a, b := evidence.Template(form), evidence.Template(several); a != b {
		t.Errorf("one record and two differ: %s, %s", a, b)
	}
	for name, text := range map[string]string{
		"another field":   form + "\nPAN: XXXXX1234X",
		"another order":   "Mobile: XXXXXX4321\nName : R**** K****\nAadhaar - XXXX XXXX 1234\nCentre: X***",
		"another heading": strings.Replace(form, "Result", "Answer", 1),
		"prose":           "call R**** on XXXXXX4321",
		"nothing":         "",
	} {
		if evidence.Template(text) == evidence.Template(form) {
			t.Errorf("%s: the same template", name)
		}
	}
	if evidence.FormTemplate(evidence.Template("call R**** on XXXXXX4321")) {
		t.Error("prose is taken for a form")
	}
}

// Whatever a text is, its template is short, the same again, and quick to make.
func FuzzTemplate(f *testing.F) {
	f.Add("Name: R****\nMobile: XXXXXX4321\nPAN: XXXXX1234X")
	f.Add("नाम: R****\nमोबाइल: XXXXXX4321\x00\xff")
	f.Add(strings.Repeat(":", 5000) + strings.Repeat("\n-", 5000))
	f.Fuzz(func(t *testing.T, text string) {
		got := evidence.Template(text)
		if len(got) != 15 || got != evidence.Template(text) {
			t.Errorf("template %q", got)
		}
	})
}
