//! The verification of a whole log: every hash, every signature and every decision again.
//!
//! One thread reads the bundles in order, keeps the sequence and grows the tree; others hash, parse
//! and decide. What is kept grows with one id an entry and with the calls that still go on, not with
//! the log's bytes.
//!
//! **Invariant: the first entry that is wrong is the one that is named**, whatever thread finds it.

mod bundle;
mod crew;
mod epochs;
mod heads;
mod law;
mod levels;
mod sequence;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::iter::Peekable;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use policy::Table;
use uuid::Uuid;

use super::decisions::Step;
use super::source::{Details, Opening, Source, SourceError};
use super::{Continued, Failure, Report};
use crate::trail::Leaf;
use crate::trail::hex;
use crate::trail::note::{Checkpoint, Note};
use crate::trail::tile::{BundleId, TileId, WIDTH, bundles_of, tiles_of};
use crate::trail::tree::Hash;
use crate::trail::trust::Trust;
use bundle::{Bundle, Checked};
use crew::{Crew, Looked, Work, first_of};
use heads::{Head, Keys};
use levels::Levels;
use sequence::Sequence;

pub(crate) use bundle::{opens, read};
pub(crate) use heads::{distrust, witnessed};

/// How to verify.
pub struct Options<'a> {
    /// An older head of the log that the verifier has kept: the log has to go on from it.
    pub since: Option<Note>,
    /// The verifier's time.
    pub now: Timestamp,
    /// Is told how many entries of how many were looked at.
    pub progress: &'a dyn Fn(u64, u64),
}

/// Verifies a log.
///
/// # Errors
///
/// [`Failure`], naming the first entry that is wrong.
pub fn verify(source: &dyn Source, trust: &Trust, options: &Options<'_>) -> Result<Report, Failure> {
    let head = Head::parse(&source.checkpoint()?)?;
    let origin = head.checkpoint.origin.clone();
    is_named(&origin, trust)?;
    let (since, elsewhere) = match options.since.clone().map(Head::of).transpose()? {
        Some(head) if head.checkpoint.origin != origin => (None, Some(head)),
        since => (since, None),
    };
    let older = source.older_checkpoints()?;
    let older = older.iter().map(|text| Head::parse(text)).collect::<Result<Vec<Head>, _>>()?;
    let sizes = older.iter().chain(&since).map(|head| head.checkpoint.size);
    let mut reading = Reading::new(source, &head.checkpoint, sizes, options)?;
    let (decisions, failure) = std::thread::scope(|scope| {
        let crew = Crew::hire(scope);
        let stopped = reading.run(&crew).err();
        let (decisions, failure) = crew.dismiss();
        (decisions, first_of(stopped, failure))
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    let Reading { sequence, tree, tables, details, .. } = reading;
    let root = root_of(&head, &tree)?;
    tiles_above(source, &tree)?;
    if let Some(head) = &elsewhere {
        epochs::of_another(head, &origin, sequence.previous().map(|(previous, _)| previous), trust)?;
    }
    let keys = Keys::of(&origin, &sequence.rotations)?;
    for head in &older {
        heads::older(head, &origin, keys.as_ref(), trust, &tree)?;
    }
    if let Some(since) = &since {
        heads::older(since, &origin, keys.as_ref(), trust, &tree)?;
    }
    let signed = heads::newest(&head, &older, keys.as_ref(), trust)?;
    let mut warnings = warnings(&sequence, &signed, since.as_ref(), details, options.now)?;
    for claim in &sequence.law.claims {
        match (tables.find(source, &claim.base)?, tables.find(source, &claim.table)?) {
            (Some(base), Some(table)) => claim.check(&base, &table)?,
            _ => warnings.push(format!(
                "whether entry {} loosens the law was not computed again: the tables are not there",
                claim.index
            )),
        }
    }
    let mut sizes: Vec<u64> = older.iter().chain(&since).map(|head| head.checkpoint.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let continues = sequence.previous().map(|(previous, _)| Continued {
        origin: previous.origin.clone(),
        size: previous.size,
        root: previous.hash().map(|root| hex(&root)).unwrap_or_default(),
    });
    let (span, calls, law) = (sequence.span(), sequence.opened(), sequence.law.versions.clone());
    let (types, tables) = sequence.into_counts();
    Ok(Report {
        origin,
        size: head.checkpoint.size,
        root: hex(&root),
        signed_by: signed.by,
        witnessed_by: signed.witnesses,
        span,
        types,
        calls,
        decisions,
        tables,
        law,
        details,
        older: sizes,
        rotations: keys.map_or(0, |keys| keys.changes()),
        continues,
        warnings,
    })
}

/// Reads a log from its first entry to its last.
struct Reading<'s> {
    source: &'s dyn Source,
    size: u64,
    progress: &'s dyn Fn(u64, u64),
    details_left: Peekable<Details<'s>>,
    last_detail: Option<u64>,
    sequence: Sequence,
    tree: Levels,
    tables: Tables,
    details: super::Details,
    /// Bundles that were looked at before those in front of them.
    early: BTreeMap<u64, Box<Checked>>,
    /// Calls that are over, in the order in which they ended.
    over: VecDeque<(Timestamp, Uuid)>,
    /// Calls that were forgotten.
    forgotten: HashSet<Uuid>,
}

impl<'s> Reading<'s> {
    fn new(
        source: &'s dyn Source,
        head: &Checkpoint,
        sizes: impl Iterator<Item = u64>,
        options: &Options<'s>,
    ) -> Result<Reading<'s>, Failure> {
        let size = head.size;
        Ok(Reading {
            source,
            size,
            progress: options.progress,
            details_left: source.details()?.peekable(),
            last_detail: None,
            sequence: Sequence::of(&head.origin),
            tree: Levels::new(sizes.chain([size])),
            tables: Tables::default(),
            details: super::Details::default(),
            early: BTreeMap::new(),
            over: VecDeque::new(),
            forgotten: HashSet::new(),
        })
    }

    /// Everything up to the first entry that does not belong there.
    fn run(&mut self, crew: &Crew<'_>) -> Result<(), Failure> {
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
                    // Those in front of it are looked at all the same: one of them may be worse.
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
                // Everything in front of that entry is with the threads already.
                Some(Looked::Failed) => return Ok(()),
                None => return Err(Failure::unusable("the verification was broken off")),
            }
        }
        match unread {
            Some(failure) => Err(failure),
            None => self.finish(),
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.sequence.finish()?;
        match self.details_left.next() {
            None => Ok(()),
            Some(Err(error)) => Err(error.into()),
            Some(Ok(opening)) => Err(self.misplaced(&opening)),
        }
    }

    fn bundle(&mut self, id: BundleId) -> Result<Bundle, Failure> {
        let first = id.index.saturating_mul(WIDTH);
        let at = |error: SourceError| Failure::from(error).at(first);
        let tile = TileId { level: 0, index: id.index, width: id.width };
        let (entries, tile) = (self.source.bundle(id).map_err(at)?, self.source.tile(tile).map_err(at)?);
        let after = first.saturating_add(u64::from(id.width));
        Ok(Bundle { id, entries, tile, details: self.details_before(after)? })
    }

    /// The details of entries in front of `index`: those of later ones wait.
    fn details_before(&mut self, index: u64) -> Result<Vec<Opening>, Failure> {
        let mut details = Vec::new();
        let is_before =
            |next: &Result<Opening, SourceError>| next.as_ref().map_or(true, |next| next.index < index);
        while let Some(next) = self.details_left.next_if(is_before) {
            let opening = next?;
            if self.last_detail.is_some_and(|last| opening.index <= last) {
                return Err(self.misplaced(&opening));
            }
            self.last_detail = Some(opening.index);
            details.push(opening);
        }
        Ok(details)
    }

    fn misplaced(&self, opening: &Opening) -> Failure {
        let what = match opening.index < self.size {
            true => "the details are not in the order of the log, or one is there twice",
            false => "there is a detail of an entry that the log does not have",
        };
        Failure::tampered(what).at(opening.index)
    }

    /// Takes the next bundle in.
    fn take(&mut self, crew: &Crew<'_>, checked: Checked) -> Result<(), Failure> {
        let Checked { hashes, root, leaves, committed, opened, failure, .. } = checked;
        self.details.committed = self.details.committed.saturating_add(committed);
        self.details.present = self.details.present.saturating_add(opened);
        self.tree.push(hashes, root);
        let mut steps: Vec<Vec<Step>> = (0..crew.len()).map(|_| Vec::new()).collect();
        let mut result = Ok(());
        for leaf in leaves {
            result = self.entry(crew, &mut steps, leaf);
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

    fn entry(&mut self, crew: &Crew<'_>, steps: &mut [Vec<Step>], leaf: Leaf) -> Result<(), Failure> {
        let index = self.sequence.size();
        let ended = |sequence: &Sequence| sequence.calls.get(&leaf.call?)?.ended_at;
        let was_over = ended(&self.sequence).is_some();
        self.sequence.take(&leaf)?;
        if !was_over && let (Some(uid), Some(ended)) = (leaf.call, ended(&self.sequence)) {
            self.over.push_back((ended, uid));
        }
        let Some(uid) = leaf.call else {
            // A gap is a fact of every call that was open.
            if let Some(fact) = leaf.fact() {
                steps.iter_mut().for_each(|steps| steps.push(Step::Gap(fact.clone())));
            }
            return Ok(());
        };
        if self.sequence.calls.get(&uid).is_none_or(|track| track.foreign) {
            return Ok(());
        }
        if self.forgotten.remove(&uid) {
            // What went before comes before.
            self.hand_out(crew, steps);
            let steps = self.again(uid, index)?;
            crew.give(crew.hand_of(uid), Work::Again(uid, steps));
            self.over.push_back((leaf.at, uid));
        }
        let step = self.step(index, leaf)?;
        if let Some(steps) = steps.get_mut(crew.hand_of(uid)) {
            steps.push(step);
        }
        Ok(())
    }

    fn step(&mut self, index: u64, leaf: Leaf) -> Result<Step, Failure> {
        let Some(saw) = leaf.body.saw() else {
            return Err(Failure::tampered("it belongs to a call and decides nothing").at(index));
        };
        let table = self.tables.get(self.source, &saw.table).map_err(|failure| failure.at(index))?;
        Ok(Step::Entry { index, leaf: Box::new(leaf), table })
    }

    fn hand_out(&self, crew: &Crew<'_>, steps: &mut [Vec<Step>]) {
        for (hand, steps) in steps.iter_mut().enumerate() {
            if !steps.is_empty() {
                crew.give(hand, Work::Steps(std::mem::take(steps)));
            }
        }
    }

    /// Forgets calls that have been over for a while, or the oldest of them where they are many.
    fn forget(&mut self, crew: &Crew<'_>) {
        let Some((_, latest)) = self.sequence.span() else { return };
        let old = latest.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
        while self.over.len() > MOST_OVER || self.over.front().is_some_and(|(ended, _)| *ended < old) {
            let Some((_, uid)) = self.over.pop_front() else { return };
            crew.give(crew.hand_of(uid), Work::Forget(uid));
            self.forgotten.insert(uid);
        }
    }

    /// The steps of a call that was forgotten, up to an entry that comes late. They are read once
    /// more, and believed only where their bundle still is what it was.
    fn again(&mut self, uid: Uuid, before: u64) -> Result<Vec<Step>, Failure> {
        let Some(track) = self.sequence.calls.get(&uid) else { return Ok(Vec::new()) };
        let indexes: Vec<u64> = track.indexes.iter().copied().filter(|index| *index < before).collect();
        let first = indexes.first().copied().unwrap_or(before);
        let gaps = self.sequence.gaps.iter().filter(|(index, _)| (first..before).contains(index));
        let mut steps: Vec<(u64, Step)> =
            gaps.map(|(index, fact)| (*index, Step::Gap(fact.clone()))).collect();
        let mut bundle: Option<(u64, Vec<Vec<u8>>)> = None;
        for index in indexes {
            let id = BundleId { index: index / WIDTH, width: FULL };
            let entries = match bundle.take() {
                Some((there, entries)) if there == id.index => entries,
                _ => self.reread(id)?,
            };
            let position = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
            let entry = entries.get(position).ok_or_else(|| changed(index))?;
            steps.push((index, self.step(index, read(entry).map_err(|failure| failure.at(index))?)?));
            bundle = Some((id.index, entries));
        }
        steps.sort_by_key(|(index, _)| *index);
        Ok(steps.into_iter().map(|(_, step)| step).collect())
    }

    fn reread(&self, id: BundleId) -> Result<Vec<Vec<u8>>, Failure> {
        let first = id.index.saturating_mul(WIDTH);
        // Of the bundle that is being taken in, the tree knows the root already where it is full.
        let width = u16::try_from(self.size.saturating_sub(first).min(WIDTH)).unwrap_or(FULL);
        let id = BundleId { width, ..id };
        let entries = self.source.bundle(id).map_err(|error| Failure::from(error).at(first))?;
        let bundle = Bundle { id, entries, tile: Vec::new(), details: Vec::new() };
        let (entries, broken) = bundle.entries();
        if broken.is_some() {
            return Err(changed(first));
        }
        let entries: Vec<Vec<u8>> = entries.into_iter().map(<[u8]>::to_vec).collect();
        let hashes: Vec<Hash> = entries.iter().map(|entry| crate::trail::leaf_hash(entry)).collect();
        let same = match self.tree.bundle_root(id.index) {
            Some(root) => levels::root_of(&hashes) == root,
            None => self.tree.leaves_of(id.index) == Some(&hashes),
        };
        if same { Ok(entries) } else { Err(changed(first)) }
    }
}

fn changed(index: u64) -> Failure {
    Failure::tampered("it was changed while it was verified").at(index)
}

/// The tables that decided, read once.
#[derive(Debug, Default)]
struct Tables(HashMap<String, Arc<Table>>);

impl Tables {
    fn get(&mut self, source: &dyn Source, digest: &str) -> Result<Arc<Table>, Failure> {
        if let Some(table) = self.0.get(digest) {
            return Ok(Arc::clone(table));
        }
        let table = self.find(source, digest)?.ok_or_else(|| {
            Failure::incomplete(format!("it was decided by the table `{digest}`, which is missing"))
        })?;
        self.0.insert(digest.to_owned(), Arc::clone(&table));
        Ok(table)
    }

    fn find(&self, source: &dyn Source, digest: &str) -> Result<Option<Arc<Table>>, Failure> {
        if let Some(table) = self.0.get(digest) {
            return Ok(Some(Arc::clone(table)));
        }
        source.table(digest)?.map(|text| table(digest, &text)).transpose()
    }
}

/// Reads the table that has this digest.
pub(crate) fn table(digest: &str, text: &str) -> Result<Arc<Table>, Failure> {
    if format!("sha256:{}", hex(&<sha2::Sha256 as sha2::Digest>::digest(text))) != digest {
        return Err(Failure::tampered(format!("the table `{digest}` was changed: it is not what decided")));
    }
    let table = Table::parse(text).map_err(|_| {
        Failure::unusable(format!("this program cannot read the table `{digest}`: use one of its time"))
    })?;
    Ok(Arc::new(table))
}

/// Whether the trust file speaks of the log at all.
pub(crate) fn is_named(origin: &str, trust: &Trust) -> Result<(), Failure> {
    match trust.keys_of(origin).is_empty() {
        false => Ok(()),
        true => Err(Failure::unusable(format!(
            "the trust file does not name the log `{origin}`: get the log's key from somebody whom you trust, and add `log <key>`"
        ))),
    }
}

fn root_of(head: &Head, tree: &Levels) -> Result<Hash, Failure> {
    match tree.root_at(head.checkpoint.size) {
        Some(root) if root == head.checkpoint.root => Ok(root),
        _ => Err(Failure::tampered("the entries are not those of the signed head: their root is another")),
    }
}

fn tiles_above(source: &dyn Source, tree: &Levels) -> Result<(), Failure> {
    for tile in tiles_of(tree.size()).filter(|tile| tile.level > 0) {
        let bytes = source.tile(tile)?;
        if tree.tile(tile).map(<[Hash]>::as_flattened) != Some(&bytes) {
            return Err(Failure::tampered(format!("`{}` is not what its entries give", tile.path())));
        }
    }
    Ok(())
}

/// What is not proven; and whether the times of entries and witnesses contradict each other.
fn warnings(
    sequence: &Sequence,
    signed: &heads::Signed,
    since: Option<&Head>,
    details: super::Details,
    now: Timestamp,
) -> Result<Vec<String>, Failure> {
    let mut warnings = Vec::new();
    let latest = sequence.span().map(|(_, latest)| latest);
    if let Some(latest) = latest {
        for witness in &signed.witnesses {
            if witness.at.checked_add(CLOCKS).is_ok_and(|at| at < latest) {
                return Err(Failure::tampered(format!(
                    "the witness `{}` signed at {:.3}, and an entry says that it is of {latest:.3}",
                    witness.name, witness.at
                )));
            }
        }
        if now.checked_add(CLOCKS).is_ok_and(|now| now < latest) {
            warnings.push(format!(
                "the newest entry is of {latest:.3}, which is in the future by this machine's clock"
            ));
        }
    }
    match (signed.witnesses.first(), since) {
        (None, None) => warnings.push(
            "no witness has signed, and no older head was given to compare with: that nobody rewrote the log before this head was signed is not proven, since who holds its key could".into(),
        ),
        (None, Some(since)) => warnings.push(format!(
            "no witness has signed: that the entries after the first {} were not rewritten before this head was signed is not proven",
            since.checkpoint.size
        )),
        (Some(_), _) => {}
    }
    if let Some((previous, unknown)) = sequence.previous() {
        warnings.push(format!(
            "the log goes on from `{origin}`, of {size} entries: verify an export of that too, which has to end with the root {root}. {unknown} decisions on calls that were opened there were not computed again",
            origin = previous.origin, size = previous.size, root = previous.hash().map(|root| hex(&root)).unwrap_or_default()
        ));
    }
    let absent = details.committed.saturating_sub(details.present);
    if absent > 0 {
        warnings.push(format!(
            "{absent} of {} details were erased or not handed out; what stood in them is not verified",
            details.committed
        ));
    }
    Ok(warnings)
}

/// How far an entry may lie behind those before it: it is stamped before it is appended.
pub const DISORDER: SignedDuration = SignedDuration::from_secs(10);

/// How far clocks that are set may differ.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

/// How long a call is remembered after its end: recordings of it still come in.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

/// How many calls that are over are remembered at most.
const MOST_OVER: usize = 50_000;

const FULL: u16 = 256;

#[cfg(test)]
mod tests;
