package store_test

import (
	"reflect"
	"testing"
	"time"

	"prahari/evidence"
)

func TestSummaryCounts(t *testing.T) {
	db, _ := filled(t, 0)
	ctx := t.Context()
	for n := 1; n <= 4; n++ {
		e := piece(n)
		e.CapturedAt = e.PostedAt.Add(time.Duration(n) * time.Minute)
		if _, err := db.Commit(ctx, evidence.Batch{Actor: "a1", Evidence: []evidence.Evidence{e}}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := db.Summary(ctx, time.Time{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if s.Findings != 4 || len(s.Kinds) != 1 || s.Kinds[0] != (evidence.KindCount{Kind: evidence.Mobile, Findings: 4, Distinct: 3}) {
		t.Errorf("%+v", s)
	}
	// 1700000000 is 2023-11-15 in India, a Wednesday, and the day before in UTC.
	if !reflect.DeepEqual(s.Days, map[string]int{"2023-11-15": 4}) || !reflect.DeepEqual(s.Weeks, []evidence.Count{{Name: "2023-W46", Findings: 4}}) {
		t.Errorf("days %v, weeks %v", s.Days, s.Weeks)
	}
	if s.Found.Of != 4 || s.Found.Median != 3*time.Minute || s.Found.Most != 4*time.Minute {
		t.Errorf("times %+v", s.Found)
	}
	if !reflect.DeepEqual(s.Sources, []evidence.Count{{Name: "@leaks", Findings: 4}}) || s.Signatures[0] != (evidence.SignatureRate{Rule: "people-list", Findings: 4}) {
		t.Errorf("%+v, %+v", s.Sources, s.Signatures)
	}
	if none, err := db.Summary(ctx, time.Time{}, time.UnixMilli(1)); err != nil || none.Findings != 0 || none.Found.Of != 0 {
		t.Errorf("%+v, %v", none, err)
	}
}
