package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"prahari/evidence"
)

// AddHold keeps an object from being purged and gives the hold an id.
func (db *DB) AddHold(ctx context.Context, h evidence.Hold) (evidence.Hold, error) {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM hold`).Scan(&n); err != nil {
			return err
		}
		h.ID = fmt.Sprintf("H-%04d", n+1)
		_, err := tx.ExecContext(ctx, `
			INSERT INTO hold (id, object, reason, added_by, approved_by, added_ms, released_by, release_approved_by, release_reason, released_ms)
			VALUES ($1, $2, $3, $4, $5, $6, '', '', '', 0)`, h.ID, h.Object, h.Reason, h.AddedBy, h.ApprovedBy, ms(h.AddedAt))
		if err != nil {
			return fmt.Errorf("hold %s: %w", h.ID, err)
		}
		return appendEntries(ctx, tx, evidence.Entry{
			Action: "hold", Object: h.Object, CaseID: caseOf(h.Object), Actor: h.AddedBy, Approver: h.ApprovedBy, At: h.AddedAt, Reason: h.ID + ": " + h.Reason,
		})
	})
	return h, err
}

// caseOf names the case where the object is one.
func caseOf(object string) string {
	if len(object) > 4 && object[:4] == "CASE" {
		return object
	}
	return ""
}

// ErrReleased says that a hold was released before.
var ErrReleased = errors.New("the hold is released already")

// ReleaseHold ends a hold; who, with whom, why and when are h's.
func (db *DB) ReleaseHold(ctx context.Context, h evidence.Hold) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `
			UPDATE hold SET released_by = $1, release_approved_by = $2, release_reason = $3, released_ms = $4 WHERE id = $5 AND released_ms = 0`,
			h.ReleasedBy, h.ReleaseApprovedBy, h.ReleaseReason, ms(h.ReleasedAt), h.ID)
		if err != nil {
			return fmt.Errorf("hold %s: %w", h.ID, err)
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrReleased)
		}
		return appendEntries(ctx, tx, evidence.Entry{
			Action: "release", Object: h.Object, CaseID: caseOf(h.Object), Actor: h.ReleasedBy, Approver: h.ReleaseApprovedBy, At: h.ReleasedAt,
			Reason: h.ID + ": " + h.ReleaseReason,
		})
	})
}

// Holds lists the holds, released ones too.
func (db *DB) Holds(ctx context.Context) ([]evidence.Hold, error) {
	return rows(ctx, db, func(scan func(...any) error) (evidence.Hold, error) {
		var h evidence.Hold
		var added, released int64
		err := scan(&h.ID, &h.Object, &h.Reason, &h.AddedBy, &h.ApprovedBy, &added, &h.ReleasedBy, &h.ReleaseApprovedBy, &h.ReleaseReason, &released)
		h.AddedAt, h.ReleasedAt = at(added), at(released)
		return h, err
	}, `SELECT id, object, reason, added_by, approved_by, added_ms, released_by, release_approved_by, release_reason, released_ms FROM hold ORDER BY id`)
}

// Hold returns a hold by id, its unique beginning or its number.
func (db *DB) Hold(ctx context.Context, id string) (evidence.Hold, error) {
	whole, err := db.one(ctx, "hold", id)
	if err != nil {
		return evidence.Hold{}, err
	}
	all, err := db.Holds(ctx)
	for _, h := range all {
		if h.ID == whole {
			return h, nil
		}
	}
	return evidence.Hold{}, errors.Join(err, ErrNotFound)
}

// EvidenceID resolves the id of a piece of evidence, or its unique beginning.
func (db *DB) EvidenceID(ctx context.Context, id string) (string, error) {
	return db.one(ctx, "evidence", id)
}
