//! Erasing a person's data, and dropping epochs of logs that were kept long enough. Leaves of a kept epoch,
//! their hashes and the tree are never touched.
//!
//! What this cannot do: reach into backups, into replicas that others keep, or below the file system.

#![expect(missing_docs, reason = "what is not explained is named by its field")]

use uuid::Uuid;

use super::reads::sought;
use super::registers::committed;
use super::rows::{covered, covers, select_call};
use super::sql::{Statement, ask};
use super::{CallRow, Epoch, GrantRow, Ledger, LedgerError, Pool, sqlite};

impl Ledger {
    /// The calls that mention a key, the oldest first.
    pub async fn calls_mentioning(&self, log: &str, key: &str) -> Result<Vec<CallRow>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_all,
            select_call!(
                "FROM call_mention JOIN call ON call.uid = call_mention.call \
             WHERE call_mention.log = ? AND call_mention.key = ? ORDER BY call.opened_at, call.uid"
            ),
            log,
            sought(key)
        )?)
    }

    /// The calls of an account on which the platform had somebody of this id, the oldest first.
    pub async fn calls_of_participant(&self, account: &str, id: &str) -> Result<Vec<CallRow>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_all,
            select_call!(
                "FROM participant JOIN call ON call.uid = participant.call \
             WHERE participant.id = ? AND call.account = ? ORDER BY call.opened_at, call.uid"
            ),
            sought(id),
            account
        )?)
    }

    /// Every consent grant of an account.
    pub async fn grants(&self, account: &str) -> Result<Vec<GrantRow>, LedgerError> {
        let sql = "SELECT account, id, uid, document, created_at, withdrawn_at, salt FROM consent_grant WHERE account = ? ORDER BY id";
        committed!(self, Some(account), ask!(&self.pool, query_as, fetch_all, sql, account))
    }

    /// At most `limit` details of a log after this place, in its order.
    pub async fn details(
        &self,
        log: &str,
        after: (i64, i64),
        limit: u32,
    ) -> Result<Vec<DetailRow>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_all,
            "SELECT entry.epoch, entry.seq, entry.call, entry.type AS kind, detail.document FROM detail \
             JOIN entry ON entry.log = detail.log AND entry.epoch = detail.epoch AND entry.seq = detail.seq \
             WHERE detail.log = ? AND (detail.epoch, detail.seq) > (?, ?) \
             ORDER BY detail.epoch, detail.seq LIMIT ?",
            log,
            after.0,
            after.1,
            i64::from(limit)
        )?)
    }

    /// Details of entries of this type that contain a text, ignoring case.
    pub async fn details_of_type(
        &self,
        log: &str,
        kind: &str,
        text: &str,
    ) -> Result<Vec<DetailRow>, LedgerError> {
        let sql = format!(
            "SELECT entry.epoch, entry.seq, entry.call, entry.type AS kind, detail.document FROM entry \
             JOIN detail ON detail.log = entry.log AND detail.epoch = entry.epoch AND detail.seq = entry.seq \
             WHERE entry.log = ? AND entry.type = ? AND {}",
            self.holding()
        );
        Ok(ask!(&self.pool, query_as, fetch_all, &sql, log, kind, containing(text))?)
    }

    /// The condition that a detail contains the bound text, ignoring case, as SQLite's LIKE does.
    fn holding(&self) -> &'static str {
        self.dialect().pick("detail.document LIKE ? ESCAPE '!'", "detail.document ILIKE ? ESCAPE '!'")
    }

    /// The ids of calls that were opened in this epoch and have not ended.
    pub async fn open_calls_of(&self, at: &Epoch) -> Result<Vec<String>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_scalar,
            fetch_all,
            "SELECT call.id FROM entry JOIN call ON call.uid = entry.call \
             WHERE entry.log = ? AND entry.epoch = ? AND entry.type = 'call.opened' AND call.ended_at IS NULL ORDER BY call.id",
            &at.log,
            at.epoch
        )?)
    }

    /// Recordings of calls that were opened in this epoch, if anything is left of them, and whether they are
    /// under a legal hold.
    pub async fn recordings_of(&self, at: &Epoch) -> Result<Vec<(String, bool)>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_all,
            concat!(
                "SELECT recording.id, (recording.held OR ",
                covered!(),
                ") FROM entry JOIN recording ON recording.call = entry.call \
             WHERE entry.log = ? AND entry.epoch = ? AND entry.type = 'call.opened' \
             AND (recording.deleted_at IS NULL OR NOT recording.swept) ORDER BY recording.id"
            ),
            &at.log,
            at.epoch
        )?)
    }

    /// The index of the first remaining entry of an epoch.
    pub async fn first_entry(&self, at: &Epoch) -> Result<Option<i64>, LedgerError> {
        let sql = "SELECT min(seq) FROM entry WHERE log = ? AND epoch = ?";
        Ok(ask!(&self.pool, query_scalar, fetch_one, sql, &at.log, at.epoch)?)
    }

    /// When the current epoch of every log began: the time of its first entry, in milliseconds.
    pub async fn epochs_began(&self) -> Result<Vec<(Epoch, i64)>, LedgerError> {
        let rows: Vec<(String, i64, i64)> = ask!(
            &self.pool,
            query_as,
            fetch_all,
            "SELECT log.id, log.epoch, entry.at FROM log JOIN entry ON entry.log = log.id AND entry.epoch = log.epoch AND entry.seq = 0 \
             ORDER BY log.id"
        )?;
        Ok(rows.into_iter().map(|(log, epoch, at)| (Epoch { log, epoch }, at)).collect())
    }

    /// Empties the write-ahead log, so that nothing that was erased lingers in it. Returns whether that was
    /// possible: somebody may be reading from it. On PostgreSQL this is left to the server's administrator.
    pub async fn settle(&self) -> Result<bool, LedgerError> {
        match &self.pool {
            Pool::Sqlite(pool, _) => Ok(sqlite::settle(pool).await?),
            Pool::Postgres(_) => Ok(false),
        }
    }

    /// Removes what erased rows leave behind: SQLite overwrites deleted rows (`secure_delete`), but not the
    /// copies that it leaves in unused parts of pages whenever it splits one. So a small file is rewritten as
    /// a whole. Returns whether nothing is left; a large file waits for [`Ledger::compact`].
    pub async fn scrub(&self) -> Result<bool, LedgerError> {
        let Pool::Sqlite(pool, _) = &self.pool else { return Ok(false) };
        let small = sqlite::size(pool).await? <= SMALL;
        if small {
            sqlite::rewrite(pool).await?;
        }
        Ok(sqlite::settle(pool).await? && small)
    }

    /// Rewrites the file of the ledger, whatever its size; nothing is appended meanwhile. Returns whether
    /// nothing is left of what was erased.
    pub async fn compact(&self) -> Result<bool, LedgerError> {
        match &self.pool {
            Pool::Sqlite(pool, _) => {
                sqlite::rewrite(pool).await?;
                Ok(sqlite::settle(pool).await?)
            }
            Pool::Postgres(_) => Ok(false),
        }
    }
}

/// Something that was kept is erased.
#[derive(Debug)]
pub enum Erase {
    /// An epoch that has ended is dropped: from now on its entries may be deleted. The calls that were opened
    /// in it are deleted at once, with their participants.
    Log {
        log: String,
        epoch: i64,
        /// When.
        at: i64,
    },
    /// Some entries of a dropped epoch are deleted, with everything that belongs to them.
    Entries {
        log: String,
        epoch: i64,
        /// Those before this index.
        before: i64,
    },
    /// The rest of a dropped epoch is deleted, except for its last head and the head's anchors.
    Tree { log: String, epoch: i64 },
    /// A subject's key is destroyed: nobody can link its pseudonyms any more.
    Subject { tag: Vec<u8> },
    /// Outsiders' words about a call are erased: its names, its details, its events' ids, its recordings'
    /// names. From now on its name is `erased:` and its own id.
    Call {
        /// The call.
        uid: Uuid,
        account: String,
        /// What is kept of the request that opened it, as JSON.
        body: String,
    },
    /// The identity of somebody on a call is erased.
    Participant {
        call: Uuid,
        /// Their number.
        participant: u32,
        /// Their id from now on.
        id: String,
    },
    /// What a consent grant says about its subject is erased, and the grant is withdrawn.
    Grant {
        account: String,
        id: String,
        /// Its id from now on.
        as_id: String,
        /// What is left of it, as JSON.
        document: String,
        /// When.
        at: i64,
    },
    /// The details of entries outside of calls that mention this key are erased.
    Mentioned {
        log: String,
        /// The key, as drafts mention it.
        key: String,
    },
    /// The detail of one entry is erased.
    Detail {
        log: String,
        epoch: i64,
        /// The entry's index.
        seq: i64,
    },
}

/// A detail, with where it belongs.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct DetailRow {
    /// The epoch of its entry.
    pub epoch: i64,
    /// The index of its entry.
    pub seq: i64,
    /// The call that the entry belongs to.
    pub call: Option<String>,
    /// The type of its entry.
    pub kind: String,
    /// The detail, as JSON.
    pub document: String,
}

/// The statements of an erasure, in order.
pub(super) fn statements(erase: &Erase) -> Vec<Statement> {
    match erase {
        Erase::Log { log, epoch, at } => {
            let mut all = vec![
                Statement::new("UPDATE closed_log SET dropped_at = ? WHERE id = ? AND epoch = ? AND dropped_at IS NULL")
                    .bind(*at)
                    .bind(log)
                    .bind(*epoch),
            ];
            all.extend(CALLS_OF_EPOCH.iter().map(|sql| Statement::new(sql).bind(log).bind(*epoch)));
            all
        }
        Erase::Entries { log, epoch, before } => DROPPED_ENTRIES
            .iter()
            .map(|sql| Statement::new(sql).bind(log).bind(*epoch).bind(*before))
            .collect(),
        Erase::Tree { log, epoch } => {
            let mut all: Vec<Statement> =
                DROPPED_TREE.iter().map(|sql| Statement::new(sql).bind(log).bind(*epoch)).collect();
            all.push(
                Statement::new(
                    "DELETE FROM anchor WHERE log = ? AND epoch = ? \
                     AND size <> (SELECT size FROM closed_log WHERE id = ? AND epoch = ?)",
                )
                .bind(log)
                .bind(*epoch)
                .bind(log)
                .bind(*epoch),
            );
            all
        }
        Erase::Subject { tag } => vec![Statement::new("DELETE FROM subject WHERE tag = ?").bind(tag)],
        Erase::Call { uid, account, body } => {
            let name = format!("erased:{uid}");
            vec![
                Statement::new(
                    "DELETE FROM detail WHERE log = ? AND (epoch, seq) IN (SELECT epoch, seq FROM entry WHERE call = ? AND log = ?)",
                )
                .bind(account)
                .bind(uid)
                .bind(account),
                Statement::new("DELETE FROM sent_event WHERE call = ?").bind(uid),
                Statement::new("DELETE FROM call_name WHERE call = ?").bind(uid),
                Statement::new(
                    "INSERT INTO call_name (account, name, call) VALUES (?, ?, ?) \
                     ON CONFLICT (account, name) DO UPDATE SET call = excluded.call",
                )
                .bind(account)
                .bind(&name)
                .bind(uid),
                Statement::new("UPDATE call SET id = ?, body = ? WHERE uid = ?").bind(&name).bind(body).bind(uid),
                Statement::new("UPDATE recording SET name = 'erased:' || id WHERE call = ?").bind(uid),
            ]
        }
        Erase::Participant { call, participant, id } => vec![
            Statement::new(
                "UPDATE participant SET id = ?, number = NULL, ip = NULL, consent_grant = NULL WHERE call = ? AND participant = ?",
            )
            .bind(id)
            .bind(call)
            .bind(i64::from(*participant)),
        ],
        Erase::Grant { account, id, as_id, document, at } => vec![
            Statement::new(
                "UPDATE consent_grant SET id = ?, document = ?, withdrawn_at = coalesce(withdrawn_at, ?), salt = '' WHERE account = ? AND id = ?",
            )
            .bind(as_id)
            .bind(document)
            .bind(*at)
            .bind(account)
            .bind(id),
        ],
        Erase::Mentioned { log, key } => vec![
            Statement::new(
                "DELETE FROM detail WHERE log = ? AND (epoch, seq) IN (SELECT epoch, seq FROM entry_mention WHERE log = ? AND key = ?)",
            )
            .bind(log)
            .bind(log)
            .bind(key),
        ],
        Erase::Detail { log, epoch, seq } => vec![
            Statement::new("DELETE FROM detail WHERE log = ? AND epoch = ? AND seq = ?")
                .bind(log)
                .bind(*epoch)
                .bind(*seq),
        ],
    }
}

/// A LIKE pattern for what contains the text.
fn containing(text: &str) -> String {
    // No document holds a raw NUL, and none is empty.
    if text.contains('\0') {
        return String::new();
    }
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Deletes what belongs to the calls that were opened in an epoch, and then the calls. An expectation ensures
/// that their recordings are deleted already.
const CALLS_OF_EPOCH: &[&str] = &[
    "DELETE FROM recording WHERE call IN (SELECT call FROM entry WHERE log = ? AND epoch = ? AND type = 'call.opened')",
    "DELETE FROM sent_event WHERE call IN (SELECT call FROM entry WHERE log = ? AND epoch = ? AND type = 'call.opened')",
    "DELETE FROM participant WHERE call IN (SELECT call FROM entry WHERE log = ? AND epoch = ? AND type = 'call.opened')",
    "DELETE FROM call_name WHERE call IN (SELECT call FROM entry WHERE log = ? AND epoch = ? AND type = 'call.opened')",
    "DELETE FROM call_mention WHERE call IN (SELECT call FROM entry WHERE log = ? AND epoch = ? AND type = 'call.opened')",
    "DELETE FROM call WHERE uid IN (SELECT call FROM entry WHERE log = ? AND epoch = ? AND type = 'call.opened')",
];
/// Deletes rows that have an entry's place.
const DROPPED_ENTRIES: &[&str] = &[
    "DELETE FROM detail WHERE log = ? AND epoch = ? AND seq < ?",
    "DELETE FROM entry_mention WHERE log = ? AND epoch = ? AND seq < ?",
    "DELETE FROM entry_time WHERE log = ? AND epoch = ? AND seq < ?",
    "DELETE FROM entry WHERE log = ? AND epoch = ? AND seq < ?",
];
const DROPPED_TREE: &[&str] =
    &["DELETE FROM node WHERE log = ? AND epoch = ?", "DELETE FROM checkpoint WHERE log = ? AND epoch = ?"];
/// A file of up to this many bytes is rewritten with every erasure, which takes seconds.
const SMALL: i64 = 256 << 20;
