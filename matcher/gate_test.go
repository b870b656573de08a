package matcher

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"prahari/evidence"
)

func seeds(f *testing.F) {
	f.Helper()
	rules, err := Builtin()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range rules.signatures {
		for _, text := range append(s.Examples.Match, s.Examples.Never...) {
			f.Add(text)
		}
	}
	for _, text := range []string{
		"Mob: ९८१२३४५६७८", "mobile ９８１２３４５６７８", "mob 9️⃣8️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣8️⃣", "mob 𝟗𝟖𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖", "call 98\u200b12\u200b34\u200b56\u200b78",
		"Aadhaar: X X X X X X X X 7 0 5 8", "Aadhaar •••• •••• 7058", "mob 98 12 34 56 78", "mob 987-654-321-0", "PAN: А\u0412СРЕ1234К", "dob 12/06/89",
		"a@b.co", "r***h@e*****.com", "UPI: ab@ybl", "PAN A.B.C.P.E.1.2.3.4.F", "PIN 560001", "98O12E4567", strings.Repeat("x ", 40) + "9812345678",
		strings.Repeat("a", 61) + " ABCPE1234F", strings.Repeat("a", 60) + "b@c.example", strings.Repeat("z", 63) + "@ybl.example",
	} {
		f.Add(text)
	}
}

// FuzzClassify: the fast form says what the plain one does, whatever the bytes
// and wherever they begin.
func FuzzClassify(f *testing.F) {
	seeds(f)
	rules, err := Builtin()
	if err != nil {
		f.Fatal(err)
	}
	prints := newFingerprints(rules.anchorWords)
	f.Fuzz(func(t *testing.T, text string) {
		n := min(len(text)/64+1, 64)
		bytes := make([]byte, 64*n+2)
		copy(bytes, text)
		want, got := make([]block, n), make([]block, n)
		classifyGo(&bytes[0], n, prints, &want[0])
		classify(&bytes[0], n, prints, &got[0])
		for i := range want {
			if want[i] != got[i] {
				t.Fatalf("block %d of %q:\n%064b\n%064b", i, text, want[i], got[i])
			}
		}
	})
}

// FuzzGate: a text that the gate turns away holds nothing, but for a year of
// birth on its own, wherever in a text it lies.
func FuzzGate(f *testing.F) {
	seeds(f)
	m, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, before := range []int{0, 1, 31, 57, 62, 63, 64} {
			whole := strings.Repeat(" ", before) + text
			l := m.look(whole)
			if l.passed || l.anchored {
				continue
			}
			w := &work{m: m}
			if !w.find(whole, &l, true) {
				continue
			}
			r := w.result(evidence.Channel)
			for _, x := range r.Matches {
				if x.Kind != evidence.DateOfBirth || x.End-x.Start > 8 {
					t.Fatalf("the gate drops %q for its %s at %d", whole, x.Kind, x.Start)
				}
			}
			if len(r.Findings) > 0 {
				t.Fatalf("the gate drops %q, which fits %s", whole, r.Findings[0].Rule)
			}
		}
	})
}

// The corpus of shared benchmarks, where CORPUS names it: nothing in it is
// dropped by the gate.
func TestGateOnACorpus(t *testing.T) {
	dir := os.Getenv("CORPUS")
	if dir == "" {
		t.Skip("SKIPPED: CORPUS names no folder with a generated corpus.txt; 'make bench-matcher' does")
	}
	data, err := os.ReadFile(filepath.Join(dir, "corpus.txt"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for text := range strings.SplitSeq(string(data), "\x1e\n") {
		l := m.look(text)
		if w := (&work{m: m}); !l.passed && !l.anchored && w.find(text, &l, true) && len(w.matches().Matches) > 0 {
			t.Errorf("dropped: %q", text)
		}
	}
}

// FuzzFold: every byte of a folded text has its place in the original, in order,
// and plain bytes stay as they are.
func FuzzFold(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		var folder folder
		folded := folder.fold(text)
		last := 0
		for i := range len(folded) {
			from, to := original(folder.jumps, i, i+1)
			if from < last || from >= to || to > len(text) {
				t.Fatalf("byte %d of %q is said to be %d to %d of %q, after %d", i, folded, from, to, text, last)
			}
			if to == from+1 && text[from] != folded[i] && text[from] < 0x80 {
				t.Fatalf("%q became %q: %q at %d is %q", text, folded, text[from], from, folded[i])
			}
			last = from
		}
	})
}
