-- A stamp that was kept is never changed.
CREATE TRIGGER stamp_update BEFORE UPDATE ON stamp
WHEN OLD.response IS NOT NULL OR NEW.size <> OLD.size OR NEW.authority <> OLD.authority OR NEW.queued_ms <> OLD.queued_ms
BEGIN SELECT RAISE(ABORT, 'time stamps are never changed'); END;
CREATE TRIGGER stamp_delete BEFORE DELETE ON stamp BEGIN SELECT RAISE(ABORT, 'time stamps are never changed'); END;
