package bundle_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// This version makes no time stamps, but verify.sh travels with bundles and
// checks those that a later version makes. Here a bundle says that it is
// stamped, is signed anew, and stamped by a TSA of openssl.
func TestVerifyScriptChecksTimeStamps(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stamped := r.build(t)
	sh := script(t, stamped)
	replace(t, stamped, "bag-info.txt", "Evidence-Time-Stamp: none", "Evidence-Time-Stamp: rfc3161")
	reseal(t, stamped, r.keyFile, "")
	tsa := newTSA(t, "3650")
	other := newTSA(t, "1")
	stamp := func(t *testing.T, dir string, by tsaDir, of string) {
		by.stamp(t, filepath.Join(dir, filepath.FromSlash(of)), filepath.Join(dir, "attest/tagmanifest-sha256.txt.tsr"))
		write(t, dir, "attest/tsa-ca.pem", read(t, string(by), "ca.pem"))
	}
	for _, tc := range []struct {
		name string
		do   func(t *testing.T, dir string) []string
		code int
		say  string
	}{
		{"stamped", func(t *testing.T, d string) []string { stamp(t, d, tsa, "tagmanifest-sha256.txt"); return nil }, 0, "PASS  7 time stamp attest/tagmanifest-sha256.txt.tsr: "},
		{"root from outside", func(t *testing.T, d string) []string {
			stamp(t, d, tsa, "tagmanifest-sha256.txt")
			return []string{"--tsa-ca", filepath.Join(string(tsa), "ca.pem")}
		}, 0, "PASS  7 time stamp"},
		{"another root from outside", func(t *testing.T, d string) []string {
			stamp(t, d, tsa, "tagmanifest-sha256.txt")
			return []string{"--tsa-ca", filepath.Join(string(other), "ca.pem")}
		}, 1, "FAIL  7 time stamp"},
		{"stamp of another file", func(t *testing.T, d string) []string { stamp(t, d, tsa, "bag-info.txt"); return nil }, 1, "FAIL  7 time stamp"},
		{"garbage", func(t *testing.T, d string) []string {
			stamp(t, d, tsa, "tagmanifest-sha256.txt")
			write(t, d, "attest/tagmanifest-sha256.txt.tsr", "x")
			return nil
		}, 1, "FAIL  7 time stamp"},
		{"promised and not there", func(*testing.T, string) []string { return nil }, 1, "FAIL  7 time stamp"},
		{"no root", func(t *testing.T, d string) []string {
			stamp(t, d, tsa, "tagmanifest-sha256.txt")
			remove(t, d, "attest/tsa-ca.pem")
			return nil
		}, 2, "no TSA root"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := clone(t, stamped)
			args := append([]string{sh}, tc.do(t, dir)...)
			out, code := run(t, "/", "", "sh", append(args, dir)...)
			if code != tc.code || !strings.Contains(out, tc.say) {
				t.Errorf("exit %d, want %d and %q\n%s", code, tc.code, tc.say, out)
			}
		})
	}
}

// A certificate that has expired since: plain verification fails, and that as
// of the stamp's own time passes. The openssl of this test refuses the plain
// one; the real one refuses any time but that of its one-day certificate.
func TestVerifyScriptChecksAnOldStampAsOfItsTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := r.build(t)
	sh := script(t, dir)
	replace(t, dir, "bag-info.txt", "Evidence-Time-Stamp: none", "Evidence-Time-Stamp: rfc3161")
	reseal(t, dir, r.keyFile, "")
	tsa := newTSA(t, "1")
	tsa.stamp(t, filepath.Join(dir, "tagmanifest-sha256.txt"), filepath.Join(dir, "attest/tagmanifest-sha256.txt.tsr"))
	write(t, dir, "attest/tsa-ca.pem", read(t, string(tsa), "ca.pem"))
	openssl, err := exec.LookPath("openssl")
	must(t, err)
	bin := t.TempDir()
	must(t, os.WriteFile(filepath.Join(bin, "openssl"), []byte("#!/bin/sh\ncase \"$*\" in *-attime*|*-reply*) exec "+openssl+" \"$@\";; esac\nexit 1\n"), 0o700))
	out, code := run(t, "/", "", "sh", "-c", `PATH=$1:$PATH; export PATH; exec sh "$2" "$3"`, "sh", bin, sh, dir)
	if code != 0 || !strings.Contains(out, "expired since; valid at that time") {
		t.Errorf("exit %d\n%s", code, out)
	}
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
