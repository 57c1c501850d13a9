//! One entry as an answer shows it.

use policy::What;
use serde_json::json;
use uuid::Uuid;

use crate::gate::Fault;
use crate::gate::answer::Entry;
use crate::ledger::EntryRow;
use crate::trail::{self, Body, Leaf, Saw};

/// An entry with its place in the log, and with its detail where that still exists.
#[derive(Debug)]
pub struct Record {
    pub(super) row: EntryRow,
    pub(super) leaf: Leaf,
}

impl Record {
    pub(super) fn read(row: EntryRow) -> Result<Record, Fault> {
        let leaf =
            serde_json::from_slice(&row.leaf).map_err(|_| Fault::damaged("an entry cannot be read"))?;
        Ok(Record { row, leaf })
    }

    /// The entry as an answer shows it, its leaf byte for byte.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the stored bytes are not JSON.
    pub fn entry(&self) -> Result<Entry, Fault> {
        let entry =
            serde_json::from_slice(&self.row.leaf).map_err(|_| Fault::damaged("an entry cannot be read"))?;
        let detail = self.row.document.as_deref().map(serde_json::from_str).transpose();
        Ok(Entry {
            epoch: self.row.epoch,
            index: self.row.seq,
            leaf_hash: trail::hex(&self.row.leaf_hash),
            call: self.row.call_id.clone(),
            entry,
            detail: detail.map_err(|_| Fault::damaged("an entry's detail cannot be read"))?,
            salt: self.row.salt.as_deref().map(trail::hex),
        })
    }

    pub(super) fn call(&self) -> Option<String> {
        self.leaf.call.map(|call| call.to_string())
    }

    pub(super) fn saw(&self) -> Option<&Saw> {
        self.leaf.body.saw()
    }

    /// What it says, beside what the policy saw.
    pub(super) fn says(&self) -> Says<'_> {
        let nothing = Says::default();
        match &self.leaf.body {
            Body::Opened { subjects, .. } => Says { subjects: pseudonyms(subjects), ..nothing },
            Body::Event { facts, subjects, reported_by, .. } => Says {
                subjects: pseudonyms(subjects),
                reported_by: reported_by.as_deref().unwrap_or_default(),
                ..Says::of(&facts.what)
            },
            Body::ControlRefused { code, .. } => Says { refusal: Some(code.code()), ..nothing },
            Body::Refused { code, .. } => Says { refusal: Some(code.code()), ..nothing },
            Body::FetchRefused { recording, code } => {
                Says { recording: Some(*recording), refusal: Some(code), ..nothing }
            }
            Body::Accepted { recording, .. }
            | Body::Fetched { recording, .. }
            | Body::Deleted { recording }
            | Body::Held { recording, .. } => Says { recording: Some(*recording), ..nothing },
            Body::Exported { recording, .. } => Says { recording: *recording, ..nothing },
            Body::Lookup { subject, .. } => {
                Says { subjects: subject.iter().map(String::as_str).collect(), ..nothing }
            }
            Body::Prompt { version, .. } => Says { prompt: Some(version.to_string()), ..nothing },
            Body::Gap { .. }
            | Body::Erased { .. }
            | Body::Heartbeat {}
            | Body::LogOpened { .. }
            | Body::LogKey { .. }
            | Body::LogDropped { .. }
            | Body::Grant { .. }
            | Body::GrantWithdrawn { .. }
            | Body::Account {}
            | Body::AccountLaw { .. }
            | Body::Credential { .. }
            | Body::Person { .. }
            | Body::PersonConfirmed { .. }
            | Body::CredentialRevoked { .. }
            | Body::Key { .. }
            | Body::KeyRetired { .. }
            | Body::Table { .. }
            | Body::TableProposed { .. }
            | Body::ProposalDecided { .. } => nothing,
        }
    }
}

/// What an entry says, beside what the policy saw.
#[derive(Debug, Default)]
pub(super) struct Says<'e> {
    /// Whom it is about, by their numbers; empty where it is about the call.
    pub(super) about: Vec<u32>,
    /// What they said: `yes`, `no` or `withdrawn`.
    pub(super) said: &'static str,
    /// By which method.
    pub(super) method: String,
    /// Who noticed.
    pub(super) reported_by: &'e str,
    /// The code of a refusal.
    pub(super) refusal: Option<&'e str>,
    /// Pseudonyms.
    pub(super) subjects: Vec<&'e str>,
    /// The gateway's id of the version of a prompt that was played or registered.
    pub(super) prompt: Option<String>,
    /// Which recording.
    pub(super) recording: Option<Uuid>,
}

impl Says<'_> {
    fn of(what: &What) -> Self {
        let about = |participants: &[u32]| Says { about: participants.to_vec(), ..Says::default() };
        match what {
            What::PromptStarted { participants, prompt }
            | What::PromptCompleted { participants, prompt, .. } => {
                Says { prompt: Some(prompt.version.clone()), ..about(participants) }
            }
            What::ConsentGiven { participants, method } => {
                let method = json!(method).as_str().unwrap_or_default().to_owned();
                Says { said: "yes", method, ..about(participants) }
            }
            What::ConsentDeclined { participants } => Says { said: "no", ..about(participants) },
            What::ConsentWithdrawn { participants } => Says { said: "withdrawn", ..about(participants) },
            What::PromptInterrupted { participants }
            | What::AnnouncementRecorded { participants }
            | What::Left { participants } => about(participants),
            What::Joined(joined) => about(&[joined.participant]),
            What::Located { participant, .. } | What::Answered { participant, .. } => about(&[*participant]),
            What::ToneStarted
            | What::ToneStopped
            | What::Control(_)
            | What::RecordingStarted
            | What::RecordingPaused
            | What::RecordingResumed
            | What::RecordingStopped
            | What::Accepted { .. }
            | What::Ended
            | What::Gap => Says::default(),
        }
    }
}

fn pseudonyms(subjects: &[(u32, String)]) -> Vec<&str> {
    subjects.iter().map(|(_, pseudonym)| pseudonym.as_str()).collect()
}
