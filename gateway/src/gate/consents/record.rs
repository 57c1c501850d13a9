//! One entry as an answer shows it.

use policy::What;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::written;
use crate::gate::Fault;
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

    /// It as JSON.
    ///
    /// # Errors
    ///
    /// [`Fault`] where the stored bytes are no JSON.
    pub fn to_json(&self) -> Result<Value, Fault> {
        let entry: Value =
            serde_json::from_slice(&self.row.leaf).map_err(|_| Fault::damaged("an entry cannot be read"))?;
        let detail: Option<Value> =
            self.row.document.as_deref().and_then(|document| serde_json::from_str(document).ok());
        Ok(json!({
            "epoch": self.row.epoch,
            "index": self.row.seq,
            "leaf_hash": trail::hex(&self.row.leaf_hash),
            "call": self.row.call_id,
            "entry": entry,
            "detail": detail,
            "salt": self.row.salt.as_deref().map(trail::hex),
        }))
    }

    /// It in a line of words: place, time, type, call, who acted, and what was decided.
    #[must_use]
    pub fn to_words(&self) -> String {
        let leaf = &self.leaf;
        let mut words = vec![
            format!("#{}.{}", self.row.epoch, self.row.seq),
            written(leaf.at),
            leaf.kind.clone(),
            self.row.call_id.clone().unwrap_or_else(|| "-".into()),
            format!("{} ({})", leaf.actor.credential, leaf.actor.role),
        ];
        words.extend(self.saw().map(|saw| saw.recording.clone()));
        words.extend(self.refusal().map(str::to_owned));
        words.extend(self.recording().map(|id| format!("recording {id}")));
        words.join("  ")
    }

    pub(super) fn call(&self) -> Option<String> {
        self.leaf.call.map(|call| call.to_string())
    }

    pub(super) fn saw(&self) -> Option<&Saw> {
        self.leaf.body.saw()
    }

    /// Whom it is about, by their numbers; empty where it is about the call.
    pub(super) fn about(&self) -> Vec<u32> {
        match self.what() {
            Some(
                What::PromptStarted { participants, .. }
                | What::PromptCompleted { participants, .. }
                | What::PromptInterrupted { participants }
                | What::ConsentGiven { participants, .. }
                | What::ConsentDeclined { participants }
                | What::ConsentWithdrawn { participants }
                | What::AnnouncementRecorded { participants }
                | What::Left { participants },
            ) => participants.clone(),
            Some(What::Joined(joined)) => vec![joined.participant],
            Some(What::Located { participant, .. } | What::Answered { participant, .. }) => {
                vec![*participant]
            }
            Some(
                What::ToneStarted
                | What::ToneStopped
                | What::Control(_)
                | What::RecordingStarted
                | What::RecordingPaused
                | What::RecordingResumed
                | What::RecordingStopped
                | What::Accepted { .. }
                | What::Ended
                | What::Gap,
            )
            | None => Vec::new(),
        }
    }

    /// What they said, and by which method.
    pub(super) fn said(&self) -> (&'static str, String) {
        let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
        match self.what() {
            Some(What::ConsentGiven { method, .. }) => ("yes", word(json!(method))),
            Some(What::ConsentDeclined { .. }) => ("no", String::new()),
            Some(What::ConsentWithdrawn { .. }) => ("withdrawn", String::new()),
            Some(_) | None => ("", String::new()),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a projection: other entries say nothing of it")]
    pub(super) fn reported_by(&self) -> &str {
        match &self.leaf.body {
            Body::Event { reported_by, .. } => reported_by.as_deref().unwrap_or_default(),
            _ => "",
        }
    }

    /// The code of a refusal.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a projection: other entries say nothing of it")]
    pub(super) fn refusal(&self) -> Option<&str> {
        match &self.leaf.body {
            Body::ControlRefused { code, .. }
            | Body::Refused { code, .. }
            | Body::FetchRefused { code, .. } => Some(code),
            _ => None,
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a projection: other entries say nothing of it")]
    pub(super) fn subjects(&self) -> Vec<&str> {
        match &self.leaf.body {
            Body::Opened { subjects, .. } | Body::Event { subjects, .. } => {
                subjects.iter().map(|(_, pseudonym)| pseudonym.as_str()).collect()
            }
            Body::Lookup { subject, .. } | Body::Erased { subject, .. } => {
                subject.iter().map(String::as_str).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The gateway's id of the version of a prompt that was played or registered.
    pub(super) fn prompt(&self) -> Option<String> {
        match (&self.leaf.body, self.what()) {
            (Body::Prompt { version, .. }, _) => Some(version.to_string()),
            (_, Some(What::PromptStarted { prompt, .. } | What::PromptCompleted { prompt, .. })) => {
                Some(prompt.version.clone())
            }
            _ => None,
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a projection: other entries say nothing of it")]
    pub(super) fn recording(&self) -> Option<Uuid> {
        match &self.leaf.body {
            Body::Accepted { recording, .. }
            | Body::Fetched { recording, .. }
            | Body::FetchRefused { recording, .. }
            | Body::Deleted { recording }
            | Body::Held { recording, .. } => Some(*recording),
            Body::Exported { recording, .. } => *recording,
            _ => None,
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a projection: other entries say nothing of it")]
    fn what(&self) -> Option<&What> {
        match &self.leaf.body {
            Body::Event { facts, .. } | Body::Accepted { facts, .. } => Some(&facts.what),
            _ => None,
        }
    }
}
