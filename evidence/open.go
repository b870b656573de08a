package evidence

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// Files that every container holds beside what was sealed.
const (
	nonceName = "NONCE"
	sumsName  = "SHA256SUMS"
	nonceSize = 32
)

// What a container may hold at most. A sealed file comes from others' hands too.
const (
	maxContainer      = 256 << 20
	maxContainerFiles = 1000
)

// ErrContainer says that what a sealed file holds is not what prahari seals.
var ErrContainer = errors.New("the sealed container is damaged or forged")

// fileName reports whether a container may hold a file of this name: no path but
// the folder media, no dot first, nothing that a shell or a terminal would act on.
func fileName(name string) bool {
	if name == nonceName || name == sumsName {
		return false
	}
	name = strings.TrimPrefix(name, "media/")
	for i := range len(name) {
		switch c := name[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == '-'):
		default:
			return false
		}
	}
	return name != "" && len(name) <= 90
}

// Opened is what a sealed file held.
type Opened struct {
	Files      []Raw  // as listed in SHA256SUMS, which is one of them, and checked against it
	Commitment string // SHA-256 of the container, hex: compare it with the published one
}

// Open decrypts a sealed file with identities ("AGE-SECRET-KEY-1…", one a line),
// checks what is inside against its own list of digests, and returns it. It
// belongs on legal's machine. ErrContainer where it is not what Seal makes.
func Open(sealed io.Reader, identities io.Reader) (Opened, error) {
	ids, err := age.ParseIdentities(identities)
	if err != nil { // the library's error may quote the secret
		return Opened{}, errors.New("reading the identity: it is no age identity; each line is AGE-SECRET-KEY-1… or a # comment")
	}
	plain, err := age.Decrypt(sealed, ids...)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return Opened{}, errors.New("it was not sealed to this identity: take that of another recipient")
	case err != nil:
		return Opened{}, fmt.Errorf("%w: %w", ErrContainer, err)
	}
	sum := sha256.New()
	limited := &io.LimitedReader{R: plain, N: maxContainer + 1}
	all := io.TeeReader(limited, sum)
	files, err := unpack(all)
	if err == nil {
		_, err = io.Copy(io.Discard, all) // the commitment is of every byte
	}
	if limited.N <= 0 {
		return Opened{}, fmt.Errorf("%w: it holds more than %d MiB", ErrContainer, maxContainer>>20)
	}
	if err != nil {
		return Opened{}, fmt.Errorf("%w: %w", ErrContainer, err)
	}
	if err := checkSums(files); err != nil {
		return Opened{}, fmt.Errorf("%w: %w", ErrContainer, err)
	}
	return Opened{files, hex.EncodeToString(sum.Sum(nil))}, nil
}

// unpack reads the container's files into memory. Names are checked before any
// is used as one; errors give places, for names are foreign.
func unpack(r io.Reader) ([]Raw, error) {
	var files []Raw
	seen := map[string]bool{}
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		n := len(files) + 1
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", n, err)
		}
		switch {
		case n > maxContainerFiles:
			return nil, fmt.Errorf("it holds more than %d files", maxContainerFiles)
		case h.Typeflag != tar.TypeReg:
			return nil, fmt.Errorf("entry %d is a link, folder or device: files only", n)
		case !fileName(h.Name) && h.Name != nonceName && h.Name != sumsName:
			return nil, fmt.Errorf("entry %d has a name that leads elsewhere", n)
		case seen[h.Name]:
			return nil, fmt.Errorf("entry %d has the name of another", n)
		case h.Size > maxContainer:
			return nil, fmt.Errorf("entry %d says that it has %d bytes", n, h.Size)
		}
		seen[h.Name] = true
		data, err := io.ReadAll(t)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", n, err)
		}
		files = append(files, Raw{Name: h.Name, Data: data})
	}
}

// checkSums compares the files with the container's own list: it ends the
// container and names all others, in order.
func checkSums(files []Raw) error {
	if len(files) < 2 || files[0].Name != nonceName || len(files[0].Data) != nonceSize || files[len(files)-1].Name != sumsName {
		return fmt.Errorf("it does not begin with a %s of %d bytes and end with %s", nonceName, nonceSize, sumsName)
	}
	last := len(files) - 1
	if !bytes.Equal(sums(files[:last]), files[last].Data) {
		return fmt.Errorf("its files are not those of its %s", sumsName)
	}
	return nil
}

// sums lists digests as sha256sum does.
func sums(files []Raw) []byte {
	var list bytes.Buffer
	for _, f := range files {
		fmt.Fprintf(&list, "%s  %s\n", Digest(f.Data), f.Name)
	}
	return list.Bytes()
}
