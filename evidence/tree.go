package evidence

import (
	"crypto/sha256"
	"errors"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// A Tree is the custody log's Merkle tree (RFC 6962) as far as it must be known
// to grow: its size and the roots of the full subtrees at its right edge. The
// zero Tree is empty.
type Tree struct {
	Size int64
	edge [63]tlog.Hash // by level; valid where Size has that bit
}

// ResumeTree reads the edge of a tree of this size.
func ResumeTree(size int64, r tlog.HashReader) (Tree, error) {
	t := Tree{Size: size}
	var want []int64
	for level := range t.edge {
		if size>>level&1 == 1 {
			want = append(want, tlog.StoredHashIndex(level, size>>level-1))
		}
	}
	got, err := r.ReadHashes(want)
	if err != nil {
		return Tree{}, err
	}
	for level := range t.edge {
		if size>>level&1 == 1 {
			t.edge[level], got = got[0], got[1:]
		}
	}
	return t, nil
}

// Add appends a line, with its newline, and returns the hashes that it
// completes: its leaf's first, then of each subtree whose last leaf it is. The
// hash of level l and number n is completed by line (n+1)<<l - 1.
func (t *Tree) Add(line []byte) []tlog.Hash {
	h := tlog.RecordHash(line)
	done := []tlog.Hash{h}
	level := 0
	for ; t.Size>>level&1 == 1; level++ {
		h = tlog.NodeHash(t.edge[level], h)
		done = append(done, h)
	}
	t.edge[level] = h
	t.Size++
	return done
}

// Root returns the hash of the whole tree.
func (t *Tree) Root() tlog.Hash {
	if t.Size == 0 {
		return sha256.Sum256(nil)
	}
	level := bits.TrailingZeros64(uint64(t.Size))
	root := t.edge[level]
	for level++; level < len(t.edge); level++ {
		if t.Size>>level&1 == 1 {
			root = tlog.NodeHash(t.edge[level], root)
		}
	}
	return root
}

// errLines says that places do not rise within the tree.
var errLines = errors.New("the places of the lines do not rise from 0 to the tree's size")

// checkLines holds places to what a proof is about.
func checkLines(size int64, seqs []int64) error {
	if size < 1 || size > 1<<48 || len(seqs) == 0 || seqs[0] < 0 || seqs[len(seqs)-1] >= size {
		return errLines
	}
	for i := 1; i < len(seqs); i++ {
		if seqs[i] <= seqs[i-1] {
			return errLines
		}
	}
	return nil
}

// ProveLines returns the proof that the lines at seqs, which rise, are in the
// tree of this size: the hashes of those subtrees that hold none of them, from
// left to right, the largest possible. Many lines share one proof: it is never
// longer than their audit paths, and far shorter where they stand together.
func ProveLines(size int64, seqs []int64, r tlog.HashReader) ([]tlog.Hash, error) {
	if err := checkLines(size, seqs); err != nil {
		return nil, err
	}
	var want []int64
	var parts []int // how many stored hashes make each hash of the proof
	walkTree(0, size, seqs, func(lo, hi int64) {
		n := len(want)
		for at := lo; at < hi; { // a subtree at the right edge is stored in parts
			level := bits.Len64(uint64(hi-at)) - 1
			want = append(want, tlog.StoredHashIndex(level, at>>level))
			at += 1 << level
		}
		parts = append(parts, len(want)-n)
	}, func() {}, func() {})
	got, err := r.ReadHashes(want)
	if err != nil {
		return nil, err
	}
	proof := make([]tlog.Hash, 0, len(parts))
	for _, n := range parts {
		h := got[n-1]
		for _, left := range slices.Backward(got[:n-1]) {
			h = tlog.NodeHash(left, h)
		}
		proof, got = append(proof, h), got[n:]
	}
	return proof, nil
}

// ProvenRoot returns the root of the tree of this size that has these leaves at
// seqs, as the proof has it. The lines are in a tree when this is its root.
func ProvenRoot(size int64, seqs []int64, leaves, proof []tlog.Hash) (tlog.Hash, error) {
	if err := checkLines(size, seqs); err != nil {
		return tlog.Hash{}, err
	}
	if len(leaves) != len(seqs) {
		return tlog.Hash{}, errors.New("not a leaf for each line")
	}
	var stack []tlog.Hash
	short := false
	take := func(from *[]tlog.Hash) {
		if len(*from) == 0 {
			short = true
			*from = []tlog.Hash{{}}
		}
		stack, *from = append(stack, (*from)[0]), (*from)[1:]
	}
	walkTree(0, size, seqs, func(int64, int64) { take(&proof) }, func() { take(&leaves) }, func() {
		n := len(stack)
		stack = append(stack[:n-2], tlog.NodeHash(stack[n-2], stack[n-1]))
	})
	if short || len(proof) > 0 {
		return tlog.Hash{}, errors.New("the proof has not as many hashes as this tree and these lines need")
	}
	return stack[0], nil
}

// walkTree visits the tree over [lo, hi) from left to right: each subtree
// without a line, each line's leaf, and each node above them after its children.
func walkTree(lo, hi int64, seqs []int64, other func(lo, hi int64), leaf, node func()) {
	switch {
	case len(seqs) == 0:
		other(lo, hi)
	case hi-lo == 1:
		leaf()
	default:
		mid := lo + 1<<(bits.Len64(uint64(hi-lo-1))-1)
		cut, _ := slices.BinarySearch(seqs, mid)
		walkTree(lo, mid, seqs[:cut], other, leaf, node)
		walkTree(mid, hi, seqs[cut:], other, leaf, node)
		node()
	}
}
