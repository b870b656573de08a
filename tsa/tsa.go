// Package tsa has digests time-stamped by authorities (RFC 3161) and believes
// nothing of an answer that it has not verified. Only a digest and a random
// number leave the machine.
package tsa

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/digitorus/timestamp"
)

// An Authority is a time-stamp authority as the workspace trusts it.
type Authority struct {
	Name  string // of its files: lower-case letters, digits and hyphens
	URL   string // https; http on loopback only
	Roots []byte // PEM: the certificates that its chain must end in
	Chain []byte // PEM: certificates in between, where answers leave them out
}

var plainName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// Check finds what Stamp cannot work with.
func (a Authority) Check() error {
	if !plainName.MatchString(a.Name) {
		return fmt.Errorf("the authority's name %.40q is not one to forty lower-case letters, digits and hyphens", a.Name)
	}
	u, err := url.Parse(a.URL)
	if err != nil || u.Host == "" || u.User != nil {
		return fmt.Errorf("authority %s: its url is not one such as https://tsa.example.org/tsr", a.Name)
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme != "https" && (u.Scheme != "http" || ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("authority %s: its url is not https", a.Name)
	}
	if _, err := pool(a.Roots); err != nil {
		return fmt.Errorf("authority %s: roots: %w", a.Name, err)
	}
	if len(a.Chain) > 0 {
		if _, err := pool(a.Chain); err != nil {
			return fmt.Errorf("authority %s: chain: %w", a.Name, err)
		}
	}
	return nil
}

// pool reads PEM certificates.
func pool(text []byte) (*x509.CertPool, error) {
	p := x509.NewCertPool()
	n := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("a %s where a certificate belongs", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be read: %w", n+1, err)
		}
		p.AddCert(c)
		n++
	}
	if n == 0 {
		return nil, errors.New("there is no PEM certificate")
	}
	return p, nil
}

const (
	maxAnswer      = 64 << 10 // bytes; answers with a whole chain have about 6 KiB
	defaultTimeout = 30 * time.Second
	defaultMaxSkew = 5 * time.Minute
)

// A Client asks authorities. The zero Client works.
type Client struct {
	HTTP    *http.Client     // nil: one that follows no redirect
	Timeout time.Duration    // of one answer; 0: 30 s
	MaxSkew time.Duration    // between the authority's clock and ours; 0: 5 min
	Now     func() time.Time // nil: time.Now
}

// A Stamp is a verified answer, with the question that it answers.
type Stamp struct {
	Query    []byte // TimeStampReq, DER: a .tsq
	Response []byte // the whole TimeStampResp, DER: a .tsr
	Facts
}

// ErrUntrusted says that an authority's answer does not verify.
var ErrUntrusted = errors.New("the time stamp does not verify")

// Stamp has the SHA-256 of data stamped. What it returns is verified: status,
// imprint, nonce, chain, key usage, and a time near our own.
func (c *Client) Stamp(ctx context.Context, a Authority, data []byte) (Stamp, error) {
	if err := a.Check(); err != nil {
		return Stamp{}, err
	}
	digest := sha256.Sum256(data)
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return Stamp{}, fmt.Errorf("time stamp of %s: %w", a.Name, err)
	}
	query, err := (&timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: digest[:], Certificates: true, Nonce: nonce}).Marshal()
	if err != nil {
		return Stamp{}, fmt.Errorf("time stamp of %s: %w", a.Name, err)
	}
	now := c.Now
	if now == nil {
		now = time.Now
	}
	asked := now()
	response, err := c.post(ctx, a, query)
	if err != nil {
		return Stamp{}, fmt.Errorf("asking %s for a time stamp: %w", a.Name, err)
	}
	facts, err := Verify(response, digest[:], a.Roots, a.Chain)
	if err != nil {
		return Stamp{}, fmt.Errorf("%s: %w", a.Name, err)
	}
	if facts.nonce == nil || facts.nonce.Cmp(nonce) != 0 {
		return Stamp{}, fmt.Errorf("%s: %w: it answers another question than ours (nonce)", a.Name, ErrUntrusted)
	}
	skew := c.MaxSkew
	if skew <= 0 {
		skew = defaultMaxSkew
	}
	if facts.Time.Before(asked.Add(-skew)) || facts.Time.After(now().Add(skew)) {
		return Stamp{}, fmt.Errorf("%s: %w: its time is %s and this machine's %s; one of the two clocks is wrong", a.Name, ErrUntrusted,
			facts.Time.UTC().Format(time.RFC3339), asked.UTC().Format(time.RFC3339))
	}
	return Stamp{query, response, facts}, nil
}

// post sends the question and reads a bounded answer.
func (c *Client) post(ctx context.Context, a Authority, query []byte) (_ []byte, err error) {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	ctx, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL, bytes.NewReader(query))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/timestamp-query")
	r.Header.Set("Accept", "application/timestamp-reply")
	r.Header.Set("User-Agent", "prahari") // and no more of us than that
	h := c.HTTP
	if h == nil {
		h = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	answer, err := h.Do(r)
	if err != nil {
		var whole *url.Error // repeats the URL, which may hold an access key
		if errors.As(err, &whole) {
			err = whole.Err
		}
		return nil, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers with HTTP status %d", answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("%w: its answer is longer than %d bytes", ErrUntrusted, maxAnswer)
	}
	return body, nil
}
