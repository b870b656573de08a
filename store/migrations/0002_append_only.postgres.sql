-- What was recorded is never changed. Trigger bodies differ between engines,
-- hence a file for this one.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;
CREATE TRIGGER custody_change BEFORE UPDATE OR DELETE ON custody FOR EACH ROW EXECUTE FUNCTION refuse_change('the custody log is append-only');
CREATE TRIGGER custody_truncate BEFORE TRUNCATE ON custody EXECUTE FUNCTION refuse_change('the custody log is append-only');
CREATE TRIGGER evidence_change BEFORE UPDATE OR DELETE ON evidence FOR EACH ROW EXECUTE FUNCTION refuse_change('evidence is never changed');
CREATE TRIGGER evidence_truncate BEFORE TRUNCATE ON evidence EXECUTE FUNCTION refuse_change('evidence is never changed');
CREATE TRIGGER sealed_change BEFORE UPDATE OR DELETE ON sealed FOR EACH ROW EXECUTE FUNCTION refuse_change('evidence is never changed');
CREATE TRIGGER sealed_truncate BEFORE TRUNCATE ON sealed EXECUTE FUNCTION refuse_change('evidence is never changed');
