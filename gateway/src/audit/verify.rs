//! The verification of a whole log: every hash, every signature and every decision again.
//!
//! One thread reads the bundles in order, keeps the sequence and grows the tree; others hash, parse
//! and decide. What is kept grows with one id an entry and with the calls that still go on, not with
//! the log's bytes.
//!
//! **Invariant: the first entry that is wrong is the one that is named**, whatever thread finds it.

mod bundle;
mod chain;
mod crew;
mod epochs;
mod heads;
mod law;
mod levels;
mod reading;
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
use crate::trail::hex;
use crate::trail::note::{Note, VerifierKey};
use crate::trail::tile::tiles_of;
use crate::trail::tree::Hash;
use crate::trail::trust::Trust;
use crew::{Crew, first_of};
use epochs::Carried;
use heads::{Head, Keys};
use levels::Levels;
use reading::Reading;

pub(crate) use bundle::{opens, read};
pub use chain::{Evidence, verify_with};
pub(crate) use heads::{distrust, witnessed};
pub use law::Law;

/// Reads a time stamp of a text: its time, or nothing where it is none of that text.
pub type ReadStamp = fn(&[u8], &str) -> Option<Timestamp>;

/// How to verify.
pub struct Options<'a> {
    /// An older head of the log that the verifier has kept: the log has to go on from it.
    pub since: Option<Note>,
    /// What the log `system` tells of the law: the tables that decided are compared with it.
    pub law: Option<&'a Law>,
    /// Reads time stamps of heads: without, they are not looked at.
    pub stamp: Option<ReadStamp>,
    /// The verifier's time.
    pub now: Timestamp,
    /// Is told how many entries of how many were looked at.
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

/// What was verified of a log, and what the next epoch of it goes on with.
struct Verified {
    report: Report,
    /// Who signed its head.
    keys: Vec<VerifierKey>,
    carried: Carried,
}

/// Verifies a log that goes on from one that was verified before.
fn verify_after(
    source: &dyn Source,
    trust: &Trust,
    options: &Options<'_>,
    before: Option<Carried>,
) -> Result<Verified, Failure> {
    let head = Head::parse(&source.checkpoint()?)?;
    let origin = head.checkpoint.origin.clone();
    is_named(&origin, trust)?;
    let (since, elsewhere) = match options.since.clone().map(Head::of).transpose()? {
        Some(head) if head.checkpoint.origin != origin => (None, Some(head)),
        since => (since, None),
    };
    let older = source.older_checkpoints()?;
    let older = older.iter().map(|text| Head::parse(text)).collect::<Result<Vec<Head>, _>>()?;
    let beside = source.beside(head.checkpoint.size)?;
    let sizes = older.iter().chain(&since).chain([&head]).map(|head| head.checkpoint.size);
    let sizes = sizes.chain(beside.stamps.iter().map(|stamp| stamp.size));
    let mut reading = Reading::new(source, &head.checkpoint, sizes, options)?;
    let going = before.map(|before| reading.after(before)).unwrap_or_default();
    let (done, failure) = std::thread::scope(|scope| {
        let crew = Crew::hire(scope, going);
        let stopped = reading.run(&crew).err();
        let (calls, failure) = crew.dismiss();
        (calls, first_of(stopped, failure))
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    let root = root_of(&head, &reading.tree)?;
    tiles_above(source, &reading.tree)?;
    if let Some(head) = &elsewhere {
        epochs::of_another(head, &origin, reading.sequence.previous.as_ref(), trust)?;
    }
    let keys = Keys::of(&origin, &reading.sequence.rotations)?;
    // What is missing is told after what is wrong.
    let signed = match heads::newest(&head, &older, keys.as_ref(), trust) {
        Err(failure) if failure.verdict == Verdict::Incomplete => Err(failure),
        signed => Ok(signed?),
    };
    heads::in_time(&head, trust, reading.sequence.latest_at(head.checkpoint.size))?;
    for head in older.iter().chain(&since) {
        heads::older(head, &origin, keys.as_ref(), trust, &reading.tree)?;
        heads::in_time(head, trust, reading.sequence.latest_at(head.checkpoint.size))?;
    }
    let stamps = stamps::check(&beside.stamps, &origin, &reading, options)?;
    let signed = signed?;
    let mut warnings = warnings::of(&reading, &signed, since.as_ref(), options)?;
    for claim in &reading.sequence.law.claims {
        match (reading.table(&claim.base)?, reading.table(&claim.table)?) {
            (Some(base), Some(table)) => claim.check(&base, &table)?,
            _ => warnings.push(format!(
                "whether entry {} loosens the law was not computed again: the tables are not there",
                claim.index
            )),
        }
    }
    warnings.extend(stamps::warnings(&beside, options));
    let mut sizes: Vec<u64> = older.iter().chain(&since).map(|head| head.checkpoint.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let sequence = &reading.sequence;
    let report = Report {
        size: head.checkpoint.size,
        root: hex(&root),
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
        rotations: keys.map_or(0, |keys| keys.changes()),
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

/// How far an entry may lie behind those before it: it is stamped before it is appended.
pub const DISORDER: SignedDuration = SignedDuration::from_secs(10);

/// How far clocks that are set may differ.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

#[cfg(test)]
mod tests;
