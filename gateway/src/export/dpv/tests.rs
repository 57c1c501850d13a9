//! What a consent record says of a person.

use super::*;
use crate::export::tests::{Tape, controller, stories};

fn story(name: &str) -> Tape {
    stories().into_iter().find(|(other, _)| *other == name).unwrap().1
}

fn records(tape: &Tape) -> Vec<Value> {
    consent_records(&tape.record()).unwrap()["@graph"].as_array().unwrap().clone()
}

fn states(record: &Value) -> Vec<Vec<String>> {
    let events = record["dpv:hasConsentStatus"].as_array().unwrap().iter();
    events.map(|event| serde_json::from_value(event["@type"].clone()).unwrap()).collect()
}

const ASKED: &[&str] = &["dpv:ConsentRequested"];

#[test]
fn who_said_yes_has_consented_and_who_stayed_is_recorded_on_what_the_account_has_stated() {
    let [record] = &records(&story("consented"))[..] else { panic!() };
    assert_eq!(states(record), [ASKED, &["dpv:ConsentGiven", "dpv:ExplicitlyExpressedConsent"]]);
    assert_eq!(record["dpv:hasConsentStatus"][1]["dpv:hasIndicationMethod"], "dtmf");
    assert_eq!(record["dct:conformsTo"]["@id"], "https://w3id.org/dpv/schema/dpv-27560#record");
    assert_eq!(record["dpv:hasDataSubject"]["dct:identifier"], "p1:caller");
    assert_eq!(record["dpv:hasJurisdiction"], json!([{"@id": "loc:DE"}]));
    let purposes: Vec<&Value> =
        record["dpv:hasProcess"].as_array().unwrap().iter().map(|one| &one["dpv:hasPurpose"]).collect();
    assert_eq!(purposes[0]["skos:broader"]["@id"], "dpv:ServiceOptimisation");
    assert_eq!(purposes[1], &json!({"@type": "dpv:Purpose", "dct:title": "zq-purpose"}));
    let [record] = &records(&story("stayed"))[..] else { panic!() };
    assert_eq!(states(record), [ASKED]);
    assert!(record.get("dpv:hasLegalBasis").is_none());
    let [record] = &records(&story("stated"))[..] else { panic!() };
    assert_eq!(states(record), [ASKED]);
    let bases = json!([{"@id": "dpv:Contract"}, {"@id": "dpv:LegitimateInterest"}]);
    assert_eq!(record["dpv:hasLegalBasis"], bases);
}

#[test]
fn a_refusal_and_a_withdrawal_are_states_of_their_own() {
    let [record] = &records(&story("declined"))[..] else { panic!() };
    assert_eq!(states(record), [ASKED, &["dpv:ConsentRefused"]]);
    assert!(record.get("dpv:hasLegalBasis").is_none());
    let [record] = &records(&story("withdrawn"))[..] else { panic!() };
    let given: &[&str] = &["dpv:ConsentGiven", "dpv:ExplicitlyExpressedConsent"];
    assert_eq!(states(record), [ASKED, given, &["dpv:ConsentWithdrawn"]]);
    let ended = &record["dpv:hasConsentStatus"][1]["dpv:hasDuration"];
    assert_eq!(
        (&ended["@type"], &ended["rdf:value"]["@value"]),
        (&json!("dpv:UntilTimeDuration"), &json!("2026-11-20T10:00:13Z"))
    );
    let [record] = &records(&story("refused"))[..] else { panic!() };
    assert_eq!(states(record), [["dpv:ConsentUnknown"]]);
}

#[test]
fn who_was_not_asked_and_who_has_no_pseudonym_has_no_record() {
    assert_eq!(records(&story("one-party")), Vec::<Value>::new());
    assert_eq!(records(&story("consented")).len(), 1, "the agent has no number");
}

#[test]
fn erased_details_leave_a_whole_record() {
    let [record] = &records(&story("erased"))[..] else { panic!() };
    let text = record.to_string();
    assert!(!text.contains("zq-") && !text.contains("4155550177"), "{record:#}");
    assert_eq!(states(record)[1][0], "dpv:ConsentGiven");
    assert_eq!(record["dct:language"], json!(["en"]));
}

#[test]
fn a_missing_setting_is_named() {
    let without = |change: fn(&mut Controller)| {
        let mut tape = story("consented");
        let mut controller = controller();
        change(&mut controller);
        tape.extras.controller = Some(controller);
        consent_records(&tape.record()).unwrap_err().to_string()
    };
    type Change = (&'static str, fn(&mut Controller));
    let missing: [Change; 6] = [
        ("`controller.name`", |controller| controller.name = " ".into()),
        ("`controller.address`", |controller| controller.address = None),
        ("`controller.contact`", |controller| controller.contact = Some(String::new())),
        ("`controller.privacy_notice`", |controller| controller.privacy_notice = None),
        ("`controller.storage_locations`", |controller| controller.storage_locations.clear()),
        ("`controller.withdrawal`", |controller| controller.withdrawal = None),
    ];
    for (key, change) in missing {
        let error = without(change);
        assert!(error.contains(key), "{error}");
    }
    let error = consent_records(&story("unconfigured").record()).unwrap_err().to_string();
    assert!(error.contains("`controller.name`"), "{error}");
}

#[test]
fn without_third_parties_the_controller_alone_receives() {
    let mut tape = story("consented");
    tape.extras.controller = Some(Controller { recipients: Vec::new(), ..controller() });
    let [record] = &records(&tape)[..] else { panic!() };
    let controller = &record["dpv:hasDataController"];
    assert_eq!(record["dpv:hasProcess"][0]["dpv:hasRecipient"], json!([controller]));
}
