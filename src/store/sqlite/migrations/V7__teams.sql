-- The team that works on an incident; JSON, NULL where there is none.
ALTER TABLE incident ADD COLUMN team TEXT;
