package evidence

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
)

// MinRecipients is how many keys must be able to open sealed evidence, so that
// one lost key loses nothing.
const MinRecipients = 2

// ErrTooFewRecipients says that sealing was refused.
var ErrTooFewRecipients = fmt.Errorf("sealing needs %d recipients or more", MinRecipients)

// A Sealer encrypts to public keys whose identities are elsewhere.
type Sealer struct{ recipients []age.Recipient }

// NewSealer takes age public keys ("age1…"), two or more, no two the same.
func NewSealer(publicKeys []string) (*Sealer, error) {
	s := &Sealer{}
	seen := map[string]bool{}
	for _, key := range publicKeys {
		key = strings.TrimSpace(key)
		r, err := parseRecipient(key)
		if err != nil {
			return nil, fmt.Errorf("recipient %q is not an age X25519 public key: it is the line 'age1…' that 'age-keygen' prints", Caption(key, 24))
		}
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("recipient %q: %w", Caption(key, 24), err)
		}
		id := string(r.public[:])
		if seen[id] {
			continue
		}
		seen[id] = true
		s.recipients = append(s.recipients, r)
	}
	if len(s.recipients) < MinRecipients {
		return nil, ErrTooFewRecipients
	}
	return s, nil
}

// Types lists the recipients' types as published in a bundle, no names.
func (s *Sealer) Types() string {
	return strings.TrimSuffix(strings.Repeat("X25519,", len(s.recipients)), ",")
}

// A SealedFile is a container encrypted to the recipients.
type SealedFile struct {
	Data       []byte // age file
	SHA256     string // of Data, hex
	Commitment string // SHA-256 of the container, hex: hidden by the nonce inside
}

// Seal packs files into a tar with a random nonce and their digests, and
// encrypts it, all in memory. The nonce hides the content from anyone who would
// guess it from the published commitment.
func (s *Sealer) Seal(files []Raw, at time.Time) (SealedFile, error) {
	for i, f := range files {
		if !fileName(f.Name) || slices.ContainsFunc(files[:i], func(other Raw) bool { return other.Name == f.Name }) {
			return SealedFile{}, fmt.Errorf("sealing: file %d has a name that a container cannot hold", i+1)
		}
	}
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce) // never returns an error
	all := append([]Raw{{Name: nonceName, Data: nonce}}, files...)
	all = append(all, Raw{Name: sumsName, Data: sums(all)})

	size := 1 << 10 // the tar's end
	for _, f := range all {
		size += len(f.Data) + 1<<10
	}
	plain := bytes.NewBuffer(make([]byte, 0, size))
	t := tar.NewWriter(plain)
	for _, f := range all {
		h := &tar.Header{Name: f.Name, Mode: 0o600, Size: int64(len(f.Data)), ModTime: at.UTC().Truncate(time.Second), Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return SealedFile{}, fmt.Errorf("packing %s: %w", f.Name, err)
		}
		if _, err := t.Write(f.Data); err != nil {
			return SealedFile{}, fmt.Errorf("packing %s: %w", f.Name, err)
		}
	}
	if err := t.Close(); err != nil {
		return SealedFile{}, fmt.Errorf("packing: %w", err)
	}
	sealed := bytes.NewBuffer(make([]byte, 0, plain.Len()+1<<10)) // with age's header
	w, err := age.Encrypt(sealed, s.recipients...)
	if err != nil {
		return SealedFile{}, fmt.Errorf("sealing: %w", err)
	}
	if _, err := w.Write(plain.Bytes()); err != nil {
		return SealedFile{}, fmt.Errorf("sealing: %w", err)
	}
	if err := w.Close(); err != nil {
		return SealedFile{}, fmt.Errorf("sealing: %w", err)
	}
	return SealedFile{Data: sealed.Bytes(), SHA256: Digest(sealed.Bytes()), Commitment: Digest(plain.Bytes())}, nil
}
