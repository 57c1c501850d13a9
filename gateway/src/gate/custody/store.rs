//! Storing a finished recording. No consent, no bytes.
//!
//! An upload is *admitted* (it may stream), *staged* (sealed and measured, readable by nobody) and only then
//! *permitted*, by the staged audio and the current state of the call. A [`Permit`] is made here, or for what leaves the
//! quarantine, and nowhere else; it is taken by value, and spent in the one transaction that accepts the recording.

use jiff::Timestamp;
use policy::scope::upload::Unasked;
use policy::{Claim, Coverage, CoverageBasis, Remedy, Uncovered, Use};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::access::Principal;
use crate::body::{BodyError, Paced};
use crate::gate::answer::Recording;
use crate::gate::custody::doubt::Doubt;
use crate::gate::custody::placed::{
    Placement, check_placement, claim, is_hopeless, longest, never_lawful, silenced_in_vain, would_be_kept,
};
use crate::gate::custody::purposes::About;
use crate::gate::custody::unasked::Asked;
use crate::gate::{
    ATTEMPTS, CallRefusal, Failure, Fault, Field, Gate, Loaded, RecordingRefusal, Refused, Unkept, Wrong,
    ask, kept,
};
use crate::ledger::{Appended, Change, Expect, Job, RecordingRow};
use crate::measure::{Measured, Plan, Silence, Silenced};
use crate::record::{self, Algorithm, Fingerprint, StageError, Staged};
use crate::vault::Kept;
use seal::{Envelope, Format, RecipientKey, WrappedKey};
use trail::{Body, Came, Door, OnRefusal, QuarantineReason, Released, hex};

/// What a sender says of an upload.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Through which door it comes.
    pub door: Door,
    /// The names that its call may have, the likeliest first.
    pub calls: Vec<String>,
    /// The numbers of everybody on its call, E.164, by which it is found if no call has one of the names; none if any of
    /// them is not known.
    pub parties: Vec<String>,
    /// Its own name; one that comes without is named by its content once that is known.
    pub name: Option<String>,
    /// When it was made.
    pub placement: Placement,
    /// SHA-256 of the body.
    pub digest: Option<[u8; 32]>,
}

impl Sent {
    /// Through the gateway's own API, which names the call and the recording.
    #[must_use]
    pub fn natively(call: String, name: String, placement: Placement, digest: Option<[u8; 32]>) -> Sent {
        let (calls, parties) = (vec![call], Vec::new());
        Sent { door: Door::Native, calls, parties, name: Some(name), placement, digest }
    }
}

/// An upload that may stream.
#[derive(Debug)]
pub struct Admission {
    pub(super) who: Principal,
    pub(super) sent: Sent,
    /// The call itself: by the time the body has arrived, its name may belong to another call.
    call: Uuid,
    treatment: Treatment,
}

impl Admission {
    /// Its call, if that is known.
    pub(super) fn known_call(&self) -> Option<Uuid> {
        (!self.call.is_nil()).then_some(self.call)
    }

    pub(super) fn came(&self) -> Came {
        came(&self.who, self.sent.door)
    }
}

fn taken(stored: Stored) -> Taken {
    Taken::Stored(Box::new(stored))
}

/// Whether what is sent with this credential may wait in quarantine.
fn may_wait(who: &Principal, door: Door) -> bool {
    door != Door::Native && who.uploads.quarantine_seconds > 0
}

fn came(who: &Principal, door: Door) -> Came {
    Came { door, coverage: who.uploads.coverage, used_for: Use::Record }
}

/// What to do with an upload's body.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Treatment {
    /// Stage it, silence what the plan says, and judge it once it has arrived.
    Stage(Plan),
    /// Compare it only, by its fingerprint's algorithm: a recording with this name was accepted before.
    Compare(Algorithm),
    /// Measure it only, so that the refusal can list what is uncovered: none of it can be covered, no matter
    /// how long it is.
    Measure,
    /// Put it into quarantine: nobody can decide on it yet.
    Quarantine(QuarantineReason),
}

/// What became of an upload that was not refused.
#[derive(Debug)]
pub enum Taken {
    /// It is a recording.
    Stored(Box<Stored>),
    /// It is, or was, in quarantine. The gateway's own API never does that.
    Quarantined,
}

/// The outcome of an upload.
#[derive(Debug)]
pub struct Stored {
    /// The recording's id.
    pub id: Uuid,
    /// Whether it is new; otherwise the same bytes were accepted before.
    pub new: bool,
    /// Its description.
    pub description: Recording,
}

/// The permission to turn sealed audio into a recording. It cannot be made elsewhere, or copied.
pub(super) struct Permit {
    /// Where the sealed media lie, durably, and under which id.
    pub(super) kept: Kept,
    pub(super) fingerprint: Vec<u8>,
    pub(super) duration_ms: u64,
    pub(super) envelope: Envelope,
    pub(super) document: String,
    /// The account's settings by which it is sealed.
    pub(super) settings: String,
    pub(super) about: About,
    pub(super) coverage: Coverage,
    /// Why the account's recording settings do not ask for it, if that is noted.
    pub(super) unasked: Option<Unasked>,
    pub(super) at: Timestamp,
    pub(super) name: String,
    /// The credential with which it was sent.
    pub(super) uploader: String,
    pub(super) came: Came,
    pub(super) is_unplaced: bool,
    pub(super) released: Option<Released>,
    /// What has to be so beside.
    pub(super) expects: Vec<Expect>,
}

impl Gate {
    /// Decides whether an upload may stream, before any of it is read. Without a name, it is named by its content: the same
    /// bytes on the same call are one recording.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the call is unknown and it may not wait in quarantine, no part of it was ever lawful, no key is usable,
    /// or a recording with this name was deleted.
    pub async fn admit(&self, who: &Principal, mut sent: Sent) -> Result<Admission, Fault> {
        if sent.door != Door::Native {
            // A switch says what it likes: what is no name finds no call.
            sent.calls.retain(|call| ask::check_name(Field::CallId, call).is_ok());
        }
        sent.name.iter().try_for_each(|name| ask::check_name(Field::RecordingName, name))?;
        let who = who.clone();
        for _ in 0..ATTEMPTS {
            let loaded = match self.call_of_upload(&who, &sent).await? {
                Ok(loaded) => loaded,
                Err(reason) if may_wait(&who, sent.door) => {
                    if self.usable_keys(&who.account).await?.is_empty() {
                        return Err(RecordingRefusal::NoUsableKey.into());
                    }
                    self.vault.has_room().map_err(Failure::Store)?;
                    return Ok(Admission {
                        who,
                        sent,
                        call: Uuid::nil(),
                        treatment: Treatment::Quarantine(reason),
                    });
                }
                Err(_) => return Err(CallRefusal::Unknown.into()),
            };
            if let Some(treatment) = self.try_admit(&who, &sent, &loaded).await? {
                return Ok(Admission { who, sent, call: loaded.uid, treatment });
            }
        }
        Err(Fault::contended())
    }

    /// The call that an upload belongs to: the first of those that it names, or else the only one at its time whose
    /// numbers are those of its parties.
    async fn call_of_upload(
        &self,
        who: &Principal,
        sent: &Sent,
    ) -> Result<Result<Loaded, QuarantineReason>, Fault> {
        for call in &sent.calls {
            match self
                .load_for(&who.account, (&who.credential, who.uploads.coverage), call, &sent.placement)
                .await
            {
                Err(Fault::Refused { why: Refused::Call(CallRefusal::Unknown), .. }) => {}
                found => return found.map(Ok),
            }
        }
        // One number alone may be the company's own, on every call.
        let (Some(begun), [_, _, ..]) = (sent.placement.begun(), sent.parties.as_slice()) else {
            return Ok(Err(QuarantineReason::UnknownCall));
        };
        let latest = begun
            .as_millisecond()
            .saturating_add(i64::try_from(sent.placement.within_ms()).unwrap_or(i64::MAX));
        let found =
            self.ledger.calls_with(&who.account, &sent.parties, (begun.as_millisecond(), latest)).await?;
        Ok(match found.as_slice() {
            [] => Err(QuarantineReason::UnknownCall),
            [call] => Ok(self.load_row(call.clone()).await?),
            [..] => Err(QuarantineReason::SeveralCalls),
        })
    }

    /// What to do with the body; `None` if other requests were faster.
    async fn try_admit(
        &self,
        who: &Principal,
        sent: &Sent,
        loaded: &Loaded,
    ) -> Result<Option<Treatment>, Fault> {
        let Sent { door, name, placement, .. } = sent;
        let (door, name, now) = (*door, name.as_deref(), loaded.now);
        check_placement(placement)?;
        if loaded.row.is_erased() {
            return Err(CallRefusal::Unknown.into());
        }
        // No recording has an empty name.
        let asked = name.unwrap_or_default();
        let (known, sealable) = self.ledger.before_upload(&who.account, loaded.uid, asked).await?;
        if known {
            let existing = self.ledger.recording_by_name(loaded.uid, asked).await?;
            let live = existing.filter(|row| row.deleted_at.is_none());
            let algorithm = algorithm_of(&live.ok_or(RecordingRefusal::NameDeleted)?)?;
            return Ok(Some(Treatment::Compare(algorithm)));
        }
        if !sealable {
            return Err(RecordingRefusal::NoUsableKey.into());
        }
        self.vault.has_room().map_err(Failure::Store)?;
        let parts = match placement {
            Placement::Unsaid => Vec::new(),
            Placement::From(from) | Placement::About(from, _) => vec![(*from, placement.claimed_ms(now))],
            Placement::Timeline(parts) => parts.clone(),
        };
        if !parts.is_empty() {
            let upload =
                loaded.upload((&who.credential, who.uploads.coverage), Claim::Placed(parts), 0, &|_, _| true);
            return match loaded.call.coverage(&upload, now) {
                Err(Uncovered::Spans(spans)) if is_hopeless(&upload.claim, &spans) => {
                    Ok(Some(Treatment::Measure))
                }
                Err(uncovered @ Uncovered::Withdrawn(_)) => {
                    self.refuse_early((who, door), loaded, name, uncovered).await
                }
                Ok(_) | Err(_) => {
                    let longest = longest(&upload, placement);
                    let silent = loaded.call.to_silence(&longest, now);
                    let doubt = Doubt::of(placement, &loaded.call, placement.claimed_ms(now), &upload, now);
                    Ok(Some(Treatment::Stage(Plan::new(silent.into_iter().chain(doubt.stretches())))))
                }
            };
        }
        let upload = loaded.upload(
            (&who.credential, who.uploads.coverage),
            Claim::Unplaced { duration_ms: 1 },
            0,
            &|_, _| true,
        );
        match loaded.call.coverage(&upload, now) {
            Ok(_) => Ok(Some(Treatment::Stage(Plan::default()))),
            // It may be one that was accepted before, which its content shows.
            Err(Uncovered::UsedUp { .. }) if name.is_none() => Ok(Some(Treatment::Stage(Plan::default()))),
            Err(Uncovered::Unplaced { .. }) if may_wait(who, door) => match never_lawful(who, loaded) {
                Some(uncovered) => self.refuse_early((who, door), loaded, name, uncovered).await,
                None => Ok(Some(Treatment::Quarantine(QuarantineReason::UnknownTime))),
            },
            Err(uncovered) => self.refuse_early((who, door), loaded, name, uncovered).await,
        }
    }

    /// Refuses an upload no matter what it holds; `None` if other requests were faster.
    async fn refuse_early(
        &self,
        (who, door): (&Principal, Door),
        loaded: &Loaded,
        name: Option<&str>,
        uncovered: Uncovered,
    ) -> Result<Option<Treatment>, Fault> {
        match self.refuse((who, door), loaded, name, uncovered, (None, false), loaded.now).await? {
            Some(fault) => Err(fault),
            None => Ok(None),
        }
    }

    /// Takes an admitted upload: stages it, decides again, accepts or refuses.
    ///
    /// # Errors
    ///
    /// [`Fault`]; in that case nobody can read any of it, and whatever was written is removed.
    pub async fn store(&self, mut admission: Admission, body: &mut Paced) -> Result<Taken, Fault> {
        let key = self.secrets.fingerprint_key(&admission.who.account);
        let plan = match std::mem::replace(&mut admission.treatment, Treatment::Measure) {
            Treatment::Stage(plan) => plan,
            Treatment::Compare(algorithm) => {
                let fingerprint = Fingerprint::new(algorithm, &key);
                let again = record::fingerprint_of(fingerprint, admission.sent.digest, body)
                    .await
                    .map_err(stage_fault)?;
                // Looked up this late because it may have been deleted while the body arrived.
                let name = admission.sent.name.as_deref().unwrap_or_default();
                let existing = self.ledger.recording_by_name(admission.call, name).await?;
                let existing = existing.ok_or(RecordingRefusal::NameDeleted)?;
                return self.again(&existing, &again).await.map(taken);
            }
            Treatment::Quarantine(reason) => {
                let staged = self.stage(&admission, Plan::default(), body).await?;
                return self.quarantine(&admission, staged, reason).await.map(|()| Taken::Quarantined);
            }
            Treatment::Measure => {
                let sound = match record::measure(body).await {
                    Ok(measured) => Sound::of(&measured, Silenced::Nothing),
                    // It is refused for its claims, no matter what it holds.
                    Err(StageError::Unmeasurable(_)) => Sound {
                        duration_ms: admission.sent.placement.claimed_ms(self.clock.now()),
                        codec_adds_ms: 0,
                        silence: None,
                        silenced: Silenced::Nothing,
                    },
                    Err(error) => return Err(stage_fault(error)),
                };
                return match self.judge(&admission, &sound, false).await?.0 {
                    Judged::Again(existing) => self.again(&existing, &[]).await.map(taken),
                    // Some of it became lawful in the meantime, but the audio was not kept.
                    Judged::Covered(..) => Err(Fault::contended()),
                };
            }
        };
        let staged = self.stage(&admission, plan, body).await?;
        admission.sent.name.get_or_insert_with(|| named_by(&staged.fingerprint));
        self.settle(&admission, staged).await.map(taken)
    }

    async fn stage(&self, admission: &Admission, plan: Plan, body: &mut Paced) -> Result<Staged, Fault> {
        let account = &admission.who.account;
        let key = self.secrets.fingerprint_key(account);
        let fingerprint = Fingerprint::new(self.uploads.fingerprint, &key);
        let format = self.settings_now(account).await?.0.format;
        if let Some(most) = format.max_bytes() {
            body.at_most(most);
        }
        record::stage(&self.vault, account, format, fingerprint, admission.sent.digest, plan, body)
            .await
            .map_err(|error| stage_fault_of(format, error))
    }

    /// Turns staged audio into an accepted or refused recording.
    async fn settle(&self, admission: &Admission, mut staged: Staged) -> Result<Stored, Fault> {
        let sound = Sound::of(&staged.measured, staged.silenced.clone());
        for attempt in 0..ATTEMPTS {
            let (loaded, now) = match self.judge(admission, &sound, attempt > 0).await {
                Ok(judged) => judged,
                Err(fault) => {
                    staged.abandon().await;
                    return Err(fault);
                }
            };
            let (loaded, coverage) = match loaded {
                Judged::Again(existing) => {
                    // A gateway that makes others may have accepted it meanwhile: sent again, it is compared by those.
                    let comparable = Some(algorithm_of(&existing)?) == Algorithm::of(&staged.fingerprint);
                    let answer = match comparable {
                        true => self.again(&existing, &staged.fingerprint).await,
                        false => Err(Fault::contended()),
                    };
                    staged.abandon().await;
                    return answer;
                }
                Judged::Covered(loaded, coverage) => (loaded, coverage),
            };
            let asked = self.ask_settings(
                (&admission.who, admission.came()),
                &loaded,
                admission.sent.name.as_deref(),
                sound.duration_ms,
                now,
            );
            let unasked = match asked.await {
                Ok(Asked::Kept(unasked)) => unasked,
                Ok(Asked::Conflict) => continue,
                Err(fault) => {
                    staged.abandon().await;
                    return Err(fault);
                }
            };
            // Refused uploads never get this far: (1) the media, durable, readable by nobody.
            let account = &admission.who.account;
            let beside = async {
                let (settings, settings_text) = self.settings_now(account).await?;
                // It changed while the body arrived. Sent again, the recording is sealed as the account's are.
                if settings.format != staged.sealed.sealing.format() {
                    return Err(Fault::contended());
                }
                let (envelope, document) = self.envelope(account, &staged).await?;
                let kept = staged.sync(document.len()).await.map_err(Failure::Store)?;
                // A key was added since it was written, and others were faster than this upload.
                if kept.place.is_some_and(|place| !place.fits(document.len())) {
                    return Err(Fault::contended());
                }
                let about = self.found_by(account, &loaded, &coverage, unasked).await?;
                Ok((kept, envelope, document, about, settings_text))
            };
            let (kept, envelope, document, about, settings) = match beside.await {
                Ok(beside) => beside,
                Err(fault) => {
                    staged.abandon().await;
                    return Err(fault);
                }
            };
            let permit = Permit {
                kept,
                fingerprint: staged.fingerprint.clone(),
                duration_ms: staged.measured.duration_ms,
                envelope,
                document,
                settings,
                about,
                coverage,
                unasked,
                at: now,
                name: admission.sent.name.clone().unwrap_or_default(),
                uploader: admission.who.credential.clone(),
                came: admission.came(),
                is_unplaced: admission.sent.placement == Placement::Unsaid,
                released: None,
                expects: Vec::new(),
            };
            if let Some(stored) = self.accept(&admission.who, &loaded, permit).await? {
                return Ok(stored);
            }
        }
        staged.abandon().await;
        Err(Fault::contended())
    }

    async fn judge(
        &self,
        admission: &Admission,
        sound: &Sound,
        collided: bool,
    ) -> Result<(Judged, Timestamp), Fault> {
        for attempt in 0..ATTEMPTS {
            let row = self.ledger.call(admission.call).await?.ok_or(CallRefusal::Unknown)?;
            // Somebody was erased while the body arrived: nothing new about them is accepted.
            if row.is_erased() {
                return Err(CallRefusal::Unknown.into());
            }
            let loaded = self.load_row(row).await?;
            self.barred.check(&loaded)?;
            let now = loaded.now;
            // Asks whether the same upload was accepted in the meantime, if that would show: the accepting
            // transaction asks in any case, and then this one has collided.
            let name = admission.sent.name.as_deref().unwrap_or_default();
            let existing = async || self.ledger.recording_by_name(loaded.uid, name).await;
            if (collided || attempt > 0)
                && let Some(existing) = existing().await?
            {
                return Ok((Judged::Again(Box::new(existing)), now));
            }
            let claim = claim(&admission.sent.placement, sound.duration_ms)?;
            let from_credential = (admission.who.credential.as_str(), admission.who.uploads.coverage);
            let silent = |from, to| sound.silence.as_ref().is_some_and(|silence| silence.covers(from, to));
            let mut upload = loaded.upload(from_credential, claim, sound.codec_adds_ms, &silent);
            let stretches = sound.stretches();
            upload.silenced = &stretches;
            let doubt = Doubt::of(&admission.sent.placement, &loaded.call, sound.duration_ms, &upload, now);
            let coverage = loaded.call.coverage(&upload, now);
            let left = coverage.as_ref().is_ok_and(|coverage| !coverage.spans.is_empty());
            let in_doubt = match left && sound.silenced != ALTERED {
                true => doubt.in_the_way(&upload),
                // Nothing is left of it, or it cannot be silenced: sent again, it would be the same.
                false => doubt.spans.clone(),
            };
            let (uncovered, is_doubted) = match coverage {
                Ok(_) if !in_doubt.is_empty() => (Uncovered::Spans(in_doubt), true),
                // What was silenced has become covered meanwhile, and cannot be brought back: sent again, it is kept.
                Ok(coverage)
                    if silenced_in_vain(&coverage, admission.sent.placement.within_ms())
                        || sound.silenced == ALTERED =>
                {
                    return Err(Fault::contended());
                }
                Ok(coverage) => return Ok((Judged::Covered(Box::new(loaded), coverage), now)),
                Err(uncovered) => (uncovered, false),
            };
            if let Some(existing) = existing().await? {
                return Ok((Judged::Again(Box::new(existing)), now));
            }
            let again = sound.can_be_silenced()
                && (left || !is_doubted)
                && would_be_kept(&loaded.call, &upload, &uncovered, &doubt, now);
            let remedy = again.then_some(Remedy::Resend);
            let from = (&admission.who, admission.sent.door);
            let is_doubted = is_doubted || doubt.is_all_of(&uncovered, sound.duration_ms);
            if let Some(fault) = self
                .refuse(from, &loaded, admission.sent.name.as_deref(), uncovered, (remedy, is_doubted), now)
                .await?
            {
                return Err(fault);
            }
        }
        Err(Fault::contended())
    }

    /// The only way into the store: (2) the row with the envelope, and the entry, in one transaction that
    /// requires the call to be unchanged since it was judged; (3) the envelope object. `None` if it has changed.
    pub(super) async fn accept(
        &self,
        who: &Principal,
        loaded: &Loaded,
        permit: Permit,
    ) -> Result<Option<Stored>, Fault> {
        let Permit { kept, fingerprint, duration_ms, envelope, document, settings, .. } = permit;
        let Permit {
            about,
            coverage,
            unasked,
            at,
            name,
            uploader,
            came,
            is_unplaced,
            released,
            expects: more,
            ..
        } = permit;
        let (id, call) = (kept.id, loaded.uid);
        let bare = bare(&envelope)?;
        let retention = loaded.call.requirement(at).retention;
        let body = Body::Accepted {
            recording: id,
            came,
            envelope: bare,
            media: hex(&envelope.sha256),
            bytes: envelope.bytes,
            keys: envelope.keys.iter().map(|key| key.key.clone()).collect(),
            format: envelope.format(),
            spans: coverage.spans,
            silenced: coverage.silenced,
            unplaced: is_unplaced,
            codec_ms: coverage.codec_ms,
            shifted_ms: coverage.shifted_ms,
            unasked,
            keep_until: retention.keep_until(at),
            delete_by: retention.delete_by(at),
            released: released.clone(),
            saw: loaded.saw(),
        };
        let draft = loaded.draft(who, at, body, Some(json!({"name": name})))?;
        let mut expects = loaded.expects();
        expects.extend(more);
        expects.push(Expect::AccountSettings { id: who.account.clone(), settings });
        expects.push(Expect::RecordingNameFree { call, name: name.clone() });
        expects.extend(
            envelope
                .keys
                .iter()
                .map(|key| Expect::KeyUsable { account: who.account.clone(), id: key.key.clone() }),
        );
        let row = RecordingRow {
            id: id.to_string(),
            account: who.account.clone(),
            call: call.to_string(),
            call_id: loaded.row.id.clone(),
            name,
            fingerprint,
            uploader,
            bytes: whole(envelope.bytes),
            duration_ms: whole(duration_ms),
            content_type: envelope.content_type.clone(),
            envelope: Some(document.clone()),
            enveloped: false,
            accepted_at: at.as_millisecond(),
            recorded_from: about.from,
            recorded_until: about.until,
            about: about.document,
            held: false,
            covered: false,
            restricted: false,
            deleted_at: None,
            place: kept.place.map(|place| place.to_string()),
            kept_at_least: retention.minimum.map(|period| period.to_string()),
            kept_at_most: retention.maximum.map(|period| period.to_string()),
            keep_until: retention.keep_until(at).map(Timestamp::as_millisecond),
            delete_by: retention.delete_by(at).map(Timestamp::as_millisecond),
        };
        let names = loaded.names.iter().map(|name| ((row.call.clone(), name.participant), name.id.clone()));
        let shifted_ms = (coverage.shifted_ms > 0).then_some(coverage.shifted_ms);
        let description = Recording {
            shifted_ms,
            ..crate::gate::custody::recordings::description(&row, &names.collect())?
        };
        let mut changes = vec![Change::Recording { row: Box::new(row) }];
        if released.is_some() {
            expects.push(Expect::Quarantined { id });
            changes.push(Change::QuarantineEnded { id, at: at.as_millisecond(), kept: true });
        }
        // If this fails, it is unknown whether the transaction was committed, so the media stay, and the next start checks.
        if self.append(Job { expects, changes, entries: vec![draft] }).await? == Appended::Conflict {
            return Ok(None);
        }
        // At this point the recording is accepted; a crash loses only the answer, and the next start writes
        // the envelope object.
        self.complete(&who.account, kept, document).await?;
        Ok(Some(Stored { id, new: true, description }))
    }

    /// Handles the same upload again, or another under its name. If an earlier answer of 503 left out step
    /// (3), it happens now.
    pub(super) async fn again(&self, existing: &RecordingRow, fingerprint: &[u8]) -> Result<Stored, Fault> {
        same_or_conflict(existing, fingerprint)?;
        let kept = kept(existing)?;
        if let Some(envelope) = existing.envelope.clone().filter(|_| !existing.enveloped) {
            self.complete(&existing.account, kept, envelope).await?;
        }
        Ok(Stored { id: kept.id, new: false, description: self.description(existing).await? })
    }

    /// Step (3): the envelope object. A deletion in the meantime has put its tombstone where the envelope
    /// then lies, so this asks afterwards, and removes the keys again.
    pub(in crate::gate) async fn complete(
        &self,
        account: &str,
        kept: Kept,
        envelope: String,
    ) -> Result<(), Fault> {
        let put = self.vault.put_envelope(&kept, envelope).await;
        let row = self.ledger.recording(account, kept.id).await?;
        if row.is_none_or(|row| row.deleted_at.is_some()) {
            self.vault.remove(&kept).await.map_err(Failure::Store)?;
            return Err(RecordingRefusal::NameDeleted.into());
        }
        put.map_err(Failure::Store)?;
        self.ledger.enveloped(kept.id);
        Ok(())
    }

    /// The envelope of staged media, and its text.
    pub(super) async fn envelope(&self, account: &str, staged: &Staged) -> Result<(Envelope, String), Fault> {
        let keys = self.usable_keys(account).await?;
        let broken = |error: seal::SealError| Fault::damaged_by("a recording could not be sealed", error);
        let mut wrapped = Vec::with_capacity(keys.len());
        for (_, key) in &keys {
            wrapped.push(WrappedKey::new(&staged.key, key).map_err(broken)?);
        }
        if wrapped.is_empty() {
            return Err(RecordingRefusal::NoUsableKey.into());
        }
        let content_type = staged.measured.format.media_type();
        let id = staged.id.to_string();
        let envelope = Envelope::new(account, &id, content_type, &staged.key, &staged.sealed, wrapped);
        let envelope = envelope.map_err(broken)?;
        let document =
            serde_json::to_string(&envelope).map_err(|_| Fault::damaged("an envelope cannot be written"))?;
        Ok((envelope, document))
    }

    /// The call that an upload belongs to. If several have this id, it is the newest that was open when the
    /// audio says it began, so that reopening an id loses nothing of the earlier call; or the next one, if
    /// the audio is too early for it only by its sender's clock.
    pub(super) async fn load_for(
        &self,
        account: &str,
        from: (&str, CoverageBasis),
        name: &str,
        placement: &Placement,
    ) -> Result<Loaded, Fault> {
        let Some(begun) = placement.begun() else { return self.load(account, name).await };
        let Some(row) = self.ledger.call_at(account, name, begun.as_millisecond()).await? else {
            return self.load(account, name).await;
        };
        if let Some(next) = self.ledger.calls_since(account, &row.id, row.opened_at).await?.into_iter().next()
        {
            let next = self.load_row(next).await?;
            let claim = Claim::Placed(vec![(begun, 1)]);
            if next.call.begins_early(&next.upload(from, claim, 0, &|_, _| false)) {
                return Ok(next);
            }
        }
        self.load_row(row).await
    }

    /// The account's usable keys.
    pub(crate) async fn usable_keys(&self, account: &str) -> Result<Vec<(String, RecipientKey)>, Fault> {
        let rows = self.ledger.keys(account).await?;
        let mut keys = Vec::with_capacity(rows.len());
        for row in rows.into_iter().filter(|row| row.retired_at.is_none()) {
            let key = self.keys.key(&row.id, &row.pem)?;
            keys.push((row.id, key));
        }
        Ok(keys)
    }

    /// Logs a refusal before returning it; `None` if others wrote to the call in the meantime, so that their
    /// entries have to be considered.
    async fn refuse(
        &self,
        (who, door): (&Principal, Door),
        loaded: &Loaded,
        name: Option<&str>,
        uncovered: Uncovered,
        (remedy, is_doubted): (Option<Remedy>, bool),
        now: Timestamp,
    ) -> Result<Option<Fault>, Fault> {
        let came = came(who, door);
        let (call, basis) = (&loaded.call, came.coverage);
        let refusal = uncovered.refusal(call, basis);
        let remedy = remedy.unwrap_or_else(|| uncovered.remedy(call, basis));
        // Only what the law refuses and no repetition cures, and never where the law wants calls recorded.
        let discarded = who.uploads.on_refusal == OnRefusal::Discard
            && remedy == Remedy::Delete
            && door != Door::Native
            && uncovered.is_unlawful()
            && !is_doubted
            && !call.requirement(now).mandatory;
        let body = Body::Refused {
            came,
            code: refusal,
            uncovered: uncovered.stretches(),
            discarded,
            saw: loaded.saw(),
        };
        let draft = loaded.draft(who, now, body, Some(json!({"name": name})))?;
        let entry = draft.id;
        let job = Job { expects: loaded.expects(), entries: vec![draft], ..Job::default() };
        match self.append(job).await? {
            Appended::Conflict => Ok(None),
            Appended::Done => {
                let missing = self.decision(loaded).await.missing;
                let names = loaded.called();
                let unkept = Unkept { refusal, remedy, missing, names, uncovered, entry, discarded };
                Ok(Some(RecordingRefusal::Uncovered(Box::new(unkept)).into()))
            }
        }
    }
}

/// The measured audio that an upload is judged by.
struct Sound {
    duration_ms: u64,
    codec_adds_ms: u64,
    silence: Option<Silence>,
    silenced: Silenced,
}

impl Sound {
    fn of(measured: &Measured, silenced: Silenced) -> Sound {
        let Measured { duration_ms, codec_adds_ms, ref silence, .. } = *measured;
        Sound { duration_ms, codec_adds_ms, silence: silence.clone(), silenced }
    }

    /// What was silenced of it, in milliseconds from its start. Where that reaches the end, nothing is behind it.
    fn stretches(&self) -> Vec<(u64, u64)> {
        let Silenced::Stretches(stretches) = &self.silenced else { return Vec::new() };
        let open =
            |(from, until): &(u64, u64)| (*from, if *until >= self.duration_ms { u64::MAX } else { *until });
        stretches.iter().map(open).collect()
    }

    /// Whether it would be silenced where a plan asks for it.
    fn can_be_silenced(&self) -> bool {
        match self.silenced {
            Silenced::Nothing | Silenced::Stretches(_) => true,
            Silenced::Not { .. } => false,
        }
    }
}

enum Judged {
    Again(Box<RecordingRow>),
    Covered(Box<Loaded>, Coverage),
}

fn algorithm_of(existing: &RecordingRow) -> Result<Algorithm, Fault> {
    Algorithm::of(&existing.fingerprint)
        .ok_or_else(|| Fault::damaged("a recording's fingerprint cannot be read"))
}

fn same_or_conflict(existing: &RecordingRow, fingerprint: &[u8]) -> Result<(), RecordingRefusal> {
    use subtle::ConstantTimeEq as _;
    if existing.deleted_at.is_some() {
        return Err(RecordingRefusal::NameDeleted);
    }
    if !bool::from(existing.fingerprint.as_slice().ct_eq(fingerprint)) {
        return Err(RecordingRefusal::NameTaken);
    }
    Ok(())
}

/// As [`stage_fault`]; a body that is too large for the format says so.
fn stage_fault_of(format: Format, error: StageError) -> Fault {
    match (&error, format.max_bytes()) {
        (StageError::Body(BodyError::TooLarge { limit }), Some(most)) if *limit == most => {
            RecordingRefusal::TooLarge { format, most }.into()
        }
        _ => stage_fault(error),
    }
}

fn stage_fault(error: StageError) -> Fault {
    match error {
        StageError::Body(error) => Wrong::Body(error).into(),
        StageError::Unmeasurable(error) => RecordingRefusal::Unmeasurable(error).into(),
        StageError::Digest => RecordingRefusal::Digest.into(),
        StageError::Seal(error) => Fault::damaged_by("a recording could not be sealed", error),
        StageError::Vault(error) => Failure::Store(error).into(),
    }
}

/// SHA-256 of an envelope without its wrapped keys, in hexadecimal: what its acceptance commits to.
pub(super) fn bare(envelope: &Envelope) -> Result<String, Fault> {
    let bare = serde_json::to_vec(&Envelope { keys: Vec::new(), ..envelope.clone() })
        .map_err(|_| Fault::damaged("an envelope cannot be written"))?;
    Ok(hex(&Sha256::digest(bare)))
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The name of an upload that came without: the same bytes of an account have the same, and it says nothing of them to
/// whoever has no key.
pub(super) fn named_by(fingerprint: &[u8]) -> String {
    format!("content-{}", hex(fingerprint.get(..NAMED_BY).unwrap_or(fingerprint)))
}

/// How many bytes of its fingerprint name an upload.
const NAMED_BY: usize = 17;

/// Part of it was silenced, and the rest could not be.
const ALTERED: Silenced = Silenced::Not { altered: true };
