//! Answers questions from an exported log: who said what, the evidence of a call, that a call has no
//! recording, what was deleted.
//!
//! The answers are as true as the export: [`verify`](super::verify::verify) it first. Each entry is read as
//! strictly as there, and a detail is shown only if its entry commits to it.
//!
//! Every question reads the log from its start, so that only the names of its calls are kept in memory.

use std::cell::RefCell;
use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use jiff::Timestamp;
use policy::{Code, Table};
use serde_json::Value;
use uuid::Uuid;

use super::Failure;
use super::pack::{self, Pack, Parts, Stretch, Subject};
use super::source::{Opening, Source};
use super::verify::{opens, read, table};
use crate::LogName;
use crate::note::{Checkpoint, Note};
use crate::sheet::{Line, Names};
use crate::story::Read;
use crate::tile::{self, TileId, bundles_of, read_bundle, read_hashes};
use crate::tree::{self, Hash, leaf_hash};
use crate::{Body, Detail, Leaf, hex};

/// An export that can be asked.
pub struct Exported<'s> {
    source: &'s dyn Source,
    note: Note,
    head: Checkpoint,
    tiles: RefCell<BTreeMap<(u8, u64), Vec<Hash>>>,
}

/// What is asked for. An entry must match every part that is given.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The platform's id of a call, or an alias.
    pub call: Option<String>,
    /// The platform's id of somebody on the call.
    pub participant: Option<String>,
    /// The pseudonym of a phone number in this log.
    pub subject: Option<String>,
    /// Where somebody on the call was.
    pub place: Option<Code>,
    /// Which rule was asked: the code of a row, or the id of an overlay.
    pub rule: Option<String>,
    /// What was played: the id of a prompt, `id@version`, or the gateway's id of a version.
    pub prompt: Option<String>,
    /// Types of entries; `None` means any.
    pub types: Option<Vec<&'static str>>,
    /// A recording.
    pub recording: Option<Uuid>,
    /// The credential that listened, or wanted to.
    pub listener: Option<String>,
    /// Logged at this time or later.
    pub from: Option<Timestamp>,
    /// Logged before this time.
    pub until: Option<Timestamp>,
}

/// An entry of an export.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it says, its place in the log, and its detail.
    pub read: Read,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
    /// The exact detail that it commits to, if the export holds it.
    pub detail: Option<Detail>,
}

/// What the log's own ids stand for, as far as details disclose it.
#[derive(Debug, Default)]
struct Known {
    /// The ids and aliases of each call.
    calls: HashMap<Uuid, Vec<String>>,
    names: Names,
    /// The call of each recording.
    recordings: HashMap<Uuid, Uuid>,
    /// Which parts of the question each call has to do with.
    touched: HashMap<Uuid, BTreeSet<usize>>,
}

impl<'s> Exported<'s> {
    /// An export at a source.
    ///
    /// # Errors
    ///
    /// [`Failure`] if its head cannot be read.
    pub fn open(source: &'s dyn Source) -> Result<Exported<'s>, Failure> {
        let wrong = |what: String| Failure::tampered(format!("`checkpoint`: {what}"));
        let note = Note::parse(&source.checkpoint()?).map_err(|error| wrong(error.to_string()))?;
        let head = Checkpoint::parse(&note.text).map_err(|error| wrong(error.to_string()))?;
        Ok(Exported { source, note, head, tiles: RefCell::default() })
    }

    /// The head that the export stands under.
    #[must_use]
    pub fn head(&self) -> &Checkpoint {
        &self.head
    }

    /// The account whose log it is, and the epoch.
    #[must_use]
    pub fn log(&self) -> (&str, u64) {
        let LogName { base, epoch } = LogName::of(&self.head.origin);
        (base.rsplit('/').next().unwrap_or_default(), epoch)
    }

    /// Every entry, in the order of the log.
    ///
    /// # Errors
    ///
    /// [`Failure`] if something is missing, damaged or not what it commits to; whatever `visit` returns.
    pub fn each(&self, mut visit: impl FnMut(Entry) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut details = self.source.details()?.into_iter().flatten().peekable();
        let mut index = 0u64;
        for bundle in bundles_of(self.head.size) {
            let bytes = self.source.bundle(bundle)?;
            let entries = read_bundle(&bytes)
                .map_err(|error| Failure::tampered(format!("`{}`: {error}", bundle.path())))?;
            if entries.len() != usize::from(bundle.width) {
                return Err(Failure::tampered(format!(
                    "`{}` holds another number of entries",
                    bundle.path()
                )));
            }
            for bytes in entries {
                let leaf = read(bytes).map_err(|failure| failure.at(index))?;
                let mut opening = None;
                while let Some(next) =
                    details.next_if(|next| next.as_ref().map_or(true, |o| o.index <= index))
                {
                    opening = Some(next?).filter(|opening: &Opening| opening.index == index);
                }
                if let Some(opening) = &opening {
                    opens(&leaf, opening).map_err(|failure| failure.at(index))?;
                }
                let detail = opening.map(|Opening { salt, document, .. }| Detail { salt, document });
                let document = detail.as_ref().and_then(|detail| serde_json::from_str(&detail.document).ok());
                visit(Entry { read: Read { index, leaf, detail: document }, bytes: bytes.to_vec(), detail })?;
                index = index.saturating_add(1);
            }
        }
        Ok(())
    }

    /// The entries that match a query, as a list shows them.
    ///
    /// An entry has to do with what it mentions itself, with what its call mentions and, if it is about a recording,
    /// with what the recording's call mentions.
    ///
    /// # Errors
    ///
    /// As [`Exported::each`].
    pub fn find(
        &self,
        query: &Query,
        mut show: impl FnMut(&Line<'_>, &Names) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut known = Known::default();
        self.each(|entry| {
            known.learn(&entry.read, query);
            Ok(())
        })?;
        let (_, epoch) = self.log();
        self.each(|entry| {
            if !known.is_sought(&entry.read, query) {
                return Ok(());
            }
            let leaf = &entry.read.leaf;
            let call = known.call_of(leaf).and_then(|call| known.calls.get(&call)?.first());
            show(
                &Line {
                    epoch,
                    index: entry.read.index,
                    leaf,
                    leaf_hash: hex(&leaf_hash(&entry.bytes)),
                    call: call.map(String::as_str),
                    document: entry.detail.as_ref().map(|detail| detail.document.as_str()),
                },
                &known.names,
            )
        })
    }

    /// The calls of this id or alias, in the order of the log.
    ///
    /// # Errors
    ///
    /// As [`Exported::each`].
    pub fn calls(&self, name: &str) -> Result<Vec<Uuid>, Failure> {
        let mut calls = Vec::new();
        self.each(|Entry { read, .. }| {
            if names_of(&read).iter().any(|one| one == name) {
                calls.extend(read.leaf.call);
            }
            Ok(())
        })?;
        Ok(calls)
    }

    /// The entries of these calls, of what was used on them and of what became of their recordings, or of this one
    /// alone; and the gaps of the trail while they went on.
    ///
    /// # Errors
    ///
    /// As [`Exported::each`].
    pub fn related(&self, calls: &[Uuid], recording: Option<Uuid>) -> Result<Vec<Entry>, Failure> {
        let mut used: BTreeSet<Key> = BTreeSet::new();
        let mut actors = BTreeSet::new();
        self.each(|Entry { read, .. }| {
            if read.leaf.call.is_some_and(|call| calls.contains(&call)) {
                used.extend(uses(&read.leaf.body));
                actors.insert(read.leaf.actor.credential);
            }
            Ok(())
        })?;
        let (mut related, mut open) = (Vec::new(), BTreeSet::new());
        self.each(|entry| {
            let leaf = &entry.read.leaf;
            let of_call = leaf.call.filter(|call| calls.contains(call));
            if matches!(leaf.body, Body::Opened { .. }) {
                open.extend(of_call);
            }
            if let (Some(policy::What::Ended), Some(call)) = (leaf.body.what(), of_call) {
                open.remove(&call);
            }
            let became_of = leaf.body.became_of();
            let taken = of_call.is_some()
                || told_of(&leaf.body).is_some_and(|key| used.contains(&key))
                || matches!(&leaf.body, Body::Credential { credential, .. } if actors.contains(credential))
                || matches!(leaf.body, Body::Gap { .. }) && !open.is_empty();
            if taken && (recording.is_none() || became_of.is_none() || became_of == recording) {
                related.push(entry);
            }
            Ok(())
        })?;
        Ok(related)
    }

    /// A proof pack of a call, of a recording, or of the absence of recordings of a call. The log does not
    /// hold envelopes, so the caller passes the recording's.
    ///
    /// # Errors
    ///
    /// As [`Exported::each`]; and if the log does not show what is to be proven.
    pub fn prove(&self, about: &About, envelope: Option<String>, now: Timestamp) -> Result<Pack, Failure> {
        let not_there = |what: String| Failure::unusable(what);
        let (calls, subject) = match about {
            About::Recording(id) => {
                let call = self.call_that_accepted(*id)?;
                let call = call.ok_or_else(|| not_there(format!("the log has no recording {id}")))?;
                (vec![call], Subject::Recording(*id))
            }
            About::Call(name) => {
                let call = self.calls(name)?.pop().ok_or_else(|| not_there(no_call(name)))?;
                (vec![call], Subject::Call(call))
            }
            About::NoRecording(name) => {
                let calls = self.calls(name)?;
                if calls.is_empty() {
                    return Err(not_there(no_call(name)));
                }
                (calls.clone(), Subject::Absence { name: name.clone(), calls })
            }
        };
        let recording = if let Subject::Recording(id) = subject { Some(id) } else { None };
        let related = self.related(&calls, recording)?;
        if matches!(subject, Subject::Absence { .. })
            && let Some(recording) = related.iter().find_map(|entry| entry.read.leaf.body.accepts())
        {
            return Err(not_there(format!("a recording of that call was accepted: {recording}")));
        }
        let mut parts = Parts { envelope, ..Parts::default() };
        for Entry { read, bytes, detail } in &related {
            if let Some(saw) = read.leaf.body.saw()
                && !parts.tables.contains_key(&saw.table)
            {
                let text = self.source.table(&saw.table)?;
                let text = text.ok_or_else(|| not_there(format!("the table {} is not in it", saw.table)))?;
                parts.tables.insert(saw.table.clone(), text);
            }
            if let (Body::Prompt { version, .. }, Some(Value::Object(detail))) =
                (&read.leaf.body, &read.detail)
                && let Some(document) = detail.get("document")
            {
                parts.prompts.insert(*version, document.to_string());
            }
            let ranges = tree::inclusion(read.index, self.head.size)
                .ok_or_else(|| Failure::tampered("an entry lies behind the end of the log"))?;
            let proof = ranges.iter().map(|range| self.hash(range)).collect::<Result<_, _>>()?;
            let (index, leaf, detail) = (read.index, bytes.clone(), detail.clone());
            parts.entries.push(pack::Entry { index, leaf, proof, detail });
        }
        if let (Subject::Absence { .. }, Some(first)) = (&subject, first_of(&related, &calls)) {
            let mut leaves = Vec::new();
            self.each(|entry| {
                if entry.read.index >= first {
                    leaves.push(entry.bytes);
                }
                Ok(())
            })?;
            let before =
                tree::parts(&(0..first)).into_iter().map(|node| self.node(node)).collect::<Result<_, _>>()?;
            parts.stretch = Some(Stretch { first, before, leaves });
        }
        Pack::new(self.log().0, &subject, now, self.note.clone(), parts)
            .map_err(|error| Failure::tampered(format!("`checkpoint`: {error}")))
    }

    /// The table with this digest.
    #[must_use]
    pub fn table(&self, digest: &str) -> Option<std::sync::Arc<Table>> {
        table(digest, &self.source.table(digest).ok()??).ok()
    }

    fn call_that_accepted(&self, recording: Uuid) -> Result<Option<Uuid>, Failure> {
        let mut call = None;
        self.each(|Entry { read, .. }| {
            if read.leaf.body.accepts() == Some(recording) {
                call = read.leaf.call;
            }
            Ok(())
        })?;
        Ok(call)
    }

    fn hash(&self, range: &Range<u64>) -> Result<Hash, Failure> {
        let nodes = tree::parts(range);
        let nodes = nodes.into_iter().map(|node| Ok((node, self.node(node)?)));
        let nodes = nodes.collect::<Result<BTreeMap<_, _>, Failure>>()?;
        tree::range_hash(range, |node| nodes.get(&node).copied())
            .ok_or_else(|| Failure::tampered("hashes of the tree are missing"))
    }

    fn node(&self, node: tree::NodeId) -> Result<Hash, Failure> {
        let (level, index) = tile::tile_of(node);
        let mut tiles = self.tiles.borrow_mut();
        let hashes = match tiles.entry((level, index)) {
            Slot::Occupied(read) => read.into_mut(),
            Slot::Vacant(unread) => {
                let width = tile::width_at(level, index, self.head.size)
                    .ok_or_else(|| Failure::tampered("a hash lies behind the end of the log"))?;
                let id = TileId { level, index, width };
                let hashes = read_hashes(&self.source.tile(id)?)
                    .map_err(|error| Failure::tampered(format!("`{}`: {error}", id.path())))?;
                unread.insert(hashes)
            }
        };
        tile::node_in_tile(node, hashes).ok_or_else(|| Failure::tampered("hashes of the tree are missing"))
    }
}

/// What is to be proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A recording.
    Recording(Uuid),
    /// A call: the platform's id or an alias; the last one of it.
    Call(String),
    /// That no call of this id or alias has a recording.
    NoRecording(String),
}

impl Known {
    fn learn(&mut self, read: &Read, query: &Query) {
        let leaf = &read.leaf;
        let Some(call) = self.call_of(leaf) else {
            if let Body::Prompt { version, .. } = &leaf.body
                && let Some(detail) = &read.detail
                && let (Some(id), Some(number)) = (
                    detail.get("prompt").and_then(Value::as_str),
                    detail.get("version").and_then(Value::as_u64),
                )
            {
                self.names.prompts.insert(version.to_string(), format!("{id}@{number}"));
            }
            return;
        };
        let names = names_of(read);
        if !names.is_empty() {
            self.calls.insert(call, names);
        }
        for (number, id) in read.people() {
            self.names.people.insert((call.to_string(), number), id);
        }
        if let Some(recording) = leaf.body.accepts() {
            self.recordings.insert(recording, call);
        }
        let parts = self.parts(read, query);
        self.touched.entry(call).or_default().extend(parts);
    }

    /// The call that an entry belongs to, or whose recording it is about.
    fn call_of(&self, leaf: &Leaf) -> Option<Uuid> {
        leaf.call.or_else(|| self.recordings.get(&leaf.body.recording()?).copied())
    }

    /// Which parts of a question an entry has to do with by itself.
    fn parts(&self, read: &Read, query: &Query) -> BTreeSet<usize> {
        let mentions = read.leaf.body.mentions(&read.leaf.actor);
        let has = |sort: &str, what: &str| mentions.contains(&format!("{sort}:{what}"));
        let is_prompt = |asked: &String| {
            let of = |version: &str| {
                version == asked
                    || self.names.prompts.get(version).is_some_and(|name| {
                        name == asked || name.rsplit_once('@').is_some_and(|(id, _)| id == asked)
                    })
            };
            read.leaf.body.prompt().is_some_and(|version| of(&version))
        };
        let is_rule = |asked: &String| {
            has("rule", asked) || asked.parse::<Code>().is_ok_and(|code| has("rule", &code.to_string()))
        };
        let touches = [
            query.call.as_ref().map(|call| names_of(read).contains(call)),
            query.participant.as_ref().map(|asked| read.people().iter().any(|(_, id)| id == asked)),
            query.subject.as_ref().map(|subject| has("subject", subject)),
            query.place.as_ref().map(|code| has("place", &code.to_string())),
            query.rule.as_ref().map(is_rule),
            query.prompt.as_ref().map(is_prompt),
            query.recording.as_ref().map(|id| has("recording", &id.to_string())),
            query.listener.as_ref().map(|who| has("listener", who)),
        ];
        touches
            .into_iter()
            .enumerate()
            .filter(|(_, touches)| touches.unwrap_or(true))
            .map(|(at, _)| at)
            .collect()
    }

    fn is_sought(&self, read: &Read, query: &Query) -> bool {
        let leaf = &read.leaf;
        let of_type = query.types.as_ref().is_none_or(|types| types.contains(&leaf.kind.as_str()));
        let then =
            query.from.is_none_or(|from| from <= leaf.at) && query.until.is_none_or(|until| leaf.at < until);
        let mut parts = self.parts(read, query);
        if let Some(touched) = self.call_of(leaf).and_then(|call| self.touched.get(&call)) {
            parts.extend(touched);
        }
        of_type && then && parts.len() == PARTS
    }
}

/// How many parts a question has, those included that nobody asked.
const PARTS: usize = 8;

/// What the platform calls the call that is opened: its id, and its aliases.
fn names_of(read: &Read) -> Vec<String> {
    if !matches!(read.leaf.body, Body::Opened { .. }) {
        return Vec::new();
    }
    let Some(detail) = &read.detail else { return Vec::new() };
    let aliases = detail.get("aliases").and_then(Value::as_array).into_iter().flatten();
    let names = detail.get("call").into_iter().chain(aliases).filter_map(Value::as_str);
    names.map(ToOwned::to_owned).collect()
}

/// Something registered or recorded that other entries name.
type Key = (&'static str, String);

/// What an entry of a call uses.
fn uses(body: &Body) -> Vec<Key> {
    let grants = body.grants().map(|grant| ("grant", grant));
    let prompt = body.prompt().map(|prompt| ("prompt", prompt));
    let recording = body.accepts().map(|recording| ("recording", recording.to_string()));
    grants.chain(prompt).chain(recording).collect()
}

/// What an entry outside of calls tells more about.
fn told_of(body: &Body) -> Option<Key> {
    if let Body::Prompt { version, .. } = body {
        return Some(("prompt", version.to_string()));
    }
    if let Body::Grant { grant, .. } | Body::GrantWithdrawn { grant } = body {
        return Some(("grant", grant.to_string()));
    }
    body.became_of().map(|recording| ("recording", recording.to_string()))
}

/// The index of the entry that opened the first of these calls.
fn first_of(related: &[Entry], calls: &[Uuid]) -> Option<u64> {
    let opens = |entry: &&Entry| entry.read.leaf.call.is_some_and(|call| calls.contains(&call));
    related.iter().find(opens).map(|entry| entry.read.index)
}

fn no_call(name: &str) -> String {
    format!("the log has no call `{name}` whose name it discloses: an export with details names its calls")
}

#[cfg(test)]
mod tests;
