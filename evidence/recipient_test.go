package evidence_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"prahari/evidence"
)

// What we wrap, age unwraps, for keys of every kind of digits; no two seals of
// the same file share an ephemeral key.
func TestAgeUnwrapsWhatWeWrap(t *testing.T) {
	for range 50 {
		sealer, secrets := identities(t)
		shares := map[string]bool{}
		for range 2 {
			sealed, err := sealer.Seal([]evidence.Raw{{Name: "raw.tl", Data: []byte("bytes")}}, time.Unix(1700000000, 0))
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(sealed.Data[:400])) {
				if share, found := strings.CutPrefix(line, "-> X25519 "); found {
					if len(strings.TrimSpace(share)) != 43 || shares[share] {
						t.Fatalf("share %q", share)
					}
					shares[share] = true
				}
			}
			for _, secret := range secrets {
				id, err := age.ParseX25519Identity(secret)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := age.Decrypt(bytes.NewReader(sealed.Data), id); err != nil {
					t.Fatal(err)
				}
			}
		}
		if len(shares) != 4 {
			t.Fatalf("%d ephemeral keys for two files and two recipients", len(shares))
		}
	}
}

// Keys of low order agree with everybody: the first is 0, made by hand.
func TestNoRecipientOfLowOrder(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	const zero = "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z"
	if _, err := age.ParseX25519Recipient(zero); err != nil {
		t.Fatalf("the key is no key at all: %v", err)
	}
	if _, err := evidence.NewSealer([]string{id.Recipient().String(), zero}); err == nil {
		t.Error("the key was taken")
	}
}

// A line is read as it was written, whatever bytes a reason holds.
func TestALineIsReadAsItWasWritten(t *testing.T) {
	for _, reason := range []string{"plain", "a\xffb\xfe\xfd", "\x00\x1f\u2028\u202e", "<&>\"\\", "\ufffd", "\U0001F600"} {
		line, err := evidence.Entry{At: time.Unix(1700000000, 0), Action: "note", Actor: "a\xff", Object: "x", Reason: reason}.Line()
		if err != nil {
			t.Fatal(err)
		}
		read, err := evidence.ParseEntry(line)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := read.Line(); err != nil || !bytes.Equal(again, line) {
			t.Errorf("%q: %s became %s, %v", reason, line, again, err)
		}
	}
}

// A line has its keys sorted, all that there can be.
func TestALineIsCanonical(t *testing.T) {
	place := int64(7)
	line, err := evidence.Entry{
		Seq: 3, Prev: evidence.Genesis, At: time.Unix(1700000000, 0), Actor: "analyst:<a1>", Action: "export", Object: "x", Reason: "\u2028", SHA256: "s",
		Approver: "b", CaseID: "c", LogSeq: &place, LogSHA: "l", LogPrev: "p", LogLeaf: "f",
	}.Line()
	if err != nil || bytes.Count(line, []byte(`":`)) != 14 {
		t.Fatalf("%s, %v", line, err)
	}
	want, err := evidence.CanonicalJSON(json.RawMessage(line))
	if err != nil || string(line) != string(want)+"\n" {
		t.Errorf("%s, not %s, %v", line, want, err)
	}
}
