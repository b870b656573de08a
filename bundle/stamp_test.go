package bundle_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"prahari/bundle"
	"prahari/fixtures/demotsa"
	"prahari/tsa"
)

// Stamps of an authority run by openssl, put beside the bag by a holder of the
// key: verify.sh and Verify say the same of each.
func TestTimeStampsAreVerified(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	whole := r.build(t)
	sh := script(t, whole)
	authority, other := newTSA(t, "3650"), newTSA(t, "1")
	stamp := func(t *testing.T, dir string, by tsaDir, of string) {
		by.stamp(t, filepath.Join(dir, filepath.FromSlash(of)), filepath.Join(dir, "attest/tagmanifest-sha256.txt.tsr"))
		write(t, dir, "attest/tsa-ca.pem", read(t, string(by), "ca.pem"))
	}
	for _, tc := range []struct {
		name string
		do   func(t *testing.T, dir string)
		root tsaDir // from outside
		code int
		say  string
		fine bool // to Verify
	}{
		{"stamped", func(t *testing.T, d string) { stamp(t, d, authority, "tagmanifest-sha256.txt") }, "", 0, "PASS  7 time stamp attest/tagmanifest-sha256.txt.tsr: ", true},
		{"root from outside", func(t *testing.T, d string) { stamp(t, d, authority, "tagmanifest-sha256.txt") }, authority, 0, "PASS  7 time stamp", true},
		{"another root from outside", func(t *testing.T, d string) { stamp(t, d, authority, "tagmanifest-sha256.txt") }, other, 1, "FAIL  7 time stamp", false},
		{"stamp of another file", func(t *testing.T, d string) { stamp(t, d, authority, "bag-info.txt") }, "", 1, "FAIL  7 time stamp", false},
		{"another authority's root inside", func(t *testing.T, d string) {
			stamp(t, d, authority, "tagmanifest-sha256.txt")
			write(t, d, "attest/tsa-ca.pem", read(t, string(other), "ca.pem"))
		}, "", 1, "FAIL  7 time stamp", false},
		{"garbage", func(t *testing.T, d string) {
			stamp(t, d, authority, "tagmanifest-sha256.txt")
			write(t, d, "attest/tagmanifest-sha256.txt.tsr", "x")
		}, "", 1, "FAIL  7 time stamp", false},
		{"no root", func(t *testing.T, d string) {
			stamp(t, d, authority, "tagmanifest-sha256.txt")
			remove(t, d, "attest/tsa-ca.pem")
		}, "", 2, "no TSA root", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := clone(t, whole)
			tc.do(t, dir)
			sealBeside(t, dir, r.keyFile)
			args, opts := []string{sh}, bundle.Options{}
			if tc.root != "" {
				args = append(args, "--tsa-ca", filepath.Join(string(tc.root), "ca.pem"))
				opts.TSARoots = []byte(read(t, string(tc.root), "ca.pem"))
			}
			out, code := run(t, "/", "", "sh", append(args, dir)...)
			if code != tc.code || !strings.Contains(out, tc.say) {
				t.Errorf("exit %d, want %d and %q\n%s", code, tc.code, tc.say, out)
			}
			report, err := bundle.Verify(t.Context(), dir, opts)
			if (err == nil) != tc.fine || tc.fine && (len(report.Stamps) != 1 || report.Stamps[0].Demo || report.TSACompared != (tc.root != "")) {
				t.Errorf("Verify: %v %+v", err, report.Stamps)
			}
		})
	}
}

// Two authorities stamp at the export, and one does not answer: the bundle says
// so. The embedded authority is labelled as proving nothing.
func TestExportIsTimeStamped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, second, silent := startTSA(t, demotsa.Config{}), startTSA(t, demotsa.Config{}), startTSA(t, demotsa.Config{Silent: func() bool { return true }})
	r.in.Authorities = []tsa.Authority{first.Authority("first"), silent.Authority("silent"), second.Authority("second")}
	result, err := bundle.Build(t.Context(), t.TempDir(), r.in)
	must(t, err)
	if len(result.Stamps) != 2 || len(result.Unstamped) != 1 || !result.Stamps[0].Demo || result.Stamps[1].File != "attest/tagmanifest-sha256.txt.2.tsr" {
		t.Fatalf("result %+v", result)
	}
	note := read(t, result.Dir, "attest/NOTE.txt")
	for _, want := range []string{"by first (attest/tagmanifest-sha256.txt.tsr)", "by second", "No time stamp: asking silent", "proves nothing about time"} {
		if !strings.Contains(note, want) {
			t.Errorf("the note does not say %q:\n%s", want, note)
		}
	}
	report, err := bundle.Verify(t.Context(), result.Dir, bundle.Options{})
	if err != nil || len(report.Stamps) != 2 || !report.Stamps[0].Demo || report.TSACompared {
		t.Errorf("Verify: %v %+v", err, report)
	}
	out, code := run(t, result.Dir, "", "sh", "verify.sh")
	if code != 0 || strings.Count(out, "PASS  7 time stamp") != 2 || !strings.Contains(out, "demo TSA and proves nothing about time") {
		t.Errorf("verify.sh: exit %d\n%s", code, out)
	}
	if only := first.Queries(); len(only) != 1 || strings.Contains(string(only[0]), "CASE") {
		t.Error("more than a digest left the machine")
	}
	// A stamp that was made, taken away: the manifest beside the bag misses it.
	gone := clone(t, result.Dir)
	remove(t, gone, "attest/tagmanifest-sha256.txt.2.tsr")
	if _, err := bundle.Verify(t.Context(), gone, bundle.Options{}); !errors.Is(err, bundle.ErrBroken) {
		t.Errorf("a stamp taken away: %v", err)
	}
	if out, code := run(t, "/", "", "sh", filepath.Join(result.Dir, "verify.sh"), gone); code != 1 {
		t.Errorf("a stamp taken away: exit %d\n%s", code, out)
	}
	// Another bundle's stamp over this bundle.
	r.in.Seq = 4
	other, err := bundle.Build(t.Context(), t.TempDir(), r.in)
	must(t, err)
	swapped := clone(t, result.Dir)
	write(t, swapped, result.Stamps[0].File, read(t, other.Dir, result.Stamps[0].File))
	sealBeside(t, swapped, r.keyFile)
	if _, err := bundle.Verify(t.Context(), swapped, bundle.Options{}); !errors.Is(err, bundle.ErrBroken) {
		t.Errorf("another bundle's stamp: %v", err)
	}
}

func startTSA(t *testing.T, c demotsa.Config) *demotsa.Server {
	t.Helper()
	s, err := demotsa.Start(t.Context(), c)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// A certificate that has expired since: plain verification fails, and that as
// of the stamp's own time passes. One that had expired when it stamped fails.
func TestExpiredAuthorities(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := r.build(t)
	sh := script(t, dir)
	authority := newTSA(t, "1")
	authority.stamp(t, filepath.Join(dir, "tagmanifest-sha256.txt"), filepath.Join(dir, "attest/tagmanifest-sha256.txt.tsr"))
	write(t, dir, "attest/tsa-ca.pem", read(t, string(authority), "ca.pem"))
	sealBeside(t, dir, r.keyFile)
	openssl, err := exec.LookPath("openssl")
	must(t, err)
	bin := t.TempDir()
	// This openssl refuses the plain check; the real one refuses any time but that of its one-day certificate.
	must(t, os.WriteFile(filepath.Join(bin, "openssl"), []byte("#!/bin/sh\ncase \"$*\" in *-attime*|*-reply*) exec "+openssl+" \"$@\";; esac\nexit 1\n"), 0o700))
	out, code := run(t, "/", "", "sh", "-c", `PATH=$1:$PATH; export PATH; exec sh "$2" "$3"`, "sh", bin, sh, dir)
	if code != 0 || !strings.Contains(out, "expired since; valid at that time") {
		t.Errorf("exit %d\n%s", code, out)
	}
	expiredStamp(t, dir)
	sealBeside(t, dir, r.keyFile)
	if out, code := run(t, "/", "", "sh", sh, dir); code != 1 || !strings.Contains(out, "FAIL  7 time stamp") {
		t.Errorf("a certificate that had expired when it stamped: exit %d\n%s", code, out)
	}
	if _, err := bundle.Verify(t.Context(), dir, bundle.Options{}); !errors.Is(err, bundle.ErrBroken) {
		t.Errorf("a certificate that had expired when it stamped: %v", err)
	}
}

// expiredStamp puts a stamp over the tag manifest that an authority made after
// its certificate's last day.
func expiredStamp(t *testing.T, dir string) {
	t.Helper()
	now := time.Now()
	s := startTSA(t, demotsa.Config{NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(-24 * time.Hour)})
	digest := sha256.Sum256([]byte(read(t, dir, "tagmanifest-sha256.txt")))
	query, err := (&timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: digest[:], Certificates: true}).Marshal()
	must(t, err)
	a := s.Authority("expired")
	answer, err := http.Post(a.URL, "application/timestamp-query", bytes.NewReader(query)) //nolint:noctx // loopback
	must(t, err)
	body, err := io.ReadAll(answer.Body)
	must(t, errors.Join(err, answer.Body.Close()))
	write(t, dir, "attest/tagmanifest-sha256.txt.tsr", string(body))
	write(t, dir, "attest/tsa-ca.pem", string(a.Roots))
}

// tsaDir is the folder of a time stamp authority.
type tsaDir string

func newTSA(t *testing.T, days string) tsaDir {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "tsa.cnf", `[req]
distinguished_name = dn
x509_extensions = tsa
prompt = no
[dn]
CN = Test TSA, proves nothing
[tsa]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[tsa_config]
serial = serial
signer_cert = ca.pem
signer_key = key.pem
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
ess_cert_id_alg = sha256
`)
	write(t, dir, "serial", "01\n")
	openssl(t, dir, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "ca.pem", "-days", days, "-config", "tsa.cnf")
	return tsaDir(dir)
}

func (d tsaDir) stamp(t *testing.T, file, to string) {
	t.Helper()
	query := filepath.Join(t.TempDir(), "q.tsq")
	openssl(t, string(d), "ts", "-query", "-data", file, "-sha256", "-cert", "-out", query)
	openssl(t, string(d), "ts", "-reply", "-config", "tsa.cnf", "-section", "tsa_config", "-queryfile", query, "-out", to)
	must(t, os.Chmod(to, 0o600))
}

func openssl(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, code := run(t, dir, "", "openssl", args...); code != 0 {
		t.Fatalf("openssl %s: %s", strings.Join(args, " "), out)
	}
}
