package main

import (
	"bytes"
	"io"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"prahari/evidence"
	"prahari/fixtures/telegram"
	"prahari/store"
)

// terminalText gathers what a program writes to its terminal.
type terminalText struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *terminalText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(p)
}

// waitFor waits until a text was written after a place, and returns the place
// behind it.
func (s *terminalText) waitFor(t *testing.T, text string, after int) int {
	t.Helper()
	for range 3000 {
		s.mu.Lock()
		at := bytes.Index(s.all.Bytes()[after:], []byte(text))
		s.mu.Unlock()
		if at >= 0 {
			return after + at + len(text)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the terminal never showed %q:\n%q", text, s.all.String()[after:])
	return 0
}

// demoWorkspace reads the demo's leaking channel and returns the workspace's folder.
func demoWorkspace(t *testing.T) string {
	t.Helper()
	scene, err := telegram.DemoScene()
	if err != nil {
		t.Fatal(err)
	}
	server, err := telegram.Start(t.Context(), telegram.Config{Scene: scene, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	dir := t.TempDir()
	var said bytes.Buffer
	d := demo{env: env{in: strings.NewReader(""), out: io.Discard, err: &said, getenv: func(string) string { return "" }}, dir: dir, workspace: filepath.Join(dir, "workspace"), dc: server, scene: scene}
	run := func(input string, args ...string) {
		if err := d.prahari(t.Context(), input, args...); err != nil {
			t.Fatalf("%v\n%s", err, said.String())
		}
	}
	run("", "init", "--organisation", "Example", "--email", "desk@example.org", "--demo-identities", filepath.Join(dir, "legal"))
	if err := d.configure(); err != nil {
		t.Fatal(err)
	}
	run(scene.Users[0].Phone+"\n12345\n", "account", "login")
	run("", "source", "add", demoLeaks)
	run("", "watch", "--backfill-only")
	return d.workspace
}

// The real program on a real terminal of 80 by 24, without colour: a person
// confirms, takes it back, and suppresses with a reason.
func TestTriageOnATerminal(t *testing.T) {
	dir := demoWorkspace(t)
	cmd := exec.CommandContext(t.Context(), "prahari", "--workspace", dir, "--operator", "tester", "triage")
	cmd.Env = append(cmd.Environ(), "TERM=xterm", "NO_COLOR=1")
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = terminal.Close() }()
	var s terminalText
	go func() { _, _ = io.Copy(&s, terminal) }() // ends with the terminal
	press := func(keys string) {
		if _, err := terminal.WriteString(keys); err != nil {
			t.Fatal(err)
		}
	}
	at := s.waitFor(t, "undecided", 0)
	press("c")
	at = s.waitFor(t, "1 finding confirmed", at)
	press("u")
	at = s.waitFor(t, "taken back: 1 finding confirmed", at)
	press("jc")
	at = s.waitFor(t, "1 finding confirmed", at)
	press("s")
	at = s.waitFor(t, "because", at)
	press("test data\r")
	s.waitFor(t, "suppressed by S-0001", at)
	press("q")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, s.all.String())
	}
	for _, colour := range []string{"\x1b[31m", "\x1b[33m", "\x1b[7m", "\x1b[1m"} {
		if strings.Contains(s.all.String(), colour) {
			t.Errorf("colour %q with NO_COLOR", colour)
		}
	}
	db, err := store.Open(t.Context(), filepath.Join(dir, "prahari.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	confirmed, err := db.Findings(t.Context(), store.Filter{Decision: evidence.Confirmed})
	if err != nil || len(confirmed) != 1 {
		t.Errorf("%d confirmed, %v", len(confirmed), err)
	}
	listed, err := db.Suppressions(t.Context(), false)
	if err != nil || len(listed) != 1 || listed[0].Reason != "test data" || listed[0].AddedBy != "analyst:tester" {
		t.Errorf("suppressions %v, %v", listed, err)
	}
}
