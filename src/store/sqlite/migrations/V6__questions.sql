-- What questions about incidents find their answers by. Creating an incident is what everybody waits for, so that it only
-- appends to the three indexes of the queue; everything else is brought up to date in the background.

DROP INDEX incident_queue;
CREATE INDEX incident_queue ON incident (status, severity, created);
CREATE INDEX incident_created ON incident (created);
CREATE INDEX incident_modified ON incident (modified);
CREATE INDEX alert_received ON alert (received);

-- Full text by incident.number. It holds no text of its own.
CREATE VIRTUAL TABLE incident_text USING fts5(
    title, description, comments, entities, owner,
    content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
-- Exact values (title, owner, products of alerts, sender of the mail) as one word each, a hash, by incident.number.
CREATE VIRTUAL TABLE incident_key USING fts5(
    keys, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);
-- Both know the incidents up to this one, save those that are stale.
INSERT INTO counter VALUES ('incidents indexed', 0);
CREATE TABLE incident_stale (
    incident INTEGER PRIMARY KEY,
    mark INTEGER NOT NULL                        -- another one after every change
);
CREATE TRIGGER incident_changed AFTER UPDATE OF etag ON incident BEGIN
    INSERT OR REPLACE INTO incident_stale VALUES (new.number, random());
END;
CREATE TRIGGER incident_deleted AFTER DELETE ON incident BEGIN
    INSERT OR REPLACE INTO incident_stale VALUES (old.number, random());
END;
CREATE TRIGGER alert_changed AFTER UPDATE ON alert BEGIN
    INSERT OR REPLACE INTO incident_stale
        SELECT incident, random() FROM relation WHERE related = new.name AND kind = 'Alert';
END;
