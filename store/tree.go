package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"prahari/evidence"
)

// hexHashes renders the hashes that a line completes as its row keeps them.
func hexHashes(hashes []tlog.Hash) string {
	out := make([]byte, 0, len(hashes)*2*tlog.HashSize)
	for _, h := range hashes {
		out = hex.AppendEncode(out, h[:])
	}
	return string(out)
}

// treeReader reads the tree's stored hashes: that of level l and number n stands
// in the row of the line that completes it.
type treeReader struct {
	ctx context.Context //nolint:containedctx // lives as long as the call it belongs to
	q   interface {
		PrepareContext(context.Context, string) (*sql.Stmt, error)
	}
}

// ReadHashes implements tlog.HashReader.
func (t treeReader) ReadHashes(indexes []int64) (_ []tlog.Hash, err error) {
	stmt, err := t.q.PrepareContext(t.ctx, `SELECT hashes FROM custody WHERE seq = $1`)
	if err != nil {
		return nil, translate(err)
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		seq := (n+1)<<level - 1
		var hashes string
		if err := stmt.QueryRowContext(t.ctx, seq).Scan(&hashes); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, translate(err)
		}
		if len(hashes) < 64*(level+1) {
			return nil, fmt.Errorf("%w: custody entry %d lacks a hash of the tree", ErrBroken, seq)
		}
		if _, err := hex.Decode(out[i][:], []byte(hashes[64*level:64*(level+1)])); err != nil {
			return nil, fmt.Errorf("%w: custody entry %d has a hash that is none", ErrBroken, seq)
		}
	}
	return out, nil
}

// fillTree gives the lines of earlier versions the hashes that they complete.
func fillTree(ctx context.Context, tx *sql.Tx) error {
	var tree evidence.Tree
	for {
		lines, err := linesFrom(ctx, tx, tree.Size)
		if err != nil || len(lines) == 0 {
			return err
		}
		for _, line := range lines {
			seq := tree.Size
			hashes := hexHashes(tree.Add([]byte(line)))
			if _, err := tx.ExecContext(ctx, `UPDATE custody SET hashes = $1 WHERE seq = $2 AND hashes = ''`, hashes, seq); err != nil {
				return fmt.Errorf("custody entry %d: %w", seq, err)
			}
		}
	}
}

// linesFrom reads the next lines of the log in a transaction.
func linesFrom(ctx context.Context, tx *sql.Tx, seq int64) (_ []string, err error) {
	r, err := tx.QueryContext(ctx, `SELECT line FROM custody WHERE seq >= $1 ORDER BY seq LIMIT 1000`, seq)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var lines []string
	for r.Next() {
		var line string
		if err := r.Scan(&line); err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, r.Err()
}

// Tree reads the stored hashes of the custody log's tree, to prove what is in it.
func (db *DB) Tree(ctx context.Context) tlog.HashReader { return treeReader{ctx, db.sql} }

// A SignedCheckpoint is one as it is kept.
type SignedCheckpoint struct {
	Size   int64
	Signed []byte
	At     time.Time
}

// Checkpoint signs the custody log as it stands, or returns the checkpoint of
// this length where there is one.
func (db *DB) Checkpoint(ctx context.Context, key evidence.LogKey, at time.Time) (c SignedCheckpoint, err error) {
	err = db.tx(ctx, func(tx *sql.Tx) error {
		var err error
		c, err = putCheckpoint(ctx, tx, key, at)
		return err
	})
	return c, err
}

func putCheckpoint(ctx context.Context, tx *sql.Tx, key evidence.LogKey, at time.Time) (SignedCheckpoint, error) {
	var size int64
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(seq) + 1, 0) FROM custody`).Scan(&size); err != nil {
		return SignedCheckpoint{}, err
	}
	if size == 0 {
		return SignedCheckpoint{}, errors.New("the custody log is empty: there is nothing to sign")
	}
	tree, err := evidence.ResumeTree(size, treeReader{ctx, tx})
	if err != nil {
		return SignedCheckpoint{}, err
	}
	signed, err := key.Sign(size, tree.Root())
	if err != nil {
		return SignedCheckpoint{}, err
	}
	c := SignedCheckpoint{size, signed, at}
	_, err = tx.ExecContext(ctx, `INSERT INTO checkpoint (size, signed, at_ms) VALUES ($1, $2, $3) ON CONFLICT (size) DO NOTHING`, size, string(signed), ms(at))
	if err != nil {
		return SignedCheckpoint{}, fmt.Errorf("checkpoint %d: %w", size, err)
	}
	var kept string
	var keptMS int64
	if err := tx.QueryRowContext(ctx, `SELECT signed, at_ms FROM checkpoint WHERE size = $1`, size).Scan(&kept, &keptMS); err != nil {
		return SignedCheckpoint{}, err
	}
	if kept != string(signed) {
		return SignedCheckpoint{}, fmt.Errorf("%w: the checkpoint at %d entries is another than the log's: run 'prahari custody verify'", ErrBroken, size)
	}
	c.At = time.UnixMilli(keptMS).UTC()
	return c, nil
}

// Checkpoints lists the signed checkpoints, the shortest log first.
func (db *DB) Checkpoints(ctx context.Context) ([]SignedCheckpoint, error) {
	return rows(ctx, db, func(scan func(...any) error) (SignedCheckpoint, error) {
		var c SignedCheckpoint
		var signed string
		var atMS int64
		err := scan(&c.Size, &signed, &atMS)
		c.Signed, c.At = []byte(signed), at(atMS)
		return c, err
	}, `SELECT size, signed, at_ms FROM checkpoint ORDER BY size`)
}

// VerifyCheckpoints proves each checkpoint, and then each of others, to be a
// prefix of the log, and returns how many are kept. The log itself is
// VerifyCustody's matter.
func (db *DB) VerifyCheckpoints(ctx context.Context, public string, others ...[]byte) (int, error) {
	var size int64
	if err := db.sql.QueryRowContext(ctx, `SELECT coalesce(max(seq) + 1, 0) FROM custody`).Scan(&size); err != nil {
		return 0, translate(err)
	}
	tree, err := evidence.ResumeTree(size, db.Tree(ctx))
	if err != nil {
		return 0, err
	}
	kept, err := db.Checkpoints(ctx)
	if err != nil {
		return 0, err
	}
	for _, c := range kept {
		opened, err := evidence.OpenCheckpoint(c.Signed, public)
		if err != nil || opened.Size != c.Size {
			return len(kept), fmt.Errorf("%w: the checkpoint at %d entries is not signed by the key of this log", ErrBroken, c.Size)
		}
		if err := db.prefix(ctx, opened, size, tree.Root()); err != nil {
			return len(kept), err
		}
	}
	for _, signed := range others {
		opened, err := evidence.OpenCheckpoint(signed, public)
		if err != nil {
			return len(kept), fmt.Errorf("%w: %w", ErrBroken, err)
		}
		if err := db.prefix(ctx, opened, size, tree.Root()); err != nil {
			return len(kept), err
		}
	}
	return len(kept), nil
}

// prefix proves a checkpoint's log to be how this one began.
func (db *DB) prefix(ctx context.Context, c evidence.Checkpoint, size int64, root tlog.Hash) error {
	if c.Size > size {
		return fmt.Errorf("%w: the log has %d entries and a checkpoint says that it had %d: entries were removed", ErrBroken, size, c.Size)
	}
	if c.Size == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(size, c.Size, db.Tree(ctx))
	if err == nil {
		err = tlog.CheckTree(proof, size, root, c.Size, c.Root)
	}
	if err != nil {
		return fmt.Errorf("%w: the log does not begin with the %d entries that a checkpoint signed: entries were changed", ErrBroken, c.Size)
	}
	return nil
}
