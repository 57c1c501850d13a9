//! A witness by C2SP tlog-witness: it cosigns a checkpoint if it continues the last one that it has
//! seen of that log.
//!
//! Knows no tree: callers make the consistency proofs. A witness sees sizes and hashes, never an entry.
//!
//! INVARIANT: a [`Cosigned`] is a signature by this witness's key of exactly the checkpoint that was
//! sent, at a time that is not far from ours.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;

use super::WitnessConfig;
use super::http::{Address, Answer, Http, HttpError};
use trail::clock::Clock;
use trail::note::{Checkpoint, CheckpointError, KeyKind, Note, NoteError, Signature, VerifierKey};
use trail::tree::Hash;

/// A witness.
#[derive(Debug, Clone)]
pub struct Witness {
    name: String,
    key: VerifierKey,
    address: Address,
    clock: Clock,
}

impl Witness {
    /// The witness of a configuration.
    ///
    /// # Errors
    ///
    /// [`WitnessError::NotACosigner`] if its key is one that signs logs.
    pub fn new(config: &WitnessConfig, clock: &Clock) -> Result<Witness, WitnessError> {
        if config.key.kind() != KeyKind::Cosigner {
            return Err(WitnessError::NotACosigner(config.key.to_string()));
        }
        Ok(Witness {
            name: config.name.clone(),
            key: config.key.clone(),
            address: config.url.below("add-checkpoint"),
            clock: clock.clone(),
        })
    }

    /// What it is called here.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Has a checkpoint cosigned, starting from the size that the witness is known to have seen last, 0 if
    /// that is not known. If it has seen another one, it is asked once more.
    ///
    /// `proof_for` makes the consistency proof from a size to the checkpoint's; it is not called if that
    /// proof is empty.
    ///
    /// # Errors
    ///
    /// [`CosignError::Ahead`] if the witness has seen a longer log. Otherwise as
    /// [`Witness::add_checkpoint`], or what `proof_for` fails with.
    pub async fn cosign<E>(
        &self,
        http: &Http,
        last_known: u64,
        checkpoint: &Note,
        proof_for: impl AsyncFn(u64) -> Result<Vec<Hash>, E>,
    ) -> Result<Cosigned, CosignError<E>> {
        let ours = Checkpoint::parse(&checkpoint.text).map_err(WitnessError::Note)?.size;
        let mut old = last_known;
        let mut again = true;
        loop {
            if old > ours {
                return Err(CosignError::Ahead { theirs: old, ours });
            }
            let proof = match old == 0 || old == ours {
                true => Vec::new(),
                false => proof_for(old).await.map_err(CosignError::Proof)?,
            };
            match self.add_checkpoint(http, old, &proof, checkpoint).await {
                Err(WitnessError::WrongSize { theirs }) if again => {
                    old = theirs;
                    again = false;
                }
                Err(WitnessError::WrongSize { theirs }) if theirs > ours => {
                    return Err(CosignError::Ahead { theirs, ours });
                }
                answered => return Ok(answered?),
            }
        }
    }

    /// Sends a checkpoint with the proof that it continues the tree of `old_size` entries.
    ///
    /// # Errors
    ///
    /// [`WitnessError::WrongSize`] if the witness has last seen another size; others if it refuses, does not
    /// answer, or answers with something other than its cosignature.
    pub async fn add_checkpoint(
        &self,
        http: &Http,
        old_size: u64,
        proof: &[Hash],
        checkpoint: &Note,
    ) -> Result<Cosigned, WitnessError> {
        if proof.len() > LONGEST_PROOF {
            return Err(WitnessError::LongProof(proof.len()));
        }
        let request = request(old_size, proof, checkpoint);
        let Answer { status, content_type, body } = http.post(&self.address, PLAIN_TEXT, request).await?;
        match status {
            200 => self.cosigned(&checkpoint.text, &body),
            403 => Err(WitnessError::Forbidden),
            404 => Err(WitnessError::UnknownLog),
            409 if content_type.as_deref() == Some(TLOG_SIZE) => {
                Err(WitnessError::WrongSize { theirs: size(&body).ok_or(WitnessError::Malformed)? })
            }
            422 => Err(WitnessError::BadProof),
            other => Err(WitnessError::Status(other)),
        }
    }

    /// The witness's own among the lines of its answer; lines by keys that are not ours to know are
    /// ignored, as the specification says.
    fn cosigned(&self, text: &str, lines: &[u8]) -> Result<Cosigned, WitnessError> {
        let lines = std::str::from_utf8(lines).map_err(|_| WitnessError::Malformed)?;
        let answer = Note::parse(&format!("{text}\n{lines}")).map_err(|_| WitnessError::Malformed)?;
        if answer.text != text {
            return Err(WitnessError::Malformed);
        }
        let ours = |signature: &Signature| signature.name == self.key.name() && signature.id == self.key.id();
        let signature = answer.signatures.into_iter().find(ours).ok_or(WitnessError::NotCosigned)?;
        let alone = Note { text: answer.text, signatures: vec![signature] };
        let verified = alone.verified_by(std::slice::from_ref(&self.key)).map_err(WitnessError::Forged)?;
        let time = verified.first().and_then(|verified| verified.time).ok_or(WitnessError::NotCosigned)?;
        self.check_time(time)?;
        let signature = alone.signatures.into_iter().next().ok_or(WitnessError::NotCosigned)?;
        Ok(Cosigned { signature, time })
    }

    /// A witness may answer with a cosignature that it has made before, so the past is wide.
    fn check_time(&self, time: u64) -> Result<(), WitnessError> {
        let now = self.clock.now().as_second();
        let says = i64::try_from(time).unwrap_or(i64::MAX);
        let age = now.saturating_sub(says);
        if age < -seconds(MOST_AHEAD) || age > seconds(OLDEST) {
            return Err(WitnessError::Time { says, now: self.clock.now() });
        }
        Ok(())
    }
}

/// A cosignature that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The line to add to the checkpoint.
    pub signature: Signature,
    /// When the witness says that it signed, in seconds since 1970.
    pub time: u64,
}

/// Why a checkpoint was not cosigned.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// A key of another kind.
    #[error("`{0}` is not the key of a witness: it must be of the kind that makes cosignatures (0x04)")]
    NotACosigner(String),
    /// Not a checkpoint.
    #[error("the note to cosign is not a checkpoint")]
    Note(#[source] CheckpointError),
    /// More hashes than the protocol allows.
    #[error("a consistency proof of {0} hashes is longer than a witness accepts")]
    LongProof(usize),
    /// No answer.
    #[error("the witness did not answer")]
    Http(#[from] HttpError),
    /// It has last seen a tree of another size.
    #[error("the witness has last seen this log with {theirs} entries")]
    WrongSize {
        /// How many.
        theirs: u64,
    },
    /// The log's signature is not one that it knows.
    #[error("the witness does not know the key that signed this log; give it the log's current key")]
    Forbidden,
    /// It does not know the log.
    #[error("the witness does not know this log; ask its operator to add it")]
    UnknownLog,
    /// The log does not continue what it has seen.
    #[error("the witness says that this log does not continue the one that it has seen")]
    BadProof,
    /// Something else.
    #[error("the witness answered with status {0}")]
    Status(u16),
    /// Something that the protocol does not have.
    #[error("the witness answered with something that is not of its protocol")]
    Malformed,
    /// No cosignature by its key.
    #[error("the witness answered without a cosignature by its key")]
    NotCosigned,
    /// A cosignature that does not hold.
    #[error("the witness's cosignature does not verify")]
    Forged(#[source] NoteError),
    /// A cosignature of another time.
    #[error(
        "the witness says that it signed at {says} s since 1970, but here it is {now}; check both clocks"
    )]
    Time {
        /// When it says, in seconds since 1970.
        says: i64,
        /// What our clock says.
        now: Timestamp,
    },
}

/// Why a checkpoint was not cosigned, with the ways in which a proof for it may fail.
#[derive(Debug, thiserror::Error)]
pub enum CosignError<E> {
    /// The witness.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// It has seen a longer log: another node was faster, or this ledger is an older copy.
    #[error(
        "the witness has seen this log with {theirs} entries, and it has {ours} here: \
         another node was faster, or an older database was restored"
    )]
    Ahead {
        /// How many entries the witness has seen.
        theirs: u64,
        /// How many the checkpoint has.
        ours: u64,
    },
    /// No proof.
    #[error("the consistency proof for the witness could not be made")]
    Proof(#[source] E),
}

fn request(old_size: u64, proof: &[Hash], checkpoint: &Note) -> Vec<u8> {
    let mut body = format!("old {old_size}\n");
    for hash in proof {
        BASE64_STANDARD.encode_string(hash, &mut body);
        body.push('\n');
    }
    format!("{body}\n{checkpoint}").into_bytes()
}

/// A size in decimal, without leading zeros, and a line feed.
fn size(body: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(body).ok()?.strip_suffix('\n')?;
    let size: u64 = digits.parse().ok()?;
    (size.to_string() == digits).then_some(size)
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";
const TLOG_SIZE: &str = "text/x.tlog.size";
const LONGEST_PROOF: usize = 63;
const MOST_AHEAD: Duration = Duration::from_secs(5 * 60);
const OLDEST: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests;
