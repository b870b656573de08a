package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/store"
)

// An endpoint is told of each finding once, in order, in messages that stay the
// same until they are taken, and no faster than asked for.
func TestAlerts(t *testing.T) {
	db, _ := filled(t, 2)
	ctx := t.Context()
	begin := time.UnixMilli(1700000000002) // the second piece was captured then
	next := func(endpoint string, after time.Duration) (evidence.Alert, int, error) {
		return db.NextAlert(ctx, endpoint, evidence.High, 3, time.Minute, begin.Add(after))
	}
	if err := db.KnowEndpoint(ctx, "soc", begin); err != nil {
		t.Fatal(err)
	}
	for n := 3; n <= 6; n++ {
		if _, err := db.Commit(ctx, batch(n)); err != nil {
			t.Fatal(err)
		}
	}
	first, more, err := next("soc", time.Second)
	if err != nil || fmt.Sprint(first.Findings) != "[f-0002 f-0003 f-0004]" || more != 2 || first.State != evidence.AlertWaiting {
		t.Fatalf("%+v, %d more, %v", first, more, err)
	}
	// A failed try waits, then the same message comes again.
	first.Tries, first.NextAt, first.Error = 1, begin.Add(10*time.Second), "refused"
	if err := db.RecordAlert(ctx, first); err != nil {
		t.Fatal(err)
	}
	if _, _, err := next("soc", 9*time.Second); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("tried again too early: %v", err)
	}
	again, _, err := next("soc", 11*time.Second)
	if err != nil || again.ID != first.ID || fmt.Sprint(again.Findings) != fmt.Sprint(first.Findings) || again.Tries != 1 || again.Error != "refused" {
		t.Errorf("%+v, %v", again, err)
	}
	again.State, again.Tries = evidence.AlertSent, 2
	if err := db.RecordAlert(ctx, again); err != nil {
		t.Fatal(err)
	}
	if _, _, err := next("soc", 30*time.Second); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a second message within the gap: %v", err)
	}
	second, more, err := next("soc", 2*time.Minute)
	if err != nil || fmt.Sprint(second.Findings) != "[f-0005 f-0006]" || more != 0 {
		t.Errorf("%+v, %d more, %v", second, more, err)
	}
	second.State = evidence.AlertSent
	if err := db.RecordAlert(ctx, second); err != nil {
		t.Fatal(err)
	}
	if _, _, err := next("soc", time.Hour*5); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("told twice: %v", err)
	}
	// Another endpoint, known only now, is not told of the past.
	if _, _, err := next("late", time.Hour*5); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("told of the past: %v", err)
	}
	all, err := db.Alerts(ctx, 10)
	if err != nil || len(all) != 2 || all[0].ID != second.ID {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestAlertsHaveALeastSeverity(t *testing.T) {
	db, _ := filled(t, 0)
	for _, name := range []string{"soc", "desk"} {
		if err := db.KnowEndpoint(t.Context(), name, time.UnixMilli(1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Commit(t.Context(), batch(1)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.NextAlert(t.Context(), "soc", evidence.Critical, 3, 0, time.Now()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a finding of less severity: %v", err)
	}
	if a, _, err := db.NextAlert(t.Context(), "desk", evidence.Medium, 3, 0, time.Now()); err != nil || len(a.Findings) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}
