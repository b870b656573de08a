-- The first schema. Valid in SQLite and in PostgreSQL.
CREATE TABLE account (
	label TEXT PRIMARY KEY, user_id BIGINT NOT NULL, phone TEXT NOT NULL, state TEXT NOT NULL, added_ms BIGINT NOT NULL
);
CREATE TABLE source (
	id TEXT PRIMARY KEY, kind TEXT NOT NULL, access TEXT NOT NULL, peer_id BIGINT NOT NULL, access_hash BIGINT NOT NULL,
	username TEXT NOT NULL, title TEXT NOT NULL, about TEXT NOT NULL, account TEXT NOT NULL,
	added_ms BIGINT NOT NULL, added_by TEXT NOT NULL, removed_ms BIGINT
);
CREATE INDEX source_username ON source (username);
CREATE TABLE evidence (
	id TEXT PRIMARY KEY, source_id TEXT NOT NULL REFERENCES source (id), message_id BIGINT NOT NULL, version TEXT NOT NULL,
	url TEXT NOT NULL, posted_ms BIGINT NOT NULL, edited_ms BIGINT NOT NULL, captured_ms BIGINT NOT NULL, origin TEXT NOT NULL,
	masked TEXT NOT NULL, collection TEXT NOT NULL, commitment TEXT NOT NULL, sealed_sha256 TEXT NOT NULL, sealed_size BIGINT NOT NULL,
	CHECK (length(commitment) = 64 AND length(sealed_sha256) = 64),
	UNIQUE (source_id, message_id, version)
);
CREATE TABLE sealed (
	evidence_id TEXT PRIMARY KEY REFERENCES evidence (id), data BYTEA NOT NULL
);
CREATE TABLE finding (
	id TEXT PRIMARY KEY, evidence_id TEXT NOT NULL REFERENCES evidence (id), source_id TEXT NOT NULL, rule TEXT NOT NULL,
	severity BIGINT NOT NULL, posted_ms BIGINT NOT NULL, captured_ms BIGINT NOT NULL, records BIGINT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX finding_posted ON finding (posted_ms DESC, id DESC);
CREATE INDEX finding_source ON finding (source_id, posted_ms DESC, id DESC);
CREATE INDEX finding_rule ON finding (rule, posted_ms DESC, id DESC);
CREATE INDEX finding_evidence ON finding (evidence_id);
-- A token links equal identifiers; the identifier itself is nowhere.
CREATE TABLE token (
	token TEXT NOT NULL, kind TEXT NOT NULL, finding_id TEXT NOT NULL REFERENCES finding (id), source_id TEXT NOT NULL,
	PRIMARY KEY (token, finding_id)
);
CREATE INDEX token_source ON token (source_id, token);
CREATE TABLE sighting (
	source_id TEXT NOT NULL, message_id BIGINT NOT NULL, state TEXT NOT NULL, at_ms BIGINT NOT NULL,
	PRIMARY KEY (source_id, message_id, state)
);
CREATE TABLE coverage (
	source_id TEXT NOT NULL REFERENCES source (id), lo BIGINT NOT NULL, hi BIGINT NOT NULL, how TEXT NOT NULL, account TEXT NOT NULL,
	at_ms BIGINT NOT NULL, CHECK (lo <= hi), PRIMARY KEY (source_id, how, account, lo)
);
CREATE TABLE gap (
	source_id TEXT NOT NULL REFERENCES source (id), lo BIGINT NOT NULL, hi BIGINT NOT NULL, reason TEXT NOT NULL, at_ms BIGINT NOT NULL,
	PRIMARY KEY (source_id, lo, hi, at_ms)
);
CREATE TABLE update_state (
	account TEXT PRIMARY KEY, user_id BIGINT NOT NULL, pts BIGINT NOT NULL, qts BIGINT NOT NULL, date BIGINT NOT NULL, seq BIGINT NOT NULL
);
CREATE TABLE channel_state (
	account TEXT NOT NULL, channel_id BIGINT NOT NULL, access_hash BIGINT NOT NULL, pts BIGINT NOT NULL,
	PRIMARY KEY (account, channel_id)
);
CREATE TABLE authorisation (
	id TEXT PRIMARY KEY, method TEXT NOT NULL, source TEXT NOT NULL, given_by TEXT NOT NULL, reason TEXT NOT NULL, at_ms BIGINT NOT NULL
);
CREATE TABLE cases (
	id TEXT PRIMARY KEY, title TEXT NOT NULL, status TEXT NOT NULL, opened_ms BIGINT NOT NULL, opened_by TEXT NOT NULL
);
CREATE TABLE case_finding (
	case_id TEXT NOT NULL REFERENCES cases (id), finding_id TEXT NOT NULL REFERENCES finding (id), PRIMARY KEY (case_id, finding_id)
);
CREATE TABLE notice (
	id TEXT PRIMARY KEY, case_id TEXT NOT NULL REFERENCES cases (id), kind TEXT NOT NULL, subject TEXT NOT NULL, markdown TEXT NOT NULL,
	eml BYTEA NOT NULL, facts_sha256 TEXT NOT NULL, drafted_ms BIGINT NOT NULL, drafted_by TEXT NOT NULL
);
CREATE TABLE custody (
	seq BIGINT PRIMARY KEY, case_id TEXT NOT NULL, object TEXT NOT NULL, line TEXT NOT NULL
);
CREATE INDEX custody_object ON custody (object);
