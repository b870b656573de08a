package store_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"prahari/evidence"
	"prahari/fixtures"
	"prahari/fixtures/sealing"
	"prahari/matcher"
	"prahari/store"
)

// perBatch is how many pieces the scanner commits at once when many wait.
const perBatch = 128

// caught is a message with what the matcher found in it: matching is measured
// elsewhere.
type caught struct {
	message evidence.Message
	result  evidence.Result
}

func catch(t testing.TB, n int) []caught {
	t.Helper()
	m, err := matcher.New(matcher.Config{})
	if err != nil {
		t.Fatal(err)
	}
	all := make([]caught, n)
	for i := range all {
		who := fixtures.MakePerson(i)
		text := "Name: " + who.Name + "\nMobile: " + who.Mobile + "\nAadhaar: " + who.Aadhaar + "\nVaccine: " + who.Vaccine
		raw := []evidence.Raw{{Name: "raw.tl", Data: []byte(text)}, {Name: "raw.json", Data: []byte(`{"_":"message","message":` + strconv.Quote(text) + `}`)}}
		at := time.Unix(1700000000+int64(i), 0)
		all[i] = caught{
			evidence.Message{
				Source: source, ID: int64(i + 1), Date: at, CapturedAt: at, Text: evidence.Text(text), Origin: evidence.Backfill,
				Request: "messages.getHistory", Raw: func() ([]evidence.Raw, error) { return raw, nil },
			},
			m.Find(text, evidence.Channel),
		}
		if len(all[i].result.Findings) == 0 {
			t.Fatal("nothing is found in a full record")
		}
	}
	return all
}

// A clock counts what passed on the wall and in this process's processor time,
// which other programs of the machine do not add to.
type clock struct{ wall, cpu time.Duration }

func (c *clock) time(f func()) {
	wall, cpu := time.Now(), spent()
	f()
	c.wall, c.cpu = c.wall+time.Since(wall), c.cpu+spent()-cpu
}

func spent() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestVaultSpeed is 'make bench-vault'. It makes and commits evidence as the
// scanner does, on one core, and beside it, batch by batch in the same run:
//   - seals the same files once more, to know what sealing takes;
//   - inserts the same rows into a database of the same schema and settings, with
//     the containers in place of what is sealed, and no custody log.
//
// Plain is what masking and inserting take without sealing and log.
func TestVaultSpeed(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("BENCH_VAULT"))
	if err != nil || n < perBatch {
		t.Skip("not asked for: 'make bench-vault' runs it")
	}
	sqliteOnly(t, "the measure is of the default engine")
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	all := catch(t, n)
	maker, _ := sealing.Maker(t)
	db, _ := filled(t, 0)
	_, dir := filled(t, 0)
	rows := raw(t, dir)
	rows.SetMaxOpenConns(1)
	if _, err := rows.Exec(`PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON; PRAGMA cache_size = -8000; PRAGMA wal_autocheckpoint = 8000`); err != nil {
		t.Fatal(err)
	}
	var written, made, sealed, inserted clock
	for batch := range slices.Chunk(all, perBatch) {
		b := evidence.Batch{Actor: "analyst:a1"}
		written.time(func() {
			made.time(func() {
				for _, c := range batch {
					e, err := maker.Make(c.message, c.result, "main", 7, evidence.Clock{})
					if err != nil {
						t.Fatal(err)
					}
					b.Evidence = append(b.Evidence, e)
				}
			})
			if _, err := db.Commit(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		})
		sealed.time(func() { sealAgain(t, maker.Sealer, batch, b.Evidence) })
		inserted.time(func() { insertRows(t, rows, b.Evidence) })
	}
	same(t, db, rows)
	if _, _, err := db.VerifyCustody(t.Context()); err != nil {
		t.Fatal(err)
	}
	plain := clock{made.wall - sealed.wall + inserted.wall, made.cpu - sealed.cpu + inserted.cpu}
	say := func(name, format string, args ...any) { t.Logf("%-28s "+format, append([]any{name}, args...)...) }
	rate := func(c clock) string {
		return fmt.Sprintf("%5.0f/s, %5.0f/s of processor time", float64(n)/c.wall.Seconds(), float64(n)/c.cpu.Seconds())
	}
	ratio := func(a, b clock) string {
		return fmt.Sprintf("%.2f, %.2f of processor time", a.wall.Seconds()/b.wall.Seconds(), a.cpu.Seconds()/b.cpu.Seconds())
	}
	say("rate evidence", "%s (one core; aim 2000)", rate(written))
	say("rate plain", "%s (masked and inserted, without sealing and log)", rate(plain))
	say("ratio evidence/plain", "%s (aim 0.70)", ratio(plain, written))
	say("ratio evidence/insert", "%s (rows that are ready)", ratio(inserted, written))
	say("share sealing", "%s (two X25519 agreements for each of two recipients)", ratio(sealed, written))
}

// sealAgain seals files of the sizes that Make sealed.
func sealAgain(t testing.TB, s *evidence.Sealer, batch []caught, made []evidence.Evidence) {
	for i, c := range batch {
		files, err := c.message.Raw()
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, f := range files {
			size += len(f.Data)
		}
		full := evidence.Raw{Name: "record.full.json", Data: make([]byte, max(0, int(made[i].SealedSize)-size-4096))}
		if _, err := s.Seal(append(files, full), c.message.CapturedAt); err != nil {
			t.Fatal(err)
		}
	}
}

// insertRows inserts what Commit does, and no more, with statements that are
// prepared once a batch.
func insertRows(t testing.TB, db *sql.DB, all []evidence.Evidence) {
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	prepare := func(text string) func(args ...any) {
		s, err := tx.Prepare(text) //nolint:sqlclosecheck // the end of the transaction closes it
		if err != nil {
			t.Fatal(err)
		}
		return func(args ...any) {
			if _, err := s.Exec(args...); err != nil {
				t.Fatal(err)
			}
		}
	}
	evidenceRow := prepare(`INSERT INTO evidence (id, source_id, message_id, version, url, posted_ms, edited_ms, captured_ms, origin, masked, collection, commitment, sealed_sha256, sealed_size)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`)
	sealedRow := prepare(`INSERT INTO sealed (evidence_id, data) VALUES ($1, $2)`)
	findingRow := prepare(`INSERT INTO finding (id, evidence_id, source_id, rule, severity, posted_ms, captured_ms, records, body, template) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`)
	tokenRow := prepare(`INSERT INTO token (token, kind, finding_id, source_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`)
	for _, e := range all {
		collection, err := json.Marshal(e.Collection)
		if err != nil {
			t.Fatal(err)
		}
		evidenceRow(e.ID, e.Source.ID, e.MessageID, e.Version, e.URL, e.PostedAt.UnixMilli(), 0, e.CapturedAt.UnixMilli(), string(e.Origin), e.Masked,
			string(collection), e.Commitment, e.SealedSHA, e.SealedSize)
		sealedRow(e.ID, e.Sealed)
		for _, f := range e.Findings {
			body, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			findingRow(f.ID, e.ID, e.Source.ID, f.Rule, f.Severity.Rank(), e.PostedAt.UnixMilli(), e.CapturedAt.UnixMilli(), len(f.Records), string(body), evidence.Template(e.Masked))
			for _, r := range f.Records {
				for _, i := range r.Identifiers {
					if i.Token != "" {
						tokenRow(i.Token, string(i.Kind), f.ID, e.Source.ID)
					}
				}
			}
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// same holds the yardstick to the rows of the real thing.
func same(t testing.TB, db *store.DB, rows *sql.DB) {
	t.Helper()
	counts, err := db.Counts(t.Context(), source.ID)
	if err != nil {
		t.Fatal(err)
	}
	var plain store.Counts
	err = rows.QueryRow(`SELECT (SELECT count(*) FROM evidence), (SELECT count(*) FROM finding), (SELECT count(DISTINCT token) FROM token)`).Scan(&plain.Evidence, &plain.Findings, &plain.Tokens)
	if err != nil || plain != counts || counts.Evidence == 0 {
		t.Fatalf("the yardstick has %+v, the store %+v, %v", plain, counts, err)
	}
}

// TestCaseListSpeed is a part of 'make bench-vault': a list of 500 cases with a
// million findings in the database, all of them in the cases.
func TestCaseListSpeed(t *testing.T) {
	if os.Getenv("BENCH_VAULT") == "" {
		t.Skip("not asked for: 'make bench-vault' runs it")
	}
	sqliteOnly(t, "the measure is of the default engine")
	const million, cases = 1_000_000, 500
	_, dir := filled(t, 0)
	db := raw(t, dir)
	db.SetMaxOpenConns(1)
	for _, statement := range []string{
		`PRAGMA synchronous = OFF`,
		`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
		INSERT INTO evidence (id, source_id, message_id, version, url, posted_ms, edited_ms, captured_ms, origin, masked, collection, commitment, sealed_sha256, sealed_size)
		SELECT printf('ev-%07d', i), 'channel-1', i, '0-a', '', i, 0, i, 'backfill', 'Mobile: XXXXXX5678', '{}', printf('%064d', i), printf('%064d', i), 0 FROM n`,
		`INSERT INTO finding (id, evidence_id, source_id, rule, severity, posted_ms, captured_ms, records, body, template)
		SELECT 'f-' || substr(id, 4), id, source_id, 'people-list', 3, posted_ms, captured_ms, 1, '{}', 't-a' FROM evidence`,
		`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
		INSERT INTO cases (id, title, status, opened_ms, opened_by) SELECT printf('CASE%04d', i), 'A case', 'triage', i, 'analyst:a1' FROM n`,
		`INSERT INTO case_finding (case_id, finding_id) SELECT printf('CASE%04d', 1 + message_id % 500), 'f-' || substr(id, 4) FROM evidence`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	best := time.Hour
	for range 5 {
		began := time.Now()
		opened, err := store.Open(t.Context(), where(dir))
		if err != nil {
			t.Fatal(err)
		}
		list, err := opened.Cases(t.Context())
		best = min(best, time.Since(began))
		if err := errors.Join(err, opened.Close()); err != nil || len(list) != cases || list[0].FindingCount != million/cases {
			t.Fatalf("%d cases, %v", len(list), err)
		}
	}
	t.Logf("%-28s %.1f ms (opening the database and listing %d cases, %d findings; best of 5; aim 50)", "time case list", best.Seconds()*1000, cases, million)
}
