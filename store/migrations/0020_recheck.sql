-- Looks at what cases report, and what each showed last. Valid in SQLite and in PostgreSQL.
CREATE TABLE sample (
	source_id TEXT NOT NULL, message_id BIGINT NOT NULL, at_ms BIGINT NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL,
	PRIMARY KEY (source_id, message_id, at_ms)
);
CREATE TABLE recheck (
	source_id TEXT NOT NULL, message_id BIGINT NOT NULL, state TEXT NOT NULL, since_ms BIGINT NOT NULL, last_ms BIGINT NOT NULL,
	PRIMARY KEY (source_id, message_id)
);
