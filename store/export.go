package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"prahari/evidence"
)

// exportPage is how many items an export reads at once.
const exportPage = 64

// CaseItems are a case's items before they are read: every version of the
// messages of its findings. To find them takes a while, so it is done once.
type CaseItems struct {
	Count   int               // of those that can be read
	Purged  int               // of the others: a bundle has their custody entries alone
	Sources []evidence.Source // that they are from, by id
	all     []caseItem        // in order of posting and id
}

type caseItem struct {
	id string
	caseMessage
	purged bool
}

// A caseMessage is a message by its source's place among the case's.
type caseMessage struct {
	source  int
	message int64
}

// CaseItems finds the evidence behind a case's findings.
func (db *DB) CaseItems(ctx context.Context, caseID string) (CaseItems, error) {
	var found CaseItems
	var names []string
	places := map[string]int{}
	all, err := rows(ctx, db, func(scan func(...any) error) (i caseItem, err error) {
		var source string
		if err := scan(&i.id, &source, &i.message, &i.purged); err != nil {
			return i, err
		}
		place, known := places[source]
		if !known {
			place = len(names)
			places[source], names = place, append(names, source)
		}
		if i.source = place; i.purged {
			found.Purged++
		}
		return i, nil
	}, `SELECT e.id, e.source_id, e.message_id, t.evidence_id IS NOT NULL
		FROM (SELECT DISTINCT e.source_id, e.message_id FROM case_finding c JOIN finding f ON f.id = c.finding_id
			JOIN evidence e ON e.id = f.evidence_id WHERE c.case_id = $1) m
		JOIN evidence e ON e.source_id = m.source_id AND e.message_id = m.message_id
		LEFT JOIN tombstone t ON t.evidence_id = e.id ORDER BY e.posted_ms, e.id`, caseID)
	if err != nil {
		return CaseItems{}, err
	}
	slices.Sort(names)
	byName := make([]int, len(names)) // places become those in the order of names
	for to, name := range names {
		byName[places[name]] = to
		s, err := db.Source(ctx, name)
		if err != nil {
			return CaseItems{}, err
		}
		found.Sources = append(found.Sources, s)
	}
	for i := range all {
		all[i].source = byName[all[i].source]
	}
	found.all, found.Count = all, len(all)-found.Purged
	return found, nil
}

// Items yields a case's evidence with its sealed bytes, in order of posting and
// id. It holds a page of items.
func (db *DB) Items(ctx context.Context, c CaseItems) iter.Seq2[evidence.Evidence, error] {
	return func(yield func(evidence.Evidence, error) bool) {
		sources := map[string]evidence.Source{}
		for _, s := range c.Sources {
			sources[s.ID] = s
		}
		for page := range pages(c.ids(false)) {
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

// ids yields the items' ids, also of the purged.
func (c CaseItems) ids(purged bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, i := range c.all {
			if (purged || !i.purged) && !yield(i.id) {
				return
			}
		}
	}
}

// pages yields what all yields in slices of at most exportPage.
func pages[T any](all iter.Seq[T]) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		var page []T
		for v := range all {
			if page = append(page, v); len(page) == exportPage {
				if !yield(page) {
					return
				}
				page = page[:0]
			}
		}
		if len(page) > 0 {
			yield(page)
		}
	}
}

// pageArgs returns exportPage arguments, so that there is one statement for every
// page: the last one repeats.
func pageArgs[T any](page []T) []any {
	args := make([]any, exportPage)
	for i := range args {
		args[i] = page[min(i, len(page)-1)]
	}
	return args
}

// itemPage reads items in the order of their ids in page, which has at most
// exportPage of them.
func (db *DB) itemPage(ctx context.Context, page []string, sources map[string]evidence.Source) ([]evidence.Evidence, error) {
	args := pageArgs(page)
	place := make(map[string]int, len(page))
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
		e.commitment, e.sealed_sha256, e.sealed_size, s.data FROM evidence e JOIN sealed s ON s.evidence_id = e.id WHERE e.id IN (`+placeholders(1, exportPage)+`)`, args...)
	if err != nil {
		return nil, err
	}
	if len(found) != len(page) {
		return nil, fmt.Errorf("%w: of %d items of the case, %d have sealed bytes", ErrBroken, len(page), len(found))
	}
	for i := range items {
		items[i].Source = sources[items[i].Source.ID]
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
	}, `SELECT evidence_id, body FROM finding WHERE evidence_id IN (`+placeholders(1, exportPage)+`) ORDER BY evidence_id, severity DESC, id`, args...)
	return items, err
}

// CaseSightings lists later looks at a case's messages, by source, message, time
// and state.
func (db *DB) CaseSightings(ctx context.Context, c CaseItems) ([]evidence.Sighting, error) {
	var all []evidence.Sighting
	for place, source := range c.Sources {
		var messages []int64
		for _, i := range c.all {
			if i.source == place {
				messages = append(messages, i.message)
			}
		}
		slices.Sort(messages)
		for page := range pages(slices.Values(slices.Compact(messages))) {
			found, err := rows(ctx, db, func(scan func(...any) error) (evidence.Sighting, error) {
				s := evidence.Sighting{SourceID: source.ID}
				var seen int64
				err := scan(&s.MessageID, &s.State, &seen)
				s.At = at(seen)
				return s, err
			}, `SELECT message_id, state, at_ms FROM sighting WHERE source_id = $1 AND message_id IN (`+placeholders(2, exportPage)+`)
				ORDER BY message_id, at_ms, state`, append([]any{source.ID}, pageArgs(page)...)...)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

// CaseCustody yields the log's entries that concern a case: its own, those about
// its items, their findings and later looks at their messages, and those about
// the further objects named, in the log's order, as far as the log was size
// entries long.
func (db *DB) CaseCustody(ctx context.Context, caseID string, c CaseItems, objects map[string]bool, size int64) iter.Seq2[evidence.Entry, error] {
	return func(yield func(evidence.Entry, error) bool) {
		about, err := db.objectsOf(ctx, c)
		if err != nil {
			yield(evidence.Entry{}, err)
			return
		}
		r, err := db.sql.QueryContext(ctx, `SELECT case_id, object, line FROM custody WHERE seq < $1 ORDER BY seq`, size)
		if err != nil {
			yield(evidence.Entry{}, translate(err))
			return
		}
		defer func() { _ = r.Close() }()
		for r.Next() {
			var concerns, object, line sql.RawBytes
			if err := r.Scan(&concerns, &object, &line); err != nil {
				yield(evidence.Entry{}, translate(err))
				return
			}
			if string(concerns) != caseID && !objects[string(object)] && !about(string(object)) {
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

// objectsOf returns whether an object of the custody log is an item, one of the
// findings of an item, or the message of one as later looks name it.
func (db *DB) objectsOf(ctx context.Context, c CaseItems) (func(object string) bool, error) {
	ids := make(map[string]struct{}, 2*len(c.all))
	messages := make(map[caseMessage]struct{}, len(c.all))
	for _, i := range c.all {
		ids[i.id], messages[i.caseMessage] = struct{}{}, struct{}{}
	}
	for page := range pages(c.ids(true)) {
		found, err := rows(ctx, db, func(scan func(...any) error) (id string, err error) { return id, scan(&id) },
			`SELECT id FROM finding WHERE evidence_id IN (`+placeholders(1, exportPage)+`)`, pageArgs(page)...)
		if err != nil {
			return nil, err
		}
		for _, id := range found {
			ids[id] = struct{}{}
		}
	}
	return func(object string) bool {
		if _, ok := ids[object]; ok {
			return true
		}
		slash := strings.LastIndexByte(object, '/')
		if slash < 0 {
			return false
		}
		place, known := slices.BinarySearchFunc(c.Sources, object[:slash], func(s evidence.Source, id string) int { return strings.Compare(s.ID, id) })
		n, err := strconv.ParseInt(object[slash+1:], 10, 64)
		_, ok := messages[caseMessage{place, n}]
		return known && err == nil && ok
	}, nil
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
