-- The ledger: accounts and what belongs to them, calls, recordings, and the audit trail's entries.
-- Times are milliseconds since 1970-01-01T00:00:00Z. Documents are JSON.

CREATE TABLE account (
    id                TEXT COLLATE "C" PRIMARY KEY,
    operator_location TEXT COLLATE "C",
    recorder_location TEXT COLLATE "C",
    settings          TEXT COLLATE "C" NOT NULL,
    -- The credential that may provision it, if any: of the system's account, so that it is named and not referred to.
    provisioner       TEXT COLLATE "C",
    -- Raised by every entry that may restrict calls that it is no entry of: whoever has folded one reads it again.
    restrictions      BIGINT NOT NULL DEFAULT 0,
    created_at        BIGINT NOT NULL
);

CREATE INDEX account_by_provisioner ON account (provisioner, id) WHERE provisioner IS NOT NULL;

-- A platform's own ids of accounts, which the doors take like the account's. None is an account's id, or differs from
-- another in case alone.
CREATE TABLE account_alias (
    folded   TEXT COLLATE "C" PRIMARY KEY,
    alias    TEXT COLLATE "C" NOT NULL,
    account  TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    uid      TEXT COLLATE "C" NOT NULL UNIQUE,
    added_at BIGINT NOT NULL,
    salt     TEXT COLLATE "C" NOT NULL
);

CREATE INDEX account_alias_by_account ON account_alias (account, folded);

-- People: what takes two takes two of these. By their folded name there is one of each in an account; the
-- first two count from the start, the others once they are confirmed.
CREATE TABLE person (
    id          TEXT COLLATE "C" PRIMARY KEY,
    account     TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    folded      TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    founding    BOOLEAN NOT NULL,
    enrolled_at BIGINT NOT NULL,
    salt        TEXT COLLATE "C" NOT NULL,
    UNIQUE (account, folded)
);

CREATE TABLE person_confirmed (
    account      TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    person       TEXT COLLATE "C" NOT NULL REFERENCES person (id),
    confirmer    TEXT COLLATE "C" NOT NULL REFERENCES person (id),
    confirmed_at BIGINT NOT NULL,
    PRIMARY KEY (person, confirmer)
);

CREATE TABLE credential (
    username   TEXT COLLATE "C" PRIMARY KEY,
    account    TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    role       TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    person     TEXT COLLATE "C" REFERENCES person (id),
    -- The credential that has provisioned it, if one has: then it is found by its name.
    provisioner TEXT COLLATE "C",
    hash       TEXT COLLATE "C" NOT NULL,
    -- What its uploads need beside being lawful, and what it is told of one that is refused.
    coverage   TEXT COLLATE "C" NOT NULL,
    on_refusal TEXT COLLATE "C" NOT NULL,
    -- For how long they may wait in quarantine.
    quarantine_seconds BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE INDEX credential_by_account ON credential (account, name);

-- The id of a key is the SHA-256 of its SPKI, in hexadecimal.
CREATE TABLE public_key (
    account    TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    id         TEXT COLLATE "C" NOT NULL,
    pem        TEXT COLLATE "C" NOT NULL,
    added_at   BIGINT NOT NULL,
    retired_at BIGINT,
    PRIMARY KEY (account, id)
);

CREATE TABLE prompt (
    account    TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    id         TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    uid        TEXT COLLATE "C" NOT NULL UNIQUE,
    document   TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    superseded_at BIGINT,
    salt       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account, id, version)
);

CREATE TABLE consent_grant (
    account      TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    id           TEXT COLLATE "C" NOT NULL,
    uid          TEXT COLLATE "C" NOT NULL UNIQUE,
    document     TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL,
    withdrawn_at BIGINT,
    salt         TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account, id)
);

-- What a platform's recording settings are: its own documents, as far as they say which calls are recorded.
CREATE TABLE recording_settings (
    account  TEXT COLLATE "C" PRIMARY KEY REFERENCES account (id),
    document TEXT COLLATE "C" NOT NULL,
    set_at   BIGINT NOT NULL,
    salt     TEXT COLLATE "C" NOT NULL
);

-- A call id may be used again once its call has ended: uid tells such calls apart.
CREATE TABLE call (
    uid        TEXT COLLATE "C" PRIMARY KEY,
    account    TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    id         TEXT COLLATE "C" NOT NULL,
    body       TEXT COLLATE "C" NOT NULL,
    opened_at  BIGINT NOT NULL,
    ended_at   BIGINT,
    head       TEXT COLLATE "C" NOT NULL,
    -- Since when its recordings are handed out only for a legal hold: somebody on it is to be erased.
    restricted_at BIGINT
);

CREATE INDEX call_by_id ON call (account, id, opened_at);
CREATE INDEX call_by_time ON call (account, opened_at);

-- The newest call of every id and alias.
CREATE TABLE call_name (
    account TEXT COLLATE "C" NOT NULL,
    name    TEXT COLLATE "C" NOT NULL,
    call    TEXT COLLATE "C" NOT NULL REFERENCES call (uid),
    PRIMARY KEY (account, name)
);

CREATE INDEX call_name_by_call ON call_name (call);

-- Who is behind the numbers that a call's entries use. Erasable.
CREATE TABLE participant (
    call          TEXT COLLATE "C" NOT NULL REFERENCES call (uid),
    participant   BIGINT NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    number        TEXT COLLATE "C",
    ip            TEXT COLLATE "C",
    consent_grant TEXT COLLATE "C",
    PRIMARY KEY (call, participant),
    UNIQUE (call, id)
);

CREATE INDEX participant_by_id ON participant (id);
CREATE INDEX participant_by_grant ON participant (consent_grant) WHERE consent_grant IS NOT NULL;

-- The logs: one for each account, and one for the system. The current epoch of each: how many entries
-- it has, and the right edge of its Merkle tree (the hashes of its maximal complete subtrees, the
-- leftmost first). Whoever appends holds this row.
CREATE TABLE log (
    id      TEXT COLLATE "C" PRIMARY KEY,
    epoch   BIGINT NOT NULL,
    size    BIGINT NOT NULL,
    edge    BYTEA NOT NULL,
    last_at BIGINT NOT NULL
);

-- The sum of what is registered of each log, and its newest entry that commits to it: see
-- `trail::registers`. Salts keep what is committed to of a row from being guessed; they go with what they salt.
CREATE TABLE register (
    log   TEXT COLLATE "C" PRIMARY KEY,
    epoch BIGINT NOT NULL,
    seq   BIGINT NOT NULL,
    sum   TEXT COLLATE "C" NOT NULL
);

-- Epochs that go on no longer: their last head. What was in them may be dropped.
CREATE TABLE closed_log (
    id         TEXT COLLATE "C" NOT NULL,
    epoch      BIGINT NOT NULL,
    size       BIGINT NOT NULL,
    root       BYTEA NOT NULL,
    note       TEXT COLLATE "C",
    closed_at  BIGINT NOT NULL,
    dropped_at BIGINT,
    PRIMARY KEY (id, epoch)
);

-- Append-only: the leaf's exact bytes and its RFC 6962 hash. A leaf has at
-- most 65,535 bytes.
CREATE TABLE entry (
    log       TEXT COLLATE "C" NOT NULL,
    epoch     BIGINT NOT NULL,
    seq       BIGINT NOT NULL,
    id        TEXT COLLATE "C" NOT NULL,
    call      TEXT COLLATE "C",
    at        BIGINT NOT NULL,
    type      TEXT COLLATE "C" NOT NULL,
    leaf      BYTEA NOT NULL,
    leaf_hash BYTEA NOT NULL,
    PRIMARY KEY (log, epoch, seq)
);

CREATE INDEX entry_by_call ON entry (call, epoch, seq) WHERE call IS NOT NULL;
CREATE INDEX entry_by_type ON entry (log, type, epoch, seq);

-- Which moment lies where: the first entry of every stretch of 256, for questions by time.
CREATE TABLE entry_time (
    log   TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL,
    seq   BIGINT NOT NULL,
    at    BIGINT NOT NULL,
    PRIMARY KEY (log, at, epoch, seq)
);

-- The hashes of complete subtrees of 256, 65,536, … leaves (level 1, 2, …): what tiles are made of.
-- Level 0 is in `entry`.
CREATE TABLE node (
    log   TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL,
    level BIGINT NOT NULL,
    idx   BIGINT NOT NULL,
    hash  BYTEA NOT NULL,
    PRIMARY KEY (log, epoch, level, idx)
);

CREATE FUNCTION entry_is_never_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only';
END $$;

CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry
FOR EACH ROW EXECUTE FUNCTION entry_is_never_changed();

CREATE TRIGGER entry_is_never_emptied BEFORE TRUNCATE ON entry
FOR EACH STATEMENT EXECUTE FUNCTION entry_is_never_changed();

CREATE FUNCTION entry_is_never_deleted() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    dropped BOOLEAN;
BEGIN
    -- By its full name: a temporary table of that name would be found before it.
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I.closed_log WHERE id = $1 AND epoch = $2 AND dropped_at IS NOT NULL)',
        TG_TABLE_SCHEMA) INTO dropped USING OLD.log, OLD.epoch;
    IF dropped THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit trail is append-only';
END $$;

CREATE TRIGGER entry_is_never_deleted BEFORE DELETE ON entry
FOR EACH ROW EXECUTE FUNCTION entry_is_never_deleted();

CREATE FUNCTION node_is_never_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only';
END $$;

CREATE TRIGGER node_is_never_changed BEFORE UPDATE ON node
FOR EACH ROW EXECUTE FUNCTION node_is_never_changed();

CREATE TRIGGER node_is_never_emptied BEFORE TRUNCATE ON node
FOR EACH STATEMENT EXECUTE FUNCTION node_is_never_changed();

CREATE FUNCTION node_is_never_deleted() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    dropped BOOLEAN;
BEGIN
    -- By its full name: a temporary table of that name would be found before it.
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I.closed_log WHERE id = $1 AND epoch = $2 AND dropped_at IS NOT NULL)',
        TG_TABLE_SCHEMA) INTO dropped USING OLD.log, OLD.epoch;
    IF dropped THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit trail is append-only';
END $$;

CREATE TRIGGER node_is_never_deleted BEFORE DELETE ON node
FOR EACH ROW EXECUTE FUNCTION node_is_never_deleted();

-- What a leaf commits to without holding it: outsiders' strings, and people's data. Erasable.
CREATE TABLE detail (
    log      TEXT COLLATE "C" NOT NULL,
    epoch    BIGINT NOT NULL,
    seq      BIGINT NOT NULL,
    salt     BYTEA NOT NULL,
    document TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (log, epoch, seq)
);

-- What auditors ask for: which calls have to do with a pseudonym, a place, a rule, a prompt.
CREATE TABLE call_mention (
    log  TEXT COLLATE "C" NOT NULL,
    key  TEXT COLLATE "C" NOT NULL,
    call TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (log, key, call)
);

-- Which entries that belong to no call have to do with a recording, or with who listened.
CREATE TABLE entry_mention (
    log   TEXT COLLATE "C" NOT NULL,
    key   TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL,
    seq   BIGINT NOT NULL,
    PRIMARY KEY (log, key, epoch, seq)
);

CREATE INDEX entry_mention_by_place ON entry_mention (log, epoch, seq);

-- Signed heads: the newest of each epoch, and those that are kept.
CREATE TABLE checkpoint (
    log       TEXT COLLATE "C" NOT NULL,
    epoch     BIGINT NOT NULL,
    size      BIGINT NOT NULL,
    note      TEXT COLLATE "C" NOT NULL,
    signed_at BIGINT NOT NULL,
    kept      BOOLEAN NOT NULL,
    PRIMARY KEY (log, epoch, size)
);

-- What others have said of a signed head: cosignatures and time stamps.
CREATE TABLE anchor (
    log      TEXT COLLATE "C" NOT NULL,
    epoch    BIGINT NOT NULL,
    size     BIGINT NOT NULL,
    kind     TEXT COLLATE "C" NOT NULL,
    name     TEXT COLLATE "C" NOT NULL,
    evidence BYTEA NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (log, epoch, size, kind, name)
);

-- The sender's ids of events, which make a retry harmless.
CREATE TABLE sent_event (
    call   TEXT COLLATE "C" NOT NULL,
    id     TEXT COLLATE "C" NOT NULL,
    digest BYTEA NOT NULL,
    PRIMARY KEY (call, id)
);

CREATE TABLE recording (
    id           TEXT COLLATE "C" PRIMARY KEY,
    account      TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    call         TEXT COLLATE "C" NOT NULL REFERENCES call (uid),
    name         TEXT COLLATE "C" NOT NULL,
    fingerprint  BYTEA NOT NULL,
    uploader     TEXT COLLATE "C" NOT NULL,
    bytes        BIGINT NOT NULL,
    duration_ms  BIGINT NOT NULL,
    content_type TEXT COLLATE "C" NOT NULL,
    envelope     TEXT COLLATE "C",
    enveloped    BOOLEAN NOT NULL DEFAULT FALSE,
    accepted_at  BIGINT NOT NULL,
    -- When it was recorded: where its first stretch begins and its last one ends.
    recorded_from  BIGINT NOT NULL,
    recorded_until BIGINT NOT NULL,
    -- Its stretches, the numbers of who was there, and what it may be listened to for, as JSON.
    about        TEXT COLLATE "C" NOT NULL,
    -- Where its media lie in a pack; none if they are an object of their own.
    place        TEXT COLLATE "C",
    held         BOOLEAN NOT NULL DEFAULT FALSE,
    deleted_at   BIGINT,
    swept        BOOLEAN NOT NULL DEFAULT FALSE,
    UNIQUE (call, name)
);

CREATE INDEX recording_by_account ON recording (account, accepted_at, id);
CREATE INDEX recording_by_name ON recording (account, name);
CREATE INDEX recording_held ON recording (account, id) WHERE held;
CREATE INDEX recording_by_time ON recording (account, recorded_from);
CREATE INDEX recording_unfinished ON recording (id) WHERE NOT enveloped OR (deleted_at IS NOT NULL AND NOT swept);

-- Uploads that nobody could decide on yet. Their media lie in the store; their envelopes are here, each locked with a
-- secret of its own, which is in a file outside of this ledger.
CREATE TABLE quarantine (
    -- The id of the recording that it may become.
    id          TEXT COLLATE "C" PRIMARY KEY,
    account     TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    uploader    TEXT COLLATE "C" NOT NULL,
    -- By this the same upload is known again.
    identity    BYTEA NOT NULL,
    fingerprint BYTEA NOT NULL,
    -- How it came, what its sender said of it and what was measured, as JSON.
    document    TEXT COLLATE "C" NOT NULL,
    place       TEXT COLLATE "C",
    locked      BYTEA,
    received_at BIGINT NOT NULL,
    until_at    BIGINT NOT NULL,
    ended_at    BIGINT,
    swept       BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE UNIQUE INDEX quarantine_by_identity ON quarantine (account, identity);
CREATE INDEX quarantine_by_account ON quarantine (account, received_at, id) WHERE ended_at IS NULL;
CREATE INDEX quarantine_by_end ON quarantine (until_at, id) WHERE ended_at IS NULL;
CREATE INDEX quarantine_ended ON quarantine (ended_at, id) WHERE ended_at IS NOT NULL;

-- Phone number (as a keyed tag) to the key of its pseudonyms. Erasable.
CREATE TABLE subject (
    tag        BYTEA PRIMARY KEY,
    key        BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

-- Every table that ever decided.
CREATE TABLE jurisdiction_table (
    digest        TEXT COLLATE "C" PRIMARY KEY,
    text          TEXT COLLATE "C" NOT NULL,
    first_used_at BIGINT NOT NULL
);

-- What accounts with a webhook are still to be told, in order: ids and the gateway's own words. What is delivered is
-- removed. An id is that of the entry, if it tells of one.
CREATE TABLE legal_hold (
    uid            TEXT COLLATE "C" PRIMARY KEY,
    account        TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    id             TEXT COLLATE "C" NOT NULL,
    -- What it is limited by. It covers every recording that meets all of these.
    recording      TEXT COLLATE "C",
    call           TEXT COLLATE "C",
    subject        TEXT COLLATE "C",
    participant    TEXT COLLATE "C",
    recorded_from  BIGINT,
    recorded_until BIGINT,
    document       TEXT COLLATE "C" NOT NULL,
    set_at         BIGINT NOT NULL,
    salt           TEXT COLLATE "C" NOT NULL,
    UNIQUE (account, id)
);

-- Erasures that a legal hold prevents.
CREATE TABLE waiting_erasure (
    uid      TEXT COLLATE "C" PRIMARY KEY,
    account  TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    document TEXT COLLATE "C" NOT NULL,
    asked_at BIGINT NOT NULL,
    salt     TEXT COLLATE "C" NOT NULL
);

CREATE INDEX waiting_erasure_by_account ON waiting_erasure (account, asked_at);

CREATE TABLE notification (
    id        TEXT COLLATE "C" PRIMARY KEY,
    seq       BIGINT NOT NULL UNIQUE,
    account   TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    kind      TEXT COLLATE "C" NOT NULL,
    call      TEXT COLLATE "C",
    recording TEXT COLLATE "C",
    action    TEXT COLLATE "C",
    queued_at BIGINT NOT NULL,
    attempts  BIGINT NOT NULL DEFAULT 0,
    -- When it is tried next. While a gateway tries it: when another may.
    due_at    BIGINT NOT NULL,
    -- What the last attempt came to: a status, or a word.
    outcome   TEXT COLLATE "C",
    failed_at BIGINT
);

CREATE INDEX notification_by_account ON notification (account, seq);
CREATE INDEX notification_by_call ON notification (call, seq);
CREATE INDEX notification_due ON notification (due_at) WHERE failed_at IS NULL;

-- Every gateway that serves: when all that had come to it was logged. One that is no longer renewed has left
-- something in doubt.
CREATE TABLE mark (
    id      TEXT COLLATE "C" PRIMARY KEY,
    well_at BIGINT NOT NULL
);

-- With which secrets the ledger is written, by their files: a keyed hash of each; empty for one that may be
-- changed. One that is missing or another is found before anything is done with it.
CREATE TABLE secret (
    name TEXT COLLATE "C" PRIMARY KEY,
    mark BYTEA NOT NULL
);

-- Written again and again to prove that the trail can be written: with room for an entry.
CREATE TABLE probe (
    one    BIGINT PRIMARY KEY CHECK (one = 1),
    filler BYTEA NOT NULL
);

-- Who holds this row writes: gateways queue on it, so that what is expected is asked, and what is
-- appended is numbered, by one at a time.
CREATE TABLE turn (
    one BIGINT PRIMARY KEY CHECK (one = 1)
);

INSERT INTO turn (one) VALUES (1);
