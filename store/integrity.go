package store

import (
	"context"
	"errors"
	"fmt"

	"prahari/evidence"
)

// Integrity checks the database as its engine can, and that every sealed file
// has the digest that was recorded when it was sealed.
func (db *DB) Integrity(ctx context.Context) error {
	if db.engine == sqlite {
		if err := db.checkFile(ctx); err != nil {
			return err
		}
	}
	r, err := db.sql.QueryContext(ctx, `SELECT e.id, e.sealed_sha256, s.data FROM evidence e JOIN sealed s ON s.evidence_id = e.id ORDER BY e.id`)
	if err != nil {
		return translate(err)
	}
	defer func() { _ = r.Close() }()
	var broken error
	for r.Next() {
		var id, digest string
		var data []byte
		if err := r.Scan(&id, &digest, &data); err != nil {
			return errors.Join(broken, translate(err))
		}
		if evidence.Digest(data) != digest {
			broken = errors.Join(broken, fmt.Errorf("%w: the sealed file of %s is not what was recorded", ErrBroken, id))
		}
	}
	return errors.Join(broken, translate(r.Err()))
}
