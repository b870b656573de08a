package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"prahari/evidence"
)

// Accesses lists how each account can read each source, as far as it was tried:
// the sources as that account knows them, by account.
func (db *DB) Accesses(ctx context.Context) (map[string][]evidence.Source, error) {
	all, err := rows(ctx, db, func(scan func(...any) error) (evidence.Source, error) {
		var s evidence.Source
		return s, scan(&s.Account, &s.ID, &s.Access, &s.AccessHash)
	}, `SELECT a.account, a.source_id, a.access, a.access_hash FROM source_access a JOIN source s ON s.id = a.source_id
		WHERE s.removed_ms IS NULL ORDER BY a.account, s.added_ms, s.id`)
	by := map[string][]evidence.Source{}
	for _, s := range all {
		by[s.Account] = append(by[s.Account], s)
	}
	return by, err
}

func putAccess(ctx context.Context, tx *sql.Tx, s evidence.Source) error {
	if s.Kind == evidence.File {
		return nil
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO source_access (account, source_id, access, access_hash) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account, source_id) DO UPDATE SET access = excluded.access, access_hash = excluded.access_hash`,
		s.Account, s.ID, string(s.Access), s.AccessHash)
	if err != nil {
		return fmt.Errorf("access of account %s to %s: %w", s.Account, s.ID, err)
	}
	return nil
}

// MoveSource has another account read a source from now on, the way that s says.
func (db *DB) MoveSource(ctx context.Context, s evidence.Source, from, actor, reason string) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE source SET access = $1, access_hash = $2, account = $3 WHERE id = $4`, string(s.Access), s.AccessHash, s.Account, s.ID)
		if err != nil {
			return fmt.Errorf("source %s: %w", s.ID, err)
		}
		if err := putAccess(ctx, tx, s); err != nil {
			return err
		}
		return appendEntries(ctx, tx, evidence.Entry{
			Action: "source.move", Object: s.ID, Actor: actor, At: time.Now(), Reason: fmt.Sprintf("from account %s to %s (%s): %s", from, s.Account, s.Access, reason),
		})
	})
}
