//! Who may do what, as far as a log can tell: the roles whose entries are of which type.

use policy::What;

use super::super::Failure;
use crate::{Actor, Body, Leaf};

/// Whether the role that acts may make such an entry.
///
/// # Errors
///
/// [`Failure`] where it may not, or this program does not know the role.
pub(super) fn may(leaf: &Leaf) -> Result<(), Failure> {
    may_make(&leaf.actor, &leaf.kind, makers(&leaf.body))
}

/// Whether who acts has one of the roles that make entries of a kind.
///
/// # Errors
///
/// [`Failure`] where they have not, or this program does not know their role.
pub(super) fn may_make(actor: &Actor, kind: &str, makers: &[&str]) -> Result<(), Failure> {
    let role = actor.role.as_str();
    if !KNOWN.contains(&role) {
        return Err(Failure::unusable(format!(
            "this program does not know the role `{role}`: use a newer one"
        )));
    }
    match makers.contains(&role) {
        true => Ok(()),
        false => Err(Failure::tampered(format!(
            "`{}` makes an entry `{kind}`, which nobody may as `{role}`",
            actor.credential
        ))),
    }
}

/// The roles that make entries of a type. Whoever has a shell on the gateway's machine is `operator`.
fn makers(body: &Body) -> &'static [&'static str] {
    match body {
        // A grant that is withdrawn reaches the calls that rely on it.
        Body::Event { facts, .. } if matches!(facts.what, What::ConsentWithdrawn { .. }) => {
            &["recorder", "counsel", "registrar", "admin", "operator"]
        }
        Body::Opened { .. }
        | Body::Event { .. }
        | Body::ControlRefused { .. }
        | Body::Accepted { .. }
        | Body::Refused { .. } => &["recorder"],
        Body::Heartbeat {} | Body::LogKey { .. } => &["gateway"],
        Body::Gap { .. } | Body::LogOpened { .. } => &["gateway", "operator"],
        Body::LogDropped { .. }
        | Body::Account {}
        | Body::Credential { .. }
        | Body::Person { .. }
        | Body::CredentialRevoked { .. }
        | Body::Key { .. }
        | Body::KeyRetired { .. } => &["operator"],
        Body::Lookup { .. } => &["listener", "auditor", "counsel", "registrar", "admin", "operator"],
        Body::Exported { .. } => &["auditor", "counsel", "admin", "operator"],
        Body::Erased { .. } => &["counsel", "admin", "operator"],
        Body::Fetched { .. } | Body::FetchRefused { .. } => &["recorder", "listener"],
        Body::Deleted { .. } => &["counsel", "admin", "operator", "gateway"],
        Body::PersonConfirmed { .. } => &["auditor", "counsel", "admin"],
        Body::Held { .. } | Body::AccountLaw { .. } => &["counsel", "operator"],
        Body::Prompt { .. } => &["counsel", "admin", "operator"],
        Body::Grant { .. } | Body::GrantWithdrawn { .. } => &["counsel", "registrar", "admin", "operator"],
        Body::Table { .. } | Body::TableProposed { .. } | Body::ProposalDecided { .. } => {
            &["counsel", "operator", "gateway"]
        }
    }
}

const KNOWN: [&str; 8] =
    ["recorder", "listener", "auditor", "counsel", "registrar", "admin", "operator", "gateway"];
