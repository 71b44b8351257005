-- The trace of each event that has one, with the place of the event. Who may not read what is kept
-- of people may read this. The limit makes Postgres look each trace up by its key; without it, a
-- few events are joined with all traces.
CREATE VIEW history.traces AS
SELECT e.partnership, e.idx, e.position, t.trace
FROM history.events e
CROSS JOIN LATERAL (
    SELECT k.body AS trace FROM history.kept k
    WHERE k.kind = 'trace' AND k.partnership = e.partnership
        AND k.key = e.stream || '@' || e.version
    LIMIT 1
) t;

GRANT SELECT ON history.traces TO accord_writer, accord_views, accord_reader;
