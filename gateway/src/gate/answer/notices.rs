//! Answers about what an account is told by its webhook.

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use trail::clock::Moment;

/// What an account is still to be told, and what was given up.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct NotificationQueue {
    /// How many wait to be delivered.
    pub waiting: i64,
    /// Since when the oldest of them has waited; null if none does.
    pub oldest: Option<Moment>,
    /// How many were given up.
    pub failed: i64,
    /// The oldest 1,000.
    pub notifications: Vec<Notification>,
}

/// Something that an account is still to be told, or that was given up.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Notification {
    /// The message's `webhook-id`.
    pub id: Uuid,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// The recording that it is about.
    pub recording: Option<Uuid>,
    /// When it happened.
    pub queued_at: Moment,
    /// How often it was tried.
    pub attempts: i64,
    /// What the last attempt came to: the receiver's status, or `timeout`, `unreachable`, `address-refused` or
    /// `not-made`; null if there was none.
    pub outcome: Option<String>,
    /// When it is tried next; null if it was given up.
    pub next_at: Option<Moment>,
    /// When it was given up; null if it was not.
    pub failed_at: Option<Moment>,
}
