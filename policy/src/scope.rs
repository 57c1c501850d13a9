//! Which calls a Kazoo platform records: its own recording settings, answered from its documents alone.
//!
//! The account, its users and its devices each say for which calls recording is enabled, by direction and network.
//! Kazoo merges what they say when a call is routed, once, before the callflow runs; up to three recordings of a
//! call follow from that. This module answers as Kazoo does, and says why. It knows nothing of consent: what is
//! recorded by these settings still needs a permit.
//!
//! [`document`] is what Kazoo's documents hold, [`merge`] how they combine, [`action`] what a callflow starts or
//! stops by itself, [`upload`] whether a file can be one that they ask for.
//!
//! INVARIANT: the secrets of a `url` are masked as it is read, and nothing here has ever held them.

pub mod action;
pub mod document;
pub mod merge;
pub mod upload;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use document::{AccountDocument, DeviceDocument, Format, Method, Target, UserDocument};
use merge::{Cell, Cells, Name, Origin, Value};

/// A release line of Kazoo: they merge documents differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "KazooLine"))]
pub enum Line {
    /// The released line.
    #[serde(rename = "4.3")]
    Released,
    /// The line of version 5.
    #[serde(rename = "master")]
    Master,
}

impl Line {
    /// Both of them.
    pub const ALL: [Line; 2] = [Line::Released, Line::Master];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Line::Released => "4.3",
            Line::Master => "master",
        }
    }
}

/// Where a side of a call is.
///
/// The caller is offnet if the call came in from a carrier. The callee is offnet if only the callflow for unmatched
/// numbers (`no_match`) matches: a callflow of its own that ends at a carrier is onnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "CallNetwork"))]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// In the account.
    Onnet,
    /// Outside of it.
    Offnet,
}

impl Network {
    /// Both of them.
    pub const ALL: [Network; 2] = [Network::Onnet, Network::Offnet];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Network::Onnet => "onnet",
            Network::Offnet => "offnet",
        }
    }
}

/// The direction of a leg, as an account or an endpoint sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// To it.
    Inbound,
    /// From it.
    Outbound,
}

impl Direction {
    /// Both of them.
    pub const ALL: [Direction; 2] = [Direction::Inbound, Direction::Outbound];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        }
    }
}

/// A cell of the settings: for which calls they are.
pub type Place = (Direction, Network);

/// An endpoint of a call: a device, with the user who owns it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// The user's document.
    pub user: UserDocument,
    /// The device's document.
    pub device: DeviceDocument,
}

/// A call, and the documents that are about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Which Kazoo routes it.
    pub line: Line,
    /// The account's document.
    pub account: AccountDocument,
    /// Who calls.
    pub source: Endpoint,
    /// Who is called.
    pub destination: Endpoint,
    /// Where the caller is.
    pub from: Network,
    /// Where the callee is.
    pub to: Network,
}

/// What is recorded of a call. The three are independent of each other, and each makes a recording of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// By the account's own settings.
    pub account: Ruling,
    /// By those of the caller's endpoint.
    pub source: Ruling,
    /// By those of the callee's endpoint, of each that is rung.
    pub destination: Ruling,
}

/// Whether something is recorded, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Whether it is.
    pub record: bool,
    /// Which leg.
    pub leg: Leg,
    /// Why.
    pub because: Reason,
    /// How: what Kazoo makes of the settings. Where nothing is recorded, those of the first cell that was asked.
    pub settings: Settings,
}

/// A leg of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "CallLeg"))]
#[serde(rename_all = "lowercase")]
pub enum Leg {
    /// The caller's.
    A,
    /// The callee's, from when they answer.
    B,
}

/// Settings in effect, by Kazoo's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "RecordingSettingsInEffect"))]
pub struct Settings {
    /// Whether recording is enabled.
    pub enabled: bool,
    /// The file's format.
    pub format: Format,
    /// How it is sent.
    pub method: Method,
    /// How many seconds a recording must have in order to be kept.
    pub record_min_sec: i64,
    /// Whether it starts when the leg is answered.
    pub record_on_answer: bool,
    /// Whether it starts when the leg is bridged. Never along with `record_on_answer`.
    pub record_on_bridge: bool,
    /// Samples per second; null for the switch's own choice.
    pub record_sample_rate: Option<i64>,
    /// Whether it goes on after a transfer.
    pub should_follow_transfer: bool,
    /// The longest time that is recorded, in seconds.
    pub time_limit: i64,
    /// Where it is sent, with `***` for whatever may be a secret. Null: to where the account's storage plan says; if it
    /// has none, it is recorded and then kept nowhere.
    pub url: Option<Target>,
}

impl Settings {
    /// Those in effect if nothing is set.
    #[must_use]
    pub fn unset() -> Settings {
        Settings {
            enabled: false,
            format: Format::Mp3,
            method: Method::Put,
            record_min_sec: 0,
            record_on_answer: false,
            record_on_bridge: false,
            record_sample_rate: None,
            should_follow_transfer: false,
            time_limit: TIME_LIMIT,
            url: None,
        }
    }

    /// What Kazoo makes of a cell.
    fn of(cell: &Cell) -> Settings {
        let unset = Settings::unset();
        let said = |name| cell.get(&name).and_then(|said| said.value.as_ref());
        let flag = |name| matches!(said(name), Some(Value::Flag(true)));
        let number = |name| match said(name) {
            Some(Value::Number(number)) => Some(*number),
            Some(Value::Flag(_) | Value::Format(_) | Value::Target(_)) | None => None,
        };
        let on_answer = flag(Name::RecordOnAnswer);
        Settings {
            enabled: flag(Name::Enabled),
            format: match said(Name::Format) {
                Some(Value::Format(format)) => *format,
                Some(Value::Flag(_) | Value::Number(_) | Value::Target(_)) | None => unset.format,
            },
            record_min_sec: number(Name::RecordMinSec).unwrap_or(unset.record_min_sec),
            record_on_answer: on_answer,
            record_on_bridge: !on_answer && flag(Name::RecordOnBridge),
            record_sample_rate: number(Name::RecordSampleRate),
            time_limit: number(Name::TimeLimit).unwrap_or(TIME_LIMIT).min(TIME_LIMIT),
            url: match said(Name::Url) {
                Some(Value::Target(url)) => Some(url.clone()),
                Some(Value::Flag(_) | Value::Number(_) | Value::Format(_)) | None => None,
            },
            ..unset
        }
    }
}

/// Why something is recorded, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Recording is enabled for these calls.
    Enabled {
        /// Whose settings they are.
        whose: Whose,
        /// The cell that enables it.
        cell: Ruled,
        /// Cells that come first, and do not.
        before: Vec<Ruled>,
    },
    /// It is enabled in none of these cells.
    NotEnabled {
        /// Whose settings they are.
        whose: Whose,
        /// The cells, in the order in which they are asked.
        cells: Vec<Ruled>,
    },
    /// The caller is not an endpoint of the account.
    CallerOffnet,
    /// No endpoint of the account is rung.
    CalleeOffnet,
    /// A callflow or a metaflow says so.
    Action(action::Word),
}

/// Whose settings they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The account's own: `call_recording.account`.
    Account,
    /// The caller's endpoint.
    Caller,
    /// The callee's endpoint.
    Callee,
}

/// What decided a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ruled {
    /// The cell.
    pub place: Place,
    /// Where its `enabled` stands; `None` if it stands nowhere.
    pub by: Option<Origin>,
}

impl Ruled {
    fn of(cells: &Cells, place: Place) -> Ruled {
        Ruled { place, by: cells.get(&place).and_then(|cell| cell.get(&Name::Enabled)).map(|said| said.by) }
    }
}

/// What Kazoo records of a call.
#[must_use]
pub fn decide(call: &Call) -> Scope {
    let line = call.line;
    let own = merge::account(line, &call.account);
    let endpoint = |endpoint: &Endpoint| merge::endpoint(line, &call.account, endpoint);
    merged(&own, &endpoint(&call.source), &endpoint(&call.destination), (call.from, call.to))
}

/// What Kazoo records of a call between these, by settings that are merged already.
fn merged(own: &Cells, source: &Cells, destination: &Cells, (from, to): (Network, Network)) -> Scope {
    Scope {
        // Kazoo asks for outbound only if inbound is not enabled, and never for both.
        account: ruling(Whose::Account, own, &[(Direction::Inbound, from), (Direction::Outbound, to)]),
        source: match from {
            Network::Onnet => ruling(Whose::Caller, source, &[(Direction::Outbound, to)]),
            Network::Offnet => absent(Leg::A, Reason::CallerOffnet),
        },
        destination: match to {
            Network::Onnet => on_answer(ruling(Whose::Callee, destination, &[(Direction::Inbound, from)])),
            Network::Offnet => absent(Leg::B, Reason::CalleeOffnet),
        },
    }
}

/// The first of these cells that is enabled.
fn ruling(whose: Whose, cells: &Cells, asked: &[Place]) -> Ruling {
    let settings = |place: &Place| cells.get(place).map_or_else(Settings::unset, Settings::of);
    let leg = if whose == Whose::Callee { Leg::B } else { Leg::A };
    let mut before = Vec::new();
    for place in asked {
        let (cell, settings) = (Ruled::of(cells, *place), settings(place));
        if settings.enabled {
            return Ruling { record: true, leg, because: Reason::Enabled { whose, cell, before }, settings };
        }
        before.push(cell);
    }
    let settings = asked.first().map_or_else(Settings::unset, settings);
    Ruling { record: false, leg, because: Reason::NotEnabled { whose, cells: before }, settings }
}

/// A callee's leg is recorded from when it is answered, whatever the settings say.
fn on_answer(ruling: Ruling) -> Ruling {
    let settings = Settings { record_on_answer: true, record_on_bridge: false, ..ruling.settings };
    Ruling { settings, ..ruling }
}

fn absent(leg: Leg, because: Reason) -> Ruling {
    Ruling { record: false, leg, because, settings: Settings::unset() }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Enabled { whose, cell, before } => {
                write!(f, "{whose} enables recording for `{}`: {}", cell.shown(), cell.why(*whose))?;
                before.iter().try_for_each(|cell| {
                    write!(f, "; `{}`, which comes first, is not enabled: {}", cell.shown(), cell.why(*whose))
                })
            }
            Reason::NotEnabled { whose, cells } => {
                write!(f, "{whose} does not enable recording")?;
                cells.iter().enumerate().try_for_each(|(index, cell)| {
                    let between = if index == 0 { " for" } else { "; nor for" };
                    write!(f, "{between} `{}`: {}", cell.shown(), cell.why(*whose))
                })
            }
            Reason::CallerOffnet => f.write_str(
                "the caller is offnet: no endpoint of the account makes this call (unless it was forwarded, which is \
                 not answered here)",
            ),
            Reason::CalleeOffnet => {
                f.write_str("the callee is offnet: no endpoint of the account is rung")
            }
            Reason::Action(word) => word.fmt(f),
        }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Whose::Account => "the account",
            Whose::Caller => "the caller's endpoint",
            Whose::Callee => "the callee's endpoint",
        })
    }
}

impl Ruled {
    fn shown(&self) -> String {
        let (direction, network) = self.place;
        format!("{}.{}", direction.as_str(), network.as_str())
    }

    /// Which document decides, and how.
    fn why(&self, whose: Whose) -> String {
        match self.by {
            None if whose == Whose::Account => "the account's document says nothing of it".into(),
            None => "neither device, user nor account says anything of it".into(),
            Some(Origin::Cell { document, part, cell: (direction, network) }) => {
                format!("{document}'s `{}.{}.{}` decides", part.path(), direction.as_str(), network.as_str())
            }
            Some(Origin::Unmentioned { document, part: merge::Part::Account }) => {
                format!("{document}'s settings are for other calls")
            }
            Some(Origin::Unmentioned { document, .. }) => format!(
                "{document}'s settings are for other calls, which turns these off whatever is said of them elsewhere"
            ),
            Some(Origin::Legacy { document }) => format!("{document}'s old `record_call` decides"),
        }
    }
}

/// The longest time that Kazoo records, in seconds.
pub const TIME_LIMIT: i64 = 10_800;

#[cfg(test)]
mod tests;
