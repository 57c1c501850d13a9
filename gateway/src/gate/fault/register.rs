//! Why something is not registered: accounts, keys, prompts, grants, people, and the law.

use policy::Code;
use policy::table::Problem;
use uuid::Uuid;

use super::FaultCode;
use crate::access::secret::PasswordError;
use crate::gate::answer::ProposalState;
use seal::KeyError;

/// Why an account, or something of it, is not registered.
#[derive(Debug)]
pub enum RegisterRefusal {
    /// There is an account of this id.
    AccountExists {
        /// The id.
        id: String,
    },
    /// There is no account of this id.
    UnknownAccount {
        /// The id.
        id: String,
    },
    /// The account `system` has no calls for which overlays could be chosen.
    SystemHasNoCalls,
    /// The account `system` has no calls, so nobody can have this role in it.
    RoleOfCalls,
    /// Late evidence is allowed for more than 60 s.
    LateEvidence,
    /// Not even one device may record.
    NoRecorders,
    /// The password is too weak.
    WeakPassword(PasswordError),
    /// The public key cannot be used.
    UnusableKey(KeyError),
    /// The text of a prompt is empty, or longer than 16 KiB.
    PromptText,
    /// A prompt takes less than a second, or more than ten minutes.
    PromptDuration,
    /// A prompt claims to say what no law asks for.
    UnknownElement {
        /// As what.
        element: String,
    },
    /// The words that are said to say something are not in the prompt.
    NotQuoted {
        /// What they are said to say.
        element: String,
    },
    /// A consent grant ends before it begins.
    GrantEndsEarly,
    /// Another consent grant has this id, or it was withdrawn.
    GrantExists,
}

impl RegisterRefusal {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            RegisterRefusal::AccountExists { .. } => FaultCode::AccountExists,
            RegisterRefusal::UnknownAccount { .. } => FaultCode::UnknownAccount,
            RegisterRefusal::SystemHasNoCalls => FaultCode::WrongAccount,
            RegisterRefusal::RoleOfCalls => FaultCode::InvalidRole,
            RegisterRefusal::LateEvidence | RegisterRefusal::NoRecorders => FaultCode::InvalidSettings,
            RegisterRefusal::WeakPassword(_) => FaultCode::WeakPassword,
            RegisterRefusal::UnusableKey(_) => FaultCode::UnusableKey,
            RegisterRefusal::PromptText
            | RegisterRefusal::PromptDuration
            | RegisterRefusal::UnknownElement { .. }
            | RegisterRefusal::NotQuoted { .. } => FaultCode::InvalidPrompt,
            RegisterRefusal::GrantEndsEarly => FaultCode::InvalidConsentGrant,
            RegisterRefusal::GrantExists => FaultCode::ConsentGrantExists,
        }
    }
}

/// Why something of people is refused.
#[derive(Debug)]
pub enum PersonRefusal {
    /// What was given is not a name.
    NotAName {
        /// What was given.
        name: String,
    },
    /// A credential of the account `system` has to name a person.
    NameNeeded,
    /// The credential that asks stands for nobody.
    Unnamed,
    /// They would confirm themselves.
    Oneself,
    /// They were enrolled after the first two people of the account, and nobody who counts has confirmed them.
    Unconfirmed {
        /// Their name.
        name: String,
        /// Their account.
        account: String,
        /// The gateway's id of them.
        id: Uuid,
    },
    /// Two who do not count as two, since both rest on one and the same person.
    NotTwo {
        /// Their names.
        names: [String; 2],
    },
}

impl PersonRefusal {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            PersonRefusal::NotAName { .. } | PersonRefusal::NameNeeded => FaultCode::InvalidName,
            PersonRefusal::Unnamed => FaultCode::UnnamedPerson,
            PersonRefusal::Oneself => FaultCode::OwnPerson,
            PersonRefusal::Unconfirmed { .. } | PersonRefusal::NotTwo { .. } => FaultCode::UnconfirmedPerson,
        }
    }
}

/// Why something of the law is refused.
#[derive(Debug)]
pub enum LawRefusal {
    /// Only counsel of the account `system` changes the table.
    NotCounsel,
    /// Proposals are shown to the account `system` alone.
    NotOfTheSystem,
    /// The table has mistakes.
    Mistakes {
        /// All of them, and the warnings.
        problems: Vec<Problem>,
    },
    /// Another version is in force than the one that the proposal was compared with.
    Outdated,
    /// Whoever proposed it would approve it.
    OwnProposal,
    /// Somebody else would withdraw it.
    NotOwnProposal,
    /// The proposal was decided before.
    Decided {
        /// What became of it.
        state: ProposalState,
    },
    /// The proposal has expired.
    Expired,
    /// The table has no such overlay.
    UnknownOverlay {
        /// The id that was asked for.
        id: String,
        /// Those that the table has.
        known: Vec<String>,
    },
    /// The table has no row for a place.
    NoRow {
        /// Which place.
        code: Code,
    },
}

impl LawRefusal {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            LawRefusal::NotCounsel | LawRefusal::NotOfTheSystem => FaultCode::WrongAccount,
            LawRefusal::Mistakes { .. } => FaultCode::InvalidTable,
            LawRefusal::Outdated => FaultCode::ProposalOutdated,
            LawRefusal::OwnProposal => FaultCode::OwnProposal,
            LawRefusal::NotOwnProposal => FaultCode::NotOwnProposal,
            LawRefusal::Decided { .. } => FaultCode::ProposalDecided,
            LawRefusal::Expired => FaultCode::ProposalExpired,
            LawRefusal::UnknownOverlay { .. } => FaultCode::UnknownOverlay,
            LawRefusal::NoRow { .. } => FaultCode::NoRow,
        }
    }
}
