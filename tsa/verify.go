package tsa

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"
)

// DemoSubject stands in the certificates of the embedded authority. What it
// stamps proves no time, and is labelled so wherever it is shown.
const DemoSubject = "self-operated - not a trusted time source"

// parsing is held while answers are read: the library counts in a variable of
// its package.
var parsing sync.Mutex //nolint:gochecknoglobals // guards a global of another package

// Facts are what a verified time stamp says.
type Facts struct {
	Time   time.Time // when, by the authority's clock
	Serial string    // of the stamp
	Policy string    // object identifier of the authority's policy
	Signer string    // subject of its certificate
	Until  time.Time // the certificate's last moment: after it, verifiers need -attime
	Demo   bool      // of the embedded authority: proves no time

	nonce *big.Int
}

// Verify checks a whole TimeStampResp over a SHA-256: granted, of this digest,
// signed by a certificate for time stamps and nothing else, whose chain ended in
// one of the roots at the time that it states.
func Verify(response, digest, roots, chain []byte) (f Facts, err error) {
	parsing.Lock()
	defer parsing.Unlock()
	// The ASN.1 and CMS below are foreign code on foreign bytes.
	defer func() {
		if recover() != nil {
			f, err = Facts{}, fmt.Errorf("%w: it cannot be read", ErrUntrusted)
		}
	}()
	t, err := timestamp.ParseResponse(response) // status, and the signature over the content
	if err != nil {
		return Facts{}, fmt.Errorf("%w: %.200s", ErrUntrusted, oneLine(err))
	}
	if t.HashAlgorithm != crypto.SHA256 || !bytes.Equal(t.HashedMessage, digest) {
		return Facts{}, fmt.Errorf("%w: it stamps another digest than ours", ErrUntrusted)
	}
	p7, err := pkcs7.Parse(t.RawToken)
	if err != nil {
		return Facts{}, fmt.Errorf("%w: its token cannot be read", ErrUntrusted)
	}
	signer := p7.GetOnlySigner()
	if signer == nil {
		return Facts{}, fmt.Errorf("%w: it does not hold the certificate of one signer", ErrUntrusted)
	}
	if err := stampsOnly(signer); err != nil {
		return Facts{}, fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	trusted, err := pool(roots)
	if err != nil {
		return Facts{}, fmt.Errorf("the authority's roots: %w", err)
	}
	between := x509.NewCertPool()
	if len(chain) > 0 {
		if between, err = pool(chain); err != nil {
			return Facts{}, fmt.Errorf("the authority's chain: %w", err)
		}
	}
	for _, c := range p7.Certificates {
		between.AddCert(c)
	}
	_, err = signer.Verify(x509.VerifyOptions{
		Roots: trusted, Intermediates: between, CurrentTime: t.Time, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	})
	if err != nil {
		return Facts{}, fmt.Errorf("%w: its certificate's chain at %s: %.200s", ErrUntrusted, t.Time.UTC().Format(time.RFC3339), oneLine(err))
	}
	return Facts{
		Time: t.Time.UTC(), Serial: t.SerialNumber.Text(16), Policy: t.Policy.String(), Signer: signer.Subject.String(), Until: signer.NotAfter.UTC(),
		Demo: strings.Contains(signer.Subject.String()+signer.Issuer.String(), DemoSubject), nonce: t.Nonce,
	}, nil
}

// stampsOnly holds a certificate to RFC 3161, 2.3: its extended key usage is
// time stamping, alone and critical; and it may sign.
func stampsOnly(c *x509.Certificate) error {
	alone := len(c.ExtKeyUsage) == 1 && c.ExtKeyUsage[0] == x509.ExtKeyUsageTimeStamping && len(c.UnknownExtKeyUsage) == 0
	oid := asn1.ObjectIdentifier{2, 5, 29, 37}
	for _, e := range c.Extensions {
		if e.Id.Equal(oid) && !e.Critical {
			alone = false
		}
	}
	if !alone {
		return fmt.Errorf("the certificate of %.100s is not for time stamps alone", oneLine(c.Subject))
	}
	signs := x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	if c.KeyUsage != 0 && c.KeyUsage&signs == 0 {
		return fmt.Errorf("the certificate of %.100s may not sign", oneLine(c.Subject))
	}
	return nil
}

// oneLine makes foreign text harmless for a terminal and a log.
func oneLine(v any) string {
	text := []rune(strings.ToValidUTF8(fmt.Sprint(v), "?"))
	return string(slices.DeleteFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x200e && r <= 0x202e }))
}

// Answers reports whether a response is to this question: of the same digest,
// with the same random number. It does not verify the response.
func Answers(query, response []byte) (ok bool) {
	parsing.Lock()
	defer parsing.Unlock()
	defer func() {
		if recover() != nil { // foreign code on foreign bytes, as in Verify
			ok = false
		}
	}()
	q, err := timestamp.ParseRequest(query)
	if err != nil {
		return false
	}
	t, err := timestamp.ParseResponse(response)
	return err == nil && bytes.Equal(q.HashedMessage, t.HashedMessage) && q.Nonce != nil && t.Nonce != nil && q.Nonce.Cmp(t.Nonce) == 0
}
