//! What is handed in: entries, and what stands beside them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use policy::Table;
use serde_json::Value;
use uuid::Uuid;

use super::Controller;

/// An entry as it is handed in.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its place in the log, from 0.
    pub index: u64,
    /// Its exact bytes.
    pub leaf: Vec<u8>,
    /// Its detail, where that still exists.
    pub detail: Option<Value>,
}

/// What an export needs to know beside the entries. Whatever was erased is left out.
#[derive(Clone)]
pub struct Extras<'a> {
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
    /// The prompts whose registering is not among the entries.
    pub prompts: Vec<KnownPrompt>,
    /// The grants whose registering is not among the entries.
    pub grants: Vec<KnownGrant>,
    /// The recordings.
    pub media: Vec<KnownMedia>,
    /// `c2sp.org/tlog-proof@v1`, by the index of the entry.
    pub proofs: BTreeMap<u64, String>,
    /// The tables that decided, by their digests; a missing one only costs its citations.
    pub tables: &'a dyn Fn(&str) -> Option<Arc<Table>>,
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

/// A version of a prompt.
#[derive(Debug, Clone)]
pub struct KnownPrompt {
    /// The gateway's id of this version.
    pub uid: String,
    /// Its id, as counsel chose it.
    pub id: String,
    /// Its version, from 1.
    pub version: u64,
    /// What was registered, as JSON.
    pub document: Value,
}

/// A consent grant.
#[derive(Debug, Clone)]
pub struct KnownGrant {
    /// The gateway's id of it.
    pub uid: String,
    /// Its id, as the registrar chose it.
    pub id: String,
    /// What was registered, as JSON.
    pub document: Value,
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
