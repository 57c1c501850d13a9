//! Auditors' questions: entries of the trail with the details that still exist.
//!
//! INVARIANT: a question is logged before any of it is answered, and once: on its first page. A cursor
//! belongs to one question by one person in one account, so it cannot fetch a page of a question that was not
//! logged. All pages show the log as it was before the question, so every answer ends.
//!
//! The module knows neither HTTP nor where its rows are printed.

mod cursor;
mod filter;
mod record;
mod sheet;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use self::cursor::Cursor;
pub use self::filter::Filters;
use self::filter::Narrowed;
pub use self::record::Record;
pub use self::sheet::sheet_head;
use crate::access::Principal;
use crate::gate::answer::{Consents, Entry, Opening};
use crate::gate::{CallRefusal, Fault, FaultCode, Gate, Refused, Sought, Thing, Wrong, parse_id};
use crate::ledger::Question;
use trail::{Actor, Body, subject};

/// What somebody looks at. It becomes the detail of the entry that records the look.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum Looked<'q> {
    /// A call.
    Call {
        /// Its id or an alias, as in the request.
        call: &'q str,
    },
    /// A recording's description.
    Recording {
        /// Its id, as in the request.
        recording: &'q str,
    },
    /// A list of recordings.
    Recordings {
        /// The conditions.
        #[serde(flatten)]
        sought: Sought<'q>,
        /// The cursor of the page.
        after: Option<&'q str>,
    },
    /// A list of recordings, the newest first.
    Newest {
        /// Only recordings accepted at this moment or later.
        accepted_from: Option<Timestamp>,
        /// Only recordings accepted before this moment.
        accepted_until: Option<Timestamp>,
        /// The cursor of the page.
        after: Option<&'q str>,
    },
    /// A consent grant.
    Grant {
        /// Its id.
        consent_grant: &'q str,
    },
    /// Somebody who cannot be erased now; the refusal reveals what is known of them.
    Erasure {
        /// The reason.
        refused: FaultCode,
    },
}

impl Looked<'_> {
    fn by(&self) -> &'static str {
        match self {
            Looked::Call { .. } => "call",
            Looked::Recording { .. } => "recording",
            Looked::Recordings { .. } | Looked::Newest { .. } => "recordings",
            Looked::Grant { .. } => "grant",
            Looked::Erasure { .. } => "erasure",
        }
    }
}

/// A logged question, and how far it has been answered.
#[derive(Debug)]
pub struct Inquiry {
    /// The account whose log is asked.
    pub account: String,
    /// What proves the pseudonym of the number in the question, if one is known.
    pub opening: Option<Opening>,
    question: Question,
    /// What its cursors are bound to.
    binding: String,
    next: Option<String>,
    is_over: bool,
}

impl Inquiry {
    /// A page of the answer, as a document.
    #[must_use]
    pub fn document(&self, consents: Vec<Entry>) -> Consents {
        Consents { consents, next: self.next.clone(), opening: self.opening.clone() }
    }

    /// The start of the next page; `None` after the last one.
    #[must_use]
    pub fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// Whether every page was read.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }
}

impl Gate {
    /// Asks an account's log; `after` is the cursor of an earlier page. The question is logged.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the question makes no sense, the call or the prompt is unknown, or the cursor belongs to
    /// another question.
    pub async fn ask(
        &self,
        actor: &Actor,
        account: &str,
        filters: Filters,
        after: Option<&str>,
    ) -> Result<Inquiry, Fault> {
        let asked = filters.narrowed()?;
        // The end of the answer is fixed before anything is looked up for it.
        let end = match after {
            Some(_) => None,
            None => Some(self.end_of(account).await?),
        };
        let found = self.find(account, &asked).await?;
        let binding = json!([account, actor.credential, asked.filters, found.alias]).to_string();
        let place = match (after, end) {
            (Some(text), _) => Cursor::read(text, &self.secrets.lookup, &binding).ok_or(Wrong::NoCursor)?,
            (None, end) => Cursor { after: None, last: end.unwrap_or((1, -1)) },
        };
        if after.is_none() {
            let subject = found.opening.as_ref().map(|opening| opening.subject.clone());
            let body = Body::Lookup { subject, by: asked.names() };
            self.note(actor, account, body, asked.detail(), Vec::new(), Vec::new()).await?;
        }
        if let Some(unknown) = found.unknown {
            return Err(unknown.into());
        }
        let types = asked.types.clone().unwrap_or_default();
        let question = Question {
            log: account.into(),
            after: place.after,
            last: Some(place.last),
            calls: found.calls,
            keys: found.keys,
            participant: asked.filters.participant.clone(),
            types: types.into_iter().map(str::to_owned).collect(),
            from: asked.filters.from.map(|at| at.as_millisecond()),
            until: asked.filters.until.map(|at| at.as_millisecond()),
        };
        let nothing = found.nothing || asked.types.as_ref().is_some_and(Vec::is_empty);
        let account = account.to_owned();
        Ok(Inquiry { account, opening: found.opening, question, binding, next: None, is_over: nothing })
    }

    /// Logs that somebody looks at what is known of a call, a recording or a grant, before they see it.
    /// Platforms may look at the account's calls without an entry, since they reported them, and at what they uploaded.
    ///
    /// # Errors
    ///
    /// If it cannot be logged.
    pub async fn look(&self, who: &Principal, at: &Looked<'_>) -> Result<(), Fault> {
        match who.role.is_of_a_platform() {
            true => Ok(()),
            false => self.look_as(&who.into(), &who.account, at).await,
        }
    }

    /// As [`Gate::look`], for somebody who needs no credential.
    ///
    /// # Errors
    ///
    /// If it cannot be logged.
    pub async fn look_as(&self, actor: &Actor, account: &str, at: &Looked<'_>) -> Result<(), Fault> {
        let body = Body::Lookup { subject: None, by: vec![at.by().into()] };
        let asked = serde_json::to_value(at)
            .map_err(|error| Fault::damaged_by("what is looked at cannot be written", error))?;
        self.note(actor, account, body, Some(asked), Vec::new(), Vec::new()).await.map(drop)
    }

    /// The next page of an answer, oldest first; empty after the last one.
    ///
    /// # Errors
    ///
    /// If the ledger fails, or an entry cannot be read.
    pub async fn page(&self, inquiry: &mut Inquiry, limit: u32) -> Result<Vec<Record>, Fault> {
        if inquiry.is_over {
            return Ok(Vec::new());
        }
        let mut rows = self.ledger.entries(&inquiry.question, limit.saturating_add(1)).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        inquiry.is_over = rows.len() <= limit;
        rows.truncate(limit);
        inquiry.question.after = rows.last().map(|row| (row.epoch, row.seq)).or(inquiry.question.after);
        let place = Cursor { after: inquiry.question.after, last: inquiry.question.last.unwrap_or((1, -1)) };
        inquiry.next = match inquiry.is_over {
            true => None,
            false => place.write(&self.secrets.lookup, &inquiry.binding),
        };
        rows.into_iter().map(Record::read).collect()
    }

    /// The last place of a log.
    async fn end_of(&self, log: &str) -> Result<(i64, i64), Fault> {
        let head = self.ledger.head(log).await?;
        let size = |head: &crate::ledger::Head| i64::try_from(head.edge.size()).unwrap_or(i64::MAX);
        Ok(head.map_or((1, -1), |head| (head.epoch, size(&head).saturating_sub(1))))
    }

    /// Finds what the words of a question stand for in the log.
    async fn find(&self, account: &str, asked: &Narrowed) -> Result<Found, Fault> {
        let mut found = Found::default();
        if let Some(name) = &asked.filters.call {
            self.find_call(account, name, &mut found).await?;
        }
        if let Some(number) = &asked.filters.number {
            self.find_number(account, number, &mut found).await?;
        }
        if let Some(prompt) = &asked.filters.prompt {
            self.find_prompt(account, prompt, &mut found).await?;
        }
        found.keys.extend(asked.keys());
        Ok(found)
    }

    /// Every call that ever had the id, and the newest that has it as an alias.
    async fn find_call(&self, account: &str, name: &str, found: &mut Found) -> Result<(), Fault> {
        let mut calls = self.ledger.calls_by_id(account, name).await?;
        if let Some(row) = self.ledger.call_by_name(account, name).await?
            && !calls.contains(&row.uid)
        {
            // An alias may pass to another call between two pages; then their cursor is refused.
            found.alias = Some(row.uid.clone());
            calls.push(row.uid);
        }
        if calls.is_empty() {
            found.unknown = Some(CallRefusal::UnknownAndLogged.into());
        }
        found.calls = Some(calls.iter().map(|uid| parse_id(uid)).collect::<Result<_, _>>()?);
        Ok(())
    }

    /// Tag, subject key and pseudonym of a number. A number that never called has none, and none is made.
    async fn find_number(&self, account: &str, number: &str, found: &mut Found) -> Result<(), Fault> {
        let tag = subject::tag(&self.secrets.lookup, account, number);
        let Some(stored) = self.ledger.subject(&tag).await? else {
            found.nothing = true;
            return Ok(());
        };
        let key = subject::open_key(&self.secrets.subjects, &stored)
            .ok_or_else(|| Fault::damaged("a subject's key was sealed under another `subjects.key`"))?;
        let subject = subject::pseudonym(&key, account, number);
        found.keys.push(vec![trail::subject::mention(&subject)]);
        let subject_key = trail::hex(key.as_slice());
        found.opening = Some(Opening { number: number.into(), log: account.into(), subject, subject_key });
        Ok(())
    }

    /// All versions of an id, one version of it, or a version by the gateway's own id.
    async fn find_prompt(&self, account: &str, prompt: &str, found: &mut Found) -> Result<(), Fault> {
        let mut keys: Vec<String> = Vec::new();
        if let Ok(uid) = prompt.parse::<Uuid>() {
            keys.push(format!("prompt:{uid}"));
        }
        let all = self.ledger.versions_of_prompt(account, prompt).await?;
        keys.extend(all.into_iter().map(|row| format!("prompt:{}", row.uid)));
        if let Some((id, version)) = prompt.rsplit_once('@')
            && let Ok(version) = version.parse::<i64>()
        {
            let of_id = self.ledger.versions_of_prompt(account, id).await?;
            let one = of_id.into_iter().filter(|row| row.version == version);
            keys.extend(one.map(|row| format!("prompt:{}", row.uid)));
        }
        if keys.is_empty() {
            found.unknown.get_or_insert(Thing::Prompt.into());
        }
        found.keys.push(keys);
        Ok(())
    }
}

/// What the words of a question stand for.
#[derive(Debug, Default)]
struct Found {
    calls: Option<Vec<Uuid>>,
    keys: Vec<Vec<String>>,
    opening: Option<Opening>,
    /// The call that an alias stood for.
    alias: Option<String>,
    /// No entry can match.
    nothing: bool,
    /// The refusal to answer with once the question is logged.
    unknown: Option<Refused>,
}
