package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A workspace that was given to fixture serve signs in, adds a source and reads
// there; one that reads the real Telegram is left as it is.
func TestFixtureServeConnectsAWorkspace(t *testing.T) {
	t.Chdir(t.TempDir())
	do := func(in string, args ...string) (code int, errs string) {
		var said bytes.Buffer
		e := env{in: strings.NewReader(in), out: io.Discard, err: &said, getenv: func(string) string { return "" }}
		code = run(t.Context(), e, args)
		return code, said.String()
	}
	for _, w := range []string{"practice", "real"} {
		if code, errs := do("", "-w", w, "init", "--organisation", "Example", "--email", "desk@example.org", "--demo-identities", w+"-legal"); code != exitFine {
			t.Fatalf("init: code %d\n%s", code, errs)
		}
	}
	path := filepath.Join("real", configName)
	c, err := readConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	c.Telegram.APIID = 4711
	if err := writeConfig(path, c); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for workspace, say := range map[string]string{"real": "reads from Telegram itself", "nowhere": "prahari init --workspace nowhere"} {
		if code, errs := do("", "fixture", "serve", "--connect", workspace); code != exitFailed || !strings.Contains(errs, say) {
			t.Errorf("--connect %s: code %d\n%s", workspace, code, errs)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the config of the real workspace was changed: %v", err)
	}

	ctx, stop := context.WithCancel(t.Context())
	var served terminalText
	ended := make(chan int)
	go func() {
		ended <- run(ctx, env{in: strings.NewReader(""), out: io.Discard, err: &served, getenv: func(string) string { return "" }}, []string{"fixture", "serve", "--connect", "practice"})
	}()
	served.waitFor(t, "Serving until interrupted", 0)
	for _, step := range []struct{ in, args string }{
		{"+15550100001\n12345\n", "account login"},
		{"", "source add @leak_bazaar_demo"},
		{"", "watch --backfill-only"},
		{"", "finding show latest"},
	} {
		if code, errs := do(step.in, append([]string{"-w", "practice"}, strings.Fields(step.args)...)...); code != exitFine {
			t.Errorf("%s: code %d\n%s", step.args, code, errs)
		}
	}
	stop()
	select {
	case code := <-ended:
		if code != exitFine {
			t.Errorf("serving ended with code %d", code)
		}
	case <-time.After(time.Minute):
		t.Error("serving did not end when interrupted")
	}
}
