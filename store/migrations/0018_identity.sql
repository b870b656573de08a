-- What becomes of sources by their immutable id, deletions, and what each account resolved. Valid in SQLite and in PostgreSQL.
ALTER TABLE source ADD COLUMN state TEXT NOT NULL DEFAULT '';
ALTER TABLE source ADD COLUMN marks TEXT NOT NULL DEFAULT '';
CREATE TABLE source_change (
	source_id TEXT NOT NULL REFERENCES source (id), kind TEXT NOT NULL, was TEXT NOT NULL, became TEXT NOT NULL, detail TEXT NOT NULL,
	account TEXT NOT NULL, at_ms BIGINT NOT NULL,
	PRIMARY KEY (source_id, at_ms, kind, became)
);
CREATE TABLE deletion (
	source_id TEXT NOT NULL REFERENCES source (id), lo BIGINT NOT NULL, hi BIGINT NOT NULL, at_ms BIGINT NOT NULL,
	CHECK (lo <= hi), PRIMARY KEY (source_id, lo, hi, at_ms)
);
-- The keys of one account to what it looked up by name, so that no name is looked up twice.
CREATE TABLE peer (
	account TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, peer_id BIGINT NOT NULL, access_hash BIGINT NOT NULL, at_ms BIGINT NOT NULL,
	PRIMARY KEY (account, name)
);
CREATE TABLE lookup (
	account TEXT NOT NULL, at_ms BIGINT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (account, at_ms, name)
);
ALTER TABLE account ADD COLUMN premium BIGINT NOT NULL DEFAULT 0;
