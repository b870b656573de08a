-- Canaries, probes, profiles of bots, and authorisations that a second person approves. Valid in SQLite and in PostgreSQL.
CREATE TABLE canary (
	id TEXT PRIMARY KEY, label TEXT NOT NULL, kind TEXT NOT NULL, token TEXT NOT NULL, masked TEXT NOT NULL, basis TEXT NOT NULL,
	consent_sha256 TEXT NOT NULL, scope TEXT NOT NULL, expires_ms BIGINT NOT NULL, added_by TEXT NOT NULL, added_ms BIGINT NOT NULL,
	withdrawn_by TEXT NOT NULL, withdrawn_ms BIGINT NOT NULL
);
CREATE TABLE probe (
	id TEXT PRIMARY KEY, source_id TEXT NOT NULL, canary TEXT NOT NULL REFERENCES canary (id), authorisation TEXT NOT NULL REFERENCES authorisation (id),
	operator TEXT NOT NULL, sent_ms BIGINT NOT NULL, replies BIGINT NOT NULL, findings BIGINT NOT NULL
);
CREATE INDEX probe_source ON probe (source_id, sent_ms);
CREATE TABLE bot_profile (
	source_id TEXT NOT NULL, at_ms BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (source_id, at_ms)
);
ALTER TABLE authorisation ADD COLUMN canary TEXT NOT NULL DEFAULT '';
ALTER TABLE authorisation ADD COLUMN expires_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE authorisation ADD COLUMN added_by TEXT NOT NULL DEFAULT '';
ALTER TABLE authorisation ADD COLUMN approved_by TEXT NOT NULL DEFAULT '';
ALTER TABLE authorisation ADD COLUMN approved_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE authorisation ADD COLUMN revoked_by TEXT NOT NULL DEFAULT '';
ALTER TABLE authorisation ADD COLUMN revoked_ms BIGINT NOT NULL DEFAULT 0;
