package store_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"prahari/evidence"
	"prahari/fixtures/postgres"
	"prahari/fixtures/powercut"
	"prahari/store"
)

// An order is what the writer in a process of its own does.
type order struct {
	Dir      string
	Plan     powercut.Plan // of the disk, where it is one
	Commits  int           // 0: until it is killed
	MaxBytes uint64        // no file may grow beyond; 0: as it may
	Careless bool          // without syncs: what the store does not do
}

// write commits batches of five: evidence, state and range of a batch carry the
// same numbers. After each it says the number, so that others know what was
// promised.
func write(orders string) {
	var o order
	err := json.Unmarshal([]byte(orders), &o)
	if err == nil && o.Plan != (powercut.Plan{}) {
		err = powercut.Install(o.Plan)
	}
	if err == nil && o.MaxBytes > 0 {
		signal.Ignore(unix.SIGXFSZ) // an error of the write, then
		err = unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: o.MaxBytes, Max: o.MaxBytes})
	}
	if err == nil && o.Careless {
		err = writeCareless(o.Dir)
	}
	if err == nil {
		err = o.write(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (o order) write(ctx context.Context) error {
	db, err := store.Open(ctx, where(o.Dir))
	if err != nil {
		return err
	}
	fmt.Println(0) // ready
	for tried := 0; o.Commits == 0 || tried < o.Commits; tried++ {
		s, _, _, err := db.UpdateState(ctx, "main")
		if err != nil {
			return err
		}
		n := s.Pts + 1
		if _, err := db.Commit(ctx, batch(n, n+1, n+2, n+3, n+4)); err != nil {
			if o.Commits == 0 {
				return err
			}
			continue // and so the same batch again
		}
		fmt.Println(n + 4)
	}
	return nil
}

func writeCareless(dir string) error {
	db, err := sql.Open("sqlite3", filepath.Join(dir, "careless.db")+"?_journal_mode=WAL&_synchronous=OFF")
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		if _, err := db.Exec(`INSERT INTO t (n) VALUES ($1)`, n); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// A writer is that process, and what it has promised.
type writer struct {
	cmd      *exec.Cmd
	says     *bufio.Scanner
	err      bytes.Buffer
	promised int
}

func startWriter(t *testing.T, o order) *writer {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{cmd: exec.CommandContext(t.Context(), os.Args[0])}
	w.cmd.Env, w.cmd.Stderr = append(os.Environ(), "PRAHARI_TEST_WRITER="+string(text)), &w.err
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.says = bufio.NewScanner(out)
	return w
}

// hear takes the next promise; false at the end.
func (w *writer) hear(t *testing.T) bool {
	t.Helper()
	if !w.says.Scan() {
		return false
	}
	n, err := strconv.Atoi(w.says.Text())
	if err != nil {
		t.Fatalf("the writer says %q", w.says.Text())
	}
	w.promised = n
	return true
}

// end hears the rest and returns the exit code.
func (w *writer) end(t *testing.T) int {
	t.Helper()
	for w.hear(t) {
	}
	var exit *exec.ExitError
	if err := w.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return w.cmd.ProcessState.ExitCode()
}

// whole checks that a database holds whole batches, all that were promised, with
// an unbroken log, and that it goes on; it returns how many pieces it holds.
func whole(t *testing.T, dir string, promised int) int {
	t.Helper()
	ctx := t.Context()
	db, err := store.Open(ctx, where(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	s, _, _, err := db.UpdateState(ctx, "main")
	if err != nil {
		t.Fatal(err)
	}
	counts, err := db.Counts(ctx, source.ID)
	if err != nil || counts.Evidence != int64(s.Pts) || counts.Findings != int64(s.Pts) || s.Pts%5 != 0 {
		t.Fatalf("state %d, %+v, %v", s.Pts, counts, err)
	}
	if s.Pts < promised {
		t.Fatalf("state %d, and %d were promised", s.Pts, promised)
	}
	observed, err := db.Coverage(ctx, source.ID)
	if err != nil || s.Pts > 0 && (len(observed) != 1 || observed[0].Range != (evidence.Range{Lo: 1, Hi: int64(s.Pts)})) {
		t.Fatalf("observed %+v, state %d, %v", observed, s.Pts, err)
	}
	if entries, _, err := db.VerifyCustody(ctx); err != nil || entries != int64(1+2*s.Pts) {
		t.Fatalf("%d entries of custody for %d pieces, %v", entries, s.Pts, err)
	}
	if err := db.Integrity(ctx); err != nil {
		t.Fatal(err)
	}
	return s.Pts
}

// fresh makes a database with a source and nothing else, and closes it: what
// opens it next recovers what a killed process left.
func fresh(t *testing.T) string {
	t.Helper()
	db, dir := filled(t, 0)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Killed at any moment, 500 times: whole batches, and all that were promised.
func TestAKilledWriterLeavesWholeBatches(t *testing.T) {
	kills, held := 500, 0
	if testing.Short() || os.Getenv(onPostgres) != "" { // there the server lives on: what is shown is its own rollback
		kills = 50
	}
	dir := ""
	for i := range kills {
		if i%25 == 0 { // a short log is checked quickly
			dir = fresh(t)
		}
		w := startWriter(t, order{Dir: dir})
		for range 1 + rand.IntN(3) {
			if !w.hear(t) {
				t.Fatalf("the writer ended: %s", w.err.String())
			}
		}
		time.Sleep(rand.N(8 * time.Millisecond)) // anywhere in a commit
		if err := w.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		w.end(t)
		held = max(held, whole(t, dir, w.promised))
	}
	if held < 25 {
		t.Errorf("%d pieces at the most: the writers hardly wrote", held)
	}
}

// The server crashes in the midst of writes and recovers from its own log: whole
// batches, and all that were promised, whatever its settings of commits are.
func TestACrashedServerLeavesWholeBatches(t *testing.T) {
	if os.Getenv(onPostgres) == "" {
		t.Skip("PostgreSQL only")
	}
	server, err := postgres.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := server.Run(t.Context(), "postgres", "ALTER SYSTEM SET synchronous_commit = off; SELECT pg_reload_conf()"); err != nil {
		t.Fatal(err)
	}
	t.Setenv(onPostgres, server.URL("postgres", true))
	dir := fresh(t)
	for range 8 {
		w := startWriter(t, order{Dir: dir})
		for range 3 + rand.IntN(5) {
			if !w.hear(t) {
				t.Fatalf("the writer ended: %s", w.err.String())
			}
		}
		if err := server.Crash(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.end(t)
		whole(t, dir, w.promised)
	}
}

// Power goes at any write: what was not synced is lost or torn, and what was
// promised is there.
func TestAPowerCutLeavesWholeBatches(t *testing.T) {
	sqliteOnly(t, "PostgreSQL's own files are its own matter")
	cuts := 100
	if testing.Short() {
		cuts = 10
	}
	held := 0
	for i := range cuts {
		seed := rand.Uint32()
		dir := fresh(t)
		w := startWriter(t, order{Dir: dir, Plan: powercut.Plan{Seed: seed, Cut: 1 + rand.IntN(3000)}})
		if code := w.end(t); code != powercut.ExitCode {
			t.Fatalf("cut %d: the writer ended with %d: %s", i, code, w.err.String())
		}
		held = max(held, whole(t, dir, w.promised))
	}
	if held < 25 {
		t.Errorf("%d pieces at the most: the writers hardly wrote", held)
	}
}

// The disk of these tests does lose what was not synced: a writer that does not
// sync breaks its promises.
func TestAPowerCutIsOne(t *testing.T) {
	sqliteOnly(t, "PostgreSQL's own files are its own matter")
	for range 20 {
		dir := t.TempDir()
		db, err := sql.Open("sqlite3", filepath.Join(dir, "careless.db")+"?_journal_mode=WAL")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(`CREATE TABLE t (n BIGINT)`); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		w := startWriter(t, order{Dir: dir, Careless: true, Plan: powercut.Plan{Seed: rand.Uint32(), Cut: 100}})
		w.end(t)
		if db, err = sql.Open("sqlite3", filepath.Join(dir, "careless.db")); err != nil {
			t.Fatal(err)
		}
		var n int
		err = db.QueryRow(`SELECT count(*) FROM t`).Scan(&n)
		_ = db.Close()
		if err != nil || n < w.promised {
			return
		}
	}
	t.Error("nothing was ever lost: the tests above show nothing")
}

// Writes and syncs fail at random, for a broken disk and for a full one.
func TestFailedWritesLeaveWholeBatches(t *testing.T) {
	sqliteOnly(t, "PostgreSQL's own files are its own matter")
	rounds := 60
	if testing.Short() {
		rounds = 6
	}
	held := 0
	for i := range rounds {
		dir := fresh(t)
		plan := powercut.Plan{Seed: rand.Uint32(), FailEvery: 10 + rand.IntN(200), Full: i%2 == 0}
		w := startWriter(t, order{Dir: dir, Commits: 40, Plan: plan})
		if code := w.end(t); code > 1 {
			t.Fatalf("%+v: the writer ended with %d: %s", plan, code, w.err.String())
		}
		held = max(held, whole(t, dir, w.promised))
	}
	if held < 25 {
		t.Errorf("%d pieces at the most: the writers hardly wrote", held)
	}
}

// No file may grow: the system's own error, with its sentence, and nothing half.
func TestAFullDiskLeavesWholeBatches(t *testing.T) {
	sqliteOnly(t, "PostgreSQL's own files are its own matter")
	for _, kib := range []uint64{200, 333, 512, 777, 1024} {
		dir := fresh(t)
		w := startWriter(t, order{Dir: dir, MaxBytes: kib << 10})
		if code := w.end(t); code != 1 || w.err.Len() == 0 {
			t.Fatalf("%d KiB: the writer ended with %d", kib, code)
		}
		whole(t, dir, w.promised)
	}
}
