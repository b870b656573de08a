package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"prahari/evidence"
)

// exportPage is how many items an export reads at once.
const exportPage = 64

// caseMessages finds the messages of a case's findings, every version of which is
// in the case. It is the dear part of what it stands in.
const caseMessages = `SELECT DISTINCT e.source_id, e.message_id FROM case_finding c JOIN finding f ON f.id = c.finding_id
	JOIN evidence e ON e.id = f.evidence_id WHERE c.case_id = $1`

// CaseItems are the items of a case, before they are read.
type CaseItems struct {
	IDs     []string          // in order of posting and id, but for the purged
	Purged  int               // how many were purged: a bundle has their custody entries alone
	Sources []evidence.Source // that all of them are from, by id
}

// CaseItems finds the evidence behind a case's findings.
func (db *DB) CaseItems(ctx context.Context, caseID string) (CaseItems, error) {
	var found CaseItems
	from := map[string]bool{}
	_, err := rows(ctx, db, func(scan func(...any) error) (struct{}, error) {
		var id, source string
		var purged bool
		err := scan(&id, &source, &purged)
		if from[source] = true; purged {
			found.Purged++
		} else {
			found.IDs = append(found.IDs, id)
		}
		return struct{}{}, err
	}, `SELECT e.id, e.source_id, t.evidence_id IS NOT NULL FROM (`+caseMessages+`) m
		JOIN evidence e ON e.source_id = m.source_id AND e.message_id = m.message_id
		LEFT JOIN tombstone t ON t.evidence_id = e.id ORDER BY e.posted_ms, e.id`, caseID)
	if err != nil {
		return CaseItems{}, err
	}
	for _, id := range slices.Sorted(maps.Keys(from)) {
		s, err := db.Source(ctx, id)
		if err != nil {
			return CaseItems{}, err
		}
		found.Sources = append(found.Sources, s)
	}
	return found, nil
}

// Items yields evidence with its sealed bytes, in the order of the ids. It holds
// a page of items.
func (db *DB) Items(ctx context.Context, ids []string) iter.Seq2[evidence.Evidence, error] {
	return func(yield func(evidence.Evidence, error) bool) {
		sources := map[string]evidence.Source{}
		for page := range slices.Chunk(ids, exportPage) {
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
	}, `SELECT DISTINCT s.source_id, s.message_id, s.state, s.at_ms FROM (`+caseMessages+`) m
		JOIN sighting s ON s.source_id = m.source_id AND s.message_id = m.message_id ORDER BY s.source_id, s.message_id, s.at_ms, s.state`, caseID)
}

// CaseCustody yields the log's entries that concern a case: its own, those about
// its items, their findings and later looks at their messages, and those about
// the further objects named, in the log's order, as far as the log was size
// entries long.
func (db *DB) CaseCustody(ctx context.Context, caseID string, objects map[string]bool, size int64) iter.Seq2[evidence.Entry, error] {
	return func(yield func(evidence.Entry, error) bool) {
		r, err := db.sql.QueryContext(ctx, `
			WITH m AS MATERIALIZED (`+caseMessages+`),
				i AS MATERIALIZED (SELECT e.id FROM m JOIN evidence e ON e.source_id = m.source_id AND e.message_id = m.message_id)
			SELECT c.case_id, c.object, c.line, o.id IS NOT NULL FROM custody c
			LEFT JOIN (SELECT id FROM i
				UNION SELECT f.id FROM i JOIN finding f ON f.evidence_id = i.id
				UNION SELECT source_id || '/' || CAST(message_id AS TEXT) FROM m) o ON o.id = c.object WHERE c.seq < $2 ORDER BY c.seq`, caseID, size)
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
