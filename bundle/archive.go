package bundle

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// A tarFile is a bundle in a tar.
type tarFile struct {
	archived
	r     io.ReaderAt
	size  int64
	files map[string]*io.SectionReader
}

// Close does nothing: who opened the file closes it.
func (t *tarFile) Close() error { return nil }

func (t *tarFile) open(name string) (io.ReadCloser, error) {
	f, ok := t.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(io.NewSectionReader(f, 0, f.Size())), nil
}

const tarBlock = 512

// walk reads the headers and remembers where each file lies. Bytes that no file
// and no header accounts for are told: a bundle's tar has none.
func (t *tarFile) walk(ctx context.Context, each func(entry)) error {
	t.files = map[string]*io.SectionReader{}
	place := io.NewSectionReader(t.r, 0, t.size)
	in := tar.NewReader(place)
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			each(entry{bad: "the archive is damaged or cut short: what follows cannot be read"})
			return nil
		}
		if n == maxEntries {
			each(entry{bad: fmt.Sprintf("the archive has more than %d entries: the rest is refused", maxEntries)})
			return nil
		}
		at, err := place.Seek(0, io.SeekCurrent)
		if err != nil {
			return fmt.Errorf("reading the archive: %w", err)
		}
		each(t.entry(h, at))
	}
	end, err := place.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("reading the archive: %w", err)
	}
	zero, err := zeros(ctx, t.r, end, t.size)
	if err != nil {
		return err
	}
	if !zero {
		each(entry{bad: "the archive holds bytes after its end"})
	}
	if t.size%tarBlock != 0 || !t.ended(end) {
		each(entry{bad: "the archive has no end mark: it is cut short"})
	}
	return nil
}

// ended reports whether the two blocks of the end mark were read.
func (t *tarFile) ended(end int64) bool {
	zero, err := zeros(context.Background(), t.r, end-2*tarBlock, end) //nolint:contextcheck // a kilobyte
	return err == nil && zero && end >= 2*tarBlock
}

func (t *tarFile) entry(h *tar.Header, at int64) entry {
	e := entry{size: h.Size, dir: h.Typeflag == tar.TypeDir}
	e.name, e.bad = t.place(h.Name, e.dir)
	if e.bad != "" {
		return e
	}
	sparse := h.Typeflag == tar.TypeGNUSparse
	for key := range h.PAXRecords {
		sparse = sparse || strings.HasPrefix(key, "GNU.sparse.")
	}
	switch {
	case h.Typeflag == tar.TypeSymlink:
		e.bad = "is a symbolic link"
	case h.Typeflag == tar.TypeLink:
		e.bad = "is a hard link"
	case e.dir:
		e.size = 0
	case h.Typeflag != tar.TypeReg || sparse:
		e.bad = "is not a plain file"
	case h.Size > t.size-at:
		e.bad = fmt.Sprintf("says that it is %d bytes long, and the archive ends before", h.Size)
	default:
		pad, err := zeros(context.Background(), t.r, at+h.Size, min(t.size, at+(h.Size+tarBlock-1)/tarBlock*tarBlock)) //nolint:contextcheck // less than a block
		if err != nil || !pad {
			e.bad = "is followed by hidden bytes"
			return e
		}
		t.files[e.name] = io.NewSectionReader(t.r, at, h.Size)
	}
	return e
}

// zeros reports whether only zero bytes lie from one offset to another.
func zeros(ctx context.Context, r io.ReaderAt, from, to int64) (bool, error) {
	buf := make([]byte, 32<<10)
	for from < to {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		part := buf[:min(int64(len(buf)), to-from)]
		n, err := r.ReadAt(part, from)
		if err != nil && (!errors.Is(err, io.EOF) || n < len(part)) {
			return false, fmt.Errorf("reading the archive: %w", err)
		}
		if len(bytes.Trim(part, "\x00")) > 0 {
			return false, nil
		}
		from += int64(n)
	}
	return true, nil
}

// A zipFile is a bundle in a zip.
type zipFile struct {
	archived
	r     io.ReaderAt
	size  int64
	files map[string]*zip.File
}

// Close does nothing: who opened the file closes it.
func (z *zipFile) Close() error { return nil }

func (z *zipFile) open(name string) (io.ReadCloser, error) {
	f, ok := z.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return f.Open()
}

// maxPacked is how many times its packed size a file may be, beyond a megabyte:
// digests and sealed files hardly pack at all, tables of ids some twenty times.
const maxPacked = 200

func (z *zipFile) walk(ctx context.Context, each func(entry)) error {
	z.files = map[string]*zip.File{}
	in, err := zip.NewReader(z.r, z.size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		each(entry{bad: "the archive is damaged or cut short: its list of files cannot be read"})
		return nil
	}
	if in.Comment != "" {
		each(entry{bad: "the archive carries a comment, which nothing vouches for"})
	}
	if mark := make([]byte, 4); len(in.File) > 0 {
		if _, err := z.r.ReadAt(mark, z.size-22); err != nil || string(mark) != "PK\x05\x06" {
			each(entry{bad: "the archive holds bytes after its end"})
		}
	}
	for n, f := range in.File {
		if err := ctx.Err(); err != nil {
			return err
		}
		if n == maxEntries {
			each(entry{bad: fmt.Sprintf("the archive has more than %d entries: the rest is refused", maxEntries)})
			return nil
		}
		each(z.entry(f))
	}
	if len(in.File) > 0 && !z.gapless(in.File) {
		each(entry{bad: "the archive holds bytes or names that its list of files does not account for: other programs may unpack something else"})
	}
	return nil
}

// gapless reports whether the files lie one after another from the first byte to
// the list of files, under the names of the list. Programs that unpack from the
// front would otherwise see what those that read the list do not.
func (z *zipFile) gapless(files []*zip.File) bool {
	byPlace := slices.Clone(files)
	place := make(map[*zip.File]int64, len(files))
	for _, f := range files {
		at, err := f.DataOffset()
		if err != nil {
			return false
		}
		place[f] = at
	}
	slices.SortFunc(byPlace, func(a, b *zip.File) int { return cmp.Compare(place[a], place[b]) })
	end := int64(0)
	for _, f := range byPlace {
		head := make([]byte, 30+len(f.Name))
		if _, err := z.r.ReadAt(head, end); err != nil || string(head[:4]) != "PK\x03\x04" || string(head[30:]) != f.Name {
			return false
		}
		name, extra := binary.LittleEndian.Uint16(head[26:]), binary.LittleEndian.Uint16(head[28:])
		if int(name) != len(f.Name) || end+30+int64(name)+int64(extra) != place[f] || f.CompressedSize64 > maxEntrySize {
			return false
		}
		end = place[f] + int64(f.CompressedSize64) //nolint:gosec // bounded above
		if f.Flags&8 != 0 {
			end += z.descriptor(end)
		}
	}
	mark := make([]byte, 4)
	_, err := z.r.ReadAt(mark, end)
	return err == nil && string(mark) == "PK\x01\x02"
}

// descriptor returns how long the description behind a file's bytes is: with or
// without a mark, with sizes of four bytes or of eight.
func (z *zipFile) descriptor(at int64) int64 {
	buf := make([]byte, 28)
	n, err := z.r.ReadAt(buf, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0
	}
	for _, size := range []int{16, 24, 12, 20} {
		if size+4 <= n && (string(buf[size:size+4]) == "PK\x03\x04" || string(buf[size:size+4]) == "PK\x01\x02") {
			return int64(size)
		}
	}
	return 0
}

func (z *zipFile) entry(f *zip.File) entry {
	e := entry{dir: strings.HasSuffix(f.Name, "/")}
	if f.UncompressedSize64 <= maxEntrySize {
		e.size = int64(f.UncompressedSize64) //nolint:gosec // bounded above
	}
	e.name, e.bad = z.place(f.Name, e.dir)
	if e.bad != "" {
		return e
	}
	switch mode := f.Mode(); {
	case mode&fs.ModeSymlink != 0:
		e.bad = "is a symbolic link"
	case e.dir && mode.IsDir() && f.UncompressedSize64 == 0:
	case e.dir, !mode.IsRegular():
		e.bad = "is not a plain file"
	case f.Flags&1 != 0:
		e.bad = "is encrypted"
	case f.Method != zip.Store && f.Method != zip.Deflate:
		e.bad = fmt.Sprintf("is packed in a way (%d) that is not stored or deflated", f.Method)
	case f.UncompressedSize64 > maxEntrySize, f.UncompressedSize64 > maxPacked*f.CompressedSize64+1<<20:
		e.bad = fmt.Sprintf("unpacks to %d bytes from %d: refused", f.UncompressedSize64, f.CompressedSize64)
	default:
		z.files[e.name] = f
	}
	return e
}
