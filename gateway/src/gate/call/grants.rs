//! Consent grants: consent that somebody gave before a call, and its withdrawal.

use policy::{Event, OnWithdrawal, What};
use serde_json::json;

use crate::gate::answer::Grant;
use crate::gate::ask::{ConsentGrant, GivenBy, check_name, check_sha256};
use crate::gate::{ATTEMPTS, Fault, FaultCode, Field, Gate, Looked, RegisterRefusal, Thing, from_row};
use crate::ledger::{Appended, Change, Expect, Job};
use trail::{Actor, Body};

impl Gate {
    /// Registers consent given outside a call. Returns it, and whether it is new.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it makes no sense, or another grant has this id.
    pub async fn put_grant(
        &self,
        actor: &Actor,
        account: &str,
        id: &str,
        grant: &ConsentGrant,
    ) -> Result<(bool, Grant), Fault> {
        check_name(Field::GrantId, id)?;
        check_grant(grant)?;
        let document =
            serde_json::to_string(grant).map_err(|_| Fault::damaged("a grant cannot be written"))?;
        let now = self.clock.now();
        if let Some(row) = self.ledger.grant(account, id).await? {
            return match row.document == document && row.withdrawn_at.is_none() {
                true => Ok((false, shown(id, grant.clone(), row.created_at, None))),
                false => Err(RegisterRefusal::GrantExists.into()),
            };
        }
        let uid = trail::id()?;
        let change = Change::Grant {
            account: account.into(),
            id: id.into(),
            uid,
            document,
            salt: trail::salt()?,
            at: now.as_millisecond(),
        };
        let body = Body::Grant {
            grant: uid,
            from: grant.from.unwrap_or(now),
            until: grant.until,
            by_guardian: grant.given_by == GivenBy::Guardian,
        };
        let expects = vec![Expect::GrantFree { account: account.into(), id: id.into() }];
        match self
            .note(actor, account, body, Some(json!({"grant": id, "document": grant})), vec![change], expects)
            .await?
        {
            Appended::Done => Ok((true, shown(id, grant.clone(), now.as_millisecond(), None))),
            Appended::Conflict => Err(RegisterRefusal::GrantExists.into()),
        }
    }

    /// A consent grant.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is none.
    pub async fn grant(&self, account: &str, id: &str) -> Result<Grant, Fault> {
        let row = self.ledger.grant(account, id).await?.ok_or(Thing::ConsentGrant)?;
        let grant = serde_json::from_str(&row.document)
            .map_err(|_| Fault::damaged("a consent grant cannot be read"))?;
        Ok(shown(id, grant, row.created_at, row.withdrawn_at))
    }

    /// Withdraws a consent grant. The same transaction ends recording for everybody who relies on it.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such grant.
    pub async fn withdraw_grant(&self, actor: &Actor, account: &str, id: &str) -> Result<Grant, Fault> {
        let since = self.clock.now();
        let withdrawn = self.withdraw_until_seen(actor, account, id).await;
        // While the ledger does not answer, it is unknown which calls rely on the grant.
        if withdrawn.as_ref().is_err_and(|fault| fault.code() == FaultCode::TrailUnavailable) {
            self.barred.unhear(since);
        }
        withdrawn
    }

    async fn withdraw_until_seen(&self, actor: &Actor, account: &str, id: &str) -> Result<Grant, Fault> {
        for _ in 0..ATTEMPTS {
            let row = self.ledger.grant(account, id).await?.ok_or(Thing::ConsentGrant)?;
            if row.withdrawn_at.is_some() {
                self.look_as(actor, account, &Looked::Grant { consent_grant: id }).await?;
                return self.grant(account, id).await;
            }
            let now = self.clock.now();
            let uid = crate::gate::parse_id(&row.uid)?;
            let calls = self.ledger.calls_with_grant(account, id).await?;
            let mut uids: Vec<String> = calls.iter().map(|call| call.uid.clone()).collect();
            uids.sort();
            let mut job = Job {
                expects: vec![
                    Expect::GrantHolds { account: account.into(), id: id.into() },
                    // Fails if somebody joined with the grant in the meantime, whom this would not reach.
                    Expect::CallsWithGrant { account: account.into(), id: id.into(), calls: uids },
                ],
                changes: vec![Change::WithdrawGrant {
                    account: account.into(),
                    id: id.into(),
                    at: now.as_millisecond(),
                }],
                entries: vec![trail::draft(
                    account,
                    now,
                    actor,
                    None,
                    Body::GrantWithdrawn { grant: uid },
                    Some(json!({"grant": id})),
                )?],
            };
            let mut deleting = Vec::new();
            for call in calls {
                let mut loaded = self.load_row(call).await?;
                let at = loaded.now;
                let holders = loaded.names.iter().filter(|name| name.consent_grant.as_deref() == Some(id));
                let participants = holders.filter_map(|name| u32::try_from(name.participant).ok()).collect();
                let facts =
                    Event { received_at: at, at: None, what: What::ConsentWithdrawn { participants } };
                job.expects.extend(loaded.expects());
                loaded.call.apply(&facts);
                if loaded.call.settings().on_withdrawal != OnWithdrawal::Keep {
                    deleting.push((loaded.uid, loaded.call.clone()));
                }
                let saw = loaded.saw();
                let body = Body::Event { facts, subjects: Vec::new(), reported_by: None, late: false, saw };
                let detail = Some(json!({"consent_grant": id}));
                job.entries.push(trail::draft(
                    account,
                    at,
                    actor,
                    Some((loaded.uid, Some(loaded.head))),
                    body,
                    detail,
                )?);
            }
            if self.append(job).await? == Appended::Done {
                let mut deleted = Ok(());
                for (call, facts) in deleting {
                    deleted = deleted.and(self.delete_stored(account, call, &facts).await);
                }
                deleted?;
                return self.grant(account, id).await;
            }
        }
        Err(Fault::contended())
    }
}

fn check_grant(grant: &ConsentGrant) -> Result<(), Fault> {
    check_name(Field::GrantSubject, &grant.subject)?;
    check_name(Field::GrantBasis, &grant.basis)?;
    grant.purposes.iter().try_for_each(|purpose| check_name(Field::Purpose, purpose))?;
    check_sha256(Field::GrantHash, grant.evidence_sha256.as_deref())?;
    if let (Some(from), Some(until)) = (grant.from, grant.until)
        && until <= from
    {
        return Err(RegisterRefusal::GrantEndsEarly.into());
    }
    Ok(())
}

fn shown(id: &str, grant: ConsentGrant, created_at: i64, withdrawn_at: Option<i64>) -> Grant {
    Grant {
        id: id.into(),
        registered_at: from_row(created_at).into(),
        withdrawn_at: withdrawn_at.map(|at| from_row(at).into()),
        grant,
    }
}
