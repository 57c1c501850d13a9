//! What auditors ask of a log: entries by what they have to do with, in the order of the log.
//!
//! A page begins behind a cursor, which is an entry's place: entries are only ever appended, so pages
//! are stable under writes.

use uuid::Uuid;

use super::reads::sought;
use super::sql::{Statement, ask};
use super::{EntryRow, Ledger, LedgerError, Pool, SKEW_MS};

/// A question. All that is given has to be so.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The log.
    pub log: String,
    /// Only behind this place: epoch and index.
    pub after: Option<(i64, i64)>,
    /// Only entries of this call.
    pub call: Option<Uuid>,
    /// Only what has to do with each of these: keys as drafts mention them.
    pub keys: Vec<String>,
    /// Only calls on which the platform had somebody of this id.
    pub participant: Option<String>,
    /// Only entries of one of these types; none means any.
    pub types: Vec<String>,
    /// Logged then or later, in milliseconds.
    pub from: Option<i64>,
    /// Logged before then, in milliseconds.
    pub until: Option<i64>,
}

impl Ledger {
    /// A page of entries with the details that still exist, oldest first.
    pub async fn entries(&self, question: &Question, limit: u32) -> Result<Vec<EntryRow>, LedgerError> {
        let window = self.window(question).await?;
        let few = match question.keys.first() {
            Some(key) if question.call.is_none() => self.is_mentioned_seldom(&question.log, key).await?,
            _ => false,
        };
        let statement = select(question, window, few, limit);
        match &self.pool {
            Pool::Sqlite(pool) => {
                let (sql, bound) = statement.for_sqlite()?;
                Ok(sqlx::query_as_with(sql, bound).fetch_all(pool).await?)
            }
            Pool::Postgres(pool) => {
                let (sql, bound) = statement.for_postgres()?;
                Ok(sqlx::query_as_with(sql, bound).fetch_all(pool).await?)
            }
        }
    }

    /// Between which places entries of these moments can lie, both ends included as far as known.
    async fn window(&self, question: &Question) -> Result<Window, LedgerError> {
        let first = match question.from {
            Some(from) => {
                let sql = "SELECT epoch, seq FROM entry_time WHERE log = ? AND at < ? ORDER BY at DESC, epoch DESC, seq DESC LIMIT 1";
                ask!(&self.pool, query_as, fetch_optional, sql, &question.log, from.saturating_sub(SKEW_MS))?
            }
            None => None,
        };
        let last = match question.until {
            Some(until) => {
                let sql = "SELECT epoch, seq FROM entry_time WHERE log = ? AND at > ? ORDER BY at, epoch, seq LIMIT 1";
                ask!(&self.pool, query_as, fetch_optional, sql, &question.log, until.saturating_add(SKEW_MS))?
            }
            None => None,
        };
        Ok(Window { first, last })
    }

    /// Whether a key is mentioned by few enough calls that it is quickest to go through them.
    async fn is_mentioned_seldom(&self, log: &str, key: &str) -> Result<bool, LedgerError> {
        let sql =
            "SELECT count(*) FROM (SELECT 1 FROM call_mention WHERE log = ? AND key = ? LIMIT ?) AS found";
        let count: i64 = ask!(&self.pool, query_scalar, fetch_one, sql, log, sought(key), SELDOM)?;
        Ok(count < SELDOM)
    }
}

#[derive(Debug, Clone, Copy)]
struct Window {
    first: Option<(i64, i64)>,
    last: Option<(i64, i64)>,
}

fn select(question: &Question, window: Window, few: bool, limit: u32) -> Statement {
    let mut sql = String::new();
    let mut values = Vec::new();
    let mut add = |text: &str, bound: &mut dyn FnMut(Statement) -> Statement| {
        sql.push_str(text);
        values.extend(bound(Statement::new("")).values);
    };
    const COLUMNS: &str =
        "entry.log, entry.epoch, entry.seq, entry.leaf, entry.leaf_hash, detail.salt, detail.document";
    const DETAIL: &str = "LEFT JOIN detail ON detail.log = entry.log AND detail.epoch = entry.epoch AND detail.seq = entry.seq";
    match question.keys.first().filter(|_| few) {
        // Through the calls and entries that mention the key: those are looked up first.
        Some(key) => add(
            &format!(
                "WITH places AS (SELECT entry.log, entry.epoch, entry.seq FROM call_mention JOIN entry ON entry.call = call_mention.call \
                 WHERE call_mention.log = ? AND call_mention.key = ? \
                 UNION SELECT log, epoch, seq FROM entry_mention WHERE log = ? AND key = ?) \
                 SELECT {COLUMNS} FROM places CROSS JOIN entry {DETAIL} \
                 WHERE entry.log = places.log AND entry.epoch = places.epoch AND entry.seq = places.seq AND entry.log = ?"
            ),
            &mut |to| {
                to.bind(&question.log)
                    .bind(sought(key))
                    .bind(&question.log)
                    .bind(sought(key))
                    .bind(&question.log)
            },
        ),
        None => add(&format!("SELECT {COLUMNS} FROM entry {DETAIL} WHERE entry.log = ?"), &mut |to| {
            to.bind(&question.log)
        }),
    }
    for place in [question.after, window.first].into_iter().flatten() {
        let at_or_behind = if Some(place) == question.after { ">" } else { ">=" };
        add(&format!(" AND (entry.epoch, entry.seq) {at_or_behind} (?, ?)"), &mut |to| {
            to.bind(place.0).bind(place.1)
        });
    }
    if let Some(place) = window.last {
        add(" AND (entry.epoch, entry.seq) <= (?, ?)", &mut |to| to.bind(place.0).bind(place.1));
    }
    if let Some(call) = &question.call {
        add(" AND entry.call = ?", &mut |to| to.bind(call));
    }
    for key in question.keys.iter().skip(usize::from(few)) {
        add(
            " AND (EXISTS (SELECT 1 FROM call_mention WHERE log = ? AND key = ? AND call = entry.call) \
             OR EXISTS (SELECT 1 FROM entry_mention WHERE log = ? AND key = ? AND epoch = entry.epoch AND seq = entry.seq))",
            &mut |to| to.bind(&question.log).bind(sought(key)).bind(&question.log).bind(sought(key)),
        );
    }
    if let Some(participant) = &question.participant {
        add(
            " AND entry.call IN (SELECT participant.call FROM participant JOIN call ON call.uid = participant.call \
             WHERE participant.id = ? AND call.account = ?)",
            &mut |to| to.bind(sought(participant)).bind(&question.log),
        );
    }
    if !question.types.is_empty() {
        let marks = vec!["?"; question.types.len()].join(", ");
        add(&format!(" AND entry.type IN ({marks})"), &mut |to| {
            question.types.iter().fold(to, |to, word| to.bind(sought(word)))
        });
    }
    if let Some(from) = question.from {
        add(" AND entry.at >= ?", &mut |to| to.bind(from));
    }
    if let Some(until) = question.until {
        add(" AND entry.at < ?", &mut |to| to.bind(until));
    }
    add(" ORDER BY entry.epoch, entry.seq LIMIT ?", &mut |to| to.bind(i64::from(limit)));
    Statement { sql: sql.into(), values }
}

/// Up to so many calls are gone through one by one.
const SELDOM: i64 = 2_000;
