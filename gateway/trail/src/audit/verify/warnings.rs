//! What a log does not prove.

use super::super::{Details, Failure};
use super::heads::{Head, Signed};
use super::reading::Reading;
use super::{CLOCKS, Options, hex};
use crate::{LogName, SYSTEM_LOG};

/// What is not proven; and whether who acted was known to the law desk.
pub(super) fn of(
    reading: &Reading<'_>,
    signed: &Signed,
    since: Option<&Head>,
    options: &Options<'_>,
) -> Result<Vec<String>, Failure> {
    let sequence = &reading.sequence;
    let now = options.now;
    let mut warnings = Vec::new();
    let latest = sequence.span().map(|(_, latest)| latest);
    if let Some(latest) = latest
        && now.checked_add(CLOCKS).is_ok_and(|now| now < latest)
    {
        warnings.push(format!(
            "the newest entry is of {latest:.3}, which is in the future by this machine's clock"
        ));
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
    border(reading, &mut warnings);
    law(reading, &mut warnings)?;
    warnings.extend(sequence.silences.words());
    let revoked = sequence.registry.after_revocation;
    if revoked > 0 {
        warnings.push(format!(
            "{revoked} entries were made with credentials that had been revoked shortly before, or by uploads that had begun before, as it may be"
        ));
    }
    let Details { committed, present } = reading.details;
    let absent = committed.saturating_sub(present);
    if absent > 0 {
        warnings.push(match reading.has_details {
            true => format!(
                "{absent} of {committed} details are gone: they were erased, or taken out since they were handed out; what stood in them is not verified"
            ),
            false => format!(
                "none of {committed} details came along, such as names and reasons: an export takes them with `--details`; what stood in them is not verified"
            ),
        });
    }
    Ok(warnings)
}

/// What an earlier epoch has to tell of.
fn border(reading: &Reading<'_>, warnings: &mut Vec<String>) {
    let sequence = &reading.sequence;
    let Some(previous) = &sequence.previous else { return };
    if !sequence.is_after() {
        warnings.push(format!(
            "the log goes on from `{}`, of {} entries: that was not verified. Give an export of it, from before or now, with `--previous`; it has to end with the root {}",
            previous.origin,
            previous.size,
            previous.hash().map(|root| hex(&root)).unwrap_or_default()
        ));
    }
    if let Some(counted) = sequence.registry.unchecked.words() {
        warnings.push(format!("{counted} were registered before this epoch and were not checked"));
    }
    if sequence.unknown() > 0 {
        warnings.push(format!(
            "{} decisions on calls that were opened before this epoch were not computed again",
            sequence.unknown()
        ));
    }
    if sequence.lost() > 0 {
        warnings.push(format!(
            "an older ledger was put back: {} withdrawals, deletions, holds and revocations that were logged before do not count any more",
            sequence.lost()
        ));
    }
}

/// What the log of the law has to tell.
fn law(reading: &Reading<'_>, warnings: &mut Vec<String>) -> Result<(), Failure> {
    let sequence = &reading.sequence;
    if LogName::of(sequence.origin()).base.ends_with(&format!("/{SYSTEM_LOG}")) {
        return Ok(());
    }
    let strangers = &sequence.registry.strangers;
    let Some(compared) = &reading.law else {
        if !sequence.tables().is_empty() {
            warnings.push(
                "the tables that decided were not compared with the log `system`, which says which one was in force: give an export of that with `--system`".into(),
            );
        }
        if !strangers.is_empty() {
            warnings.push(format!(
                "{} credentials that this log does not know acted, of the law desk they say: the log `system` tells",
                strangers.len()
            ));
        }
        return Ok(());
    };
    if !sequence.registry.lenient {
        compared.law.knows(strangers)?;
    }
    if compared.before > 0 {
        warnings.push(format!(
            "{} decisions are from before what was given of the log `{}`: by which table they had to be made was not checked",
            compared.before, compared.law.origin
        ));
    }
    if compared.after > 0 {
        warnings.push(format!(
            "{} decisions are from after the latest entry that was given of the log `{}`: whether another table was in force by then was not checked",
            compared.after, compared.law.origin
        ));
    }
    Ok(())
}
