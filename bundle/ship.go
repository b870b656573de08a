package bundle

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"cmp"
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

// An ArchiveKind is a format that a bundle is also shipped in.
type ArchiveKind string

// Formats of archives.
const (
	NoArchive ArchiveKind = ""
	Tar       ArchiveKind = "tar"
	Zip       ArchiveKind = "zip"
)

// An archive is a bundle being written as one file under a temporary name. Close
// removes it unless commit gave it its final one. Items' files are added as they
// are made, the others when all are: it grows from front to back, whether there
// is a folder beside it or not, and is the same for the same files.
type archive struct {
	final string
	top   string   // the folder that all names in it stand under
	f     *os.File // under the temporary name
	lock  *os.File // says that it is in use
	buf   *bufio.Writer
	sum   hash.Hash // of the whole archive
	pack  packer
	dirs  map[string]bool // in it, with a slash behind; but the items'

	committed bool
}

// A packer writes one format of archive, with fixed times and no owner.
type packer interface {
	// add begins a file, whose bytes its writer takes before the next call, or
	// adds a folder, whose name ends in a slash.
	add(name string, size int64) (io.Writer, error)
	io.Closer
}

// newArchive makes the temporary file beside the final one.
func newArchive(dir, name string, kind ArchiveKind, at time.Time) (*archive, error) {
	a := &archive{final: filepath.Join(dir, name+"."+string(kind)), top: name, sum: sha256.New(), dirs: map[string]bool{}}
	// The temporary name is one for all, and the final one is looked for behind it:
	// of two exports that begin in one second, only one can make it.
	var err error
	a.f, err = os.OpenFile(filepath.Join(dir, "."+filepath.Base(a.final)+partial+"1"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, os.ErrExist):
		return nil, fmt.Errorf("%w: %s is being written by another export", ErrExists, a.final)
	case err != nil:
		return nil, fmt.Errorf("writing the archive: %w", err)
	}
	if _, err := os.Lstat(a.final); err == nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", ErrExists, a.final), a.f.Close(), os.Remove(a.f.Name()))
	}
	if a.lock, err = hold(a.f.Name()); err != nil {
		return nil, errors.Join(err, a.f.Close(), os.Remove(a.f.Name()))
	}
	a.buf = bufio.NewWriterSize(io.MultiWriter(a.f, a.sum), 256<<10)
	if kind == Zip {
		a.pack = zipPacker{zip.NewWriter(a.buf), at}
	} else {
		a.pack = tarPacker{tar.NewWriter(a.buf), at}
	}
	return a, nil
}

// put adds a file, and before it the folders on the way to it.
func (a *archive) put(name string, size int64, content io.Reader) error {
	name = path.Join(a.top, name)
	for end := range len(name) {
		if dir := name[:end+1]; name[end] == '/' && !a.dirs[dir] {
			if _, err := a.pack.add(dir, 0); err != nil {
				return fmt.Errorf("writing the archive: %w", err)
			}
			a.dirs[dir] = true
		}
	}
	w, err := a.pack.add(name, size)
	if err == nil {
		_, err = io.Copy(w, content)
	}
	if err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	return nil
}

// putItem adds an item's files.
func (a *archive) putItem(m *made) error {
	for kind, content := range m.content {
		if content == nil {
			continue
		}
		if err := a.put(itemFile(m.files.id, kind), int64(len(content)), bytes.NewReader(content)); err != nil {
			return err
		}
	}
	delete(a.dirs, path.Join(a.top, itemsDir, m.files.id)+"/") // nothing else is in it, and there may be many
	return nil
}

// end adds the files that are no items' in the order of their names, and makes
// the archive durable.
func (a *archive) end(ctx context.Context, t *tree) error {
	files := slices.SortedFunc(slices.Values(t.files), func(x, y written) int { return cmp.Compare(x.name, y.name) })
	for _, w := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := os.Open(t.path(w.name))
		if err != nil {
			return fmt.Errorf("writing the archive: %w", err)
		}
		if err := errors.Join(a.put(w.name, w.size, f), f.Close()); err != nil {
			return err
		}
	}
	if err := cmp.Or(a.pack.Close(), a.buf.Flush(), a.f.Sync()); err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	return nil
}

// commit gives the archive its name.
func (a *archive) commit() error {
	if err := os.Rename(a.f.Name(), a.final); err != nil {
		return fmt.Errorf("giving the archive its name: %w", err)
	}
	a.committed = true
	return syncPath(filepath.Dir(a.final))
}

// close removes what was not committed.
func (a *archive) close(err *error) {
	if !a.committed {
		*err = errors.Join(*err, os.Remove(a.f.Name()))
	}
	*err = errors.Join(*err, a.f.Close(), a.lock.Close())
}

// ship gives the folder, the archive or both their final names.
func (b *builder) ship(result *Result) error {
	if b.archive != nil {
		if err := b.archive.end(b.ctx, b.tree); err != nil {
			return err
		}
		result.Archive, result.ArchiveSHA256 = b.archive.final, hex.EncodeToString(b.archive.sum.Sum(nil))
	}
	if b.in.NoFolder {
		if err := cmp.Or(b.ctx.Err(), b.tree.remove()); err != nil {
			return err
		}
		return b.archive.commit()
	}
	result.Dir = filepath.Join(b.tree.dir, b.name)
	if err := b.tree.commit(b.ctx); err != nil || b.archive == nil {
		return err
	}
	return b.archive.commit()
}

type tarPacker struct {
	*tar.Writer
	at time.Time
}

func (p tarPacker) add(name string, size int64) (io.Writer, error) {
	h := &tar.Header{Name: name, Mode: 0o600, ModTime: p.at, Format: tar.FormatUSTAR, Typeflag: tar.TypeReg, Size: size}
	if strings.HasSuffix(name, "/") {
		h.Typeflag, h.Mode = tar.TypeDir, 0o700
	}
	return p.Writer, p.WriteHeader(h)
}

type zipPacker struct {
	*zip.Writer
	at time.Time
}

func (p zipPacker) add(name string, _ int64) (io.Writer, error) {
	h := &zip.FileHeader{Name: name, Modified: p.at, Method: zip.Deflate}
	h.SetMode(0o600)
	switch {
	case strings.HasSuffix(name, "/"):
		h.Method = zip.Store
		h.SetMode(os.ModeDir | 0o700)
	case strings.HasSuffix(name, ".age"):
		h.Method = zip.Store // what is encrypted does not pack
	}
	return p.CreateHeader(h)
}
