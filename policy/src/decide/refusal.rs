//! Why recording is not lawful, and why an upload is refused: the codes in the gate's answers and in the log,
//! from which an auditor repeats the decision.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::call::Call;
use crate::coverage::{CoverageBasis, Uncovered, UncoveredSpan};
use crate::fact::OnWithdrawal;

/// Why recording is not lawful, or a stretch of audio is not covered.
///
/// Written as its code, with the participant's number if it is about one: `paused`, `declined:3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Emergency calls are never recorded, except by a public-safety answering point whose places all allow
    /// it.
    Emergency,
    /// A rule forbids recording, whoever agrees.
    Forbidden,
    /// A rule forbids what the recording is for while this participant is on the call, whoever agrees.
    ForbiddenFor(u32),
    /// The call is over.
    Ended,
    /// No human is on the call.
    NobodyHuman,
    /// Somebody on the call said no and has not said yes since.
    Declined(u32),
    /// Somebody on the call withdrew and has not said yes since.
    Withdrawn(u32),
    /// Reports may be missing, and this participant was not named again since.
    InDoubt(u32),
    /// Somebody on the call is a minor, and no guardian's grant covers them.
    Minor(u32),
    /// Somebody was on hold, and a rule allows no recording then.
    OnHold(u32),
    /// A restrictive event has come, and could not be logged yet.
    Unlogged,
    /// One consent is needed, and nobody present has given it.
    NobodyConsents,
    /// Everybody's consent is needed, and this participant's is missing.
    Missing(u32),
    /// The recording had to hold an announcement and this participant heard none in time.
    Unannounced(u32),
    /// The recording has to hold an announcement, and it was not reported yet that this participant heard it.
    NotYetAnnounced(u32),
    /// No window was granted then.
    NotGranted,
    /// The platform paused then, and the audio is not silent.
    Paused,
    /// It lies in the future.
    NotYet,
    /// As many recordings of this moment were accepted as the account has recorders.
    Taken,
}

/// Ties every reason to its code, so that what is written can be read again.
macro_rules! codes {
    (of the call: $($alone:ident $word:literal)*; of somebody: $($whose:ident $whose_word:literal)*) => {
        impl Why {
            /// The codes of all of them.
            pub const CODES: &'static [&'static str] = &[$($word,)* $($whose_word),*];

            /// The stable code, without the participant.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self {
                    $(Why::$alone => $word,)*
                    $(Why::$whose(_) => $whose_word,)*
                }
            }

            /// The participant it is about; `None` if it is about the call.
            #[must_use]
            pub fn participant(self) -> Option<u32> {
                match self {
                    $(Why::$alone => None,)*
                    $(Why::$whose(participant) => Some(participant),)*
                }
            }

            fn of(code: &str, participant: Option<u32>) -> Option<Why> {
                match (code, participant) {
                    $(($word, None) => Some(Why::$alone),)*
                    $(($whose_word, Some(participant)) => Some(Why::$whose(participant)),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    of the call:
        Emergency "emergency"
        Forbidden "forbidden"
        Ended "call-ended"
        NobodyHuman "nobody-human"
        Unlogged "unlogged"
        NobodyConsents "nobody-consents"
        NotGranted "not-granted"
        Paused "paused"
        NotYet "not-yet"
        Taken "taken";
    of somebody:
        Declined "declined"
        Withdrawn "withdrawn"
        InDoubt "in-doubt"
        Minor "minor"
        OnHold "on-hold"
        ForbiddenFor "purpose-forbidden"
        Missing "consent-missing"
        Unannounced "announcement-missing"
        NotYetAnnounced "announcement-pending"
}

impl Why {
    /// Whether it is about what the platform recorded and when, not about anybody's consent.
    fn is_of_the_recorder(self) -> bool {
        match self {
            Why::NotGranted
            | Why::NotYet
            | Why::Paused
            | Why::Taken
            | Why::Unannounced(_)
            | Why::NotYetAnnounced(_)
            | Why::Ended => true,
            Why::Emergency
            | Why::Forbidden
            | Why::ForbiddenFor(_)
            | Why::NobodyHuman
            | Why::Declined(_)
            | Why::Withdrawn(_)
            | Why::InDoubt(_)
            | Why::Minor(_)
            | Why::OnHold(_)
            | Why::Unlogged
            | Why::NobodyConsents
            | Why::Missing(_) => false,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.participant() {
            Some(participant) => write!(f, "{}:{participant}", self.code()),
            None => f.write_str(self.code()),
        }
    }
}

impl FromStr for Why {
    type Err = UnknownReason;

    /// # Errors
    ///
    /// [`UnknownReason`] if no reason has this code.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = match text.split_once(':') {
            Some((code, participant)) => participant.parse().ok().and_then(|p| Why::of(code, Some(p))),
            None => Why::of(text, None),
        };
        found.ok_or(UnknownReason)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Why {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Why".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a code, and after a colon the number of the participant it is about: `missing:1`",
        })
    }
}

impl Serialize for Why {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Why {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that names no reason of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownReason;

impl fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing is in the way for such a reason")
    }
}

impl core::error::Error for UnknownReason {}

/// Why an upload is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "UploadRefusal"))]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Somebody withdrew.
    ConsentWithdrawn,
    /// Somebody said no.
    ConsentDeclined,
    /// Recording was never granted, or somebody's consent is missing wherever it is not covered.
    ConsentRequired,
    /// Some of it was recorded when that was not granted, or other recordings hold those moments.
    UncoveredAudio,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Refusal::ConsentWithdrawn => "consent-withdrawn",
            Refusal::ConsentDeclined => "consent-declined",
            Refusal::ConsentRequired => "consent-required",
            Refusal::UncoveredAudio => "uncovered-audio",
        }
    }

    /// Whether this reason is one of those for which an upload is refused so.
    #[must_use]
    pub fn is_for(self, why: Why) -> bool {
        match self {
            Refusal::ConsentWithdrawn => matches!(why, Why::Withdrawn(_)),
            Refusal::ConsentDeclined => matches!(why, Why::Declined(_)),
            Refusal::ConsentRequired => true,
            Refusal::UncoveredAudio => why.is_of_the_recorder(),
        }
    }

    /// The refusal of an upload that is not covered for these reasons, one for each stretch.
    fn of(reasons: &[Why], never_granted: bool) -> Refusal {
        let is_for = |refusal: &Refusal| reasons.iter().any(|why| refusal.is_for(*why));
        let objections = [Refusal::ConsentWithdrawn, Refusal::ConsentDeclined];
        match objections.into_iter().find(is_for) {
            Some(objection) => objection,
            None if !never_granted && is_for(&Refusal::UncoveredAudio) => Refusal::UncoveredAudio,
            None => Refusal::ConsentRequired,
        }
    }
}

/// What the sender of a refused upload can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing: the audio is to be deleted at its source.
    Delete,
    /// Send it again later.
    Wait,
    /// Send it again: what became uncovered while it was sent will be silenced.
    Resend,
    /// Cut off its beginning, which lies before recording was granted.
    CutHead {
        /// How much, in milliseconds.
        early_ms: u64,
        /// When recording was granted.
        granted_at: Timestamp,
    },
    /// Cut out what is uncovered: a clock explains it.
    CutEdges,
    /// Say when it was made.
    Place,
}

impl Why {
    /// Whether the law, or somebody on the call, does not want it recorded. The others are about how it was recorded, or
    /// about clocks.
    #[must_use]
    pub fn is_of_the_law(self) -> bool {
        match self {
            Why::Emergency
            | Why::Forbidden
            | Why::ForbiddenFor(_)
            | Why::Declined(_)
            | Why::Withdrawn(_)
            | Why::InDoubt(_)
            | Why::Minor(_)
            | Why::OnHold(_)
            | Why::Unlogged
            | Why::NobodyConsents
            | Why::Missing(_)
            | Why::Unannounced(_)
            | Why::NotYetAnnounced(_) => true,
            Why::Ended | Why::NobodyHuman | Why::NotGranted | Why::Paused | Why::NotYet | Why::Taken => false,
        }
    }
}

impl Uncovered {
    /// Whether it is the law that does not let it be kept. Otherwise it is not known when it was made.
    #[must_use]
    pub fn is_unlawful(&self) -> bool {
        match self {
            Uncovered::Spans(spans) => spans.iter().any(|span| span.why.is_of_the_law()),
            Uncovered::Withdrawn(_) | Uncovered::Emergency => true,
            Uncovered::Unplaced { .. } | Uncovered::TooLong { .. } | Uncovered::UsedUp { .. } => false,
        }
    }
}

impl Remedy {
    /// What becomes of the audio at its source: `delete`, or `retry`.
    #[must_use]
    pub fn source(self) -> &'static str {
        match self {
            Remedy::Delete => "delete",
            Remedy::Wait | Remedy::Resend | Remedy::CutHead { .. } | Remedy::CutEdges | Remedy::Place => {
                "retry"
            }
        }
    }
}

/// A stretch that is not covered, as the log has it: its first moment, the first after it, and why.
pub type Stretch = (Timestamp, Timestamp, Why);

/// How many stretches of a refused upload the log names; further ones are left out.
pub const MOST_STRETCHES: usize = 128;

impl Uncovered {
    /// Why an upload to this call is refused.
    #[must_use]
    pub fn refusal(&self, call: &Call, basis: CoverageBasis) -> Refusal {
        match self {
            Uncovered::Spans(spans) => {
                let reasons: Vec<Why> = spans.iter().map(|span| span.why).collect();
                Refusal::of(&reasons, call.never_granted(basis))
            }
            Uncovered::Unplaced { windows: 0 } if basis == CoverageBasis::Granted => Refusal::ConsentRequired,
            Uncovered::Unplaced { .. } | Uncovered::TooLong { .. } | Uncovered::UsedUp { .. } => {
                Refusal::UncoveredAudio
            }
            Uncovered::Withdrawn(_) => Refusal::ConsentWithdrawn,
            Uncovered::Emergency => Refusal::ConsentRequired,
        }
    }

    /// What its sender can do about it.
    #[must_use]
    pub fn remedy(&self, call: &Call, basis: CoverageBasis) -> Remedy {
        match self {
            Uncovered::Spans(spans) => {
                let objects = |why| {
                    matches!(why, Why::Withdrawn(_) | Why::Declined(_) | Why::Minor(_) | Why::Emergency)
                };
                let waits = |why| matches!(why, Why::NotYet | Why::NotYetAnnounced(_));
                if spans.iter().any(|span| objects(span.why)) {
                    return Remedy::Delete;
                }
                if let Some((early_ms, granted_at)) = early_head(spans, call) {
                    return Remedy::CutHead { early_ms, granted_at };
                }
                if spans.iter().all(|span| is_a_clocks(span, call)) {
                    return Remedy::CutEdges;
                }
                let later = !call.never_granted(basis) && spans.iter().all(|span| waits(span.why));
                if later { Remedy::Wait } else { Remedy::Delete }
            }
            Uncovered::Unplaced { windows: 0 } if basis == CoverageBasis::Granted => Remedy::Delete,
            Uncovered::Unplaced { .. } => Remedy::Place,
            Uncovered::UsedUp { .. } | Uncovered::Withdrawn(_) | Uncovered::Emergency => Remedy::Delete,
            Uncovered::TooLong { duration_ms, window_ms } => {
                let near = duration_ms.saturating_sub(*window_ms) <= EDGE_MS;
                if near { Remedy::Place } else { Remedy::Delete }
            }
        }
    }

    /// The stretches that the log names, [`MOST_STRETCHES`] at most; empty if it is refused as a whole.
    #[must_use]
    pub fn stretches(&self) -> Vec<Stretch> {
        match self {
            Uncovered::Spans(spans) => {
                spans.iter().map(|span| (span.from, span.until, span.why)).take(MOST_STRETCHES).collect()
            }
            Uncovered::Unplaced { .. }
            | Uncovered::TooLong { .. }
            | Uncovered::UsedUp { .. }
            | Uncovered::Withdrawn(_)
            | Uncovered::Emergency => Vec::new(),
        }
    }
}

impl Call {
    /// Whether an upload to this call can have been refused with this code, for these stretches.
    /// [`Call::uncovered`] says whether each of them is uncovered.
    #[must_use]
    pub fn can_refuse(&self, refusal: Refusal, stretches: &[Stretch], basis: CoverageBasis) -> bool {
        let mut reasons: Vec<Why> = stretches.iter().map(|(.., why)| *why).collect();
        if reasons.is_empty() {
            return self.can_refuse_whole(refusal, basis);
        }
        let never_granted = self.never_granted(basis);
        if Refusal::of(&reasons, never_granted) == refusal {
            return true;
        }
        // A stretch that was left out may have decided.
        stretches.len() >= MOST_STRETCHES
            && [Why::Withdrawn(0), Why::Declined(0), Why::NotGranted].into_iter().any(|left_out| {
                reasons.push(left_out);
                let found = Refusal::of(&reasons, never_granted);
                reasons.pop();
                found == refusal
            })
    }

    /// Whether recording had to be granted on this call, and never was.
    fn never_granted(&self, basis: CoverageBasis) -> bool {
        basis == CoverageBasis::Granted && self.windows().is_empty()
    }

    /// Whether an upload to this call can be refused with this code, whatever it holds.
    fn can_refuse_whole(&self, refusal: Refusal, basis: CoverageBasis) -> bool {
        let has_window = self.held_windows().next().is_some();
        match refusal {
            Refusal::ConsentRequired => {
                self.is_unrecorded_emergency() || basis == CoverageBasis::Granted && !has_window
            }
            Refusal::UncoveredAudio => basis == CoverageBasis::Lawful || has_window,
            Refusal::ConsentWithdrawn => {
                self.settings.on_withdrawal != OnWithdrawal::Keep
                    && self.people.iter().any(|person| person.withdrew_at().is_some())
            }
            Refusal::ConsentDeclined => false,
        }
    }
}

/// If only the beginning lies outside, before a window: by how much, and when the window begins.
fn early_head(uncovered: &[UncoveredSpan], call: &Call) -> Option<(u64, Timestamp)> {
    let (first, last) = (uncovered.first()?, uncovered.last()?);
    let early_ms = last.offset_ms.saturating_add(last.duration_ms());
    let whole = early_ms == uncovered.iter().map(UncoveredSpan::duration_ms).sum::<u64>();
    let before_a_window = call.windows().iter().any(|window| window.from == last.until);
    (first.offset_ms == 0 && whole && before_a_window).then_some((early_ms, last.until))
}

/// Whether a stretch is so short, and so near the edge of a window, that a clock or a platform that
/// reacts late explains it.
fn is_a_clocks(span: &UncoveredSpan, call: &Call) -> bool {
    let at_edge =
        call.windows().iter().any(|window| window.from == span.until || window.last_covered() == span.from);
    span.why == Why::NotYet || at_edge && span.duration_ms() <= EDGE_MS
}

/// How much beyond the edge of a window a clock may explain, in milliseconds.
const EDGE_MS: u64 = 1_000;
