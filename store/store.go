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
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What callers act on.
var (
	ErrNotFound    = errors.New("not there")
	ErrNewerSchema = errors.New("the database was made by a newer prahari")
	ErrOlderSchema = errors.New("the database was made by an older prahari")
	ErrEmpty       = errors.New("the database is empty: no workspace was made in it")
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

// An engine is one of the two databases. Both take the same statements; where
// they differ (opening, locks, triggers, errors) is in the file of its name.
type engine string

const (
	sqlite   engine = "sqlite"
	postgres engine = "postgres"
)

// DB is a workspace's database. It may be used by many goroutines.
type DB struct {
	sql       *sql.DB
	engine    engine
	path      string // of the file; "" on a server
	rehearses bool   // every transaction is taken back
}

// A Mode says what Open may do.
type Mode int

const (
	_      Mode = iota
	Create      // make the database where there is none
	AsIs        // leave an older schema as it is, and fail with ErrOlderSchema, or ErrEmpty
)

// Open opens a database and brings its schema up to date: a file of SQLite by
// its path, or one on PostgreSQL by its URL. Without Create what is not there is
// fs.ErrNotExist.
func Open(ctx context.Context, where string, mode ...Mode) (*DB, error) {
	create, asIs := slices.Contains(mode, Create), slices.Contains(mode, AsIs)
	open := openSQLite
	if IsURL(where) {
		open = openPostgres
	}
	db, err := open(ctx, where, create)
	if err != nil {
		return nil, translate(err)
	}
	if err := db.migrate(ctx, asIs); err != nil {
		return nil, errors.Join(translate(err), db.sql.Close())
	}
	if asIs {
		return db, nil
	}
	if err := db.fillTemplates(ctx); err != nil {
		return nil, errors.Join(translate(err), db.sql.Close())
	}
	return db, nil
}

// Close ends the use of the database.
func (db *DB) Close() error { return translate(db.sql.Close()) }

// LockWatch takes the right to watch, which one process has at a time. It comes
// back when the process ends, however it ends.
func (db *DB) LockWatch(ctx context.Context) (release func() error, err error) {
	if db.engine == postgres {
		return db.lockSession(ctx)
	}
	return lockFile(filepath.Join(filepath.Dir(db.path), "watch.lock"))
}

// A migration is one numbered file.
type migration struct {
	number int
	name   string
}

// known lists an engine's migrations: NNNN_name.sql are both engines',
// NNNN_name.ENGINE.sql one's.
func known(e engine) ([]migration, error) {
	entries, err := fs.ReadDir(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, entry := range entries {
		name := strings.TrimSuffix(entry.Name(), ".sql")
		if _, only, found := strings.Cut(name, "."); found && only != string(e) {
			continue
		}
		number, err := strconv.Atoi(name[:4])
		if err != nil || number != len(all)+1 {
			return nil, fmt.Errorf("migration %s is out of order on %s", entry.Name(), e)
		}
		all = append(all, migration{number, entry.Name()})
	}
	return all, nil
}

func (db *DB) migrate(ctx context.Context, asIs bool) error {
	all, err := known(db.engine)
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
		if asIs && done == 0 {
			return ErrEmpty
		}
		if asIs && done < len(all) {
			return fmt.Errorf("%w: its schema is %d, this one brings it to %d", ErrOlderSchema, done, len(all))
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
		if done == len(all) {
			return nil
		}
		return fillTree(ctx, tx)
	})
}

// attempts is how often a transaction is tried when the engine gave it up for
// another one.
const attempts = 5

// tx runs f in one transaction: all of it or nothing. Writers take turns, so that
// none fails half-way for another; f runs again where a stranger's write came
// between.
func (db *DB) tx(ctx context.Context, f func(*sql.Tx) error) error {
	if db.rehearses {
		f = rehearsal(ctx, f)
	}
	for n := 1; ; n++ {
		err := db.try(ctx, f)
		if err == nil || n == attempts || !again(err) {
			return translate(err)
		}
	}
}

func (db *DB) try(ctx context.Context, f func(*sql.Tx) error) (err error) {
	tx, err := db.sql.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // the first error is the one to tell
		}
	}()
	if db.engine == postgres {
		if err := takeTurn(ctx, tx); err != nil {
			return err
		}
	}
	if err = f(tx); err == nil {
		err = tx.Commit()
	}
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil { // it was rolled back as ctx ended
		return ctx.Err()
	}
	return err
}

// statements returns the context for the many short statements of a transaction
// that was begun with ctx, and ends with it. SQLite's driver starts a goroutine
// for each statement whose own context can end: a tenth of the time of a commit.
// On a server a statement may wait for the network, so there ctx is its own too.
func (db *DB) statements(ctx context.Context) context.Context {
	if db.engine == sqlite {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// translate makes the drivers' errors ones that callers know.
func translate(err error) error { return translatePostgres(translateSQLite(err)) }

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
	return rowsOf(ctx, db.sql, scan, query, args...)
}

// A querier is the database, or a transaction on it.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// rowsOf is rows, within a transaction too.
func rowsOf[T any](ctx context.Context, q querier, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	r, err := q.QueryContext(ctx, query, args...)
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
