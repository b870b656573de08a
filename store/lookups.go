package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"prahari/evidence"
)

// day is what a limit of look-ups counts.
const day = 24 * time.Hour

// Peer returns what an account found under a name.
func (db *DB) Peer(ctx context.Context, account, name string) (evidence.Peer, bool, error) {
	all, err := rows(ctx, db, func(scan func(...any) error) (evidence.Peer, error) {
		p := evidence.Peer{Account: account, Name: name}
		var when int64
		err := scan(&p.Kind, &p.PeerID, &p.AccessHash, &when)
		p.At = at(when)
		return p, err
	}, `SELECT kind, peer_id, access_hash, at_ms FROM peer WHERE account = $1 AND name = $2`, account, strings.ToLower(name))
	if err != nil || len(all) == 0 {
		return evidence.Peer{}, false, err
	}
	return all[0], true, nil
}

// PutPeer keeps what an account found under a name. A name that holds an
// identifier is not kept.
func (db *DB) PutPeer(ctx context.Context, p evidence.Peer) error {
	if !evidence.CandidateName(p.Name) {
		return nil
	}
	return db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO peer (account, name, kind, peer_id, access_hash, at_ms) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (account, name) DO UPDATE SET kind = excluded.kind, peer_id = excluded.peer_id, access_hash = excluded.access_hash, at_ms = excluded.at_ms`,
			p.Account, strings.ToLower(p.Name), string(p.Kind), p.PeerID, p.AccessHash, ms(p.At))
		if err != nil {
			return fmt.Errorf("keeping the id of a name: %w", err)
		}
		return nil
	})
}

// CountLookup counts a look-up of a name, unless the account made limit of them
// within a day: then ok is false, and free says when the next may be made.
func (db *DB) CountLookup(ctx context.Context, account, name string, limit int) (free time.Time, ok bool, err error) {
	err = db.tx(ctx, func(tx *sql.Tx) error {
		now := time.Now()
		var n int
		var oldest sql.NullInt64
		err := tx.QueryRowContext(ctx, `SELECT count(*), min(at_ms) FROM lookup WHERE account = $1 AND at_ms > $2`, account, ms(now.Add(-day))).Scan(&n, &oldest)
		if err != nil {
			return err
		}
		if n >= limit {
			free = at(oldest.Int64).Add(day)
			return nil
		}
		ok = true
		if !evidence.CandidateName(name) {
			name = "" // it counts, and is not kept
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM lookup WHERE account = $1 AND at_ms < $2`, account, ms(now.Add(-7*day))); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO lookup (account, at_ms, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, account, ms(now), strings.ToLower(name))
		return err
	})
	return free, ok, err
}

// Usage is what an account uses of its limits.
type Usage struct {
	Joined  int // channels and groups that it joined through prahari
	Lookups int // of names, within a day
}

// Usage counts what an account uses of its limits.
func (db *DB) Usage(ctx context.Context, account string) (Usage, error) {
	var u Usage
	err := db.sql.QueryRowContext(ctx, `
		SELECT (SELECT count(*) FROM source WHERE account = $1 AND access = 'joined' AND kind <> 'bot'),
			(SELECT count(*) FROM lookup WHERE account = $1 AND at_ms > $2)`, account, ms(time.Now().Add(-day))).Scan(&u.Joined, &u.Lookups)
	return u, translate(err)
}
