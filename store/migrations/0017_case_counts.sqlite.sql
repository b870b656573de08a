-- The count follows its rows, whichever statement changes them.
CREATE TRIGGER case_finding_added AFTER INSERT ON case_finding BEGIN UPDATE cases SET finding_count = finding_count + 1 WHERE id = NEW.case_id; END;
CREATE TRIGGER case_finding_removed AFTER DELETE ON case_finding BEGIN UPDATE cases SET finding_count = finding_count - 1 WHERE id = OLD.case_id; END;
