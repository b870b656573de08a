package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/store"
)

// marked is evidence whose sealed bytes and masked text can be found again.
func marked(n int) evidence.Evidence {
	e := piece(n)
	e.Sealed = []byte(fmt.Sprintf("SEALED-%04d-", n) + strings.Repeat("s", 9000)) // over several pages
	e.SealedSHA, e.SealedSize = evidence.Digest(e.Sealed), int64(len(e.Sealed))
	e.Masked = fmt.Sprintf("MASKED-%04d Mobile: XXXXXX5678", n)
	e.Collection.Context.PostAuthor = fmt.Sprintf("CONTEXT-%04d", n)
	e.Findings[0].Records[0].Identifiers[0].Masked = fmt.Sprintf("BODY-%04d", n)
	e.Findings[0].Records[0].Identifiers[0].Token = fmt.Sprintf("TOKEN-%04d", n)
	return e
}

func withMarked(t testing.TB, n int) (*store.DB, string) {
	t.Helper()
	db, dir := filled(t, 0)
	b := evidence.Batch{Actor: "analyst:a1"}
	for i := 1; i <= n; i++ {
		b.Evidence = append(b.Evidence, marked(i))
	}
	if _, err := db.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return db, dir
}

func purgeAll(t testing.TB, db *store.DB, p store.Purge) int {
	t.Helper()
	all, err := db.Expired(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p.Reason, p.Actor, p.Approver, p.At = "retention of 90 days", "analyst:a1", "analyst:b2", time.Now()
	n, err := db.PurgeEvidence(t.Context(), all, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

// What was purged is in no file of the database; log, tree and tombstones verify.
func TestPurgeLeavesNoByte(t *testing.T) {
	db, dir := withMarked(t, 450)
	if n := purgeAll(t, db, store.Purge{}); n != 450 {
		t.Fatalf("%d were purged", n)
	}
	entries, _, err := db.VerifyCustody(t.Context())
	if err != nil || entries < 450*3 {
		t.Errorf("%d entries, %v", entries, err)
	}
	if n, err := db.VerifyTombstones(t.Context()); n != 450 || err != nil {
		t.Errorf("%d tombstones, %v", n, err)
	}
	if err := db.Integrity(t.Context()); err != nil {
		t.Error(err)
	}
	_, e, err := db.Finding(t.Context(), "f-0007")
	if err != nil || e.Masked != "" || e.PurgedAt.IsZero() || e.Commitment != marked(7).Commitment || len(e.Findings[0].Records) != 0 || e.Findings[0].Rule != "people-list" {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := db.Sealed(t.Context(), "ev-0007"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the sealed original: %v", err)
	}
	log, err := db.Custody(t.Context(), entries-1)
	if err != nil || log[0].Action != "purge" || log[0].Object != "ev-0450" || log[0].Approver != "analyst:b2" || log[0].SHA256 != marked(450).Commitment {
		t.Errorf("%+v, %v", log, err)
	}
	// Collected again, it stays purged.
	if _, err := db.Commit(t.Context(), evidence.Batch{Actor: "analyst:a1", Evidence: []evidence.Evidence{marked(7)}}); err != nil {
		t.Fatal(err)
	}
	sqliteOnly(t, "its file is looked at; a server's files are the server's")
	looked := 0
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		looked += len(data)
		for _, mark := range []string{"SEALED-0", "MASKED-0", "CONTEXT-0", "BODY-0", "TOKEN-0", "ssssssss"} {
			if bytes.Contains(data, []byte(mark)) {
				t.Errorf("%s still holds %s", filepath.Base(path), mark)
			}
		}
		return err
	})
	if err != nil || looked < 100_000 {
		t.Errorf("%d bytes were looked at, %v", looked, err)
	}
}

// The look above would find what is there.
func TestAPurgeWouldBeSeenToFail(t *testing.T) {
	sqliteOnly(t, "its file is looked at")
	db, dir := withMarked(t, 3)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "prahari.db"))
	for _, mark := range []string{"SEALED-0001", "MASKED-0002", "CONTEXT-0003", "BODY-0001", "TOKEN-0001"} {
		if err != nil || !bytes.Contains(data, []byte(mark)) {
			t.Errorf("%s is not to be seen (%v)", mark, err)
		}
	}
}

func hold(t *testing.T, db *store.DB, object string) evidence.Hold {
	t.Helper()
	h, err := db.AddHold(t.Context(), evidence.Hold{Object: object, Reason: "court order", AddedBy: "analyst:a1", ApprovedBy: "analyst:b2", AddedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAHoldKeepsEvidence(t *testing.T) {
	for name, tc := range map[string]struct {
		object string
		purged int
	}{
		"a piece": {"ev-0002", 4}, "a source": {"channel-1", 0}, "everything": {evidence.WholeWorkspace, 0}, "a case": {"CASE0001", 3}, "another case": {"CASE0009", 5},
	} {
		t.Run(name, func(t *testing.T) {
			db, _ := withMarked(t, 5)
			if _, err := db.OpenCase(t.Context(), evidence.Case{Title: "x", OpenedAt: time.Now(), OpenedBy: "analyst:a1", Findings: []string{"f-0001", "f-0004"}}); err != nil {
				t.Fatal(err)
			}
			h := hold(t, db, tc.object)
			if n := purgeAll(t, db, store.Purge{OpenCases: true}); n != tc.purged {
				t.Errorf("%d of 5 were purged, want %d", n, tc.purged)
			}
			h.ReleasedBy, h.ReleaseApprovedBy, h.ReleaseReason, h.ReleasedAt = "analyst:a1", "analyst:b2", "the case is over", time.Now()
			if err := db.ReleaseHold(t.Context(), h); err != nil {
				t.Fatal(err)
			}
			if err := db.ReleaseHold(t.Context(), h); !errors.Is(err, store.ErrReleased) {
				t.Errorf("released twice: %v", err)
			}
			if n := purgeAll(t, db, store.Purge{OpenCases: true}); n != 5-tc.purged {
				t.Errorf("after the release %d were purged", n)
			}
			if _, _, err := db.VerifyCustody(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOpenCasesKeepEvidence(t *testing.T) {
	db, _ := withMarked(t, 3)
	c, err := db.OpenCase(t.Context(), evidence.Case{Title: "x", OpenedAt: time.Now(), OpenedBy: "analyst:a1", Findings: []string{"f-0002"}})
	if err != nil {
		t.Fatal(err)
	}
	all, err := db.Expired(t.Context(), time.Now())
	if err != nil || len(all) != 3 || all[1].OpenCase != c.ID || all[0].OpenCase != "" {
		t.Fatalf("%+v, %v", all, err)
	}
	if n := purgeAll(t, db, store.Purge{}); n != 2 {
		t.Errorf("%d were purged", n)
	}
	if all, err := db.Expired(t.Context(), time.UnixMilli(1700000000000)); err != nil || len(all) != 0 {
		t.Errorf("what is not old expired: %+v, %v", all, err)
	}
}

// The database itself refuses what is no purge.
func TestTriggersAllowAPurgeAndNothingElse(t *testing.T) {
	db, dir := withMarked(t, 4)
	hold(t, db, "ev-0003")
	if err := db.Append(t.Context(), evidence.Entry{Action: "purge", Object: "ev-0003", Actor: "analyst:a1"}); err != nil {
		t.Fatal(err)
	}
	log, err := db.Custody(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	last := log[len(log)-1].Seq
	meddled := raw(t, dir)
	refused := func(statement string) {
		t.Helper()
		if _, err := meddled.Exec(statement); err == nil {
			t.Errorf("allowed: %s", statement)
		}
	}
	refused(`DELETE FROM sealed WHERE evidence_id = 'ev-0001'`)
	refused(`UPDATE evidence SET masked = '', collection = '{}' WHERE id = 'ev-0001'`)
	refused(`INSERT INTO tombstone (evidence_id, custody_seq, at_ms) VALUES ('ev-0001', 1, 0)`)
	refused(fmt.Sprintf(`INSERT INTO tombstone (evidence_id, custody_seq, at_ms) VALUES ('ev-0001', %d, 0)`, last)) // another's entry
	refused(fmt.Sprintf(`INSERT INTO tombstone (evidence_id, custody_seq, at_ms) VALUES ('ev-0003', %d, 0)`, last)) // a hold keeps it
	refused(`UPDATE hold SET released_ms = 5, released_by = 'x', release_approved_by = 'x'`)
	refused(`UPDATE hold SET object = 'ev-0001'`)
	refused(`DELETE FROM hold`)
	if n := purgeAll(t, db, store.Purge{}); n != 3 {
		t.Fatalf("%d were purged", n)
	}
	refused(`UPDATE evidence SET masked = 'forged' WHERE id = 'ev-0001'`)
	refused(`UPDATE evidence SET masked = '', collection = '{}', commitment = sealed_sha256 WHERE id = 'ev-0001'`)
	refused(`DELETE FROM evidence WHERE id = 'ev-0001'`)
	refused(`DELETE FROM tombstone`)
	refused(`UPDATE tombstone SET at_ms = 1`)
	refused(`DELETE FROM custody`)
	if _, err := db.VerifyTombstones(t.Context()); err != nil {
		t.Error(err)
	}
	withoutGuard(t, dir, "sealed", `DELETE FROM sealed WHERE evidence_id = 'ev-0003'`)
	if _, err := db.VerifyTombstones(t.Context()); !errors.Is(err, store.ErrBroken) {
		t.Errorf("a lost original passes: %v", err)
	}
}

// A tombstone without its entry, or beside what it stands for, is told.
func TestForgedTombstonesAreFound(t *testing.T) {
	for name, forge := range map[string]struct{ table, statement string }{
		"no entry":   {"tombstone", `UPDATE tombstone SET custody_seq = 999999 WHERE evidence_id = 'ev-0001'`},
		"tokens":     {"token", `INSERT INTO token (token, kind, finding_id, source_id) VALUES ('x', 'mobile', 'f-0001', 's')`},
		"collection": {"evidence", `UPDATE evidence SET collection = '{"a":1}' WHERE id = 'ev-0001'`},
	} {
		t.Run(name, func(t *testing.T) {
			db, dir := withMarked(t, 1)
			purgeAll(t, db, store.Purge{})
			if _, err := db.VerifyTombstones(t.Context()); err != nil {
				t.Fatal(err)
			}
			withoutGuard(t, dir, forge.table, forge.statement)
			if _, err := db.VerifyTombstones(t.Context()); !errors.Is(err, store.ErrBroken) {
				t.Errorf("it passes: %v", err)
			}
		})
	}
}

// The text of a notice goes when its case has ended; a hold on the case keeps it.
func TestNoticesArePurgedAfterTheirCase(t *testing.T) {
	db, dir := withMarked(t, 1)
	c, err := db.OpenCase(t.Context(), evidence.Case{Title: "x", OpenedAt: time.Now(), OpenedBy: "analyst:a1", Findings: []string{"f-0001"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.AddNotice(t.Context(), func(id string) (evidence.Notice, error) {
		return evidence.Notice{ID: id, CaseID: c.ID, Kind: "k", Subject: "s", Markdown: "NOTICE-TEXT", EML: []byte("NOTICE-MAIL"), DraftedAt: time.Now(), DraftedBy: "analyst:a1"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	due := func(want int) []store.ExpiredNotice {
		t.Helper()
		all, err := db.ExpiredNotices(t.Context(), time.Now().Add(time.Hour))
		if err != nil || len(all) != want {
			t.Fatalf("%d notices are due, want %d (%v)", len(all), want, err)
		}
		return all
	}
	due(0)
	if _, err := raw(t, dir).Exec(`UPDATE cases SET status = 'closed'`); err != nil {
		t.Fatal(err)
	}
	n := due(1)[0]
	p := store.Purge{Reason: "the case has ended", Actor: "analyst:a1", Approver: "analyst:b2", At: time.Now()}
	h := hold(t, db, c.ID)
	if done, err := db.PurgeNotice(t.Context(), n, p); done || err != nil || due(1)[0].Hold != h.ID {
		t.Errorf("purged under a hold: %v", err)
	}
	h.ReleasedBy, h.ReleaseApprovedBy, h.ReleaseReason, h.ReleasedAt = "analyst:a1", "analyst:b2", "the case is over", time.Now()
	if err := db.ReleaseHold(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if done, err := db.PurgeNotice(t.Context(), n, p); !done || err != nil {
		t.Fatalf("not purged: %v", err)
	}
	if done, err := db.PurgeNotice(t.Context(), n, p); done || err != nil {
		t.Errorf("purged twice: %v", err)
	}
	due(0)
	if err := db.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := db.Notice(t.Context(), n.ID)
	if err != nil || got.Markdown != "" || len(got.EML) != 0 || got.Subject != "s" {
		t.Errorf("%+v, %v", got, err)
	}
	log, err := db.CustodyOf(t.Context(), n.ID)
	if err != nil || log[len(log)-1].Action != "purge" || log[len(log)-1].SHA256 != evidence.Digest([]byte("NOTICE-TEXT")) {
		t.Errorf("%+v, %v", log, err)
	}
	sqliteOnly(t, "its file is looked at")
	data, err := os.ReadFile(filepath.Join(dir, "prahari.db"))
	if err != nil || bytes.Contains(data, []byte("NOTICE-TEXT")) || bytes.Contains(data, []byte("NOTICE-MAIL")) {
		t.Errorf("the file still holds the notice (%v)", err)
	}
}
