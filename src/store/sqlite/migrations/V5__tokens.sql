-- Tokens that let clients in. Of a token only the SHA-256 of its random part is kept. Rows stay when a token is revoked or
-- has expired, so that the activity log's ids can always be told.
CREATE TABLE token (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL COLLATE NOCASE,
    role TEXT NOT NULL,
    hash BLOB NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires INTEGER,
    revoked INTEGER
) WITHOUT ROWID;
CREATE INDEX token_name ON token (name);
