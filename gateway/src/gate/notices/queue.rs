//! The queue: what is to be told, in order, until it is delivered or given up.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::gate::answer::{Notification, NotificationQueue};
use crate::gate::{AccountSettings, Fault, Gate, Thing, from_row, parse_id};
use crate::ledger::{Appended, Change, Expect, Job, NotificationRow};
use crate::webhook::{Message, WebhookUrl};
use trail::{Draft, Notice, SYSTEM_LOG};

impl Gate {
    /// Has an account told of a job's entries, by the transaction that appends them. Returns whether there is
    /// anything to tell.
    pub(in crate::gate) async fn notify(&self, job: &mut Job) -> bool {
        let mut news = Vec::new();
        for (index, draft) in job.entries.iter().enumerate() {
            if draft.log != SYSTEM_LOG
                && let Some(notice) = &draft.notice
                && self.is_new(job.entries.get(..index).unwrap_or_default(), draft, notice)
            {
                news.push((draft, notice));
            }
        }
        let (mut changes, mut known) = (Vec::new(), BTreeMap::new());
        for (draft, notice) in news {
            changes.extend(self.ordered(draft, notice));
            match self.notification(draft, notice, &mut known).await {
                Ok(change) => changes.extend(change),
                // Whether somebody is to be told is found out when it is delivered.
                Err(fault) => {
                    tracing::warn!(code = %fault.code(), entry = %draft.id, "could not read whether an account is to be told; it is queued");
                    changes.push(queued(draft, notice, draft.call, draft.at.as_millisecond()));
                }
            }
        }
        let any = !changes.is_empty();
        job.changes.extend(changes);
        any
    }

    /// Whether the entry says something new. An order is repeated by every entry until it is followed.
    fn is_new(&self, before: &[Draft], draft: &Draft, notice: &Notice) -> bool {
        if *notice == Notice::Overdue {
            return !before
                .iter()
                .any(|other| other.call == draft.call && other.notice.as_ref() == Some(&Notice::Overdue));
        }
        let (Notice::Ordered(orders), Some(call)) = (notice, draft.call) else { return true };
        match before.iter().rev().find(|other| other.call == Some(call)) {
            Some(Draft { notice: Some(Notice::Ordered(before)), .. }) => orders.adds_to(before),
            Some(_) => true,
            None => self.warm.last_orders(call).is_none_or(|before| orders.adds_to(&before)),
        }
    }

    /// `known` are the settings of accounts that were read for the same job, as far as they have a webhook.
    async fn notification<'d>(
        &self,
        draft: &'d Draft,
        notice: &Notice,
        known: &mut BTreeMap<&'d str, Option<AccountSettings>>,
    ) -> Result<Vec<Change>, Fault> {
        if !known.contains_key(draft.log.as_str()) {
            let row = self.ledger.account(&draft.log).await?;
            let settings = row.map(|row| AccountSettings::read(&row.settings)).transpose()?;
            known.insert(&draft.log, settings.filter(|settings| settings.webhook.url.is_some()));
        }
        let Some(Some(settings)) = known.get(draft.log.as_str()) else { return Ok(Vec::new()) };
        let due_at = match (notice, draft.call) {
            // The first key is nobody's further recipient.
            (Notice::RecipientAdded, _) if self.ledger.keys(&draft.log).await?.is_empty() => {
                return Ok(Vec::new());
            }
            (Notice::Overdue, Some(call)) => {
                if self.ledger.overdue_waits(call).await? {
                    return Ok(Vec::new());
                }
                let after = i64::from(settings.overdue_seconds).saturating_mul(1000);
                draft.at.as_millisecond().saturating_add(after)
            }
            _ => draft.at.as_millisecond(),
        };
        let recording = notice.recording();
        let call = match (draft.call, recording) {
            (None, Some(recording)) => {
                let row = self.ledger.recording(&draft.log, recording).await?;
                row.map(|row| parse_id(&row.call)).transpose()?
            }
            (call, _) => call,
        };
        let mut changes = vec![queued(draft, notice, call, due_at)];
        if let Notice::Refused { discarded: true } = notice {
            changes.extend(at_the_days_end(draft)?);
        }
        Ok(changes)
    }

    /// Waits until something was queued here.
    pub async fn queued(&self) {
        self.queued.notified().await;
    }

    /// What is to be tried now, of every account at most so many.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn due(&self, each: i64, limit: i64) -> Result<Vec<NotificationRow>, Fault> {
        Ok(self.ledger.notifications_due(self.clock.now().as_millisecond(), each, limit).await?)
    }

    /// Takes a notification for a while, so that no other gateway tries it; false if another one was faster.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn take(&self, row: &NotificationRow) -> Result<bool, Fault> {
        let until = self.clock.now().as_millisecond().saturating_add(LEASE_MS);
        let tried = tried(row, row.attempts, until, row.outcome.clone(), None)?;
        let expects = vec![Expect::NotificationDue { id: parse_id(&row.id)?, due_at: row.due_at }];
        let taken = self.ledger.append(Job { expects, changes: vec![tried], ..Job::default() }).await?;
        Ok(taken == Appended::Done)
    }

    /// What an account is told now, and where; `None` if it has no webhook any more.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn message(&self, row: &NotificationRow) -> Result<Option<(WebhookUrl, Message)>, Fault> {
        let Some(account) = self.ledger.account(&row.account).await? else { return Ok(None) };
        let webhook = AccountSettings::read(&account.settings)?.webhook;
        let Some(url) = webhook.url else { return Ok(None) };
        if row.kind == Notice::Overdue.as_str() && self.overdue(row).await?.is_empty() {
            return Ok(None);
        }
        let at = self.clock.now();
        let mut secrets = vec![self.webhook_secret(&row.account, webhook.generation)];
        if webhook.both_until.is_some_and(|until| at < until) {
            secrets.push(self.webhook_secret(&row.account, webhook.generation.saturating_sub(1)));
        }
        let body = serde_json::to_vec(&self.payload(row).await?)
            .map_err(|_| Fault::damaged("a notification cannot be written"))?;
        Ok(Some((url, Message { id: row.id.clone(), at, body, secrets })))
    }

    /// Notes that a notification is delivered, or that nobody wants it any more.
    ///
    /// # Errors
    ///
    /// If the ledger fails: it is sent again.
    pub async fn settled(&self, row: &NotificationRow) -> Result<(), Fault> {
        let done = Change::NotificationDone { id: parse_id(&row.id)? };
        self.ledger.append(Job { changes: vec![done], ..Job::default() }).await?;
        Ok(())
    }

    /// Notes that an attempt failed. Returns whether it was the last.
    ///
    /// # Errors
    ///
    /// If the ledger fails: it is tried again.
    pub async fn failed(&self, row: &NotificationRow, outcome: String) -> Result<bool, Fault> {
        let now = self.clock.now().as_millisecond();
        let attempts = row.attempts.saturating_add(1);
        let due_at = now.saturating_add(delay_ms(attempts, parse_id(&row.id)?));
        // One that waited for others of its call, or for a gateway that was down, has its attempts all the same.
        let is_last = attempts >= LEAST_ATTEMPTS && due_at.saturating_sub(row.queued_at) > GIVEN_UP_AFTER_MS;
        let failed_at = is_last.then_some(now);
        let change = tried(row, attempts, due_at, Some(outcome), failed_at)?;
        self.ledger.append(Job { changes: vec![change], ..Job::default() }).await?;
        Ok(is_last)
    }

    /// Forgets what was given up thirty days ago: nobody has asked for it since.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn forget_given_up(&self) -> Result<(), Fault> {
        let given_up_before = self.clock.now().as_millisecond().saturating_sub(FORGOTTEN_AFTER_MS);
        let forgotten = Change::NotificationsForgotten { given_up_before };
        self.ledger.append(Job { changes: vec![forgotten], ..Job::default() }).await?;
        Ok(())
    }

    /// What an account is still to be told, and what was given up.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn notifications(&self, account: &str) -> Result<NotificationQueue, Fault> {
        let now = self.clock.now().as_millisecond();
        let (waiting, oldest, failed) = self.ledger.notifications_left(account, now).await?;
        let rows = self.ledger.notifications(account, now, LISTED).await?;
        Ok(NotificationQueue {
            waiting,
            oldest: oldest.map(|at| from_row(at).into()),
            failed,
            notifications: rows.into_iter().map(shown).collect::<Result<_, _>>()?,
        })
    }

    /// Has a notification tried again at once.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is none, or it is delivered.
    pub async fn try_again(&self, account: &str, id: &str) -> Result<Notification, Fault> {
        let id: Uuid = id.parse().map_err(|_| Thing::Notification)?;
        let row = self.ledger.notification(account, id).await?.ok_or(Thing::Notification)?;
        let now = self.clock.now().as_millisecond();
        let change = tried(&row, row.attempts, now, row.outcome.clone(), None)?;
        self.ledger.append(Job { changes: vec![change], ..Job::default() }).await?;
        self.queued.notify_one();
        shown(NotificationRow { due_at: now, failed_at: None, ..row })
    }
}

/// That uploads were discarded on the day of this entry: told once, when the day is over.
fn at_the_days_end(draft: &Draft) -> Result<Option<Change>, Fault> {
    let (day, end) = day_of(draft.at)?;
    let mut hash = Sha256::new();
    for text in [Notice::DISCARDED, &draft.log, &day.to_string()] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    // The same for every entry of the day, so that it is queued once.
    let id =
        hash.finalize().first_chunk::<16>().map(|bytes| uuid::Builder::from_custom_bytes(*bytes).into_uuid());
    Ok(id.map(|id| Change::Notification {
        id,
        account: draft.log.clone(),
        kind: Notice::DISCARDED,
        call: None,
        recording: None,
        action: None,
        at: draft.at.as_millisecond(),
        due_at: end.as_millisecond(),
    }))
}

/// The day of a moment, UTC, and when it is over.
pub(super) fn day_of(at: Timestamp) -> Result<(Date, Timestamp), Fault> {
    let over = || {
        let day = at.to_zoned(TimeZone::UTC).date();
        Ok((day, day.tomorrow()?.to_zoned(TimeZone::UTC)?.timestamp()))
    };
    over().map_err(|_: jiff::Error| Fault::damaged("a day never ends"))
}

fn tried(
    row: &NotificationRow,
    attempts: i64,
    due_at: i64,
    outcome: Option<String>,
    failed_at: Option<i64>,
) -> Result<Change, Fault> {
    Ok(Change::NotificationTried { id: parse_id(&row.id)?, attempts, due_at, outcome, failed_at })
}

fn shown(row: NotificationRow) -> Result<Notification, Fault> {
    Ok(Notification {
        id: parse_id(&row.id)?,
        kind: row.kind,
        recording: row.recording.as_deref().map(parse_id).transpose()?,
        queued_at: from_row(row.queued_at).into(),
        attempts: row.attempts,
        outcome: row.outcome,
        next_at: row.failed_at.is_none().then(|| from_row(row.due_at).into()),
        failed_at: row.failed_at.map(|at| from_row(at).into()),
    })
}

/// How long to wait after so many attempts: up to a tenth longer, by its id, so that what was queued at once is not
/// tried at once.
fn delay_ms(attempts: i64, id: Uuid) -> i64 {
    let after = usize::try_from(attempts.saturating_sub(1)).ok().and_then(|index| DELAYS.get(index));
    let delay = i64::try_from(after.unwrap_or(&LATER).as_millis()).unwrap_or(i64::MAX);
    let tenth = u128::try_from(delay / 10).unwrap_or(0).max(1);
    // The id's random part, and another place in it for every attempt.
    let spread = id.as_u128().rotate_right(u32::try_from(attempts.rem_euclid(32)).unwrap_or(0)) % tenth;
    delay.saturating_add(i64::try_from(spread).unwrap_or(0))
}

/// The pauses after the first attempts, and those after them.
const DELAYS: [SignedDuration; 6] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_secs(30),
    SignedDuration::from_mins(2),
    SignedDuration::from_mins(10),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(1),
];
const LATER: SignedDuration = SignedDuration::from_hours(4);
/// What is not delivered three days after it was queued is given up.
const GIVEN_UP_AFTER_MS: i64 = 3 * 24 * 3_600_000;
/// What was given up is kept for thirty days, to be tried again on request.
const FORGOTTEN_AFTER_MS: i64 = 30 * 24 * 3_600_000;
/// How long a gateway may take to try, in milliseconds: an attempt takes at most 10 s.
const LEASE_MS: i64 = 20_000;
/// How many are listed at once.
const LISTED: i64 = 1_000;

/// How often one is tried at least before it is given up.
const LEAST_ATTEMPTS: i64 = 6;

/// What is queued of an entry.
fn queued(draft: &Draft, notice: &Notice, call: Option<Uuid>, due_at: i64) -> Change {
    let action = if let Notice::Ordered(orders) = notice { Some(orders.written()) } else { None };
    let (account, at) = (draft.log.clone(), draft.at.as_millisecond());
    let (kind, recording) = (notice.as_str(), notice.recording());
    Change::Notification { id: draft.id, account, kind, call, recording, action, at, due_at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_three_days_hold_some_twenty_attempts() {
        let id = Uuid::from_u128(0x0192_7c3d_5a11_7b2e_9c04_1122_3344_5566);
        let (mut at, mut attempts, mut last) = (0, 0, 0);
        while at <= GIVEN_UP_AFTER_MS {
            attempts += 1;
            let delay = delay_ms(attempts, id);
            assert!(delay >= last || attempts > 7, "{attempts}");
            (at, last) = (at + delay, delay);
        }
        assert!((20..30).contains(&attempts), "{attempts}");
        assert!((5_000..=5_500).contains(&delay_ms(1, id)));
    }
}
