-- A key in the name of a person who is erased is revoked, and its grant no longer has the name.
-- Who serves can change nothing else of a grant, so it is done by a function of the owner.
CREATE FUNCTION access.forget(key_id text, left_name text, at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    UPDATE access.credentials
    SET granted = jsonb_set(granted::jsonb, '{actor}', to_jsonb(left_name))::text,
        revoked_at = coalesce(revoked_at, at)
    WHERE id = key_id
$$;
REVOKE EXECUTE ON FUNCTION access.forget FROM PUBLIC;
GRANT EXECUTE ON FUNCTION access.forget TO accord_writer;
