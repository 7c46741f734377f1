-- Runs that repeat others: who asked for them, and what they keep of the runs they repeat. A row goes with its run.
CREATE TABLE resubmission (
    run BLOB PRIMARY KEY,
    of BLOB NOT NULL,                            -- the run it repeats
    root BLOB NOT NULL,                          -- the run that the report itself started
    event BLOB NOT NULL,
    start TEXT NOT NULL,
    by TEXT NOT NULL,                            -- JSON (incident::Actor)
    key TEXT,                                    -- the Idempotency-Key it was asked for with
    effects BLOB NOT NULL,                       -- the run whose effects' identities it has
    kept BLOB                                    -- what is kept of the run it repeats, a dense bundle
);
-- Keys of one run are different; where there are none, it is the index of the repeated run.
CREATE UNIQUE INDEX resubmission_of ON resubmission (of, key);
CREATE INDEX resubmission_root ON resubmission (root);
CREATE INDEX resubmission_event ON resubmission (event);
