//! Why something is not registered, approved or confirmed: accounts, keys, prompts, grants, people, and the
//! law.

use policy::Code;
use policy::table::Problem;
use uuid::Uuid;

use super::FaultCode;
use crate::access::Role;
use crate::access::secret::PasswordError;
use crate::gate::answer::ProposalState;
use crate::webhook::WebhookUrlError;
use seal::{Format, KeyError};

/// Why an account, or something in it, is not registered.
#[derive(Debug)]
pub enum RegisterRefusal {
    /// Another account has this id.
    AccountExists {
        /// The id.
        id: String,
    },
    /// There is no account with this id.
    UnknownAccount {
        /// The id.
        id: String,
    },
    /// The account `system` has no calls, so it cannot choose overlays.
    SystemHasNoCalls,
    /// There is no account with this id, or none that this provisioner may see.
    NotProvisioned {
        /// The id.
        id: String,
    },
    /// The name is an account's, an alias of another, or reserved.
    NameTaken {
        /// The name.
        name: String,
    },
    /// The account has as many aliases as it can.
    ManyAliases,
    /// A provisioner would make an account's law looser.
    Loosens {
        /// The setting that would ask less, or may.
        what: &'static str,
    },
    /// A provisioner may not give this role.
    RoleNotGiven {
        /// The role.
        role: Role,
    },
    /// A credential of this name has another role.
    CredentialExists {
        /// The role that it has.
        role: String,
    },
    /// The credential is not one of a provisioner.
    NoProvisioner {
        /// The name of the credential.
        username: String,
    },
    /// The key is another than the one that the path names.
    OtherKey {
        /// The id of the key that was sent.
        id: String,
    },
    /// The account had this key, and it was retired.
    KeyRetired,
    /// The account `system` has no calls, so nobody can have this role in it.
    RoleOfCalls,
    /// Provisioners belong to the account `system`.
    RoleOfSystem,
    /// Late evidence would be accepted for more than 60 s.
    LateEvidence,
    /// An upload may not wait in quarantine for so long.
    QuarantineSeconds,
    /// No device could record.
    NoRecorders,
    /// Recordings would have to be kept for longer than they may.
    Retention,
    /// More of an upload would have to be left than there is.
    LeastKept,
    /// A lawful basis names a notice that is not the address of a page.
    Notice,
    /// Nobody can be told at this address.
    Webhook(WebhookUrlError),
    /// The account has no webhook whose secret could change.
    NoWebhook {
        /// The account.
        id: String,
    },
    /// The password is too weak.
    WeakPassword(PasswordError),
    /// The public key cannot be used.
    UnusableKey(KeyError),
    /// The account's format has room for one key, and has it.
    OneKey {
        /// The account.
        account: String,
        /// Its format.
        format: Format,
        /// The keys in use.
        in_use: Vec<String>,
    },
    /// The account has more keys than the format has room for.
    ManyKeys {
        /// The account.
        account: String,
        /// The format.
        format: Format,
        /// The keys in use.
        in_use: Vec<String>,
    },
    /// The text of a prompt is empty, or longer than 16 KiB.
    PromptText,
    /// A prompt lasts less than a second, or more than ten minutes.
    PromptDuration,
    /// A prompt claims to say something that no law requires.
    UnknownElement {
        /// The claimed element.
        element: String,
    },
    /// A quotation is not in the text of the prompt.
    NotQuoted {
        /// The element that it is quoted for.
        element: String,
    },
    /// A consent grant ends before it begins.
    GrantEndsEarly,
    /// The id belongs to another consent grant, or to a withdrawn one.
    GrantExists,
    /// How uploads are judged and answered concerns only roles that upload.
    UploadsNothing {
        /// The role.
        role: Role,
    },
    /// The hold is limited by nothing.
    HoldOnEverything,
    /// The hold ends before it begins.
    HoldEndsEarly,
    /// The id belongs to another hold.
    HoldExists,
}

impl RegisterRefusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> FaultCode {
        match self {
            RegisterRefusal::AccountExists { .. } => FaultCode::AccountExists,
            RegisterRefusal::UnknownAccount { .. } | RegisterRefusal::NotProvisioned { .. } => {
                FaultCode::UnknownAccount
            }
            RegisterRefusal::NameTaken { .. } => FaultCode::NameTaken,
            RegisterRefusal::ManyAliases => FaultCode::TooManyAliases,
            RegisterRefusal::Loosens { .. } => FaultCode::LoosensLaw,
            RegisterRefusal::RoleNotGiven { .. } => FaultCode::RoleReserved,
            RegisterRefusal::CredentialExists { .. } => FaultCode::CredentialExists,
            RegisterRefusal::OtherKey { .. } => FaultCode::UnusableKey,
            RegisterRefusal::KeyRetired => FaultCode::KeyRetired,
            RegisterRefusal::SystemHasNoCalls => FaultCode::WrongAccount,
            RegisterRefusal::RoleOfCalls
            | RegisterRefusal::RoleOfSystem
            | RegisterRefusal::NoProvisioner { .. } => FaultCode::InvalidRole,
            RegisterRefusal::LateEvidence
            | RegisterRefusal::QuarantineSeconds
            | RegisterRefusal::NoRecorders
            | RegisterRefusal::LeastKept
            | RegisterRefusal::Notice
            | RegisterRefusal::Retention
            | RegisterRefusal::Webhook(_)
            | RegisterRefusal::NoWebhook { .. } => FaultCode::InvalidSettings,
            RegisterRefusal::WeakPassword(_) => FaultCode::WeakPassword,
            RegisterRefusal::UnusableKey(_) => FaultCode::UnusableKey,
            RegisterRefusal::OneKey { .. } | RegisterRefusal::ManyKeys { .. } => FaultCode::OneKey,
            RegisterRefusal::PromptText
            | RegisterRefusal::PromptDuration
            | RegisterRefusal::UnknownElement { .. }
            | RegisterRefusal::NotQuoted { .. } => FaultCode::InvalidPrompt,
            RegisterRefusal::GrantEndsEarly => FaultCode::InvalidConsentGrant,
            RegisterRefusal::GrantExists => FaultCode::ConsentGrantExists,
            RegisterRefusal::HoldOnEverything | RegisterRefusal::HoldEndsEarly => FaultCode::InvalidLegalHold,
            RegisterRefusal::UploadsNothing { .. } => FaultCode::InvalidRole,
            RegisterRefusal::HoldExists => FaultCode::LegalHoldExists,
        }
    }
}

/// Why a person may not do something, or cannot be enrolled.
#[derive(Debug)]
pub enum PersonRefusal {
    /// The text is not a name.
    NotAName {
        /// The text.
        name: String,
    },
    /// A credential of the account `system` has to name a person.
    NameNeeded,
    /// The credential does not name a person.
    Unnamed,
    /// Somebody tries to confirm themselves.
    Oneself,
    /// They were enrolled after the first two people of the account, and nobody who counts has confirmed
    /// them.
    Unconfirmed {
        /// Their name.
        name: String,
        /// Their account.
        account: String,
        /// The gateway's id of them.
        id: Uuid,
    },
    /// Two people who do not count as two, since both depend on the same person's confirmation.
    NotTwo {
        /// Their names.
        names: [String; 2],
    },
}

impl PersonRefusal {
    /// The stable code.
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

/// Why the law desk refuses something.
#[derive(Debug)]
pub enum LawRefusal {
    /// Only counsel of the account `system` can change the table.
    NotCounsel,
    /// Only the account `system` can see proposals.
    NotOfTheSystem,
    /// The table has errors.
    Mistakes {
        /// All errors, and the warnings.
        problems: Vec<Problem>,
    },
    /// Another version came into force after the proposal was made.
    Outdated,
    /// The person who proposed it tries to approve it.
    OwnProposal,
    /// Somebody else tries to withdraw it.
    NotOwnProposal,
    /// The proposal is already decided.
    Decided {
        /// The state of the proposal.
        state: ProposalState,
    },
    /// The proposal has expired.
    Expired,
    /// The table has no such overlay.
    UnknownOverlay {
        /// The id in the request.
        id: String,
        /// The overlays that the table has.
        known: Vec<String>,
    },
    /// The table has no row for a place.
    NoRow {
        /// The place.
        code: Code,
    },
    /// A reading of the law makes no sense.
    Reading(WrongReading),
    /// The account may not ask less here than the table.
    ReadingsNotAllowed {
        /// The place.
        code: Code,
    },
    /// The person who proposed a reading tries to approve it.
    OwnReading,
    /// The person who proposed to end a reading tries to end it.
    OwnReadingEnd,
    /// The reading is in force, over, or ended.
    ReadingDecided,
}

/// What is wrong with a reading of the law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrongReading {
    /// Parties and form contradict each other.
    Contradiction,
    /// It is for no legal entity.
    NoEntity,
    /// It asks less than the table, and no memo is named.
    NoMemo,
    /// It asks less than the table, and has no end within two years.
    NoEnd,
    /// It would be over.
    Past,
    /// It asks less than the table, and is not for the place of the account's operator.
    OtherOperator {
        /// That place, if it is known.
        operator: Option<Code>,
    },
    /// It is for single purposes, and does not ask less than the table.
    PurposesOfStricter,
    /// The law does not distinguish this purpose.
    UnknownPurpose {
        /// The purpose.
        purpose: String,
    },
    /// The account has as many readings as it can.
    TooMany,
    /// The place's row asks more now than when it was stated.
    Outdated {
        /// The place.
        code: Code,
    },
}

impl From<WrongReading> for LawRefusal {
    fn from(wrong: WrongReading) -> LawRefusal {
        LawRefusal::Reading(wrong)
    }
}

impl LawRefusal {
    /// The stable code.
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
            LawRefusal::Reading(_) => FaultCode::InvalidReading,
            LawRefusal::ReadingsNotAllowed { .. } => FaultCode::ReadingsNotAllowed,
            LawRefusal::OwnReading | LawRefusal::OwnReadingEnd => FaultCode::OwnProposal,
            LawRefusal::ReadingDecided => FaultCode::ReadingDecided,
        }
    }
}
