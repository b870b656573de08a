package evidence_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"prahari/evidence"
)

// grow adds n lines to a tree and stores its hashes as tlog numbers them.
func grow(t testing.TB, n int64) (evidence.Tree, []tlog.Hash, [][]byte) {
	t.Helper()
	var tree evidence.Tree
	var stored []tlog.Hash
	var lines [][]byte
	for i := range n {
		line := fmt.Appendf(nil, "line %d\n", i)
		// tlog appends to the end exactly what Add returns.
		want, err := tlog.StoredHashes(i, line, reader(stored))
		if err != nil {
			t.Fatal(err)
		}
		got := tree.Add(line)
		if !slices.Equal(got, want) {
			t.Fatalf("line %d completes %v, not %v", i, got, want)
		}
		stored, lines = append(stored, got...), append(lines, line)
	}
	return tree, stored, lines
}

func reader(stored []tlog.Hash) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, at := range indexes {
			if at < 0 || at >= int64(len(stored)) {
				return nil, fmt.Errorf("no hash %d", at)
			}
			out[i] = stored[at]
		}
		return out, nil
	})
}

func TestTreeIsTheOneOfRFC6962(t *testing.T) {
	t.Parallel()
	_, stored, lines := grow(t, 70)
	for size := int64(0); size <= 70; size++ {
		tree, err := evidence.ResumeTree(size, reader(stored))
		if err != nil {
			t.Fatal(err)
		}
		want := tlog.Hash(sha256.Sum256(nil))
		if size > 0 {
			if want, err = tlog.TreeHash(size, reader(stored)); err != nil {
				t.Fatal(err)
			}
		}
		if got := tree.Root(); got != want {
			t.Errorf("the root of %d lines is %v, not %v", size, got, want)
		}
		if size < 70 { // a resumed tree grows as the whole one did
			tree.Add(lines[size])
			if want, err := tlog.TreeHash(size+1, reader(stored)); err != nil || tree.Root() != want {
				t.Errorf("grown to %d lines: %v, not %v (%v)", size+1, tree.Root(), want, err)
			}
		}
	}
}

// One proof for many lines says what tlog's proofs of each say.
func TestManyLinesShareAProof(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	_, stored, lines := grow(t, 300)
	for range 400 {
		size := 1 + random.Int64N(300)
		var seqs []int64
		var leaves []tlog.Hash
		for i := range size {
			if random.IntN(1+random.IntN(20)) == 0 {
				seqs, leaves = append(seqs, i), append(leaves, tlog.RecordHash(lines[i]))
			}
		}
		if len(seqs) == 0 {
			continue
		}
		root, err := tlog.TreeHash(size, reader(stored))
		if err != nil {
			t.Fatal(err)
		}
		proof, err := evidence.ProveLines(size, seqs, reader(stored))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := evidence.ProvenRoot(size, seqs, leaves, proof); err != nil || got != root {
			t.Fatalf("%d of %d lines: %v, %v, not %v", len(seqs), size, got, err, root)
		}
		if len(seqs) == 1 {
			path, err := tlog.ProveRecord(size, seqs[0], reader(stored))
			if err != nil || len(path) != len(proof) {
				t.Errorf("one line of %d: %d hashes, an audit path has %d (%v)", size, len(proof), len(path), err)
			}
		}
		// Another line, another place, a changed, missing or further hash: no proof.
		at := random.IntN(len(seqs))
		other := slices.Clone(leaves)
		other[at] = tlog.RecordHash([]byte("forged\n"))
		if got, err := evidence.ProvenRoot(size, seqs, other, proof); err == nil && got == root {
			t.Fatal("a forged line is proven")
		}
		if len(proof) > 0 {
			bad := slices.Clone(proof)
			bad[random.IntN(len(bad))][0] ^= 1
			if got, err := evidence.ProvenRoot(size, seqs, leaves, bad); err == nil && got == root {
				t.Fatal("a changed proof holds")
			}
			if _, err := evidence.ProvenRoot(size, seqs, leaves, proof[1:]); err == nil {
				t.Fatal("a short proof holds")
			}
		}
		if _, err := evidence.ProvenRoot(size, seqs, leaves, append(slices.Clone(proof), root)); err == nil {
			t.Fatal("a long proof holds")
		}
	}
}

func FuzzProvenRootTakesAnything(f *testing.F) {
	f.Add(int64(7), []byte{0, 1, 6}, uint8(2))
	f.Add(int64(1)<<47, []byte{3, 9, 200}, uint8(60))
	f.Add(int64(-1), []byte{}, uint8(0))
	f.Fuzz(func(t *testing.T, size int64, places []byte, n uint8) {
		seqs := make([]int64, len(places))
		for i, p := range places {
			seqs[i] = int64(p) * max(1, size>>8)
		}
		root, err := evidence.ProvenRoot(size, seqs, make([]tlog.Hash, len(seqs)), make([]tlog.Hash, n))
		if err != nil && root != (tlog.Hash{}) {
			t.Error("an error comes with a root")
		}
	})
}

func TestCheckpoint(t *testing.T) {
	t.Parallel()
	key, err := evidence.NewLogKey("example.org")
	if err != nil {
		t.Fatal(err)
	}
	again, err := evidence.ParseLogKey(key.Encode() + "\n")
	if err != nil || again.Public() != key.Public() {
		t.Fatalf("the key reads back as %q, not %q: %v", again.Public(), key.Public(), err)
	}
	tree, _, _ := grow(t, 5)
	signed, err := key.Sign(tree.Size, tree.Root())
	if err != nil {
		t.Fatal(err)
	}
	c, err := evidence.OpenCheckpoint(signed, key.Public())
	if err != nil || c.Size != 5 || c.Root != tree.Root() || !strings.HasPrefix(c.Origin, "example.org/custody/") {
		t.Errorf("%+v, %v", c, err)
	}
	if shown := fmt.Sprintf("%v %+v %s", key, key, key); strings.Contains(shown, "PRIVATE") || strings.Contains(shown, key.Encode()[60:]) {
		t.Errorf("the key prints itself: %s", shown)
	}
	other, err := evidence.NewLogKey("example.org")
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"size":         []byte(strings.Replace(string(signed), "\n5\n", "\n6\n", 1)),
		"leading zero": []byte(strings.Replace(string(signed), "\n5\n", "\n05\n", 1)),
		"no signature": []byte(c.Text()),
		"twice signed": append(slices.Clone(signed), signed[strings.LastIndex(string(signed), "\n—")+1:]...),
		"empty":        nil,
	} {
		if _, err := evidence.OpenCheckpoint(bad, key.Public()); err == nil {
			t.Errorf("%s: opens", name)
		}
	}
	if _, err := evidence.OpenCheckpoint(signed, other.Public()); err == nil {
		t.Error("opens with another key")
	}
	if _, err := evidence.NewLogKey("two words"); err == nil {
		t.Error("a domain of two words names a log")
	}
}
