package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"syscall"

	"github.com/mattn/go-sqlite3"
	"golang.org/x/sys/unix"
)

func openSQLite(_ context.Context, path string, create bool) (*DB, error) {
	if err := touch(path, create); err != nil {
		return nil, err
	}
	// A write transaction takes the lock at its start, so that it never fails
	// half-way for another writer; FULL survives a power cut.
	// 8 MB of pages hold what a batch changes: with SQLite's 2 MB a commit wrote and
	// read pages over again, a tenth of its processor time at 20,000 pieces.
	pragmas := url.Values{
		"_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_foreign_keys": {"on"}, "_busy_timeout": {"10000"},
		"_txlock": {"immediate"}, "_secure_delete": {"on"}, "_stmt_cache_size": {"64"}, "_cache_size": {"-8000"},
	}
	pool := sql.OpenDB(connector{"file:" + escapePath(path) + "?" + pragmas.Encode()})
	pool.SetMaxOpenConns(4)
	return &DB{sql: pool, engine: sqlite, path: path}, nil
}

// A connector opens connections with what a data source's name has no word for.
type connector struct{ name string }

// checkpointPages is how many pages the write-ahead log has before they go into
// the database: 32 MB, which is also what stays of one that a reader made longer. Ids are random, and so are the pages of their indexes that a
// batch changes; with SQLite's 1,000 every batch had them written twice.
const checkpointPages = 8000

// Connect implements driver.Connector.
func (c connector) Connect(context.Context) (driver.Conn, error) { return c.Driver().Open(c.name) }

// Driver implements driver.Connector.
func (connector) Driver() driver.Driver {
	return &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		_, err := c.Exec(fmt.Sprintf("PRAGMA wal_autocheckpoint = %d; PRAGMA journal_size_limit = %d", checkpointPages, checkpointPages*4096), nil)
		return err
	}}
}

// escapePath writes a path as SQLite's file: names want it.
func escapePath(path string) string { return (&url.URL{Path: path}).EscapedPath() }

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

// lockFile takes a lock that the kernel gives back when the process ends.
func lockFile(path string) (release func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
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

func translateSQLite(err error) error {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return fmt.Errorf("%w: %w", ErrLocked, err)
	case sqlite3.ErrFull:
		return fmt.Errorf("writing the database: %w", errors.Join(syscall.ENOSPC, err))
	case sqlite3.ErrIoErr:
		return fmt.Errorf("reading or writing the database: the disk reports an error; look at the system's log before anything else: %w", errors.Join(syscall.EIO, err))
	case sqlite3.ErrReadonly, sqlite3.ErrPerm, sqlite3.ErrCantOpen:
		return fmt.Errorf("writing the database: %w", errors.Join(fs.ErrPermission, err))
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return fmt.Errorf("%w: the database file is damaged: %w", ErrBroken, err)
	}
	return err
}

// checkFile runs SQLite's own check of the file.
func (db *DB) checkFile(ctx context.Context) error {
	var say string
	if err := db.sql.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&say); err != nil {
		return translate(err)
	}
	if say != "ok" {
		return fmt.Errorf("%w: %s", ErrBroken, say)
	}
	return nil
}
