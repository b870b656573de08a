package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"prahari/evidence"
)

// ErrNoticeStep says that a notice is not where a step begins.
var ErrNoticeStep = errors.New("this step does not follow")

// AddNotice records a draft and gives it an id that draft is made with: the
// text names it. Its case moves along, where that follows.
func (db *DB) AddNotice(ctx context.Context, draft func(id string) (evidence.Notice, error)) (n evidence.Notice, err error) {
	err = db.tx(ctx, func(tx *sql.Tx) error {
		var count int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM notice`).Scan(&count); err != nil {
			return err
		}
		if n, err = draft(fmt.Sprintf("N-%04d", count+1)); err != nil {
			return err
		}
		followUp := 0
		if n.FollowUp {
			followUp = 1
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO notice (id, case_id, kind, subject, markdown, eml, facts_sha256, drafted_ms, drafted_by, language, recipient, follow_up)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			n.ID, n.CaseID, n.Kind, n.Subject, n.Markdown, n.EML, n.FactsSHA256, ms(n.DraftedAt), n.DraftedBy, n.Language, n.Recipient, followUp)
		if err != nil {
			return err
		}
		if err := addNoticeFiles(ctx, tx, n.ID, 0, n.Files); err != nil {
			return err
		}
		sum := evidence.Digest([]byte(n.Markdown))
		err = appendEntries(ctx, tx, evidence.Entry{Action: "notice.draft", Object: n.ID, CaseID: n.CaseID, Actor: n.DraftedBy, At: n.DraftedAt, SHA256: sum, Reason: n.Kind})
		if err != nil {
			return err
		}
		return advanceCase(ctx, tx, evidence.Step{CaseID: n.CaseID, To: evidence.Drafted, Actor: n.DraftedBy, Object: n.ID, SHA256: sum, At: n.DraftedAt})
	})
	return n, err
}

func addNoticeFiles(ctx context.Context, tx *sql.Tx, id string, event int, files []evidence.NoticeFile) error {
	for _, f := range files {
		if _, err := tx.ExecContext(ctx, `INSERT INTO notice_file (notice_id, n, name, sha256) VALUES ($1, $2, $3, $4)`, id, event, f.Name, f.SHA256); err != nil {
			return fmt.Errorf("file %s of notice %s: %w", f.Name, id, err)
		}
	}
	return nil
}

// RecordNotice records a step of a notice and returns the notice after it. A
// notice is approved before it is sent, and sent before it is answered; what is
// withdrawn stays so.
func (db *DB) RecordNotice(ctx context.Context, id string, e evidence.NoticeEvent) (evidence.Notice, error) {
	n, err := db.Notice(ctx, id)
	if err != nil {
		return n, err
	}
	err = db.tx(ctx, func(tx *sql.Tx) error {
		var count int
		var last string
		// Counted and read inside: two people may approve at once.
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM notice_event WHERE notice_id = $1`, n.ID).Scan(&count); err != nil {
			return err
		}
		last = string(evidence.NoticeDrafted)
		if count > 0 {
			if err := tx.QueryRowContext(ctx, `SELECT step FROM notice_event WHERE notice_id = $1 AND n = $2`, n.ID, count).Scan(&last); err != nil {
				return err
			}
		}
		if err := noticeMay(evidence.NoticeStep(last), e.Step); err != nil {
			return fmt.Errorf("notice %s: %w", n.ID, err)
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO notice_event (notice_id, n, step, at_ms, recorded_ms, actor, reference, note, route) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			n.ID, count+1, string(e.Step), ms(e.At), ms(e.RecordedAt), e.Actor, e.Reference, e.Note, e.Route)
		if err != nil {
			return err
		}
		if err := addNoticeFiles(ctx, tx, n.ID, count+1, e.Files); err != nil {
			return err
		}
		sum := evidence.Digest([]byte(n.Markdown))
		err = appendEntries(ctx, tx, evidence.Entry{Action: "notice." + string(e.Step), Object: n.ID, CaseID: n.CaseID, Actor: e.Actor, At: e.RecordedAt, SHA256: sum, Reason: e.Note})
		if err != nil {
			return err
		}
		to := map[evidence.NoticeStep]evidence.Decision{evidence.NoticeSent: evidence.Sent, evidence.NoticeAnswered: evidence.Answered}[e.Step]
		if to == "" { // the case has steps of its own for the others
			return nil
		}
		return advanceCase(ctx, tx, evidence.Step{CaseID: n.CaseID, To: to, Actor: e.Actor, Reason: e.Note, Object: n.ID, SHA256: sum, At: e.RecordedAt})
	})
	if err != nil {
		return n, err
	}
	return db.Notice(ctx, n.ID)
}

func noticeMay(from, to evidence.NoticeStep) error {
	may := map[evidence.NoticeStep][]evidence.NoticeStep{
		evidence.NoticeDrafted:  {evidence.NoticeApproved, evidence.NoticeWithdrawn},
		evidence.NoticeApproved: {evidence.NoticeApproved, evidence.NoticeSent, evidence.NoticeWithdrawn},
		evidence.NoticeSent:     {evidence.NoticeAnswered, evidence.NoticeWithdrawn},
		evidence.NoticeAnswered: {evidence.NoticeAnswered, evidence.NoticeWithdrawn},
	}
	for _, next := range may[from] {
		if next == to {
			return nil
		}
	}
	return fmt.Errorf("%w: it is %s, and is not %s from there", ErrNoticeStep, from, to)
}

func scanNotice(scan func(...any) error) (evidence.Notice, error) {
	var n evidence.Notice
	var drafted, followUp int64
	err := scan(&n.ID, &n.CaseID, &n.Kind, &n.Subject, &n.Markdown, &n.EML, &n.FactsSHA256, &drafted, &n.DraftedBy, &n.Language, &n.Recipient, &followUp)
	n.DraftedAt, n.FollowUp = at(drafted), followUp == 1
	return n, err
}

const noticeColumns = `id, case_id, kind, subject, markdown, eml, facts_sha256, drafted_ms, drafted_by, language, recipient, follow_up`

// Notices lists the notices of a case, of all cases where caseID is "", with
// their steps.
func (db *DB) Notices(ctx context.Context, caseID string) ([]evidence.Notice, error) {
	all, err := rows(ctx, db, scanNotice, `SELECT `+noticeColumns+` FROM notice WHERE case_id = $1 OR $1 = '' ORDER BY id`, caseID)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if err := db.fillNotice(ctx, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Notice returns a notice by id or its unique beginning.
func (db *DB) Notice(ctx context.Context, id string) (evidence.Notice, error) {
	whole, err := db.one(ctx, "notice", id)
	if err != nil {
		return evidence.Notice{}, err
	}
	all, err := rows(ctx, db, scanNotice, `SELECT `+noticeColumns+` FROM notice WHERE id = $1`, whole)
	if err != nil || len(all) == 0 {
		return evidence.Notice{}, err
	}
	return all[0], db.fillNotice(ctx, &all[0])
}

func (db *DB) fillNotice(ctx context.Context, n *evidence.Notice) (err error) {
	n.Events, err = rows(ctx, db, func(scan func(...any) error) (e evidence.NoticeEvent, err error) {
		var step string
		var happened, recorded int64
		err = scan(&step, &happened, &recorded, &e.Actor, &e.Reference, &e.Note, &e.Route)
		e.Step, e.At, e.RecordedAt = evidence.NoticeStep(step), at(happened), at(recorded)
		return e, err
	}, `SELECT step, at_ms, recorded_ms, actor, reference, note, route FROM notice_event WHERE notice_id = $1 ORDER BY n`, n.ID)
	if err != nil {
		return err
	}
	type row struct {
		event int
		file  evidence.NoticeFile
	}
	files, err := rows(ctx, db, func(scan func(...any) error) (r row, err error) {
		return r, scan(&r.event, &r.file.Name, &r.file.SHA256)
	},
		`SELECT n, name, sha256 FROM notice_file WHERE notice_id = $1 ORDER BY n, name`, n.ID)
	for _, r := range files {
		switch {
		case r.event == 0:
			n.Files = append(n.Files, r.file)
		case r.event <= len(n.Events):
			n.Events[r.event-1].Files = append(n.Events[r.event-1].Files, r.file)
		}
	}
	return err
}
