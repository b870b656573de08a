package bundle_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"prahari/bundle"
)

// What Signed gives is what was verified: the digests of the sealed originals as
// they were, or an error where anything that leads to them was put there since.
func TestSignedIsWhatWasVerified(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	good := r.build(t)
	report, err := bundle.Verify(t.Context(), good, bundle.Options{SignerFingerprint: r.in.Signer.Fingerprint()})
	must(t, err)
	signed := func(dir string) (map[string]string, error) {
		root, err := os.OpenRoot(dir)
		must(t, err)
		defer func() { must(t, root.Close()) }()
		return bundle.Signed(root, report)
	}
	got, err := signed(good)
	must(t, err)
	files, err := filepath.Glob(filepath.Join(good, "data", "sealed", "*"))
	must(t, err)
	if len(files) != len(r.items)+1 || len(got) != len(files) {
		t.Fatalf("%d digests of %d files", len(got), len(files))
	}
	for _, path := range files {
		sum := sha256.Sum256([]byte(read(t, filepath.Dir(path), filepath.Base(path))))
		if name := "data/sealed/" + filepath.Base(path); got[name] != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: got %s", name, got[name])
		}
	}
	another := newRig(t)
	another.in.Case.Title = "Another case of the same signer"
	stranger := newRig(t)
	stranger.in.Signer, _ = signerFrom(t, 9)
	const tags, payload, signature = "tagmanifest-sha256.txt", "manifest-sha256.txt", "attest/tagmanifest-sha256.txt.sig"
	for name, swap := range map[string]struct {
		from  string
		files []string
	}{
		"another bundle of the same signer": {another.build(t), []string{tags, payload, signature}},
		"one of another signer":             {stranger.build(t), []string{tags, payload, signature}},
		"the list of files":                 {another.build(t), []string{payload}},
		"the tag manifest":                  {another.build(t), []string{tags, payload}},
		"the signature":                     {stranger.build(t), []string{signature}},
	} {
		dir := filepath.Join(t.TempDir(), "bundle")
		must(t, os.CopyFS(dir, os.DirFS(good)))
		for _, file := range swap.files {
			must(t, os.WriteFile(filepath.Join(dir, file), []byte(read(t, swap.from, file)), 0o600))
		}
		if got, err := signed(dir); !errors.Is(err, bundle.ErrBroken) || got != nil || !strings.Contains(err.Error(), "a moment ago") {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
