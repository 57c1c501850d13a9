//! What was registered in a log: who may act, what may be played, what counts as consent given before,
//! what may be sealed for, which recordings there are.
//!
//! **Invariant: what an entry names was registered before it**, in this log or in an earlier epoch of
//! it. If that epoch is not here, unknown names pass and are counted.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use policy::{CoverageBasis, Grant, Heard, HeldCounts, Opened, Purposes, Refusal, Role};
use seal::Format;
use uuid::Uuid;

use super::super::Failure;
use super::readings::{Actors, Readings};
use super::roles;
use super::told::{GrantTold, PromptTold, Told};
use crate::people::People;
use crate::registers::{Sum, unhex};
use crate::tree::Hash;
use crate::{Body, Came, Door, Leaf, OnRefusal, OnUnasked, Registered, counted};

/// What is registered so far.
#[derive(Debug, Default)]
pub(super) struct Registry {
    credentials: HashMap<String, Credential>,
    people: People,
    /// When each was retired.
    keys: HashMap<String, Option<Timestamp>>,
    /// An older ledger was restored: keys that were added since may be gone.
    keys_lost: bool,
    /// How recordings are sealed, and since when.
    formats: Vec<(Timestamp, Format)>,
    prompts: HashMap<Uuid, PromptTrack>,
    grants: HashMap<Uuid, GrantTrack>,
    recordings: HashMap<Uuid, Recording>,
    /// What is in quarantine.
    quarantined: HashMap<Uuid, Quarantined>,
    /// What becomes of recordings that the account's recording settings do not ask for, and since when.
    unasked: Vec<(Timestamp, OnUnasked)>,
    /// The law that the account has chosen, and since when.
    chosen: Vec<Chosen>,
    /// How the account reads the law.
    readings: Readings,
    /// The rows that the log commits to.
    rows: HashMap<(String, String), Hash>,
    sum: Sum,
    /// Earlier entries are not known.
    pub(super) unfounded: bool,
    /// An entry changes rows that it does not name.
    pub(super) unnamed: bool,
    /// An earlier epoch, which may hold what is not known here, is missing.
    pub(super) lenient: bool,
    pub(super) unchecked: Unchecked,
    /// How many entries were made with credentials that had just been revoked, by requests that may have
    /// begun before.
    pub(super) after_revocation: u64,
    /// Unknown credentials that acted: the first entry of each, and its role.
    pub(super) strangers: BTreeMap<String, (u64, String)>,
}

/// What passed because only an earlier epoch can have registered it.
#[derive(Debug, Default)]
pub(super) struct Unchecked {
    prompts: HashSet<Uuid>,
    grants: HashSet<Uuid>,
    credentials: HashSet<String>,
    keys: HashSet<String>,
    recordings: HashSet<Uuid>,
}

#[derive(Debug)]
struct Credential {
    role: String,
    person: Option<Uuid>,
    revoked: Option<Timestamp>,
    coverage: CoverageBasis,
    /// Whether its sender may ever have been told that all is well where an upload was refused.
    discards: bool,
    /// For how long at most what it uploads may ever have waited in quarantine, in seconds.
    quarantine_seconds: u32,
}

#[derive(Debug)]
struct PromptTrack {
    duration_ms: u64,
    told: Option<Box<PromptTold>>,
}

#[derive(Debug)]
struct Chosen {
    at: Timestamp,
    overlays: Vec<String>,
    public_safety: bool,
    on_hold: HeldCounts,
}

#[derive(Debug)]
struct GrantTrack {
    told: Option<Box<GrantTold>>,
    from: Timestamp,
    until: Option<Timestamp>,
    by_guardian: bool,
    withdrawn: Option<Timestamp>,
    calls: BTreeSet<Uuid>,
}

#[derive(Debug)]
struct Quarantined {
    uploader: String,
    came: Came,
    envelope: String,
    media: String,
    bytes: u64,
    at: Timestamp,
    until: Timestamp,
    ended: Option<Timestamp>,
}

#[derive(Debug)]
struct Recording {
    bytes: u64,
    held: Option<Timestamp>,
    deleted: Option<Timestamp>,
}

impl Registry {
    /// Resets the counts for the next epoch.
    pub(super) fn begins_anew(&mut self) {
        self.unchecked = Unchecked::default();
        self.strangers.clear();
        self.after_revocation = 0;
    }

    /// Checks that the actor is known, and may write this entry.
    pub(super) fn acts(&mut self, index: u64, leaf: &Leaf) -> Result<(), Failure> {
        self.is_known(index, leaf)?;
        roles::may(leaf)
    }

    /// Checks that the log knows the actor. Outside of calls, the law desk may act too.
    fn is_known(&mut self, index: u64, leaf: &Leaf) -> Result<(), Failure> {
        let actor = &leaf.actor;
        let ours = matches!(
            (actor.credential.as_str(), actor.role.as_str()),
            ("gateway", "gateway") | ("command-line", "operator")
        );
        let Some(credential) = self.credentials.get(&actor.credential) else {
            if ours {
                return Ok(());
            }
            if leaf.call.is_none() {
                self.strangers.entry(actor.credential.clone()).or_insert((index, actor.role.clone()));
                return Ok(());
            }
            if self.lenient {
                self.unchecked.credentials.insert(actor.credential.clone());
                return Ok(());
            }
            return Err(Failure::tampered(format!("`{}` acts, but was never added", actor.credential)));
        };
        if credential.role != actor.role {
            return Err(Failure::tampered(format!(
                "`{}` acts as `{}`, but was given the role `{}`",
                actor.credential, actor.role, credential.role
            )));
        }
        let mut served = SERVED;
        if let Body::Accepted { came, released: None, .. }
        | Body::Refused { came, .. }
        | Body::Unasked { came, .. }
        | Body::Quarantined { came, .. } = &leaf.body
        {
            if came.coverage != credential.coverage {
                return Err(Failure::tampered(format!(
                    "it requires uploads from `{}` to be {}, but the credential was added for uploads that are {}",
                    actor.credential,
                    came.coverage.as_str(),
                    credential.coverage.as_str()
                )));
            }
            if let Body::Refused { discarded: true, code, uncovered, .. } = &leaf.body
                && (came.door == Door::Native
                    || *code == Refusal::UncoveredAudio && uncovered.is_empty()
                    || !uncovered.is_empty() && !uncovered.iter().any(|(_, _, why)| why.is_of_the_law()))
            {
                return Err(Failure::tampered(
                    "it says that an upload was discarded, which neither the law nor anybody on the call wanted",
                ));
            }
            if let Body::Refused { discarded: true, .. } = &leaf.body
                && !credential.discards
            {
                return Err(Failure::tampered(format!(
                    "it says that `{}` was told of no refusal, but the credential was never set to discard",
                    actor.credential
                )));
            }
            if let Body::Quarantined { until, .. } = &leaf.body {
                let longest =
                    SignedDuration::from_secs(i64::from(credential.quarantine_seconds.min(QUARANTINE)));
                if came.door == Door::Native
                    || leaf.at.checked_add(longest).is_ok_and(|longest| longest < *until)
                {
                    return Err(Failure::tampered(format!(
                        "an upload of `{}` is in quarantine, or is to wait there for longer, than what it sends may",
                        actor.credential
                    )));
                }
            }
            // A request that was let in may still be running; an upload takes its time.
            served = UPLOAD;
        }
        let Some(revoked) = credential.revoked else { return Ok(()) };
        if revoked.checked_add(served).is_ok_and(|until| until < leaf.at) {
            return Err(Failure::tampered(format!("`{}` acts, but was revoked before", actor.credential)));
        }
        self.after_revocation = self.after_revocation.saturating_add(1);
        Ok(())
    }

    /// The roles that credentials were given.
    pub(super) fn roles(&self) -> BTreeMap<String, String> {
        self.credentials.iter().map(|(name, known)| (name.clone(), known.role.clone())).collect()
    }

    /// Checks that an entry commits to what it and the entries before it have registered.
    fn commits(&mut self, registered: &Registered) -> Result<(), Failure> {
        if self.unfounded {
            return Ok(());
        }
        let Some(rows) = &registered.rows else {
            (self.unfounded, self.unnamed) = (true, true);
            return Ok(());
        };
        for (register, key, row) in rows {
            let unreadable = || Failure::tampered("it registers something that is not a row");
            let row = row.as_ref().map(|row| unhex(row).and_then(|row| Hash::try_from(row).ok()));
            let place = (register.clone(), key.clone());
            let before = match row {
                Some(row) => {
                    let row = row.ok_or_else(unreadable)?;
                    self.sum.add(&row);
                    self.rows.insert(place, row)
                }
                None => self.rows.remove(&place),
            };
            before.iter().for_each(|before| self.sum.remove(before));
        }
        match self.sum.commitment() == registered.sum {
            true => Ok(()),
            false => Err(Failure::tampered(
                "it commits to other rows beside the log than those that it and the entries before it register",
            )),
        }
    }

    /// Takes what an entry registers or ends.
    pub(super) fn take(&mut self, leaf: &Leaf, told: Option<Told>) -> Result<(), Failure> {
        leaf.register.as_ref().map_or(Ok(()), |registered| self.commits(registered))?;
        self.quarantines(leaf)?;
        self.asks(leaf)?;
        self.reads(leaf)?;
        if let Body::Accepted { recording, bytes, keys, format, .. } = &leaf.body {
            keys.iter().try_for_each(|key| self.sealed_for(key))?;
            self.sealed_as(*format, keys.len())?;
            let new = Recording { bytes: *bytes, held: None, deleted: None };
            if self.recordings.insert(*recording, new).is_some() {
                return Err(Failure::tampered("it accepts a recording that was accepted before"));
            }
        }
        if let Body::Fetched { recording, range: (from, until) } = &leaf.body {
            let bytes = self.live(*recording)?.map_or(u64::MAX, |recording| recording.bytes);
            if from > until || *until > bytes {
                return Err(Failure::tampered("it hands out bytes that the recording does not have"));
            }
        }
        if let Body::Held { recording, held } = &leaf.body
            && let Some(recording) = self.live(*recording)?
        {
            recording.held = held.then_some(leaf.at);
        }
        if let Body::Deleted { recording } = &leaf.body
            && let Some(recording) = self.live(*recording)?
        {
            if recording.held.is_some() {
                return Err(Failure::tampered("it deletes a recording that is under a legal hold"));
            }
            recording.deleted = Some(leaf.at);
        }
        let (prompt_told, grant_told) = match told {
            Some(Told::Prompt(told)) => (Some(told), None),
            Some(Told::Grant(told)) => (None, Some(told)),
            None => (None, None),
        };
        if let Body::Prompt { version, duration_ms } = &leaf.body {
            prompt_told.iter().try_for_each(|told| told.lasts(*duration_ms))?;
            let new = PromptTrack { duration_ms: *duration_ms, told: prompt_told };
            if self.prompts.insert(*version, new).is_some() {
                return Err(Failure::tampered("it registers a version of a prompt a second time"));
            }
        }
        if let Body::AccountLaw { overlays, public_safety, on_hold } = &leaf.body {
            let (overlays, public_safety, on_hold) = (overlays.clone(), *public_safety, *on_hold);
            let kept = |before: &Chosen| {
                before.overlays.iter().all(|overlay| overlays.contains(overlay))
                    && (before.public_safety || !public_safety)
                    && (before.on_hold == on_hold || on_hold == HeldCounts::Counted)
            };
            if leaf.actor.role == roles::PROVISIONER && !self.chosen.last().is_none_or(kept) {
                return Err(Failure::tampered("a provisioner loosens the law that the account had chosen"));
            }
            self.chosen.push(Chosen { at: leaf.at, overlays, public_safety, on_hold });
        }
        if let Body::Grant { grant, from, until, by_guardian } = &leaf.body {
            let new = GrantTrack {
                told: grant_told,
                from: *from,
                until: *until,
                by_guardian: *by_guardian,
                withdrawn: None,
                calls: BTreeSet::new(),
            };
            if self.grants.insert(*grant, new).is_some() {
                return Err(Failure::tampered("it registers a consent grant a second time"));
            }
        }
        self.enrols(leaf)?;
        if let Body::Credential { credential, role, person, coverage, on_refusal, quarantine_seconds } =
            &leaf.body
        {
            if !self.lenient && person.is_some_and(|person| !self.people.knows(person)) {
                return Err(Failure::tampered("it adds a credential of somebody who was never enrolled"));
            }
            let (role, discards) = (role.clone(), *on_refusal == OnRefusal::Discard);
            let new = Credential {
                role,
                person: *person,
                revoked: None,
                coverage: *coverage,
                discards,
                quarantine_seconds: *quarantine_seconds,
            };
            if self.credentials.insert(credential.clone(), new).is_some() {
                return Err(Failure::tampered("it adds a credential a second time"));
            }
        }
        if let Body::CredentialSet { credential, on_refusal, quarantine_seconds } = &leaf.body {
            match self.credentials.get_mut(credential) {
                Some(known) => {
                    known.discards |= *on_refusal == OnRefusal::Discard;
                    known.quarantine_seconds = known.quarantine_seconds.max(*quarantine_seconds);
                }
                None if self.lenient => drop(self.unchecked.credentials.insert(credential.clone())),
                None => return Err(Failure::tampered("it changes a credential that was never added")),
            }
        }
        if let Body::CredentialRevoked { credential } = &leaf.body {
            match self.credentials.get_mut(credential) {
                Some(known) => known.revoked = known.revoked.or(Some(leaf.at)),
                None if self.lenient => drop(self.unchecked.credentials.insert(credential.clone())),
                None => return Err(Failure::tampered("it revokes a credential that was never added")),
            }
        }
        if let Body::Key { key, without_proof } = &leaf.body {
            let known = self.keys_lost || self.lenient || matches!(self.keys.get(key), Some(None));
            if !*without_proof && !known && !self.keys.is_empty() {
                return Err(Failure::tampered(
                    "it adds a further recipient without the proof of an earlier key's holder, and does not say so",
                ));
            }
            self.keys.insert(key.clone(), None);
            self.keys_suffice()?;
        }
        if let Body::Account { format } | Body::AccountFormat { format } = &leaf.body {
            self.formats.push((leaf.at, *format));
            self.keys_suffice()?;
        }
        if let Body::KeyRetired { key } = &leaf.body {
            match self.keys.get_mut(key) {
                Some(retired @ None) => *retired = Some(leaf.at),
                None if self.lenient => drop(self.unchecked.keys.insert(key.clone())),
                Some(Some(_)) | None => {
                    return Err(Failure::tampered("it retires a key that was not in use"));
                }
            }
        }
        Ok(())
    }

    /// Takes what an entry says of the account's readings.
    fn reads(&mut self, leaf: &Leaf) -> Result<(), Failure> {
        let mut readings = std::mem::take(&mut self.readings);
        let actors = Actors {
            is_own: &|credential| self.credentials.contains_key(credential),
            seconds: &|one, other| self.seconds(one, other),
            lenient: self.lenient,
        };
        let taken = readings.take(leaf, &actors);
        self.readings = readings;
        taken
    }

    /// Takes what becomes of recordings that the recording settings do not ask for, or one that they did not ask for.
    fn asks(&mut self, leaf: &Leaf) -> Result<(), Failure> {
        if let Body::AccountRecordingSettings { unasked, .. } = &leaf.body {
            self.unasked.push((leaf.at, *unasked));
        }
        let (came, wanted) = if let Body::Unasked { came, .. } = &leaf.body {
            (came, [OnUnasked::Refuse, OnUnasked::Refuse])
        } else if let Body::Accepted { came, unasked: Some(_), .. } = &leaf.body {
            // What the law wants recorded is noted, too, where the rest is refused.
            (came, [OnUnasked::Flag, OnUnasked::Refuse])
        } else {
            return Ok(());
        };
        let since = leaf.at.checked_sub(UPLOAD).unwrap_or(Timestamp::MIN);
        // What was in force then, or at some moment of a request that takes its time.
        let before = self.unasked.iter().rev().find(|(at, _)| *at <= since);
        let mut set = self.unasked.iter().filter(|(at, _)| *at > since).chain(before);
        match came.door == Door::Kazoo && (self.lenient || set.any(|(_, set)| wanted.contains(set))) {
            true => Ok(()),
            false => Err(Failure::tampered(
                "it says that the recording settings did not ask for a recording, and the account never wanted to know",
            )),
        }
    }

    /// Takes what enters or leaves the quarantine.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a projection: other entries say nothing of it")]
    fn quarantines(&mut self, leaf: &Leaf) -> Result<(), Failure> {
        if let Body::Quarantined { recording, came, envelope, media, bytes, until, .. } = &leaf.body {
            let new = Quarantined {
                uploader: leaf.actor.credential.clone(),
                came: *came,
                envelope: envelope.clone(),
                media: media.clone(),
                bytes: *bytes,
                at: leaf.at,
                until: *until,
                ended: None,
            };
            if self.recordings.contains_key(recording) || self.quarantined.insert(*recording, new).is_some() {
                return Err(Failure::tampered("it puts into quarantine what was there, or accepted, before"));
            }
        }
        if let Body::Accepted { recording, released: None, .. } = &leaf.body
            && self.quarantined.contains_key(recording)
        {
            return Err(Failure::tampered("it accepts what is in quarantine as if it were not"));
        }
        let (recording, ends) = match &leaf.body {
            Body::Destroyed { recording, .. } | Body::Accepted { recording, released: Some(_), .. } => {
                (*recording, true)
            }
            Body::ReleaseRefused { recording, .. } => (*recording, false),
            _ => return Ok(()),
        };
        let Some(waiting) = self.quarantined.get_mut(&recording) else {
            if self.lenient {
                self.unchecked.recordings.insert(recording);
                return Ok(());
            }
            return Err(Failure::tampered("it is about something that was never in quarantine"));
        };
        if waiting.ended.is_some() {
            return Err(Failure::tampered("it is about something that is not in quarantine any more"));
        }
        waiting.ended = ends.then_some(leaf.at);
        let Body::Accepted { came, envelope, media, bytes, spans, released: Some(released), .. } = &leaf.body
        else {
            return Ok(());
        };
        if released.uploader != waiting.uploader
            || *came != waiting.came
            || *envelope != waiting.envelope
            || *media != waiting.media
            || *bytes != waiting.bytes
        {
            return Err(Failure::tampered("it releases something else than was put into quarantine"));
        }
        if spans.iter().any(|(_, until)| *until > waiting.at) {
            return Err(Failure::tampered("it releases something that came before it would have ended"));
        }
        match leaf.at < waiting.until {
            true => Ok(()),
            false => Err(Failure::tampered("it releases something whose time in quarantine was over")),
        }
    }

    fn enrols(&mut self, leaf: &Leaf) -> Result<(), Failure> {
        if let Body::Person { person, founding } = &leaf.body {
            if !self.lenient && *founding != self.people.founds() {
                return Err(Failure::tampered(
                    "whether it enrols one of the first two people of the account is not what the log says",
                ));
            }
            if !self.people.enrol(*person, *founding) {
                return Err(Failure::tampered("it enrols somebody a second time"));
            }
        }
        if let Body::PersonConfirmed { person, by } = &leaf.body {
            let acts = self.credentials.get(&leaf.actor.credential).map(|known| known.person);
            match acts {
                Some(acts) if acts != Some(*by) => {
                    return Err(Failure::tampered("it confirms somebody in the name of another person"));
                }
                Some(_) if person == by => return Err(Failure::tampered("somebody confirms themselves")),
                Some(_) if !(self.lenient || self.people.knows(*person) && self.people.count(*by)) => {
                    return Err(Failure::tampered(
                        "somebody is confirmed who was never enrolled, or by somebody who does not count",
                    ));
                }
                None if !self.lenient => {
                    return Err(Failure::tampered(
                        "somebody is confirmed by a credential that was never added",
                    ));
                }
                Some(_) | None => self.people.confirm(*person, *by),
            }
        }
        Ok(())
    }

    /// Whether the approver counts as a second person; `None` if only an earlier epoch can say.
    pub(super) fn seconds(&self, proposer: &str, approver: &str) -> Option<bool> {
        let person = |credential| self.credentials.get(credential);
        let (Some(proposer), Some(approver)) = (person(proposer), person(approver)) else {
            return (!self.lenient).then_some(false);
        };
        let (Some(proposer), Some(approver)) = (proposer.person, approver.person) else { return Some(false) };
        // Somebody may count because of an earlier epoch, but one person is the same one in every epoch.
        let are_two = self.people.are_two(proposer, approver);
        (are_two || !self.lenient || proposer == approver).then_some(are_two)
    }

    fn sealed_for(&mut self, key: &str) -> Result<(), Failure> {
        match self.keys.get(key) {
            Some(None) => Ok(()),
            None if self.lenient => {
                self.unchecked.keys.insert(key.to_owned());
                Ok(())
            }
            Some(Some(_)) | None => {
                Err(Failure::tampered(format!("it is sealed for the key `{key}`, which was not in use")))
            }
        }
    }

    /// Checks that a recording is sealed as the account's are.
    fn sealed_as(&self, format: Format, keys: usize) -> Result<(), Failure> {
        if let Some((_, of_account)) = self.formats.last()
            && *of_account != format
        {
            return Err(Failure::tampered(format!(
                "it is sealed as `{}`, and recordings of the account were sealed as `{}`",
                format.as_str(),
                of_account.as_str()
            )));
        }
        match format.has_one_recipient() && keys != 1 {
            true => Err(Failure::tampered(format!("it is sealed as `{}` for {keys} keys", format.as_str()))),
            false => Ok(()),
        }
    }

    /// Checks that no more keys are in use than the account's format has room for.
    fn keys_suffice(&self) -> Result<(), Failure> {
        let Some((_, format)) = self.formats.last() else { return Ok(()) };
        let in_use = self.keys.values().filter(|retired| retired.is_none()).count();
        match format.has_one_recipient() && in_use > 1 && !self.keys_lost {
            true => Err(Failure::tampered(format!(
                "{in_use} keys are in use, and an account whose recordings are sealed as `{}` has one",
                format.as_str()
            ))),
            false => Ok(()),
        }
    }

    /// Checks that a prompt is what was registered.
    pub(super) fn heard(&mut self, prompt: &Heard, asked: Option<Purposes>) -> Result<(), Failure> {
        let uid: Option<Uuid> = prompt.version.parse().ok();
        match uid.and_then(|uid| self.prompts.get(&uid)) {
            Some(known) if known.duration_ms == prompt.duration_ms => {
                known.told.iter().try_for_each(|told| told.is_heard(prompt, asked))
            }
            Some(_) => Err(Failure::tampered("a prompt does not have the length that was registered")),
            None if self.lenient && uid.is_some() => {
                self.unchecked.prompts.extend(uid);
                Ok(())
            }
            None => Err(Failure::tampered("a prompt was played that was never registered")),
        }
    }

    /// Checks that a grant is what was registered, and was not withdrawn. Returns its id.
    pub(super) fn relied_on(
        &mut self,
        role: Role,
        granted: &Grant,
        call: Option<Uuid>,
    ) -> Result<Option<Uuid>, Failure> {
        let uid: Option<Uuid> = granted.grant.parse().ok();
        let Some((uid, grant)) = uid.and_then(|uid| Some((uid, self.grants.get_mut(&uid)?))) else {
            if self.lenient && uid.is_some() {
                self.unchecked.grants.extend(uid);
                return Ok(None);
            }
            return Err(Failure::tampered("somebody relies on a consent grant that was never registered"));
        };
        if grant.withdrawn.is_some() {
            return Err(Failure::tampered("somebody relies on a consent grant that was withdrawn"));
        }
        if (grant.from, grant.until) != (granted.from, granted.until) {
            return Err(Failure::tampered("a consent grant does not have the period that was registered"));
        }
        if grant.by_guardian != granted.by_guardian {
            return Err(Failure::tampered(
                "a consent grant is said to be given by a guardian, or not to be, unlike the registered one",
            ));
        }
        grant.told.iter().try_for_each(|told| told.is_relied_on(role, granted))?;
        grant.calls.extend(call);
        Ok(Some(uid))
    }

    /// Checks that a call is opened under the law that the account has chosen. The first choice is not in the
    /// entries, and a choice made just before may not have been seen yet.
    pub(super) fn opened_under(&self, facts: &Opened, at: Timestamp) -> Result<(), Failure> {
        for chosen in self.chosen.iter().rev() {
            let overlays = chosen.overlays.iter().all(|overlay| facts.overlays.contains(overlay));
            let settings = &facts.settings;
            if overlays
                && (settings.public_safety, settings.on_hold) == (chosen.public_safety, chosen.on_hold)
            {
                return Ok(());
            }
            if chosen.at.checked_add(SERVED).is_ok_and(|since| since < at) {
                return Err(Failure::tampered(
                    "the call is opened without the law that the account had chosen: an overlay is left out, or the public-safety rule or that for holds differs",
                ));
            }
        }
        Ok(())
    }

    /// Withdraws a grant. Returns the calls on which somebody relies on it.
    pub(super) fn withdraw(&mut self, uid: Uuid, at: Timestamp) -> Result<BTreeSet<Uuid>, Failure> {
        let Some(grant) = self.grants.get_mut(&uid) else {
            if self.lenient {
                self.unchecked.grants.insert(uid);
                return Ok(BTreeSet::new());
            }
            return Err(Failure::tampered("it withdraws a consent grant that was never registered"));
        };
        if grant.withdrawn.is_some() {
            return Err(Failure::tampered("it withdraws a consent grant a second time"));
        }
        grant.withdrawn = Some(at);
        Ok(std::mem::take(&mut grant.calls))
    }

    /// Notes that nobody relies on a grant on this call any more.
    pub(super) fn release(&mut self, grant: Uuid, call: Uuid) {
        if let Some(grant) = self.grants.get_mut(&grant) {
            grant.calls.remove(&call);
        }
    }

    /// A recording that was not deleted; `None` if only an earlier epoch can know it.
    fn live(&mut self, id: Uuid) -> Result<Option<&mut Recording>, Failure> {
        match self.recordings.get_mut(&id) {
            Some(recording) if recording.deleted.is_none() => Ok(Some(recording)),
            None if self.lenient => {
                self.unchecked.recordings.insert(id);
                Ok(None)
            }
            Some(_) => Err(Failure::tampered("it is about a recording that was deleted before")),
            None => Err(Failure::tampered("it is about a recording that was never accepted")),
        }
    }

    /// An older ledger was restored, which ends at `from`: whatever was ended later counts again. Returns how
    /// much does.
    pub(super) fn restored(&mut self, from: Timestamp) -> u64 {
        let mut lost = 0u64;
        let mut undo = |ended: &mut Option<Timestamp>| {
            if ended.take_if(|at| *at > from).is_some() {
                lost = lost.saturating_add(1);
            }
        };
        self.credentials.values_mut().for_each(|credential| undo(&mut credential.revoked));
        self.keys.values_mut().for_each(&mut undo);
        self.grants.values_mut().for_each(|grant| undo(&mut grant.withdrawn));
        self.quarantined.values_mut().for_each(|waiting| undo(&mut waiting.ended));
        self.recordings.values_mut().for_each(|recording| {
            undo(&mut recording.deleted);
            undo(&mut recording.held);
        });
        self.chosen.retain(|chosen| chosen.at <= from);
        self.formats.retain(|(at, _)| *at <= from);
        self.unasked.retain(|(at, _)| *at <= from);
        self.keys_lost = true;
        lost
    }
}

impl Unchecked {
    /// What was not checked, class by class; `None` if everything was.
    pub(super) fn words(&self) -> Option<String> {
        let classes = [
            (self.prompts.len(), "prompt"),
            (self.grants.len(), "consent grant"),
            (self.credentials.len(), "credential"),
            (self.keys.len(), "key"),
            (self.recordings.len(), "recording"),
        ];
        let words: Vec<String> = classes
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, class)| counted(*count, class))
            .collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// How long a request may take once its sender was let in.
const SERVED: SignedDuration = SignedDuration::from_mins(1);

/// For how many seconds an upload may wait in quarantine at most.
const QUARANTINE: u32 = 72 * 3600;

/// How long an upload may take once it began.
const UPLOAD: SignedDuration = SignedDuration::from_hours(24);
