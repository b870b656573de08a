package bundle

import (
	"archive/tar"
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// An ArchiveKind is a format that a bundle is also shipped in.
type ArchiveKind string

// Formats of archives.
const (
	NoArchive ArchiveKind = ""
	Tar       ArchiveKind = "tar"
	Zip       ArchiveKind = "zip"
)

// ship writes the archive, if asked for, and gives both their final names.
func (b *builder) ship(result *Result) error {
	if b.in.Archive == NoArchive {
		return b.tree.commit(b.ctx)
	}
	final := filepath.Join(b.tree.dir, b.name+"."+string(b.in.Archive))
	if _, err := os.Lstat(final); err == nil {
		return fmt.Errorf("%w: %s", ErrExists, final)
	}
	f, err := os.CreateTemp(b.tree.dir, "."+b.name+"."+string(b.in.Archive)+partial)
	if err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	lock, err := hold(f.Name())
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	defer func() { _ = lock.Close() }()
	sum, err := b.tree.archive(b.ctx, f, b.in.Archive)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := b.tree.commit(b.ctx); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), final); err != nil {
		return errors.Join(fmt.Errorf("giving the archive its name: %w", err), os.Remove(f.Name()))
	}
	result.Archive, result.ArchiveSHA256 = final, sum
	return syncPath(b.tree.dir)
}

// archive writes the committed-to-be tree as an archive that is the same for the
// same files: sorted, fixed times, no owner. It returns the archive's SHA-256.
func (t *tree) archive(ctx context.Context, to io.Writer, kind ArchiveKind) (string, error) {
	sum := sha256.New()
	out := io.MultiWriter(to, sum)
	add, end := t.toTar(out)
	if kind == Zip {
		add, end = t.toZip(out)
	}
	for e := range t.entries() {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if err := add(e.name, e.size); err != nil {
			return "", fmt.Errorf("writing the archive: %w", err)
		}
	}
	if err := end(); err != nil {
		return "", fmt.Errorf("writing the archive: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func (t *tree) toTar(to io.Writer) (add func(name string, size int64) error, end func() error) {
	w := tar.NewWriter(to)
	return func(name string, size int64) error {
		h := &tar.Header{Name: path.Join(t.name, name), Mode: 0o600, ModTime: t.at, Format: tar.FormatUSTAR, Typeflag: tar.TypeReg, Size: size}
		if strings.HasSuffix(name, "/") {
			h.Typeflag, h.Mode, h.Name = tar.TypeDir, 0o700, h.Name+"/"
			return w.WriteHeader(h)
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		return t.copyTo(w, name)
	}, w.Close
}

func (t *tree) toZip(to io.Writer) (add func(name string, size int64) error, end func() error) {
	w := zip.NewWriter(to)
	return func(name string, _ int64) error {
		h := &zip.FileHeader{Name: path.Join(t.name, name), Modified: t.at, Method: zip.Deflate}
		h.SetMode(0o600)
		if strings.HasSuffix(name, "/") {
			h.Name, h.Method = h.Name+"/", zip.Store
			h.SetMode(os.ModeDir | 0o700)
			_, err := w.CreateHeader(h)
			return err
		}
		if strings.HasSuffix(name, ".age") {
			h.Method = zip.Store // what is encrypted does not pack
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			return err
		}
		return t.copyTo(f, name)
	}, w.Close
}

func (t *tree) copyTo(w io.Writer, name string) error {
	f, err := os.Open(t.path(name))
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return errors.Join(err, f.Close())
}
