package scanner

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

// A session is sealed on disk; an earlier plain one is sealed when it is read;
// without its key, or damaged, it says what to do.
func TestSessionsAreSealedOnDisk(t *testing.T) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "main.json")
	secret := []byte(`{"Data":{"AuthKey":"c2VjcmV0"}}`)
	if err := os.WriteFile(path, secret, 0o600); err != nil {
		t.Fatal(err)
	}
	f := sessionFile{path, key}
	for range 2 {
		got, err := f.LoadSession(t.Context())
		if err != nil || !bytes.Equal(got, secret) {
			t.Fatalf("%q, %v", got, err)
		}
		onDisk, err := os.ReadFile(path)
		if err != nil || bytes.Contains(onDisk, []byte("AuthKey")) {
			t.Fatalf("on disk: %.40q, %v", onDisk, err)
		}
	}
	if _, err := (sessionFile{path, other}).LoadSession(t.Context()); err == nil || !strings.Contains(err.Error(), "restore its key") {
		t.Errorf("another key: %v", err)
	}
	if _, err := (sessionFile{path, nil}).LoadSession(t.Context()); err == nil {
		t.Error("no key opened it")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data[:len(data)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.LoadSession(t.Context()); err == nil || !strings.Contains(err.Error(), "sign in again") {
		t.Errorf("damaged: %v", err)
	}
}
