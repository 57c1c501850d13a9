//! Registration of accounts and credentials.

use policy::{Code, CoverageBasis, HeldCounts, OnWithdrawal, Period, Redact, Retention};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::{Role, secret::Secret};
use crate::gate::ask::language;
use crate::gate::{
    ATTEMPTS, CallRefusal, Fault, Field, Gate, PersonRefusal, RegisterRefusal, Thing, Webhook, Wrong,
};
use crate::ledger::{Appended, Change, Expect, Job};
use seal::Format;
use trail::{Actor, Body, SYSTEM_LOG};

/// The settings of an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
            keep_by_default: self.keep_by_default,
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
        check_account(id)?;
        check_settings(settings)?;
        self.check_webhook(&settings.webhook)?;
        let code = |field, text| -> Result<Option<String>, Wrong> {
            let code = crate::gate::ask::place(field, text)?;
            code.map(|code| self.listed(field, code)).transpose()
        };
        let change = Change::Account {
            id: id.into(),
            operator: code(Field::Operator, operator)?,
            recorder: code(Field::Recorder, recorder)?,
            settings: serde_json::to_string(settings)
                .map_err(|_| Fault::damaged("settings cannot be written"))?,
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
        match self
            .note(actor, id, Body::Account { format: settings.format }, Some(detail), vec![change], expects)
            .await?
        {
            Appended::Done => Ok(()),
            Appended::Conflict => Err(RegisterRefusal::AccountExists { id: id.into() }.into()),
        }
    }

    /// Chooses how an account's recordings are sealed from now on. What is stored stays as it is. Returns whether that
    /// is new.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such account, or it has more active keys than the format allows.
    pub async fn set_format(&self, actor: &Actor, account: &str, format: Format) -> Result<bool, Fault> {
        if account == SYSTEM_LOG {
            return Err(RegisterRefusal::SystemHasNoCalls.into());
        }
        for _ in 0..ATTEMPTS {
            let (mut settings, document) = self.settings_now(account).await?;
            if settings.format == format {
                return Ok(false);
            }
            let in_use = self.keys_in_use(account).await?;
            if format.has_one_recipient() && in_use.len() > 1 {
                return Err(RegisterRefusal::ManyKeys { account: account.into(), format, in_use }.into());
            }
            settings.format = format;
            let expects = vec![
                Expect::AccountSettings { id: account.into(), settings: document },
                Expect::KeysInUse { account: account.into(), ids: in_use },
            ];
            let changes = vec![Change::AccountSettings {
                id: account.into(),
                settings: serde_json::to_string(&settings)
                    .map_err(|_| Fault::damaged("settings cannot be written"))?,
            }];
            let body = Body::AccountFormat { format };
            if self.note(actor, account, body, None, changes, expects).await? == Appended::Done {
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

    /// Checks that a place exists: a wrong one would apply the strictest rule to every call of the account.
    fn listed(&self, field: Field, code: Code) -> Result<String, Wrong> {
        if policy::atlas::name(code).is_none() && self.laws.in_force().history(code).is_empty() {
            return Err(Wrong::UnlistedPlace { field, code, meant: policy::atlas::nearest(code.as_str()) });
        }
        Ok(code.to_string())
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
        self.settings(account).await.map_err(|fault| fault.of_account(account))?;
        if account == SYSTEM_LOG
            && (role.is_of_a_platform() || matches!(role, Role::Listener | Role::Registrar))
        {
            return Err(RegisterRefusal::RoleOfCalls.into());
        }
        let username = format!("cg_{}", trail::hex(&trail::random::<8>()?));
        let password = Secret::generate().map_err(|_| trail::DraftError::Randomness)?;
        let hash = match chosen {
            Some(chosen) => {
                crate::access::secret::stored_password(chosen).map_err(RegisterRefusal::WeakPassword)?
            }
            None => password.stored(),
        };
        for _ in 0..ATTEMPTS {
            let mut job = Job::default();
            let person = self.stands_for(&self.enrolled(account).await?, actor, name, &mut job)?;
            if account == SYSTEM_LOG && person.is_none() {
                return Err(PersonRefusal::NameNeeded.into());
            }
            let (at, person) = (self.clock.now(), person.map(|person| person.id));
            job.changes.push(Change::Credential {
                username: username.clone(),
                account: account.into(),
                role: role.as_str().into(),
                name: name.into(),
                person,
                hash: hash.clone(),
                at: at.as_millisecond(),
            });
            let (credential, role_word) = (username.clone(), role.as_str().into());
            let coverage = CoverageBasis::Granted;
            let body = Body::Credential { credential, role: role_word, person, coverage };
            job.entries.push(trail::draft(account, at, actor, None, body, Some(json!({"name": name})))?);
            if self.append(job).await? == Appended::Done {
                return Ok(NewCredential { username, password, account: account.into(), role });
            }
        }
        Err(Fault::contended())
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

fn check_account(id: &str) -> Result<(), Wrong> {
    let plain = !id.is_empty()
        && id.len() <= 64
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
    if plain && id.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(Wrong::AccountId)
}

fn check_settings(settings: &AccountSettings) -> Result<(), Fault> {
    if settings.late_evidence_seconds > 60 {
        return Err(RegisterRefusal::LateEvidence.into());
    }
    if settings.recorders == 0 {
        return Err(RegisterRefusal::NoRecorders.into());
    }
    if settings.retention().contradicts_itself() {
        return Err(RegisterRefusal::Retention.into());
    }
    if settings.least_kept_percent > 100 {
        return Err(RegisterRefusal::LeastKept.into());
    }
    language(Field::DefaultLanguage, &settings.default_language)?;
    Ok(())
}
