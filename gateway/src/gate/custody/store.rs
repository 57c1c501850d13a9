//! Storing a finished recording. No consent, no bytes.
//!
//! An upload is *admitted* (it may stream), *staged* (sealed and measured, readable by nobody) and only then
//! *permitted*, by the staged audio and the current state of the call. A [`Permit`] is made here and nowhere
//! else, is taken by value, and is spent in the one transaction that accepts the recording.

use jiff::Timestamp;
use policy::{Call, Claim, Coverage, Redact, Remedy, Uncovered, UncoveredSpan, Upload, Use};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::access::Principal;
use crate::body::{BodyError, Paced};
use crate::gate::answer::Recording;
use crate::gate::custody::doubt::{self, Doubt};
use crate::gate::custody::purposes::About;
use crate::gate::{
    ATTEMPTS, CallRefusal, Failure, Fault, Field, Gate, Loaded, RecordingRefusal, Unkept, Wrong, ask, kept,
};
use crate::ledger::{Appended, Change, Expect, Job, RecordingRow};
use crate::measure::{Measured, Plan, Silence, Silenced};
use crate::record::{self, Algorithm, Fingerprint, StageError, Staged};
use crate::vault::Kept;
use seal::{Envelope, Format, RecipientKey, WrappedKey};
use trail::{Body, Came, Door, OnRefusal, hex};

/// When the audio of an upload was made, by its own account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// It does not say.
    Unsaid,
    /// From this moment on, without a break.
    From(Timestamp),
    /// From some moment on between this one and so many milliseconds later, without a break: its sender counts in whole
    /// seconds. It has to be covered wherever in between it began.
    About(Timestamp, u64),
    /// In these stretches, in the order of the file; lengths are in milliseconds.
    Timeline(Vec<(Timestamp, u64)>),
}

impl Placement {
    /// The longest that it can be by its own account, in milliseconds: a finished recording does not reach
    /// into the future.
    fn claimed_ms(&self, now: Timestamp) -> u64 {
        match self {
            Placement::Unsaid => 0,
            Placement::From(from) | Placement::About(from, _) => {
                u64::try_from(now.duration_since(*from).as_millis()).unwrap_or(0).max(1)
            }
            Placement::Timeline(parts) => parts.iter().map(|(_, ms)| *ms).fold(0, u64::saturating_add),
        }
    }

    /// How much later than it says it may have begun, in milliseconds.
    pub(in crate::gate) fn within_ms(&self) -> u64 {
        match self {
            Placement::About(_, within_ms) => *within_ms,
            Placement::Unsaid | Placement::From(_) | Placement::Timeline(_) => 0,
        }
    }
}

/// An upload that may stream.
#[derive(Debug)]
pub struct Admission {
    who: Principal,
    /// The call itself: by the time the body has arrived, its name may belong to another call.
    call: Uuid,
    /// Its name; one that comes without is named by its content once that is known.
    name: Option<String>,
    door: Door,
    placement: Placement,
    digest: Option<[u8; 32]>,
    treatment: Treatment,
}

impl Admission {
    fn came(&self) -> Came {
        came(&self.who, self.door)
    }
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

/// The permission to turn staged audio into a recording. It cannot be made elsewhere, or copied.
struct Permit {
    staged: Staged,
    kept: Kept,
    envelope: Envelope,
    document: String,
    /// The account's settings by which it is sealed.
    settings: String,
    about: About,
    coverage: Coverage,
    at: Timestamp,
    head: Uuid,
    call: Uuid,
}

impl Gate {
    /// Decides whether an upload may stream, before any of it is read. Without a name, it is named by its content: the same
    /// bytes on the same call are one recording.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the call is unknown, no part of it was ever lawful, no key is usable, or a recording with
    /// this name was deleted.
    pub async fn admit(
        &self,
        (who, door): (&Principal, Door),
        call: &str,
        name: Option<&str>,
        placement: Placement,
        digest: Option<[u8; 32]>,
    ) -> Result<Admission, Fault> {
        name.iter().try_for_each(|name| ask::check_name(Field::RecordingName, name))?;
        for _ in 0..ATTEMPTS {
            let loaded = self.load_for(who, call, &placement).await?;
            if let Some(treatment) = self.try_admit((who, door), &loaded, name, &placement).await? {
                let (who, call, name) = (who.clone(), loaded.uid, name.map(ToOwned::to_owned));
                return Ok(Admission { who, call, name, door, placement, digest, treatment });
            }
        }
        Err(Fault::contended())
    }

    /// What to do with the body; `None` if other requests were faster.
    async fn try_admit(
        &self,
        (who, door): (&Principal, Door),
        loaded: &Loaded,
        name: Option<&str>,
        placement: &Placement,
    ) -> Result<Option<Treatment>, Fault> {
        let now = loaded.now;
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
            let upload = loaded.upload(who, Claim::Placed(parts), 0, &|_, _| true);
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
        let upload = loaded.upload(who, Claim::Unplaced { duration_ms: 1 }, 0, &|_, _| true);
        match loaded.call.coverage(&upload, now) {
            Ok(_) => Ok(Some(Treatment::Stage(Plan::default()))),
            // It may be one that was accepted before, which its content shows.
            Err(Uncovered::UsedUp { .. }) if name.is_none() => Ok(Some(Treatment::Stage(Plan::default()))),
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
    pub async fn store(&self, mut admission: Admission, body: &mut Paced) -> Result<Stored, Fault> {
        let key = self.secrets.fingerprint_key(&admission.who.account);
        let plan = match std::mem::replace(&mut admission.treatment, Treatment::Measure) {
            Treatment::Stage(plan) => plan,
            Treatment::Compare(algorithm) => {
                let fingerprint = Fingerprint::new(algorithm, &key);
                let again =
                    record::fingerprint_of(fingerprint, admission.digest, body).await.map_err(stage_fault)?;
                // Looked up this late because it may have been deleted while the body arrived.
                let name = admission.name.as_deref().unwrap_or_default();
                let existing = self.ledger.recording_by_name(admission.call, name).await?;
                return self.again(&existing.ok_or(RecordingRefusal::NameDeleted)?, &again).await;
            }
            Treatment::Measure => {
                let sound = match record::measure(body).await {
                    Ok(measured) => Sound::of(&measured, Silenced::Nothing),
                    // It is refused for its claims, no matter what it holds.
                    Err(StageError::Unmeasurable(_)) => Sound {
                        duration_ms: admission.placement.claimed_ms(self.clock.now()),
                        codec_adds_ms: 0,
                        silence: None,
                        silenced: Silenced::Nothing,
                    },
                    Err(error) => return Err(stage_fault(error)),
                };
                return match self.judge(&admission, &sound, false).await?.0 {
                    Judged::Again(existing) => self.again(&existing, &[]).await,
                    // Some of it became lawful in the meantime, but the audio was not kept.
                    Judged::Covered(..) => Err(Fault::contended()),
                };
            }
        };
        let fingerprint = Fingerprint::new(self.uploads.fingerprint, &key);
        let account = &admission.who.account;
        let format = self.settings_now(account).await?.0.format;
        if let Some(most) = format.max_bytes() {
            body.at_most(most);
        }
        let staged = record::stage(&self.vault, account, format, fingerprint, admission.digest, plan, body)
            .await
            .map_err(|error| stage_fault_of(format, error))?;
        admission.name.get_or_insert_with(|| named_by(&staged.fingerprint));
        self.settle(&admission, staged).await
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
                let about = self.found_by(account, &loaded, &coverage).await?;
                Ok((kept, envelope, document, about, settings_text))
            };
            let (kept, envelope, document, about, settings) = match beside.await {
                Ok(beside) => beside,
                Err(fault) => {
                    staged.abandon().await;
                    return Err(fault);
                }
            };
            let (at, head, call) = (now, loaded.head, loaded.uid);
            let permit =
                Permit { staged, kept, envelope, document, settings, about, coverage, at, head, call };
            match self.accept(admission, &loaded, permit).await {
                Ok(Ok(stored)) => return Ok(stored),
                Ok(Err(conflicted)) => staged = conflicted,
                Err(fault) => return Err(fault),
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
            let name = admission.name.as_deref().unwrap_or_default();
            let existing = async || self.ledger.recording_by_name(loaded.uid, name).await;
            if (collided || attempt > 0)
                && let Some(existing) = existing().await?
            {
                return Ok((Judged::Again(Box::new(existing)), now));
            }
            let claim = claim(&admission.placement, sound.duration_ms)?;
            let silent = |from, to| sound.silence.as_ref().is_some_and(|silence| silence.covers(from, to));
            let mut upload = loaded.upload(&admission.who, claim, sound.codec_adds_ms, &silent);
            let stretches = sound.stretches();
            upload.silenced = &stretches;
            let doubt = Doubt::of(&admission.placement, &loaded.call, sound.duration_ms, &upload, now);
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
                    if silenced_in_vain(&coverage, admission.placement.within_ms())
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
            let from = (&admission.who, admission.door);
            let is_doubted = is_doubted || doubt.is_all_of(&uncovered, sound.duration_ms);
            if let Some(fault) = self
                .refuse(from, &loaded, admission.name.as_deref(), uncovered, (remedy, is_doubted), now)
                .await?
            {
                return Err(fault);
            }
        }
        Err(Fault::contended())
    }

    /// The only way into the store: (2) the row with the envelope, and the entry, in one transaction that
    /// requires the call to be unchanged since it was judged; (3) the envelope object.
    async fn accept(
        &self,
        admission: &Admission,
        loaded: &Loaded,
        permit: Permit,
    ) -> Result<Result<Stored, Staged>, Fault> {
        let Permit { staged, kept: media, envelope, document, settings, about, coverage, at, head, call } =
            permit;
        let id = staged.id;
        let bare = Envelope { keys: Vec::new(), ..envelope.clone() };
        let bare = serde_json::to_vec(&bare).map_err(|_| Fault::damaged("an envelope cannot be written"))?;
        let retention = loaded.call.requirement(at).retention;
        let body = Body::Accepted {
            recording: id,
            came: admission.came(),
            envelope: hex(&Sha256::digest(bare)),
            media: hex(&envelope.sha256),
            bytes: envelope.bytes,
            keys: envelope.keys.iter().map(|key| key.key.clone()).collect(),
            format: envelope.format(),
            spans: coverage.spans,
            silenced: coverage.silenced,
            unplaced: admission.placement == Placement::Unsaid,
            codec_ms: coverage.codec_ms,
            shifted_ms: coverage.shifted_ms,
            keep_until: retention.keep_until(at),
            delete_by: retention.delete_by(at),
            saw: loaded.saw(),
        };
        let who = &admission.who;
        let name = admission.name.clone().unwrap_or_default();
        let draft = trail::draft(
            &who.account,
            at,
            &who.into(),
            Some((call, Some(head))),
            body,
            Some(json!({"name": name})),
        )?;
        let mut expects = loaded.expects();
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
            fingerprint: staged.fingerprint.clone(),
            uploader: who.credential.clone(),
            bytes: whole(envelope.bytes),
            duration_ms: whole(staged.measured.duration_ms),
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
            place: media.place.map(|place| place.to_string()),
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
        let changes = vec![Change::Recording { row: Box::new(row) }];
        match self.append(Job { expects, changes, entries: vec![draft] }).await {
            Ok(Appended::Done) => {}
            Ok(Appended::Conflict) => return Ok(Err(staged)),
            // It is unknown whether the transaction was committed, so the media stay, and the next start
            // checks.
            Err(fault) => return Err(fault),
        }
        // At this point the recording is accepted; a crash loses only the answer, and the next start writes
        // the envelope object.
        self.complete(&who.account, media, document).await?;
        Ok(Ok(Stored { id, new: true, description }))
    }

    /// Handles the same upload again, or another under its name. If an earlier answer of 503 left out step
    /// (3), it happens now.
    async fn again(&self, existing: &RecordingRow, fingerprint: &[u8]) -> Result<Stored, Fault> {
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
    async fn envelope(&self, account: &str, staged: &Staged) -> Result<(Envelope, String), Fault> {
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
    async fn load_for(&self, who: &Principal, name: &str, placement: &Placement) -> Result<Loaded, Fault> {
        let account = &who.account;
        let begun = match placement {
            Placement::Unsaid => None,
            Placement::From(from) | Placement::About(from, _) => Some(*from),
            Placement::Timeline(parts) => parts.first().map(|(from, _)| *from),
        };
        let Some(begun) = begun else { return self.load(account, name).await };
        let Some(row) = self.ledger.call_at(account, name, begun.as_millisecond()).await? else {
            return self.load(account, name).await;
        };
        if let Some(next) = self.ledger.calls_since(account, &row.id, row.opened_at).await?.into_iter().next()
        {
            let next = self.load_row(next).await?;
            let claim = Claim::Placed(vec![(begun, 1)]);
            if next.call.begins_early(&next.upload(who, claim, 0, &|_, _| false)) {
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

fn claim(placement: &Placement, duration_ms: u64) -> Result<Claim, RecordingRefusal> {
    Ok(match placement {
        Placement::Unsaid => Claim::Unplaced { duration_ms },
        Placement::From(from) | Placement::About(from, _) => Claim::Placed(vec![(*from, duration_ms)]),
        Placement::Timeline(parts) => {
            let said = parts.iter().fold(0u64, |sum, (_, ms)| sum.saturating_add(*ms));
            let mut parts = parts.clone();
            if duration_ms > said.saturating_add(TIMELINE_SLACK_MS) {
                return Err(RecordingRefusal::TimelineTooShort { said_ms: said, duration_ms });
            }
            // Audio that the headers' rounding left out is judged with the last stretch.
            if let (Some(last), Some(more)) = (parts.last_mut(), duration_ms.checked_sub(said)) {
                last.1 = last.1.saturating_add(more);
            }
            Claim::Placed(parts)
        }
    })
}

fn check_placement(placement: &Placement) -> Result<(), RecordingRefusal> {
    match placement {
        Placement::Unsaid | Placement::From(_) | Placement::About(..) => Ok(()),
        Placement::Timeline(parts) => {
            let overlap = parts.windows(2).any(|pair| match pair {
                [(from, ms), (next, _)] => {
                    from.as_millisecond().saturating_add(i64::try_from(*ms).unwrap_or(i64::MAX))
                        > next.as_millisecond()
                }
                _ => false,
            });
            if overlap { Err(RecordingRefusal::TimelineOrder) } else { Ok(()) }
        }
    }
}

impl Loaded {
    /// An upload to this call, with what its sender's events reveal about their clock.
    fn upload<'u>(
        &self,
        who: &Principal,
        claim: Claim,
        codec_adds_ms: u64,
        silent: &'u (dyn Fn(u64, u64) -> bool + Sync),
    ) -> Upload<'u> {
        let clock_behind_ms = self.clocks.behind_ms(&who.credential);
        let upload = Upload::new(claim, who.uploads.coverage);
        Upload { codec_adds_ms, clock_behind_ms, silent, ..upload }
    }
}

/// Whether audio was silenced that had become covered by the time it was judged, or nothing is left of the upload. What a
/// codec adds at the end does not count.
fn silenced_in_vain(coverage: &Coverage, within_ms: u64) -> bool {
    let covered = coverage.silenced.iter().filter(|(_, _, why)| why.is_none());
    // At its ends, a stretch may have been silenced only because it is not known when exactly the file began.
    let lost = |(from, until): (Timestamp, Timestamp)| {
        policy::length_ms(from, until).saturating_sub(within_ms.saturating_mul(2))
    };
    let lost_ms = covered.map(|(from, until, _)| lost((*from, *until))).fold(0, u64::saturating_add);
    coverage.spans.is_empty() || lost_ms > coverage.codec_ms
}

/// The upload as it may be judged at most: what its timeline leaves out counts with the last stretch.
fn longest<'u>(upload: &Upload<'u>, placement: &Placement) -> Upload<'u> {
    let mut longest = upload.clone();
    if let (Claim::Placed(parts), Placement::Timeline(_)) = (&mut longest.claim, placement)
        && let Some((_, ms)) = parts.last_mut()
    {
        *ms = ms.saturating_add(TIMELINE_SLACK_MS);
    }
    longest
}

/// Whether the upload would be kept if it were sent again now, and all that is not covered were silenced.
fn would_be_kept(
    call: &Call,
    upload: &Upload<'_>,
    uncovered: &Uncovered,
    doubt: &Doubt,
    now: Timestamp,
) -> bool {
    let Uncovered::Spans(spans) = uncovered else { return false };
    let stretch = |span: &UncoveredSpan| (span.offset_ms, span.offset_ms.saturating_add(span.duration_ms()));
    let mut silenced: Vec<(u64, u64)> = spans.iter().map(stretch).collect();
    if doubt.within_ms > 0 {
        if call.settings().redact != Redact::Silence {
            return false;
        }
        silenced.extend(doubt.stretches().chain(upload.silenced.iter().copied()));
        silenced = doubt::merged(silenced);
    }
    let kept = call.coverage(&Upload { silenced: &silenced, ..upload.clone() }, now);
    kept.is_ok_and(|kept| doubt.within_ms == 0 || !kept.spans.is_empty())
}

/// Whether none of it is covered.
fn is_hopeless(claim: &Claim, uncovered: &[UncoveredSpan]) -> bool {
    let all_ms = match claim {
        Claim::Placed(parts) => parts.iter().map(|(_, ms)| *ms).fold(0, u64::saturating_add),
        Claim::Unplaced { duration_ms } => *duration_ms,
    };
    all_ms == uncovered.iter().map(UncoveredSpan::duration_ms).fold(0, u64::saturating_add)
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

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The name of an upload that came without: the same bytes of an account have the same, and it says nothing of them to
/// whoever has no key.
fn named_by(fingerprint: &[u8]) -> String {
    format!("content-{}", hex(fingerprint.get(..NAMED_BY).unwrap_or(fingerprint)))
}

/// How many bytes of its fingerprint name an upload.
const NAMED_BY: usize = 17;

/// Part of it was silenced, and the rest could not be.
const ALTERED: Silenced = Silenced::Not { altered: true };

/// How far the sum of `Recording-Timeline` may fall short of the audio, in milliseconds; the excess audio is
/// judged with the last stretch.
const TIMELINE_SLACK_MS: u64 = 2_000;
