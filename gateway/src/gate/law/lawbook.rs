//! The table as answers show it: its rows, and what a place requires at a moment.

use jiff::Timestamp;
use policy::table::Basis;
use policy::{Code, Evidence, Kind, Medium, Requirement};

use crate::gate::answer::{Asks, Floors, Media, PlaceAsks, Table};

/// The whole table.
#[must_use]
pub fn table(table: &policy::Table) -> Table {
    let floor = |evidence| Asks::from(&Requirement::from(table.floor(evidence)));
    Table {
        table: table.digest().into(),
        version: None,
        default: Asks::from(&Requirement::from(table.default_rule())),
        evidence: Floors {
            declared: floor(Evidence::Declared),
            ip: floor(Evidence::Ip),
            number: floor(Evidence::Number),
        },
        jurisdictions: table.rows().map(Into::into).collect(),
        overlays: table.overlays().map(Into::into).collect(),
    }
}

/// The rule in force for a place at a moment, in one medium or all, and why.
#[must_use]
pub fn place(table: &policy::Table, code: Code, at: Timestamp, medium: Option<Medium>) -> PlaceAsks {
    let of = |medium, kind| Asks::from(&table.asks(code, medium, kind, at).requirement);
    let asked = table.asks(code, medium.unwrap_or(Medium::Unknown), Kind::Conversation, at);
    let (basis, says) = match asked.basis {
        Basis::Row(row) if row.code == code => (row.code.to_string(), row.source.summary.clone()),
        Basis::Row(row) => {
            (row.code.to_string(), format!("no row for {code}: {} applies. {}", row.code, row.source.summary))
        }
        Basis::StrictestOf(row) => (
            row.code.to_string(),
            format!(
                "{} without a known state or territory: the strictest of them applies. {}",
                row.name, row.source.summary
            ),
        ),
        Basis::Default => {
            ("default".to_owned(), format!("the table has no row for {code}, so its default applies"))
        }
    };
    PlaceAsks {
        table: table.digest().into(),
        code,
        name: policy::atlas::name(code),
        at: at.into(),
        asks: Media::of(medium, |one| of(one, Kind::Conversation)),
        voicemail: Media::of(medium, |one| of(one, Kind::Voicemail)),
        emergency: of(Medium::Telephone, Kind::Emergency),
        basis,
        parent: asked.parent.map(|row| row.code),
        says,
        rows: table.history(code).iter().map(Into::into).collect(),
    }
}
