//! Checking a pack: proofs, commitments, decisions, media.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use jiff::Timestamp;
use policy::{Table, What};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::order::Order;
use super::unproven::relied_on;
use super::{Entry, Kind, Manifest, Pack, PackReport, Stretch};
use crate::audit::decisions::Replay;
use crate::audit::source::Opening;
use crate::audit::verify::{distrust, is_named, opens, read, table, told, witnessed};
use crate::audit::{Details, Failure, page};
use crate::note::Checkpoint;
use crate::tree::{Edge, Hash, leaf_hash, verify_inclusion};
use crate::trust::Trust;
use crate::{Body, Leaf, hex};
use seal::Envelope;

/// Checks a pack, and the sealed media if they are given.
///
/// # Errors
///
/// [`Failure`], naming the entry that is wrong if there is one.
pub fn verify_pack(pack: &Pack, trust: &Trust, media: Option<&mut dyn Read>) -> Result<PackReport, Failure> {
    let head = Checkpoint::parse(&pack.checkpoint.text)
        .map_err(|error| with(pack, Failure::tampered(format!("`checkpoint`: {error}"))))?;
    is_named(&head.origin, trust).map_err(|failure| with(pack, failure))?;
    if pack.manifest.format != super::manifest::FORMAT {
        let what = format!("this program does not know the format `{}`", pack.manifest.format);
        return Err(with(pack, Failure::unusable(what)));
    }
    let mut found = pack.unread.clone();
    let accepted = told(&mut found, trust.check(&pack.checkpoint).map_err(distrust));
    let (leaves, details) = proven(pack, &head, &mut found);
    if found.is_empty() {
        told(&mut found, says_what_is_in_it(pack, &head));
    }
    let mut order = Order::default();
    for (index, leaf) in &leaves {
        told(&mut found, order.take(leaf).map_err(|failure| failure.at(*index)));
    }
    let tables = tables(&pack.tables, &leaves, &mut found);
    let mut warnings = Vec::new();
    let mut decisions = 0u64;
    for uid in &pack.manifest.calls {
        let decided = told(&mut found, decided(*uid, &leaves, &tables));
        decisions = decisions.saturating_add(decided.unwrap_or_default());
    }
    told(&mut found, belongs(pack, &leaves));
    told(&mut found, prompts(pack, &leaves, &mut warnings));
    told(&mut found, grants(&leaves));
    told(&mut found, readings(&leaves));
    let (mut media_is_there, mut envelope_is_there) = (false, false);
    match (pack.manifest.kind, media) {
        (Kind::Recording, media) => {
            if let Some((index, leaf)) = told(&mut found, acceptance(pack, &leaves)) {
                let at = |failure: Failure| failure.at(index);
                let envelope = told(&mut found, envelope(pack, leaf, &mut warnings).map_err(at));
                envelope_is_there = envelope.unwrap_or_default();
                if let Some(media) = media {
                    media_is_there = told(&mut found, is_media(media, leaf).map_err(at)).is_some();
                } else {
                    warnings.push(
                        "the sealed media were not given: that they are those that were accepted is not verified"
                            .into(),
                    );
                }
            }
            if !envelope_is_there {
                warnings.push("the envelope is not in the pack".into());
            }
        }
        (Kind::Call | Kind::Absence, Some(_)) => found.push(Failure::unusable(
            "media were given, and the pack is not about a recording: leave out `--media`",
        )),
        (Kind::Call, None) => {}
        (Kind::Absence, None) => drop(told(&mut found, absent(pack, &head, &leaves))),
    }
    warnings.extend(super::unproven(pack));
    let mut page = false;
    if found.is_empty() {
        page = told(&mut found, is_page(pack, &mut warnings)).unwrap_or_default();
    }
    let accepted = match (Failure::together(found), accepted) {
        (None, Some(accepted)) => accepted,
        (Some(failure), _) => return Err(failure),
        (None, None) => return Err(Failure::unusable("cannot determine who signed the head")),
    };
    if accepted.witnesses.is_empty() {
        warnings.push(
            "no witness has signed: that nobody rewrote the log before this head was signed is not proven, since who holds its key could".into(),
        );
    }
    let hidden = details.committed.saturating_sub(details.present);
    if hidden > 0 {
        warnings.push(format!(
            "{hidden} of {} details were erased or not disclosed; what stood in them is not verified",
            details.committed
        ));
    }
    Ok(PackReport {
        kind: pack.manifest.kind,
        origin: head.origin.clone(),
        size: head.size,
        root: hex(&head.root),
        signed_by: accepted.signed_by.iter().map(ToString::to_string).collect(),
        witnessed_by: accepted.witnesses.into_iter().map(witnessed).collect(),
        calls: pack.manifest.calls.clone(),
        call_id: pack.manifest.call_id.clone(),
        recording: pack.manifest.recording,
        entries: u64::try_from(leaves.len()).unwrap_or(u64::MAX),
        decisions,
        details,
        media: media_is_there,
        envelope: envelope_is_there,
        page,
        warnings,
    })
}

/// The failure, together with those of files that could not be read.
fn with(pack: &Pack, failure: Failure) -> Failure {
    let all = pack.unread.iter().cloned().chain([failure.clone()]);
    Failure::together(all).unwrap_or(failure)
}

/// Checks that each entry is in the log and commits to what was disclosed of it.
fn proven(pack: &Pack, head: &Checkpoint, found: &mut Vec<Failure>) -> (BTreeMap<u64, Leaf>, Details) {
    let mut leaves = BTreeMap::new();
    let mut details = Details::default();
    for Entry { index, leaf, proof, detail } in &pack.entries {
        let stands = verify_inclusion(&leaf_hash(leaf), *index, head.size, proof, &head.root)
            .map_err(|error| Failure::tampered(error.to_string()))
            .and_then(|()| read(leaf));
        let Some(leaf) = told(found, stands.map_err(|failure| failure.at(*index))) else { continue };
        if let Some(detail) = detail {
            let (salt, document) = (detail.salt, detail.document.clone());
            let opened = opens(&leaf, &Opening { index: *index, salt, document });
            told(found, opened.map_err(|failure| failure.at(*index)));
        }
        details.committed = details.committed.saturating_add(u64::from(leaf.detail.is_some()));
        details.present = details.present.saturating_add(u64::from(detail.is_some()));
        if leaves.insert(*index, leaf).is_some() {
            found.push(Failure::tampered("it is in the pack twice").at(*index));
        }
    }
    (leaves, details)
}

/// Checks that the manifest follows from the entries.
fn says_what_is_in_it(pack: &Pack, head: &Checkpoint) -> Result<(), Failure> {
    let said = &pack.manifest;
    if !is_of_account(&head.origin, &said.account) {
        return Err(Failure::tampered("`pack.json` names another account than the one whose log this is"));
    }
    let calls: BTreeSet<&Uuid> = said.calls.iter().collect();
    if calls.len() != said.calls.len() {
        return Err(Failure::tampered("`pack.json` names a call twice"));
    }
    let subject =
        said.subject().ok_or_else(|| Failure::tampered("`pack.json` does not say what the pack is about"))?;
    let computed =
        Manifest::of(&said.account, &subject, said.made_at, head, &pack.entries, pack.stretch.as_ref());
    if (Manifest { page: said.page, made_by: said.made_by.clone(), ..computed }) != *said {
        return Err(Failure::tampered("`pack.json` says something else than the entries"));
    }
    Ok(())
}

/// Whether a log is an account's: its name ends with the account, followed by a dot and the number of the
/// epoch if that is not the first. No account has a dot in its name.
fn is_of_account(origin: &str, account: &str) -> bool {
    let log = origin.rsplit('/').next().unwrap_or_default();
    log.split_once('.').map_or(log, |(name, _)| name) == account
}

/// The tables that decided, and no others.
fn tables(
    texts: &BTreeMap<String, String>,
    leaves: &BTreeMap<u64, Leaf>,
    found: &mut Vec<Failure>,
) -> BTreeMap<String, Arc<Table>> {
    let decided: BTreeSet<&str> =
        leaves.values().filter_map(|leaf| leaf.body.saw()).map(|saw| saw.table.as_str()).collect();
    let strays = texts.keys().filter(|digest| !decided.contains(digest.as_str()));
    found.extend(strays.map(|digest| {
        Failure::tampered(format!(
            "the table `{digest}` is not part of the pack: nothing in it was decided by that table"
        ))
    }));
    let read =
        texts.iter().filter_map(|(digest, text)| Some((digest.clone(), told(found, table(digest, text))?)));
    read.collect()
}

/// Computes every decision on a call again. No entry between its first and its last one may be missing.
fn decided(
    uid: Uuid,
    leaves: &BTreeMap<u64, Leaf>,
    tables: &BTreeMap<String, Arc<Table>>,
) -> Result<u64, Failure> {
    let mut replay: Option<Replay> = None;
    let (mut head, mut decisions) = (None, 0u64);
    for (index, leaf) in leaves {
        if leaf.call != Some(uid) {
            if let (Body::Gap { .. }, Some(replay), Some(fact)) = (&leaf.body, &mut replay, leaf.fact()) {
                replay.gap(&fact);
            }
            continue;
        }
        if leaf.prev != head {
            return Err(Failure::incomplete("an entry of the call before this one is missing").at(*index));
        }
        head = Some(leaf.id);
        let digest = leaf.body.saw().map(|saw| saw.table.as_str()).unwrap_or_default();
        let table = tables.get(digest).ok_or_else(|| {
            Failure::incomplete(format!("the table `{digest}`, which decided it, is missing")).at(*index)
        })?;
        match &mut replay {
            None => replay = Some(Replay::open(leaf, table).map_err(|failure| failure.at(*index))?),
            Some(replay) => replay.step(leaf, table).map_err(|failure| failure.at(*index))?,
        }
        decisions = decisions.saturating_add(1);
    }
    match decisions {
        0 => Err(Failure::incomplete(format!("the pack has no entry of the call {uid}"))),
        decisions => Ok(decisions),
    }
}

/// Checks that no entry is about another call, or another recording.
fn belongs(pack: &Pack, leaves: &BTreeMap<u64, Leaf>) -> Result<(), Failure> {
    let is_about = |id: Uuid| match pack.manifest.kind {
        Kind::Recording => pack.manifest.recording == Some(id),
        Kind::Call => leaves.values().any(|leaf| leaf.body.accepts() == Some(id)),
        Kind::Absence => false,
    };
    for (index, leaf) in leaves {
        if leaf.call.is_some_and(|call| !pack.manifest.calls.contains(&call)) {
            return Err(Failure::tampered("it belongs to another call than the pack is about").at(*index));
        }
        if leaf.body.became_of().is_some_and(|recording| !is_about(recording)) {
            return Err(Failure::tampered("it is about another recording than the pack").at(*index));
        }
    }
    Ok(())
}

/// Checks that what was played is what was registered, as far as the registrations are in the pack.
fn prompts(pack: &Pack, leaves: &BTreeMap<u64, Leaf>, warnings: &mut Vec<String>) -> Result<(), Failure> {
    let mut registered: BTreeMap<Uuid, (u64, u64)> = BTreeMap::new();
    for (index, leaf) in leaves {
        if let Body::Prompt { version, duration_ms } = leaf.body {
            registered.insert(version, (*index, duration_ms));
        }
    }
    for (version, document) in &pack.prompts {
        let path = format!("prompts/{version}.json");
        let disclosed = registered.get(version).and_then(|(index, _)| {
            let entry = pack.entries.iter().find(|entry| entry.index == *index)?;
            Some((*index, entry.document()?.get("document")?.to_string()))
        });
        let Some((index, disclosed)) = disclosed else {
            return Err(Failure::incomplete(format!(
                "`{path}`: the entry that registered it, with its detail, is missing"
            )));
        };
        // Of a member that is there twice, either could be read.
        if *document != disclosed {
            return Err(Failure::tampered(format!("`{path}` is not what was registered")).at(index));
        }
    }
    let mut unknown = BTreeSet::new();
    for (index, leaf) in leaves {
        let Body::Event { facts, .. } = &leaf.body else { continue };
        let (What::PromptStarted { prompt, .. } | What::PromptCompleted { prompt, .. }) = &facts.what else {
            continue;
        };
        let version: Option<Uuid> = prompt.version.parse().ok();
        match version.and_then(|version| registered.get(&version)) {
            Some((_, duration_ms)) if *duration_ms == prompt.duration_ms => {}
            Some(_) => {
                return Err(
                    Failure::tampered("a prompt does not have the length that was registered").at(*index)
                );
            }
            None => drop(unknown.insert(prompt.version.clone())),
        }
    }
    if !unknown.is_empty() {
        warnings.push(format!(
            "the registration of {} is not in the pack: what was played is not verified",
            unknown
                .into_iter()
                .map(|version| format!("the prompt `{version}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ));
    }
    Ok(())
}

/// Checks that grants are relied on as they were registered, as far as the registrations are in the pack.
fn grants(leaves: &BTreeMap<u64, Leaf>) -> Result<(), Failure> {
    let mut registered: BTreeMap<Uuid, (Timestamp, Option<Timestamp>, bool)> = BTreeMap::new();
    let mut withdrawn = BTreeSet::new();
    for (index, leaf) in leaves {
        if let Body::Grant { grant, from, until, by_guardian } = leaf.body {
            registered.insert(grant, (from, until, by_guardian));
        }
        if let Body::GrantWithdrawn { grant } = leaf.body {
            withdrawn.insert(grant);
        }
        for grant in relied_on(leaf) {
            let Ok(uid) = grant.grant.parse::<Uuid>() else { continue };
            if withdrawn.contains(&uid) {
                return Err(
                    Failure::tampered("somebody relies on a consent grant that was withdrawn").at(*index)
                );
            }
            let Some((from, until, by_guardian)) = registered.get(&uid) else { continue };
            if (*from, *until) != (grant.from, grant.until) {
                let what = "a consent grant does not have the period that was registered";
                return Err(Failure::tampered(what).at(*index));
            }
            if *by_guardian != grant.by_guardian {
                let what = "a consent grant is said to be given by a guardian, or not to be, unlike the registered one";
                return Err(Failure::tampered(what).at(*index));
            }
        }
    }
    Ok(())
}

/// Checks that the account's readings count as they were stated and approved, as far as that is in the pack.
fn readings(leaves: &BTreeMap<u64, Leaf>) -> Result<(), Failure> {
    // Who stated each, and whether somebody else has approved it.
    let mut stated: BTreeMap<&str, (&str, bool)> = BTreeMap::new();
    let mut ended = BTreeSet::new();
    for (index, leaf) in leaves {
        let tampered = |what: &str| Err(Failure::tampered(what.to_owned()).at(*index));
        if let Body::ReadingProposed { reading } | Body::ReadingInForce { reading } = &leaf.body {
            let alone = matches!(leaf.body, Body::ReadingInForce { .. });
            stated.insert(&reading.id, (&leaf.actor.credential, alone));
        }
        if let Body::ReadingApproved { reading } = &leaf.body
            && let Some((author, approved)) = stated.get_mut(reading.as_str())
        {
            if *author == leaf.actor.credential {
                return tampered("somebody has approved their own reading of the law");
            }
            *approved = true;
        }
        if let Body::ReadingEnded { reading } = &leaf.body {
            ended.insert(reading.as_str());
        }
        let Body::Opened { facts, .. } = &leaf.body else { continue };
        for reading in &facts.readings {
            if reading.id != crate::reading::id_of(&reading.terms) {
                return tampered("a reading does not have the id of its terms");
            }
            if ended.contains(reading.id.as_str()) {
                return tampered("a call is opened with a reading of the law that was ended before");
            }
            let loosens = reading.terms.instead_of.is_some();
            if loosens && stated.get(reading.id.as_str()).is_some_and(|(_, approved)| !approved) {
                return tampered("a reading that asks less counts, and nobody had approved it");
            }
        }
    }
    Ok(())
}

fn acceptance<'l>(pack: &Pack, leaves: &'l BTreeMap<u64, Leaf>) -> Result<(u64, &'l Leaf), Failure> {
    let accepts = |id| Some(id) == pack.manifest.recording;
    let accepted = leaves.iter().find(|(_, leaf)| leaf.body.accepts().is_some_and(accepts));
    let (index, leaf) =
        accepted.ok_or_else(|| Failure::incomplete("the entry that accepted the recording is missing"))?;
    Ok((*index, leaf))
}

/// Checks that the envelope is the one that was accepted. Wrapped keys may have been added or removed since.
fn envelope(pack: &Pack, leaf: &Leaf, warnings: &mut Vec<String>) -> Result<bool, Failure> {
    let Some(document) = &pack.envelope else { return Ok(false) };
    let Body::Accepted { recording, envelope, media, bytes, keys, format, .. } = &leaf.body else {
        return Ok(false);
    };
    let read: Envelope = serde_json::from_str(document)
        .map_err(|error| Failure::tampered(format!("`envelope.json`: {error}")))?;
    let bare = serde_json::to_vec(&Envelope { keys: Vec::new(), ..read.clone() }).unwrap_or_default();
    let same = hex(&Sha256::digest(bare)) == *envelope
        && hex(&read.sha256) == *media
        && read.bytes == *bytes
        && read.format() == *format
        && read.recording == recording.to_string()
        && read.account == pack.manifest.account;
    if !same {
        return Err(Failure::tampered("`envelope.json` is not the envelope that was accepted"));
    }
    warnings.push(
        "that the wrapped keys in the envelope open the media is not proven, since entries do not commit to them: the holder of the private key can check it with `consent-gateway open`"
            .into(),
    );
    let wrapped_for: Vec<&String> = read.keys.iter().map(|wrapped| &wrapped.key).collect();
    if wrapped_for != keys.iter().collect::<Vec<_>>() {
        warnings.push(
            "the keys in the envelope are not wrapped for the same recipients as when it was accepted: who changed them is not proven, since entries do not commit to wrapped keys"
                .into(),
        );
    }
    Ok(true)
}

/// Checks that the sealed media are those that were accepted.
fn is_media(from: &mut dyn Read, leaf: &Leaf) -> Result<(), Failure> {
    let Body::Accepted { media, bytes, .. } = &leaf.body else { return Ok(()) };
    let mut hash = Sha256::new();
    let mut length = 0u64;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from
            .read(&mut buffer)
            .map_err(|error| Failure::unusable(format!("the sealed media cannot be read: {error}")))?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
        hash.update(chunk);
        length = length.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
    if length != *bytes {
        return Err(Failure::tampered(format!(
            "the sealed media have {length} bytes, and {bytes} were accepted"
        )));
    }
    match hex(&hash.finalize()) == *media {
        true => Ok(()),
        false => Err(Failure::tampered("the sealed media are not those that were accepted")),
    }
}

/// Checks that no entry from the first opening to the log's end accepts a recording of the call, under any of
/// its ids.
fn absent(pack: &Pack, head: &Checkpoint, leaves: &BTreeMap<u64, Leaf>) -> Result<(), Failure> {
    let Some(Stretch { first, before, leaves: stretch }) = &pack.stretch else {
        return Err(Failure::incomplete("the stretch of the log that proves the absence is missing"));
    };
    let opened = |uid: &Uuid| {
        let opens = |leaf: &Leaf| leaf.call == Some(*uid) && matches!(leaf.body, Body::Opened { .. });
        leaves.iter().find(|(_, leaf)| opens(leaf)).map(|(index, _)| *index)
    };
    for uid in &pack.manifest.calls {
        let index = opened(uid).filter(|index| index >= first);
        let index =
            index.ok_or_else(|| Failure::incomplete("the stretch begins after the call was opened"))?;
        let names = super::manifest::names_of(*uid, &pack.entries);
        if pack.manifest.call_id.as_ref().is_none_or(|name| !names.contains(name)) {
            return Err(
                Failure::incomplete("the call that it opens is not disclosed, or is another one").at(index)
            );
        }
    }
    let mut edge = Edge::from_parts(*first, before.clone())
        .ok_or_else(|| Failure::tampered("`log/before` is not what was before the stretch"))?;
    let (mut ours, mut order) = (BTreeSet::new(), Order::default());
    for (index, bytes) in (*first..).zip(stretch) {
        edge.push(leaf_hash(bytes), |_, _: Hash| {});
        let leaf = read(bytes).map_err(|failure| failure.at(index))?;
        order.take(&leaf).map_err(|failure| failure.at(index))?;
        let Some(call) = leaf.call.filter(|call| pack.manifest.calls.contains(call)) else { continue };
        if let Some(recording) = leaf.body.accepts() {
            let what = format!("it accepts the recording {recording} of the call {call}");
            return Err(Failure::tampered(what).at(index));
        }
        ours.insert(index);
    }
    if (edge.size(), edge.root()) != (head.size, head.root) {
        return Err(Failure::tampered("the entries of the stretch are not those of the signed head"));
    }
    let shown = leaves.iter().filter(|(_, leaf)| leaf.call.is_some()).map(|(index, _)| *index).collect();
    match ours.symmetric_difference(&shown).next() {
        None => Ok(()),
        Some(index) => Err(Failure::incomplete("it belongs to the call, and is not shown").at(*index)),
    }
}

/// Whether the page for people says what the entries say. A page of another format uses other words.
fn is_page(pack: &Pack, warnings: &mut Vec<String>) -> Result<bool, Failure> {
    // A pack that was not read from an archive gets its page when it is written.
    let Some(said) = &pack.page else {
        warnings.push("the page for people is not in the pack".into());
        return Ok(false);
    };
    if pack.manifest.page != page::FORMAT {
        warnings.push(format!(
            "`index.html` is a page of format {}, and this program writes format {}: it was not compared with the \
             entries, so do not rely on it; `--page FILE` writes one that says what they say",
            pack.manifest.page,
            page::FORMAT
        ));
        return Ok(false);
    }
    let ours =
        page::page(pack).map_err(|error| Failure::unusable(format!("the page for people: {error}")))?;
    match ours == *said {
        true => Ok(true),
        false => Err(Failure::tampered("`index.html` says something else than the entries")),
    }
}
