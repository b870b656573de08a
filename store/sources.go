package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"prahari/evidence"
)

const sourceColumns = `id, kind, access, peer_id, access_hash, username, title, about, account, state, marks, added_ms, added_by`

func scanSource(scan func(...any) error) (evidence.Source, error) {
	var s evidence.Source
	var added int64
	err := scan(&s.ID, &s.Kind, &s.Access, &s.PeerID, &s.AccessHash, &s.Username, &s.Title, &s.About, &s.Account, &s.State, &s.Marks, &added, &s.AddedBy)
	s.AddedAt = at(added)
	return s, err
}

// AddSource records a source; one that is there is brought up to date, and one
// that was removed is watched again.
func (db *DB) AddSource(ctx context.Context, s evidence.Source) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO source (id, kind, access, peer_id, access_hash, username, title, about, account, state, marks, added_ms, added_by)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
			ON CONFLICT (id) DO UPDATE SET access = excluded.access, access_hash = excluded.access_hash, username = excluded.username,
				title = excluded.title, about = excluded.about, account = excluded.account, state = excluded.state, marks = excluded.marks, removed_ms = NULL`,
			s.ID, string(s.Kind), string(s.Access), s.PeerID, s.AccessHash, s.Username, s.Title, s.About, s.Account, string(s.State), s.Marks, ms(s.AddedAt), s.AddedBy)
		if err != nil {
			return fmt.Errorf("source %s: %w", s.ID, err)
		}
		if err := putAccess(ctx, tx, s); err != nil {
			return err
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "source.add", Object: s.ID, Actor: s.AddedBy, At: s.AddedAt, Reason: string(s.Access)})
	})
}

// Sources lists what is watched.
func (db *DB) Sources(ctx context.Context) ([]evidence.Source, error) {
	return rows(ctx, db, scanSource, `SELECT `+sourceColumns+` FROM source WHERE removed_ms IS NULL ORDER BY added_ms, id`)
}

// Source finds a source by id, @name or t.me link, one that was removed too: its
// evidence stays.
func (db *DB) Source(ctx context.Context, ref string) (evidence.Source, error) {
	name := strings.TrimPrefix(strings.TrimSpace(ref), "@")
	for _, prefix := range []string{"https://", "http://", "t.me/", "telegram.me/"} {
		name = strings.TrimPrefix(name, prefix)
	}
	name, _, _ = strings.Cut(name, "/")
	found, err := rows(ctx, db, scanSource, `SELECT `+sourceColumns+` FROM source WHERE id = $1 OR lower(username) = lower($2) ORDER BY added_ms DESC LIMIT 1`, ref, name)
	if err != nil {
		return evidence.Source{}, err
	}
	if len(found) == 0 || name == "" {
		return evidence.Source{}, ErrNotFound
	}
	return found[0], nil
}

// RemoveSource ends the watching of a source; what was found there stays.
func (db *DB) RemoveSource(ctx context.Context, id, actor string) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		now := time.Now()
		if _, err := tx.ExecContext(ctx, `UPDATE source SET removed_ms = $1 WHERE id = $2`, ms(now), id); err != nil {
			return err
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "source.remove", Object: id, Actor: actor, At: now})
	})
}

// Coverage lists what was observed of a source, or of all for "", in rising order
// for each: with thousands of sources one statement takes less than thousands.
func (db *DB) Coverage(ctx context.Context, sourceID string) ([]evidence.Observed, error) {
	const columns = `SELECT source_id, lo, hi, how, account, at_ms FROM coverage `
	scan := func(scan func(...any) error) (evidence.Observed, error) {
		var o evidence.Observed
		var when int64
		err := scan(&o.SourceID, &o.Lo, &o.Hi, &o.How, &o.Account, &when)
		o.At = at(when)
		return o, err
	}
	if sourceID == "" {
		return rows(ctx, db, scan, columns+`ORDER BY source_id, lo, hi`)
	}
	return rows(ctx, db, scan, columns+`WHERE source_id = $1 ORDER BY lo, hi`, sourceID)
}

// Gaps lists what was missed of a source, also when it was read later.
func (db *DB) Gaps(ctx context.Context, sourceID string) ([]evidence.Gap, error) {
	return rows(ctx, db, func(scan func(...any) error) (evidence.Gap, error) {
		g := evidence.Gap{SourceID: sourceID}
		var when int64
		err := scan(&g.Lo, &g.Hi, &g.Reason, &when)
		g.At = at(when)
		return g, err
	}, `SELECT lo, hi, reason, at_ms FROM gap WHERE source_id = $1 ORDER BY lo, at_ms`, sourceID)
}

// Counts of a source.
type Counts struct {
	Evidence, Findings, Tokens int64
}

// Counts counts what a source gave: pieces of evidence, findings, and distinct
// identifiers by token.
func (db *DB) Counts(ctx context.Context, sourceID string) (Counts, error) {
	var c Counts
	err := db.sql.QueryRowContext(ctx, `
		SELECT (SELECT count(*) FROM evidence WHERE source_id = $1), (SELECT count(*) FROM finding WHERE source_id = $1),
			(SELECT count(DISTINCT token) FROM token WHERE source_id = $1)`, sourceID).Scan(&c.Evidence, &c.Findings, &c.Tokens)
	return c, translate(err)
}

// States of an account.
const (
	AccountOK        = "ok"
	AccountSignedOut = "signed out"   // sign in again
	AccountBanned    = "banned"       // or its session was revoked
	AccountLimited   = "rate-limited" // until the wait that Telegram asked for is over
)

// An Account as kept: the number is masked, the session is elsewhere.
type Account struct {
	Label   string    `json:"label"`
	UserID  int64     `json:"user_id"`
	Phone   string    `json:"phone"` // masked
	State   string    `json:"state"`
	Premium bool      `json:"premium,omitempty"` // of Telegram: other limits hold
	AddedAt time.Time `json:"added_at"`
}

// AddAccount records an account, or its new sign-in.
func (db *DB) AddAccount(ctx context.Context, a Account, actor string) error {
	premium := 0
	if a.Premium {
		premium = 1
	}
	return db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO account (label, user_id, phone, state, premium, added_ms) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (label) DO UPDATE SET user_id = excluded.user_id, phone = excluded.phone, state = excluded.state, premium = excluded.premium`,
			a.Label, a.UserID, a.Phone, a.State, premium, ms(a.AddedAt))
		if err != nil {
			return fmt.Errorf("account %s: %w", a.Label, err)
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "account.add", Object: "account:" + a.Label, Actor: actor, At: a.AddedAt})
	})
}

// SetAccountState notes what Telegram did to an account.
func (db *DB) SetAccountState(ctx context.Context, label, state, actor string) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE account SET state = $1 WHERE label = $2`, state, label); err != nil {
			return err
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "account.state", Object: "account:" + label, Actor: actor, At: time.Now(), Reason: state})
	})
}

// Accounts lists the accounts.
func (db *DB) Accounts(ctx context.Context) ([]Account, error) {
	return rows(ctx, db, func(scan func(...any) error) (Account, error) {
		var a Account
		var added, premium int64
		err := scan(&a.Label, &a.UserID, &a.Phone, &a.State, &premium, &added)
		a.AddedAt, a.Premium = at(added), premium == 1
		return a, err
	}, `SELECT label, user_id, phone, state, premium, added_ms FROM account ORDER BY added_ms, label`)
}

// AddAuthorisation records who allowed what, and gives it an id.
func (db *DB) AddAuthorisation(ctx context.Context, a evidence.Authorisation, actor string) (evidence.Authorisation, error) {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM authorisation`).Scan(&n); err != nil {
			return err
		}
		a.ID = fmt.Sprintf("A-%04d", n+1)
		_, err := tx.ExecContext(ctx, `
			INSERT INTO authorisation (id, method, source, given_by, reason, at_ms, canary, expires_ms, added_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			a.ID, a.Method, a.Source, a.GivenBy, a.Reason, ms(a.At), a.Canary, ms(a.ExpiresAt), a.AddedBy)
		if err != nil {
			return err
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "authorize", Object: a.ID, Actor: actor, At: a.At, Approver: a.GivenBy, Reason: a.Method + " for " + a.Source + ": " + a.Reason})
	})
	return a, err
}

// Authorisations lists what was allowed.
func (db *DB) Authorisations(ctx context.Context) ([]evidence.Authorisation, error) {
	return rows(ctx, db, func(scan func(...any) error) (evidence.Authorisation, error) {
		var a evidence.Authorisation
		var when, expires, approved, revoked int64
		err := scan(&a.ID, &a.Method, &a.Source, &a.GivenBy, &a.Reason, &when, &a.Canary, &expires, &a.AddedBy, &a.ApprovedBy, &approved, &a.RevokedBy, &revoked)
		a.At, a.ExpiresAt, a.ApprovedAt, a.RevokedAt = at(when), at(expires), at(approved), at(revoked)
		return a, err
	}, `
		SELECT id, method, source, given_by, reason, at_ms, canary, expires_ms, added_by, approved_by, approved_ms, revoked_by, revoked_ms
		FROM authorisation ORDER BY id`)
}
