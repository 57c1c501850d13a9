//! Legal holds that are not on one recording alone: on a call, a person, a range of time, or all that meets several of
//! these, what is accepted later included.
//!
//! INVARIANT: whether a hold covers a recording is asked by the transaction that deletes it, so no order in which things
//! happen deletes what is held.

use serde_json::json;
use uuid::Uuid;

use crate::access::Principal;
use crate::gate::answer::{LegalHold, LegalHolds};
use crate::gate::ask::{self, check_name};
use crate::gate::{
    ATTEMPTS, CallRefusal, Fault, Field, Gate, RecordingRefusal, RegisterRefusal, Thing, Wrong, from_row,
    parse_id,
};
use crate::ledger::{Appended, Change, Expect, HoldRow, Job, RecordingRow};
use trail::Body;

impl Gate {
    /// Sets a hold; `false` if it was set before, as it is.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it is limited by nothing, or ends before it begins; the call or the recording is unknown; the id belongs
    /// to another hold.
    pub async fn set_hold(
        &self,
        who: &Principal,
        id: &str,
        asked: &ask::LegalHold,
    ) -> Result<(bool, LegalHold), Fault> {
        check_name(Field::HoldId, id)?;
        check(asked)?;
        let account = who.account.as_str();
        let document =
            serde_json::to_string(asked).map_err(|_| Fault::damaged("a hold cannot be written"))?;
        for _ in 0..ATTEMPTS {
            if let Some(row) = self.ledger.holds(account).await?.into_iter().find(|row| row.id == id) {
                return match row.document == document {
                    true => Ok((false, shown(&row)?)),
                    false => Err(RegisterRefusal::HoldExists.into()),
                };
            }
            let (uid, now) = (trail::id()?, self.clock.now());
            let mut job = Job::default();
            let subject = match asked.number.as_deref() {
                Some(number) => {
                    let wrong = |error| Wrong::NoNumber { error, is_optional: true };
                    let number = crate::locate::e164(number).map_err(wrong)?;
                    Some(trail::subject::mention(&self.pseudonym(account, &number, &mut job).await?))
                }
                None => None,
            };
            let call = self.held_call(account, asked).await?;
            let row = HoldRow {
                uid: uid.to_string(),
                account: account.to_owned(),
                id: id.to_owned(),
                recording: self.held_recording(account, asked).await?,
                call: call.as_ref().map(|(_, id)| id.clone()),
                subject,
                participant: asked.participant.clone(),
                recorded_from: asked.from.map(jiff::Timestamp::as_millisecond),
                recorded_until: asked.until.map(jiff::Timestamp::as_millisecond),
                document: document.clone(),
                set_at: now.as_millisecond(),
                salt: trail::salt()?,
            };
            let set = shown(&row)?;
            job.expects.push(Expect::HoldFree { account: account.into(), id: id.into() });
            // Gone meanwhile, it would cover nothing.
            if let Some(id) = asked.recording {
                job.expects.push(Expect::RecordingLive { id, unheld: false });
            }
            // Renamed meanwhile by an erasure, too.
            job.expects.extend(call.map(|(call, id)| Expect::CallIs { call, id }));
            job.changes.push(Change::SetHold { row: Box::new(row) });
            let by = asked.limits().map(ToOwned::to_owned).collect();
            let body = Body::HoldSet { hold: uid, by };
            let detail = Some(json!({"hold": id, "document": asked}));
            job.entries.push(trail::draft(account, now, &who.into(), None, body, detail)?);
            if self.append(job).await? == Appended::Done {
                return Ok((true, set));
            }
        }
        Err(Fault::contended())
    }

    /// Lifts a hold. Those whose erasure it prevented are erased after that: they may be many.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such hold.
    pub async fn lift_hold(&self, who: &Principal, id: &str) -> Result<LegalHold, Fault> {
        let account = who.account.as_str();
        let holds = self.ledger.holds(account).await?;
        let row = holds.into_iter().find(|row| row.id == id).ok_or(Thing::LegalHold)?;
        let uid = parse_id(&row.uid)?;
        let calls = self.ledger.calls_under(uid).await?;
        let body = Body::HoldLifted { hold: uid };
        let changes = vec![Change::LiftHold { uid }];
        let expects = vec![Expect::HoldSet { uid }];
        let detail = Some(json!({"hold": id}));
        match self.note(&who.into(), account, body, detail, changes, expects).await? {
            Appended::Done => {
                for call in calls {
                    self.obey_withdrawal(account, &call).await?;
                }
                self.lifted.notify_one();
                shown(&row)
            }
            Appended::Conflict => Err(Thing::LegalHold.into()),
        }
    }

    /// Deletes what a hold has kept of a call on which somebody has withdrawn.
    pub(in crate::gate) async fn obey_withdrawal(&self, account: &str, call: &str) -> Result<(), Fault> {
        let uid = parse_id(call)?;
        let Some(row) = self.ledger.call(uid).await? else { return Ok(()) };
        let folded = self.folded(uid, &row).await?;
        self.delete_stored(account, uid, folded.call()).await
    }

    /// The holds of an account; of one case, if it is named.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn holds(&self, account: &str, case: Option<&str>) -> Result<LegalHolds, Fault> {
        let rows = self.ledger.holds(account).await?;
        let holds = rows.iter().map(shown).collect::<Result<Vec<_>, _>>()?;
        let of_case = |hold: &LegalHold| case.is_none_or(|case| hold.hold.case.as_deref() == Some(case));
        Ok(LegalHolds { holds: holds.into_iter().filter(of_case).collect() })
    }

    /// One hold.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such hold.
    pub async fn legal_hold(&self, account: &str, id: &str) -> Result<LegalHold, Fault> {
        let rows = self.ledger.holds(account).await?;
        shown(rows.iter().find(|row| row.id == id).ok_or(Thing::LegalHold)?)
    }

    /// Refuses a recording on which somebody waits to be erased, but for the purpose of a hold on it and the role that the
    /// hold names. The refusal is logged before it is answered.
    pub(in crate::gate) async fn check_restricted(
        &self,
        who: &Principal,
        row: &RecordingRow,
        purpose: &str,
    ) -> Result<(), Fault> {
        // Once nobody waits any more, nothing is restricted.
        if !row.restricted || self.ledger.waiting_erasures(&row.account).await?.is_empty() {
            return Ok(());
        }
        let recording = parse_id(&row.id)?;
        for hold in self.ledger.holds_on(recording).await? {
            let hold = read(&hold)?;
            if hold.purpose == purpose && hold.role.is(who.role) {
                return Ok(());
            }
        }
        let refused = RecordingRefusal::Restricted;
        let body = Body::FetchRefused { recording, code: refused.code().as_str().into() };
        let detail = Some(json!({"purpose": purpose}));
        self.note(&who.into(), &who.account, body, detail, Vec::new(), Vec::new()).await?;
        Err(refused.into())
    }

    async fn held_recording(&self, account: &str, asked: &ask::LegalHold) -> Result<Option<String>, Fault> {
        let Some(id) = asked.recording else { return Ok(None) };
        match self.ledger.recording(account, id).await? {
            Some(row) if row.deleted_at.is_some() => Err(RecordingRefusal::Deleted.into()),
            Some(row) => Ok(Some(row.id)),
            None => Err(Thing::Recording.into()),
        }
    }

    /// The call, and the platform's id of it, which a call that is opened again under it has as well.
    async fn held_call(
        &self,
        account: &str,
        asked: &ask::LegalHold,
    ) -> Result<Option<(Uuid, String)>, Fault> {
        let Some(name) = asked.call.as_deref() else { return Ok(None) };
        let row = self.call_row(account, name).await?.ok_or(CallRefusal::Unknown)?;
        Ok(Some((parse_id(&row.uid)?, row.id)))
    }
}

fn check(asked: &ask::LegalHold) -> Result<(), Fault> {
    check_name(Field::HoldPurpose, &asked.purpose)?;
    asked.case.iter().try_for_each(|case| check_name(Field::HoldCase, case))?;
    asked.participant.iter().try_for_each(|id| check_name(Field::Participant, id))?;
    if asked.reason.trim().is_empty() || asked.reason.len() > 4096 {
        return Err(Wrong::NoReason.into());
    }
    if asked.limits().next().is_none() {
        return Err(RegisterRefusal::HoldOnEverything.into());
    }
    match (asked.from, asked.until) {
        (Some(from), Some(until)) if until <= from => Err(RegisterRefusal::HoldEndsEarly.into()),
        _ => Ok(()),
    }
}

fn read(row: &HoldRow) -> Result<ask::LegalHold, Fault> {
    serde_json::from_str(&row.document).map_err(|_| Fault::damaged("a hold cannot be read"))
}

fn shown(row: &HoldRow) -> Result<LegalHold, Fault> {
    let set_at = from_row(row.set_at).into();
    Ok(LegalHold { id: row.id.clone(), set_at, hold: read(row)? })
}
