//! Answers about people who were enrolled in an account.

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use trail::clock::Moment;

/// Everybody who was enrolled in an account.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "EnrolledPeople")]
pub struct People {
    /// The people, in the order of their enrolment.
    pub people: Vec<Person>,
}

/// Somebody who was enrolled.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "EnrolledPerson")]
pub struct Person {
    /// Their account.
    pub account: String,
    /// The gateway's id of them.
    pub person: Uuid,
    /// Their name.
    pub name: String,
    /// When they were enrolled.
    pub enrolled_at: Moment,
    /// Whether they are one of the first two of the account, who count from the start.
    pub founding: bool,
    /// Those who confirmed the person's identity.
    pub confirmed_by: Vec<Confirmer>,
    /// Whether they count as a second person.
    pub counts: bool,
}

/// Somebody who has confirmed a person.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Confirmer {
    /// The gateway's id of them.
    pub person: Uuid,
    /// Their name.
    pub name: String,
}
