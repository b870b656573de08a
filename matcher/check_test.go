package matcher

import (
	"testing"

	"prahari/fixtures"
)

// The fixtures compute Verhoeff's digit from the dihedral group itself, not from
// tables: a second implementation. The check finds every wrong digit and every
// swap of neighbours, which is what it is for.
func TestVerhoeff(t *testing.T) {
	for n := range 300 {
		p := fixtures.MakePerson(n)
		for _, number := range []string{p.Aadhaar, p.VID} {
			if !verhoeff([]byte(number)) {
				t.Fatalf("person %d: a right number fails", n)
			}
			for i := range number {
				for d := byte('0'); d <= '9'; d++ {
					wrong := []byte(number)
					wrong[i] = d
					if d != number[i] && verhoeff(wrong) {
						t.Fatalf("person %d: another digit at %d passes", n, i)
					}
				}
				if i > 0 && number[i] != number[i-1] {
					swapped := []byte(number)
					swapped[i], swapped[i-1] = swapped[i-1], swapped[i]
					if verhoeff(swapped) {
						t.Fatalf("person %d: a swap at %d passes", n, i)
					}
				}
			}
		}
	}
	if !verhoeff([]byte("2363")) { // the textbook's example
		t.Error("2363 fails")
	}
}

func TestLuhn(t *testing.T) {
	for number, want := range map[string]bool{"79927398713": true, "79927398710": false, "4111111111111111": true, "4111111111111112": false, "490154203237518": true} {
		if luhn([]byte(number)) != want {
			t.Errorf("%s: want %v", number, want)
		}
	}
}

func TestGSTINCheck(t *testing.T) {
	for number, want := range map[string]bool{"27AAPFU0939F1ZV": true, "27AAPFU0939F1ZW": false, "27AAPFU0938F1ZV": false, "29AAGCB7383J1Z4": true} {
		if gstinCheck([]byte(number)) != want {
			t.Errorf("%s: want %v", number, want)
		}
	}
}
