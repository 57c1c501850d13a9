//! How Kazoo's documents combine.
//!
//! Within a document, the settings for `any` direction are those of `inbound` and `outbound` unless these say
//! otherwise; then, in each direction, those for `any` network are those of `onnet` and `offnet`. Where a direction
//! says nothing for `any` network, recording is off there: a document that mentions some calls turns the others off.
//! Across documents, the device's settings count before the user's, and theirs before the account's for endpoints,
//! each setting for itself. A `null` removes what it meets.
//!
//! The lines differ in `{}`. To 4.3 a `call_recording` that is empty is none, and an empty part says nothing. On
//! master an empty `call_recording` turns everything off, and an empty part takes the place of what it meets.

use alloc::collections::BTreeMap;
use core::fmt;

use super::document::{
    AccountDocument, CallRecording, DeviceDocument, Format, Legacy, Member, Parameters, Source, Target,
    UserDocument,
};
use super::{Direction, Endpoint, Line, Network, Place};

/// The settings of all four kinds of calls.
pub type Cells = BTreeMap<Place, Cell>;

/// Settings for one kind of calls.
pub type Cell = BTreeMap<Name, Said>;

/// A setting's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named as Kazoo names it")]
pub enum Name {
    Enabled,
    Format,
    RecordMinSec,
    RecordOnAnswer,
    RecordOnBridge,
    RecordSampleRate,
    TimeLimit,
    Url,
}

/// What is said of a setting, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its value; `None` for a `null`, which removes what it meets.
    pub value: Option<Value>,
    /// Where it stands.
    pub by: Origin,
}

/// A setting's value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named by what it holds")]
pub enum Value {
    Flag(bool),
    Number(i64),
    Format(Format),
    Target(Target),
}

/// Where a setting stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// In a cell of a document.
    Cell {
        /// The document.
        document: Document,
        /// The part of it.
        part: Part,
        /// The cell, as the document writes it.
        cell: (Side, Reach),
    },
    /// Nowhere: the document has settings for other calls.
    Unmentioned {
        /// The document.
        document: Document,
        /// The part of it.
        part: Part,
    },
    /// In the old setting `record_call`.
    Legacy {
        /// The document.
        document: Document,
    },
}

/// One of Kazoo's documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named by what it is")]
pub enum Document {
    Account,
    User,
    Device,
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Document::Account => "the account",
            Document::User => "the user",
            Document::Device => "the device",
        })
    }
}

/// A part of a document that has recording settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// An account's settings of its own.
    Account,
    /// An account's settings for its endpoints.
    Endpoint,
    /// All of it.
    Whole,
}

impl Part {
    /// The path of the part.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Part::Account => "call_recording.account",
            Part::Endpoint => "call_recording.endpoint",
            Part::Whole => "call_recording",
        }
    }
}

/// A direction as a document writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named by its word")]
pub enum Side {
    Any,
    Inbound,
    Outbound,
}

impl Side {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Any => "any",
            Side::Inbound => "inbound",
            Side::Outbound => "outbound",
        }
    }
}

/// A network as a document writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named by its word")]
pub enum Reach {
    Any,
    Onnet,
    Offnet,
}

impl Reach {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reach::Any => "any",
            Reach::Onnet => "onnet",
            Reach::Offnet => "offnet",
        }
    }
}

/// An account's own settings.
#[must_use]
pub fn account(line: Line, document: &AccountDocument) -> Cells {
    let settings = document.call_recording.as_ref().and_then(|parts| parts.account.as_ref());
    settings.map_or_else(Cells::new, |settings| within(line, settings, Document::Account, Part::Account))
}

/// The settings of an endpoint: its device's over its user's over the account's for endpoints.
#[must_use]
pub fn endpoint(line: Line, account: &AccountDocument, endpoint: &Endpoint) -> Cells {
    let settings = account.call_recording.as_ref().and_then(|parts| parts.endpoint.as_ref());
    let account = settings
        .map_or_else(Cells::new, |settings| within(line, settings, Document::Account, Part::Endpoint));
    let UserDocument { call_recording, record_call } = &endpoint.user;
    let user = of_document(line, call_recording.as_ref(), record_call.as_ref(), Document::User);
    let DeviceDocument { call_recording, record_call, .. } = &endpoint.device;
    let device = of_document(line, call_recording.as_ref(), record_call.as_ref(), Document::Device);
    let merged = across(line, across(line, account, user), device);
    merged.into_iter().map(|(place, cell)| (place, without_nulls(cell))).collect()
}

/// What a user's or a device's document says.
fn of_document(
    line: Line,
    settings: Option<&CallRecording>,
    legacy: Option<&Legacy>,
    document: Document,
) -> Cells {
    let counts = |settings: &&CallRecording| line == Line::Master || !settings.is_empty();
    match (settings.filter(counts), legacy) {
        (Some(settings), _) => within(line, settings, document, Part::Whole),
        (None, Some(Legacy { records: true, parameters })) => {
            let mut cell = read(parameters, Origin::Legacy { document });
            let enabled = Said { value: Some(Value::Flag(true)), by: Origin::Legacy { document } };
            cell.insert(Name::Enabled, enabled);
            places().map(|place| (place, cell.clone())).collect()
        }
        (None, Some(Legacy { records: false, .. }) | None) => Cells::new(),
    }
}

/// The four cells of a document's settings.
fn within(line: Line, settings: &CallRecording, document: Document, part: Part) -> Cells {
    let off = Origin::Unmentioned { document, part };
    let off = Cell::from([(Name::Enabled, Said { value: Some(Value::Flag(false)), by: off })]);
    let networks = |side, source: &Member<Source>| {
        source
            .value()
            .map(|source| read_networks(source, |reach| Origin::Cell { document, part, cell: (side, reach) }))
    };
    let any = networks(Side::Any, &settings.any).unwrap_or_default();
    let mut cells = Cells::new();
    for direction in Direction::ALL {
        let specific = match direction {
            Direction::Inbound => networks(Side::Inbound, &settings.inbound),
            Direction::Outbound => networks(Side::Outbound, &settings.outbound),
        };
        let networks = match specific {
            Some(specific) => over_networks(line, &any, specific),
            None => any.clone(),
        };
        let base = networks.get(&Reach::Any).and_then(Option::as_ref).unwrap_or(&off);
        for network in Network::ALL {
            let reach = match network {
                Network::Onnet => Reach::Onnet,
                Network::Offnet => Reach::Offnet,
            };
            let cell = match networks.get(&reach).and_then(Option::as_ref) {
                Some(cell) => over(base, cell),
                None => base.clone(),
            };
            cells.insert((direction, network), cell);
        }
    }
    cells
}

/// What a direction of a document says, by network; `None` for a `null`.
type Networks = BTreeMap<Reach, Option<Cell>>;

fn over_networks(line: Line, below: &Networks, above: Networks) -> Networks {
    let mut merged = below.clone();
    for (reach, cell) in above {
        match (below.get(&reach).and_then(Option::as_ref), cell) {
            (_, None) => drop(merged.remove(&reach)),
            (Some(below), Some(above)) => drop(merged.insert(reach, Some(part_over(line, below, above)))),
            (None, Some(above)) => drop(merged.insert(reach, Some(above))),
        }
    }
    merged
}

fn across(line: Line, below: Cells, above: Cells) -> Cells {
    let mut merged = below;
    for (place, cell) in above {
        let cell = match merged.get(&place) {
            Some(below) => part_over(line, below, cell),
            None => cell,
        };
        merged.insert(place, cell);
    }
    merged
}

/// One object over another that stand at the same place of two larger ones.
fn part_over(line: Line, below: &Cell, above: Cell) -> Cell {
    match line {
        Line::Master if above.is_empty() => above,
        Line::Master | Line::Released => over(below, &above),
    }
}

/// One object over another: what the upper one says counts, and its nulls remove.
fn over(below: &Cell, above: &Cell) -> Cell {
    let mut merged = below.clone();
    merged.extend(above.iter().map(|(name, said)| (*name, said.clone())));
    without_nulls(merged)
}

fn without_nulls(mut cell: Cell) -> Cell {
    cell.retain(|_, said| said.value.is_some());
    cell
}

fn read_networks(source: &Source, origin: impl Fn(Reach) -> Origin) -> Networks {
    let members = [(Reach::Any, &source.any), (Reach::Onnet, &source.onnet), (Reach::Offnet, &source.offnet)];
    let said = members.into_iter().filter_map(|(reach, member)| match member {
        Member::Absent => None,
        Member::Null => Some((reach, None)),
        Member::Is(parameters) => Some((reach, Some(read(parameters, origin(reach))))),
    });
    said.collect()
}

fn read(parameters: &Parameters, by: Origin) -> Cell {
    fn one<T: Clone>(member: &Member<T>, value: impl Fn(T) -> Value) -> Option<Option<Value>> {
        match member {
            Member::Absent => None,
            Member::Null => Some(None),
            Member::Is(is) => Some(Some(value(is.clone()))),
        }
    }
    let Parameters {
        enabled,
        format,
        record_min_sec,
        record_on_answer,
        record_on_bridge,
        record_sample_rate,
        time_limit,
        url,
    } = parameters;
    let members = [
        (Name::Enabled, one(enabled, Value::Flag)),
        (Name::Format, one(format, Value::Format)),
        (Name::RecordMinSec, one(record_min_sec, Value::Number)),
        (Name::RecordOnAnswer, one(record_on_answer, Value::Flag)),
        (Name::RecordOnBridge, one(record_on_bridge, Value::Flag)),
        (Name::RecordSampleRate, one(record_sample_rate, Value::Number)),
        (Name::TimeLimit, one(time_limit, |limit| Value::Number(limit.seconds()))),
        (Name::Url, one(url, Value::Target)),
    ];
    members.into_iter().filter_map(|(name, value)| value.map(|value| (name, Said { value, by }))).collect()
}

fn places() -> impl Iterator<Item = Place> {
    Direction::ALL.into_iter().flat_map(|direction| Network::ALL.map(|network| (direction, network)))
}
