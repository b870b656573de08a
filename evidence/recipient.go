package evidence

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"golang.org/x/crypto/chacha20poly1305"
)

// A recipient wraps a file's key as age's own X25519 recipient does (C2SP age,
// "The X25519 recipient type"): a fresh ephemeral key for every file and
// recipient. Both of its multiplications are of points that stay the same, the
// base point and the recipient's, so they go by tables of the points' multiples,
// in constant time: a quarter of what they take in crypto/ecdh, which knows no
// tables (decision 28).
type recipient struct {
	public curve.MontgomeryPoint
	table  *curve.EdwardsBasepointTable // of public
}

var errNobodys = errors.New("no identity has this public key")

// parseRecipient takes what age takes ("age1…"), but no key that no identity
// has: what is sealed to one is lost.
func parseRecipient(key string) (recipient, error) {
	parsed, err := age.ParseX25519Recipient(key)
	if err != nil {
		return recipient{}, err
	}
	// age has checked form and checksum; of Bech32 the base-32 digits are left,
	// between the last 1 and the six of the checksum.
	text := strings.ToLower(parsed.String())
	digits := text[strings.LastIndexByte(text, '1')+1 : len(text)-6]
	public, err := base32.NewEncoding("qpzry9x8gf2tvdw0s3jn54khce6mua7l").WithPadding(base32.NoPadding).DecodeString(digits)
	if err != nil {
		return recipient{}, err
	}
	return newRecipient(public)
}

func newRecipient(public []byte) (recipient, error) {
	var r recipient
	if _, err := r.public.SetBytes(public); err != nil {
		return recipient{}, err
	}
	// Public keys are multiples of the base point: on the curve and not on its
	// twist, in the group of prime order, and below the field's prime.
	var point curve.EdwardsPoint
	if _, err := point.SetMontgomery(&r.public, 0); err != nil || !point.IsTorsionFree() {
		return recipient{}, errNobodys
	}
	if again := curve.NewMontgomeryPoint().SetEdwards(&point); *again != r.public {
		return recipient{}, errNobodys
	}
	r.table = curve.NewEdwardsBasepointTable(&point)
	return r, nil
}

// check compares one agreement with crypto/ecdh's, so that nothing is sealed to
// nobody where tables are wrong.
func (r recipient) check() error {
	secret, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	public, err := ecdh.X25519().NewPublicKey(r.public[:])
	if err != nil {
		return err
	}
	shared, err := secret.ECDH(public)
	if err != nil {
		return err
	}
	if !bytes.Equal(x25519(curve.ED25519_BASEPOINT_TABLE, secret.Bytes()), secret.PublicKey().Bytes()) || !bytes.Equal(x25519(r.table, secret.Bytes()), shared) {
		return errors.New("two ways of agreeing on a key disagree: the program or this machine is faulty, nothing was sealed")
	}
	return nil
}

// x25519 multiplies the point of a table as RFC 7748, section 5, does. The 32
// bytes of the secret are an integer that is not reduced.
func x25519(table *curve.EdwardsBasepointTable, secret []byte) []byte {
	clamped := slices.Clone(secret)
	clamped[0] &= 248
	clamped[31] = clamped[31]&127 | 64
	k, err := scalar.NewFromBits(clamped)
	if err != nil {
		panic(err) // not 32 bytes
	}
	product := new(curve.EdwardsPoint).MulBasepoint(table, k)
	return curve.NewMontgomeryPoint().SetEdwards(product)[:]
}

// Wrap implements age.Recipient.
func (r recipient) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	ephemeral := make([]byte, 32)
	_, _ = rand.Read(ephemeral) // never returns an error
	share, shared := x25519(curve.ED25519_BASEPOINT_TABLE, ephemeral), x25519(r.table, ephemeral)
	key, err := hkdf.Key(sha256.New, shared, slices.Concat(share, r.public[:]), "age-encryption.org/v1/X25519", chacha20poly1305.KeySize)
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
