//! Provisioning: a platform with many tenants makes their accounts, and sets up those that it made.
//!
//! Everything here is safe to repeat. A first time makes something, the same again changes nothing and writes nothing;
//! and a secret is shown to whoever asked for it first, once.
//!
//! INVARIANT: a provisioner acts on accounts that name its credential and on no others, and cannot tell others from
//! those that do not exist. It only tightens the law of an account ([`looser`]), gives no role that could loosen it
//! ([`Role::is_given_by_provisioners`]), and enrols nobody: what takes two people takes two whom it did not make.

use serde_json::json;

use crate::access::{Principal, Role};
use crate::gate::answer::{
    self, AccountKey, AccountKeys, AccountWebhook, ProvisionedAccount, ProvisionedAccounts,
    ProvisionedCredential, ProvisionedCredentials,
};
use crate::gate::ask::{AccountChange, Prompt, check_name};
use crate::gate::people::register::places_of;
use crate::gate::{
    ATTEMPTS, AccountSettings, Authority, Fault, Field, Gate, NewCredential, RegisterRefusal, Retired,
    SetWebhook, Thing, Wrong, check_account, from_row, looser,
};
use crate::ledger::{AccountRow, Appended, Change, CredentialRow, Expect, Job};
use crate::webhook::WebhookUrl;
use trail::{Actor, Body, SYSTEM_LOG};

impl Gate {
    /// The account of this id, or the one that has it as an alias.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn account_named(&self, name: &str) -> Result<Option<String>, Fault> {
        // No alias is an account's id: `Expect::AccountFree`, `Expect::AliasFree`.
        if let Some(row) = self.ledger.account(name).await? {
            return Ok(Some(row.id));
        }
        Ok(self.ledger.alias(name).await?.map(|row| row.account))
    }

    /// Gives an account another name. Returns whether it is new.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such account, the alias makes no sense, or it is taken.
    pub async fn add_alias(&self, actor: &Actor, account: &str, alias: &str) -> Result<bool, Fault> {
        check_alias(alias)?;
        if account == SYSTEM_LOG {
            return Err(RegisterRefusal::SystemHasNoCalls.into());
        }
        self.settings_now(account).await?;
        let ours = async || {
            let row = self.ledger.alias(alias).await?;
            Ok::<_, Fault>(row.is_some_and(|row| row.account == account))
        };
        if ours().await? {
            return Ok(false);
        }
        if self.ledger.aliases(account).await?.len() >= MAX_ACCOUNT_ALIASES {
            return Err(RegisterRefusal::ManyAliases.into());
        }
        let (uid, folded) = (trail::id()?, alias.to_ascii_lowercase());
        let expects = vec![Expect::AliasFree { folded: folded.clone() }];
        let change = Change::AccountAlias {
            account: account.into(),
            alias: alias.into(),
            folded,
            uid,
            salt: trail::salt()?,
            at: self.clock.now().as_millisecond(),
        };
        let body = Body::AccountAlias { alias: uid };
        let detail = Some(json!({"alias": alias}));
        match self.note(actor, account, body, detail, vec![change], expects).await? {
            Appended::Done => Ok(true),
            // Somebody else may have asked for the same at the same time.
            Appended::Conflict if ours().await? => Ok(false),
            Appended::Conflict => Err(RegisterRefusal::NameTaken { name: alias.into() }.into()),
        }
    }

    /// Takes another name of an account away.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the account has no such alias.
    pub async fn remove_alias(&self, actor: &Actor, account: &str, alias: &str) -> Result<(), Fault> {
        let row = self.ledger.alias(alias).await?.filter(|row| row.account == account);
        let row = row.ok_or(Thing::AccountAlias)?;
        let uid = row.uid.parse().map_err(|_| Fault::damaged("the id of an alias cannot be read"))?;
        let (expects, change) =
            (vec![Expect::Alias { uid: row.uid.clone() }], Change::DropAccountAlias { uid: row.uid });
        let (body, detail) = (Body::AccountAliasRemoved { alias: uid }, Some(json!({"alias": alias})));
        match self.note(actor, account, body, detail, vec![change], expects).await? {
            Appended::Done => Ok(()),
            Appended::Conflict => Err(Thing::AccountAlias.into()),
        }
    }

    /// Lets a provisioner's credential act on an account, or none. Returns whether that is new.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such account, or the credential is not a provisioner's.
    pub async fn set_provisioner(
        &self,
        actor: &Actor,
        account: &str,
        username: Option<&str>,
    ) -> Result<bool, Fault> {
        if account == SYSTEM_LOG {
            return Err(RegisterRefusal::SystemHasNoCalls.into());
        }
        let row = self.ledger.account(account).await?;
        let row = row.ok_or_else(|| RegisterRefusal::UnknownAccount { id: account.into() })?;
        let mut expects = Vec::new();
        if let Some(username) = username {
            let is_one = |row: &CredentialRow| {
                row.account == SYSTEM_LOG && Role::parse(&row.role) == Some(Role::Provisioner)
            };
            let credential = self.ledger.credential(username).await?.filter(is_one);
            let credential =
                credential.ok_or_else(|| RegisterRefusal::NoProvisioner { username: username.into() })?;
            expects.push(Expect::CredentialIs { username: username.into(), hash: credential.hash });
        }
        if row.provisioner.as_deref() == username {
            return Ok(false);
        }
        let change = Change::AccountProvisioner { id: account.into(), provisioner: username.map(Into::into) };
        let body = Body::AccountProvisioner { credential: username.map(Into::into) };
        match self.note(actor, account, body, None, vec![change], expects).await? {
            Appended::Done => Ok(true),
            Appended::Conflict => {
                Err(RegisterRefusal::NoProvisioner { username: username.unwrap_or_default().into() }.into())
            }
        }
    }

    /// Makes an account, or changes what of it is named. Returns it, and whether it is new.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the id is taken or makes no sense, a setting makes no sense, or it would loosen the account's law.
    pub async fn put_account(
        &self,
        who: &Principal,
        id: &str,
        change: &AccountChange,
    ) -> Result<(bool, ProvisionedAccount), Fault> {
        check_account(id)?;
        let taken = || RegisterRefusal::NameTaken { name: id.into() };
        for _ in 0..ATTEMPTS {
            let new = match self.ledger.account(id).await? {
                Some(row) if is_of(&row, who) => {
                    self.change_account(&who.into(), id, change, Authority::Provisioner).await?;
                    false
                }
                Some(_) => return Err(taken().into()),
                None => {
                    let places = places_of(Authority::Provisioner, change)?;
                    let settings = change.onto(AccountSettings::default());
                    crate::gate::check_overlays(&self.laws.in_force(), &settings.overlays)?;
                    // A new account may speak any language and publish its log; the rest starts from the strict end.
                    let strict = AccountSettings {
                        default_language: settings.default_language.clone(),
                        public_log: settings.public_log,
                        ..AccountSettings::default()
                    };
                    let loosens = looser((&strict, &(None, None)), (&settings, &places));
                    Authority::Provisioner.may(loosens.first().copied())?;
                    let by = Some(who.credential.as_str());
                    if !self.create_account(&who.into(), id, places, &settings, by).await? {
                        if self.ledger.account(id).await?.is_none() {
                            return Err(taken().into());
                        }
                        // Somebody was faster; it may have been the same request.
                        continue;
                    }
                    true
                }
            };
            return Ok((new, self.provisioned_account(who, id).await?));
        }
        Err(Fault::contended())
    }

    /// An account that a provisioner may act on.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is none, or it is not one of these.
    pub async fn provisioned_account(
        &self,
        who: &Principal,
        account: &str,
    ) -> Result<ProvisionedAccount, Fault> {
        let row = self.provisioned(who, account).await?;
        let aliases = self.ledger.aliases(account).await?.into_iter().map(|row| row.alias).collect();
        shown(row, aliases)
    }

    /// A page of the accounts that a provisioner may act on, in the order of their ids.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn provisioned_accounts(
        &self,
        who: &Principal,
        after: Option<&str>,
        limit: u32,
    ) -> Result<ProvisionedAccounts, Fault> {
        let more = limit.saturating_add(1);
        let mut rows = self.ledger.accounts_of(&who.credential, after.unwrap_or_default(), more).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_whole = rows.len() <= limit;
        rows.truncate(limit);
        let next = if is_whole { None } else { rows.last().map(|row| row.id.clone()) };
        let mut accounts = Vec::with_capacity(rows.len());
        for row in rows {
            let aliases = self.ledger.aliases(&row.id).await?.into_iter().map(|row| row.alias).collect();
            accounts.push(shown(row, aliases)?);
        }
        Ok(ProvisionedAccounts { accounts, next })
    }

    /// As [`Gate::add_alias`], for a provisioner.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn put_alias(&self, who: &Principal, account: &str, alias: &str) -> Result<bool, Fault> {
        self.provisioned(who, account).await?;
        self.add_alias(&who.into(), account, alias).await
    }

    /// As [`Gate::remove_alias`], for a provisioner.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn drop_alias(&self, who: &Principal, account: &str, alias: &str) -> Result<(), Fault> {
        self.provisioned(who, account).await?;
        self.remove_alias(&who.into(), account, alias).await
    }

    /// Makes a credential of this name, if there is none. Returns it, and whether it is new; only then with its
    /// password.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the role is not given by provisioners, or the credential of this name has another.
    pub async fn put_credential(
        &self,
        who: &Principal,
        account: &str,
        name: &str,
        role: Role,
    ) -> Result<(bool, ProvisionedCredential), Fault> {
        self.provisioned(who, account).await?;
        check_name(Field::PersonName, name)?;
        if !role.is_given_by_provisioners() {
            return Err(RegisterRefusal::RoleNotGiven { role }.into());
        }
        for _ in 0..ATTEMPTS {
            if let Some(row) = self.named_credential(account, name).await? {
                if row.role != role.as_str() {
                    return Err(RegisterRefusal::CredentialExists { role: row.role }.into());
                }
                return Ok((false, told(row, None)));
            }
            let new = NewCredential::generate(account, role)?;
            let free = Expect::CredentialNameFree { account: account.into(), name: name.into() };
            let mut job = Job { expects: vec![free], ..Job::default() };
            let (by, hash) = (Some(who.credential.as_str()), new.password.stored());
            self.draft_credential(&who.into(), &new, name, None, by, &hash, &mut job)?;
            if self.append(job).await? == Appended::Done {
                let row = self.named_credential(account, name).await?;
                let row = row.filter(|row| row.username == new.username).ok_or(Thing::Credential)?;
                return Ok((true, told(row, Some(&new))));
            }
        }
        Err(Fault::contended())
    }

    /// The credentials that were provisioned in an account and are not revoked.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn provisioned_credentials(
        &self,
        who: &Principal,
        account: &str,
    ) -> Result<ProvisionedCredentials, Fault> {
        self.provisioned(who, account).await?;
        let rows = self.ledger.credentials(account).await?;
        let ours = rows.into_iter().filter(is_provisioned);
        Ok(ProvisionedCredentials { credentials: ours.map(|row| told(row, None)).collect() })
    }

    /// Gives a provisioned credential another password.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such credential.
    pub async fn rotate_provisioned(
        &self,
        who: &Principal,
        account: &str,
        name: &str,
    ) -> Result<ProvisionedCredential, Fault> {
        self.provisioned(who, account).await?;
        let row = self.named_credential(account, name).await?.ok_or(Thing::Credential)?;
        let new = self.rotate_credential(&who.into(), &row.username).await?;
        Ok(told(row, Some(&new)))
    }

    /// Revokes a provisioned credential.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no such credential.
    pub async fn revoke_provisioned(&self, who: &Principal, account: &str, name: &str) -> Result<(), Fault> {
        self.provisioned(who, account).await?;
        let row = self.named_credential(account, name).await?.ok_or(Thing::Credential)?;
        self.revoke_credential(&who.into(), &row.username).await
    }

    /// Adds a customer's public key, whose id has to be this. Returns it, and whether it is new.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the key is not usable, another one, or was retired; or the account's format allows one key only.
    pub async fn put_key(
        &self,
        who: &Principal,
        account: &str,
        id: &str,
        pem: &str,
    ) -> Result<(bool, AccountKey), Fault> {
        self.provisioned(who, account).await?;
        let key = seal::RecipientKey::from_file(pem.as_bytes()).map_err(RegisterRefusal::UnusableKey)?;
        if key.fingerprint() != id {
            return Err(RegisterRefusal::OtherKey { id: key.fingerprint().into() }.into());
        }
        let taken = self.take_key(&who.into(), account, &key, false, Retired::StaysSo).await?;
        let row = self.ledger.keys(account).await?.into_iter().find(|row| row.id == id);
        let row = row.ok_or(Thing::KeyInUse)?;
        let note = taken.without_proof.then(|| {
            "the account has or had another key: the log says that this one was added without the proof of its holder"
                .to_owned()
        });
        let key = AccountKey {
            id: row.id,
            added_at: from_row(row.added_at).into(),
            retired_at: row.retired_at.map(|at| from_row(at).into()),
            notes: note.into_iter().collect(),
        };
        Ok((taken.new, key))
    }

    /// The keys of an account, retired ones included.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn provisioned_keys(&self, who: &Principal, account: &str) -> Result<AccountKeys, Fault> {
        self.provisioned(who, account).await?;
        let rows = self.ledger.keys(account).await?.into_iter().map(|row| AccountKey {
            id: row.id,
            added_at: from_row(row.added_at).into(),
            retired_at: row.retired_at.map(|at| from_row(at).into()),
            notes: Vec::new(),
        });
        Ok(AccountKeys { keys: rows.collect() })
    }

    /// Has an account's systems told at an address. Returns it, and whether they were told nothing before; only then
    /// with the secret that signs the messages.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the address is not allowed.
    pub async fn put_webhook(
        &self,
        who: &Principal,
        account: &str,
        url: &str,
    ) -> Result<(bool, AccountWebhook), Fault> {
        self.provisioned(who, account).await?;
        let url = WebhookUrl::parse(url, self.webhooks).map_err(RegisterRefusal::Webhook)?;
        self.changed_webhook(who, account, &SetWebhook::At(url)).await
    }

    /// Has an account's messages signed with another secret.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the account has no webhook.
    pub async fn rotate_webhook(&self, who: &Principal, account: &str) -> Result<AccountWebhook, Fault> {
        self.provisioned(who, account).await?;
        Ok(self.changed_webhook(who, account, &SetWebhook::NewSecret).await?.1)
    }

    /// Has an account's systems told nothing any more.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn drop_webhook(&self, who: &Principal, account: &str) -> Result<(), Fault> {
        self.provisioned(who, account).await?;
        self.set_webhook(&who.into(), account, &SetWebhook::Off).await.map(drop)
    }

    async fn changed_webhook(
        &self,
        who: &Principal,
        account: &str,
        change: &SetWebhook,
    ) -> Result<(bool, AccountWebhook), Fault> {
        let (now, secret) = self.set_webhook(&who.into(), account, change).await?;
        let new = secret.is_some();
        let told = AccountWebhook {
            url: now.url.map(|url| url.shown()),
            signing_secret: secret.map(|secret| secret.expose().to_string()),
        };
        Ok((new, told))
    }

    /// The account, if this provisioner may act on it. One that it may not see is none.
    pub(in crate::gate) async fn provisioned(
        &self,
        who: &Principal,
        account: &str,
    ) -> Result<AccountRow, Fault> {
        let row = self.ledger.account(account).await?.filter(|row| is_of(row, who));
        row.ok_or_else(|| RegisterRefusal::NotProvisioned { id: account.into() }.into())
    }

    /// Whether a provisioner may act on an account.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it may not, or there is none.
    pub async fn may_provision(&self, who: &Principal, account: &str) -> Result<(), Fault> {
        self.provisioned(who, account).await.map(drop)
    }

    /// Registers a prompt that the account does not have yet: a newer version of one could tell people less, and only the
    /// account's counsel or admin may do that.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it may not, the prompt makes no sense, or the account has another of this id.
    pub async fn provision_prompt(
        &self,
        who: &Principal,
        account: &str,
        id: &str,
        prompt: &Prompt,
    ) -> Result<(bool, answer::Prompt), Fault> {
        self.provisioned(who, account).await?;
        let newest = self.ledger.prompt(account, id).await?;
        let document = serde_json::to_string(prompt).ok();
        if newest.is_some_and(|row| Some(&row.document) != document.as_ref()) {
            return Err(RegisterRefusal::Loosens { what: "prompt" }.into());
        }
        self.put_prompt(&Actor::from(who), account, id, prompt).await
    }

    async fn named_credential(&self, account: &str, name: &str) -> Result<Option<CredentialRow>, Fault> {
        let rows = self.ledger.credentials(account).await?;
        Ok(rows.into_iter().find(|row| row.name == name && is_provisioned(row)))
    }
}

fn is_of(row: &AccountRow, who: &Principal) -> bool {
    row.provisioner.as_ref() == Some(&who.credential)
}

/// Whether it was made by a provisioner, and is not revoked: one that was made at the command line is nothing that a
/// provisioner can reach.
fn is_provisioned(row: &CredentialRow) -> bool {
    row.provisioner.is_some() && row.revoked_at.is_none()
}

fn told(row: CredentialRow, new: Option<&NewCredential>) -> ProvisionedCredential {
    ProvisionedCredential {
        name: row.name,
        username: row.username,
        role: row.role,
        password: new.map(|new| new.password.expose().to_owned()),
        added_at: from_row(row.created_at).into(),
    }
}

fn shown(row: AccountRow, aliases: Vec<String>) -> Result<ProvisionedAccount, Fault> {
    let settings = AccountSettings::read(&row.settings)?;
    Ok(ProvisionedAccount {
        account: row.id,
        aliases,
        added_at: from_row(row.created_at).into(),
        operator_location: row.operator_location,
        recorder_location: row.recorder_location,
        default_language: settings.default_language,
        late_evidence_seconds: settings.late_evidence_seconds,
        recorders: settings.recorders,
        on_withdrawal: settings.on_withdrawal,
        redact: settings.redact,
        least_kept_percent: settings.least_kept_percent,
        keep_at_least: settings.keep_at_least,
        keep_at_most: settings.keep_at_most,
        keep_by_default: settings.keep_by_default,
        keep_for: settings.keep_for,
        lawful_basis: settings.lawful_basis.into_iter().map(|(of, basis)| (of, basis.into())).collect(),
        overdue_seconds: settings.overdue_seconds,
        overlays: settings.overlays,
        public_safety: settings.public_safety,
        on_hold: settings.on_hold,
        public_log: settings.public_log,
        format: settings.format,
        webhook: settings.webhook.url.map(|url| url.shown()),
    })
}

/// Letters, digits and a little else, of ASCII alone: nothing that looks like another, and nothing that a path or a
/// header writes in two ways.
fn check_alias(alias: &str) -> Result<(), Wrong> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    let begins = alias.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins && alias.len() <= 128 && alias.bytes().all(plain) {
        return Ok(());
    }
    Err(Wrong::AccountAlias)
}

/// The largest number of aliases of an account.
pub const MAX_ACCOUNT_ALIASES: usize = 64;
