-- Time stamps of checkpoints: those that wait for an authority have no response. Valid in SQLite and in PostgreSQL.
CREATE TABLE stamp (
	size BIGINT NOT NULL REFERENCES checkpoint (size), authority TEXT NOT NULL, queued_ms BIGINT NOT NULL,
	tries BIGINT NOT NULL, next_ms BIGINT NOT NULL, problem TEXT NOT NULL,
	query BYTEA, response BYTEA, roots TEXT NOT NULL, chain TEXT NOT NULL, stamped_ms BIGINT NOT NULL, demo BIGINT NOT NULL,
	PRIMARY KEY (size, authority)
);
CREATE INDEX stamp_next ON stamp (next_ms);
