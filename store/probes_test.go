package store_test

import (
	"errors"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/store"
)

// A bot has one query a day, but for those that certainly were not sent; both stay
// in the log.
func TestAProbeThatWasNotSentIsNoneOfTheDay(t *testing.T) {
	db := open(t, t.TempDir())
	ctx := t.Context()
	one, other := another(t, db, 1, "lookup_bot").ID, another(t, db, 2, "other_bot").ID
	canary, err := db.AddCanary(ctx, evidence.Canary{Label: "sim", Kind: evidence.Mobile, Basis: evidence.Synthetic, AddedBy: "analyst:a1", AddedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	a, err := db.AddAuthorisation(ctx, evidence.Authorisation{Method: "messages.sendMessage", Source: one, Canary: canary.ID, GivenBy: "counsel", Reason: "a complaint", At: time.Now(), AddedBy: "analyst:a1"}, "analyst:a1")
	if err != nil {
		t.Fatal(err)
	}
	begin := func(bot string) (evidence.Probe, error) {
		return db.BeginProbe(ctx, evidence.Probe{SourceID: bot, Canary: canary.ID, Authorisation: a.ID, Operator: "analyst:a1", SentAt: time.Now()})
	}
	first, err := begin(one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := begin(one); !errors.Is(err, store.ErrProbedToday) {
		t.Errorf("the second of a day: %v", err)
	}
	if _, err := begin(other); err != nil {
		t.Errorf("another bot: %v", err)
	}
	if err := db.UnsendProbe(ctx, first, "the account is signed out"); err != nil {
		t.Fatal(err)
	}
	second, err := begin(one)
	if err != nil || second.ID == first.ID {
		t.Fatalf("after one that was not sent: %+v, %v", second, err)
	}
	if _, err := begin(one); !errors.Is(err, store.ErrProbedToday) {
		t.Errorf("after one that was: %v", err)
	}
	if _, err := begin(other); !errors.Is(err, store.ErrProbedToday) {
		t.Errorf("the other bot's day was given back: %v", err)
	}
	entries, err := db.Custody(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, e := range entries {
		if e.Object == first.ID {
			said[e.Action] = e.Reason
		}
	}
	if said["probe"] == "" || said["probe.unsent"] != "the account is signed out" {
		t.Errorf("in the log: %q", said)
	}
}
