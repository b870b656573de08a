-- What people did while looking through findings, so that it can be undone. Valid in SQLite and in PostgreSQL.
CREATE TABLE triage_action (
	id BIGINT PRIMARY KEY, kind TEXT NOT NULL, actor TEXT NOT NULL, at_ms BIGINT NOT NULL, reason TEXT NOT NULL, case_id TEXT NOT NULL,
	undone_ms BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX triage_action_actor ON triage_action (actor, undone_ms, id);
CREATE TABLE triage_change (
	action_id BIGINT NOT NULL REFERENCES triage_action (id), finding_id TEXT NOT NULL,
	decision TEXT NOT NULL, decided_by TEXT NOT NULL, decided_ms BIGINT NOT NULL, suppression TEXT NOT NULL,
	PRIMARY KEY (action_id, finding_id)
);
