package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"prahari/evidence"
)

// Targets lists what is to be looked at again: the sources and messages of the
// cases that two people take for leaks, or of one case whatever its state. A bot's
// answers to us are not public; of it the bot itself is looked at.
func (db *DB) Targets(ctx context.Context, caseID string) ([]evidence.Target, error) {
	type row struct {
		evidence.Target
		kind   evidence.SourceKind
		caseID string
	}
	found, err := rows(ctx, db, func(scan func(...any) error) (r row, err error) {
		return r, scan(&r.caseID, &r.SourceID, &r.kind, &r.MessageID, &r.Version, &r.URL)
	}, `
		SELECT c.case_id, e.source_id, s.kind, e.message_id, e.version, e.url
		FROM case_finding c JOIN cases k ON k.id = c.case_id JOIN finding f ON f.id = c.finding_id JOIN evidence e ON e.id = f.evidence_id
			JOIN source s ON s.id = e.source_id
		WHERE f.decision <> 'false positive' AND s.kind <> 'file' AND k.merged_into = ''
			AND (c.case_id = $1 OR $1 = '' AND k.status NOT IN ('triage', 'false positive', 'withdrawn'))
		ORDER BY e.source_id, e.message_id, e.edited_ms DESC, e.captured_ms DESC`, caseID)
	if err != nil {
		return nil, err
	}
	var all []evidence.Target
	at := map[string]int{}
	add := func(t evidence.Target, caseID string) {
		i, known := at[t.Name()]
		if !known {
			i = len(all)
			at[t.Name()], all = i, append(all, t)
		}
		if !slices.Contains(all[i].Cases, caseID) {
			all[i].Cases = append(all[i].Cases, caseID)
		}
	}
	for _, r := range found {
		add(evidence.Target{SourceID: r.SourceID}, r.caseID)
		if r.kind != evidence.Bot {
			add(r.Target, r.caseID)
		}
	}
	return all, db.fillTargets(ctx, all)
}

// fillTargets reads when targets were first reported and last looked at.
func (db *DB) fillTargets(ctx context.Context, all []evidence.Target) error {
	type sent struct {
		caseID string
		first  int64
	}
	notices, err := rows(ctx, db, func(scan func(...any) error) (s sent, err error) { return s, scan(&s.caseID, &s.first) }, `
		SELECT n.case_id, min(v.at_ms) FROM notice_event v JOIN notice n ON n.id = v.notice_id WHERE v.step = 'sent' GROUP BY n.case_id`)
	if err != nil {
		return err
	}
	looks, err := rows(ctx, db, func(scan func(...any) error) (evidence.Target, error) {
		var l evidence.Target
		var when int64
		err := scan(&l.SourceID, &l.MessageID, &l.State, &when)
		l.LastAt = at(when)
		return l, err
	}, `SELECT source_id, message_id, state, last_ms FROM recheck`)
	if err != nil {
		return err
	}
	last := map[string]evidence.Target{}
	for _, l := range looks {
		last[l.Name()] = l
	}
	for i := range all {
		t := &all[i]
		t.State = evidence.SeenUnknown
		if l, ok := last[t.Name()]; ok {
			t.State, t.LastAt = l.State, l.LastAt
		}
		for _, n := range notices {
			if first := at(n.first); slices.Contains(t.Cases, n.caseID) && (t.SentAt.IsZero() || first.Before(t.SentAt)) {
				t.SentAt = first
			}
		}
	}
	return nil
}

// AddSamples keeps what looks showed, each with an entry in the custody log, and
// returns those that show another state than the look before.
func (db *DB) AddSamples(ctx context.Context, samples []evidence.Sample, actor string) (changed []evidence.Sample, err error) {
	err = db.tx(ctx, func(tx *sql.Tx) error {
		changed = nil
		for _, s := range samples {
			fresh, err := addSample(ctx, tx, s, actor)
			if err != nil {
				return fmt.Errorf("look at %s: %w", s.Name(), err)
			}
			if fresh {
				changed = append(changed, s)
			}
		}
		return nil
	})
	return changed, err
}

func addSample(ctx context.Context, tx *sql.Tx, s evidence.Sample, actor string) (fresh bool, err error) {
	body, err := evidence.CanonicalJSON(s)
	if err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO sample (source_id, message_id, at_ms, state, body) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		s.SourceID, s.MessageID, ms(s.At), string(s.State), string(body))
	if err != nil {
		return false, err
	}
	var was string
	err = tx.QueryRowContext(ctx, `SELECT coalesce(max(state), '') FROM recheck WHERE source_id = $1 AND message_id = $2`, s.SourceID, s.MessageID).Scan(&was)
	if err != nil {
		return false, err
	}
	if fresh = was != string(s.State); fresh {
		_, err = tx.ExecContext(ctx, `
			INSERT INTO recheck (source_id, message_id, state, since_ms, last_ms) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (source_id, message_id) DO UPDATE SET state = excluded.state, since_ms = excluded.since_ms, last_ms = excluded.last_ms`,
			s.SourceID, s.MessageID, string(s.State), ms(s.At), ms(s.At))
	} else {
		_, err = tx.ExecContext(ctx, `UPDATE recheck SET last_ms = $1 WHERE source_id = $2 AND message_id = $3`, ms(s.At), s.SourceID, s.MessageID)
	}
	if err != nil {
		return false, err
	}
	if s.State == evidence.SeenRemoved && s.MessageID != 0 {
		if _, err := insertSighting(ctx, tx, evidence.Sighting{SourceID: s.SourceID, MessageID: s.MessageID, State: "deleted", At: s.At}); err != nil {
			return false, err
		}
	}
	return fresh, appendEntries(ctx, tx, evidence.Entry{Action: "recheck", Object: s.Name(), Actor: actor, At: s.At, SHA256: evidence.Digest(body), Reason: string(s.State)})
}

// Samples lists the looks at a target, oldest first.
func (db *DB) Samples(ctx context.Context, sourceID string, messageID int64) ([]evidence.Sample, error) {
	return rows(ctx, db, func(scan func(...any) error) (s evidence.Sample, err error) {
		var body string
		if err := scan(&body); err != nil {
			return s, err
		}
		return s, json.Unmarshal([]byte(body), &s)
	}, `SELECT body FROM sample WHERE source_id = $1 AND message_id = $2 ORDER BY at_ms`, sourceID, messageID)
}

// observed is what the case's targets show together. A message of a channel that
// was renamed, or closed, shows that.
func (db *DB) observed(ctx context.Context, caseID string) (evidence.Observation, error) {
	targets, err := db.Targets(ctx, caseID)
	if err != nil {
		return evidence.SeenUnknown, err
	}
	source := map[string]evidence.Observation{}
	messages := map[string]bool{}
	for _, t := range targets {
		if t.MessageID == 0 {
			source[t.SourceID] = t.State
		} else {
			messages[t.SourceID] = true
		}
	}
	var all []evidence.Observation
	for _, t := range targets {
		of := source[t.SourceID]
		switch {
		case t.MessageID == 0 && messages[t.SourceID]: // its messages say it
		case t.MessageID == 0 || of.Gone() || of == evidence.SeenRenamed && !t.State.Gone():
			all = append(all, of)
		default:
			all = append(all, t.State)
		}
	}
	return evidence.Overall(all), nil
}

// Outcomes lists for every notice that was sent what became of each target, with
// the time to action: from sending to the first look that showed it gone.
func (db *DB) Outcomes(ctx context.Context, caseID string) ([]evidence.Outcome, error) {
	notices, err := db.Notices(ctx, caseID)
	if err != nil {
		return nil, err
	}
	var all []evidence.Outcome
	for _, n := range notices {
		at := slices.IndexFunc(n.Events, func(e evidence.NoticeEvent) bool { return e.Step == evidence.NoticeSent })
		if at < 0 {
			continue
		}
		targets, err := db.Targets(ctx, n.CaseID)
		if err != nil {
			return nil, err
		}
		for _, t := range targets {
			o := evidence.Outcome{CaseID: n.CaseID, NoticeID: n.ID, Route: n.Kind, Target: t.Name(), SentAt: n.Events[at].At, State: t.State}
			if err := db.outcome(ctx, t, &o); err != nil {
				return nil, err
			}
			all = append(all, o)
		}
	}
	slices.SortStableFunc(all, func(a, b evidence.Outcome) int {
		return cmp.Or(cmp.Compare(a.CaseID, b.CaseID), cmp.Compare(a.NoticeID, b.NoticeID))
	})
	return all, nil
}

// outcome reads from the looks when a target was last seen and first gone. What
// was gone before the notice was sent is no notice's doing.
func (db *DB) outcome(ctx context.Context, t evidence.Target, o *evidence.Outcome) error {
	samples, err := db.Samples(ctx, t.SourceID, t.MessageID)
	if err != nil {
		return err
	}
	seen, err := db.Sightings(ctx, t.SourceID, t.MessageID)
	if err != nil {
		return err
	}
	for _, s := range seen { // a watch that ran saw it earlier, perhaps
		if s.State == "deleted" && t.MessageID != 0 {
			samples = append(samples, evidence.Sample{At: s.At, State: evidence.SeenRemoved})
		}
	}
	slices.SortStableFunc(samples, func(a, b evidence.Sample) int { return a.At.Compare(b.At) })
	for _, s := range samples {
		switch {
		case s.State == evidence.SeenUnknown:
		case !s.State.Gone():
			o.LastSeen, o.GoneAt = s.At, time.Time{}
		case o.GoneAt.IsZero():
			o.GoneAt = s.At
		}
	}
	if !o.GoneAt.IsZero() && o.GoneAt.After(o.SentAt) {
		o.Took = o.GoneAt.Sub(o.SentAt)
	}
	return nil
}

// A Reappearance is the reason why a case that had ended begins again.
type Reappearance struct {
	Case   evidence.Case
	Reason string
}

// Reappearances looks for what came back: findings that were collected after a
// case was called removed or closed and are linked to it, and targets of it that
// are to be seen again.
func (db *DB) Reappearances(ctx context.Context) ([]Reappearance, error) {
	cases, err := db.Cases(ctx)
	if err != nil {
		return nil, err
	}
	var all []Reappearance
	for _, c := range cases {
		if c.Status != evidence.Removed && c.Status != evidence.Closed || c.MergedInto != "" {
			continue
		}
		reason, err := db.reappeared(ctx, c)
		if err != nil {
			return nil, err
		}
		if reason != "" {
			all = append(all, Reappearance{c, reason})
		}
	}
	return all, nil
}

func (db *DB) reappeared(ctx context.Context, c evidence.Case) (string, error) {
	targets, err := db.Targets(ctx, c.ID)
	if err != nil {
		return "", err
	}
	for _, t := range targets {
		samples, err := db.Samples(ctx, t.SourceID, t.MessageID)
		if err != nil {
			return "", err
		}
		gone := false
		for _, s := range samples {
			if gone && !s.State.Gone() && s.State != evidence.SeenUnknown && s.At.After(c.ChangedAt) {
				return fmt.Sprintf("%s was gone and is %s again", t.Name(), s.State), nil
			}
			gone = gone && s.State == evidence.SeenUnknown || s.State.Gone()
		}
	}
	suggestions, err := db.Suggestions(ctx, c.ID)
	if err != nil {
		return "", err
	}
	for _, s := range suggestions {
		for _, id := range s.Findings {
			captured, err := rows(ctx, db, func(scan func(...any) error) (n int64, err error) { return n, scan(&n) }, `SELECT captured_ms FROM finding WHERE id = $1`, id)
			if err != nil {
				return "", err
			}
			if len(captured) > 0 && at(captured[0]).After(c.ChangedAt) {
				return fmt.Sprintf("%s (suggestion %s)", s.Reason, s.ID), nil
			}
		}
	}
	return "", nil
}
