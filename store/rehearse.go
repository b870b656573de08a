package store

import (
	"context"
	"database/sql"

	"prahari/evidence"
)

// A Rehearsal is how a transaction of a database that rehearses ends when all went
// well: it was done whole and taken back. It is an error, since nothing that would
// come after it may rest on it.
type Rehearsal struct {
	Entries []evidence.Entry // that would be in the custody log
}

// Error says that nothing was changed.
func (r *Rehearsal) Error() string { return "a rehearsal: nothing was changed" }

// Rehearse has every transaction from now on end in a *Rehearsal, or in the error
// that it would end in.
func (db *DB) Rehearse() { db.rehearses = true }

// rehearsal does f and takes it back.
func rehearsal(ctx context.Context, f func(*sql.Tx) error) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		var from int64
		if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(seq), -1) FROM custody`).Scan(&from); err != nil {
			return err
		}
		if err := f(tx); err != nil {
			return err
		}
		lines, err := tx.QueryContext(ctx, `SELECT line FROM custody WHERE seq > $1 ORDER BY seq`, from)
		if err != nil {
			return err
		}
		defer func() { _ = lines.Close() }()
		r := &Rehearsal{}
		for lines.Next() {
			var line string
			if err := lines.Scan(&line); err != nil {
				return err
			}
			e, err := evidence.ParseEntry([]byte(line))
			if err != nil {
				return err
			}
			r.Entries = append(r.Entries, e)
		}
		if err := lines.Err(); err != nil {
			return err
		}
		return r
	}
}
