//! Evidence about one call: proof packs, vCons, consent records. Each export is logged before it is handed
//! out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::export::jws::Signer;
use crate::export::{Controller, Entry, Extras, KnownMedia, KnownPerson, Record, dpv, vcon};
use crate::gate::answer::Exported;
use crate::gate::{
    AccountSettings, CallRefusal, ExportRefusal, Failure, Fault, Gate, Refused, Thing, parse_id,
};
use crate::ledger::{CallRow, EntryRow, Epoch, Question};
use crate::notary::{Proofs, SignedHead};
use trail::audit::pack::{self, Pack, Parts, Stretch, Subject};
use trail::note::Checkpoint;
use trail::proof::TlogProof;
use trail::{Actor, Body, Detail, Leaf};

/// What exports need in addition to the trail, from the configuration.
#[derive(Debug, Default)]
pub struct Exports {
    /// For whom an account's recordings are made.
    pub controllers: BTreeMap<String, Controller>,
    /// Signs vCons.
    pub signer: Option<Signer>,
    /// The gateway's public URL, without a slash at the end.
    pub public_url: Option<String>,
}

/// What a proof is about.
#[derive(Debug, Clone, Copy)]
pub enum About<'n> {
    /// A recording: its id.
    Recording(&'n str),
    /// A call: the platform's id or an alias.
    Call(&'n str),
    /// A call, which has no recording.
    NoRecording(&'n str),
}

/// A format for a call's consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An unsigned vCon.
    Vcon,
    /// A vCon signed as a JWS.
    SignedVcon,
    /// Consent records (ISO/IEC TS 27560), in JSON-LD.
    ConsentRecord,
}

impl Form {
    /// The media type of its documents.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Form::Vcon => "application/vcon+json",
            Form::SignedVcon => "application/jose+json",
            Form::ConsentRecord => "application/ld+json",
        }
    }
}

/// The part of a registered prompt's detail that matters here.
#[derive(Deserialize)]
struct Registered {
    document: Value,
}

/// The entries about a call, with the head that covers them.
struct Related {
    head: SignedHead,
    rows: Vec<EntryRow>,
    leaves: Vec<Leaf>,
}

impl Gate {
    /// A proof pack: an archive that somebody who does not trust us can check without us.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such thing, no head covers it yet, or there is a recording where there should
    /// be none.
    pub async fn prove(&self, actor: &Actor, account: &str, about: About<'_>) -> Result<Vec<u8>, Fault> {
        let (rows, subject) = self.about(account, about).await?;
        let first = rows.first().ok_or(CallRefusal::Unknown)?;
        let (of, recording) = match &subject {
            Subject::Recording(id) => (None, Some(*id)),
            Subject::Call(uid) => (Some(*uid), None),
            Subject::Absence { calls, .. } => (calls.first().copied(), None),
        };
        if self.notary.is_none() {
            // Only `serve` signs. A command waits for that, and hands out and logs nothing before.
            self.related(account, &rows, recording).await?;
        }
        self.handed_out(actor, account, "proof-pack", of, recording).await?;
        let mut parts = Parts::default();
        let mut related = self.related(account, &rows, recording).await?;
        self.with_actors(account, &mut related).await?;
        let size = related.head.size;
        let mut proofs = Proofs::new(&self.ledger, &related.head.at, size);
        for row in &related.rows {
            parts.entries.push(proven(row, &mut proofs).await?);
        }
        let digests: BTreeSet<&str> =
            related.leaves.iter().filter_map(|leaf| Some(leaf.body.saw()?.table.as_str())).collect();
        for digest in digests {
            let text = self
                .ledger
                .table(digest)
                .await?
                .ok_or_else(|| Fault::damaged("a table that decided is gone"))?;
            parts.tables.insert(digest.to_owned(), text);
        }
        for (row, leaf) in related.rows.iter().zip(&related.leaves) {
            if let (Body::Prompt { version, .. }, Some(document)) = (&leaf.body, &row.document) {
                let prompt: Registered = serde_json::from_str(document)
                    .map_err(|_| Fault::damaged("the detail of a prompt cannot be read"))?;
                parts.prompts.insert(*version, prompt.document.to_string());
            }
        }
        match &subject {
            Subject::Recording(id) => {
                let row = self.ledger.recording(account, *id).await?;
                parts.envelope = row.and_then(|row| row.envelope);
            }
            Subject::Absence { .. } => {
                let opened = related.rows.iter().find(|row| row.epoch == related.head.at.epoch);
                let opened = opened.ok_or_else(|| uncovered(None, &first.id))?;
                let first = u64::try_from(opened.seq).unwrap_or(0);
                let before = proofs.parts(0..first).await?;
                let before = before.ok_or_else(|| Fault::damaged("hashes of the tree are missing"))?;
                let leaves = self.ledger.leaves(&related.head.at, first, size).await?;
                let leaves = leaves.into_iter().map(|(leaf, _)| leaf).collect();
                parts.stretch = Some(Stretch { first, before, leaves });
            }
            Subject::Call(_) => {}
        }
        let now = self.clock.now();
        let pack = Pack::new(account, &subject, now, related.head.note, parts)
            .map_err(|error| Fault::damaged_by("a signed head cannot be read", error))?;
        let mut archive = Cursor::new(Vec::new());
        pack::write(&pack, &mut archive)
            .map_err(|error| Fault::damaged_by("a proof pack cannot be written", error))?;
        Ok(archive.into_inner())
    }

    /// A call's consent in a format of others.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the call is unknown, or the format needs something that is not configured.
    pub async fn export(
        &self,
        actor: &Actor,
        account: &str,
        name: &str,
        form: Form,
    ) -> Result<Exported, Fault> {
        let row = self.call_row(account, name).await?.ok_or(CallRefusal::NotInTheLog)?;
        let uid = parse_id(&row.uid)?;
        let word = match form {
            Form::Vcon | Form::SignedVcon => "vcon",
            Form::ConsentRecord => "iso-27560",
        };
        self.handed_out(actor, account, word, Some(uid), None).await?;
        let record = self.record(account, &row).await?;
        let document = match form {
            Form::Vcon => vcon::vcon(&record).map_err(|error| ExportRefusal::Vcon(error).into()),
            Form::SignedVcon => {
                let signer = self.exports.signer.as_ref().ok_or(ExportRefusal::NoSigner)?;
                let vcon = vcon::vcon(&record).map_err(ExportRefusal::Vcon)?;
                signer.sign(&vcon).map_err(|error| Fault::damaged_by("a vCon cannot be signed", error))
            }
            Form::ConsentRecord => dpv::consent_records(&record).map_err(|error| {
                let dpv::DpvError::Missing { key } = error;
                let key = key.trim_start_matches("controller.");
                ExportRefusal::NoController { account: account.into(), key }.into()
            }),
        }?;
        Ok(Exported { media_type: form.media_type(), document })
    }

    async fn record(&self, account: &str, row: &CallRow) -> Result<Record, Fault> {
        let uid = parse_id(&row.uid)?;
        let related = self.related(account, std::slice::from_ref(row), None).await?;
        let (_, names) = self.ledger.history(uid).await?;
        let mut own = related.leaves.iter().rev().filter(|leaf| leaf.call == Some(uid));
        let table = match own.find_map(|leaf| leaf.body.saw()) {
            Some(saw) => Some(self.table(&saw.table).await?),
            None => None,
        };
        let mut proofs = Proofs::new(&self.ledger, &related.head.at, related.head.size);
        let mut entries = Vec::with_capacity(related.rows.len());
        for entry in &related.rows {
            let index = u64::try_from(entry.seq).unwrap_or(0);
            let proven = proven(entry, &mut proofs).await?;
            let proof =
                TlogProof { extra: None, index, hashes: proven.proof, checkpoint: related.head.note.clone() };
            let proof = Some(proof.to_string());
            let detail = entry.document.as_deref().and_then(|text| serde_json::from_str(text).ok());
            entries.push(Entry { index, leaf: entry.leaf.clone(), detail, proof });
        }
        let recordings =
            self.ledger.recordings(account, Some(uid), None, (i64::MIN, String::new()), 10_000).await?;
        let mut media = Vec::with_capacity(recordings.len());
        for stored in recordings {
            media.push(KnownMedia {
                recording: parse_id(&stored.id)?,
                content_type: stored.content_type,
                duration_ms: u64::try_from(stored.duration_ms).unwrap_or(0),
                sha512: None,
                url: None,
                envelope: stored.envelope.as_deref().and_then(|text| serde_json::from_str(text).ok()),
            });
        }
        let origin = Checkpoint::parse(&related.head.note.text)
            .map_err(|error| Fault::damaged_by("a signed head cannot be read", error))?
            .origin;
        let extras = Extras {
            account: account.to_owned(),
            controller: self.exports.controllers.get(account).cloned(),
            origin,
            log_url: self.exports.public_url.as_ref().map(|url| format!("{url}/v1/log/{account}")),
            exported_at: self.clock.now(),
            call_id: Some(row.id.clone()),
            people: names
                .into_iter()
                .map(|name| KnownPerson {
                    number: u32::try_from(name.participant).unwrap_or(u32::MAX),
                    id: Some(name.id),
                    tel: name.number.as_deref().and_then(|number| crate::locate::e164(number).ok()),
                })
                .collect(),
            media,
            table,
            notices: self.notices(account).await?,
        };
        Record::from_entries(&entries, extras)
            .map_err(|error| Fault::damaged_by("a call cannot be exported", error))
    }

    /// Where people read of the lawful bases that the account has stated.
    async fn notices(&self, account: &str) -> Result<BTreeMap<policy::Purpose, String>, Fault> {
        let Some(row) = self.ledger.account(account).await? else { return Ok(BTreeMap::new()) };
        let stated = AccountSettings::read(&row.settings)?.lawful_basis.into_iter();
        Ok(stated.filter_map(|(purpose, basis)| Some((purpose, basis.notice?))).collect())
    }

    /// The calls that a proof is about, and its subject.
    async fn about(&self, account: &str, about: About<'_>) -> Result<(Vec<CallRow>, Subject), Fault> {
        match about {
            About::Recording(id) => {
                let id: Uuid = id.parse().map_err(|_| Thing::Recording)?;
                let row = self.ledger.recording(account, id).await?.ok_or(Thing::Recording)?;
                let call = self.ledger.call(parse_id(&row.call)?).await?.ok_or(CallRefusal::Unknown)?;
                Ok((vec![call], Subject::Recording(id)))
            }
            About::Call(name) => {
                let call = self.call_row(account, name).await?.ok_or(CallRefusal::NotInTheLog)?;
                let uid = parse_id(&call.uid)?;
                Ok((vec![call], Subject::Call(uid)))
            }
            About::NoRecording(name) => {
                let calls = self.ledger.calls_named(account, name).await?;
                let mut uids = Vec::with_capacity(calls.len());
                for call in &calls {
                    uids.push(parse_id(&call.uid)?);
                    self.is_unrecorded(call).await?;
                    // An alias names a call, whose id may have been opened more than once.
                    if call.id != name {
                        for same in &self.ledger.calls_named(account, &call.id).await? {
                            self.is_unrecorded(same).await?;
                        }
                    }
                }
                if calls.is_empty() {
                    return Err(CallRefusal::NotInTheLog.into());
                }
                Ok((calls, Subject::Absence { name: name.into(), calls: uids }))
            }
        }
    }

    async fn is_unrecorded(&self, call: &CallRow) -> Result<(), Fault> {
        match self.ledger.has_recordings(parse_id(&call.uid)?).await? {
            false => Ok(()),
            true => Err(ExportRefusal::HasRecording.into()),
        }
    }

    async fn handed_out(
        &self,
        actor: &Actor,
        account: &str,
        form: &str,
        of: Option<Uuid>,
        recording: Option<Uuid>,
    ) -> Result<(), Fault> {
        let body = Body::Exported { form: form.into(), of, recording };
        self.note(actor, account, body, None, Vec::new(), Vec::new()).await.map(drop)
    }

    /// The entries that introduced the credentials behind the actions: their details hold the names.
    async fn with_actors(&self, account: &str, related: &mut Related) -> Result<(), Fault> {
        let actors: BTreeSet<String> =
            related.leaves.iter().map(|leaf| leaf.actor.credential.clone()).collect();
        let question =
            Question { log: account.into(), types: vec!["credential.added".into()], ..Question::default() };
        for row in self.ledger.entries(&question, u32::MAX).await? {
            let leaf: Leaf = read(&row)?;
            let is_theirs =
                matches!(&leaf.body, Body::Credential { credential, .. } if actors.contains(credential));
            if is_theirs && is_covered(&row, &related.head) {
                related.rows.push(row);
                related.leaves.push(leaf);
            }
        }
        Ok(())
    }

    /// The entries of these calls, those that registered what was used on them, those about their recordings,
    /// or about this one, and the gaps during them: all as far as the newest head covers them. It must cover
    /// the opening of every call, and the acceptance of the recording.
    async fn related(
        &self,
        account: &str,
        calls: &[CallRow],
        recording: Option<Uuid>,
    ) -> Result<Related, Fault> {
        let current = self.ledger.head(account).await?.ok_or(CallRefusal::Unknown)?;
        let first = calls.first().ok_or(CallRefusal::Unknown)?;
        let head = self.signed_head(&Epoch { log: account.into(), epoch: current.epoch }).await;
        let head = match head {
            Err(Fault::Refused { why: Refused::NotFound(Thing::SignedHead), .. }) => {
                return Err(uncovered(None, &first.id).into());
            }
            head => head?,
        };
        let mut rows: BTreeMap<(i64, i64), EntryRow> = BTreeMap::new();
        let mut keys: BTreeSet<(String, &[&str])> = BTreeSet::new();
        let mut begun: Option<(i64, i64)> = None;
        for call in calls {
            let uid = parse_id(&call.uid)?;
            let of_call = Question { log: account.into(), calls: Some(vec![uid]), ..Question::default() };
            for row in self.ledger.entries(&of_call, u32::MAX).await? {
                let leaf: Leaf = read(&row)?;
                used(&leaf.body, &mut keys);
                let place = (row.epoch, row.seq);
                begun = Some(begun.map_or(place, |begun| begun.min(place)));
                rows.insert(place, row);
            }
        }
        for (key, types) in keys {
            let types = types.iter().map(|word| (*word).to_owned()).collect();
            let question =
                Question { log: account.into(), keys: vec![vec![key]], types, ..Question::default() };
            let found = self.ledger.entries(&question, u32::MAX).await?;
            rows.extend(found.into_iter().map(|row| ((row.epoch, row.seq), row)));
        }
        let gaps = Question {
            log: account.into(),
            after: begun,
            types: vec!["audit.gap".into()],
            until: calls
                .iter()
                .map(|call| call.ended_at)
                .collect::<Option<Vec<_>>>()
                .and_then(|ends| ends.into_iter().max().map(|end| end.saturating_add(1))),
            ..Question::default()
        };
        let found = self.ledger.entries(&gaps, u32::MAX).await?;
        rows.extend(found.into_iter().map(|row| ((row.epoch, row.seq), row)));
        let (mut kept, mut leaves) = (Vec::new(), Vec::new());
        let (mut opened, mut accepted) = (BTreeSet::new(), false);
        for row in rows.into_values() {
            let leaf: Leaf = read(&row)?;
            let is_of_it = leaf.body.accepts().is_some_and(|id| recording.is_none_or(|of| of == id));
            if !is_covered(&row, &head) {
                // Without it, the other entries would suggest that nothing was accepted.
                if is_of_it && row.epoch == head.at.epoch {
                    return Err(uncovered(recording, &first.id).into());
                }
                continue;
            }
            accepted |= is_of_it;
            if let (Body::Opened { .. }, Some(call)) = (&leaf.body, leaf.call) {
                opened.insert(call);
            }
            // Every other recording of the call leads to the entries about this one, too.
            let of = leaf.body.became_of();
            if recording.is_none() || of.is_none() || of == recording {
                kept.push(row);
                leaves.push(leaf);
            }
        }
        for call in calls {
            if !opened.contains(&parse_id(&call.uid)?) {
                return Err(uncovered(None, &call.id).into());
            }
        }
        match recording {
            Some(_) if !accepted => Err(uncovered(recording, &first.id).into()),
            _ => Ok(Related { head, rows: kept, leaves }),
        }
    }
}

/// Whether a head covers an entry, so that it can be proven.
fn is_covered(row: &EntryRow, head: &SignedHead) -> bool {
    row.epoch == head.at.epoch && u64::try_from(row.seq).is_ok_and(|seq| seq < head.size)
}

/// Adds what an entry says was used: the keys of the entries that describe it.
fn used(body: &Body, keys: &mut BTreeSet<(String, &[&str])>) {
    const PROMPT: &[&str] = &["prompt.registered"];
    const GRANT: &[&str] = &["consent-grant.registered", "consent-grant.withdrawn"];
    const READING: &[&str] = &[
        "reading.proposed",
        "reading.in-force",
        "reading.approved",
        "reading.end-proposed",
        "reading.ended",
    ];
    const RECORDING: &[&str] =
        &["recording.fetched", "recording.fetch-refused", "recording.hold", "recording.deleted"];
    keys.extend(body.grants().map(|grant| (format!("grant:{grant}"), GRANT)));
    keys.extend(body.prompt().map(|prompt| (format!("prompt:{prompt}"), PROMPT)));
    keys.extend(body.readings().map(|reading| (format!("reading:{reading}"), READING)));
    keys.extend(body.accepts().map(|recording| (format!("recording:{recording}"), RECORDING)));
}

async fn proven(row: &EntryRow, proofs: &mut Proofs<'_>) -> Result<pack::Entry, Fault> {
    let index = u64::try_from(row.seq).unwrap_or(0);
    let proof = proofs.inclusion(index).await?;
    let proof = proof.ok_or_else(|| Fault::damaged("hashes of the tree are missing"))?;
    let detail = match (&row.salt, &row.document) {
        (Some(salt), Some(document)) => {
            let salt =
                salt.as_slice().try_into().map_err(|_| Fault::damaged("a salt is not 32 bytes long"))?;
            Some(Detail { salt, document: document.clone() })
        }
        _ => None,
    };
    Ok(pack::Entry { index, leaf: row.leaf.clone(), proof, detail })
}

fn read(row: &EntryRow) -> Result<Leaf, Fault> {
    serde_json::from_slice(&row.leaf).map_err(|_| Fault::damaged("an entry cannot be read"))
}

/// The fault that no head covers the recording, or else the call.
fn uncovered(recording: Option<Uuid>, call: &str) -> Failure {
    match recording {
        Some(recording) => Failure::RecordingNotSigned(recording.to_string()),
        None => Failure::CallNotSigned(call.to_owned()),
    }
}
