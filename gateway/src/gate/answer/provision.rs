//! Answers about what a provisioner sets up.

use std::collections::BTreeMap;

use policy::{HeldCounts, LawfulBasis, OnWithdrawal, Period, Purpose, Redact, Retention};
use schemars::JsonSchema;
use seal::Format;
use serde::Serialize;

use crate::gate::ask::Basis;
use trail::clock::Moment;

/// An account that a provisioner may act on.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProvisionedAccount {
    /// Its id.
    pub account: String,
    /// Its other names, which the doors take as well.
    pub aliases: Vec<String>,
    /// When it was added.
    pub added_at: Moment,
    /// Where the operator is established; null if the account does not say.
    pub operator_location: Option<String>,
    /// Where the recording device stands; null if the account does not say.
    pub recorder_location: Option<String>,
    /// The language of participants for whom none is given, BCP 47.
    pub default_language: String,
    /// How late evidence may be logged and still count, in seconds.
    pub late_evidence_seconds: u8,
    /// How many devices may record one call at once.
    pub recorders: u16,
    /// What becomes of audio that was covered before somebody withdrew.
    pub on_withdrawal: OnWithdrawal,
    /// What becomes of an upload's seconds that are not covered.
    pub redact: Redact,
    /// How much of an upload must be left where it is silenced, in percent of its length.
    pub least_kept_percent: u8,
    /// How long recordings are kept at least, beside what the law asks.
    pub keep_at_least: Option<Period>,
    /// How long they are kept at most.
    pub keep_at_most: Option<Period>,
    /// How long they are kept at most where nothing else says so.
    pub keep_by_default: Option<Period>,
    /// How long what is recorded for a purpose is kept, beside all that.
    pub keep_for: BTreeMap<Purpose, Retention>,
    /// On which lawful basis what is recorded for a purpose is processed.
    pub lawful_basis: BTreeMap<Purpose, StatedBasis>,
    /// How long after recording has ended the webhook is told that nothing came, in seconds.
    pub overdue_seconds: u32,
    /// The overlays for every call.
    pub overlays: Vec<String>,
    /// Whether it is a public-safety answering point.
    pub public_safety: bool,
    /// Whether somebody on hold counts as on the call, where no rule says it.
    pub on_hold: HeldCounts,
    /// Whether everybody may read its log.
    pub public_log: bool,
    /// How its recordings are sealed.
    pub format: Format,
    /// Where its systems are told what happens, without name, password and query; null if they are told nothing.
    pub webhook: Option<String>,
}

/// A lawful basis that an account has stated.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StatedBasis {
    /// The basis: a ground of Article 6(1) GDPR.
    pub basis: LawfulBasis,
    /// The address of the notice that tells of it; null if it has none.
    pub notice: Option<String>,
}

impl From<Basis> for StatedBasis {
    fn from(stated: Basis) -> StatedBasis {
        StatedBasis { basis: stated.basis, notice: stated.notice }
    }
}

/// A page of accounts, in the order of their ids.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProvisionedAccounts {
    /// The accounts.
    pub accounts: Vec<ProvisionedAccount>,
    /// The cursor of the next page, for `after`; null if there is none.
    pub next: Option<String>,
}

/// Another name of an account.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AccountAlias {
    /// The account's id.
    pub account: String,
    /// The other name.
    pub alias: String,
}

/// A credential that was provisioned.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProvisionedCredential {
    /// The name that the provisioner gave it.
    pub name: String,
    /// Its username.
    pub username: String,
    /// What its holder may do.
    pub role: String,
    /// Its password. Only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// When it was added.
    pub added_at: Moment,
}

/// The credentials that were provisioned in an account.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProvisionedCredentials {
    /// Those that are not revoked, in the order in which they were added.
    pub credentials: Vec<ProvisionedCredential>,
}

/// A customer's public key.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AccountKey {
    /// Its id: the SHA-256 of its SPKI, in hexadecimal.
    pub id: String,
    /// When it was added.
    pub added_at: Moment,
    /// When it was retired; null while recordings are sealed for it.
    pub retired_at: Option<Moment>,
    /// Remarks, in words. Only in the answer that adds it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The public keys of an account.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AccountKeys {
    /// All of them, retired ones included.
    pub keys: Vec<AccountKey>,
}

/// Where an account's systems are told what happens.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AccountWebhook {
    /// The address, without name, password and query; null if they are told nothing.
    pub url: Option<String>,
    /// What the messages are signed with. Only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_secret: Option<String>,
}
