package bundle

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A tree is a bundle being written under a temporary name. Close removes it
// unless commit gave it its final one.
type tree struct {
	dir       string // of the bundles
	name      string // final
	temp      string // path while being written
	at        time.Time
	files     map[string]written
	dirs      map[string]bool
	committed bool
}

// written is what a manifest says of a file.
type written struct {
	sha256 string
	size   int64
}

// newTree makes the temporary folder beside the final one.
func newTree(dir, name string, at time.Time) (*tree, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for bundles: %w", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
		return nil, fmt.Errorf("%w: %s", ErrExists, filepath.Join(dir, name))
	}
	temp, err := os.MkdirTemp(dir, "."+name+".partial-")
	if err != nil {
		return nil, fmt.Errorf("making a temporary folder for the bundle: %w", err)
	}
	return &tree{dir: dir, name: name, temp: temp, at: at, files: map[string]written{}, dirs: map[string]bool{".": true}}, nil
}

// close removes what was not committed.
func (t *tree) close(err *error) {
	if t.committed {
		return
	}
	if removing := os.RemoveAll(t.temp); removing != nil {
		*err = errors.Join(*err, fmt.Errorf("removing the unfinished bundle: %w", removing))
	}
}

func (t *tree) path(name string) string { return filepath.Join(t.temp, filepath.FromSlash(name)) }

// maxPath is the longest path in a bundle, in bytes.
const maxPath = 180

// checkPath holds a path to the bundle's rules: relative, letters, digits, dot,
// hyphen and underscore, no part that starts with a dot or hyphen.
func checkPath(name string) error {
	if name == "" || len(name) > maxPath {
		return fmt.Errorf("a path of %d bytes, not 1 to %d", len(name), maxPath)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || part[0] == '-' {
			return errors.New("not a plain relative path")
		}
		for i := range len(part) {
			if c := part[i]; !isWord(c) && c != '.' {
				return errors.New("not a path of letters, digits, dot, hyphen and underscore")
			}
		}
	}
	return nil
}

// A file is one being written into the tree; its digest is taken on the way.
type file struct {
	t    *tree
	name string
	f    *os.File
	buf  *bufio.Writer
	sum  hash.Hash
	size int64
}

func (t *tree) create(name string) (*file, error) {
	if err := checkPath(name); err != nil {
		return nil, fmt.Errorf("%q cannot be in a bundle: %w", name, err)
	}
	if _, ok := t.files[name]; ok {
		return nil, fmt.Errorf("%s would be in the bundle twice", name)
	}
	for dir := path.Dir(name); !t.dirs[dir]; dir = path.Dir(dir) {
		t.dirs[dir] = true
	}
	if err := os.MkdirAll(filepath.Dir(t.path(name)), 0o700); err != nil {
		return nil, fmt.Errorf("writing the bundle: %w", err)
	}
	f, err := os.OpenFile(t.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("writing the bundle: %w", err)
	}
	return &file{t: t, name: name, f: f, buf: bufio.NewWriter(f), sum: sha256.New()}, nil
}

// Write adds to the file and its digest.
func (f *file) Write(p []byte) (int, error) {
	n, err := f.buf.Write(p)
	f.sum.Write(p[:n])
	f.size += int64(n)
	return n, err
}

func (f *file) close() error {
	err := errors.Join(f.buf.Flush(), f.f.Close())
	if err != nil {
		return fmt.Errorf("writing %s: %w", f.name, err)
	}
	f.t.files[f.name] = written{hex.EncodeToString(f.sum.Sum(nil)), f.size}
	return nil
}

// write makes a whole file.
func (t *tree) write(name string, data []byte) error {
	return t.stream(name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// stream makes a file of what fill writes.
func (t *tree) stream(name string, fill func(io.Writer) error) error {
	f, err := t.create(name)
	if err != nil {
		return err
	}
	if err := fill(f); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", name, err), f.f.Close())
	}
	return f.close()
}

// json makes a file of an indented JSON object.
func (t *tree) json(name string, v any) error {
	data, err := encodeJSON(v)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return t.write(name, data)
}

// names lists the files below prefix, sorted.
func (t *tree) names(under func(name string) bool) []string {
	var names []string
	for name := range t.files {
		if under(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// payload reports whether a file belongs to the bag's payload.
func payload(name string) bool { return strings.HasPrefix(name, "data/") }

// manifest writes the digests of files as sha256sum -c reads them.
func (t *tree) manifest(name string, under func(string) bool) error {
	names := t.names(under)
	return t.stream(name, func(w io.Writer) error {
		for _, n := range names {
			if _, err := fmt.Fprintf(w, "%s  %s\n", t.files[n].sha256, n); err != nil {
				return err
			}
		}
		return nil
	})
}

// commit makes everything durable and gives the bundle its name.
func (t *tree) commit(ctx context.Context) error {
	for _, name := range t.names(func(string) bool { return true }) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.settle(t.path(name)); err != nil {
			return err
		}
	}
	dirs := make([]string, 0, len(t.dirs))
	for dir := range t.dirs {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	slices.Reverse(dirs) // the deepest first
	for _, dir := range dirs {
		if err := t.settle(t.path(dir)); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Rename(t.temp, filepath.Join(t.dir, t.name)); err != nil {
		return fmt.Errorf("giving the bundle its name: %w", err)
	}
	t.committed = true
	return syncPath(t.dir)
}

// settle sets the fixed time of a file or folder and syncs it.
func (t *tree) settle(at string) error {
	if err := os.Chtimes(at, t.at, t.at); err != nil {
		return fmt.Errorf("writing the bundle: %w", err)
	}
	return syncPath(at)
}

func syncPath(at string) error {
	f, err := os.Open(at)
	if err != nil {
		return fmt.Errorf("writing the bundle: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing the bundle to disk: %w", err)
	}
	return nil
}

// archive writes the committed-to-be tree as a tar that is the same for the
// same files: sorted, fixed times, no owner. It returns the tar's SHA-256.
func (t *tree) archive(ctx context.Context, to io.Writer) (string, error) {
	sum := sha256.New()
	w := tar.NewWriter(io.MultiWriter(to, sum))
	entries := t.names(func(string) bool { return true })
	for dir := range t.dirs {
		entries = append(entries, dir+"/")
	}
	slices.Sort(entries) // "./" sorts before everything in it
	for _, name := range entries {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if err := t.archiveOne(w, name); err != nil {
			return "", err
		}
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("writing the archive: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func (t *tree) archiveOne(w *tar.Writer, name string) (err error) {
	h := &tar.Header{Name: path.Join(t.name, name), Mode: 0o600, ModTime: t.at, Format: tar.FormatUSTAR, Typeflag: tar.TypeReg}
	if strings.HasSuffix(name, "/") {
		h.Typeflag, h.Mode, h.Name = tar.TypeDir, 0o700, h.Name+"/"
		return w.WriteHeader(h)
	}
	h.Size = t.files[name].size
	if err := w.WriteHeader(h); err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	f, err := os.Open(t.path(name))
	if err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	return nil
}
