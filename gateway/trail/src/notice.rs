//! What of an entry the account's own systems are told at once, if they ask for it.

use policy::{Control, What};
use uuid::Uuid;

use crate::Body;

/// Something that an account is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A recording was stored.
    Stored(Uuid),
    /// A recording was stored, with stretches of it silenced.
    Redacted(Uuid),
    /// An upload was refused.
    Refused {
        /// Whether its sender was told that all is well: how many were is told once a day.
        discarded: bool,
    },
    /// An upload that nobody could decide on was put into quarantine.
    Quarantined(Uuid),
    /// What was in quarantine was destroyed.
    Destroyed(Uuid),
    /// The platform has to do this: `pause`, `stop` or `end-call`. It is said again by every entry until the platform
    /// has done it.
    Ordered(String),
    /// A recording was deleted.
    Deleted(Uuid),
    /// A legal hold was put on a recording, or on whatever it covers.
    HoldSet(Option<Uuid>),
    /// A legal hold was lifted.
    HoldLifted(Option<Uuid>),
    /// A key was added. Its holder can open what is recorded from now on.
    RecipientAdded,
    /// Recording has ended. If nothing of it comes, that is told.
    Overdue,
}

impl Notice {
    /// The word for what is told once a day: how many uploads were refused whose senders were told that all is well.
    pub const DISCARDED: &str = "uploads.discarded";

    /// The word for it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Notice::Stored(_) => "recording.stored",
            Notice::Redacted(_) => "recording.redacted",
            Notice::Refused { .. } => "recording.refused",
            Notice::Quarantined(_) => "recording.quarantined",
            Notice::Destroyed(_) => "recording.destroyed",
            Notice::Ordered(_) => "recording.suspended",
            Notice::Deleted(_) => "recording.deleted",
            Notice::HoldSet(_) => "hold.set",
            Notice::HoldLifted(_) => "hold.lifted",
            Notice::RecipientAdded => "recipient.added",
            Notice::Overdue => "upload.overdue",
        }
    }

    /// The recording that it is about.
    #[must_use]
    pub fn recording(&self) -> Option<Uuid> {
        match self {
            Notice::Stored(id)
            | Notice::Redacted(id)
            | Notice::Quarantined(id)
            | Notice::Destroyed(id)
            | Notice::Deleted(id) => Some(*id),
            Notice::HoldSet(id) | Notice::HoldLifted(id) => *id,
            Notice::Refused { .. } | Notice::Ordered(_) | Notice::RecipientAdded | Notice::Overdue => None,
        }
    }
}

impl Body {
    /// What an account is told of this entry.
    #[must_use]
    pub fn notice(&self) -> Option<Notice> {
        if let Body::Accepted { recording, silenced, .. } = self {
            let told = if silenced.is_empty() { Notice::Stored } else { Notice::Redacted };
            return Some(told(*recording));
        }
        if let Body::Refused { discarded, .. } = self {
            return Some(Notice::Refused { discarded: *discarded });
        }
        if let Body::Unasked { .. } = self {
            return Some(Notice::Refused { discarded: false });
        }
        if let Body::Quarantined { recording, .. } = self {
            return Some(Notice::Quarantined(*recording));
        }
        if let Body::Destroyed { recording, .. } = self {
            return Some(Notice::Destroyed(*recording));
        }
        if let Body::Deleted { recording } = self {
            return Some(Notice::Deleted(*recording));
        }
        if let Body::Held { recording, held } = self {
            let told = if *held { Notice::HoldSet } else { Notice::HoldLifted };
            return Some(told(Some(*recording)));
        }
        if let Body::HoldSet { .. } = self {
            return Some(Notice::HoldSet(None));
        }
        if let Body::HoldLifted { .. } = self {
            return Some(Notice::HoldLifted(None));
        }
        if let Body::Key { .. } = self {
            return Some(Notice::RecipientAdded);
        }
        if let Some(action) = self.orders()
            && ["pause", "stop", "end-call"].contains(&action)
        {
            return Some(Notice::Ordered(action.to_owned()));
        }
        if let Body::Event { facts, .. } = self
            && matches!(facts.what, What::Control(Control::Stop) | What::RecordingStopped | What::Ended)
        {
            return Some(Notice::Overdue);
        }
        None
    }

    /// What the platform has to do now, if this entry can tell it: one that is made for what it said.
    #[must_use]
    pub fn orders(&self) -> Option<&str> {
        if let Body::Opened { saw, .. } | Body::Event { saw, .. } | Body::ControlRefused { saw, .. } = self {
            return Some(saw.action.as_str());
        }
        None
    }
}
