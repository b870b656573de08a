-- The count follows its rows, whichever statement changes them.
CREATE FUNCTION count_case_finding() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF TG_OP = 'INSERT' THEN
		UPDATE cases SET finding_count = finding_count + 1 WHERE id = NEW.case_id;
	ELSE
		UPDATE cases SET finding_count = finding_count - 1 WHERE id = OLD.case_id;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER case_finding_count AFTER INSERT OR DELETE ON case_finding FOR EACH ROW EXECUTE FUNCTION count_case_finding();
