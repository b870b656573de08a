-- Steps of notices, and their files with hashes. Valid in SQLite and in PostgreSQL.
ALTER TABLE notice ADD COLUMN language TEXT NOT NULL DEFAULT 'en';
ALTER TABLE notice ADD COLUMN recipient TEXT NOT NULL DEFAULT '';
ALTER TABLE notice ADD COLUMN follow_up BIGINT NOT NULL DEFAULT 0 CHECK (follow_up IN (0, 1));
CREATE TABLE notice_event (
	notice_id TEXT NOT NULL REFERENCES notice (id), n BIGINT NOT NULL, step TEXT NOT NULL, at_ms BIGINT NOT NULL, recorded_ms BIGINT NOT NULL,
	actor TEXT NOT NULL, reference TEXT NOT NULL, note TEXT NOT NULL, route TEXT NOT NULL, PRIMARY KEY (notice_id, n)
);
CREATE INDEX notice_event_step ON notice_event (step, at_ms);
-- n is the event's that approved these bytes; 0: as drafted.
CREATE TABLE notice_file (
	notice_id TEXT NOT NULL REFERENCES notice (id), n BIGINT NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (notice_id, n, name)
);
