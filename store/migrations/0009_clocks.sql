-- Clocks of law that were started in cases, and the orders that alone start some. Valid in SQLite and in PostgreSQL.
CREATE TABLE court_order (
	id TEXT PRIMARY KEY, case_id TEXT NOT NULL REFERENCES cases (id), kind TEXT NOT NULL, issued_by TEXT NOT NULL, issued_ms BIGINT NOT NULL,
	sha256 TEXT NOT NULL, recorded_by TEXT NOT NULL, recorded_ms BIGINT NOT NULL, CHECK (length(sha256) = 64)
);
CREATE TABLE clock (
	id TEXT PRIMARY KEY, case_id TEXT NOT NULL REFERENCES cases (id), clock TEXT NOT NULL, notice_id TEXT NOT NULL, order_id TEXT NOT NULL,
	capacity TEXT NOT NULL, trigger_ms BIGINT NOT NULL, basis TEXT NOT NULL, proof TEXT NOT NULL, started_by TEXT NOT NULL, started_ms BIGINT NOT NULL,
	stopped_by TEXT NOT NULL, stopped_ms BIGINT NOT NULL, why TEXT NOT NULL
);
CREATE INDEX clock_case ON clock (case_id, stopped_ms);
