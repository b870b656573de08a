package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/store"
)

// The tree that grew batch by batch is the one of all lines, and a checkpoint of
// any length is a prefix of it; the rows' hashes are checked with the log.
func TestCustodyTreeGrowsWithTheLog(t *testing.T) {
	db, dir := filled(t, 7)
	key, err := evidence.NewLogKey("example.org")
	if err != nil {
		t.Fatal(err)
	}
	var kept []store.SignedCheckpoint
	for i := range 5 {
		c, err := db.Checkpoint(t.Context(), key, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		again, err := db.Checkpoint(t.Context(), key, time.Now().Add(time.Hour))
		if err != nil || !reflect.DeepEqual(again.Signed, c.Signed) {
			t.Fatalf("the same log has two checkpoints (%v)", err)
		}
		kept = append(kept, c)
		for range i + 1 {
			if err := db.Append(t.Context(), evidence.Entry{Action: "recheck", Object: "x", Actor: "analyst:a1"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	entries, err := db.Custody(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var whole evidence.Tree
	for _, e := range entries {
		line, err := e.Line()
		if err != nil {
			t.Fatal(err)
		}
		whole.Add(line)
	}
	grown, err := evidence.ResumeTree(whole.Size, db.Tree(t.Context()))
	if err != nil || grown.Root() != whole.Root() {
		t.Errorf("the stored tree is another than that of the lines: %v", err)
	}
	if n, err := db.VerifyCheckpoints(t.Context(), key.Public(), kept[2].Signed); n != 5 || err != nil {
		t.Errorf("%d checkpoints, %v", n, err)
	}
	other, err := evidence.NewLogKey("example.org")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.VerifyCheckpoints(t.Context(), other.Public()); !errors.Is(err, store.ErrBroken) {
		t.Errorf("another key's checkpoints pass: %v", err)
	}
	forked, err := key.Sign(kept[1].Size, whole.Root())
	if err != nil {
		t.Fatal(err)
	}
	longer, err := key.Sign(whole.Size+1, whole.Root())
	if err != nil {
		t.Fatal(err)
	}
	for name, signed := range map[string][]byte{"of a fork": forked, "of a longer log": longer} {
		if _, err := db.VerifyCheckpoints(t.Context(), key.Public(), signed); !errors.Is(err, store.ErrBroken) {
			t.Errorf("a checkpoint %s passes: %v", name, err)
		}
	}
	meddled := raw(t, dir)
	for _, statement := range []string{`UPDATE checkpoint SET at_ms = 1`, `DELETE FROM checkpoint`, `UPDATE custody SET hashes = 'x'`} {
		if _, err := meddled.Exec(statement); err == nil {
			t.Errorf("%s is not refused", statement)
		}
	}
	withoutGuard(t, dir, "custody", `UPDATE custody SET hashes = replace(hashes, 'a', 'b') WHERE seq = 5`)
	if _, _, err := db.VerifyCustody(t.Context()); !errors.Is(err, store.ErrBroken) {
		t.Errorf("changed hashes pass: %v", err)
	}
}

// Whoever holds the database and not the key rewrites the log whole: chain and
// tree fit, and the checkpoints do not.
func TestARewrittenLogFailsItsCheckpoints(t *testing.T) {
	db, dir := filled(t, 4)
	key, err := evidence.NewLogKey("example.org")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Checkpoint(t.Context(), key, time.Now()); err != nil {
		t.Fatal(err)
	}
	entries, err := db.Custody(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	withoutGuard(t, dir, "custody", `DELETE FROM custody`)
	for _, e := range entries {
		e.Actor = "analyst:nobody"
		if err := db.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := db.VerifyCustody(t.Context()); err != nil {
		t.Errorf("the rewritten log is whole in itself: %v", err)
	}
	if _, err := db.VerifyCheckpoints(t.Context(), key.Public()); !errors.Is(err, store.ErrBroken) {
		t.Errorf("the rewritten log passes: %v", err)
	}
}

// Lines that were written before the tree get their hashes when the schema rises.
func TestOlderLogsGetTheirTree(t *testing.T) {
	dir := t.TempDir()
	older(t, dir, "custody_tree.sql", 2100)
	db := open(t, dir)
	if n, _, err := db.VerifyCustody(t.Context()); n != 2100 || err != nil {
		t.Errorf("%d entries, %v", n, err)
	}
	if err := db.Append(t.Context(), evidence.Entry{Action: "recheck", Object: "x", Actor: "analyst:a1"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.VerifyCustody(t.Context()); err != nil {
		t.Error(err)
	}
}

// An empty database is of no older build, and stays empty.
func TestOpenAsIsOfAnEmptyDatabase(t *testing.T) {
	dir := t.TempDir()
	beside := raw(t, dir)
	if _, err := beside.Exec(`CREATE TABLE migration (number BIGINT PRIMARY KEY, name TEXT NOT NULL, at_ms BIGINT NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), where(dir), store.AsIs); !errors.Is(err, store.ErrEmpty) || errors.Is(err, store.ErrOlderSchema) {
		t.Error(err)
	}
	if _, err := beside.Exec(`CREATE TABLE custody (x BIGINT)`); err != nil {
		t.Errorf("tables were made in it: %v", err)
	}
}

// An older schema stays as it is where that is asked for, until it is opened.
func TestOpenAsIs(t *testing.T) {
	dir := t.TempDir()
	older(t, dir, "custody_tree.sql", 3)
	count := func() (n int) {
		t.Helper()
		if err := raw(t, dir).QueryRow(`SELECT count(*) FROM migration`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := count()
	if _, err := store.Open(t.Context(), where(dir), store.AsIs); !errors.Is(err, store.ErrOlderSchema) || count() != before {
		t.Errorf("%v, %d migrations after %d", err, count(), before)
	}
	if open(t, dir); count() == before {
		t.Error("it was not brought up to date")
	}
	db, err := store.Open(t.Context(), where(dir), store.AsIs)
	if err != nil {
		t.Fatal(err)
	}
	if n, _, err := db.VerifyCustody(t.Context()); n != 3 || err != nil {
		t.Errorf("%d entries, %v", n, err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// older makes a database as it was before a migration, with a log of n entries.
func older(t *testing.T, dir, before string, n int) {
	t.Helper()
	names, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	db := raw(t, dir)
	db.SetMaxOpenConns(1) // one transaction over several statements
	do := func(statement string, args ...any) {
		if _, err := db.Exec(statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	other := ".postgres.sql"
	if os.Getenv(onPostgres) != "" {
		other = ".sqlite.sql"
		do(`CREATE SCHEMA IF NOT EXISTS ` + schema(dir))
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, other) })
	do(`CREATE TABLE migration (number BIGINT PRIMARY KEY, name TEXT NOT NULL, at_ms BIGINT NOT NULL)`)
	number := 0
	for _, name := range names {
		if strings.HasSuffix(name, before) {
			break
		}
		if othersMigration(name) {
			continue
		}
		number++
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		do(string(text))
		do(`INSERT INTO migration (number, name, at_ms) VALUES ($1, $2, 0)`, number, filepath.Base(name))
	}
	prev := evidence.Genesis
	do("BEGIN")
	for seq := range n {
		line, err := evidence.Entry{Seq: int64(seq), Prev: prev, At: time.UnixMilli(1700000000000), Actor: "analyst:a1", Action: "recheck", Object: "x"}.Line()
		if err != nil {
			t.Fatal(err)
		}
		do(`INSERT INTO custody (seq, case_id, object, line) VALUES ($1, '', 'x', $2)`, seq, string(line))
		prev = evidence.Digest(line)
	}
	do("COMMIT")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
