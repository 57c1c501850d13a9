//! Erasure: what is known of somebody is removed, and everything that was proven stays proven.
//!
//! Leaves, their hashes and the tree hold nobody's data and are not touched. Outsiders' words are removed:
//! who was on a call, what the call was called, every detail of its entries, the content of a consent grant,
//! and the key that links a number to its pseudonyms. Other people's words (auditors' questions, reasons,
//! references) are searched for every number and name of the person (`marks`).
//!
//! INVARIANT: all of it is removed in one transaction, with the entry that records it, and with the keys of
//! the recordings that are to be deleted. A crash after it leaves sealed media that nobody can open; the next
//! start, or the next erasure, removes them.

mod marks;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use self::marks::{Marks, Told};
use crate::gate::answer::{Erased, ErasedRecordings, Remnants, WaitingErasure};
use crate::gate::ask::{ConsentGrant, OTHERS, check_name};
use crate::gate::{
    ATTEMPTS, Context, ErasureRefusal, Failure, Fault, Field, Gate, Wrong, from_row, kept, parse_id,
};
use crate::ledger::{
    Appended, CallRow, Change, DetailRow, Erase, Expect, GrantRow, Job, ParticipantRow, RecordingRow,
};
use trail::subject::mention;
use trail::{Actor, Body, Leaf};

/// Somebody is erased, but not everything of theirs is out of the store.
fn media_left(fault: Fault) -> Fault {
    match fault {
        Fault::Failed(failure) => Failure::MediaLeft(Box::new(failure)).into(),
        refused @ Fault::Refused { .. } => refused,
    }
}

/// Whom to erase: `number` or `participant` says who.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// Their phone number, E.164.
    #[serde(default)]
    pub number: Option<String>,
    /// The platform's id of them.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255))]
    pub participant: Option<String>,
    /// What to do with the recordings of the calls that they were on.
    pub recordings: Disposal,
    /// Why; kept, so it may not name them. At most 4 KiB.
    pub reason: String,
}

/// What to do with recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Disposal {
    /// Delete them.
    Delete,
    /// Keep them.
    Keep,
}

/// What came of a request to erase somebody.
#[derive(Debug)]
pub enum Outcome {
    /// They are erased.
    Erased(Erased),
    /// A legal hold prevents it: they are erased once none does.
    Waits(WaitingErasure),
}

/// The person who is meant.
#[derive(Debug)]
enum Whom {
    /// Everybody with this number, E.164.
    Number(String),
    /// Everybody with this id of the platform's.
    Participant(String),
}

impl Gate {
    /// Erases somebody from an account, at once or as soon as no legal hold prevents it.
    ///
    /// # Errors
    ///
    /// [`Fault`]: nothing is known of them, they are on an open call, or the law requires a recording with them to be
    /// kept.
    pub async fn erase_person(
        &self,
        actor: &Actor,
        account: &str,
        asked: &Erasure,
    ) -> Result<Outcome, Fault> {
        self.erase_or_wait(actor, account, asked, None).await
    }

    /// The same; one that has waited is over with it.
    async fn erase_or_wait(
        &self,
        actor: &Actor,
        account: &str,
        asked: &Erasure,
        waited: Option<Uuid>,
    ) -> Result<Outcome, Fault> {
        let whom = whom(asked)?;
        check_reason(&whom, &asked.reason)?;
        // Whoever waits for more gets that.
        if waited.is_none()
            && asked.recordings == Disposal::Keep
            && let Some(waiting) = self.waiting_deletion(account, asked).await?
        {
            return Ok(Outcome::Waits(waiting));
        }
        // Removes what an earlier erasure could not remove from the store.
        let mut left = None;
        for row in self.ledger.unfinished(Uuid::nil(), u32::MAX).await? {
            if row.account == account && row.deleted_at.is_some() {
                let swept = async { self.sweep(kept(&row)?).await };
                left = left.or(swept.await.err());
            }
        }
        for _ in 0..ATTEMPTS {
            let mut found = self.whose(account, &whom).await?;
            let named = self.named_by_holds(account, &whom, &found).await?;
            let may_go = |found: &Found| found.may_go(asked.recordings, self.clock.now(), named);
            // One that still has to wait is found out before the whole log is searched for them.
            if waited.is_some() && !found.is_nothing() {
                let waits = may_go(&found);
                if let Err(ErasureRefusal::Held { .. }) = waits {
                    self.delete_free(actor, &found, asked).await?;
                }
                waits?;
            }
            self.search(account, &mut found).await?;
            if found.is_nothing() {
                // What is left may be theirs, if they were erased before.
                return Err(left.unwrap_or_else(|| ErasureRefusal::UnknownSubject.into()));
            }
            // One that has waited was checked when it was asked for.
            if waited.is_none() && found.marks.are_in(&asked.reason) {
                return Err(ErasureRefusal::ReasonNamesThem.into());
            }
            match (may_go(&found), waited) {
                (Err(ErasureRefusal::Held { .. }), None) => {
                    let Some(waiting) = self.wait(actor, account, &found, asked).await? else { continue };
                    self.delete_free(actor, &found, asked).await?;
                    return Ok(Outcome::Waits(waiting));
                }
                (may_go, _) => may_go?,
            }
            let (mut job, erased) = self.erasure(actor, account, &found, asked, waited)?;
            job.changes.extend(waited.map(|uid| Change::ErasureDone { uid }));
            let mut names = BTreeSet::new();
            for known in found.calls.values() {
                names.extend(known.call_names()?);
            }
            if self.append(job).await? == Appended::Done {
                // What cannot be destroyed now is when its time is over; it cannot be released to a call without a name.
                self.destroy_of_calls(&Actor::gateway(), account, &names).await;
                self.said_meanwhile(actor, account, &mut found, &asked.reason).await?;
                let erased = self.after(&found, asked.recordings, erased).await?;
                return left.map_or(Ok(Outcome::Erased(erased)), |fault| Err(media_left(fault)));
            }
        }
        Err(Fault::contended())
    }

    /// Whether a hold is on them, whatever it covers now.
    async fn named_by_holds(&self, account: &str, whom: &Whom, found: &Found) -> Result<bool, Fault> {
        let subjects: BTreeSet<String> =
            found.subjects.iter().filter_map(|subject| Some(mention(subject.pseudonym.as_ref()?))).collect();
        let is_theirs = |id: &String| match whom {
            Whom::Participant(asked) => asked == id,
            Whom::Number(_) => found
                .calls
                .values()
                .any(|known| known.names.iter().any(|row| row.id == *id && known.is_theirs(row))),
        };
        Ok(self.ledger.holds(account).await?.iter().any(|hold| {
            hold.subject.as_ref().is_some_and(|subject| subjects.contains(subject))
                || hold.participant.as_ref().is_some_and(is_theirs)
        }))
    }

    /// Adds what was said or asked about them during the search.
    async fn said_meanwhile(
        &self,
        actor: &Actor,
        account: &str,
        found: &mut Found,
        reason: &str,
    ) -> Result<(), Fault> {
        for _ in 0..ATTEMPTS {
            found.details.clear();
            self.search(account, found).await?;
            if found.details.is_empty() {
                break;
            }
            let body = Body::Erased { calls: 0, recordings: 0, erasure: None };
            let detail = json!({"reason": reason});
            let entry = trail::draft(account, self.clock.now(), actor, None, body, Some(detail))?;
            let job = Job { changes: found.erased_details(account), entries: vec![entry], ..Job::default() };
            self.append(job).await?;
        }
        Ok(())
    }

    /// The work after the transaction: removes sealed media, and the traces of erased rows in the ledger's
    /// file.
    async fn after(&self, found: &Found, recordings: Disposal, erased: Erased) -> Result<Erased, Fault> {
        let mut failed = None;
        if recordings == Disposal::Delete {
            for row in &found.recordings {
                let swept = async { self.sweep(kept(row)?).await };
                if let Err(fault) = swept.await {
                    failed = Some(fault);
                }
            }
        }
        let gone = self.ledger.scrub().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not rewrite the ledger's file");
            false
        });
        match failed {
            None => Ok(Erased { remnants: Remnants::after(gone), ..erased }),
            Some(fault) => Err(media_left(fault)),
        }
    }

    async fn whose(&self, account: &str, whom: &Whom) -> Result<Found, Fault> {
        let mut found = Found::default();
        match whom {
            Whom::Number(number) => self.of_number(account, number, &mut found).await?,
            Whom::Participant(id) => self.of_participant(account, id, &mut found).await?,
        }
        self.mark(account, whom, &mut found).await?;
        for row in self.ledger.grants(account).await? {
            let grant: ConsentGrant = serde_json::from_str(&row.document)
                .map_err(|_| Fault::damaged("a consent grant cannot be read"))?;
            if found.is_subject(&grant.subject) {
                // Somebody may have asked for it by its id.
                if found.marks.are_in(&row.id) {
                    found.marks.own_name(&row.id);
                }
                found.relying.extend(
                    self.ledger.calls_with_grant(account, &row.id).await?.into_iter().map(|call| call.id),
                );
                found.grants.push((row, grant));
            }
        }
        for uid in found.calls.keys() {
            let all = (i64::MIN, String::new());
            found.recordings.extend(self.ledger.recordings(account, Some(*uid), None, all, u32::MAX).await?);
        }
        Ok(found)
    }

    /// Collects what they are known by: their numbers, the names of their calls, and their ids on them.
    async fn mark(&self, account: &str, whom: &Whom, found: &mut Found) -> Result<(), Fault> {
        match whom {
            Whom::Number(number) => {
                found.numbers.insert(number.clone());
            }
            Whom::Participant(id) => found.marks.own_name(id),
        }
        found.numbers.iter().for_each(|number| found.marks.number(number));
        let mut of_calls = BTreeSet::new();
        let mut of_people = BTreeSet::new();
        for known in found.calls.values() {
            of_calls.extend(known.call_names()?.filter(|name| !name.starts_with("erased:")));
            let theirs = known.names.iter().filter(|row| known.is_theirs(row));
            of_people.extend(theirs.map(|row| row.id.clone()));
            addresses(known).for_each(|ip| found.marks.shared_name(ip));
        }
        for name in of_calls {
            let newest = self.ledger.call_by_name(account, &name).await?.map(|row| row.uid);
            let mut all = self.ledger.calls_by_id(account, &name).await?.into_iter().chain(newest);
            match all.all(|uid| found.has(&uid)) {
                true => found.marks.own_name(&name),
                false => found.marks.shared_name(&name),
            }
        }
        for id in of_people {
            let rows = self.ledger.calls_of_participant(account, &id).await?;
            let theirs = |row: &CallRow| {
                let known = row.uid.parse().ok().and_then(|uid: Uuid| found.calls.get(&uid));
                known.is_some_and(|known| known.names.iter().all(|row| row.id != id || known.is_theirs(row)))
            };
            match rows.iter().all(theirs) {
                true => found.marks.own_name(&id),
                false => found.marks.shared_name(&id),
            }
        }
        Ok(())
    }

    /// Finds what others have said or asked that names them, in all details that were not searched yet.
    async fn search(&self, account: &str, found: &mut Found) -> Result<(), Fault> {
        loop {
            let page = self.ledger.details(account, found.searched, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            found.searched = (last.epoch, last.seq);
            for detail in page {
                let told = match &detail.call {
                    Some(call) if found.has(call) => continue,
                    // A prompt is the same for everybody, so it names nobody.
                    None if detail.kind == "prompt.registered" => continue,
                    None if detail.kind.starts_with("audit.") => Told::Asked,
                    Some(_) | None => Told::Said,
                };
                let document = serde_json::from_str(&detail.document)
                    .map_err(|_| Fault::damaged("a detail cannot be read"))?;
                if found.marks.are_told(told, &document) {
                    found.details.push((detail.epoch, detail.seq));
                }
            }
        }
    }

    async fn of_number(&self, account: &str, number: &str, found: &mut Found) -> Result<(), Fault> {
        let subject = self.subject_of(account, number).await?;
        found.expects.push(Expect::Subject { tag: subject.tag.clone(), key: subject.key.clone() });
        if let Some(pseudonym) = &subject.pseudonym {
            let rows = self.ledger.calls_mentioning(account, &mention(pseudonym)).await?;
            found.expects.push(mentioned(account, pseudonym, rows.len()));
            for row in rows {
                let theirs = |call: &Known| {
                    let of_leaves = call.leaves.iter().flat_map(|leaf| leaf.body.subjects());
                    let of_leaves = of_leaves.filter(|(_, subject)| subject == pseudonym).map(|(p, _)| *p);
                    of_leaves.chain(call.who(|row| has_number(row, number))).collect()
                };
                self.know(row, theirs, found).await?;
            }
            found.subjects.push(subject);
        }
        // If somebody was only located by their number, it has no pseudonym.
        let located = self.ledger.details_of_type(account, "participant.located", "\"number\"").await?;
        for detail in located {
            let Some((call, id)) = located_as(&detail, number)? else { continue };
            let Some(row) = self.ledger.call(call).await? else { continue };
            self.know(row, |call| call.who(|row| row.id == id).collect(), found).await?;
        }
        Ok(())
    }

    async fn of_participant(&self, account: &str, id: &str, found: &mut Found) -> Result<(), Fault> {
        let rows = self.ledger.calls_of_participant(account, id).await?;
        found.expects.push(Expect::CallsOfParticipant {
            account: account.into(),
            id: id.into(),
            count: i64::try_from(rows.len()).unwrap_or(i64::MAX),
        });
        for row in rows {
            self.know(row, |call| call.who(|row| row.id == id).collect(), found).await?;
        }
        let numbers: BTreeSet<String> = found
            .calls
            .values()
            .flat_map(|known| known.names.iter().filter(|row| row.id == id))
            .filter_map(|row| crate::locate::e164(row.number.as_deref()?).ok())
            .collect();
        // A number's key is erased if nobody else had the number.
        for number in numbers {
            let subject = self.subject_of(account, &number).await?;
            let Some(pseudonym) = &subject.pseudonym else { continue };
            let rows = self.ledger.calls_mentioning(account, &mention(pseudonym)).await?;
            let known = |row: &CallRow| {
                row.uid.parse().ok().and_then(|uid: Uuid| found.calls.get(&uid)).is_some_and(|known| {
                    known.names.iter().all(|row| row.id == id || !has_number(row, &number))
                })
            };
            if rows.iter().all(known) {
                found.expects.push(Expect::Subject { tag: subject.tag.clone(), key: subject.key.clone() });
                found.expects.push(mentioned(account, pseudonym, rows.len()));
                found.subjects.push(subject);
                found.numbers.insert(number);
            }
        }
        Ok(())
    }

    /// Looks at a call that they were on, and finds out who they are on it.
    async fn know(
        &self,
        row: CallRow,
        theirs: impl FnOnce(&Known) -> BTreeSet<u32>,
        found: &mut Found,
    ) -> Result<(), Fault> {
        let uid = parse_id(&row.uid)?;
        if let Some(known) = found.calls.get_mut(&uid) {
            let more = theirs(known);
            known.theirs.extend(more);
            return Ok(());
        }
        let (leaves, names) = self.leaves_of(uid, &row).await?;
        let mut known = Known { row, leaves, names, theirs: BTreeSet::new() };
        known.theirs = theirs(&known);
        // Leaves are many, and were already searched.
        known.leaves = Vec::new();
        found.calls.insert(uid, known);
        Ok(())
    }

    async fn subject_of(&self, account: &str, number: &str) -> Result<Subject, Fault> {
        let tag = trail::subject::tag(&self.secrets.lookup, account, number);
        let key = self.ledger.subject(&tag).await?;
        let pseudonym = match &key {
            None => None,
            Some(stored) => {
                let key = trail::subject::open_key(&self.secrets.subjects, stored).ok_or_else(|| {
                    Fault::damaged("a subject's key was sealed under another `subjects.key`")
                })?;
                Some(trail::subject::pseudonym(&key, account, number))
            }
        };
        Ok(Subject { tag, key, pseudonym })
    }

    /// Assembles the one transaction.
    fn erasure(
        &self,
        actor: &Actor,
        account: &str,
        found: &Found,
        asked: &Erasure,
        waited: Option<Uuid>,
    ) -> Result<(Job, Erased), Fault> {
        let at = self.clock.now();
        let log = || account.to_owned();
        let mut job = Job { expects: found.expects.clone(), ..Job::default() };
        let erase = |job: &mut Job, erase| job.changes.push(Change::Erase(erase));
        for subject in &found.subjects {
            erase(&mut job, Erase::Subject { tag: subject.tag.clone() });
            if let Some(pseudonym) = &subject.pseudonym {
                erase(&mut job, Erase::Mentioned { log: log(), key: mention(pseudonym) });
            }
        }
        for (uid, known) in &found.calls {
            // Fails if something was added to it since, such as a recording.
            job.expects.push(Expect::Head { call: *uid, head: parse_id(&known.row.head)? });
            erase(&mut job, Erase::Call { uid: *uid, account: log(), body: known.context()? });
            for participant in &known.theirs {
                let id = known.new_name(*participant);
                erase(&mut job, Erase::Participant { call: *uid, participant: *participant, id });
            }
        }
        job.changes.extend(found.erased_details(account));
        for (row, grant) in &found.grants {
            let uid = parse_id(&row.uid)?;
            if row.withdrawn_at.is_none() {
                job.expects.push(Expect::GrantHolds { account: log(), id: row.id.clone() });
                job.expects.push(Expect::CallsWithGrant {
                    account: log(),
                    id: row.id.clone(),
                    calls: Vec::new(),
                });
                let body = Body::GrantWithdrawn { grant: uid };
                job.entries.push(trail::draft(account, at, actor, None, body, None)?);
            }
            erase(&mut job, Erase::Mentioned { log: log(), key: format!("grant:{uid}") });
            erase(&mut job, scrubbed(row, grant, found.marks.are_in(&row.id), at)?);
        }
        let mut deleted: u64 = 0;
        for row in &found.recordings {
            let id = parse_id(&row.id)?;
            job.expects.push(Expect::RecordingLive { id, unheld: true });
            if asked.recordings == Disposal::Delete {
                job.changes.push(Change::DeleteRecording { id, at: at.as_millisecond() });
                let body = Body::Deleted { recording: id };
                job.entries.push(trail::draft(account, at, actor, None, body, None)?);
                deleted = deleted.saturating_add(1);
            }
        }
        let calls = u64::try_from(found.calls.len()).unwrap_or(u64::MAX);
        let body = Body::Erased { calls, recordings: deleted, erasure: waited };
        let detail = json!({"reason": asked.reason});
        let entry = trail::draft(account, at, actor, None, body, Some(detail))?;
        let all = u64::try_from(found.recordings.len()).unwrap_or(u64::MAX);
        let erased = Erased {
            entry: entry.id,
            at: at.into(),
            calls,
            recordings: ErasedRecordings { deleted, kept: all.saturating_sub(deleted) },
            consent_grants: found.grants.len(),
            remnants: Remnants::Pending,
        };
        job.entries.push(entry);
        Ok((job, erased))
    }
}

/// A number's key in a log, and its pseudonym; both `None` if there is no key.
#[derive(Debug)]
struct Subject {
    tag: Vec<u8>,
    key: Option<Vec<u8>>,
    pseudonym: Option<String>,
}

/// A call that they were on.
#[derive(Debug)]
struct Known {
    row: CallRow,
    leaves: Vec<Leaf>,
    names: Vec<ParticipantRow>,
    /// Their numbers among its participants.
    theirs: BTreeSet<u32>,
}

impl Known {
    fn who<'k>(&'k self, is: impl Fn(&ParticipantRow) -> bool + 'k) -> impl Iterator<Item = u32> + 'k {
        self.names.iter().filter(move |row| is(row)).filter_map(|row| u32::try_from(row.participant).ok())
    }

    fn is_theirs(&self, row: &ParticipantRow) -> bool {
        u32::try_from(row.participant).is_ok_and(|participant| self.theirs.contains(&participant))
    }

    /// Its id and aliases.
    fn call_names(&self) -> Result<impl Iterator<Item = String>, Fault> {
        let id = self.row.id.clone();
        Ok(self.asked()?.aliases.into_iter().chain([id]))
    }

    fn asked(&self) -> Result<Context, Fault> {
        serde_json::from_str(&self.row.body).map_err(|_| Fault::damaged("a call's context cannot be read"))
    }

    /// Their new id: nobody else on the call may have it.
    fn new_name(&self, participant: u32) -> String {
        let mut name = format!("erased-{participant}");
        while self.names.iter().any(|row| row.id == name && row.participant != i64::from(participant)) {
            name.push('x');
        }
        name
    }

    /// The stored parts of the request that opened it.
    fn context(&self) -> Result<String, Fault> {
        let context = self.asked()?;
        // The digest covers only a few unknown digits, so guessing would reveal them.
        let kept = Context { digest: String::new(), aliases: Vec::new(), ..context };
        serde_json::to_string(&kept).map_err(|_| Fault::damaged("a call's context cannot be written"))
    }
}

/// What is known of somebody.
#[derive(Debug, Default)]
struct Found {
    subjects: Vec<Subject>,
    calls: BTreeMap<Uuid, Known>,
    grants: Vec<(GrantRow, ConsentGrant)>,
    /// Open calls that rely on one of the grants.
    relying: Vec<String>,
    /// Numbers that nobody else had.
    numbers: BTreeSet<String>,
    /// What they are known by.
    marks: Marks,
    /// Entries elsewhere whose details name them.
    details: Vec<(i64, i64)>,
    /// The last entry whose detail was searched.
    searched: (i64, i64),
    recordings: Vec<RecordingRow>,
    expects: Vec<Expect>,
}

impl Found {
    fn erased_details(&self, account: &str) -> Vec<Change> {
        let erase = |(epoch, seq): &(i64, i64)| {
            Change::Erase(Erase::Detail { log: account.to_owned(), epoch: *epoch, seq: *seq })
        };
        self.details.iter().map(erase).collect()
    }

    fn is_nothing(&self) -> bool {
        self.subjects.is_empty() && self.calls.is_empty() && self.grants.is_empty() && self.details.is_empty()
    }

    fn has(&self, call: &str) -> bool {
        call.parse().is_ok_and(|call: Uuid| self.calls.contains_key(&call))
    }

    /// Whether a consent grant binds them.
    fn is_subject(&self, subject: &str) -> bool {
        crate::locate::e164(subject).is_ok_and(|number| self.numbers.contains(&number))
            || (self.marks.are(subject) && subject != ERASED)
    }

    /// Checks that nothing prevents the erasure.
    fn may_go(&self, recordings: Disposal, now: Timestamp, named: bool) -> Result<(), ErasureRefusal> {
        let open = self.calls.values().filter(|known| known.row.ended_at.is_none());
        let mut calls: Vec<String> = open.map(|known| known.row.id.clone()).collect();
        calls.extend(self.relying.iter().cloned());
        calls.sort_unstable();
        calls.dedup();
        if !calls.is_empty() {
            return Err(ErasureRefusal::InProgress { calls });
        }
        let kept = self.recordings.iter().filter(|_| recordings == Disposal::Delete);
        let kept: Vec<(String, Timestamp)> = kept
            .filter_map(|row| {
                Some((row.id.clone(), row.keep_until.map(from_row).filter(|until| *until > now)?))
            })
            .collect();
        if !kept.is_empty() {
            return Err(ErasureRefusal::Kept { recordings: kept });
        }
        let held: Vec<String> =
            self.recordings.iter().filter(|row| row.is_held()).map(|row| row.id.clone()).collect();
        // A hold on somebody finds what comes later by what is known of them.
        if named || !held.is_empty() {
            return Err(ErasureRefusal::Held { recordings: held });
        }
        Ok(())
    }
}

fn whom(asked: &Erasure) -> Result<Whom, Fault> {
    match (&asked.number, &asked.participant) {
        (Some(number), None) => {
            let wrong = |error| Wrong::NoNumber { error, is_optional: false };
            Ok(Whom::Number(crate::locate::e164(number).map_err(wrong)?))
        }
        (None, Some(id)) => {
            check_name(Field::ErasedParticipant, id)?;
            if id == OTHERS {
                return Err(ErasureRefusal::Nobody.into());
            }
            Ok(Whom::Participant(id.clone()))
        }
        (None, None) | (Some(_), Some(_)) => Err(ErasureRefusal::Whom.into()),
    }
}

fn check_reason(whom: &Whom, reason: &str) -> Result<(), Fault> {
    if reason.trim().is_empty() || reason.len() > 4096 {
        return Err(Wrong::NoReason.into());
    }
    // The refusal must not reveal whether they are known.
    let mut marks = Marks::default();
    match whom {
        Whom::Number(number) => marks.number(number),
        Whom::Participant(id) => marks.own_name(id),
    }
    if marks.are_in(reason) { Err(ErasureRefusal::ReasonNamesThem.into()) } else { Ok(()) }
}

/// The remainder of a consent grant. Its id stays, so that it is not registered again by mistake, unless the
/// id itself names them.
fn scrubbed(
    row: &GrantRow,
    grant: &ConsentGrant,
    is_named_by_id: bool,
    at: Timestamp,
) -> Result<Erase, Fault> {
    let left = ConsentGrant {
        subject: ERASED.into(),
        basis: ERASED.into(),
        text_version: None,
        evidence_sha256: None,
        ..grant.clone()
    };
    Ok(Erase::Grant {
        account: row.account.clone(),
        id: row.id.clone(),
        as_id: if is_named_by_id { format!("erased:{}", row.uid) } else { row.id.clone() },
        document: serde_json::to_string(&left).map_err(|_| Fault::damaged("a grant cannot be written"))?,
        at: at.as_millisecond(),
    })
}

/// The part of a reported event's detail that matters here.
#[derive(Deserialize)]
struct Reported {
    event: Whereabouts,
}

#[derive(Deserialize)]
struct Whereabouts {
    number: Option<String>,
    participant: Option<String>,
    participants: Option<Vec<String>>,
}

/// The call and the participant that were located by this number.
fn located_as(detail: &DetailRow, number: &str) -> Result<Option<(Uuid, String)>, Fault> {
    let Reported { event } = serde_json::from_str(&detail.document)
        .map_err(|_| Fault::damaged("where somebody was located cannot be read"))?;
    let said = event.number.as_deref().and_then(|said| crate::locate::e164(said).ok());
    let whom = event.participant.or_else(|| event.participants?.into_iter().next());
    match (&detail.call, whom) {
        (Some(call), Some(id)) if said.as_deref() == Some(number) => Ok(Some((parse_id(call)?, id))),
        _ => Ok(None),
    }
}

fn has_number(row: &ParticipantRow, number: &str) -> bool {
    row.number.as_deref().and_then(|text| crate::locate::e164(text).ok()).is_some_and(|own| own == number)
}

fn mentioned(account: &str, pseudonym: &str, calls: usize) -> Expect {
    Expect::CallsMentioning {
        log: account.into(),
        key: mention(pseudonym),
        count: i64::try_from(calls).unwrap_or(i64::MAX),
    }
}

/// Their addresses: others may have had them as well.
fn addresses(known: &Known) -> impl Iterator<Item = &str> {
    known.names.iter().filter(|row| known.is_theirs(row)).filter_map(|row| row.ip.as_deref())
}

/// The word that replaces names.
const ERASED: &str = "erased";
/// How many details to read at a time.
const PAGE: u32 = 1_000;
