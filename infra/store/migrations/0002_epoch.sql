-- The random identity of a store. Ids of the stream of alerts name it, so that an id of another
-- store is recognized.

INSERT INTO history.meta VALUES ('epoch', replace(gen_random_uuid()::text, '-', ''));
