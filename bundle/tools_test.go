package bundle_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"maps"

	"filippo.io/age"

	"prahari/bundle"
	"prahari/evidence"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// The bundle is handed to the programs that its readers have.

func TestStandardToolsAcceptTheBundle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := r.build(t)
	for _, manifest := range []string{"tagmanifest-sha256.txt", "manifest-sha256.txt"} {
		if out, code := run(t, dir, "", "sha256sum", "-c", "--strict", manifest); code != 0 {
			t.Errorf("sha256sum -c --strict %s: exit %d\n%s", manifest, code, out)
		}
	}
	out, code := run(t, dir, read(t, dir, "tagmanifest-sha256.txt"), "ssh-keygen", "-Y", "verify", "-f", "attest/allowed_signers",
		"-I", bundle.Identity(domain), "-n", bundle.Namespace(domain), "-s", "attest/tagmanifest-sha256.txt.sig")
	if code != 0 || !strings.HasPrefix(out, `Good "evidence-bundle@example.org" signature for collector@example.org`) {
		t.Errorf("ssh-keygen -Y verify: exit %d\n%s", code, out)
	}
	before := files(t, dir)["attest/tagmanifest-sha256.txt.sig"]
	sshSign(t, dir, r.keyFile, bundle.Namespace(domain))
	if after := read(t, dir, "attest/tagmanifest-sha256.txt.sig"); after != before {
		t.Errorf("our signature differs from that of ssh-keygen -Y sign:\n%s\n%s", before, after)
	}
	// The loop that VERIFY.txt prints.
	loop := `p=$(printf '0%.0s' $(seq 64)); while IFS= read -r l; do case "$l" in *"\"prev\":\"$p\""*) :;; *) echo BROKEN; break;; esac; ` +
		`p=$(printf '%s\n' "$l" | sha256sum | cut -d' ' -f1); done < data/custody/custody.jsonl; echo head $p`
	if out, _ := run(t, dir, "", "sh", "-c", loop); !strings.Contains(read(t, dir, "bag-info.txt"), "Evidence-Ledger-Head: "+strings.TrimSpace(strings.TrimPrefix(out, "head "))+"\n") {
		t.Errorf("the custody loop says %s", out)
	}
}

// shells lists the shells that verify.sh must run in.
func shells(t *testing.T) map[string][]string {
	found := map[string][]string{"sh": {"sh"}, "bash": {"bash", "--posix"}}
	for name, args := range map[string][]string{"dash": {"dash"}, "busybox": {"busybox", "sh"}} {
		if _, err := exec.LookPath(name); err != nil {
			t.Logf("NOT TESTED: this machine has no %s", name)
			continue
		}
		found[name] = args
	}
	return found
}

func TestVerifyScriptPassesInEveryShellFromAnyFolder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := r.build(t)
	before := files(t, dir)
	for name, shell := range shells(t) {
		for _, tc := range []struct {
			from string
			args []string
		}{
			{dir, []string{"verify.sh"}},
			{"/", []string{filepath.Join(dir, "verify.sh"), "--signer-fingerprint", r.in.Signer.Fingerprint()}},
			{filepath.Dir(dir), []string{filepath.Join(dir, "verify.sh"), filepath.Base(dir)}},
		} {
			out, code := run(t, tc.from, "", shell[0], append(slices.Clone(shell[1:]), tc.args...)...)
			if code != 0 || strings.Contains(out, "FAIL") || !strings.Contains(out, "RESULT: every check passed") {
				t.Errorf("%s in %s: exit %d\n%s", name, tc.from, code, out)
			}
			for _, want := range []string{"PASS  1 ", "PASS  2 ", "PASS  3 ", "PASS  4 ", "PASS  5 ", "PASS  6 ", "SKIP  7 ", "PASS  8 ", "PASS  9 ", "prove nothing unless"} {
				if !strings.Contains(out, want) {
					t.Errorf("%s: no %q in\n%s", name, want, out)
				}
			}
		}
	}
	if !maps.Equal(before, files(t, dir)) {
		t.Error("verify.sh changed the bundle")
	}
}

// longLog gives a rig a custody log of some more lines.
func (r *rig) longLog(lines int) {
	l := newLog()
	var all []evidence.Entry
	for _, e := range r.items {
		all = append(all, l.add(evidence.Entry{At: posted, Actor: "analyst:a1", Action: "collect", Object: e.ID, CaseID: "CASE0007", SHA256: e.Commitment}))
	}
	for n := range lines {
		all = append(all, l.add(evidence.Entry{At: posted, Actor: "analyst:a1", Action: "case.note", Object: "CASE0007", CaseID: "CASE0007", Reason: fmt.Sprintf("नोट %d", n)}))
	}
	r.in.Custody, r.in.Log = bundle.Each(all), l.log()
}

// A long log takes few processes, leaves nothing behind, and is held to the same
// as a short one.
func TestVerifyScriptChecksALongLog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.longLog(1100)
	whole := r.build(t)
	lines := strings.Count(read(t, whole, custodyFile), "\n")
	broken := clone(t, whole)
	swapLines(t, broken, custodyFile, 1000, 1001)
	zero := clone(t, whole)
	write(t, zero, custodyFile, strings.Replace(read(t, zero, custodyFile), "analyst:a1", "analyst:a1\x00", 1))
	real, err := exec.LookPath("sha256sum")
	if err != nil {
		t.Fatal("this test needs sha256sum")
	}
	for name, shell := range shells(t) {
		for _, tc := range []struct {
			dir, temp, say string
			code, most     int // sha256sum is run at most so often
		}{
			{whole, t.TempDir(), fmt.Sprintf("PASS  8 custody log: %d lines", lines), 0, 10},
			{whole, "/nonexistent", fmt.Sprintf("PASS  8 custody log: %d lines", lines), 0, 10},
			{broken, t.TempDir(), "FAIL  8 custody log: line 1001 does not follow the line before it", 1, lines},
			{zero, t.TempDir(), "FAIL  8 custody log", 1, 10},
		} {
			if tc.most > 10 && name != "sh" { // a process for each line takes a while
				continue
			}
			bin := t.TempDir()
			write(t, bin, "sha256sum", "#!/bin/sh\necho x >>"+bin+"/count\nexec "+real+" \"$@\"\n")
			must(t, os.Chmod(filepath.Join(bin, "sha256sum"), 0o700)) //nolint:gosec // a program
			args := append(slices.Clone(shell), filepath.Join(tc.dir, "verify.sh"))
			script := `PATH=$1:$PATH TMPDIR=$2; export PATH TMPDIR; shift 2; exec "$@"`
			out, code := run(t, "/", "", "sh", append([]string{"-c", script, "sh", bin, tc.temp}, args...)...)
			if code != tc.code || !strings.Contains(out, tc.say) {
				t.Errorf("%s, lines in %s: exit %d\n%s", name, tc.temp, code, out)
			}
			if n := strings.Count(read(t, bin, "count"), "x"); n > tc.most {
				t.Errorf("%s: sha256sum ran %d times, at most %d were due", name, n, tc.most)
			}
			if left, err := os.ReadDir(tc.temp); err == nil && len(left) > 0 {
				t.Errorf("%s: %d files stayed in the folder for temporary files", name, len(left))
			}
		}
	}
}

// A line ends with its number, in whatever form the rest hides one: a chain that is
// whole in its digests alone is none.
func TestVerifyScriptWantsTheNumberAtTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := r.build(t)
	head := regexp.MustCompile(`Evidence-Ledger-Head: ([0-9a-f]{64})`).FindStringSubmatch(read(t, dir, "bag-info.txt"))
	for _, behind := range []string{`{"action":"seal","object":"forged"}`, "\r"} {
		hostile := clone(t, dir)
		prev, log := evidence.Genesis, ""
		for n := range 4 {
			line := fmt.Sprintf("{\"action\":\"collect\",\"prev\":\"%s\",\"seq\":%d}%s\n", prev, n, behind)
			prev, log = evidence.Digest([]byte(line)), log+line
		}
		write(t, hostile, custodyFile, log)
		write(t, hostile, "bag-info.txt", strings.Replace(read(t, hostile, "bag-info.txt"), head[1], prev, 1))
		for name, shell := range shells(t) {
			args := append(slices.Clone(shell[1:]), filepath.Join(hostile, "verify.sh"))
			if out, _ := run(t, "/", "", shell[0], args...); !strings.Contains(out, "FAIL  8 custody log: line 1 does not have seq 0") {
				t.Errorf("%s, %q behind a line: %s", name, behind, out)
			}
		}
	}
}

func TestVerifyScriptExitCodes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := r.build(t)
	other, _ := signerFrom(t, 2)
	// A folder with every tool but one: the check is skipped, and that is 2.
	without := func(missing string) string {
		bin := t.TempDir()
		for _, tool := range []string{"sh", "sha256sum", "ssh-keygen", "openssl", "find", "awk", "sed", "tr", "wc", "cut", "sort", "dirname"} {
			path, err := exec.LookPath(tool)
			if err != nil {
				t.Fatalf("this test needs %s", tool)
			}
			if tool != missing {
				if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
					t.Fatal(err)
				}
			}
		}
		return bin
	}
	for _, tc := range []struct {
		name string
		path string
		args []string
		code int
		say  string
	}{
		{"the wrong key", "", []string{"--signer-fingerprint", other.Fingerprint()}, 1, "FAIL  6a"},
		{"unknown option", "", []string{"--nonsense"}, 2, "usage"},
		{"option without value", "", []string{"--signer-fingerprint"}, 2, "usage"},
		{"no folder", "", []string{"/nonexistent/folder"}, 2, "cannot enter"},
		{"not a bundle", "", []string{"EMPTY"}, 1, "not an evidence bundle"},
		{"all tools by absolute path", without("none"), nil, 0, "every check passed"},
		{"no ssh-keygen", without("ssh-keygen"), nil, 2, "SKIP  6 signature (ssh-keygen is missing)"},
		{"no sha256sum", without("sha256sum"), nil, 2, "SKIP  1 tag manifest (sha256sum is missing)"},
		{"no openssl and no stamp", without("openssl"), nil, 0, "SKIP  7 time stamp (not time-stamped"},
	} {
		for i, a := range tc.args {
			if a == "EMPTY" {
				tc.args[i] = t.TempDir()
			}
		}
		args := append([]string{filepath.Join(dir, "verify.sh")}, tc.args...)
		shell := "sh"
		if tc.path != "" {
			args = append([]string{"-c", `PATH=$1; export PATH; shift; exec sh "$@"`, "sh", tc.path}, args...)
		}
		out, code := run(t, "/", "", shell, args...)
		if code != tc.code || !strings.Contains(out, tc.say) {
			t.Errorf("%s: exit %d, want %d and %q\n%s", tc.name, code, tc.code, tc.say, out)
		}
	}
}

// Each key opens each original alone, and what it opens is what was committed.
func TestSealedOriginalsOpenToTheirCommitments(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := r.build(t)
	table := read(t, dir, "data/sealed/commitments.csv")
	for _, item := range r.items {
		sealed := read(t, dir, "data/sealed/raw-"+item.ID+".tar.age")
		for _, secret := range r.identities {
			ids, err := age.ParseIdentities(strings.NewReader(secret))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := age.Decrypt(strings.NewReader(sealed), ids...)
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(plain)
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("\n%s,%s,%d,X25519 X25519,yes\n", item.ID, evidence.Digest(content), len(content)); !strings.Contains(table, want) {
				t.Errorf("no line %q in\n%s", want, table)
			}
			raw, err := evidence.Open(strings.NewReader(sealed), strings.NewReader(secret))
			if err != nil {
				t.Fatal(err)
			}
			if string(raw.Files[1].Data) != string(r.raw[item.ID][0].Data) {
				t.Errorf("%s: another original came out", item.ID)
			}
		}
	}
}
