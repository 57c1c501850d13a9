//! A call is loaded: it is folded from its entries, unless it is warm, and judged by the table in force as well.

use std::sync::Arc;

use jiff::Timestamp;
use policy::{Call, Table};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::access::Principal;
use crate::gate::call::warm::Folded;
use crate::gate::{CallRefusal, FOLDED_AT_ONCE, Fault, Gate, ask, blocking, parse_id};
use crate::ledger::{Appended, CallRow, Expect, Job, ParticipantRow};
use trail::{Body, Clocks, Draft, DraftError, Leaf, Saw};

/// A call as the gate has loaded it.
pub(in crate::gate) struct Loaded {
    pub(in crate::gate) uid: Uuid,
    pub(in crate::gate) row: CallRow,
    pub(in crate::gate) context: Context,
    pub(in crate::gate) names: Arc<Vec<ParticipantRow>>,
    /// Folded, and judged by the table in force as well.
    pub(in crate::gate) call: Call,
    pub(in crate::gate) head: Uuid,
    /// The table in force.
    pub(in crate::gate) table: Arc<Table>,
    /// The moment at which a request on this call is decided: never before the call's last entry.
    pub(in crate::gate) now: Timestamp,
    /// How many entries it has, with the gaps of its log that concern it.
    pub(in crate::gate) entries: usize,
    /// What its senders' events have shown of their clocks.
    pub(in crate::gate) clocks: Clocks,
    /// The pseudonyms of its participants' numbers.
    pub(in crate::gate) subjects: Vec<(u32, String)>,
    /// Those who objected on an earlier call of its id, by the pseudonyms of their numbers.
    pub(in crate::gate) objectors: Vec<(String, Timestamp)>,
}

/// The parts of the request that opened a call that are stored in addition to the facts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::gate) struct Context {
    /// SHA-256 of the request.
    pub(in crate::gate) digest: String,
    /// The purposes of the recording.
    pub(in crate::gate) purposes: Vec<String>,
    /// `inbound` or `outbound`.
    pub(in crate::gate) direction: Option<ask::Direction>,
    /// The ids of its legs.
    pub(in crate::gate) aliases: Vec<String>,
    /// Whether the platform said when it began.
    pub(in crate::gate) dated: bool,
}

impl Gate {
    /// Loads a call by its id or an alias.
    pub(in crate::gate) async fn load(&self, account: &str, name: &str) -> Result<Loaded, Fault> {
        let row = self.call_row(account, name).await?.ok_or(CallRefusal::Unknown)?;
        self.load_row(row).await
    }

    /// The row of the call that a request names, by its id or an alias. From here on, log lines for the
    /// request name the call by the gateway's id.
    pub(in crate::gate) async fn call_row(
        &self,
        account: &str,
        name: &str,
    ) -> Result<Option<CallRow>, Fault> {
        let row = self.ledger.call_by_name(account, name).await?;
        if let Some(row) = &row {
            tracing::Span::current().record("call", &row.uid);
        }
        Ok(row)
    }

    pub(in crate::gate) async fn load_row(&self, row: CallRow) -> Result<Loaded, Fault> {
        let uid = parse_id(&row.uid)?;
        let folded = self.folded(uid, &row).await?;
        let table = self.laws.in_force();
        let mut call = folded.call().clone();
        let now = self.clock.now().max(call.last());
        call.know(&table, now);
        self.end_readings(&mut call, (&row.account, row.restrictions), now).await?;
        let context =
            serde_json::from_str(&row.body).map_err(|_| Fault::damaged("a call's context cannot be read"))?;
        Ok(Loaded {
            uid,
            row,
            context,
            names: Arc::clone(&folded.names),
            call,
            head: folded.head,
            table,
            now,
            entries: folded.entries.len(),
            clocks: folded.clocks.clone(),
            subjects: folded.subjects.clone(),
            objectors: folded.objectors.clone(),
        })
    }

    /// The call, folded: as it was kept, or from its entries.
    pub(in crate::gate) async fn folded(&self, uid: Uuid, row: &CallRow) -> Result<Arc<Folded>, Fault> {
        // Nothing is decided once a log is found to be changed.
        if let Some(notary) = &self.notary {
            notary.sound()?;
        }
        if let Some(folded) = self.warm.find(uid, parse_id(&row.head)?, row.restrictions) {
            return Ok(folded);
        }
        let (leaves, names) = self.leaves_of(uid, row).await?;
        let head = last_of(uid, &leaves).ok_or_else(|| Fault::damaged("a call has no entries"))?;
        let (tables, restrictions) = (self.tables(&leaves).await?, row.restrictions);
        // A long call takes its time to fold: nobody else waits for it.
        let folded = blocking(leaves.len() > FOLDED_AT_ONCE, move || {
            Folded::of(head, &by_digest(&tables), leaves, names, restrictions)
        })
        .await??;
        let folded = Arc::new(folded);
        self.warm.keep(uid, Arc::clone(&folded));
        Ok(folded)
    }

    /// A call by the first `count` of its entries alone.
    pub(in crate::gate) async fn call_by(
        &self,
        folded: &Folded,
        count: usize,
    ) -> Result<policy::Call, Fault> {
        let entries = folded.entries.get(..count).unwrap_or_default();
        let leaves: Vec<Leaf> = entries.iter().map(|read| read.leaf.clone()).collect();
        let tables = self.tables(&leaves).await?;
        let earlier = blocking(count > FOLDED_AT_ONCE, move || {
            Folded::of(Uuid::nil(), &by_digest(&tables), leaves, Vec::new(), 0)
        });
        Ok(earlier.await??.call().clone())
    }

    /// Appends; a conflict means that somebody else was faster, and everything is looked at anew: the
    /// law as well.
    pub(crate) async fn append(&self, mut job: Job) -> Result<Appended, Fault> {
        let tells = self.notify(&mut job).await;
        let grown = self.warm.growth(&job);
        let reaches_calls = job.entries.iter().any(|draft| draft.reaches_calls);
        let appended = self.ledger.append(job).await;
        match &appended {
            Ok(Appended::Done) => {
                if tells {
                    self.queued.notify_one();
                }
                // What was known of somebody may be erased.
                if reaches_calls {
                    self.warm.clear();
                }
                for grown in grown {
                    match self.tables_of(grown.tables()).await {
                        Ok(tables) => self.warm.grow(&by_digest(&tables), grown),
                        Err(_) => self.warm.forget(&[grown]),
                    }
                }
            }
            Ok(Appended::Conflict) | Err(_) => self.warm.forget(&grown),
        }
        let appended = appended?;
        if appended == Appended::Conflict {
            self.refresh_law().await?;
        }
        Ok(appended)
    }

    /// A call's entries, the gaps in its log that concern it, and everybody who was ever on it. If logs are signed here,
    /// the entries are the ones that were signed.
    ///
    /// The index by which they are found is not signed: so each entry has to say itself that it is the call's, and to
    /// follow the one that it names, up to the one that the call's row had as its last.
    pub(in crate::gate) async fn leaves_of(
        &self,
        uid: Uuid,
        row: &CallRow,
    ) -> Result<(Vec<Leaf>, Vec<ParticipantRow>), Fault> {
        let (entries, names) = self.ledger.history(uid).await?;
        if let Some(notary) = &self.notary {
            notary.vouch(&row.account, &entries).await?;
        }
        let leaves: Result<Vec<Leaf>, _> =
            entries.iter().map(|entry| serde_json::from_slice(&entry.leaf)).collect();
        let leaves = leaves.map_err(|_| Fault::damaged("an entry cannot be read"))?;
        if !are_whole(uid, parse_id(&row.head)?, &leaves) {
            return Err(Fault::damaged("a call's entries do not belong together, or one is missing"));
        }
        Ok((leaves, names))
    }

    /// Folds a call by the tables that decided it.
    pub(in crate::gate) async fn fold(&self, leaves: &[Leaf]) -> Result<Call, Fault> {
        Ok(trail::fold(&by_digest(&self.tables(leaves).await?), leaves)?)
    }

    /// The tables by which these entries were decided.
    async fn tables(&self, leaves: &[Leaf]) -> Result<Vec<Arc<Table>>, Fault> {
        self.tables_of(leaves.iter().filter_map(|leaf| Some(leaf.body.saw()?.table.as_str()))).await
    }

    async fn tables_of(&self, digests: impl Iterator<Item = &str>) -> Result<Vec<Arc<Table>>, Fault> {
        let mut tables: Vec<Arc<Table>> = Vec::new();
        for digest in digests {
            if tables.iter().all(|known| known.digest() != digest) {
                tables.push(self.table(digest).await?);
            }
        }
        Ok(tables)
    }
}

impl Loaded {
    /// What the policy sees now.
    pub(in crate::gate) fn saw(&self) -> Saw {
        Saw::of(self.table.digest(), &self.call.decide(self.now))
    }

    /// The call's next entry.
    pub(in crate::gate) fn draft(
        &self,
        who: &Principal,
        at: Timestamp,
        body: Body,
        detail: Option<Value>,
    ) -> Result<Draft, DraftError> {
        trail::draft(&who.account, at, &who.into(), Some((self.uid, Some(self.head))), body, detail)
    }

    /// The participant's number, if they were ever on the call and their identity still exists.
    pub(in crate::gate) fn number_of(&self, id: &str) -> Option<u32> {
        let row = self.row_of(id).filter(|row| row.id != ask::OTHERS)?;
        u32::try_from(row.participant).ok()
    }

    /// The ids of everybody who is on the call now.
    pub(in crate::gate) fn present(&self) -> impl Iterator<Item = String> {
        let here =
            |row: &&ParticipantRow| u32::try_from(row.participant).is_ok_and(|p| self.call.is_present(p));
        self.names.iter().filter(here).map(|row| row.id.clone())
    }

    /// Whoever has this id.
    pub(in crate::gate) fn row_of(&self, id: &str) -> Option<&ParticipantRow> {
        self.names.iter().find(|row| row.id == id)
    }

    /// Whoever acts here must still see the call's last entry as it was, nobody on it erased since, no gap that is
    /// new, and the same law.
    pub(in crate::gate) fn expects(&self) -> Vec<Expect> {
        let digest = self.table.digest().to_owned();
        vec![
            Expect::Head { call: self.uid, head: self.head },
            Expect::Restrictions { account: self.row.account.clone(), count: self.row.restrictions },
            Expect::CallIs { call: self.uid, id: self.row.id.clone() },
            Expect::Law { digest: Some(digest) },
        ]
    }
}

/// The call's own last entry.
fn last_of(uid: Uuid, leaves: &[Leaf]) -> Option<Uuid> {
    leaves.iter().rev().find(|leaf| leaf.call == Some(uid)).map(|leaf| leaf.id)
}

/// Whether these are the call's entries, each after the one that it names, with `head` among them, and gaps.
fn are_whole(uid: Uuid, head: Uuid, leaves: &[Leaf]) -> bool {
    let (mut last, mut reaches_head) = (None, false);
    for leaf in leaves {
        match leaf.call {
            Some(call) if call == uid && leaf.prev == last => {
                last = Some(leaf.id);
                reaches_head |= leaf.id == head;
            }
            None if matches!(leaf.body, Body::Gap { .. }) => {}
            Some(_) | None => return false,
        }
    }
    reaches_head
}

fn by_digest(tables: &[Arc<Table>]) -> impl Fn(&str) -> Option<Arc<Table>> {
    |digest| tables.iter().find(|table| table.digest() == digest).cloned()
}
