package bundle_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"prahari/bundle"
	"prahari/evidence"
	"prahari/fixtures/demotsa"
	"prahari/tsa"
)

const stampsStep = "time stamps of the log"

// stampLog has the log stamped at these sizes by an authority.
func (r *rig) stampLog(t *testing.T, name string, sizes ...int64) {
	t.Helper()
	a := startTSA(t, demotsa.Config{}).Authority(name)
	key, err := evidence.ParseLogKey(logKey)
	must(t, err)
	for _, size := range sizes {
		tree, err := evidence.ResumeTree(size, r.in.Log.Tree)
		must(t, err)
		signed, err := key.Sign(size, tree.Root())
		must(t, err)
		got, err := (&tsa.Client{}).Stamp(t.Context(), a, signed)
		must(t, err)
		r.in.Log.Stamps = append(r.in.Log.Stamps, bundle.LogStamp{Authority: name, Checkpoint: signed, Query: got.Query, Response: got.Response, Roots: a.Roots})
	}
}

// Of the stamps that were made while evidence was collected, a bundle has those
// that first cover a line of its chain, and openssl checks them.
func TestBundleHasTheStampsOfTheLog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.stampLog(t, "first", 20, 41, 42, 47) // 20: before the case; 42: no line more than 41
	r.stampLog(t, "second", 47)
	dir := r.build(t)
	var got []string
	for name := range files(t, dir) {
		if rest, ok := strings.CutPrefix(name, "data/custody/stamps/"); ok {
			got = append(got, rest)
		}
	}
	slices.Sort(got)
	want := []string{
		"41.checkpoint", "41.consistency.txt", "41.first.ca.pem", "41.first.tsq", "41.first.tsr",
		"47.checkpoint", "47.consistency.txt", "47.first.ca.pem", "47.first.tsq", "47.first.tsr", "47.second.ca.pem", "47.second.tsq", "47.second.tsr",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	report, err := bundle.Verify(t.Context(), dir, bundle.Options{})
	if err != nil || len(report.LogStamps) != 3 || report.LogStamps[0].Lines != 1 || report.LogStamps[0].Entries != 41 || !report.LogStamps[2].Demo {
		t.Errorf("%+v, %v", report.LogStamps, err)
	}
	if text := read(t, dir, "data/custody/custody.txt"); !strings.Contains(text, "The first 1 lines were in the workspace's log at 20") || !strings.Contains(text, "(embedded demo authority: proves no time): stamps/47.second.tsr") {
		t.Errorf("%s", text)
	}
	stamps := filepath.Join(dir, "data/custody/stamps")
	openssl(t, stamps, "ts", "-verify", "-data", "47.checkpoint", "-in", "47.second.tsr", "-CAfile", "47.second.ca.pem")
	openssl(t, stamps, "ts", "-verify", "-queryfile", "41.first.tsq", "-in", "41.first.tsr", "-CAfile", "41.first.ca.pem")
	if out, code := run(t, "/", "", "sh", script(t, dir), dir); code != 0 {
		t.Errorf("verify.sh: exit %d\n%s", code, out)
	}
	// A root from outside is the one that counts.
	if _, err := bundle.Verify(t.Context(), dir, bundle.Options{TSARoots: []byte(read(t, dir, "data/custody/stamps/47.second.ca.pem"))}); !errors.Is(err, bundle.ErrBroken) {
		t.Errorf("another authority's root: %v", err)
	}
}

// A platform's bundle has no log, and none of its stamps.
func TestStampsOfTheLogGoWithTheLog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.stampLog(t, "first", 47)
	r.in.Profile = bundle.ForPlatform
	dir := r.build(t)
	if report, err := bundle.Verify(t.Context(), dir, bundle.Options{}); err != nil || len(report.LogStamps) != 0 {
		t.Errorf("%+v, %v", report.LogStamps, err)
	}
	for name := range files(t, dir) {
		if strings.HasPrefix(name, "data/custody/") {
			t.Errorf("it has %s", name)
		}
	}
}

func TestDamagedStampsOfTheLogAreFound(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.stampLog(t, "first", 41, 47)
	whole := r.build(t)
	const at = "data/custody/stamps/"
	for name, do := range map[string]func(t *testing.T, dir string){
		"stamp of another checkpoint": func(t *testing.T, d string) { write(t, d, at+"41.first.tsr", read(t, d, at+"47.first.tsr")) },
		"question of another":         func(t *testing.T, d string) { write(t, d, at+"41.first.tsq", read(t, d, at+"47.first.tsq")) },
		"no question":                 func(t *testing.T, d string) { remove(t, d, at+"41.first.tsq") },
		"no roots":                    func(t *testing.T, d string) { remove(t, d, at+"41.first.ca.pem") },
		"no checkpoint":               func(t *testing.T, d string) { remove(t, d, at+"41.checkpoint") },
		"no stamp":                    func(t *testing.T, d string) { remove(t, d, at+"41.first.tsr") },
		"checkpoint of another size":  func(t *testing.T, d string) { write(t, d, at+"41.checkpoint", read(t, d, at+"47.checkpoint")) },
		"no consistency":              func(t *testing.T, d string) { write(t, d, at+"41.consistency.txt", "") },
		"consistency of another": func(t *testing.T, d string) {
			write(t, d, at+"41.consistency.txt", read(t, d, at+"47.consistency.txt"))
		},
		"another file": func(t *testing.T, d string) { write(t, d, at+"41.first.txt", "x") },
		"checkpoint of a fork": func(t *testing.T, d string) {
			key, err := evidence.ParseLogKey(logKey)
			must(t, err)
			var tree evidence.Tree
			for range 41 {
				tree.Add([]byte("forged\n"))
			}
			signed, err := key.Sign(41, tree.Root())
			must(t, err)
			write(t, d, at+"41.checkpoint", string(signed))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := clone(t, whole)
			do(t, dir)
			reseal(t, dir, r.keyFile, "")
			report, err := bundle.Verify(t.Context(), dir, bundle.Options{})
			if !errors.Is(err, bundle.ErrBroken) || !failedIn(report, stampsStep) {
				t.Errorf("%v: %v", err, report.Problems())
			}
		})
	}
}

// A stamp that does not fit stops an export: a bundle says only what verifies.
func TestBrokenStampsAreNotExported(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(*bundle.LogStamp){
		"response":   func(s *bundle.LogStamp) { s.Response = s.Response[:100] },
		"roots":      func(s *bundle.LogStamp) { s.Roots = nil },
		"checkpoint": func(s *bundle.LogStamp) { s.Checkpoint = []byte("x") },
	} {
		r := newRig(t)
		r.stampLog(t, "first", 47)
		damage(&r.in.Log.Stamps[0])
		if _, err := bundle.Build(t.Context(), t.TempDir(), r.in); err == nil {
			t.Errorf("%s: a bundle was made", name)
		}
	}
}
