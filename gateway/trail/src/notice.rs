//! What of an entry the account's own systems are told at once, if they ask for it.

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
    Refused,
    /// The platform has to do this: `pause`, `stop` or `end-call`. It is said again by every entry until the platform
    /// has done it.
    Ordered(String),
    /// A recording was deleted.
    Deleted(Uuid),
    /// A legal hold was put on a recording.
    HoldSet(Uuid),
    /// A legal hold was lifted.
    HoldLifted(Uuid),
}

impl Notice {
    /// The word for it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Notice::Stored(_) => "recording.stored",
            Notice::Redacted(_) => "recording.redacted",
            Notice::Refused => "recording.refused",
            Notice::Ordered(_) => "recording.suspended",
            Notice::Deleted(_) => "recording.deleted",
            Notice::HoldSet(_) => "hold.set",
            Notice::HoldLifted(_) => "hold.lifted",
        }
    }

    /// The recording that it is about.
    #[must_use]
    pub fn recording(&self) -> Option<Uuid> {
        match self {
            Notice::Stored(id)
            | Notice::Redacted(id)
            | Notice::Deleted(id)
            | Notice::HoldSet(id)
            | Notice::HoldLifted(id) => Some(*id),
            Notice::Refused | Notice::Ordered(_) => None,
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
        if let Body::Refused { .. } = self {
            return Some(Notice::Refused);
        }
        if let Body::Deleted { recording } = self {
            return Some(Notice::Deleted(*recording));
        }
        if let Body::Held { recording, held } = self {
            return Some(if *held { Notice::HoldSet(*recording) } else { Notice::HoldLifted(*recording) });
        }
        let action = self.orders()?;
        ["pause", "stop", "end-call"].contains(&action).then(|| Notice::Ordered(action.to_owned()))
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
