package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Every place that may hold what is purged is named or given to look at, and an
// interruption is no place that could not be read.
func TestBundlesOfWhatIsPurged(t *testing.T) {
	w := &workspace{dir: filepath.Join(t.TempDir(), "team [a") /* no pattern */}
	put := func(name, content string) {
		t.Helper()
		at := w.path("bundles/" + name)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	views := []expiredView{{ID: "ev-due", State: "due"}, {ID: "ev-held", State: "held"}}
	var none purged
	if err := w.bundlesOf(t.Context(), views, &none); err != nil || none.Bundles != nil || none.Unread != nil {
		t.Errorf("without a folder of bundles: %+v, %v", none, err)
	}
	put("EB-1/data/sealed/raw-ev-due.tar.age", "sealed")
	put("renamed/data/sealed/raw-ev-due.tar.age", "sealed")
	put(".EB-2.partial-1/data/sealed/raw-ev-due.tar.age", "sealed")
	put("EB-3/data/sealed/raw-ev-held.tar.age", "sealed")
	put("EB-4/data/bag.txt", "no original")
	put("notes.txt", "somebody's")
	put("cut.zip", "PK\x03\x04")
	put("elsewhere/bagit.txt", "")
	if err := os.Symlink("/", w.path("bundles/elsewhere/data")); err != nil {
		t.Fatal(err)
	}
	paths := func(names ...string) []string {
		for i := range names {
			names[i] = w.path("bundles/" + names[i])
		}
		return names
	}
	var found purged
	if err := w.bundlesOf(t.Context(), views, &found); err != nil {
		t.Fatal(err)
	}
	if want := paths(".EB-2.partial-1", "EB-1", "renamed"); !slices.Equal(found.Bundles, want) {
		t.Errorf("named %q, not %q", found.Bundles, want)
	}
	if want := paths("cut.zip", "elsewhere"); !slices.Equal(found.Unread, want) {
		t.Errorf("to look at %q, not %q", found.Unread, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stopped purged
	if err := w.bundlesOf(ctx, views, &stopped); !errors.Is(err, context.Canceled) || stopped.Unread != nil {
		t.Errorf("interrupted: %+v, %v", stopped, err)
	}
}
