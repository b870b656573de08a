-- Lines of earlier versions get their hashes once; nothing else of a line is ever changed.
DROP TRIGGER custody_change ON custody;
CREATE TRIGGER custody_update BEFORE UPDATE ON custody FOR EACH ROW
WHEN (NOT (OLD.hashes = '' AND NEW.hashes <> '' AND NEW.seq = OLD.seq AND NEW.case_id = OLD.case_id AND NEW.object = OLD.object AND NEW.line = OLD.line))
EXECUTE FUNCTION refuse_change('the custody log is append-only');
CREATE TRIGGER custody_delete BEFORE DELETE ON custody FOR EACH ROW EXECUTE FUNCTION refuse_change('the custody log is append-only');
CREATE TRIGGER checkpoint_change BEFORE UPDATE OR DELETE ON checkpoint FOR EACH ROW EXECUTE FUNCTION refuse_change('checkpoints are never changed');
CREATE TRIGGER checkpoint_truncate BEFORE TRUNCATE ON checkpoint EXECUTE FUNCTION refuse_change('checkpoints are never changed');
