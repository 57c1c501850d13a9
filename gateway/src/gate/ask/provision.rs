//! What a provisioner sets up.

use std::collections::BTreeMap;

use policy::{HeldCounts, LawfulBasis, OnWithdrawal, Period, Purpose, Redact, Retention};
use schemars::JsonSchema;
use seal::Format;
use serde::{Deserialize, Serialize};

/// For how long recordings for a purpose are kept. What is left out has no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeepFor {
    /// At least.
    #[serde(default)]
    pub minimum: Option<Period>,
    /// At most.
    #[serde(default)]
    pub maximum: Option<Period>,
}

impl From<KeepFor> for Retention {
    fn from(KeepFor { minimum, maximum }: KeepFor) -> Retention {
        Retention { minimum, maximum }
    }
}

/// `PUT /v1/accounts/{account}`: what is left out stays as it is; for a new account, it is the default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    /// Where the operator is established. Once it is set, a provisioner cannot change it.
    #[serde(default)]
    pub operator_location: Option<String>,
    /// Where the recording device stands. Once it is set, a provisioner cannot change it.
    #[serde(default)]
    pub recorder_location: Option<String>,
    /// The language of participants for whom none is given, BCP 47. Only of a new account.
    #[serde(default)]
    pub default_language: Option<String>,
    /// How late evidence may be logged and still count, in seconds. A provisioner can only lower it; by default, 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 60))]
    pub late_evidence_seconds: Option<u8>,
    /// How many devices may record one call at once. A provisioner can only lower it; by default, 1.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub recorders: Option<u16>,
    /// What to do with audio that was covered before somebody withdrew. A provisioner can only go from `keep`, the
    /// default, to `delete-present` and to `delete`.
    #[serde(default)]
    pub on_withdrawal: Option<OnWithdrawal>,
    /// What to do with an upload's seconds that are not covered; by default, `off`: the upload is refused.
    #[serde(default)]
    pub redact: Option<Redact>,
    /// How much of an upload must be left where it is silenced, in percent of its length; by default, 10.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub least_kept_percent: Option<u8>,
    /// How long to keep recordings at least, beside what the law asks.
    #[serde(default)]
    pub keep_at_least: Option<Period>,
    /// How long to keep them at most, beside what the law allows.
    #[serde(default)]
    pub keep_at_most: Option<Period>,
    /// How long to keep them at most where nothing else says so.
    #[serde(default)]
    pub keep_by_default: Option<Period>,
    /// How long to keep what is recorded for a purpose, at least and at most, beside all that. The purposes are those
    /// that the law distinguishes, and each that is named has its limits replaced; both null, it has none any more.
    #[serde(default)]
    pub keep_for: Option<BTreeMap<Purpose, KeepFor>>,
    /// On which lawful basis what is recorded for a purpose is processed: what exports say of people who were only
    /// told. Each purpose that is named has its basis replaced; null, it has none any more.
    #[serde(default)]
    pub lawful_basis: Option<BTreeMap<Purpose, Option<Basis>>>,
    /// How long after recording has ended the webhook is told that nothing came, in seconds; by default, 3600.
    #[serde(default)]
    pub overdue_seconds: Option<u32>,
    /// The overlays for every call. A provisioner can add some, and removes none.
    #[serde(default)]
    pub overlays: Option<Vec<String>>,
    /// Whether the account is a public-safety answering point. A provisioner cannot switch it on.
    #[serde(default)]
    pub public_safety: Option<bool>,
    /// Whether somebody on hold counts as on the call, where no rule says it. A provisioner can only set `counted`,
    /// the default.
    #[serde(default)]
    pub on_hold: Option<HeldCounts>,
    /// Whether everybody may read the account's log. Only of a new account; by default, no.
    #[serde(default)]
    pub public_log: Option<bool>,
    /// How recordings are sealed from now on; by default, `tink`.
    #[serde(default)]
    pub format: Option<Format>,
}

/// A lawful basis, and where people read of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RegisteredBasis")]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// The basis: a ground of Article 6(1) GDPR.
    pub basis: LawfulBasis,
    /// The address of the notice that tells of it: an `https` URL.
    #[serde(default)]
    pub notice: Option<String>,
}

/// `PUT /v1/accounts/{account}/credentials/{name}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialOf {
    /// What its holder may do; it never changes. A provisioner gives nobody `counsel` or `provisioner`.
    #[schemars(regex(pattern = "^(recorder|observer|uploader|listener|auditor|registrar|admin)$"))]
    pub role: String,
}

/// `PUT /v1/accounts/{account}/keys/{key}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    /// The key, RSA of 2048 to 4096 bits: an SPKI in PEM.
    pub pem: String,
}

/// `PUT /v1/accounts/{account}/webhook`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookAddress {
    /// An `https` URL.
    pub url: String,
}
