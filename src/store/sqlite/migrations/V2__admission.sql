-- Of a run that a concurrency limit holds: its playbook. Others have none, and cost nothing here.
ALTER TABLE run ADD COLUMN limited INTEGER;
CREATE INDEX run_limited ON run (limited, status, id) WHERE limited IS NOT NULL AND status IN ('Running', 'Waiting');

-- What a run was delivered when that is not all its event holds: an element of a split report.
CREATE TABLE run_part (
    event BLOB NOT NULL,
    run BLOB NOT NULL,
    body INTEGER,                                -- body.id of the outputs, or
    outputs BLOB,                                -- the outputs themselves, dense
    PRIMARY KEY (event, run)
) WITHOUT ROWID;
