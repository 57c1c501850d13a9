//! The inventory: what the ledger says is kept, against what the store holds, both ways. It changes nothing.
//!
//! A gateway may serve meanwhile. What it accepts or deletes while the inventory is taken is looked at once more before
//! it is told of.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use uuid::Uuid;

use crate::gate::answer::{Difference, Differs, Inventory};
use crate::gate::{Fault, Gate, kept, parse_id};
use crate::ledger::{Question, RecordingRow};
use crate::vault::VaultError;
use crate::vault::inventory::{Item, State};
use seal::Envelope;
use trail::chain::Chain;
use trail::{Body, Leaf};

impl Gate {
    /// Compares the ledger with the store, and tells every difference.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the ledger or the store cannot be read. What was told by then is so.
    pub async fn take_inventory(&self, mut tell: impl FnMut(Difference)) -> Result<Inventory, Fault> {
        let began = self.clock.now();
        let mut taken = Inventory::default();
        let mut tell = |taken: &mut Inventory, found: Difference| {
            taken.count(found.what);
            tell(found);
        };
        for account in self.ledger.accounts().await? {
            for found in self.without_a_row(&account.id).await? {
                tell(&mut taken, found);
            }
        }
        let mut after = Uuid::nil();
        loop {
            let page = self.ledger.recordings_kept(after, AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            after = parse_id(&last.id)?;
            taken.recordings = taken.recordings.saturating_add(page.len() as u64);
            let mut looked =
                futures_util::stream::iter(page).map(|row| self.without_media(row)).buffered(TOGETHER);
            while let Some(found) = looked.next().await {
                if let Some(found) = found? {
                    tell(&mut taken, found);
                }
            }
        }
        let mut items = self.vault.items();
        let mut page = Vec::new();
        while items.recv_many(&mut page, AT_ONCE as usize).await > 0 {
            let read = page.drain(..).collect::<Result<Vec<Item>, _>>();
            let read = read.map_err(|error| Fault::damaged_by("the store cannot be read", error))?;
            taken.objects = taken.objects.saturating_add(read.len() as u64);
            for found in self.without_a_name(read, began).await? {
                tell(&mut taken, found);
            }
        }
        Ok(taken)
    }

    /// Recordings that an entry has accepted, and that the ledger does not know.
    async fn without_a_row(&self, account: &str) -> Result<Vec<Difference>, Fault> {
        let types = ["recording.accepted", "recording.released"].map(ToOwned::to_owned).to_vec();
        let mut question = Question { log: account.into(), types, ..Question::default() };
        let mut found = Vec::new();
        loop {
            let page = self.ledger.entries(&question, AT_ONCE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            question.after = Some((last.epoch, last.seq));
            let mut accepted = Vec::new();
            for row in &page {
                let leaf: Leaf = serde_json::from_slice(&row.leaf)
                    .map_err(|_| Fault::damaged("an entry cannot be read"))?;
                if let Body::Accepted { recording, .. } = leaf.body {
                    accepted.push(recording);
                }
            }
            let known = self.ledger.recordings_by_id(&accepted).await?;
            let known: Vec<Uuid> = known.iter().map(|row| parse_id(&row.id)).collect::<Result<_, _>>()?;
            let lost = accepted.into_iter().filter(|id| !known.contains(id));
            found.extend(lost.map(|recording| Difference {
                recording,
                account: Some(account.to_owned()),
                what: Differs::RowMissing,
                place: None,
                why: None,
            }));
        }
    }

    /// Whether the store lacks something of a recording that is kept.
    async fn without_media(&self, row: RecordingRow) -> Result<Option<Difference>, Fault> {
        let kept = kept(&row)?;
        let bytes = u64::try_from(row.bytes).unwrap_or(0);
        let told = |error: &VaultError| Chain(error).to_string();
        let lack = match self.vault.size(&kept).await {
            Ok(there) if there == bytes => match self.vault.envelope(&kept).await {
                Ok(Some(text)) if is_of(&text, &row) => None,
                Ok(Some(_)) => Some((Differs::EnvelopeMissing, Some("it is another one's".to_owned()))),
                Ok(None) if !row.enveloped => Some((Differs::Unfinished, None)),
                Ok(None) => Some((Differs::EnvelopeMissing, None)),
                Err(error) => Some((Differs::EnvelopeMissing, Some(told(&error)))),
            },
            Ok(there) => Some((Differs::MediaMissing, Some(format!("{there} of {bytes} bytes are there")))),
            Err(error) => Some((Differs::MediaMissing, Some(told(&error)))),
        };
        let Some((what, why)) = lack else { return Ok(None) };
        // It may have been deleted, or completed, meanwhile.
        let now = self.ledger.recording(&row.account, kept.id).await?;
        let stands = now.is_some_and(|now| now.deleted_at.is_none() && now.enveloped == row.enveloped);
        Ok(stands.then_some(Difference {
            recording: kept.id,
            account: Some(row.account),
            what,
            place: row.place,
            why,
        }))
    }

    /// What lies in the store though nothing names it, or though it was deleted.
    async fn without_a_name(&self, items: Vec<Item>, began: Timestamp) -> Result<Vec<Difference>, Fault> {
        let ids: Vec<Uuid> = items.iter().map(|item| item.recording).collect();
        let named = self.ledger.named_media(&ids).await?;
        let mut rows = BTreeMap::new();
        for row in self.ledger.recordings_by_id(&ids).await? {
            rows.insert(parse_id(&row.id)?, row);
        }
        let found = items.into_iter().filter_map(|item| {
            let what = match (rows.get(&item.recording), item.state) {
                (_, State::Deleted) => return None,
                (None, _) if named.contains(&item.recording) => return None,
                (None, _) => Differs::Unnamed,
                (Some(row), state) => match row.deleted_at {
                    Some(at) if at >= began.as_millisecond() => return None,
                    Some(_) if state == State::Whole => Differs::NotRemoved,
                    Some(_) => Differs::Unfinished,
                    None if is_at(row, &item) => return None,
                    None => Differs::Unnamed,
                },
            };
            Some(Difference {
                recording: item.recording,
                account: item.account,
                what,
                place: Some(item.place),
                why: Some(item.state.as_str().to_owned()),
            })
        });
        Ok(found.collect())
    }
}

/// Whether this is a recording's envelope.
fn is_of(text: &str, row: &RecordingRow) -> bool {
    let read = |text: &str| serde_json::from_str::<Envelope>(text).ok();
    let (there, known) = (read(text), row.envelope.as_deref().and_then(read));
    let same = |(there, known): (Envelope, Envelope)| {
        (there.account, there.recording, there.bytes, there.sha256)
            == (known.account, known.recording, known.bytes, known.sha256)
    };
    there.zip(known).is_some_and(same)
}

/// Whether it lies where the row says: the other copy of one that was copied is nobody's.
fn is_at(row: &RecordingRow, item: &Item) -> bool {
    match &row.place {
        Some(place) => place.strip_prefix(&item.place).is_some_and(|rest| rest.starts_with('/')),
        None => item.is_a_file(),
    }
}

/// How many rows or objects are read at once.
const AT_ONCE: u32 = 1_000;
/// How many recordings are looked up in the store at once.
const TOGETHER: usize = 8;
