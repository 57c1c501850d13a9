//! Registration of accounts and credentials.

use std::collections::BTreeMap;

use policy::{Code, HeldCounts, OnWithdrawal, Period, Purpose, Redact, Retention};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::{MAX_QUARANTINE_SECONDS, Role, Uploads, secret::Secret};
use crate::gate::ask::{AccountChange, Basis, language};
use crate::gate::{
    ATTEMPTS, CallRefusal, Fault, Field, Gate, PersonRefusal, RegisterRefusal, Thing, Webhook, Wrong,
    check_overlays,
};
use crate::ledger::{Appended, Change, Expect, Job};
use seal::Format;
use trail::{Actor, Body, OnRefusal, SYSTEM_LOG};

/// The settings of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountSettings {
    /// The language of participants for whom none is given.
    pub default_language: String,
    /// How late evidence may be logged and still apply from when it happened, 0 to 60 seconds.
    pub late_evidence_seconds: u8,
    /// How many devices may record one call at once.
    pub recorders: u16,
    /// What to do with audio that was covered before somebody withdrew.
    pub on_withdrawal: OnWithdrawal,
    /// What to do with an upload's seconds that are not covered.
    pub redact: Redact,
    /// How much of an upload must be left where it is silenced, 0 to 100 percent of its length.
    pub least_kept_percent: u8,
    /// How long to keep recordings at least, beside what the law asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_at_least: Option<Period>,
    /// How long to keep them at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_at_most: Option<Period>,
    /// How long to keep them at most where nothing else says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_by_default: Option<Period>,
    /// How long to keep what is recorded for a purpose, beside all that.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub keep_for: BTreeMap<Purpose, Retention>,
    /// On which lawful basis what is recorded for a purpose is processed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lawful_basis: BTreeMap<Purpose, Basis>,
    /// The overlays for every call of the account.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overlays: Vec<String>,
    /// Whether the account is a public-safety answering point, to which special rules for emergency calls
    /// apply.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub public_safety: bool,
    /// Whether somebody on hold counts as on the call, where no rule says it.
    #[serde(skip_serializing_if = "HeldCounts::is_default")]
    pub on_hold: HeldCounts,
    /// Whether everybody may read the account's log. Its leaves hold nothing that an outsider chose.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub public_log: bool,
    /// How recordings are sealed.
    #[serde(skip_serializing_if = "is_default")]
    pub format: Format,
    /// How long after a window has closed its systems are told that nothing of it came, in seconds.
    #[serde(skip_serializing_if = "is_overdue_by_default")]
    pub overdue_seconds: u32,
    /// Where its systems are told what happens.
    #[serde(skip_serializing_if = "Webhook::is_unset")]
    pub webhook: Webhook,
}

impl Default for AccountSettings {
    fn default() -> Self {
        let of_policy = policy::Settings::default();
        AccountSettings {
            default_language: of_policy.default_language,
            late_evidence_seconds: of_policy.late_evidence_seconds,
            recorders: of_policy.recorders,
            on_withdrawal: of_policy.on_withdrawal,
            redact: of_policy.redact,
            least_kept_percent: of_policy.least_kept_percent,
            keep_at_least: of_policy.retention.minimum,
            keep_at_most: of_policy.retention.maximum,
            keep_by_default: of_policy.keep_by_default,
            keep_for: of_policy.retention_for,
            lawful_basis: BTreeMap::new(),
            overlays: Vec::new(),
            public_safety: of_policy.public_safety,
            on_hold: of_policy.on_hold,
            public_log: false,
            format: Format::default(),
            overdue_seconds: OVERDUE_SECONDS,
            webhook: Webhook::default(),
        }
    }
}

fn is_overdue_by_default(seconds: &u32) -> bool {
    *seconds == OVERDUE_SECONDS
}

/// An upload that has not come after an hour is told: the slowest known platform gives up after fifty minutes.
const OVERDUE_SECONDS: u32 = 3600;

/// A new credential. Its password is shown once.
#[derive(Debug)]
pub struct NewCredential {
    /// Its generated name.
    pub username: String,
    /// Its secret.
    pub password: Secret,
    /// Its account.
    pub account: String,
    /// Its role.
    pub role: Role,
    /// How its uploads are judged and answered.
    pub uploads: Uploads,
}

/// Where the operator is established, and where the recording device stands.
pub(in crate::gate) type Places = (Option<String>, Option<String>);

/// Who changes an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// Somebody with a shell on the gateway's machine.
    Operator,
    /// A provisioner, who only tightens.
    Provisioner,
}

impl Authority {
    /// Refuses what loosens a setting, from somebody who may not.
    pub(in crate::gate) fn may(self, loosens: Option<&'static str>) -> Result<(), RegisterRefusal> {
        match (self, loosens) {
            (Authority::Provisioner, Some(what)) => Err(RegisterRefusal::Loosens { what }),
            (Authority::Provisioner, None) | (Authority::Operator, _) => Ok(()),
        }
    }
}

impl NewCredential {
    pub(in crate::gate) fn generate(account: &str, role: Role) -> Result<NewCredential, Fault> {
        Ok(NewCredential {
            username: format!("cg_{}", trail::hex(&trail::random::<8>()?)),
            password: Secret::generate().map_err(|_| trail::DraftError::Randomness)?,
            account: account.into(),
            role,
            uploads: Uploads::default(),
        })
    }
}

impl AccountChange {
    /// The settings with what is to change.
    pub(in crate::gate) fn onto(&self, before: AccountSettings) -> AccountSettings {
        // A new member has to be thought of here.
        let AccountChange {
            // They stand beside the settings.
            operator_location: _,
            recorder_location: _,
            default_language,
            late_evidence_seconds,
            recorders,
            on_withdrawal,
            redact,
            least_kept_percent,
            keep_at_least,
            keep_at_most,
            keep_by_default,
            keep_for,
            lawful_basis,
            overdue_seconds,
            overlays,
            public_safety,
            on_hold,
            public_log,
            format,
        } = self.clone();
        let chosen = |overlays: Vec<String>| -> Vec<String> {
            overlays.into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect()
        };
        // What has no limits any more is not named any more.
        let limits =
            keep_for.unwrap_or_default().into_iter().map(|(purpose, limits)| (purpose, limits.into()));
        let limits = before.keep_for.into_iter().chain(limits);
        let mut keep_for: BTreeMap<Purpose, Retention> = limits.collect();
        keep_for.retain(|_, limits| !limits.is_free());
        let mut bases = before.lawful_basis;
        for (purpose, basis) in lawful_basis.unwrap_or_default() {
            match basis {
                Some(basis) => bases.insert(purpose, basis),
                None => bases.remove(&purpose),
            };
        }
        AccountSettings {
            default_language: default_language.unwrap_or(before.default_language),
            late_evidence_seconds: late_evidence_seconds.unwrap_or(before.late_evidence_seconds),
            recorders: recorders.unwrap_or(before.recorders),
            on_withdrawal: on_withdrawal.unwrap_or(before.on_withdrawal),
            redact: redact.unwrap_or(before.redact),
            least_kept_percent: least_kept_percent.unwrap_or(before.least_kept_percent),
            keep_at_least: keep_at_least.or(before.keep_at_least),
            keep_at_most: keep_at_most.or(before.keep_at_most),
            keep_by_default: keep_by_default.or(before.keep_by_default),
            keep_for,
            lawful_basis: bases,
            overdue_seconds: overdue_seconds.unwrap_or(before.overdue_seconds),
            overlays: overlays.map_or(before.overlays, chosen),
            public_safety: public_safety.unwrap_or(before.public_safety),
            on_hold: on_hold.unwrap_or(before.on_hold),
            public_log: public_log.unwrap_or(before.public_log),
            format: format.unwrap_or(before.format),
            webhook: before.webhook,
        }
    }
}

/// The settings that ask less than before, or may, by the names of their members.
///
/// A place is never exchanged or taken away: which of two places asks more depends on the call. So does the language
/// that people are taken to understand. How long recordings are kept is not the law: the table's limits hold beside
/// it in any case.
pub(in crate::gate) fn looser(
    (before, had): (&AccountSettings, &Places),
    (after, has): (&AccountSettings, &Places),
) -> Vec<&'static str> {
    let moved = |had: &Option<String>, has: &Option<String>| had.is_some() && had != has;
    let deletes = |settings: &AccountSettings| match settings.on_withdrawal {
        OnWithdrawal::Keep => 0,
        OnWithdrawal::DeletePresent => 1,
        OnWithdrawal::Delete => 2,
    };
    let counted = |settings: &AccountSettings| settings.on_hold == HeldCounts::Counted;
    let all = [
        ("operator_location", moved(&had.0, &has.0)),
        ("recorder_location", moved(&had.1, &has.1)),
        ("default_language", after.default_language != before.default_language),
        ("late_evidence_seconds", after.late_evidence_seconds > before.late_evidence_seconds),
        ("recorders", after.recorders > before.recorders),
        ("on_withdrawal", deletes(before) > deletes(after)),
        ("public_log", after.public_log != before.public_log),
        ("overlays", before.overlays.iter().any(|overlay| !after.overlays.contains(overlay))),
        ("public_safety", after.public_safety && !before.public_safety),
        ("on_hold", counted(before) && !counted(after)),
    ];
    all.into_iter().filter(|(_, looser)| *looser).map(|(what, _)| what).collect()
}

/// The settings that the account's counsel chooses.
const OF_COUNSEL: [&str; 3] = ["overlays", "public_safety", "on_hold"];

/// What the entries about a change say.
fn said(
    (before, had): (&AccountSettings, &Places),
    (after, has): (&AccountSettings, &Places),
    looser: &[&'static str],
) -> Result<Vec<(Body, Option<serde_json::Value>)>, Fault> {
    let members = |settings: &AccountSettings, places: &Places| {
        let mut members =
            serde_json::to_value(settings).map_err(|_| Fault::damaged("settings cannot be written"))?;
        let members = members.as_object_mut().map(std::mem::take).unwrap_or_default();
        let places = json!({"operator_location": places.0, "recorder_location": places.1});
        let places = places.as_object().cloned().unwrap_or_default();
        Ok::<_, Fault>(members.into_iter().chain(places).collect::<serde_json::Map<_, _>>())
    };
    let (was, is) = (members(before, had)?, members(after, has)?);
    let mut said = Vec::new();
    if before.format != after.format {
        said.push((Body::AccountFormat { format: after.format }, None));
    }
    let law =
        |settings: &AccountSettings| (settings.overlays.clone(), settings.public_safety, settings.on_hold);
    if law(before) != law(after) {
        let (overlays, public_safety, on_hold) = law(after);
        let detail = json!({"reason": "set up by a provisioner, who only tightens"});
        said.push((Body::AccountLaw { overlays, public_safety, on_hold }, Some(detail)));
    }
    let elsewhere = |member: &&String| !OF_COUNSEL.contains(&member.as_str()) && *member != "format";
    let names: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).filter(elsewhere).collect();
    let changed: Vec<&String> = names.into_iter().filter(|name| was.get(*name) != is.get(*name)).collect();
    if !changed.is_empty() {
        let pick = |of: &serde_json::Map<String, serde_json::Value>| -> serde_json::Value {
            changed.iter().map(|name| ((*name).clone(), of.get(*name).cloned().unwrap_or_default())).collect()
        };
        let detail = json!({"before": pick(&was), "after": pick(&is)});
        let loosens = looser.iter().any(|what| !OF_COUNSEL.contains(what));
        said.push((Body::AccountSettings { loosens }, Some(detail)));
    }
    Ok(said)
}

fn written(settings: &AccountSettings) -> Result<String, Fault> {
    serde_json::to_string(settings).map_err(|_| Fault::damaged("settings cannot be written"))
}

impl AccountSettings {
    pub(crate) fn read(document: &str) -> Result<AccountSettings, Fault> {
        serde_json::from_str(document).map_err(|_| Fault::damaged("an account's settings cannot be read"))
    }

    fn retention(&self) -> Retention {
        Retention { minimum: self.keep_at_least, maximum: self.keep_at_most }
    }

    pub(in crate::gate) fn for_policy(&self) -> policy::Settings {
        policy::Settings {
            default_language: language(Field::DefaultLanguage, &self.default_language).unwrap_or_default(),
            late_evidence_seconds: self.late_evidence_seconds,
            recorders: self.recorders,
            on_withdrawal: self.on_withdrawal,
            redact: self.redact,
            least_kept_percent: self.least_kept_percent,
            retention: self.retention(),
            retention_for: self.keep_for.clone(),
            keep_by_default: self.keep_by_default,
            lawful_basis: self.lawful_basis.iter().map(|(purpose, basis)| (*purpose, basis.basis)).collect(),
            public_safety: self.public_safety,
            on_hold: self.on_hold,
        }
    }
}

impl Gate {
    /// The account's settings as they are now.
    pub(in crate::gate) async fn settings(
        &self,
        account: &str,
    ) -> Result<(AccountSettings, Option<Code>, Option<Code>), Fault> {
        let row = self.ledger.account(account).await?.ok_or(CallRefusal::Unknown)?;
        let settings = AccountSettings::read(&row.settings)?;
        // A place that cannot be read must not relax the requirements for the account's calls.
        let place = |code: Option<String>| {
            let read = code.map(|code| code.parse()).transpose();
            read.map_err(|error| Fault::damaged_by("the place of an account cannot be read", error))
        };
        Ok((settings, place(row.recorder_location)?, place(row.operator_location)?))
    }

    /// Adds an account.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the id is taken or makes no sense.
    pub async fn add_account(
        &self,
        actor: &Actor,
        id: &str,
        operator: Option<&str>,
        recorder: Option<&str>,
        settings: &AccountSettings,
    ) -> Result<(), Fault> {
        let places = places(Authority::Operator, operator, recorder)?;
        if self.create_account(actor, id, places, settings, None).await? {
            return Ok(());
        }
        Err(match self.ledger.account(id).await? {
            Some(_) => RegisterRefusal::AccountExists { id: id.into() },
            None => RegisterRefusal::NameTaken { name: id.into() },
        }
        .into())
    }

    /// Adds an account, which a credential may provision from then on. Returns false if its id is taken.
    pub(in crate::gate) async fn create_account(
        &self,
        actor: &Actor,
        id: &str,
        (operator, recorder): Places,
        settings: &AccountSettings,
        provisioner: Option<&str>,
    ) -> Result<bool, Fault> {
        check_account(id)?;
        check_settings(settings)?;
        self.check_webhook(&settings.webhook)?;
        let change = Change::Account {
            id: id.into(),
            operator,
            recorder,
            settings: written(settings)?,
            provisioner: provisioner.map(Into::into),
            at: self.clock.now().as_millisecond(),
        };
        let mut detail = json!({"account": id, "settings": settings});
        // The address may hold a password.
        if let Some(url) = &settings.webhook.url
            && let Some(settings) = detail.get_mut("settings").and_then(serde_json::Value::as_object_mut)
        {
            settings.insert("webhook".into(), json!(url.shown()));
        }
        let expects = vec![Expect::AccountFree { id: id.into() }];
        let body = Body::Account { format: settings.format };
        Ok(self.note(actor, id, body, Some(detail), vec![change], expects).await? == Appended::Done)
    }

    /// Chooses how an account's recordings are sealed from now on. What is stored stays as it is. Returns whether that
    /// is new.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such account, or it has more active keys than the format allows.
    pub async fn set_format(&self, actor: &Actor, account: &str, format: Format) -> Result<bool, Fault> {
        let change = AccountChange { format: Some(format), ..AccountChange::default() };
        self.change_account(actor, account, &change, Authority::Operator).await
    }

    /// Changes an account's settings, for calls that are opened from now on. What is left out stays as it is. Returns
    /// whether anything is new.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such account, a setting makes no sense, or somebody who may not loosens it.
    pub async fn change_account(
        &self,
        actor: &Actor,
        account: &str,
        change: &AccountChange,
        authority: Authority,
    ) -> Result<bool, Fault> {
        if account == SYSTEM_LOG {
            return Err(RegisterRefusal::SystemHasNoCalls.into());
        }
        let (operator, recorder) = places_of(authority, change)?;
        for _ in 0..ATTEMPTS {
            let row = self.ledger.account(account).await?;
            let row = row.ok_or_else(|| RegisterRefusal::UnknownAccount { id: account.into() })?;
            let before = AccountSettings::read(&row.settings)?;
            let after = change.onto(before.clone());
            check_settings(&after)?;
            check_overlays(&self.laws.in_force(), &after.overlays)?;
            let had = (row.operator_location, row.recorder_location);
            let has = (operator.clone().or(had.0.clone()), recorder.clone().or(had.1.clone()));
            if (&before, &had) == (&after, &has) {
                return Ok(false);
            }
            let looser = looser((&before, &had), (&after, &has));
            authority.may(looser.first().copied())?;
            let mut job = Job {
                expects: vec![
                    Expect::AccountSettings { id: account.into(), settings: row.settings },
                    Expect::AccountPlaces {
                        id: account.into(),
                        operator: had.0.clone(),
                        recorder: had.1.clone(),
                    },
                ],
                ..Job::default()
            };
            if after.format != before.format {
                let in_use = self.keys_in_use(account).await?;
                if after.format.has_one_recipient() && in_use.len() > 1 {
                    let (account, format) = (account.into(), after.format);
                    return Err(RegisterRefusal::ManyKeys { account, format, in_use }.into());
                }
                job.expects.push(Expect::KeysInUse { account: account.into(), ids: in_use });
            }
            job.changes.push(Change::AccountSettings { id: account.into(), settings: written(&after)? });
            if had != has {
                let (operator, recorder) = has.clone();
                job.changes.push(Change::AccountPlaces { id: account.into(), operator, recorder });
            }
            let at = self.clock.now();
            for (body, detail) in said((&before, &had), (&after, &has), &looser)? {
                job.entries.push(trail::draft(account, at, actor, None, body, detail)?);
            }
            if self.append(job).await? == Appended::Done {
                return Ok(true);
            }
        }
        Err(Fault::contended())
    }

    /// The account's settings as they are now, and their text.
    pub(in crate::gate) async fn settings_now(
        &self,
        account: &str,
    ) -> Result<(AccountSettings, String), Fault> {
        let row = self.ledger.account(account).await?;
        let row = row.ok_or_else(|| RegisterRefusal::UnknownAccount { id: account.into() })?;
        Ok((AccountSettings::read(&row.settings)?, row.settings))
    }

    /// Adds a credential; without a chosen password, it gets a random one. It stands for the person with this
    /// name, who is enrolled if nobody has it.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such account, or the password is too weak.
    pub async fn add_credential(
        &self,
        actor: &Actor,
        account: &str,
        role: Role,
        name: &str,
        chosen: Option<&str>,
    ) -> Result<NewCredential, Fault> {
        self.add_credential_for(actor, account, role, name, chosen, Uploads::default()).await
    }

    /// The same, for uploads that are judged and answered in this way.
    ///
    /// # Errors
    ///
    /// [`Fault`]: as there; or its role uploads nothing.
    pub async fn add_credential_for(
        &self,
        actor: &Actor,
        account: &str,
        role: Role,
        name: &str,
        chosen: Option<&str>,
        uploads: Uploads,
    ) -> Result<NewCredential, Fault> {
        if uploads != Uploads::default() && !role.uploads() {
            return Err(RegisterRefusal::UploadsNothing { role }.into());
        }
        check_uploads(uploads)?;
        self.settings(account).await.map_err(|fault| fault.of_account(account))?;
        if account == SYSTEM_LOG && !role.is_of_the_system() {
            return Err(RegisterRefusal::RoleOfCalls.into());
        }
        if account != SYSTEM_LOG && role == Role::Provisioner {
            return Err(RegisterRefusal::RoleOfSystem.into());
        }
        let new = NewCredential { uploads, ..NewCredential::generate(account, role)? };
        let hash = match chosen {
            Some(chosen) => {
                crate::access::secret::stored_password(chosen).map_err(RegisterRefusal::WeakPassword)?
            }
            None => new.password.stored(),
        };
        for _ in 0..ATTEMPTS {
            let mut job = Job::default();
            // A provisioner is a program: it is nobody's second person.
            let person = match role {
                Role::Provisioner => {
                    crate::gate::ask::check_name(Field::PersonName, name)?;
                    None
                }
                Role::Recorder
                | Role::Observer
                | Role::Uploader
                | Role::Listener
                | Role::Auditor
                | Role::Counsel
                | Role::Registrar
                | Role::Admin => self.stands_for(&self.enrolled(account).await?, actor, name, &mut job)?,
            };
            if account == SYSTEM_LOG && role != Role::Provisioner && person.is_none() {
                return Err(PersonRefusal::NameNeeded.into());
            }
            let stands_for = person.map(|person| person.id);
            self.draft_credential(actor, &new, name, stands_for, None, &hash, &mut job)?;
            if self.append(job).await? == Appended::Done {
                return Ok(new);
            }
        }
        Err(Fault::contended())
    }

    /// Has a job add a credential.
    #[expect(clippy::too_many_arguments, reason = "the columns of one row")]
    pub(in crate::gate) fn draft_credential(
        &self,
        actor: &Actor,
        new: &NewCredential,
        name: &str,
        person: Option<uuid::Uuid>,
        provisioner: Option<&str>,
        hash: &str,
        job: &mut Job,
    ) -> Result<(), Fault> {
        let at = self.clock.now();
        let Uploads { coverage, on_refusal, quarantine_seconds } = new.uploads;
        // Who uploads nothing has nothing in quarantine.
        let quarantine_seconds = if new.role.uploads() { quarantine_seconds } else { 0 };
        job.changes.push(Change::Credential {
            username: new.username.clone(),
            account: new.account.clone(),
            role: new.role.as_str().into(),
            name: name.into(),
            person,
            provisioner: provisioner.map(Into::into),
            hash: hash.into(),
            coverage: coverage.as_str(),
            on_refusal: on_refusal.as_str(),
            quarantine_seconds: i64::from(quarantine_seconds),
            at: at.as_millisecond(),
        });
        let (credential, role) = (new.username.clone(), new.role.as_str().into());
        let body = Body::Credential { credential, role, person, coverage, on_refusal, quarantine_seconds };
        job.entries.push(trail::draft(&new.account, at, actor, None, body, Some(json!({"name": name})))?);
        Ok(())
    }

    /// Gives a credential another password, which is shown once. The one before does not count any more.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such credential, or it was revoked.
    pub async fn rotate_credential(&self, actor: &Actor, username: &str) -> Result<NewCredential, Fault> {
        for _ in 0..ATTEMPTS {
            let row = self.ledger.credential(username).await?.ok_or(Thing::Credential)?;
            let role = Role::parse(&row.role).ok_or_else(|| Fault::damaged("a role cannot be read"))?;
            let new =
                NewCredential { username: row.username, ..NewCredential::generate(&row.account, role)? };
            let change = Change::RotateCredential { username: username.into(), hash: new.password.stored() };
            let expects = vec![Expect::CredentialIs { username: username.into(), hash: row.hash }];
            let body = Body::CredentialRotated { credential: username.into() };
            if self.note(actor, &row.account, body, None, vec![change], expects).await? == Appended::Done {
                return Ok(new);
            }
        }
        Err(Fault::contended())
    }

    /// Changes how the uploads of a credential are answered, as far as that is said. Returns how they are from now on.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such credential, or its role uploads nothing.
    pub async fn set_credential(
        &self,
        actor: &Actor,
        username: &str,
        on_refusal: Option<OnRefusal>,
        quarantine_seconds: Option<u32>,
    ) -> Result<Uploads, Fault> {
        let row = self.ledger.credential(username).await?.ok_or(Thing::Credential)?;
        let role = Role::parse(&row.role).ok_or_else(|| Fault::damaged("a role cannot be read"))?;
        if !role.uploads() {
            return Err(RegisterRefusal::UploadsNothing { role }.into());
        }
        let before = Uploads::read(&row.coverage, &row.on_refusal, row.quarantine_seconds)
            .ok_or_else(|| Fault::damaged("how a credential's uploads are answered cannot be read"))?;
        let uploads = Uploads {
            on_refusal: on_refusal.unwrap_or(before.on_refusal),
            quarantine_seconds: quarantine_seconds.unwrap_or(before.quarantine_seconds),
            ..before
        };
        if uploads == before {
            return Ok(uploads);
        }
        check_uploads(uploads)?;
        let Uploads { on_refusal, quarantine_seconds, .. } = uploads;
        let change = Change::SetCredential {
            username: username.into(),
            on_refusal: on_refusal.as_str(),
            quarantine_seconds: i64::from(quarantine_seconds),
        };
        let body = Body::CredentialSet { credential: username.into(), on_refusal, quarantine_seconds };
        let expects = vec![Expect::CredentialIs { username: username.into(), hash: row.hash }];
        match self.note(actor, &row.account, body, None, vec![change], expects).await? {
            Appended::Done => Ok(uploads),
            Appended::Conflict => Err(Thing::Credential.into()),
        }
    }

    /// Revokes a credential, effective at once.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such credential, or it was already revoked.
    pub async fn revoke_credential(&self, actor: &Actor, username: &str) -> Result<(), Fault> {
        let row = self.ledger.credential(username).await?.ok_or(Thing::Credential)?;
        let change =
            Change::RevokeCredential { username: username.into(), at: self.clock.now().as_millisecond() };
        let body = Body::CredentialRevoked { credential: username.into() };
        self.note(actor, &row.account, body, None, vec![change], Vec::new()).await?;
        Ok(())
    }
}

fn is_default(format: &Format) -> bool {
    *format == Format::default()
}

fn check_uploads(uploads: Uploads) -> Result<(), RegisterRefusal> {
    match uploads.quarantine_seconds <= MAX_QUARANTINE_SECONDS {
        true => Ok(()),
        false => Err(RegisterRefusal::QuarantineSeconds),
    }
}

pub(in crate::gate) fn check_account(id: &str) -> Result<(), Wrong> {
    let plain = !id.is_empty()
        && id.len() <= 64
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
    if plain && id.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(Wrong::AccountId)
}

pub(in crate::gate) fn check_settings(settings: &AccountSettings) -> Result<(), Fault> {
    if settings.late_evidence_seconds > 60 {
        return Err(RegisterRefusal::LateEvidence.into());
    }
    if settings.recorders == 0 {
        return Err(RegisterRefusal::NoRecorders.into());
    }
    // Two purposes may contradict each other: no recording may serve both.
    let limits = settings.keep_for.values().chain([&Retention::FREE]);
    if limits.into_iter().any(|limits| settings.retention().and(*limits).contradicts_itself()) {
        return Err(RegisterRefusal::Retention.into());
    }
    let notices = settings.lawful_basis.values().filter_map(|basis| basis.notice.as_deref());
    if notices.into_iter().any(|notice| !is_a_page(notice)) {
        return Err(RegisterRefusal::Notice.into());
    }
    if settings.least_kept_percent > 100 {
        return Err(RegisterRefusal::LeastKept.into());
    }
    language(Field::DefaultLanguage, &settings.default_language)?;
    Ok(())
}

/// Whether it is the address of a page that everybody may read.
fn is_a_page(address: &str) -> bool {
    let authority = address.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
    address.len() <= 2_000
        && address.bytes().all(|byte| byte.is_ascii_graphic())
        && authority.is_some_and(|authority| !authority.is_empty() && !authority.contains('@'))
}

/// The places of a change, checked.
pub(in crate::gate) fn places_of(authority: Authority, change: &AccountChange) -> Result<Places, Fault> {
    let (operator, recorder) = (&change.operator_location, &change.recorder_location);
    places(authority, operator.as_deref(), recorder.as_deref())
}

/// The codes of places that an account is given.
fn places(authority: Authority, operator: Option<&str>, recorder: Option<&str>) -> Result<Places, Fault> {
    let code = |field, text| -> Result<Option<String>, Wrong> {
        Ok(crate::gate::ask::place(field, text)?.map(|code| code.to_string()))
    };
    let (of_operator, of_recorder) = match authority {
        Authority::Operator => (Field::Operator, Field::Recorder),
        Authority::Provisioner => (Field::OperatorLocation, Field::RecorderLocation),
    };
    Ok((code(of_operator, operator)?, code(of_recorder, recorder)?))
}
