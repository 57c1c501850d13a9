//! For which purposes a recording may be fetched: those that were told to the people on it, when it was recorded.
//!
//! A call that names its purposes could only be recorded with prompts and grants that cover them all, so
//! they are what was told. Of a call that names none, every stretch of the recording is looked at: what each
//! person on it had been told by then. Whatever is said or granted later is about what is recorded later; a grant
//! that is withdrawn later opens nothing any more.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use policy::{AnsweredBy, Joined, What};
use serde_json::json;

use super::ask::{ConsentGrant, Prompt};
use super::{Context, Fault, Gate, Loaded, RecordingRefusal, parse_id};
use crate::access::Principal;
use crate::ledger::RecordingRow;
use crate::trail::{Body, Leaf};

impl Gate {
    /// Refuses a purpose that was not told. The refusal is logged before it is answered.
    ///
    /// # Errors
    ///
    /// [`Fault`]: that refusal, or the trail cannot be read or written.
    pub(super) async fn check_told(
        &self,
        who: &Principal,
        row: &RecordingRow,
        purpose: &str,
    ) -> Result<(), Fault> {
        let Told::Only(told) = self.told(row).await? else { return Ok(()) };
        if told.contains(purpose) {
            return Ok(());
        }
        let recording = parse_id(&row.id)?;
        let detail = json!({"purpose": purpose, "told": told});
        let told = told.into_iter().collect();
        let refused = RecordingRefusal::PurposeNotTold { purpose: purpose.into(), told };
        let body = Body::FetchRefused { recording, code: refused.code().as_str().into() };
        self.note(&who.into(), &who.account, body, Some(detail), Vec::new(), Vec::new()).await?;
        Err(refused.into())
    }

    async fn told(&self, row: &RecordingRow) -> Result<Told, Fault> {
        let call = parse_id(&row.call)?;
        let opened = self.ledger.call(call).await?.ok_or_else(|| Fault::damaged("a call is missing"))?;
        let context: Context = serde_json::from_str(&opened.body)
            .map_err(|_| Fault::damaged("a call's context cannot be read"))?;
        if !context.purposes.is_empty() {
            return Ok(Told::Only(context.purposes.into_iter().collect()));
        }
        let (leaves, _) = self.leaves_of(call).await?;
        let id = parse_id(&row.id)?;
        let accepted = leaves.iter().position(|leaf| leaf.body.accepts() == Some(id));
        let up_to = accepted.and_then(|accepted| leaves.get(..=accepted)).unwrap_or_default();
        let Some(Body::Accepted { spans, .. }) = up_to.last().map(|leaf| &leaf.body) else {
            return Err(Fault::damaged("a recording was never accepted"));
        };
        let audience = Audience::of(up_to, spans);
        let purposes = self.purposes_of(&row.account, &audience).await?;
        Ok(audience.told(&purposes))
    }

    /// What is kept of a recording beside its entry, to find it by: when it was recorded, who was there, and what it
    /// may be listened to for.
    pub(super) async fn found_by(
        &self,
        account: &str,
        loaded: &Loaded,
        spans: &[(Timestamp, Timestamp)],
    ) -> Result<About, Fault> {
        let audience = Audience::of(&loaded.leaves, spans);
        let told = match loaded.context.purposes.is_empty() {
            true => audience.told(&self.purposes_of(account, &audience).await?),
            false => Told::Only(loaded.context.purposes.iter().cloned().collect()),
        };
        let purposes = match told {
            Told::Anything => None,
            Told::Only(purposes) => Some(purposes),
        };
        let segments: Vec<(i64, i64)> =
            spans.iter().map(|(from, until)| (from.as_millisecond(), until.as_millisecond())).collect();
        let people: BTreeSet<u32> = spans.iter().flat_map(|span| audience.stays.there(*span)).collect();
        let (from, until) = match (segments.first(), segments.last()) {
            (Some((from, _)), Some((_, until))) => (*from, *until),
            _ => return Err(Fault::damaged("a recording has no stretch")),
        };
        let document = json!({"segments": segments, "people": people, "purposes": purposes});
        Ok(About { from, until, document: document.to_string() })
    }

    /// What the texts say that the recording is for. One that is no longer known, and a grant that was withdrawn,
    /// names nothing that could be relied on.
    async fn purposes_of(
        &self,
        account: &str,
        audience: &Audience,
    ) -> Result<BTreeMap<String, Vec<String>>, Fault> {
        let uids: BTreeSet<&String> = audience.texts.iter().map(|text| &text.uid).collect();
        let uids: Vec<String> = uids.into_iter().cloned().collect();
        let mut purposes = BTreeMap::new();
        if uids.is_empty() {
            return Ok(purposes);
        }
        for row in self.ledger.prompt_versions(account, &uids).await? {
            let prompt: Prompt =
                serde_json::from_str(&row.document).map_err(|_| Fault::damaged("a prompt cannot be read"))?;
            purposes.insert(row.uid, prompt.purposes);
        }
        for row in self.ledger.grants_by_uid(account, &uids).await? {
            if row.withdrawn_at.is_none() {
                let grant: ConsentGrant = serde_json::from_str(&row.document)
                    .map_err(|_| Fault::damaged("a consent grant cannot be read"))?;
                purposes.insert(row.uid, grant.purposes);
            }
        }
        Ok(purposes)
    }
}

/// What is kept of a recording beside its entry.
pub(super) struct About {
    /// Where its first stretch begins, in milliseconds since 1970.
    pub(super) from: i64,
    /// Where its last stretch ends.
    pub(super) until: i64,
    /// As JSON: [`RecordingRow::about`].
    pub(super) document: String,
}

/// What somebody was told, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// No purpose was named: that means all of them.
    Anything,
    /// These purposes.
    Only(BTreeSet<String>),
}

impl Told {
    /// By one of these texts or another.
    fn by(texts: &[&Vec<String>]) -> Told {
        // Whoever names no purpose means all of them.
        match texts.iter().any(|text| text.is_empty()) {
            true => Told::Anything,
            false => Told::Only(texts.iter().copied().flatten().cloned().collect()),
        }
    }

    /// What was told to both.
    fn and(self, other: Told) -> Told {
        match (self, other) {
            (Told::Anything, told) | (told, Told::Anything) => told,
            (Told::Only(one), Told::Only(other)) => Told::Only(one.intersection(&other).cloned().collect()),
        }
    }
}

/// Somebody heard a prompt to its end, as the policy counted it, or relied on a grant, from a moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Text {
    person: u32,
    at: Timestamp,
    /// The version of the prompt, or the grant.
    uid: String,
}

/// Who is on a recording, and what they had been told when.
#[derive(Debug, Default)]
struct Audience {
    /// The stretches of the recording.
    stretches: Vec<(Timestamp, Timestamp)>,
    /// What was told up to its acceptance, in the order of the log.
    texts: Vec<Text>,
    stays: Stays,
    /// Those for whom a machine has answered, and no human after it.
    machines: BTreeSet<u32>,
    /// From when on the law asked for one party's consent only, or for everybody's.
    one_party: Vec<(Timestamp, bool)>,
}

impl Audience {
    /// By the entries of a call up to the acceptance of a recording, and the stretches that it holds.
    fn of(leaves: &[Leaf], spans: &[(Timestamp, Timestamp)]) -> Audience {
        let mut audience = Audience { stretches: spans.to_vec(), ..Audience::default() };
        for leaf in leaves {
            // What was reported late counts from when it happened, and is told from then on.
            let mut told_at = leaf.at;
            if let Body::Opened { facts, .. } = &leaf.body {
                let joined = facts.participants.iter();
                joined.for_each(|joined| audience.joins(joined, facts.started_at, leaf.at));
            }
            if let Body::Event { facts, late, .. } = &leaf.body {
                told_at = facts.at.filter(|_| *late).unwrap_or(leaf.at);
                audience.hears(&facts.what, leaf.at);
            }
            let Some(saw) = leaf.body.saw() else { continue };
            let one_party = saw.requirement.starts_with(policy::Parties::One.as_str());
            audience.one_party.push((leaf.at, one_party));
            for seen in &saw.participants {
                let Some(uid) = &seen.prompt else { continue };
                audience.is_told(seen.p, told_at, uid);
            }
        }
        audience
    }

    /// What was told to everybody, in every stretch.
    fn told(&self, purposes: &BTreeMap<String, Vec<String>>) -> Told {
        let mut all = Told::Anything;
        for stretch @ (from, until) in &self.stretches {
            for person in self.stays.during(*stretch) {
                let begins = self.stays.since(person, *from).max(*from);
                let by = |moment: Timestamp| -> Vec<&Text> {
                    self.texts.iter().filter(|text| text.person == person && text.at <= moment).collect()
                };
                // Whom nothing was told before may have been told during it: that limits it all the same.
                let texts = Some(by(begins)).filter(|texts| !texts.is_empty()).unwrap_or_else(|| by(*until));
                let told = match texts.as_slice() {
                    // Where one party's consent is enough, the others may not even know: their silence
                    // names no purpose, and it was not needed.
                    [] if self.is_one_party(*from) || self.machines.contains(&person) => Told::Anything,
                    [] => Told::Only(BTreeSet::new()),
                    texts => {
                        let known: Vec<&Vec<String>> =
                            texts.iter().filter_map(|text| purposes.get(&text.uid)).collect();
                        Told::by(&known)
                    }
                };
                all = all.and(told);
            }
        }
        all
    }

    /// Whether one party's consent was enough in a moment.
    fn is_one_party(&self, at: Timestamp) -> bool {
        let begun = self.one_party.iter().rev().find(|(from, _)| *from <= at);
        begun.or(self.one_party.first()).is_some_and(|(_, one)| *one)
    }

    fn is_told(&mut self, person: u32, at: Timestamp, uid: &str) {
        if !self.texts.iter().any(|text| text.person == person && text.uid == uid) {
            self.texts.push(Text { person, at, uid: uid.to_owned() });
        }
    }

    fn hears(&mut self, what: &What, at: Timestamp) {
        match what {
            What::Joined(joined) => self.joins(joined, at, at),
            // Whoever can be located is a person.
            What::Located { participant, .. } => self.stays.persons.extend([*participant]),
            What::Answered { participant, by: AnsweredBy::Machine } => self.machines.extend([*participant]),
            What::Answered { participant, by: AnsweredBy::Human } => {
                self.machines.remove(participant);
            }
            What::Left { participants } => self.stays.leave(participants, at),
            What::PromptStarted { .. }
            | What::PromptCompleted { .. }
            | What::PromptInterrupted { .. }
            | What::ConsentGiven { .. }
            | What::ConsentDeclined { .. }
            | What::ConsentWithdrawn { .. }
            | What::AnnouncementRecorded { .. }
            | What::ToneStarted
            | What::ToneStopped
            | What::Control(_)
            | What::RecordingStarted
            | What::RecordingPaused
            | What::RecordingResumed
            | What::RecordingStopped
            | What::Accepted { .. }
            | What::Ended
            | What::Gap => {}
        }
    }

    fn joins(&mut self, joined: &Joined, from: Timestamp, logged: Timestamp) {
        let participant = joined.participant;
        if joined.is_person() {
            self.stays.persons.insert(participant);
        }
        if let Some(grant) = &joined.grant {
            self.is_told(participant, logged, &grant.grant);
        }
        self.stays.arrive(participant, joined.joined_at.unwrap_or(from).min(logged));
    }
}

/// Who was there when.
#[derive(Debug, Default)]
struct Stays {
    persons: BTreeSet<u32>,
    spans: Vec<(u32, Timestamp, Option<Timestamp>)>,
}

impl Stays {
    fn arrive(&mut self, participant: u32, from: Timestamp) {
        let here = self.spans.iter_mut().find(|(who, _, until)| *who == participant && until.is_none());
        match here {
            Some((_, since, _)) => *since = from.min(*since),
            None => self.spans.push((participant, from, None)),
        }
    }

    fn leave(&mut self, participants: &[u32], at: Timestamp) {
        let leaving =
            self.spans.iter_mut().filter(|(who, _, until)| participants.contains(who) && until.is_none());
        leaving.for_each(|(_, _, until)| *until = Some(at));
    }

    /// Who was there in this stretch.
    fn there(&self, (begin, end): (Timestamp, Timestamp)) -> BTreeSet<u32> {
        let overlaps =
            |from: Timestamp, until: Option<Timestamp>| from < end && until.is_none_or(|until| begin < until);
        let there = self.spans.iter().filter(|(_, from, until)| overlaps(*from, *until));
        there.map(|(who, ..)| *who).collect()
    }

    /// The persons among them.
    fn during(&self, stretch: (Timestamp, Timestamp)) -> BTreeSet<u32> {
        self.there(stretch).intersection(&self.persons).copied().collect()
    }

    /// When somebody had come who was there in a moment, or came soon after it.
    fn since(&self, person: u32, moment: Timestamp) -> Timestamp {
        let stays = self
            .spans
            .iter()
            .filter(|(who, _, until)| *who == person && until.is_none_or(|until| moment < until));
        stays.map(|(_, from, _)| *from).min().unwrap_or(moment)
    }
}
