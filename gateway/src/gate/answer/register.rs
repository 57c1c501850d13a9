//! Answers about what an account has registered: prompts, consent grants, overlays.

use schemars::JsonSchema;
use serde::Serialize;

use super::PromptLacks;
use crate::gate::ask;
use trail::clock::Moment;

/// A version of a prompt.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "RegisteredPrompt")]
pub struct Prompt {
    /// The id that the account chose.
    pub id: String,
    /// Its version, from 1.
    pub version: i64,
    /// The gateway's id of this version.
    pub uid: String,
    /// When it was registered.
    pub registered_at: Moment,
    /// Remarks for its author, in words. Only in the answer to its registration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<Vec<String>>,
    /// The prompt itself.
    #[serde(flatten)]
    pub prompt: ask::Prompt,
}

/// What the newest version of a registered prompt says, and what it lacks.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PromptCheck {
    /// Its id.
    pub id: String,
    /// Its version, from 1.
    pub version: i64,
    /// Its language, BCP 47.
    pub language: String,
    /// What it says, and what it lacks.
    #[serde(flatten)]
    pub found: PromptLacks,
}

/// Consent that was given outside of a call.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "RegisteredConsentGrant")]
pub struct Grant {
    /// The id that the account chose.
    pub id: String,
    /// When it was registered.
    pub registered_at: Moment,
    /// When it was withdrawn; null while it is valid.
    pub withdrawn_at: Option<Moment>,
    /// The grant itself.
    #[serde(flatten)]
    pub grant: ask::ConsentGrant,
}

/// What applies to every call of an account.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ChosenLaw {
    /// The account.
    pub account: String,
    /// The overlays that apply to every call.
    pub overlays: Vec<String>,
    /// Whether the account is a public-safety answering point.
    pub public_safety: bool,
    /// Whether somebody on hold counts as on the call, where no rule says it.
    pub on_hold: policy::HeldCounts,
    /// Where its recording devices stand; null if the account does not say.
    pub recorder_location: Option<policy::Code>,
    /// Where the operator is established; null if the account does not say.
    pub operator_location: Option<policy::Code>,
}
