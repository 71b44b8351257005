-- The history and the views in Postgres. Applied once, by `accord migrate`; no worker makes tables.
--
-- Names are compared by their bytes (COLLATE "C"), as they are everywhere else.

CREATE SCHEMA history;
CREATE SCHEMA views;

-- Whoever appends takes its turn here, so that positions have no gaps and come in the order of
-- commits. Not at the table of events itself: a lock there waits for autovacuum.
CREATE TABLE history.turn ();

CREATE TABLE history.events (
    position bigint PRIMARY KEY,
    partnership text COLLATE "C" NOT NULL,
    idx integer NOT NULL,
    stream text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    topic text NOT NULL,
    recorded_at timestamptz NOT NULL,
    body bytea NOT NULL,
    leaf bytea NOT NULL,
    UNIQUE (partnership, idx),
    UNIQUE (stream, version)
);

CREATE TABLE history.results (
    source text COLLATE "C",
    source_id text COLLATE "C",
    fingerprint bytea NOT NULL,
    refused text,
    partnership text NOT NULL,
    first integer,
    count integer NOT NULL,
    PRIMARY KEY (source, source_id)
);

CREATE TABLE history.refusals (
    source text NOT NULL,
    source_id text NOT NULL,
    subject text,
    type text,
    rule text NOT NULL,
    detail text NOT NULL,
    hint text NOT NULL,
    pointer text,
    received_at timestamptz NOT NULL,
    raw bytea NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state text NOT NULL DEFAULT 'open'
);

-- What stands beside the log and may be forgotten; the log holds its hash alone.
CREATE TABLE history.kept (
    kind text COLLATE "C",
    partnership text COLLATE "C",
    key text COLLATE "C",
    body bytea NOT NULL,
    PRIMARY KEY (kind, partnership, key)
);

-- The Merkle trees of the logs, as far as they were built, and their signed checkpoints.
CREATE TABLE history.trees (
    partnership text COLLATE "C" PRIMARY KEY,
    size integer NOT NULL,
    frontier bytea NOT NULL
);

CREATE TABLE history.nodes (
    partnership text COLLATE "C",
    level integer,
    number integer,
    hash bytea NOT NULL,
    PRIMARY KEY (partnership, level, number)
);

CREATE TABLE history.checkpoints (
    partnership text COLLATE "C",
    size integer,
    note text NOT NULL,
    PRIMARY KEY (partnership, size)
);

CREATE TABLE history.meta (key text PRIMARY KEY, value text NOT NULL);

-- Append events, what came of inputs and what was refused: all or, with an error, nothing.
-- Gives the position of the first event, and each event's index. `_first` is the place (from 1)
-- of the first event that an input caused.
CREATE FUNCTION history.append(
    _partnership text[], _stream text[], _version integer[], _topic text[],
    _recorded_at timestamptz[], _body bytea[], _leaf bytea[], _wanted integer[],
    _source text[], _source_id text[], _fingerprint bytea[], _refused text[], _about text[],
    _first integer[], _count integer[],
    _by text[], _by_id text[], _subject text[], _type text[], _rule text[], _detail text[],
    _hint text[], _pointer text[], _received_at timestamptz[], _raw bytea[],
    _kind text[], _of text[], _key text[], _kept bytea[],
    OUT start bigint, OUT indexes integer[]
) LANGUAGE plpgsql AS $$
DECLARE
    runs_back boolean;
    others boolean;
    written integer;
BEGIN
    LOCK TABLE history.turn IN EXCLUSIVE MODE;
    SELECT coalesce(max(position), -1) + 1 INTO start FROM history.events;

    WITH given AS (
        SELECT *
        FROM unnest(_partnership, _stream, _version, _topic, _recorded_at, _body, _leaf, _wanted)
            WITH ORDINALITY AS
            g (partnership, stream, version, topic, recorded_at, body, leaf, wanted, place)
    ), heads AS (
        SELECT p.partnership, head.idx, head.recorded_at
        FROM (SELECT DISTINCT partnership FROM given) p
        LEFT JOIN LATERAL (
            SELECT e.idx, e.recorded_at FROM history.events e
            WHERE e.partnership = p.partnership ORDER BY e.idx DESC LIMIT 1
        ) head ON true
    ), placed AS (
        SELECT g.*, coalesce(h.idx, -1) + row_number() OVER log AS idx,
               g.recorded_at < coalesce(lag(g.recorded_at) OVER log, h.recorded_at) AS backwards
        FROM given g JOIN heads h USING (partnership)
        WINDOW log AS (PARTITION BY g.partnership ORDER BY g.place)
    ), appended AS (
        INSERT INTO history.events
        SELECT start + place - 1, partnership, idx, stream, version, topic, recorded_at, body,
               leaf
        FROM placed ORDER BY place
    )
    SELECT array_agg(idx ORDER BY place), bool_or(backwards), bool_or(wanted <> idx)
    INTO indexes, runs_back, others FROM placed;
    IF runs_back THEN
        RAISE 'a partnership has an event recorded later' USING ERRCODE = '23000';
    END IF;
    IF others THEN
        RAISE 'a partnership has other events than one rests on' USING ERRCODE = '23000';
    END IF;

    -- Only an input that was refused may come again and fare better.
    INSERT INTO history.results AS r
    SELECT source, source_id, fingerprint, refused, about, indexes[first], count
    FROM unnest(_source, _source_id, _fingerprint, _refused, _about, _first, _count)
        AS g (source, source_id, fingerprint, refused, about, first, count)
    ON CONFLICT (source, source_id) DO UPDATE SET
        fingerprint = excluded.fingerprint, refused = excluded.refused,
        partnership = excluded.partnership, first = excluded.first, count = excluded.count
    WHERE r.refused IS NOT NULL;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written < cardinality(_source) THEN
        RAISE 'an input of this batch has a result already' USING ERRCODE = '23000';
    END IF;

    INSERT INTO history.refusals
        (source, source_id, subject, type, rule, detail, hint, pointer, received_at, raw)
    SELECT * FROM unnest(_by, _by_id, _subject, _type, _rule, _detail, _hint, _pointer,
                         _received_at, _raw);

    INSERT INTO history.kept SELECT * FROM unnest(_kind, _of, _key, _kept) ON CONFLICT DO NOTHING;

    IF indexes IS NOT NULL THEN
        NOTIFY history;
    END IF;
END $$;

-- The same turn for views: whoever reads on behind a number must not miss one that commits later.
CREATE TABLE views.turn ();

-- A fold is the rows of a projection by one version. Those of the track 'live' are read, those of
-- 'rebuild' are being made, and the rows of one without a track wait to be deleted.
CREATE TABLE views.folds (
    fold integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    projection text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    track text COLLATE "C",
    UNIQUE (track, projection)
);

CREATE TABLE views.rows (
    fold integer,
    partnership text COLLATE "C",
    key text COLLATE "C",
    body bytea NOT NULL,
    wake text COLLATE "C",
    move bigint NOT NULL,
    PRIMARY KEY (fold, partnership, key)
) WITH (fillfactor = 70);

CREATE INDEX rows_by_wake ON views.rows (fold, wake, partnership) WHERE wake IS NOT NULL;

-- All folds of a track have the same position in a partnership: the index of its last folded event.
-- `move` numbers the saves: it is that of the one in which a row or a position changed last.
CREATE TABLE views.positions (
    track text COLLATE "C",
    partnership text COLLATE "C",
    idx integer NOT NULL,
    move bigint NOT NULL,
    PRIMARY KEY (track, partnership)
) WITH (fillfactor = 70);

CREATE INDEX positions_by_move ON views.positions (track, move);

CREATE SEQUENCE views.moves;

CREATE TABLE views.outputs (
    number bigint PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    projection text NOT NULL,
    partnership text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    body bytea NOT NULL,
    cause_index integer NOT NULL,
    version integer NOT NULL
);

CREATE INDEX outputs_by_partnership ON views.outputs (partnership, number);

CREATE TABLE views.cursors (name text PRIMARY KEY, position bigint NOT NULL);

-- Save positions, rows (those without a body are deleted) and outputs: all or, with an error,
-- nothing. A position moves only from where it is expected; -1 expects that there is none. All of
-- the runner's folds must still be in its track.
CREATE FUNCTION views.save(
    _track text, _folds integer[], _partnership text[], _old integer[], _new integer[],
    _fold integer[], _row_partnership text[], _key text[], _row_body bytea[], _wake text[],
    _id text[], _by text[], _of text[], _kind text[], _body bytea[], _cause integer[],
    _version integer[], _cursor text, _cursor_position bigint
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

-- Four roles: one decides and appends, one folds and publishes, one only reads, and one also reads
-- the names of people and what was refused. Nobody changes or removes an event. Nobody logs in as one of the first two: each service has a login that is a member.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY[
        'accord_writer', 'accord_views', 'accord_reader', 'accord_auditor'
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I', role);
        END IF;
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA history, views TO accord_writer, accord_views, accord_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA history, views TO accord_writer, accord_views, accord_reader;
GRANT accord_reader TO accord_auditor;
-- To fold and to read needs no names of people, and no input as it was sent.
REVOKE SELECT ON history.kept, history.refusals FROM accord_views, accord_reader;
GRANT SELECT ON history.kept, history.refusals TO accord_auditor;

GRANT INSERT ON history.events, history.results, history.refusals TO accord_writer;
GRANT INSERT, DELETE ON history.kept TO accord_writer;
GRANT INSERT, UPDATE ON history.trees, history.nodes, history.checkpoints TO accord_writer;
GRANT UPDATE ON history.results, history.turn TO accord_writer;
-- A refused input that names a person who is erased keeps its number, and why it was refused.
GRANT UPDATE (state, type, detail, hint, pointer, raw) ON history.refusals TO accord_writer;

GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA views TO accord_views;
GRANT USAGE ON SEQUENCE views.moves TO accord_views;
