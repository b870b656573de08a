-- What was recorded is never changed. Trigger bodies differ between engines,
-- hence a file for this one.
CREATE TRIGGER custody_update BEFORE UPDATE ON custody BEGIN SELECT RAISE(ABORT, 'the custody log is append-only'); END;
CREATE TRIGGER custody_delete BEFORE DELETE ON custody BEGIN SELECT RAISE(ABORT, 'the custody log is append-only'); END;
CREATE TRIGGER evidence_update BEFORE UPDATE ON evidence BEGIN SELECT RAISE(ABORT, 'evidence is never changed'); END;
CREATE TRIGGER evidence_delete BEFORE DELETE ON evidence BEGIN SELECT RAISE(ABORT, 'evidence is never changed'); END;
CREATE TRIGGER sealed_update BEFORE UPDATE ON sealed BEGIN SELECT RAISE(ABORT, 'evidence is never changed'); END;
CREATE TRIGGER sealed_delete BEFORE DELETE ON sealed BEGIN SELECT RAISE(ABORT, 'evidence is never changed'); END;
