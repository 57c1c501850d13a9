//! Answers about the table of jurisdictions: what it requires, and what was decided by it.

use std::collections::BTreeMap;

use policy::table::{Citation, Confidence, Overlay as OverlayRow, Row, Source};
use policy::{
    Code, Elements, Form, Ground, Kind, Medium, Purpose, Purposes, Requirement as Asked, Retention, Role,
    Rule,
};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{Decision, Obligation, Requirement};
use trail::Saw;
use trail::clock::Moment;

/// What was decided on a call at a moment, and what would be decided today.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Explained {
    /// The platform's id of the call.
    pub call: String,
    /// The moment that was asked about.
    pub at: Moment,
    /// The decision then, by what was known then.
    pub then: Then,
    /// The decision on the same facts by the table in force today.
    pub today: Today,
    /// Whether the two differ in what is required, or in whether recording was permitted.
    pub differs: bool,
}

/// What was decided at a moment.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Then {
    /// The version of the table that was in force; null if none is known.
    pub version: Option<i64>,
    /// The decision.
    pub decision: Decision,
    /// What its rules rest on.
    pub sources: Vec<RuleSources>,
    /// The call's last entry up to then.
    pub logged: Logged,
}

/// A logged entry.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Logged {
    /// Its id.
    pub entry: Uuid,
    /// When it was logged.
    pub at: Moment,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the policy saw and answered; null if the entry involved no decision.
    pub saw: Option<Saw>,
}

/// What would be decided today.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Today {
    /// The version of the table in force.
    pub version: i64,
    /// The decision.
    pub decision: Decision,
    /// What its rules rest on.
    pub sources: Vec<RuleSources>,
}

/// What a rule of a decision rests on, with links.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RuleSources {
    /// The place. Left out for an overlay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The overlay. Left out for a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay: Option<String>,
    /// Statutes, decisions and regulators.
    pub citations: Vec<Citation>,
}

impl RuleSources {
    /// The sources of every rule of a decision that cites any.
    #[must_use]
    pub fn of(decided: &policy::Decision) -> Vec<RuleSources> {
        let cited = decided.because.iter().filter_map(|because| {
            let (code, overlay) = match &because.ground {
                Ground::Place(code) => (Some(*code), None),
                Ground::Overlay(id) => (None, Some(id.clone())),
                Ground::Unknown | Ground::Evidence(_) => return None,
            };
            Some(RuleSources { code, overlay, citations: because.citations.to_vec() })
        });
        cited.filter(|of| !of.citations.is_empty()).collect()
    }
}

/// The table of jurisdictions.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Table {
    /// Its SHA-256, in hexadecimal.
    pub table: String,
    /// Its version, from 1. Left out for a table that never was in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// What is required if nothing is known.
    pub default: Asks,
    /// The least that a place requires, by how the place is known.
    pub evidence: Floors,
    /// Its rows.
    pub jurisdictions: Vec<Jurisdiction>,
    /// Rules that a call or an account chooses.
    pub overlays: Vec<Overlay>,
}

/// The least that a place requires, by how the place is known.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Floors {
    /// The platform declared it.
    pub declared: Asks,
    /// It was looked up from an IP address.
    pub ip: Asks,
    /// It was derived from a phone number.
    pub number: Asks,
}

/// What is required, with everything that only some rules require.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Asks {
    /// What is required before recording.
    #[serde(flatten)]
    pub requirement: Requirement,
    /// The same in words.
    pub says: String,
    /// What is accepted instead of an announcement. Left out if nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub announcement_waived_by: Vec<Waiver>,
    /// The form that consent has to have if everything that the call, the prompts and the grants name is one of
    /// these purposes. Left out if the purpose makes no difference.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub form_for: BTreeMap<&'static str, Form>,
    /// The roles of which a purpose is forbidden, even if everybody agrees. Left out if none is.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub forbids: BTreeMap<&'static str, Vec<Role>>,
    /// The purposes for which everybody has to consent in writing. Left out if there are none.
    #[serde(skip_serializing_if = "Purposes::is_empty")]
    pub written_for: Purposes,
    /// What a prompt has to say. Left out if the wording is free.
    #[serde(skip_serializing_if = "Elements::is_empty")]
    pub prompt_says: Elements,
    /// What a prompt has to say if the recording serves a purpose. Left out if the wording is free.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub prompt_says_for: BTreeMap<&'static str, Elements>,
    /// Purposes that a sector gives every recording. Left out if there are none.
    #[serde(skip_serializing_if = "Purposes::is_empty")]
    pub purposes: Purposes,
    /// How long a recording must be kept, and how long it may be. Left out if the law sets no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// What the platform has to ensure by itself. Left out if there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub obligations: Vec<Obligation>,
}

/// What is accepted instead of an announcement in the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Waiver {
    /// Prior written consent.
    Written,
}

impl From<&Asked> for Asks {
    fn from(asked: &Asked) -> Asks {
        let for_one = |purpose: Purpose| (purpose.as_str(), asked.says.for_one(purpose));
        let waived = asked.announcement_must_be_recorded && asked.waived_by_written;
        let usual = asked.by_purpose.of(Purposes::NONE.with(Purpose::Other));
        let form_for = asked.by_purpose.each().filter(|(_, one)| *one != usual);
        let forbids = Purpose::distinguished()
            .map(|purpose| (purpose.as_str(), asked.forbids.roles(purpose).collect::<Vec<_>>()));
        Asks {
            requirement: Requirement { parties: usual.parties(), form: usual.form(), ..asked.into() },
            form_for: form_for.map(|(purpose, one)| (purpose.as_str(), one.form())).collect(),
            forbids: forbids.filter(|(_, roles)| !roles.is_empty()).collect(),
            written_for: asked.written_for,
            says: policy::decision::words(asked),
            announcement_waived_by: if waived { vec![Waiver::Written] } else { Vec::new() },
            prompt_says: asked.says.always,
            prompt_says_for: Purpose::ALL
                .map(for_one)
                .into_iter()
                .filter(|(_, says)| !says.is_empty())
                .collect(),
            purposes: asked.says.purposes,
            retention: (asked.retention != Retention::FREE).then_some(asked.retention),
            obligations: Obligation::of(asked),
        }
    }
}

/// What is required in each medium; a medium that was not asked about is left out.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Media {
    /// On the telephone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telephone: Option<Asks>,
    /// By voice over IP, without the telephone network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voip: Option<Asks>,
    /// With video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<Asks>,
}

impl Media {
    /// Applies `asks` to one medium, or to all.
    pub fn of(medium: Option<Medium>, asks: impl Fn(Medium) -> Asks) -> Media {
        let one = |this: Medium| medium.is_none_or(|medium| medium == this).then(|| asks(this));
        Media { telephone: one(Medium::Telephone), voip: one(Medium::Voip), video: one(Medium::Video) }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Jurisdiction {
    /// The place.
    pub code: Code,
    /// Its name.
    pub name: String,
    /// What it requires.
    pub rule: Asks,
    /// What it requires in a medium; null if the medium makes no difference.
    pub media: RowMedia,
    /// What is required in a country if the state is not known.
    pub unknown_subdivision: UnknownSubdivision,
    /// The first day on which the row applies; null if it always has.
    pub effective_from: Option<String>,
    /// The first day on which the row no longer applies; null if there is none.
    pub effective_to: Option<String>,
    /// What it requires for voicemail. Left out if that makes no difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voicemail: Option<Asks>,
    /// What it requires of a public-safety answering point. Left out if emergency calls may not be recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_safety: Option<Asks>,
    /// Its sources.
    #[serde(flatten)]
    pub source: Cited,
}

/// What a row requires in a medium.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RowMedia {
    /// On the telephone; null if that makes no difference.
    pub telephone: Option<Asks>,
    /// By voice over IP; null if that makes no difference.
    pub voip: Option<Asks>,
    /// With video; null if that makes no difference.
    pub video: Option<Asks>,
}

/// What is required in a country if the state is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnknownSubdivision {
    /// What the strictest of its states requires.
    Strictest,
    /// What the country's own row requires.
    Country,
}

/// The sources of a rule.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Cited {
    /// Statutes, decisions and regulators.
    pub citations: Vec<Citation>,
    /// Bills and cases that may change the rule. Left out if none is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<Citation>,
    /// A summary in plain words, for readers who are not lawyers.
    pub summary: String,
    /// How certain the row is.
    pub confidence: Confidence,
    /// The review by a lawyer; null if there was none.
    pub reviewed: Option<Reviewed>,
}

/// A lawyer's review of a row.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Reviewed {
    /// The lawyer.
    pub by: String,
    /// The day of the review.
    pub on: String,
    /// The day by which to review it again; null if none is set.
    pub next: Option<String>,
    /// Who entered the review, if it was not the lawyer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entered_by: Option<String>,
    /// Whether the row has changed since; null if that cannot be told.
    pub changed: Option<bool>,
}

impl From<&Source> for Cited {
    fn from(source: &Source) -> Cited {
        let reviewed = source.reviewed.as_ref().map(|review| Reviewed {
            by: review.by.clone(),
            on: review.on.to_string(),
            next: review.next.map(|day| day.to_string()),
            entered_by: review.entered_by.clone(),
            changed: review.hash.is_some().then(|| review.is_outdated()),
        });
        Cited {
            citations: source.citations.to_vec(),
            pending: source.pending.clone(),
            summary: source.summary.clone(),
            confidence: source.confidence,
            reviewed,
        }
    }
}

impl From<&Row> for Jurisdiction {
    fn from(row: &Row) -> Jurisdiction {
        let asks = |rule: &Rule| Asks::from(&Asked::from(rule));
        let of = |kind| Asks::from(&row.asks(Medium::Unknown, kind));
        Jurisdiction {
            code: row.code,
            name: row.name.clone(),
            rule: asks(&row.rule),
            media: RowMedia {
                telephone: row.media.telephone.as_ref().map(asks),
                voip: row.media.voip.as_ref().map(asks),
                video: row.media.video.as_ref().map(asks),
            },
            unknown_subdivision: match row.strictest_when_unknown {
                true => UnknownSubdivision::Strictest,
                false => UnknownSubdivision::Country,
            },
            effective_from: row.effective_from.map(|day| day.to_string()),
            effective_to: row.effective_to.map(|day| day.to_string()),
            voicemail: row.voicemail.then(|| of(Kind::Voicemail)),
            public_safety: row.public_safety.is_some().then(|| of(Kind::Emergency)),
            source: (&row.source).into(),
        }
    }
}

/// A rule that a call or an account chooses.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Overlay {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it requires in addition to the places.
    pub asks: Asks,
    /// The first day on which it applies; null if it always has.
    pub effective_from: Option<String>,
    /// The first day on which it no longer applies; null if there is none.
    pub effective_to: Option<String>,
    /// Its sources.
    #[serde(flatten)]
    pub source: Cited,
}

impl From<&OverlayRow> for Overlay {
    fn from(overlay: &OverlayRow) -> Overlay {
        Overlay {
            id: overlay.id.clone(),
            name: overlay.name.clone(),
            asks: Asks { says: policy::decision::adds(&overlay.asks), ..Asks::from(&overlay.asks) },
            effective_from: overlay.effective_from.map(|day| day.to_string()),
            effective_to: overlay.effective_to.map(|day| day.to_string()),
            source: (&overlay.source).into(),
        }
    }
}

/// What a place requires at a moment, and why.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PlaceAsks {
    /// The SHA-256 of the table, in hexadecimal.
    pub table: String,
    /// The place.
    pub code: Code,
    /// Its name; null if ISO 3166 has none.
    pub name: Option<&'static str>,
    /// The moment.
    pub at: Moment,
    /// What is required for a conversation.
    pub asks: Media,
    /// What is required for voicemail.
    pub voicemail: Media,
    /// What is required for an emergency call.
    pub emergency: Asks,
    /// The code of the row that applies, or `default`.
    pub basis: String,
    /// The row above it that applies as well; null if there is none.
    pub parent: Option<Code>,
    /// Why, in words.
    pub says: String,
    /// Every row of the place, including earlier ones.
    pub rows: Vec<Jurisdiction>,
}

/// What a prompt says, and what it lacks.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PromptLacks {
    /// What it says.
    pub says: Elements,
    /// The purposes that it names, of those that the law distinguishes.
    pub purposes: Purposes,
    /// The purposes that it names and that no law distinguishes.
    pub unknown_purposes: Vec<String>,
    /// What it does not say.
    pub unsaid: Elements,
    /// Whether it may greet a caller before voicemail.
    pub greets_voicemail: bool,
    /// If it lacks something, so that it does not count there.
    pub lacks: Vec<LacksAt>,
}

/// What a prompt lacks in a place.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LacksAt {
    /// The place's code, or `wherever nothing is known`. Left out for an overlay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The place's name; left out if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The overlay. Left out for a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay: Option<String>,
    /// What it does not say but would have to.
    pub lacks: Elements,
    /// The purposes for which it is not registered.
    pub lacks_purposes: Purposes,
    /// The same in words.
    pub says: String,
}
