package matcher_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"prahari/evidence"
	"prahari/fixtures"
	"prahari/matcher"
)

// found renders matches as "kind form text".
func found(m *matcher.Matcher, text string) []string {
	var out []string
	for _, x := range m.Find(text, evidence.Channel).Matches {
		out = append(out, fmt.Sprintf("%s %s %s", x.Kind, x.Form, text[x.Start:x.End]))
	}
	return out
}

func TestFind(t *testing.T) {
	m := newMatcher(t)
	who := fixtures.MakePerson(1)
	spaced := who.Aadhaar[:4] + " " + who.Aadhaar[4:8] + " " + who.Aadhaar[8:]
	wrong := who.Aadhaar[:11] + string('0'+(who.Aadhaar[11]-'0'+1)%10)
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"aadhaar alone":             {"id " + spaced, []string{"aadhaar full " + spaced}},
		"aadhaar without checksum":  {"order " + wrong, nil},
		"aadhaar labelled, wrong":   {"Aadhaar no: " + wrong, []string{"aadhaar full " + wrong}},
		"aadhaar masked":            {"Aadhaar: XXXX XXXX 7058", []string{"aadhaar masked XXXX XXXX 7058"}},
		"aadhaar masked with stars": {"UID ********7058", []string{"aadhaar masked ********7058"}},
		"vid":                       {"VID: " + who.VID, []string{"vid full " + who.VID}},
		"vid masked":                {"VID XXXX XXXX XXXX 1234", []string{"vid masked XXXX XXXX XXXX 1234"}},
		"mobile bare":               {"call " + who.Mobile, []string{"mobile full " + who.Mobile}},
		"mobile with country":       {"+91 " + who.Mobile[:5] + " " + who.Mobile[5:], []string{"mobile full +91 " + who.Mobile[:5] + " " + who.Mobile[5:]}},
		"mobile masked":             {"Mobile: 98******21", []string{"mobile masked 98******21"}},
		"mobile masked, tail":       {"Mob XXXXXX4321", []string{"mobile masked XXXXXX4321"}},
		"pan":                       {"PAN " + who.PAN, []string{"pan full " + who.PAN}},
		"pan masked":                {"PAN: XXXXX1234X", []string{"pan masked XXXXX1234X"}},
		"pan without a digit":       {"PAN: ABCPE****F", []string{"pan masked ABCPE****F"}},
		"pan hidden by bullets":     {"PAN: ABCPE••••F", []string{"pan masked ABCPE••••F"}},
		"ifsc, branch in letters":   {"IFSC HDFC0CABCDE", []string{"ifsc full HDFC0CABCDE"}},
		"plate of Delhi":            {"DL 3C AB 1234", []string{"vehicle full DL 3C AB 1234"}},
		"email":                     {"mail " + who.Email + ".", []string{"email full " + who.Email}},
		"email masked":              {"Email: r****h@e*****.com", []string{"email masked r****h@e*****.com"}},
		"dob labelled":              {"DOB: 12/06/1989", []string{"dob full 12/06/1989"}},
		"date without label":        {"on 12/06/1989 it rained", nil},
		"timestamp":                 {"id 1700000000 at 1700000000123", nil},
		"a decimal":                 {"lat 28.6139391254 lon 77.2090212345", nil},
		"price":                     {"₹9812345678 in all", nil},
		"link":                      {"https://example.com/p/9812345678/x", nil},
		"hash":                      {"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", nil},
		"devanagari digits":         {"मोबाइल ९८१२३४५६७८", []string{"mobile evasive ९८१२३४५६७८"}},
		"zero width spaces":         {"Mob 98\u200b12\u200b34\u200b56\u200b78", []string{"mobile evasive 98\u200b12\u200b34\u200b56\u200b78"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := found(m, tc.text); !slices.Equal(got, tc.want) {
				t.Errorf("%q: got %q, want %q", tc.text, got, tc.want)
			}
		})
	}
}

func TestRecordsAreOnePerPerson(t *testing.T) {
	m := newMatcher(t)
	a, b := fixtures.MakePerson(1), fixtures.MakePerson(2)
	for name, tc := range map[string]struct {
		text string
		want int
	}{
		"keys":                   {"Name: " + a.Name + "\nMobile: " + a.Mobile + "\nAadhaar: " + a.Aadhaar, 1},
		"two, blank line":        {"Mobile: " + a.Mobile + "\nAadhaar: " + a.Aadhaar + "\n\nMobile: " + b.Mobile + "\nAadhaar: " + b.Aadhaar, 2},
		"csv":                    {"name,mobile,pan\n" + a.Name + "," + a.Mobile + "," + a.PAN + "\n" + b.Name + "," + b.Mobile + "," + b.PAN, 2},
		"json":                   {`[{"name":"` + a.Name + `","mobile":"` + a.Mobile + `"},{"name":"` + b.Name + `","mobile":"` + b.Mobile + `"}]`, 2},
		"two under one mobile":   {"Mobile: " + a.Mobile + "\nName: " + a.Name + "\nAadhaar: " + a.Aadhaar + "\nName: " + b.Name + "\nAadhaar: " + b.Aadhaar, 2},
		"lines without labels":   {a.Mobile + " " + a.PAN + "\n" + b.Mobile + " " + b.PAN, 2},
		"a number is no record":  {"call " + a.Mobile, 0},
		"two numbers are not it": {"call " + a.Mobile + " or " + b.Mobile, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if r := m.Find(tc.text, evidence.Channel); len(r.Records) != tc.want {
				t.Errorf("%d records, want %d: %+v", len(r.Records), tc.want, r.Records)
			}
		})
	}
}

func TestCanonicalIsOneSpelling(t *testing.T) {
	for want, tc := range map[string]struct {
		kind  evidence.Kind
		form  evidence.Form
		spans []string
	}{
		"+919812345678": {evidence.Mobile, evidence.Full, []string{"9812345678", "+91 98123-45678", "098123 45678", "0091-9812345678", "९८१२३४५६७८", "98l23456 78"}},
		"98XXXXXX78":    {evidence.Mobile, evidence.Masked, []string{"98******78", "98xxxxxx78", "+91 98XXXXXX78"}},
		"999941057058":  {evidence.Aadhaar, evidence.Full, []string{"9999 4105 7058", "9999-4105-7058", "9999 41O5 7O58"}},
		"XXXXXXXX7058":  {evidence.Aadhaar, evidence.Masked, []string{"XXXX XXXX 7058", "****-****-7058", "xxxxxxxx7058"}},
		"ABCPE1234F":    {evidence.PAN, evidence.Full, []string{"ABCPE1234F", "abcpe1234f", "ABCPEl234F"}},
		"a.b@example.com": {
			evidence.Email, evidence.Full, []string{"A.B@Example.com", "a.b@example.com"},
		},
		"1989-06-12": {evidence.DateOfBirth, evidence.Full, []string{"12/06/1989", "12-6-89", "1989-06-12", "12 June 1989", "12th Jun, 1989", "June 12, 1989", "12061989", "19890612"}},
		"1989":       {evidence.DateOfBirth, evidence.Full, []string{"1989"}},
	} {
		for _, span := range tc.spans {
			if got := matcher.Canonical(tc.kind, tc.form, span).Reveal(); got != want {
				t.Errorf("%s %q: got %q, want %q", tc.kind, span, got, want)
			}
		}
	}
}

// FuzzFind: whatever the text, spans lie in it, come in order, are the same where
// they alone are asked for, and the masked rendering shows no full identifier.
func FuzzFind(f *testing.F) {
	rules, err := matcher.Builtin()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range rules.Signatures() {
		for _, text := range append(s.Examples.Match, s.Examples.Never...) {
			f.Add(text)
		}
	}
	f.Add("Mob: ९८१२३४५६७८, XXXX-XXXX-1234 | a\u200b.b@example.com | 98\ufe0f\u20e31\xff")
	f.Add("INSERT INTO t (name,mobile) VALUES ('a','9812345678'),('b','9812345679');")
	f.Add("name|mobile\n---|---\nx|9812345678")
	m := newMatcher(f)
	f.Fuzz(func(t *testing.T, text string) {
		r := m.Find(text, evidence.Channel)
		if alone := m.Matches(text); !slices.Equal(alone, r.Matches) {
			t.Fatalf("Matches gives %v, Find %v", alone, r.Matches)
		}
		for i, x := range r.Matches {
			if x.Start < 0 || x.End > len(text) || x.Start >= x.End {
				t.Fatalf("span %d to %d of %d bytes", x.Start, x.End, len(text))
			}
			if i > 0 && x.Start < r.Matches[i-1].Start {
				t.Fatalf("match %d begins before the one before it", i)
			}
		}
		for _, x := range r.Fields {
			if x.Start < 0 || x.End > len(text) || x.Start >= x.End {
				t.Fatalf("field %d to %d of %d bytes", x.Start, x.End, len(text))
			}
		}
		masked := evidence.MaskText(evidence.Text(text), r, matcher.Canonical)
		for _, x := range r.Matches {
			if x.Form == evidence.Full && strings.ContainsAny(text[x.Start:x.End], "0123456789") && strings.Contains(masked, text[x.Start:x.End]) && x.End-x.Start > 4 {
				t.Fatalf("the mask %q shows %q", masked, text[x.Start:x.End])
			}
		}
	})
}
