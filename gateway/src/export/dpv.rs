//! Consent records after ISO/IEC TS 27560:2023, in JSON-LD.
//!
//! Terms are those of the Data Privacy Vocabulary 2, in the profile
//! `https://w3id.org/dpv/schema/dpv-27560#record` (guide of 2024-08-01; the ISO text itself was not at hand).
//! There is one record for each person with a pseudonym who was asked or who answered: about the others
//! nothing was recorded.
//!
//! INVARIANT: every field that 27560 makes mandatory is there, or there are no records and the error names
//! the setting that is missing.

use std::collections::BTreeSet;

use jiff::Timestamp;
use policy::{Code, LawfulBasis, Purpose};
use serde_json::{Map, Value, json};

use super::{Controller, Record, date, named_uuid};
use trail::story::{ActKind, Denial, How, Person, Standing};

/// The consent records of a call: a JSON-LD document that needs no other to be expanded.
///
/// # Errors
///
/// [`DpvError`]: a setting is missing that the records have to hold.
pub fn consent_records(record: &Record) -> Result<Value, DpvError> {
    let settings = Settings::of(record)?;
    let graph: Vec<Value> = record
        .story
        .people
        .values()
        .filter_map(|person| {
            let pseudonym = person.pseudonym.as_deref()?;
            let events = events(record, person, pseudonym);
            (!events.is_empty()).then(|| consent_record(record, &settings, person, pseudonym, events))
        })
        .collect();
    Ok(json!({"@context": context(), "@graph": graph}))
}

/// What the operator has to say.
struct Settings<'r> {
    controller: &'r Controller,
    address: &'r str,
    contact: &'r str,
    privacy_notice: &'r str,
    withdrawal: &'r str,
}

impl<'r> Settings<'r> {
    fn of(record: &'r Record) -> Result<Settings<'r>, DpvError> {
        let controller =
            record.extras.controller.as_ref().ok_or(DpvError::Missing { key: "controller.name" })?;
        let needed = |text: Option<&'r String>, key| match text.map(|text| text.trim()) {
            Some(text) if !text.is_empty() => Ok(text),
            Some(_) | None => Err(DpvError::Missing { key }),
        };
        needed(Some(&controller.name), "controller.name")?;
        if controller.storage_locations.iter().all(|place| place.trim().is_empty()) {
            return Err(DpvError::Missing { key: "controller.storage_locations" });
        }
        Ok(Settings {
            controller,
            address: needed(controller.address.as_ref(), "controller.address")?,
            contact: needed(controller.contact.as_ref(), "controller.contact")?,
            privacy_notice: needed(controller.privacy_notice.as_ref(), "controller.privacy_notice")?,
            withdrawal: needed(controller.withdrawal.as_ref(), "controller.withdrawal")?,
        })
    }
}

fn consent_record(
    record: &Record,
    settings: &Settings<'_>,
    person: &Person,
    pseudonym: &str,
    events: Vec<Value>,
) -> Value {
    let uid = named_uuid(&[
        "consent-gateway 27560",
        &record.extras.origin,
        &record.story.call.to_string(),
        &person.number.to_string(),
    ]);
    let controller = controller_id(record);
    let mut document = json!({
        "@id": urn(uid),
        "@type": "dpv:ConsentRecord",
        "dct:conformsTo": id("https://w3id.org/dpv/schema/dpv-27560#record"),
        "dct:identifier": uid,
        "dpv:hasIdentifier": uid,
        "dct:created": moment(record.extras.exported_at),
        "dct:source": sources(record, person),
        "dpv:hasDataSubject": {
            "@id": subject_id(record, pseudonym),
            "@type": "dpv:DataSubject",
            "dct:identifier": pseudonym,
        },
        "dpv:hasNotice": notices(record, settings, person),
        "dct:language": languages(record, person),
        "dpv:hasDataController": id(&controller),
        "dpv:hasEntity": entities(record, settings, &controller),
        "dpv:hasJurisdiction": jurisdictions(record, settings, person),
        "dpv:hasProcess": processes(record, settings, person, &controller),
        "dpv:hasConsentControl": control(settings),
        "dpv:hasRight": {
            "@type": "dpv:DataSubjectRight",
            "dct:title": "to withdraw consent",
            "dpv:isExercisedAt": settings.withdrawal,
        },
        "dpv:hasConsentStatus": events,
    });
    let basis = person.words.iter().rev().find_map(|word| match &word.standing {
        Standing::Granted(How::Stayed) => Some(stated(record)),
        Standing::Granted(How::Said(_)) => Some(vec![id("dpv:ExplicitlyExpressedConsent")]),
        Standing::Granted(How::Before(grant)) if is_own(record, person, grant) => {
            Some(vec![id("dpv:ExpressedConsent")])
        }
        Standing::Granted(How::Before(_)) => Some(stated(record)),
        Standing::Denied(_) => None,
    });
    if let (Some(basis), Some(document)) = (basis.filter(|basis| !basis.is_empty()), document.as_object_mut())
    {
        let basis = if let [one] = &*basis { one.clone() } else { Value::from(basis) };
        document.insert("dpv:hasLegalBasis".into(), basis);
    }
    document
}

/// Whether a grant is somebody's own word, and not an agreement with the employees' representatives.
fn is_own(record: &Record, person: &Person, grant: &str) -> bool {
    record.story.grants_of(person.number).all(|relied| relied.grant != grant || !relied.works_agreement)
}

/// The bases that the account has stated for the call's purposes, if it has for each: that people were told is none.
fn stated(record: &Record) -> Vec<Value> {
    let purposes = &record.story.purposes;
    let named = purposes.iter().map(String::as_str).chain(purposes.is_empty().then_some("recording"));
    let bases: Option<BTreeSet<LawfulBasis>> =
        named.map(|purpose| Some(record.basis_of(purpose)?.0)).collect();
    let iri = |basis: LawfulBasis| match basis {
        LawfulBasis::Consent => "dpv:Consent",
        LawfulBasis::Contract => "dpv:Contract",
        LawfulBasis::LegalObligation => "dpv:LegalObligation",
        LawfulBasis::VitalInterests => "dpv:VitalInterest",
        LawfulBasis::PublicTask => "dpv:PublicInterest",
        LawfulBasis::LegitimateInterests => "dpv:LegitimateInterest",
    };
    bases.into_iter().flatten().map(|basis| id(iri(basis))).collect()
}

/// What happened, in order: that they were asked, and each of their words.
fn events(record: &Record, person: &Person, pseudonym: &str) -> Vec<Value> {
    let mut events: Vec<(Timestamp, Value)> = Vec::new();
    for act in record.story.acts_of(person.number) {
        if let ActKind::Prompted { .. } = act.what {
            let by = id(&controller_id(record));
            events.push((
                act.at,
                status(&["dpv:ConsentRequested"], act.at, None, "until they answer", by, None),
            ));
        }
    }
    let subject = || id(&subject_id(record, pseudonym));
    for word in &person.words {
        let (types, method): (&[&str], _) = match &word.standing {
            // That they were asked is told already.
            Standing::Granted(How::Stayed) => continue,
            Standing::Granted(how @ How::Said(_)) => {
                (&["dpv:ConsentGiven", "dpv:ExplicitlyExpressedConsent"], Some(how.as_str()))
            }
            Standing::Granted(How::Before(grant)) if !is_own(record, person, grant) => continue,
            Standing::Granted(how @ How::Before(_)) => {
                (&["dpv:ConsentGiven", "dpv:ExpressedConsent"], Some(how.as_str()))
            }
            Standing::Denied(Denial::Declined) => (&["dpv:ConsentRefused"], None),
            Standing::Denied(Denial::Withdrawn) => (&["dpv:ConsentWithdrawn"], None),
            Standing::Denied(Denial::Missing) => (&["dpv:ConsentUnknown"], None),
        };
        let event =
            status(types, word.from, word.until, "until it is withdrawn or given anew", subject(), method);
        events.push((word.from, event));
    }
    events.sort_by_key(|(at, _)| *at);
    events.into_iter().map(|(_, event)| event).collect()
}

/// Event type, state, time, validity and entity (27560's "event" section).
fn status(
    types: &[&str],
    at: Timestamp,
    until: Option<Timestamp>,
    otherwise: &str,
    by: Value,
    method: Option<&str>,
) -> Value {
    let mut status = json!({
        "@type": types,
        "dct:date": moment(at),
        "dpv:isIndicatedAtTime": moment(at),
        "dpv:isIndicatedBy": by,
        "dpv:hasDuration": match until {
            Some(until) => json!({"@type": "dpv:UntilTimeDuration", "rdf:value": moment(until)}),
            None => json!({"@type": "dpv:UntilEventDuration", "rdf:value": otherwise}),
        },
        "dct:valid": until.map_or_else(|| json!(otherwise), moment),
    });
    if let (Some(method), Some(status)) = (method, status.as_object_mut()) {
        status.insert("dpv:hasIndicationMethod".into(), json!(method));
    }
    status
}

/// What they were told on the call, and the operator's privacy notice.
fn notices(record: &Record, settings: &Settings<'_>, person: &Person) -> Vec<Value> {
    let mut notices: Vec<Value> = Vec::new();
    for act in record.story.acts_of(person.number) {
        let ActKind::Prompted { version, .. } = &act.what else { continue };
        let Some(prompt) = record.story.prompts.get(version) else { continue };
        let mut notice = Map::new();
        notice.insert("@id".into(), json!(format!("urn:uuid:{version}")));
        notice.insert("@type".into(), json!("dpv:ConsentNotice"));
        notice.insert("dct:identifier".into(), json!(version));
        notice.insert("dct:language".into(), json!(prompt.language));
        notice.insert("dct:date".into(), moment(act.at));
        if let Some(text) = &prompt.text {
            notice.insert("dct:description".into(), json!(text));
        }
        notices.push(Value::Object(notice));
    }
    for grant in record.story.grants_of(person.number) {
        let mut notice = Map::new();
        notice.insert("@id".into(), json!(format!("urn:uuid:{}", grant.grant)));
        notice.insert("@type".into(), json!("dpv:ConsentNotice"));
        notice.insert("dct:identifier".into(), json!(grant.grant));
        notice.insert("dct:date".into(), moment(grant.from));
        let told = [("dct:title", &grant.basis), ("dct:hasVersion", &grant.text_version)];
        notice.extend(told.into_iter().filter_map(|(key, text)| Some((key.into(), json!(text.as_ref()?)))));
        notices.push(Value::Object(notice));
    }
    notices.push(json!({
        "@type": "dpv:PrivacyNotice",
        "schema:url": settings.privacy_notice,
    }));
    notices
}

/// The languages in which they were addressed; else those they have.
fn languages(record: &Record, person: &Person) -> Vec<String> {
    let heard = record.story.acts_of(person.number).filter_map(|act| {
        let ActKind::Prompted { version, .. } = &act.what else { return None };
        record.story.prompts.get(version).map(|prompt| prompt.language.clone())
    });
    let mut languages: Vec<String> = heard.collect();
    if languages.is_empty() {
        languages.clone_from(&person.languages);
    }
    if languages.is_empty() {
        languages.push(UNDETERMINED.into());
    }
    languages.sort();
    languages.dedup();
    languages
}

/// The controller, and third parties (27560's "party" section).
fn entities(record: &Record, settings: &Settings<'_>, controller: &str) -> Vec<Value> {
    let mut entities = vec![json!({
        "@id": controller,
        "@type": ["dpv:Organisation", "dpv:DataController"],
        "dpv:hasIdentifier": controller,
        "dct:identifier": record.extras.account,
        "dpv:hasName": settings.controller.name,
        "dpv:hasAddress": settings.address,
        "dpv:hasContact": settings.contact,
    })];
    for (index, name) in settings.controller.recipients.iter().enumerate() {
        let recipient = recipient_id(record, index);
        entities.push(json!({
            "@id": recipient,
            "@type": ["dpv:Organisation", "dpv:ThirdParty"],
            "dpv:hasIdentifier": recipient,
            "dpv:hasName": name,
        }));
    }
    entities
}

/// Where they were; where nothing is known of that, where the operator is or where recordings are stored.
fn jurisdictions(record: &Record, settings: &Settings<'_>, person: &Person) -> Vec<Value> {
    let mut places: Vec<Value> =
        person.places_by_code().iter().map(|place| location(place.code.as_str())).collect();
    let operated = record.story.operator_locations.iter().chain(&record.story.recorder_locations);
    for place in operated.map(|code| location(code.as_str())) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    if places.is_empty() {
        places = settings.controller.storage_locations.iter().map(|place| location(place)).collect();
    }
    places
}

/// One process for each purpose (27560's "PII processing" section).
fn processes(record: &Record, settings: &Settings<'_>, person: &Person, controller: &str) -> Vec<Value> {
    let purposes: Vec<Value> = match record.story.purposes.is_empty() {
        true => vec![json!({"@type": "dpv:Purpose", "dct:title": "recording"})],
        false => record.story.purposes.iter().map(|word| purpose(word)).collect(),
    };
    let mut data = vec![id("pd:VoiceCommunicationRecording")];
    if person.pseudonym.is_some() {
        data.push(id("pd:TelephoneNumber"));
    }
    let recipients: Vec<Value> = match settings.controller.recipients.is_empty() {
        true => vec![id(controller)],
        false => {
            (0..settings.controller.recipients.len()).map(|index| id(&recipient_id(record, index))).collect()
        }
    };
    let storage = storage(record, settings);
    let process = |purpose: Value| {
        json!({
            "@type": "dpv:Process",
            "dpv:hasPurpose": purpose,
            "dpv:hasPersonalData": data,
            "dpv:hasProcessing": [id("dpv:Record"), id("dpv:Store")],
            "dpv:hasDataController": id(controller),
            "dpv:hasRecipient": recipients,
            "dpv:hasStorageCondition": storage,
            "dpv:hasConsentControl": control(settings),
        })
    };
    purposes.into_iter().map(process).collect()
}

/// The platform's word, and the kind of purpose that it is, where the vocabulary has one.
fn purpose(word: &str) -> Value {
    let mut purpose = json!({"@type": "dpv:Purpose", "dct:title": word});
    let broader = policy::told::word::<Purpose>(word).and_then(|known| match known {
        Purpose::Quality => Some("dpv:ServiceOptimisation"),
        Purpose::AiTraining => Some("dpv:ResearchAndDevelopment"),
        Purpose::Analytics => Some("dpv:ServiceUsageAnalytics"),
        Purpose::Evidence => Some("dpv:DisputeManagement"),
        Purpose::LegalObligation => Some("dpv:LegalCompliance"),
        Purpose::Security => Some("dpv:FraudPreventionAndDetection"),
        Purpose::Training
        | Purpose::Transcription
        | Purpose::Voiceprint
        | Purpose::Emotion
        | Purpose::Other => None,
    });
    if let (Some(broader), Some(purpose)) = (broader, purpose.as_object_mut()) {
        purpose.insert("skos:broader".into(), id(broader));
    }
    purpose
}

/// Where, and for how long: until the last of the call's recordings has to be gone.
fn storage(record: &Record, settings: &Settings<'_>) -> Vec<Value> {
    let places: Vec<Value> =
        settings.controller.storage_locations.iter().map(|place| location(place)).collect();
    let kept: Option<Vec<Timestamp>> =
        record.story.recordings.iter().map(|stored| stored.deleted_at.or(stored.delete_by)).collect();
    let until = kept.and_then(|kept| kept.into_iter().max());
    let mut conditions = vec![
        json!({"@type": "dpv:StorageLocation", "dpv:hasLocation": places}),
        json!({
            "@type": "dpv:StorageDuration",
            "dpv:hasDuration": match until {
                Some(until) => json!({"@type": "dpv:UntilTimeDuration", "rdf:value": moment(until)}),
                None if record.story.recordings.is_empty() => {
                    json!({"@type": "dpv:UntilEventDuration", "rdf:value": "nothing of this call is stored"})
                }
                None => json!({"@type": "dpv:UntilEventDuration", "rdf:value": "until the controller deletes it"}),
            },
        }),
    ];
    if let Some(until) = record.story.recordings.iter().filter_map(|stored| stored.keep_until).max() {
        conditions.push(json!({
            "@type": "dpv:StorageCondition",
            "dct:title": "the law asks for it to be kept until",
            "dct:valid": moment(until),
        }));
    }
    conditions
}

fn control(settings: &Settings<'_>) -> Value {
    json!({"@type": "dpv:WithdrawConsent", "dpv:isExercisedAt": settings.withdrawal})
}

/// The entries that the record rests on.
fn sources(record: &Record, person: &Person) -> Vec<Value> {
    let mut entries: Vec<u64> = record.story.acts_of(person.number).map(|act| act.entry).collect();
    entries.extend(person.words.iter().map(|word| word.entry));
    entries.sort_unstable();
    entries.dedup();
    entries
        .into_iter()
        .filter_map(|index| {
            let logged = record.logged(index)?;
            Some(json!({
                "dct:identifier": format!("{}#{index}", record.extras.origin),
                "dct:type": logged.kind,
                "dct:date": moment(logged.at),
                "dct:description": format!("leaf hash {}", trail::hex(&logged.leaf_hash)),
            }))
        })
        .collect()
}

fn location(text: &str) -> Value {
    match text.trim().parse::<Code>() {
        Ok(code) => id(&format!("loc:{code}")),
        Err(_) => json!({"@type": "dpv:Location", "dct:title": text.trim()}),
    }
}

fn controller_id(record: &Record) -> String {
    urn(named_uuid(&["consent-gateway controller", &record.extras.origin]))
}

fn subject_id(record: &Record, pseudonym: &str) -> String {
    urn(named_uuid(&["consent-gateway party", &record.extras.origin, pseudonym]))
}

fn recipient_id(record: &Record, index: usize) -> String {
    urn(named_uuid(&["consent-gateway recipient", &record.extras.origin, &index.to_string()]))
}

fn urn(uuid: uuid::Uuid) -> String {
    format!("urn:uuid:{uuid}")
}

fn id(iri: &str) -> Value {
    json!({"@id": iri})
}

fn moment(at: Timestamp) -> Value {
    json!({"@type": "xsd:dateTime", "@value": date(at)})
}

/// The prefixes, written out, so that nothing has to be fetched.
fn context() -> Value {
    json!({
        "dct": "http://purl.org/dc/terms/",
        "dpv": "https://w3id.org/dpv#",
        "loc": "https://w3id.org/dpv/loc#",
        "pd": "https://w3id.org/dpv/pd#",
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "schema": "https://schema.org/",
        "skos": "http://www.w3.org/2004/02/skos/core#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
    })
}

/// Why there are no consent records.
#[derive(Debug, thiserror::Error)]
pub enum DpvError {
    /// A setting is missing.
    #[error(
        "a consent record (ISO/IEC TS 27560) has to hold what `{key}` says, and the configuration does not have it; add it"
    )]
    Missing {
        /// The key.
        key: &'static str,
    },
}

/// ISO 639: undetermined.
const UNDETERMINED: &str = "und";

#[cfg(test)]
mod tests;
