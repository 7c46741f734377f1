-- Instants are microseconds since 1970-01-01 UTC. Ids are UUIDs as 16 bytes; version 7 keeps rows in order of age.
-- Long rows are in tables with row numbers, where new rows always come last: by a key of their own they would be spread
-- over all pages of the runs under way, and each commit would write those pages anew. Short rows are in order of their key.

CREATE TABLE playbook (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    version INTEGER,                             -- the last good one, version.id
    withdrawn INTEGER                            -- when it was removed
);

CREATE TABLE version (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    playbook INTEGER NOT NULL REFERENCES playbook (id),
    path TEXT NOT NULL,
    bundle TEXT NOT NULL,
    kept INTEGER NOT NULL
);

CREATE TABLE feed (
    id INTEGER PRIMARY KEY,
    connection TEXT NOT NULL,
    folder TEXT NOT NULL,
    uid_validity INTEGER,                        -- IMAP cursor
    uid INTEGER,
    tick INTEGER,                                -- schedule cursor
    tick_last INTEGER,
    tick_of TEXT,
    met INTEGER,
    start INTEGER,
    heard INTEGER,
    faulted INTEGER,
    fault TEXT,
    accepted INTEGER NOT NULL DEFAULT 0,
    duplicates INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0,
    UNIQUE (connection, folder)
);

-- What was received, by SHA-256: raw messages, and other bodies too large for their row.
-- A NULL content is a file under blobs/.
CREATE TABLE body (
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE,
    uses INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    content BLOB
);

CREATE TABLE event (
    id BLOB PRIMARY KEY,
    feed INTEGER NOT NULL REFERENCES feed (id),
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    resembles BLOB,
    raw INTEGER,                                 -- body.id
    body INTEGER,                                -- body.id of the outputs, or
    summary TEXT NOT NULL,
    outputs BLOB                                 -- the outputs themselves, dense (see codec.rs)
);

-- De-duplication; never pruned. `same` is what names a report, `content` tells two of one name apart.
CREATE TABLE report_key (
    same BLOB NOT NULL,
    content BLOB NOT NULL,
    event BLOB NOT NULL,
    PRIMARY KEY (same, content)
) WITHOUT ROWID;

-- Which playbooks ran for an event that may come again, or that has several runs; never pruned, so that a mail that comes
-- again after a year starts nothing twice.
CREATE TABLE event_run (
    event BLOB NOT NULL,
    playbook INTEGER NOT NULL,
    run BLOB NOT NULL,
    PRIMARY KEY (event, playbook)
) WITHOUT ROWID;

CREATE TABLE run (
    id BLOB PRIMARY KEY,
    version INTEGER NOT NULL REFERENCES version (id),
    event BLOB NOT NULL,
    seed BLOB NOT NULL,
    started INTEGER NOT NULL,
    status TEXT NOT NULL,
    ended INTEGER,
    waiting_until INTEGER,
    error TEXT,
    actions INTEGER                              -- run_actions.id, once it ended
) WITHOUT ROWID;
-- Open runs, and those a person looks for; the many that succeeded would only make it long.
CREATE INDEX run_status ON run (status, id) WHERE status <> 'Succeeded';

-- Apart from the run, so that its row keeps its size when it ends.
CREATE TABLE run_actions (
    id INTEGER PRIMARY KEY,
    actions BLOB NOT NULL                        -- dense
);

CREATE TABLE journal (
    run BLOB NOT NULL,
    seq INTEGER NOT NULL,                        -- of the last event in the row
    body INTEGER,                                -- body.id of a large event, or
    event BLOB,                                  -- the events recorded together, a dense bundle
    PRIMARY KEY (run, seq)
);

CREATE TABLE timer (
    run BLOB NOT NULL,
    timer INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (run, timer)
) WITHOUT ROWID;
CREATE INDEX timer_until ON timer (until);

CREATE TABLE history (
    feed INTEGER NOT NULL,
    n INTEGER NOT NULL,                          -- grows over all feeds
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    event BLOB,                                  -- of a duplicate
    run BLOB,
    letter INTEGER,
    playbook TEXT,                               -- of an accepted report its run says this
    summary TEXT,                                -- and this
    because TEXT,
    PRIMARY KEY (feed, n)
) WITHOUT ROWID;

CREATE TABLE mail_task (
    id INTEGER PRIMARY KEY AUTOINCREMENT,        -- an id that was confirmed never names another task
    feed INTEGER NOT NULL,
    task TEXT NOT NULL,
    UNIQUE (feed, task)
);

CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    feed INTEGER NOT NULL,
    key BLOB NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    whole INTEGER NOT NULL,
    message TEXT,
    raw INTEGER NOT NULL,                        -- body.id
    retrying INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counter VALUES ('incident', 0);

CREATE TABLE incident (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    etag BLOB NOT NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    severity TEXT NOT NULL,
    status TEXT NOT NULL,
    classification TEXT,
    classification_reason TEXT,
    classification_comment TEXT,
    owner_object_id TEXT,
    owner_email TEXT,
    owner_assigned_to TEXT,
    owner_user_principal_name TEXT,
    first_activity INTEGER,
    last_activity INTEGER,
    run BLOB,
    event BLOB,
    playbook TEXT,
    version TEXT,
    report TEXT,
    title TEXT NOT NULL,
    tags TEXT NOT NULL,                          -- a JSON list
    description TEXT NOT NULL
);
CREATE INDEX incident_queue ON incident (status, severity, number);
CREATE INDEX incident_run ON incident (run) WHERE run IS NOT NULL;

CREATE TABLE mail_reservation (
    message_id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    granted INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE mail_recipient (
    recipient TEXT NOT NULL COLLATE NOCASE,
    at INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    PRIMARY KEY (recipient, at, message_id)
) WITHOUT ROWID;
