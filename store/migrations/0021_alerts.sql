-- What was told of findings to the team's own endpoints. Valid in SQLite and in PostgreSQL.
CREATE TABLE alert_endpoint (
	name TEXT PRIMARY KEY, since_ms BIGINT NOT NULL
);
CREATE TABLE alert (
	id TEXT PRIMARY KEY, endpoint TEXT NOT NULL, made_ms BIGINT NOT NULL, tries BIGINT NOT NULL, next_ms BIGINT NOT NULL,
	state TEXT NOT NULL, error TEXT NOT NULL
);
CREATE INDEX alert_state ON alert (endpoint, state);
CREATE TABLE alert_finding (
	endpoint TEXT NOT NULL, finding_id TEXT NOT NULL, alert_id TEXT NOT NULL REFERENCES alert (id), PRIMARY KEY (endpoint, finding_id)
);
CREATE INDEX alert_finding_alert ON alert_finding (alert_id);
CREATE INDEX finding_captured ON finding (captured_ms);
