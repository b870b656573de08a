package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// IsURL says that a database is one on PostgreSQL.
func IsURL(where string) bool {
	return strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://")
}

// HasPassword says that a PostgreSQL URL holds a secret.
func HasPassword(where string) bool {
	u, err := url.Parse(where)
	if err != nil {
		return strings.Contains(where, "@") || strings.Contains(where, "password")
	}
	_, set := u.User.Password()
	return set || u.Query().Has("password") || u.Query().Has("sslpassword")
}

// settings hold whatever the server's own are: commits are on the disk when they
// return, a writer waits as long as SQLite's would, and statements of one
// transaction see what was committed before its turn.
const settings = `
	SET synchronous_commit = on; SET lock_timeout = '10s'; SET default_transaction_isolation = 'read committed';
	SET default_transaction_read_only = off; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0`

// openPostgres opens a database that someone made: prahari makes its tables.
func openPostgres(ctx context.Context, where string, create bool) (*DB, error) {
	c, err := pgx.ParseConfig(where)
	if err != nil { // its text may hold a part of a password
		return nil, errors.New("the database's URL cannot be read: write postgres://user@host:port/name, percent-encode what is not a letter or digit, check that the certificates that it names are there")
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "prahari"
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 15 * time.Second
	}
	pool := stdlib.OpenDB(*c, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, settings)
		return err
	}))
	pool.SetMaxOpenConns(4)
	pool.SetMaxIdleConns(4)
	if err := checkServer(ctx, pool, create); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return &DB{sql: pool, engine: postgres}, nil
}

func checkServer(ctx context.Context, pool *sql.DB, create bool) error {
	var encoding string
	var schema sql.NullString
	var tables int
	err := pool.QueryRowContext(ctx, `
		SELECT current_setting('server_encoding'), current_schema(),
			(SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'migration')`).Scan(&encoding, &schema, &tables)
	switch {
	case err != nil:
		return err
	case encoding != "UTF8":
		return fmt.Errorf("the database's encoding is %s: make one with ENCODING 'UTF8'", encoding)
	case !schema.Valid:
		return errors.New("the database has no schema for prahari's tables: make the one that search_path names")
	case tables == 0 && !create:
		return fmt.Errorf("the database holds no workspace; run 'prahari init --db postgres://…': %w", fs.ErrNotExist)
	}
	return nil
}

// Names of the advisory locks, one set for each schema.
const (
	lockWrite = `hashtextextended('prahari write ' || current_schema(), 0)`
	lockWatch = `hashtextextended('prahari watch ' || current_schema(), 0)`
)

// takeTurn waits until no other writer is at work, as a write transaction of
// SQLite does: the custody log is one chain.
func takeTurn(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(`+lockWrite+`)`)
	return err
}

// lockSession takes a lock on a connection of its own: the server gives it back
// when the connection ends.
func (db *DB) lockSession(ctx context.Context) (release func() error, err error) {
	conn, err := db.sql.Conn(ctx)
	if err != nil {
		return nil, translate(err)
	}
	var taken bool
	if err := conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock(`+lockWatch+`)`).Scan(&taken); err != nil {
		return nil, errors.Join(translate(err), conn.Close())
	}
	if !taken {
		return nil, errors.Join(ErrLocked, conn.Close())
	}
	return func() error {
		// What release is called for may be a context that ended.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock(`+lockWatch+`)`)
		return errors.Join(translate(err), conn.Close())
	}, nil
}

// SQLSTATE codes: PostgreSQL's documentation, appendix A.
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	insufficientRight    = "42501"
	lockNotAvailable     = "55P03"
	diskFull             = "53100"
	dataCorrupted        = "XX001"
	indexCorrupted       = "XX002"
)

// again says that a transaction failed for another one, and may be tried anew.
func again(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return false
	}
	// Who writes to the log without waiting for a turn may take its next number.
	return e.Code == serializationFailure || e.Code == deadlockDetected || e.Code == uniqueViolation && e.TableName == "custody"
}

func translatePostgres(err error) error {
	var refused *pgconn.ConnectError
	var e *pgconn.PgError
	switch {
	case errors.As(err, &e):
	case errors.As(err, &refused):
		return fmt.Errorf("the database server does not answer; check host, port, sslmode and that it runs: %w", err)
	default:
		return err
	}
	switch e.Code {
	case lockNotAvailable:
		return fmt.Errorf("%w: %w", ErrLocked, err)
	case diskFull:
		return fmt.Errorf("writing the database: %w", errors.Join(syscall.ENOSPC, err))
	case insufficientRight:
		return fmt.Errorf("the database's role may not do this; it must own prahari's tables: %w", err)
	case dataCorrupted, indexCorrupted:
		return fmt.Errorf("%w: the database is damaged: %w", ErrBroken, err)
	}
	if strings.HasPrefix(e.Code, "28") { // invalid authorization
		return fmt.Errorf("the database server refuses the role or its password; it comes from $PGPASSWORD, ~/.pgpass or 'database' in prahari.yaml: %w", err)
	}
	return err
}
