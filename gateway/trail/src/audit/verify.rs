//! Verifies a whole log: every hash, every signature and every decision.
//!
//! One thread reads the bundles in order, keeps the sequence and grows the tree; others hash, parse
//! and decide. Memory grows with one id per entry and with the calls in progress, not with the log's bytes.
//!
//! **Invariant: the failure names the first entry that is wrong**, whichever thread finds it.

mod bundle;
mod chain;
mod crew;
mod epochs;
mod heads;
mod law;
mod levels;
mod reading;
mod readings;
mod registry;
mod roles;
mod sequence;
mod silence;
mod stamps;
mod told;
mod warnings;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use policy::Table;

use super::source::Source;
use super::{Continued, Failure, Report, Verdict};
use crate::hex;
use crate::note::{Note, VerifierKey};
use crate::tile::tiles_of;
use crate::tree::Hash;
use crate::trust::Trust;
use crew::{Crew, first_of};
use epochs::Carried;
use heads::{Head, Keys, Signed};
use levels::Levels;
use reading::Reading;

pub(crate) use bundle::{opens, read};
pub use chain::{Evidence, verify_with};
pub(crate) use heads::{distrust, witnessed};
pub use law::Law;

/// Returns the stamped time if the token covers this text.
pub type ReadStamp = fn(&[u8], &str) -> Option<Timestamp>;

/// How to verify.
pub struct Options<'a> {
    /// An older head of the log that the verifier has kept: the log has to continue it.
    pub since: Option<Note>,
    /// The law as the log `system` has it: the tables that decided are compared with it.
    pub law: Option<&'a Law>,
    /// Reads time stamps of heads, which are otherwise ignored.
    pub stamp: Option<ReadStamp>,
    /// The verifier's time.
    pub now: Timestamp,
    /// Called with how many entries were read, and of how many.
    pub progress: &'a dyn Fn(u64, u64),
}

/// Verifies a log by itself.
///
/// # Errors
///
/// [`Failure`], naming the first entry that is wrong.
pub fn verify(source: &dyn Source, trust: &Trust, options: &Options<'_>) -> Result<Report, Failure> {
    Ok(verify_after(source, trust, options, None)?.report)
}

/// What was verified of a log, and what its next epoch needs.
struct Verified {
    report: Report,
    /// Who signed its head.
    keys: Vec<VerifierKey>,
    carried: Carried,
}

/// Verifies a log that continues one that was verified before. A fault in one file does not keep the others
/// from being checked; all faults are reported together.
fn verify_after(
    source: &dyn Source,
    trust: &Trust,
    options: &Options<'_>,
    before: Option<Carried>,
) -> Result<Verified, Failure> {
    let head = Head::read(source)?;
    let origin = head.checkpoint.origin.clone();
    is_named(&origin, trust)?;
    let mut found = Vec::new();
    let (since, elsewhere) = match options.since.clone().map(Head::of).transpose()? {
        Some(head) if head.checkpoint.origin != origin => (None, Some(head)),
        since => (since, None),
    };
    let mut older = Vec::new();
    for kept in source.older_checkpoints() {
        let head = kept.map_err(Failure::from).and_then(|kept| Head::parse(&kept.path, &kept.text));
        told(&mut found, head.map(|head| older.push(head)));
    }
    let mut beside = source.beside(head.checkpoint.size);
    found.extend(beside.unread.drain(..).map(Failure::from));
    let sizes = older.iter().chain(&since).chain([&head]).map(|head| head.checkpoint.size);
    let sizes = sizes.chain(beside.stamps.iter().map(|stamp| stamp.size));
    let mut reading = Reading::new(source, &head.checkpoint, sizes, options);
    let going = before.map(|before| reading.after(before)).unwrap_or_default();
    let (done, failure) = std::thread::scope(|scope| {
        let crew = Crew::hire(scope, going);
        let stopped = reading.run(&crew).err();
        let (calls, failure) = crew.dismiss();
        (calls, first_of(stopped, failure))
    });
    let entries_are_good = failure.is_none();
    if let Some(failure) = failure {
        reading.look_on(failure.index);
        found.push(failure);
    }
    found.append(&mut reading.found);
    tiles_above(source, head.checkpoint.size, &reading.tree, &mut found);
    if let Some(head) = &elsewhere
        && entries_are_good
    {
        told(&mut found, epochs::of_another(head, &origin, reading.sequence.previous.as_ref(), trust));
    }
    let signed = heads_of(&head, &older, since.as_ref(), trust, &reading, entries_are_good, &mut found);
    let stamps = stamps::check(&beside.stamps, &origin, &reading, options, &mut found);
    let mut warnings = match &signed {
        Some(signed) => {
            told(&mut found, warnings::of(&reading, signed, since.as_ref(), options)).unwrap_or_default()
        }
        None => Vec::new(),
    };
    if entries_are_good {
        warnings.extend(claims(&reading, &mut found));
    }
    warnings.extend(stamps::warnings(&beside, options));
    let signed = match (Failure::together(found), signed) {
        (None, Some(signed)) => signed,
        (Some(failure), _) => return Err(failure),
        (None, None) => return Err(Failure::unusable("cannot determine who signed the newest head")),
    };
    let mut sizes: Vec<u64> = older.iter().chain(&since).map(|head| head.checkpoint.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let sequence = &reading.sequence;
    let report = Report {
        size: head.checkpoint.size,
        root: hex(&head.checkpoint.root),
        signed_by: signed.by.iter().map(ToString::to_string).collect(),
        witnessed_by: signed.witnesses,
        stamps,
        span: sequence.span(),
        types: sequence.types.clone(),
        calls: sequence.opened(),
        decisions: done.decisions,
        tables: sequence.tables(),
        law: sequence.law.own_versions().to_vec(),
        details: reading.details,
        older: sizes,
        rotations: signed.rotations,
        continues: sequence.previous.as_ref().map(|previous| Continued {
            origin: previous.origin.clone(),
            size: previous.size,
            root: previous.hash().map(|root| hex(&root)).unwrap_or_default(),
        }),
        earlier: Vec::new(),
        system: options.law.map(|law| law.origin.clone()),
        warnings,
        origin,
    };
    let carried = reading.into_carried(&head.checkpoint, done);
    Ok(Verified { report, keys: signed.by, carried })
}

/// Keeps a failure, and goes on.
pub(super) fn told<T>(found: &mut Vec<Failure>, result: Result<T, Failure>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(failure) => {
            found.push(failure);
            None
        }
    }
}

/// Checks that every head is of this tree and has the signatures it needs. Returns who signed the newest one;
/// `None` if that is not known.
fn heads_of(
    head: &Head,
    older: &[Head],
    since: Option<&Head>,
    trust: &Trust,
    reading: &Reading<'_>,
    entries_are_good: bool,
    found: &mut Vec<Failure>,
) -> Option<Signed> {
    let (size, origin, tree) = (head.checkpoint.size, &head.checkpoint.origin, &reading.tree);
    if tree.size() >= size {
        told(found, root_of(head, tree));
    }
    let kept = || older.iter().chain(since);
    let signed = match entries_are_good.then(|| Keys::of(origin, &reading.sequence.rotations)) {
        None => None,
        Some(keys) => {
            let keys = told(found, keys)?;
            let signed = heads::newest(head, older, keys.as_ref(), trust);
            let nobody = signed.as_ref().is_err_and(|failure| failure.verdict == Verdict::Unusable);
            let signed = told(found, signed);
            // It is not known whom to trust. The other heads are checked all the same.
            if nobody { None } else { Some((keys, signed)) }
        }
    };
    let Some((keys, signed)) = signed else {
        for head in kept() {
            // Nothing is known of the tree behind the entries that could be read.
            let known = head.checkpoint.size <= tree.size() || entries_are_good;
            let is_of = if known { head.is_of(origin, tree) } else { head.is_of_log(origin) };
            told(found, is_of.map_err(|failure| head.named(failure)));
        }
        return None;
    };
    told(found, heads::in_time(head, trust, reading.sequence.latest_at(size)));
    for head in kept() {
        let named = |failure| head.named(failure);
        let latest = reading.sequence.latest_at(head.checkpoint.size);
        told(found, heads::older(head, origin, keys.as_ref(), trust, tree).map_err(named));
        told(found, heads::in_time(head, trust, latest).map_err(named));
    }
    signed
}

/// Checks what versions of the table say about themselves. Returns warnings about those that could not be
/// checked.
fn claims(reading: &Reading<'_>, found: &mut Vec<Failure>) -> Vec<String> {
    let mut warnings = Vec::new();
    for claim in &reading.sequence.law.claims {
        let base = told(found, reading.table(&claim.base).map_err(|failure| failure.at(claim.index)));
        let table = told(found, reading.table(&claim.table).map_err(|failure| failure.at(claim.index)));
        match (base.flatten(), table.flatten()) {
            (Some(base), Some(table)) => drop(told(found, claim.check(&base, &table))),
            _ => warnings.push(format!(
                "it was not computed again whether entry {} loosens the law: the tables are not there",
                claim.index
            )),
        }
    }
    warnings
}

/// Reads the table that has this digest.
pub(crate) fn table(digest: &str, text: &str) -> Result<Arc<Table>, Failure> {
    if format!("sha256:{}", hex(&<sha2::Sha256 as sha2::Digest>::digest(text))) != digest {
        return Err(Failure::tampered(format!("the table `{digest}` was changed: it is not what decided")));
    }
    let table = Table::parse(text).map_err(|_| {
        Failure::unusable(format!("this program cannot read the table `{digest}`: use a program of its time"))
    })?;
    Ok(Arc::new(table))
}

/// Whether the trust file speaks of the log at all.
pub(crate) fn is_named(origin: &str, trust: &Trust) -> Result<(), Failure> {
    match trust.keys_of(origin).is_empty() {
        false => Ok(()),
        true => Err(Failure::unusable(format!(
            "the trust file does not name the log `{origin}`: get the log's key from somebody you trust, and add `log <key>`"
        ))),
    }
}

fn root_of(head: &Head, tree: &Levels) -> Result<(), Failure> {
    match tree.root_at(head.checkpoint.size) {
        Some(root) if root == head.checkpoint.root => Ok(()),
        _ => Err(Failure::tampered("the entries are not those of the signed head: they have another root")),
    }
}

/// The tiles above those of the entries, as far as the tree was computed.
fn tiles_above(source: &dyn Source, size: u64, tree: &Levels, found: &mut Vec<Failure>) {
    for tile in tiles_of(size).filter(|tile| tile.level > 0) {
        let failure = match (source.tile(tile), tree.tile(tile)) {
            (Err(error), _) => Some(error.into()),
            (Ok(bytes), Some(hashes)) if hashes.as_flattened() == bytes => None,
            // Below it, something could not be read.
            (Ok(bytes), None) if tree.size() < size && bytes.len() == usize::from(tile.width) * HASH => None,
            (Ok(_), _) => {
                Some(Failure::tampered(format!("`{}` does not match the hashes of its entries", tile.path())))
            }
        };
        found.extend(failure);
    }
}

/// How long a hash is.
const HASH: usize = size_of::<Hash>();

/// How much older an entry may be than those before it: it is stamped before it is appended.
pub const DISORDER: SignedDuration = SignedDuration::from_secs(10);

/// How far correctly set clocks may differ.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

#[cfg(test)]
mod tests;
