-- A stamp that was kept is never changed.
CREATE TRIGGER stamp_update BEFORE UPDATE ON stamp FOR EACH ROW
WHEN (OLD.response IS NOT NULL OR NEW.size <> OLD.size OR NEW.authority <> OLD.authority OR NEW.queued_ms <> OLD.queued_ms)
EXECUTE FUNCTION refuse_change('time stamps are never changed');
CREATE TRIGGER stamp_delete BEFORE DELETE ON stamp FOR EACH ROW EXECUTE FUNCTION refuse_change('time stamps are never changed');
CREATE TRIGGER stamp_truncate BEFORE TRUNCATE ON stamp EXECUTE FUNCTION refuse_change('time stamps are never changed');
