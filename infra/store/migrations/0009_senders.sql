-- The identity of an input includes the party that sends it. Events of before have identifiers without
-- it, which no verifier accepts any more, so a history with events cannot be migrated.

DO $$ BEGIN
    IF EXISTS (SELECT FROM history.events) THEN
        RAISE 'the identifiers of events have changed: create a new store and send the events again';
    END IF;
END $$;

DELETE FROM history.waiting;
DELETE FROM history.refusals;
DELETE FROM history.results;

ALTER TABLE history.results
    ADD COLUMN party text COLLATE "C" NOT NULL,
    DROP CONSTRAINT results_pkey,
    ADD PRIMARY KEY (party, source, source_id);
DROP INDEX history.open_refusals;
ALTER TABLE history.refusals ADD COLUMN party text COLLATE "C" NOT NULL;
CREATE UNIQUE INDEX open_refusals ON history.refusals (party, source, source_id)
    WHERE state = 'open';
ALTER TABLE history.waiting
    ADD COLUMN party text COLLATE "C" NOT NULL,
    DROP CONSTRAINT waiting_source_source_id_key,
    ADD UNIQUE (party, source, source_id);

DROP FUNCTION history.append(
    text[], text[], integer[], text[], timestamptz[], bytea[], bytea[], integer[], text[], text[],
    bytea[], text[], integer[], integer[], text[], text[], text[], text[], text[], text[], text[],
    text[], timestamptz[], bytea[], boolean[], text[], text[], text[], bytea[], text[], text[],
    text[], text[], integer[], text[], text[], text[], text[], timestamptz[], timestamptz[],
    bytea[], text[], text[]
);

-- Append events, the results of accepted inputs, refusals and waiting inputs: all or, with an error,
-- nothing. Returns the position of the first event, and each event's index. `_first` is the place
-- (from 1) of the first event that an input caused.
CREATE FUNCTION history.append(
    _partnership text[], _stream text[], _version integer[], _topic text[],
    _recorded_at timestamptz[], _body bytea[], _leaf bytea[], _wanted integer[],
    _party text[], _source text[], _source_id text[], _fingerprint bytea[], _about text[],
    _first integer[], _count integer[],
    _by_party text[], _by text[], _by_id text[], _subject text[], _type text[], _rule text[],
    _detail text[], _hint text[], _pointer text[], _received_at timestamptz[], _raw bytea[],
    _unsent boolean[],
    _kind text[], _of text[], _key text[], _kept bytea[],
    _waits_party text[], _waits_by text[], _waits_id text[], _waits_in text[],
    _decided_by text[], _decided_at integer[],
    _waits_type text[], _awaited_kind text[], _awaited_id text[], _awaited text[],
    _since timestamptz[], _until timestamptz[], _waits_raw bytea[],
    _settled_party text[], _settled_by text[], _settled_id text[],
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

    INSERT INTO history.results
        (party, source, source_id, fingerprint, partnership, first, count)
    SELECT party, source, source_id, fingerprint, about, indexes[first], count
    FROM unnest(_party, _source, _source_id, _fingerprint, _about, _first, _count)
        AS g (party, source, source_id, fingerprint, about, first, count)
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written < cardinality(_source) THEN
        RAISE 'an input of this batch has a result already' USING ERRCODE = '23000';
    END IF;

    DELETE FROM history.waiting w
    USING unnest(_settled_party, _settled_by, _settled_id) AS g (party, source, source_id)
    WHERE w.party = g.party AND w.source = g.source AND w.source_id = g.source_id;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written < cardinality(_settled_by) THEN
        RAISE 'an input of this batch waits no longer' USING ERRCODE = '23000';
    END IF;

    INSERT INTO history.waiting AS w
        (party, source, source_id, partnership, stream, version, type, awaited_kind, awaited_id,
         awaited, since, until, raw)
    SELECT * FROM unnest(_waits_party, _waits_by, _waits_id, _waits_in, _decided_by, _decided_at, _waits_type,
                         _awaited_kind, _awaited_id, _awaited, _since, _until, _waits_raw)
    ON CONFLICT (party, source, source_id) DO UPDATE SET
        partnership = excluded.partnership, stream = excluded.stream, version = excluded.version,
        type = excluded.type, awaited_kind = excluded.awaited_kind,
        awaited_id = excluded.awaited_id, awaited = excluded.awaited, raw = excluded.raw;

    -- An input waits only as long as it was decided after the last event of its stream.
    IF EXISTS (
        SELECT FROM history.waiting w
        WHERE (w.stream = ANY(_stream) OR w.stream = ANY(_decided_by)) AND w.version <>
            (SELECT coalesce(max(e.version), 0) FROM history.events e WHERE e.stream = w.stream)
    ) THEN
        RAISE 'an input waits that was decided before the last event of its stream'
            USING ERRCODE = '23000';
    END IF;

    UPDATE history.refusals r SET state = 'resolved', unsent = false
    FROM (SELECT * FROM unnest(_party, _source, _source_id)
          UNION SELECT * FROM unnest(_waits_party, _waits_by, _waits_id))
        AS g (party, source, source_id)
    WHERE r.party = g.party AND r.source = g.source AND r.source_id = g.source_id AND r.state = 'open';

    INSERT INTO history.refusals AS r
        (party, source, source_id, subject, type, rule, detail, hint, pointer, received_at, raw,
         unsent)
    SELECT * FROM unnest(_by_party, _by, _by_id, _subject, _type, _rule, _detail, _hint, _pointer,
                         _received_at, _raw, _unsent)
    ON CONFLICT (party, source, source_id) WHERE state = 'open' DO UPDATE SET
        subject = excluded.subject, type = excluded.type, rule = excluded.rule,
        detail = excluded.detail, hint = excluded.hint, pointer = excluded.pointer,
        received_at = excluded.received_at, raw = excluded.raw, unsent = excluded.unsent;

    INSERT INTO history.kept SELECT * FROM unnest(_kind, _of, _key, _kept) ON CONFLICT DO NOTHING;

    IF indexes IS NOT NULL THEN
        NOTIFY history;
    END IF;
END $$;
