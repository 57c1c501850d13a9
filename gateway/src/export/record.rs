//! One call, as far as an export needs to know it: its story, and what stands beside it.
//!
//! It does not know any format.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use policy::table::{Basis, authorities};
use policy::{LawfulBasis, Purpose, Table};
use serde_json::Value;
use uuid::Uuid;

use super::Controller;
use trail::Body;
use trail::story::{Person, Read, Recording, Story};

/// One call.
#[derive(Debug, Clone)]
pub struct Record {
    /// What happened.
    pub story: Story,
    /// What stands beside it.
    pub extras: Extras,
    /// The entries, by their indexes.
    logged: BTreeMap<u64, Logged>,
}

/// An entry, as evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its type.
    pub kind: String,
    /// When it was logged.
    pub at: Timestamp,
    /// Its exact text.
    pub leaf: String,
    /// Its RFC 6962 leaf hash.
    pub leaf_hash: [u8; 32],
    /// Its proof, in the format `c2sp.org/tlog-proof@v1`.
    pub proof: Option<String>,
}

/// An entry as it is handed in.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its place in the log, from 0.
    pub index: u64,
    /// Its exact bytes.
    pub leaf: Vec<u8>,
    /// Its detail, where that still exists.
    pub detail: Option<Value>,
    /// Its proof, in the format `c2sp.org/tlog-proof@v1`.
    pub proof: Option<String>,
}

/// What an export needs to know beside the entries. Whatever was erased is left out.
#[derive(Debug, Clone)]
pub struct Extras {
    /// The account.
    pub account: String,
    /// Who the recordings are made for.
    pub controller: Option<Controller>,
    /// The log's origin.
    pub origin: String,
    /// Where the log is served, for example `https://gateway.example.com/v1/log/acme`.
    pub log_url: Option<String>,
    /// When it is exported.
    pub exported_at: Timestamp,
    /// The platform's id of the call.
    pub call_id: Option<String>,
    /// Who is behind the numbers.
    pub people: Vec<KnownPerson>,
    /// The recordings.
    pub media: Vec<KnownMedia>,
    /// The table that decided last; without it, nothing is cited.
    pub table: Option<Arc<Table>>,
    /// Where people read of a purpose's lawful basis.
    pub notices: BTreeMap<Purpose, String>,
}

/// Who is behind a number of the call.
#[derive(Debug, Clone)]
pub struct KnownPerson {
    /// The number.
    pub number: u32,
    /// The platform's id of them.
    pub id: Option<String>,
    /// Their phone number, E.164.
    pub tel: Option<String>,
}

/// What is known of a recording beside its entries.
#[derive(Debug, Clone)]
pub struct KnownMedia {
    /// Its id.
    pub recording: Uuid,
    /// The media type of the audio.
    pub content_type: String,
    /// How long it lasts, in milliseconds.
    pub duration_ms: u64,
    /// SHA-512 of the sealed media.
    pub sha512: Option<[u8; 64]>,
    /// Where the sealed media are served: an `https` URL.
    pub url: Option<String>,
    /// Its envelope, so that a recipient who has a key can open it.
    pub envelope: Option<Value>,
}

impl Record {
    /// On which basis the account processes what is recorded for a purpose, and where people read of it; `None` if
    /// it has not stated any. Having been told is not consent, whatever the account says.
    #[must_use]
    pub fn basis_of(&self, purpose: &str) -> Option<(LawfulBasis, Option<&str>)> {
        let known = policy::told::word(purpose).unwrap_or(Purpose::Other);
        let basis = self.story.lawful_basis.get(&known).filter(|basis| **basis != LawfulBasis::Consent)?;
        Some((*basis, self.extras.notices.get(&known).map(String::as_str)))
    }

    /// The record of the one call whose opening is among `entries`: see [`Story::of`] for what else is.
    ///
    /// # Errors
    ///
    /// [`RecordError`]: an entry cannot be read, is out of order, or opens no call or a second one.
    pub fn from_entries(entries: &[Entry], extras: Extras) -> Result<Record, RecordError> {
        let (mut reads, mut logged): (Vec<Read>, _) = (Vec::with_capacity(entries.len()), BTreeMap::new());
        let mut opened = None;
        for Entry { index, leaf: bytes, detail, proof } in entries {
            let index = *index;
            if reads.last().is_some_and(|last| index <= last.index) {
                return Err(RecordError::Order { index });
            }
            let leaf: trail::Leaf =
                serde_json::from_slice(bytes).map_err(|source| RecordError::Unreadable { index, source })?;
            if let Body::Opened { .. } = leaf.body
                && opened.replace(leaf.call.ok_or(RecordError::NotOpened)?).is_some()
            {
                return Err(RecordError::Several { index });
            }
            let entry = Logged {
                kind: leaf.kind.clone(),
                at: leaf.at,
                leaf: String::from_utf8_lossy(bytes).into_owned(),
                leaf_hash: trail::leaf_hash(bytes),
                proof: proof.clone(),
            };
            logged.insert(index, entry);
            reads.push(Read { index, leaf, detail: detail.clone() });
        }
        let mut story = opened.and_then(|call| Story::of(call, &reads)).ok_or(RecordError::NotOpened)?;
        story.name = extras.call_id.clone().or(story.name);
        for known in &extras.people {
            if let Some(person) = story.people.get_mut(&known.number) {
                person.id = known.id.clone().or(person.id.take());
            }
        }
        Ok(Record { story, extras, logged })
    }

    /// Their phone number, E.164.
    #[must_use]
    pub fn tel(&self, person: &Person) -> Option<&str> {
        self.extras.people.iter().find(|known| known.number == person.number)?.tel.as_deref()
    }

    /// What the table that decided last cites for a place: statutes, cases, regulators; none where it has no row
    /// for it.
    #[must_use]
    pub fn citations(&self, place: policy::Code) -> Vec<&str> {
        let Some(table) = &self.extras.table else { return Vec::new() };
        let asked = table.asks(place, self.story.medium, self.story.kind, self.story.started_at);
        let row = match asked.basis {
            Basis::Row(row) | Basis::StrictestOf(row) => Some(row),
            Basis::Default => None,
        };
        let rows = row.into_iter().chain(asked.parent);
        rows.flat_map(|row| authorities(&row.source.citations)).collect()
    }

    /// What is known of a recording beside its entries.
    #[must_use]
    pub fn media(&self, recording: &Recording) -> Option<&KnownMedia> {
        self.extras.media.iter().find(|known| known.recording == recording.id)
    }

    /// An entry, as evidence.
    #[must_use]
    pub fn logged(&self, index: u64) -> Option<&Logged> {
        self.logged.get(&index)
    }
}

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// An entry cannot be read.
    #[error("entry {index} cannot be read")]
    Unreadable {
        /// Which one.
        index: u64,
        /// Why.
        source: serde_json::Error,
    },
    /// The entries are not in the order of the log.
    #[error("entry {index} comes after one that was logged later; give the entries in the order of the log")]
    Order {
        /// Which one.
        index: u64,
    },
    /// No entry opens a call.
    #[error("none of the entries opens a call")]
    NotOpened,
    /// Several calls are opened.
    #[error("entry {index} opens another call; export one call at a time")]
    Several {
        /// Which one.
        index: u64,
    },
}

#[cfg(test)]
mod tests;
