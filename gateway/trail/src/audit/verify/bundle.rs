//! One bundle of entries: whether it is what the tile of its hashes says, and whether each entry is
//! one that a gateway writes.
//!
//! It knows no other bundle, so bundles are checked in parallel.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use policy::What;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::super::Failure;
use super::super::source::Opening;
use super::levels::root_of;
use super::roles;
use super::told::Told;
use crate::tile::{BundleId, TileError, TileId, WIDTH, read_bundle, read_hashes};
use crate::tree::{Hash, leaf_hash};
use crate::{Actor, Body, Detail, Leaf, Of, Reserved};

/// A bundle as it came from the source.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) id: BundleId,
    /// The bundle itself.
    pub(super) entries: Vec<u8>,
    /// The tile of its leaf hashes.
    pub(super) tile: Vec<u8>,
    /// Details of its entries, in order.
    pub(super) details: Vec<Opening>,
}

/// A bundle that was checked.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) index: u64,
    /// The leaf hashes, computed; as many as there are `leaves`.
    pub(super) hashes: Vec<Hash>,
    /// The root over them.
    pub(super) root: Hash,
    pub(super) leaves: Vec<Leaf>,
    /// What details of them register, by their place among `leaves`.
    pub(super) told: BTreeMap<usize, Told>,
    pub(super) committed: u64,
    pub(super) opened: u64,
    /// Details that their entries do not commit to. The entries themselves may be fine.
    pub(super) details: Vec<Failure>,
    /// What is wrong with the entry after these.
    pub(super) failure: Option<Failure>,
}

impl Bundle {
    /// Checks every entry, up to the first that is wrong.
    pub(super) fn check(&self) -> Checked {
        let mut checked = Checked {
            index: self.id.index,
            hashes: Vec::with_capacity(usize::from(self.id.width)),
            root: [0; 32],
            leaves: Vec::with_capacity(usize::from(self.id.width)),
            told: BTreeMap::new(),
            committed: 0,
            opened: 0,
            details: Vec::new(),
            failure: None,
        };
        checked.failure = self.check_into(&mut checked).err();
        checked.root = root_of(&checked.hashes);
        checked
    }

    fn check_into(&self, checked: &mut Checked) -> Result<(), Failure> {
        let first = self.first();
        let tile = self.tile_id();
        let wrong = |what: TileError| Failure::tampered(format!("`{}`: {what}", tile.path())).at(first);
        let said = read_hashes(&self.tile).map_err(wrong)?;
        // A fault in the framing may only show behind an entry that is wrong itself.
        let (entries, broken) = self.entries();
        let mut details = self.details.iter().peekable();
        for (position, (entry, said)) in entries.iter().zip(&said).enumerate() {
            let index = after(first, position);
            let hash = leaf_hash(entry);
            if hash != *said {
                let what = format!("the entry and its hash in `{}` do not belong together", tile.path());
                return Err(Failure::tampered(what).at(index));
            }
            let leaf = read(entry).map_err(|failure| failure.at(index))?;
            checked.committed = checked.committed.saturating_add(u64::from(leaf.detail.is_some()));
            if let Some(opening) = details.next_if(|opening| opening.index == index) {
                match opens(&leaf, opening).and_then(|()| Told::of(&leaf, &opening.document)) {
                    Ok(told) => checked.told.extend(told.map(|told| (position, told))),
                    Err(failure) => checked.details.push(failure.at(index)),
                }
                checked.opened = checked.opened.saturating_add(1);
            }
            checked.hashes.push(hash);
            checked.leaves.push(leaf);
        }
        if let Some(failure) = broken {
            return Err(failure);
        }
        if said.len() != entries.len() {
            let shorter = said.len().min(entries.len());
            let (path, hashes, count) = (tile.path(), said.len(), entries.len());
            let what = format!("`{path}` has {hashes} hashes for {count} entries");
            return Err(Failure::tampered(what).at(after(first, shorter)));
        }
        Ok(())
    }

    /// The bytes of the entries, as far as they can be separated, and what is wrong behind them.
    pub(super) fn entries(&self) -> (Vec<&[u8]>, Option<Failure>) {
        let path = self.id.path();
        let width = usize::from(self.id.width);
        let (entries, error) = match read_bundle(&self.entries) {
            Ok(entries) => (entries, None),
            Err(error) => {
                let whole = match &error {
                    TileError::Cut { entry } => *entry,
                    TileError::TooMany => width,
                    TileError::Empty | TileError::Ragged { .. } => 0,
                };
                (front(&self.entries, whole), Some(error))
            }
        };
        let what = match error {
            Some(error) => format!("`{path}`: {error}"),
            None if entries.len() != width => {
                format!("`{path}` has {} entries instead of {width}", entries.len())
            }
            None => return (entries, None),
        };
        let index = after(self.first(), width.min(entries.len()));
        (entries, Some(Failure::tampered(what).at(index)))
    }

    /// The index of its first entry.
    pub(super) fn first(&self) -> u64 {
        self.id.index.saturating_mul(WIDTH)
    }

    fn tile_id(&self) -> TileId {
        TileId { level: 0, index: self.id.index, width: self.id.width }
    }
}

/// The first `count` entries of a bundle that is broken behind them.
fn front(bytes: &[u8], count: usize) -> Vec<&[u8]> {
    let mut rest = bytes;
    let mut next = || {
        let (length, after) = rest.split_first_chunk()?;
        let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        rest = after;
        Some(entry)
    };
    (0..count).map_while(|_| next()).collect()
}

/// Reads an entry: byte for byte what a gateway writes.
pub(crate) fn read(bytes: &[u8]) -> Result<Leaf, Failure> {
    let unknown = |why: String| {
        Failure::unusable(format!(
            "this program does not know such an entry: a newer one wrote it, or no gateway did ({why})"
        ))
    };
    let leaf: Leaf = match serde_json::from_slice(bytes) {
        Ok(leaf) => leaf,
        Err(error) => {
            return Err(match serde_json::from_slice::<Header>(bytes) {
                Ok(header) => header.of_later().unwrap_or_else(|| unknown(error.to_string())),
                Err(_) => Failure::tampered(format!("it is not an entry: {error}")),
            });
        }
    };
    if leaf.v != 1 {
        return Err(unknown(format!("its format is version {}", leaf.v)));
    }
    // Bytes that one reader skips could tell another reader a different story.
    if serde_json::to_vec(&leaf).ok().as_deref() != Some(bytes) {
        return Err(unknown("it is not in the form that gateways write".into()));
    }
    consistent(&leaf).map_err(Failure::tampered)?;
    Ok(leaf)
}

/// The fields that an entry of any version has.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "v")]
    _v: u8,
    #[serde(rename = "type", default)]
    kind: Value,
    #[serde(default)]
    actor: Value,
    #[serde(default)]
    call: Value,
}

impl Header {
    /// The failure for an entry whose kind is reserved for a later version. Nothing is decided on it here,
    /// but it has to keep the rules of its kind.
    fn of_later(self) -> Option<Failure> {
        let reserved = Reserved::of_word(self.kind.as_str()?)?;
        let actor: Actor = serde_json::from_value(self.actor).ok()?;
        let word = reserved.word;
        if let Err(failure) = roles::may_make(&actor, word, reserved.makers) {
            return Some(failure);
        }
        if self.call.is_null() == (reserved.of == Of::Call) {
            return Some(Failure::tampered(OF_NO_CALL));
        }
        let restricts = if reserved.restricts { ", and it may make what follows stricter" } else { "" };
        Some(Failure::unusable(format!(
            "its kind, `{word}`, is of a later version, on which this program cannot decide{restricts}: use a newer one"
        )))
    }
}

const OF_NO_CALL: &str = "it decides on a call and names none, or the other way round";

/// Checks that the parts of an entry agree.
fn consistent(leaf: &Leaf) -> Result<(), &'static str> {
    let require = |fine: bool, what| if fine { Ok(()) } else { Err(what) };
    require(leaf.kind == leaf.body.kind().as_str(), "its type does not match its content")?;
    require(
        minted_at(leaf.id) == Some(leaf.at.as_millisecond()),
        "its id was made at another time than it says",
    )?;
    require(is_nonce(&leaf.nonce), "its nonce is not 32 hexadecimal digits")?;
    require(leaf.detail.as_deref().is_none_or(is_hash), "its commitment is not a hash")?;
    let decides = leaf.body.saw().is_some();
    require(decides == leaf.call.is_some(), OF_NO_CALL)?;
    let opens = matches!(leaf.body, Body::Opened { .. });
    require(leaf.prev.is_some() == (decides && !opens), "it does not name the call's entry before it")?;
    if let Body::Event { facts, .. } = &leaf.body {
        require(facts.received_at == leaf.at, "it was received at another time than it was logged")?;
        let accepts = matches!(facts.what, What::Accepted { .. });
        require(!accepts, "it accepts a recording without naming it")?;
    }
    Ok(())
}

/// Checks that the entry commits to this detail.
pub(crate) fn opens(leaf: &Leaf, opening: &Opening) -> Result<(), Failure> {
    let detail = Detail { salt: opening.salt, document: opening.document.clone() };
    match &leaf.detail {
        Some(commitment) if *commitment == detail.commitment() => Ok(()),
        Some(_) => Err(Failure::tampered("its detail is not the one that it commits to")),
        None => Err(Failure::tampered("it has no detail, but one was put beside it")),
    }
}

/// When an id of version 7 was made (RFC 9562, section 5.7), in milliseconds since 1970.
fn minted_at(id: Uuid) -> Option<i64> {
    let [a, b, c, d, e, f, ..] = *id.as_bytes();
    (id.get_version_num() == 7).then(|| i64::from_be_bytes([0, 0, a, b, c, d, e, f]))
}

fn is_nonce(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_hash(text: &str) -> bool {
    BASE64_STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

fn after(first: u64, position: usize) -> u64 {
    first.saturating_add(u64::try_from(position).unwrap_or(u64::MAX))
}
