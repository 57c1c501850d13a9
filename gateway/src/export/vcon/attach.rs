//! What is attached to a vCon: everybody's lawful basis, and what became of each recording.

use std::collections::{BTreeMap, BTreeSet};

use policy::LawfulBasis;
use serde_json::{Map, Value, json};

use super::Scene;
use crate::export::{Record, date};
use trail::clock::written;
use trail::hex;
use trail::story::{ActKind, Denial, Gap, How, Person, Recording, Refused, Relied, Standing, Word};

/// The attachments of a vCon.
pub(super) struct Attachments<'r> {
    record: &'r Record,
    /// The operator's place among the parties.
    operator: usize,
    pub(super) list: Vec<Value>,
}

impl<'r> Attachments<'r> {
    pub(super) fn of(record: &'r Record, scenes: &[Scene]) -> Attachments<'r> {
        let mut attachments = Attachments { record, operator: record.story.people.len(), list: Vec::new() };
        for (party, person) in record.story.people.values().enumerate() {
            attachments.bases(scenes, party, person);
        }
        for (dialog, stored) in record.story.recordings.iter().enumerate() {
            attachments.custody(dialog, stored);
        }
        attachments.refusals();
        attachments
    }

    /// Somebody's last word, for every dialog that it is about. Readers apply the strictest of what they
    /// find, so what was said earlier is history; only a consent that the last word has ended is told, too,
    /// with its end, for what was recorded before rests on it.
    fn bases(&mut self, scenes: &[Scene], party: usize, person: &Person) {
        let Some((last, before)) = person.words.split_last() else { return };
        let ended = before.last().filter(|word| !last.is_granted() && word.is_granted());
        for word in ended.into_iter().chain([last]) {
            let about: Vec<usize> = scenes
                .iter()
                .enumerate()
                .filter(|(_, scene)| match word.standing {
                    Standing::Granted(_) => !scene.refused && scene.meets(word.from, word.until),
                    Standing::Denied(_) => true,
                })
                .filter(|(_, scene)| person.was_there(scene.from, scene.until))
                .map(|(dialog, _)| dialog)
                .collect();
            let nowhere = about.is_empty() && word == last;
            for dialog in about.into_iter().chain(nowhere.then_some(0)) {
                self.basis(party, dialog, person, word);
            }
        }
    }

    /// A yes is consent, and a no is none. Having been told is not consent either: recordings of people who were only
    /// told rest on the basis that the account has stated for each purpose, if it has stated one.
    fn basis(&mut self, party: usize, dialog: usize, person: &Person, word: &Word) {
        let named = self.record.story.purposes.iter().filter(|purpose| *purpose != RECORDING);
        let named: Vec<&str> = named.map(String::as_str).collect();
        // An agreement with the employees' representatives is nobody's own word.
        let is_own = self.relied(person, word).is_none_or(|relied| !relied.works_agreement);
        if how(word) != Some(&How::Stayed) && is_own {
            let purposes: Vec<&str> = [RECORDING].into_iter().chain(named).collect();
            self.stated(party, dialog, person, word, ("consent", &purposes));
            return;
        }
        let record = self.record;
        let mut stated: BTreeMap<Option<LawfulBasis>, Vec<&str>> = BTreeMap::new();
        // A call that names no purpose may serve any.
        for purpose in if named.is_empty() { vec![RECORDING] } else { named } {
            stated.entry(record.basis_of(purpose).map(|(basis, _)| basis)).or_default().push(purpose);
        }
        for (basis, purposes) in stated {
            let recording = (!purposes.contains(&RECORDING)).then_some(RECORDING);
            let purposes: Vec<&str> = recording.into_iter().chain(purposes).collect();
            match basis {
                Some(basis) => {
                    let basis = basis.as_str().replace('-', "_");
                    self.stated(party, dialog, person, word, (&basis, &purposes));
                }
                None => {
                    let body = json!({
                        "purposes": purposes,
                        "told_at": date(word.from),
                        "proof_mechanisms": self.proofs(person, word),
                        "metadata": self.metadata(person, word),
                    });
                    self.push_of(party, dialog, word, "lawful_basis_unstated", body);
                }
            }
        }
    }

    fn stated(
        &mut self,
        party: usize,
        dialog: usize,
        person: &Person,
        word: &Word,
        (basis, purposes): (&str, &[&str]),
    ) {
        let granted = word.is_granted();
        let grants: Vec<Value> = purposes
            .iter()
            .map(|purpose| json!({"purpose": purpose, "granted": granted, "granted_at": date(word.from)}))
            .collect();
        let notices: BTreeSet<&str> =
            purposes.iter().filter_map(|purpose| self.record.basis_of(purpose)?.1).collect();
        let mut metadata = self.metadata(person, word);
        if let Some(metadata) = metadata.as_object_mut().filter(|_| basis != "consent" && !notices.is_empty())
        {
            metadata.insert("notices".into(), json!(notices));
        }
        let body = json!({
            "lawful_basis": basis,
            "expiration": word.until.filter(|_| granted).map(date),
            "purpose_grants": grants,
            "proof_mechanisms": self.proofs(person, word),
            "metadata": metadata,
        });
        self.push_of(party, dialog, word, "lawful_basis", body);
    }

    fn push_of(&mut self, party: usize, dialog: usize, word: &Word, purpose: &str, body: Value) {
        let start = self.record.logged(word.entry).map_or(word.from, |logged| logged.at);
        self.push(purpose, date(start), party, dialog, body);
    }

    /// The entries that a word rests on, each provable by itself; and the paper, where there is one.
    fn proofs(&self, person: &Person, word: &Word) -> Vec<Value> {
        let mut entries = BTreeSet::from([word.entry]);
        for act in self.record.story.acts_behind(person, word) {
            entries.insert(act.entry);
            if let ActKind::Prompted { version, .. } = &act.what {
                entries.extend(self.record.story.prompts.get(version).and_then(|prompt| prompt.entry));
            }
        }
        let relied = self.relied(person, word);
        entries.extend(relied.and_then(|relied| relied.entry));
        let mut proofs: Vec<Value> = entries.iter().filter_map(|index| self.proof(*index)).collect();
        if let Some(relied) = relied.filter(|relied| relied.written)
            && let Some(sha256) = &relied.evidence_sha256
        {
            proofs.push(json!({
                "proof_type": "signed_document",
                "timestamp": date(relied.from),
                "proof_data": {"document_hash": format!("sha-256:{}", sha256.to_ascii_lowercase())},
            }));
        }
        proofs
    }

    fn proof(&self, index: u64) -> Option<Value> {
        let logged = self.record.logged(index)?;
        Some(json!({
            "proof_type": "external_system",
            "timestamp": date(logged.at),
            "proof_data": self.evidence(index)?,
        }))
    }

    /// An entry with its proof. The hash of the exact text of `leaf` is `leaf_hash`.
    fn evidence(&self, index: u64) -> Option<Value> {
        let logged = self.record.logged(index)?;
        let mut data = json!({
            "log_origin": self.record.extras.origin,
            "log_index": index,
            "event": logged.kind,
            "leaf": logged.leaf,
            "leaf_hash": hex(&logged.leaf_hash),
        });
        if let Some(data) = data.as_object_mut() {
            let more = [("system_url", &self.record.extras.log_url), ("tlog_proof", &logged.proof)];
            data.extend(more.into_iter().filter_map(|(key, text)| Some((key.into(), json!(text.as_ref()?)))));
        }
        Some(data)
    }

    fn metadata(&self, person: &Person, word: &Word) -> Value {
        let mut metadata = Map::new();
        let mut tell = |key: &str, value: Value| {
            if !value.is_null() {
                metadata.insert(key.into(), value);
            }
        };
        tell("standing", json!(word.standing.as_str()));
        tell("how", json!(how(word).map(How::as_str)));
        tell("participant", json!(person.id));
        tell("pseudonym", json!(person.pseudonym));
        tell("role", json!(person.role));
        tell("prompt", self.prompt(person, word));
        tell("consent_grant", json!(self.relied(person, word).map(relied)));
        tell("places", person.places_by_code().iter().map(|place| self.place(place)).collect());
        tell("history", person.words.iter().map(told).collect());
        let gap = |gap: &Gap| json!({"from": written(gap.from), "until": written(gap.until), "log_index": gap.entry});
        if !self.record.story.gaps.is_empty() {
            tell("gaps", self.record.story.gaps.iter().map(gap).collect());
        }
        tell("call", json!({"uid": self.record.story.call, "id": self.record.story.name}));
        let law = &self.record.story.saw;
        tell("law", json!({"table": law.table, "policy": law.policy, "requirement": law.requirement}));
        Value::Object(metadata)
    }

    fn place(&self, place: &policy::Place) -> Value {
        let citations = self.record.citations(place.code);
        json!({"code": place.code, "evidence": place.evidence, "citations": citations})
    }

    /// The last prompt that they heard before they said it.
    fn prompt(&self, person: &Person, word: &Word) -> Value {
        let heard = self.record.story.acts_behind(person, word).filter_map(|act| match &act.what {
            ActKind::Prompted { version, played_ms } => Some((version, *played_ms, act.at)),
            ActKind::Began { .. }
            | ActKind::Interrupted
            | ActKind::Given(_)
            | ActKind::Named(_)
            | ActKind::Declined
            | ActKind::Withdrawn
            | ActKind::Announced => None,
        });
        let Some((version, played_ms, at)) = heard.last() else { return Value::Null };
        let Some(prompt) = self.record.story.prompts.get(version) else { return Value::Null };
        json!({
            "uid": version,
            "id": prompt.id,
            "version": prompt.version,
            "language": prompt.language,
            "text": prompt.text,
            "duration_ms": prompt.duration_ms,
            "played_ms": played_ms,
            "heard_at": written(at),
        })
    }

    fn relied(&self, person: &Person, word: &Word) -> Option<&'r Relied> {
        let Some(How::Before(grant)) = how(word) else { return None };
        self.record.story.grants_of(person.number).filter(|relied| relied.grant == *grant).last()
    }

    /// What became of a recording, and what a recipient needs to open it.
    fn custody(&mut self, dialog: usize, stored: &Recording) {
        let span = |(from, until): &(_, _)| json!({"from": written(*from), "until": written(*until)});
        let mut body = json!({
            "recording": stored.id,
            "sealed": {"bytes": stored.bytes, "sha256": stored.media},
            "spans": stored.spans.iter().map(span).collect::<Vec<Value>>(),
            "accepted_at": written(stored.accepted_at),
            "keep_until": stored.keep_until.map(written),
            "delete_by": stored.delete_by.map(written),
            "deleted_at": stored.deleted_at.map(written),
            "held": stored.held,
            "evidence": self.evidence(stored.entry),
        });
        let envelope = self.record.media(stored).and_then(|known| known.envelope.as_ref());
        if let (Some(envelope), Some(body)) = (envelope, body.as_object_mut()) {
            body.insert("envelope".into(), envelope.clone());
        }
        self.push("recording_custody", date(stored.accepted_at), self.operator, dialog, body);
    }

    fn refusals(&mut self) {
        for refusal in &self.record.story.refusals {
            let (name, uncovered) = match &refusal.what {
                Refused::Control => (None, None),
                Refused::Upload { name, uncovered } => (name.as_ref(), Some(uncovered)),
            };
            let span = |(from, until, why): &policy::Stretch| json!({"from": written(*from), "until": written(*until), "why": why});
            let body = json!({
                "refused": if uncovered.is_some() { "upload" } else { "control" },
                "name": name,
                "code": refusal.code,
                "uncovered": uncovered.map(|spans| spans.iter().map(span).collect::<Vec<Value>>()),
                "evidence": self.evidence(refusal.entry),
            });
            // An attachment has to be about a dialog, and this is about the call.
            self.push("recording_refused", date(refusal.at), self.operator, 0, body);
        }
    }

    fn push(&mut self, purpose: &str, start: String, party: usize, dialog: usize, body: Value) {
        self.list.push(json!({
            "purpose": purpose,
            "start": start,
            "party": party,
            "dialog": dialog,
            "mediatype": "application/json",
            "encoding": "json",
            "body": body,
        }));
    }
}

fn how(word: &Word) -> Option<&How> {
    match &word.standing {
        Standing::Granted(how) => Some(how),
        Standing::Denied(Denial::Declined | Denial::Withdrawn | Denial::Missing) => None,
    }
}

fn told(word: &Word) -> Value {
    json!({
        "standing": word.standing.as_str(),
        "how": how(word).map(How::as_str),
        "from": written(word.from),
        "until": word.until.map(written),
        "log_index": word.entry,
    })
}

fn relied(relied: &Relied) -> Value {
    json!({
        "uid": relied.grant,
        "id": relied.id,
        "basis": relied.basis,
        "text_version": relied.text_version,
        "written": relied.written,
        "works_agreement": relied.works_agreement,
        "given_by": if relied.by_guardian { "guardian" } else { "subject" },
        "from": written(relied.from),
        "until": relied.until.map(written),
        "withdrawn_at": relied.withdrawn_at.map(written),
    })
}

const RECORDING: &str = "recording";
