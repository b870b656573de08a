package bundle

import (
	"bytes"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"prahari/evidence"
	"prahari/tsa"
)

const maxAttest = 64 << 10 // bytes of a file in attest/

var signerName = regexp.MustCompile(`^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+$`)

// signature holds the signed bag to its key: allowed_signers names the key and
// nothing else, and the signature verifies in the namespace of bundles.
func (v *verifier) signature() error {
	identity, namespace := v.info["Evidence-Signer"], v.info["Evidence-Signature-Namespace"]
	domain, ok := strings.CutPrefix(namespace, Namespace(""))
	if !signerName.MatchString(identity) || !signerName.MatchString(namespace) || !ok {
		v.problem(bagInfo, 0, "names no signer and namespace of evidence bundles")
	}
	v.domain = domain
	v.key = v.signedBy(tagManifest, signaturePath, namespace)
	if v.key == nil {
		return v.ctx.Err()
	}
	v.report.SignerFingerprint = ssh.FingerprintSHA256(v.key)
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(v.key)))
	if allowed, ok := v.small(signersPath, maxAttest); ok &&
		string(allowed) != identity+` namespaces="`+namespace+","+AttestNamespace(domain)+`" `+line+"\n" {
		v.problem(signersPath, 0, "does not name the key %s of the signature, signer %s and its namespaces, and nothing else", v.report.SignerFingerprint, identity)
	}
	if v.info["Evidence-Signer-Fingerprint"] != v.report.SignerFingerprint {
		v.problem(signaturePath, 0, "is by the key %s, and %s names another", v.report.SignerFingerprint, bagInfo)
	}
	v.detail("by %s, key %s", identity, v.report.SignerFingerprint)
	return nil
}

// signedBy verifies a signature over a file and returns the key that made it,
// nil where there is none.
func (v *verifier) signedBy(name, signature, namespace string) ssh.PublicKey {
	file, ok := v.small(signature, maxAttest)
	if !ok {
		return nil
	}
	sig, err := unarmor(file)
	if err != nil {
		v.problem(signature, 0, "%v", err)
		return nil
	}
	if sig.PublicKey.Type() != ssh.KeyAlgoED25519 {
		v.problem(signature, 0, "is by a %s key, not ed25519", sig.PublicKey.Type())
		return nil
	}
	f, ok := v.open(name)
	if !ok {
		return sig.PublicKey
	}
	err = sshsig.Verify(contextReader{v.ctx, f}, sig, sig.PublicKey, sig.HashAlgorithm, namespace)
	closing := f.Close()
	switch {
	case v.ctx.Err() != nil:
		return nil
	case errors.Is(err, sshsig.ErrNamespaceMismatch):
		v.problem(signature, 0, "was made for another purpose than %s", namespace)
	case err != nil:
		v.problem(signature, 0, "does not verify over %s", name)
	case closing != nil:
		v.problem(name, 0, "cannot be read")
	}
	return sig.PublicKey
}

// attested holds what stands beside the bag to its own manifest and signature,
// which is by the same key.
func (v *verifier) attested() error {
	if err := v.compare(attestManifest, v.beside); err != nil {
		return err
	}
	for _, name := range []string{signaturePath, signersPath, notePath} {
		if _, ok := v.beside[name]; !ok {
			v.problem(attestManifest, 0, "does not list %s", name)
		}
	}
	key := v.signedBy(attestManifest, attestSignature, AttestNamespace(v.domain))
	if key != nil && v.key != nil && !bytes.Equal(key.Marshal(), v.key.Marshal()) {
		v.problem(attestSignature, 0, "is by another key than the bag's signature")
	}
	return v.ctx.Err()
}

// signer compares the key with what is known from outside the bundle.
func (v *verifier) signer() error {
	want := v.opts.SignerFingerprint
	if want == "" {
		v.check.Status = Skip
		v.detail("not compared: a key inside the bundle proves nothing unless its fingerprint is known from outside")
		return nil
	}
	v.report.SignerCompared = true
	if got := v.report.SignerFingerprint; got != want {
		v.problem(signaturePath, 0, "is not by the key %s that was asked for", want)
	}
	return nil
}

// timeStamp verifies every time stamp over the tag manifest, as of the stamp's
// own time: certificates expire, stamps stay.
func (v *verifier) timeStamp() error {
	var said []string
	for _, name := range sortedKeys(v.files) {
		number, isStamp := strings.CutPrefix(name, attestDir+stampedFile)
		number, isStamp2 := strings.CutSuffix(number, ".tsr")
		if !isStamp || !isStamp2 {
			continue
		}
		response, ok := v.small(name, maxAttest)
		roots, chain, ok2 := v.authority(number)
		digest, err := hex.DecodeString(v.report.TagManifestSHA256)
		if !ok || !ok2 || err != nil {
			continue
		}
		facts, err := tsa.Verify(response, digest, roots, chain)
		if err != nil {
			v.problem(name, 0, "is no time stamp of %s by an authority that was named: %s", tagManifest, evidence.OneLine(err.Error(), 200))
			continue
		}
		s := Stamped{Authority: line(facts.Signer), At: utc(facts.Time), Demo: facts.Demo, File: name}
		v.report.Stamps = append(v.report.Stamps, s)
		what := s.At + " by " + caption(facts.Signer)
		if s.Demo {
			what += ", the embedded demo authority, which proves no time"
		}
		said = append(said, what)
	}
	switch {
	case len(said) == 0 && len(v.check.Problems) == 0:
		v.check.Status = Skip
		v.detail("not time-stamped: nothing in the bundle proves when it was made")
	case v.opts.TSARoots == nil:
		v.detail("%s; the authority's root was not compared with one from outside the bundle", strings.Join(said, "; "))
	default:
		v.report.TSACompared = true
		v.detail("%s", strings.Join(said, "; "))
	}
	return nil
}

// authority returns the certificates that a time stamp is held to.
func (v *verifier) authority(number string) (roots, chain []byte, ok bool) {
	roots, ok = v.opts.TSARoots, true
	if roots == nil {
		if roots, ok = v.small(attestDir+rootsFile+number+".pem", maxCertificates); !ok {
			return nil, nil, false
		}
	}
	if name := attestDir + chainFile + number + ".pem"; v.files[name] > 0 {
		chain, ok = v.small(name, maxCertificates)
	}
	return roots, chain, ok
}

const maxCertificates = 1 << 20 // bytes of PEM
