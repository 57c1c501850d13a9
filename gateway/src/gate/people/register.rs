//! What stands outside of calls: accounts, credentials, keys, prompts, consent grants, tables.

use policy::{Code, CoverageBasis, Event, OnWithdrawal, What};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::{Role, secret::Secret};
use crate::gate::answer::{self, ChosenLaw, Grant, PromptCheck};
use crate::gate::ask::{ConsentGrant, Prompt, check_name, check_sha256, language};
use crate::gate::{
    ATTEMPTS, CallRefusal, Fault, FaultCode, FaultKind, Field, Gate, PersonRefusal, RegisterRefusal, Thing,
    Wrong, from_row,
};
use crate::ledger::{Appended, Change, Expect, Job, PromptRow};
use crate::seal::RecipientKey;
use crate::trail::{self, Actor, Body, SYSTEM_LOG};

/// What an account may set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountSettings {
    /// The language of a participant who has none.
    pub default_language: String,
    /// How late evidence may be logged and still count from when it happened, 0 to 60 seconds.
    pub late_evidence_seconds: u8,
    /// How many devices may record one call at once.
    pub recorders: u16,
    /// What becomes of audio that was covered before somebody withdrew.
    pub on_withdrawal: OnWithdrawal,
    /// The overlays that hold for every call of the account.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overlays: Vec<String>,
    /// What rows say of emergency calls at a public-safety answering point is switched on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub public_safety: bool,
    /// Everybody may read the account's log: its leaves hold nothing that an outsider chose.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub public_log: bool,
}

impl Default for AccountSettings {
    fn default() -> Self {
        let of_policy = policy::Settings::default();
        AccountSettings {
            default_language: of_policy.default_language,
            late_evidence_seconds: of_policy.late_evidence_seconds,
            recorders: of_policy.recorders,
            on_withdrawal: of_policy.on_withdrawal,
            overlays: Vec::new(),
            public_safety: of_policy.public_safety,
            public_log: false,
        }
    }
}

/// A credential that was just made. Its password is shown once.
#[derive(Debug)]
pub struct NewCredential {
    /// Its minted name.
    pub username: String,
    /// Its secret.
    pub password: Secret,
    /// Its account.
    pub account: String,
    /// Its role.
    pub role: Role,
}

impl AccountSettings {
    pub(in crate::gate) fn read(document: &str) -> Result<AccountSettings, Fault> {
        serde_json::from_str(document).map_err(|_| Fault::damaged("an account's settings cannot be read"))
    }

    pub(in crate::gate) fn for_policy(&self) -> policy::Settings {
        policy::Settings {
            default_language: language(Field::DefaultLanguage, &self.default_language).unwrap_or_default(),
            late_evidence_seconds: self.late_evidence_seconds,
            recorders: self.recorders,
            on_withdrawal: self.on_withdrawal,
            public_safety: self.public_safety,
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
        // A place that cannot be read is no reason to ask less of the account's calls.
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
        let code = |field, text| -> Result<Option<String>, Wrong> {
            let code = crate::gate::call::facts::place(field, text)?;
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
        let detail = json!({"account": id, "settings": settings});
        let expects = vec![Expect::AccountFree { id: id.into() }];
        match self.note(actor, id, Body::Account {}, Some(detail), vec![change], expects).await? {
            Appended::Done => Ok(()),
            Appended::Conflict => Err(RegisterRefusal::AccountExists { id: id.into() }.into()),
        }
    }

    /// A place that somebody has: a wrong one would ask the strictest of every call of an account.
    fn listed(&self, field: Field, code: Code) -> Result<String, Wrong> {
        if policy::atlas::name(code).is_none() && self.laws.in_force().history(code).is_empty() {
            return Err(Wrong::UnlistedPlace { field, code, meant: policy::atlas::nearest(code.as_str()) });
        }
        Ok(code.to_string())
    }

    /// Chooses which overlays hold for every call of an account from now on, and whether what rows say
    /// of emergency calls at a public-safety answering point is switched on.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the table has no such overlay, or no reason is given.
    pub async fn choose_law(
        &self,
        actor: &Actor,
        account: &str,
        overlays: &[String],
        public_safety: bool,
        reason: &str,
    ) -> Result<ChosenLaw, Fault> {
        if account == SYSTEM_LOG {
            return Err(RegisterRefusal::SystemHasNoCalls.into());
        }
        crate::gate::call::facts::check_overlays(&self.laws.in_force(), overlays)?;
        if reason.trim().is_empty() || reason.len() > 4096 {
            return Err(Wrong::NoReason.into());
        }
        for _ in 0..ATTEMPTS {
            let row = self.ledger.account(account).await?.ok_or_else(|| unknown_account(account))?;
            let (mut settings, ..) = self.settings(account).await?;
            settings.overlays = overlays.to_vec();
            settings.overlays.sort();
            settings.overlays.dedup();
            settings.public_safety = public_safety;
            let document =
                serde_json::to_string(&settings).map_err(|_| Fault::damaged("settings cannot be written"))?;
            let body = Body::AccountLaw { overlays: settings.overlays.clone(), public_safety };
            let expects = vec![Expect::AccountSettings { id: account.into(), settings: row.settings }];
            let changes = vec![Change::AccountSettings { id: account.into(), settings: document }];
            let detail = Some(json!({"reason": reason}));
            if self.note(actor, account, body, detail, changes, expects).await? == Appended::Done {
                return self.chosen_law(account).await;
            }
        }
        Err(Fault::contended())
    }

    /// Which overlays hold for every call of an account.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
    pub async fn chosen_law(&self, account: &str) -> Result<ChosenLaw, Fault> {
        let (settings, recorder, operator) = self.settings(account).await?;
        Ok(ChosenLaw {
            account: account.into(),
            overlays: settings.overlays,
            public_safety: settings.public_safety,
            recorder_location: recorder,
            operator_location: operator,
        })
    }

    /// Adds a credential; without a chosen password it gets a random one. It stands for the person of this
    /// name, who is enrolled where nobody has it.
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
        self.settings(account).await.map_err(|fault| no_account(account, fault))?;
        if account == SYSTEM_LOG && matches!(role, Role::Recorder | Role::Listener | Role::Registrar) {
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

    /// Revokes a credential, at once.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such credential, or it was revoked before.
    pub async fn revoke_credential(&self, actor: &Actor, username: &str) -> Result<(), Fault> {
        let row = self.ledger.credential(username).await?.ok_or(Thing::Credential)?;
        let change =
            Change::RevokeCredential { username: username.into(), at: self.clock.now().as_millisecond() };
        let body = Body::CredentialRevoked { credential: username.into() };
        self.note(actor, &row.account, body, None, vec![change], Vec::new()).await?;
        Ok(())
    }

    /// Adds a public key of the customer's. Answers its id.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such account, or the key is not usable; of a private key nothing is
    /// kept.
    pub async fn add_key(
        &self,
        actor: &Actor,
        account: &str,
        file: impl AsRef<[u8]>,
    ) -> Result<(String, usize), Fault> {
        self.settings(account).await.map_err(|fault| no_account(account, fault))?;
        let key = RecipientKey::from_file(file.as_ref()).map_err(RegisterRefusal::UnusableKey)?;
        let id = key.fingerprint().to_owned();
        let change = Change::Key {
            id: id.clone(),
            account: account.into(),
            pem: key.to_pem().to_owned(),
            at: self.clock.now().as_millisecond(),
        };
        self.note(actor, account, Body::Key { key: id.clone() }, None, vec![change], Vec::new()).await?;
        Ok((id, key.bits()))
    }

    /// Retires a public key: nothing new is sealed for it.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the account has no such key in use.
    pub async fn retire_key(&self, actor: &Actor, account: &str, id: &str) -> Result<(), Fault> {
        let expects = vec![Expect::KeyUsable { account: account.into(), id: id.into() }];
        let change = Change::RetireKey {
            id: id.into(),
            account: account.into(),
            at: self.clock.now().as_millisecond(),
        };
        match self
            .note(actor, account, Body::KeyRetired { key: id.into() }, None, vec![change], expects)
            .await?
        {
            Appended::Done => Ok(()),
            Appended::Conflict => Err(Thing::KeyInUse.into()),
        }
    }

    /// Registers a prompt; other content than before is a new version. Answers it, and whether it is new.
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
    /// [`Fault`]: there is none.
    pub async fn prompt(&self, account: &str, id: &str) -> Result<answer::Prompt, Fault> {
        let row = self.ledger.prompt(account, id).await?.ok_or(Thing::Prompt)?;
        registered(&row)
    }

    /// The newest version of every prompt of an account.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
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

    /// The same for every prompt of an account.
    ///
    /// # Errors
    ///
    /// Where the ledger fails.
    pub async fn prompts_lack(&self, account: &str) -> Result<Vec<PromptCheck>, Fault> {
        self.ledger.prompts(account).await?.iter().map(|row| self.lacks(row)).collect()
    }

    /// A prompt as its author is shown it: with what they should know of it now, and not on a call.
    fn noted(&self, row: &PromptRow) -> Result<answer::Prompt, Fault> {
        let found = self.lacks(row)?.found;
        let mut notes = Vec::new();
        if !found.says.holds(policy::Element::Recording) {
            notes.push(
                "it does not tell which of its words say that the call is recorded: quote them in `says`, as \
                 `recording` (`--says recording=\"…\"`); where that has to be said, the prompt does not count without"
                    .to_owned(),
            );
        }
        let places = found.lacks.iter().filter(|lack| lack.place.is_some()).count();
        if places > 0 {
            notes.push(format!(
                "in {places} places of the table it does not say all that it has to: see `GET /v1/prompts/{}/check`",
                row.id
            ));
        }
        Ok(answer::Prompt { notes: Some(notes), ..registered(row)? })
    }

    fn lacks(&self, row: &PromptRow) -> Result<PromptCheck, Fault> {
        let answer::Prompt { id, version, prompt, .. } = registered(row)?;
        let found = crate::gate::law::speak::lacks(&self.laws.in_force(), &prompt, self.clock.now());
        Ok(PromptCheck { id, version, language: prompt.language, found })
    }

    /// Registers consent given outside a call. Answers it, and whether it is new.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it makes no sense, or another grant has this id.
    pub async fn put_grant(
        &self,
        actor: &Actor,
        account: &str,
        id: &str,
        grant: &ConsentGrant,
    ) -> Result<(bool, Grant), Fault> {
        check_name(Field::GrantId, id)?;
        check_grant(grant)?;
        let document =
            serde_json::to_string(grant).map_err(|_| Fault::damaged("a grant cannot be written"))?;
        let now = self.clock.now();
        if let Some(row) = self.ledger.grant(account, id).await? {
            return match row.document == document && row.withdrawn_at.is_none() {
                true => Ok((false, shown(id, grant.clone(), row.created_at, None))),
                false => Err(RegisterRefusal::GrantExists.into()),
            };
        }
        let uid = trail::id()?;
        let change = Change::Grant {
            account: account.into(),
            id: id.into(),
            uid,
            document,
            salt: trail::salt()?,
            at: now.as_millisecond(),
        };
        let body = Body::Grant { grant: uid, from: grant.from.unwrap_or(now), until: grant.until };
        let expects = vec![Expect::GrantFree { account: account.into(), id: id.into() }];
        match self
            .note(actor, account, body, Some(json!({"grant": id, "document": grant})), vec![change], expects)
            .await?
        {
            Appended::Done => Ok((true, shown(id, grant.clone(), now.as_millisecond(), None))),
            Appended::Conflict => Err(RegisterRefusal::GrantExists.into()),
        }
    }

    /// A consent grant.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is none.
    pub async fn grant(&self, account: &str, id: &str) -> Result<Grant, Fault> {
        let row = self.ledger.grant(account, id).await?.ok_or(Thing::ConsentGrant)?;
        let grant = serde_json::from_str(&row.document)
            .map_err(|_| Fault::damaged("a consent grant cannot be read"))?;
        Ok(shown(id, grant, row.created_at, row.withdrawn_at))
    }

    /// Withdraws a consent grant. Recording of everybody who relies on it ends with the same
    /// transaction.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is none.
    pub async fn withdraw_grant(&self, actor: &Actor, account: &str, id: &str) -> Result<Grant, Fault> {
        let since = self.clock.now();
        let withdrawn = self.withdraw_until_seen(actor, account, id).await;
        // Which calls rely on it is not known while the ledger does not answer.
        if withdrawn.as_ref().is_err_and(|fault| fault.code() == FaultCode::TrailUnavailable) {
            self.barred.unhear(since);
        }
        withdrawn
    }

    async fn withdraw_until_seen(&self, actor: &Actor, account: &str, id: &str) -> Result<Grant, Fault> {
        for _ in 0..ATTEMPTS {
            let row = self.ledger.grant(account, id).await?.ok_or(Thing::ConsentGrant)?;
            if row.withdrawn_at.is_some() {
                self.look_as(actor, account, &["grant"], json!({"consent_grant": id})).await?;
                return self.grant(account, id).await;
            }
            let now = self.clock.now();
            let uid = crate::gate::parse_id(&row.uid)?;
            let calls = self.ledger.calls_with_grant(account, id).await?;
            let mut uids: Vec<String> = calls.iter().map(|call| call.uid.clone()).collect();
            uids.sort();
            let mut job = Job {
                expects: vec![
                    Expect::GrantHolds { account: account.into(), id: id.into() },
                    // Nobody joined with it meanwhile whom this would not reach.
                    Expect::CallsWithGrant { account: account.into(), id: id.into(), calls: uids },
                ],
                changes: vec![Change::WithdrawGrant {
                    account: account.into(),
                    id: id.into(),
                    at: now.as_millisecond(),
                }],
                entries: vec![trail::draft(
                    account,
                    now,
                    actor,
                    None,
                    Body::GrantWithdrawn { grant: uid },
                    Some(json!({"grant": id})),
                )?],
            };
            let mut deleting = Vec::new();
            for call in calls {
                let mut loaded = self.load_row(call).await?;
                if loaded.call.settings().on_withdrawal == OnWithdrawal::Delete {
                    deleting.push(loaded.uid);
                }
                let at = loaded.now;
                let holders = loaded.names.iter().filter(|name| name.consent_grant.as_deref() == Some(id));
                let participants = holders.filter_map(|name| u32::try_from(name.participant).ok()).collect();
                let facts =
                    Event { received_at: at, at: None, what: What::ConsentWithdrawn { participants } };
                job.expects.extend(loaded.expects());
                loaded.call.apply(&facts);
                let saw = loaded.saw();
                let body = Body::Event { facts, subjects: Vec::new(), reported_by: None, late: false, saw };
                let detail = Some(json!({"consent_grant": id}));
                job.entries.push(trail::draft(
                    account,
                    at,
                    actor,
                    Some((loaded.uid, Some(loaded.head))),
                    body,
                    detail,
                )?);
            }
            if self.append(job).await? == Appended::Done {
                for call in deleting {
                    self.delete_stored(account, call).await?;
                }
                return self.grant(account, id).await;
            }
        }
        Err(Fault::contended())
    }
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
    language(Field::DefaultLanguage, &settings.default_language)?;
    Ok(())
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

/// What a prompt claims to say has to be in its text.
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

fn check_grant(grant: &ConsentGrant) -> Result<(), Fault> {
    check_name(Field::GrantSubject, &grant.subject)?;
    check_name(Field::GrantBasis, &grant.basis)?;
    grant.purposes.iter().try_for_each(|purpose| check_name(Field::Purpose, purpose))?;
    check_sha256(Field::GrantHash, grant.evidence_sha256.as_deref())?;
    if let (Some(from), Some(until)) = (grant.from, grant.until)
        && until <= from
    {
        return Err(RegisterRefusal::GrantEndsEarly.into());
    }
    Ok(())
}

/// A fault in finding an account: that there is none is told by its name, and everything else as it is.
pub(in crate::gate) fn no_account(account: &str, fault: Fault) -> Fault {
    if fault.kind() == FaultKind::Unknown { unknown_account(account).into() } else { fault }
}

fn unknown_account(account: &str) -> RegisterRefusal {
    RegisterRefusal::UnknownAccount { id: account.into() }
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

fn shown(id: &str, grant: ConsentGrant, created_at: i64, withdrawn_at: Option<i64>) -> Grant {
    Grant {
        id: id.into(),
        registered_at: from_row(created_at).into(),
        withdrawn_at: withdrawn_at.map(|at| from_row(at).into()),
        grant,
    }
}
