//! Time stamps in an export, and files that are not part of it.
//!
//! It is checked that a stamp is of a head of this log, but not who signed it: that takes the certificates of
//! its authority, and `openssl ts -verify`.

use super::super::source::{Beside, StampFile};
use super::super::{Failure, Stamped};
use super::reading::Reading;
use super::{Options, heads};
use crate::note::Checkpoint;

/// Checks that every stamp is of a head of this log, and was made after its entries. Stamps of more entries
/// than could be read are ignored.
pub(super) fn check(
    stamps: &[StampFile],
    origin: &str,
    reading: &Reading<'_>,
    options: &Options<'_>,
    found: &mut Vec<Failure>,
) -> Vec<Stamped> {
    let Some(read) = options.stamp else { return Vec::new() };
    let mut stamped = Vec::with_capacity(stamps.len());
    for StampFile { path, size, bytes } in stamps {
        if *size > reading.tree.size() && !reading.is_whole() {
            continue;
        }
        let text = reading.tree.root_at(*size).map(|root| Checkpoint::new(origin, *size, root).text());
        let Some(at) = text.and_then(|text| read(bytes, &text)) else {
            found.push(Failure::tampered(format!(
                "`{path}` is not a time stamp of this log as it was with {size} entries"
            )));
            continue;
        };
        if let Some(latest) = reading.sequence.latest_at(*size) {
            found.extend(heads::before(&format!("who made `{path}`"), at, latest, *size).err());
        }
        stamped.push(Stamped { path: path.clone(), size: *size, at });
    }
    stamped
}

/// What was not verified.
pub(super) fn warnings(beside: &Beside, options: &Options<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    let count = beside.stamps.len();
    if count > 0 {
        let checked = if options.stamp.is_some() {
            "are of heads of this log, and who"
        } else {
            "are there; of what they are and who"
        };
        warnings.push(format!(
            "{count} time stamps {checked} made them was not checked: do that with `openssl ts -verify -in FILE.tsr -data TEXT -CAfile CA.pem`, where TEXT is the head of that size up to its empty line"
        ));
    }
    if beside.strays > 0 {
        warnings.push(format!(
            "{} files are not part of an export and were not verified: `{}`{}",
            beside.strays,
            beside.named.join("`, `"),
            if beside.named.len() < usize::try_from(beside.strays).unwrap_or(usize::MAX) {
                " and others"
            } else {
                ""
            }
        ));
    }
    warnings
}
