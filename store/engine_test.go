package store_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/mattn/go-sqlite3"

	"prahari/evidence"
	"prahari/fixtures/postgres"
	"prahari/store"
)

// onPostgres names the environment variable with the server's URL: where it is
// set, the same tests run on PostgreSQL.
const onPostgres = "PRAHARI_TEST_POSTGRES"

// TestMain runs the tests that were asked for twice: on SQLite, and in a second
// process on a PostgreSQL of its own.
func TestMain(m *testing.M) {
	if orders := os.Getenv("PRAHARI_TEST_WRITER"); orders != "" {
		write(orders)
	}
	code := m.Run()
	if code == 0 && os.Getenv(onPostgres) == "" && !otherwiseBusy() {
		code = again()
	}
	os.Exit(code)
}

// otherwiseBusy says that no tests were run: benchmarks, fuzzing or a list were asked for.
func otherwiseBusy() bool {
	return os.Getenv("BENCH_VAULT") != "" || slices.ContainsFunc([]string{"test.bench", "test.fuzz", "test.list"}, func(name string) bool { return flag.Lookup(name).Value.String() != "" })
}

func again() int {
	ctx := context.Background()
	server, err := postgres.Start(ctx)
	if errors.Is(err, postgres.ErrNotInstalled) {
		fmt.Println("SKIPPED: the tests on PostgreSQL:", err)
		return 0
	}
	if err != nil {
		fmt.Println("FAIL: no PostgreSQL to test on:", err)
		return 1
	}
	fmt.Println("the same tests on", server.Version)
	args := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(arg string) bool {
		return strings.HasPrefix(arg, "-test.testlogfile") || strings.HasPrefix(arg, "-test.coverprofile") || strings.HasPrefix(arg, "-test.gocoverdir")
	})
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), onPostgres+"="+server.URL("postgres", true))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := errors.Join(cmd.Run(), server.Close()); err != nil {
		fmt.Println("FAIL: on PostgreSQL:", err)
		return 1
	}
	return 0
}

// sqliteOnly ends a test that is about SQLite's file when it runs on PostgreSQL.
func sqliteOnly(t testing.TB, why string) {
	if os.Getenv(onPostgres) != "" {
		t.Skip("SQLite only:", why)
	}
}

// where names the database that goes with a folder: the file in it, or a schema
// of the server.
func where(dir string) string {
	server := os.Getenv(onPostgres)
	if server == "" {
		return filepath.Join(dir, "prahari.db")
	}
	u, err := url.Parse(server)
	if err != nil {
		panic(err)
	}
	q := u.Query()
	q.Set("search_path", schema(dir))
	u.RawQuery = q.Encode()
	return u.String()
}

func schema(dir string) string { return "t_" + evidence.Digest([]byte(dir))[:16] }

func open(t testing.TB, dir string) *store.DB {
	t.Helper()
	raw(t, dir) // makes the schema
	db, err := store.Open(t.Context(), where(dir), store.Create)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// raw opens the database beside the package, to look and to meddle.
func raw(t testing.TB, dir string) *sql.DB {
	t.Helper()
	driver := "sqlite3"
	if os.Getenv(onPostgres) != "" {
		driver = "pgx"
	}
	db, err := sql.Open(driver, where(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if driver == "pgx" {
		if _, err := db.Exec(`CREATE SCHEMA IF NOT EXISTS ` + schema(dir)); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// othersMigration says that a migration is the other engine's.
func othersMigration(name string) bool {
	if os.Getenv(onPostgres) != "" {
		return strings.HasSuffix(name, ".sqlite.sql")
	}
	return strings.HasSuffix(name, ".postgres.sql")
}

// withoutGuard runs a statement that the triggers on a table would refuse.
func withoutGuard(t testing.TB, dir, table, statement string) {
	t.Helper()
	db := raw(t, dir)
	drop := []string{`DROP TRIGGER IF EXISTS ` + table + `_update`, `DROP TRIGGER IF EXISTS ` + table + `_delete`}
	if os.Getenv(onPostgres) != "" {
		drop = []string{`ALTER TABLE ` + table + ` DISABLE TRIGGER USER`}
	}
	for _, s := range append(drop, statement) {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}
