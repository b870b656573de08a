package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/fixtures/expect"
	"prahari/fixtures/telegram"
	"prahari/matcher"
	"prahari/store"
)

// A desk is a workspace with two accounts beside a data centre, used from outside:
// every command is a process of its own.
type desk struct {
	t     *testing.T
	dc    *telegram.Server
	dir   string // of the workspace
	legal string // where the identities are that open evidence
	clock string // a file that says how far the machine's clock is off
	small bool   // the workspace is on a disk that can be filled
}

// clocked is prahari on a machine whose clock can be set: a file says by how much
// it is off.
func clocked() {
	e := osEnv()
	e.now = func() time.Time {
		data, _ := os.ReadFile(os.Getenv("PRAHARI_TEST_CLOCK"))
		off, _ := time.ParseDuration(string(data))
		return time.Now().Add(off)
	}
	start(e)
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	scene, err := telegram.ParseScene("soak", []byte(soakScene))
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, dir: filepath.Join(t.TempDir(), "workspace")}
	if d.dc, err = telegram.Start(t.Context(), telegram.Config{Scene: scene, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.dc.Close(); err != nil {
			t.Error(err)
		}
	})
	disk := filepath.Dir(d.dir)
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=768m"); err == nil {
		d.small = true
		t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	}
	d.clock = filepath.Join(t.TempDir(), "clock")
	d.legal = filepath.Join(t.TempDir(), "legal")
	d.run("", "init", "--organisation", "Example", "--email", "desk@example.org", "--demo-identities", d.legal)
	if err := (&demo{workspace: d.dir, dc: d.dc}).configure(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.dir, configName)
	c, err := readConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	c.Watch = watchConfig{PollInterval: duration(100 * time.Millisecond), MaxPollInterval: duration(100 * time.Millisecond), PollsPerMinute: 1200, MaxFloodWait: duration(2 * time.Second)}
	if err := writeConfig(path, c); err != nil {
		t.Fatal(err)
	}
	d.login("main", firstPhone)
	d.login("second", secondPhone)
	join := []string{"--join", "--authorised-by", "B. Counsel", "--reason", "a test of faults"}
	d.run("", append([]string{"source", "add", "@leaks", "--account", "main"}, join...)...)
	d.run("", append([]string{"source", "add", "@chatter", "--account", "second"}, join...)...)
	d.run("", "source", "add", "@news", "--account", "second")
	d.run("", "source", "add", "@lookup_bot", "--account", "main")
	return d
}

func (d *desk) login(account, phone string) {
	d.t.Helper()
	d.run(phone+"\n12345\n", "account", "login", "--account", account)
}

// command is a process of prahari.
func (d *desk) command(args ...string) *exec.Cmd {
	d.t.Helper()
	self, err := os.Executable()
	if err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.Command(self) //nolint:noctx // the test ends it by signals
	cmd.Args = append([]string{"prahari-clocked", "--workspace", d.dir}, args...)
	cmd.Env = append(os.Environ(), "PRAHARI_OPERATOR=tester", "PRAHARI_TEST_CLOCK="+d.clock)
	return cmd
}

// run runs a command that must succeed.
func (d *desk) run(input string, args ...string) {
	d.t.Helper()
	if code, said := d.try(input, args...); code != exitFine {
		d.t.Fatalf("prahari %s: exit code %d: %s", strings.Join(args, " "), code, said)
	}
}

func (d *desk) try(input string, args ...string) (code int, said string) {
	d.t.Helper()
	cmd := d.command(args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		d.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// A watching is a running prahari watch.
type watching struct {
	cmd   *exec.Cmd
	ended chan struct{}

	mu   sync.Mutex
	said bytes.Buffer
}

func (w *watching) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.Write(p)
}

func (w *watching) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.String()
}

func (d *desk) watch() *watching {
	d.t.Helper()
	w := &watching{cmd: d.command("watch", "--json"), ended: make(chan struct{})}
	w.cmd.Stderr, w.cmd.Stdout = w, io.Discard
	if err := w.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		defer close(w.ended)
		_ = w.cmd.Wait() // the state says all
	}()
	d.t.Cleanup(func() {
		_ = w.cmd.Process.Kill()
		<-w.ended
	})
	return w
}

// says waits until the watch says something, once or as often as given.
func (d *desk) says(w *watching, what string, times ...int) {
	d.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); strings.Count(w.text(), what) < max(1, append(times, 0)[0]); time.Sleep(20 * time.Millisecond) {
		select {
		case <-w.ended:
			d.t.Fatalf("the watch ended with %d before it said %q: %s", w.cmd.ProcessState.ExitCode(), what, w.text())
		default:
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("the watch never said %q: %s", what, w.text())
		}
	}
}

// terminate sends SIGTERM: what was seen is kept, within five seconds.
func (d *desk) terminate(w *watching) {
	d.t.Helper()
	d.signal(w)
	if code := w.cmd.ProcessState.ExitCode(); code != exitInterrupted {
		d.t.Errorf("exit code %d after SIGTERM, want %d: %s", code, exitInterrupted, w.text())
	}
}

func (d *desk) signal(w *watching) {
	d.t.Helper()
	began := time.Now()
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		d.t.Error(err)
	}
	select {
	case <-w.ended:
	case <-d.busy(w, 5*time.Second):
		_ = w.cmd.Process.Signal(syscall.SIGQUIT) // it says where it hangs
		<-w.ended
		d.t.Errorf("SIGTERM did not end the watch in %s: %s", time.Since(began), w.text())
	}
}

// busy is closed when a watch has taken longer than it may, but for the time that
// its threads waited for a processor: other programs of the machine took that.
func (d *desk) busy(w *watching, limit time.Duration) <-chan struct{} {
	waited := func() map[string]time.Duration { // by thread
		all := map[string]time.Duration{}
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", w.cmd.Process.Pid))
		for _, task := range tasks {
			data, _ := os.ReadFile(task)
			if fields := strings.Fields(string(data)); len(fields) == 3 {
				n, _ := strconv.ParseInt(fields[1], 10, 64)
				all[task] = time.Duration(n)
			}
		}
		return all
	}
	began, before, over := time.Now(), waited(), make(chan struct{})
	go func() {
		defer close(over)
		for most := time.Duration(0); time.Since(began)-most < limit; time.Sleep(50 * time.Millisecond) {
			for task, n := range waited() {
				most = max(most, n-before[task])
			}
		}
	}()
	return over
}

// compare holds the workspace against the data centre.
func (d *desk) compare(ctx context.Context) (expect.Result, error) {
	db, err := store.Open(ctx, filepath.Join(d.dir, databaseName))
	if err != nil {
		return expect.Result{}, err
	}
	defer func() { _ = db.Close() }()
	key, err := (&workspace{dir: d.dir}).tokenKey(ctx)
	if err != nil {
		return expect.Result{}, err
	}
	finder, err := matcher.New(matcher.Config{})
	if err != nil {
		return expect.Result{}, err
	}
	sources, err := db.Sources(ctx)
	if err != nil {
		return expect.Result{}, err
	}
	if _, _, err := db.VerifyCustody(ctx); err != nil {
		return expect.Result{}, err
	}
	return expect.Check{DC: d.dc, DB: db, Key: key, Finder: finder, Phone: firstPhone}.Compare(ctx, sources...)
}

// files opens the evidence of findings with files, and holds each file against the
// data centre's. One that is not there must have its reason.
func (d *desk) files() (sealed, excused int) {
	d.t.Helper()
	ctx := d.t.Context()
	db, err := store.Open(ctx, filepath.Join(d.dir, databaseName))
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	keys, err := filepath.Glob(filepath.Join(d.legal, "*"))
	if err != nil || len(keys) == 0 {
		d.t.Fatalf("identities %v, %v", keys, err)
	}
	identity, err := os.ReadFile(keys[0])
	if err != nil {
		d.t.Fatal(err)
	}
	for _, name := range []string{"leaks", "chatter", "news"} {
		source, err := db.Source(ctx, name)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, change := range d.dc.Changes(name) {
			if change.FileID == 0 || change.Deleted {
				continue
			}
			versions, err := db.Versions(ctx, source.ID, int64(change.ID))
			if err != nil {
				d.t.Fatal(err)
			}
			for _, e := range versions {
				if len(e.Collection.Media) == 0 && len(e.Findings) > 0 {
					d.t.Errorf("%s/%d: nothing tells of its file", name, change.ID)
				}
				for _, m := range e.Collection.Media {
					switch {
					case m.ID != strconv.FormatInt(change.FileID, 10) || len(e.Findings) == 0:
					case m.File == "" && m.NotKept == "":
						d.t.Errorf("%s/%d: its file is not there, and nothing says why", name, change.ID)
					case m.File == "":
						excused++
					case !bytes.Equal(d.underSeal(db, e.ID, m.File, identity), d.dc.File(change.FileID)):
						d.t.Errorf("%s/%d: the file under the seal is not the data centre's", name, change.ID)
					default:
						sealed++
					}
				}
			}
		}
	}
	return sealed, excused
}

// underSeal is a file of a piece of evidence.
func (d *desk) underSeal(db *store.DB, id, name string, identity []byte) []byte {
	d.t.Helper()
	data, err := db.Sealed(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	opened, err := evidence.Open(bytes.NewReader(data), bytes.NewReader(identity))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, f := range opened.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

// agree waits until nothing is lost, doubled or off the ledger.
func (d *desk) agree(within time.Duration) expect.Result {
	d.t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(500 * time.Millisecond) {
		r, err := d.compare(d.t.Context())
		if err != nil && !errors.Is(err, store.ErrLocked) {
			d.t.Fatal(err)
		}
		if err == nil && len(r.Wrong) == 0 {
			return r
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%d are wrong after %s:\n%s\n%s", len(r.Wrong), within, strings.Join(kinds(r.Wrong), "\n"), d.ledger())
		}
	}
}

var number = regexp.MustCompile(`[0-9a-f]{3,}|[0-9]+`)

// kinds tells how often each thing is wrong, with the first and the last of them.
func kinds(wrong []string) []string {
	byKind := map[string][]string{}
	for _, w := range wrong {
		kind := number.ReplaceAllString(w, "#")
		byKind[kind] = append(byKind[kind], w)
	}
	var out []string
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		all := byKind[kind]
		out = append(out, fmt.Sprintf("%d× %s\n\t%s\n\t%s", len(all), kind, all[0], all[len(all)-1]))
	}
	return out
}

// ledger is what the workspace says of its sources.
func (d *desk) ledger() string {
	_, sources := d.try("", "source", "list", "--json")
	_, covered := d.try("", "source", "coverage", "--json")
	return sources + covered
}

func leakOf(t *testing.T, n int) string {
	t.Helper()
	text, err := telegram.Fill(strings.ReplaceAll("Name: {{(person %d).Name}}\nMobile: {{(person %d).Mobile}}\nAadhaar: {{spaced (person %d).Aadhaar}}\nVaccine: COVAXIN", "%d", strconv.Itoa(n)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
