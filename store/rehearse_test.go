package store_test

import (
	"errors"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/store"
)

// A rehearsal checks all that the act checks, says what would be in the log, and
// leaves nothing.
func TestRehearse(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	ctx := t.Context()
	leak := found(t, db, another(t, db, 1, "leaks"), 1, "Mobile: XXXXXX1234", "tok-1")
	c, err := db.OpenCase(ctx, evidence.Case{Title: "T", OpenedAt: time.Now(), OpenedBy: "analyst:a1", Findings: []string{leak}})
	if err != nil {
		t.Fatal(err)
	}
	before, head, err := db.VerifyCustody(ctx)
	if err != nil {
		t.Fatal(err)
	}
	db.Rehearse()
	var r *store.Rehearsal
	_, err = db.AddHold(ctx, evidence.Hold{Object: c.ID, Reason: "order of the court", AddedBy: "analyst:a1", ApprovedBy: "analyst:b2", AddedAt: time.Now()})
	if !errors.As(err, &r) || len(r.Entries) != 1 || r.Entries[0].Action != "hold" || r.Entries[0].Object != c.ID || r.Entries[0].Approver != "analyst:b2" {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err := db.DecideCase(ctx, evidence.Step{CaseID: c.ID, To: evidence.Approved, Actor: "analyst:b2", At: time.Now()}); errors.As(err, &r) || !errors.Is(err, evidence.ErrTransition) {
		t.Errorf("a step that does not follow: %v", err)
	}
	if holds, err := db.Holds(ctx); err != nil || len(holds) != 0 {
		t.Errorf("%d holds stayed, %v", len(holds), err)
	}
	if after, now, err := db.VerifyCustody(ctx); err != nil || after != before || now != head {
		t.Errorf("the log grew from %d to %d entries, %v", before, after, err)
	}
}
