//! Calls that were loaded lately stay folded, so that the next verb on one need not read its entries.
//!
//! INVARIANT: what is kept is the fold of the call's entries up to `head`, and of its log's gaps as of the account's
//! count of `restrictions`. It is used only if the ledger names both still, and whoever decides on it has the
//! transaction expect both: what is out of date can only conflict. It grows by the very bytes that were appended,
//! never by what a verb made of it; what lapses by time, and what the table in force asks, is judged anew each time.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use policy::{Call, Table};
use trail::story::Read;
use trail::{Body, Clocks, FoldError, Folding, Kind, Leaf, Orders};
use uuid::Uuid;

use crate::ledger::{Change, Job, ParticipantRow};

/// A call, folded from its entries and from the gaps of its log.
#[derive(Debug, Clone)]
pub(in crate::gate) struct Folded {
    folding: Folding,
    /// Its last entry.
    pub(in crate::gate) head: Uuid,
    /// What its account's count was when its gaps were read.
    restrictions: i64,
    /// What it was folded from, in the order of the log; the places are counted from 0.
    pub(in crate::gate) entries: Vec<Read>,
    /// Who was ever on it.
    pub(in crate::gate) names: Arc<Vec<ParticipantRow>>,
    /// The pseudonyms of its participants' numbers.
    pub(in crate::gate) subjects: Vec<(u32, String)>,
    /// Who had objected on an earlier call of its id, by the pseudonyms of their numbers.
    pub(in crate::gate) objectors: Vec<(String, Timestamp)>,
    /// What its senders' events have shown of their clocks.
    pub(in crate::gate) clocks: Clocks,
    /// About how many bytes of memory it takes.
    bytes: usize,
}

/// A table by its digest.
pub(in crate::gate) type Tables<'t> = &'t dyn Fn(&str) -> Option<Arc<Table>>;

impl Folded {
    /// Folds a call of these leaves, whose own last one is `head`.
    pub(in crate::gate) fn of(
        head: Uuid,
        tables: Tables<'_>,
        leaves: Vec<Leaf>,
        names: Vec<ParticipantRow>,
        restrictions: i64,
    ) -> Result<Folded, FoldError> {
        let first = leaves.first().ok_or(FoldError::Empty)?;
        let mut folded = Folded {
            folding: Folding::open(tables, first)?,
            head,
            restrictions,
            entries: Vec::with_capacity(leaves.len()),
            bytes: names.iter().map(size_of_row).sum(),
            names: Arc::new(names),
            subjects: Vec::new(),
            objectors: Vec::new(),
            clocks: Clocks::default(),
        };
        if let Body::Opened { objectors, .. } = &first.body {
            folded.objectors.clone_from(objectors);
        }
        for (place, leaf) in leaves.into_iter().enumerate() {
            if place > 0 {
                folded.folding.step(tables, &leaf)?;
            }
            folded.note(leaf);
        }
        Ok(folded)
    }

    /// The call, as its entries say.
    pub(in crate::gate) fn call(&self) -> &Call {
        self.folding.call()
    }

    /// What was appended to the call.
    fn grow(&mut self, tables: Tables<'_>, grown: Grown) -> Result<(), FoldError> {
        for leaf in grown.leaves {
            self.folding.step(tables, &leaf)?;
            self.head = leaf.id;
            self.note(leaf);
        }
        for joined in grown.joined {
            self.bytes = self.bytes.saturating_add(size_of_row(&joined));
            let names = Arc::make_mut(&mut self.names);
            // As the ledger does: what was known of somebody stays, where nothing new is said.
            match names.iter_mut().find(|row| row.participant == joined.participant) {
                None => names.push(joined),
                Some(row) => {
                    row.number = joined.number.or(row.number.take());
                    row.ip = joined.ip.or(row.ip.take());
                    row.consent_grant = joined.consent_grant.or(row.consent_grant.take());
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, leaf: Leaf) {
        // Another use is a fold of its own over the same people.
        if leaf.body.kind() == Kind::UseStart {
            self.bytes = self.bytes.saturating_add(self.names.len().saturating_mul(PERSON));
        }
        self.subjects.extend_from_slice(leaf.body.subjects());
        self.clocks.see(&leaf);
        self.bytes = self.bytes.saturating_add(size_of(&leaf));
        let index = u64::try_from(self.entries.len()).unwrap_or(u64::MAX);
        self.entries.push(Read { index, leaf, detail: None });
    }
}

/// The calls that are kept.
#[derive(Debug, Default)]
pub(in crate::gate) struct Warm(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    calls: HashMap<Uuid, (u64, Arc<Folded>)>,
    /// When each was used last, the oldest first.
    used: BTreeMap<u64, Uuid>,
    uses: u64,
    bytes: usize,
}

/// What a job appends to a call that is kept.
#[derive(Debug)]
pub(in crate::gate) struct Grown {
    call: Uuid,
    from: Uuid,
    leaves: Vec<Leaf>,
    joined: Vec<ParticipantRow>,
}

impl Grown {
    /// The tables that its entries were decided by.
    pub(in crate::gate) fn tables(&self) -> impl Iterator<Item = &str> {
        self.leaves.iter().filter_map(|leaf| Some(leaf.body.saw()?.table.as_str()))
    }
}

impl Warm {
    /// The call, if it is kept and this is still its last entry, and the account's count.
    pub(in crate::gate) fn find(&self, call: Uuid, head: Uuid, restrictions: i64) -> Option<Arc<Folded>> {
        let mut kept = self.lock();
        let folded = kept.calls.get(&call).map(|(_, folded)| Arc::clone(folded))?;
        if folded.head != head || folded.restrictions != restrictions {
            return None;
        }
        kept.use_now(call, Arc::clone(&folded));
        Some(folded)
    }

    /// Keeps a call.
    pub(in crate::gate) fn keep(&self, call: Uuid, folded: Arc<Folded>) {
        self.lock().use_now(call, folded);
    }

    /// What the platform has last been told to do, if the call is kept: by the call's last entry of which an account is told
    /// as an order, so that what another entry saw first is still told.
    pub(in crate::gate) fn last_orders(&self, call: Uuid) -> Option<Orders> {
        let folded = self.lock().calls.get(&call).map(|(_, folded)| Arc::clone(folded))?;
        folded.entries.iter().rev().find_map(|read| read.leaf.body.orders())
    }

    /// What this job appends to calls that are kept. Call it before the job is appended.
    pub(in crate::gate) fn growth(&self, job: &Job) -> Vec<Grown> {
        let mut all: Vec<Grown> = Vec::new();
        for draft in &job.entries {
            let Some(call) = draft.call else { continue };
            if !self.lock().calls.contains_key(&call) {
                continue;
            }
            let leaf = match serde_json::from_slice::<Leaf>(&draft.leaf) {
                Ok(leaf) if leaf.prev.is_some() => leaf,
                Ok(_) | Err(_) => continue,
            };
            match (all.iter_mut().find(|grown| grown.call == call), leaf.prev) {
                (Some(grown), _) => grown.leaves.push(leaf),
                (None, Some(from)) => {
                    all.push(Grown { call, from, leaves: vec![leaf], joined: joined(job, call) });
                }
                (None, None) => {}
            }
        }
        all
    }

    /// It was appended. Where the call is not kept as it was before, it is not kept at all.
    pub(in crate::gate) fn grow(&self, tables: Tables<'_>, grown: Grown) {
        let (call, from) = (grown.call, grown.from);
        let Some(mut folded) = self.lock().take_if(call, |folded| folded.head == from) else { return };
        // Alone but for those who look at it just now.
        if Arc::make_mut(&mut folded).grow(tables, grown).is_ok() {
            self.keep_newer(call, from, folded);
        }
    }

    /// Whether it was appended is not known, or it was not.
    pub(in crate::gate) fn forget(&self, grown: &[Grown]) {
        let mut kept = self.lock();
        for grown in grown {
            drop(kept.take_if(grown.call, |folded| folded.head == grown.from));
        }
    }

    /// Nothing is kept any more.
    pub(in crate::gate) fn clear(&self) {
        *self.lock() = Kept::default();
    }

    /// Somebody else may have loaded it meanwhile, with more in it.
    fn keep_newer(&self, call: Uuid, from: Uuid, folded: Arc<Folded>) {
        let mut kept = self.lock();
        if kept.calls.get(&call).is_none_or(|(_, other)| other.head == from) {
            kept.use_now(call, folded);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn take_if(&mut self, call: Uuid, is: impl FnOnce(&Folded) -> bool) -> Option<Arc<Folded>> {
        self.calls.get(&call).filter(|(_, folded)| is(folded))?;
        let (used, folded) = self.calls.remove(&call)?;
        self.used.remove(&used);
        self.bytes = self.bytes.saturating_sub(folded.bytes);
        Some(folded)
    }

    /// Puts it last in the order in which calls are forgotten; those that were not used for longest make room.
    fn use_now(&mut self, call: Uuid, folded: Arc<Folded>) {
        drop(self.take_if(call, |_| true));
        self.uses = self.uses.wrapping_add(1);
        self.bytes = self.bytes.saturating_add(folded.bytes);
        self.used.insert(self.uses, call);
        self.calls.insert(call, (self.uses, folded));
        while self.bytes > MAX_BYTES
            && let Some((_, oldest)) = self.used.first_key_value()
        {
            let oldest = *oldest;
            drop(self.take_if(oldest, |_| true));
        }
    }
}

/// Who comes to a call by this job.
fn joined(job: &Job, call: Uuid) -> Vec<ParticipantRow> {
    let mut joined = Vec::new();
    for change in &job.changes {
        if let Change::Participant { call: of, participant, id, number, ip, grant } = change
            && *of == call
        {
            joined.push(ParticipantRow {
                participant: i64::from(*participant),
                id: id.clone(),
                number: number.clone(),
                ip: ip.clone(),
                consent_grant: grant.clone(),
            });
        }
    }
    joined
}

/// What an entry takes in memory, about: itself, what it holds of people, and what the fold keeps of it.
fn size_of(leaf: &Leaf) -> usize {
    let people = if let Body::Opened { facts, .. } = &leaf.body { facts.participants.len() } else { 1 };
    let seen = leaf.body.saw().map_or(0, |saw| saw.participants.len());
    people.saturating_mul(PERSON).saturating_add(seen.saturating_mul(SEEN)).saturating_add(ENTRY)
}

fn size_of_row(row: &ParticipantRow) -> usize {
    ROW.saturating_add(row.id.len())
}

/// How many bytes all calls that are kept may take.
const MAX_BYTES: usize = 96 << 20;
/// What an entry takes: as long as it is in memory, with its ids, its nonce and what was seen.
const ENTRY: usize = 1_500;
/// What one person more takes, in an entry and in the fold.
const PERSON: usize = 1_000;
/// What an entry takes for each person whom the policy saw.
const SEEN: usize = 250;
/// What a participant's names take, beside their id.
const ROW: usize = 500;
