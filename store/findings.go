package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"prahari/evidence"
)

// A Filter picks findings; zero fields pick all.
type Filter struct {
	SourceID    string
	Rule        string
	CaseID      string
	MinSeverity evidence.Severity
	Since       time.Time // collected at or after
	Decision    evidence.Decision
	Suppressed  Suppressed
	Template    string
	Limit       int // 0: all
}

// Suppressed says which findings of suppressed templates are listed.
type Suppressed int

// Findings of suppressed templates are listed with the others, left out, or alone.
const (
	WithSuppressed Suppressed = iota
	WithoutSuppressed
	OnlySuppressed
)

// A FindingRow is a finding as listed.
type FindingRow struct {
	ID         string            `json:"id"`
	EvidenceID string            `json:"evidence_id"`
	SourceID   string            `json:"source"`
	SourceName string            `json:"source_name"`
	MessageID  int64             `json:"message_id"`
	URL        string            `json:"url,omitempty"`
	PostedAt   time.Time         `json:"posted_at"`
	CapturedAt time.Time         `json:"captured_at"`
	Rule       string            `json:"rule"`
	Title      string            `json:"title"`
	Severity   evidence.Severity `json:"severity"`
	Confidence float64           `json:"confidence"`
	Records    int               `json:"records"`
	Masked     string            `json:"masked"`
	Decision   evidence.Decision `json:"decision"`
	Suppressed string            `json:"suppressed_by,omitempty"`
	Template   string            `json:"template"`
}

// Findings lists findings, the newest first.
func (db *DB) Findings(ctx context.Context, f Filter) ([]FindingRow, error) {
	var where []string
	var args []any
	add := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if f.SourceID != "" {
		add("f.source_id = $%d", f.SourceID)
	}
	if f.Rule != "" {
		add("f.rule = $%d", f.Rule)
	}
	if f.CaseID != "" {
		add("f.id IN (SELECT finding_id FROM case_finding WHERE case_id = $%d)", f.CaseID)
	}
	if r := f.MinSeverity.Rank(); r > 0 {
		add("f.severity >= $%d", r)
	}
	if f.Decision != "" {
		add("f.decision = $%d", string(f.Decision))
	}
	if f.Template != "" {
		add("f.template = $%d", f.Template)
	}
	switch f.Suppressed {
	case WithoutSuppressed:
		where = append(where, "f.suppressed_by = ''")
	case OnlySuppressed:
		where = append(where, "f.suppressed_by <> ''")
	}
	if !f.Since.IsZero() {
		add("f.captured_ms >= $%d", ms(f.Since))
	}
	query := `
		SELECT f.id, f.evidence_id, f.source_id, s.username, e.message_id, e.url, f.posted_ms, f.captured_ms, f.rule, f.records, e.masked, f.body, f.decision, f.suppressed_by, f.template
		FROM finding f JOIN evidence e ON e.id = f.evidence_id JOIN source s ON s.id = f.source_id`
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	query += " ORDER BY f.posted_ms DESC, f.id DESC"
	if f.Limit > 0 {
		args = append(args, f.Limit)
		query += fmt.Sprintf(" LIMIT $%d", len(args))
	}
	return rows(ctx, db, func(scan func(...any) error) (FindingRow, error) {
		var r FindingRow
		var posted, captured int64
		var body string
		if err := scan(&r.ID, &r.EvidenceID, &r.SourceID, &r.SourceName, &r.MessageID, &r.URL, &posted, &captured, &r.Rule, &r.Records, &r.Masked, &body, &r.Decision, &r.Suppressed, &r.Template); err != nil {
			return r, err
		}
		var kept evidence.Kept
		if err := json.Unmarshal([]byte(body), &kept); err != nil {
			return r, fmt.Errorf("%w: finding %s: %w", ErrBroken, r.ID, err)
		}
		r.Title, r.Severity, r.Confidence = kept.Title, kept.Severity, kept.Confidence
		r.PostedAt, r.CapturedAt = at(posted), at(captured)
		if r.SourceName == "" {
			r.SourceName = r.SourceID
		} else {
			r.SourceName = "@" + r.SourceName
		}
		return r, nil
	}, query, args...)
}

// numbered are the tables whose ids are numbers with a name before them, which
// may be left out: "7", "case7" and "CASE0007" are one.
//
//nolint:gochecknoglobals // a constant table
var numbered = map[string]string{"cases": "CASE", "notice": "N-", "authorisation": "A-", "canary": "C-", "clock": "K-", "court_order": "O-", "suppression": "S-", "hold": "H-"}

// one resolves an id, its unique beginning, or its number. The letters before a
// finding's or a piece of evidence's id may be left out.
func (db *DB) one(ctx context.Context, table, prefix string) (string, error) {
	if prefix == "" {
		return "", ErrNotFound
	}
	tries := []string{prefix}
	if name, ok := numbered[table]; ok {
		digits := strings.TrimPrefix(strings.ToUpper(prefix), name)
		if n, err := strconv.ParseUint(digits, 10, 31); err == nil {
			tries = append([]string{fmt.Sprintf("%s%04d", name, n)}, tries...)
		}
	}
	if name, ok := map[string]string{"finding": "f-", "evidence": "ev-"}[table]; ok && !strings.HasPrefix(prefix, name) {
		tries = append(tries, name+strings.ToLower(prefix))
	}
	for _, try := range tries {
		// substr, not LIKE: case and wildcards mean nothing here.
		ids, err := rows(ctx, db, func(scan func(...any) error) (id string, err error) { return id, scan(&id) },
			`SELECT id FROM `+table+` WHERE substr(id, 1, length($1)) = $1 ORDER BY id LIMIT 6`, try)
		switch {
		case err != nil:
			return "", err
		case len(ids) > 1 && ids[0] != try:
			return "", &AmbiguousError{evidence.Caption(prefix, 40), ids}
		case len(ids) > 0:
			return ids[0], nil
		}
	}
	return "", ErrNotFound
}

// Finding returns a finding, by id or its unique beginning, and its evidence.
func (db *DB) Finding(ctx context.Context, id string) (evidence.Kept, evidence.Evidence, error) {
	whole, err := db.one(ctx, "finding", id)
	if err != nil {
		return evidence.Kept{}, evidence.Evidence{}, err
	}
	found, err := db.evidence(ctx, `WHERE e.id = (SELECT evidence_id FROM finding WHERE id = $1)`, whole)
	if err != nil {
		return evidence.Kept{}, evidence.Evidence{}, err
	}
	for _, e := range found {
		for _, f := range e.Findings {
			if f.ID == whole {
				return f, e, nil
			}
		}
	}
	return evidence.Kept{}, evidence.Evidence{}, ErrNotFound
}

// Evidence returns a piece of evidence, by id or its unique beginning, without the
// sealed bytes.
func (db *DB) Evidence(ctx context.Context, id string) (evidence.Evidence, error) {
	whole, err := db.one(ctx, "evidence", id)
	if err != nil {
		return evidence.Evidence{}, err
	}
	found, err := db.evidence(ctx, `WHERE e.id = $1`, whole)
	if err != nil || len(found) == 0 {
		return evidence.Evidence{}, errors.Join(err, ErrNotFound)
	}
	return found[0], nil
}

// Versions lists the recorded versions of a message, oldest first.
func (db *DB) Versions(ctx context.Context, sourceID string, messageID int64) ([]evidence.Evidence, error) {
	return db.evidence(ctx, `WHERE e.source_id = $1 AND e.message_id = $2`, sourceID, messageID)
}

// CaseEvidence lists the evidence behind a case's findings, with every version
// of their messages, without the sealed bytes.
func (db *DB) CaseEvidence(ctx context.Context, caseID string) ([]evidence.Evidence, error) {
	return db.evidence(ctx, `
		JOIN (SELECT DISTINCT e2.source_id, e2.message_id FROM case_finding c JOIN finding f ON f.id = c.finding_id
			JOIN evidence e2 ON e2.id = f.evidence_id WHERE c.case_id = $1) m
		ON m.source_id = e.source_id AND m.message_id = e.message_id`, caseID)
}

// evidence reads evidence with its source and findings, without sealed bytes.
func (db *DB) evidence(ctx context.Context, condition string, args ...any) ([]evidence.Evidence, error) {
	all, err := rows(ctx, db, func(scan func(...any) error) (evidence.Evidence, error) {
		var e evidence.Evidence
		var posted, edited, captured, purged int64
		var collection, sourceID string
		err := scan(&e.ID, &sourceID, &e.MessageID, &e.Version, &e.URL, &posted, &edited, &captured, &e.Origin, &e.Masked, &collection,
			&e.Commitment, &e.SealedSHA, &e.SealedSize, &purged)
		if err != nil {
			return e, err
		}
		e.Source.ID = sourceID
		e.PostedAt, e.EditedAt, e.CapturedAt = at(posted), at(edited), at(captured)
		e.PurgedAt = at(purged)
		if err := json.Unmarshal([]byte(collection), &e.Collection); err != nil {
			return e, fmt.Errorf("%w: evidence %s: %w", ErrBroken, e.ID, err)
		}
		return e, nil
	}, `SELECT e.id, e.source_id, e.message_id, e.version, e.url, e.posted_ms, e.edited_ms, e.captured_ms, e.origin, e.masked, e.collection,
		e.commitment, e.sealed_sha256, e.sealed_size, coalesce((SELECT t.at_ms FROM tombstone t WHERE t.evidence_id = e.id), 0) FROM evidence e `+condition+` ORDER BY e.source_id, e.message_id, e.edited_ms, e.captured_ms`, args...)
	if err != nil {
		return nil, err
	}
	sources := map[string]evidence.Source{}
	for i := range all {
		s, ok := sources[all[i].Source.ID]
		if !ok {
			if s, err = db.Source(ctx, all[i].Source.ID); err != nil {
				return nil, err
			}
			sources[s.ID] = s
		}
		all[i].Source = s
		all[i].Findings, err = rows(ctx, db, scanKept, `SELECT body FROM finding WHERE evidence_id = $1 ORDER BY severity DESC, id`, all[i].ID)
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func scanKept(scan func(...any) error) (evidence.Kept, error) {
	var body string
	var kept evidence.Kept
	if err := scan(&body); err != nil {
		return kept, err
	}
	return kept, json.Unmarshal([]byte(body), &kept)
}

// Sealed returns the age file of a piece of evidence.
func (db *DB) Sealed(ctx context.Context, evidenceID string) ([]byte, error) {
	found, err := rows(ctx, db, func(scan func(...any) error) (data []byte, err error) { return data, scan(&data) },
		`SELECT data FROM sealed WHERE evidence_id = $1`, evidenceID)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ErrNotFound
	}
	return found[0], nil
}

// Sightings lists later looks at a message.
func (db *DB) Sightings(ctx context.Context, sourceID string, messageID int64) ([]evidence.Sighting, error) {
	return rows(ctx, db, func(scan func(...any) error) (evidence.Sighting, error) {
		s := evidence.Sighting{SourceID: sourceID, MessageID: messageID}
		var when int64
		err := scan(&s.State, &when)
		s.At = at(when)
		return s, err
	}, `SELECT state, at_ms FROM sighting WHERE source_id = $1 AND message_id = $2 ORDER BY at_ms`, sourceID, messageID)
}

// DistinctTokens counts the distinct identifiers of a case's findings by kind.
func (db *DB) DistinctTokens(ctx context.Context, caseID string) (map[evidence.Kind]int, error) {
	type count struct {
		kind evidence.Kind
		n    int
	}
	all, err := rows(ctx, db, func(scan func(...any) error) (c count, err error) { return c, scan(&c.kind, &c.n) }, `
		SELECT kind, count(DISTINCT token) FROM token WHERE finding_id IN (SELECT finding_id FROM case_finding WHERE case_id = $1)
		GROUP BY kind ORDER BY kind`, caseID)
	out := map[evidence.Kind]int{}
	for _, c := range all {
		out[c.kind] = c.n
	}
	return out, err
}
