//! Who may: credentials, roles, and the check of a request's `Authorization`.
//!
//! A credential belongs to one account, one role and one named person or system. What a role may
//! do stands in one table, [`crate::api::routes`]; what is not in it is forbidden.

pub mod secret;
pub mod throttle;

use std::net::IpAddr;
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use policy::CoverageBasis;
use zeroize::Zeroizing;

use crate::ledger::{CredentialRow, Ledger, LedgerError};
use secret::{Check, Verifier};
use throttle::{Throttle, Wait};
use trail::OnRefusal;

/// Somebody whose secret was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The credential's minted name.
    pub credential: String,
    /// Its account.
    pub account: String,
    /// Its role.
    pub role: Role,
    /// How its uploads are judged and answered.
    pub uploads: Uploads,
}

/// How the uploads of a credential are judged and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uploads {
    /// What they need beside being lawful: a recorder that starts by itself has asked nobody.
    pub coverage: CoverageBasis,
    /// What their sender is told if the law does not let one be kept.
    pub on_refusal: OnRefusal,
    /// For how long one that nobody can decide on yet may wait in quarantine, in seconds, at most
    /// [`MAX_QUARANTINE_SECONDS`]; 0 if it may not.
    pub quarantine_seconds: u32,
}

impl Default for Uploads {
    fn default() -> Uploads {
        Uploads {
            coverage: CoverageBasis::default(),
            on_refusal: OnRefusal::default(),
            quarantine_seconds: QUARANTINE_SECONDS,
        }
    }
}

/// For how long an upload may wait in quarantine unless its credential says otherwise: an hour.
pub const QUARANTINE_SECONDS: u32 = 3600;
/// For how long it may wait at most: three days.
pub const MAX_QUARANTINE_SECONDS: u32 = 72 * 3600;

impl Uploads {
    /// From what is stored of a credential; `None` if it cannot be read.
    #[must_use]
    pub fn read(coverage: &str, on_refusal: &str, quarantine_seconds: i64) -> Option<Uploads> {
        let coverages = [CoverageBasis::Granted, CoverageBasis::Lawful];
        let refusals = [OnRefusal::Deny, OnRefusal::Discard];
        Some(Uploads {
            coverage: coverages.into_iter().find(|known| known.as_str() == coverage)?,
            on_refusal: refusals.into_iter().find(|known| known.as_str() == on_refusal)?,
            quarantine_seconds: u32::try_from(quarantine_seconds).ok()?,
        })
    }
}

/// What a credential may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A CPaaS backend: calls, events, control, uploads, and what it uploaded.
    Recorder,
    /// A CPaaS backend's application: calls, events, control; no bytes.
    Observer,
    /// A CPaaS backend's media: uploads, and what it uploaded.
    Uploader,
    /// Fetches media.
    Listener,
    /// Reads consent records; no media.
    Auditor,
    /// Prompts, consent grants, holds, tables.
    Counsel,
    /// A web form or an HR system: consent grants only.
    Registrar,
    /// The account.
    Admin,
    /// A platform with many tenants: makes accounts, and sets up those that it made. Of the system's account.
    Provisioner,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 9] = [
        Role::Recorder,
        Role::Observer,
        Role::Uploader,
        Role::Listener,
        Role::Auditor,
        Role::Counsel,
        Role::Registrar,
        Role::Admin,
        Role::Provisioner,
    ];

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Recorder => "recorder",
            Role::Observer => "observer",
            Role::Uploader => "uploader",
            Role::Listener => "listener",
            Role::Auditor => "auditor",
            Role::Counsel => "counsel",
            Role::Registrar => "registrar",
            Role::Admin => "admin",
            Role::Provisioner => "provisioner",
        }
    }

    /// Whether it stands for a platform that reports calls or sends recordings, not for somebody of the account.
    #[must_use]
    pub fn is_of_a_platform(self) -> bool {
        match self {
            Role::Recorder | Role::Observer | Role::Uploader => true,
            Role::Listener
            | Role::Auditor
            | Role::Counsel
            | Role::Registrar
            | Role::Admin
            | Role::Provisioner => false,
        }
    }

    /// Whether somebody of the system's account, which has no calls, can have it.
    #[must_use]
    pub fn is_of_the_system(self) -> bool {
        match self {
            Role::Auditor | Role::Counsel | Role::Admin | Role::Provisioner => true,
            Role::Recorder | Role::Observer | Role::Uploader | Role::Listener | Role::Registrar => false,
        }
    }

    /// Whether a provisioner may give it to somebody of an account that it made. Whoever has the password of a
    /// `counsel` can loosen the account's law, and a provisioner sees every password that it asks for.
    #[must_use]
    pub fn is_given_by_provisioners(self) -> bool {
        match self {
            Role::Recorder
            | Role::Observer
            | Role::Uploader
            | Role::Listener
            | Role::Auditor
            | Role::Registrar
            | Role::Admin => true,
            Role::Counsel | Role::Provisioner => false,
        }
    }

    /// Whether it may upload recordings.
    #[must_use]
    pub fn uploads(self) -> bool {
        matches!(self, Role::Recorder | Role::Uploader)
    }

    /// The role of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// Checks credentials.
pub struct Access {
    ledger: Ledger,
    verifier: Verifier,
    throttle: Throttle,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Access(…)")
    }
}

/// Why somebody is not let in.
#[derive(Debug)]
pub enum Denied {
    /// No credentials, or wrong ones.
    Wrong,
    /// Too many wrong attempts: try again after so many seconds.
    Throttled(u64),
    /// Too many passwords are being checked.
    Busy,
    /// The ledger does not answer.
    Unavailable(LedgerError),
}

impl Access {
    /// Checks against this ledger.
    #[must_use]
    pub fn new(ledger: Ledger) -> Access {
        Access { ledger, verifier: Verifier::new(), throttle: Throttle::new() }
    }

    /// Finds out who sends this `Authorization` header.
    ///
    /// # Errors
    ///
    /// [`Denied`]. A right high-entropy secret always passes, whatever others have tried.
    pub async fn check(&self, header: Option<&[u8]>, from: IpAddr) -> Result<Principal, Denied> {
        let Some((username, password)) = header.and_then(basic) else { return Err(Denied::Wrong) };
        let row = self.ledger.credential(&username).await.map_err(Denied::Unavailable)?;
        let now = Instant::now();
        let stored = row.as_ref().map(|row| row.hash.as_str());
        let right = match self.verifier.check(stored, &password, now) {
            Check::Right => true,
            Check::Wrong => return Err(self.wrong(from, &username, now)),
            Check::Slow(slow) => {
                let ticket = self.throttle.admit(from, &username, now).map_err(throttled)?;
                match self.verifier.compute(slow, now).await {
                    Ok(true) => {
                        ticket.was_right(now);
                        true
                    }
                    Ok(false) => {
                        ticket.was_wrong();
                        false
                    }
                    Err(secret::Busy) => {
                        ticket.was_not_computed();
                        return Err(Denied::Busy);
                    }
                }
            }
        };
        let role = row.as_ref().and_then(|row| Role::parse(&row.role));
        let uploads = row
            .as_ref()
            .and_then(|row| Uploads::read(&row.coverage, &row.on_refusal, row.quarantine_seconds));
        match (right, row, role, uploads) {
            (true, Some(row), Some(role), Some(uploads)) => {
                Ok(Principal { credential: row.username, account: row.account, role, uploads })
            }
            _ => Err(Denied::Wrong),
        }
    }

    /// The credential that acts for a platform whose own requests come without one: the one that is named, or else the
    /// only one of the account that may open calls and record them.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn acting(&self, account: &str, named: Option<&str>) -> Result<Option<Principal>, LedgerError> {
        let rows = match named {
            Some(username) => self.ledger.credential(username).await?.into_iter().collect(),
            None => self.ledger.credentials(account).await?,
        };
        let acts = |row: CredentialRow| {
            let role = Role::parse(&row.role).filter(|role| *role == Role::Recorder)?;
            let uploads = Uploads::read(&row.coverage, &row.on_refusal, row.quarantine_seconds)?;
            let is_live = row.account == account && row.revoked_at.is_none();
            is_live.then_some(Principal { credential: row.username, account: row.account, role, uploads })
        };
        let mut acting = rows.into_iter().filter_map(acts);
        Ok(acting.next().filter(|_| acting.next().is_none()))
    }

    fn wrong(&self, from: IpAddr, username: &str, now: Instant) -> Denied {
        self.throttle.refused(from, username, now).map_or(Denied::Wrong, throttled)
    }
}

fn throttled(wait: Wait) -> Denied {
    Denied::Throttled(wait.seconds())
}

/// The longest user name and password that are looked at, in base64: the longest password that may be chosen, and
/// room for the name.
const ENCODED_MAX: usize = 2 * secret::PASSWORD_MAX_BYTES;

/// `Basic` credentials (RFC 7617): the name ends at the first colon, and holds no control character.
fn basic(header: &[u8]) -> Option<(String, Zeroizing<Vec<u8>>)> {
    let header = std::str::from_utf8(header).ok()?;
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > ENCODED_MAX {
        return None;
    }
    let plain = Zeroizing::new(BASE64_STANDARD.decode(encoded.trim()).ok()?);
    let colon = plain.iter().position(|byte| *byte == b':')?;
    let (name, password) = plain.split_at_checked(colon)?;
    let name = std::str::from_utf8(name).ok()?;
    if name.chars().any(char::is_control) {
        return None;
    }
    Some((name.to_owned(), Zeroizing::new(password.get(1..)?.to_vec())))
}
