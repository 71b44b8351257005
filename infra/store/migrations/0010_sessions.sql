-- The sessions of people who signed in with a browser. A row has the hash of its secret, and never
-- the secret. Only the role that serves HTTP reads them; it removes those that ended.
CREATE TABLE access.sessions (
    secret_hash bytea PRIMARY KEY,
    signed_in text NOT NULL,
    expires_at timestamptz NOT NULL
);

GRANT SELECT, INSERT, DELETE ON access.sessions TO accord_writer;
