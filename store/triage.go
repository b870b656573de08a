package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"prahari/evidence"
)

// Errors of triage.
var (
	ErrNothingToUndo = errors.New("there is nothing to undo")
	ErrVague         = errors.New("this text has no form of its own: it is suppressed in its source only")
)

// stand is what is known of a finding before an act.
type stand struct {
	decision, decidedBy, template, rule, source string
	decided                                     int64
}

// Triage does one act over findings, in one transaction, and keeps what undoes
// it. Findings that are so already are not counted as changed.
func (db *DB) Triage(ctx context.Context, a evidence.TriageAction) (evidence.TriageAction, error) {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		if a.At.IsZero() {
			a.At = time.Now()
		}
		if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) + 1 FROM triage_action`).Scan(&a.ID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO triage_action (id, kind, actor, at_ms, reason, case_id) VALUES ($1, $2, $3, $4, $5, $6)`,
			a.ID, string(a.Kind), a.Actor, ms(a.At), a.Reason, a.CaseID)
		if err != nil {
			return err
		}
		a.Suppression, a.Changed = nil, 0
		for _, id := range a.Findings {
			if err := triageOne(ctx, tx, &a, id); err != nil {
				return fmt.Errorf("finding %s: %w", id, err)
			}
		}
		if a.Changed == 0 { // nothing to take back
			_, err = tx.ExecContext(ctx, `DELETE FROM triage_action WHERE id = $1`, a.ID)
		}
		return err
	})
	return a, err
}

func triageOne(ctx context.Context, tx *sql.Tx, a *evidence.TriageAction, id string) error {
	var was stand
	err := tx.QueryRowContext(ctx, `SELECT decision, decided_by, decided_ms, template, rule, source_id FROM finding WHERE id = $1`, id).
		Scan(&was.decision, &was.decidedBy, &was.decided, &was.template, &was.rule, &was.source)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	suppression, changed := "", false
	switch a.Kind {
	case evidence.TriageAdd:
		n, err := addFindings(ctx, tx, a.CaseID, []string{id}, a.Actor, a.Reason)
		if err != nil {
			return err
		}
		changed = n > 0
	case evidence.TriageConfirm:
		changed, err = decideFinding(ctx, tx, a, id, was, evidence.Confirmed)
	case evidence.TriageFalsePositive:
		changed, err = decideFinding(ctx, tx, a, id, was, evidence.FalsePositive)
	case evidence.TriageSuppress:
		if suppression, err = suppress(ctx, tx, a, was); err != nil {
			return err
		}
		changed, err = decideFinding(ctx, tx, a, id, was, evidence.FalsePositive)
		changed = changed || suppression != ""
	default:
		return fmt.Errorf("there is no act %q", a.Kind)
	}
	if err != nil || !changed {
		return err
	}
	a.Changed++
	_, err = tx.ExecContext(ctx, `
		INSERT INTO triage_change (action_id, finding_id, decision, decided_by, decided_ms, suppression) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		a.ID, id, was.decision, was.decidedBy, was.decided, suppression)
	return err
}

func decideFinding(ctx context.Context, tx *sql.Tx, a *evidence.TriageAction, id string, was stand, to evidence.Decision) (bool, error) {
	if was.decision == string(to) {
		return false, nil
	}
	_, err := tx.ExecContext(ctx, `UPDATE finding SET decision = $1, decided_by = $2, decided_ms = $3 WHERE id = $4`, string(to), a.Actor, ms(a.At), id)
	if err != nil {
		return false, err
	}
	action := "finding." + strings.ReplaceAll(string(to), " ", "_")
	return true, appendEntries(ctx, tx, evidence.Entry{Action: action, Object: id, Actor: a.Actor, At: a.At, Reason: a.Reason})
}

// suppress adds the template of a finding to the list, "" where it is there, and
// marks what nobody has decided on yet.
func suppress(ctx context.Context, tx *sql.Tx, a *evidence.TriageAction, was stand) (id string, err error) {
	source := was.source
	if a.Everywhere {
		if source = ""; !evidence.FormTemplate(was.template) {
			return "", ErrVague
		}
	}
	var n int
	err = tx.QueryRowContext(ctx, `SELECT count(*) FROM suppression WHERE template = $1 AND rule = $2 AND (source_id = $3 OR source_id = '') AND removed_ms = 0`,
		was.template, was.rule, source).Scan(&n)
	if err != nil || n > 0 {
		return "", err
	}
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM suppression`).Scan(&n); err != nil {
		return "", err
	}
	id = fmt.Sprintf("S-%04d", n+1)
	_, err = tx.ExecContext(ctx, `INSERT INTO suppression (id, template, rule, source_id, reason, added_by, added_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		id, was.template, was.rule, source, a.Reason, a.Actor, ms(a.At))
	if err != nil {
		return "", err
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE finding SET suppressed_by = $1 WHERE template = $2 AND rule = $3 AND ($4 = '' OR source_id = $4) AND suppressed_by = '' AND decision = 'triage'`,
		id, was.template, was.rule, source)
	if err != nil {
		return "", err
	}
	a.Suppression = append(a.Suppression, id)
	return id, appendEntries(ctx, tx, evidence.Entry{Action: "suppress", Object: id, Actor: a.Actor, At: a.At, Reason: was.template + " of " + was.rule + ": " + a.Reason})
}

// unsuppress takes a template off the list and the mark off its findings.
func unsuppress(ctx context.Context, tx *sql.Tx, id, actor, reason string) error {
	now := time.Now()
	r, err := tx.ExecContext(ctx, `UPDATE suppression SET removed_by = $1, removed_ms = $2 WHERE id = $3 AND removed_ms = 0`, actor, ms(now), id)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE finding SET suppressed_by = '' WHERE suppressed_by = $1`, id); err != nil {
		return err
	}
	return appendEntries(ctx, tx, evidence.Entry{Action: "suppress.remove", Object: id, Actor: actor, At: now, Reason: reason})
}

// RemoveSuppression takes a template off the list.
func (db *DB) RemoveSuppression(ctx context.Context, id, actor, reason string) error {
	return db.tx(ctx, func(tx *sql.Tx) error { return unsuppress(ctx, tx, id, actor, reason) })
}

// SuppressionID resolves a suppression's id or number.
func (db *DB) SuppressionID(ctx context.Context, id string) (string, error) {
	return db.one(ctx, "suppression", id)
}

// Suppressions lists the templates that are suppressed, with all those that were.
func (db *DB) Suppressions(ctx context.Context, all bool) ([]evidence.Suppression, error) {
	found, err := rows(ctx, db, func(scan func(...any) error) (evidence.Suppression, error) {
		var s evidence.Suppression
		var added, removed int64
		err := scan(&s.ID, &s.Template, &s.Rule, &s.SourceID, &s.Reason, &s.AddedBy, &added, &s.RemovedBy, &removed, &s.Findings)
		s.AddedAt, s.RemovedAt = at(added), at(removed)
		return s, err
	}, `SELECT id, template, rule, source_id, reason, added_by, added_ms, removed_by, removed_ms,
		(SELECT count(*) FROM finding f WHERE f.suppressed_by = suppression.id) FROM suppression ORDER BY id`)
	if all || err != nil {
		return found, err
	}
	return slices.DeleteFunc(found, func(s evidence.Suppression) bool { return !s.RemovedAt.IsZero() }), nil
}

// UndoTriage takes back the last act of an actor that was not taken back: each
// finding is as it was, unless somebody decided otherwise since.
func (db *DB) UndoTriage(ctx context.Context, actor string) (evidence.TriageAction, error) {
	a := evidence.TriageAction{Actor: actor}
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var when int64
		err := tx.QueryRowContext(ctx, `SELECT id, kind, at_ms, reason, case_id FROM triage_action WHERE actor = $1 AND undone_ms = 0 ORDER BY id DESC LIMIT 1`, actor).
			Scan(&a.ID, &a.Kind, &when, &a.Reason, &a.CaseID)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNothingToUndo
		}
		if err != nil {
			return err
		}
		a.At = at(when)
		changes, err := changesOf(ctx, tx, a.ID)
		if err != nil {
			return err
		}
		for _, c := range changes {
			if err := undoOne(ctx, tx, &a, c); err != nil {
				return err
			}
		}
		a.Changed = len(changes)
		_, err = tx.ExecContext(ctx, `UPDATE triage_action SET undone_ms = $1 WHERE id = $2`, ms(time.Now()), a.ID)
		return err
	})
	return a, err
}

type triageChange struct {
	finding, suppression string
	was                  stand
}

func changesOf(ctx context.Context, tx *sql.Tx, action int64) (all []triageChange, err error) {
	r, err := tx.QueryContext(ctx, `SELECT finding_id, decision, decided_by, decided_ms, suppression FROM triage_change WHERE action_id = $1 ORDER BY finding_id`, action)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	for r.Next() {
		var c triageChange
		if err := r.Scan(&c.finding, &c.was.decision, &c.was.decidedBy, &c.was.decided, &c.suppression); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, r.Err()
}

func undoOne(ctx context.Context, tx *sql.Tx, a *evidence.TriageAction, c triageChange) error {
	now := time.Now()
	a.Findings = append(a.Findings, c.finding)
	if a.Kind == evidence.TriageAdd {
		if _, err := tx.ExecContext(ctx, `DELETE FROM case_finding WHERE case_id = $1 AND finding_id = $2`, a.CaseID, c.finding); err != nil {
			return err
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "case.take_out", Object: c.finding, CaseID: a.CaseID, Actor: a.Actor, At: now, Reason: "undone"})
	}
	if c.suppression != "" {
		a.Suppression = append(a.Suppression, c.suppression)
		if err := unsuppress(ctx, tx, c.suppression, a.Actor, "undone"); err != nil {
			return err
		}
	}
	// Only where it still stands as this act left it.
	r, err := tx.ExecContext(ctx, `UPDATE finding SET decision = $1, decided_by = $2, decided_ms = $3 WHERE id = $4 AND decided_by = $5 AND decided_ms = $6`,
		c.was.decision, c.was.decidedBy, c.was.decided, c.finding, a.Actor, ms(a.At))
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return appendEntries(ctx, tx, evidence.Entry{Action: "finding.undo", Object: c.finding, Actor: a.Actor, At: now, Reason: string(a.Kind)})
}
