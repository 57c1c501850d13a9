//! Reading a log from its first entry to its last: bundles, details and tables as they are needed.
//!
//! Calls that have been over for a while are forgotten, and read again if a late entry needs them.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::iter::Peekable;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use policy::Table;
use uuid::Uuid;

use super::super::decisions::{Calls, Step};
use super::super::source::{Details, Opening, Source, SourceError};
use super::super::{Details as Counted, Failure};
use super::bundle::{Bundle, Checked, read};
use super::crew::{Crew, Looked, Work};
use super::epochs::Carried;
use super::law::Compared;
use super::levels::{self, Levels};
use super::sequence::Sequence;
use super::told::Told;
use super::{Options, table};
use crate::note::Checkpoint;
use crate::tile::{BundleId, TileId, WIDTH, bundles_of};
use crate::tree::Hash;
use crate::{Leaf, leaf_hash};

/// Reads a log from its first entry to its last.
pub(super) struct Reading<'s> {
    source: &'s dyn Source,
    size: u64,
    progress: &'s dyn Fn(u64, u64),
    details_left: Peekable<Details<'s>>,
    /// Whether details were handed out.
    pub(super) has_details: bool,
    /// All of them were read, as far as possible.
    details_end: bool,
    last_detail: Option<u64>,
    pub(super) sequence: Sequence,
    pub(super) tree: Levels,
    tables: Tables,
    pub(super) details: Counted,
    /// Faults in files that no further entry depends on.
    pub(super) found: Vec<Failure>,
    pub(super) law: Option<Compared<'s>>,
    /// Bundles that were checked before those in front of them.
    early: BTreeMap<u64, Box<Checked>>,
    /// Calls that are over, in the order in which they ended.
    over: VecDeque<(Timestamp, Uuid)>,
    /// Calls that were forgotten.
    forgotten: HashSet<Uuid>,
}

impl<'s> Reading<'s> {
    pub(super) fn new(
        source: &'s dyn Source,
        head: &Checkpoint,
        sizes: impl Iterator<Item = u64>,
        options: &Options<'s>,
    ) -> Reading<'s> {
        let size = head.size;
        let sizes: Vec<u64> = sizes.collect();
        let sequence = Sequence::of(&head.origin, sizes.iter().copied());
        let (details_left, has_details) = details_of(source);
        Reading {
            source,
            size,
            progress: options.progress,
            details_left,
            has_details,
            details_end: false,
            last_detail: None,
            sequence,
            tree: Levels::new(sizes.into_iter().chain([size])),
            tables: Tables::default(),
            details: Counted::default(),
            found: Vec::new(),
            law: options.law.map(Compared::with),
            early: BTreeMap::new(),
            over: VecDeque::new(),
            forgotten: HashSet::new(),
        }
    }

    /// Continues an earlier epoch, and returns its calls.
    pub(super) fn after(&mut self, mut before: Carried) -> Calls {
        self.over = std::mem::take(&mut before.over);
        let calls = std::mem::take(&mut before.calls);
        self.sequence.after(before);
        calls
    }

    /// What the next epoch needs.
    pub(super) fn into_carried(self, head: &Checkpoint, mut calls: Calls) -> Carried {
        calls.decisions = 0;
        let mut sequence = self.sequence;
        // The next epoch cannot read forgotten calls again.
        self.forgotten.iter().for_each(|uid| sequence.lose(*uid));
        Carried {
            origin: head.origin.clone(),
            size: head.size,
            root: head.root,
            sequence: Box::new(sequence),
            calls,
            over: self.over,
        }
    }

    /// The table with this digest, if it is there.
    pub(super) fn table(&self, digest: &str) -> Result<Option<Arc<Table>>, Failure> {
        self.tables.find(self.source, digest)
    }

    /// Reads everything up to the first entry that is wrong.
    pub(super) fn run(&mut self, crew: &Crew<'_>) -> Result<(), Failure> {
        let mut waiting = bundles_of(self.size);
        let mut unread = None;
        let mut in_work = 0usize;
        loop {
            while unread.is_none() && in_work < crew.ahead() {
                let Some(id) = waiting.next() else { break };
                match self.bundle(id) {
                    Ok(bundle) => {
                        crew.look_at(bundle);
                        in_work = in_work.saturating_add(1);
                    }
                    // The bundles in front of it are still checked: one of them may be worse.
                    Err(failure) => unread = Some(failure),
                }
            }
            if in_work == 0 {
                break;
            }
            match crew.next() {
                Some(Looked::Bundle(checked)) => {
                    in_work = in_work.saturating_sub(1);
                    self.early.insert(checked.index, checked);
                    while let Some(checked) = self.early.remove(&(self.tree.size() / WIDTH)) {
                        self.take(crew, *checked)?;
                        (self.progress)(self.tree.size(), self.size);
                    }
                }
                // The threads already have everything in front of that entry.
                Some(Looked::Failed) => return Ok(()),
                None => return Err(Failure::unusable("the verification was interrupted")),
            }
        }
        match unread {
            Some(failure) => Err(failure),
            None => self.finish(),
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.no_more_details();
        self.sequence.finish()
    }

    fn no_more_details(&mut self) {
        match self.details_left.next() {
            None => {}
            Some(Err(error)) => self.found.push(error.into()),
            Some(Ok(opening)) => self.found.push(self.misplaced(&opening)),
        }
        self.details_end = true;
    }

    /// Whether every entry was read.
    pub(super) fn is_whole(&self) -> bool {
        self.tree.size() == self.size
    }

    /// Checks the files behind the first entry that is wrong. Their entries cannot be decided any more, but
    /// it can be checked that they are there and match the hashes beside them.
    pub(super) fn look_on(&mut self, behind: Option<u64>) {
        let taken = self.tree.size().div_ceil(WIDTH);
        let from = behind.map_or(taken, |index| taken.max((index / WIDTH).saturating_add(1)));
        // Details were read ahead.
        if !self.details_end {
            self.details_left = details_of(self.source).0;
            self.last_detail = None;
            drop(self.details_before(from.saturating_mul(WIDTH)));
        }
        for id in bundles_of(self.size).filter(|id| id.index >= from) {
            let checked = match self.bundle(id) {
                Ok(bundle) => bundle.check(),
                Err(failure) => {
                    self.found.push(failure);
                    continue;
                }
            };
            self.found.extend(checked.details);
            self.found.extend(checked.failure);
            for (index, leaf) in (id.index.saturating_mul(WIDTH)..).zip(checked.leaves) {
                let Some(saw) = leaf.body.saw() else { continue };
                let missing = self.tables.get(self.source, &saw.table).err().flatten();
                self.found.extend(missing.map(|failure| failure.at(index)));
            }
        }
        self.no_more_details();
    }

    fn bundle(&mut self, id: BundleId) -> Result<Bundle, Failure> {
        let first = id.index.saturating_mul(WIDTH);
        let at = |error: SourceError| Failure::from(error).at(first);
        let tile = TileId { level: 0, index: id.index, width: id.width };
        let details = self.details_before(first.saturating_add(u64::from(id.width)));
        let (entries, tile) = (self.source.bundle(id).map_err(at)?, self.source.tile(tile).map_err(at)?);
        Ok(Bundle { id, entries, tile, details })
    }

    /// The details of entries before `index`; later ones wait. None are read after one that is unreadable or
    /// out of order.
    fn details_before(&mut self, index: u64) -> Vec<Opening> {
        let mut details = Vec::new();
        let is_before =
            |next: &Result<Opening, SourceError>| next.as_ref().map_or(true, |next| next.index < index);
        while let Some(next) = self.details_left.next_if(is_before) {
            let failure = match next {
                Ok(opening) if self.last_detail.is_none_or(|last| last < opening.index) => {
                    self.last_detail = Some(opening.index);
                    details.push(opening);
                    continue;
                }
                Ok(opening) => self.misplaced(&opening),
                Err(error) => error.into(),
            };
            self.found.push(failure);
            self.details_end = true;
            self.details_left = (Box::new(std::iter::empty()) as Details<'_>).peekable();
        }
        details
    }

    fn misplaced(&self, opening: &Opening) -> Failure {
        let what = match opening.index < self.size {
            true => "the details are not in the order of the log, or one is repeated",
            false => "there is a detail of an entry that the log does not have",
        };
        Failure::tampered(what).at(opening.index)
    }

    /// Takes the next bundle.
    fn take(&mut self, crew: &Crew<'_>, checked: Checked) -> Result<(), Failure> {
        let Checked { hashes, root, leaves, mut told, committed, opened, mut details, failure, .. } = checked;
        self.found.append(&mut details);
        self.details.committed = self.details.committed.saturating_add(committed);
        self.details.present = self.details.present.saturating_add(opened);
        self.tree.push(hashes, root);
        let mut steps: Vec<Vec<Step>> = (0..crew.len()).map(|_| Vec::new()).collect();
        let mut result = Ok(());
        for (position, leaf) in leaves.into_iter().enumerate() {
            result = self.entry(crew, &mut steps, leaf, told.remove(&position));
            if result.is_err() {
                break;
            }
        }
        self.hand_out(crew, &mut steps);
        result?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        self.forget(crew);
        Ok(())
    }

    fn entry(
        &mut self,
        crew: &Crew<'_>,
        steps: &mut [Vec<Step>],
        leaf: Leaf,
        told: Option<Told>,
    ) -> Result<(), Failure> {
        let index = self.sequence.size();
        let ended = |sequence: &Sequence| sequence.calls.get(&leaf.call?)?.ended_at;
        let was_over = ended(&self.sequence).is_some();
        self.sequence.take(&leaf, told)?;
        if let Some(law) = &mut self.law {
            law.decided(&leaf).map_err(|failure| failure.at(index))?;
        }
        if !was_over && let (Some(uid), Some(ended)) = (leaf.call, ended(&self.sequence)) {
            self.over.push_back((ended, uid));
        }
        let Some(uid) = leaf.call else {
            // A gap is a fact of every call that was open.
            if let Some(fact) = leaf.fact() {
                steps.iter_mut().for_each(|steps| steps.push(Step::Gap(Box::new(fact.clone()))));
            }
            return Ok(());
        };
        if self.sequence.calls.get(&uid).is_none_or(|track| track.foreign) {
            return Ok(());
        }
        if self.forgotten.contains(&uid) && self.sequence.is_of_before(uid) {
            self.sequence.miss(uid);
            return Ok(());
        }
        if self.forgotten.remove(&uid) {
            // Hand out the earlier steps first.
            self.hand_out(crew, steps);
            let steps = self.again(uid, index)?;
            crew.give(crew.hand_of(uid), Work::Again(uid, steps));
            self.over.push_back((leaf.at, uid));
        }
        match (self.step(index, leaf)?, steps.get_mut(crew.hand_of(uid))) {
            (Some(step), Some(steps)) => steps.push(step),
            (Some(_), None) => {}
            // Without its table, nothing can be decided on the call from here on.
            (None, _) => self.sequence.miss(uid),
        }
        Ok(())
    }

    /// The step that an entry of a call makes; `None` if its table is missing, which is reported once.
    fn step(&mut self, index: u64, leaf: Leaf) -> Result<Option<Step>, Failure> {
        let Some(saw) = leaf.body.saw() else {
            return Err(Failure::tampered("it belongs to a call but decides nothing").at(index));
        };
        let table = match self.tables.get(self.source, &saw.table) {
            Ok(table) => table,
            Err(failure) => {
                self.found.extend(failure.map(|failure| failure.at(index)));
                return Ok(None);
            }
        };
        Ok(Some(Step::Entry { index, leaf: Box::new(leaf), table }))
    }

    fn hand_out(&self, crew: &Crew<'_>, steps: &mut [Vec<Step>]) {
        for (hand, steps) in steps.iter_mut().enumerate() {
            if !steps.is_empty() {
                crew.give(hand, Work::Steps(std::mem::take(steps)));
            }
        }
    }

    /// Forgets calls that have been over for a while, or the oldest ones if there are too many.
    fn forget(&mut self, crew: &Crew<'_>) {
        let Some((_, latest)) = self.sequence.span() else { return };
        let old = latest.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
        while self.over.len() > MOST_OVER || self.over.front().is_some_and(|(ended, _)| *ended < old) {
            let Some((_, uid)) = self.over.pop_front() else { return };
            crew.give(crew.hand_of(uid), Work::Forget(uid));
            self.forgotten.insert(uid);
        }
    }

    /// The steps of a forgotten call, up to a late entry. They are read again, and believed only if their
    /// bundle has not changed.
    fn again(&mut self, uid: Uuid, before: u64) -> Result<Vec<Step>, Failure> {
        let Some(track) = self.sequence.calls.get(&uid) else { return Ok(Vec::new()) };
        let indexes: Vec<u64> = track.indexes.iter().copied().filter(|index| *index < before).collect();
        let first = indexes.first().copied().unwrap_or(before);
        let gaps = self.sequence.gaps.iter().filter(|(index, _)| (first..before).contains(index));
        let mut steps: Vec<(u64, Step)> =
            gaps.map(|(index, fact)| (*index, Step::Gap(Box::new(fact.clone())))).collect();
        let mut bundle: Option<(u64, Vec<Vec<u8>>)> = None;
        for index in indexes {
            let id = BundleId { index: index / WIDTH, width: FULL };
            let entries = match bundle.take() {
                Some((there, entries)) if there == id.index => entries,
                _ => self.reread(id)?,
            };
            let position = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
            let entry = entries.get(position).ok_or_else(|| changed(index))?;
            let step = self.step(index, read(entry).map_err(|failure| failure.at(index))?)?;
            steps.extend(step.map(|step| (index, step)));
            bundle = Some((id.index, entries));
        }
        steps.sort_by_key(|(index, _)| *index);
        Ok(steps.into_iter().map(|(_, step)| step).collect())
    }

    fn reread(&self, id: BundleId) -> Result<Vec<Vec<u8>>, Failure> {
        let first = id.index.saturating_mul(WIDTH);
        // If the bundle being taken is full, the tree already knows its root.
        let width = u16::try_from(self.size.saturating_sub(first).min(WIDTH)).unwrap_or(FULL);
        let id = BundleId { width, ..id };
        let entries = self.source.bundle(id).map_err(|error| Failure::from(error).at(first))?;
        let bundle = Bundle { id, entries, tile: Vec::new(), details: Vec::new() };
        let (entries, broken) = bundle.entries();
        if broken.is_some() {
            return Err(changed(first));
        }
        let entries: Vec<Vec<u8>> = entries.into_iter().map(<[u8]>::to_vec).collect();
        let hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let same = match self.tree.bundle_root(id.index) {
            Some(root) => levels::root_of(&hashes) == root,
            None => self.tree.leaves_of(id.index) == Some(&hashes),
        };
        if same { Ok(entries) } else { Err(changed(first)) }
    }
}

/// The details of a log, and whether they were handed out. If they cannot be read, the error comes first.
fn details_of(source: &dyn Source) -> (Peekable<Details<'_>>, bool) {
    match source.details() {
        Ok(Some(details)) => (details.peekable(), true),
        Ok(None) => ((Box::new(std::iter::empty()) as Details<'_>).peekable(), false),
        Err(error) => ((Box::new(std::iter::once(Err(error))) as Details<'_>).peekable(), true),
    }
}

fn changed(index: u64) -> Failure {
    Failure::tampered("it was changed while it was verified").at(index)
}

/// The tables that decided, each read once; `None` if one could not be read.
#[derive(Debug, Default)]
struct Tables(HashMap<String, Option<Arc<Table>>>);

impl Tables {
    /// A table that decided. The first time, the error says why it cannot be read.
    fn get(&mut self, source: &dyn Source, digest: &str) -> Result<Arc<Table>, Option<Failure>> {
        if let Some(table) = self.0.get(digest) {
            return table.clone().ok_or(None);
        }
        let found = self.find(source, digest).and_then(|table| {
            table.ok_or_else(|| {
                Failure::incomplete(format!("it was decided by the table `{digest}`, which is missing"))
            })
        });
        self.0.insert(digest.to_owned(), found.as_ref().ok().cloned());
        found.map_err(Some)
    }

    fn find(&self, source: &dyn Source, digest: &str) -> Result<Option<Arc<Table>>, Failure> {
        if let Some(Some(table)) = self.0.get(digest) {
            return Ok(Some(Arc::clone(table)));
        }
        source.table(digest)?.map(|text| table(digest, &text)).transpose()
    }
}

/// How long a call is remembered after its end: its recordings may still arrive.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

/// How many calls are remembered after their end at most.
const MOST_OVER: usize = 50_000;

const FULL: u16 = 256;
