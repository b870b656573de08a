package evidence

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"
)

// A TokenKey makes tokens: keyed digests that tell whether two findings name
// the same identifier, and nothing else. A digest without a key would be undone
// by trying all twelve-digit numbers.
type TokenKey [32]byte

// NewTokenKey returns a random key.
func NewTokenKey() TokenKey {
	var k TokenKey
	_, _ = rand.Read(k[:]) // crypto/rand.Read never returns an error
	return k
}

// ParseTokenKey reads a key from 64 hex digits.
func ParseTokenKey(s string) (TokenKey, error) {
	var k TokenKey
	raw, err := hex.DecodeString(strings.TrimSpace(s))
	if err != nil || len(raw) != len(k) {
		return k, fmt.Errorf("a token key is 64 hex digits")
	}
	copy(k[:], raw)
	return k, nil
}

// Encode returns the key as hex, for its file of mode 0600.
func (k TokenKey) Encode() string { return hex.EncodeToString(k[:]) }

// Format keeps the key out of logs.
func (k TokenKey) Format(w fmt.State, _ rune) { fmt.Fprint(w, "[token key]") }

// Token returns the token of an identifier: HMAC-SHA256 over kind and canonical
// value, 128 bits kept, as hex.
func (k TokenKey) Token(kind Kind, canonical Text) string {
	return hex.EncodeToString(k.sum("token", string(kind), canonical.Reveal())[:16])
}

// Version names a version of a message by its edit time and a keyed fingerprint
// of what it says, so that a push and a poll of the same version meet in one
// row and two edits within a second stay two.
func (k TokenKey) Version(m Message) string {
	edited := int64(0)
	if !m.EditedAt.IsZero() {
		edited = m.EditedAt.Unix()
	}
	parts := []string{m.Text.Reveal()}
	for _, medium := range m.Media {
		parts = append(parts, medium.ID)
	}
	return fmt.Sprintf("%d-%s", edited, hex.EncodeToString(k.sum("version", parts...)[:8]))
}

// ID returns a short id that is always the same for the same parts.
func (k TokenKey) ID(prefix string, parts ...string) string {
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(k.sum("id "+prefix, parts...)[:10])
	return prefix + "-" + strings.ToLower(text)
}

func (k TokenKey) sum(use string, parts ...string) []byte {
	mac := hmac.New(sha256.New, k[:])
	fmt.Fprintf(mac, "%s|%d", use, len(parts))
	for _, p := range parts {
		fmt.Fprintf(mac, "|%d|%s", len(p), p)
	}
	return mac.Sum(nil)
}
