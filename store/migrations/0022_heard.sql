-- How far updates told an account of a source, and when. Valid in SQLite and in PostgreSQL.
CREATE TABLE heard (
	account TEXT NOT NULL, source_id TEXT NOT NULL REFERENCES source (id), message_id BIGINT NOT NULL, at_ms BIGINT NOT NULL,
	PRIMARY KEY (account, source_id)
);
