package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// A container is where a bundle lies: a folder, a tar or a zip. Files are read
// where they lie; nothing is ever unpacked.
type container interface {
	// walk calls each with everything in the bundle. Names are as they stand, so
	// hostile. Its error means that the container itself cannot be read.
	walk(ctx context.Context, each func(entry)) error
	// open opens a file that walk named and did not call bad.
	open(name string) (io.ReadCloser, error)
	io.Closer
}

// An entry is a file or folder in a container.
type entry struct {
	name string
	dir  bool
	size int64
	bad  string // why it is neither a plain file nor a folder, "" where it is one
}

const (
	maxEntries   = 4 << 20 // of an archive: a bundle of a million items
	maxEntrySize = 1 << 40 // bytes
)

// openContainer opens the folder or archive at a path.
func openContainer(at string) (container, error) {
	info, err := os.Stat(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is nothing at %s", ErrNotBundle, at)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the bundle: %w", err)
	}
	switch {
	case info.IsDir():
		root, err := os.OpenRoot(at)
		if err != nil {
			return nil, fmt.Errorf("opening the bundle: %w", err)
		}
		return folder{root}, nil
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: %s is neither a folder nor an archive", ErrNotBundle, at)
	}
	f, err := os.Open(at)
	if err != nil {
		return nil, fmt.Errorf("opening the bundle: %w", err)
	}
	c, err := openArchive(f, info.Size())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", err, at), f.Close())
	}
	return closing{c, f}, nil
}

// SealedItems lists the items whose sealed originals are in what has a bundle's
// form at a path, a folder or an archive. It verifies nothing. Beside an error
// are the items that were found nevertheless.
func SealedItems(ctx context.Context, at string) (items []string, err error) {
	c, err := openContainer(at)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	var unseen error
	err = c.walk(ctx, func(e entry) {
		if e.bad != "" && (e.name == "" || strings.HasPrefix(sealedPrefix, e.name+"/")) { // the archive, or a folder on the way
			unseen = fmt.Errorf("%s: %s %s", at, e.name, e.bad)
		}
		id, ours := strings.CutPrefix(e.name, sealedPrefix)
		if id, ends := strings.CutSuffix(id, sealedEnd); ours && ends {
			items = append(items, id)
		}
	})
	return items, errors.Join(err, unseen)
}

// openArchive tells a zip from a tar.
func openArchive(r io.ReaderAt, size int64) (container, error) {
	var magic [262]byte
	n, err := r.ReadAt(magic[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the archive: %w", err)
	}
	switch head := string(magic[:n]); {
	case strings.HasPrefix(head, "PK\x03\x04"), strings.HasPrefix(head, "PK\x05\x06"):
		return &zipFile{r: r, size: size}, nil
	case len(head) == 262 && head[257:262] == "ustar":
		return &tarFile{r: r, size: size}, nil
	}
	return nil, fmt.Errorf("%w: neither a folder nor a tar nor a zip (a .tar.gz has to be unpacked with gunzip first)", ErrNotBundle)
}

// closing adds the file below a container.
type closing struct {
	container
	below io.Closer
}

func (c closing) Close() error { return errors.Join(c.container.Close(), c.below.Close()) }

// A folder is a bundle on disk. Nothing in it leads out: links are not followed.
type folder struct{ root *os.Root }

func (f folder) Close() error { return f.root.Close() }

func (f folder) open(name string) (io.ReadCloser, error) { return f.root.Open(name) }

func (f folder) walk(ctx context.Context, each func(entry)) error {
	return fs.WalkDir(f.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if name == "." {
			return err
		}
		e := entry{name: name, dir: d.IsDir()}
		switch {
		case err != nil:
			e.bad = "cannot be read"
		case d.Type()&fs.ModeSymlink != 0:
			e.bad = "is a symbolic link"
		case d.IsDir():
		case !d.Type().IsRegular():
			e.bad = "is not a plain file"
		default:
			info, err := d.Info()
			if err != nil {
				e.bad = "cannot be read"
			} else {
				e.size = info.Size()
			}
		}
		each(e)
		if d.IsDir() && (e.bad != "" || checkPath(name) != nil) {
			return fs.SkipDir // what is refused is never looked into
		}
		return nil
	})
}

// archived holds what tars and zips have in common: the names of a bundle stand
// under one folder, each once.
type archived struct {
	top  string
	seen map[string]bool
}

// place returns the name within the bundle; bad says what is wrong with it.
func (a *archived) place(name string, dir bool) (within, bad string) {
	if dir {
		name = strings.TrimSuffix(name, "/")
	}
	top, rest, _ := strings.Cut(name, "/")
	switch {
	case checkPath(name) != nil:
		return name, "" // the verifier says what is wrong with it
	case a.top == "":
		a.top, a.seen = top, map[string]bool{}
	case top != a.top:
		return name, "is outside the folder of the bundle"
	}
	if rest == "" && !dir {
		return name, "is outside the folder of the bundle"
	}
	if a.seen[rest] {
		return rest, "is in the archive twice"
	}
	a.seen[rest] = true
	return rest, ""
}
