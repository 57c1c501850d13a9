-- The law desk: versions of the table of jurisdictions, proposals, and where tables come from.

-- The account of whoever runs the gateway: roles that change the table belong to it. What they do
-- stands in its log.
INSERT INTO account (id, settings, created_at) VALUES ('system', '{}', 0);

-- The versions that were in force, in order; the newest is in force.
CREATE TABLE table_version (
    version     INTEGER PRIMARY KEY,
    digest      TEXT NOT NULL REFERENCES jurisdiction_table (digest),
    in_force_at INTEGER NOT NULL,
    document    TEXT NOT NULL,
    salt        TEXT NOT NULL
) STRICT;

-- A table that loosens something waits for a second person. Decided proposals stay.
CREATE TABLE proposal (
    uid         TEXT PRIMARY KEY,
    digest      TEXT NOT NULL REFERENCES jurisdiction_table (digest),
    base        TEXT NOT NULL,
    state       TEXT NOT NULL,
    credential  TEXT NOT NULL,
    person      TEXT NOT NULL,
    document    TEXT NOT NULL,
    proposed_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    decided_at  INTEGER,
    decision    TEXT,
    salt        TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX proposal_open ON proposal (digest) WHERE state = 'open';
CREATE INDEX proposal_by_time ON proposal (proposed_at, uid);

-- The last table that the watched file, or the program, has offered.
CREATE TABLE table_source (
    origin TEXT PRIMARY KEY,
    digest TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How an account's own counsel reads the law of a place. What asks less waits for a second person, and so
-- does the end of what asks more. They are kept for ever.
CREATE TABLE reading (
    account         TEXT NOT NULL REFERENCES account (id),
    id              TEXT NOT NULL,
    code            TEXT NOT NULL,
    document        TEXT NOT NULL,
    credential      TEXT NOT NULL,
    person          TEXT NOT NULL,
    proposed_at     INTEGER NOT NULL,
    approver        TEXT,
    in_force_at     INTEGER,
    end_proposer    TEXT,
    end_proposed_at INTEGER,
    ended_at        INTEGER,
    decision        TEXT,
    salt            TEXT NOT NULL,
    PRIMARY KEY (account, id)
) STRICT;

-- Where the law desk lets an account read the law otherwise than the table has it.
CREATE TABLE reading_allowance (
    account    TEXT NOT NULL REFERENCES account (id),
    code       TEXT NOT NULL,
    document   TEXT NOT NULL,
    allowed_at INTEGER NOT NULL,
    salt       TEXT NOT NULL,
    PRIMARY KEY (account, code)
) STRICT;

-- `INSERT OR REPLACE` takes a row away without asking the triggers for DELETE.
CREATE TRIGGER jurisdiction_table_is_never_replaced BEFORE INSERT ON jurisdiction_table
WHEN EXISTS (SELECT 1 FROM jurisdiction_table WHERE digest = NEW.digest AND text <> NEW.text)
BEGIN
    SELECT RAISE(ROLLBACK, 'a table that decided is kept for ever');
END;

CREATE TRIGGER table_version_is_never_replaced BEFORE INSERT ON table_version
WHEN EXISTS (SELECT 1 FROM table_version WHERE version = NEW.version)
BEGIN
    SELECT RAISE(ROLLBACK, 'the history of the table is append-only');
END;

CREATE TRIGGER jurisdiction_table_is_never_changed BEFORE UPDATE ON jurisdiction_table
BEGIN
    SELECT RAISE(ROLLBACK, 'a table that decided is kept for ever');
END;

CREATE TRIGGER jurisdiction_table_is_never_deleted BEFORE DELETE ON jurisdiction_table
BEGIN
    SELECT RAISE(ROLLBACK, 'a table that decided is kept for ever');
END;

CREATE TRIGGER table_version_is_never_changed BEFORE UPDATE ON table_version
BEGIN
    SELECT RAISE(ROLLBACK, 'the history of the table is append-only');
END;

CREATE TRIGGER table_version_is_never_deleted BEFORE DELETE ON table_version
BEGIN
    SELECT RAISE(ROLLBACK, 'the history of the table is append-only');
END;

CREATE TRIGGER reading_is_never_replaced BEFORE INSERT ON reading
WHEN EXISTS (SELECT 1 FROM reading WHERE account = NEW.account AND id = NEW.id)
BEGIN
    SELECT RAISE(ROLLBACK, 'a reading is kept for ever');
END;

CREATE TRIGGER reading_says_the_same_for_ever BEFORE UPDATE ON reading
WHEN NEW.account <> OLD.account OR NEW.id <> OLD.id OR NEW.document <> OLD.document
BEGIN
    SELECT RAISE(ROLLBACK, 'a reading is kept for ever');
END;

CREATE TRIGGER reading_is_never_deleted BEFORE DELETE ON reading
BEGIN
    SELECT RAISE(ROLLBACK, 'a reading is kept for ever');
END;

-- How long a recording is kept, by the law that was in force when it was accepted: at least and at most, in words;
-- before when it may not be deleted, and when it has to be gone.
ALTER TABLE recording ADD COLUMN kept_at_least TEXT;
ALTER TABLE recording ADD COLUMN kept_at_most TEXT;
ALTER TABLE recording ADD COLUMN keep_until INTEGER;
ALTER TABLE recording ADD COLUMN delete_by INTEGER;

CREATE INDEX recording_due ON recording (delete_by, id) WHERE delete_by IS NOT NULL AND deleted_at IS NULL AND NOT held;
