//! Quarantine: uploads that nobody can decide on *yet*, since nobody can tell to which call they belong, or when they were
//! made.
//!
//! It mends matching, never evidence. What is released is decided on anew, by what the log covered when the audio ended, and
//! never once somebody has objected. Nothing of it is silenced, so every second has to be covered.
//!
//! INVARIANT: nobody can open what is in quarantine, not even the customer: its envelope is locked, each with a key of its own
//! that is in a file outside of the ledger, the store and their backups ([`crate::secrets::Locks`]). Destroying that file
//! comes first, and no backup undoes it. Nothing stays there for longer than was said when it came.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use policy::{Coverage, Event, Refusal, Uncovered, Upload};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::doubt::Doubt;
use super::placed::{Placement, claim};
use super::store::{Admission, Permit, Stored, bare, named_by};
use crate::access::Principal;
use crate::gate::answer::{InQuarantine, Quarantine};
use crate::gate::{
    ATTEMPTS, CallRefusal, Failure, Fault, Field, Gate, Loaded, RecordingRefusal, Refused, Thing, Unkept,
    ask, from_row, parse_id,
};
use crate::ledger::{Appended, Change, Expect, Job, QuarantineRow};
use crate::record::Staged;
use crate::vault::Kept;
use seal::Envelope;
use trail::chain::Chain;
use trail::clock::{Moment, whole_millis};
use trail::{Actor, Body, Came, Destruction, QuarantineReason, Released, hex};

/// What is known of something in quarantine.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Item {
    came: Came,
    reason: QuarantineReason,
    /// The names that its call may have, by its sender.
    calls: Vec<String>,
    /// Its call, if that was known, and only not when it was made.
    call: Option<Uuid>,
    name: String,
    placement: Placement,
    duration_ms: u64,
    codec_adds_ms: u64,
    bytes: u64,
    content_type: String,
}

impl Gate {
    /// Puts what was staged into quarantine. What is or was there is not put there again.
    pub(super) async fn quarantine(
        &self,
        admission: &Admission,
        mut staged: Staged,
        reason: QuarantineReason,
    ) -> Result<(), Fault> {
        for _ in 0..FEW_ATTEMPTS {
            let prepared = self.ready_for_quarantine(admission, &mut staged, reason).await;
            let (id, job) = match prepared {
                Ok(Some(ready)) => ready,
                Ok(None) => {
                    staged.abandon().await;
                    return Ok(());
                }
                Err(fault) => {
                    staged.abandon().await;
                    return Err(fault);
                }
            };
            // If this fails, it is unknown whether the transaction was committed, so media and key stay; what nothing
            // names is removed later.
            if self.append(job).await? == Appended::Done {
                return Ok(());
            }
            self.forget_lock(id).await?;
        }
        staged.abandon().await;
        Err(Fault::contended())
    }

    /// What puts it there, its media and its key being durable; `None` if it is or was there.
    async fn ready_for_quarantine(
        &self,
        admission: &Admission,
        staged: &mut Staged,
        reason: QuarantineReason,
    ) -> Result<Option<(Uuid, Job)>, Fault> {
        let (who, sent) = (&admission.who, &admission.sent);
        let account = &who.account;
        let item = Item {
            came: admission.came(),
            reason,
            calls: sent.calls.clone(),
            call: admission.known_call(),
            name: sent.name.clone().unwrap_or_else(|| named_by(&staged.fingerprint)),
            placement: sent.placement.clone(),
            duration_ms: staged.measured.duration_ms,
            codec_adds_ms: staged.measured.codec_adds_ms,
            bytes: staged.sealed.bytes,
            content_type: staged.measured.format.media_type().into(),
        };
        let identity = identity(&staged.fingerprint, &item);
        if self.ledger.quarantined_as(account, &identity).await?.is_some() {
            return Ok(None);
        }
        if self.ledger.quarantine_size(account).await? >= MOST_OF_AN_ACCOUNT {
            tracing::warn!("an upload found no room in quarantine: release or destroy what is there");
            return Err(Fault::contended());
        }
        let mut expects = Vec::new();
        if let Some(call) = item.call {
            // Somebody on it was erased while the body arrived: nothing new of them is kept.
            let row = self.ledger.call(call).await?.filter(|row| !row.is_erased());
            expects.push(Expect::CallIs { call, id: row.ok_or(CallRefusal::Unknown)?.id });
        }
        let (settings, settings_text) = self.settings_now(account).await?;
        if settings.format != staged.sealed.sealing.format() {
            return Err(Fault::contended());
        }
        let (envelope, document) = self.envelope(account, staged).await?;
        let kept = staged.sync(document.len()).await.map_err(Failure::Store)?;
        if kept.place.is_some_and(|place| !place.fits(document.len())) {
            return Err(Fault::contended());
        }
        let locked = self.lock(kept.id, document).await?;
        let at = self.clock.now();
        let until = at
            .checked_add(SignedDuration::from_secs(i64::from(who.uploads.quarantine_seconds)))
            .map_err(|_| Fault::damaged("a time in quarantine never ends"))?;
        let body = Body::Quarantined {
            recording: kept.id,
            came: item.came,
            reason,
            envelope: bare(&envelope)?,
            media: hex(&envelope.sha256),
            bytes: envelope.bytes,
            until,
        };
        let draft = trail::draft(account, at, &who.into(), None, body, None)?;
        let row = QuarantineRow {
            id: kept.id.to_string(),
            account: account.clone(),
            uploader: who.credential.clone(),
            identity: identity.clone(),
            fingerprint: staged.fingerprint.clone(),
            document: serde_json::to_string(&item)
                .map_err(|_| Fault::damaged("an upload cannot be described"))?,
            place: kept.place.map(|place| place.to_string()),
            locked: Some(locked),
            received_at: at.as_millisecond(),
            until_at: until.as_millisecond(),
            ended_at: None,
        };
        let free = Expect::QuarantineFree { account: account.clone(), identity, most: MOST_OF_AN_ACCOUNT };
        expects.extend([free, Expect::AccountSettings { id: account.clone(), settings: settings_text }]);
        expects.extend(
            envelope
                .keys
                .iter()
                .map(|key| Expect::KeyUsable { account: account.clone(), id: key.key.clone() }),
        );
        let changes = vec![Change::Quarantine { row: Box::new(row) }];
        Ok(Some((kept.id, Job { expects, changes, entries: vec![draft] })))
    }

    /// What is in an account's quarantine, the oldest first.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the cursor makes no sense.
    pub async fn in_quarantine(
        &self,
        account: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Quarantine, Fault> {
        let after = match after {
            None => (i64::MIN, String::new()),
            Some(cursor) => {
                let id: Uuid = cursor.parse().map_err(|_| Thing::Quarantined)?;
                let row = self.ledger.quarantined(account, id).await?.ok_or(Thing::Quarantined)?;
                (row.received_at, row.id)
            }
        };
        let rows = self.ledger.quarantine(account, after, i64::from(limit).saturating_add(1)).await?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let next = rows.get(most).and(rows.get(most.saturating_sub(1))).map(|row| row.id.clone());
        let quarantine = rows.iter().take(most).map(shown).collect::<Result<_, _>>()?;
        Ok(Quarantine { quarantine, next })
    }

    /// Releases something from quarantine: it is decided on as if it had come for this call, by what was logged when it
    /// ended.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it is not in quarantine any more, the call is unknown, or what was logged does not cover it.
    pub async fn release(&self, who: &Principal, id: &str, asked: &ask::Release) -> Result<Stored, Fault> {
        ask::check_name(Field::CallId, &asked.call)?;
        let id: Uuid = id.parse().map_err(|_| Thing::Quarantined)?;
        for _ in 0..ATTEMPTS {
            let row = self.ledger.quarantined(&who.account, id).await?.ok_or(Thing::Quarantined)?;
            if row.ended_at.is_some() {
                return self.released_before(&row, asked).await;
            }
            if row.until_at <= self.clock.now().as_millisecond() {
                return Err(Thing::Quarantined.into());
            }
            let mut item = item(&row)?;
            let placed = asked.start.is_some();
            if let Some(start) = asked.start {
                // What its sender said cannot be changed.
                if item.placement != Placement::Unsaid {
                    return Err(RecordingRefusal::TimeSaid.into());
                }
                item.placement = Placement::From(whole_millis(start));
            }
            let from = (row.uploader.as_str(), item.came.coverage);
            let loaded = self.load_for(&who.account, from, &asked.call, &item.placement).await?;
            if loaded.row.is_erased() {
                return Err(CallRefusal::Unknown.into());
            }
            if row.until_at <= loaded.now.as_millisecond() {
                return Err(Thing::Quarantined.into());
            }
            self.barred.check(&loaded)?;
            self.is_of_no_other_call(&row, &item, &loaded).await?;
            if let Some(existing) = self.ledger.recording_by_name(loaded.uid, &item.name).await? {
                // It was sent again, and accepted, once the call was known.
                let stored = self.again(&existing, &row.fingerprint).await?;
                // If that cannot be done here, its time ends.
                drop(self.destroy(&Actor::from(who), &row, Destruction::Duplicate).await);
                return Ok(stored);
            }
            match self.may_leave(&row, &item, &loaded).await? {
                Ok(coverage) => {
                    let permit = self.permit(&row, (item, placed), &loaded, coverage).await?;
                    if let Some(stored) = self.accept(who, &loaded, permit).await? {
                        // Nothing needs it any more; if it cannot be destroyed now, a keeper does it.
                        drop(self.forget_lock(id).await);
                        return Ok(stored);
                    }
                }
                Err(uncovered) => {
                    if let Some(fault) = self.refuse_release(who, &row, &item, &loaded, uncovered).await? {
                        return Err(fault);
                    }
                }
            }
        }
        Err(Fault::contended())
    }

    /// Whoever its sender named was asked on that call, and may have objected there: it belongs to no other.
    async fn is_of_no_other_call(
        &self,
        row: &QuarantineRow,
        item: &Item,
        loaded: &Loaded,
    ) -> Result<(), Fault> {
        if let Some(call) = item.call {
            return match call == loaded.uid {
                true => Ok(()),
                false => Err(RecordingRefusal::OtherCall.into()),
            };
        }
        let ours = loaded.uid.to_string();
        for name in &item.calls {
            let named = self.ledger.calls_named(&row.account, name).await?;
            if !named.is_empty() && named.iter().all(|call| call.uid != ours) {
                return Err(RecordingRefusal::OtherCall.into());
            }
        }
        Ok(())
    }

    /// Destroys what waits of these calls, since somebody on them is erased: its sender's names of them end with it. What
    /// cannot be destroyed now is logged.
    pub(in crate::gate) async fn destroy_of_calls(
        &self,
        actor: &Actor,
        account: &str,
        names: &BTreeSet<String>,
    ) {
        if let Err(fault) = self.try_to_destroy_of_calls(actor, account, names).await {
            let cause = fault.failure().map(|failure| Chain(failure).to_string());
            tracing::error!(code = %fault.code(), cause, "what is in quarantine of the calls of somebody who was erased could not be destroyed; it is when its time is over");
        }
    }

    async fn try_to_destroy_of_calls(
        &self,
        actor: &Actor,
        account: &str,
        names: &BTreeSet<String>,
    ) -> Result<(), Fault> {
        let (mut after, mut failed) = ((i64::MIN, String::new()), None);
        loop {
            let page = self.ledger.quarantine(account, after, AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            after = (last.received_at, last.id.clone());
            for row in &page {
                if !item(row)?.calls.iter().any(|call| names.contains(call)) {
                    continue;
                }
                match self.destroy(actor, row, Destruction::Erased).await {
                    // Somebody was faster.
                    Ok(()) | Err(Fault::Refused { why: Refused::NotFound(_), .. }) => {}
                    Err(fault) => failed = Some(fault),
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Destroys something in quarantine.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it is not there any more.
    pub async fn destroy_quarantined(&self, actor: &Actor, account: &str, id: &str) -> Result<(), Fault> {
        let id: Uuid = id.parse().map_err(|_| Thing::Quarantined)?;
        let row = self.ledger.quarantined(account, id).await?.ok_or(Thing::Quarantined)?;
        match row.ended_at {
            None => self.destroy(actor, &row, Destruction::Requested).await,
            Some(_) => Err(Thing::Quarantined.into()),
        }
    }

    /// Destroys what was in quarantine for as long as it may be, and finishes what a crash has cut short. Returns how much
    /// was destroyed.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the ledger cannot be read, or something could not be destroyed. The rest is destroyed all the same.
    pub async fn end_quarantines(&self, actor: &Actor) -> Result<u64, Fault> {
        let now = self.clock.now();
        let (mut destroyed, mut failed) = (0u64, None);
        let mut after = (i64::MIN, String::new());
        loop {
            let page = self.ledger.quarantine_overdue(now.as_millisecond(), after, AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            after = (last.until_at, last.id.clone());
            for row in &page {
                match self.destroy(actor, row, Destruction::Expired).await {
                    Ok(()) => destroyed = destroyed.saturating_add(1),
                    // Somebody was faster.
                    Err(Fault::Refused { .. }) => {}
                    Err(fault) => failed = failed.or(Some(fault)),
                }
            }
        }
        let mut after = Uuid::nil();
        loop {
            let page = self.ledger.quarantine_unswept(after, AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            after = parse_id(&last.id)?;
            for row in &page {
                let swept = match kept(row) {
                    Ok(kept) => self.sweep_quarantined(kept).await,
                    Err(fault) => Err(fault),
                };
                failed = failed.or(swept.err());
            }
        }
        self.drop_needless_locks().await?;
        let before = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN).as_millisecond();
        let forget = Change::ForgetQuarantine { before };
        self.append(Job { changes: vec![forget], ..Job::default() }).await?;
        failed.map_or(Ok(destroyed), Err)
    }

    /// First the key, then what it opened, then the media.
    async fn destroy(&self, actor: &Actor, row: &QuarantineRow, because: Destruction) -> Result<(), Fault> {
        let kept = kept(row)?;
        let at = self.clock.now();
        // Whoever has its key destroys it: another gateway may not share the directory, and once nobody does, it is lost.
        let lost = row.until_at.saturating_add(KEY_LOST_AFTER_MS) <= at.as_millisecond();
        if !self.destroy_lock(kept.id).await? && !lost && because != Destruction::Erased {
            return Err(RecordingRefusal::LockMissing.into());
        }
        let body = Body::Destroyed { recording: kept.id, because };
        let job = Job {
            expects: vec![Expect::Quarantined { id: kept.id }],
            changes: vec![Change::QuarantineEnded { id: kept.id, at: at.as_millisecond(), kept: false }],
            entries: vec![trail::draft(&row.account, at, actor, None, body, None)?],
        };
        match self.append(job).await? {
            Appended::Conflict => Err(Thing::Quarantined.into()),
            Appended::Done => {
                // What is left now nobody can open.
                drop(self.forget_lock(kept.id).await);
                if let Err(fault) = self.sweep_quarantined(kept).await {
                    let cause = fault.failure().map(|failure| Chain(failure).to_string());
                    tracing::warn!(media = %kept.id, cause, "media of a destroyed quarantine could not be removed; it is tried again");
                }
                Ok(())
            }
        }
    }

    async fn sweep_quarantined(&self, kept: Kept) -> Result<(), Fault> {
        self.vault.discard(&kept).await.map_err(Failure::Store)?;
        let change = Change::QuarantineSwept { id: kept.id };
        self.append(Job { changes: vec![change], ..Job::default() }).await?;
        Ok(())
    }

    /// Keys that nothing in quarantine needs: a crash has left them.
    async fn drop_needless_locks(&self) -> Result<(), Fault> {
        let unreadable =
            |error| Fault::damaged_by("the keys to what is in quarantine cannot be listed", error);
        let locks = self.locks.clone();
        let before = self.clock.now().checked_sub(LOCK_NEEDED_BY).unwrap_or(Timestamp::MIN);
        let old = tokio::task::spawn_blocking(move || locks.older_than(before)).await;
        let old = old.map_err(std::io::Error::other).flatten().map_err(unreadable)?;
        for ids in old.chunks(usize::try_from(AT_ONCE).unwrap_or(1)) {
            let needed = self.ledger.quarantine_live(ids).await?;
            for id in ids.iter().filter(|id| !needed.contains(id)) {
                self.forget_lock(*id).await?;
            }
        }
        Ok(())
    }

    async fn lock(&self, id: Uuid, envelope: String) -> Result<Vec<u8>, Fault> {
        let locks = self.locks.clone();
        let closed = tokio::task::spawn_blocking(move || {
            let key = locks.make(id)?;
            key.close(&envelope, id.as_bytes()).map_err(std::io::Error::other)
        });
        let failed = |error| Fault::damaged_by("an upload could not be locked in quarantine", error);
        closed.await.map_err(std::io::Error::other).flatten().map_err(failed)
    }

    /// Destroys a key, and forgets that there was one.
    async fn forget_lock(&self, id: Uuid) -> Result<(), Fault> {
        let locks = self.locks.clone();
        let forgotten = tokio::task::spawn_blocking(move || locks.forget(id)).await;
        let failed =
            |error| Fault::damaged_by("the key to something in quarantine could not be destroyed", error);
        forgotten.map_err(std::io::Error::other).flatten().map_err(failed)
    }

    /// Returns whether it was here.
    async fn destroy_lock(&self, id: Uuid) -> Result<bool, Fault> {
        let locks = self.locks.clone();
        let destroyed = tokio::task::spawn_blocking(move || locks.destroy(id)).await;
        let failed =
            |error| Fault::damaged_by("the key to something in quarantine could not be destroyed", error);
        destroyed.map_err(std::io::Error::other).flatten().map_err(failed)
    }

    /// The envelope of something in quarantine, for those keys that are still in use.
    async fn unlock(&self, row: &QuarantineRow) -> Result<(Envelope, String), Fault> {
        let (locks, id) = (self.locks.clone(), parse_id(&row.id)?);
        let unreadable =
            |error| Fault::damaged_by("the key to something in quarantine cannot be read", error);
        let found = tokio::task::spawn_blocking(move || locks.find(id)).await;
        let key = found.map_err(std::io::Error::other).flatten().map_err(unreadable)?;
        let key = key.ok_or(RecordingRefusal::LockMissing)?;
        let locked = row.locked.as_deref().unwrap_or_default();
        let document = key
            .open(locked, id.as_bytes())
            .ok_or_else(|| Fault::damaged("what is in quarantine is not what was put there"))?;
        let mut envelope: Envelope =
            serde_json::from_str(&document).map_err(|_| Fault::damaged("an envelope cannot be read"))?;
        let usable = self.usable_keys(&row.account).await?;
        envelope.keys.retain(|wrapped| usable.iter().any(|(id, _)| *id == wrapped.key));
        if envelope.keys.is_empty() {
            return Err(RecordingRefusal::NoUsableKey.into());
        }
        let document =
            serde_json::to_string(&envelope).map_err(|_| Fault::damaged("an envelope cannot be written"))?;
        Ok((envelope, document))
    }

    /// Whether what was logged covers it, every second: as the call stands, and as it stood when the audio had ended; and
    /// nobody has objected since it began.
    async fn may_leave(
        &self,
        row: &QuarantineRow,
        item: &Item,
        loaded: &Loaded,
    ) -> Result<Result<Coverage, Why>, Fault> {
        let claim = claim(&item.placement, item.duration_ms)?;
        let from = (row.uploader.as_str(), item.came.coverage);
        let upload = loaded.upload(from, claim, item.codec_adds_ms, &|_, _| false);
        let coverage = match covers(&loaded.call, &upload, item, loaded.now) {
            Ok(coverage) => coverage,
            Err(uncovered) => return Ok(Err(Why::Uncovered(uncovered))),
        };
        let ended = coverage.spans.iter().map(|(_, until)| *until).max();
        if ended.is_none_or(|ended| ended > from_row(row.received_at)) {
            return Err(RecordingRefusal::LaterThanItself.into());
        }
        let until = trail::evidence_until(&coverage.spans, loaded.call.settings())
            .ok_or_else(|| Fault::damaged("a recording has no stretch"))?;
        let folded = self.folded(loaded.uid, &loaded.row).await?;
        let leaves = || folded.entries.iter().map(|read| &read.leaf);
        let by_then: Vec<trail::Leaf> = leaves().filter(|leaf| leaf.at <= until).cloned().collect();
        if by_then.first().is_none_or(|leaf| !matches!(leaf.body, Body::Opened { .. })) {
            return Ok(Err(Why::OpenedLater));
        }
        let earlier = self.fold(&by_then).await?;
        // As an auditor sees it: with what the codec has added by this coverage.
        let upload = Upload { codec_adds_ms: coverage.codec_ms, ..upload };
        if let Err(uncovered) = covers(&earlier, &upload, item, until) {
            return Ok(Err(Why::LoggedLater(uncovered)));
        }
        let facts: Vec<Event> = leaves().filter_map(trail::Leaf::fact).collect();
        let objected = trail::objects_since(&facts, &coverage.spans, &upload.claim)
            || self.grants_ended(&row.account, loaded).await?;
        match objected {
            true => Ok(Err(Why::Objected)),
            false => Ok(Ok(coverage)),
        }
    }

    /// Whether a consent grant that somebody on the call relies on was withdrawn.
    async fn grants_ended(&self, account: &str, loaded: &Loaded) -> Result<bool, Fault> {
        for grant in loaded.names.iter().filter_map(|name| name.consent_grant.as_deref()) {
            let row = self.ledger.grant(account, grant).await?;
            if row.is_none_or(|row| row.withdrawn_at.is_some()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// That they still are not, once it is accepted.
    fn grants_hold(&self, account: &str, loaded: &Loaded) -> Vec<Expect> {
        let grants = loaded.names.iter().filter_map(|name| name.consent_grant.clone());
        grants.map(|id| Expect::GrantHolds { account: account.to_owned(), id }).collect()
    }

    async fn permit(
        &self,
        row: &QuarantineRow,
        (item, placed): (Item, bool),
        loaded: &Loaded,
        coverage: Coverage,
    ) -> Result<Permit, Fault> {
        let (envelope, document) = self.unlock(row).await?;
        let (settings, settings_text) = self.settings_now(&row.account).await?;
        // Recordings of the account are sealed otherwise by now, for one key.
        if settings.format != envelope.format() {
            return Err(RecordingRefusal::NoUsableKey.into());
        }
        let evidence_until = trail::evidence_until(&coverage.spans, loaded.call.settings())
            .ok_or_else(|| Fault::damaged("a recording has no stretch"))?;
        Ok(Permit {
            kept: kept(row)?,
            fingerprint: row.fingerprint.clone(),
            duration_ms: item.duration_ms,
            envelope,
            document,
            settings: settings_text,
            about: self.found_by(&row.account, loaded, &coverage, None).await?,
            coverage,
            // Somebody wants it, whatever the settings ask for.
            unasked: None,
            at: loaded.now,
            name: item.name,
            uploader: row.uploader.clone(),
            came: item.came,
            is_unplaced: item.placement == Placement::Unsaid,
            released: Some(Released { uploader: row.uploader.clone(), evidence_until, placed }),
            expects: self.grants_hold(&row.account, loaded),
        })
    }

    /// Logs that something was not released; `None` if others wrote to the call in the meantime.
    async fn refuse_release(
        &self,
        who: &Principal,
        row: &QuarantineRow,
        item: &Item,
        loaded: &Loaded,
        why: Why,
    ) -> Result<Option<Fault>, Fault> {
        let (call, basis) = (&loaded.call, item.came.coverage);
        let (refusal, uncovered) = match &why {
            Why::Uncovered(uncovered) | Why::LoggedLater(uncovered) => {
                (uncovered.refusal(call, basis), Some(uncovered))
            }
            Why::OpenedLater => (Refusal::ConsentRequired, None),
            Why::Objected => (Refusal::ConsentWithdrawn, None),
        };
        let body = Body::ReleaseRefused {
            recording: parse_id(&row.id)?,
            code: refusal,
            uncovered: uncovered.map(Uncovered::stretches).unwrap_or_default(),
            saw: loaded.saw(),
        };
        let draft = loaded.draft(who, loaded.now, body, None)?;
        let entry = draft.id;
        let job = Job { expects: loaded.expects(), entries: vec![draft], ..Job::default() };
        if self.append(job).await? == Appended::Conflict {
            return Ok(None);
        }
        Ok(Some(match why {
            Why::Uncovered(uncovered) => {
                let missing = self.decision(loaded).await.missing;
                let names = loaded.called();
                let remedy = uncovered.remedy(call, basis);
                let unkept = Unkept { refusal, remedy, missing, names, uncovered, entry, discarded: false };
                RecordingRefusal::Uncovered(Box::new(unkept)).into()
            }
            Why::LoggedLater(_) | Why::OpenedLater => RecordingRefusal::CoveredTooLate.into(),
            Why::Objected => RecordingRefusal::Objected.into(),
        }))
    }

    /// The answer to a repeated request: what was released to this call is there, anything else is gone.
    async fn released_before(&self, row: &QuarantineRow, asked: &ask::Release) -> Result<Stored, Fault> {
        let id = parse_id(&row.id)?;
        let recording = self.ledger.recording(&row.account, id).await?;
        let recording = recording.filter(|recording| recording.deleted_at.is_none());
        let recording = recording.ok_or(Thing::Quarantined)?;
        let call = self.call_row(&row.account, &asked.call).await?;
        match call.is_some_and(|call| call.uid == recording.call) {
            true => {
                // A crash may have left its key, and an earlier answer its envelope object.
                self.forget_lock(id).await?;
                self.again(&recording, &row.fingerprint).await
            }
            false => Err(Thing::Quarantined.into()),
        }
    }
}

/// Why something may not leave the quarantine.
enum Why {
    /// Not all of it is covered.
    Uncovered(Uncovered),
    /// All of it is covered now, and was not by what was logged when it ended.
    LoggedLater(Uncovered),
    /// The call was opened after it had ended.
    OpenedLater,
    /// Somebody has objected.
    Objected,
}

/// How a call covers all of it, wherever in its doubt it began.
fn covers(
    call: &policy::Call,
    upload: &Upload<'_>,
    item: &Item,
    at: Timestamp,
) -> Result<Coverage, Uncovered> {
    let coverage = call.coverage(upload, at)?;
    let doubt = Doubt::of(&item.placement, call, item.duration_ms, upload, at);
    let in_the_way = doubt.in_the_way(upload);
    match in_the_way.is_empty() {
        true => Ok(coverage),
        false => Err(Uncovered::Spans(in_the_way)),
    }
}

/// By this the same upload is known again. It says nothing to whoever has no key: the fingerprint is a keyed hash.
fn identity(fingerprint: &[u8], item: &Item) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(fingerprint);
    for text in item.calls.iter().chain([&item.name]) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().to_vec()
}

fn item(row: &QuarantineRow) -> Result<Item, Fault> {
    serde_json::from_str(&row.document)
        .map_err(|_| Fault::damaged("what is known of something in quarantine cannot be read"))
}

fn kept(row: &QuarantineRow) -> Result<Kept, Fault> {
    let place = row.place.as_deref().map(str::parse).transpose();
    let place = place.map_err(|_| Fault::damaged("the place of something in quarantine cannot be read"))?;
    Ok(Kept { id: parse_id(&row.id)?, place })
}

fn shown(row: &QuarantineRow) -> Result<InQuarantine, Fault> {
    let item = item(row)?;
    Ok(InQuarantine {
        id: parse_id(&row.id)?,
        reason: item.reason,
        received_at: from_row(row.received_at).into(),
        until: from_row(row.until_at).into(),
        calls: item.calls,
        name: item.name,
        start: item.placement.begun().map(Moment),
        start_doubt_ms: item.placement.within_ms(),
        duration_ms: item.duration_ms,
        bytes: item.bytes,
        content_type: item.content_type,
        uploader: row.uploader.clone(),
        door: item.came.door,
    })
}

/// How much of an account can be there at once.
const MOST_OF_AN_ACCOUNT: i64 = 10_000;
/// Each makes a key and destroys it again.
const FEW_ATTEMPTS: usize = 4;
/// How much is read at once.
const AT_ONCE: i64 = 256;
/// How long after its end something without a key counts as lost.
const KEY_LOST_AFTER_MS: i64 = 24 * 60 * 60 * 1000;
/// For how long a copy of what was there is known again.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// By when what a key was made for is in quarantine.
const LOCK_NEEDED_BY: SignedDuration = SignedDuration::from_hours(24);
