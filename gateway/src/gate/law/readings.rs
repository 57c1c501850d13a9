//! How an account's own counsel reads the law of a place, for that account alone.
//!
//! INVARIANT: what asks less than the table counts only where counsel of the account `system` lets this account read the
//! place otherwise, once two people of the account stand for it, until its end. Whether it asks less is computed from the
//! table; the author's word for it does not count. What asks more counts at once, is only ever added, and is ended by
//! two people.
//!
//! A reading counts for calls that are opened from then on. Those that are open when it ends follow the table again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use policy::reading::{Asks, Compared, compare};
use policy::{Call, Code, Purpose, Purposes, Table, Terms};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::Principal;
use crate::gate::answer::{self, ReadingState, ReadingText};
use crate::gate::ask::{StateReading, check_length, place};
use crate::gate::people::person::Enrolled;
use crate::gate::{
    ATTEMPTS, CallRefusal, Fault, Field, Gate, LawRefusal, RegisterRefusal, Thing, Wrong, WrongReading,
    from_row, parse_id,
};
use crate::ledger::{Appended, Change, Expect, Job, ReadingAllowanceRow, ReadingRow};
use trail::clock::{millis, whole_millis};
use trail::{Actor, Body, SYSTEM_LOG};

/// The readings of accounts whose calls were decided lately, each as of the account's count of restrictions.
#[derive(Debug, Default)]
pub(in crate::gate) struct Readings(Mutex<HashMap<String, (i64, Stated)>>);

/// What an account's readings come to.
type Stated = Arc<Vec<Counting>>;

/// A reading that was approved, or needed no approval.
#[derive(Debug)]
struct Counting {
    reading: policy::Reading,
    ended_at: Option<Timestamp>,
}

/// The form of [`ReadingRow::document`].
#[derive(Serialize, Deserialize)]
struct Document {
    terms: Terms,
    text: ReadingText,
    /// What keeps the text from being guessed from its hash.
    salt: String,
}

impl Gate {
    /// Lets an account read the law of a place otherwise than the table has it, or does not any more; then what asked
    /// less there is over.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the asker is not counsel of the account `system`, or there is no such account or row.
    pub async fn allow_readings(
        &self,
        who: &Principal,
        (code, account): (&str, &str),
        allow: bool,
        reason: &str,
    ) -> Result<answer::ReadingAllowance, Fault> {
        let author = self.author(who).await?;
        check_length(reason)?;
        if reason.trim().is_empty() {
            return Err(Wrong::NoReason.into());
        }
        let code = place(Field::Location, Some(code))?.ok_or(Wrong::NoReason)?;
        if account == SYSTEM_LOG {
            return Err(RegisterRefusal::SystemHasNoCalls.into());
        }
        let done =
            answer::ReadingAllowance { account: account.into(), code: code.to_string(), allowed: allow };
        for _ in 0..ATTEMPTS {
            let unknown = || RegisterRefusal::UnknownAccount { id: account.into() };
            let count = self.ledger.restrictions(account).await?.ok_or_else(unknown)?;
            let allowed = self.ledger.reading_allowances(account).await?;
            if allowed.iter().any(|row| row.code == code.as_str()) == allow {
                return Ok(done);
            }
            if allow && self.laws.in_force().history(code).is_empty() {
                return Err(LawRefusal::NoRow { code }.into());
            }
            let at = self.moment_of(account).await?;
            let person = author.person.as_ref().map(|person| person.name.clone()).unwrap_or_default();
            let detail = json!({"person": person, "reason": reason});
            let mut changes = Vec::new();
            let body = if allow {
                changes.push(Change::AllowReadings {
                    row: Box::new(ReadingAllowanceRow {
                        account: account.into(),
                        code: code.to_string(),
                        document: detail.to_string(),
                        allowed_at: at.as_millisecond(),
                        salt: trail::salt()?,
                    }),
                });
                Body::ReadingAllowed { code }
            } else {
                changes.push(Change::DisallowReadings { account: account.into(), code: code.to_string() });
                for row in self.ledger.readings(account).await? {
                    let loosens = document(&row)?.terms.instead_of.is_some();
                    if loosens && row.code == code.as_str() && row.ended_at.is_none() {
                        changes.push(Change::EndReading {
                            account: account.into(),
                            id: row.id,
                            at: at.as_millisecond(),
                            decision: detail.to_string(),
                        });
                    }
                }
                Body::ReadingDisallowed { code }
            };
            let expects = vec![
                Expect::Restrictions { account: account.into(), count },
                Expect::ReadingsAllowed { account: account.into(), code: code.to_string(), allowed: !allow },
            ];
            let entries = vec![trail::draft(account, at, &who.into(), None, body, Some(detail))?];
            if self.append(Job { expects, changes, entries }).await? == Appended::Done {
                return Ok(done);
            }
        }
        Err(Fault::contended())
    }

    /// States how the account reads the law of a place. What asks less waits for a second person.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it makes no sense, or asks less where the law desk does not allow it.
    pub async fn state_reading(
        &self,
        who: &Principal,
        asked: StateReading,
    ) -> Result<answer::Reading, Fault> {
        let account = who.account.as_str();
        if account == SYSTEM_LOG {
            return Err(RegisterRefusal::SystemHasNoCalls.into());
        }
        let text = text_of(&asked)?;
        for _ in 0..ATTEMPTS {
            let rows = self.ledger.readings(account).await?;
            let at = self.moment_of(account).await?;
            let salt = trail::salt()?;
            let (table, terms) = self.terms(account, &asked, (&text, &salt), at).await?;
            if rows.iter().filter(|row| row.ended_at.is_none()).count() >= MOST {
                return Err(WrongReading::TooMany.into());
            }
            let loosens = terms.instead_of.is_some();
            let mut expects = vec![Expect::Law { digest: Some(table.digest().into()) }];
            let person = match self.person(who).await {
                Ok(person) => Some(person),
                Err(fault) if loosens || fault.is_ours() => return Err(fault),
                Err(_) => None,
            };
            if loosens {
                self.must_be_allowed(account, terms.code).await?;
                expects.push(Expect::ReadingsAllowed {
                    account: account.into(),
                    code: terms.code.to_string(),
                    allowed: true,
                });
            }
            let reading = policy::Reading { id: trail::reading::id_of(&terms), terms: terms.clone() };
            let id = reading.id.clone();
            let body =
                if loosens { Body::ReadingProposed { reading } } else { Body::ReadingInForce { reading } };
            let name = person.as_ref().map(|person| person.name.as_str()).unwrap_or_default();
            let detail = json!({"person": name, "text": text, "salt": salt});
            let code = terms.code.to_string();
            let document = Document { terms, text: text.clone(), salt };
            let document = serde_json::to_string(&document)
                .map_err(|_| Fault::damaged("a reading cannot be written"))?;
            let row = ReadingRow {
                account: account.into(),
                id: id.clone(),
                code,
                document,
                credential: Actor::from(who).credential,
                person: person.map(|person| person.id.to_string()).unwrap_or_default(),
                proposed_at: at.as_millisecond(),
                approver: None,
                in_force_at: (!loosens).then_some(at.as_millisecond()),
                end_proposer: None,
                end_proposed_at: None,
                ended_at: None,
                decision: None,
                salt: trail::salt()?,
            };
            let changes = vec![Change::Reading { row: Box::new(row) }];
            let entries = vec![trail::draft(account, at, &who.into(), None, body, Some(detail))?];
            if self.append(Job { expects, changes, entries }).await? == Appended::Done {
                return self.reading(account, &id).await;
            }
        }
        Err(Fault::contended())
    }

    /// What is stated, as it compares with the table that is in force.
    async fn terms(
        &self,
        account: &str,
        asked: &StateReading,
        (text, salt): (&ReadingText, &str),
        at: Timestamp,
    ) -> Result<(Arc<Table>, Terms), Fault> {
        self.refresh_law().await?;
        let table = self.laws.in_force();
        let mut terms = terms_of(asked, text, salt)?;
        match compare(&table, &terms, at) {
            Compared::Adds => {}
            Compared::Loosens(instead_of) => terms.instead_of = Some(instead_of),
            Compared::NoRow => return Err(LawRefusal::NoRow { code: terms.code }.into()),
        }
        let (_, _, operator) = self.settings(account).await?;
        check(&terms, operator, text, at)?;
        Ok((table, terms))
    }

    /// A reading that nobody has stated, for a rehearsal; and the table that it is compared with.
    pub(in crate::gate) async fn reading_of(
        &self,
        account: &str,
        asked: &StateReading,
    ) -> Result<(Arc<Table>, policy::Reading), Fault> {
        let (text, salt) = (text_of(asked)?, trail::salt()?);
        let at = self.moment_of(account).await?;
        let (table, terms) = self.terms(account, asked, (&text, &salt), at).await?;
        Ok((table, policy::Reading { id: trail::reading::id_of(&terms), terms }))
    }

    /// Approves a reading that asks less: it counts for calls that are opened from now on.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it is one's own, is decided or over, or the law desk does not allow it.
    pub async fn approve_reading(
        &self,
        who: &Principal,
        id: &str,
        reason: &str,
    ) -> Result<answer::Reading, Fault> {
        check_length(reason)?;
        let account = who.account.as_str();
        for _ in 0..ATTEMPTS {
            let row = self.reading_row(account, id).await?;
            let approver = self.person(who).await?;
            let Document { terms, .. } = document(&row)?;
            let at = self.moment_of(account).await?;
            if row.in_force_at.is_some()
                || row.ended_at.is_some()
                || terms.until.is_some_and(|until| until <= at)
            {
                return Err(LawRefusal::ReadingDecided.into());
            }
            // INVARIANT: what loosens takes a second person, no matter how many credentials the first one has.
            if row.person == approver.id.to_string() {
                return Err(LawRefusal::OwnReading.into());
            }
            self.enrolled(account).await?.seconds(parse_id(&row.person)?, &approver)?;
            self.must_be_allowed(account, terms.code).await?;
            self.refresh_law().await?;
            let table = self.laws.in_force();
            if !is_current(&terms, compare(&table, &terms, at)) {
                return Err(WrongReading::Outdated { code: terms.code }.into());
            }
            let body = Body::ReadingApproved { reading: row.id.clone() };
            let detail = json!({"person": approver.name, "reason": reason});
            let expects = vec![
                Expect::Law { digest: Some(table.digest().into()) },
                Expect::ReadingIs {
                    account: account.into(),
                    id: row.id.clone(),
                    in_force: false,
                    end_proposer: None,
                },
                Expect::ReadingsAllowed { account: account.into(), code: row.code.clone(), allowed: true },
            ];
            let changes = vec![Change::ApproveReading {
                account: account.into(),
                id: row.id.clone(),
                person: approver.id,
                at: at.as_millisecond(),
            }];
            let entries = vec![trail::draft(account, at, &who.into(), None, body, Some(detail))?];
            if self.append(Job { expects, changes, entries }).await? == Appended::Done {
                return self.reading(account, id).await;
            }
        }
        Err(Fault::contended())
    }

    /// Ends a reading, or takes back one that waits. Open calls then follow the table again, as far as that asks more.
    /// To end one that asks more loosens the law of calls, so it takes two people: the first only proposes it, even if
    /// they stated it, and it counts until a second one ends it.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such reading, it has already been ended, or its end was proposed by the same person.
    pub async fn end_reading(
        &self,
        who: &Principal,
        id: &str,
        reason: &str,
    ) -> Result<answer::Reading, Fault> {
        check_length(reason)?;
        let account = who.account.as_str();
        for _ in 0..ATTEMPTS {
            let row = self.reading_row(account, id).await?;
            if row.ended_at.is_some() {
                return Err(LawRefusal::ReadingDecided.into());
            }
            let Document { terms, .. } = document(&row)?;
            let at = self.moment_of(account).await?;
            let in_force = row.in_force_at.is_some();
            let over = terms.until.is_some_and(|until| until <= at);
            let mut detail = json!({"reason": reason});
            let mut proposer = None;
            // INVARIANT: what loosens takes a second person, no matter how many credentials the first one has.
            if in_force && terms.instead_of.is_none() && !over {
                let person = self.person(who).await?;
                let enrolled = self.enrolled(account).await?;
                detail = json!({"person": person.name, "reason": reason});
                match row.end_proposer.as_deref() {
                    Some(first) if first == person.id.to_string() => {
                        return Err(LawRefusal::OwnReadingEnd.into());
                    }
                    Some(first) => enrolled.seconds(parse_id(first)?, &person)?,
                    // The proposal stays: of somebody who does not count, it would be in everybody's way.
                    None => {
                        enrolled.counts(&person)?;
                        proposer = Some(person.id);
                    }
                }
            }
            let (reading, of, ms) = (row.id.clone(), account.to_owned(), at.as_millisecond());
            let (body, change) = match proposer {
                Some(person) => (
                    Body::ReadingEndProposed { reading },
                    Change::ProposeReadingEnd { account: of, id: row.id.clone(), person, at: ms },
                ),
                None => (
                    Body::ReadingEnded { reading },
                    Change::EndReading {
                        account: of,
                        id: row.id.clone(),
                        at: ms,
                        decision: detail.to_string(),
                    },
                ),
            };
            let expects = vec![Expect::ReadingIs {
                account: account.into(),
                id: row.id,
                in_force,
                end_proposer: row.end_proposer,
            }];
            let entries = vec![trail::draft(account, at, &who.into(), None, body, Some(detail))?];
            if self.append(Job { expects, changes: vec![change], entries }).await? == Appended::Done {
                return self.reading(account, id).await;
            }
        }
        Err(Fault::contended())
    }

    /// How an account reads the law, and where it may.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn readings(&self, account: &str) -> Result<answer::Readings, Fault> {
        let rows = self.ledger.readings(account).await?;
        let (enrolled, now) = (self.enrolled(account).await?, self.clock.now());
        let readings = rows.iter().map(|row| shown(row, &enrolled, now)).collect::<Result<_, _>>()?;
        let allowed = self.ledger.reading_allowances(account).await?;
        Ok(answer::Readings { readings, allowed: allowed.into_iter().map(|row| row.code).collect() })
    }

    /// A reading.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such reading.
    pub async fn reading(&self, account: &str, id: &str) -> Result<answer::Reading, Fault> {
        let row = self.reading_row(account, id).await?;
        shown(&row, &self.enrolled(account).await?, self.clock.now())
    }

    /// The readings for a call that is opened now, and what has to hold still when it is.
    pub(in crate::gate) async fn readings_for(
        &self,
        account: &str,
        operator: Option<Code>,
        (operators, purposes): (&[Code], &[String]),
        now: Timestamp,
    ) -> Result<(Vec<policy::Reading>, Expect), Fault> {
        let count = self.ledger.restrictions(account).await?.ok_or(CallRefusal::Unknown)?;
        let expect = Expect::Restrictions { account: account.into(), count };
        let known = Purposes::of(purposes.iter().map(String::as_str));
        let stated = self.stated(account, count).await?;
        let counts = |counting: &&Counting| {
            let terms = &counting.reading.terms;
            let over = counting.ended_at.is_some() || terms.until.is_some_and(|until| until <= now);
            // A recorder's word alone does not say where the operator is.
            let sure = terms.instead_of.is_none() || operator == Some(terms.operator);
            !over && sure && counting.reading.may_count_for(known) && terms.covers(operators, known)
        };
        Ok((stated.iter().filter(counts).map(|counting| counting.reading.clone()).collect(), expect))
    }

    /// Has a call know which of its readings were ended.
    pub(in crate::gate) async fn end_readings(
        &self,
        call: &mut Call,
        (account, restrictions): (&str, i64),
        now: Timestamp,
    ) -> Result<(), Fault> {
        if !call.has_readings() {
            return Ok(());
        }
        for counting in self.stated(account, restrictions).await?.iter() {
            if let Some(ended) = counting.ended_at {
                call.reading_ends(&counting.reading.id, ended, now);
            }
        }
        Ok(())
    }

    /// The account's readings as they were when its log had reached calls so often, or later.
    async fn stated(&self, account: &str, restrictions: i64) -> Result<Stated, Fault> {
        if let Some(stated) = self.readings.find(account, restrictions) {
            return Ok(stated);
        }
        let mut stated = Vec::new();
        for row in self.ledger.readings(account).await?.iter().filter(|row| row.in_force_at.is_some()) {
            let reading = policy::Reading { id: row.id.clone(), terms: document(row)?.terms };
            if reading.id != trail::reading::id_of(&reading.terms) {
                return Err(Fault::damaged("a reading does not have the id of its terms"));
            }
            stated.push(Counting { reading, ended_at: row.ended_at.map(millis) });
        }
        let stated = Arc::new(stated);
        self.readings.keep(account, restrictions, &stated);
        Ok(stated)
    }

    async fn must_be_allowed(&self, account: &str, code: Code) -> Result<(), Fault> {
        let allowed = self.ledger.reading_allowances(account).await?;
        match allowed.iter().any(|row| row.code == code.as_str()) {
            true => Ok(()),
            false => Err(LawRefusal::ReadingsNotAllowed { code }.into()),
        }
    }

    async fn reading_row(&self, account: &str, id: &str) -> Result<ReadingRow, Fault> {
        let rows = self.ledger.readings(account).await?;
        rows.into_iter().find(|row| row.id == id).ok_or_else(|| Thing::Reading.into())
    }

    /// The moment of an act: never before the last one, so that setting the clock back revives nothing.
    async fn moment_of(&self, account: &str) -> Result<Timestamp, Fault> {
        let rows = self.ledger.readings(account).await?;
        let acts = rows
            .iter()
            .flat_map(|row| [Some(row.proposed_at), row.in_force_at, row.end_proposed_at, row.ended_at]);
        let last = acts.flatten().max().map_or(Timestamp::MIN, millis);
        Ok(self.clock.now().max(last))
    }
}

impl Readings {
    fn find(&self, account: &str, restrictions: i64) -> Option<Stated> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(account).filter(|(count, _)| *count == restrictions).map(|(_, stated)| Arc::clone(stated))
    }

    fn keep(&self, account: &str, restrictions: i64, stated: &Stated) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= ACCOUNTS && !kept.contains_key(account) {
            kept.clear();
        }
        kept.insert(account.to_owned(), (restrictions, Arc::clone(stated)));
    }
}

fn text_of(asked: &StateReading) -> Result<ReadingText, Fault> {
    let memo = asked.memo.clone().unwrap_or_default();
    [&asked.entity, &memo, &asked.reason].into_iter().try_for_each(|text| check_length(text))?;
    if asked.reason.trim().is_empty() {
        return Err(Wrong::NoReason.into());
    }
    if asked.entity.trim().is_empty() {
        return Err(WrongReading::NoEntity.into());
    }
    Ok(ReadingText { entity: asked.entity.clone(), memo, reason: asked.reason.clone() })
}

/// What is stated, as if it added to the table.
fn terms_of(asked: &StateReading, text: &ReadingText, salt: &str) -> Result<Terms, Fault> {
    let code = |field, text: &str| place(field, Some(text))?.ok_or(Wrong::NoReason);
    let asks = Asks {
        parties: asked.parties,
        form: asked.form,
        announcement_must_be_recorded: asked.announcement_must_be_recorded,
    };
    if !asks.is_consistent() {
        return Err(WrongReading::Contradiction.into());
    }
    let unknown = |one: &&String| Purposes::of([one.as_str()]).holds(Purpose::Other);
    if let Some(purpose) = asked.purposes.iter().find(unknown) {
        return Err(WrongReading::UnknownPurpose { purpose: purpose.clone() }.into());
    }
    let mut media: Vec<policy::Medium> = Vec::new();
    for medium in asked.media.iter().map(|medium| policy::Medium::from(*medium)) {
        if !media.contains(&medium) {
            media.push(medium);
        }
    }
    Ok(Terms {
        code: code(Field::Location, &asked.code)?,
        operator: code(Field::OperatorLocation, &asked.operator)?,
        asks,
        media,
        purposes: Purposes::of(asked.purposes.iter().map(String::as_str)),
        instead_of: None,
        until: asked.until.map(whole_millis),
        text: trail::reading::text_of(salt, &text.entity, &text.memo, &text.reason),
    })
}

/// Refuses what could never count, or for longer than counsel can stand for.
fn check(
    terms: &Terms,
    operator: Option<Code>,
    text: &ReadingText,
    now: Timestamp,
) -> Result<(), WrongReading> {
    if terms.until.is_some_and(|until| until <= now) {
        return Err(WrongReading::Past);
    }
    if terms.instead_of.is_none() {
        if !terms.purposes.is_empty() {
            return Err(WrongReading::PurposesOfStricter);
        }
        // It would be taken for one that counts.
        return match operator {
            Some(code) if code != terms.operator => Err(WrongReading::OtherOperator { operator }),
            _ => Ok(()),
        };
    }
    let latest = now.checked_add(SignedDuration::from_hours(LONGEST_HOURS)).unwrap_or(Timestamp::MAX);
    if terms.until.is_none_or(|until| latest < until) {
        return Err(WrongReading::NoEnd);
    }
    if text.memo.trim().is_empty() {
        return Err(WrongReading::NoMemo);
    }
    match operator {
        Some(code) if code == terms.operator => Ok(()),
        _ => Err(WrongReading::OtherOperator { operator }),
    }
}

/// Whether the place's row still asks no more than when the reading was stated.
fn is_current(terms: &Terms, compared: Compared) -> bool {
    match (compared, terms.instead_of) {
        (Compared::Loosens(now), Some(then)) => then.covers(now),
        (Compared::Adds, _) => true,
        (Compared::Loosens(_), None) | (Compared::NoRow, _) => false,
    }
}

fn document(row: &ReadingRow) -> Result<Document, Fault> {
    serde_json::from_str(&row.document).map_err(|_| Fault::damaged("a reading cannot be read"))
}

fn shown(row: &ReadingRow, enrolled: &Enrolled, now: Timestamp) -> Result<answer::Reading, Fault> {
    let Document { terms, text, .. } = document(row)?;
    let name = |id: &str| match id {
        "" => Ok(String::new()),
        id => parse_id(id).map(|id| enrolled.name_of(id)),
    };
    let over = terms.until.is_some_and(|until| until <= now);
    let state = match (row.ended_at, row.in_force_at) {
        (Some(_), _) => ReadingState::Ended,
        (None, _) if over => ReadingState::Expired,
        (None, Some(_)) => ReadingState::InForce,
        (None, None) => ReadingState::Proposed,
    };
    let moment = |at: i64| from_row(at).into();
    let media = terms.media.iter().filter_map(|medium| match medium {
        policy::Medium::Telephone => Some("telephone"),
        policy::Medium::Voip => Some("voip"),
        policy::Medium::Video => Some("video"),
        policy::Medium::Unknown => None,
    });
    Ok(answer::Reading {
        id: row.id.clone(),
        state,
        code: row.code.clone(),
        operator: terms.operator.to_string(),
        parties: terms.asks.parties,
        form: terms.asks.form,
        announcement_must_be_recorded: terms.asks.announcement_must_be_recorded,
        media: media.map(Into::into).collect(),
        purposes: terms.purposes,
        instead_of: terms.instead_of.map(Asks::words),
        until: terms.until.map(Into::into),
        text,
        author: name(&row.person)?,
        approver: row.approver.as_deref().map(name).transpose()?,
        stated_at: moment(row.proposed_at),
        in_force_at: row.in_force_at.map(moment),
        end_proposer: row.end_proposer.as_deref().map(name).transpose()?,
        end_proposed_at: row.end_proposed_at.map(moment),
        ended_at: row.ended_at.map(moment),
    })
}

/// How far the end of what asks less may lie ahead: two years. The row of a place is to be read again each year (see
/// `reviewed`); nobody stands for a reading of it through a third.
const LONGEST_HOURS: i64 = 731 * 24;
/// How many readings an account may have that are not ended: a call's first entry holds those that count.
const MOST: usize = 32;
/// For how many accounts readings are kept in memory.
const ACCOUNTS: usize = 4096;
