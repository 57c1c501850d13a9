//! Anchoring: brings every signed head to the configured anchors, and keeps their answers. Nothing waits for
//! it: an anchor that does not answer is asked again later.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use tokio_util::sync::CancellationToken;

use super::{every, is_over};
use crate::anchor::http::{Http, HttpError, Limits};
use crate::anchor::store::{Kept, StoreError, WriteOnce};
use crate::anchor::timestamp::Authority;
use crate::anchor::witness::{CosignError, Witness, WitnessError};
use crate::anchor::{TIMESTAMP, WITNESS, WRITE_ONCE};
use crate::config::Config;
use crate::gate::{Fault, Gate};
use crate::ledger::{Appended, Change, Epoch, Job, LedgerError};
use crate::notary::{Proofs, SignedHead};
use trail::chain::Chain;
use trail::clock::Clock;

/// The configured anchors.
#[derive(Debug)]
pub struct Anchors {
    http: Http,
    witnesses: Vec<Witness>,
    authorities: Vec<(Authority, i64)>,
    write_once: Option<WriteOnce>,
}

impl Anchors {
    /// The anchors of the configuration; `None` if there are none.
    ///
    /// # Errors
    ///
    /// [`AnchoringError`]: one of them cannot be used as configured.
    pub fn new(config: &Config, clock: &Clock) -> Result<Option<Anchors>, AnchoringError> {
        if config.witness.is_empty() && config.timestamp.is_empty() && config.write_once.is_none() {
            return Ok(None);
        }
        let http = Http::new(Limits::default())?;
        let witnesses = config.witness.iter().map(|witness| Witness::new(witness, clock));
        let environment = |name: &str| std::env::var(name).ok();
        let write_once = match &config.write_once {
            Some(place) => Some(WriteOnce::open(place, &http, environment)?),
            None => None,
        };
        let every = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        Ok(Some(Anchors {
            witnesses: witnesses.collect::<Result<_, _>>()?,
            authorities: config
                .timestamp
                .iter()
                .map(|authority| (Authority::new(authority.url.clone()), every(authority.every_seconds)))
                .collect(),
            write_once,
            http,
        }))
    }

    /// Brings the signed heads of all logs to all anchors, until `stop` is cancelled.
    pub async fn run(self, gate: Arc<impl AsRef<Gate>>, stop: CancellationToken) {
        let mut tick = every(EVERY);
        while !is_over(&mut tick, &stop).await {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.round((*gate).as_ref()) => {}
            }
        }
    }

    /// One round: anchors are asked in parallel, each for one log after the other.
    pub fn round<'r>(&'r self, gate: &'r Gate) -> BoxFuture<'r, ()> {
        self.round_of(gate).boxed()
    }

    async fn round_of(&self, gate: &Gate) {
        let heads = match heads(gate).await {
            Ok(heads) => heads,
            Err(fault) => return tracing::error!(code = %fault.code(), "cannot read signed heads"),
        };
        let witnesses = self.witnesses.iter().map(|witness| self.ask(gate, witness, &heads).boxed());
        let authorities = self
            .authorities
            .iter()
            .map(|(authority, every)| self.date(gate, authority, *every, &heads).boxed());
        let kept = self.write_once.iter().map(|place| keep_all(gate, place, &heads).boxed());
        let all: Vec<BoxFuture<'_, ()>> = witnesses.chain(authorities).chain(kept).collect();
        join_all(all).await;
    }

    async fn ask(&self, gate: &Gate, witness: &Witness, heads: &[SignedHead]) {
        for head in heads {
            if let Err(error) = self.witness(gate, witness, head).await {
                tracing::warn!(witness = witness.name(), log = head.at.log, error = %Chain(&error), "a witness did not cosign");
            }
        }
    }

    async fn date(&self, gate: &Gate, authority: &Authority, every_ms: i64, heads: &[SignedHead]) {
        for head in heads {
            if let Err(error) = self.stamp(gate, authority, every_ms, head).await {
                tracing::warn!(authority = %authority.address(), log = head.at.log, error = %Chain(&error), "a time-stamping authority gave no stamp");
            }
        }
    }

    async fn witness(&self, gate: &Gate, witness: &Witness, head: &SignedHead) -> Result<(), AnchoringError> {
        let last = gate.ledger().last_anchor(&head.at, WITNESS, witness.name()).await?;
        let known = last.map_or(0, |(size, _)| u64::try_from(size).unwrap_or(0));
        if known >= head.size {
            return Ok(());
        }
        let (ledger, at, size) = (gate.ledger().clone(), head.at.clone(), head.size);
        let proof_for = move |old: u64| {
            let (ledger, at) = (ledger.clone(), at.clone());
            async move {
                let proof = Proofs::new(&ledger, &at, size).consistency(old).await?;
                proof.ok_or_else(|| LedgerError::Damaged("hashes of the tree are missing".into()))
            }
        };
        let cosigned = witness.cosign(&self.http, known, &head.note, proof_for).await.map_err(Box::new)?;
        let evidence = cosigned.signature.to_string().into_bytes();
        note(gate, head, WITNESS, witness.name(), evidence).await
    }

    async fn stamp(
        &self,
        gate: &Gate,
        authority: &Authority,
        every_ms: i64,
        head: &SignedHead,
    ) -> Result<(), AnchoringError> {
        let name = authority.address().to_string();
        let last = gate.ledger().last_anchor(&head.at, TIMESTAMP, &name).await?;
        let now = gate.clock().now().as_millisecond();
        let due = last.is_none_or(|(size, at)| {
            u64::try_from(size).unwrap_or(0) < head.size && now.saturating_sub(at) >= every_ms
        });
        if !due {
            return Ok(());
        }
        let stamp = authority.stamp(&self.http, &head.note.text).await?;
        note(gate, head, TIMESTAMP, &name, stamp.response).await
    }
}

async fn keep_all(gate: &Gate, place: &WriteOnce, heads: &[SignedHead]) {
    for head in heads {
        if let Err(error) = keep(gate, place, head).await {
            tracing::error!(log = head.at.log, error = %Chain(&error), "could not store a signed head in the write-once place");
        }
    }
}

async fn keep(gate: &Gate, place: &WriteOnce, head: &SignedHead) -> Result<(), AnchoringError> {
    let last = gate.ledger().last_anchor(&head.at, WRITE_ONCE, WRITE_ONCE).await?;
    if last.is_some_and(|(size, _)| u64::try_from(size).unwrap_or(0) >= head.size) {
        return Ok(());
    }
    match place.keep(&head.note).await? {
        Kept::New | Kept::Already => {}
    }
    note(gate, head, WRITE_ONCE, WRITE_ONCE, Vec::new()).await
}

/// Keeps what an anchor has said about a head, and the head.
async fn note(
    gate: &Gate,
    head: &SignedHead,
    kind: &'static str,
    name: &str,
    evidence: Vec<u8>,
) -> Result<(), AnchoringError> {
    let (log, epoch) = (head.at.log.clone(), head.at.epoch);
    let (size, at) = (i64::try_from(head.size).unwrap_or(i64::MAX), gate.clock().now().as_millisecond());
    let changes = vec![
        Change::Checkpoint {
            log: log.clone(),
            epoch,
            size,
            note: head.note.to_string(),
            at,
            // Stamps are rare, and their time is evidence, so their heads are kept.
            kept: kind == TIMESTAMP,
        },
        Change::Anchor { log, epoch, size, kind, name: name.to_owned(), evidence, at },
    ];
    match gate.ledger().append(Job { changes, ..Job::default() }).await? {
        Appended::Done | Appended::Conflict => Ok(()),
    }
}

/// The newest signed head of the current epoch of every log, and the last ones of those that have ended.
async fn heads(gate: &Gate) -> Result<Vec<SignedHead>, Fault> {
    let mut heads = Vec::new();
    for (log, head) in gate.ledger().heads().await? {
        for closed in gate.ledger().closed_logs(&log).await? {
            if closed.dropped_at.is_none() && closed.note.is_some() {
                heads.extend(gate.stored_head(&Epoch { log: log.clone(), epoch: closed.epoch }).await?);
            }
        }
        heads.extend(gate.stored_head(&Epoch { log, epoch: head.epoch }).await?);
    }
    Ok(heads)
}

/// Why a head was not confirmed.
#[derive(Debug, thiserror::Error)]
pub enum AnchoringError {
    /// The client cannot be made.
    #[error("anchors cannot be reached")]
    Http(#[from] HttpError),
    /// A witness cannot be used, or did not cosign.
    #[error("the witness cannot be used")]
    Witness(#[from] WitnessError),
    /// A witness did not cosign.
    #[error(transparent)]
    Cosign(#[from] Box<CosignError<LedgerError>>),
    /// An authority gave no stamp.
    #[error(transparent)]
    Timestamp(#[from] crate::anchor::timestamp::TimestampError),
    /// The write-once place refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// How often the heads are checked for anchors that lack one.
const EVERY: Duration = Duration::from_secs(5);
