// Package store keeps records at rest: SQL, and nothing that is plaintext.
// Statements stay inside the subset that SQLite and PostgreSQL share.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-sqlite3"
	"golang.org/x/sys/unix"
)

// What callers act on.
var (
	ErrNotFound    = errors.New("not there")
	ErrNewerSchema = errors.New("the database was made by a newer prahari")
	ErrLocked      = errors.New("the workspace is locked")
	ErrBroken      = errors.New("what is recorded does not verify")
)

// An AmbiguousError is a shortened id that fits several.
type AmbiguousError struct {
	Prefix     string
	Candidates []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%q fits several: %s; write more of it", e.Prefix, strings.Join(e.Candidates, ", "))
}

//go:embed migrations/*.sql
var migrations embed.FS

// DB is a workspace's database. It may be used by many goroutines.
type DB struct {
	sql  *sql.DB
	path string
}

// A Mode says what Open may do.
type Mode int

// Create makes the database where there is none.
const Create Mode = 1

// Open opens the database at path and brings its schema up to date. Without
// Create a missing file is fs.ErrNotExist.
func Open(ctx context.Context, path string, mode ...Mode) (*DB, error) {
	if err := touch(path, slices.Contains(mode, Create)); err != nil {
		return nil, err
	}
	// A write transaction takes the lock at its start, so that it never fails
	// half-way for another writer; FULL survives a power cut.
	pragmas := url.Values{
		"_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_foreign_keys": {"on"}, "_busy_timeout": {"10000"},
		"_txlock": {"immediate"}, "_secure_delete": {"on"},
	}
	pool, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+pragmas.Encode())
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	pool.SetMaxOpenConns(4)
	db := &DB{sql: pool, path: path}
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(translate(err), pool.Close())
	}
	if err := db.fillTemplates(ctx); err != nil {
		return nil, errors.Join(translate(err), pool.Close())
	}
	return db, nil
}

// touch makes the file with its mode before SQLite does with the umask's.
func touch(path string, create bool) error {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	return f.Close()
}

// Close ends the use of the database.
func (db *DB) Close() error { return translate(db.sql.Close()) }

// LockWatch takes the right to watch, which one process has at a time. The
// kernel gives it back when the process ends, however it ends.
func (db *DB) LockWatch() (release func() error, err error) {
	f, err := os.OpenFile(filepath.Join(filepath.Dir(db.path), "watch.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

// A migration is one numbered file.
type migration struct {
	number int
	name   string
}

func known() ([]migration, error) {
	entries, err := fs.ReadDir(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, e := range entries {
		number, err := strconv.Atoi(e.Name()[:4])
		if err != nil || number != len(all)+1 {
			return nil, fmt.Errorf("migration %s is out of order", e.Name())
		}
		all = append(all, migration{number, e.Name()})
	}
	return all, nil
}

func (db *DB) migrate(ctx context.Context) error {
	all, err := known()
	if err != nil {
		return err
	}
	return db.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS migration (number BIGINT PRIMARY KEY, name TEXT NOT NULL, at_ms BIGINT NOT NULL)`); err != nil {
			return err
		}
		var done int
		if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(number), 0) FROM migration`).Scan(&done); err != nil {
			return err
		}
		if done > len(all) {
			return fmt.Errorf("%w: its schema is %d, this one knows %d", ErrNewerSchema, done, len(all))
		}
		for _, m := range all[done:] {
			text, err := migrations.ReadFile("migrations/" + m.name)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, string(text)); err != nil {
				return fmt.Errorf("migration %s: %w", m.name, err)
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO migration (number, name, at_ms) VALUES ($1, $2, $3)`, m.number, m.name, time.Now().UnixMilli()); err != nil {
				return err
			}
		}
		return nil
	})
}

// tx runs f in one transaction: all of it or nothing.
func (db *DB) tx(ctx context.Context, f func(*sql.Tx) error) (err error) {
	tx, err := db.sql.BeginTx(ctx, nil)
	if err != nil {
		return translate(err)
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // the first error is the one to tell
			err = translate(err)
		}
	}()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// translate makes the driver's errors ones that callers know.
func translate(err error) error {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return fmt.Errorf("%w: %w", ErrLocked, err)
	case sqlite3.ErrFull:
		return fmt.Errorf("writing the database: %w", errors.Join(syscall.ENOSPC, err))
	case sqlite3.ErrReadonly, sqlite3.ErrPerm, sqlite3.ErrCantOpen:
		return fmt.Errorf("writing the database: %w", errors.Join(fs.ErrPermission, err))
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return fmt.Errorf("%w: the database file is damaged: %w", ErrBroken, err)
	}
	return err
}

// Integrity runs SQLite's own check of the file.
func (db *DB) Integrity(ctx context.Context) error {
	var say string
	if err := db.sql.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&say); err != nil {
		return translate(err)
	}
	if say != "ok" {
		return fmt.Errorf("%w: %s", ErrBroken, say)
	}
	return nil
}

func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// rows runs a query and scans each row.
func rows[T any](ctx context.Context, db *DB, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	r, err := db.sql.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, translate(err)
	}
	defer func() { _ = r.Close() }()
	var all []T
	for r.Next() {
		one, err := scan(r.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, translate(r.Err())
}
