package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"prahari/evidence"
)

// alertOverlap is how long before now an endpoint that was told everything looks
// for more: evidence is committed a little after it was captured.
const alertOverlap = time.Hour

// NextAlert returns what an endpoint is to be told now: the alert that waits, or
// a new one of the oldest findings of at least this severity that it was not told
// of, most at the most, with the number of those left over. Between two alerts
// that are not tries of one lies a gap. An endpoint that is new is told of what
// is found from then on. ErrNotFound: nothing is due. Where db rehearses, what is
// due comes with the *Rehearsal.
func (db *DB) NextAlert(ctx context.Context, endpoint string, least evidence.Severity, most int, gap time.Duration, now time.Time) (a evidence.Alert, more int, err error) {
	err = db.tx(ctx, func(tx *sql.Tx) error {
		a, more = evidence.Alert{}, 0
		if _, err := tx.ExecContext(ctx, knowEndpoint, endpoint, ms(now)); err != nil {
			return err
		}
		var since int64
		if err := tx.QueryRowContext(ctx, `SELECT since_ms FROM alert_endpoint WHERE name = $1`, endpoint).Scan(&since); err != nil {
			return err
		}
		waiting, err := alerts(ctx, tx, `WHERE endpoint = $1 AND state = $2 ORDER BY made_ms, id LIMIT 1`, endpoint, string(evidence.AlertWaiting))
		if err != nil {
			return err
		}
		if len(waiting) > 0 {
			a = waiting[0]
			return nil
		}
		var last sql.NullInt64
		if err := tx.QueryRowContext(ctx, `SELECT max(made_ms) FROM alert WHERE endpoint = $1`, endpoint).Scan(&last); err != nil {
			return err
		}
		if last.Valid && now.Before(at(last.Int64).Add(gap)) {
			return nil
		}
		const untold = ` FROM finding WHERE captured_ms >= $1 AND severity >= $2 AND suppressed_by = ''
			AND NOT EXISTS (SELECT 1 FROM alert_finding t WHERE t.endpoint = $3 AND t.finding_id = finding.id)`
		ids, err := rowsOf(ctx, tx, func(scan func(...any) error) (id string, err error) { return id, scan(&id) },
			`SELECT id`+untold+` ORDER BY captured_ms, id LIMIT $4`, since, least.Rank(), endpoint, most)
		if err != nil {
			return err
		}
		if len(ids) < most { // all told: look back no further than needed the next time
			_, err := tx.ExecContext(ctx, `UPDATE alert_endpoint SET since_ms = $1 WHERE name = $2 AND since_ms < $3`, ms(now.Add(-alertOverlap)), endpoint, ms(now.Add(-alertOverlap)))
			if err != nil {
				return err
			}
		}
		if len(ids) == 0 {
			return nil
		}
		a = evidence.Alert{ID: "al-" + strings.ToLower(rand.Text()[:16]), Endpoint: endpoint, MadeAt: now, NextAt: now, State: evidence.AlertWaiting, Findings: ids}
		_, err = tx.ExecContext(ctx, `INSERT INTO alert (id, endpoint, made_ms, tries, next_ms, state, error) VALUES ($1, $2, $3, 0, $4, $5, '')`,
			a.ID, endpoint, ms(now), ms(now), string(a.State))
		if err != nil {
			return err
		}
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, `INSERT INTO alert_finding (endpoint, finding_id, alert_id) VALUES ($1, $2, $3)`, endpoint, id, a.ID); err != nil {
				return err
			}
		}
		return tx.QueryRowContext(ctx, `SELECT count(*)`+untold, since, least.Rank(), endpoint).Scan(&more)
	})
	if err == nil && (a.ID == "" || a.NextAt.After(now)) {
		err = ErrNotFound
	}
	return a, more, err
}

// RecordAlert keeps what became of an alert's last try.
func (db *DB) RecordAlert(ctx context.Context, a evidence.Alert) error {
	_, err := db.sql.ExecContext(ctx, `UPDATE alert SET tries = $1, next_ms = $2, state = $3, error = $4 WHERE id = $5`,
		a.Tries, ms(a.NextAt), string(a.State), a.Error, a.ID)
	if err != nil {
		return fmt.Errorf("recording the alert %s: %w", a.ID, translate(err))
	}
	return nil
}

// Alerts lists the newest alerts first, at most so many.
func (db *DB) Alerts(ctx context.Context, limit int) ([]evidence.Alert, error) {
	return alerts(ctx, db.sql, `ORDER BY made_ms DESC, id LIMIT $1`, limit)
}

func alerts(ctx context.Context, q querier, where string, args ...any) ([]evidence.Alert, error) {
	all, err := rowsOf(ctx, q, func(scan func(...any) error) (evidence.Alert, error) {
		var a evidence.Alert
		var made, next int64
		err := scan(&a.ID, &a.Endpoint, &made, &a.Tries, &next, &a.State, &a.Error)
		a.MadeAt, a.NextAt = at(made), at(next)
		return a, err
	}, `SELECT id, endpoint, made_ms, tries, next_ms, state, error FROM alert `+where, args...)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Findings, err = rowsOf(ctx, q, func(scan func(...any) error) (id string, err error) { return id, scan(&id) },
			`SELECT finding_id FROM alert_finding WHERE alert_id = $1 ORDER BY finding_id`, all[i].ID)
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

const knowEndpoint = `INSERT INTO alert_endpoint (name, since_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING`

// KnowEndpoint makes an endpoint known: it is told of what is found from now on.
func (db *DB) KnowEndpoint(ctx context.Context, endpoint string, now time.Time) error {
	_, err := db.sql.ExecContext(ctx, knowEndpoint, endpoint, ms(now))
	return translate(err)
}
