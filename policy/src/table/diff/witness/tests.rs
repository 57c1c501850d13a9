//! Every kind of loosening, and what shows it.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde_json::json;

use crate::diff::{Diff, Point};
use crate::table::Table;

#[test]
fn each_kind_of_loosening_of_a_row_is_shown() {
    for (old, new, parts) in [
        (EXPRESS, NOTICE, &["\"type\":\"prompt.completed\"", "\"location\":\"DE\""][..]),
        (NOTICE, ONE, &["[{\"method\":\"dtmf\",\"participant\":\"a\",\"type\":\"consent.given\"}]"]),
        // Consent counts for the purposes that it was given for, and one of two need not have given it.
        (NOTICE, "form_for = { evidence = \"none\" }", &["\"purposes\":[\"evidence\"]", "\"id\":\"b\""]),
        (
            EXPRESS,
            "form = \"express\", form_for = { evidence = \"notice\" }",
            &["\"purposes\":[\"evidence\"]"],
        ),
        (
            "prompt_says = [\"recording\", \"operator\"]",
            "prompt_says = [\"recording\"]",
            &["\"says\":{\"recording\":\"that the call is recorded\"}"],
        ),
        (
            "prompt_says_for = { quality = [\"vendor\"] }",
            NOTICE,
            &["\"purposes\":[\"quality\"]", "\"prompts\""],
        ),
        ("written_for = [\"evidence\"]", NOTICE, &["\"purposes\":[\"evidence\"]", "\"prompt.completed\""]),
        (
            "forbids = { emotion = [\"agent\"] }",
            NOTICE,
            &["\"role\":\"agent\"", "\"purposes\":[\"emotion\"]"],
        ),
        (NOTICE, "tone_seconds = 15", &["\"type\":\"consent.given\"", "\"type\":\"tone.started\""]),
        ("on_hold = \"not-recorded\"", "on_hold = \"counted\"", &["\"type\":\"participant.held\""]),
        ("on_hold = \"counted\"", "on_hold = \"not-counted\"", &["\"type\":\"participant.held\""]),
        ("on_hold = \"counted\"", NOTICE, &["\"on_hold\":\"not-counted\"", "\"type\":\"participant.held\""]),
        (NOTICE, "media.telephone = { parties = \"one\", form = \"none\" }", &["\"medium\":\"telephone\""]),
        (NOTICE, "voicemail = { parties = \"one\", form = \"none\" }", &["\"kind\":\"voicemail\""]),
        (
            NOTICE,
            "public_safety = { parties = \"one\", form = \"none\" }",
            &["\"kind\":\"emergency\"", "\"public_safety\":true"],
        ),
    ] {
        let call = shown(&germany(old), &germany(new)).unwrap_or_else(|| panic!("{old}: {new}"));
        assert!(call.contains("\"events\""), "it opens nothing: {call}");
        assert!(parts.iter().all(|part| call.contains(part)), "{old}: {new}: {call}");
    }
}

#[test]
fn what_is_asked_only_of_a_recording_is_shown_by_the_bare_call() {
    for (old, new) in [
        ("announcement_must_be_recorded = true", NOTICE),
        ("retention = { maximum = \"30 days\" }", "retention = { maximum = \"60 days\" }"),
        ("retention = { minimum = \"5 years\" }", NOTICE),
        ("tone_seconds = 15", "tone_seconds = 30"),
    ] {
        let call = shown(&germany(old), &germany(new));
        let bare = "{\"participants\":[{\"id\":\"a\",\"location\":\"DE\",\"role\":\"customer\"}],\"started_at\":\"2026-01-01T12:00:00Z\"}";
        assert_eq!(call.as_deref(), Some(bare), "{old}: {new}");
    }
}

#[test]
fn a_call_begins_on_a_day_on_which_the_row_holds() {
    let history = |later: &str| {
        let (first, then) = (row("DE", ONE), row("DE", later));
        format!("{HEAD}jurisdiction = [{first}, {then}]\n")
    };
    let later = |form: &str| format!("form = \"{form}\", effective_from = 2027-03-01");
    let call = shown(&history(&later("express")), &history(&later("notice"))).unwrap();
    assert!(call.contains("\"started_at\":\"2027-03-01T12:00:00Z\""), "{call}");
    assert!(call.contains("\"at\":\"2027-03-01T12:00:05Z\""), "{call}");
}

#[test]
fn what_holds_beside_the_rows_is_shown() {
    let with = |default: &str, floors: [&str; 3], overlay: &str| {
        let [declared, ip, number] = floors;
        format!(
            "default = {{ {ALL}, {default} }}
            evidence = {{ declared = {{ {declared} }}, ip = {{ {ip} }}, number = {{ {number} }} }}
            jurisdiction = [{}, {}]
            overlay = [{{ id = \"bank\", name = \"Bank\", {overlay}{SOURCE} }}]",
            row("DE", EXPRESS),
            row("US-TX", ONE),
        )
    };
    let told = format!("{ALL}, {NOTICE}");
    let (one, notice) = (ONE, told.as_str());
    let plain = with(EXPRESS, [one, notice, notice], "");
    for (old, new, parts) in [
        (
            plain.clone(),
            with(NOTICE, [one, notice, notice], ""),
            &["[{\"id\":\"a\",\"role\":\"customer\"}]"][..],
        ),
        (plain.clone(), with(EXPRESS, [one, notice, one], ""), &["\"number\":\"+15125550100\""]),
        (
            with(EXPRESS, [notice; 3], ""),
            with(EXPRESS, [one, notice, notice], ""),
            &["\"location\":\"US-TX\"", "consent.given"],
        ),
        (
            with(EXPRESS, [one, notice, notice], "recording = \"forbidden\", "),
            plain.clone(),
            &["\"overlays\":[\"bank\"]", "consent.given"],
        ),
        (
            with(EXPRESS, [one, notice, notice], "purposes = [\"legal-obligation\"], "),
            plain.clone(),
            &["\"overlays\":[\"bank\"]", "\"prompts\""],
        ),
        (
            with(EXPRESS, [one, notice, notice], "recording = \"mandatory\", "),
            plain.clone(),
            &["\"overlays\":[\"bank\"]"],
        ),
        (
            with(EXPRESS, [one, notice, notice], "pause_for = \"card-data\", "),
            plain.clone(),
            &["\"overlays\":[\"bank\"]"],
        ),
    ] {
        let call = shown(&old, &new).unwrap_or_else(|| panic!("{old}\n{new}"));
        assert!(parts.iter().all(|part| call.contains(part)), "{old}\n{new}\n{call}");
    }
    // A call can tell of none of these.
    let no_overlay = plain.split("overlay = ").next().unwrap().to_string();
    for (old, new) in [
        (plain.clone(), with(EXPRESS, [one, one, notice], "")),
        (with(EXPRESS, [one, notice, notice], "recording = \"mandatory\", "), no_overlay),
        (germany(EXPRESS), germany("form = \"express\", works_agreement_is_express = true")),
        (
            germany("announcement_must_be_recorded = true"),
            germany("announcement_must_be_recorded = true, announcement_waived_by = [\"written\"]"),
        ),
    ] {
        assert_eq!(shown(&old, &new), None, "{old}\n{new}");
    }
}

/// The call that shows the one point which loosens something; nothing else is told of one.
#[track_caller]
fn shown(old: &str, new: &str) -> Option<String> {
    let [old, new] = [old, new].map(|text| Arc::new(Table::parse(text).unwrap()));
    let changes = Diff::between(&old, &new).shown(&old, &new).changes;
    let points: Vec<&Point> = changes.iter().flat_map(|change| &change.points).collect();
    let (looser, others): (Vec<&Point>, Vec<&Point>) =
        points.into_iter().partition(|point| point.direction.loosens());
    assert!(looser.len() == 1 && others.iter().all(|point| point.shown_by.is_none()), "{changes:#?}");
    looser[0].shown_by.as_ref().map(|call| json!(call).to_string())
}

/// A table whose only row is Germany's, which tells everybody unless it says something else.
fn germany(rule: &str) -> String {
    format!("{HEAD}jurisdiction = [{}]\n", row("DE", rule))
}

fn row(code: &str, rule: &str) -> String {
    let parties = if rule.starts_with("parties") { "" } else { "parties = \"all\", " };
    let form =
        if rule.starts_with("parties") || rule.starts_with("form = ") { "" } else { "form = \"notice\", " };
    format!("{{ code = \"{code}\", name = \"A place\", {parties}{form}{rule}, {SOURCE} }}")
}

const HEAD: &str = "default = { parties = \"all\", form = \"express\" }
evidence = { declared = { parties = \"one\", form = \"none\" }, ip = { parties = \"all\", form = \"notice\" }, number = { parties = \"all\", form = \"notice\" } }
";
const ALL: &str = "parties = \"all\"";
const ONE: &str = "parties = \"one\", form = \"none\"";
const NOTICE: &str = "form = \"notice\"";
const EXPRESS: &str = "form = \"express\"";
const SOURCE: &str =
    "citations = [\"none\"], summary = \"Made up for tests.\", confidence = \"low\", reviewed = false";
