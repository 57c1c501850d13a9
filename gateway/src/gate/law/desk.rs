//! The law desk: publishing a table, proposals, approval, history.
//!
//! A table that only tightens takes one person, and comes into force at once. A table that loosens anything,
//! by meaning and not by text, takes a second person. Every table is compared with the version in force, no
//! matter how it arrives: somebody publishes it, the watched file changes, or a new program brings another
//! default.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use policy::diff::{Direction, Subject};
use policy::{Diff, Problem, Severity, Table};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::access::{Principal, Role};
use crate::gate::answer::{
    Approved, Checked, Impact, Made, Outcome, Proposal, ProposalReport, ProposalState, Reason, Ruling, Step,
    Version, VersionText,
};
use crate::gate::law::laws::{self, Watched, WatchedState};
use crate::gate::people::person::Enrolled;
use crate::gate::{
    ATTEMPTS, AccountSettings, Fault, Gate, LawRefusal, Person, Thing, Wrong, blocking, from_row, parse_id,
};
use crate::ledger::{Appended, Change, Expect, Job, ProposalRow, VersionRow};
use trail::clock::millis;
use trail::people::folded;
use trail::{Actor, Body, Origin, SYSTEM_LOG, hex};

/// Who submits a table, or decides on one.
#[derive(Debug, Clone)]
pub struct Author {
    /// The actor, for the trail.
    pub actor: Actor,
    /// The person; `None` if nobody is known, such as the author of the file or the builder of the program.
    pub person: Option<Person>,
    /// How the table was submitted.
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
    /// The id of the person; empty if nobody is known.
    fn id(&self) -> String {
        self.person.as_ref().map(|person| person.id.to_string()).unwrap_or_default()
    }

    /// The name of the person; empty if nobody is known.
    fn name(&self) -> &str {
        self.person.as_ref().map(|person| person.name.as_str()).unwrap_or_default()
    }
}

impl Gate {
    /// The person behind a credential that may change the table: counsel of the account `system`, by name.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the credential has another account or role.
    pub async fn author(&self, who: &Principal) -> Result<Author, Fault> {
        if who.account != SYSTEM_LOG || who.role != Role::Counsel {
            return Err(LawRefusal::NotCounsel.into());
        }
        let person = Some(self.person(who).await?);
        Ok(Author { actor: who.into(), person, origin: Origin::Person })
    }

    /// Puts a table in force, or proposes it if it loosens anything.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the table has errors, or the reason is missing.
    pub async fn publish(&self, author: &Author, text: &str, reason: &str) -> Result<Outcome, Fault> {
        check_reason(author, reason)?;
        let new = Arc::new(self.read_table(text).await?);
        for _ in 0..ATTEMPTS {
            self.refresh_law().await?;
            let base = self.laws.version();
            if base.table.digest() == new.digest() {
                return Ok(Outcome::InForce { version: None });
            }
            let problems = self.unfounded_reviews(author, &base.table, &new).await?;
            if !problems.is_empty() {
                return Err(LawRefusal::Mistakes { problems }.into());
            }
            let diff = self.compare(&base.table, &new).await?;
            let outcome = if diff.loosens {
                self.propose(author, &new, text, diff, reason).await?
            } else {
                let reason = Reason::Published(reason.into());
                let version = self.enforce(author, &base, &new, text, diff, reason, None).await?;
                version.map(|version| Outcome::InForce { version: Some(Box::new(version)) })
            };
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
        }
        Err(Fault::contended())
    }

    /// Approves a proposal, which puts it in force.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it is the author's own, is decided or expired, or was made against another version.
    pub async fn approve(&self, author: &Author, proposal: &str, reason: &str) -> Result<Approved, Fault> {
        crate::gate::ask::check_length(reason)?;
        for _ in 0..ATTEMPTS {
            self.refresh_law().await?;
            let row = self.open_proposal(proposal).await?;
            let uid = parse_id(&row.uid)?;
            let at = self.law_moment().await?;
            let base = self.laws.version();
            if at >= from_row(row.expires_at) {
                self.decide_proposal(&row, author, ProposalState::Expired, "").await?;
                return Err(LawRefusal::Expired.into());
            }
            if row.base != base.table.digest() {
                self.decide_proposal(&row, author, ProposalState::Superseded, "").await?;
                return Err(LawRefusal::Outdated.into());
            }
            let approver = author.person.as_ref().ok_or_else(|| Fault::damaged("nobody approves"))?;
            let enrolled = self.enrolled(SYSTEM_LOG).await?;
            if row.person.is_empty() {
                enrolled.counts(approver)?;
                if self.adopt(&row, author, at).await? {
                    return self.proposal(proposal).await.map(Box::new).map(Approved::Adopted);
                }
                continue;
            }
            // INVARIANT: a loosening takes a second person, no matter how many credentials the first one has.
            let proposer = parse_id(&row.person)?;
            if row.person == author.id() {
                return Err(LawRefusal::OwnProposal.into());
            }
            enrolled.seconds(proposer, approver)?;
            let proposer = Person { id: proposer, name: enrolled.name_of(proposer) };
            let text = self
                .ledger
                .table(&row.digest)
                .await?
                .ok_or_else(|| Fault::damaged("a proposed table is missing"))?;
            let new = self.table(&row.digest).await?;
            let diff = self.compare(&base.table, &new).await?;
            let reason = Reason::Approved {
                proposed: document(&row)?.reason,
                approved: reason.into(),
                author: proposer.name.clone(),
            };
            let proposed = Some((uid, &proposer));
            if let Some(version) = self.enforce(author, &base, &new, &text, diff, reason, proposed).await? {
                return Ok(Approved::InForce(Box::new(version)));
            }
        }
        Err(Fault::contended())
    }

    /// Rejects a proposal, or withdraws one's own.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it is already decided, or only its author can withdraw it.
    pub async fn turn_down(
        &self,
        author: &Author,
        proposal: &str,
        withdraw: bool,
        reason: &str,
    ) -> Result<ProposalReport, Fault> {
        crate::gate::ask::check_length(reason)?;
        for _ in 0..ATTEMPTS {
            let row = self.open_proposal(proposal).await?;
            if withdraw && row.person != author.id() {
                return Err(LawRefusal::NotOwnProposal.into());
            }
            let outcome = if withdraw { ProposalState::Withdrawn } else { ProposalState::Rejected };
            if self.decide_proposal(&row, author, outcome, reason).await? {
                return self.proposal(proposal).await;
            }
        }
        Err(Fault::contended())
    }

    /// Offers a table that no person publishes: the watched file, or the compiled-in default. The same rule
    /// applies; a table that was offered before is not offered again.
    ///
    /// # Errors
    ///
    /// If the ledger fails. A table with errors changes nothing, and is not an error here.
    pub async fn offer(&self, origin: Origin, text: Option<&str>) -> Result<(), Fault> {
        let (digest, state) = self.offered(origin, text).await?;
        match &state {
            WatchedState::InForce => tracing::debug!(origin = origin.as_str(), "the table is in force"),
            WatchedState::Waiting { proposal } => tracing::warn!(
                origin = origin.as_str(), %proposal,
                "the table loosens something: two people must decide on it, and until then the previous version stays in force"
            ),
            WatchedState::Passed => tracing::warn!(
                origin = origin.as_str(),
                "this table was offered before and is not in force; to put it in force, publish it"
            ),
            WatchedState::Unreadable { problems } => tracing::error!(
                origin = origin.as_str(),
                problems,
                "cannot read the table; the previous version stays in force"
            ),
        }
        self.laws.watch(Watched { origin, digest, state });
        Ok(())
    }

    /// The current state of the table that no person published: since then, it may have been approved or
    /// rejected, or another one published.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
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
            Some(row) => Ok(WatchedState::Waiting { proposal: parse_id(&row.uid)? }),
            None => Ok(WatchedState::Passed),
        }
    }

    /// Offers a table, unless it was offered before. Returns its digest if it can be read.
    async fn offered(
        &self,
        origin: Origin,
        text: Option<&str>,
    ) -> Result<(Option<String>, WatchedState), Fault> {
        let Some(text) = text else { return Ok((None, WatchedState::Unreadable { problems: 0 })) };
        let (table, problems) = self.check_table(text).await?;
        let Some(table) = table else {
            let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
            errors.clone().for_each(|problem| tracing::error!(%problem, "an error in the table"));
            return Ok((None, WatchedState::Unreadable { problems: errors.count() }));
        };
        self.refresh_law().await?;
        let digest = table.digest().to_owned();
        let known = self.ledger.table_source(origin.as_str()).await?.as_ref() == Some(&digest);
        if !known && self.laws.in_force().digest() != digest {
            let author = Author::unknown(origin);
            let unfounded = self.unfounded_reviews(&author, &self.laws.in_force(), &table).await?;
            if !unfounded.is_empty() {
                unfounded.iter().for_each(|problem| tracing::error!(%problem, "an error in the table"));
                return Ok((None, WatchedState::Unreadable { problems: unfounded.len() }));
            }
            self.publish(&author, text, "").await?;
        }
        self.note_source(origin, &digest).await?;
        let state = self.became_of(&digest).await?;
        Ok((Some(digest), state))
    }

    /// Makes the very first version, if nothing is in force yet.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub(crate) async fn first_version(&self, origin: Origin, digest: &str, text: &str) -> Result<(), Fault> {
        let at = self.clock.now();
        let credential = Actor::gateway().credential;
        let document = value(&Made { author: String::new(), credential, origin, step: None })?;
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
        // If another process was first, its version applies.
        self.note(&Actor::gateway(), SYSTEM_LOG, body, None, changes, expects).await?;
        self.refresh_law().await
    }

    /// Every version of the table, the newest first.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn versions(&self) -> Result<Vec<Version>, Fault> {
        self.ledger.versions().await?.iter().map(version).collect()
    }

    /// A version by its number or digest, with its text.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such version.
    pub async fn version(&self, name: &str) -> Result<VersionText, Fault> {
        let versions = self.ledger.versions().await?;
        let found = versions.iter().find(|row| row.version.to_string() == name || row.digest == name);
        let row = found.ok_or(Thing::TableVersion)?;
        let text = self.ledger.table(&row.digest).await?;
        let table = text.ok_or_else(|| Fault::damaged("a table that was in force is missing"))?;
        Ok(VersionText { version: version(row)?, table })
    }

    /// Every proposal, the newest first.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn proposals(&self) -> Result<Vec<Proposal>, Fault> {
        let now = self.law_moment().await?;
        let enrolled = self.enrolled(SYSTEM_LOG).await?;
        let rows = self.ledger.proposals(false).await?;
        rows.iter().map(|row| Ok(proposal(row, &enrolled, now)?.proposal)).collect()
    }

    /// A proposal, with its difference and its impact report.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such proposal.
    pub async fn proposal(&self, uid: &str) -> Result<ProposalReport, Fault> {
        let row = self.ledger.proposal(uid).await?.ok_or(Thing::Proposal)?;
        let enrolled = self.enrolled(SYSTEM_LOG).await?;
        let mut report = proposal(&row, &enrolled, self.law_moment().await?)?;
        self.name_calls(&mut report.impact).await?;
        Ok(report)
    }

    /// What is wrong with a table, and what it would change in the one in force.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn check(&self, text: &str) -> Result<Checked, Fault> {
        let (table, problems) = self.check_table(text).await?;
        let usable = table.is_some();
        let sources = table.as_ref().map(|table| table.sourcing(today(self.clock.now())));
        let diff = match table {
            Some(table) => Some(self.compare(&self.laws.in_force(), &Arc::new(table)).await?),
            None => None,
        };
        Ok(Checked { usable, problems, sources, diff })
    }

    /// Reads a table, and refuses one with errors.
    ///
    /// # Errors
    ///
    /// [`Fault`] with every problem.
    async fn read_table(&self, text: &str) -> Result<Table, Fault> {
        let (table, problems) = self.check_table(text).await?;
        table.ok_or_else(|| LawRefusal::Mistakes { problems }.into())
    }

    /// The reviews in a table that its publisher does not stand for. One that was in force before was published
    /// by somebody who did.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    async fn unfounded_reviews(
        &self,
        author: &Author,
        base: &Table,
        new: &Table,
    ) -> Result<Vec<Problem>, Fault> {
        let publisher = author.person.as_ref().map(|person| person.name.as_str());
        let problems = new.unfounded_reviews(base, publisher, |one, other| folded(one) == folded(other));
        if problems.is_empty() || self.ledger.versions().await?.iter().any(|row| row.digest == new.digest()) {
            return Ok(Vec::new());
        }
        Ok(problems)
    }

    /// Reads a table on a thread of its own, since a long one takes a while.
    ///
    /// # Errors
    ///
    /// If the gateway is stopping.
    async fn check_table(&self, text: &str) -> Result<(Option<Table>, Vec<Problem>), Fault> {
        let (text, today) = (text.to_owned(), today(self.clock.now()));
        blocking(true, move || Table::check(&text, today)).await
    }

    /// What changes from one table to another, with calls that show what loosens. A new overlay loosens if an
    /// account already names it: until now, the default applied to its calls.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    async fn compare(&self, base: &Arc<Table>, new: &Arc<Table>) -> Result<Diff, Fault> {
        let (old, table) = (Arc::clone(base), Arc::clone(new));
        let compared = move || Diff::between(&old, &table).shown(&old, &table);
        let mut diff = blocking(true, compared).await?;
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
    /// If the ledger fails.
    pub async fn close_lapsed(&self) -> Result<(), Fault> {
        let open = self.ledger.proposals(true).await?;
        if open.is_empty() {
            return Ok(());
        }
        let now = self.law_moment().await?;
        let gateway = Author::unknown(Origin::Program);
        for row in open.iter().filter(|row| now >= from_row(row.expires_at)) {
            self.decide_proposal(row, &gateway, ProposalState::Expired, "").await?;
        }
        Ok(())
    }

    /// Makes a proposal; `None` if the law changed in the meantime.
    async fn propose(
        &self,
        author: &Author,
        new: &Arc<Table>,
        text: &str,
        diff: Diff,
        reason: &str,
    ) -> Result<Option<Outcome>, Fault> {
        let open = self.ledger.proposals(true).await?;
        let now = self.law_moment().await?;
        if let Some(row) = open.iter().find(|row| row.digest == new.digest()) {
            if row.base == diff.from && now < from_row(row.expires_at) {
                let proposal = Box::new(self.proposal(&row.uid).await?);
                return Ok(Some(Outcome::Proposed { proposal }));
            }
            let same = row.base == diff.from;
            let outcome = if same { ProposalState::Expired } else { ProposalState::Superseded };
            self.decide_proposal(row, author, outcome, "").await?;
        }
        let base = self.table(&diff.from).await?;
        let impact = self.impact(&base, new, None, None, &|_, _| {}).await?;
        let uid = trail::id()?;
        let at = self.law_moment().await?;
        let expires_at = at
            .checked_add(SignedDuration::from_hours(PROPOSAL_HOURS))
            .map_err(|_| Fault::damaged("the clock is at its end"))?;
        let body = Body::TableProposed {
            proposal: uid,
            table: new.digest().into(),
            base: diff.from.clone(),
            origin: author.origin,
            diff: digest_of(&diff)?,
            impact: digest_of(&impact)?,
            expires_at: millis(expires_at.as_millisecond()),
        };
        let base = diff.from.clone();
        let detail = json!({"person": author.name(), "reason": reason, "diff": diff, "impact": impact});
        let document = Document { reason: reason.into(), origin: author.origin, diff, impact };
        let row = ProposalRow {
            uid: uid.to_string(),
            digest: new.digest().into(),
            base: base.clone(),
            state: ProposalState::Open.as_str().into(),
            credential: author.actor.credential.clone(),
            person: author.id(),
            document: value(&document)?.to_string(),
            proposed_at: at.as_millisecond(),
            expires_at: expires_at.as_millisecond(),
            decided_at: None,
            decision: None,
            salt: trail::salt()?,
        };
        let entry = trail::draft(SYSTEM_LOG, at, &author.actor, None, body, Some(detail))?;
        let changes = vec![
            Change::Table { digest: new.digest().into(), text: text.into(), at: at.as_millisecond() },
            Change::Proposal { row: Box::new(row) },
        ];
        // Only one proposal of a table at a time: the second author finds the first one's, which may have
        // arrived while the impact was computed.
        let open = self.ledger.proposals(true).await?;
        if open.iter().any(|row| row.digest == new.digest()) {
            return Ok(None);
        }
        let mut uids: Vec<String> = open.into_iter().map(|row| row.uid).collect();
        uids.sort();
        let expects = vec![Expect::Law { digest: Some(base) }, Expect::OpenProposals { uids }];
        match self.append(Job { expects, changes, entries: vec![entry] }).await? {
            Appended::Conflict => Ok(None),
            Appended::Done => {
                let proposal = Box::new(self.proposal(&uid.to_string()).await?);
                Ok(Some(Outcome::Proposed { proposal }))
            }
        }
    }

    /// Puts a table in force after `base`, which `diff` compares it with; `None` if something changed in the
    /// meantime. All other proposals were compared with another version, and have to be made again.
    #[expect(clippy::too_many_arguments, reason = "all of it goes into one transaction")]
    async fn enforce(
        &self,
        author: &Author,
        base: &laws::Version,
        new: &Arc<Table>,
        text: &str,
        diff: Diff,
        reason: Reason,
        proposal: Option<(Uuid, &Person)>,
    ) -> Result<Option<VersionText>, Fault> {
        let at = self.law_moment().await?;
        let number = base.number.saturating_add(1);
        let body = Body::Table {
            table: new.digest().into(),
            version: number,
            base: Some(base.table.digest().into()),
            origin: author.origin,
            proposal: proposal.map(|(uid, _)| uid),
            diff: digest_of(&diff)?,
            loosens: diff.loosens,
        };
        let step = Step {
            approver: proposal.map(|_| author.name().to_owned()),
            reason,
            proposal: proposal.map(|(uid, _)| uid),
            diff,
        };
        let document = value(&Made {
            author: proposal.map_or(author.name(), |(_, person)| &person.name).into(),
            credential: author.actor.credential.clone(),
            origin: author.origin,
            step: Some(step),
        })?;
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
            let outcome = if own { ProposalState::Published } else { ProposalState::Superseded };
            let (change, entry) = decision(uid, author, at, outcome, None)?;
            changes.push(change);
            entries.push(entry);
        }
        if self.append(Job { expects, changes, entries }).await? == Appended::Conflict {
            return Ok(None);
        }
        self.refresh_law().await?;
        self.version(&number.to_string()).await.map(Some)
    }

    /// Makes somebody the author of a proposal that has none; false if other requests were faster.
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

    /// Closes a proposal; false if other requests were faster.
    async fn decide_proposal(
        &self,
        row: &ProposalRow,
        author: &Author,
        outcome: ProposalState,
        reason: &str,
    ) -> Result<bool, Fault> {
        let uid = parse_id(&row.uid)?;
        let at = self.law_moment().await?;
        let (change, entry) = decision(uid, author, at, outcome, Some(reason))?;
        let expects = vec![Expect::ProposalOf { uid, person: row.person.clone() }];
        let job = Job { expects, changes: vec![change], entries: vec![entry] };
        Ok(self.append(job).await? == Appended::Done)
    }

    async fn open_proposal(&self, uid: &str) -> Result<ProposalRow, Fault> {
        let row = self.ledger.proposal(uid).await?.ok_or(Thing::Proposal)?;
        match state(&row)? {
            ProposalState::Open => Ok(row),
            ProposalState::Expired => Err(LawRefusal::Expired.into()),
            state @ (ProposalState::Published
            | ProposalState::Withdrawn
            | ProposalState::Rejected
            | ProposalState::Superseded) => Err(LawRefusal::Decided { state }.into()),
        }
    }

    async fn note_source(&self, origin: Origin, digest: &str) -> Result<(), Fault> {
        if self.ledger.table_source(origin.as_str()).await?.as_deref() == Some(digest) {
            return Ok(());
        }
        let changes = vec![Change::TableSource { origin: origin.as_str(), digest: digest.into() }];
        self.append(Job { changes, ..Job::default() }).await.map(|_| ())
    }

    /// The moment of an action at the law desk: never before the last one, so that setting the clock back
    /// does not revive an expired proposal.
    async fn law_moment(&self) -> Result<Timestamp, Fault> {
        Ok(self.clock.now().max(millis(self.ledger.last_of_law().await?)))
    }
}

fn decision(
    uid: Uuid,
    author: &Author,
    at: Timestamp,
    outcome: ProposalState,
    reason: Option<&str>,
) -> Result<(Change, trail::Draft), Fault> {
    let ruling = value(&Ruling {
        person: author.name().into(),
        credential: author.actor.credential.clone(),
        reason: reason.map(Into::into),
    })?;
    let (state, decision) = (outcome.as_str(), ruling.to_string());
    let body = Body::ProposalDecided { proposal: uid, outcome: state.into() };
    let entry = trail::draft(SYSTEM_LOG, at, &author.actor, None, body, Some(ruling))?;
    Ok((Change::DecideProposal { uid, state, at: at.as_millisecond(), decision }, entry))
}

fn check_reason(author: &Author, reason: &str) -> Result<(), Wrong> {
    if author.origin == Origin::Person && reason.trim().is_empty() {
        return Err(Wrong::NoReason);
    }
    crate::gate::ask::check_length(reason)
}

pub(crate) fn today(now: Timestamp) -> jiff::civil::Date {
    now.to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn value(document: &impl Serialize) -> Result<Value, Fault> {
    serde_json::to_value(document).map_err(|_| Fault::damaged("a document of the law desk cannot be written"))
}

fn digest_of(document: &impl Serialize) -> Result<String, Fault> {
    Ok(hex(&Sha256::digest(value(document)?.to_string())))
}

/// The form of [`ProposalRow::document`].
#[derive(Serialize, Deserialize)]
struct Document {
    reason: String,
    origin: Origin,
    diff: Diff,
    impact: Impact,
}

fn document(row: &ProposalRow) -> Result<Document, Fault> {
    serde_json::from_str(&row.document).map_err(|_| Fault::damaged("a proposal cannot be read"))
}

fn state(row: &ProposalRow) -> Result<ProposalState, Fault> {
    ProposalState::parse(&row.state).ok_or_else(|| Fault::damaged("the state of a proposal cannot be read"))
}

fn version(row: &VersionRow) -> Result<Version, Fault> {
    let unreadable = || Fault::damaged("a version of the table cannot be read");
    let made: Made = serde_json::from_str(&row.document).map_err(|_| unreadable())?;
    // Every version except the first says what it changed.
    if made.step.is_none() && row.version > 1 {
        return Err(unreadable());
    }
    Ok(Version {
        version: row.version,
        digest: row.digest.clone(),
        in_force_at: from_row(row.in_force_at).into(),
        made,
    })
}

fn proposal(row: &ProposalRow, enrolled: &Enrolled, now: Timestamp) -> Result<ProposalReport, Fault> {
    let Document { reason, origin, diff, impact } = document(row)?;
    let author = match row.person.is_empty() {
        true => String::new(),
        false => enrolled.name_of(parse_id(&row.person)?),
    };
    let unreadable = |_| Fault::damaged("who decided a proposal cannot be read");
    let decision = row.decision.as_deref().map(serde_json::from_str).transpose().map_err(unreadable)?;
    let stored = state(row)?;
    let lapsed = stored == ProposalState::Open && now >= from_row(row.expires_at);
    let state = if lapsed { ProposalState::Expired } else { stored };
    let proposal = Proposal {
        id: parse_id(&row.uid)?,
        digest: row.digest.clone(),
        base: row.base.clone(),
        state,
        author,
        origin,
        reason,
        proposed_at: from_row(row.proposed_at).into(),
        expires_at: from_row(row.expires_at).into(),
        decided_at: row.decided_at.map(|at| from_row(at).into()),
        decision,
    };
    Ok(ProposalReport { proposal, diff, impact })
}

/// How long a proposal can be approved, in hours.
const PROPOSAL_HOURS: i64 = 14 * 24;
