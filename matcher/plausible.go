package matcher

import (
	"hash/maphash"
	"math"
	"slices"
	"strings"

	"prahari/evidence"
)

// A Survey gathers what many texts hold. It keeps digests of values, in memory
// and under a key of its own, to count repetitions.
type Survey struct {
	facts *facts
	seed  maphash.Seed
	seen  map[uint64]struct{}

	values, repeated, samples int
	checked, passed           int // Aadhaar, VID and cards
	surnames, surnamesAgree   int
	pins, pinsAgree           int
	banks, banksKnown         int
	mobiles, mobilesFollow    int
	lastMobile                int64
}

// maxSeen bounds the digests kept: 64 MiB or so.
const maxSeen = 1 << 22

// NewSurvey returns an empty survey.
func NewSurvey() (*Survey, error) {
	f, err := loadFacts()
	if err != nil {
		return nil, err
	}
	return newSurvey(f), nil
}

func newSurvey(f *facts) *Survey {
	return &Survey{facts: f, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}}
}

// Weigh says whether what one text holds looks real.
func (m *Matcher) Weigh(text string, r evidence.Result) evidence.Plausibility {
	s := newSurvey(m.facts)
	s.Add(text, r)
	return s.Report()
}

// Add takes in what was found in a text.
func (s *Survey) Add(text string, r evidence.Result) {
	for _, m := range r.Matches {
		if m.Form != evidence.Masked && m.Kind != evidence.DateOfBirth && m.Kind != PIN && m.Kind != IFSC {
			s.value(m, Canonical(m.Kind, m.Form, text[m.Start:m.End]).Reveal())
		}
	}
	for _, record := range r.Records {
		s.record(text, record)
	}
}

func (s *Survey) value(m evidence.Match, value string) {
	s.values++
	if len(s.seen) < maxSeen {
		digest := maphash.String(s.seed, string(m.Kind)+value)
		if _, known := s.seen[digest]; known {
			s.repeated++
		}
		s.seen[digest] = struct{}{}
	}
	if s.facts.samples[strings.ToLower(strings.TrimPrefix(value, "+91"))] != "" || s.facts.samples[strings.TrimPrefix(value, "+91")] != "" {
		s.samples++
	}
	if m.Kind == evidence.Aadhaar || m.Kind == evidence.VID || m.Kind == Card {
		s.checked++
		if m.Validity == evidence.CheckPassed {
			s.passed++
		}
	}
	if m.Kind == evidence.Mobile {
		var n int64
		for _, b := range []byte(value) {
			if b >= '0' && b <= '9' {
				n = n*10 + int64(b-'0')
			}
		}
		if s.lastMobile != 0 {
			s.mobiles++
			if d := n - s.lastMobile; d >= -3 && d <= 3 && d != 0 {
				s.mobilesFollow++
			}
		}
		s.lastMobile = n
	}
}

// record compares the values of one person with each other.
func (s *Survey) record(text string, r evidence.Record) {
	field := func(name string) string {
		for _, f := range r.Fields {
			if f.Name == name {
				return strings.ToLower(text[f.Start:f.End])
			}
		}
		return ""
	}
	for _, m := range r.Matches {
		if m.Form == evidence.Masked {
			continue
		}
		value := Canonical(m.Kind, m.Form, text[m.Start:m.End]).Reveal()
		switch m.Kind {
		case evidence.PAN:
			words := strings.Fields(field("name"))
			if len(words) < 2 || len(value) != 10 || value[3] != 'P' {
				continue
			}
			if last := words[len(words)-1]; s.facts.names[last] != "" {
				s.surnames++
				if value[4] == last[0]&^0x20 {
					s.surnamesAgree++
				}
			}
		case PIN:
			said := field("state")
			if said == "" || len(value) != 6 {
				continue
			}
			s.pins++
			for _, code := range strings.Fields(s.facts.pinRange[value[:2]]) {
				if strings.Contains(said, strings.ToLower(s.facts.states[code])) || slices.Contains(strings.Fields(said), strings.ToLower(code)) {
					s.pinsAgree++
					break
				}
			}
		case IFSC:
			s.banks++
			if len(value) >= 4 && s.facts.banks[value[:4]] != "" {
				s.banksKnown++
			}
		}
	}
}

// minMeasured is how many values a comparison needs before it says anything.
const minMeasured = 10

// Report weighs what was gathered.
func (s *Survey) Report() evidence.Plausibility {
	p := evidence.Plausibility{Values: s.values}
	add := func(name string, hits, of int, chance float64, says func(share float64) string) {
		if of == 0 {
			return
		}
		m := evidence.Measure{Name: name, Hits: hits, Of: of, Chance: chance, Says: "for nothing: too few"}
		if of >= minMeasured {
			m.Says = says(m.Share())
		}
		p.Measures = append(p.Measures, m)
	}
	// A share speaks for real values when it is high, and against them when it
	// could well come by chance: within three standard deviations of it.
	beyond := func(n int, chance, high float64) func(float64) string {
		return func(share float64) string {
			switch {
			case share >= high:
				return "for"
			case share <= chance+3*math.Sqrt(chance*(1-chance)/float64(n)):
				return "against"
			}
			return "for nothing: in between"
		}
	}
	few := func(most float64) func(float64) string {
		return func(share float64) string {
			if share > most {
				return "against"
			}
			return "for nothing: as in real lists"
		}
	}
	add("check digits that are right", s.passed, s.checked, 0.1, beyond(s.checked, 0.1, 0.9))
	add("PANs that agree with the surname", s.surnamesAgree, s.surnames, 0.12, beyond(s.surnames, 0.12, 0.6))
	add("PIN codes that agree with the state", s.pinsAgree, s.pins, 0.05, beyond(s.pins, 0.05, 0.8))
	add("IFSC of a bank on the list", s.banksKnown, s.banks, 0.01, beyond(s.banks, 0.01, 0.5))
	add("values that were there before", s.repeated, s.values, 0, few(0.5))
	add("mobiles next to the one before", s.mobilesFollow, s.mobiles, 0, few(0.3))
	add("values that documentation uses as examples", s.samples, s.values, 0, few(0.2))
	p.Verdict = s.verdict(p.Measures)
	return p
}

func (s *Survey) verdict(measures []evidence.Measure) evidence.Verdict {
	speaking, against := 0, 0
	for _, m := range measures {
		switch m.Says {
		case "for":
			speaking++
		case "against":
			against++
		}
	}
	switch {
	case s.values > 0 && 2*s.samples >= s.values:
		return evidence.KnownSample
	case s.values < minMeasured:
		return evidence.TooFew
	case against > 0 && speaking == 0:
		return evidence.LikelyFabricated
	case against > 0 || speaking == 0:
		return evidence.Mixed
	}
	return evidence.Plausible
}
