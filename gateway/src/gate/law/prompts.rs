//! Prompts: the texts that people hear, and what they lack in which place.

use policy::table::Asker;
use policy::{Element, Elements, Purpose, Purposes, Table, Told};
use serde_json::json;

use crate::gate::answer::{self, LacksAt, PromptCheck, PromptLacks};
use crate::gate::ask::{Prompt, check_name, check_sha256, language};
use crate::gate::{ATTEMPTS, Fault, Field, Gate, RegisterRefusal, Thing, from_row};
use crate::ledger::{Appended, Change, Expect, PromptRow};
use trail::{Actor, Body, counted};

impl Gate {
    /// Registers a prompt; changed content makes a new version. Returns it, and whether it is new.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the prompt makes no sense.
    pub async fn put_prompt(
        &self,
        actor: &Actor,
        account: &str,
        id: &str,
        prompt: &Prompt,
    ) -> Result<(bool, answer::Prompt), Fault> {
        check_name(Field::PromptId, id)?;
        check_prompt(prompt)?;
        let document =
            serde_json::to_string(prompt).map_err(|_| Fault::damaged("a prompt cannot be written"))?;
        for _ in 0..ATTEMPTS {
            let newest = self.ledger.prompt(account, id).await?;
            if let Some(row) = newest.as_ref().filter(|row| row.document == document) {
                return Ok((false, self.noted(row)?));
            }
            let version = newest.map_or(0, |row| row.version);
            let uid = trail::id()?;
            let at = self.clock.now();
            let row = PromptRow {
                account: account.into(),
                id: id.into(),
                version: version.saturating_add(1),
                uid: uid.to_string(),
                document: document.clone(),
                created_at: at.as_millisecond(),
                superseded_at: None,
                salt: trail::salt()?,
            };
            let change = Change::Prompt {
                account: account.into(),
                id: id.into(),
                version: row.version,
                uid,
                document: document.clone(),
                salt: row.salt.clone(),
                at: row.created_at,
            };
            let body = Body::Prompt { version: uid, duration_ms: prompt.duration_ms };
            let detail = json!({"prompt": id, "version": row.version, "document": prompt});
            let expects = vec![Expect::PromptVersion { account: account.into(), id: id.into(), version }];
            if self.note(actor, account, body, Some(detail), vec![change], expects).await? == Appended::Done {
                return Ok((true, self.noted(&row)?));
            }
        }
        Err(Fault::contended())
    }

    /// A prompt's newest version.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such prompt.
    pub async fn prompt(&self, account: &str, id: &str) -> Result<answer::Prompt, Fault> {
        let row = self.ledger.prompt(account, id).await?.ok_or(Thing::Prompt)?;
        registered(&row)
    }

    /// The newest version of every prompt of an account.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn prompts(&self, account: &str) -> Result<Vec<answer::Prompt>, Fault> {
        self.ledger.prompts(account).await?.iter().map(registered).collect()
    }

    /// What the newest version of a prompt lacks, place by place, by the table in force.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such prompt.
    pub async fn prompt_lacks(&self, account: &str, id: &str) -> Result<PromptCheck, Fault> {
        let row = self.ledger.prompt(account, id).await?.ok_or(Thing::Prompt)?;
        self.lacks(&row)
    }

    /// As [`Gate::prompt_lacks`], for every prompt of an account.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn prompts_lack(&self, account: &str) -> Result<Vec<PromptCheck>, Fault> {
        self.ledger.prompts(account).await?.iter().map(|row| self.lacks(row)).collect()
    }

    /// A prompt as its author sees it: with remarks that should not wait for a call.
    fn noted(&self, row: &PromptRow) -> Result<answer::Prompt, Fault> {
        let found = self.lacks(row)?.found;
        let mut notes = Vec::new();
        if !found.says.holds(policy::Element::Recording) {
            notes.push(
                "it does not show which of its words say that the call is recorded: quote them in `says`, as \
                 `recording` (`--says recording=\"…\"`); without them, the prompt does not count where that \
                 must be said"
                    .to_owned(),
            );
        }
        let places = found.lacks.iter().filter(|lack| lack.place.is_some()).count();
        if places > 0 {
            notes.push(format!(
                "in {} of the table it does not say everything that is required: see \
                 `GET /v1/prompts/{}/check`",
                counted(places, "place"),
                row.id
            ));
        }
        Ok(answer::Prompt { notes: Some(notes), ..registered(row)? })
    }

    fn lacks(&self, row: &PromptRow) -> Result<PromptCheck, Fault> {
        let answer::Prompt { id, version, prompt, .. } = registered(row)?;
        let found = lacks(&self.laws.in_force(), &prompt, self.clock.now());
        Ok(PromptCheck { id, version, language: prompt.language, found })
    }
}

pub(crate) fn check_prompt(prompt: &Prompt) -> Result<(), Fault> {
    if prompt.text.trim().is_empty() || prompt.text.len() > 16_384 {
        return Err(RegisterRefusal::PromptText.into());
    }
    if !(policy::fact::MIN_PROMPT_MS..=600_000).contains(&prompt.duration_ms) {
        return Err(RegisterRefusal::PromptDuration.into());
    }
    language(Field::PromptLanguage, &prompt.language)?;
    prompt.purposes.iter().try_for_each(|purpose| check_name(Field::Purpose, purpose))?;
    check_says(prompt)?;
    check_sha256(Field::PromptHash, prompt.sha256.as_deref())?;
    Ok(())
}

/// Checks that a prompt's text contains what the prompt claims to say.
fn check_says(prompt: &Prompt) -> Result<(), RegisterRefusal> {
    let plain = |text: &str| text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let text = plain(&prompt.text);
    for (element, words) in &prompt.says {
        if policy::told::word::<policy::Element>(element).is_none() {
            return Err(RegisterRefusal::UnknownElement { element: element.clone() });
        }
        let quoted = plain(words);
        if quoted.is_empty() || !text.contains(&quoted) {
            return Err(RegisterRefusal::NotQuoted { element: element.clone() });
        }
    }
    Ok(())
}

fn registered(row: &PromptRow) -> Result<answer::Prompt, Fault> {
    Ok(answer::Prompt {
        id: row.id.clone(),
        version: row.version,
        uid: row.uid.clone(),
        registered_at: from_row(row.created_at).into(),
        notes: None,
        prompt: serde_json::from_str(&row.document).map_err(|_| Fault::damaged("a prompt cannot be read"))?,
    })
}

/// Where a prompt lacks something today: see [`Table::lacking`].
#[must_use]
pub fn lacks(table: &Table, prompt: &Prompt, now: jiff::Timestamp) -> PromptLacks {
    let purposes = Purposes::of(prompt.purposes.iter().map(String::as_str));
    let told = Told { elements: prompt.elements(), purposes };
    let lacks = table.lacking(told, now).into_iter().map(|(asker, needed)| {
        let (place, name, overlay) = match asker {
            Asker::Unknown => (Some("wherever nothing is known".into()), None, None),
            Asker::Place(code, name) => (Some(code.to_string()), name.map(Into::into), None),
            Asker::Overlay(id) => (None, None, Some(id.into())),
        };
        LacksAt {
            place,
            name,
            overlay,
            lacks: needed.elements.without(told.elements),
            lacks_purposes: needed.purposes.without(told.purposes),
            says: policy::decision::telling(needed.without(told)),
        }
    });
    let is_unknown = |text: &&String| Purposes::of([text.as_str()]).holds(Purpose::Other);
    PromptLacks {
        says: told.elements,
        purposes: told.purposes.without(Purposes::NONE.with(Purpose::Other)),
        unknown_purposes: prompt.purposes.iter().filter(is_unknown).cloned().collect(),
        unsaid: Element::ALL.into_iter().collect::<Elements>().without(told.elements),
        greets_voicemail: told.elements.holds_all(Elements::NONE.with(Element::Recording)),
        lacks: lacks.collect(),
    }
}
