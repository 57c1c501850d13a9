-- The law desk: versions of the table of jurisdictions, proposals, and where tables come from.

-- The account of whoever runs the gateway: roles that change the table belong to it. What they do
-- stands in its log.
INSERT INTO account (id, settings, created_at) VALUES ('system', '{}', 0);

-- The versions that were in force, in order; the newest is in force.
CREATE TABLE table_version (
    version     BIGINT PRIMARY KEY,
    digest      TEXT COLLATE "C" NOT NULL REFERENCES jurisdiction_table (digest),
    in_force_at BIGINT NOT NULL,
    document    TEXT COLLATE "C" NOT NULL,
    salt        TEXT COLLATE "C" NOT NULL
);

-- A table that loosens something waits for a second person. Decided proposals stay.
CREATE TABLE proposal (
    uid         TEXT COLLATE "C" PRIMARY KEY,
    digest      TEXT COLLATE "C" NOT NULL REFERENCES jurisdiction_table (digest),
    base        TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    credential  TEXT COLLATE "C" NOT NULL,
    person      TEXT COLLATE "C" NOT NULL,
    document    TEXT COLLATE "C" NOT NULL,
    proposed_at BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    decided_at  BIGINT,
    decision    TEXT COLLATE "C",
    salt        TEXT COLLATE "C" NOT NULL
);

CREATE UNIQUE INDEX proposal_open ON proposal (digest) WHERE state = 'open';
CREATE INDEX proposal_by_time ON proposal (proposed_at, uid);

-- The last table that the watched file, or the program, has offered.
CREATE TABLE table_source (
    origin TEXT COLLATE "C" PRIMARY KEY,
    digest TEXT COLLATE "C" NOT NULL
);

-- How an account's own counsel reads the law of a place. What asks less waits for a second person, and so
-- does the end of what asks more. They are kept for ever.
CREATE TABLE reading (
    account         TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    id              TEXT COLLATE "C" NOT NULL,
    code            TEXT COLLATE "C" NOT NULL,
    document        TEXT COLLATE "C" NOT NULL,
    credential      TEXT COLLATE "C" NOT NULL,
    person          TEXT COLLATE "C" NOT NULL,
    proposed_at     BIGINT NOT NULL,
    approver        TEXT COLLATE "C",
    in_force_at     BIGINT,
    end_proposer    TEXT COLLATE "C",
    end_proposed_at BIGINT,
    ended_at        BIGINT,
    decision        TEXT COLLATE "C",
    salt            TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account, id)
);

-- Where the law desk lets an account read the law otherwise than the table has it.
CREATE TABLE reading_allowance (
    account    TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    code       TEXT COLLATE "C" NOT NULL,
    document   TEXT COLLATE "C" NOT NULL,
    allowed_at BIGINT NOT NULL,
    salt       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account, code)
);

CREATE FUNCTION jurisdiction_table_is_never_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a table that decided is kept for ever';
END $$;

CREATE TRIGGER jurisdiction_table_is_never_changed BEFORE UPDATE ON jurisdiction_table
FOR EACH ROW EXECUTE FUNCTION jurisdiction_table_is_never_changed();

CREATE FUNCTION jurisdiction_table_is_never_deleted() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a table that decided is kept for ever';
END $$;

CREATE TRIGGER jurisdiction_table_is_never_deleted BEFORE DELETE ON jurisdiction_table
FOR EACH ROW EXECUTE FUNCTION jurisdiction_table_is_never_deleted();

CREATE TRIGGER jurisdiction_table_is_never_emptied BEFORE TRUNCATE ON jurisdiction_table
FOR EACH STATEMENT EXECUTE FUNCTION jurisdiction_table_is_never_deleted();

CREATE FUNCTION table_version_is_never_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history of the table is append-only';
END $$;

CREATE TRIGGER table_version_is_never_changed BEFORE UPDATE ON table_version
FOR EACH ROW EXECUTE FUNCTION table_version_is_never_changed();

CREATE FUNCTION table_version_is_never_deleted() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history of the table is append-only';
END $$;

CREATE TRIGGER table_version_is_never_deleted BEFORE DELETE ON table_version
FOR EACH ROW EXECUTE FUNCTION table_version_is_never_deleted();

CREATE TRIGGER table_version_is_never_emptied BEFORE TRUNCATE ON table_version
FOR EACH STATEMENT EXECUTE FUNCTION table_version_is_never_deleted();

CREATE FUNCTION reading_is_kept() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a reading is kept for ever';
END $$;

CREATE TRIGGER reading_says_the_same_for_ever BEFORE UPDATE ON reading
FOR EACH ROW WHEN (NEW.account <> OLD.account OR NEW.id <> OLD.id OR NEW.document <> OLD.document)
EXECUTE FUNCTION reading_is_kept();

CREATE TRIGGER reading_is_never_deleted BEFORE DELETE ON reading
FOR EACH ROW EXECUTE FUNCTION reading_is_kept();

CREATE TRIGGER reading_is_never_emptied BEFORE TRUNCATE ON reading
FOR EACH STATEMENT EXECUTE FUNCTION reading_is_kept();

-- How long a recording is kept, by the law that was in force when it was accepted: at least and at most, in words;
-- before when it may not be deleted, and when it has to be gone.
ALTER TABLE recording ADD COLUMN kept_at_least TEXT COLLATE "C";
ALTER TABLE recording ADD COLUMN kept_at_most TEXT COLLATE "C";
ALTER TABLE recording ADD COLUMN keep_until BIGINT;
ALTER TABLE recording ADD COLUMN delete_by BIGINT;

CREATE INDEX recording_due ON recording (delete_by, id) WHERE delete_by IS NOT NULL AND deleted_at IS NULL AND NOT held;
