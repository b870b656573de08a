package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"prahari/evidence"
)

// insertLeads keeps what led to public names that are no watched sources.
func insertLeads(ctx context.Context, tx *sql.Tx, leads []evidence.Lead) error {
	for _, l := range leads {
		var watched int
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM source WHERE lower(username) = $1 AND removed_ms IS NULL`, l.Name).Scan(&watched)
		if err != nil {
			return err
		}
		if watched > 0 {
			continue
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO candidate (name, state, first_ms, decided_by, decided_ms, reason) VALUES ($1, $2, $3, '', 0, '') ON CONFLICT DO NOTHING`,
			l.Name, string(evidence.Undecided), ms(l.At))
		if err != nil {
			return fmt.Errorf("candidate: %w", err)
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO lead (name, how, source_id, message_id, query, at_ms) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			l.Name, string(l.How), l.SourceID, l.MessageID, l.Query, ms(l.At))
		if err != nil {
			return fmt.Errorf("lead: %w", err)
		}
	}
	return nil
}

// AddLeads keeps what a search led to.
func (db *DB) AddLeads(ctx context.Context, leads []evidence.Lead) error {
	return db.tx(ctx, func(tx *sql.Tx) error { return insertLeads(ctx, tx, leads) })
}

// Candidates lists candidates with their trails, of one state or of all for "",
// those with most leads first.
func (db *DB) Candidates(ctx context.Context, state evidence.CandidateState) ([]evidence.Candidate, error) {
	all, err := rows(ctx, db, scanCandidate, `
		SELECT name, state, first_ms, decided_by, decided_ms, reason FROM candidate WHERE $1 = '' OR state = $1
		ORDER BY (SELECT count(*) FROM lead WHERE lead.name = candidate.name) DESC, first_ms, name`, string(state))
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Trail, err = db.trail(ctx, all[i].Name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func scanCandidate(scan func(...any) error) (evidence.Candidate, error) {
	var c evidence.Candidate
	var first, decided int64
	err := scan(&c.Name, &c.State, &first, &c.DecidedBy, &decided, &c.Reason)
	c.FirstSeen, c.DecidedAt = at(first), at(decided)
	return c, err
}

func (db *DB) trail(ctx context.Context, name string) ([]evidence.Lead, error) {
	return rows(ctx, db, func(scan func(...any) error) (evidence.Lead, error) {
		l := evidence.Lead{Name: name}
		var when int64
		err := scan(&l.How, &l.SourceID, &l.MessageID, &l.Query, &when)
		l.At = at(when)
		return l, err
	}, `SELECT how, source_id, message_id, query, at_ms FROM lead WHERE name = $1 ORDER BY at_ms, source_id, message_id`, name)
}

// Candidate returns one candidate, by @name in any case.
func (db *DB) Candidate(ctx context.Context, name string) (evidence.Candidate, error) {
	found, err := rows(ctx, db, scanCandidate, `
		SELECT name, state, first_ms, decided_by, decided_ms, reason FROM candidate WHERE name = $1`, strings.ToLower(strings.TrimPrefix(strings.TrimSpace(name), "@")))
	if err != nil {
		return evidence.Candidate{}, err
	}
	if len(found) == 0 {
		return evidence.Candidate{}, ErrNotFound
	}
	found[0].Trail, err = db.trail(ctx, found[0].Name)
	return found[0], err
}

// DecideCandidate records a person's decision, in the custody log too.
func (db *DB) DecideCandidate(ctx context.Context, name string, state evidence.CandidateState, actor, reason string) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		now := time.Now()
		r, err := tx.ExecContext(ctx, `UPDATE candidate SET state = $1, decided_by = $2, decided_ms = $3, reason = $4 WHERE name = $5`,
			string(state), actor, ms(now), reason, name)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return fmt.Errorf("candidate: %w", ErrNotFound)
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "candidate." + string(state), Object: "@" + name, Actor: actor, At: now, Reason: reason})
	})
}
