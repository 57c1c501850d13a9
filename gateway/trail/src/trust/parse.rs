//! How a trust policy is read: line by line, every name defined before it is used.

use std::collections::{HashMap, HashSet};

use super::super::canonical;
use super::super::note::{KeyError, KeyKind, VerifierKey};
use super::{Group, Log, Member, NONE, Trust, TrustError, Witness};

pub(super) fn parse(file: &str) -> Result<Trust, TrustError> {
    if file.len() > MAX_FILE {
        return Err(TrustError::TooLong);
    }
    let mut policy = Policy::default();
    for (index, line) in file.split('\n').enumerate() {
        policy.read(line).map_err(|fault| TrustError::Line { line: index + 1, fault })?;
    }
    if policy.quorum { Ok(policy.trust) } else { Err(TrustError::NoQuorum) }
}

/// The policy as read so far.
#[derive(Default)]
struct Policy<'a> {
    trust: Trust,
    /// Whether there was a quorum line.
    quorum: bool,
    keys: HashSet<[u8; 32]>,
    names: HashMap<&'a str, Member>,
    /// What is in a group already.
    counted: HashSet<&'a str>,
}

impl<'a> Policy<'a> {
    fn read(&mut self, line: &'a str) -> Result<(), LineFault> {
        if line.chars().any(|c| c.is_ascii_control() && c != '\t') {
            return Err(LineFault::Control);
        }
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        let Some(keyword) = words.next().filter(|word| !word.starts_with('#')) else { return Ok(()) };
        let words: Vec<&str> = words.collect();
        match (keyword, words.as_slice()) {
            ("log", [vkey]) => self.log(vkey, None),
            ("log", [vkey, url]) => self.log(vkey, Some(url)),
            ("log", _) => Err(LineFault::Form("log <vkey> [<url>]")),
            ("witness", [name, vkey]) => self.witness(name, vkey, None),
            ("witness", [name, vkey, url]) => self.witness(name, vkey, Some(url)),
            ("witness", _) => Err(LineFault::Form("witness <name> <vkey> [<url>]")),
            ("group", [name, threshold, members @ ..]) if !members.is_empty() => {
                self.group(name, threshold, members)
            }
            ("group", _) => Err(LineFault::Form("group <name> <number|all|any> <name>…")),
            ("quorum", [name]) => self.quorum(name),
            ("quorum", _) => Err(LineFault::Form("quorum <name|none>")),
            (other, _) => Err(LineFault::Keyword(other.into())),
        }
    }

    fn log(&mut self, vkey: &str, url: Option<&str>) -> Result<(), LineFault> {
        let key = self.key(vkey, KeyKind::Log, LineFault::LogKind)?;
        self.trust.logs.push(Log { key, url: url.map(Into::into) });
        Ok(())
    }

    fn witness(&mut self, name: &'a str, vkey: &str, url: Option<&str>) -> Result<(), LineFault> {
        let key = self.key(vkey, KeyKind::Cosigner, LineFault::WitnessKind)?;
        self.define(name, Member::Witness(self.trust.witnesses.len()))?;
        self.trust.witnesses.push(Witness { name: name.into(), key, url: url.map(Into::into) });
        Ok(())
    }

    fn group(&mut self, name: &'a str, threshold: &str, members: &[&'a str]) -> Result<(), LineFault> {
        let mut of = Vec::with_capacity(members.len());
        for member in members {
            of.push(self.defined(member)?);
            // Nobody may count twice.
            if !self.counted.insert(member) {
                return Err(LineFault::Counted((*member).into()));
            }
        }
        let threshold = match threshold {
            "all" => of.len(),
            "any" => 1,
            number => canonical::decimal(number)
                .and_then(|number| usize::try_from(number).ok())
                .filter(|number| (1..=of.len()).contains(number))
                .ok_or_else(|| LineFault::Threshold { threshold: number.into(), members: of.len() })?,
        };
        self.define(name, Member::Group(self.trust.groups.len()))?;
        self.trust.groups.push(Group { name: name.into(), threshold, members: of });
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), LineFault> {
        if self.quorum {
            return Err(LineFault::SecondQuorum);
        }
        self.trust.quorum = if name == NONE { None } else { Some(self.defined(name)?) };
        self.quorum = true;
        Ok(())
    }

    fn key(&mut self, vkey: &str, kind: KeyKind, fault: LineFault) -> Result<VerifierKey, LineFault> {
        let key = VerifierKey::parse(vkey)?;
        if key.kind() != kind {
            return Err(fault);
        }
        // One set for both: a log cannot be its own witness.
        if !self.keys.insert(key.key()) {
            return Err(LineFault::KeyTwice);
        }
        Ok(key)
    }

    fn define(&mut self, name: &'a str, member: Member) -> Result<(), LineFault> {
        if name == NONE {
            return Err(LineFault::Reserved);
        }
        match self.names.insert(name, member) {
            None => Ok(()),
            Some(_) => Err(LineFault::NameTwice(name.into())),
        }
    }

    fn defined(&self, name: &str) -> Result<Member, LineFault> {
        self.names.get(name).copied().ok_or_else(|| LineFault::Undefined(name.into()))
    }
}

/// What is wrong with a line of a trust policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// It has a control character.
    #[error("it holds a control character; use spaces and tabs, and end lines with a newline alone")]
    Control,
    /// It begins with an unknown word.
    #[error("`{0}` is not `log`, `witness`, `group` or `quorum`; a comment begins with `#`")]
    Keyword(String),
    /// It has too few or too many words.
    #[error("write it as `{0}`")]
    Form(&'static str),
    /// The key is not a key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A log's key is of the wrong kind.
    #[error("this is a witness's key; ask for the log's own key, of type 0x01")]
    LogKind,
    /// A witness's key is of the wrong kind.
    #[error("this is a log's key; ask the witness for its cosignature key, of type 0x04")]
    WitnessKind,
    /// A key is on two lines.
    #[error("this key is on an earlier line already; remove one of the lines")]
    KeyTwice,
    /// A name stands for two things.
    #[error("`{0}` is defined on an earlier line already; choose another name")]
    NameTwice(String),
    /// `none` cannot be defined.
    #[error("`none` means that no witness is asked; choose another name")]
    Reserved,
    /// A name stands for nothing yet.
    #[error("`{0}` is not defined on an earlier line; check its spelling, or move its line up")]
    Undefined(String),
    /// A name counts twice.
    #[error("`{0}` is a member of a group already and can count only once")]
    Counted(String),
    /// The threshold is out of range.
    #[error("`{threshold}` is not a threshold; write a number from 1 to {members}, `all` or `any`")]
    Threshold {
        /// What it says.
        threshold: String,
        /// How many members there are.
        members: usize,
    },
    /// There are two quorums.
    #[error("there is a `quorum` line already; keep one of them")]
    SecondQuorum,
}

/// How long a policy file may be, in bytes.
pub(super) const MAX_FILE: usize = 1024 * 1024;
