package bundle

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A tree is a bundle being written under a temporary name. Close removes it
// unless commit gave it its final one. Files may be written at the same time.
type tree struct {
	dir       string // of the bundles
	name      string // final
	temp      string // path while being written
	at        time.Time
	lock      *os.File // temp; says that it is in use
	root      int      // lock's descriptor
	committed bool

	mu    sync.Mutex
	files []written // but the items'
	items itemFiles
	dirs  map[string]bool // but the items'
}

// written is what a manifest says of a file.
type written struct {
	name string
	sum  [sha256.Size]byte
	size int64
}

func (w written) sha256() string { return hex.EncodeToString(w.sum[:]) }

// newTree makes the temporary folder beside the final one, and removes those
// that killed exports left.
func newTree(dir, name string, at time.Time) (*tree, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for bundles: %w", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
		return nil, fmt.Errorf("%w: %s", ErrExists, filepath.Join(dir, name))
	}
	if err := sweep(dir); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(dir, "."+name+partial)
	if err != nil {
		return nil, fmt.Errorf("making a temporary folder for the bundle: %w", err)
	}
	t := &tree{dir: dir, name: name, temp: temp, at: at, dirs: map[string]bool{".": true}}
	if t.lock, err = hold(temp); err != nil {
		return nil, errors.Join(err, os.RemoveAll(temp))
	}
	t.root = int(t.lock.Fd())
	return t, nil
}

// partial marks what an export has not finished.
const partial = ".partial-"

// sweep removes what killed exports left in a folder: unfinished bundles and
// archives that no living process holds.
func sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("looking for unfinished bundles: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".EB-") || !strings.Contains(e.Name(), partial) {
			continue
		}
		at := filepath.Join(dir, e.Name())
		lock, err := hold(at)
		if err != nil {
			continue // another export is at work on it, or it is gone
		}
		if err := errors.Join(os.RemoveAll(at), lock.Close()); err != nil {
			return fmt.Errorf("removing an unfinished bundle: %w", err)
		}
	}
	return nil
}

// close removes what was not committed.
func (t *tree) close(err *error) {
	if !t.committed {
		*err = errors.Join(*err, t.remove())
	}
	*err = errors.Join(*err, t.lock.Close())
}

// remove takes all away again.
func (t *tree) remove() error {
	if err := os.RemoveAll(t.temp); err != nil {
		return fmt.Errorf("removing the unfinished bundle: %w", err)
	}
	return nil
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

// open makes a new file and the folders on the way to it.
func (t *tree) open(name string) (*os.File, error) {
	if err := checkPath(name); err != nil {
		return nil, fmt.Errorf("%q cannot be in a bundle: %w", name, err)
	}
	if err := t.folder(path.Dir(name)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(t.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, notMade(name, err)
	}
	return f, nil
}

func notMade(name string, err error) error {
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s would be in the bundle twice", name)
	}
	return fmt.Errorf("writing the bundle: %w", err)
}

// folder makes a folder and those on the way to it.
func (t *tree) folder(dir string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dirs[dir] {
		return nil
	}
	if err := os.MkdirAll(t.path(dir), 0o700); err != nil {
		return fmt.Errorf("writing the bundle: %w", err)
	}
	for ; !t.dirs[dir]; dir = path.Dir(dir) {
		t.dirs[dir] = true
	}
	return nil
}

// add notes a finished file and sets its time.
func (t *tree) add(w written) error {
	if err := setTime(t.root, w.name, t.at); err != nil {
		return fmt.Errorf("writing the bundle: %w", err)
	}
	t.mu.Lock()
	t.files = append(t.files, w)
	t.mu.Unlock()
	return nil
}

// drop takes a folder that holds no items out again, with all below it.
func (t *tree) drop(dir string) error {
	t.files = slices.DeleteFunc(t.files, func(w written) bool { return strings.HasPrefix(w.name, dir) })
	maps.DeleteFunc(t.dirs, func(name string, _ bool) bool { return strings.HasPrefix(name+"/", dir) })
	if err := os.RemoveAll(t.path(dir)); err != nil {
		return fmt.Errorf("writing the bundle: %w", err)
	}
	return nil
}

// find returns what is known of a finished file that is no item's.
func (t *tree) find(name string) written {
	for i := len(t.files) - 1; i >= 0; i-- {
		if t.files[i].name == name {
			return t.files[i]
		}
	}
	return written{}
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
	f, err := t.open(name)
	if err != nil {
		return nil, err
	}
	return &file{t: t, name: name, f: f, buf: bufio.NewWriterSize(f, 64<<10), sum: sha256.New()}, nil
}

// Write adds to the file and its digest.
func (f *file) Write(p []byte) (int, error) {
	n, err := f.buf.Write(p)
	f.sum.Write(p[:n])
	f.size += int64(n)
	return n, err
}

func (f *file) close() error {
	if err := errors.Join(f.buf.Flush(), f.f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", f.name, err)
	}
	w := written{name: f.name, size: f.size}
	f.sum.Sum(w.sum[:0])
	return f.t.add(w)
}

// A scratch is a file without a name, for what is known before what stands before
// it. It is gone with the process.
type scratch struct {
	f *os.File
	*bufio.Writer
}

func (t *tree) scratch() (*scratch, error) {
	f, err := os.CreateTemp(t.temp, "scratch-")
	if err != nil {
		return nil, fmt.Errorf("writing the bundle: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the bundle: %w", err), f.Close())
	}
	return &scratch{f, bufio.NewWriterSize(f, 64<<10)}, nil
}

// copyTo writes all that was written to the scratch.
func (s *scratch) copyTo(w io.Writer) error {
	if err := s.Flush(); err != nil {
		return err
	}
	if _, err := s.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(w, s.f)
	return err
}

// write makes a whole file and the folders on the way to it.
func (t *tree) write(name string, data []byte) error {
	if err := checkPath(name); err != nil {
		return fmt.Errorf("%q cannot be in a bundle: %w", name, err)
	}
	if err := t.folder(path.Dir(name)); err != nil {
		return err
	}
	if err := makeFile(t.root, name, data, t.at); err != nil {
		return notMade(name, err)
	}
	t.mu.Lock()
	t.files = append(t.files, written{name, sha256.Sum256(data), int64(len(data))})
	t.mu.Unlock()
	return nil
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

// all yields every file in the order of the names. Nothing is written meanwhile.
func (t *tree) all() iter.Seq[written] {
	return func(yield func(written) bool) {
		slices.SortFunc(t.files, func(x, y written) int { return cmp.Compare(x.name, y.name) })
		rest := t.files
		for _, part := range []struct {
			behind string // no other file's name begins so
			items  iter.Seq[written]
		}{{itemsDir, t.items.open()}, {sealedPrefix, t.items.sealed()}} {
			for len(rest) > 0 && rest[0].name < part.behind {
				if !yield(rest[0]) {
					return
				}
				rest = rest[1:]
			}
			for w := range part.items {
				if !yield(w) {
					return
				}
			}
		}
		for _, w := range rest {
			if !yield(w) {
				return
			}
		}
	}
}

// payload reports whether a file belongs to the bag's payload.
func payload(name string) bool { return strings.HasPrefix(name, "data/") }

// manifest writes the digests of files as sha256sum -c reads them.
func (t *tree) manifest(name string, under func(string) bool) error {
	return t.stream(name, func(w io.Writer) error {
		var line []byte
		for f := range t.all() {
			if !under(f.name) {
				continue
			}
			line = append(append(append(hex.AppendEncode(line[:0], f.sum[:]), "  "...), f.name...), '\n')
			if _, err := w.Write(line); err != nil {
				return err
			}
		}
		return nil
	})
}

// commit makes everything durable and gives the bundle its name.
func (t *tree) commit(ctx context.Context) error {
	for dir := range t.dirs { // the items' have theirs
		if err := setTime(t.root, dir, t.at); err != nil {
			return fmt.Errorf("writing the bundle: %w", err)
		}
	}
	if err := syncTree(ctx, t.temp); err != nil {
		return err
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

// syncPath makes one file or folder durable.
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
