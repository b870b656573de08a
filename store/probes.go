package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"prahari/evidence"
)

// ErrProbedToday says that the bot had its query of the day.
var ErrProbedToday = errors.New("the bot was sent a canary within the last 24 hours; one a day is the limit")

const canaryColumns = `id, label, kind, token, masked, basis, consent_sha256, scope, expires_ms, added_by, added_ms, withdrawn_by, withdrawn_ms`

func scanCanary(scan func(...any) error) (evidence.Canary, error) {
	var c evidence.Canary
	var scope string
	var expires, added, withdrawn int64
	err := scan(&c.ID, &c.Label, &c.Kind, &c.Token, &c.Masked, &c.Basis, &c.Consent, &scope, &expires, &c.AddedBy, &added, &c.WithdrawnBy, &withdrawn)
	c.Scope = strings.Fields(scope)
	c.ExpiresAt, c.AddedAt, c.WithdrawnAt = at(expires), at(added), at(withdrawn)
	return c, err
}

// AddCanary records a canary and gives it an id.
func (db *DB) AddCanary(ctx context.Context, c evidence.Canary) (evidence.Canary, error) {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM canary`).Scan(&n); err != nil {
			return err
		}
		c.ID = fmt.Sprintf("C-%04d", n+1)
		_, err := tx.ExecContext(ctx, `INSERT INTO canary (`+canaryColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '', 0)`,
			c.ID, c.Label, string(c.Kind), c.Token, c.Masked, string(c.Basis), c.Consent, strings.Join(c.Scope, " "), ms(c.ExpiresAt), c.AddedBy, ms(c.AddedAt))
		if err != nil {
			return err
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "canary.add", Object: c.ID, Actor: c.AddedBy, At: c.AddedAt, SHA256: c.Consent, Reason: string(c.Basis)})
	})
	return c, err
}

// Canaries lists canaries, withdrawn ones too.
func (db *DB) Canaries(ctx context.Context) ([]evidence.Canary, error) {
	return rows(ctx, db, scanCanary, `SELECT `+canaryColumns+` FROM canary ORDER BY id`)
}

// Canary returns one canary by id or label.
func (db *DB) Canary(ctx context.Context, ref string) (evidence.Canary, error) {
	found, err := rows(ctx, db, scanCanary, `SELECT `+canaryColumns+` FROM canary WHERE id = $1 OR label = $1 ORDER BY id DESC LIMIT 1`, ref)
	if err != nil {
		return evidence.Canary{}, err
	}
	if len(found) == 0 {
		return evidence.Canary{}, ErrNotFound
	}
	return found[0], nil
}

// WithdrawCanary ends the use of a canary for good.
func (db *DB) WithdrawCanary(ctx context.Context, id, actor, reason string) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		now := time.Now()
		r, err := tx.ExecContext(ctx, `UPDATE canary SET withdrawn_by = $1, withdrawn_ms = $2 WHERE id = $3 AND withdrawn_ms = 0`, actor, ms(now), id)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "canary.withdraw", Object: id, Actor: actor, At: now, Reason: reason})
	})
}

// ApproveAuthorisation records the second person.
func (db *DB) ApproveAuthorisation(ctx context.Context, id, approver string) error {
	return db.decideAuthorisation(ctx, id, "approved", approver, "")
}

// RevokeAuthorisation ends an authorisation for good.
func (db *DB) RevokeAuthorisation(ctx context.Context, id, actor, reason string) error {
	return db.decideAuthorisation(ctx, id, "revoked", actor, reason)
}

func (db *DB) decideAuthorisation(ctx context.Context, id, what, actor, reason string) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		now := time.Now()
		r, err := tx.ExecContext(ctx, `UPDATE authorisation SET `+what+`_by = $1, `+what+`_ms = $2 WHERE id = $3 AND `+what+`_ms = 0`, actor, ms(now), id)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "authorisation." + what, Object: id, Actor: actor, At: now, Approver: actor, Reason: reason})
	})
}

// BeginProbe records a query before it is sent, so that a crash cannot send it
// twice. It fails with ErrProbedToday within a day of the last.
func (db *DB) BeginProbe(ctx context.Context, p evidence.Probe) (evidence.Probe, error) {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var recent, n int
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM probe WHERE source_id = $1 AND sent_ms > $2`, p.SourceID, ms(p.SentAt.Add(-24*time.Hour))).Scan(&recent)
		if err != nil {
			return err
		}
		if recent > 0 {
			return ErrProbedToday
		}
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM probe`).Scan(&n); err != nil {
			return err
		}
		p.ID = fmt.Sprintf("P-%04d", n+1)
		_, err = tx.ExecContext(ctx, `INSERT INTO probe (id, source_id, canary, authorisation, operator, sent_ms, replies, findings) VALUES ($1, $2, $3, $4, $5, $6, 0, 0)`,
			p.ID, p.SourceID, p.Canary, p.Authorisation, p.Operator, ms(p.SentAt))
		if err != nil {
			return err
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "probe", Object: p.ID, Actor: p.Operator, At: p.SentAt, Approver: p.ApprovedBy, SHA256: p.Consent, Reason: p.Canary + " to " + p.SourceID + " by " + p.Authorisation})
	})
	return p, err
}

// EndProbe records what a query brought.
func (db *DB) EndProbe(ctx context.Context, p evidence.Probe) error {
	_, err := db.sql.ExecContext(ctx, `UPDATE probe SET replies = $1, findings = $2 WHERE id = $3`, p.Replies, p.Findings, p.ID)
	return translate(err)
}

// UnsendProbe records that a query certainly was not sent, and why: it does not use
// up the bot's day.
func (db *DB) UnsendProbe(ctx context.Context, p evidence.Probe, why string) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE probe SET sent_ms = 0 WHERE id = $1`, p.ID); err != nil {
			return err
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "probe.unsent", Object: p.ID, Actor: p.Operator, At: time.Now(), Reason: why})
	})
}

// Probes lists the queries, the newest first.
func (db *DB) Probes(ctx context.Context) ([]evidence.Probe, error) {
	return rows(ctx, db, func(scan func(...any) error) (evidence.Probe, error) {
		var p evidence.Probe
		var sent int64
		err := scan(&p.ID, &p.SourceID, &p.Canary, &p.Authorisation, &p.Operator, &sent, &p.Replies, &p.Findings)
		p.SentAt = at(sent)
		return p, err
	}, `SELECT id, source_id, canary, authorisation, operator, sent_ms, replies, findings FROM probe ORDER BY id DESC`)
}

// PutProfile keeps a bot's profile where it differs from the last, which it
// returns; known is false for the first. The custody log gets its digest.
func (db *DB) PutProfile(ctx context.Context, p evidence.BotProfile, actor string) (last evidence.BotProfile, known bool, err error) {
	kept, err := db.Profiles(ctx, p.SourceID)
	if err != nil {
		return last, false, err
	}
	if len(kept) > 0 {
		last, known = kept[len(kept)-1], true
		if evidence.SameProfile(p, last) {
			return last, true, nil
		}
	}
	body, err := json.Marshal(p)
	if err != nil {
		return last, known, err
	}
	err = db.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO bot_profile (source_id, at_ms, body) VALUES ($1, $2, $3)`, p.SourceID, ms(p.At), string(body)); err != nil {
			return err
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "bot.profile", Object: p.SourceID, Actor: actor, At: p.At, SHA256: evidence.Digest(body)})
	})
	return last, known, err
}

// Profiles lists a bot's profiles, oldest first.
func (db *DB) Profiles(ctx context.Context, sourceID string) ([]evidence.BotProfile, error) {
	return rows(ctx, db, scanProfile, `SELECT body FROM bot_profile WHERE source_id = $1 ORDER BY at_ms`, sourceID)
}

// ProfilesOf lists the profiles that were kept under a name, oldest first, and the
// others of the bots that had it.
func (db *DB) ProfilesOf(ctx context.Context, name string) ([]evidence.BotProfile, error) {
	all, err := rows(ctx, db, scanProfile, `SELECT body FROM bot_profile ORDER BY at_ms, source_id`)
	if err != nil {
		return nil, err
	}
	had := map[string]bool{}
	for _, p := range all {
		if strings.EqualFold(p.Username, name) {
			had[p.SourceID] = true
		}
	}
	return slices.DeleteFunc(all, func(p evidence.BotProfile) bool { return !had[p.SourceID] }), nil
}

func scanProfile(scan func(...any) error) (evidence.BotProfile, error) {
	var p evidence.BotProfile
	var body string
	if err := scan(&body); err != nil {
		return p, err
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		return p, fmt.Errorf("%w: profile of a bot: %w", ErrBroken, err)
	}
	return p, nil
}
