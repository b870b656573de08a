package bundle

import (
	"errors"
	"regexp"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"prahari/evidence"
)

const maxAttest = 64 << 10 // bytes of a file in attest/

var signerName = regexp.MustCompile(`^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+$`)

// signature holds attest/ to the signed bag: the signature verifies over the tag
// manifest in the namespace of bundles, allowed_signers names its key and
// nothing else, and the note is the one that was signed for.
func (v *verifier) signature() error {
	identity, namespace := v.info["Evidence-Signer"], v.info["Evidence-Signature-Namespace"]
	if !signerName.MatchString(identity) || !signerName.MatchString(namespace) || !strings.HasPrefix(namespace, Namespace("")) {
		v.problem(bagInfo, 0, "names no signer and namespace of evidence bundles")
	}
	if note, ok := v.small(notePath, maxAttest); ok && evidence.Digest(note) != v.info["Evidence-Note-SHA256"] {
		v.problem(notePath, 0, "is not the note that %s names", bagInfo)
	}
	allowed, haveAllowed := v.small(signersPath, maxAttest)
	file, ok := v.small(signaturePath, maxAttest)
	if !ok {
		return nil
	}
	sig, err := unarmor(file)
	if err != nil {
		v.problem(signaturePath, 0, "%v", err)
		return nil
	}
	if sig.PublicKey.Type() != ssh.KeyAlgoED25519 {
		v.problem(signaturePath, 0, "is by a %s key, not ed25519", sig.PublicKey.Type())
		return nil
	}
	v.report.SignerFingerprint = ssh.FingerprintSHA256(sig.PublicKey)
	key := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(sig.PublicKey)))
	if haveAllowed && string(allowed) != identity+` namespaces="`+namespace+`" `+key+"\n" {
		v.problem(signersPath, 0, "does not name the key %s of the signature, signer %s and its namespace, and nothing else", v.report.SignerFingerprint, identity)
	}
	if v.info["Evidence-Signer-Fingerprint"] != v.report.SignerFingerprint {
		v.problem(signaturePath, 0, "is by the key %s, and %s names another", v.report.SignerFingerprint, bagInfo)
	}
	v.detail("by %s, key %s", identity, v.report.SignerFingerprint)
	f, ok := v.open(tagManifest)
	if !ok {
		return nil
	}
	err = sshsig.Verify(contextReader{v.ctx, f}, sig, sig.PublicKey, sig.HashAlgorithm, namespace)
	closing := f.Close()
	switch {
	case v.ctx.Err() != nil:
		return v.ctx.Err()
	case errors.Is(err, sshsig.ErrNamespaceMismatch):
		v.problem(signaturePath, 0, "was made for another purpose than %s", namespace)
	case err != nil:
		v.problem(signaturePath, 0, "does not verify over %s", tagManifest)
	case closing != nil:
		v.problem(tagManifest, 0, "cannot be read")
	}
	return nil
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

// timeStamp says that there is none. This version makes none, and a stamp that
// was added is an extra file.
func (v *verifier) timeStamp() error {
	v.check.Status = Skip
	v.detail("not time-stamped: nothing in the bundle proves when it was made")
	return nil
}
