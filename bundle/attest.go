package bundle

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"prahari/tsa"
)

// Names of what stands beside the bag: made after its tag manifest, so in none
// of its manifests, and bound by a manifest and a signature of its own.
const (
	attestDir       = "attest/"
	signaturePath   = "attest/tagmanifest-sha256.txt.sig"
	signersPath     = "attest/allowed_signers"
	notePath        = "attest/NOTE.txt"
	attestManifest  = "attest/manifest-sha256.txt"
	attestSignature = "attest/manifest-sha256.txt.sig"
)

// stampPath names a file of the nth authority that answered, from 1: its
// response, its question, the certificates that it is held to.
func stampPath(n int, of, ending string) string {
	if n == 1 {
		return attestDir + of + "." + ending
	}
	return fmt.Sprintf("%s%s.%d.%s", attestDir, of, n, ending)
}

const (
	stampedFile = "tagmanifest-sha256.txt"
	rootsFile   = "tsa-ca"
	chainFile   = "tsa-chain"
)

// A Stamped says what one authority said of when the bundle was made.
type Stamped struct {
	Authority string `json:"authority"`
	At        string `json:"at"`
	Demo      bool   `json:"demo"` // the embedded authority, which proves no time
	File      string `json:"file"`
}

// attest signs the tag manifest, has it time-stamped, says in a note how that
// went, and signs all this in turn.
func (b *builder) attest() error {
	data, err := os.ReadFile(b.tree.path(tagManifest))
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	domain := b.in.Organisation.Domain
	sig, err := b.in.Signer.sign(bytes.NewReader(data), Namespace(domain))
	if err != nil {
		return err
	}
	if err := b.tree.write(signaturePath, sig); err != nil {
		return err
	}
	if err := b.tree.write(signersPath, b.in.Signer.allowedSigners(Identity(domain), Namespace(domain)+","+AttestNamespace(domain))); err != nil {
		return err
	}
	if err := b.stamp(data); err != nil {
		return err
	}
	facts := b.tagFacts()
	facts["Stamps"], facts["Failed"] = b.stamps, b.unstamped
	facts["Demo"] = slices.ContainsFunc(b.stamps, func(s Stamped) bool { return s.Demo })
	note, err := render("NOTE.txt", facts)
	if err != nil {
		return err
	}
	if err := b.tree.write(notePath, []byte(note)); err != nil {
		return err
	}
	under := func(name string) bool { return strings.HasPrefix(name, attestDir) }
	if err := b.tree.manifest(attestManifest, under); err != nil {
		return err
	}
	f, err := os.Open(b.tree.path(attestManifest))
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	sig, err = b.in.Signer.sign(f, AttestNamespace(domain))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return b.tree.write(attestSignature, sig)
}

// stamp asks every authority for a time stamp of the tag manifest. One that does
// not answer is named in the note, and holds nothing up.
func (b *builder) stamp(data []byte) error {
	for _, a := range b.in.Authorities {
		s, err := b.in.TSA.Stamp(b.ctx, a, data)
		if ctx := b.ctx.Err(); ctx != nil {
			return ctx
		}
		if err != nil {
			b.unstamped = append(b.unstamped, caption(err.Error()))
			continue
		}
		n := len(b.stamps) + 1
		for _, f := range []struct {
			name string
			data []byte
		}{
			{stampPath(n, stampedFile, "tsr"), s.Response}, {stampPath(n, stampedFile, "tsq"), s.Query},
			{stampPath(n, rootsFile, "pem"), certificates(a.Roots)}, {stampPath(n, chainFile, "pem"), certificates(a.Chain)},
		} {
			if len(f.data) == 0 {
				continue
			}
			if err := b.tree.write(f.name, f.data); err != nil {
				return err
			}
		}
		b.stamps = append(b.stamps, Stamped{Authority: a.Name, At: utc(s.Time), Demo: s.Demo, File: stampPath(n, stampedFile, "tsr")})
	}
	return nil
}

// certificates returns a PEM file's certificates, and nothing else that may
// stand in it.
func certificates(text []byte) []byte {
	var out []byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
	}
	return out
}

// checkAuthorities finds what stamp cannot work with.
func checkAuthorities(all []tsa.Authority) error {
	for _, a := range all {
		if err := a.Check(); err != nil {
			return err
		}
	}
	return nil
}
