package bundle

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"iter"
	"path"
	"slices"
)

// Where an item's files lie.
const (
	itemsDir     = "data/items/"
	sealedPrefix = "data/sealed/raw-"
	sealedEnd    = ".tar.age"
)

// Files that an item may have, in the order of their names.
const (
	messageFile = iota
	recordFile
	sealedFile
	itemKinds
)

func recordPath(id string) string  { return itemsDir + id + "/record.json" }
func messagePath(id string) string { return itemsDir + id + "/message.redacted.json" }
func sealedPath(id string) string  { return sealedPrefix + id + sealedEnd }

// itemFile returns the name of one of an item's files.
func itemFile(id string, kind int) string {
	return [itemKinds]func(string) string{messagePath, recordPath, sealedPath}[kind](id)
}

// An itemEntry is what a manifest says of an item's files. Their names follow
// from the id: with three names for each, a bundle of a hundred thousand items
// would take three times the memory.
type itemEntry struct {
	id   string
	sum  [itemKinds][sha256.Size]byte
	size [itemKinds]int64 // 0: it has no such file
}

// itemFiles are the files of all items, in pieces, so that nothing is copied
// where their number grows.
type itemFiles struct {
	pieces [][]itemEntry
	n      int   // files
	bytes  int64 // in them
}

const itemPiece = 1024

func (f *itemFiles) add(e itemEntry) {
	if n := len(f.pieces); n == 0 || len(f.pieces[n-1]) == itemPiece {
		f.pieces = append(f.pieces, make([]itemEntry, 0, itemPiece))
	}
	last := &f.pieces[len(f.pieces)-1]
	*last = append(*last, e)
	for _, size := range e.size {
		if size > 0 {
			f.n, f.bytes = f.n+1, f.bytes+size
		}
	}
}

// open yields the open files in the order of their names.
func (f *itemFiles) open() iter.Seq[written] { return f.sorted("/", messageFile, recordFile) }

// sealed yields the sealed files in the order of their names.
func (f *itemFiles) sealed() iter.Seq[written] { return f.sorted(sealedEnd, sealedFile) }

// sorted yields files of items in the order of what stands in their names from
// the id on.
func (f *itemFiles) sorted(behind string, kinds ...int) iter.Seq[written] {
	return func(yield func(written) bool) {
		var all []*itemEntry
		for _, piece := range f.pieces {
			for i := range piece {
				all = append(all, &piece[i])
			}
		}
		slices.SortFunc(all, func(x, y *itemEntry) int { return compareWith(x.id, y.id, behind) })
		for _, e := range all {
			for _, kind := range kinds {
				if e.size[kind] > 0 && !yield(written{itemFile(e.id, kind), e.sum[kind], e.size[kind]}) {
					return
				}
			}
		}
	}
}

// compareWith compares two ids that something stands behind.
func compareWith(x, y, behind string) int {
	if n := min(len(x), len(y)); len(x) != len(y) && x[:n] == y[:n] {
		return cmp.Compare(x+behind, y+behind)
	}
	return cmp.Compare(x, y)
}

// twice returns an id that two items have, "" where there is none.
func (f *itemFiles) twice() string {
	last := ""
	for w := range f.sorted("/", recordFile) {
		if w.name == last {
			return path.Base(path.Dir(last))
		}
		last = w.name
	}
	return ""
}

// putItem makes one of an item's files, whose digest is known, in the folder, or
// leaves it to the archive, or both. The item's folder is there.
func (b *builder) putItem(m *made, kind int, sum [sha256.Size]byte, data []byte) (written, error) {
	w := written{itemFile(m.files.id, kind), sum, int64(len(data))}
	if b.archive != nil {
		m.content[kind] = data
	}
	if !b.in.NoFolder {
		if err := makeFile(b.tree.root, w.name, data, b.tree.at); err != nil {
			return w, notMade(w.name, err)
		}
	}
	m.files.sum[kind], m.files.size[kind] = w.sum, w.size
	return w, nil
}

// itemFolder makes the folder of an item's open files.
func (b *builder) itemFolder(id string) error {
	if err := checkPath(itemFile(id, messageFile)); err != nil { // the longest of the names
		return fmt.Errorf("item %s cannot be in a bundle: %w", id, err)
	}
	if b.in.NoFolder {
		return nil
	}
	if err := makeDir(b.tree.root, itemsDir+id); err != nil {
		return notMade(itemsDir+id, err)
	}
	return nil
}

// itemFolderDone gives the folder of an item's open files, which are all made,
// its time.
func (b *builder) itemFolderDone(id string) error {
	if b.in.NoFolder {
		return nil
	}
	if err := setTime(b.tree.root, itemsDir+id, b.tree.at); err != nil {
		return fmt.Errorf("writing the bundle: %w", err)
	}
	return nil
}
