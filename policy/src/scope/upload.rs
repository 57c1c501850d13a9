//! Whether a file can be one that the settings ask for.
//!
//! A file does not say why it was made, by which endpoint or in which direction. So it counts as asked for if any of the
//! settings could have started it; and its length is right if it is for any of those.

use serde::{Deserialize, Serialize};

use super::document::AccountDocument;
use super::merge::{self, Cells};
use super::{Endpoint, Line, Network, Settings};

/// Why a file is none that the settings ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "UnaskedReason"))]
#[serde(rename_all = "kebab-case")]
pub enum Unasked {
    /// Recording is enabled for none of the calls that it can be of.
    NotEnabled,
    /// It is shorter than every `record_min_sec`: Kazoo would have dropped it.
    TooShort,
    /// It is longer than every `time_limit`: Kazoo would have ended it.
    TooLong,
}

impl Unasked {
    /// All of them.
    pub const ALL: [Unasked; 3] = [Unasked::NotEnabled, Unasked::TooShort, Unasked::TooLong];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Unasked::NotEnabled => "not-enabled",
            Unasked::TooShort => "too-short",
            Unasked::TooLong => "too-long",
        }
    }
}

/// Why a file of so many milliseconds is none that an account with these endpoints asks for, on a call between these
/// networks; `None` if it can be one. An endpoint that is not listed has the account's own settings.
#[must_use]
pub fn unasked<'e>(
    line: Line,
    account: &AccountDocument,
    endpoints: impl IntoIterator<Item = &'e Endpoint>,
    calls: &[(Network, Network)],
    duration_ms: u64,
) -> Option<Unasked> {
    let own = merge::account(line, account);
    let (mut least, mut most) = (None::<u64>, None::<u64>);
    let mut ask = |endpoint: &Cells| {
        for call in calls {
            let scope = super::merged(&own, endpoint, endpoint, *call);
            for ruling in [scope.account, scope.source, scope.destination] {
                if ruling.record {
                    let (min_ms, max_ms) = bounds_ms(&ruling.settings);
                    least = Some(least.map_or(min_ms, |least| least.min(min_ms)));
                    most = Some(most.map_or(max_ms, |most| most.max(max_ms)));
                }
            }
        }
    };
    ask(&merge::endpoint(line, account, &Endpoint::default()));
    endpoints.into_iter().for_each(|endpoint| ask(&merge::endpoint(line, account, endpoint)));
    match (least, most) {
        (Some(least), Some(_)) if duration_ms < least => Some(Unasked::TooShort),
        (Some(_), Some(most)) if duration_ms > most.saturating_add(SLACK_MS) => Some(Unasked::TooLong),
        (Some(_), Some(_)) => None,
        (None, _) | (_, None) => Some(Unasked::NotEnabled),
    }
}

fn bounds_ms(settings: &Settings) -> (u64, u64) {
    let ms = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
    (ms(settings.record_min_sec), ms(settings.time_limit))
}

/// How much longer than its limit a file may be: the switch ends it late, and a codec fills its last frame.
const SLACK_MS: u64 = 1_000;
