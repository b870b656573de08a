package bundle_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"prahari/bundle"
	"prahari/evidence"
)

// replace swaps a part of a file that must be there.
func replace(t testing.TB, dir, name, old, with string) {
	t.Helper()
	content := read(t, dir, name)
	if !strings.Contains(content, old) {
		t.Fatalf("%s has no %q", name, old)
	}
	write(t, dir, name, strings.Replace(content, old, with, 1))
}

func flip(t testing.TB, dir, name string, at int, bit byte) {
	t.Helper()
	data := []byte(read(t, dir, name))
	data[at%len(data)] ^= 1 << bit
	write(t, dir, name, string(data))
}

func rename(t testing.TB, dir, from, to string) {
	t.Helper()
	if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, dir, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const (
	custodyFile = "data/custody/custody.jsonl"

	checkpointFile = "data/custody/checkpoint"
	inclusionFile  = "data/custody/inclusion-proof.txt"
	inLog          = "custody in the workspace's log"
	sigFile        = "attest/tagmanifest-sha256.txt.sig"
	sealed0        = "data/sealed/raw-ev-item0.tar.age"
)

// swapLines exchanges two lines of a file, from 0.
func swapLines(t testing.TB, dir, name string, a, b int) {
	t.Helper()
	lines := strings.SplitAfter(read(t, dir, name), "\n")
	lines[a], lines[b] = lines[b], lines[a]
	write(t, dir, name, strings.Join(lines, ""))
}

// Every damage must be found by Verify and by verify.sh. Those that reseal were
// done by somebody who holds the signing key: the manifests and the signature
// are right, and only the named inner check can find them.
func TestEveryDamageIsFoundByBothVerifiers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	whole := r.build(t)
	sh := script(t, whole)
	other := newRig(t)
	other.in.Seq = 4
	otherBundle := other.build(t)
	_, otherKey := signerFrom(t, 9)
	again := func(t *testing.T, dir string) { reseal(t, dir, r.keyFile, "") }

	type damage struct {
		name  string
		do    func(t *testing.T, dir string)
		check string // of Verify, "" any
	}
	cases := []damage{
		{"file added in data", func(t *testing.T, d string) { write(t, d, "data/extra.txt", "x") }, "nothing added"},
		{"file added at the top", func(t *testing.T, d string) { write(t, d, "extra.txt", "x") }, "nothing added"},
		{"file added in attest", func(t *testing.T, d string) { write(t, d, "attest/extra.txt", "x") }, "nothing added"},
		{"time stamp added", func(t *testing.T, d string) { write(t, d, "attest/tagmanifest-sha256.txt.tsr", "x") }, "nothing added"},
		{"empty file added", func(t *testing.T, d string) { write(t, d, "data/empty", "") }, "nothing added"},
		{"empty folder added", func(t *testing.T, d string) { must(t, os.Mkdir(filepath.Join(d, "data/folder"), 0o700)) }, "nothing added"},
		{"hidden file added", func(t *testing.T, d string) { write(t, d, "data/.hidden", "x") }, "plain files"},
		{"file with a newline in its name", func(t *testing.T, d string) { write(t, d, "data/x\ndata/items.csv", "x") }, "plain files"},
		{"folder with a newline in its name", func(t *testing.T, d string) { write(t, d, "data/items\ndata/y", "x") }, "plain files"},
		{"file with an escape in its name", func(t *testing.T, d string) { write(t, d, "data/\x1b[31mx", "x") }, "plain files"},
		{"file that looks like an option", func(t *testing.T, d string) { write(t, d, "-rf", "x") }, "plain files"},
		{"file with invalid UTF-8 in its name", func(t *testing.T, d string) { write(t, d, "data/\xff\xfe", "x") }, "plain files"},
		{"file renamed", func(t *testing.T, d string) { rename(t, d, "data/items.csv", "data/items2.csv") }, "payload manifest"},
		{"files exchanged", func(t *testing.T, d string) {
			rename(t, d, sealed0, "data/x")
			rename(t, d, "data/sealed/raw-ev-item1.tar.age", sealed0)
			rename(t, d, "data/x", "data/sealed/raw-ev-item1.tar.age")
		}, "payload manifest"},
		{"file replaced by a link to its copy", func(t *testing.T, d string) {
			outside := filepath.Join(t.TempDir(), "copy")
			must(t, os.WriteFile(outside, []byte(read(t, d, "data/items.csv")), 0o600))
			remove(t, d, "data/items.csv")
			must(t, os.Symlink(outside, filepath.Join(d, "data/items.csv")))
		}, "plain files"},
		{"folder replaced by a link", func(t *testing.T, d string) {
			outside := filepath.Join(t.TempDir(), "sealed")
			must(t, os.CopyFS(outside, os.DirFS(filepath.Join(d, "data/sealed"))))
			remove(t, d, "data/sealed")
			must(t, os.Symlink(outside, filepath.Join(d, "data/sealed")))
		}, "plain files"},
		{"signature replaced by a link", func(t *testing.T, d string) {
			rename(t, d, sigFile, "../sig")
			must(t, os.Symlink("../../sig", filepath.Join(d, sigFile)))
		}, "plain files"},
		{"file replaced by a pipe", func(t *testing.T, d string) {
			remove(t, d, "data/items.csv")
			must(t, syscall.Mkfifo(filepath.Join(d, "data/items.csv"), 0o600))
		}, "plain files"},
		{"file replaced by a folder", func(t *testing.T, d string) {
			remove(t, d, "data/items.csv")
			must(t, os.Mkdir(filepath.Join(d, "data/items.csv"), 0o700))
		}, "payload manifest"},
		{"data removed", func(t *testing.T, d string) { remove(t, d, "data") }, "payload manifest"},
		{"attest removed", func(t *testing.T, d string) { remove(t, d, "attest") }, "signature"},

		{"manifest line dropped", func(t *testing.T, d string) {
			m := read(t, d, "manifest-sha256.txt")
			write(t, d, "manifest-sha256.txt", m[strings.Index(m, "\n")+1:])
		}, "tag manifest"},
		{"manifest line dropped, resealed without the file's line", func(t *testing.T, d string) {
			m := read(t, d, "manifest-sha256.txt")
			write(t, d, "manifest-sha256.txt", m[strings.Index(m, "\n")+1:])
			retag(t, d, r.keyFile)
		}, "nothing added"},
		{"manifest names a file twice", func(t *testing.T, d string) {
			m := read(t, d, "manifest-sha256.txt")
			write(t, d, "manifest-sha256.txt", m+m[:strings.Index(m, "\n")+1])
			retag(t, d, r.keyFile)
		}, "payload manifest"},
		{"manifest leads out of the bundle", func(t *testing.T, d string) {
			must(t, os.WriteFile(filepath.Join(d, "..", "out"), []byte("x"), 0o600))
			write(t, d, "manifest-sha256.txt", read(t, d, "manifest-sha256.txt")+evidence.Digest([]byte("x"))+"  data/../../out\n")
			retag(t, d, r.keyFile)
		}, "payload manifest"},
		{"manifest has an absolute path", func(t *testing.T, d string) {
			write(t, d, "manifest-sha256.txt", read(t, d, "manifest-sha256.txt")+evidence.Digest(nil)+"  /dev/null\n")
			retag(t, d, r.keyFile)
		}, "payload manifest"},
		{"manifest path is not normal", func(t *testing.T, d string) {
			replace(t, d, "manifest-sha256.txt", "  data/items.csv", "  data//items.csv")
			retag(t, d, r.keyFile)
		}, "payload manifest"},
		{"manifest with CRLF", func(t *testing.T, d string) {
			write(t, d, "manifest-sha256.txt", strings.ReplaceAll(read(t, d, "manifest-sha256.txt"), "\n", "\r\n"))
			retag(t, d, r.keyFile)
		}, "payload manifest"},
		{"manifest without its last newline", func(t *testing.T, d string) {
			write(t, d, "manifest-sha256.txt", strings.TrimSuffix(read(t, d, "manifest-sha256.txt"), "\n"))
			retag(t, d, r.keyFile)
		}, "payload manifest"},
		{"manifest in upper case", func(t *testing.T, d string) {
			m := read(t, d, "manifest-sha256.txt")
			write(t, d, "manifest-sha256.txt", strings.ToUpper(m[:64])+m[64:])
			retag(t, d, r.keyFile)
		}, "payload manifest"},
		{"manifest with a NUL", func(t *testing.T, d string) {
			replace(t, d, "manifest-sha256.txt", "data/items.csv", "data/items.csv\x00")
			retag(t, d, r.keyFile)
		}, "payload manifest"},
		{"tag manifest with CRLF, resigned", func(t *testing.T, d string) {
			write(t, d, "tagmanifest-sha256.txt", strings.ReplaceAll(read(t, d, "tagmanifest-sha256.txt"), "\n", "\r\n"))
			sshSign(t, d, r.keyFile, bundle.Namespace(domain))
		}, "tag manifest"},
		{"tag file not covered, resigned", func(t *testing.T, d string) {
			m := read(t, d, "tagmanifest-sha256.txt")
			write(t, d, "tagmanifest-sha256.txt", m[strings.Index(m, "\n")+1:])
			sshSign(t, d, r.keyFile, bundle.Namespace(domain))
		}, "tag manifest"},
		{"extra tag file, resealed", func(t *testing.T, d string) {
			write(t, d, "extra.txt", "x")
			again(t, d)
		}, "tag manifest"},
		{"wrong Payload-Oxum, resealed", func(t *testing.T, d string) {
			replace(t, d, "bag-info.txt", "Payload-Oxum: ", "Payload-Oxum: 1")
			retag(t, d, r.keyFile)
		}, "payload size"},
		{"two Payload-Oxum, resealed", func(t *testing.T, d string) {
			write(t, d, "bag-info.txt", read(t, d, "bag-info.txt")+"Payload-Oxum: 1.1\n")
			retag(t, d, r.keyFile)
		}, "payload size"},
		{"wrong head, resealed", func(t *testing.T, d string) {
			replace(t, d, "bag-info.txt", "Evidence-Ledger-Head: ", "Evidence-Ledger-Head: "+strings.Repeat("0", 64)+"\nX: ")
			retag(t, d, r.keyFile)
		}, "custody log"},

		{"signature of another bundle", func(t *testing.T, d string) { write(t, d, sigFile, read(t, otherBundle, sigFile)) }, "signature"},
		{"signature in another namespace", func(t *testing.T, d string) { sshSign(t, d, r.keyFile, "custody-head@"+domain) }, "signature"},
		{"signature in another namespace that the bundle names", func(t *testing.T, d string) {
			replace(t, d, "bag-info.txt", "evidence-bundle@", "custody-head@")
			replace(t, d, "attest/allowed_signers", "evidence-bundle@", "custody-head@")
			reseal(t, d, r.keyFile, "custody-head@"+domain)
		}, "signature"},
		{"signature by another key", func(t *testing.T, d string) { sshSign(t, d, otherKey, bundle.Namespace(domain)) }, "signature"},
		{"signature by another key that allowed_signers names", func(t *testing.T, d string) {
			sshSign(t, d, otherKey, bundle.Namespace(domain))
			allow(t, d, otherKey)
		}, "signature"},
		{"signature with trailing text", func(t *testing.T, d string) { write(t, d, sigFile, read(t, d, sigFile)+"\n") }, "signature"},
		{"signature without its last newline", func(t *testing.T, d string) {
			write(t, d, sigFile, strings.TrimSuffix(read(t, d, sigFile), "\n"))
		}, "signature"},
		{"signature with CRLF", func(t *testing.T, d string) {
			write(t, d, sigFile, strings.ReplaceAll(read(t, d, sigFile), "\n", "\r\n"))
		}, "signature"},
		{"allowed_signers with a second key", func(t *testing.T, d string) {
			write(t, d, "attest/allowed_signers", read(t, d, "attest/allowed_signers")+read(t, d, "attest/allowed_signers"))
		}, "signature"},
		{"allowed_signers for every namespace", func(t *testing.T, d string) {
			replace(t, d, "attest/allowed_signers", ` namespaces="evidence-bundle@example.org,evidence-attest@example.org"`, "")
		}, "signature"},
		{"note says that it is stamped", func(t *testing.T, d string) { replace(t, d, "attest/NOTE.txt", "Not time-stamped", "Time-stamped") }, "signature of what stands beside the bag"},
		{"signature beside the bag by another key", func(t *testing.T, d string) { sealBeside(t, d, otherKey) }, "signature of what stands beside the bag"},
		{"signature beside the bag of another bundle", func(t *testing.T, d string) {
			write(t, d, "attest/manifest-sha256.txt.sig", read(t, otherBundle, "attest/manifest-sha256.txt.sig"))
		}, "signature of what stands beside the bag"},
		{"attest of another bundle", func(t *testing.T, d string) {
			remove(t, d, "attest")
			must(t, os.CopyFS(filepath.Join(d, "attest"), os.DirFS(filepath.Join(otherBundle, "attest"))))
		}, "signature"},
		{"note removed, resealed", func(t *testing.T, d string) { remove(t, d, "attest/NOTE.txt"); sealBeside(t, d, r.keyFile) }, "signature of what stands beside the bag"},

		{"custody lines reordered", func(t *testing.T, d string) { swapLines(t, d, custodyFile, 2, 3) }, "custody log"},
		{"custody lines reordered, resealed", func(t *testing.T, d string) { swapLines(t, d, custodyFile, 2, 3); again(t, d) }, "custody log"},
		{"custody tail cut, resealed", func(t *testing.T, d string) {
			lines := strings.SplitAfter(read(t, d, custodyFile), "\n")
			write(t, d, custodyFile, strings.Join(lines[:len(lines)-3], ""))
			again(t, d)
		}, "custody log"},
		{"custody line dropped, resealed", func(t *testing.T, d string) {
			lines := strings.SplitAfter(read(t, d, custodyFile), "\n")
			write(t, d, custodyFile, strings.Join(append(lines[:3:3], lines[4:]...), ""))
			again(t, d)
		}, "custody log"},
		{"custody line edited, resealed", func(t *testing.T, d string) {
			replace(t, d, custodyFile, "analyst:a1", "analyst:b2")
			again(t, d)
		}, "custody log"},
		{"last custody line edited, resealed", func(t *testing.T, d string) {
			replace(t, d, custodyFile, "notice.draft", "notice.sents")
			again(t, d)
		}, "custody log"},
		{"custody without its last newline, resealed", func(t *testing.T, d string) {
			write(t, d, custodyFile, strings.TrimSuffix(read(t, d, custodyFile), "\n"))
			again(t, d)
		}, "custody log"},
		{"custody re-chained from 1, head renewed, resealed", func(t *testing.T, d string) {
			rechain(t, d, func(i int, e *evidence.Entry) { e.Seq = int64(i) + 1 })
			again(t, d)
		}, "custody log"},
		{"custody emptied, resealed", func(t *testing.T, d string) { write(t, d, custodyFile, ""); again(t, d) }, "custody log"},
		{"sealed original removed, resealed", func(t *testing.T, d string) { remove(t, d, sealed0); again(t, d) }, "sealed originals"},
		{"sealed original added, resealed", func(t *testing.T, d string) {
			write(t, d, "data/sealed/raw-ev-item9.tar.age", read(t, d, sealed0))
			again(t, d)
		}, "sealed originals"},
		{"odd file among the sealed, resealed", func(t *testing.T, d string) {
			write(t, d, "data/sealed/raw.txt", "x")
			again(t, d)
		}, "sealed originals"},
		{"commitment removed, resealed", func(t *testing.T, d string) {
			c := read(t, d, "data/sealed/commitments.csv")
			write(t, d, "data/sealed/commitments.csv", c[:strings.LastIndex(strings.TrimSpace(c), "\n")+1])
			again(t, d)
		}, "sealed originals"},
		{"commitment twice, resealed", func(t *testing.T, d string) {
			c := read(t, d, "data/sealed/commitments.csv")
			write(t, d, "data/sealed/commitments.csv", c+c[strings.LastIndex(strings.TrimSpace(c), "\n")+1:])
			again(t, d)
		}, "sealed originals"},
	}
	for _, name := range sorted(files(t, whole)) {
		cases = append(cases, damage{"one bit flipped in " + name, func(t *testing.T, d string) {
			data := read(t, d, name)
			flip(t, d, name, len(data)/2, 0)
		}, ""})
		if strings.Count(name, "item") == 0 || strings.Contains(name, "item0") {
			cases = append(cases,
				damage{"removed " + name, func(t *testing.T, d string) { remove(t, d, name) }, ""},
				damage{"truncated " + name, func(t *testing.T, d string) {
					data := read(t, d, name)
					write(t, d, name, data[:len(data)*2/3])
				}, ""},
				damage{"appended to " + name, func(t *testing.T, d string) { write(t, d, name, read(t, d, name)+"\x00") }, ""})
		}
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := clone(t, whole)
			tc.do(t, dir)
			report, err := bundle.Verify(t.Context(), dir, bundle.Options{})
			if !errors.Is(err, bundle.ErrBroken) || report.OK {
				t.Errorf("Verify: %v", err)
			}
			if tc.check != "" && !failedIn(report, tc.check) {
				t.Errorf("Verify found it elsewhere than in %q: %v", tc.check, report.Problems())
			}
			for _, p := range report.Problems() {
				if s := p.String(); s != evidence.Printable(s) || strings.Contains(s, "\n") {
					t.Errorf("a problem acts on the terminal: %q", s)
				}
			}
			out, code := run(t, "/", "", "sh", sh, dir)
			if code != 1 || !strings.Contains(out, "FAIL  ") || !strings.Contains(out, "RESULT: FAILED") {
				t.Errorf("verify.sh: exit %d\n%s", code, out)
			}
			if out != evidence.Printable(out) {
				t.Errorf("verify.sh's output acts on the terminal: %q", out)
			}
		})
	}
	t.Logf("%d kinds of damage", len(cases))
}

func failedIn(r bundle.Report, check string) bool {
	for _, c := range r.Checks {
		if c.Name == check {
			return c.Status == bundle.Fail && len(c.Problems) > 0
		}
	}
	return false
}

// retag renews the tag manifest's digests and the signature, not the payload
// manifest.
func retag(t testing.TB, dir, keyFile string) {
	t.Helper()
	var out strings.Builder
	for l := range strings.Lines(read(t, dir, "tagmanifest-sha256.txt")) {
		name := strings.TrimSpace(l[66:])
		fmt.Fprintf(&out, "%s  %s\n", evidence.Digest([]byte(read(t, dir, name))), name)
	}
	write(t, dir, "tagmanifest-sha256.txt", out.String())
	sshSign(t, dir, keyFile, bundle.Namespace(domain))
}

// allow makes allowed_signers name the key.
func allow(t testing.TB, dir, keyFile string) {
	t.Helper()
	public, code := run(t, dir, "", "ssh-keygen", "-y", "-f", keyFile)
	if code != 0 {
		t.Fatalf("ssh-keygen -y: %s", public)
	}
	kind, rest, _ := strings.Cut(strings.TrimSpace(public), " ")
	key, _, _ := strings.Cut(rest, " ")
	write(t, dir, "attest/allowed_signers", fmt.Sprintf("%s namespaces=%q %s %s\n",
		bundle.Identity(domain), bundle.Namespace(domain)+","+bundle.AttestNamespace(domain), kind, key))
}

// rechain rewrites the custody log with right digests and renews the head.
func rechain(t testing.TB, dir string, edit func(i int, e *evidence.Entry)) {
	t.Helper()
	prev := evidence.Genesis
	var out strings.Builder
	i := 0
	for l := range strings.Lines(read(t, dir, custodyFile)) {
		e, err := evidence.ParseEntry([]byte(l))
		must(t, err)
		edit(i, &e)
		e.Prev = prev
		line, err := e.Line()
		must(t, err)
		out.Write(line)
		prev = evidence.Digest(line)
		i++
	}
	write(t, dir, custodyFile, out.String())
	var info strings.Builder
	for l := range strings.Lines(read(t, dir, "bag-info.txt")) {
		if strings.HasPrefix(l, "Evidence-Ledger-Head: ") {
			l = "Evidence-Ledger-Head: " + prev + "\n"
		}
		info.WriteString(l)
	}
	write(t, dir, "bag-info.txt", info.String())
}

// LOUD: whoever replaces the whole bundle, key included, is found only by a
// reader who knows the fingerprint from elsewhere. Both verifiers say so.
func TestReplacedSignerNeedsTheOutsideFingerprint(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	forged := clone(t, r.build(t))
	sh := script(t, forged)
	forger, forgerKey := signerFrom(t, 9)
	replace(t, forged, "data/items/ev-item0/message.redacted.json", "Name", "Nome")
	replace(t, forged, "data/hash-report.csv", evidence.Digest([]byte(read(t, r.build(t), "data/items/ev-item0/message.redacted.json"))),
		evidence.Digest([]byte(read(t, forged, "data/items/ev-item0/message.redacted.json"))))
	replace(t, forged, "bag-info.txt", r.in.Signer.Fingerprint(), forger.Fingerprint())
	allow(t, forged, forgerKey)
	reseal(t, forged, forgerKey, "")

	report, err := bundle.Verify(t.Context(), forged, bundle.Options{})
	if err != nil || report.SignerCompared {
		t.Errorf("without a fingerprint nothing can tell: %v", err)
	}
	t.Log("NOT FOUND without --signer-fingerprint, as documented: a bundle resealed whole with another key")
	if out, code := run(t, "/", "", "sh", sh, forged); code != 0 || !strings.Contains(out, "SKIP  6a signing key (not compared") || !strings.Contains(out, "prove nothing unless") {
		t.Errorf("verify.sh must say that the key was not compared: exit %d\n%s", code, out)
	}
	if _, err := bundle.Verify(t.Context(), forged, bundle.Options{SignerFingerprint: r.in.Signer.Fingerprint()}); !errors.Is(err, bundle.ErrBroken) {
		t.Errorf("with the fingerprint: %v", err)
	}
	if out, code := run(t, "/", "", "sh", sh, "--signer-fingerprint", r.in.Signer.Fingerprint(), forged); code != 1 || !strings.Contains(out, "FAIL  6a") {
		t.Errorf("verify.sh with the fingerprint: exit %d\n%s", code, out)
	}
}

// What only Verify finds, since a shell reads no JSON: a holder of the key who
// changed one record but not the tables, or the workspace's places in custody.
func TestInnerContradictionsAreFoundByVerify(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	whole := r.build(t)
	for name, tc := range map[string]struct {
		do    func(t *testing.T, dir string)
		check string
	}{
		"record with another commitment": {func(t *testing.T, d string) {
			replace(t, d, "data/items/ev-item0/record.json", r.items[0].Commitment, r.items[1].Commitment)
		}, "records"},
		"commitment edited": {func(t *testing.T, d string) {
			replace(t, d, "data/sealed/commitments.csv", r.items[0].Commitment, r.items[1].Commitment)
		}, "records"},
		"size edited": {func(t *testing.T, d string) {
			replace(t, d, "data/sealed/commitments.csv", ",X25519", "0,X25519")
		}, "sealed originals"},
		"item without a seal": {func(t *testing.T, d string) {
			write(t, d, "data/items/ev-item9/record.json", read(t, d, "data/items/ev-item0/record.json"))
		}, "records"},
		"item not in the table": {func(t *testing.T, d string) { replace(t, d, "data/items.csv", "ev-item0", "ev-item1") }, "records"},
		"hash report of another": {func(t *testing.T, d string) {
			replace(t, d, "data/hash-report.csv", r.items[0].SealedSHA, r.items[1].SealedSHA)
		}, "records"},
		"sealed original truncated": {func(t *testing.T, d string) { write(t, d, sealed0, read(t, d, sealed0)[:150]) }, "sealed originals"},
		"workspace places go back": {func(t *testing.T, d string) {
			rechain(t, d, func(i int, e *evidence.Entry) {
				if i == 3 {
					*e.LogSeq = 1
				}
			})
		}, "custody log"},
		"custody line renamed": {func(t *testing.T, d string) {
			rechain(t, d, func(i int, e *evidence.Entry) {
				if i == 3 {
					e.Actor = "analyst:b2"
				}
			})
		}, "custody log"},
		"custody line that the workspace's log does not have": {func(t *testing.T, d string) {
			rechain(t, d, func(i int, e *evidence.Entry) {
				if i == 3 {
					e.Actor = "analyst:b2"
					theirs, err := e.LogLine()
					must(t, err)
					e.LogSHA = evidence.Digest(theirs)
				}
			})
		}, inLog},
		"custody line without its leaf": {func(t *testing.T, d string) {
			rechain(t, d, func(_ int, e *evidence.Entry) { e.LogPrev = "" })
		}, "custody log"},
		"custody line hidden behind another leaf": {func(t *testing.T, d string) {
			rechain(t, d, func(i int, e *evidence.Entry) {
				if i == 2 {
					e.LogPrev, e.LogLeaf = "", strings.Repeat("ab", 32)
				}
			})
		}, inLog},
		"checkpoint of a shorter log": {func(t *testing.T, d string) {
			key, err := evidence.ParseLogKey(logKey)
			must(t, err)
			_, log := custodyOf(r.items)
			tree, err := evidence.ResumeTree(45, log.Tree)
			must(t, err)
			signed, err := key.Sign(45, tree.Root())
			must(t, err)
			write(t, d, checkpointFile, string(signed))
		}, inLog},
		"checkpoint of another log": {func(t *testing.T, d string) {
			_, log := custodyOf(r.items[:2])
			write(t, d, checkpointFile, string(log.Checkpoint))
		}, inLog},
		"checkpoint by another key": {func(t *testing.T, d string) {
			key, err := evidence.NewLogKey(domain)
			must(t, err)
			_, log := custodyOf(r.items)
			c, err := evidence.OpenCheckpoint(log.Checkpoint, log.Key)
			must(t, err)
			signed, err := key.Sign(c.Size, c.Root)
			must(t, err)
			write(t, d, checkpointFile, string(signed))
		}, inLog},
		"checkpoint edited": {func(t *testing.T, d string) {
			replace(t, d, checkpointFile, "example.org/custody", "example.net/custody")
		}, inLog},
		"inclusion proof cut": {func(t *testing.T, d string) {
			_, rest, _ := strings.Cut(read(t, d, inclusionFile), "\n")
			write(t, d, inclusionFile, rest)
		}, inLog},
		"inclusion proof longer": {func(t *testing.T, d string) {
			write(t, d, inclusionFile, read(t, d, inclusionFile)+strings.Repeat("0", 64)+"\n")
		}, inLog},
		"inclusion proof in capitals": {func(t *testing.T, d string) {
			write(t, d, inclusionFile, strings.ToUpper(read(t, d, inclusionFile)))
		}, inLog},
		"inclusion proof reordered": {func(t *testing.T, d string) { swapLines(t, d, inclusionFile, 0, 1) }, inLog},
		"custody line not canonical": {func(t *testing.T, d string) {
			lines := strings.SplitAfter(read(t, d, custodyFile), "\n")
			last := len(lines) - 2
			lines[last] = strings.Replace(lines[last], `{"action"`, `{ "action"`, 1)
			write(t, d, custodyFile, strings.Join(lines, ""))
			replace(t, d, "bag-info.txt", headOf(t, d), evidence.Digest([]byte(lines[last])))
		}, "custody log"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := clone(t, whole)
			tc.do(t, dir)
			reseal(t, dir, r.keyFile, "")
			report, err := bundle.Verify(t.Context(), dir, bundle.Options{})
			if !errors.Is(err, bundle.ErrBroken) || !failedIn(report, tc.check) {
				t.Errorf("%v: %v", err, report.Problems())
			}
		})
	}
}

func headOf(t testing.TB, dir string) string {
	t.Helper()
	_, rest, _ := strings.Cut(read(t, dir, "bag-info.txt"), "Evidence-Ledger-Head: ")
	return rest[:64]
}

// The first bad item is named, and every further one.
func TestVerifyNamesEveryBadItem(t *testing.T) {
	t.Parallel()
	dir := clone(t, newRig(t).build(t))
	bad := []string{"README.txt", "data/coverage.json", "data/items.csv"}
	for _, name := range bad {
		flip(t, dir, name, 3, 1)
	}
	report, err := bundle.Verify(t.Context(), dir, bundle.Options{})
	if err == nil || !strings.Contains(err.Error(), "README.txt: was changed") {
		t.Errorf("got %v", err)
	}
	for i, p := range report.Problems()[:3] {
		if p.Path != bad[i] {
			t.Errorf("problem %d is of %s, want %s", i, p.Path, bad[i])
		}
	}
}
