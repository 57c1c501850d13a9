//! The answer about a call: its state, and when recording it was lawful and granted.

use policy::{Edge, Span, Standing, UncoveredSpan, Use};
use schemars::JsonSchema;
use serde::Serialize;

use super::words::words;
use super::{Decision, Names};
use crate::gate::ask::Direction;
use trail::clock::Moment;

/// A call's state.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Call {
    /// The platform's id of the call.
    pub call: String,
    /// When it was opened, by the gateway's clock.
    pub opened_at: Moment,
    /// When it ended; null while it is open.
    pub ended_at: Option<Moment>,
    /// The purposes of its recording; empty for any purpose.
    pub purposes: Vec<String>,
    /// Who called whom; null if the platform did not say.
    pub direction: Option<Direction>,
    /// The other ids of the call.
    pub aliases: Vec<String>,
    /// The decision on it now.
    pub decision: Decision,
    /// When recording it was lawful, and when recording was granted.
    pub timeline: Timeline,
}

/// When recording a call was lawful, and when recording was granted.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Timeline {
    /// All time since the call began, without gaps.
    pub intervals: Vec<Interval>,
    /// The stretches in which recording was granted.
    pub windows: Vec<Window>,
    /// How much audio of the call was accepted, in milliseconds.
    pub accepted_ms: u64,
    /// When other uses of its audio than recording were granted.
    pub uses: Vec<UseWindows>,
}

/// When another use than recording was granted.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct UseWindows {
    /// Which.
    #[serde(rename = "use")]
    pub of: Use,
    /// The stretches in which it was granted.
    pub windows: Vec<Window>,
}

/// A stretch of time, and whether recording was lawful in it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Interval {
    /// Its first moment.
    pub from: Moment,
    /// The first moment after it; null while it lasts.
    pub until: Option<Moment>,
    /// Whether recording was lawful.
    pub lawful: bool,
    /// Why not, in words. Left out if recording was lawful.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Why not, as a code. Left out if recording was lawful.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = policy::Why::CODES))]
    pub code: Option<&'static str>,
}

/// A stretch of time in which recording was granted.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Window {
    /// When it was granted.
    pub from: Moment,
    /// When it was closed; null while it is open.
    pub until: Option<Moment>,
    /// What closed it; null while it is open.
    pub closed_by: Option<ClosedBy>,
}

/// What closed a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClosedBy {
    /// The platform paused recording.
    Pause,
    /// Recording was no longer lawful.
    Suspension,
    /// The platform stopped recording.
    Stop,
    /// The call ended.
    #[serde(rename = "call.ended")]
    CallEnded,
}

impl From<Edge> for ClosedBy {
    fn from(edge: Edge) -> ClosedBy {
        match edge {
            Edge::Pause => ClosedBy::Pause,
            Edge::Suspension => ClosedBy::Suspension,
            Edge::Stop => ClosedBy::Stop,
            Edge::Ended => ClosedBy::CallEnded,
        }
    }
}

/// A stretch of audio that may not be kept.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Uncovered {
    /// Its first moment.
    pub from: Moment,
    /// The first moment after it.
    pub until: Moment,
    /// If it begins in the file, in milliseconds.
    pub offset_ms: u64,
    /// How long it lasts, in milliseconds.
    pub duration_ms: u64,
    /// Why it may not be kept, in words.
    pub why: String,
}

impl Timeline {
    /// Describes a call at a moment, with the platform's ids of the participants.
    #[must_use]
    pub fn new(call: &policy::Call, now: jiff::Timestamp, names: &Names) -> Timeline {
        let stretches = call.standings(call.ended_at().unwrap_or(now));
        let at_now = call.at(now);
        let window = |window: &policy::Window| Window {
            from: window.from.into(),
            until: window.until.map(|(until, _)| until.into()),
            closed_by: window.until.map(|(_, edge)| edge.into()),
        };
        Timeline {
            intervals: stretches
                .iter()
                .map(|(span, standing)| Interval::new(span, *standing, names))
                .collect(),
            windows: at_now.windows().iter().map(window).collect(),
            accepted_ms: call.accepted_ms(),
            uses: at_now
                .uses()
                .map(|(of, call)| UseWindows { of, windows: call.windows().iter().map(window).collect() })
                .collect(),
        }
    }
}

impl Interval {
    fn new(span: &Span, standing: Standing, names: &Names) -> Interval {
        let (why, code) = match standing {
            Standing::Lawful => (None, None),
            Standing::Unlawful(why) => (Some(words(why, names)), Some(why.code())),
        };
        Interval {
            from: span.from.into(),
            until: span.until.map(Moment),
            lawful: standing == Standing::Lawful,
            why,
            code,
        }
    }
}

impl Uncovered {
    /// Describes stretches of a file, with the platform's ids of the participants.
    #[must_use]
    pub fn all(spans: &[UncoveredSpan], names: &Names) -> Vec<Uncovered> {
        let one = |span: &UncoveredSpan| Uncovered {
            from: span.from.into(),
            until: span.until.into(),
            offset_ms: span.offset_ms,
            duration_ms: span.duration_ms(),
            why: words(span.why, names),
        };
        spans.iter().map(one).collect()
    }
}
