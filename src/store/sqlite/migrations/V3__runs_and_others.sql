-- Answers that runs wait for, given from outside; the first one for a step counts.
CREATE TABLE signal (
    run BLOB NOT NULL,
    step TEXT NOT NULL,
    at INTEGER NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (run, step)
) WITHOUT ROWID;

-- What a run answered its caller.
CREATE TABLE reply (
    run BLOB PRIMARY KEY,
    reply BLOB NOT NULL                          -- dense
) WITHOUT ROWID;
