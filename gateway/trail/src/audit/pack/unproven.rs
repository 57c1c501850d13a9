//! What a pack cannot show. The check warns of it, and the page uses the same words.
//!
//! Counts and times of what the entries say, and nothing else: no name that an outsider chose.

use std::collections::BTreeSet;

use policy::What;
use uuid::Uuid;

use super::{Kind, Pack, Stretch};
use crate::{Body, Leaf, counted};

/// What the pack cannot show, each in one sentence without its full stop.
pub(in super::super) fn unproven(pack: &Pack) -> Vec<String> {
    let leaves: Vec<(u64, Leaf)> =
        pack.entries.iter().filter_map(|entry| Some((entry.index, entry.read()?))).collect();
    let mut words = match (pack.manifest.kind, &pack.stretch) {
        (Kind::Absence, Some(stretch)) => absence(pack, stretch, &leaves),
        _ => left_out(pack, &leaves).into_iter().collect(),
    };
    words.extend(unregistered(&leaves));
    words.extend(unstated(&leaves));
    words.extend(in_force(pack, &leaves));
    words
}

/// The grants that an entry's participants rely on.
pub(super) fn relied_on(leaf: &Leaf) -> Vec<&policy::Grant> {
    leaf.body.joined().iter().filter_map(|joined| joined.grant.as_ref()).collect()
}

/// For an absence: other calls of the name, and what came later.
fn absence(pack: &Pack, stretch: &Stretch, leaves: &[(u64, Leaf)]) -> Vec<String> {
    let (mut opened, mut recorded, mut newest) = (0u64, 0u64, None);
    for bytes in &stretch.leaves {
        let Ok(leaf) = serde_json::from_slice::<Leaf>(bytes) else { continue };
        newest = Some(leaf.at);
        if leaf.call.is_some_and(|call| !pack.manifest.calls.contains(&call)) {
            opened = opened.saturating_add(u64::from(matches!(leaf.body, Body::Opened { .. })));
            recorded = recorded.saturating_add(u64::from(matches!(leaf.body, Body::Accepted { .. })));
        }
    }
    let mut words = Vec::new();
    if opened > 0 || stretch.first > 0 {
        words.push(format!(
            "that no other call had this name is not proven; calls opened in the stretch whose names are not disclosed: {opened}; \
             recordings of other calls accepted in it: {recorded}; entries before the stretch, of whose calls nothing is in the pack: {}",
            stretch.first
        ));
    }
    let still = match pack.manifest.calls.iter().all(|call| has_ended(*call, leaves)) {
        true => "a recording of the call, which had ended by then, can have been accepted since",
        false => "the call had not ended by then",
    };
    let newest = newest.map(|at| format!(", the newest of {at:.3}")).unwrap_or_default();
    words.push(format!(
        "what happened after the log had {}{newest}, is not in the pack: {still}",
        counted(pack.manifest.size, "entry")
    ));
    words
}

/// For a recording or a call: entries that nothing in the pack depends on.
fn left_out(pack: &Pack, leaves: &[(u64, Leaf)]) -> Option<String> {
    let (index, leaf) = leaves.iter().rfind(|(_, leaf)| leaf.call.is_some())?;
    let end = match pack.manifest.calls.iter().all(|call| has_ended(*call, leaves)) {
        true => "with its end",
        false => "without its end",
    };
    Some(format!(
        "of the {} entries that the log had, the call is shown without a break up to entry {index}, of {:.3}, {end}: whether \
         later ones, hand-outs, holds, a deletion or gaps of the trail were left out, only the whole log shows",
        pack.manifest.size, leaf.at
    ))
}

fn has_ended(call: Uuid, leaves: &[(u64, Leaf)]) -> bool {
    leaves.iter().any(|(_, leaf)| leaf.call == Some(call) && leaf.body.what() == Some(&What::Ended))
}

fn unregistered(leaves: &[(u64, Leaf)]) -> Option<String> {
    let is_registered = |uid: &str| {
        leaves.iter().any(|(_, leaf)| leaf.body.registers().is_some_and(|grant| grant.to_string() == uid))
    };
    let missing = grants(leaves).into_iter().filter(|grant| !is_registered(grant)).count();
    (missing > 0).then(|| {
        format!(
            "the registration of {} is not in the pack: that consent was given before is not verified",
            counted(missing, "consent grant")
        )
    })
}

/// Readings of the law that count on a call and that no entry of the pack states.
fn unstated(leaves: &[(u64, Leaf)]) -> Option<String> {
    let states = |leaf: &Leaf, id: &str| {
        let stated = matches!(leaf.body, Body::ReadingProposed { .. } | Body::ReadingInForce { .. });
        stated && leaf.body.readings().any(|reading| reading == id)
    };
    let missing =
        readings(leaves).into_iter().filter(|id| !leaves.iter().any(|(_, leaf)| states(leaf, id))).count();
    (missing > 0).then(|| {
        format!(
            "the statement of {} is not in the pack: that the account's counsel read the law so is not verified",
            counted(missing, "reading")
        )
    })
}

/// People and registrations that are relied on, but are in entries outside of calls or in the log `system`.
fn in_force(pack: &Pack, leaves: &[(u64, Leaf)]) -> Option<String> {
    let ours = |credential: &&str| !matches!(*credential, "gateway" | "command-line");
    let acted = leaves.iter().map(|(_, leaf)| leaf.actor.credential.as_str()).filter(ours);
    let mut keys = BTreeSet::new();
    for (_, leaf) in leaves {
        if let Body::Accepted { keys: named, .. } = &leaf.body {
            keys.extend(named);
        }
    }
    let counts = [
        (acted.collect::<BTreeSet<_>>().len(), "credential"),
        (keys.len(), "key"),
        (grants(leaves).len(), "consent grant"),
        (readings(leaves).len(), "reading"),
        (pack.tables.len(), "table"),
    ];
    let mut named: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(*count, what)).collect();
    let last = named.pop()?;
    let all = if named.is_empty() { last } else { format!("{} and {last}", named.join(", ")) };
    Some(format!("whether what is relied on was in force then is not in the pack: {all}"))
}

/// The readings that calls were opened with.
fn readings(leaves: &[(u64, Leaf)]) -> BTreeSet<&str> {
    let of_calls = leaves.iter().filter(|(_, leaf)| leaf.call.is_some());
    of_calls.flat_map(|(_, leaf)| leaf.body.readings()).collect()
}

fn grants(leaves: &[(u64, Leaf)]) -> BTreeSet<&str> {
    leaves.iter().flat_map(|(_, leaf)| relied_on(leaf)).map(|grant| grant.grant.as_str()).collect()
}
