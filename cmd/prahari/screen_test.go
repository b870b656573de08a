package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/creack/pty"
	"github.com/hinshun/vt10x"

	"prahari/evidence"
	"prahari/fixtures"
	"prahari/fixtures/telegram"
	"prahari/scanner"
)

const screenScene = `
users: [{phone: "+15550100001", first: Ana}]
channels:
  - username: leaks
    title: "Leaks \e[31m"
    messages:
      - {generate: 230}
      - {text: "Name: {{(person 1).Name}}\nMobile: {{(person 1).Mobile}}\nAadhaar: {{(person 1).Aadhaar}}\nVaccine: COVAXIN"}
`

// signedIn makes a workspace in a folder of its own, whose account main is signed
// in at a data centre and which watches @leaks.
func signedIn(t *testing.T) (*telegram.Server, map[string]string) {
	t.Helper()
	scene, err := telegram.ParseScene("test", []byte(screenScene))
	if err != nil {
		t.Fatal(err)
	}
	server, err := telegram.Start(t.Context(), telegram.Config{Scene: scene, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	environ := map[string]string{"PRAHARI_WORKSPACE": filepath.Join(t.TempDir(), "w"), "PRAHARI_OPERATOR": "tester", "TERM": "xterm-256color"}
	do := func(in string, args ...string) {
		t.Helper()
		var errs bytes.Buffer
		e := env{in: strings.NewReader(in), out: io.Discard, err: &errs, getenv: func(n string) string { return environ[n] }}
		if code := run(t.Context(), e, args); code != exitFine {
			t.Fatalf("%v: code %d\n%s", args, code, errs.String())
		}
	}
	do("", "init", "--organisation", "Example", "--email", "desk@example.org", "--demo-identities", "legal"+t.TempDir())
	d := demo{workspace: environ["PRAHARI_WORKSPACE"], dc: server}
	if err := d.configure(); err != nil {
		t.Fatal(err)
	}
	do("+15550100001\n12345\n", "account", "login")
	do("", "source", "add", "@leaks")
	return server, environ
}

// A terminal of 80 by 24 shows in one screen how a watch does, without colour when
// it was asked for none; q ends it, and the terminal is as before.
func TestWatchDrawsOneScreenOnATerminal(t *testing.T) {
	t.Chdir(t.TempDir())
	server, environ := signedIn(t)
	for _, colour := range []bool{true, false} { // in this order: the second watch is not told of what the first one found
		t.Run(map[bool]string{true: "colour", false: "no colour"}[colour], func(t *testing.T) {
			if !colour {
				environ["NO_COLOR"] = "1"
			}
			host, tty, err := pty.Open()
			if err != nil {
				t.Skipf("SKIPPED: no pseudo-terminal on this machine: %v", err)
			}
			defer func() { _ = host.Close(); _ = tty.Close() }()
			if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
				t.Fatal(err)
			}
			// What the program draws is read by a terminal that is not ours.
			terminal := vt10x.New(vt10x.WithSize(80, 24))
			var mu sync.Mutex
			var raw bytes.Buffer
			go func() {
				b := make([]byte, 4096)
				for {
					n, err := host.Read(b)
					if err != nil {
						return
					}
					mu.Lock()
					raw.Write(b[:n])
					_, _ = terminal.Write(b[:n])
					mu.Unlock()
				}
			}()
			screen := func() string {
				mu.Lock()
				defer mu.Unlock()
				return terminal.String()
			}
			until := func(what string) {
				t.Helper()
				for deadline := time.Now().Add(2 * time.Minute); !regexp.MustCompile(what).MatchString(screen()); time.Sleep(20 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatalf("no %q on the screen:\n%s", what, screen())
					}
				}
			}
			e := env{in: tty, out: tty, err: tty, getenv: func(n string) string { return environ[n] }, inTTY: true, outTTY: true, errTTY: true}
			ended := make(chan int, 1)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() { ended <- run(ctx, e, []string{"watch"}) }()
			until(`main +connected +1/1 +\d+`)
			until(`Watching\.`)
			until(`(?m)^q or Ctrl-C ends it`)
			if colour {
				until(`findings *\n.*f-\w+ .*@leaks/231 \((backfill|poll)\)`)
			}
			if got := screen(); !strings.HasPrefix(got, "prahari watch") || strings.Count(got, "\n") > 24 {
				t.Errorf("the screen is\n%s", got)
			}
			for n := range 3 {
				text, err := telegram.Fill(strings.ReplaceAll("Name: {{(person %d).Name}}\nMobile: {{(person %d).Mobile}}\nAadhaar: {{(person %d).Aadhaar}}\nVaccine: COVAXIN", "%d", fmt.Sprint(n+5)))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := server.Post("leaks", telegram.Message{Text: text}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := host.WriteString("q"); err != nil {
				t.Fatal(err)
			}
			select {
			case code := <-ended:
				if code != exitInterrupted {
					t.Errorf("code %d", code)
				}
			case <-time.After(2 * time.Minute):
				t.Fatalf("q did not end it:\n%s", screen())
			}
			until(`what was recorded is kept`)
			mu.Lock()
			defer mu.Unlock()
			all := raw.String()
			if !strings.Contains(all, "\x1b[?1049h") || !strings.Contains(all, "\x1b[?1049l") {
				t.Error("it did not draw on a screen of its own, or did not leave it")
			}
			if painted := regexp.MustCompile(`\x1b\[[0-9;]*3[0-9]m`).MatchString(all); painted && !colour {
				t.Error("it used colours")
			}
			for n := range 10 {
				p := fixtures.MakePerson(n)
				for _, secret := range []string{p.Name, p.Mobile, p.Aadhaar} {
					if strings.Contains(all, secret) {
						t.Errorf("the terminal was shown an identifier of person %d", n)
					}
				}
			}
		})
	}
}

// With --lines, on a dumb terminal and with --json there is no screen.
func TestLinesInsteadOfAScreen(t *testing.T) {
	for name, tc := range map[string]struct {
		term   string
		global *globals
		tty    bool
		want   bool
	}{
		"a terminal": {"xterm", &globals{}, true, true}, "a pipe": {"xterm", &globals{}, false, false}, "dumb": {"dumb", &globals{}, true, false},
		"json": {"xterm", &globals{json: true}, true, false}, "quiet": {"xterm", &globals{quiet: true}, true, false},
	} {
		e := env{inTTY: true, errTTY: true, outTTY: tc.tty, getenv: func(string) string { return tc.term }, global: tc.global, err: os.Stderr}
		if got := e.showsScreen(); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// However small the terminal and however much there is to show, a view fits.
func TestAViewFitsTheTerminal(t *testing.T) {
	s := newScreen(env{})
	s.stats = func() []scanner.Stats {
		var all []scanner.Stats
		for i := range 40 {
			a := scanner.Stats{Account: fmt.Sprintf("account-with-a-long-name-%d", i), Connected: i%2 == 0, Sources: 1000, Messages: map[evidence.Origin]int64{evidence.Live: 1 << 40}}
			a.Waits = []evidence.Wait{{Method: "messages.getHistory", Until: time.Now(), Reason: "FLOOD_WAIT"}}
			all = append(all, a)
		}
		return all
	}
	for i := range 100 {
		s.findings = append(s.findings, strings.Repeat("लीक ", i))
		s.events = append(s.events, strings.Repeat("x", i*3))
	}
	s.done["a"] = [2]int64{5, 10}
	for _, size := range [][2]int{{80, 24}, {40, 10}, {20, 8}, {200, 60}, {10, 3}} {
		v := view{s: s, width: size[0], height: size[1]}
		lines := strings.Split(v.View(), "\n")
		if len(lines) > size[1] {
			t.Errorf("%v: %d lines", size, len(lines))
		}
		for _, line := range lines {
			if w := lipgloss.Width(line); w > size[0] {
				t.Errorf("%v: a line of %d cells", size, w)
			}
		}
		if size[1] >= 8 && !strings.HasPrefix(lines[len(lines)-1], "q or Ctrl-C") {
			t.Errorf("%v: the last line is %q", size, lines[len(lines)-1])
		}
	}
}
