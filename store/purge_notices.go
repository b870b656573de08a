package store

import (
	"context"
	"database/sql"
	"time"

	"prahari/evidence"
)

// An ExpiredNotice belongs to a case that has ended, and its text is still kept.
type ExpiredNotice struct {
	ID      string
	CaseID  string
	EndedAt time.Time // of the case
	Size    int64
	Hold    string // the id of a hold that keeps it, "" for none
}

// ExpiredNotices lists the notices with a text whose case ended before a time.
func (db *DB) ExpiredNotices(ctx context.Context, before time.Time) ([]ExpiredNotice, error) {
	return rows(ctx, db, func(scan func(...any) error) (n ExpiredNotice, err error) {
		var ended int64
		err = scan(&n.ID, &n.CaseID, &ended, &n.Size, &n.Hold)
		n.EndedAt = at(ended)
		return n, err
	}, `
		SELECT n.id, n.case_id, c.changed_ms, length(n.markdown) + length(n.eml),
			coalesce((SELECT min(h.id) FROM hold h WHERE h.released_ms = 0 AND (h.object = n.case_id OR h.object = 'workspace')), '')
		FROM notice n JOIN cases c ON c.id = n.case_id
		WHERE c.status IN ('closed', 'false positive', 'withdrawn') AND c.changed_ms < $1 AND n.markdown <> '' ORDER BY n.id`, ms(before))
}

// PurgeNotice deletes a notice's text and mail, with a custody entry. Its steps,
// its recipient and the digests of its files stay. It reports whether it did:
// a hold, or a case that was opened again, keeps the text.
func (db *DB) PurgeNotice(ctx context.Context, n ExpiredNotice, p Purge) (done bool, err error) {
	err = db.tx(ctx, func(tx *sql.Tx) error {
		done = false
		var markdown string
		err := tx.QueryRowContext(ctx, `SELECT coalesce(max(n.markdown), '') FROM notice n JOIN cases c ON c.id = n.case_id
			WHERE n.id = $1 AND c.status IN ('closed', 'false positive', 'withdrawn')
				AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.released_ms = 0 AND (h.object = n.case_id OR h.object = 'workspace'))`, n.ID).Scan(&markdown)
		if err != nil || markdown == "" {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE notice SET markdown = '', eml = $1 WHERE id = $2`, []byte{}, n.ID); err != nil {
			return err
		}
		done = true
		return appendEntries(ctx, tx, evidence.Entry{
			Action: "purge", Object: n.ID, CaseID: n.CaseID, Actor: p.Actor, Approver: p.Approver, At: p.At, Reason: p.Reason,
			SHA256: evidence.Digest([]byte(markdown)),
		})
	})
	return done, err
}
