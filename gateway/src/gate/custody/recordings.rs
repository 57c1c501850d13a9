//! Accepted recordings: listing, describing, fetching, holding, deleting.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use policy::scope::upload::Unasked;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::access::Principal;
use crate::gate::answer::{Recording, Recordings, Retention, Segment, Silenced};
use crate::gate::{
    CallRefusal, Failure, Fault, Field, Gate, RecordingRefusal, Thing, Wrong, ask, from_row, kept, parse_id,
};
use crate::ledger::{Appended, Change, Expect, Job, RecordingRow, Which};
use crate::vault::Kept;
use seal::Envelope;
use trail::chain::Chain;
use trail::clock::Moment;
use trail::{Body, hex};

/// Which recordings to list. All given conditions apply.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Sought<'q> {
    /// Only recordings of this call: its id or an alias.
    pub call: Option<&'q str>,
    /// Only recordings with audio from this moment or later.
    pub from: Option<Timestamp>,
    /// Only recordings with audio from before this moment.
    pub until: Option<Timestamp>,
    /// Only recordings that this participant is on, by the platform's id.
    pub participant: Option<&'q str>,
    /// Only recordings that may be fetched for this purpose.
    pub purpose: Option<&'q str>,
}

/// Sealed media, whole or in part.
#[derive(Debug)]
pub struct Served {
    /// The recording.
    pub kept: Kept,
    /// The bytes, with an exclusive end.
    pub range: std::ops::Range<u64>,
    /// The size of all of them.
    pub bytes: u64,
    /// The SHA-256 of all of them, in hexadecimal.
    pub sha256: String,
}

impl Gate {
    /// Lists an account's recordings in the order in which they were accepted.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the call or the cursor is unknown.
    pub async fn recordings(
        &self,
        who: &Principal,
        sought: &Sought<'_>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Recordings, Fault> {
        let call = match sought.call {
            Some(name) => {
                let row = self.call_row(&who.account, name).await?.ok_or(CallRefusal::Unknown)?;
                Some(parse_id(&row.uid)?)
            }
            None => None,
        };
        let after = after.map_or(Ok((i64::MIN, String::new())), cursor)?;
        let which = Which {
            call,
            // The filter comes before the page is cut, so the cursor does not name a recording that they may
            // not see, either.
            uploader: who.role.is_of_a_platform().then(|| who.credential.clone()),
            from: sought.from.map(Timestamp::as_millisecond),
            until: sought.until.map(Timestamp::as_millisecond),
            participant: sought.participant.map(ToOwned::to_owned),
            purpose: sought.purpose.map(ToOwned::to_owned),
        };
        let rows = self.ledger.recordings_which(&who.account, &which, after, limit.saturating_add(1)).await?;
        let full = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        let page: Vec<&RecordingRow> =
            rows.iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
        let next = full.then(|| page.last().map(|row| format!("{}.{}", row.accepted_at, row.id))).flatten();
        Ok(Recordings { recordings: self.descriptions(&page).await?, next })
    }

    /// Describes a recording.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it is unknown or deleted.
    pub async fn recording(&self, who: &Principal, id: &str) -> Result<Recording, Fault> {
        self.description(&self.live(who, id).await?).await
    }

    /// Opens sealed media for reading. The fetch is logged before anything is handed out.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the recording is unknown or deleted, the purpose is missing or was not told, the range is
    /// out of bounds, or the media are missing.
    pub async fn fetch(
        &self,
        who: &Principal,
        id: &str,
        purpose: &str,
        range: impl FnOnce(u64, &str) -> Result<std::ops::Range<u64>, RecordingRefusal>,
    ) -> Result<Served, Fault> {
        ask::check_name(Field::FetchPurpose, purpose)?;
        let row = self.live(who, id).await?;
        self.check_restricted(who, &row, purpose).await?;
        self.check_told(who, &row, purpose).await?;
        let kept = kept(&row)?;
        let id = kept.id;
        let bytes = u64::try_from(row.bytes).unwrap_or(0);
        let sha256 = hex(&envelope_of(&row)?.sha256);
        let range = range(bytes, &sha256)?;
        // Checked before the answer begins: otherwise missing or truncated media would show only half-way.
        let there = self.vault.size(&kept).await.map_err(Failure::Media)?;
        if there != bytes {
            return Err(Failure::Cut { bytes, there }.into());
        }
        let body = Body::Fetched { recording: id, range: (range.start, range.end) };
        let expects = vec![Expect::RecordingLive { id, unheld: false }];
        match self
            .note(&who.into(), &who.account, body, Some(json!({"purpose": purpose})), Vec::new(), expects)
            .await?
        {
            Appended::Done => Ok(Served { kept, range, bytes, sha256 }),
            Appended::Conflict => Err(RecordingRefusal::Deleted.into()),
        }
    }

    /// Puts a legal hold on a recording, or lifts it.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it is unknown or deleted.
    pub async fn hold(&self, who: &Principal, id: &str, held: bool) -> Result<Recording, Fault> {
        let row = self.live(who, id).await?;
        let id = parse_id(&row.id)?;
        let body = Body::Held { recording: id, held };
        let expects = vec![Expect::RecordingLive { id, unheld: false }];
        match self
            .note(&who.into(), &who.account, body, None, vec![Change::Hold { id, held }], expects)
            .await?
        {
            Appended::Done => {
                if !held {
                    self.obey_withdrawal(&who.account, &row.call).await?;
                    self.lifted.notify_one();
                }
                self.description(&RecordingRow { held, ..row }).await
            }
            Appended::Conflict => Err(RecordingRefusal::Deleted.into()),
        }
    }

    /// Deletes a recording: the entry and the wrapped keys first, then envelope and media.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it is unknown, already deleted, or under a legal hold.
    pub async fn delete(&self, who: &Principal, id: &str) -> Result<(), Fault> {
        let row = self.live(who, id).await?;
        // Shows if a hold was removed unseen.
        self.ledger.holds(&who.account).await?;
        self.erase(&who.into(), &row).await
    }

    pub(in crate::gate) async fn erase(&self, actor: &trail::Actor, row: &RecordingRow) -> Result<(), Fault> {
        self.erase_because(actor, row, None).await
    }

    /// The same, with a reason beside the entry.
    pub(in crate::gate) async fn erase_because(
        &self,
        actor: &trail::Actor,
        row: &RecordingRow,
        because: Option<serde_json::Value>,
    ) -> Result<(), Fault> {
        let (account, id) = (&row.account, parse_id(&row.id)?);
        let at = self.clock.now().as_millisecond();
        let expects = vec![Expect::RecordingLive { id, unheld: true }];
        let changes = vec![Change::DeleteRecording { id, at }];
        match self.note(actor, account, Body::Deleted { recording: id }, because, changes, expects).await? {
            Appended::Conflict => match self.ledger.recording(account, id).await? {
                Some(row) if row.deleted_at.is_none() => Err(RecordingRefusal::Held.into()),
                Some(_) | None => Err(RecordingRefusal::Deleted.into()),
            },
            // At this point the keys are gone from the ledger; after a crash, the next start completes the
            // rest.
            Appended::Done => self.sweep(kept(row)?).await,
        }
    }

    pub(in crate::gate) async fn sweep(&self, kept: Kept) -> Result<(), Fault> {
        self.vault.remove(&kept).await.map_err(Failure::Unswept)?;
        self.append(Job { changes: vec![Change::Swept { id: kept.id }], ..Job::default() }).await?;
        Ok(())
    }

    /// The same of many at once. How many could not be removed: the next start tries again.
    ///
    /// # Errors
    ///
    /// [`Fault`]: what was removed cannot be noted; the next start removes it again.
    pub(in crate::gate) async fn sweep_all(&self, all: &[Kept]) -> Result<u64, Fault> {
        let (mut changes, mut left) = (Vec::new(), 0u64);
        for (kept, removed) in all.iter().zip(self.vault.remove_all(all).await) {
            match removed {
                Ok(()) => changes.push(Change::Swept { id: kept.id }),
                Err(error) => {
                    let failure = Failure::Unswept(error);
                    tracing::error!(media = %kept.id, error = %Chain(&failure), "media are left; it is tried again");
                    left = left.saturating_add(1);
                }
            }
        }
        if !changes.is_empty() {
            self.append(Job { changes, ..Job::default() }).await?;
        }
        Ok(left)
    }

    /// Completes what a crash has interrupted: unwritten envelopes and unfinished deletions.
    ///
    /// # Errors
    ///
    /// If the ledger or the store fails; everything else is completed all the same.
    pub async fn finish_cut_short(&self) -> Result<(), Fault> {
        let (mut after, mut failed) = (Uuid::nil(), None);
        loop {
            let page = self.ledger.unfinished(after, FINISHED_AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            after = parse_id(&last.id)?;
            for row in page {
                if let Err(fault) = self.finish(row).await {
                    failed = failed.or(Some(fault));
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn finish(&self, row: RecordingRow) -> Result<(), Fault> {
        let kept = kept(&row)?;
        if row.deleted_at.is_some() {
            return self.sweep(kept).await;
        }
        let envelope = row.envelope.ok_or_else(|| Fault::damaged("a recording has no envelope"))?;
        match self.complete(&row.account, kept, envelope).await {
            // It was deleted meanwhile.
            Err(Fault::Refused { .. }) | Ok(()) => Ok(()),
            Err(fault @ Fault::Failed(_)) => Err(fault),
        }
    }

    /// A moment before which no upload can have begun that is still running, at this gateway or another.
    #[must_use]
    pub fn before_any_upload(&self) -> Timestamp {
        let twice = SignedDuration::try_from(self.uploads.deadline.saturating_mul(2));
        let before = twice.ok().and_then(|twice| self.clock.now().checked_sub(twice).ok());
        before.unwrap_or(Timestamp::MIN)
    }

    /// Removes sealed media from before this moment that no recording names: a crash or a lost connection to
    /// the store has left them. Pages of the store's list are compared with the ledger.
    ///
    /// # Errors
    ///
    /// If the ledger or the store fails.
    pub async fn sweep_unnamed(&self, before: Timestamp) -> Result<(), Fault> {
        let unlisted = |error| Fault::damaged_by("the store cannot be listed", error);
        let mut swept: Result<(), Fault> = Ok(());
        let mut pages = self.vault.older_than(before).try_chunks(SWEPT_AT_ONCE);
        while let Some(page) = pages.try_next().await.map_err(|error| unlisted(error.1))? {
            let ids: Vec<Uuid> = page.iter().map(|kept| kept.id).collect();
            let named = self.ledger.named_media(&ids).await?;
            for kept in page.into_iter().filter(|kept| !named.contains(&kept.id)) {
                // The clock was set back, so a current upload could look like one from before.
                if self.before_any_upload() < before {
                    return Ok(());
                }
                match self.vault.discard(&kept).await {
                    Ok(()) => {
                        tracing::info!(media = %kept.id, "removed sealed media that no recording names");
                    }
                    // If some cannot be removed, the rest are removed all the same.
                    Err(error) => {
                        swept = swept.and(Err(Fault::damaged_by("media cannot be removed", error)));
                    }
                }
            }
        }
        let parts = self.vault.sweep_parts(before).await;
        swept.and(parts.map_err(|error| Fault::damaged_by("broken uploads cannot be removed", error)))
    }

    /// Describes a recording.
    pub(in crate::gate) async fn description(&self, row: &RecordingRow) -> Result<Recording, Fault> {
        let described = self.descriptions(&[row]).await?.pop();
        described.ok_or_else(|| Fault::damaged("a recording was not described"))
    }

    pub(in crate::gate) async fn descriptions(
        &self,
        rows: &[&RecordingRow],
    ) -> Result<Vec<Recording>, Fault> {
        let calls: BTreeSet<&String> = rows.iter().map(|row| &row.call).collect();
        let calls: Vec<String> = calls.into_iter().cloned().collect();
        let people = self.ledger.names_on(&calls).await?;
        let names: Names = people.into_iter().map(|(call, number, id)| ((call, number), id)).collect();
        rows.iter().map(|row| description(row, &names)).collect()
    }

    async fn live(&self, who: &Principal, id: &str) -> Result<RecordingRow, Fault> {
        let id = id.parse().map_err(|_| Thing::Recording)?;
        let row = self
            .ledger
            .recording(&who.account, id)
            .await?
            .filter(|row| may_see(who, row))
            .ok_or(Thing::Recording)?;
        if row.deleted_at.is_some() { Err(RecordingRefusal::Deleted.into()) } else { Ok(row) }
    }
}

/// Whether they may see it: a platform sees only what it uploaded.
fn may_see(who: &Principal, row: &RecordingRow) -> bool {
    !who.role.is_of_a_platform() || row.uploader == who.credential
}

/// The platform's ids of people, by their call and their number on it.
pub(in crate::gate) type Names = BTreeMap<(String, i64), String>;

/// The form of [`RecordingRow::about`].
#[derive(Debug, Deserialize)]
struct About {
    segments: Vec<(i64, i64)>,
    people: Vec<i64>,
    purposes: Option<Vec<String>>,
    #[serde(default)]
    silenced: Vec<(i64, i64, Option<String>)>,
    unasked: Option<Unasked>,
}

/// When a stored recording was made.
pub(in crate::gate) fn stretches(row: &RecordingRow) -> Result<Vec<(Timestamp, Timestamp)>, Fault> {
    let about: About = serde_json::from_str(&row.about)
        .map_err(|_| Fault::damaged("when a recording was made cannot be read"))?;
    Ok(about.segments.into_iter().map(|(from, until)| (from_row(from), from_row(until))).collect())
}

pub(in crate::gate) fn description(row: &RecordingRow, names: &Names) -> Result<Recording, Fault> {
    let about: About = serde_json::from_str(&row.about)
        .map_err(|_| Fault::damaged("when a recording was made cannot be read"))?;
    let at = |ms| Moment(from_row(ms));
    let people = about.people.iter().filter_map(|number| names.get(&(row.call.clone(), *number)));
    Ok(Recording {
        id: parse_id(&row.id)?,
        call: row.call_id.clone(),
        name: row.name.clone(),
        recorded_from: at(row.recorded_from),
        recorded_until: at(row.recorded_until),
        segments: about
            .segments
            .iter()
            .map(|(from, until)| Segment { from: at(*from), until: at(*until) })
            .collect(),
        silenced: silenced(&about),
        participants: people.cloned().collect(),
        purposes: about.purposes,
        uploader: row.uploader.clone(),
        accepted_at: at(row.accepted_at),
        content_type: row.content_type.clone(),
        duration_ms: row.duration_ms,
        bytes: row.bytes,
        held: row.is_held(),
        media: format!("/v1/recordings/{}/media", row.id),
        retention: Retention {
            minimum: row.kept_at_least.clone(),
            maximum: row.kept_at_most.clone(),
            keep_until: row.keep_until.map(at),
            delete_by: row.delete_by.map(at),
        },
        envelope: envelope_of(row)?,
        unasked: about.unasked,
        shifted_ms: None,
    })
}

/// The silenced stretches, with their places in the file: it holds them and the segments in the order of time.
fn silenced(about: &About) -> Vec<Silenced> {
    let held = about.segments.iter().map(|(from, until)| (*from, *until, None));
    let silent = about.silenced.iter().map(|(from, until, why)| (*from, *until, Some(why)));
    let mut all: Vec<_> = held.chain(silent).collect();
    all.sort_unstable();
    let mut offset_ms = 0i64;
    let mut silenced = Vec::new();
    for (from, until, silent) in all {
        let duration_ms = until.saturating_sub(from);
        if let Some(why) = silent {
            let (from, until) = (Moment(from_row(from)), Moment(from_row(until)));
            silenced.push(Silenced { from, until, offset_ms, duration_ms, why: why.clone() });
        }
        offset_ms = offset_ms.saturating_add(duration_ms);
    }
    silenced
}

fn envelope_of(row: &RecordingRow) -> Result<Envelope, Fault> {
    let document = row.envelope.as_deref().ok_or(RecordingRefusal::Deleted)?;
    serde_json::from_str(document).map_err(|_| Fault::damaged("an envelope cannot be read"))
}

pub(in crate::gate) fn cursor(text: &str) -> Result<(i64, String), Wrong> {
    let parts = text.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.to_owned())));
    parts.ok_or(Wrong::NoCursor)
}

/// How many recordings that were cut short are read at once.
const FINISHED_AT_ONCE: u32 = 256;
/// How many media one query to the ledger asks about.
const SWEPT_AT_ONCE: usize = 1_000;
