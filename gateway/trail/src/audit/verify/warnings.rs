//! What a log does not prove.

use super::super::{Details, Failure};
use super::heads::{Head, Signed};
use super::reading::Reading;
use super::{CLOCKS, Options, hex};
use crate::{LogName, SYSTEM_LOG, counted};

/// What is not proven. Also checks that the law desk knows those who acted from there.
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
            "the newest entry has the time {latest:.3}, which is in the future by this machine's clock"
        ));
    }
    match (signed.witnesses.first(), since) {
        (None, None) => warnings.push(
            "no witness has signed, and no older head was given to compare with: it is not proven that nobody rewrote the log before this head was signed, since the holder of its key could".into(),
        ),
        (None, Some(since)) => warnings.push(format!(
            "no witness has signed: it is not proven that the entries after the first {} were not rewritten before this head was signed",
            since.checkpoint.size
        )),
        (Some(_), _) => {}
    }
    border(reading, &mut warnings);
    law(reading, &mut warnings)?;
    warnings.extend(sequence.silences.words());
    if sequence.registry.unnamed {
        warnings.push(
            "an entry changes more of what is registered than it names: that later ones commit to nothing else was not verified".into(),
        );
    }
    let revoked = sequence.registry.after_revocation;
    if revoked > 0 {
        warnings.push(format!(
            "{} came from credentials that had been revoked shortly before, perhaps by requests or uploads that had already begun",
            counted(revoked, "entry")
        ));
    }
    let Details { committed, present } = reading.details;
    let absent = committed.saturating_sub(present);
    if absent > 0 {
        warnings.push(match reading.has_details {
            true => format!(
                "{absent} of {committed} details are gone: they were erased, or removed from the export; what they said is not verified"
            ),
            false => format!(
                "the export has none of {committed} details, such as names and reasons: an export takes them with `--details`; what they said is not verified"
            ),
        });
    }
    Ok(warnings)
}

/// Warnings about what only an earlier epoch can show.
fn border(reading: &Reading<'_>, warnings: &mut Vec<String>) {
    let sequence = &reading.sequence;
    let Some(previous) = &sequence.previous else { return };
    if !sequence.is_after() {
        warnings.push(format!(
            "the log continues `{}`, of {}, which was not verified. Give an export of it, old or new, with `--previous`; it has to end with the root {}",
            previous.origin,
            counted(previous.size, "entry"),
            previous.hash().map(|root| hex(&root)).unwrap_or_default()
        ));
    }
    if let Some(words) = sequence.registry.unchecked.words() {
        warnings.push(format!("{words} registered before this epoch could not be checked"));
    }
    if sequence.unknown() > 0 {
        warnings.push(format!(
            "{} on calls that were opened before this epoch could not be computed again",
            counted(sequence.unknown(), "decision")
        ));
    }
    if sequence.lost() > 0 {
        warnings.push(format!(
            "an older ledger was restored: {} withdrawals, deletions, holds and revocations that were logged before no longer count",
            sequence.lost()
        ));
    }
}

/// Warnings about the log of the law.
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
                "{} that this log does not know acted for the law desk: the log `system` can show whether that was right",
                counted(strangers.len(), "credential")
            ));
        }
        return Ok(());
    };
    if !sequence.registry.lenient {
        compared.law.knows(strangers)?;
    }
    if compared.before > 0 {
        warnings.push(format!(
            "{} from before the given part of the log `{}` could not be compared with the table in force",
            counted(compared.before, "decision"),
            compared.law.origin
        ));
    }
    if compared.after > 0 {
        warnings.push(format!(
            "{} from after the last given entry of the log `{}` could not be compared: another table may have been in force by then",
            counted(compared.after, "decision"), compared.law.origin
        ));
    }
    Ok(())
}
