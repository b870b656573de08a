package bundle

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

const maxTagManifest = 64 << 10 // bytes; it lists eight files

// Signed returns the SHA-256 of each file in data/sealed/, by path, as the bundle
// has it that was verified. Verify reads a folder by its path, and what lies there
// may be another thing by the next read: hold what is read later to these digests.
// They come from a manifest whose digest the tag manifest has, and that is checked
// as it lies in memory: its digest is the report's, its signature by the report's
// key.
func Signed(root *os.Root, verified Report) (map[string]string, error) {
	swapped := func(name string) error {
		return fmt.Errorf("%w: %s is not what was verified a moment ago", ErrBroken, name)
	}
	small := func(name string) ([]byte, error) {
		f, err := root.Open(name)
		if err != nil {
			return nil, fmt.Errorf("reading the bundle again: %w", err)
		}
		defer func() { _ = f.Close() }()
		data, err := io.ReadAll(io.LimitReader(f, maxTagManifest+1))
		if err != nil || len(data) > maxTagManifest {
			return nil, swapped(name)
		}
		return data, nil
	}
	tags, err := small(tagManifest)
	if err != nil {
		return nil, err
	}
	armoured, err := small(signaturePath)
	if err != nil {
		return nil, err
	}
	sig, err := unarmor(armoured)
	if err != nil || ssh.FingerprintSHA256(sig.PublicKey) != verified.SignerFingerprint || !strings.HasPrefix(sig.Namespace, Namespace("")) ||
		sshsig.Verify(bytes.NewReader(tags), sig, sig.PublicKey, sig.HashAlgorithm, sig.Namespace) != nil {
		return nil, swapped(signaturePath)
	}
	if sum := sha256.Sum256(tags); hex.EncodeToString(sum[:]) != verified.TagManifestSHA256 {
		return nil, swapped(tagManifest)
	}
	want := ""
	for line := range strings.Lines(string(tags)) {
		if sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  "); name == payloadManifest {
			want = sum
		}
	}
	f, err := root.Open(payloadManifest)
	if err != nil {
		return nil, fmt.Errorf("reading the bundle again: %w", err)
	}
	defer func() { _ = f.Close() }()
	hash, sealed := sha256.New(), map[string]string{}
	lines := bufio.NewScanner(io.TeeReader(f, hash))
	for lines.Scan() {
		if sum, name, _ := strings.Cut(lines.Text(), "  "); strings.HasPrefix(name, "data/sealed/") {
			sealed[name] = sum
		}
	}
	if lines.Err() != nil || hex.EncodeToString(hash.Sum(nil)) != want {
		return nil, swapped(payloadManifest)
	}
	return sealed, nil
}
