//! Which roles may write which types of entries.

use policy::What;

use super::super::Failure;
use crate::{Actor, Body, Leaf};

/// Checks that the actor's role may write this entry.
///
/// # Errors
///
/// [`Failure`] if it may not, or this program does not know the role.
pub(super) fn may(leaf: &Leaf) -> Result<(), Failure> {
    may_make(&leaf.actor, &leaf.kind, makers(&leaf.body))?;
    if let Body::Credential { role, .. } = &leaf.body
        && leaf.actor.role == PROVISIONER
        && !GIVEN.contains(&role.as_str())
    {
        return Err(Failure::tampered(format!(
            "`{}` gives somebody the role `{role}`, which a provisioner may not",
            leaf.actor.credential
        )));
    }
    Ok(())
}

/// Checks that the actor has one of the roles that may write entries of a kind.
///
/// # Errors
///
/// [`Failure`] if it has not, or this program does not know its role.
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
            "`{}` writes an entry `{kind}`, which the role `{role}` may not",
            actor.credential
        ))),
    }
}

/// The roles that may write entries of a type. `operator` is somebody with a shell on the gateway's machine.
fn makers(body: &Body) -> &'static [&'static str] {
    match body {
        // A grant that is withdrawn reaches the calls that rely on it.
        Body::Event { facts, .. } if matches!(facts.what, What::ConsentWithdrawn { .. }) => {
            &["recorder", "observer", "counsel", "registrar", "admin", "operator"]
        }
        Body::Opened { .. } | Body::Event { .. } | Body::ControlRefused { .. } => &["recorder", "observer"],
        Body::Accepted { released: None, .. }
        | Body::Refused { .. }
        | Body::Unasked { .. }
        | Body::Quarantined { .. } => &["recorder", "uploader"],
        Body::Accepted { released: Some(_), .. } | Body::ReleaseRefused { .. } => {
            &["recorder", "counsel", "admin"]
        }
        Body::Destroyed { .. } => &["recorder", "counsel", "admin", "operator", "gateway"],
        Body::Heartbeat {} | Body::LogKey { .. } | Body::Suspension { .. } => &["gateway"],
        Body::Gap { .. } | Body::LogOpened { .. } => &["gateway", "operator"],
        Body::Account { .. }
        | Body::AccountFormat { .. }
        | Body::AccountSettings { loosens: false }
        | Body::AccountAlias { .. }
        | Body::AccountAliasRemoved { .. }
        | Body::AccountWebhook { .. }
        | Body::Credential { .. }
        | Body::CredentialRevoked { .. }
        | Body::CredentialSet { .. }
        | Body::CredentialRotated { .. }
        | Body::Key { .. } => &["operator", PROVISIONER],
        // A provisioner loosens nothing, takes nothing over, and enrols nobody.
        Body::LogDropped { .. }
        | Body::AccountSettings { loosens: true }
        | Body::AccountProvisioner { .. }
        | Body::Person { .. }
        | Body::KeyRetired { .. } => &["operator"],
        Body::Lookup { .. } => &["listener", "auditor", "counsel", "registrar", "admin", "operator"],
        Body::Exported { .. } => &["auditor", "counsel", "admin", "operator"],
        Body::ErasureWaits { .. } => &["counsel", "admin", "operator"],
        // One that waited is done by the gateway.
        Body::Erased { .. } => &["counsel", "admin", "operator", "gateway"],
        Body::Fetched { .. } | Body::FetchRefused { .. } => &["recorder", "uploader", "listener"],
        Body::Deleted { .. } => &["counsel", "admin", "operator", "gateway"],
        Body::AccountRecordingSettings { .. } => &["admin"],
        Body::PersonConfirmed { .. } => &["auditor", "counsel", "admin"],
        Body::Held { .. } | Body::HoldSet { .. } | Body::HoldLifted { .. } => &["counsel", "operator"],
        // That a provisioner only tightens it is seen where the law before is known.
        Body::AccountLaw { .. } => &["counsel", "operator", PROVISIONER],
        Body::ReadingAllowed { .. }
        | Body::ReadingDisallowed { .. }
        | Body::ReadingProposed { .. }
        | Body::ReadingInForce { .. }
        | Body::ReadingApproved { .. }
        | Body::ReadingEndProposed { .. }
        | Body::ReadingEnded { .. } => &["counsel"],
        Body::Prompt { .. } => &["counsel", "admin", "operator", PROVISIONER],
        Body::Grant { .. } => &["counsel", "registrar", "admin", "operator"],
        // An erasure withdraws the grants of whom it erases.
        Body::GrantWithdrawn { .. } => &["counsel", "registrar", "admin", "operator", "gateway"],
        Body::Table { .. } | Body::TableProposed { .. } | Body::ProposalDecided { .. } => {
            &["counsel", "operator", "gateway"]
        }
    }
}

/// Makes accounts for a platform with many tenants. Its credential is in the log of the system's account.
pub(super) const PROVISIONER: &str = "provisioner";

/// The roles that it may give.
const GIVEN: [&str; 7] = ["recorder", "observer", "uploader", "listener", "auditor", "registrar", "admin"];

const KNOWN: [&str; 11] = [
    "recorder",
    "observer",
    "uploader",
    "listener",
    "auditor",
    "counsel",
    "registrar",
    "admin",
    PROVISIONER,
    "operator",
    "gateway",
];
