package tsa_test

import (
	"context"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"prahari/fixtures/demotsa"
	"prahari/tsa"
)

const data = "example.org/custody/test\n7\nroot\n"

func start(t *testing.T, c demotsa.Config) *demotsa.Server {
	t.Helper()
	s, err := demotsa.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStampIsOneThatOpenSSLVerifies(t *testing.T) {
	t.Parallel()
	s := start(t, demotsa.Config{})
	a := s.Authority("demo")
	stamp, err := (&tsa.Client{}).Stamp(t.Context(), a, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	if !stamp.Demo || !strings.Contains(stamp.Signer, tsa.DemoSubject) || time.Since(stamp.Time) > time.Minute || stamp.Policy != "2.999.1" {
		t.Errorf("%+v", stamp.Facts)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{"data": []byte(data), "other": []byte(data + "x"), "s.tsr": stamp.Response, "s.tsq": stamp.Query, "ca.pem": a.Roots} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"ts", "-verify", "-data", "data", "-in", "s.tsr", "-CAfile", "ca.pem"},
		{"ts", "-verify", "-queryfile", "s.tsq", "-in", "s.tsr", "-CAfile", "ca.pem"},
	} {
		if out, err := openssl(t, dir, args...); err != nil || !strings.Contains(out, "Verification: OK") {
			t.Errorf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	if out, err := openssl(t, dir, "ts", "-verify", "-data", "other", "-in", "s.tsr", "-CAfile", "ca.pem"); err == nil {
		t.Errorf("a stamp of another file verifies:\n%s", out)
	}
	if out, err := openssl(t, dir, "ts", "-reply", "-in", "s.tsr", "-text"); err != nil || !strings.Contains(out, "Status: Granted") {
		t.Errorf("%v\n%s", err, out)
	}
}

func openssl(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("this test needs openssl: install it")
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Only a digest, a random number and the protocol's constants leave the machine.
func TestOnlyADigestLeaves(t *testing.T) {
	t.Parallel()
	s := start(t, demotsa.Config{})
	stamp, err := (&tsa.Client{}).Stamp(t.Context(), s.Authority("demo"), []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	sent := s.Queries()
	if len(sent) != 1 || string(sent[0]) != string(stamp.Query) {
		t.Fatalf("%d questions were sent", len(sent))
	}
	q, err := timestamp.ParseRequest(sent[0])
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(data))
	plain, err := (&timestamp.Request{HashAlgorithm: q.HashAlgorithm, HashedMessage: sum[:], Certificates: true, Nonce: q.Nonce}).Marshal()
	if err != nil || string(plain) != string(sent[0]) {
		t.Errorf("the question holds more than digest and nonce: %s (%v)", hex.EncodeToString(sent[0]), err)
	}
}

func TestALyingAuthorityIsNotBelieved(t *testing.T) {
	t.Parallel()
	timeStamping, codeSigning := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 3}
	for name, tc := range map[string]struct {
		config demotsa.Config
		say    string
	}{
		"wrong imprint":               {demotsa.Config{Change: func(s *timestamp.Timestamp) { s.HashedMessage[0] ^= 1 }}, "another digest"},
		"wrong nonce":                 {demotsa.Config{Change: func(s *timestamp.Timestamp) { s.Nonce = new(big.Int).Add(s.Nonce, big.NewInt(1)) }}, "nonce"},
		"no nonce":                    {demotsa.Config{Change: func(s *timestamp.Timestamp) { s.Nonce = nil }}, "nonce"},
		"expired certificate":         {demotsa.Config{NotAfter: time.Now().Add(-time.Hour), NotBefore: time.Now().AddDate(0, -1, 0)}, "outside of certificate validity"},
		"certificate not valid yet":   {demotsa.Config{NotBefore: time.Now().Add(time.Hour)}, "outside of certificate validity"},
		"certificate for code":        {demotsa.Config{KeyUsages: []asn1.ObjectIdentifier{codeSigning}}, "not for time stamps alone"},
		"certificate for code too":    {demotsa.Config{KeyUsages: []asn1.ObjectIdentifier{timeStamping, codeSigning}}, "not for time stamps alone"},
		"usage not critical":          {demotsa.Config{Uncritical: true}, "not for time stamps alone"},
		"an hour ahead":               {demotsa.Config{Now: func() time.Time { return time.Now().Add(time.Hour) }}, "clocks is wrong"},
		"an hour behind":              {demotsa.Config{Now: func() time.Time { return time.Now().Add(-time.Hour) }}, "clocks is wrong"},
		"time before the certificate": {demotsa.Config{NotBefore: time.Now().Add(-time.Minute), Now: func() time.Time { return time.Now().Add(-2 * time.Minute) }}, "not yet valid"},
		"no certificate":              {demotsa.Config{Change: func(s *timestamp.Timestamp) { s.AddTSACertificate = false }}, "one signer"},
		"rejection": {demotsa.Config{Answer: func(w http.ResponseWriter, _ *http.Request) {
			answer, _ := timestamp.CreateErrorResponse(timestamp.Rejection, timestamp.BadRequest)
			_, _ = w.Write(answer)
		}}, "reject"},
		"garbage": {demotsa.Config{Answer: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "\x1b[31mno\x30\x80") }}, "does not verify"},
		"empty":   {demotsa.Config{Answer: func(http.ResponseWriter, *http.Request) {}}, "does not verify"},
		"oversized": {demotsa.Config{Answer: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, 1<<20))
		}}, "longer than 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, tc.config)
			got, err := (&tsa.Client{}).Stamp(t.Context(), s.Authority("demo"), []byte(data))
			if !errors.Is(err, tsa.ErrUntrusted) || !strings.Contains(strings.ToLower(err.Error()), tc.say) || got.Response != nil {
				t.Errorf("got %v, want one that says %q", err, tc.say)
			}
			if strings.ContainsRune(err.Error(), '\x1b') {
				t.Errorf("the error acts on a terminal: %q", err)
			}
		})
	}
	t.Run("another root", func(t *testing.T) {
		t.Parallel()
		a := start(t, demotsa.Config{}).Authority("demo")
		a.Roots = start(t, demotsa.Config{}).Authority("other").Roots
		if _, err := (&tsa.Client{}).Stamp(t.Context(), a, []byte(data)); !errors.Is(err, tsa.ErrUntrusted) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAnAuthorityThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	s := start(t, demotsa.Config{Answer: func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-over:
		}
	}})
	defer close(over)
	_, err := (&tsa.Client{Timeout: 50 * time.Millisecond}).Stamp(t.Context(), s.Authority("demo"), []byte(data))
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, tsa.ErrUntrusted) {
		t.Errorf("hanging: %v", err)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "busy", http.StatusServiceUnavailable) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
	} {
		s := start(t, demotsa.Config{Answer: answer})
		if _, err := (&tsa.Client{}).Stamp(t.Context(), s.Authority("demo"), []byte(data)); err == nil || !strings.Contains(err.Error(), "HTTP status") {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone := start(t, demotsa.Config{}).Authority("demo")
	gone.URL = "http://127.0.0.1:1/tsr"
	if _, err := (&tsa.Client{}).Stamp(t.Context(), gone, []byte(data)); err == nil || errors.Is(err, tsa.ErrUntrusted) {
		t.Errorf("nobody there: %v", err)
	}
}

func TestAuthorityCheck(t *testing.T) {
	t.Parallel()
	whole := start(t, demotsa.Config{}).Authority("demo")
	for name, change := range map[string]func(*tsa.Authority){
		"plain http": func(a *tsa.Authority) { a.URL = "http://tsa.example.org/" },
		"password":   func(a *tsa.Authority) { a.URL = "https://u:p@tsa.example.org/" },
		"no host":    func(a *tsa.Authority) { a.URL = "https:///tsr" },
		"a file":     func(a *tsa.Authority) { a.URL = "file:///etc/passwd" },
		"name":       func(a *tsa.Authority) { a.Name = "../x" },
		"no roots":   func(a *tsa.Authority) { a.Roots = nil },
		"key as roots": func(a *tsa.Authority) {
			a.Roots = []byte("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n")
		},
		"bad chain": func(a *tsa.Authority) { a.Chain = []byte("x") },
	} {
		a := whole
		change(&a)
		if a.Check() == nil {
			t.Errorf("%s: passes", name)
		}
	}
	if err := whole.Check(); err != nil {
		t.Error(err)
	}
}

// A stamp is checked as of its own time: it outlives its certificate. The one in
// testdata expired within two seconds of the stamp.
func TestAStampOutlivesItsCertificate(t *testing.T) {
	t.Parallel()
	response, err := os.ReadFile("testdata/expired.tsr")
	if err != nil {
		t.Fatal(err)
	}
	roots, err := os.ReadFile("testdata/expired-root.pem")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(data))
	if f, err := tsa.Verify(response, sum[:], roots, nil); err != nil || !f.Until.Before(time.Now()) || f.Time.After(f.Until) {
		t.Errorf("%+v, %v", f, err)
	}
}

func FuzzVerifyTakesAnything(f *testing.F) {
	s, err := demotsa.Start(f.Context(), demotsa.Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	a := s.Authority("demo")
	stamp, err := (&tsa.Client{}).Stamp(f.Context(), a, []byte(data))
	if err != nil {
		f.Fatal(err)
	}
	sum := sha256.Sum256([]byte(data))
	f.Add(stamp.Response)
	f.Add(stamp.Response[:200])
	f.Add([]byte{0x30, 0x80, 0, 0})
	f.Fuzz(func(t *testing.T, response []byte) {
		if len(response) > 64<<10 {
			return
		}
		facts, err := tsa.Verify(response, sum[:], a.Roots, nil)
		if err == nil && !facts.Time.Equal(stamp.Time) {
			t.Errorf("a stamp with another time verifies: %+v", facts)
		}
		if err != nil && facts != (tsa.Facts{}) {
			t.Errorf("an error comes with facts: %+v", facts)
		}
	})
}
