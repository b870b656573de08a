package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"prahari/evidence"
)

// exportPage is how many items an export reads at once.
const exportPage = 64

// CaseItems yields the evidence behind a case's findings with its sealed bytes,
// every version of their messages, in order of posting and id. It holds the ids
// of all and a page of items; what is recorded after the first is not in it.
func (db *DB) CaseItems(ctx context.Context, caseID string) iter.Seq2[evidence.Evidence, error] {
	return func(yield func(evidence.Evidence, error) bool) {
		ids, err := db.caseItemIDs(ctx, caseID)
		if err != nil {
			yield(evidence.Evidence{}, err)
			return
		}
		sources := map[string]evidence.Source{}
		for len(ids) > 0 {
			page := ids[:min(exportPage, len(ids))]
			ids = ids[len(page):]
			items, err := db.itemPage(ctx, page, sources)
			if err != nil {
				yield(evidence.Evidence{}, err)
				return
			}
			for _, e := range items {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

const caseMessages = `
	FROM evidence e JOIN (SELECT DISTINCT e2.source_id, e2.message_id FROM case_finding c JOIN finding f ON f.id = c.finding_id
		JOIN evidence e2 ON e2.id = f.evidence_id WHERE c.case_id = $1) m
	ON m.source_id = e.source_id AND m.message_id = e.message_id`

func (db *DB) caseItemIDs(ctx context.Context, caseID string) ([]string, error) {
	return rows(ctx, db, func(scan func(...any) error) (id string, err error) { return id, scan(&id) },
		`SELECT e.id`+caseMessages+` WHERE NOT EXISTS (SELECT 1 FROM tombstone t WHERE t.evidence_id = e.id) ORDER BY e.posted_ms, e.id`, caseID)
}

// PurgedCaseItems counts the items of a case that were purged: a bundle has
// their custody entries alone.
func (db *DB) PurgedCaseItems(ctx context.Context, caseID string) (n int, err error) {
	err = db.sql.QueryRowContext(ctx, `SELECT count(*)`+caseMessages+` JOIN tombstone t ON t.evidence_id = e.id`, caseID).Scan(&n)
	return n, translate(err)
}

// CountCaseItems tells how many items CaseItems yields, and the sources they are
// from.
func (db *DB) CountCaseItems(ctx context.Context, caseID string) (items int, sources []evidence.Source, err error) {
	type count struct {
		source string
		n      int
	}
	counts, err := rows(ctx, db, func(scan func(...any) error) (c count, err error) { return c, scan(&c.source, &c.n) },
		`SELECT e.source_id, count(*) - count(t.evidence_id)`+caseMessages+` LEFT JOIN tombstone t ON t.evidence_id = e.id GROUP BY e.source_id ORDER BY e.source_id`, caseID)
	if err != nil {
		return 0, nil, err
	}
	for _, c := range counts {
		s, err := db.Source(ctx, c.source)
		if err != nil {
			return 0, nil, err
		}
		items, sources = items+c.n, append(sources, s)
	}
	return items, sources, nil
}

// itemPage reads items in the order of their ids in page, which has at most
// exportPage of them.
func (db *DB) itemPage(ctx context.Context, page []string, sources map[string]evidence.Source) ([]evidence.Evidence, error) {
	args := make([]any, exportPage)
	place := make(map[string]int, len(page))
	for i := range args {
		args[i] = page[min(i, len(page)-1)] // one statement for every page: the last id repeats
	}
	for i, id := range page {
		place[id] = i
	}
	items := make([]evidence.Evidence, len(page))
	found, err := rows(ctx, db, func(scan func(...any) error) (string, error) {
		var e evidence.Evidence
		var posted, edited, captured int64
		var collection []byte
		err := scan(&e.ID, &e.Source.ID, &e.MessageID, &e.Version, &e.URL, &posted, &edited, &captured, &e.Origin, &e.Masked, &collection,
			&e.Commitment, &e.SealedSHA, &e.SealedSize, &e.Sealed)
		if err != nil {
			return "", err
		}
		e.PostedAt, e.EditedAt, e.CapturedAt = at(posted), at(edited), at(captured)
		if err := json.Unmarshal(collection, &e.Collection); err != nil {
			return "", fmt.Errorf("%w: evidence %s: %w", ErrBroken, e.ID, err)
		}
		items[place[e.ID]] = e
		return e.ID, nil
	}, `SELECT e.id, e.source_id, e.message_id, e.version, e.url, e.posted_ms, e.edited_ms, e.captured_ms, e.origin, e.masked, e.collection,
		e.commitment, e.sealed_sha256, e.sealed_size, s.data FROM evidence e JOIN sealed s ON s.evidence_id = e.id WHERE e.id IN (`+placeholders()+`)`, args...)
	if err != nil {
		return nil, err
	}
	if len(found) != len(page) {
		return nil, fmt.Errorf("%w: of %d items of the case, %d have sealed bytes", ErrBroken, len(page), len(found))
	}
	for i := range items {
		id := items[i].Source.ID
		if _, known := sources[id]; !known {
			if sources[id], err = db.Source(ctx, id); err != nil {
				return nil, err
			}
		}
		items[i].Source = sources[id]
	}
	_, err = rows(ctx, db, func(scan func(...any) error) (struct{}, error) {
		var id string
		var body []byte
		if err := scan(&id, &body); err != nil {
			return struct{}{}, err
		}
		var kept evidence.Kept
		if err := json.Unmarshal(body, &kept); err != nil {
			return struct{}{}, fmt.Errorf("%w: a finding of evidence %s: %w", ErrBroken, id, err)
		}
		items[place[id]].Findings = append(items[place[id]].Findings, kept)
		return struct{}{}, nil
	}, `SELECT evidence_id, body FROM finding WHERE evidence_id IN (`+placeholders()+`) ORDER BY evidence_id, severity DESC, id`, args...)
	return items, err
}

func placeholders() string {
	all := make([]string, exportPage)
	for i := range all {
		all[i] = fmt.Sprintf("$%d", i+1)
	}
	return strings.Join(all, ", ")
}

// CaseSightings lists later looks at a case's messages.
func (db *DB) CaseSightings(ctx context.Context, caseID string) ([]evidence.Sighting, error) {
	return rows(ctx, db, func(scan func(...any) error) (evidence.Sighting, error) {
		var s evidence.Sighting
		var seen int64
		err := scan(&s.SourceID, &s.MessageID, &s.State, &seen)
		s.At = at(seen)
		return s, err
	}, `SELECT DISTINCT s.source_id, s.message_id, s.state, s.at_ms`+caseMessages+`
		JOIN sighting s ON s.source_id = e.source_id AND s.message_id = e.message_id ORDER BY s.source_id, s.message_id, s.at_ms, s.state`, caseID)
}

// CaseCustody yields the log's entries that concern a case: its own, those about
// its items, their findings and later looks at their messages, and those about
// the further objects named, in the log's order, as far as the log was size
// entries long.
func (db *DB) CaseCustody(ctx context.Context, caseID string, objects map[string]bool, size int64) iter.Seq2[evidence.Entry, error] {
	return func(yield func(evidence.Entry, error) bool) {
		r, err := db.sql.QueryContext(ctx, `
			SELECT c.case_id, c.object, c.line, i.id IS NOT NULL FROM custody c
			LEFT JOIN (SELECT e.id`+caseMessages+`
				UNION SELECT f.id`+caseMessages+` JOIN finding f ON f.evidence_id = e.id
				UNION SELECT e.source_id || '/' || CAST(e.message_id AS TEXT)`+caseMessages+`) i ON i.id = c.object WHERE c.seq < $2 ORDER BY c.seq`, caseID, size)
		if err != nil {
			yield(evidence.Entry{}, translate(err))
			return
		}
		defer func() { _ = r.Close() }()
		for r.Next() {
			var concerns, object string
			var line []byte
			var item bool
			if err := r.Scan(&concerns, &object, &line, &item); err != nil {
				yield(evidence.Entry{}, translate(err))
				return
			}
			if !item && concerns != caseID && !objects[object] {
				continue
			}
			e, err := evidence.ParseEntry(line)
			if err != nil {
				err = fmt.Errorf("%w: %w", ErrBroken, err)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
		if err := r.Err(); err != nil {
			yield(evidence.Entry{}, translate(err))
		}
	}
}

// CaseExports lists the case's exports that the log records, the first first.
func (db *DB) CaseExports(ctx context.Context, caseID string) ([]evidence.Entry, error) {
	all, err := rows(ctx, db, func(scan func(...any) error) (evidence.Entry, error) {
		var line string
		if err := scan(&line); err != nil {
			return evidence.Entry{}, err
		}
		return evidence.ParseEntry([]byte(line))
	}, `SELECT line FROM custody WHERE case_id = $1 ORDER BY seq`, caseID)
	var exports []evidence.Entry
	for _, e := range all {
		if e.Action == "export" {
			exports = append(exports, e)
		}
	}
	return exports, err
}
