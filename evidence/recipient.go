package evidence

import (
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"
)

// A recipient wraps a file's key as age's own X25519 recipient does (C2SP age,
// "The X25519 recipient type"): a fresh ephemeral key for every file and
// recipient. It calls crypto/ecdh once where the library goes through
// golang.org/x/crypto/curve25519, which multiplies four times to get the two
// results: sealing is the greater part of recording evidence.
type recipient struct{ public *ecdh.PublicKey }

// parseRecipient takes what age takes ("age1…"), and no key of low order.
func parseRecipient(key string) (recipient, error) {
	r, err := age.ParseX25519Recipient(key)
	if err != nil {
		return recipient{}, err
	}
	// age has checked form and checksum; of Bech32 the base-32 digits are left,
	// between the last 1 and the six of the checksum.
	text := strings.ToLower(r.String())
	digits := text[strings.LastIndexByte(text, '1')+1 : len(text)-6]
	point, err := base32.NewEncoding("qpzry9x8gf2tvdw0s3jn54khce6mua7l").WithPadding(base32.NoPadding).DecodeString(digits)
	if err != nil {
		return recipient{}, err
	}
	public, err := ecdh.X25519().NewPublicKey(point)
	if err != nil {
		return recipient{}, err
	}
	if _, err := (recipient{public}).Wrap(make([]byte, 16)); err != nil {
		return recipient{}, err
	}
	return recipient{public}, nil
}

// Wrap implements age.Recipient.
func (r recipient) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	ephemeral, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	shared, err := ephemeral.ECDH(r.public)
	if err != nil {
		return nil, fmt.Errorf("wrapping the file's key: %w", err)
	}
	share := ephemeral.PublicKey().Bytes()
	key, err := hkdf.Key(sha256.New, shared, slices.Concat(share, r.public.Bytes()), "age-encryption.org/v1/X25519", chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		return nil, err
	}
	// The key wraps this one file's: a nonce of zeros is the format's.
	body := aead.Seal(nil, make([]byte, chacha20poly1305.NonceSize), fileKey, nil)
	return []*age.Stanza{{Type: "X25519", Args: []string{base64.RawStdEncoding.EncodeToString(share)}, Body: body}}, nil
}
