//! What a message says: made when it is sent, from what is known then.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::gate::notices::queue::day_of;
use crate::gate::{Fault, FaultCode, Gate, from_row, parse_id};
use crate::ledger::{NotificationRow, Question};
use trail::clock::Moment;
use trail::{Body, Leaf, Notice, Orders};

impl Gate {
    /// The message: its type, when it happened, and what is known of it. What was erased is null.
    pub(in crate::gate) async fn payload(&self, row: &NotificationRow) -> Result<Value, Fault> {
        let mut data = Map::new();
        data.insert("account".into(), json!(row.account));
        match row.kind == Notice::DISCARDED {
            true => self.discarded(row, &mut data).await?,
            false => drop(data.insert("entry".into(), json!(row.id))),
        }
        if let Some(call) = &row.call {
            data.insert("call".into(), json!(self.call_of(call).await?));
        }
        if let Some(recording) = &row.recording {
            data.insert("recording".into(), self.recording_of(&row.account, recording).await?);
        }
        if let Some(action) = &row.action {
            let orders = Orders::read(action);
            if let Some(action) = orders.recording() {
                data.insert("action".into(), json!(action));
            }
            let uses = orders.uses().map(|(of, action)| json!({"use": of, "action": action}));
            data.insert("uses".into(), uses.collect());
        }
        if row.kind == REFUSED
            && let Some(call) = &row.call
        {
            self.refusal(call, &row.id, &mut data).await?;
        }
        if let Some(recording) = &row.recording
            && QUARANTINE.contains(&row.kind.as_str())
        {
            self.quarantine_of(&row.account, recording, &row.kind, &mut data).await?;
        }
        if row.kind == Notice::Overdue.as_str() {
            let windows = self.overdue(row).await?;
            let shown =
                windows.iter().map(|(from, until)| json!({"from": Moment(*from), "until": Moment(*until)}));
            data.insert("windows".into(), shown.collect());
        }
        let at = Moment(from_row(row.queued_at));
        Ok(json!({"type": row.kind, "timestamp": at, "data": data}))
    }

    /// The windows of a call that were granted and closed, and of which nothing came: neither a recording, nor an upload
    /// that was refused.
    pub(in crate::gate) async fn overdue(
        &self,
        row: &NotificationRow,
    ) -> Result<Vec<(Timestamp, Timestamp)>, Fault> {
        let Some(call) = &row.call else { return Ok(Vec::new()) };
        let uid = parse_id(call)?;
        let Some(opened) = self.ledger.call(uid).await? else { return Ok(Vec::new()) };
        let folded = self.folded(uid, &opened).await?;
        let came = |from: Timestamp, until: Timestamp| {
            folded.entries.iter().any(|read| {
                if let Body::Accepted { spans, .. } = &read.leaf.body {
                    return spans.iter().any(|(begin, end)| *begin < until && from < *end);
                }
                matches!(read.leaf.body, Body::Refused { .. } | Body::Unasked { .. }) && read.leaf.at >= from
            })
        };
        let closed = folded.call().windows().iter().filter_map(|window| Some((window.from, window.until?.0)));
        Ok(closed.filter(|(from, until)| from < until && !came(*from, *until)).collect())
    }

    /// The platform's id of a call, unless it was erased.
    async fn call_of(&self, uid: &str) -> Result<Option<String>, Fault> {
        let row = self.ledger.call(parse_id(uid)?).await?;
        Ok(row.filter(|row| !row.is_erased()).map(|row| row.id))
    }

    /// A recording as it is described to listeners, without the envelope; its id alone once it is deleted.
    async fn recording_of(&self, account: &str, id: &str) -> Result<Value, Fault> {
        let live = self.ledger.recording(account, parse_id(id)?).await?;
        let Some(row) = live.filter(|row| row.deleted_at.is_none()) else { return Ok(json!({"id": id})) };
        let mut described = serde_json::to_value(self.description(&row).await?)
            .map_err(|_| Fault::damaged("a recording cannot be described"))?;
        if let Some(described) = described.as_object_mut() {
            described.remove("envelope");
            if self.call_of(&row.call).await?.is_none() {
                OUTSIDERS.iter().for_each(|word| drop(described.remove(*word)));
            }
        }
        Ok(described)
    }

    /// How many uploads were discarded on the day on which this was queued.
    async fn discarded(&self, row: &NotificationRow, data: &mut Map<String, Value>) -> Result<(), Fault> {
        let (day, end) = day_of(from_row(row.queued_at))?;
        let begin = end.checked_sub(SignedDuration::from_hours(24)).unwrap_or(end);
        let mut question = Question {
            log: row.account.clone(),
            types: vec![REFUSED.into()],
            from: Some(begin.as_millisecond()),
            until: Some(end.as_millisecond()),
            ..Question::default()
        };
        let mut count = 0u64;
        loop {
            let page = self.ledger.entries(&question, PAGE).await?;
            let Some(last) = page.last() else { break };
            question.after = Some((last.epoch, last.seq));
            for entry in &page {
                let leaf: Leaf = serde_json::from_slice(&entry.leaf)
                    .map_err(|_| Fault::damaged("an entry cannot be read"))?;
                let discarded = matches!(leaf.body, Body::Refused { discarded: true, .. });
                count = count.saturating_add(u64::from(discarded));
            }
        }
        data.insert("day".into(), json!(day.to_string()));
        data.insert("count".into(), json!(count));
        Ok(())
    }

    /// Why something is in quarantine and until when, or why it was destroyed there, from the entry.
    async fn quarantine_of(
        &self,
        account: &str,
        recording: &str,
        kind: &str,
        data: &mut Map<String, Value>,
    ) -> Result<(), Fault> {
        let question = Question {
            log: account.to_owned(),
            keys: vec![vec![format!("recording:{recording}")]],
            types: vec![kind.to_owned()],
            ..Question::default()
        };
        let Some(entry) = self.ledger.entries(&question, 1).await?.into_iter().next() else { return Ok(()) };
        let leaf: Leaf =
            serde_json::from_slice(&entry.leaf).map_err(|_| Fault::damaged("an entry cannot be read"))?;
        if let Body::Quarantined { reason, until, .. } = &leaf.body {
            data.insert("reason".into(), json!(reason));
            data.insert("until".into(), json!(Moment(*until)));
        }
        if let Body::Destroyed { because, .. } = &leaf.body {
            data.insert("because".into(), json!(because));
        }
        Ok(())
    }

    /// Why an upload was refused, from the entry, and under which name it came, if that still exists.
    async fn refusal(&self, call: &str, id: &str, data: &mut Map<String, Value>) -> Result<(), Fault> {
        let Some(entry) = self.ledger.entry_of_call(parse_id(call)?, parse_id(id)?).await? else {
            return Ok(());
        };
        let leaf: Leaf =
            serde_json::from_slice(&entry.leaf).map_err(|_| Fault::damaged("an entry cannot be read"))?;
        if let Body::Refused { code, uncovered, discarded, .. } = &leaf.body {
            data.insert("code".into(), json!(code.code()));
            data.insert("uncovered".into(), json!(uncovered));
            data.insert("discarded".into(), json!(discarded));
        }
        if let Body::Unasked { why, .. } = &leaf.body {
            data.insert("code".into(), json!(FaultCode::UnaskedRecording));
            data.insert("unasked".into(), json!(why));
            data.insert("uncovered".into(), json!([]));
            data.insert("discarded".into(), json!(false));
        }
        let detail: Option<Value> =
            entry.document.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let name = detail.as_ref().and_then(|detail| detail.get("name"));
        data.insert("name".into(), name.cloned().unwrap_or(Value::Null));
        Ok(())
    }
}

/// How many entries are read at once.
const PAGE: u32 = 1000;
const REFUSED: &str = "recording.refused";
const QUARANTINE: [&str; 2] = ["recording.quarantined", "recording.destroyed"];
/// What outsiders chose of a recording's description.
const OUTSIDERS: [&str; 3] = ["call", "name", "participants"];
