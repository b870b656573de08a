package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"prahari/evidence"
)

// ErrNoSuggestion says that there is no such suggestion, or that it was taken up.
var ErrNoSuggestion = errors.New("no such suggestion")

// The findings that may be suggested: not in the case, and nobody has said that
// they are no leak. $1 is the case everywhere.
const (
	ofCase  = `SELECT finding_id FROM case_finding WHERE case_id = $1`
	sources = `SELECT f1.source_id FROM finding f1 JOIN case_finding c1 ON c1.finding_id = f1.id WHERE c1.case_id = $1`
	outside = `f.decision <> 'false positive' AND f.suppressed_by = '' AND f.id NOT IN (` + ofCase + `)`
)

// linked lists for each way of linking a query of source, key and finding.
// Findings of the case's own sources are suggested by their source alone.
//
//nolint:gochecknoglobals // a constant table
var linked = []struct {
	how   evidence.SuggestionKind
	query string
}{
	{evidence.BySource, `SELECT f.source_id, '', f.id FROM finding f WHERE f.source_id IN (` + sources + `) AND ` + outside},
	{evidence.ByTemplate, `
		SELECT f.source_id, f.template, f.id FROM finding f
		WHERE substr(f.template, 1, 2) = 't-' AND f.template IN (SELECT f2.template FROM finding f2 JOIN case_finding c2 ON c2.finding_id = f2.id WHERE c2.case_id = $1)
			AND f.source_id NOT IN (` + sources + `) AND ` + outside},
	{evidence.ByTokens, `
		SELECT f.source_id, t.token, f.id FROM token t JOIN finding f ON f.id = t.finding_id
		WHERE t.token IN (SELECT t2.token FROM token t2 JOIN case_finding c2 ON c2.finding_id = t2.finding_id WHERE c2.case_id = $1)
			AND f.source_id NOT IN (` + sources + `) AND ` + outside},
	// Both lead to one name, or one of them leads to the other's source.
	{evidence.BySameLink, `
		SELECT f.source_id, l.name, f.id FROM link l JOIN evidence e ON e.source_id = l.source_id AND e.message_id = l.message_id JOIN finding f ON f.evidence_id = e.id
		WHERE (l.name IN (SELECT l2.name FROM link l2 JOIN evidence e2 ON e2.source_id = l2.source_id AND e2.message_id = l2.message_id
				JOIN finding f2 ON f2.evidence_id = e2.id JOIN case_finding c2 ON c2.finding_id = f2.id WHERE c2.case_id = $1)
			OR l.name IN (SELECT lower(s2.username) FROM source s2 WHERE s2.username <> '' AND s2.id IN (` + sources + `)))
			AND f.source_id NOT IN (` + sources + `) AND ` + outside},
	{evidence.BySameLink, `
		SELECT f.source_id, lower(s.username), f.id FROM source s JOIN finding f ON f.source_id = s.id
		WHERE lower(s.username) IN (SELECT l2.name FROM link l2 JOIN evidence e2 ON e2.source_id = l2.source_id AND e2.message_id = l2.message_id
				JOIN finding f2 ON f2.evidence_id = e2.id JOIN case_finding c2 ON c2.finding_id = f2.id WHERE c2.case_id = $1)
			AND f.source_id NOT IN (` + sources + `) AND ` + outside},
}

// Suggestions lists what seems to belong to a case and was not refused, those
// with most findings first.
func (db *DB) Suggestions(ctx context.Context, caseID string) ([]evidence.Suggestion, error) {
	type hit struct{ source, key, finding string }
	type group struct {
		how         evidence.SuggestionKind
		source, key string
	}
	found := map[group]map[string]bool{}
	tokens := map[string]map[string]bool{} // by source
	for _, l := range linked {
		hits, err := rows(ctx, db, func(scan func(...any) error) (h hit, err error) { return h, scan(&h.source, &h.key, &h.finding) }, l.query, caseID)
		if err != nil {
			return nil, err
		}
		for _, h := range hits {
			g := group{l.how, h.source, h.key}
			if l.how == evidence.ByTokens {
				g.key = "" // tokens say nothing to a person; their number does
				if tokens[h.source] == nil {
					tokens[h.source] = map[string]bool{}
				}
				tokens[h.source][h.key] = true
			}
			if found[g] == nil {
				found[g] = map[string]bool{}
			}
			found[g][h.finding] = true
		}
	}
	refused, err := rows(ctx, db, func(scan func(...any) error) (id string, err error) { return id, scan(&id) },
		`SELECT id FROM suggestion_refused WHERE case_id = $1`, caseID)
	if err != nil {
		return nil, err
	}
	var all []evidence.Suggestion
	for g, findings := range found {
		s := evidence.Suggestion{CaseID: caseID, How: g.how, SourceID: g.source, Source: g.source, Key: g.key}
		for id := range findings {
			s.Findings = append(s.Findings, id)
		}
		slices.Sort(s.Findings)
		if g.how == evidence.ByTokens {
			s.Shared = len(tokens[g.source])
		}
		source, err := db.Source(ctx, g.source)
		if err != nil {
			return nil, err
		}
		if source.Username != "" {
			s.Source = "@" + source.Username
		}
		if s.Name(); slices.Contains(refused, s.ID) {
			continue
		}
		if s.Cases, err = db.holding(ctx, s.Findings, caseID); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b evidence.Suggestion) int {
		return cmp.Or(cmp.Compare(len(b.Findings), len(a.Findings)), cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// holding lists the other cases that hold some of the findings and go on.
func (db *DB) holding(ctx context.Context, findings []string, but string) ([]string, error) {
	var all []string
	for _, id := range findings {
		cases, err := rows(ctx, db, func(scan func(...any) error) (id string, err error) { return id, scan(&id) }, `
			SELECT c.case_id FROM case_finding c JOIN cases k ON k.id = c.case_id WHERE c.finding_id = $1 AND c.case_id <> $2 AND k.merged_into = ''`, id, but)
		if err != nil {
			return nil, err
		}
		for _, c := range cases {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	slices.Sort(all)
	return all, nil
}

// Suggestion returns one suggestion of a case.
func (db *DB) Suggestion(ctx context.Context, caseID, id string) (evidence.Suggestion, error) {
	all, err := db.Suggestions(ctx, caseID)
	if err != nil {
		return evidence.Suggestion{}, err
	}
	at := slices.IndexFunc(all, func(s evidence.Suggestion) bool { return s.ID == id })
	if at < 0 {
		return evidence.Suggestion{}, ErrNoSuggestion
	}
	return all[at], nil
}

// RefuseSuggestion keeps a suggestion from being made again.
func (db *DB) RefuseSuggestion(ctx context.Context, s evidence.Suggestion, actor, reason string) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		now := time.Now()
		_, err := tx.ExecContext(ctx, `
			INSERT INTO suggestion_refused (id, case_id, refused_by, refused_ms, reason) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			s.ID, s.CaseID, actor, ms(now), reason)
		if err != nil {
			return err
		}
		return appendEntries(ctx, tx, evidence.Entry{Action: "case.refuse", Object: s.ID, CaseID: s.CaseID, Actor: actor, At: now, Reason: s.Reason + "; refused: " + reason})
	})
}
