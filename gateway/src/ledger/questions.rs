//! Auditors' searches in a log, answered in the order of the log.
//!
//! An entry matches what it mentions itself, what its call mentions, and, if it is about a recording
//! (somebody has listened, it was deleted), what the recording's call mentions.
//!
//! A page begins after a cursor, which is an entry's place, and ends where the log ended when the search
//! began: entries are only ever appended, so pages are stable under writes. If an open call mentions
//! something only after the first page, its earlier entries are on the pages that follow.

use uuid::Uuid;

use super::reads::sought;
use super::registers::committed;
use super::sql::{Statement, Value, ask};
use super::{EntryRow, GrantRow, Ledger, LedgerError, Pool, PromptRow, SKEW_MS};

/// A search. An entry must match every part that is given.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The log.
    pub log: String,
    /// Only after this place: epoch and index.
    pub after: Option<(i64, i64)>,
    /// Only up to this place, inclusive.
    pub last: Option<(i64, i64)>,
    /// Only what matches one of these calls.
    pub calls: Option<Vec<Uuid>>,
    /// Only what matches one key of each of these lists. Keys are as drafts mention them.
    pub keys: Vec<Vec<String>>,
    /// Only what matches calls on which the platform had somebody of this id.
    pub participant: Option<String>,
    /// Only entries of one of these types; empty means any.
    pub types: Vec<String>,
    /// Logged at this time or later, in milliseconds.
    pub from: Option<i64>,
    /// Logged before this time, in milliseconds.
    pub until: Option<i64>,
}

impl Ledger {
    /// A page of entries with the details that still exist, oldest first.
    pub async fn entries(&self, question: &Question, limit: u32) -> Result<Vec<EntryRow>, LedgerError> {
        let window = self.window(question).await?;
        let subjects = subjects(question);
        let driver = self.driver(&subjects, &question.log).await?;
        let statement = select(question, window, &subjects, driver, limit);
        match &self.pool {
            Pool::Sqlite(pool, _) => {
                let (sql, bound) = statement.for_sqlite()?;
                Ok(sqlx::query_as_with(sql, bound).fetch_all(pool).await?)
            }
            Pool::Postgres(pool) => {
                let (sql, bound) = statement.for_postgres()?;
                Ok(sqlx::query_as_with(sql, bound).fetch_all(pool).await?)
            }
        }
    }

    /// Who is behind the numbers that these calls' entries use: call, number, the platform's id.
    pub async fn names_on(&self, calls: &[String]) -> Result<Vec<(String, i64, String)>, LedgerError> {
        let calls = json_list(calls)?;
        let sql = self.dialect().pick(
            "SELECT call, participant, id FROM participant WHERE call IN (SELECT value FROM json_each(?))",
            "SELECT call, participant, id FROM participant WHERE call IN (SELECT json_array_elements_text(CAST(? AS json)))",
        );
        Ok(ask!(&self.pool, query_as, fetch_all, sql, calls)?)
    }

    /// These versions of prompts, by the gateway's ids of them.
    pub async fn prompt_versions(
        &self,
        account: &str,
        uids: &[String],
    ) -> Result<Vec<PromptRow>, LedgerError> {
        let uids = json_list(uids)?;
        let sql = self.dialect().pick(
            "SELECT account, id, version, uid, document, created_at, superseded_at, salt FROM prompt WHERE account = ? AND uid IN (SELECT value FROM json_each(?))",
            "SELECT account, id, version, uid, document, created_at, superseded_at, salt FROM prompt WHERE account = ? AND uid IN (SELECT json_array_elements_text(CAST(? AS json)))",
        );
        committed!(self, None, ask!(&self.pool, query_as, fetch_all, sql, account, &uids))
    }

    /// These consent grants, by the gateway's ids of them.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn grants_by_uid(&self, account: &str, uids: &[String]) -> Result<Vec<GrantRow>, LedgerError> {
        let uids = json_list(uids)?;
        let sql = self.dialect().pick(
            "SELECT account, id, uid, document, created_at, withdrawn_at, salt FROM consent_grant WHERE account = ? AND uid IN (SELECT value FROM json_each(?))",
            "SELECT account, id, uid, document, created_at, withdrawn_at, salt FROM consent_grant WHERE account = ? AND uid IN (SELECT json_array_elements_text(CAST(? AS json)))",
        );
        committed!(self, None, ask!(&self.pool, query_as, fetch_all, sql, account, &uids))
    }

    /// Every version of a prompt, the oldest first: uid and version.
    pub async fn versions_of_prompt(&self, account: &str, id: &str) -> Result<Vec<PromptRow>, LedgerError> {
        let sql = "SELECT account, id, version, uid, document, created_at, superseded_at, salt FROM prompt WHERE account = ? AND id = ? ORDER BY version";
        committed!(self, None, ask!(&self.pool, query_as, fetch_all, sql, account, sought(id)))
    }

    /// Every call that ever had this id: an id may be used again once its call has ended.
    pub async fn calls_by_id(&self, account: &str, id: &str) -> Result<Vec<String>, LedgerError> {
        let sql = "SELECT uid FROM call WHERE account = ? AND id = ? ORDER BY opened_at, uid";
        Ok(ask!(&self.pool, query_scalar, fetch_all, sql, account, sought(id))?)
    }

    /// The places between which entries of this period can lie, both ends included as far as known.
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

    /// The quickest way to answer.
    async fn driver(&self, subjects: &[Subject<'_>], log: &str) -> Result<Driver, LedgerError> {
        for (index, subject) in subjects.iter().enumerate() {
            let statement = subject.count(log);
            let (calls, entries): (i64, i64) = match &self.pool {
                Pool::Sqlite(pool, _) => {
                    let (sql, bound) = statement.for_sqlite()?;
                    sqlx::query_as_with(sql, bound).fetch_one(pool).await?
                }
                Pool::Postgres(pool) => {
                    let (sql, bound) = statement.for_postgres()?;
                    sqlx::query_as_with(sql, bound).fetch_one(pool).await?
                }
            };
            if calls.saturating_add(entries) < SELDOM {
                return Ok(Driver::Places(index));
            }
            if calls == 0 && subject.is_one_key() {
                return Ok(Driver::Mentions(index));
            }
        }
        Ok(Driver::Log)
    }
}

/// What is read first; each entry is then checked for the rest of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Driver {
    /// The few places that match this part of the question: looked up, then sorted.
    Places(usize),
    /// The many entries, but no calls, that mention this part of the question, in order.
    Mentions(usize),
    /// The log, in its order.
    Log,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    first: Option<(i64, i64)>,
    last: Option<(i64, i64)>,
}

/// Something that entries and calls may match.
#[derive(Debug, Clone, Copy)]
enum Subject<'q> {
    Calls(&'q [Uuid]),
    Participant(&'q str),
    Keys(&'q [String]),
}

/// A piece of SQL with its bound values.
#[derive(Debug, Default)]
struct Piece {
    sql: String,
    values: Vec<Value>,
}

impl Piece {
    fn new(sql: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Piece {
        Piece { sql: sql.into(), values: values.into_iter().collect() }
    }

    fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    fn add(&mut self, piece: Piece) {
        self.sql.push_str(&piece.sql);
        self.values.extend(piece.values);
    }

    fn bind(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    fn statement(self) -> Statement {
        Statement { sql: self.sql.into(), values: self.values }
    }
}

/// The subjects of a question. The one with the fewest likely answers comes first.
fn subjects(question: &Question) -> Vec<Subject<'_>> {
    let calls = question.calls.as_deref().map(Subject::Calls);
    let participant = question.participant.as_deref().map(Subject::Participant);
    let keys = question.keys.iter().map(|keys| Subject::Keys(keys));
    calls.into_iter().chain(participant).chain(keys).collect()
}

impl Subject<'_> {
    fn is_one_key(&self) -> bool {
        matches!(self, Subject::Keys([_]))
    }

    /// All its calls: one column, `call`.
    fn calls(&self, log: &str) -> Piece {
        match self {
            Subject::Calls([]) => Piece::new("SELECT uid AS call FROM call WHERE uid IS NULL", []),
            Subject::Calls(calls) => Piece::new(
                format!("SELECT uid AS call FROM call WHERE uid IN ({})", marks(calls.len())),
                calls.iter().map(Value::from),
            ),
            Subject::Participant(id) => Piece::new(
                "SELECT participant.call FROM participant JOIN call ON call.uid = participant.call \
                 WHERE participant.id = ? AND call.account = ?",
                [sought(id).into(), log.into()],
            ),
            Subject::Keys(keys) => mentioned("SELECT call FROM call_mention", log, keys),
        }
    }

    /// The entries outside of calls that mention it: `epoch`, `seq`.
    fn entries(&self, log: &str) -> Option<Piece> {
        match self {
            Subject::Calls(_) | Subject::Participant(_) => None,
            Subject::Keys(keys) => Some(mentioned("SELECT epoch, seq FROM entry_mention", log, keys)),
        }
    }

    /// The condition that a call is one of its calls: looked up by that call, since there may be very many.
    fn holds(&self, log: &str, call: &str) -> Piece {
        let mut piece = match self {
            Subject::Calls([]) => return Piece::new("FALSE", []),
            Subject::Calls(calls) => {
                let uids = calls.iter().map(Value::from);
                return Piece::new(format!("{call} IN ({})", marks(calls.len())), uids);
            }
            Subject::Participant(id) => Piece::new(
                "EXISTS (SELECT 1 FROM participant JOIN call ON call.uid = participant.call \
                 WHERE participant.id = ? AND call.account = ?",
                [sought(id).into(), log.into()],
            ),
            Subject::Keys(keys) => mentioned("EXISTS (SELECT 1 FROM call_mention", log, keys),
        };
        let table = if matches!(self, Subject::Participant(_)) { "participant" } else { "call_mention" };
        piece.push(&format!(" AND {table}.call = {call})"));
        piece
    }

    /// Counts its calls and entries, each up to [`SELDOM`].
    fn count(&self, log: &str) -> Statement {
        let mut piece = Piece::new("SELECT (SELECT count(*) FROM (", []);
        piece.add(self.calls(log));
        piece.bind(" LIMIT ?) AS calls)", [SELDOM.into()]);
        match self.entries(log) {
            None => piece.push(", CAST(0 AS BIGINT)"),
            Some(entries) => {
                piece.push(", (SELECT count(*) FROM (");
                piece.add(entries);
                piece.bind(" LIMIT ?) AS entries)", [SELDOM.into()]);
            }
        }
        piece.statement()
    }

    /// The condition that the current entry matches.
    fn condition(&self, log: &str) -> Piece {
        let mut piece = Piece::new(" AND (", []);
        piece.add(self.holds(log, "entry.call"));
        if let Some(entries) = self.entries(log) {
            piece.push(" OR EXISTS (");
            piece.add(entries);
            piece.push(" AND entry_mention.epoch = entry.epoch AND entry_mention.seq = entry.seq)");
        }
        piece.bind(
            " OR (entry.call IS NULL AND EXISTS (SELECT 1 FROM entry_mention AS about \
             JOIN recording ON recording.id = substr(about.key, 11) \
             WHERE about.log = ? AND about.epoch = entry.epoch AND about.seq = entry.seq \
             AND substr(about.key, 1, 10) = 'recording:' AND ",
            [log.into()],
        );
        piece.add(self.holds(log, "recording.call"));
        piece.push(")))");
        piece
    }

    /// All places that match it.
    fn places(&self, log: &str) -> Piece {
        let mut piece = Piece::new("WITH story AS (", []);
        piece.add(self.calls(log));
        piece.bind(
            "), places AS (SELECT entry.epoch, entry.seq FROM story CROSS JOIN entry WHERE entry.call = story.call AND entry.log = ? \
             UNION SELECT entry_mention.epoch, entry_mention.seq FROM story JOIN recording ON recording.call = story.call \
             JOIN entry_mention ON entry_mention.key = 'recording:' || recording.id WHERE entry_mention.log = ?",
            [log.into(), log.into()],
        );
        if let Some(entries) = self.entries(log) {
            piece.push(" UNION ");
            piece.add(entries);
        }
        piece.push(") ");
        piece
    }
}

fn select(
    question: &Question,
    window: Window,
    subjects: &[Subject<'_>],
    driver: Driver,
    limit: u32,
) -> Statement {
    let log = &question.log;
    let (mut piece, order, answered) = begin(log, subjects, driver);
    let place = |place: (i64, i64)| [place.0.into(), place.1.into()];
    // One bound on each side, the narrower one: SQLite would read by the first and only filter by the second.
    match (question.after, window.first) {
        (Some(after), first) if first.is_none_or(|first| first <= after) => {
            piece.bind(&format!(" AND ({order}.epoch, {order}.seq) > (?, ?)"), place(after));
        }
        (_, Some(first)) => {
            piece.bind(&format!(" AND ({order}.epoch, {order}.seq) >= (?, ?)"), place(first));
        }
        (_, None) => {}
    }
    if let Some(last) = question.last.into_iter().chain(window.last).min() {
        piece.bind(&format!(" AND ({order}.epoch, {order}.seq) <= (?, ?)"), place(last));
    }
    for (_, subject) in subjects.iter().enumerate().filter(|(index, _)| Some(*index) != answered) {
        piece.add(subject.condition(log));
    }
    if !question.types.is_empty() {
        let types = question.types.iter().map(|word| sought(word).into());
        piece.bind(&format!(" AND entry.type IN ({})", marks(question.types.len())), types);
    }
    if let Some(from) = question.from {
        piece.bind(" AND entry.at >= ?", [from.into()]);
    }
    if let Some(until) = question.until {
        piece.bind(" AND entry.at < ?", [until.into()]);
    }
    piece.bind(&format!(" ORDER BY {order}.epoch, {order}.seq LIMIT ?"), [i64::from(limit).into()]);
    if let (Driver::Places(_), Some(_)) = (driver, answered) {
        // Only the places were sorted, without what is read of a page.
        piece.bind(
            &format!(
                ") AS page CROSS JOIN entry {JOINED} WHERE entry.log = ? AND entry.epoch = page.epoch \
                 AND entry.seq = page.seq ORDER BY entry.epoch, entry.seq"
            ),
            [log.into()],
        );
    }
    piece.statement()
}

/// The beginning of the statement, the table that is in the order of the log, and the subject it answers.
// CROSS JOIN: SQLite reads its left side first.
fn begin(log: &str, subjects: &[Subject<'_>], driver: Driver) -> (Piece, &'static str, Option<usize>) {
    let found = |index: usize| subjects.get(index).map(|subject| (index, *subject));
    match driver {
        Driver::Places(index) if let Some((index, subject)) = found(index) => {
            let mut piece = subject.places(log);
            piece.bind(
                &format!(
                    "SELECT {COLUMNS} FROM (SELECT entry.epoch, entry.seq FROM places CROSS JOIN entry \
                     WHERE entry.log = ? AND entry.epoch = places.epoch AND entry.seq = places.seq"
                ),
                [log.into()],
            );
            (piece, "entry", Some(index))
        }
        Driver::Mentions(index) if let Some((index, Subject::Keys([key]))) = found(index) => {
            let sql = format!(
                "SELECT {COLUMNS} FROM entry_mention AS one CROSS JOIN entry {JOINED} WHERE one.log = ? AND one.key = ? \
                 AND entry.log = ? AND entry.epoch = one.epoch AND entry.seq = one.seq"
            );
            (Piece::new(sql, [log.into(), sought(key).into(), log.into()]), "one", Some(index))
        }
        Driver::Places(_) | Driver::Mentions(_) | Driver::Log => {
            let sql = format!("SELECT {COLUMNS} FROM entry {JOINED} WHERE entry.log = ?");
            (Piece::new(sql, [log.into()]), "entry", None)
        }
    }
}

fn mentioned(select: &str, log: &str, keys: &[String]) -> Piece {
    let values = std::iter::once(log.into()).chain(keys.iter().map(|key| sought(key).into()));
    Piece::new(format!("{select} WHERE log = ? AND key IN ({})", marks(keys.len())), values)
}

fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

pub(super) fn json_list(texts: &[String]) -> Result<String, LedgerError> {
    serde_json::to_string(texts).map_err(|error| LedgerError::Damaged(error.to_string()))
}

const COLUMNS: &str = "entry.log, entry.epoch, entry.seq, entry.leaf, entry.leaf_hash, detail.salt, detail.document, \
     coalesce(call.id, (SELECT of_recording.id FROM entry_mention JOIN recording ON recording.id = substr(entry_mention.key, 11) \
     JOIN call AS of_recording ON of_recording.uid = recording.call WHERE entry_mention.log = entry.log \
     AND entry_mention.epoch = entry.epoch AND entry_mention.seq = entry.seq \
     AND substr(entry_mention.key, 1, 10) = 'recording:' LIMIT 1)) AS call_id";

const JOINED: &str = "LEFT JOIN detail ON detail.log = entry.log AND detail.epoch = entry.epoch AND detail.seq = entry.seq \
     LEFT JOIN call ON call.uid = entry.call";

/// Up to this many calls and entries are looked up one by one.
const SELDOM: i64 = 2_000;
