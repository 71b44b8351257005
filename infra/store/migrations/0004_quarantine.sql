-- Partnerships whose events cannot be folded: from which event on, why, and when it is tried again.

CREATE TABLE views.quarantine (
    track text COLLATE "C",
    partnership text COLLATE "C",
    projection text NOT NULL,
    idx integer NOT NULL,
    error text NOT NULL,
    since text NOT NULL,
    release text NOT NULL,
    tries integer NOT NULL,
    retry_at text NOT NULL,
    newest integer NOT NULL,
    anew boolean NOT NULL,
    PRIMARY KEY (track, partnership)
);

GRANT SELECT ON views.quarantine TO accord_writer, accord_views, accord_reader;
GRANT INSERT, UPDATE, DELETE ON views.quarantine TO accord_views;
-- A process that answers questions reports a row that it cannot read; a projector folds it anew.
GRANT INSERT, UPDATE ON views.quarantine TO accord_writer;

-- As before, and `_known` are the quarantined partnerships that the caller has taken into account.
DROP FUNCTION views.save(
    text, integer[], text[], integer[], integer[], integer[], text[], text[], bytea[], text[], text[], text[], text[], text[], bytea[], integer[], integer[], text, bigint
);
CREATE FUNCTION views.save(
    _track text, _folds integer[], _partnership text[], _old integer[], _new integer[],
    _fold integer[], _row_partnership text[], _key text[], _row_body bytea[], _wake text[],
    _id text[], _by text[], _of text[], _kind text[], _body bytea[], _cause integer[],
    _version integer[], _cursor text, _cursor_position bigint, _known text[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    this_move bigint;
    moved integer;
    begun integer;
    added integer;
BEGIN
    LOCK TABLE views.turn IN EXCLUSIVE MODE;
    this_move := nextval('views.moves');

    -- A position counts for every fold of the track, so one that was not folded would lose events.
    IF (SELECT array_agg(fold ORDER BY fold) FROM views.folds WHERE track = _track)
        IS DISTINCT FROM (SELECT array_agg(fold ORDER BY fold) FROM unnest(_folds) AS f (fold)) THEN
        RAISE 'the projections were rebuilt by another process' USING ERRCODE = '23000';
    END IF;

    -- The position of a quarantined partnership moves only in a save that knows of the quarantine.
    IF EXISTS (SELECT FROM views.quarantine WHERE track = _track
               AND partnership = ANY(_partnership) AND partnership <> ALL(_known)) THEN
        RAISE 'another runner quarantined a partnership' USING ERRCODE = '23000';
    END IF;

    INSERT INTO views.positions
    SELECT _track, partnership, new, this_move
    FROM unnest(_partnership, _old, _new) AS g (partnership, old, new)
    WHERE old = -1
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS begun = ROW_COUNT;
    UPDATE views.positions p SET idx = g.new, move = this_move
    FROM unnest(_partnership, _old, _new) AS g (partnership, old, new)
    WHERE g.old <> -1 AND p.track = _track AND p.partnership = g.partnership AND p.idx = g.old;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF begun + moved < cardinality(_partnership) THEN
        RAISE 'another runner folded these partnerships further' USING ERRCODE = '23000';
    END IF;

    INSERT INTO views.rows AS r
    SELECT fold, partnership, key, body, wake, this_move
    FROM unnest(_fold, _row_partnership, _key, _row_body, _wake)
        AS g (fold, partnership, key, body, wake)
    WHERE body IS NOT NULL
    ON CONFLICT (fold, partnership, key) DO UPDATE
    SET body = excluded.body, wake = excluded.wake, move = this_move;
    DELETE FROM views.rows r
    USING unnest(_fold, _row_partnership, _key, _row_body) AS g (fold, partnership, key, body)
    WHERE g.body IS NULL AND r.fold = g.fold AND r.partnership = g.partnership AND r.key = g.key;

    -- An output is saved once, even if it is made again.
    INSERT INTO views.outputs
    SELECT (SELECT coalesce(max(number), 0) FROM views.outputs) + row_number() OVER (ORDER BY place),
           id, projection, partnership, kind, body, cause, version
    FROM unnest(_id, _by, _of, _kind, _body, _cause, _version) WITH ORDINALITY
        AS g (id, projection, partnership, kind, body, cause, version, place)
    WHERE NOT EXISTS (SELECT FROM views.outputs o WHERE o.id = g.id);
    GET DIAGNOSTICS added = ROW_COUNT;

    -- Of two readers of one cursor the slower must not set the other back.
    IF _cursor IS NOT NULL THEN
        INSERT INTO views.cursors AS t VALUES (_cursor, _cursor_position)
        ON CONFLICT (name) DO UPDATE SET position = greatest(t.position, excluded.position);
    END IF;

    IF added > 0 OR cardinality(_partnership) > 0 THEN
        NOTIFY views;
    END IF;
END $$;

-- After the swap of a rebuild: delete the rows of partnerships that the rebuild could not fold, so
-- that they are folded again from their first event, and make every quarantined one due.
CREATE FUNCTION views.release_after_rebuild() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO views.quarantine AS q
    SELECT 'live', f.partnership, f.projection, 0, f.error, f.since, '', f.tries, f.retry_at,
           greatest(f.newest, p.idx), false
    FROM views.quarantine f
    JOIN views.positions p ON p.track = 'live' AND p.partnership = f.partnership
    WHERE f.track = 'rebuild'
    ON CONFLICT (track, partnership) DO UPDATE
    SET projection = excluded.projection, idx = 0, error = excluded.error,
        newest = greatest(q.newest, excluded.newest), anew = false;
    DELETE FROM views.rows WHERE fold IN (SELECT fold FROM views.folds WHERE track = 'live')
    AND partnership IN (SELECT partnership FROM views.quarantine WHERE track = 'rebuild');
    DELETE FROM views.positions WHERE track = 'live'
    AND partnership IN (SELECT partnership FROM views.quarantine WHERE track = 'rebuild');
    DELETE FROM views.quarantine WHERE track = 'rebuild';
    UPDATE views.quarantine SET release = '';
END $$;
