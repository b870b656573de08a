package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A Checkpoint is the state of a custody log that its key signed.
type Checkpoint struct {
	Origin string // names the log: the name of its key
	Size   int64  // lines
	Root   tlog.Hash
}

// Text is the checkpoint's body as C2SP's tlog-checkpoint has it: what is signed.
func (c Checkpoint) Text() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + c.Root.String() + "\n"
}

// A LogKey signs checkpoints of one custody log: Ed25519, in the form of signed
// notes (C2SP signed-note).
type LogKey struct {
	signer note.Signer
	secret string // "PRIVATE+KEY+…"
	public string // "name+hash+key"
}

// NewLogKey makes the key of a log of this domain's. A random part names the
// log, since a domain may have several.
func NewLogKey(domain string) (LogKey, error) {
	if strings.ContainsFunc(domain, func(r rune) bool { return unicode.IsSpace(r) || r == '+' }) || domain == "" {
		return LogKey{}, errors.New("the organisation's domain is not one such as example.org: it names the custody log")
	}
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never returns an error
	secret, _, err := note.GenerateKey(rand.Reader, domain+"/custody/"+hex.EncodeToString(random))
	if err != nil {
		return LogKey{}, fmt.Errorf("making the key of the custody log: %w", err)
	}
	return ParseLogKey(secret)
}

var errLogKey = errors.New("not a custody log's key: one line that starts with PRIVATE+KEY+")

// ParseLogKey reads a key from its file.
func ParseLogKey(s string) (LogKey, error) {
	secret := strings.TrimSpace(s)
	signer, err := note.NewSigner(secret)
	if err != nil {
		return LogKey{}, errLogKey // the library's error may quote the key
	}
	encoded := strings.SplitN(secret, "+", 5)[4] // base64, which may hold more of them
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return LogKey{}, errLogKey
	}
	key, ok := ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return LogKey{}, errLogKey
	}
	public, err := note.NewEd25519VerifierKey(signer.Name(), key)
	if err != nil {
		return LogKey{}, errLogKey
	}
	return LogKey{signer, secret, public}, nil
}

// Encode returns the key for its file of mode 0600.
func (k LogKey) Encode() string { return k.secret }

// Public returns the public half, "name+hash+key": what others check with.
func (k LogKey) Public() string { return k.public }

// Format keeps the key out of logs.
func (k LogKey) Format(w fmt.State, _ rune) { fmt.Fprint(w, "[custody key]") }

// Sign returns the signed checkpoint of a tree. The same tree gives the same bytes.
func (k LogKey) Sign(size int64, root tlog.Hash) ([]byte, error) {
	if k.signer == nil {
		return nil, errors.New("signing a checkpoint needs a key")
	}
	signed, err := note.Sign(&note.Note{Text: Checkpoint{k.signer.Name(), size, root}.Text()}, k.signer)
	if err != nil {
		return nil, fmt.Errorf("signing the checkpoint: %w", err)
	}
	return signed, nil
}

// ErrCheckpoint says that a checkpoint is not one that the log's key signed.
var ErrCheckpoint = errors.New("not a checkpoint signed by the custody log's key")

// OpenCheckpoint checks a signed checkpoint with the log's public key.
func OpenCheckpoint(signed []byte, public string) (Checkpoint, error) {
	v, err := note.NewVerifier(public)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: the public key is not one such as NAME+HASH+KEY", ErrCheckpoint)
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil || bytes.Count(signed, []byte("\n")) != 5 { // three lines, an empty one, one signature
		return Checkpoint{}, ErrCheckpoint
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != v.Name() {
		return Checkpoint{}, ErrCheckpoint
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return Checkpoint{}, ErrCheckpoint
	}
	root, err := tlog.ParseHash(lines[2])
	c := Checkpoint{lines[0], size, root}
	if err != nil || c.Text() != n.Text {
		return Checkpoint{}, ErrCheckpoint
	}
	return c, nil
}
