package evidence_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"prahari/evidence"
	"prahari/fixtures"
	"prahari/matcher"
)

func TestTextPrintsAsItsLength(t *testing.T) {
	secret := evidence.Text("mobile 9812345678")
	raw := evidence.Raw{Name: "raw.json", Data: []byte(secret)}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %s %q %+v %#v %x %d", secret, secret, secret, secret, secret, secret, secret)
	fmt.Fprintf(&out, "%v %s %q %+v %#v %x", raw, raw, raw, raw, &raw, raw)
	for _, v := range []any{secret, raw, map[string]any{"t": secret}, []evidence.Raw{raw}} {
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(encoded)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "text", secret, "raw", raw)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "text", secret, "raw", raw)
	if s := out.String(); strings.Contains(s, "98123") || strings.Contains(s, "39383132") || !strings.Contains(s, "[17 bytes]") {
		t.Errorf("a secret was printed: %s", s)
	}
}

func TestMaskValue(t *testing.T) {
	for _, tc := range []struct {
		kind            evidence.Kind
		form            evidence.Form
		canonical, want string
	}{
		{evidence.Aadhaar, evidence.Full, "999941057058", "XXXX XXXX 7058"},
		{evidence.Aadhaar, evidence.Masked, "XXXXXXXX7058", "XXXX XXXX 7058"},
		{evidence.VID, evidence.Full, "9999410570581234", "XXXX XXXX XXXX 1234"},
		{evidence.Mobile, evidence.Full, "+919812345678", "XXXXXX5678"},
		{evidence.Mobile, evidence.Masked, "98XXXXXX78", "XXXXXXXX78"},
		{evidence.Mobile, evidence.Masked, "9876XXXXXX", "XXXXXXXXXX"},
		{evidence.PAN, evidence.Full, "ABCPE1234F", "XXXXX1234X"},
		{evidence.Email, evidence.Full, "ramesh.kumar@example.com", "r***@e******.com"},
		{evidence.DateOfBirth, evidence.Full, "1989-07-15", "XX/XX/19XX"},
		{"account", evidence.Full, "123456789012", "XXXXXXXX9012"},
		{"pin", evidence.Full, "560001", "XXXXXX"},
	} {
		if got := evidence.MaskValue(tc.kind, tc.form, evidence.Text(tc.canonical)); got != tc.want {
			t.Errorf("%s %s: got %q, want %q", tc.kind, tc.form, got, tc.want)
		}
	}
}

func TestSweepHidesWhatNothingMatched(t *testing.T) {
	for in, want := range map[string]string{
		"account 123456789012 ok":      "account XXXXXXXXXXXX ok",
		"9 8 1 2 3 4 5 6 7 8":          "X X X X X X X X X X",
		"98123 45678":                  "XXXXX XXXXX",
		"९८१२३४५६७८":                   "XXXXXXXXXX",
		"on 12/06/2023 at 14:30":       "on 12/06/2023 at 14:30",
		"write to a.b@example.co.in !": "write to a***@e******.in !",
		"pan abcpe1234f":               "pan XXXXXXXXXX",
		"PIN 560001, won by 120 runs":  "PIN XXXXXX, won by 120 runs",
		"₹1,500 for 2023":              "₹1,500 for 2023",
	} {
		if got := evidence.Sweep(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestPrintableCannotSteerATerminal(t *testing.T) {
	got := evidence.Caption("a\x1b[31m\u202e\u0000b\r\nc\u200b\xffd", 40)
	if got != "a\ufffd[31m\ufffdb\ufffd c\ufffdd" {
		t.Errorf("got %q", got)
	}
	if got := evidence.Caption(strings.Repeat("क", 50), 10); got != strings.Repeat("क", 9)+"…" {
		t.Errorf("got %q", got)
	}
}

// The published vector: three lines and the head after them.
func TestCustodyLinesMatchThePublishedVector(t *testing.T) {
	prev := evidence.Genesis
	at := time.Date(2026, 11, 20, 6, 12, 40, 0, time.UTC)
	for i, e := range []evidence.Entry{
		{Action: "collect", Actor: "analyst:a1", Object: "e1"},
		{Action: "seal", Actor: "analyst:a1", Object: "e1"},
		{Action: "export", Actor: "analyst:a1", Object: "bundle"},
	} {
		e.Seq, e.Prev, e.At = int64(i), prev, at.Add(time.Duration(i)*time.Second)
		line, err := e.Line()
		if err != nil {
			t.Fatal(err)
		}
		if parsed, err := evidence.ParseEntry(line); err != nil || parsed != e {
			t.Errorf("line %d came back as %+v, %v", i, parsed, err)
		}
		prev = evidence.Digest(line)
	}
	if want := "9b29aa3753702c09c46017a04fd145b2f9f2813723243f2556ffbd81aecbf9a0"; prev != want {
		t.Errorf("head %s, want %s", prev, want)
	}
}

func identities(t *testing.T) (*evidence.Sealer, []string) {
	t.Helper()
	var public, secret []string
	for range 2 {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		public, secret = append(public, id.Recipient().String()), append(secret, id.String())
	}
	s, err := evidence.NewSealer(public)
	if err != nil {
		t.Fatal(err)
	}
	return s, secret
}

func TestSealOpensForEachRecipientAlone(t *testing.T) {
	sealer, secrets := identities(t)
	in := []evidence.Raw{{Name: "raw.tl", Data: []byte("bytes")}}
	first, err := sealer.Seal(in, time.Unix(1700000000, 0))
	if err != nil {
		t.Fatal(err)
	}
	second, err := sealer.Seal(in, time.Unix(1700000000, 0))
	if err != nil {
		t.Fatal(err)
	}
	if first.Commitment == second.Commitment {
		t.Error("two seals of the same bytes have the same commitment: it could be guessed")
	}
	for _, secret := range secrets {
		opened, err := evidence.Open(bytes.NewReader(first.Data), strings.NewReader(secret))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range opened.Files {
			names = append(names, f.Name)
		}
		if !slices.Equal(names, []string{"NONCE", "raw.tl", "SHA256SUMS"}) || string(opened.Files[1].Data) != "bytes" || opened.Commitment != first.Commitment {
			t.Errorf("opened to %v", opened)
		}
	}
}

func TestSealerRefusesOneRecipientTwice(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	key := id.Recipient().String()
	if _, err := evidence.NewSealer([]string{key, key}); !errors.Is(err, evidence.ErrTooFewRecipients) {
		t.Errorf("got %v", err)
	}
	if _, err := evidence.NewSealer([]string{key, "AGE-SECRET"}); err == nil {
		t.Error("a recipient that is none was taken")
	}
}

// Everything in evidence but the sealed bytes is free of the message's
// identifiers; the sealed bytes give them back.
func TestMakeKeepsNoPlaintext(t *testing.T) {
	sealer, secrets := identities(t)
	m, err := matcher.New(matcher.Config{})
	if err != nil {
		t.Fatal(err)
	}
	maker := evidence.Maker{Sealer: sealer, Key: evidence.NewTokenKey(), Canonical: matcher.Canonical, Weigh: m.Weigh, Operator: "analyst:a1"}
	who := fixtures.MakePerson(1)
	text := "Name: " + who.Name + "\nMobile: " + who.Mobile + "\nAadhaar: " + who.Aadhaar + "\nPAN: " + who.PAN +
		"\nDOB: " + who.DateOfBirth + "\nEmail: " + who.Email + "\nAddress: " + who.Address
	msg := evidence.Message{
		Source: evidence.Source{ID: "channel-1", Kind: evidence.Channel, Username: "leaks"}, ID: 7,
		Date: time.Unix(1700000000, 0), CapturedAt: time.Unix(1700000001, 0), Text: evidence.Text(text), Origin: evidence.Live,
		Raw: func() ([]evidence.Raw, error) { return []evidence.Raw{{Name: "raw.tl", Data: []byte(text)}}, nil },
	}
	found := m.Find(text, evidence.Channel)
	if len(found.Findings) == 0 {
		t.Fatal("the matcher found nothing in a full record")
	}
	e, err := maker.Make(msg, found, "a", 1, evidence.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	sealed := e.Sealed
	e.Sealed = nil
	open, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{who.Name, strings.Fields(who.Name)[1], who.Mobile, who.Aadhaar, who.PAN, who.DateOfBirth, who.Email, who.Mobile[4:]} {
		if strings.Contains(string(open), secret) {
			t.Errorf("open evidence holds %q: %s", secret, open)
		}
	}
	opened, err := evidence.Open(bytes.NewReader(sealed), strings.NewReader(secrets[1]))
	if err != nil || string(opened.Files[1].Data) != text {
		t.Errorf("the seal gave back %v, %v", opened, err)
	}
	again, err := maker.Make(msg, found, "a", 1, evidence.Clock{})
	if err != nil || again.ID != e.ID || again.Version != e.Version || !strings.HasPrefix(again.Version, "0-") {
		t.Errorf("the same version has other keys: %s %s", again.ID, again.Version)
	}
	msg.EditedAt = time.Unix(1700000100, 0)
	if edited, err := maker.Make(msg, found, "a", 1, evidence.Clock{}); err != nil || edited.ID == e.ID {
		t.Errorf("an edit has the id of the original, or %v", err)
	}
}

func TestTokensNeedTheKey(t *testing.T) {
	a, b := evidence.NewTokenKey(), evidence.NewTokenKey()
	value := evidence.Text("+919812345678")
	first, again, other := a.Token(evidence.Mobile, value), a.Token(evidence.Mobile, value), b.Token(evidence.Mobile, value)
	if first != again || first == other {
		t.Error("a token depends on key and value, and on nothing else")
	}
	back, err := evidence.ParseTokenKey(a.Encode() + "\n")
	if err != nil || back != a {
		t.Errorf("key came back as other, %v", err)
	}
	if s := fmt.Sprintf("%v %x %+v", a, a, struct{ K evidence.TokenKey }{a}); strings.Contains(s, a.Encode()[:8]) {
		t.Errorf("key printed: %s", s)
	}
}

func TestCoverage(t *testing.T) {
	merged := evidence.Merge([]evidence.Range{{Lo: 10, Hi: 20}, {Lo: 1, Hi: 3}, {Lo: 21, Hi: 22}, {Lo: 4, Hi: 5}, {Lo: 9, Hi: 8}})
	if want := []evidence.Range{{Lo: 1, Hi: 5}, {Lo: 10, Hi: 22}}; !slices.Equal(merged, want) {
		t.Errorf("merged to %v", merged)
	}
	missing := evidence.Missing(evidence.Range{Lo: 1, Hi: 30}, merged)
	if want := []evidence.Range{{Lo: 6, Hi: 9}, {Lo: 23, Hi: 30}}; !slices.Equal(missing, want) {
		t.Errorf("missing %v", missing)
	}
	if missing := evidence.Missing(evidence.Range{Lo: 2, Hi: 4}, merged); missing != nil {
		t.Errorf("missing %v in what is covered", missing)
	}
}

// FuzzMaskText: whatever the spans, the mask never shows a number of five
// digits or more.
func FuzzMaskText(f *testing.F) {
	f.Add("Mobile: 9812345678, Aadhaar 9999 4105 7058", 8, 18)
	f.Add("a\x1b[2J ९८१२३४५६७८", 3, 4)
	f.Fuzz(func(t *testing.T, text string, start, end int) {
		r := evidence.Result{Matches: []evidence.Match{{Kind: evidence.Mobile, Form: evidence.Full, Start: start, End: end}}}
		masked := evidence.MaskText(evidence.Text(text), r, func(_ evidence.Kind, _ evidence.Form, s string) evidence.Text { return evidence.Text(s) })
		run := 0
		for _, c := range masked {
			switch {
			case c >= '0' && c <= '9':
				if run++; run > 4 {
					t.Fatalf("%q shows %d digits", masked, run)
				}
			case c == '\x1b':
				t.Fatalf("%q has an escape", masked)
			default:
				run = 0
			}
		}
	})
}

// What is plain takes short cuts through the functions that make texts safe: they
// give what the long way gives, which a letter outside ASCII in front enforces.
func TestShortCutsChangeNothing(t *testing.T) {
	pieces := []string{" ", "  ", "a", "bcdef", "12", "1234", "5", "@", "x.in", "\n", "\t", "\x7f", "\x00", "-", "\xff", "é", "\u202e", "Z"}
	texts := []string{""}
	for range 4 {
		for _, text := range texts[max(0, len(texts)-700):] {
			for _, piece := range pieces {
				texts = append(texts, text+piece)
			}
		}
	}
	for _, text := range texts {
		if long, short := evidence.Sweep("é "+text), "é "+evidence.Sweep(text); long != short {
			t.Fatalf("Sweep(%q): %q, not %q", text, short, long)
		}
		if long, short := evidence.Printable("é"+text), "é"+evidence.Printable(text); long != short {
			t.Fatalf("Printable(%q): %q, not %q", text, short, long)
		}
		for _, most := range []int{3, 20} {
			if long, short := evidence.OneLine("é "+text, most+2), strings.TrimSpace("é "+evidence.OneLine(text, most)); long != short {
				t.Fatalf("OneLine(%q, %d): %q, not %q", text, most, short, long)
			}
		}
	}
}
