-- The custody log's Merkle tree: each line keeps the hashes of the subtrees that it completes, its own leaf's first, in hex.
-- Signed checkpoints of it. Valid in SQLite and in PostgreSQL.
ALTER TABLE custody ADD COLUMN hashes TEXT NOT NULL DEFAULT '';
CREATE TABLE checkpoint (
	size BIGINT PRIMARY KEY, signed TEXT NOT NULL, at_ms BIGINT NOT NULL, CHECK (size > 0)
);
