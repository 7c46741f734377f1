-- The workspace: what an incident holds beyond what a run gives it, and what hangs on incidents.
-- Names are GUIDs as 16 bytes, or text of which case does not count. Who made or changed something is JSON (incident::Actor).

ALTER TABLE incident ADD COLUMN owner_type TEXT;
ALTER TABLE incident ADD COLUMN created_by TEXT;                  -- where its run does not say so
ALTER TABLE incident ADD COLUMN comments INTEGER NOT NULL DEFAULT 0;
ALTER TABLE incident ADD COLUMN alerts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE incident ADD COLUMN bookmarks INTEGER NOT NULL DEFAULT 0;
-- What its alerts have in common; JSON lists, NULL where empty.
ALTER TABLE incident ADD COLUMN alert_products TEXT;
ALTER TABLE incident ADD COLUMN tactics TEXT;
ALTER TABLE incident ADD COLUMN techniques TEXT;
ALTER TABLE incident ADD COLUMN analytic_rules TEXT;
ALTER TABLE incident ADD COLUMN merged_into INTEGER;
-- incident.id is its name. Those that runs make are in order of age, so that the hot path appends here.
CREATE UNIQUE INDEX incident_name ON incident (id COLLATE NOCASE);

-- Which incidents have a label, exactly so written; incident.tags has them in order.
CREATE TABLE incident_label (
    label TEXT NOT NULL,
    incident INTEGER NOT NULL,
    PRIMARY KEY (label, incident)
) WITHOUT ROWID;
INSERT OR IGNORE INTO incident_label (label, incident) SELECT j.value, i.number FROM incident i, json_each(i.tags) j;

-- What the log needs of an incident that is gone.
CREATE TABLE incident_gone (
    number INTEGER PRIMARY KEY,
    name BLOB NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    deleted INTEGER NOT NULL
);

-- Of an incident there are a hundred at most, so nothing but the name needs an index; ids grow with age.
CREATE TABLE comment (
    id INTEGER PRIMARY KEY,
    incident INTEGER NOT NULL,
    name BLOB NOT NULL COLLATE NOCASE,
    etag BLOB NOT NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    author TEXT NOT NULL,
    message TEXT NOT NULL
);
CREATE UNIQUE INDEX comment_name ON comment (incident, name);

CREATE TABLE task (
    id INTEGER PRIMARY KEY,
    incident INTEGER NOT NULL,
    name BLOB NOT NULL COLLATE NOCASE,
    etag BLOB NOT NULL,
    status TEXT NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    modified INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT
);
CREATE UNIQUE INDEX task_name ON task (incident, name);
-- Tasks are also asked for by their name alone.
CREATE INDEX task_alone ON task (name);

CREATE TABLE relation (
    id INTEGER PRIMARY KEY,
    incident INTEGER NOT NULL,
    name BLOB NOT NULL COLLATE NOCASE,
    etag BLOB NOT NULL,
    kind TEXT NOT NULL,                          -- Alert or Bookmark
    related BLOB NOT NULL COLLATE NOCASE,        -- alert.name, or the name of a document
    created INTEGER NOT NULL
);
CREATE UNIQUE INDEX relation_name ON relation (incident, name);
CREATE UNIQUE INDEX relation_related ON relation (related, kind, incident);

CREATE TABLE alert (
    id INTEGER PRIMARY KEY,                      -- grows with age
    name BLOB NOT NULL UNIQUE COLLATE NOCASE,
    etag BLOB NOT NULL,
    severity TEXT NOT NULL,
    received INTEGER NOT NULL,
    title TEXT NOT NULL,
    properties TEXT NOT NULL                     -- JSON
);

-- What alerts concern, each thing once.
CREATE TABLE entity (
    id INTEGER PRIMARY KEY,
    name BLOB NOT NULL UNIQUE,                   -- a UUID that follows from kind and identity
    kind TEXT NOT NULL,
    properties TEXT NOT NULL                     -- JSON
);
CREATE TABLE alert_entity (
    alert INTEGER NOT NULL,                      -- alert.id
    place INTEGER NOT NULL,                      -- its place among the alert's entities
    entity INTEGER NOT NULL,                     -- entity.id
    PRIMARY KEY (alert, place)
) WITHOUT ROWID;
CREATE INDEX alert_entity_of ON alert_entity (entity, alert);

-- Bookmarks, automation rules and others that are kept as they were written.
CREATE TABLE document (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    parent BLOB NOT NULL COLLATE NOCASE,         -- an empty text where there is none
    name BLOB NOT NULL COLLATE NOCASE,
    etag BLOB NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    modified INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    properties TEXT NOT NULL                     -- JSON
);
CREATE UNIQUE INDEX document_name ON document (kind, parent, name);

-- Never deleted. An incident's creation has no row: the incident tells of it.
CREATE TABLE activity (
    id INTEGER PRIMARY KEY,
    incident INTEGER NOT NULL,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    what BLOB NOT NULL                           -- dense JSON (incident::ActivityKind)
);
CREATE INDEX activity_incident ON activity (incident, id);

-- What happened and was not dealt with yet, of an incident or an alert. A number is not given again: it was settled.
CREATE TABLE workspace_event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    causes TEXT NOT NULL,                        -- JSON
    alert BLOB,                                  -- its name, or
    incident BLOB,                               -- the incident as it stood then, dense JSON, and
    what BLOB                                    -- what happened to it, dense JSON
);
