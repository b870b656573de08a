-- Public names that findings and searches led to. Valid in SQLite and in PostgreSQL.
CREATE TABLE candidate (
	name TEXT PRIMARY KEY, state TEXT NOT NULL, first_ms BIGINT NOT NULL, decided_by TEXT NOT NULL, decided_ms BIGINT NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE lead (
	name TEXT NOT NULL REFERENCES candidate (name), how TEXT NOT NULL, source_id TEXT NOT NULL, message_id BIGINT NOT NULL,
	query TEXT NOT NULL, at_ms BIGINT NOT NULL,
	PRIMARY KEY (name, how, source_id, message_id, query)
);
