-- What people did about alerts, each side for itself. It is no part of the history, so that a name
-- can be deleted from it. `side` is the party; NULL is the operator.
CREATE TABLE history.alert_acts (
    alert text COLLATE "C" NOT NULL,
    since timestamptz NOT NULL,
    side text COLLATE "C",
    kind text NOT NULL,
    by text NOT NULL,
    at timestamptz NOT NULL,
    assigned_to text,
    until timestamptz,
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY
);
CREATE INDEX alert_acts_of ON history.alert_acts (alert, number);

-- It has names, so who may not read names does not read it.
GRANT SELECT ON history.alert_acts TO accord_writer, accord_auditor;
GRANT INSERT ON history.alert_acts TO accord_writer;
GRANT UPDATE (by, assigned_to) ON history.alert_acts TO accord_writer;
