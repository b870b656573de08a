package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"prahari/evidence"
)

// Append adds entries to the custody log, all or none; Seq and Prev are the log's.
func (db *DB) Append(ctx context.Context, entries ...evidence.Entry) error {
	return db.tx(ctx, func(tx *sql.Tx) error { return appendEntries(ctx, tx, entries...) })
}

// appendEntries chains entries within a transaction and grows the tree by them.
func appendEntries(ctx context.Context, tx *sql.Tx, entries ...evidence.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	seq, prev := int64(0), evidence.Genesis
	var line string
	err := tx.QueryRowContext(ctx, `SELECT seq, line FROM custody ORDER BY seq DESC LIMIT 1`).Scan(&seq, &line)
	switch {
	case err == nil:
		seq, prev = seq+1, evidence.Digest([]byte(line))
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	tree, err := evidence.ResumeTree(seq, treeReader{ctx, tx})
	if err != nil {
		return err
	}
	lines := rowsFor{tx: tx, columns: 5, before: `INSERT INTO custody (seq, case_id, object, line, hashes) VALUES `}
	for _, e := range entries {
		e.Seq, e.Prev = seq, prev
		if e.At.IsZero() {
			e.At = time.Now()
		}
		text, err := e.Line()
		if err != nil {
			return err
		}
		lines.add(seq, e.CaseID, e.Object, string(text), hexHashes(tree.Add(text)))
		seq, prev = seq+1, evidence.Digest(text)
	}
	if err := lines.insert(ctx); err != nil {
		return fmt.Errorf("custody entries: %w", err)
	}
	return nil
}

// Custody lists the log from a place on.
func (db *DB) Custody(ctx context.Context, from int64) ([]evidence.Entry, error) {
	return rows(ctx, db, scanEntry, `SELECT line FROM custody WHERE seq >= $1 ORDER BY seq`, from)
}

// CustodyOf lists the entries about objects whose names begin so.
func (db *DB) CustodyOf(ctx context.Context, object string) ([]evidence.Entry, error) {
	return rows(ctx, db, scanEntry, `SELECT line FROM custody WHERE substr(object, 1, length($1)) = $1 ORDER BY seq`, object)
}

func scanEntry(scan func(...any) error) (evidence.Entry, error) {
	var line string
	if err := scan(&line); err != nil {
		return evidence.Entry{}, err
	}
	e, err := evidence.ParseEntry([]byte(line))
	if err != nil {
		return e, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return e, nil
}

// CountTokens tells how many tokens there are, and of how many identifiers.
func (db *DB) CountTokens(ctx context.Context) (tokens, identifiers int64, err error) {
	err = db.sql.QueryRowContext(ctx, `SELECT count(*), count(DISTINCT token) FROM token`).Scan(&tokens, &identifiers)
	return tokens, identifiers, translate(err)
}

// verifyEvery is how many entries VerifyCustody checks between two reports.
const verifyEvery = 1000

// VerifyCustody checks every link of the log and every hash of its tree, and
// returns its length and head. progress, where given, hears how far it is.
func (db *DB) VerifyCustody(ctx context.Context, progress ...func(entries int64)) (entries int64, head string, err error) {
	r, err := db.sql.QueryContext(ctx, `SELECT seq, line, hashes FROM custody ORDER BY seq`)
	if err != nil {
		return 0, "", translate(err)
	}
	defer func() { _ = r.Close() }()
	head = evidence.Genesis
	var tree evidence.Tree
	for r.Next() {
		var seq int64
		var line, hashes string
		if err := r.Scan(&seq, &line, &hashes); err != nil {
			return entries, head, err
		}
		e, err := evidence.ParseEntry([]byte(line))
		if err != nil || e.Seq != entries || seq != entries || e.Prev != head {
			return entries, head, fmt.Errorf("%w: custody entry %d does not follow from the one before it", ErrBroken, entries)
		}
		if again, err := e.Line(); err != nil || string(again) != line {
			return entries, head, fmt.Errorf("%w: custody entry %d is not in its canonical form", ErrBroken, entries)
		}
		if hexHashes(tree.Add([]byte(line))) != hashes {
			return entries, head, fmt.Errorf("%w: custody entry %d does not have the hashes of its place in the tree", ErrBroken, entries)
		}
		head = evidence.Digest([]byte(line))
		entries++
		if len(progress) > 0 && entries%verifyEvery == 0 {
			progress[0](entries)
		}
	}
	return entries, head, translate(r.Err())
}
