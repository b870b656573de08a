package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"prahari/evidence"
)

// A Stamp is a time stamp of a checkpoint: one that waits for its authority, or,
// with a Response, one that was verified and kept.
type Stamp struct {
	Size      int64
	Signed    []byte // the checkpoint: what is stamped
	Authority string
	QueuedAt  time.Time
	Tries     int
	NextAt    time.Time // of a waiting one: when to try again
	Problem   string    // of the last try
	Query     []byte    // .tsq
	Response  []byte    // .tsr, whole
	Roots     string    // PEM: what it was verified with
	Chain     string    // PEM: certificates in between that the answer left out
	At        time.Time // by the authority's clock
	Demo      bool      // proves no time
}

// SinceCheckpoint says when the log was signed last, and counts what it holds
// since: pieces of evidence, and entries that are not about stamps themselves.
func (db *DB) SinceCheckpoint(ctx context.Context) (last time.Time, collected, entries int64, err error) {
	var size, signed int64
	err = db.sql.QueryRowContext(ctx, `SELECT coalesce(max(size), 0), coalesce(max(at_ms), 0) FROM checkpoint`).Scan(&size, &signed)
	if err != nil {
		return last, 0, 0, translate(err)
	}
	err = db.sql.QueryRowContext(ctx, `
		SELECT coalesce(sum(CASE WHEN line LIKE '{"action":"collect",%' THEN 1 ELSE 0 END), 0), count(*)
		FROM custody WHERE seq >= $1 AND line NOT LIKE '{"action":"timestamp",%'`, size).Scan(&collected, &entries)
	return at(signed), collected, entries, translate(err)
}

// QueueStamps asks for stamps of a checkpoint. One that is there stays as it is.
func (db *DB) QueueStamps(ctx context.Context, size int64, authorities []string, now time.Time) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		for _, name := range authorities {
			_, err := tx.ExecContext(ctx, `
				INSERT INTO stamp (size, authority, queued_ms, tries, next_ms, problem, roots, chain, stamped_ms, demo)
				VALUES ($1, $2, $3, 0, 0, '', '', '', 0, 0) ON CONFLICT (size, authority) DO NOTHING`, size, name, ms(now))
			if err != nil {
				return fmt.Errorf("queueing the stamp of checkpoint %d by %s: %w", size, name, err)
			}
		}
		return nil
	})
}

// Stamps lists the stamps, the oldest checkpoint first.
func (db *DB) Stamps(ctx context.Context) ([]Stamp, error) {
	return rows(ctx, db, func(scan func(...any) error) (Stamp, error) {
		var s Stamp
		var signed string
		var queued, next, stamped, demo int64
		err := scan(&s.Size, &signed, &s.Authority, &queued, &s.Tries, &next, &s.Problem, &s.Query, &s.Response, &s.Roots, &s.Chain, &stamped, &demo)
		s.Signed, s.QueuedAt, s.NextAt, s.At, s.Demo = []byte(signed), at(queued), at(next), at(stamped), demo == 1
		return s, err
	}, `
		SELECT s.size, c.signed, s.authority, s.queued_ms, s.tries, s.next_ms, s.problem, s.query, s.response, s.roots, s.chain, s.stamped_ms, s.demo
		FROM stamp s JOIN checkpoint c ON c.size = s.size ORDER BY s.size, s.authority`)
}

// DelayStamp notes why a stamp was not to be had, and when to ask again.
func (db *DB) DelayStamp(ctx context.Context, s Stamp, problem string, next time.Time) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE stamp SET tries = tries + 1, problem = $1, next_ms = $2 WHERE size = $3 AND authority = $4 AND response IS NULL`,
			evidence.OneLine(problem, 300), ms(next), s.Size, s.Authority)
		return err
	})
}

// KeepStamp keeps a verified stamp and its custody entry.
func (db *DB) KeepStamp(ctx context.Context, s Stamp, actor string, now time.Time) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		demo := 0
		if s.Demo {
			demo = 1
		}
		r, err := tx.ExecContext(ctx, `
			UPDATE stamp SET tries = tries + 1, problem = '', query = $1, response = $2, roots = $3, chain = $4, stamped_ms = $5, demo = $6
			WHERE size = $7 AND authority = $8 AND response IS NULL`, s.Query, s.Response, s.Roots, s.Chain, ms(s.At), demo, s.Size, s.Authority)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 { // somebody else kept one
			return err
		}
		reason := fmt.Sprintf("%s: %s", s.Authority, s.At.UTC().Format(time.RFC3339))
		if s.Demo {
			reason += ", by a demo authority: proves no time"
		}
		return appendEntries(ctx, tx, evidence.Entry{
			Action: "timestamp", Object: fmt.Sprintf("checkpoint-%d", s.Size), Actor: actor, At: now, Reason: reason, SHA256: evidence.Digest(s.Response),
		})
	})
}
