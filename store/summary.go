package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"prahari/evidence"
)

// istOffset is how far India's time is ahead of UTC, in milliseconds.
const istOffset = (5*60 + 30) * 60 * 1000

const dayMS = 24 * 60 * 60 * 1000

// Summary counts findings that were collected from a time on and before another,
// and what became of the notices that were drafted then.
func (db *DB) Summary(ctx context.Context, from, to time.Time) (evidence.Summary, error) {
	s := evidence.Summary{
		From: from, To: to, Days: map[string]int{}, Weeks: []evidence.Count{}, Signatures: []evidence.SignatureRate{}, Sources: []evidence.Count{},
		Kinds: []evidence.KindCount{}, Routes: []evidence.RouteTotal{},
	}
	for _, step := range []func(context.Context, *evidence.Summary) error{db.sumFindings, db.sumDays, db.sumSources, db.sumKinds, db.sumTimes, db.sumRoutes} {
		if err := step(ctx, &s); err != nil {
			return s, fmt.Errorf("counting: %w", err)
		}
	}
	return s, nil
}

func (db *DB) sumFindings(ctx context.Context, s *evidence.Summary) error {
	type row struct {
		rule, decision string
		n, suppressed  int
	}
	all, err := rows(ctx, db, func(scan func(...any) error) (r row, err error) {
		return r, scan(&r.rule, &r.decision, &r.n, &r.suppressed)
	}, `SELECT rule, decision, count(*), sum(CASE WHEN suppressed_by = '' THEN 0 ELSE 1 END) FROM finding
		WHERE captured_ms >= $1 AND captured_ms < $2 GROUP BY rule, decision`, ms(s.From), ms(s.To))
	by := map[string]*evidence.SignatureRate{}
	for _, r := range all {
		if by[r.rule] == nil {
			by[r.rule] = &evidence.SignatureRate{Rule: r.rule}
		}
		s.Findings, s.Suppressed = s.Findings+r.n, s.Suppressed+r.suppressed
		by[r.rule].Findings += r.n
		switch evidence.Decision(r.decision) {
		case evidence.Confirmed:
			by[r.rule].Confirmed += r.n
		case evidence.FalsePositive:
			by[r.rule].FalsePositive += r.n
		}
	}
	for _, rate := range by {
		s.Signatures = append(s.Signatures, *rate)
	}
	slices.SortFunc(s.Signatures, func(a, b evidence.SignatureRate) int {
		return cmp.Or(cmp.Compare(b.Findings, a.Findings), cmp.Compare(a.Rule, b.Rule))
	})
	return err
}

func (db *DB) sumDays(ctx context.Context, s *evidence.Summary) error {
	type row struct {
		day int64
		n   int
	}
	all, err := rows(ctx, db, func(scan func(...any) error) (r row, err error) { return r, scan(&r.day, &r.n) }, `
		SELECT (posted_ms + $1) / $2 AS day, count(*) FROM finding WHERE captured_ms >= $3 AND captured_ms < $4 GROUP BY (posted_ms + $1) / $2`,
		int64(istOffset), int64(dayMS), ms(s.From), ms(s.To))
	weeks := map[string]int{}
	for _, r := range all {
		day := time.UnixMilli(r.day * dayMS).UTC()
		s.Days[day.Format(time.DateOnly)] += r.n
		year, week := day.ISOWeek()
		weeks[fmt.Sprintf("%04d-W%02d", year, week)] += r.n
	}
	for _, week := range slices.Sorted(maps.Keys(weeks)) {
		s.Weeks = append(s.Weeks, evidence.Count{Name: week, Findings: weeks[week]})
	}
	return err
}

func (db *DB) sumSources(ctx context.Context, s *evidence.Summary) error {
	all, err := rows(ctx, db, func(scan func(...any) error) (c evidence.Count, err error) {
		var id, username string
		err = scan(&id, &username, &c.Findings)
		if c.Name = id; username != "" {
			c.Name = "@" + username
		}
		return c, err
	}, `SELECT f.source_id, s.username, count(*) FROM finding f JOIN source s ON s.id = f.source_id
		WHERE f.captured_ms >= $1 AND f.captured_ms < $2 GROUP BY f.source_id, s.username ORDER BY count(*) DESC, f.source_id`, ms(s.From), ms(s.To))
	s.Sources = append(s.Sources, all...)
	return err
}

func (db *DB) sumKinds(ctx context.Context, s *evidence.Summary) error {
	all, err := rows(ctx, db, func(scan func(...any) error) (k evidence.KindCount, err error) {
		return k, scan(&k.Kind, &k.Findings, &k.Distinct)
	}, `SELECT t.kind, count(DISTINCT t.finding_id), count(DISTINCT t.token) FROM token t JOIN finding f ON f.id = t.finding_id
		WHERE f.captured_ms >= $1 AND f.captured_ms < $2 GROUP BY t.kind ORDER BY count(DISTINCT t.token) DESC, t.kind`, ms(s.From), ms(s.To))
	s.Kinds = append(s.Kinds, all...)
	return err
}

// sumTimes measures from a post to its finding, where it was seen as it was
// posted and not read from history, and from a finding to the first notice of a
// case of it that was sent.
func (db *DB) sumTimes(ctx context.Context, s *evidence.Summary) error {
	length := func(scan func(...any) error) (time.Duration, error) {
		var from, to int64
		err := scan(&from, &to)
		return time.Duration(to-from) * time.Millisecond, err
	}
	found, err := rows(ctx, db, length, `
		SELECT f.posted_ms, f.captured_ms FROM finding f JOIN evidence e ON e.id = f.evidence_id
		WHERE f.captured_ms >= $1 AND f.captured_ms < $2 AND e.origin <> 'backfill' AND e.edited_ms = 0`, ms(s.From), ms(s.To))
	if err != nil {
		return err
	}
	s.Found = evidence.SpreadOf(found)
	noticed, err := rows(ctx, db, length, `
		SELECT f.captured_ms, min(e.at_ms) FROM finding f
		JOIN case_finding c ON c.finding_id = f.id JOIN notice n ON n.case_id = c.case_id JOIN notice_event e ON e.notice_id = n.id AND e.step = 'sent'
		WHERE f.captured_ms >= $1 AND f.captured_ms < $2 GROUP BY f.id, f.captured_ms`, ms(s.From), ms(s.To))
	s.Noticed = evidence.SpreadOf(noticed)
	return err
}

func (db *DB) sumRoutes(ctx context.Context, s *evidence.Summary) error {
	notices, err := db.Notices(ctx, "")
	if err != nil {
		return err
	}
	by, of := map[string]*evidence.RouteTotal{}, map[string]bool{}
	for _, n := range notices {
		if n.DraftedAt.Before(s.From) || !n.DraftedAt.Before(s.To) {
			continue
		}
		if by[n.Kind] == nil {
			by[n.Kind] = &evidence.RouteTotal{Route: n.Kind}
		}
		r := by[n.Kind]
		of[n.ID] = true
		r.Drafted++
		for step, to := range map[evidence.NoticeStep]*int{evidence.NoticeSent: &r.Sent, evidence.NoticeAnswered: &r.Answered, evidence.NoticeWithdrawn: &r.Withdrawn} {
			if _, ok := n.Event(step); ok {
				*to++
			}
		}
	}
	outcomes, err := db.Outcomes(ctx, "")
	if err != nil {
		return err
	}
	took, all := map[string][]time.Duration{}, []time.Duration{}
	for _, o := range outcomes {
		r := by[o.Route]
		if r == nil || !of[o.NoticeID] {
			continue
		}
		r.Targets++
		if o.Took > 0 {
			r.Gone++
			took[o.Route], all = append(took[o.Route], o.Took), append(all, o.Took)
		}
	}
	s.Removed = evidence.SpreadOf(all)
	for _, route := range slices.Sorted(maps.Keys(by)) {
		by[route].Took = evidence.SpreadOf(took[route])
		s.Routes = append(s.Routes, *by[route])
	}
	return nil
}
