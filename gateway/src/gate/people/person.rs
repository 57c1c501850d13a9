//! People: who stands behind a credential, and who counts as a second person.
//!
//! INVARIANT: somebody who is enrolled after the first two people of an account does not count until somebody
//! who counts has confirmed them, and never counts as a second person beside one without whom they would not
//! count: see [`People`].

use serde_json::json;
use uuid::Uuid;

use crate::access::Principal;
use crate::gate::answer::{self, Confirmer};
use crate::gate::ask::check_name;
use crate::gate::{ATTEMPTS, Fault, Field, Gate, PersonRefusal, Thing, from_row, parse_id};
use crate::ledger::{Appended, Change, Expect, Job, PersonRow};
use trail::people::{People, folded};
use trail::{Actor, Body};

/// Somebody who was enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The gateway's id of them.
    pub id: Uuid,
    /// Their name.
    pub name: String,
}

/// Everybody in an account.
pub(in crate::gate) struct Enrolled {
    account: String,
    rows: Vec<PersonRow>,
    people: People,
}

impl Gate {
    /// Enrols somebody. Returns them, and whether they are new.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such account, or the text is not a name.
    pub async fn add_person(
        &self,
        actor: &Actor,
        account: &str,
        name: &str,
    ) -> Result<(bool, answer::Person), Fault> {
        self.settings(account).await.map_err(|fault| fault.of_account(account))?;
        for _ in 0..ATTEMPTS {
            let enrolled = self.enrolled(account).await?;
            let mut job = Job::default();
            let Some(person) = self.stands_for(&enrolled, actor, name, &mut job)? else {
                return Err(PersonRefusal::NotAName { name: name.into() }.into());
            };
            let new = !job.entries.is_empty();
            if !new || self.append(job).await? == Appended::Done {
                return Ok((new, self.enrolled(account).await?.shown(&person.id.to_string())?));
            }
        }
        Err(Fault::contended())
    }

    /// Everybody who was enrolled in an account.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn people(&self, account: &str) -> Result<Vec<answer::Person>, Fault> {
        let enrolled = self.enrolled(account).await?;
        enrolled.rows.iter().map(|row| enrolled.shown(&row.id)).collect()
    }

    /// Confirms a person's identity, by their id or name.
    ///
    /// # Errors
    ///
    /// [`Fault`]: they try to confirm themselves, or the confirming person does not count.
    pub async fn confirm_person(
        &self,
        who: &Principal,
        person: &str,
        reason: &str,
    ) -> Result<answer::Person, Fault> {
        crate::gate::ask::check_length(reason)?;
        let by = self.person(who).await?;
        let account = &who.account;
        let enrolled = self.enrolled(account).await?;
        let id = parse_id(&enrolled.named(person)?.id)?;
        if id == by.id {
            return Err(PersonRefusal::Oneself.into());
        }
        enrolled.counts(&by)?;
        if enrolled.people.confirmers(id).all(|confirmer| confirmer != by.id) {
            let at = self.clock.now().as_millisecond();
            let change = Change::ConfirmPerson { account: account.clone(), person: id, by: by.id, at };
            let detail = json!({"name": enrolled.name_of(id), "by": by.name, "reason": reason});
            let body = Body::PersonConfirmed { person: id, by: by.id };
            self.note(&who.into(), account, body, Some(detail), vec![change], Vec::new()).await?;
        }
        self.enrolled(account).await?.shown(&id.to_string())
    }

    /// The person behind a credential.
    pub(in crate::gate) async fn person(&self, who: &Principal) -> Result<Person, Fault> {
        let row = self.ledger.credential(&who.credential).await?;
        let Some(id) = row.and_then(|row| row.person) else {
            return Err(PersonRefusal::Unnamed.into());
        };
        let enrolled = self.enrolled(&who.account).await?;
        Ok(Person { id: parse_id(&id)?, name: enrolled.named(&id)?.name.clone() })
    }

    pub(in crate::gate) async fn enrolled(&self, account: &str) -> Result<Enrolled, Fault> {
        // Confirmations are read first: everybody confirmed by then is enrolled.
        let confirmed = self.ledger.confirmed(account).await?;
        let rows = self.ledger.people(account).await?;
        let mut people = People::default();
        for row in &rows {
            people.enrol(parse_id(&row.id)?, row.founding);
        }
        for row in &confirmed {
            people.confirm(parse_id(&row.person)?, parse_id(&row.confirmer)?);
        }
        Ok(Enrolled { account: account.to_owned(), rows, people })
    }

    /// The person with a name, whom this job enrols if nobody has it; `None` if the text is not a name.
    pub(in crate::gate) fn stands_for(
        &self,
        enrolled: &Enrolled,
        actor: &Actor,
        name: &str,
        job: &mut Job,
    ) -> Result<Option<Person>, Fault> {
        check_name(Field::PersonName, name)?;
        let folded = folded(name);
        if folded.is_empty() || folded == NOBODY {
            return Ok(None);
        }
        if let Some(row) = enrolled.rows.iter().find(|row| row.folded == folded) {
            return Ok(Some(Person { id: parse_id(&row.id)?, name: row.name.clone() }));
        }
        let person = Person { id: trail::id()?, name: name.to_owned() };
        let (account, founding, at) = (&enrolled.account, enrolled.people.founds(), self.clock.now());
        let body = Body::Person { person: person.id, founding };
        job.entries.push(trail::draft(account, at, actor, None, body, Some(json!({"name": name})))?);
        job.changes.push(Change::Person {
            id: person.id,
            account: account.clone(),
            folded,
            name: name.to_owned(),
            founding,
            salt: trail::salt()?,
            at: at.as_millisecond(),
        });
        // Fails if somebody else was enrolled in the meantime, with this name or among the first two.
        let count = i64::try_from(enrolled.rows.len()).unwrap_or(i64::MAX);
        job.expects.push(Expect::People { account: account.clone(), count });
        Ok(Some(person))
    }
}

impl Enrolled {
    /// Refuses somebody who does not count.
    pub(in crate::gate) fn counts(&self, person: &Person) -> Result<(), PersonRefusal> {
        if self.people.count(person.id) { Ok(()) } else { Err(self.unconfirmed(person)) }
    }

    /// Refuses somebody who does not count as a second person beside the first.
    pub(in crate::gate) fn seconds(&self, first: Uuid, second: &Person) -> Result<(), PersonRefusal> {
        self.counts(second)?;
        self.counts(&Person { id: first, name: self.name_of(first) })?;
        if self.people.are_two(first, second.id) {
            return Ok(());
        }
        Err(PersonRefusal::NotTwo { names: [first, second.id].map(|id| self.name_of(id)) })
    }

    /// The name of somebody, by the gateway's id of them; empty if there is nobody.
    pub(in crate::gate) fn name_of(&self, id: Uuid) -> String {
        let id = id.to_string();
        self.rows.iter().find(|row| row.id == id).map(|row| row.name.clone()).unwrap_or_default()
    }

    fn named(&self, person: &str) -> Result<&PersonRow, Thing> {
        let plain = folded(person);
        let by_id = self.rows.iter().find(|row| row.id == person);
        by_id.or_else(|| self.rows.iter().find(|row| row.folded == plain)).ok_or(Thing::Person)
    }

    fn unconfirmed(&self, person: &Person) -> PersonRefusal {
        let Person { id, name } = person.clone();
        PersonRefusal::Unconfirmed { name, account: self.account.clone(), id }
    }

    fn shown(&self, id: &str) -> Result<answer::Person, Fault> {
        let row = self.named(id)?;
        let person = parse_id(&row.id)?;
        let confirmer = |by| Confirmer { person: by, name: self.name_of(by) };
        Ok(answer::Person {
            account: row.account.clone(),
            person,
            name: row.name.clone(),
            enrolled_at: from_row(row.enrolled_at).into(),
            founding: row.founding,
            confirmed_by: self.people.confirmers(person).map(confirmer).collect(),
            counts: self.people.count(person),
        })
    }
}

/// The name of a credential that was added without one.
const NOBODY: &str = "unnamed";
