//! The types of entries.

/// Every type that an entry can have.
pub const TYPES: &[&str] = &[
    "account.added",
    "account.law",
    "announcement.recorded",
    "audit.export",
    "audit.gap",
    "audit.heartbeat",
    "audit.lookup",
    "call.ended",
    "call.opened",
    "consent-grant.registered",
    "consent-grant.withdrawn",
    "consent.declined",
    "consent.given",
    "consent.withdrawn",
    "credential.added",
    "credential.revoked",
    "erasure.executed",
    "key.added",
    "key.retired",
    "log.dropped",
    "log.key-rotated",
    "log.opened",
    "participant.answered",
    "participant.joined",
    "participant.left",
    "participant.located",
    "person.confirmed",
    "person.enrolled",
    "prompt.completed",
    "prompt.interrupted",
    "prompt.registered",
    "prompt.started",
    "recording.accepted",
    "recording.control-refused",
    "recording.deleted",
    "recording.fetch-refused",
    "recording.fetched",
    "recording.hold",
    "recording.pause",
    "recording.paused",
    "recording.refused",
    "recording.resume",
    "recording.resumed",
    "recording.start",
    "recording.started",
    "recording.stop",
    "recording.stopped",
    "table.in-force",
    "table.proposal-decided",
    "table.proposed",
    "tone.started",
    "tone.stopped",
];

#[cfg(test)]
mod tests {
    use super::super::OUTCOMES;
    use super::TYPES;

    #[test]
    fn the_types_are_those_that_entries_are_given() {
        let source = include_str!("../../trail/body.rs");
        let named = |from: &str| -> Vec<&str> {
            let (_, rest) = source.split_once(from).unwrap();
            let body = rest.split("\n    }\n").next().unwrap();
            let quoted = body.split("=> \"").skip(1);
            quoted.map(|rest| rest.split('"').next().unwrap()).collect()
        };
        let mut all = named("pub fn kind(&self)");
        all.extend(named("fn what_kind("));
        all.sort_unstable();
        all.dedup();
        assert!(all.len() > 40);
        assert_eq!(TYPES, all);
    }

    #[test]
    fn every_outcome_stands_for_types_that_there_are() {
        for (outcome, types) in OUTCOMES {
            assert!(!types.is_empty());
            for kind in *types {
                assert!(TYPES.contains(kind), "{outcome} stands for {kind}");
            }
        }
    }
}
