package store

import (
	"context"
	"fmt"
	"time"

	"prahari/evidence"
)

// PutWait keeps a wait that Telegram asked for, in place of an earlier one of the
// same account and method.
func (db *DB) PutWait(ctx context.Context, w evidence.Wait) error {
	_, err := db.sql.ExecContext(ctx, `
		INSERT INTO flood_wait (account, method, until_ms, reason) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account, method) DO UPDATE SET until_ms = excluded.until_ms, reason = excluded.reason`,
		w.Account, w.Method, ms(w.Until), w.Reason)
	if err != nil {
		return fmt.Errorf("keeping a wait: %w", translate(err))
	}
	return nil
}

// Waits lists an account's waits that last at a time.
func (db *DB) Waits(ctx context.Context, account string, now time.Time) ([]evidence.Wait, error) {
	return rows(ctx, db, func(scan func(...any) error) (evidence.Wait, error) {
		w := evidence.Wait{Account: account}
		var until int64
		err := scan(&w.Method, &until, &w.Reason)
		w.Until = at(until)
		return w, err
	}, `SELECT method, until_ms, reason FROM flood_wait WHERE account = $1 AND until_ms > $2 ORDER BY method`, account, ms(now))
}
