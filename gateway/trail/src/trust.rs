//! Whom an auditor trusts: a C2SP tlog-policy file. It names logs by their keys, witnesses by
//! theirs, and how many of the witnesses have to have seen a log's head.
//!
//! ```text
//! log gateway.example.com/acme+1a2b3c4d+AT…
//! witness north north.example+5e6f7a8b+BH…
//! witness south south.example+9c0d1e2f+BK…
//! group witnesses any north south
//! quorum witnesses
//! ```
//!
//! It does not know what time it is: how old a cosignature may be is the caller's question.
//!
//! A log's key speaks for every epoch of that log (`…/acme`, `…/acme.2`), so that nobody needs another
//! file at each of them. If the file names an epoch itself, that key alone speaks for it.
//!
//! Invariant: everything that a group or the quorum names was defined on an earlier line, and counts
//! in one way only.

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

pub use parse::LineFault;

use super::note::{Checkpoint, CheckpointError, KeyKind, Note, NoteError, VerifierKey};
use super::{LogName, hex};

/// Whom an auditor trusts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    // INVARIANT: logs have keys of kind `Log`, witnesses of kind `Cosigner`; a group's members and
    // the quorum are indexes of what exists, a group's members of groups before it.
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

impl Trust {
    /// Reads a policy file.
    ///
    /// # Errors
    ///
    /// [`TrustError::Line`] with the number of the line that is wrong, [`TrustError::NoQuorum`] if it has no
    /// quorum.
    pub fn parse(file: &str) -> Result<Trust, TrustError> {
        parse::parse(file)
    }

    /// Trust in one log's key, no witness asked.
    ///
    /// # Errors
    ///
    /// [`LineFault::LogKind`] if it is not the key of a log.
    pub fn in_log(key: VerifierKey) -> Result<Trust, LineFault> {
        let mut trust = Trust::default();
        trust.add_log(key)?;
        Ok(trust)
    }

    /// Trusts a further key of a log, such as one that a trusted key has handed over to. It may be trusted
    /// already.
    ///
    /// # Errors
    ///
    /// [`LineFault::LogKind`] if it is not the key of a log.
    pub fn add_log(&mut self, key: VerifierKey) -> Result<(), LineFault> {
        if key.kind() != KeyKind::Log {
            return Err(LineFault::LogKind);
        }
        if !self.log_keys().any(|known| *known == key) {
            self.logs.push(Log { key, url: None });
        }
        Ok(())
    }

    /// The logs.
    #[must_use]
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The keys of the logs.
    pub fn log_keys(&self) -> impl Iterator<Item = &VerifierKey> {
        self.logs.iter().map(|log| &log.key)
    }

    /// The keys that speak for the log of this origin, under its name.
    #[must_use]
    pub fn keys_of(&self, origin: &str) -> Vec<VerifierKey> {
        let named: Vec<VerifierKey> = self.log_keys().filter(|key| key.name() == origin).cloned().collect();
        if !named.is_empty() {
            return named;
        }
        let base = LogName::of(origin).base;
        let of_log = self.log_keys().filter(|key| LogName::of(key.name()).base == base);
        of_log.filter_map(|key| key.named(origin).ok()).collect()
    }

    /// The same trust, but the keys of one log also speak for another of the same gateway.
    #[must_use]
    pub fn extended(&self, from: &str, to: &str) -> Trust {
        let (from_gateway, to_gateway) = (LogName::of(from).gateway(), LogName::of(to).gateway());
        let mut trust = self.clone();
        if from_gateway.is_some() && from_gateway == to_gateway && self.keys_of(to).is_empty() {
            let keys = self.keys_of(from).into_iter().filter_map(|key| key.named(to).ok());
            trust.logs.extend(keys.map(|key| Log { key, url: None }));
        }
        trust
    }

    /// The witnesses.
    #[must_use]
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Checks that a note is the head of a trusted log, signed by that log and seen by the quorum.
    ///
    /// # Errors
    ///
    /// [`TrustError`] if it is not, or any signature that names a trusted key fails.
    pub fn check(&self, note: &Note) -> Result<Accepted, TrustError> {
        let checkpoint = Checkpoint::parse(&note.text)?;
        // A log's key speaks for the log of its own name alone.
        let mut keys = self.keys_of(&checkpoint.origin);
        let of_log = keys.len();
        if of_log == 0 {
            return Err(TrustError::UnknownLog { origin: checkpoint.origin });
        }
        keys.extend(self.witnesses.iter().map(|witness| witness.key.clone()));
        let mut cosigned = vec![None; self.witnesses.len()];
        let mut signed_by = Vec::new();
        let verified = match note.verified_by(&keys) {
            Ok(verified) => verified,
            Err(NoteError::Unsigned) => return Err(unsigned(note, checkpoint.origin)),
            Err(error) => return Err(error.into()),
        };
        for verified in verified {
            let witness = verified.key.checked_sub(of_log).and_then(|w| cosigned.get_mut(w));
            match witness {
                Some(time) => *time = verified.time,
                None => signed_by.extend(keys.get(verified.key).cloned()),
            }
        }
        if signed_by.is_empty() {
            return Err(unsigned(note, checkpoint.origin));
        }
        if !self.suffices(&cosigned) {
            let quorum = self.quorum.map(|quorum| self.name(quorum).to_owned()).unwrap_or_default();
            let found = cosigned.iter().flatten().count();
            return Err(TrustError::Quorum { quorum, found });
        }
        let named = self.witnesses.iter().zip(cosigned);
        let witnesses = named.filter_map(|(witness, time)| Some((witness.name.clone(), time?))).collect();
        Ok(Accepted { checkpoint, signed_by, witnesses })
    }

    /// Whether these cosignatures (the time of each witness that has given one) make the quorum.
    fn suffices(&self, cosigned: &[Option<u64>]) -> bool {
        let mut groups: Vec<bool> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let count = group.members.iter().filter(|member| member.is_met(cosigned, &groups)).count();
            groups.push(count >= group.threshold);
        }
        self.quorum.is_none_or(|quorum| quorum.is_met(cosigned, &groups))
    }

    fn name(&self, member: Member) -> &str {
        match member {
            Member::Witness(index) => self.witnesses.get(index).map(|witness| witness.name.as_str()),
            Member::Group(index) => self.groups.get(index).map(|group| group.name.as_str()),
        }
        .unwrap_or_default()
    }
}

/// Why no trusted key has signed.
fn unsigned(note: &Note, origin: String) -> TrustError {
    match note.signatures.iter().find(|signature| signature.name == origin) {
        Some(signature) => TrustError::OtherKey { origin, id: hex(&signature.id) },
        None => TrustError::NotByLog { origin },
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = |url: &Option<String>| url.as_ref().map(|url| format!(" {url}")).unwrap_or_default();
        for log in &self.logs {
            writeln!(f, "log {}{}", log.key, url(&log.url))?;
        }
        for witness in &self.witnesses {
            writeln!(f, "witness {} {}{}", witness.name, witness.key, url(&witness.url))?;
        }
        for group in &self.groups {
            write!(f, "group {} {}", group.name, group.threshold)?;
            group.members.iter().try_for_each(|member| write!(f, " {}", self.name(*member)))?;
            writeln!(f)?;
        }
        writeln!(f, "quorum {}", self.quorum.map_or(NONE, |quorum| self.name(quorum)))
    }
}

/// A log that is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Its key; the key's name is the log's origin.
    pub key: VerifierKey,
    /// Where it is, if the file says so.
    pub url: Option<String>,
}

/// A witness that is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Its name in the file.
    pub name: String,
    /// Its key.
    pub key: VerifierKey,
    /// Where it is, if the file says so.
    pub url: Option<String>,
}

/// The head of a log that is to be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The head.
    pub checkpoint: Checkpoint,
    /// The trusted keys of the log that have signed it: two, if one hands over to the other.
    pub signed_by: Vec<VerifierKey>,
    /// The trusted witnesses that have seen it, by their names in the file, and when they claim to have, in
    /// seconds since 1970.
    pub witnesses: Vec<(String, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    name: String,
    threshold: usize,
    members: Vec<Member>,
}

/// What a group or the quorum names, by its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

impl Member {
    fn is_met(self, cosigned: &[Option<u64>], groups: &[bool]) -> bool {
        match self {
            Member::Witness(index) => cosigned.get(index).is_some_and(Option::is_some),
            Member::Group(index) => groups.get(index).is_some_and(|met| *met),
        }
    }
}

/// Why a policy file is refused, or a head of a log by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// The file is longer than a policy may be.
    #[error("the trust policy is too long: at most {} bytes", parse::MAX_FILE)]
    TooLong,
    /// A line of the file is wrong.
    #[error("line {line} of the trust policy: {fault}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// The file has no quorum.
    #[error(
        "the trust policy has no `quorum` line: name a witness or a group, or write `quorum none` to ask \
         no witness"
    )]
    NoQuorum,
    /// The note is not the head of a log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A signature fails, or none is by a trusted key.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The log is not in the file.
    #[error("the log `{origin}` is not trusted: if it should be, add a line `log <vkey>` with its key")]
    UnknownLog {
        /// The log's origin.
        origin: String,
    },
    /// The log itself has not signed it.
    #[error("no trusted key of the log `{origin}` has signed its checkpoint")]
    NotByLog {
        /// The log's origin.
        origin: String,
    },
    /// A key of the log that is not in the file has signed it.
    #[error(
        "the head of `{origin}` is signed with the key {id}, which the trust policy does not name for it: somebody else has signed \
         it, or the log had another key then; get the file that `consent-gateway audit key` prints for this log from somebody \
         you trust"
    )]
    OtherKey {
        /// The log's origin.
        origin: String,
        /// The key's id, in hexadecimal.
        id: String,
    },
    /// Too few witnesses have seen it.
    #[error("the quorum `{quorum}` has not seen this checkpoint: {found} of the trusted witnesses have")]
    Quorum {
        /// The quorum's name.
        quorum: String,
        /// How many of the witnesses have.
        found: usize,
    },
}

/// The quorum that asks no witness.
const NONE: &str = "none";
