package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"prahari/bundle"
	"prahari/fixtures"
)

// secrets lists every spelling of a person's identifiers that must be readable
// nowhere outside the sealed files.
func secrets(p fixtures.Person) []string {
	grouped := func(s string, n int, sep string) string {
		var parts []string
		for len(s) > n {
			parts, s = append(parts, s[:n]), s[n:]
		}
		return strings.Join(append(parts, s), sep)
	}
	all := []string{p.Name, p.Mobile, p.Aadhaar, p.VID, p.PAN, p.Email, p.Address, strings.ToLower(p.PAN), "91" + p.Mobile}
	for _, sep := range []string{" ", "-", "."} {
		all = append(all, grouped(p.Aadhaar, 4, sep), grouped(p.Mobile, 5, sep), grouped(p.VID, 4, sep))
	}
	for _, s := range []string{p.Mobile, p.Aadhaar, p.PAN} {
		all = append(all, hex.EncodeToString([]byte(s)), base64.StdEncoding.EncodeToString([]byte(s)))
	}
	return all
}

// TestDemoLeaksNothing runs the demo as a user would and looks for every planted
// identifier in what it printed and in every file it left: database, WAL,
// notices, bundle, sessions, temporary files.
func TestDemoLeaksNothing(t *testing.T) {
	home := t.TempDir()
	temp := filepath.Join(home, "tmp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temp)
	dir := filepath.Join(home, "prahari-demo")
	var out, errs bytes.Buffer
	e := env{in: strings.NewReader(""), out: &out, err: &errs, getenv: func(string) string { return "" }}
	if code := run(t.Context(), e, []string{"demo", "--dir", dir, "--verbose"}); code != exitFine {
		t.Fatalf("the demo ended with exit code %d\n%s\n%s", code, tail(out.String()), tail(errs.String()))
	}
	printed := out.String() + errs.String()
	found := map[string][]byte{"what was printed": []byte(printed)}
	err := filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found[path] = data
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 20 {
		t.Fatalf("the demo left %d files only", len(found))
	}
	for n := range 120 {
		for _, secret := range secrets(fixtures.MakePerson(n)) {
			for where, data := range found {
				if bytes.Contains(data, []byte(secret)) {
					t.Errorf("%s holds an identifier of person %d (%d bytes)", where, n, len(secret))
				}
			}
		}
	}
	for _, want := range []string{"CASE0001", "telegram-abuse-mail", "certin-incident", "exit code 5, as it must be", "XXXX"} {
		if !strings.Contains(printed, want) {
			t.Errorf("the demo did not show %q", want)
		}
	}
	checkTranscript(t, strings.NewReplacer(dir, "prahari-demo", os.Args[0], "bin/prahari").Replace(out.String()))
	t.Run("bundle", func(t *testing.T) { checkBundle(t, dir) })
	t.Run("commands", func(t *testing.T) { lookAround(t, filepath.Join(dir, "workspace")) })
	pages := blocks(t)
	t.Run("docs", func(t *testing.T) { runDocs(t, home, pages) })
}

func tail(s string) string { return s[max(0, len(s)-2000):] }

// checkBundle hands the demo's bundle to the tools that legal has.
func checkBundle(t *testing.T, dir string) {
	bundles, err := filepath.Glob(filepath.Join(dir, "bundles", "EB-CASE0001-*Z"))
	if err != nil || len(bundles) != 1 {
		t.Fatalf("bundles %v, %v", bundles, err)
	}
	for _, line := range []string{
		"sha256sum -c --strict --quiet tagmanifest-sha256.txt",
		"sha256sum -c --strict --quiet manifest-sha256.txt",
		fmt.Sprintf("ssh-keygen -Y verify -f attest/allowed_signers -I %s -n %s -s attest/tagmanifest-sha256.txt.sig < tagmanifest-sha256.txt",
			bundle.Identity("example.org"), bundle.Namespace("example.org")),
		"sh verify.sh",
	} {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Dir = bundles[0]
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
}

// lookAround runs every command that the demo's last words name, and more, over
// the workspace it left, without a data centre.
func lookAround(t *testing.T, workspace string) {
	for _, args := range [][]string{
		{"finding", "list"}, {"finding", "list", "--json", "--severity", "high"}, {"finding", "show", "latest"}, {"finding", "show", "latest", "--json"},
		{"source", "list", "--json"}, {"source", "coverage", "@leak_bazaar_demo"}, {"account", "list"}, {"case", "list"}, {"case", "show", "CASE0001", "--json"},
		{"notice", "list"}, {"notice", "show", "N-0001"}, {"notice", "show", "N-0002", "--eml"}, {"notice", "kinds"},
		{"custody", "verify"}, {"custody", "show", "--last", "3"}, {"doctor"},
	} {
		var out, errs bytes.Buffer
		e := env{in: strings.NewReader(""), out: &out, err: &errs, getenv: func(string) string { return "" }}
		if code := run(context.Background(), e, append([]string{"--workspace", workspace}, args...)); code != exitFine || out.Len() == 0 {
			t.Errorf("prahari %v: exit code %d, %d bytes of output\n%s", args, code, out.Len(), errs.String())
		}
	}
}
