-- What the team decided about cases, notes, and the links between findings. Valid in SQLite and in PostgreSQL.
UPDATE cases SET status = 'triage' WHERE status = 'open';
ALTER TABLE cases ADD COLUMN assignee TEXT NOT NULL DEFAULT '';
ALTER TABLE cases ADD COLUMN confirmed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE cases ADD COLUMN approved_by TEXT NOT NULL DEFAULT '';
ALTER TABLE cases ADD COLUMN approved_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE cases ADD COLUMN changed_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE cases ADD COLUMN merged_into TEXT NOT NULL DEFAULT '';
CREATE TABLE case_note (
	case_id TEXT NOT NULL REFERENCES cases (id), n BIGINT NOT NULL, at_ms BIGINT NOT NULL, written_by TEXT NOT NULL, body TEXT NOT NULL,
	PRIMARY KEY (case_id, n)
);
-- A template is the shape of a masked text; see evidence.Template. Rows of before get theirs when the database is next opened.
ALTER TABLE finding ADD COLUMN template TEXT NOT NULL DEFAULT '';
ALTER TABLE finding ADD COLUMN decision TEXT NOT NULL DEFAULT 'triage';
ALTER TABLE finding ADD COLUMN decided_by TEXT NOT NULL DEFAULT '';
ALTER TABLE finding ADD COLUMN decided_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE finding ADD COLUMN suppressed_by TEXT NOT NULL DEFAULT '';
CREATE INDEX finding_template ON finding (template, rule);
CREATE INDEX finding_decision ON finding (decision, posted_ms DESC, id DESC);
-- Public names in messages with findings, watched or not. A lead is only to what is not watched.
CREATE TABLE link (
	name TEXT NOT NULL, source_id TEXT NOT NULL, message_id BIGINT NOT NULL, PRIMARY KEY (name, source_id, message_id)
);
CREATE INDEX link_message ON link (source_id, message_id);
INSERT INTO link (name, source_id, message_id) SELECT DISTINCT name, source_id, message_id FROM lead WHERE source_id <> '' AND how <> 'search';
CREATE TABLE suggestion_refused (
	id TEXT NOT NULL, case_id TEXT NOT NULL REFERENCES cases (id), refused_by TEXT NOT NULL, refused_ms BIGINT NOT NULL, reason TEXT NOT NULL,
	PRIMARY KEY (case_id, id)
);
-- Templates that a person said are no leaks. Findings of them are recorded and marked, never dropped.
CREATE TABLE suppression (
	id TEXT PRIMARY KEY, template TEXT NOT NULL, rule TEXT NOT NULL, source_id TEXT NOT NULL, reason TEXT NOT NULL,
	added_by TEXT NOT NULL, added_ms BIGINT NOT NULL, removed_by TEXT NOT NULL DEFAULT '', removed_ms BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX suppression_template ON suppression (template);
