-- Sealed originals and masked texts go only where a tombstone stands, a tombstone only on a custody entry that says so,
-- and none on what a hold keeps.
CREATE TRIGGER tombstone_insert BEFORE INSERT ON tombstone
WHEN NOT EXISTS (SELECT 1 FROM custody c WHERE c.seq = NEW.custody_seq AND c.object = NEW.evidence_id AND c.line LIKE '{"action":"purge",%')
BEGIN SELECT RAISE(ABORT, 'a purge needs its custody entry'); END;
CREATE TRIGGER tombstone_held BEFORE INSERT ON tombstone
WHEN EXISTS (SELECT 1 FROM held h WHERE h.evidence_id = NEW.evidence_id)
BEGIN SELECT RAISE(ABORT, 'a legal hold keeps this evidence'); END;
CREATE TRIGGER tombstone_update BEFORE UPDATE ON tombstone BEGIN SELECT RAISE(ABORT, 'tombstones are never changed'); END;
CREATE TRIGGER tombstone_delete BEFORE DELETE ON tombstone BEGIN SELECT RAISE(ABORT, 'tombstones are never changed'); END;
DROP TRIGGER sealed_delete;
CREATE TRIGGER sealed_delete BEFORE DELETE ON sealed
WHEN NOT EXISTS (SELECT 1 FROM tombstone t WHERE t.evidence_id = OLD.evidence_id)
BEGIN SELECT RAISE(ABORT, 'evidence is never changed'); END;
DROP TRIGGER evidence_update;
CREATE TRIGGER evidence_update BEFORE UPDATE ON evidence
WHEN NOT (EXISTS (SELECT 1 FROM tombstone t WHERE t.evidence_id = OLD.id) AND NEW.masked = '' AND NEW.collection = '{}'
	AND NEW.id = OLD.id AND NEW.source_id = OLD.source_id AND NEW.message_id = OLD.message_id AND NEW.version = OLD.version AND NEW.url = OLD.url
	AND NEW.posted_ms = OLD.posted_ms AND NEW.edited_ms = OLD.edited_ms AND NEW.captured_ms = OLD.captured_ms AND NEW.origin = OLD.origin
	AND NEW.commitment = OLD.commitment AND NEW.sealed_sha256 = OLD.sealed_sha256 AND NEW.sealed_size = OLD.sealed_size)
BEGIN SELECT RAISE(ABORT, 'evidence is never changed'); END;
CREATE TRIGGER hold_delete BEFORE DELETE ON hold BEGIN SELECT RAISE(ABORT, 'holds are released, not deleted'); END;
CREATE TRIGGER hold_update BEFORE UPDATE ON hold
WHEN OLD.released_ms <> 0 OR NEW.released_ms = 0 OR NEW.release_approved_by = NEW.released_by OR NEW.release_approved_by = ''
	OR NEW.id <> OLD.id OR NEW.object <> OLD.object OR NEW.reason <> OLD.reason
	OR NEW.added_by <> OLD.added_by OR NEW.approved_by <> OLD.approved_by OR NEW.added_ms <> OLD.added_ms
BEGIN SELECT RAISE(ABORT, 'holds are released by two people, and not changed'); END;
