//! What was registered outside of the call: prompts and grants, and what the table cites.

use std::collections::BTreeMap;

use policy::table::{Asked, Basis};
use serde_json::Value;

use super::fold::{Fold, Read, text};
use super::{Extras, How, Logged, Record, Relied, Standing};

/// What was registered outside of the call, and the entry that says so.
pub(super) struct Registered {
    id: Option<String>,
    version: Option<u64>,
    document: Value,
    logged: Option<(u64, Logged)>,
}

impl Fold {
    /// Adds what was registered outside of the call, and what the table cites.
    pub(super) fn close(mut self, extras: Extras<'_>) -> Record {
        let record = &mut self.record;
        for (version, prompt) in &mut record.prompts {
            if let Some(registered) = self.prompts.remove(version) {
                prompt.id = registered.id.clone();
                prompt.version = registered.version;
                prompt.text = text(Some(&registered.document), "text");
                prompt.entry = registered.keep(&mut record.logged);
            }
            if let Some(known) = extras.prompts.iter().find(|known| known.uid == *version) {
                prompt.id.get_or_insert_with(|| known.id.clone());
                prompt.version.get_or_insert(known.version);
                prompt.text = prompt.text.take().or_else(|| text(Some(&known.document), "text"));
            }
        }
        for relied in &mut record.grants {
            relied.withdrawn_at = self.withdrawn.get(&relied.grant).copied();
            if let Some(registered) = self.grants.get(&relied.grant) {
                relied.id = registered.id.clone();
                relied.describe(&registered.document);
                relied.entry = registered.keep(&mut record.logged);
            }
            if let Some(known) = extras.grants.iter().find(|known| known.uid == relied.grant) {
                relied.id.get_or_insert_with(|| known.id.clone());
                relied.describe(&known.document);
            }
        }
        // A grant may be withdrawn when the call is long over: then no event of the call says so.
        for word in record.people.iter_mut().flat_map(|person| &mut person.words) {
            if let Standing::Granted(How::Before(grant)) = &word.standing
                && let Some(at) = self.withdrawn.get(grant)
            {
                let at = (*at).max(word.from);
                word.until = Some(word.until.map_or(at, |until| until.min(at)));
            }
        }
        if let Some(table) = (extras.tables)(&record.table) {
            for person in &mut record.people {
                for place in &mut person.places {
                    place.citations =
                        cited(&table.asks(place.place.code, record.medium, record.kind, record.started_at));
                }
            }
        }
        record.people.sort_by_key(|person| person.number);
        self.record
    }
}

impl Registered {
    pub(super) fn of(read: &Read<'_>, name: &str, extras: &Extras<'_>) -> Registered {
        let logged = Logged { proof: extras.proofs.get(&read.index).cloned(), ..read.logged.clone() };
        Registered {
            id: text(read.detail, name),
            version: read.detail.and_then(|detail| detail.get("version")?.as_u64()),
            document: read.detail.and_then(|detail| detail.get("document")).cloned().unwrap_or_default(),
            logged: Some((read.index, logged)),
        }
    }

    fn keep(&self, all: &mut BTreeMap<u64, Logged>) -> Option<u64> {
        let (index, logged) = self.logged.as_ref()?;
        all.insert(*index, logged.clone());
        Some(*index)
    }
}

impl Relied {
    fn describe(&mut self, document: &Value) {
        let told = |mine: Option<String>, key| mine.or_else(|| text(Some(document), key));
        self.basis = told(self.basis.take(), "basis");
        self.text_version = told(self.text_version.take(), "text_version");
        self.evidence_sha256 = told(self.evidence_sha256.take(), "evidence_sha256");
    }
}

fn cited(asked: &Asked<'_>) -> Vec<String> {
    let row = match asked.basis {
        Basis::Row(row) | Basis::StrictestOf(row) => Some(row),
        Basis::Default => None,
    };
    row.into_iter().chain(asked.parent).flat_map(|row| row.source.citations.iter().cloned()).collect()
}
