package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"

	"prahari/bundle"
	"prahari/evidence"
)

// A sealed file of the right content is still not the one that was verified.
func TestOpenItemTakesOnlyWhatWasVerified(t *testing.T) {
	var public []string
	var identities []byte
	for range 2 {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		public, identities = append(public, id.Recipient().String()), []byte(id.String())
	}
	sealer, err := evidence.NewSealer(public)
	if err != nil {
		t.Fatal(err)
	}
	seal := func() evidence.SealedFile {
		t.Helper()
		s, err := sealer.Seal([]evidence.Raw{{Name: "raw.tl", Data: []byte("bytes")}}, time.Unix(1700000000, 0))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	verified, swapped := seal(), seal()
	open := func(s evidence.SealedFile, digest string) error {
		_, err := openItem(sealedItem{id: "ev-1", commitment: s.Commitment, sealed: digest, read: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(s.Data)), nil
		}}, identities)
		return err
	}
	if err := open(verified, verified.SHA256); err != nil {
		t.Errorf("what was verified: %v", err)
	}
	if err := open(swapped, ""); err != nil {
		t.Errorf("nothing was verified: %v", err)
	}
	if err := open(swapped, verified.SHA256); !errors.Is(err, bundle.ErrBroken) {
		t.Errorf("swapped: %v", err)
	}
}

func TestCommitmentsAreThoseThatWereVerified(t *testing.T) {
	dir := t.TempDir()
	table := []byte("item_id,sha256\nev-1,aa\n")
	if err := os.WriteFile(filepath.Join(dir, "commitments.csv"), table, 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	for name, sum := range map[string]string{"not verified": "", "verified": evidence.Digest(table)} {
		if known, err := commitments(root, "commitments.csv", sum); err != nil || known["ev-1"] != "aa" {
			t.Errorf("%s: %v, %v", name, known, err)
		}
	}
	if known, err := commitments(root, "commitments.csv", evidence.Digest([]byte("what was there"))); !errors.Is(err, bundle.ErrBroken) {
		t.Errorf("swapped: %v, %v", known, err)
	}
}
