package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"prahari/evidence"
)

// Commit records a batch in one transaction. The same evidence twice is one: a
// repetition adds nothing, not even to the custody log. It returns what was new.
func (db *DB) Commit(ctx context.Context, b evidence.Batch) (kept []evidence.Evidence, err error) {
	if b.Empty() {
		return nil, nil
	}
	err = db.tx(ctx, func(tx *sql.Tx) error {
		kept = nil // it may be tried again
		ctx := db.statements(ctx)
		var log []evidence.Entry
		for _, e := range b.Evidence {
			fresh, err := insertEvidence(ctx, tx, e)
			if err != nil {
				return fmt.Errorf("evidence %s: %w", e.ID, err)
			}
			if fresh {
				kept = append(kept, e)
				if err := insertLeads(ctx, tx, e.Leads); err != nil {
					return err
				}
				if err := insertLinks(ctx, tx, e.Leads); err != nil {
					return err
				}
				log = append(log,
					evidence.Entry{Action: "collect", Object: e.ID, Actor: b.Actor, At: e.CapturedAt, SHA256: e.Commitment},
					evidence.Entry{Action: "seal", Object: e.ID, Actor: b.Actor, At: e.CapturedAt, SHA256: e.SealedSHA})
			}
		}
		if err := insertFindings(ctx, tx, kept); err != nil {
			return err
		}
		for _, s := range b.Sightings {
			fresh, err := insertSighting(ctx, tx, s)
			if err != nil {
				return err
			}
			if fresh {
				log = append(log, evidence.Entry{Action: "recheck", Object: fmt.Sprintf("%s/%d", s.SourceID, s.MessageID), Actor: b.Actor, At: s.At, Reason: s.State})
			}
		}
		for _, o := range b.Observed {
			if err := observe(ctx, tx, o); err != nil {
				return err
			}
		}
		for _, g := range b.Gaps {
			if err := insertGap(ctx, tx, g); err != nil {
				return err
			}
		}
		for _, d := range b.Deletions {
			if err := insertDeletion(ctx, tx, d); err != nil {
				return err
			}
		}
		for _, c := range b.Changes {
			entries, err := insertChange(ctx, tx, c, b.Actor)
			if err != nil {
				return err
			}
			log = append(log, entries...)
		}
		for _, s := range b.Sources {
			if err := updateSource(ctx, tx, s); err != nil {
				return err
			}
		}
		if err := putState(ctx, tx, b); err != nil {
			return err
		}
		return appendEntries(ctx, tx, log...)
	})
	return kept, err
}

// insertEvidence reports whether the version was new. A version without findings
// is kept only where the message is in evidence already.
func insertEvidence(ctx context.Context, tx *sql.Tx, e evidence.Evidence) (bool, error) {
	if len(e.Findings) == 0 {
		before, err := inEvidence(ctx, tx, e.Source.ID, e.MessageID)
		if err != nil || !before {
			return false, err
		}
	}
	collection, err := json.Marshal(e.Collection)
	if err != nil {
		return false, err
	}
	r, err := tx.ExecContext(ctx, `
		INSERT INTO evidence (id, source_id, message_id, version, url, posted_ms, edited_ms, captured_ms, origin, masked, collection, commitment, sealed_sha256, sealed_size)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING`,
		e.ID, e.Source.ID, e.MessageID, e.Version, e.URL, ms(e.PostedAt), ms(e.EditedAt), ms(e.CapturedAt), string(e.Origin),
		e.Masked, string(collection), e.Commitment, e.SealedSHA, e.SealedSize)
	if err != nil {
		return false, err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO sealed (evidence_id, data) VALUES ($1, $2)`, e.ID, e.Sealed)
	return err == nil, err
}

// insertFindings records the findings of new evidence and the tokens in them.
func insertFindings(ctx context.Context, tx *sql.Tx, fresh []evidence.Evidence) error {
	known := suppressions{}
	findings := rowsFor{tx: tx, columns: 11, before: `
		INSERT INTO finding (id, evidence_id, source_id, rule, severity, posted_ms, captured_ms, records, body, template, suppressed_by) VALUES `}
	tokens := rowsFor{tx: tx, columns: 4, before: `INSERT INTO token (token, kind, finding_id, source_id) VALUES `, behind: ` ON CONFLICT DO NOTHING`}
	for _, e := range fresh {
		if len(e.Findings) == 0 {
			continue
		}
		template := evidence.Template(e.Masked)
		for _, f := range e.Findings {
			body, err := json.Marshal(f)
			if err != nil {
				return fmt.Errorf("finding %s: %w", f.ID, err)
			}
			suppressed, err := known.of(ctx, tx, template, f.Rule, e.Source.ID)
			if err != nil {
				return fmt.Errorf("finding %s: %w", f.ID, err)
			}
			findings.add(f.ID, e.ID, e.Source.ID, f.Rule, f.Severity.Rank(), ms(e.PostedAt), ms(e.CapturedAt), len(f.Records), string(body), template, suppressed)
			for _, r := range f.Records {
				for _, i := range r.Identifiers {
					if i.Token != "" {
						tokens.add(i.Token, string(i.Kind), f.ID, e.Source.ID)
					}
				}
			}
		}
	}
	if err := findings.insert(ctx); err != nil {
		return fmt.Errorf("findings: %w", err)
	}
	if err := tokens.insert(ctx); err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	return nil
}

func inEvidence(ctx context.Context, tx *sql.Tx, sourceID string, messageID int64) (bool, error) {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM evidence WHERE source_id = $1 AND message_id = $2 LIMIT 1) AS one`, sourceID, messageID).Scan(&n)
	return n > 0, err
}

func insertSighting(ctx context.Context, tx *sql.Tx, s evidence.Sighting) (bool, error) {
	known, err := inEvidence(ctx, tx, s.SourceID, s.MessageID)
	if err != nil || !known {
		return false, err
	}
	r, err := tx.ExecContext(ctx, `INSERT INTO sighting (source_id, message_id, state, at_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		s.SourceID, s.MessageID, s.State, ms(s.At))
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, err
}

// insertGap records a gap, unless it is the same loss told again: within the hour,
// or of one message, which every watch tries to read anew.
func insertGap(ctx context.Context, tx *sql.Tx, g evidence.Gap) error {
	var n int
	err := tx.QueryRowContext(ctx, `
		SELECT count(*) FROM gap WHERE source_id = $1 AND lo = $2 AND hi = $3 AND reason = $4 AND (lo = hi OR at_ms > $5)`,
		g.SourceID, g.Lo, g.Hi, g.Reason, ms(g.At.Add(-time.Hour))).Scan(&n)
	if err != nil || n > 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO gap (source_id, lo, hi, reason, at_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		g.SourceID, g.Lo, g.Hi, g.Reason, ms(g.At))
	return err
}

// observe extends the ranges that the new one touches, seen the same way by the
// same account, into one.
func observe(ctx context.Context, tx *sql.Tx, o evidence.Observed) error {
	lo, hi := o.Lo, o.Hi
	var least, most sql.NullInt64
	err := tx.QueryRowContext(ctx, `
		SELECT min(lo), max(hi) FROM coverage WHERE source_id = $1 AND how = $2 AND account = $3 AND lo <= CAST($4 AS BIGINT) + 1 AND hi >= CAST($5 AS BIGINT) - 1`,
		o.SourceID, string(o.How), o.Account, hi, lo).Scan(&least, &most)
	if err != nil {
		return err
	}
	if least.Valid {
		_, err := tx.ExecContext(ctx, `DELETE FROM coverage WHERE source_id = $1 AND how = $2 AND account = $3 AND lo <= CAST($4 AS BIGINT) + 1 AND hi >= CAST($5 AS BIGINT) - 1`,
			o.SourceID, string(o.How), o.Account, hi, lo)
		if err != nil {
			return err
		}
		lo, hi = min(lo, least.Int64), max(hi, most.Int64)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO coverage (source_id, lo, hi, how, account, at_ms) VALUES ($1, $2, $3, $4, $5, $6)`,
		o.SourceID, lo, hi, string(o.How), o.Account, ms(o.At))
	if err != nil {
		return fmt.Errorf("coverage of %s: %w", o.SourceID, err)
	}
	return nil
}

func putState(ctx context.Context, tx *sql.Tx, b evidence.Batch) error {
	if s := b.State; s != nil {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO update_state (account, user_id, pts, qts, date, seq) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (account) DO UPDATE SET user_id = excluded.user_id, pts = excluded.pts, qts = excluded.qts, date = excluded.date, seq = excluded.seq`,
			s.Account, s.UserID, s.Pts, s.Qts, s.Date, s.Seq)
		if err != nil {
			return fmt.Errorf("update state: %w", err)
		}
	}
	for _, c := range b.Channels {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO channel_state (account, channel_id, access_hash, pts) VALUES ($1, $2, $3, $4)
			ON CONFLICT (account, channel_id) DO UPDATE SET access_hash = excluded.access_hash, pts = excluded.pts`,
			c.Account, c.ChannelID, c.AccessHash, c.Pts)
		if err != nil {
			return fmt.Errorf("state of channel %d: %w", c.ChannelID, err)
		}
	}
	for _, h := range b.Heard {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO heard (account, source_id, message_id, at_ms) VALUES ($1, $2, $3, $4)
			ON CONFLICT (account, source_id) DO UPDATE SET message_id = excluded.message_id, at_ms = excluded.at_ms`, h.Account, h.SourceID, h.MessageID, ms(h.At))
		if err != nil {
			return fmt.Errorf("what was heard of %s: %w", h.SourceID, err)
		}
	}
	return nil
}

// Heard returns by source how far updates told an account of it.
func (db *DB) Heard(ctx context.Context, account string) (map[string]evidence.Heard, error) {
	all, err := rows(ctx, db, func(scan func(...any) error) (evidence.Heard, error) {
		h, told := evidence.Heard{Account: account}, int64(0)
		err := scan(&h.SourceID, &h.MessageID, &told)
		h.At = at(told)
		return h, err
	}, `SELECT source_id, message_id, at_ms FROM heard WHERE account = $1`, account)
	heard := make(map[string]evidence.Heard, len(all))
	for _, h := range all {
		heard[h.SourceID] = h
	}
	return heard, err
}

// UpdateState returns an account's place in Telegram's stream; found is false
// for an account that never watched.
func (db *DB) UpdateState(ctx context.Context, account string) (s evidence.UpdateState, channels []evidence.ChannelState, found bool, err error) {
	all, err := rows(ctx, db, func(scan func(...any) error) (evidence.UpdateState, error) {
		s := evidence.UpdateState{Account: account}
		return s, scan(&s.UserID, &s.Pts, &s.Qts, &s.Date, &s.Seq)
	}, `SELECT user_id, pts, qts, date, seq FROM update_state WHERE account = $1`, account)
	if err != nil {
		return s, nil, false, err
	}
	if len(all) > 0 {
		s, found = all[0], true
	}
	channels, err = rows(ctx, db, func(scan func(...any) error) (evidence.ChannelState, error) {
		c := evidence.ChannelState{Account: account}
		return c, scan(&c.ChannelID, &c.AccessHash, &c.Pts)
	}, `SELECT channel_id, access_hash, pts FROM channel_state WHERE account = $1`, account)
	return s, channels, found, err
}
