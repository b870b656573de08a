package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"prahari/evidence"
)

// OpenCase records a case with its findings and gives it an id.
func (db *DB) OpenCase(ctx context.Context, c evidence.Case) (evidence.Case, error) {
	c.Status, c.Observed, c.ChangedAt = evidence.Triage, evidence.SeenUnknown, c.OpenedAt
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM cases`).Scan(&n); err != nil {
			return err
		}
		c.ID = fmt.Sprintf("CASE%04d", n+1)
		_, err := tx.ExecContext(ctx, `INSERT INTO cases (id, title, status, opened_ms, opened_by, changed_ms) VALUES ($1, $2, $3, $4, $5, $6)`,
			c.ID, c.Title, string(c.Status), ms(c.OpenedAt), c.OpenedBy, ms(c.OpenedAt))
		if err != nil {
			return err
		}
		if err := appendEntries(ctx, tx, evidence.Entry{Action: "case.open", Object: c.ID, CaseID: c.ID, Actor: c.OpenedBy, At: c.OpenedAt}); err != nil {
			return err
		}
		c.FindingCount, err = addFindings(ctx, tx, c.ID, c.Findings, c.OpenedBy, "")
		return err
	})
	return c, err
}

// An Addition is findings that go into a case, and why where it was suggested.
type Addition struct {
	Findings []string
	Reason   string
}

// AddToCase adds findings to a case, all or none, and returns how many were new
// to it.
func (db *DB) AddToCase(ctx context.Context, caseID, actor string, additions ...Addition) (added int, err error) {
	err = db.tx(ctx, func(tx *sql.Tx) error {
		added = 0
		for _, a := range additions {
			n, err := addFindings(ctx, tx, caseID, a.Findings, actor, a.Reason)
			if err != nil {
				return err
			}
			added += n
		}
		return nil
	})
	return added, err
}

func addFindings(ctx context.Context, tx *sql.Tx, caseID string, findings []string, actor, reason string) (int, error) {
	var log []evidence.Entry
	for _, id := range findings {
		r, err := tx.ExecContext(ctx, `INSERT INTO case_finding (case_id, finding_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, caseID, id)
		if err != nil {
			return 0, fmt.Errorf("finding %s: %w", id, err)
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			if err != nil {
				return 0, err
			}
			continue
		}
		log = append(log, evidence.Entry{Action: "case.add", Object: id, CaseID: caseID, Actor: actor, At: time.Now(), Reason: reason})
	}
	return len(log), appendEntries(ctx, tx, log...)
}

const caseColumns = `id, title, status, opened_ms, opened_by, assignee, confirmed_by, approved_by, approved_ms, changed_ms, merged_into, finding_count`

func scanCase(scan func(...any) error) (evidence.Case, error) {
	var c evidence.Case
	var opened, approved, changed int64
	err := scan(&c.ID, &c.Title, &c.Status, &opened, &c.OpenedBy, &c.Assignee, &c.ConfirmedBy, &c.ApprovedBy, &approved, &changed, &c.MergedInto, &c.FindingCount)
	c.OpenedAt, c.ApprovedAt, c.ChangedAt, c.Observed = at(opened), at(approved), at(changed), evidence.SeenUnknown
	return c, err
}

// Cases lists the cases, with the number of their findings: a list takes as long
// as it has cases, whatever they hold. Case gives the rest of one.
func (db *DB) Cases(ctx context.Context) ([]evidence.Case, error) {
	return rows(ctx, db, scanCase, `SELECT `+caseColumns+` FROM cases ORDER BY id`)
}

// Case returns a case by id, its unique beginning or its number.
func (db *DB) Case(ctx context.Context, id string) (evidence.Case, error) {
	whole, err := db.one(ctx, "cases", id)
	if err != nil {
		return evidence.Case{}, err
	}
	all, err := rows(ctx, db, scanCase, `SELECT `+caseColumns+` FROM cases WHERE id = $1`, whole)
	if err != nil || len(all) == 0 {
		return evidence.Case{}, err
	}
	return all[0], db.fillCase(ctx, &all[0])
}

func (db *DB) fillCase(ctx context.Context, c *evidence.Case) (err error) {
	c.Findings, err = rows(ctx, db, func(scan func(...any) error) (id string, err error) { return id, scan(&id) },
		`SELECT finding_id FROM case_finding WHERE case_id = $1 ORDER BY finding_id`, c.ID)
	if err != nil {
		return err
	}
	if c.Observed, err = db.observed(ctx, c.ID); err != nil {
		return err
	}
	c.Notes, err = rows(ctx, db, func(scan func(...any) error) (n evidence.Note, err error) {
		var when int64
		err = scan(&when, &n.By, &n.Text)
		n.At = at(when)
		return n, err
	}, `SELECT at_ms, written_by, body FROM case_note WHERE case_id = $1 ORDER BY n`, c.ID)
	return err
}
