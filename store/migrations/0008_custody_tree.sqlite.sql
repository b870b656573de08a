-- Lines of earlier versions get their hashes once; nothing else of a line is ever changed.
DROP TRIGGER custody_update;
CREATE TRIGGER custody_update BEFORE UPDATE ON custody
WHEN NOT (OLD.hashes = '' AND NEW.hashes <> '' AND NEW.seq = OLD.seq AND NEW.case_id = OLD.case_id AND NEW.object = OLD.object AND NEW.line = OLD.line)
BEGIN SELECT RAISE(ABORT, 'the custody log is append-only'); END;
CREATE TRIGGER checkpoint_update BEFORE UPDATE ON checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoints are never changed'); END;
CREATE TRIGGER checkpoint_delete BEFORE DELETE ON checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoints are never changed'); END;
