-- A data folder of schema version 3: one run of the playbook `file`, which made incident 7.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE refinery_schema_history(
             version int4 PRIMARY KEY,
             name VARCHAR(255),
             applied_on VARCHAR(255),
             checksum VARCHAR(255));
INSERT INTO refinery_schema_history VALUES(1,'foundation','2026-11-24T15:00:11.079604438Z','6233407478625799975');
INSERT INTO refinery_schema_history VALUES(2,'admission','2026-11-24T15:00:11.079641823Z','7142395627970619580');
INSERT INTO refinery_schema_history VALUES(3,'runs_and_others','2026-11-24T15:00:11.079644978Z','17132771865659378804');
CREATE TABLE playbook (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    version INTEGER,                             -- the last good one, version.id
    withdrawn INTEGER                            -- when it was removed
);
INSERT INTO playbook VALUES(1,'file',1,NULL);
CREATE TABLE version (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    playbook INTEGER NOT NULL REFERENCES playbook (id),
    path TEXT NOT NULL,
    bundle TEXT NOT NULL,
    kept INTEGER NOT NULL
);
INSERT INTO version VALUES(1,'68bc',1,'playbooks/file.yaml','{}',1795532411175918);
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
INSERT INTO feed VALUES(1,'run','file',NULL,NULL,NULL,NULL,NULL,1795532411175918,NULL,NULL,NULL,NULL,1,0,0,0);
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
INSERT INTO event VALUES(X'01a20e12512772a1a61574a518064a4d',1,'manual',1795532411175918,NULL,NULL,NULL,'e.json',X'007b22626f6479223a7b2277686174223a2278227d7d');
CREATE TABLE report_key (
    same BLOB NOT NULL,
    content BLOB NOT NULL,
    event BLOB NOT NULL,
    PRIMARY KEY (same, content)
) WITHOUT ROWID;
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
, limited INTEGER) WITHOUT ROWID;
INSERT INTO run VALUES(X'01a20e12512772a1a61574a6e14c1efc',1,X'01a20e12512772a1a61574a518064a4d',X'31c701efc324193a2b85501658001f7c2f799d10b7504dbe936f7264b5e49111',1795532411175918,'Succeeded',1795532411193913,NULL,NULL,1,NULL);
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
INSERT INTO counter VALUES('incident',0);
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
INSERT INTO incident VALUES(7,X'4f3c2b1a00004000800000000000000a',X'4f3c2b1a00004000800000000000000a',1795532411192296,1795532411192296,'Medium','New',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,X'01a20e12512772a1a61574a6e14c1efc',X'01a20e12512772a1a61574a518064a4d','file','68bc','e.json','stranger','["email","Tür"]','at the door');
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
CREATE TABLE run_part (
    event BLOB NOT NULL,
    run BLOB NOT NULL,
    body INTEGER,                                -- body.id of the outputs, or
    outputs BLOB,                                -- the outputs themselves, dense
    PRIMARY KEY (event, run)
) WITHOUT ROWID;
CREATE TABLE signal (
    run BLOB NOT NULL,
    step TEXT NOT NULL,
    at INTEGER NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (run, step)
) WITHOUT ROWID;
CREATE TABLE reply (
    run BLOB PRIMARY KEY,
    reply BLOB NOT NULL                          -- dense
) WITHOUT ROWID;
DELETE FROM sqlite_sequence;
CREATE INDEX run_status ON run (status, id) WHERE status <> 'Succeeded';
CREATE INDEX timer_until ON timer (until);
CREATE INDEX incident_queue ON incident (status, severity, number);
CREATE INDEX incident_run ON incident (run) WHERE run IS NOT NULL;
CREATE INDEX run_limited ON run (limited, status, id) WHERE limited IS NOT NULL AND status IN ('Running', 'Waiting');
COMMIT;
