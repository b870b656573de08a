package bundle_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The open files of a bundle, as readers see them. Random numbers are fixed, so
// every digest in them is the same each time. Not parallel: all of the program
// draws from the fixed numbers.
func TestGoldenFiles(t *testing.T) {
	fixRandom(t)
	r := newRig(t)
	got := files(t, r.build(t))
	golden := filepath.Join("testdata", "bundle")
	skip := func(name string) bool {
		return strings.HasSuffix(name, ".age") || strings.HasSuffix(name, ".pdf") || name == "verify.sh"
	}
	if *update {
		must(t, os.RemoveAll(golden))
		for name, content := range got {
			if !skip(name) {
				write(t, golden, name, content)
			}
		}
	}
	want := files(t, golden)
	if len(want) == 0 {
		t.Fatal("there are no golden files: run with -update")
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s changed: run 'go test ./bundle -update' and review the difference\n%s", name, firstDifference(got[name], want[name]))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok && !skip(name) {
			t.Errorf("%s is new: run with -update", name)
		}
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "got  " + g[i] + "\nwant " + w[i]
		}
	}
	return "one is longer"
}
