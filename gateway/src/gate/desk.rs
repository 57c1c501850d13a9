//! The law desk: publishing a table, proposals, approval, history.
//!
//! What only tightens takes one person and is in force at once. What loosens anything, by meaning and
//! not by text, takes a second person. However a table comes (somebody publishes it, the watched
//! file changes, a new program brings another default), it is compared with the version in force.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use policy::diff::{Direction, Subject};
use policy::{Diff, Problem, Severity, Table};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::laws::{Version, Watched, WatchedState};
use super::people::Enrolled;
use super::{ATTEMPTS, AccountSettings, Fault, Gate, Person, blocking, from_row, parse_id};
use crate::access::{Principal, Role};
use crate::clock::{millis, written};
use crate::ledger::{Appended, Change, Expect, Job, ProposalRow, VersionRow};
use crate::trail::{self, Actor, Body, Origin, SYSTEM_LOG, hex};

/// Who brings a table, or decides on one.
#[derive(Debug, Clone)]
pub struct Author {
    /// For the trail.
    pub actor: Actor,
    /// Who that is; nobody where that is not known: whoever wrote the file, or built the program.
    pub person: Option<Person>,
    /// How the table comes.
    pub origin: Origin,
}

impl Author {
    /// The program itself, with a table that no person has published.
    #[must_use]
    pub fn unknown(origin: Origin) -> Author {
        Author { actor: Actor::gateway(), person: None, origin }
    }
}

impl Author {
    /// The id of who that is; empty where nobody is known.
    fn id(&self) -> String {
        self.person.as_ref().map(|person| person.id.to_string()).unwrap_or_default()
    }

    /// Their name; likewise.
    fn name(&self) -> &str {
        self.person.as_ref().map(|person| person.name.as_str()).unwrap_or_default()
    }
}

/// What became of a table that was brought.
#[derive(Debug)]
pub enum Outcome {
    /// It was in force already.
    Same,
    /// It is in force now.
    InForce(Value),
    /// It waits for a second person.
    Proposed(Uuid, Value),
}

impl Gate {
    /// Who may change the table: counsel of the system's account, by name.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the credential is another account's or another role's.
    pub async fn author(&self, who: &Principal) -> Result<Author, Fault> {
        if who.account != SYSTEM_LOG || who.role != Role::Counsel {
            return Err(Fault::refused(
                "wrong-account",
                "the table belongs to the system's account: use a `counsel` credential of the account `system`",
            ));
        }
        let person = Some(self.person(who).await?);
        Ok(Author { actor: who.into(), person, origin: Origin::Person })
    }

    /// Puts a table in force, or proposes it where it loosens anything.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the table has mistakes, or no reason is given.
    pub async fn publish(&self, author: &Author, text: &str, reason: &str) -> Result<Outcome, Fault> {
        check_reason(author, reason)?;
        let new = Arc::new(self.read_table(text).await?);
        for _ in 0..ATTEMPTS {
            self.refresh_law().await?;
            let base = self.laws.version();
            if base.table.digest() == new.digest() {
                return Ok(Outcome::Same);
            }
            let diff = self.compare(&base.table, &new).await?;
            let outcome = if diff.loosens {
                self.propose(author, &new, text, &diff, reason).await?
            } else {
                let Some(version) =
                    self.enforce(author, &base, &new, text, &diff, json!(reason), None).await?
                else {
                    continue;
                };
                Some(Outcome::InForce(version))
            };
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
        }
        Err(Fault::contended())
    }

    /// Approves a proposal: then it is in force.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it is the author's own, decided, expired, or was made against another version.
    pub async fn approve(&self, author: &Author, proposal: &str, reason: &str) -> Result<Value, Fault> {
        check_length(reason)?;
        for _ in 0..ATTEMPTS {
            self.refresh_law().await?;
            let row = self.open_proposal(proposal).await?;
            let uid = parse_id(&row.uid)?;
            let at = self.law_moment().await?;
            let base = self.laws.version();
            if at >= from_row(row.expires_at) {
                self.decide_proposal(&row, author, "expired", "").await?;
                return Err(expired());
            }
            if row.base != base.table.digest() {
                self.decide_proposal(&row, author, "superseded", "").await?;
                return Err(Fault::conflict(
                    "proposal-outdated",
                    "another version is in force than the one that the proposal was compared with; publish the table again, and read the new difference",
                ));
            }
            let approver = author.person.as_ref().ok_or_else(|| Fault::damaged("nobody approves"))?;
            let enrolled = self.enrolled(SYSTEM_LOG).await?;
            if row.person.is_empty() {
                enrolled.counts(approver)?;
                if self.adopt(&row, author, at).await? {
                    return self.proposal(proposal).await;
                }
                continue;
            }
            // INVARIANT: what loosens takes a second person, whatever credentials the first one has.
            let proposer = parse_id(&row.person)?;
            if row.person == author.id() {
                return Err(Fault::refused(
                    "own-proposal",
                    "whoever proposes a table cannot approve it; a second person has to",
                ));
            }
            enrolled.seconds(proposer, approver)?;
            let proposer = Person { id: proposer, name: enrolled.name_of(proposer) };
            let text = self
                .ledger
                .table(&row.digest)
                .await?
                .ok_or_else(|| Fault::damaged("a proposed table is not there"))?;
            let new = self.table(&row.digest).await?;
            let diff = self.compare(&base.table, &new).await?;
            let made = document(&row)?;
            let reasons =
                json!({"proposed": made.get("reason"), "approved": reason, "author": proposer.name});
            if let Some(version) =
                self.enforce(author, &base, &new, &text, &diff, reasons, Some((uid, &proposer))).await?
            {
                return Ok(version);
            }
        }
        Err(Fault::contended())
    }

    /// Rejects a proposal, or withdraws one's own.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it is decided already, or it is somebody else's to withdraw.
    pub async fn turn_down(
        &self,
        author: &Author,
        proposal: &str,
        withdraw: bool,
        reason: &str,
    ) -> Result<Value, Fault> {
        check_length(reason)?;
        for _ in 0..ATTEMPTS {
            let row = self.open_proposal(proposal).await?;
            if withdraw && row.person != author.id() {
                return Err(Fault::refused(
                    "not-own-proposal",
                    "only whoever proposed a table can withdraw it; others can reject it",
                ));
            }
            let outcome = if withdraw { "withdrawn" } else { "rejected" };
            if self.decide_proposal(&row, author, outcome, reason).await? {
                return self.proposal(proposal).await;
            }
        }
        Err(Fault::contended())
    }

    /// A table that no person publishes: the watched file, or the one that is compiled in. The same
    /// rule holds; what was offered before is not offered again.
    ///
    /// # Errors
    ///
    /// Where the ledger fails. A table with mistakes is no error: it changes nothing.
    pub async fn offer(&self, origin: Origin, text: Option<&str>) -> Result<(), Fault> {
        let (digest, state) = self.offered(origin, text).await?;
        match &state {
            WatchedState::InForce => tracing::debug!(origin = origin.as_str(), "the table is in force"),
            WatchedState::Waiting(proposal) => tracing::warn!(
                origin = origin.as_str(), %proposal,
                "the table loosens something: it waits for two people, and the version before stays in force"
            ),
            WatchedState::Passed => tracing::warn!(
                origin = origin.as_str(),
                "the table was offered before and is not in force; publish it if it is meant"
            ),
            WatchedState::Unreadable { problems } => tracing::error!(
                origin = origin.as_str(),
                problems,
                "the table cannot be read: it changes nothing, and the version before stays in force"
            ),
        }
        self.laws.watch(Watched { origin, digest, state });
        Ok(())
    }

    /// What has become by now of the table that no person published: it may have been approved or
    /// rejected since, or another one published.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
    pub async fn configured(&self) -> Result<Option<Watched>, Fault> {
        let Some(mut watched) = self.laws.watched() else { return Ok(None) };
        if let Some(digest) = &watched.digest {
            watched.state = self.became_of(digest).await?;
        }
        Ok(Some(watched))
    }

    async fn became_of(&self, digest: &str) -> Result<WatchedState, Fault> {
        if self.laws.in_force().digest() == digest {
            return Ok(WatchedState::InForce);
        }
        let (open, now) = (self.ledger.proposals(true).await?, self.law_moment().await?);
        match open.iter().find(|row| row.digest == digest && now < from_row(row.expires_at)) {
            Some(row) => Ok(WatchedState::Waiting(parse_id(&row.uid)?)),
            None => Ok(WatchedState::Passed),
        }
    }

    /// Offers a table, where it was not offered before. Answers its digest, where it can be read.
    async fn offered(
        &self,
        origin: Origin,
        text: Option<&str>,
    ) -> Result<(Option<String>, WatchedState), Fault> {
        let Some(text) = text else { return Ok((None, WatchedState::Unreadable { problems: 0 })) };
        let (table, problems) = self.check_table(text).await?;
        let Some(table) = table else {
            let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
            errors.clone().for_each(|problem| tracing::error!(%problem, "a mistake in the table"));
            return Ok((None, WatchedState::Unreadable { problems: errors.count() }));
        };
        self.refresh_law().await?;
        let digest = table.digest().to_owned();
        let known = self.ledger.table_source(origin.as_str()).await?.as_ref() == Some(&digest);
        if !known && self.laws.in_force().digest() != digest {
            self.publish(&Author::unknown(origin), text, "").await?;
        }
        self.note_source(origin, &digest).await?;
        let state = self.became_of(&digest).await?;
        Ok((Some(digest), state))
    }

    /// The very first version, where nothing is in force yet.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
    pub(crate) async fn first_version(&self, origin: Origin, digest: &str, text: &str) -> Result<(), Fault> {
        let at = self.clock.now();
        let document = json!({"author": "", "credential": Actor::gateway().credential, "origin": origin});
        let (digest, text) = (digest.to_owned(), text.to_owned());
        let body = Body::Table {
            table: digest.clone(),
            version: 1,
            base: None,
            origin,
            proposal: None,
            diff: String::new(),
            loosens: false,
        };
        let changes = vec![
            Change::Table { digest: digest.clone(), text, at: at.as_millisecond() },
            Change::TableVersion {
                version: 1,
                digest: digest.clone(),
                salt: trail::salt()?,
                at: at.as_millisecond(),
                document: document.to_string(),
            },
            Change::TableSource { origin: origin.as_str(), digest },
        ];
        let expects = vec![Expect::Law { digest: None }];
        // Another process may have been first: then its version holds.
        self.note(&Actor::gateway(), SYSTEM_LOG, body, None, changes, expects).await?;
        self.refresh_law().await
    }

    /// Every version of the table, the newest first.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
    pub async fn versions(&self) -> Result<Vec<Value>, Fault> {
        self.ledger.versions().await?.iter().map(version_json).collect()
    }

    /// A version by its number or digest, with its text.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such version.
    pub async fn version(&self, name: &str) -> Result<Value, Fault> {
        let versions = self.ledger.versions().await?;
        let found = versions.iter().find(|row| row.version.to_string() == name || row.digest == name);
        let row = found.ok_or_else(|| Fault::unknown("version of the table"))?;
        let mut answer = version_json(row)?;
        let text = self.ledger.table(&row.digest).await?;
        if let Value::Object(members) = &mut answer {
            members.insert("table".into(), json!(text));
        }
        Ok(answer)
    }

    /// Every proposal, the newest first.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
    pub async fn proposals(&self) -> Result<Vec<Value>, Fault> {
        let now = self.law_moment().await?;
        let enrolled = self.enrolled(SYSTEM_LOG).await?;
        let rows = self.ledger.proposals(false).await?;
        rows.iter().map(|row| proposal_json(row, &enrolled, now, false)).collect()
    }

    /// A proposal, with its difference and its impact report.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such proposal.
    pub async fn proposal(&self, uid: &str) -> Result<Value, Fault> {
        let row = self.ledger.proposal(uid).await?.ok_or_else(|| Fault::unknown("proposal"))?;
        let enrolled = self.enrolled(SYSTEM_LOG).await?;
        let mut answer = proposal_json(&row, &enrolled, self.law_moment().await?, true)?;
        if let Some(impact) = answer.get_mut("impact") {
            self.name_calls(impact).await?;
        }
        Ok(answer)
    }

    /// Reads a table, and refuses one with mistakes.
    ///
    /// # Errors
    ///
    /// [`Fault`] with every problem.
    pub async fn read_table(&self, text: &str) -> Result<Table, Fault> {
        let (table, problems) = self.check_table(text).await?;
        table.ok_or_else(|| {
            let errors: Vec<&Problem> =
                problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
            let first = errors.first().map(|problem| format!("line {problem}")).unwrap_or_default();
            Fault::invalid(
                "invalid-table",
                format!("the table has {} mistakes, the first in {first}", errors.len()),
            )
            .with("problems", json!(problems))
        })
    }

    /// Reads a table on a thread of its own: a long one takes a while.
    ///
    /// # Errors
    ///
    /// Where the gateway is stopping.
    pub async fn check_table(&self, text: &str) -> Result<(Option<Table>, Vec<Problem>), Fault> {
        let (text, today) = (text.to_owned(), today(self.clock.now()));
        blocking(true, move || Table::check(&text, today)).await
    }

    /// What changes from one table to another. An overlay that comes loosens where an account names it
    /// already: until now its calls were asked what `[default]` asks.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
    pub async fn compare(&self, base: &Arc<Table>, new: &Arc<Table>) -> Result<Diff, Fault> {
        let (old, table) = (Arc::clone(base), Arc::clone(new));
        let mut diff = blocking(true, move || Diff::between(&old, &table)).await?;
        let named = self.overlays_of_accounts().await?;
        for change in &mut diff.changes {
            let Subject::Overlay(id) = &change.subject else { continue };
            if base.overlay_history(id).is_empty() && named.contains(id) {
                change.direction = Direction::Both;
                diff.loosens = true;
            }
        }
        Ok(diff)
    }

    async fn overlays_of_accounts(&self) -> Result<BTreeSet<String>, Fault> {
        let mut named = BTreeSet::new();
        for account in self.ledger.accounts().await? {
            named.extend(AccountSettings::read(&account.settings)?.overlays);
        }
        Ok(named)
    }

    /// Closes every proposal that has expired.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
    pub async fn close_lapsed(&self) -> Result<(), Fault> {
        let open = self.ledger.proposals(true).await?;
        if open.is_empty() {
            return Ok(());
        }
        let now = self.law_moment().await?;
        let gateway = Author::unknown(Origin::Program);
        for row in open.iter().filter(|row| now >= from_row(row.expires_at)) {
            self.decide_proposal(row, &gateway, "expired", "").await?;
        }
        Ok(())
    }

    /// Makes a proposal; none where the law has changed meanwhile.
    async fn propose(
        &self,
        author: &Author,
        new: &Arc<Table>,
        text: &str,
        diff: &Diff,
        reason: &str,
    ) -> Result<Option<Outcome>, Fault> {
        let open = self.ledger.proposals(true).await?;
        let now = self.law_moment().await?;
        if let Some(row) = open.iter().find(|row| row.digest == new.digest()) {
            if row.base == diff.from && now < from_row(row.expires_at) {
                return Ok(Some(Outcome::Proposed(parse_id(&row.uid)?, self.proposal(&row.uid).await?)));
            }
            let outcome = if row.base == diff.from { "expired" } else { "superseded" };
            self.decide_proposal(row, author, outcome, "").await?;
        }
        let base = self.table(&diff.from).await?;
        let impact = self.impact(&base, new, None, None, &|_, _| {}).await?;
        let uid = trail::id()?;
        let at = self.law_moment().await?;
        let expires_at = at
            .checked_add(SignedDuration::from_hours(PROPOSAL_HOURS))
            .map_err(|_| Fault::damaged("the clock is at its end"))?;
        let (diff_json, impact_json) = (json!(diff), json!(impact));
        let document =
            json!({"reason": reason, "origin": author.origin, "diff": diff_json, "impact": impact_json});
        let row = ProposalRow {
            uid: uid.to_string(),
            digest: new.digest().into(),
            base: diff.from.clone(),
            state: "open".into(),
            credential: author.actor.credential.clone(),
            person: author.id(),
            document: document.to_string(),
            proposed_at: at.as_millisecond(),
            expires_at: expires_at.as_millisecond(),
            decided_at: None,
            decision: None,
            salt: trail::salt()?,
        };
        let body = Body::TableProposed {
            proposal: uid,
            table: new.digest().into(),
            base: diff.from.clone(),
            origin: author.origin,
            diff: digest_of(&diff_json),
            impact: digest_of(&impact_json),
            expires_at: millis(row.expires_at),
        };
        let detail = json!({
            "person": author.name(), "reason": reason, "diff": diff_json, "impact": impact_json,
        });
        let entry = trail::draft(SYSTEM_LOG, at, &author.actor, None, body, Some(detail))?;
        let changes = vec![
            Change::Table { digest: new.digest().into(), text: text.into(), at: at.as_millisecond() },
            Change::Proposal { row: Box::new(row) },
        ];
        // One proposal of a table at a time: who comes second finds the first one's, which may have come
        // while the impact was reckoned.
        let open = self.ledger.proposals(true).await?;
        if open.iter().any(|row| row.digest == new.digest()) {
            return Ok(None);
        }
        let mut uids: Vec<String> = open.into_iter().map(|row| row.uid).collect();
        uids.sort();
        let expects = vec![Expect::Law { digest: Some(diff.from.clone()) }, Expect::OpenProposals { uids }];
        match self.append(Job { expects, changes, entries: vec![entry] }).await? {
            Appended::Conflict => Ok(None),
            Appended::Done => Ok(Some(Outcome::Proposed(uid, self.proposal(&uid.to_string()).await?))),
        }
    }

    /// Puts a table in force after `base`, which `diff` compares it with; none where something has
    /// changed meanwhile. Whatever else was proposed was compared with another version, and has to be
    /// proposed anew.
    #[expect(clippy::too_many_arguments, reason = "all of it goes into one transaction")]
    async fn enforce(
        &self,
        author: &Author,
        base: &Version,
        new: &Arc<Table>,
        text: &str,
        diff: &Diff,
        reason: Value,
        proposal: Option<(Uuid, &Person)>,
    ) -> Result<Option<Value>, Fault> {
        let at = self.law_moment().await?;
        let number = base.number.saturating_add(1);
        let diff_json = json!(diff);
        let document = json!({
            "author": proposal.map_or(author.name(), |(_, person)| &person.name),
            "approver": proposal.map(|_| author.name()),
            "credential": author.actor.credential,
            "origin": author.origin,
            "reason": reason,
            "proposal": proposal.map(|(uid, _)| uid),
            "diff": diff_json,
        });
        let mut changes = vec![
            Change::Table { digest: new.digest().into(), text: text.into(), at: at.as_millisecond() },
            Change::TableVersion {
                version: number,
                digest: new.digest().into(),
                salt: trail::salt()?,
                at: at.as_millisecond(),
                document: document.to_string(),
            },
        ];
        let body = Body::Table {
            table: new.digest().into(),
            version: number,
            base: Some(base.table.digest().into()),
            origin: author.origin,
            proposal: proposal.map(|(uid, _)| uid),
            diff: digest_of(&diff_json),
            loosens: diff.loosens,
        };
        let mut entries = vec![trail::draft(SYSTEM_LOG, at, &author.actor, None, body, Some(document))?];
        let open = self.ledger.proposals(true).await?;
        let mut uids: Vec<String> = open.iter().map(|row| row.uid.clone()).collect();
        uids.sort();
        let mut expects = vec![
            Expect::Law { digest: Some(base.table.digest().into()) },
            Expect::Version { number: base.number },
            Expect::OpenProposals { uids },
        ];
        if let Some((uid, person)) = proposal {
            expects.push(Expect::ProposalOf { uid, person: person.id.to_string() });
        }
        for row in &open {
            let uid = parse_id(&row.uid)?;
            let own = proposal.is_some_and(|(approved, _)| approved == uid);
            let outcome = if own { "published" } else { "superseded" };
            let (change, entry) = decision(uid, author, at, outcome, &json!(null))?;
            changes.push(change);
            entries.push(entry);
        }
        if self.append(Job { expects, changes, entries }).await? == Appended::Conflict {
            return Ok(None);
        }
        self.refresh_law().await?;
        self.version(&number.to_string()).await.map(Some)
    }

    /// Somebody makes a proposal theirs that has no known author; false where others were faster.
    async fn adopt(&self, row: &ProposalRow, author: &Author, at: Timestamp) -> Result<bool, Fault> {
        let uid = parse_id(&row.uid)?;
        let changes = vec![Change::AdoptProposal {
            uid,
            credential: author.actor.credential.clone(),
            person: author.id(),
        }];
        let body = Body::ProposalDecided { proposal: uid, outcome: "adopted".into() };
        let detail = json!({"person": author.name()});
        let entries = vec![trail::draft(SYSTEM_LOG, at, &author.actor, None, body, Some(detail))?];
        let expects = vec![
            Expect::Law { digest: Some(row.base.clone()) },
            Expect::ProposalOf { uid, person: String::new() },
        ];
        Ok(self.append(Job { expects, changes, entries }).await? == Appended::Done)
    }

    /// Closes a proposal; false where others were faster.
    async fn decide_proposal(
        &self,
        row: &ProposalRow,
        author: &Author,
        outcome: &'static str,
        reason: &str,
    ) -> Result<bool, Fault> {
        let uid = parse_id(&row.uid)?;
        let at = self.law_moment().await?;
        let (change, entry) = decision(uid, author, at, outcome, &json!(reason))?;
        let expects = vec![Expect::ProposalOf { uid, person: row.person.clone() }];
        let job = Job { expects, changes: vec![change], entries: vec![entry] };
        Ok(self.append(job).await? == Appended::Done)
    }

    async fn open_proposal(&self, uid: &str) -> Result<ProposalRow, Fault> {
        let row = self.ledger.proposal(uid).await?.ok_or_else(|| Fault::unknown("proposal"))?;
        if row.state == "expired" {
            return Err(expired());
        }
        if row.state != "open" {
            return Err(Fault::conflict(
                "proposal-decided",
                format!("the proposal is {}; publish the table again if it is meant", row.state),
            ));
        }
        Ok(row)
    }

    async fn note_source(&self, origin: Origin, digest: &str) -> Result<(), Fault> {
        if self.ledger.table_source(origin.as_str()).await?.as_deref() == Some(digest) {
            return Ok(());
        }
        let changes = vec![Change::TableSource { origin: origin.as_str(), digest: digest.into() }];
        self.append(Job { changes, ..Job::default() }).await.map(|_| ())
    }

    /// The moment of an act at the law desk: never before the last one, so that a clock that is set
    /// back revives nothing that has expired.
    async fn law_moment(&self) -> Result<Timestamp, Fault> {
        Ok(self.clock.now().max(millis(self.ledger.last_of_law().await?)))
    }
}

fn decision(
    uid: Uuid,
    author: &Author,
    at: Timestamp,
    outcome: &'static str,
    reason: &Value,
) -> Result<(Change, trail::Draft), Fault> {
    let by = json!({"person": author.name(), "credential": author.actor.credential, "reason": reason});
    let body = Body::ProposalDecided { proposal: uid, outcome: outcome.into() };
    let entry = trail::draft(SYSTEM_LOG, at, &author.actor, None, body, Some(by.clone()))?;
    let change =
        Change::DecideProposal { uid, state: outcome, at: at.as_millisecond(), decision: by.to_string() };
    Ok((change, entry))
}

fn expired() -> Fault {
    Fault::conflict("proposal-expired", "the proposal has expired; publish the table again")
}

fn check_reason(author: &Author, reason: &str) -> Result<(), Fault> {
    if author.origin == Origin::Person && reason.trim().is_empty() {
        return Err(Fault::invalid(
            "reason-required",
            "say why, in `reason`: the next reader will want to know",
        ));
    }
    check_length(reason)
}

pub(super) fn check_length(reason: &str) -> Result<(), Fault> {
    if reason.len() > 4096 {
        return Err(Fault::invalid("reason-too-long", "`reason` is longer than 4 KiB"));
    }
    Ok(())
}

pub(crate) fn today(now: Timestamp) -> jiff::civil::Date {
    now.to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn digest_of(value: &Value) -> String {
    hex(&Sha256::digest(value.to_string()))
}

fn document(row: &ProposalRow) -> Result<Value, Fault> {
    serde_json::from_str(&row.document).map_err(|_| Fault::damaged("a proposal cannot be read"))
}

fn version_json(row: &VersionRow) -> Result<Value, Fault> {
    let mut answer: Value = serde_json::from_str(&row.document)
        .map_err(|_| Fault::damaged("a version of the table cannot be read"))?;
    if let Value::Object(members) = &mut answer {
        members.insert("version".into(), json!(row.version));
        members.insert("digest".into(), json!(row.digest));
        members.insert("in_force_at".into(), json!(written(from_row(row.in_force_at))));
    }
    Ok(answer)
}

fn proposal_json(
    row: &ProposalRow,
    enrolled: &Enrolled,
    now: Timestamp,
    whole: bool,
) -> Result<Value, Fault> {
    let mut answer = document(row)?;
    let author = match row.person.is_empty() {
        true => String::new(),
        false => enrolled.name_of(parse_id(&row.person)?),
    };
    if let Value::Object(members) = &mut answer {
        if !whole {
            members.remove("diff");
            members.remove("impact");
        }
        let lapsed = row.state == "open" && now >= from_row(row.expires_at);
        let decided: Option<Value> = row.decision.as_deref().and_then(|text| serde_json::from_str(text).ok());
        members.insert("id".into(), json!(row.uid));
        members.insert("digest".into(), json!(row.digest));
        members.insert("base".into(), json!(row.base));
        members.insert("state".into(), json!(if lapsed { "expired" } else { row.state.as_str() }));
        members.insert("author".into(), json!(author));
        members.insert("proposed_at".into(), json!(written(from_row(row.proposed_at))));
        members.insert("expires_at".into(), json!(written(from_row(row.expires_at))));
        members.insert("decided_at".into(), json!(row.decided_at.map(from_row).map(written)));
        members.insert("decision".into(), json!(decided));
    }
    Ok(answer)
}

/// How long a proposal can be approved.
const PROPOSAL_HOURS: i64 = 14 * 24;
