-- How many findings a case has, so that a list of cases counts none. Valid in SQLite and in PostgreSQL.
ALTER TABLE cases ADD COLUMN finding_count BIGINT NOT NULL DEFAULT 0;
UPDATE cases SET finding_count = (SELECT count(*) FROM case_finding WHERE case_finding.case_id = cases.id);
