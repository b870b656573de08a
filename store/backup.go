package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"
)

// ErrServer says that a database on a server is backed up with its own tools.
var ErrServer = errors.New("the database is on PostgreSQL: back it up with pg_dump")

// backupStep is how many pages are copied between two reports.
const backupStep = 2000

// BackupSize says how many bytes a backup made now would have.
func (db *DB) BackupSize(ctx context.Context) (n int64, err error) {
	if db.engine == postgres {
		return 0, ErrServer
	}
	err = db.sql.QueryRowContext(ctx, `SELECT p.page_count * s.page_size FROM pragma_page_count() p, pragma_page_size() s`).Scan(&n)
	return n, translate(err)
}

// Backup copies the database as it stands, while others read and write it, into
// a file of its own. The copy is checked, log and tree too, before it gets its
// name; a file of that name is never replaced.
func (db *DB) Backup(ctx context.Context, path string, progress func(done, total int)) (err error) {
	if db.engine == postgres {
		return ErrServer
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w", path, fs.ErrExist)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".partial-") // mode 0600
	if err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	temp := f.Name()
	defer func() {
		for _, left := range []string{temp, temp + "-wal", temp + "-shm", temp + "-journal"} {
			if removing := os.Remove(left); removing != nil && !errors.Is(removing, fs.ErrNotExist) {
				err = errors.Join(err, removing)
			}
		}
	}()
	if err := f.Close(); err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	if err := db.copyTo(ctx, temp, progress); err != nil {
		return fmt.Errorf("writing the backup: %w", translate(err))
	}
	if err := verifyCopy(ctx, temp); err != nil {
		return fmt.Errorf("the backup does not verify and was not kept: %w", err)
	}
	if err := syncFile(temp); err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	// Link, not rename: it fails where something has that name by now.
	if err := os.Link(temp, path); err != nil {
		return fmt.Errorf("giving the backup its name: %w", err)
	}
	return syncFile(filepath.Dir(path))
}

// copyTo copies the pages of one snapshot: a read transaction holds it, so that
// writers neither wait nor make the copy start again.
func (db *DB) copyTo(ctx context.Context, path string, progress func(done, total int)) (err error) {
	source, err := db.sql.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if _, err := source.ExecContext(ctx, `BEGIN`); err != nil {
		return err
	}
	defer func() {
		_, ending := source.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`) // nothing was written
		err = errors.Join(err, ending)
	}()
	var n int
	if err := source.QueryRowContext(ctx, `SELECT count(*) FROM migration`).Scan(&n); err != nil {
		return err
	}
	pool, err := sql.Open("sqlite3", "file:"+escapePath(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	target, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	return source.Raw(func(from any) error {
		return target.Raw(func(to any) error {
			src, ok := from.(*sqlite3.SQLiteConn)
			dst, ok2 := to.(*sqlite3.SQLiteConn)
			if !ok || !ok2 {
				return errors.New("not a connection of SQLite")
			}
			return copyPages(ctx, dst, src, progress)
		})
	})
}

func copyPages(ctx context.Context, to, from *sqlite3.SQLiteConn, progress func(done, total int)) (err error) {
	b, err := to.Backup("main", from, "main")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Finish()) }()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		done, err := b.Step(backupStep)
		if err != nil {
			return err
		}
		if progress != nil {
			progress(b.PageCount()-b.Remaining(), b.PageCount())
		}
		if done {
			return nil
		}
	}
}

// verifyCopy checks a copied database as the doctor would.
func verifyCopy(ctx context.Context, path string) (err error) {
	db, err := openSQLite(ctx, path, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Integrity(ctx); err != nil {
		return err
	}
	if _, err := db.VerifyTombstones(ctx); err != nil {
		return err
	}
	_, _, err = db.VerifyCustody(ctx)
	return err
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
