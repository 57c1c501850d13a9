//! What a pack says about itself. All of it follows from the entries, and is computed from them again when
//! the pack is checked.

use jiff::Timestamp;
use policy::What;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Entry, Stretch, Subject};
use crate::audit::page;
use crate::note::Checkpoint;
use crate::{Body, Leaf};

/// `pack.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format: [`FORMAT`].
    pub format: String,
    /// The format of its page: [`page::FORMAT`].
    pub page: u32,
    /// What it is about.
    pub kind: Kind,
    /// The account.
    pub account: String,
    /// The log.
    pub origin: String,
    /// How many entries the log had.
    pub size: u64,
    /// The gateway's ids of the call, or of all calls that had its name.
    pub calls: Vec<Uuid>,
    /// What the platform calls it, if that is disclosed: its id, or for an absence an alias too.
    pub call_id: Option<String>,
    /// The recording.
    pub recording: Option<Uuid>,
    /// Which entries of the log are in it.
    pub indices: Vec<u64>,
    /// The first entry of the stretch of the log that is in it as a whole.
    pub whole_from: Option<u64>,
    /// What the platform, or somebody else outside the gateway, asserted. The gateway did not hear the call:
    /// it logged who said so, and decided on that.
    pub asserted: Vec<Said>,
    /// What the gateway itself did.
    pub did: Vec<Said>,
    /// The program that made the pack.
    pub made_by: String,
    /// When it was made.
    pub made_at: Timestamp,
}

/// What a pack is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A recording, and the call up to its acceptance at least.
    Recording,
    /// A call.
    Call,
    /// That there is no recording of a call.
    Absence,
}

/// An entry in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Its index in the log.
    pub index: u64,
    /// When it was logged.
    pub at: Timestamp,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who made it: the credential, and its role.
    pub by: String,
}

impl Manifest {
    pub(super) fn of(
        account: &str,
        subject: &Subject,
        made_at: Timestamp,
        head: &Checkpoint,
        entries: &[Entry],
        stretch: Option<&Stretch>,
    ) -> Manifest {
        let leaves: Vec<(u64, Leaf)> =
            entries.iter().filter_map(|entry| Some((entry.index, entry.read()?))).collect();
        let (kind, calls, recording) = match subject {
            Subject::Recording(id) => (Kind::Recording, call_of(*id, &leaves), Some(*id)),
            Subject::Call(uid) => (Kind::Call, vec![*uid], None),
            Subject::Absence { calls, .. } => (Kind::Absence, calls.clone(), None),
        };
        let call_id = match subject {
            Subject::Absence { name, .. } => Some(name.clone()),
            Subject::Recording(_) | Subject::Call(_) => {
                calls.first().and_then(|uid| names_of(*uid, entries).into_iter().next())
            }
        };
        let (asserted, did) = leaves.iter().partition::<Vec<_>, _>(|(_, leaf)| is_asserted(&leaf.body));
        let said = |leaves: Vec<&(u64, Leaf)>| leaves.into_iter().map(Said::of).collect();
        Manifest {
            format: FORMAT.into(),
            page: page::FORMAT,
            kind,
            account: account.into(),
            origin: head.origin.clone(),
            size: head.size,
            calls,
            call_id,
            recording,
            indices: entries.iter().map(|entry| entry.index).collect(),
            whole_from: stretch.map(|stretch| stretch.first),
            asserted: said(asserted),
            did: said(did),
            made_by: made_by(),
            made_at,
        }
    }

    /// What the pack is about, as it says.
    pub(super) fn subject(&self) -> Option<Subject> {
        match (self.kind, self.calls.as_slice(), self.recording) {
            (Kind::Recording, [_], Some(id)) => Some(Subject::Recording(id)),
            (Kind::Call, [uid], None) => Some(Subject::Call(*uid)),
            (Kind::Absence, [_, ..], None) => {
                Some(Subject::Absence { name: self.call_id.clone()?, calls: self.calls.clone() })
            }
            _ => None,
        }
    }
}

impl Said {
    fn of((index, leaf): &(u64, Leaf)) -> Said {
        let by = format!("{} ({})", leaf.actor.credential, leaf.actor.role);
        Said { index: *index, at: leaf.at, kind: leaf.kind.clone(), by }
    }
}

/// What the platform calls a call, as the detail of its opening says: its id, and its aliases.
pub(super) fn names_of(uid: Uuid, entries: &[Entry]) -> Vec<String> {
    let opens = |entry: &&Entry| {
        entry.read().is_some_and(|leaf| leaf.call == Some(uid) && matches!(leaf.body, Body::Opened { .. }))
    };
    let document = entries.iter().find(opens).and_then(Entry::document).unwrap_or_default();
    let Some(id) = document.get("call").and_then(Value::as_str) else { return Vec::new() };
    let aliases = document.get("aliases").and_then(Value::as_array).into_iter().flatten();
    [id].into_iter().chain(aliases.filter_map(Value::as_str)).map(ToOwned::to_owned).collect()
}

/// Whether an entry is somebody's assertion, not the gateway's own act.
pub(in super::super) fn is_asserted(body: &Body) -> bool {
    if let Body::Event { facts, .. } = body {
        return !matches!(facts.what, What::Control(_) | What::Use { .. } | What::Gap);
    }
    matches!(
        body,
        Body::Opened { .. } | Body::Prompt { .. } | Body::Grant { .. } | Body::GrantWithdrawn { .. }
    )
}

/// The call of which a recording was accepted.
fn call_of(recording: Uuid, leaves: &[(u64, Leaf)]) -> Vec<Uuid> {
    let accepts = |leaf: &Leaf| leaf.body.accepts() == Some(recording);
    leaves.iter().filter(|(_, leaf)| accepts(leaf)).filter_map(|(_, leaf)| leaf.call).collect()
}

/// This program, as packs name it.
pub(super) fn made_by() -> String {
    format!("consent-gateway {}", env!("CARGO_PKG_VERSION"))
}

/// The format, as packs name it.
pub const FORMAT: &str = "consent-gateway pack v1";
