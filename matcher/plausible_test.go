package matcher_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"prahari/evidence"
	"prahari/fixtures"
	"prahari/matcher"
)

func TestPlausibility(t *testing.T) {
	m := newMatcher(t)
	r := rand.New(rand.NewPCG(1, 2))
	line := func(name, mobile, aadhaar, pan string) string {
		return fmt.Sprintf("Name: %s\nMobile: %s\nAadhaar: %s\nPAN: %s\n", name, mobile, aadhaar, pan)
	}
	digits := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte(byte('0' + r.IntN(10)))
		}
		return b.String()
	}
	for name, tc := range map[string]struct {
		texts func(n int) string
		n     int
		want  evidence.Verdict
	}{
		"people": {func(n int) string {
			p := fixtures.MakePerson(n)
			return line(p.Name, p.Mobile, p.Aadhaar, p.PAN)
		}, 60, evidence.Plausible},
		"random digits": {func(n int) string {
			return line(fixtures.MakePerson(n).Name, "9"+digits(9), "5"+digits(11), "ABCP"+string(rune('A'+r.IntN(26)))+digits(4)+"X")
		}, 60, evidence.LikelyFabricated},
		"numbers that count up": {func(n int) string { return fmt.Sprintf("Mobile: %d", 9812345600+n) }, 60, evidence.LikelyFabricated},
		"one person again":      {func(int) string { return "Mobile: 9812345678" }, 60, evidence.LikelyFabricated},
		"people with wrong surnames": {func(n int) string {
			p := fixtures.MakePerson(n)
			return line(p.Name, p.Mobile, p.Aadhaar, "ABCP"+string(rune('A'+r.IntN(26)))+digits(4)+"X")
		}, 120, evidence.Mixed},
		"three people": {func(n int) string {
			p := fixtures.MakePerson(n)
			return line(p.Name, p.Mobile, p.Aadhaar, p.PAN)
		}, 3, evidence.TooFew},
		"UIDAI's example": {func(int) string { return "Aadhaar: 9999 4105 7058" }, 3, evidence.KnownSample},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := matcher.NewSurvey()
			if err != nil {
				t.Fatal(err)
			}
			for n := range tc.n {
				text := tc.texts(n)
				s.Add(text, m.Find(text, evidence.File))
			}
			got := s.Report()
			if got.Verdict != tc.want {
				t.Errorf("%s, want %s: %v", got.Verdict, tc.want, got.Measures)
			}
			for _, measure := range got.Measures {
				if strings.ContainsAny(measure.Name, "0123456789") || measure.Hits > measure.Of {
					t.Errorf("measure %v", measure)
				}
			}
		})
	}
}
