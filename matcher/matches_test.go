package matcher_test

import (
	"slices"
	"testing"

	"prahari/evidence"
	"prahari/matcher"
)

// The leak gate and the masks ask for Matches alone: they must be all that Find
// knows of, also what only a signature's words or the layout lead to.
func TestMatchesAreThoseOfFind(t *testing.T) {
	m, err := matcher.New(matcher.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"the leaked database has her DOB: 12/6/89", "she is in the leaked database, born DOB 1 Jan 85", "leaked database, dob 12.6.89",
		`{"text":"the leaked database has her DOB: 12/6/89"}`, "leaked database: a/c - 99 99 9 98 12",
		"Aadhaar - Order 629754159713 shipped on 13/05/2026: database", "leaked database", "fine weather",
		"Name: A\nMobile: 9812345678\nAadhaar: 2345 6789 0124", "call 98123 45678",
	} {
		want := m.Find(text, evidence.Channel).Matches
		if got := m.Matches(text); !slices.EqualFunc(got, want, func(x, y evidence.Match) bool {
			return x.Kind == y.Kind && x.Start == y.Start && x.End == y.End
		}) {
			t.Errorf("%q: Matches gives %+v, Find %+v", text, got, want)
		}
	}
	if len(m.Matches("the leaked database has her DOB: 12/6/89")) == 0 {
		t.Error("a labelled date of birth in a chat about a leak is not found")
	}
}
