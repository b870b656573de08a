package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"prahari/evidence"
)

// ErrSecondPerson says that a step needs another person than the one before it.
var ErrSecondPerson = errors.New("this takes a second person")

// DecideCase takes one step on the axis of decisions and returns the case. The
// table of evidence.Decision is checked, and that two people confirm and approve.
func (db *DB) DecideCase(ctx context.Context, s evidence.Step) (evidence.Case, error) {
	err := db.tx(ctx, func(tx *sql.Tx) error { return decideCase(ctx, tx, s) })
	if err != nil {
		return evidence.Case{}, err
	}
	return db.Case(ctx, s.CaseID)
}

// AdvanceCase takes a step if it follows from where the case is, and leaves the
// case as it is otherwise: a second draft does not take a case back.
func (db *DB) AdvanceCase(ctx context.Context, s evidence.Step) error {
	return db.tx(ctx, func(tx *sql.Tx) error { return advanceCase(ctx, tx, s) })
}

func advanceCase(ctx context.Context, tx *sql.Tx, s evidence.Step) error {
	err := decideCase(ctx, tx, s)
	if errors.Is(err, evidence.ErrTransition) {
		return nil
	}
	return err
}

// decideCase does it within a transaction: a notice and its case move together.
func decideCase(ctx context.Context, tx *sql.Tx, s evidence.Step) error {
	if s.At.IsZero() {
		s.At = time.Now()
	}
	var from evidence.Decision
	var confirmed, merged string
	err := tx.QueryRowContext(ctx, `SELECT status, confirmed_by, merged_into FROM cases WHERE id = $1`, s.CaseID).Scan(&from, &confirmed, &merged)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case err != nil:
		return err
	case merged != "":
		return fmt.Errorf("%w: it was merged into %s, which goes on", evidence.ErrTransition, merged)
	}
	if err := from.May(s.To); err != nil {
		return err
	}
	if s.To == evidence.Approved && evidence.SamePerson(confirmed, s.Actor) {
		return fmt.Errorf("%w: %s confirmed the case and cannot approve it too", ErrSecondPerson, confirmed)
	}
	query, args := `UPDATE cases SET status = $1, changed_ms = $2`, []any{string(s.To), ms(s.At)}
	switch s.To {
	case evidence.Confirmed:
		query, args = query+`, confirmed_by = $3 WHERE id = $4`, append(args, s.Actor, s.CaseID)
	case evidence.Approved:
		query, args = query+`, approved_by = $3, approved_ms = $4 WHERE id = $5`, append(args, s.Actor, ms(s.At), s.CaseID)
	case evidence.Triage: // what two people said of it before does not hold for what it is now
		query, args = query+`, confirmed_by = '', approved_by = '', approved_ms = 0 WHERE id = $3`, append(args, s.CaseID)
	default:
		query, args = query+` WHERE id = $3`, append(args, s.CaseID)
	}
	if _, err := tx.ExecContext(ctx, query, args...); err != nil {
		return err
	}
	action := "case." + strings.ReplaceAll(string(s.To), " ", "_")
	if s.To == evidence.Triage {
		action = "case.reopen"
	}
	entry := evidence.Entry{Action: action, Object: s.CaseID, CaseID: s.CaseID, Actor: s.Actor, At: s.At, Reason: s.Reason, SHA256: s.SHA256}
	if s.Object != "" {
		entry.Object = s.Object
	}
	if s.To == evidence.Approved {
		entry.Approver = s.Actor
	}
	return appendEntries(ctx, tx, entry)
}

// AssignCase says who works on a case; "" is nobody.
func (db *DB) AssignCase(ctx context.Context, caseID, to, actor string) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		now := time.Now()
		if _, err := tx.ExecContext(ctx, `UPDATE cases SET assignee = $1 WHERE id = $2`, to, caseID); err != nil {
			return err
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "case.assign", Object: caseID, CaseID: caseID, Actor: actor, At: now, Reason: to})
	})
}

// AddNote keeps what a person wrote. The custody log keeps its digest.
func (db *DB) AddNote(ctx context.Context, caseID string, n evidence.Note) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		var count int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM case_note WHERE case_id = $1`, caseID).Scan(&count); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO case_note (case_id, n, at_ms, written_by, body) VALUES ($1, $2, $3, $4, $5)`, caseID, count+1, ms(n.At), n.By, n.Text)
		if err != nil {
			return err
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "case.note", Object: caseID, CaseID: caseID, Actor: n.By, At: n.At, SHA256: evidence.Digest([]byte(n.Text))})
	})
}

// MergeCase adds the findings of one case to another and closes the first, which
// keeps its own notices and its history.
func (db *DB) MergeCase(ctx context.Context, into, from, actor, reason string) (added int, err error) {
	err = db.tx(ctx, func(tx *sql.Tx) error {
		var status evidence.Decision
		var merged string
		for _, id := range []string{into, from} {
			if err := tx.QueryRowContext(ctx, `SELECT status, merged_into FROM cases WHERE id = $1`, id).Scan(&status, &merged); err != nil {
				return err
			}
			if merged != "" {
				return fmt.Errorf("%w: %s was merged into %s", evidence.ErrTransition, id, merged)
			}
			if id == into && status.Ended() {
				return fmt.Errorf("%w: %s is %s; reopen it first", evidence.ErrTransition, id, status)
			}
		}
		ids, err := tx.QueryContext(ctx, `SELECT finding_id FROM case_finding WHERE case_id = $1 ORDER BY finding_id`, from)
		if err != nil {
			return err
		}
		defer func() { _ = ids.Close() }()
		var findings []string
		for ids.Next() {
			var id string
			if err := ids.Scan(&id); err != nil {
				return err
			}
			findings = append(findings, id)
		}
		if err := ids.Err(); err != nil {
			return err
		}
		now := time.Now()
		if added, err = addFindings(ctx, tx, into, findings, actor, "merged from "+from); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE cases SET status = $1, merged_into = $2, changed_ms = $3 WHERE id = $4`, string(evidence.Closed), into, ms(now), from)
		if err != nil {
			return err
		}
		return appendEntries(ctx, tx,
			evidence.Entry{Action: "case.merge", Object: from, CaseID: into, Actor: actor, At: now, Reason: reason},
			evidence.Entry{Action: "case.merged", Object: into, CaseID: from, Actor: actor, At: now, Reason: reason})
	})
	return added, err
}

// History lists the custody entries of a case, oldest first.
func (db *DB) History(ctx context.Context, caseID string) ([]evidence.Entry, error) {
	return rows(ctx, db, func(scan func(...any) error) (evidence.Entry, error) {
		var line string
		if err := scan(&line); err != nil {
			return evidence.Entry{}, err
		}
		e, err := evidence.ParseEntry([]byte(line))
		if err != nil {
			return e, fmt.Errorf("%w: %w", ErrBroken, err)
		}
		return e, nil
	}, `SELECT line FROM custody WHERE case_id = $1 ORDER BY seq`, caseID)
}
