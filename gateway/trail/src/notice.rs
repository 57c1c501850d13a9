//! What of an entry the account's own systems are told at once, if they ask for it.

use policy::{Control, Use, What};
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
    /// The platform has to do this. It is said again by every entry until the platform has done it.
    Ordered(Orders),
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
            Notice::Ordered(orders) if orders.recording().is_some() => "recording.suspended",
            Notice::Ordered(_) => "use.suspended",
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
        if let Some(orders) = self.orders()
            && !orders.is_empty()
        {
            return Some(Notice::Ordered(orders));
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
    pub fn orders(&self) -> Option<Orders> {
        if let Body::Opened { saw, .. } | Body::Event { saw, .. } | Body::ControlRefused { saw, .. } = self {
            let recording = [(Use::Record, saw.action.as_str())].into_iter();
            let all = recording.chain(saw.uses.iter().map(|one| (one.of, one.action.as_str())));
            let due = all.filter(|(_, action)| ["pause", "stop", "end-call"].contains(action));
            return Some(Orders(due.map(|(of, action)| (of, action.to_owned())).collect()));
        }
        None
    }
}

/// What the platform has to do at once, by use: `pause`, `stop` or `end-call`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Orders(Vec<(Use, String)>);

impl Orders {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether anything has to be done that did not have to be done before.
    #[must_use]
    pub fn adds_to(&self, before: &Orders) -> bool {
        self.0.iter().any(|one| !before.0.contains(one))
    }

    /// What it has to do about recording.
    #[must_use]
    pub fn recording(&self) -> Option<&str> {
        self.uses().find(|(of, _)| *of == Use::Record).map(|(_, action)| action)
    }

    /// What it has to do, use by use.
    pub fn uses(&self) -> impl Iterator<Item = (Use, &str)> {
        self.0.iter().map(|(of, action)| (*of, action.as_str()))
    }

    /// As it is kept in a queue: the action for recording, and `USE:ACTION` for every other use.
    #[must_use]
    pub fn written(&self) -> String {
        let one = |(of, action): (Use, &str)| match of {
            Use::Record => action.to_owned(),
            Use::Transcribe | Use::Stream | Use::Analyse => format!("{}:{action}", of.as_str()),
        };
        self.uses().map(one).collect::<Vec<String>>().join(" ")
    }

    /// Reads what [`Orders::written`] wrote.
    #[must_use]
    pub fn read(text: &str) -> Orders {
        let all = text.split(' ').filter_map(|one| {
            let (word, action) = one.split_once(':').unwrap_or((Use::Record.as_str(), one));
            let of = Use::ALL.into_iter().find(|of| of.as_str() == word)?;
            Some((of, action.to_owned()))
        });
        Orders(all.collect())
    }
}
