-- The ledger: accounts and what belongs to them, calls, recordings, and the audit trail's entries.
-- Times are milliseconds since 1970-01-01T00:00:00Z. Documents are JSON.

CREATE TABLE account (
    id                TEXT PRIMARY KEY,
    operator_location TEXT,
    recorder_location TEXT,
    settings          TEXT NOT NULL,
    -- The credential that may provision it, if any: of the system's account, so that it is named and not referred to.
    provisioner       TEXT,
    -- Raised by every entry that may restrict calls that it is no entry of: whoever has folded one reads it again.
    restrictions      INTEGER NOT NULL DEFAULT 0,
    created_at        INTEGER NOT NULL
) STRICT;

CREATE INDEX account_by_provisioner ON account (provisioner, id) WHERE provisioner IS NOT NULL;

-- A platform's own ids of accounts, which the doors take like the account's. None is an account's id, or differs from
-- another in case alone.
CREATE TABLE account_alias (
    folded   TEXT PRIMARY KEY,
    alias    TEXT NOT NULL,
    account  TEXT NOT NULL REFERENCES account (id),
    uid      TEXT NOT NULL UNIQUE,
    added_at INTEGER NOT NULL,
    salt     TEXT NOT NULL
) STRICT;

CREATE INDEX account_alias_by_account ON account_alias (account, folded);

-- People: what takes two takes two of these. By their folded name there is one of each in an account; the
-- first two count from the start, the others once they are confirmed.
CREATE TABLE person (
    id          TEXT PRIMARY KEY,
    account     TEXT NOT NULL REFERENCES account (id),
    folded      TEXT NOT NULL,
    name        TEXT NOT NULL,
    founding    INTEGER NOT NULL,
    enrolled_at INTEGER NOT NULL,
    salt        TEXT NOT NULL,
    UNIQUE (account, folded)
) STRICT;

CREATE TABLE person_confirmed (
    account      TEXT NOT NULL REFERENCES account (id),
    person       TEXT NOT NULL REFERENCES person (id),
    confirmer    TEXT NOT NULL REFERENCES person (id),
    confirmed_at INTEGER NOT NULL,
    PRIMARY KEY (person, confirmer)
) STRICT;

CREATE TABLE credential (
    username   TEXT PRIMARY KEY,
    account    TEXT NOT NULL REFERENCES account (id),
    role       TEXT NOT NULL,
    name       TEXT NOT NULL,
    person     TEXT REFERENCES person (id),
    -- The credential that has provisioned it, if one has: then it is found by its name.
    provisioner TEXT,
    hash       TEXT NOT NULL,
    -- What its uploads need beside being lawful, and what it is told of one that is refused.
    coverage   TEXT NOT NULL,
    on_refusal TEXT NOT NULL,
    -- For how long they may wait in quarantine.
    quarantine_seconds INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;

CREATE INDEX credential_by_account ON credential (account, name);

-- The id of a key is the SHA-256 of its SPKI, in hexadecimal.
CREATE TABLE public_key (
    account    TEXT NOT NULL REFERENCES account (id),
    id         TEXT NOT NULL,
    pem        TEXT NOT NULL,
    added_at   INTEGER NOT NULL,
    retired_at INTEGER,
    PRIMARY KEY (account, id)
) STRICT;

CREATE TABLE prompt (
    account    TEXT NOT NULL REFERENCES account (id),
    id         TEXT NOT NULL,
    version    INTEGER NOT NULL,
    uid        TEXT NOT NULL UNIQUE,
    document   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    superseded_at INTEGER,
    salt       TEXT NOT NULL,
    PRIMARY KEY (account, id, version)
) STRICT;

CREATE TABLE consent_grant (
    account      TEXT NOT NULL REFERENCES account (id),
    id           TEXT NOT NULL,
    uid          TEXT NOT NULL UNIQUE,
    document     TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    withdrawn_at INTEGER,
    salt         TEXT NOT NULL,
    PRIMARY KEY (account, id)
) STRICT;

-- What a platform's recording settings are: its own documents, as far as they say which calls are recorded.
CREATE TABLE recording_settings (
    account  TEXT PRIMARY KEY REFERENCES account (id),
    document TEXT NOT NULL,
    set_at   INTEGER NOT NULL,
    salt     TEXT NOT NULL
) STRICT;

-- A call id may be used again once its call has ended: uid tells such calls apart.
CREATE TABLE call (
    uid        TEXT PRIMARY KEY,
    account    TEXT NOT NULL REFERENCES account (id),
    id         TEXT NOT NULL,
    body       TEXT NOT NULL,
    opened_at  INTEGER NOT NULL,
    ended_at   INTEGER,
    head       TEXT NOT NULL,
    -- Since when its recordings are handed out only for a legal hold: somebody on it is to be erased.
    restricted_at INTEGER
) STRICT;

CREATE INDEX call_by_id ON call (account, id, opened_at);
CREATE INDEX call_by_time ON call (account, opened_at);

-- The newest call of every id and alias.
CREATE TABLE call_name (
    account TEXT NOT NULL,
    name    TEXT NOT NULL,
    call    TEXT NOT NULL REFERENCES call (uid),
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX call_name_by_call ON call_name (call);

-- Who is behind the numbers that a call's entries use. Erasable.
CREATE TABLE participant (
    call          TEXT NOT NULL REFERENCES call (uid),
    participant   INTEGER NOT NULL,
    id            TEXT NOT NULL,
    number        TEXT,
    ip            TEXT,
    consent_grant TEXT,
    PRIMARY KEY (call, participant),
    UNIQUE (call, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX participant_by_id ON participant (id);
CREATE INDEX participant_by_grant ON participant (consent_grant) WHERE consent_grant IS NOT NULL;

-- The logs: one for each account, and one for the system. The current epoch of each: how many entries
-- it has, and the right edge of its Merkle tree (the hashes of its maximal complete subtrees, the
-- leftmost first). Whoever appends holds this row.
CREATE TABLE log (
    id      TEXT PRIMARY KEY,
    epoch   INTEGER NOT NULL,
    size    INTEGER NOT NULL,
    edge    BLOB NOT NULL,
    last_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The sum of what is registered of each log, and its newest entry that commits to it: see
-- `trail::registers`. Salts keep what is committed to of a row from being guessed; they go with what they salt.
CREATE TABLE register (
    log   TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    seq   INTEGER NOT NULL,
    sum   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Epochs that go on no longer: their last head. What was in them may be dropped.
CREATE TABLE closed_log (
    id         TEXT NOT NULL,
    epoch      INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    root       BLOB NOT NULL,
    note       TEXT,
    closed_at  INTEGER NOT NULL,
    dropped_at INTEGER,
    PRIMARY KEY (id, epoch)
) STRICT, WITHOUT ROWID;

-- Append-only: the leaf's exact bytes and its RFC 6962 hash. With rowids, since leaves are large: without
-- them SQLite gives every row of more than a quarter page a page of its own.
CREATE TABLE entry (
    log       TEXT NOT NULL,
    epoch     INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    id        TEXT NOT NULL,
    call      TEXT,
    at        INTEGER NOT NULL,
    type      TEXT NOT NULL,
    leaf      BLOB NOT NULL,
    leaf_hash BLOB NOT NULL,
    PRIMARY KEY (log, epoch, seq)
) STRICT;

CREATE INDEX entry_by_call ON entry (call, epoch, seq) WHERE call IS NOT NULL;
CREATE INDEX entry_by_type ON entry (log, type, epoch, seq);

-- Which moment lies where: the first entry of every stretch of 256, for questions by time.
CREATE TABLE entry_time (
    log   TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq   INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    PRIMARY KEY (log, at, epoch, seq)
) STRICT, WITHOUT ROWID;

-- The hashes of complete subtrees of 256, 65,536, … leaves (level 1, 2, …): what tiles are made of.
-- Level 0 is in `entry`.
CREATE TABLE node (
    log   TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    level INTEGER NOT NULL,
    idx   INTEGER NOT NULL,
    hash  BLOB NOT NULL,
    PRIMARY KEY (log, epoch, level, idx)
) STRICT, WITHOUT ROWID;

-- `INSERT OR REPLACE` takes a row away without asking the triggers for DELETE.
CREATE TRIGGER entry_is_never_replaced BEFORE INSERT ON entry
WHEN EXISTS (SELECT 1 FROM entry WHERE log = NEW.log AND epoch = NEW.epoch AND seq = NEW.seq)
BEGIN
    SELECT RAISE(ROLLBACK, 'the audit trail is append-only');
END;

CREATE TRIGGER node_is_never_replaced BEFORE INSERT ON node
WHEN EXISTS (SELECT 1 FROM node WHERE log = NEW.log AND epoch = NEW.epoch AND level = NEW.level AND idx = NEW.idx)
BEGIN
    SELECT RAISE(ROLLBACK, 'the audit trail is append-only');
END;

CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry
BEGIN
    SELECT RAISE(ROLLBACK, 'the audit trail is append-only');
END;

CREATE TRIGGER entry_is_never_deleted BEFORE DELETE ON entry
WHEN NOT EXISTS (SELECT 1 FROM closed_log WHERE id = OLD.log AND epoch = OLD.epoch AND dropped_at IS NOT NULL)
BEGIN
    SELECT RAISE(ROLLBACK, 'the audit trail is append-only');
END;

CREATE TRIGGER node_is_never_changed BEFORE UPDATE ON node
BEGIN
    SELECT RAISE(ROLLBACK, 'the audit trail is append-only');
END;

CREATE TRIGGER node_is_never_deleted BEFORE DELETE ON node
WHEN NOT EXISTS (SELECT 1 FROM closed_log WHERE id = OLD.log AND epoch = OLD.epoch AND dropped_at IS NOT NULL)
BEGIN
    SELECT RAISE(ROLLBACK, 'the audit trail is append-only');
END;

-- What a leaf commits to without holding it: outsiders' strings, and people's data. Erasable.
CREATE TABLE detail (
    log      TEXT NOT NULL,
    epoch    INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    salt     BLOB NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (log, epoch, seq)
) STRICT, WITHOUT ROWID;

-- What auditors ask for: which calls have to do with a pseudonym, a place, a rule, a prompt.
CREATE TABLE call_mention (
    log  TEXT NOT NULL,
    key  TEXT NOT NULL,
    call TEXT NOT NULL,
    PRIMARY KEY (log, key, call)
) STRICT, WITHOUT ROWID;

-- Which entries that belong to no call have to do with a recording, or with who listened.
CREATE TABLE entry_mention (
    log   TEXT NOT NULL,
    key   TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq   INTEGER NOT NULL,
    PRIMARY KEY (log, key, epoch, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX entry_mention_by_place ON entry_mention (log, epoch, seq);

-- Signed heads: the newest of each epoch, and those that are kept.
CREATE TABLE checkpoint (
    log       TEXT NOT NULL,
    epoch     INTEGER NOT NULL,
    size      INTEGER NOT NULL,
    note      TEXT NOT NULL,
    signed_at INTEGER NOT NULL,
    kept      INTEGER NOT NULL,
    PRIMARY KEY (log, epoch, size)
) STRICT, WITHOUT ROWID;

-- What others have said of a signed head: cosignatures and time stamps.
CREATE TABLE anchor (
    log      TEXT NOT NULL,
    epoch    INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL,
    evidence BLOB NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (log, epoch, size, kind, name)
) STRICT, WITHOUT ROWID;

-- The sender's ids of events, which make a retry harmless.
CREATE TABLE sent_event (
    call   TEXT NOT NULL,
    id     TEXT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (call, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE recording (
    id           TEXT PRIMARY KEY,
    account      TEXT NOT NULL REFERENCES account (id),
    call         TEXT NOT NULL REFERENCES call (uid),
    name         TEXT NOT NULL,
    fingerprint  BLOB NOT NULL,
    uploader     TEXT NOT NULL,
    bytes        INTEGER NOT NULL,
    duration_ms  INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    envelope     TEXT,
    enveloped    INTEGER NOT NULL DEFAULT 0,
    accepted_at  INTEGER NOT NULL,
    -- When it was recorded: where its first stretch begins and its last one ends.
    recorded_from  INTEGER NOT NULL,
    recorded_until INTEGER NOT NULL,
    -- Its stretches, the numbers of who was there, and what it may be listened to for, as JSON.
    about        TEXT NOT NULL,
    -- Where its media lie in a pack; none if they are an object of their own.
    place        TEXT,
    held         INTEGER NOT NULL DEFAULT 0,
    deleted_at   INTEGER,
    swept        INTEGER NOT NULL DEFAULT 0,
    UNIQUE (call, name)
) STRICT;

CREATE INDEX recording_by_account ON recording (account, accepted_at, id);
CREATE INDEX recording_by_name ON recording (account, name);
CREATE INDEX recording_held ON recording (account, id) WHERE held;
CREATE INDEX recording_by_time ON recording (account, recorded_from);
CREATE INDEX recording_unfinished ON recording (id) WHERE enveloped = 0 OR (deleted_at IS NOT NULL AND swept = 0);

-- Uploads that nobody could decide on yet. Their media lie in the store; their envelopes are here, each locked with a
-- secret of its own, which is in a file outside of this ledger.
CREATE TABLE quarantine (
    -- The id of the recording that it may become.
    id          TEXT PRIMARY KEY,
    account     TEXT NOT NULL REFERENCES account (id),
    uploader    TEXT NOT NULL,
    -- By this the same upload is known again.
    identity    BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    -- How it came, what its sender said of it and what was measured, as JSON.
    document    TEXT NOT NULL,
    place       TEXT,
    locked      BLOB,
    received_at INTEGER NOT NULL,
    until_at    INTEGER NOT NULL,
    ended_at    INTEGER,
    swept       INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX quarantine_by_identity ON quarantine (account, identity);
CREATE INDEX quarantine_by_account ON quarantine (account, received_at, id) WHERE ended_at IS NULL;
CREATE INDEX quarantine_by_end ON quarantine (until_at, id) WHERE ended_at IS NULL;
CREATE INDEX quarantine_ended ON quarantine (ended_at, id) WHERE ended_at IS NOT NULL;

-- Phone number (as a keyed tag) to the key of its pseudonyms. Erasable.
CREATE TABLE subject (
    tag        BLOB PRIMARY KEY,
    key        BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every table that ever decided.
CREATE TABLE jurisdiction_table (
    digest        TEXT PRIMARY KEY,
    text          TEXT NOT NULL,
    first_used_at INTEGER NOT NULL
) STRICT;

-- What accounts with a webhook are still to be told, in order: ids and the gateway's own words. What is delivered is
-- removed. An id is that of the entry, if it tells of one.
CREATE TABLE legal_hold (
    uid            TEXT PRIMARY KEY,
    account        TEXT NOT NULL REFERENCES account (id),
    id             TEXT NOT NULL,
    -- What it is limited by. It covers every recording that meets all of these.
    recording      TEXT,
    call           TEXT,
    subject        TEXT,
    participant    TEXT,
    recorded_from  INTEGER,
    recorded_until INTEGER,
    document       TEXT NOT NULL,
    set_at         INTEGER NOT NULL,
    salt           TEXT NOT NULL,
    UNIQUE (account, id)
) STRICT;

-- Erasures that a legal hold prevents.
CREATE TABLE waiting_erasure (
    uid      TEXT PRIMARY KEY,
    account  TEXT NOT NULL REFERENCES account (id),
    document TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    salt     TEXT NOT NULL
) STRICT;

CREATE INDEX waiting_erasure_by_account ON waiting_erasure (account, asked_at);

CREATE TABLE notification (
    id        TEXT PRIMARY KEY,
    seq       INTEGER NOT NULL UNIQUE,
    account   TEXT NOT NULL REFERENCES account (id),
    kind      TEXT NOT NULL,
    call      TEXT,
    recording TEXT,
    action    TEXT,
    queued_at INTEGER NOT NULL,
    attempts  INTEGER NOT NULL DEFAULT 0,
    -- When it is tried next. While a gateway tries it: when another may.
    due_at    INTEGER NOT NULL,
    -- What the last attempt came to: a status, or a word.
    outcome   TEXT,
    failed_at INTEGER
) STRICT;

CREATE INDEX notification_by_account ON notification (account, seq);
CREATE INDEX notification_by_call ON notification (call, seq);
CREATE INDEX notification_due ON notification (due_at) WHERE failed_at IS NULL;

-- Every gateway that serves: when all that had come to it was logged. One that is no longer renewed has left
-- something in doubt.
CREATE TABLE mark (
    id      TEXT PRIMARY KEY,
    well_at INTEGER NOT NULL
) STRICT;

-- With which secrets the ledger is written, by their files: a keyed hash of each; empty for one that may be
-- changed. One that is missing or another is found before anything is done with it.
CREATE TABLE secret (
    name TEXT PRIMARY KEY,
    mark BLOB NOT NULL
) STRICT;

-- Written again and again to prove that the trail can be written: with room for an entry.
CREATE TABLE probe (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    filler BLOB NOT NULL
) STRICT;
