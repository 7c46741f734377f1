-- Incidents that changed since they were indexed wait in the order in which they changed first, so that each has its turn.

DROP TRIGGER incident_changed;
DROP TRIGGER incident_deleted;
DROP TRIGGER alert_changed;
ALTER TABLE incident_stale RENAME TO incident_stale_before;
CREATE TABLE incident_stale (
    turn INTEGER PRIMARY KEY AUTOINCREMENT,      -- never given again: with the mark it names a change for ever
    incident INTEGER NOT NULL UNIQUE,
    mark INTEGER NOT NULL DEFAULT 1              -- another one after every change
);
INSERT INTO incident_stale (incident) SELECT incident FROM incident_stale_before ORDER BY incident;
DROP TABLE incident_stale_before;

CREATE TRIGGER incident_changed AFTER UPDATE OF etag ON incident BEGIN
    INSERT INTO incident_stale (incident) VALUES (new.number) ON CONFLICT (incident) DO UPDATE SET mark = mark + 1;
END;
CREATE TRIGGER incident_deleted AFTER DELETE ON incident BEGIN
    INSERT INTO incident_stale (incident) VALUES (old.number) ON CONFLICT (incident) DO UPDATE SET mark = mark + 1;
END;
CREATE TRIGGER alert_changed AFTER UPDATE ON alert BEGIN
    INSERT INTO incident_stale (incident) SELECT incident FROM relation WHERE related = new.name AND kind = 'Alert'
        ON CONFLICT (incident) DO UPDATE SET mark = mark + 1;
END;

-- Entities that learned something. An address may be in every alert there is, so that the incidents of one are marked in
-- the background, a portion at a time.
CREATE TABLE entity_stale (
    entity INTEGER PRIMARY KEY,
    after INTEGER NOT NULL DEFAULT 0             -- the incidents of alerts up to this one are marked
);
CREATE TRIGGER entity_changed AFTER UPDATE OF properties ON entity BEGIN
    INSERT INTO entity_stale (entity) VALUES (new.id) ON CONFLICT (entity) DO UPDATE SET after = 0;
END;

-- Before V4 nobody wrote down who made an incident. Those of reports that came to nothing were made by Larum, not by the
-- playbook whose run failed.
UPDATE incident SET created_by = '{"kind":"larum"}' WHERE created_by IS NULL AND run IS NOT NULL
    AND title LIKE 'Unprocessed report: %'
    AND number IN (SELECT incident FROM incident_label WHERE label = 'larum-unprocessed');
