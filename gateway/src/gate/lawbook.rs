//! The table in the words of the contract: its rows, and what a place asks at a moment.

use jiff::Timestamp;
use policy::table::{Basis, Overlay, Row, Source};
use policy::{Code, Evidence, Kind, Medium, Requirement, Table};
use serde_json::{Value, json};

use super::answer;

/// The whole table.
#[must_use]
pub fn table(table: &Table) -> Value {
    let floor = |evidence| asks(&Requirement::from(table.floor(evidence)));
    json!({
        "table": table.digest(),
        "default": asks(&Requirement::from(table.default_rule())),
        "evidence": {
            "declared": floor(Evidence::Declared),
            "ip": floor(Evidence::Ip),
            "number": floor(Evidence::Number),
        },
        "jurisdictions": table.rows().map(row).collect::<Vec<_>>(),
        "overlays": table.overlays().map(overlay).collect::<Vec<_>>(),
    })
}

/// The rule in force for a place at a moment, in one medium or all, and why.
#[must_use]
pub fn place(table: &Table, code: Code, at: Timestamp, medium: Option<Medium>) -> Value {
    let of = |medium, kind| asks(&table.asks(code, medium, kind, at).requirement);
    let asked = table.asks(code, medium.unwrap_or(Medium::Unknown), Kind::Conversation, at);
    let (basis, says) = match asked.basis {
        Basis::Row(row) if row.code == code => (json!(row.code), row.source.summary.clone()),
        Basis::Row(row) => (
            json!(row.code),
            format!("no row for {code}: what {} asks holds. {}", row.code, row.source.summary),
        ),
        Basis::StrictestOf(row) => (
            json!(row.code),
            format!(
                "{} without a known state or territory: the strictest of them applies. {}",
                row.name, row.source.summary
            ),
        ),
        Basis::Default => {
            (json!("default"), format!("the table has no row for {code}, so its default applies"))
        }
    };
    let media = |kind| {
        let all = [("telephone", Medium::Telephone), ("voip", Medium::Voip), ("video", Medium::Video)];
        let chosen = all.into_iter().filter(|(_, one)| medium.is_none_or(|medium| medium == *one));
        Value::Object(chosen.map(|(word, one)| (word.to_owned(), of(one, kind))).collect())
    };
    json!({
        "table": table.digest(),
        "code": code,
        "name": policy::atlas::name(code),
        "at": crate::clock::written(at),
        "asks": media(Kind::Conversation),
        "voicemail": media(Kind::Voicemail),
        "emergency": of(Medium::Telephone, Kind::Emergency),
        "basis": basis,
        "parent": asked.parent.map(|row| row.code),
        "says": says,
        "rows": table.history(code).iter().map(row).collect::<Vec<_>>(),
    })
}

/// What is asked, with everything that only some rules ask.
#[must_use]
pub fn asks(requirement: &Requirement) -> Value {
    let mut answer = answer::requirement(requirement);
    if let Value::Object(members) = &mut answer {
        members.insert("says".into(), json!(policy::decision::words(requirement)));
        if requirement.announcement_must_be_recorded && requirement.waived_by_written {
            members.insert("announcement_waived_by".into(), json!(["written"]));
        }
        if !requirement.says.always.is_empty() {
            members.insert("prompt_says".into(), json!(requirement.says.always));
        }
        let for_purpose: serde_json::Map<String, Value> = policy::Purpose::ALL
            .into_iter()
            .map(|purpose| (purpose, requirement.says.for_one(purpose)))
            .filter(|(_, elements)| !elements.is_empty())
            .map(|(purpose, elements)| (purpose.as_str().to_owned(), json!(elements)))
            .collect();
        if !for_purpose.is_empty() {
            members.insert("prompt_says_for".into(), Value::Object(for_purpose));
        }
        if !requirement.says.purposes.is_empty() {
            members.insert("purposes".into(), json!(requirement.says.purposes));
        }
        let retention = requirement.retention;
        if retention != policy::Retention::FREE {
            members.insert(
                "retention".into(),
                json!({"minimum": retention.minimum, "maximum": retention.maximum}),
            );
        }
        let obligations = answer::obligations(requirement);
        if !obligations.is_empty() {
            members.insert("obligations".into(), json!(obligations));
        }
    }
    answer
}

fn row(row: &Row) -> Value {
    let medium = |rule: Option<policy::Rule>| rule.map(|rule| asks(&Requirement::from(rule)));
    let mut answer = json!({
        "code": row.code,
        "name": row.name,
        "rule": asks(&Requirement::from(&row.rule)),
        "media": {"telephone": medium(row.media.telephone), "voip": medium(row.media.voip), "video": medium(row.media.video)},
        "unknown_subdivision": if row.strictest_when_unknown { "strictest" } else { "country" },
        "effective_from": row.effective_from.map(|day| day.to_string()),
        "effective_to": row.effective_to.map(|day| day.to_string()),
    });
    if let Value::Object(members) = &mut answer {
        if row.voicemail {
            members.insert("voicemail".into(), asks(&row.asks(Medium::Unknown, Kind::Voicemail)));
        }
        if row.public_safety.is_some() {
            members.insert("public_safety".into(), asks(&row.asks(Medium::Unknown, Kind::Emergency)));
        }
        source(&row.source, members);
    }
    answer
}

fn overlay(overlay: &Overlay) -> Value {
    let mut answer = json!({
        "id": overlay.id,
        "name": overlay.name,
        "asks": asks(&overlay.asks),
        "effective_from": overlay.effective_from.map(|day| day.to_string()),
        "effective_to": overlay.effective_to.map(|day| day.to_string()),
    });
    if let Some(says) = answer.pointer_mut("/asks/says") {
        *says = json!(policy::decision::adds(&overlay.asks));
    }
    if let Value::Object(members) = &mut answer {
        source(&overlay.source, members);
    }
    answer
}

fn source(source: &Source, members: &mut serde_json::Map<String, Value>) {
    let reviewed = source.reviewed.as_ref().map(|review| {
        json!({"by": review.by, "on": review.on.to_string(), "next": review.next.map(|day| day.to_string())})
    });
    members.insert("citations".into(), json!(source.citations));
    members.insert("summary".into(), json!(source.summary));
    members.insert("confidence".into(), json!(source.confidence.as_str()));
    members.insert("reviewed".into(), json!(reviewed));
}
