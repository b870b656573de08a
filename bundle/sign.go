package bundle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// A Signer signs bundles with an ed25519 key. It prints as its fingerprint.
type Signer struct{ key ssh.Signer }

// GenerateSigner makes a key and writes it to path in OpenSSH's format, mode
// 0600, and its public half to path.pub. A key that is there already is loaded,
// never replaced.
func GenerateSigner(path string) (*Signer, error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return LoadSigner(path)
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "prahari bundle signing")
	if err != nil {
		return nil, fmt.Errorf("encoding the signing key: %w", err)
	}
	sshPublic, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("encoding the signing key: %w", err)
	}
	// The public half first: a private key in place means that all is done.
	if err := renameio.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(sshPublic), 0o644); err != nil {
		return nil, fmt.Errorf("writing the public key: %w", err)
	}
	if err := renameio.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, fmt.Errorf("writing the signing key: %w", err)
	}
	return NewSigner(pem.EncodeToMemory(block))
}

// LoadSigner reads the key at path. It refuses one that others can read.
func LoadSigner(path string) (*Signer, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no signing key: %w; restore it from your backup, or make one with 'ssh-keygen -t ed25519 -N \"\" -f %s'", err, path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w; check who owns the file", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("the signing key %s is not a file: restore it from your backup", path)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the signing key %s is open to others (mode %04o): run 'chmod 600 %s'", path, info.Mode().Perm(), path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w; check who owns the file", err)
	}
	s, err := NewSigner(data)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", path, err)
	}
	return s, nil
}

// NewSigner reads an ed25519 private key in OpenSSH's PEM format.
func NewSigner(pemBytes []byte) (*Signer, error) {
	key, err := ssh.ParsePrivateKey(pemBytes)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, errors.New("it is protected by a passphrase, which prahari does not ask for: remove it with 'ssh-keygen -p', or keep it on an encrypted disk")
	case err != nil:
		// The library's error may quote the file: leave it out.
		return nil, errors.New("it is not a private key in OpenSSH's format: restore it from your backup, or make one with 'ssh-keygen -t ed25519'")
	case key.PublicKey().Type() != ssh.KeyAlgoED25519:
		return nil, fmt.Errorf("it is a %s key, and bundles are signed with ed25519: make one with 'ssh-keygen -t ed25519'", key.PublicKey().Type())
	}
	return &Signer{key}, nil
}

// Fingerprint returns the key's fingerprint as ssh-keygen -l prints it,
// "SHA256:…". Recipients get it by another way than the bundle.
func (s *Signer) Fingerprint() string { return ssh.FingerprintSHA256(s.key.PublicKey()) }

// Format keeps the key out of logs.
func (s *Signer) Format(w fmt.State, _ rune) { fmt.Fprint(w, s.Fingerprint()) }

// allowedSigners returns the one line that lets the key sign in namespace.
func (s *Signer) allowedSigners(identity, namespace string) []byte {
	key := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.key.PublicKey())))
	return fmt.Appendf(nil, "%s namespaces=%q %s\n", identity, namespace, key)
}

// sign returns the armoured SSHSIG of what m yields, the same bytes that
// ssh-keygen -Y sign writes.
func (s *Signer) sign(m io.Reader, namespace string) ([]byte, error) {
	sig, err := sshsig.Sign(m, s.key, sshsig.HashSHA512, namespace)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return armor(sig.Marshal()), nil
}

const (
	armorHead  = "-----BEGIN SSH SIGNATURE-----"
	armorFoot  = "-----END SSH SIGNATURE-----"
	armorWidth = 70 // as ssh-keygen wraps; encoding/pem wraps at 64
)

func armor(blob []byte) []byte {
	var out bytes.Buffer
	out.WriteString(armorHead + "\n")
	for text := base64.StdEncoding.EncodeToString(blob); text != ""; {
		n := min(armorWidth, len(text))
		out.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	out.WriteString(armorFoot + "\n")
	return out.Bytes()
}

// unarmor reads a signature in exactly the form that ssh-keygen writes, so that
// no byte of the file can change unnoticed.
func unarmor(file []byte) (*sshsig.Signature, error) {
	block, _ := pem.Decode(file)
	if block == nil || block.Type != sshsig.PEMType {
		return nil, errors.New("it is not an armoured SSH signature")
	}
	if !bytes.Equal(armor(block.Bytes), file) {
		return nil, errors.New("it is not in the form that ssh-keygen writes")
	}
	sig, err := sshsig.ParseSignature(block.Bytes)
	if err != nil {
		return nil, errors.New("it is not an SSH signature")
	}
	if !bytes.Equal(sig.Marshal(), block.Bytes) {
		return nil, errors.New("it carries more than a signature")
	}
	return sig, nil
}
