-- The leader of each role with several processes. `term` rises with each leader, and `renewed` is
-- when the present one last said that it lives; without it nobody leads.
CREATE TABLE views.leaders (
    role text COLLATE "C" PRIMARY KEY,
    term bigint NOT NULL,
    renewed timestamptz
) WITH (fillfactor = 50);

GRANT SELECT ON views.leaders TO accord_writer, accord_views, accord_reader;
-- The notary is a writer, and no projector.
GRANT INSERT, UPDATE ON views.leaders TO accord_writer, accord_views;
