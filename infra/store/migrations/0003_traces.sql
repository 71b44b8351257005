-- The trace of each event that has one, with the place of the event. Who may not read what is kept
-- of people may read this.
CREATE VIEW history.traces AS
SELECT e.partnership, e.idx, e.position, k.body AS trace
FROM history.kept k
JOIN history.events e ON e.partnership = k.partnership AND e.stream || '@' || e.version = k.key
WHERE k.kind = 'trace';

GRANT SELECT ON history.traces TO accord_writer, accord_views, accord_reader;
