-- Legal holds, and tombstones of evidence whose sealed original and masked text were deleted. Valid in SQLite and in PostgreSQL.
CREATE TABLE hold (
	id TEXT PRIMARY KEY, object TEXT NOT NULL, reason TEXT NOT NULL, added_by TEXT NOT NULL, approved_by TEXT NOT NULL, added_ms BIGINT NOT NULL,
	released_by TEXT NOT NULL, release_approved_by TEXT NOT NULL, release_reason TEXT NOT NULL, released_ms BIGINT NOT NULL
);
CREATE TABLE tombstone (
	evidence_id TEXT PRIMARY KEY REFERENCES evidence (id), custody_seq BIGINT NOT NULL, at_ms BIGINT NOT NULL
);
CREATE INDEX case_finding_finding ON case_finding (finding_id);
-- What a hold keeps: a piece of evidence, a source's, a case's with every version of its messages, or all of the workspace.
CREATE VIEW held AS
SELECT e.id AS evidence_id, h.id AS hold_id FROM evidence e JOIN hold h ON h.released_ms = 0 AND (
	h.object = 'workspace' OR h.object = e.id OR h.object = e.source_id OR EXISTS (
		SELECT 1 FROM evidence o JOIN finding f ON f.evidence_id = o.id JOIN case_finding c ON c.finding_id = f.id AND c.case_id = h.object
		WHERE o.source_id = e.source_id AND o.message_id = e.message_id)
);
