package store_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/store"
)

func TestAPasswordInAURLIsSeen(t *testing.T) {
	for where, want := range map[string]bool{
		"postgres://u@h/d":                           false,
		"postgres://h/d?host=/run/p&sslmode=disable": false,
		"postgres://u:p@h/d":                         true,
		"postgres://u:@h/d":                          true,
		"postgresql://h/d?password=p":                true,
		"postgres://h/d?sslpassword=p":               true,
		"postgres://u:p%zz@h/d":                      true, // no URL: on the safe side
	} {
		if got := store.HasPassword(where); got != want {
			t.Errorf("%s: %v", where, got)
		}
	}
}

func TestOpenNeverSaysThePassword(t *testing.T) {
	for _, where := range []string{
		"postgres://u:geheim@%zz/d", "postgres://u:geheim@h:no-port/d", "postgres://u:geheim@127.0.0.1:1/d?sslmode=nonsense",
		"postgres://u:geheim@127.0.0.1:1/d?connect_timeout=2", "postgres://u:geheim@/d?host=/nonexistent",
	} {
		_, err := store.Open(t.Context(), where)
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v", err)
		}
	}
}

// Who writes to the log without waiting for a turn takes the number that we were
// about to take: ours is written again, after it.
func TestANumberTakenByAStrangerIsNotOurs(t *testing.T) {
	if os.Getenv(onPostgres) == "" {
		t.Skip("PostgreSQL only: SQLite lets one writer in at a time, strangers too")
	}
	db, dir := filled(t, 1)
	log, err := db.Custody(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	last, err := log[len(log)-1].Line()
	if err != nil {
		t.Fatal(err)
	}
	line, err := evidence.Entry{Seq: int64(len(log)), Prev: evidence.Digest(last), At: time.Now(), Actor: "stranger", Action: "note", Object: "x"}.Line()
	if err != nil {
		t.Fatal(err)
	}
	var tree evidence.Tree
	for _, e := range log {
		before, err := e.Line()
		if err != nil {
			t.Fatal(err)
		}
		tree.Add(before)
	}
	var hashes strings.Builder
	for _, h := range tree.Add(line) {
		fmt.Fprintf(&hashes, "%x", h[:])
	}
	stranger, err := raw(t, dir).Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Exec(`INSERT INTO custody (seq, case_id, object, line, hashes) VALUES ($1, '', 'x', $2, $3)`, len(log), string(line), hashes.String()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- db.Append(t.Context(), evidence.Entry{Action: "note", Object: "ours", Actor: "a"}) }()
	look := raw(t, dir)
	for waiting := 0; waiting == 0; time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-done:
			t.Fatalf("it did not wait for the stranger: %v", err)
		default:
		}
		if err := look.QueryRow(`SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%custody%' AND application_name = 'prahari'`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	if err := stranger.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	after, err := db.Custody(t.Context(), int64(len(log)))
	if err != nil || len(after) != 2 || after[0].Object != "x" || after[1].Object != "ours" || after[1].Prev != evidence.Digest(line) {
		t.Errorf("%+v, %v", after, err)
	}
	if _, _, err := db.VerifyCustody(t.Context()); err != nil {
		t.Error(err)
	}
}

// What a hostile text may hold is kept by both engines alike.
func TestNothingThatASourceSaysBreaksARow(t *testing.T) {
	db, _ := filled(t, 1)
	c, err := db.OpenCase(t.Context(), evidence.Case{Title: evidence.Caption("a\x00b\xff'; DROP TABLE custody; --\U0001F600", 120), OpenedAt: time.Now(), OpenedBy: "analyst:a1"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := db.Case(t.Context(), c.ID)
	if err != nil || again.Title != c.Title {
		t.Errorf("%q became %q, %v", c.Title, again.Title, err)
	}
}
