package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"prahari/evidence"
)

// ErrStopped says that a clock is not running any more.
var ErrStopped = errors.New("this clock was stopped")

const clockColumns = `id, case_id, clock, notice_id, order_id, capacity, trigger_ms, basis, proof, started_by, started_ms, stopped_by, stopped_ms, why`

func scanClock(scan func(...any) error) (evidence.Countdown, error) {
	var c evidence.Countdown
	var trigger, started, stopped int64
	err := scan(&c.ID, &c.CaseID, &c.Clock, &c.NoticeID, &c.OrderID, &c.Capacity, &trigger, &c.Basis, &c.Proof, &c.StartedBy, &started, &c.StoppedBy, &stopped, &c.Why)
	c.Trigger, c.StartedAt, c.StoppedAt = at(trigger), at(started), at(stopped)
	return c, err
}

// StartClock records that a clock of a case began, and gives it an id.
func (db *DB) StartClock(ctx context.Context, c evidence.Countdown) (evidence.Countdown, error) {
	err := db.tx(ctx, func(tx *sql.Tx) (err error) {
		c, err = startClock(ctx, tx, c)
		return err
	})
	return c, err
}

// startClock does it within a transaction: a notice is sent and its clocks begin
// as one.
func startClock(ctx context.Context, tx *sql.Tx, c evidence.Countdown) (evidence.Countdown, error) {
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM clock`).Scan(&n); err != nil {
		return c, err
	}
	c.ID = fmt.Sprintf("K-%04d", n+1)
	if c.StartedAt.IsZero() {
		c.StartedAt = time.Now()
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO clock (`+clockColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '', 0, '')`,
		c.ID, c.CaseID, c.Clock, c.NoticeID, c.OrderID, c.Capacity, ms(c.Trigger), string(c.Basis), c.Proof, c.StartedBy, ms(c.StartedAt))
	if err != nil {
		return c, fmt.Errorf("clock: %w", err)
	}
	return c, appendEntries(ctx, tx, evidence.Entry{Action: "clock.start", Object: c.ID, CaseID: c.CaseID, Actor: c.StartedBy, At: c.StartedAt, SHA256: c.Proof,
		Reason: fmt.Sprintf("%s %s %s", c.Clock, c.Basis, c.Trigger.UTC().Format(time.RFC3339))})
}

// Clocks lists the clocks of a case, of all cases where caseID is "".
func (db *DB) Clocks(ctx context.Context, caseID string) ([]evidence.Countdown, error) {
	return rows(ctx, db, scanClock, `SELECT `+clockColumns+` FROM clock WHERE case_id = $1 OR $1 = '' ORDER BY id`, caseID)
}

// StartedClock returns one by id or number.
func (db *DB) StartedClock(ctx context.Context, id string) (evidence.Countdown, error) {
	whole, err := db.one(ctx, "clock", id)
	if err != nil {
		return evidence.Countdown{}, err
	}
	all, err := rows(ctx, db, scanClock, `SELECT `+clockColumns+` FROM clock WHERE id = $1`, whole)
	if err != nil || len(all) == 0 {
		return evidence.Countdown{}, err
	}
	return all[0], nil
}

// ProveReceipt moves a clock's trigger to when the recipient had the notice. The
// proof itself stays outside; its digest is kept.
func (db *DB) ProveReceipt(ctx context.Context, id string, received time.Time, proof, actor string) error {
	return db.changeClock(ctx, id, evidence.Entry{Action: "clock.received", Actor: actor, SHA256: proof, Reason: received.UTC().Format(time.RFC3339)},
		`UPDATE clock SET trigger_ms = $1, basis = $2, proof = $3 WHERE id = $4 AND stopped_ms = 0`, ms(received), string(evidence.FromReceipt), proof, id)
}

// StopClock ends a clock: the duty was done, or the case ended.
func (db *DB) StopClock(ctx context.Context, id, actor, why string) error {
	now := time.Now()
	return db.changeClock(ctx, id, evidence.Entry{Action: "clock.stop", Actor: actor, At: now, Reason: why},
		`UPDATE clock SET stopped_by = $1, stopped_ms = $2, why = $3 WHERE id = $4 AND stopped_ms = 0`, actor, ms(now), why, id)
}

func (db *DB) changeClock(ctx context.Context, id string, log evidence.Entry, query string, args ...any) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrStopped)
		}
		log.Object = id
		if err := tx.QueryRowContext(ctx, `SELECT case_id FROM clock WHERE id = $1`, id).Scan(&log.CaseID); err != nil {
			return err
		}
		return appendEntries(ctx, tx, log)
	})
}

// AddOrder records a court order or an authorised intimation and gives it an id.
func (db *DB) AddOrder(ctx context.Context, o evidence.CourtOrder) (evidence.CourtOrder, error) {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM court_order`).Scan(&n); err != nil {
			return err
		}
		o.ID = fmt.Sprintf("O-%04d", n+1)
		_, err := tx.ExecContext(ctx, `
			INSERT INTO court_order (id, case_id, kind, issued_by, issued_ms, sha256, recorded_by, recorded_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			o.ID, o.CaseID, string(o.Kind), o.IssuedBy, ms(o.IssuedOn), o.SHA256, o.RecordedBy, ms(o.RecordedAt))
		if err != nil {
			return err
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "order.record", Object: o.ID, CaseID: o.CaseID, Actor: o.RecordedBy, At: o.RecordedAt, SHA256: o.SHA256,
			Reason: string(o.Kind) + " of " + o.IssuedBy})
	})
	return o, err
}

// Orders lists the orders of a case, of all cases where caseID is "".
func (db *DB) Orders(ctx context.Context, caseID string) ([]evidence.CourtOrder, error) {
	return rows(ctx, db, func(scan func(...any) error) (evidence.CourtOrder, error) {
		var o evidence.CourtOrder
		var issued, recorded int64
		err := scan(&o.ID, &o.CaseID, &o.Kind, &o.IssuedBy, &issued, &o.SHA256, &o.RecordedBy, &recorded)
		o.IssuedOn, o.RecordedAt = at(issued), at(recorded)
		return o, err
	}, `SELECT id, case_id, kind, issued_by, issued_ms, sha256, recorded_by, recorded_ms FROM court_order WHERE case_id = $1 OR $1 = '' ORDER BY id`, caseID)
}
