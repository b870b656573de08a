package store

import (
	"context"
	"database/sql"
	"fmt"

	"prahari/evidence"
)

// fillTemplates gives findings of before migration 5 their template. It finds
// nothing to do by an index, so that opening stays quick.
func (db *DB) fillTemplates(ctx context.Context) error {
	type row struct{ id, masked string }
	for {
		some, err := rows(ctx, db, func(scan func(...any) error) (r row, err error) { return r, scan(&r.id, &r.masked) },
			`SELECT f.id, e.masked FROM finding f JOIN evidence e ON e.id = f.evidence_id WHERE f.template = '' LIMIT 500`)
		if err != nil || len(some) == 0 {
			return err
		}
		err = db.tx(ctx, func(tx *sql.Tx) error {
			for _, r := range some {
				if _, err := tx.ExecContext(ctx, `UPDATE finding SET template = $1 WHERE id = $2`, evidence.Template(r.masked), r.id); err != nil {
					return fmt.Errorf("template of finding %s: %w", r.id, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// insertLinks keeps the public names in a message, watched or not.
func insertLinks(ctx context.Context, tx *sql.Tx, leads []evidence.Lead) error {
	for _, l := range leads {
		if l.SourceID == "" || l.How == evidence.BySearch {
			continue
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO link (name, source_id, message_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, l.Name, l.SourceID, l.MessageID)
		if err != nil {
			return fmt.Errorf("link: %w", err)
		}
	}
	return nil
}

// suppressions remembers, within one transaction, which suppression holds for
// findings of a template, rule and source: those of a batch have few templates.
type suppressions map[[3]string]string

// of returns the id of the suppression that holds for a finding, "" for none.
func (s suppressions) of(ctx context.Context, tx *sql.Tx, template, rule, sourceID string) (string, error) {
	key := [3]string{template, rule, sourceID}
	if id, known := s[key]; known {
		return id, nil
	}
	var id string
	err := tx.QueryRowContext(ctx, `
		SELECT coalesce(min(id), '') FROM suppression
		WHERE template = $1 AND rule = $2 AND (source_id = '' OR source_id = $3) AND removed_ms = 0`, template, rule, sourceID).Scan(&id)
	if err == nil {
		s[key] = id
	}
	return id, err
}
