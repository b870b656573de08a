package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"prahari/store"
)

// 'recheck --watch' looks at what is due, goes on, and ends when it is told to.
func TestRecheckWatches(t *testing.T) {
	dir := demoWorkspace(t)
	prahari := func(ctx context.Context, args ...string) (int, string) {
		var out, errs bytes.Buffer
		e := env{in: strings.NewReader(""), out: &out, err: &errs, getenv: func(string) string { return "" }}
		code := run(ctx, e, append([]string{"--workspace", dir, "--operator", "tester"}, args...))
		return code, out.String() + errs.String()
	}
	for _, args := range [][]string{{"case", "open", "--title", "Leaks", "--source", demoLeaks}, {"case", "confirm", "1"}} {
		if code, said := prahari(t.Context(), args...); code != exitFine {
			t.Fatal(code, said)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	type end struct {
		code int
		said string
	}
	ended := make(chan end, 1)
	go func() {
		code, said := prahari(ctx, "recheck", "--watch")
		ended <- end{code, said}
	}()
	db, err := store.Open(t.Context(), filepath.Join(dir, "prahari.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	seen := false
	for range 600 {
		targets, err := db.Targets(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if seen = len(targets) > 1 && !targets[0].LastAt.IsZero(); seen {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	if e := <-ended; !seen || e.code != exitInterrupted || !strings.Contains(e.said, "live") {
		t.Errorf("looked %t, code %d: %s", seen, e.code, e.said)
	}
}
