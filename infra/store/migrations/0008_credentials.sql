-- The API keys. A row has the hash of its secret, and never the secret. Only the role that serves
-- HTTP reads them; it changes nothing of whom a key is bound to, and removes none.
CREATE SCHEMA access;

CREATE TABLE access.credentials (
    number bigint GENERATED ALWAYS AS IDENTITY,
    id text COLLATE "C" PRIMARY KEY,
    secret_hash bytea NOT NULL,
    granted text NOT NULL,
    made_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    used_at timestamptz,
    replaced_by text COLLATE "C"
);

GRANT USAGE ON SCHEMA access TO accord_writer;
GRANT SELECT, INSERT ON access.credentials TO accord_writer;
GRANT UPDATE (expires_at, revoked_at, used_at, replaced_by) ON access.credentials TO accord_writer;
