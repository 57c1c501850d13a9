//! An authority that stamps checkpoints by RFC 3161 ([`trail::timestamp`]), over HTTP.
//!
//! INVARIANT: a [`Stamp`] is of the text and of the request it was asked for, and was granted.

use jiff::Timestamp;
use trail::timestamp;

use super::http::{Address, Answer, Http, HttpError};

/// A time stamping authority.
#[derive(Debug, Clone)]
pub struct Authority {
    address: Address,
}

impl Authority {
    /// The authority at this address.
    #[must_use]
    pub fn new(address: Address) -> Authority {
        Authority { address }
    }

    /// Asks for a stamp of a note's text.
    ///
    /// # Errors
    ///
    /// If there is no answer, or it is a refusal, or not one to this request.
    pub async fn stamp(&self, http: &Http, text: &str) -> Result<Stamp, TimestampError> {
        let nonce = u64::from_be_bytes(trail::random().map_err(|_| TimestampError::Random)?);
        let Answer { status, body, .. } =
            http.post(&self.address, QUERY, timestamp::query(text, nonce)).await?;
        if status != 200 {
            return Err(TimestampError::Status(status));
        }
        let time = timestamp::answer(&body, text, nonce)?;
        Ok(Stamp { time, response: body })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }
}

/// A stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// When it was made, according to the authority.
    pub time: Timestamp,
    /// The whole response, DER: what a `.tsr` file holds.
    pub response: Vec<u8>,
}

/// Why there is no stamp.
#[derive(Debug, thiserror::Error)]
pub enum TimestampError {
    /// No answer.
    #[error("the time stamping authority did not answer")]
    Http(#[from] HttpError),
    /// An answer that is not a time stamp response.
    #[error("the time stamping authority answered with status {0}")]
    Status(u16),
    /// No stamp of this text, for this request.
    #[error(transparent)]
    Response(#[from] timestamp::TimestampError),
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness")]
    Random,
}

const QUERY: &str = "application/timestamp-query";

#[cfg(test)]
mod tests;
#[cfg(test)]
#[path = "../../trail/src/timestamp/tsa.rs"]
mod tsa;
