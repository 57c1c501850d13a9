//! The purposes for which a recording may be fetched: those that the people on it were told when it was
//! recorded.
//!
//! If a call names its purposes, it could only be recorded with prompts and grants that cover all of them, so
//! those are what people were told. If it names none, every stretch of the recording counts with what each
//! person on it had been told by then. Later statements and grants concern later recordings only, and a grant
//! that is withdrawn later no longer permits anything. What the rules ask for a purpose was not judged when a
//! call was recorded that named none: it is judged here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use policy::scope::upload::Unasked;
use policy::told::{Named, told};
use policy::{Coverage, Why};
use serde_json::json;
use uuid::Uuid;

use crate::access::Principal;
use crate::gate::ask::{ConsentGrant, Prompt};
use crate::gate::{
    Context, FOLDED_AT_ONCE, Fault, Folded, Gate, Loaded, RecordingRefusal, blocking, parse_id,
};
use crate::ledger::RecordingRow;
use trail::Body;
use trail::story::{Story, Text};

impl Gate {
    /// Refuses a purpose that people were not told, or that the law bars. The refusal is logged before it is
    /// answered.
    ///
    /// # Errors
    ///
    /// [`Fault`]: that refusal, or the trail cannot be read or written.
    pub(in crate::gate) async fn check_told(
        &self,
        who: &Principal,
        row: &RecordingRow,
        purpose: &str,
    ) -> Result<(), Fault> {
        let (told, barred) = self.told(row, purpose).await?;
        if told.covers(&[purpose.to_owned()]) && !barred {
            return Ok(());
        }
        let recording = parse_id(&row.id)?;
        let told: Vec<String> = match told {
            Named::Anything => Vec::new(),
            Named::Only(told) => told.into_iter().collect(),
        };
        let detail = match barred {
            true => json!({"purpose": purpose, "told": told, "barred": true}),
            false => json!({"purpose": purpose, "told": told}),
        };
        let refused = RecordingRefusal::PurposeNotTold { purpose: purpose.into(), told, barred };
        let body = Body::FetchRefused { recording, code: refused.code().as_str().into() };
        self.note(&who.into(), &who.account, body, Some(detail), Vec::new(), Vec::new()).await?;
        Err(refused.into())
    }

    /// What the people on a recording were told that it is for, and whether the law bars it from this purpose.
    async fn told(&self, row: &RecordingRow, purpose: &str) -> Result<(Named, bool), Fault> {
        let call = parse_id(&row.call)?;
        let opened = self.ledger.call(call).await?.ok_or_else(|| Fault::damaged("a call is missing"))?;
        let context: Context = serde_json::from_str(&opened.body)
            .map_err(|_| Fault::damaged("a call's context cannot be read"))?;
        let named = Named::by(&context.purposes);
        if named != Named::Anything {
            return Ok((named, false));
        }
        let folded = self.folded(call, &opened).await?;
        let id = parse_id(&row.id)?;
        let accepted = folded.entries.iter().position(|read| read.leaf.body.accepts() == Some(id));
        let count = accepted.map_or(0, |accepted| accepted.saturating_add(1));
        // By what was known when it was accepted: nothing that is logged later unmakes a recording.
        let law = self.call_by(&folded, count).await?;
        let story = story(call, folded, count).await?;
        let Some(recording) = story.recordings.last() else {
            return Err(Fault::damaged("a recording was never accepted"));
        };
        let word = policy::told::word(purpose);
        let barred = word.is_some_and(|word| law.bars(word, &recording.spans));
        Ok((self.told_on(&row.account, &story, &recording.spans).await?, barred))
    }

    /// What is stored about a recording besides its entry, to find it by: when it was recorded, who was
    /// there, and for which purposes it may be fetched.
    pub(in crate::gate) async fn found_by(
        &self,
        account: &str,
        loaded: &Loaded,
        coverage: &Coverage,
        unasked: Option<Unasked>,
    ) -> Result<About, Fault> {
        let spans = coverage.spans.as_slice();
        let folded = self.folded(loaded.uid, &loaded.row).await?;
        let story = story(loaded.uid, folded, usize::MAX).await?;
        let told = match Named::by(&loaded.context.purposes) {
            Named::Anything => self.told_on(account, &story, spans).await?,
            named @ Named::Only(_) => named,
        };
        let purposes = match told {
            Named::Anything => None,
            Named::Only(purposes) => Some(purposes),
        };
        let segments: Vec<(i64, i64)> =
            spans.iter().map(|(from, until)| (from.as_millisecond(), until.as_millisecond())).collect();
        let people: BTreeSet<u32> =
            spans.iter().flat_map(|span| story.there(*span)).map(|person| person.number).collect();
        let (from, until) = match (segments.first(), segments.last()) {
            (Some((from, _)), Some((_, until))) => (*from, *until),
            _ => return Err(Fault::damaged("a recording has no stretch")),
        };
        let silenced = coverage
            .silenced
            .iter()
            .map(|(from, until, why)| (from.as_millisecond(), until.as_millisecond(), why.map(Why::code)));
        let silenced: Vec<_> = silenced.collect();
        let mut document = json!({"segments": segments, "people": people, "purposes": purposes});
        if let Some(members) = document.as_object_mut() {
            if !silenced.is_empty() {
                members.insert("silenced".into(), json!(silenced));
            }
            members.extend(unasked.map(|why| ("unasked".into(), json!(why))));
        }
        Ok(About { from, until, document: document.to_string() })
    }

    /// The purposes that everybody was told in every stretch, if the call itself names none.
    async fn told_on(
        &self,
        account: &str,
        story: &Story,
        stretches: &[(Timestamp, Timestamp)],
    ) -> Result<Named, Fault> {
        let purposes = self.purposes_of(account, story).await?;
        let mut all = Named::Anything;
        for stretch @ (from, until) in stretches {
            let is_one_party = story.asked_at(*from).starts_with(policy::Parties::One.as_str());
            for person in story.there(*stretch).filter(|person| person.is_person) {
                // An erased text names nothing that could be relied on.
                let by = |moment: Timestamp| -> Vec<Named> {
                    let known = person.told.iter().filter(|text| text.at <= moment);
                    // Neither does one that they had already rejected by then.
                    let counts = |text: &Text| text.until.is_none_or(|until| moment < until);
                    let named = |text: &Text| purposes.get(&text.uid).filter(|_| counts(text)).cloned();
                    known.map(|text| named(text).unwrap_or_default()).collect()
                };
                let begins = person.since(*from).max(*from);
                // Those who had not been told anything before may have been told during it, which limits the
                // purposes, too.
                let texts = Some(by(begins)).filter(|texts| !texts.is_empty()).unwrap_or_else(|| by(*until));
                all = all.and(told(texts, is_one_party || person.machine));
            }
        }
        Ok(all)
    }

    /// The purposes that these texts name; a withdrawn grant names none.
    async fn purposes_of(&self, account: &str, story: &Story) -> Result<BTreeMap<String, Named>, Fault> {
        let texts = story.people.values().flat_map(|person| &person.told);
        let uids: BTreeSet<&String> = texts.map(|text| &text.uid).collect();
        let uids: Vec<String> = uids.into_iter().cloned().collect();
        let mut purposes = BTreeMap::new();
        if uids.is_empty() {
            return Ok(purposes);
        }
        for row in self.ledger.prompt_versions(account, &uids).await? {
            let prompt: Prompt =
                serde_json::from_str(&row.document).map_err(|_| Fault::damaged("a prompt cannot be read"))?;
            purposes.insert(row.uid, Named::by(&prompt.purposes));
        }
        for row in self.ledger.grants_by_uid(account, &uids).await? {
            if row.withdrawn_at.is_none() {
                let grant: ConsentGrant = serde_json::from_str(&row.document)
                    .map_err(|_| Fault::damaged("a consent grant cannot be read"))?;
                purposes.insert(row.uid, Named::by(&grant.purposes));
            }
        }
        Ok(purposes)
    }
}

/// The story of a call as the gate has it: by the first `count` of its entries alone.
async fn story(call: Uuid, folded: Arc<Folded>, count: usize) -> Result<Story, Fault> {
    let count = count.min(folded.entries.len());
    let told = blocking(count > FOLDED_AT_ONCE, move || {
        folded.entries.get(..count).and_then(|entries| Story::of(call, entries))
    });
    told.await?.ok_or_else(|| Fault::damaged("a call's first entry does not open it"))
}

/// What is stored about a recording besides its entry.
pub(in crate::gate) struct About {
    /// The start of its first stretch, in milliseconds since 1970.
    pub(in crate::gate) from: i64,
    /// The end of its last stretch.
    pub(in crate::gate) until: i64,
    /// The JSON for [`RecordingRow::about`].
    pub(in crate::gate) document: String,
}
