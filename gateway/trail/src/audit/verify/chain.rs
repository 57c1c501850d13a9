//! A log together with what belongs to it: its earlier epochs, and the log of the law.
//!
//! **Invariant: a failure anywhere fails the whole**, without ending the verification of the rest. The
//! exception is an epoch that nobody asked to verify, if the log itself says why that epoch could not go on.

use super::super::source::Source;
use super::super::{Continued, Failure, Report};
use super::epochs::Carried;
use super::heads::Head;
use super::law::Law;
use super::{Options, Verified, told, verify_after};
use crate::trust::Trust;
use crate::{LogName, SYSTEM_LOG};

/// What is verified together.
pub struct Evidence<'a> {
    /// The log.
    pub log: &'a dyn Source,
    /// Earlier epochs of it, in any order.
    pub previous: Vec<&'a dyn Source>,
    /// The log `system`, with its earlier epochs if given; may be empty.
    pub system: Vec<&'a dyn Source>,
    /// Nobody asked for the earlier epochs: a damaged one that was reopened gives a warning, not a failure.
    pub unasked: bool,
}

/// Verifies a log, the epochs that it continues, and the law by which it was decided. All are checked, and
/// all faults are reported together.
///
/// # Errors
///
/// [`Failure`], naming the first entry that is wrong.
pub fn verify_with(evidence: &Evidence<'_>, trust: &Trust, options: &Options<'_>) -> Result<Report, Failure> {
    let mut found = Vec::new();
    // If its head cannot be read, the others say which log it is.
    let mut all = [evidence.log].into_iter().chain(evidence.previous.iter().copied());
    let readable = all.find_map(|source| Some(Head::read(source).ok()?.checkpoint.origin));
    let any = readable.unwrap_or_else(|| evidence.log.name());
    let origin = named(evidence.log, LogName::of(&any).base);
    let law = told(&mut found, law(evidence, &any, trust, options)).flatten();
    let law = law.as_ref().or(options.law);
    let options = Options { since: options.since.clone(), law, ..*options };
    let given = evidence.previous.iter().copied().chain([evidence.log]).collect();
    let sources = told(&mut found, ordered(given, &any, &origin)).unwrap_or_default();
    if let Some((later, _)) = sources.last().filter(|(last, _)| *last != origin) {
        found.push(Failure::unusable(format!(
            "`{later}` is a later epoch than `{origin}`: verify that, and give this one with `--previous`"
        )));
    } else if !sources.is_empty() {
        let verified = told(&mut found, follow(&sources, trust, &options, evidence.unasked));
        if let (Some(verified), true) = (verified, found.is_empty()) {
            return Ok(verified.report);
        }
    }
    Err(Failure::together(found).unwrap_or_else(|| Failure::unusable("there is no log to verify")))
}

/// The law, as the log `system` has it.
fn law(
    evidence: &Evidence<'_>,
    origin: &str,
    trust: &Trust,
    options: &Options<'_>,
) -> Result<Option<Law>, Failure> {
    let gateway = LogName::of(origin).gateway().unwrap_or_default();
    let base = format!("{gateway}/{SYSTEM_LOG}");
    let Some(any) = evidence.system.first() else { return Ok(None) };
    let given = named(*any, &base);
    if LogName::of(&given).base != base {
        Head::read(*any).map_err(|failure| of(&given, failure))?;
        return Err(Failure::unusable(format!(
            "the log of the law is `{base}`, but the one that you gave with `--system` is `{given}`"
        )));
    }
    let sources = ordered(evidence.system.clone(), &given, "")?;
    let last = sources.last().map_or(given, |(last, _)| last.clone());
    // The same gateway signs all of its logs with one key.
    let trust = sources.iter().fold(trust.clone(), |trust, (each, _)| trust.extended(origin, each));
    let options = Options { since: None, law: None, ..*options };
    let chain = follow(&sources, &trust, &options, evidence.unasked).map_err(|failure| of(&last, failure))?;
    Ok(Some(Law::of(&last, &chain.carried.sequence)))
}

type Named<'a> = (String, &'a dyn Source);

/// Which epoch a source holds. What the source knows itself counts before what its head says, so that a head
/// that was changed or cannot be read is reported for the right epoch.
fn named(source: &dyn Source, base: &str) -> String {
    let known = source.name();
    if LogName::of(&known).base == base {
        return known;
    }
    Head::read(source).map_or(known, |head| head.checkpoint.origin)
}

/// The epochs of the log that `origin` belongs to, in order. Among sources whose epoch is not known, `last`
/// comes last, and all others first.
fn ordered<'a>(sources: Vec<&'a dyn Source>, origin: &str, last: &str) -> Result<Vec<Named<'a>>, Failure> {
    let base = LogName::of(origin).base;
    let mut sorted: Vec<Named<'a>> = Vec::with_capacity(sources.len());
    for source in sources {
        let own = named(source, base);
        if LogName::of(&own).base != base && Head::read(source).is_ok() {
            return Err(Failure::unusable(format!("`{own}` is not an epoch of the log `{base}`")));
        }
        if sorted.iter().any(|(other, _)| *other == own) {
            return Err(Failure::unusable(format!("`{own}` was given twice")));
        }
        sorted.push((own, source));
    }
    sorted.sort_by_key(|(own, _)| match LogName::of(own) {
        LogName { base: its, epoch } if its == base => epoch,
        _ if own == last => u64::MAX,
        _ => 0,
    });
    Ok(sorted)
}

/// Verifies epochs, each after the one before it.
fn follow(
    sources: &[Named<'_>],
    trust: &Trust,
    options: &Options<'_>,
    unasked: bool,
) -> Result<Verified, Failure> {
    let Some(((origin, source), earlier)) = sources.split_last() else {
        return Err(Failure::unusable("there is no log to verify"));
    };
    let kept = options.since.clone().map(Head::of).transpose()?.map(|head| head.checkpoint.origin);
    let mut trust = trust.clone();
    let mut since = options.since.clone();
    let (mut verified, mut warnings) = (Vec::new(), Vec::new());
    let mut before: Option<Carried> = None;
    let (mut broken, mut found): (Vec<Failure>, Vec<Failure>) = (Vec::new(), Vec::new());
    for (own, source) in earlier {
        let here = kept.as_ref().filter(|kept| *kept == own).and_then(|_| since.take());
        let options = Options { since: here, ..*options };
        match verify_epoch(own, *source, &trust, &options, before.take()) {
            Ok(Verified { report, keys, carried }) => {
                settle(&mut broken, &carried, unasked, &mut warnings, &mut found);
                verified.push(Continued { origin: report.origin, size: report.size, root: report.root });
                warnings.extend(report.warnings.into_iter().map(|warning| format!("`{own}`: {warning}")));
                // The keys that signed its end are trusted in the next one.
                for key in keys.iter().filter_map(|key| key.named(&next_of(sources, own)).ok()) {
                    trust.add_log(key).map_err(|fault| Failure::unusable(fault.to_string()))?;
                }
                before = Some(carried);
            }
            Err(failure) => broken.push(of(own, failure)),
        }
    }
    let options = Options { since, ..*options };
    let last = told(&mut found, verify_epoch(origin, *source, &trust, &options, before));
    if let Some(last) = &last {
        if last.report.continues.is_none() && !earlier.is_empty() {
            found.push(Failure::unusable(format!("`{origin}` is the first epoch, and continues no other")));
        }
        settle(&mut broken, &last.carried, unasked, &mut warnings, &mut found);
    }
    found.append(&mut broken);
    match (Failure::together(found), last) {
        (None, Some(mut last)) => {
            last.report.earlier = verified;
            last.report.warnings.extend(warnings);
            Ok(last)
        }
        (Some(failure), _) => Err(failure),
        (None, None) => Err(Failure::unusable("there is no log to verify")),
    }
}

/// Verifies an epoch, which must have this name.
fn verify_epoch(
    origin: &str,
    source: &dyn Source,
    trust: &Trust,
    options: &Options<'_>,
    before: Option<Carried>,
) -> Result<Verified, Failure> {
    let own = Head::read(source)?.checkpoint.origin;
    if own != origin {
        return Err(Failure::tampered(format!("its head says that it is the log `{own}`")));
    }
    verify_after(source, trust, options, before)
}

/// Reports broken epochs: as warnings if nobody asked for them and the log was reopened after them, else as
/// failures.
fn settle(
    broken: &mut Vec<Failure>,
    next: &Carried,
    unasked: bool,
    warnings: &mut Vec<String>,
    found: &mut Vec<Failure>,
) {
    for failure in broken.drain(..) {
        match unasked && next.sequence.is_reopened() {
            true => warnings
                .push(format!("{}: {failure}; the log was reopened after that", failure.verdict.as_str())),
            false => found.push(failure),
        }
    }
}

fn next_of(sources: &[Named<'_>], own: &str) -> String {
    let next = sources.iter().skip_while(|(other, _)| other != own).nth(1);
    next.map(|(next, _)| next.clone()).unwrap_or_default()
}

/// A failure in another log than the one that is verified.
fn of(origin: &str, failure: Failure) -> Failure {
    let place = |failure: &Failure| format!("the log `{origin}`: {failure}");
    let also = failure.also.iter().map(|also| Failure { index: None, what: place(also), ..also.clone() });
    Failure { index: None, what: place(&failure), also: also.collect(), ..failure }
}
