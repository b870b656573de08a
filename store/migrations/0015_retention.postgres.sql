-- Sealed originals and masked texts go only where a tombstone stands, a tombstone only on a custody entry that says so,
-- and none on what a hold keeps.
CREATE FUNCTION check_tombstone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF NOT EXISTS (SELECT 1 FROM custody c WHERE c.seq = NEW.custody_seq AND c.object = NEW.evidence_id AND c.line LIKE '{"action":"purge",%') THEN
		RAISE EXCEPTION 'a purge needs its custody entry';
	END IF;
	IF EXISTS (SELECT 1 FROM held h WHERE h.evidence_id = NEW.evidence_id) THEN
		RAISE EXCEPTION 'a legal hold keeps this evidence';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER tombstone_insert BEFORE INSERT ON tombstone FOR EACH ROW EXECUTE FUNCTION check_tombstone();
CREATE TRIGGER tombstone_change BEFORE UPDATE OR DELETE ON tombstone FOR EACH ROW EXECUTE FUNCTION refuse_change('tombstones are never changed');
CREATE TRIGGER tombstone_truncate BEFORE TRUNCATE ON tombstone EXECUTE FUNCTION refuse_change('tombstones are never changed');
CREATE FUNCTION delete_purged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF NOT EXISTS (SELECT 1 FROM tombstone t WHERE t.evidence_id = OLD.evidence_id) THEN
		RAISE EXCEPTION 'evidence is never changed';
	END IF;
	RETURN OLD;
END $$;
DROP TRIGGER sealed_change ON sealed;
CREATE TRIGGER sealed_update BEFORE UPDATE ON sealed FOR EACH ROW EXECUTE FUNCTION refuse_change('evidence is never changed');
CREATE TRIGGER sealed_delete BEFORE DELETE ON sealed FOR EACH ROW EXECUTE FUNCTION delete_purged();
CREATE FUNCTION empty_purged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF NOT (EXISTS (SELECT 1 FROM tombstone t WHERE t.evidence_id = OLD.id) AND NEW.masked = '' AND NEW.collection = '{}'
		AND NEW.id = OLD.id AND NEW.source_id = OLD.source_id AND NEW.message_id = OLD.message_id AND NEW.version = OLD.version AND NEW.url = OLD.url
		AND NEW.posted_ms = OLD.posted_ms AND NEW.edited_ms = OLD.edited_ms AND NEW.captured_ms = OLD.captured_ms AND NEW.origin = OLD.origin
		AND NEW.commitment = OLD.commitment AND NEW.sealed_sha256 = OLD.sealed_sha256 AND NEW.sealed_size = OLD.sealed_size) THEN
		RAISE EXCEPTION 'evidence is never changed';
	END IF;
	RETURN NEW;
END $$;
DROP TRIGGER evidence_change ON evidence;
CREATE TRIGGER evidence_delete BEFORE DELETE ON evidence FOR EACH ROW EXECUTE FUNCTION refuse_change('evidence is never changed');
CREATE TRIGGER evidence_update BEFORE UPDATE ON evidence FOR EACH ROW EXECUTE FUNCTION empty_purged();
CREATE TRIGGER hold_delete BEFORE DELETE ON hold FOR EACH ROW EXECUTE FUNCTION refuse_change('holds are released, not deleted');
CREATE TRIGGER hold_truncate BEFORE TRUNCATE ON hold EXECUTE FUNCTION refuse_change('holds are released, not deleted');
CREATE TRIGGER hold_update BEFORE UPDATE ON hold FOR EACH ROW
WHEN (OLD.released_ms <> 0 OR NEW.released_ms = 0 OR NEW.release_approved_by = NEW.released_by OR NEW.release_approved_by = ''
	OR NEW.id <> OLD.id OR NEW.object <> OLD.object OR NEW.reason <> OLD.reason
	OR NEW.added_by <> OLD.added_by OR NEW.approved_by <> OLD.approved_by OR NEW.added_ms <> OLD.added_ms)
EXECUTE FUNCTION refuse_change('holds are released by two people, and not changed');
