package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"prahari/evidence"
)

// An Expired piece of evidence is past its retention, and not purged.
type Expired struct {
	ID         string
	CapturedAt time.Time
	Size       int64  // of the sealed original
	Hold       string // the id of a hold that keeps it, "" for none
	OpenCase   string // a case with its message that has not ended, "" for none

	commitment string
}

const expired = `
	SELECT e.id, e.captured_ms, e.sealed_size, e.commitment,
		coalesce((SELECT min(h.hold_id) FROM held h WHERE h.evidence_id = e.id), ''),
		coalesce((SELECT min(k.id) FROM evidence o JOIN finding f ON f.evidence_id = o.id JOIN case_finding c ON c.finding_id = f.id
			JOIN cases k ON k.id = c.case_id AND k.status NOT IN ('closed', 'false positive', 'withdrawn')
			WHERE o.source_id = e.source_id AND o.message_id = e.message_id), '')
	FROM evidence e WHERE e.captured_ms < $1 AND NOT EXISTS (SELECT 1 FROM tombstone t WHERE t.evidence_id = e.id)
	ORDER BY e.captured_ms, e.id`

func scanExpired(scan func(...any) error) (e Expired, err error) {
	var captured int64
	err = scan(&e.ID, &captured, &e.Size, &e.commitment, &e.Hold, &e.OpenCase)
	e.CapturedAt = at(captured)
	return e, err
}

// Expired lists the evidence that was collected before a time and not purged.
func (db *DB) Expired(ctx context.Context, before time.Time) ([]Expired, error) {
	return rows(ctx, db, scanExpired, expired, ms(before))
}

// A Purge says why evidence is deleted, and who answers for it.
type Purge struct {
	Reason, Actor, Approver string
	At                      time.Time
	OpenCases               bool // also what belongs to a case that has not ended
}

// purgeBatch is how many pieces of evidence one transaction purges.
const purgeBatch = 200

// PurgeEvidence deletes the sealed original, the masked text, the tokens and the
// masked values of evidence that expired. Ids, times, digests and the custody
// log stay, with an entry and a tombstone each. What a hold keeps stays whole.
// Each batch is one transaction: an interruption keeps what is done.
func (db *DB) PurgeEvidence(ctx context.Context, all []Expired, p Purge, progress func(done int)) (done int, err error) {
	for len(all) > 0 {
		batch := all[:min(purgeBatch, len(all))]
		all = all[len(batch):]
		n := 0
		err := db.tx(ctx, func(tx *sql.Tx) error {
			n = 0
			var log []evidence.Entry
			var ids []string
			for _, e := range batch {
				may, err := mayPurge(ctx, tx, e, p)
				if err != nil {
					return err
				}
				if may {
					ids = append(ids, e.ID)
					log = append(log, evidence.Entry{
						Action: "purge", Object: e.ID, Actor: p.Actor, Approver: p.Approver, At: p.At, Reason: p.Reason, SHA256: e.commitment,
					})
				}
			}
			var seq int64
			if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(seq) + 1, 0) FROM custody`).Scan(&seq); err != nil {
				return err
			}
			if err := appendEntries(ctx, tx, log...); err != nil {
				return err
			}
			for i, id := range ids {
				if err := bury(ctx, tx, id, seq+int64(i), p.At); err != nil {
					return fmt.Errorf("purging %s: %w", id, err)
				}
			}
			n = len(ids)
			return nil
		})
		if err != nil {
			return done, err
		}
		done += n
		if progress != nil {
			progress(done)
		}
	}
	return done, nil
}

// mayPurge looks again within the transaction: a hold may have come since.
func mayPurge(ctx context.Context, tx *sql.Tx, e Expired, p Purge) (bool, error) {
	if e.OpenCase != "" && !p.OpenCases {
		return false, nil
	}
	var n int
	err := tx.QueryRowContext(ctx, `
		SELECT (SELECT count(*) FROM held WHERE evidence_id = $1) + (SELECT count(*) FROM tombstone WHERE evidence_id = $1)`, e.ID).Scan(&n)
	return n == 0, err
}

// bury sets the tombstone and deletes what it stands for.
func bury(ctx context.Context, tx *sql.Tx, id string, seq int64, when time.Time) error {
	for _, s := range []struct {
		query string
		args  []any
	}{
		{`INSERT INTO tombstone (evidence_id, custody_seq, at_ms) VALUES ($1, $2, $3)`, []any{id, seq, ms(when)}},
		{`DELETE FROM sealed WHERE evidence_id = $1`, []any{id}},
		{`DELETE FROM token WHERE finding_id IN (SELECT id FROM finding WHERE evidence_id = $1)`, []any{id}},
		{`UPDATE evidence SET masked = '', collection = '{}' WHERE id = $1`, []any{id}},
	} {
		if _, err := tx.ExecContext(ctx, s.query, s.args...); err != nil {
			return err
		}
	}
	return strip(ctx, tx, id)
}

// strip leaves of an evidence's findings which rule caught it, and how sure.
func strip(ctx context.Context, tx *sql.Tx, evidenceID string) error {
	all, err := keptOf(ctx, tx, evidenceID)
	if err != nil {
		return err
	}
	for _, k := range all {
		body, err := json.Marshal(evidence.Kept{
			ID: k.ID, EvidenceID: k.EvidenceID, Rule: k.Rule, RuleVersion: k.RuleVersion, RuleHash: k.RuleHash, Title: k.Title,
			Severity: k.Severity, Confidence: k.Confidence, Words: []string{}, Reasons: []string{}, Records: []evidence.KeptRecord{}, Distinct: k.Distinct,
		})
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE finding SET body = $1 WHERE id = $2`, string(body), k.ID); err != nil {
			return err
		}
	}
	return nil
}

// keptOf reads an evidence's findings in a transaction.
func keptOf(ctx context.Context, tx *sql.Tx, evidenceID string) (all []evidence.Kept, err error) {
	found, err := tx.QueryContext(ctx, `SELECT body FROM finding WHERE evidence_id = $1`, evidenceID)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	for found.Next() {
		k, err := scanKept(found.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, found.Err()
}

// ErrInUse says that others use the database, so that deleted bytes may still
// be in its files.
var ErrInUse = errors.New("another prahari uses the database")

// Compact rewrites the database without what was deleted and empties its
// write-ahead log, so that no deleted byte is left in its files.
func (db *DB) Compact(ctx context.Context) error {
	if db.engine == postgres {
		for _, table := range []string{"sealed", "evidence", "finding", "token", "notice"} {
			if _, err := db.sql.ExecContext(ctx, `VACUUM (FULL) `+table); err != nil {
				return translate(err)
			}
		}
		return nil
	}
	if _, err := db.sql.ExecContext(ctx, `VACUUM`); err != nil {
		if err = translate(err); errors.Is(err, ErrLocked) {
			return fmt.Errorf("%w: %w", ErrInUse, err)
		}
		return err
	}
	var busy, pages, done int
	if err := db.sql.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &done); err != nil {
		return translate(err)
	}
	if busy != 0 {
		return ErrInUse
	}
	return nil
}

// VerifyTombstones checks that every piece of evidence has its sealed original
// or a tombstone, and that nothing is left of what a tombstone stands for. It
// returns how many there are.
func (db *DB) VerifyTombstones(ctx context.Context) (n int, err error) {
	if err := db.sql.QueryRowContext(ctx, `SELECT count(*) FROM tombstone`).Scan(&n); err != nil {
		return 0, translate(err)
	}
	for _, check := range []struct{ query, say string }{
		{`SELECT min(e.id) FROM evidence e WHERE NOT EXISTS (SELECT 1 FROM sealed s WHERE s.evidence_id = e.id)
			AND NOT EXISTS (SELECT 1 FROM tombstone t WHERE t.evidence_id = e.id)`, "the sealed original of %s is gone without a tombstone"},
		{`SELECT min(t.evidence_id) FROM tombstone t JOIN sealed s ON s.evidence_id = t.evidence_id`, "%s has a tombstone and its sealed original"},
		{`SELECT min(e.id) FROM tombstone t JOIN evidence e ON e.id = t.evidence_id WHERE e.masked <> '' OR e.collection <> '{}'`, "%s has a tombstone and its masked text"},
		{`SELECT min(t.evidence_id) FROM tombstone t JOIN finding f ON f.evidence_id = t.evidence_id JOIN token k ON k.finding_id = f.id`,
			"%s has a tombstone and its tokens"},
		{`SELECT min(t.evidence_id) FROM tombstone t LEFT JOIN custody c ON c.seq = t.custody_seq
			WHERE c.seq IS NULL OR c.object <> t.evidence_id OR c.line NOT LIKE '{"action":"purge",%'`, "the tombstone of %s has no custody entry"},
	} {
		var id sql.NullString
		if err := db.sql.QueryRowContext(ctx, check.query).Scan(&id); err != nil {
			return n, translate(err)
		}
		if id.Valid {
			return n, fmt.Errorf("%w: "+check.say, ErrBroken, id.String)
		}
	}
	return n, nil
}
