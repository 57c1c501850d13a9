//! For which purposes a recording may be fetched: those that were told to the people on it.
//!
//! A call that names its purposes could only be recorded with prompts and grants that cover them all, so
//! they are what was told. A call that names none is asked person by person.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use policy::{AnsweredBy, Joined, What};
use serde_json::json;
use uuid::Uuid;

use super::ask::{ConsentGrant, Prompt};
use super::{Context, Fault, Gate, parse_id};
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
        let (recording, code) = (parse_id(&row.id)?, "purpose-not-consented");
        let body = Body::FetchRefused { recording, code: code.into() };
        let detail = json!({"purpose": purpose, "told": told});
        self.note(&who.into(), &who.account, body, Some(detail), Vec::new(), Vec::new()).await?;
        let known = match told.is_empty() {
            true => "no purpose was told to everybody".to_owned(),
            false => format!("told was `{}`", told.iter().cloned().collect::<Vec<_>>().join("`, `")),
        };
        let detail = format!("the people on the recording were not told that it is for `{purpose}`; {known}");
        Err(Fault::refused(code, detail).with("told", json!(told)))
    }

    async fn told(&self, row: &RecordingRow) -> Result<Told, Fault> {
        let call = parse_id(&row.call)?;
        let opened = self.ledger.call(call).await?.ok_or_else(|| Fault::damaged("a call is missing"))?;
        let context: Context = serde_json::from_str(&opened.body)
            .map_err(|_| Fault::damaged("a call's context cannot be read"))?;
        if !context.purposes.is_empty() {
            return Ok(Told::Only(context.purposes.into_iter().collect()));
        }
        let (entries, names) = self.ledger.history(call).await?;
        let leaves = entries
            .iter()
            .map(|leaf| serde_json::from_slice(leaf))
            .collect::<Result<Vec<Leaf>, _>>()
            .map_err(|_| Fault::damaged("an entry cannot be read"))?;
        let audience = Audience::of(&leaves, parse_id(&row.id)?)
            .ok_or_else(|| Fault::damaged("a recording was never accepted"))?;
        let mut told: BTreeMap<u32, Vec<Vec<String>>> = BTreeMap::new();
        let uids: BTreeSet<String> = audience.heard.iter().map(|(_, prompt)| prompt.clone()).collect();
        let uids: Vec<String> = uids.into_iter().collect();
        let mut prompts = BTreeMap::new();
        for (uid, _, _, document) in self.ledger.prompt_versions(&row.account, &uids).await? {
            let prompt: Prompt =
                serde_json::from_str(&document).map_err(|_| Fault::damaged("a prompt cannot be read"))?;
            prompts.insert(uid, prompt.purposes);
        }
        for (participant, uid) in &audience.heard {
            // A prompt that is no longer known names nothing that could be relied on.
            told.entry(*participant).or_default().extend(prompts.get(uid).cloned());
        }
        for name in &names {
            let Ok(participant) = u32::try_from(name.participant) else { continue };
            let Some(id) = name.consent_grant.as_deref().filter(|_| audience.granted.contains(&participant))
            else {
                continue;
            };
            let Some(row) = self.ledger.grant(&row.account, id).await? else { continue };
            let grant: ConsentGrant = serde_json::from_str(&row.document)
                .map_err(|_| Fault::damaged("a consent grant cannot be read"))?;
            told.entry(participant).or_default().push(grant.purposes);
        }
        Ok(audience.people.iter().fold(Told::Anything, |all, person| {
            all.and(match told.get(person) {
                Some(texts) => Told::by(texts),
                // Where one party's consent is enough, the others may not even know: their silence
                // names no purpose, and it was not needed.
                None if audience.one_party || audience.machines.contains(person) => Told::Anything,
                None => Told::Only(BTreeSet::new()),
            })
        }))
    }
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
    fn by(texts: &[Vec<String>]) -> Told {
        // Whoever names no purpose means all of them.
        match texts.iter().any(|text| text.is_empty()) {
            true => Told::Anything,
            false => Told::Only(texts.iter().flatten().cloned().collect()),
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

/// Who is on a recording, and what they heard before it was accepted.
#[derive(Debug, Default)]
struct Audience {
    /// Persons who were there in a moment that it holds.
    people: BTreeSet<u32>,
    /// Those for whom a machine has answered, and no human after it.
    machines: BTreeSet<u32>,
    /// Who heard which version of a prompt to its end, as the policy counted it.
    heard: BTreeSet<(u32, String)>,
    /// Who had a consent grant that counted.
    granted: BTreeSet<u32>,
    /// Whether the law asked for one party's consent only.
    one_party: bool,
}

impl Audience {
    /// None where the recording is not one of the call's.
    fn of(leaves: &[Leaf], id: Uuid) -> Option<Audience> {
        let accepted = leaves
            .iter()
            .position(|leaf| matches!(&leaf.body, Body::Accepted { recording, .. } if *recording == id))?;
        let mut audience = Audience::default();
        let mut stays = Stays::default();
        for leaf in leaves.get(..=accepted)? {
            if let Body::Opened { facts, .. } = &leaf.body {
                let joined = facts.participants.iter();
                joined.for_each(|joined| audience.joins(joined, facts.started_at, leaf.at, &mut stays));
            }
            if let Body::Event { facts, .. } = &leaf.body {
                audience.hears(&facts.what, leaf.at, &mut stays);
            }
            for person in leaf.body.saw().into_iter().flat_map(|saw| &saw.participants) {
                audience.heard.extend(person.prompt.clone().map(|prompt| (person.p, prompt)));
            }
        }
        let Some(Body::Accepted { spans, saw, .. }) = leaves.get(accepted).map(|leaf| &leaf.body) else {
            return None;
        };
        audience.one_party = saw.requirement.starts_with(policy::Parties::One.as_str());
        audience.people = stays.during(spans);
        Some(audience)
    }

    fn hears(&mut self, what: &What, at: Timestamp, stays: &mut Stays) {
        match what {
            What::Joined(joined) => self.joins(joined, at, at, stays),
            // Whoever can be located is a person.
            What::Located { participant, .. } => stays.persons.extend([*participant]),
            What::Answered { participant, by: AnsweredBy::Machine } => self.machines.extend([*participant]),
            What::Answered { participant, by: AnsweredBy::Human } => {
                self.machines.remove(participant);
            }
            What::Left { participants } => stays.leave(participants, at),
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

    fn joins(&mut self, joined: &Joined, from: Timestamp, logged: Timestamp, stays: &mut Stays) {
        let participant = joined.participant;
        if joined.is_person() {
            stays.persons.insert(participant);
        }
        if joined.grant.is_some() {
            self.granted.insert(participant);
        }
        stays.arrive(participant, joined.joined_at.unwrap_or(from).min(logged));
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

    /// The persons among them who were there in one of these stretches.
    fn during(&self, stretches: &[(Timestamp, Timestamp)]) -> BTreeSet<u32> {
        let overlaps = |from: Timestamp, until: Option<Timestamp>| {
            stretches.iter().any(|(begin, end)| from < *end && until.is_none_or(|until| *begin < until))
        };
        let there = self
            .spans
            .iter()
            .filter(|(who, from, until)| self.persons.contains(who) && overlaps(*from, *until));
        there.map(|(who, ..)| *who).collect()
    }
}
