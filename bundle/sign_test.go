package bundle_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"prahari/bundle"
)

func TestGenerateSignerMakesAKeyThatOpenSSHReads(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signing.key")
	made, err := bundle.GenerateSigner(path)
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %s", info.Mode())
	}
	for _, file := range []string{path, path + ".pub"} {
		if out, code := run(t, "/", "", "ssh-keygen", "-l", "-f", file); code != 0 || !strings.Contains(out, " "+made.Fingerprint()+" ") || !strings.Contains(out, "(ED25519)") {
			t.Errorf("ssh-keygen -l -f %s: %s", file, out)
		}
	}
	before, err := os.ReadFile(path)
	must(t, err)
	again, err := bundle.GenerateSigner(path)
	must(t, err)
	after, err := os.ReadFile(path)
	must(t, err)
	if again.Fingerprint() != made.Fingerprint() || string(before) != string(after) {
		t.Error("a key that was there was replaced")
	}
	loaded, err := bundle.LoadSigner(path)
	must(t, err)
	if s := fmt.Sprintf("%v %+v %s", loaded, loaded, *loaded); strings.Contains(s, "PRIVATE") || len(s) > 400 {
		t.Errorf("a signer prints as %s", s)
	}
}

func TestLoadSignerSaysWhatToDo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(content), 0o600))
		must(t, os.Chmod(path, mode))
		return path
	}
	_, good := signerFrom(t, 3)
	key := read(t, filepath.Dir(good), filepath.Base(good))
	keygen := func(name string, args ...string) string {
		path := filepath.Join(dir, name)
		if out, code := run(t, dir, "", "ssh-keygen", append([]string{"-q", "-f", path}, args...)...); code != 0 {
			t.Fatal(out)
		}
		return path
	}
	for name, tc := range map[string]struct{ path, say string }{
		"missing":      {filepath.Join(dir, "missing"), "restore it from your backup"},
		"too open":     {file("open", key, 0o644), "chmod 600"},
		"garbage":      {file("garbage", "secret words", 0o600), "not a private key in OpenSSH's format"},
		"truncated":    {file("cut", key[:len(key)/2], 0o600), "not a private key in OpenSSH's format"},
		"empty":        {file("empty", "", 0o600), "not a private key in OpenSSH's format"},
		"a folder":     {dir, "is not a file"},
		"passphrase":   {keygen("locked", "-t", "ed25519", "-N", "a passphrase"), "ssh-keygen -p"},
		"another kind": {keygen("ecdsa", "-t", "ecdsa", "-N", ""), "signed with ed25519"},
	} {
		_, err := bundle.LoadSigner(tc.path)
		if err == nil || !strings.Contains(err.Error(), tc.say) || strings.Contains(err.Error(), "secret words") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := bundle.LoadSigner(keygen("fine", "-t", "ed25519", "-N", "")); err != nil {
		t.Errorf("a key that ssh-keygen made: %v", err)
	}
}
