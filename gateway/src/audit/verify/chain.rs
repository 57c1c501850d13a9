//! A log together with what belongs to it: its earlier epochs, and the log of the law.
//!
//! **Invariant: what fails anywhere fails the whole**, unless it was taken along without anybody having
//! asked, and the log itself says why that epoch could not go on.

use super::super::source::Source;
use super::super::{Continued, Failure, Report};
use super::epochs::Carried;
use super::heads::Head;
use super::law::Law;
use super::{Options, Verified, verify_after};
use crate::trail::trust::Trust;
use crate::trail::{LogName, SYSTEM_LOG};

/// What is verified together.
pub struct Evidence<'a> {
    /// The log.
    pub log: &'a dyn Source,
    /// Earlier epochs of it, in any order.
    pub previous: Vec<&'a dyn Source>,
    /// The log `system`, with earlier epochs of it where they are there; nothing where it is not.
    pub system: Vec<&'a dyn Source>,
    /// Nobody asked for the earlier epochs: one that was reopened because it was damaged is told of, and
    /// is no failure.
    pub unasked: bool,
}

/// Verifies a log, what it goes on from, and the law by which it was decided.
///
/// # Errors
///
/// [`Failure`], naming the first entry that is wrong.
pub fn verify_with(evidence: &Evidence<'_>, trust: &Trust, options: &Options<'_>) -> Result<Report, Failure> {
    let origin = Head::parse(&evidence.log.checkpoint()?)?.checkpoint.origin;
    let law = law(evidence, &origin, trust, options)?;
    let law = law.as_ref().or(options.law);
    let options = Options { since: options.since.clone(), law, ..*options };
    let sources = ordered(evidence.previous.iter().copied().chain([evidence.log]).collect(), &origin)?;
    if let Some((later, _)) = sources.last().filter(|(last, _)| *last != origin) {
        return Err(Failure::unusable(format!(
            "`{later}` is a later epoch than `{origin}`: verify that, and give this one with `--previous`"
        )));
    }
    Ok(follow(&sources, trust, &options, evidence.unasked)?.report)
}

/// What the log `system` tells.
fn law(
    evidence: &Evidence<'_>,
    origin: &str,
    trust: &Trust,
    options: &Options<'_>,
) -> Result<Option<Law>, Failure> {
    let Some(any) = evidence.system.first() else { return Ok(None) };
    let gateway = LogName::of(origin).gateway().unwrap_or_default();
    let base = format!("{gateway}/{SYSTEM_LOG}");
    let given = Head::parse(&any.checkpoint()?)?.checkpoint.origin;
    if LogName::of(&given).base != base {
        return Err(Failure::unusable(format!(
            "the log of the law is `{base}`, and the one that you gave with `--system` is `{given}`"
        )));
    }
    let sources = ordered(evidence.system.clone(), &given)?;
    let last = sources.last().map_or(given, |(last, _)| last.clone());
    // The same gateway signs all of its logs with one key.
    let trust = sources.iter().fold(trust.clone(), |trust, (each, _)| trust.extended(origin, each));
    let options = Options { since: None, law: None, ..*options };
    let chain = follow(&sources, &trust, &options, evidence.unasked).map_err(|failure| of(&last, failure))?;
    Ok(Some(Law::of(&last, &chain.carried.sequence)))
}

type Named<'a> = (String, &'a dyn Source);

/// The epochs of a log, the first of them first.
fn ordered<'a>(sources: Vec<&'a dyn Source>, origin: &str) -> Result<Vec<Named<'a>>, Failure> {
    let base = LogName::of(origin).base;
    let mut named: Vec<Named<'a>> = Vec::with_capacity(sources.len());
    for source in sources {
        let own = Head::parse(&source.checkpoint()?)?.checkpoint.origin;
        if LogName::of(&own).base != base {
            return Err(Failure::unusable(format!("`{own}` is no epoch of the log `{base}`")));
        }
        if named.iter().any(|(other, _)| *other == own) {
            return Err(Failure::unusable(format!("`{own}` was given twice")));
        }
        named.push((own, source));
    }
    named.sort_by_key(|(own, _)| LogName::of(own).epoch);
    Ok(named)
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
    let (mut verified, mut told) = (Vec::new(), Vec::new());
    let mut before: Option<Carried> = None;
    let mut broken: Option<Failure> = None;
    for (own, source) in earlier {
        let here = kept.as_ref().filter(|kept| *kept == own).and_then(|_| since.take());
        let options = Options { since: here, ..*options };
        match verify_after(*source, &trust, &options, before.take()) {
            Ok(Verified { report, keys, carried }) => {
                told.extend(settled(broken.take(), &carried)?);
                verified.push(Continued { origin: report.origin, size: report.size, root: report.root });
                told.extend(report.warnings.into_iter().map(|warning| format!("`{own}`: {warning}")));
                // Who signed its end goes on in the next.
                for key in keys.iter().filter_map(|key| key.named(&next_of(sources, own)).ok()) {
                    trust.add_log(key).map_err(|fault| Failure::unusable(fault.to_string()))?;
                }
                before = Some(carried);
            }
            Err(failure) if unasked => broken = broken.or(Some(of(own, failure))),
            Err(failure) => return Err(of(own, failure)),
        }
    }
    let options = Options { since, ..*options };
    let mut last = verify_after(*source, &trust, &options, before)?;
    if last.report.continues.is_none() && !earlier.is_empty() {
        return Err(Failure::unusable(format!("`{origin}` is the first epoch, and goes on from no other")));
    }
    told.extend(settled(broken, &last.carried)?);
    last.report.earlier = verified;
    last.report.warnings.extend(told);
    Ok(last)
}

/// What an epoch that is broken means, after which the log was begun anew.
fn settled(broken: Option<Failure>, next: &Carried) -> Result<Option<String>, Failure> {
    let Some(failure) = broken else { return Ok(None) };
    match next.sequence.is_reopened() {
        true => Ok(Some(format!("{}: {failure}; the log was reopened after that", failure.verdict.as_str()))),
        false => Err(failure),
    }
}

fn next_of(sources: &[Named<'_>], own: &str) -> String {
    let next = sources.iter().skip_while(|(other, _)| other != own).nth(1);
    next.map(|(next, _)| next.clone()).unwrap_or_default()
}

/// A failure of another log than the one that is verified.
fn of(origin: &str, failure: Failure) -> Failure {
    Failure { index: None, what: format!("the log `{origin}`: {failure}"), ..failure }
}
