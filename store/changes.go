package store

import (
	"context"
	"database/sql"
	"fmt"

	"prahari/evidence"
)

// insertChange records what became of a source, and returns its custody entry,
// none for what is known: whose name and title something was found under is part
// of the evidence.
func insertChange(ctx context.Context, tx *sql.Tx, c evidence.Change, actor string) ([]evidence.Entry, error) {
	r, err := tx.ExecContext(ctx, `
		INSERT INTO source_change (source_id, kind, was, became, detail, account, at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
		c.SourceID, string(c.Kind), c.Was, c.Now, c.Detail, c.Account, ms(c.At))
	if err != nil {
		return nil, fmt.Errorf("change of %s: %w", c.SourceID, err)
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return nil, err
	}
	return []evidence.Entry{{Action: "source." + string(c.Kind), Object: c.SourceID, Actor: actor, At: c.At, Reason: c.Says()}}, nil
}

// updateSource brings up to date what may change of a source.
func updateSource(ctx context.Context, tx *sql.Tx, s evidence.Source) error {
	_, err := tx.ExecContext(ctx, `UPDATE source SET username = $1, title = $2, access = $3, state = $4, marks = $5 WHERE id = $6`,
		s.Username, s.Title, string(s.Access), string(s.State), s.Marks, s.ID)
	if err != nil {
		return fmt.Errorf("source %s: %w", s.ID, err)
	}
	return nil
}

func insertDeletion(ctx context.Context, tx *sql.Tx, d evidence.Deletion) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO deletion (source_id, lo, hi, at_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, d.SourceID, d.Lo, d.Hi, ms(d.At))
	if err != nil {
		return fmt.Errorf("deletion in %s: %w", d.SourceID, err)
	}
	return nil
}

// Changes lists what became of a source, oldest first.
func (db *DB) Changes(ctx context.Context, sourceID string) ([]evidence.Change, error) {
	return rows(ctx, db, func(scan func(...any) error) (evidence.Change, error) {
		c := evidence.Change{SourceID: sourceID}
		var when int64
		err := scan(&c.Kind, &c.Was, &c.Now, &c.Detail, &c.Account, &when)
		c.At = at(when)
		return c, err
	}, `SELECT kind, was, became, detail, account, at_ms FROM source_change WHERE source_id = $1 ORDER BY at_ms, kind, became`, sourceID)
}

// Deletions lists what a source deleted, oldest first.
func (db *DB) Deletions(ctx context.Context, sourceID string) ([]evidence.Deletion, error) {
	return rows(ctx, db, func(scan func(...any) error) (evidence.Deletion, error) {
		d := evidence.Deletion{SourceID: sourceID}
		var when int64
		err := scan(&d.Lo, &d.Hi, &when)
		d.At = at(when)
		return d, err
	}, `SELECT lo, hi, at_ms FROM deletion WHERE source_id = $1 ORDER BY at_ms, lo`, sourceID)
}
