package evidence

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"math/big"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
)

// agree holds the tables to crypto/ecdh, for a secret and the public key of an
// identity, each 32 bytes of any value.
func agree(t *testing.T, secret, identity []byte) {
	t.Helper()
	mine, err := ecdh.X25519().NewPrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ecdh.X25519().NewPrivateKey(identity)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := mine.ECDH(theirs.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRecipient(theirs.PublicKey().Bytes())
	if err != nil {
		t.Fatalf("the public key of %x is refused: %v", identity, err)
	}
	if got := x25519(r.table, secret); !bytes.Equal(got, shared) {
		t.Errorf("%x and %x agree on %x, not %x", secret, identity, got, shared)
	}
	if got := x25519(curve.ED25519_BASEPOINT_TABLE, secret); !bytes.Equal(got, mine.PublicKey().Bytes()) {
		t.Errorf("the public key of %x is %x, not %x", secret, got, mine.PublicKey().Bytes())
	}
}

// order is that of the base point: 2^252 + 27742317777372353535851937790883648493.
func order() *big.Int {
	n, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
	return n.Add(n, new(big.Int).Lsh(big.NewInt(1), 252))
}

// edges are secrets at the ends of what clamping leaves, around multiples of the
// order, and with all digits at the bounds of their signs.
func edges() [][]byte {
	var all [][]byte
	for _, b := range []byte{0x00, 0x07, 0x08, 0x77, 0x78, 0x7f, 0x80, 0x87, 0x88, 0xf7, 0xf8, 0xff} {
		all = append(all, bytes.Repeat([]byte{b}, 32))
	}
	for i := range int64(9) {
		for d := int64(-8); d <= 8; d += 8 {
			n := new(big.Int).Mul(order(), big.NewInt(i))
			if n.Add(n, big.NewInt(d)); n.Sign() >= 0 {
				secret := n.FillBytes(make([]byte, 32))
				slices.Reverse(secret)
				all = append(all, secret)
			}
		}
	}
	return all
}

func FuzzAgreement(f *testing.F) {
	for i, secret := range edges() {
		f.Add(secret, edges()[len(edges())-1-i])
	}
	f.Fuzz(func(t *testing.T, secret, identity []byte) {
		if len(secret) == 32 && len(identity) == 32 {
			agree(t, secret, identity)
		}
	})
}

func TestAgreement(t *testing.T) {
	for _, secret := range edges() {
		for _, identity := range edges() {
			agree(t, secret, identity)
		}
	}
	for range 500 {
		var keys [64]byte
		_, _ = rand.Read(keys[:])
		agree(t, keys[:32], keys[32:])
	}
}

// TestNobodysKeys: keys that no identity has are refused.
func TestNobodysKeys(t *testing.T) {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	n := func(i int64) *big.Int { return big.NewInt(i) }
	above := func(i int64) *big.Int { return new(big.Int).Add(p, n(i)) }
	eighth, _ := new(big.Int).SetString("325606250916557431795983626356110631294008115727848805560023387167927233504", 10)
	for name, c := range map[string]struct {
		u    *big.Int
		take bool
	}{
		"the base point":                        {n(9), true},
		"the base point, not reduced":           {above(9), false},
		"the base point and one of order two":   {new(big.Int).ModInverse(n(9), p), false},
		"of order two":                          {n(0), false},
		"of order four":                         {n(1), false},
		"of order eight":                        {eighth, false},
		"on the twist":                          {n(2), false},
		"without a place on the other curve":    {above(-1), false},
		"the prime":                             {above(0), false},
		"the base point with a bit beyond them": {new(big.Int).Add(n(9), new(big.Int).Lsh(n(1), 255)), false},
	} {
		public := c.u.FillBytes(make([]byte, 32))
		slices.Reverse(public)
		if _, err := newRecipient(public); (err == nil) != c.take {
			t.Errorf("%s: taken is %v: %v", name, err == nil, err)
		}
	}
	if _, err := newRecipient(make([]byte, 31)); err == nil {
		t.Error("31 bytes are taken")
	}
}
