-- A refusal keeps what its input said while it is open, and no longer.
CREATE FUNCTION history.delete_input() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.raw := '';
    RETURN NEW;
END $$;

CREATE TRIGGER delete_input BEFORE INSERT OR UPDATE ON history.refusals
    FOR EACH ROW WHEN (NEW.state <> 'open') EXECUTE FUNCTION history.delete_input();

UPDATE history.refusals SET raw = '' WHERE state <> 'open' AND raw <> '';
