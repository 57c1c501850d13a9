//! What an account has registered: prompts, consent grants, overlays.

use schemars::JsonSchema;
use serde::Serialize;

use super::PromptLacks;
use crate::gate::ask;
use trail::clock::Moment;

/// A version of a prompt.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "RegisteredPrompt")]
pub struct Prompt {
    /// Its id, which the account chose.
    pub id: String,
    /// Its version, from 1.
    pub version: i64,
    /// The gateway's id of this version.
    pub uid: String,
    /// When it was registered.
    pub registered_at: Moment,
    /// What its author should know of it now, in words. Left out where it was not just put.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<Vec<String>>,
    /// What it is.
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
    /// Its id, which the account chose.
    pub id: String,
    /// When it was registered.
    pub registered_at: Moment,
    /// When it was withdrawn; null while it holds.
    pub withdrawn_at: Option<Moment>,
    /// What it is.
    #[serde(flatten)]
    pub grant: ask::ConsentGrant,
}

/// What holds for every call of an account.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ChosenLaw {
    /// The account.
    pub account: String,
    /// The overlays that hold for every call.
    pub overlays: Vec<String>,
    /// Whether the account is a public-safety answering point.
    pub public_safety: bool,
    /// Where its recording devices stand; null where that was not said.
    pub recorder_location: Option<policy::Code>,
    /// Where the operator is established; null where that was not said.
    pub operator_location: Option<policy::Code>,
}
