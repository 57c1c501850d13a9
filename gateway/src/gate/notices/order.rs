//! Orders to platforms whose API takes them: what a suspended call's recorder has to do at once.
//!
//! An order is queued by the transaction that appends the entry which suspends the call, as what its account is told is.
//! It is an entry before it is sent. What the platform answers says that it has passed the order on, so that only a report
//! from the call confirms it: until then it is sent again, as a notification that does not arrive would be.
//!
//! INVARIANT: no order is sent that is not in the log; and none once the call has ended, recording was granted again, or the
//! call, decided on anew, asks for none.

use policy::{Control, What};
use uuid::Uuid;

use crate::gate::{ATTEMPTS, Fault, Gate, parse_id};
use crate::ledger::{Appended, Change, Job, NotificationRow};
use trail::{Actor, Body, Draft, Notice, Suspension};

/// What to do about an order now.
#[derive(Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing more.
    Settled,
    /// Send it to the legs of these ids.
    Send(Vec<String>),
    /// This gateway cannot: its configuration does not name the account's platform.
    NotHere,
}

/// What happened on a call since it was suspended.
enum Since {
    /// The platform no longer records.
    Over(&'static str),
    /// The call has ended.
    Ended,
    /// Recording was granted again.
    Granted,
}

impl Gate {
    /// The order that an entry makes, if its account's platform takes orders.
    pub(in crate::gate) fn ordered(&self, draft: &Draft, notice: &Notice) -> Option<Change> {
        let (Notice::Ordered(orders), Some(call)) = (notice, draft.call) else { return None };
        let due = orders.recording()?;
        // Another use that is ended meanwhile makes no new order.
        if self.warm.last_orders(call).is_some_and(|last| last.recording() == Some(due)) {
            return None;
        }
        let action = self.switches.get(&draft.log)?;
        let at = draft.at.as_millisecond();
        Some(Change::Notification {
            id: beside(draft.id),
            account: draft.log.clone(),
            kind: ORDER,
            call: Some(call),
            recording: None,
            action: Some(action.as_str().into()),
            at,
            due_at: at,
        })
    }

    /// What to do about an order now. It is logged before it is sent.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn order(&self, row: &NotificationRow) -> Result<Order, Fault> {
        let order = beside(parse_id(&row.id)?);
        let Some(call) = row.call.as_deref() else { return Ok(Order::Settled) };
        for _ in 0..ATTEMPTS {
            let Some(found) = self.ledger.call(parse_id(call)?).await? else { return Ok(Order::Settled) };
            // Nobody can tell the platform any more which call it was.
            if found.is_erased() {
                return Ok(Order::Settled);
            }
            let loaded = self.load_row(found).await?;
            let folded = self.folded(loaded.uid, &loaded.row).await?;
            let (mut is_logged, mut since, mut begun) = (false, None, false);
            for read in &folded.entries {
                let body = &read.leaf.body;
                if let Body::Suspension { order: of, says, .. } = body
                    && *of == order
                {
                    match says {
                        Suspension::Ordered { .. } => is_logged = true,
                        Suspension::Confirmed { .. } | Suspension::Failed { .. } => {
                            return Ok(Order::Settled);
                        }
                    }
                }
                if let Some(what) = body.what()
                    && begun
                    && since.is_none()
                {
                    since = since_of(what);
                }
                begun |= read.leaf.id == order;
            }
            let is_wanted = SUSPENDS.contains(&loaded.saw().action.as_str());
            let was_taken = row.outcome.as_deref().is_some_and(is_taken);
            let says = match (since, is_logged) {
                (Some(_), false) => return Ok(Order::Settled),
                (Some(Since::Over(by)), true) => Suspension::Confirmed { by: by.into() },
                (Some(Since::Ended), true) if was_taken => Suspension::Confirmed { by: ENDED.into() },
                (Some(Since::Ended), true) => {
                    Suspension::Failed { outcome: row.outcome.clone().unwrap_or_else(|| ENDED.into()) }
                }
                (Some(Since::Granted), true) => Suspension::Failed { outcome: SUPERSEDED.into() },
                (None, false) if !is_wanted => return Ok(Order::Settled),
                (None, true) if !is_wanted => Suspension::Failed { outcome: SUPERSEDED.into() },
                (None, false) => match self.switches.get(&row.account) {
                    Some(action) => Suspension::Ordered { action: *action },
                    None => return Ok(Order::NotHere),
                },
                (None, true) => return Ok(Order::Send(legs(&loaded.row.id, &loaded.context.aliases))),
            };
            let is_over = !matches!(says, Suspension::Ordered { .. });
            if self.log_suspension(&loaded, order, says).await? == Appended::Done && is_over {
                return Ok(Order::Settled);
            }
        }
        Err(Fault::contended())
    }

    /// Notes what an attempt came to: that the order was passed on, or why not. Given up, that is logged.
    ///
    /// # Errors
    ///
    /// If the ledger fails: it is tried again.
    pub async fn order_sent(&self, row: &NotificationRow, outcome: String) -> Result<bool, Fault> {
        let is_last = self.failed(row, outcome.clone()).await?;
        if !is_last {
            return Ok(false);
        }
        let order = beside(parse_id(&row.id)?);
        let outcome = if is_taken(&outcome) { UNCONFIRMED.into() } else { outcome };
        let Some(call) = row.call.as_deref() else { return Ok(true) };
        for _ in 0..ATTEMPTS {
            let found = self.ledger.call(parse_id(call)?).await?;
            let Some(found) = found.filter(|found| !found.is_erased()) else { return Ok(true) };
            let loaded = self.load_row(found).await?;
            let folded = self.folded(loaded.uid, &loaded.row).await?;
            // What was never ordered has not failed.
            let is_logged = folded.entries.iter().any(|read| {
                matches!(&read.leaf.body, Body::Suspension { order: of, says: Suspension::Ordered { .. }, .. } if *of == order)
            });
            if !is_logged {
                return Ok(true);
            }
            let says = Suspension::Failed { outcome: outcome.clone() };
            if self.log_suspension(&loaded, order, says).await? == Appended::Done {
                return Ok(true);
            }
        }
        Err(Fault::contended())
    }

    async fn log_suspension(
        &self,
        loaded: &crate::gate::Loaded,
        order: Uuid,
        says: Suspension,
    ) -> Result<Appended, Fault> {
        let body = Body::Suspension { order, says, saw: loaded.saw() };
        let at = loaded.now;
        let call = Some((loaded.uid, Some(loaded.head)));
        let draft = trail::draft(&loaded.row.account, at, &Actor::gateway(), call, body, None)?;
        self.append(Job { expects: loaded.expects(), entries: vec![draft], ..Job::default() }).await
    }
}

/// What a report after an order says of it.
fn since_of(what: &What) -> Option<Since> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "a projection: everything else says nothing of it")]
    match what {
        What::RecordingStopped => Some(Since::Over("recording.stopped")),
        What::RecordingPaused => Some(Since::Over("recording.paused")),
        What::Control(Control::Stop) => Some(Since::Over("recording.stop")),
        What::Control(Control::Pause(_)) => Some(Since::Over("recording.pause")),
        What::Control(Control::Start | Control::Resume) => Some(Since::Granted),
        What::Ended => Some(Since::Ended),
        _ => None,
    }
}

/// The ids under which a platform may know a call: its own, and those of its legs.
fn legs(id: &str, aliases: &[String]) -> Vec<String> {
    let mut legs = vec![id.to_owned()];
    legs.extend(aliases.iter().filter(|alias| alias.as_str() != id).cloned());
    legs
}

/// Whether an attempt came to a status that says that the order was passed on.
fn is_taken(outcome: &str) -> bool {
    outcome.len() == 3 && outcome.starts_with('2')
}

/// The order's id from its entry's, and the other way round: an account may be told of the same entry under the entry's own.
fn beside(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128() ^ 1)
}

/// The kind of an order in the queue.
pub const ORDER: &str = "suspension.ordered";
/// The actions of a decision that an order is for.
const SUSPENDS: [&str; 3] = ["pause", "stop", "end-call"];
const ENDED: &str = "call.ended";
const SUPERSEDED: &str = "superseded";
const UNCONFIRMED: &str = "unconfirmed";
