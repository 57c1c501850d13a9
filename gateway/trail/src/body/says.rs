//! What an entry says, whatever its kind: who it is about, which recording, what was said, why it refuses,
//! and what finds it.
//!
//! These are projections: an entry that does not say something returns nothing. What is decided, and who may
//! write what, is matched kind by kind elsewhere.

use policy::{Code, Joined, Method, Place, What};
use uuid::Uuid;

use super::super::{Actor, Saw};
use super::Body;

/// What somebody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Yes, in this way.
    Yes(Method),
    /// No.
    No,
    /// That they no longer agree.
    Withdrawn,
}

impl Said {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Said::Yes(_) => "yes",
            Said::No => "no",
            Said::Withdrawn => "withdrawn",
        }
    }
}

impl Body {
    /// What the policy saw, if something was decided on a call. Exactly such entries belong to a call.
    #[must_use]
    pub fn saw(&self) -> Option<&Saw> {
        if let Body::Opened { saw, .. }
        | Body::Event { saw, .. }
        | Body::ControlRefused { saw, .. }
        | Body::Accepted { saw, .. }
        | Body::ReleaseRefused { saw, .. }
        | Body::Unasked { saw, .. }
        | Body::Suspension { saw, .. }
        | Body::Refused { saw, .. } = self
        {
            return Some(saw);
        }
        None
    }

    /// What happened on a call.
    #[must_use]
    pub fn what(&self) -> Option<&What> {
        if let Body::Event { facts, .. } = self { Some(&facts.what) } else { None }
    }

    /// The participants it is about, by their numbers; empty if it is about the call.
    #[must_use]
    pub fn about(&self) -> &[u32] {
        self.what().map(What::participants).unwrap_or_default()
    }

    /// Those who join the call.
    #[must_use]
    pub fn joined(&self) -> &[Joined] {
        match (self, self.what()) {
            (Body::Opened { facts, .. }, _) => &facts.participants,
            (_, Some(What::Joined(joined))) => std::slice::from_ref(joined),
            _ => &[],
        }
    }

    /// What those it is about answered.
    #[must_use]
    pub fn said(&self) -> Option<Said> {
        let what = self.what()?;
        if let What::ConsentGiven { method, .. } = what {
            return Some(Said::Yes(*method));
        }
        if let What::ConsentDeclined { .. } = what {
            return Some(Said::No);
        }
        if let What::ConsentWithdrawn { .. } = what { Some(Said::Withdrawn) } else { None }
    }

    /// Who noticed, if that was said.
    #[must_use]
    pub fn reported_by(&self) -> Option<&str> {
        if let Body::Event { reported_by, .. } = self { reported_by.as_deref() } else { None }
    }

    /// The code of a refusal.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        if let Body::ControlRefused { code, .. } = self {
            return Some(code.code());
        }
        if let Body::Refused { code, .. } | Body::ReleaseRefused { code, .. } = self {
            return Some(code.code());
        }
        if let Body::FetchRefused { code, .. } = self { Some(code) } else { None }
    }

    /// The recording that it accepts.
    #[must_use]
    pub fn accepts(&self) -> Option<Uuid> {
        if let Body::Accepted { recording, .. } = self { Some(*recording) } else { None }
    }

    /// The accepted recording whose later fate it reports.
    #[must_use]
    pub fn became_of(&self) -> Option<Uuid> {
        if let Body::Fetched { recording, .. }
        | Body::FetchRefused { recording, .. }
        | Body::Held { recording, .. }
        | Body::Deleted { recording } = self
        {
            return Some(*recording);
        }
        None
    }

    /// The recording that it is about.
    #[must_use]
    pub fn recording(&self) -> Option<Uuid> {
        let exported = if let Body::Exported { recording, .. } = self { *recording } else { None };
        self.accepts().or(self.became_of()).or(self.quarantined()).or(exported)
    }

    /// What is or was in quarantine, by the id of the recording that it may become.
    #[must_use]
    pub fn quarantined(&self) -> Option<Uuid> {
        if let Body::Quarantined { recording, .. }
        | Body::ReleaseRefused { recording, .. }
        | Body::Destroyed { recording, .. } = self
        {
            return Some(*recording);
        }
        None
    }

    /// The version of a prompt, or the consent grant, that it registers.
    #[must_use]
    pub fn registers(&self) -> Option<Uuid> {
        if let Body::Prompt { version: registered, .. } | Body::Grant { grant: registered, .. } = self {
            return Some(*registered);
        }
        None
    }

    /// The version of a prompt that was played, or is registered.
    #[must_use]
    pub fn prompt(&self) -> Option<String> {
        if let Body::Prompt { version, .. } = self {
            return Some(version.to_string());
        }
        if let Some(What::PromptStarted { prompt, .. } | What::PromptCompleted { prompt, .. }) = self.what() {
            return Some(prompt.version.clone());
        }
        None
    }

    /// The consent grants that somebody relies on, or that it registers or withdraws.
    pub fn grants(&self) -> impl Iterator<Item = String> {
        let own = if let Body::Grant { grant, .. } | Body::GrantWithdrawn { grant } = self {
            Some(grant.to_string())
        } else {
            None
        };
        let relied_on = self.joined().iter().filter_map(|joined| joined.grant.as_ref());
        relied_on.map(|grant| grant.grant.clone()).chain(own)
    }

    /// The account's readings that a call is opened with, or that it states, approves or ends; by their ids.
    pub fn readings(&self) -> impl Iterator<Item = &str> {
        let counting = if let Body::Opened { facts, .. } = self { facts.readings.as_slice() } else { &[] };
        let own = if let Body::ReadingProposed { reading } | Body::ReadingInForce { reading } = self {
            Some(reading.id.as_str())
        } else if let Body::ReadingApproved { reading }
        | Body::ReadingEndProposed { reading }
        | Body::ReadingEnded { reading } = self
        {
            Some(reading.as_str())
        } else {
            None
        };
        counting.iter().map(|reading| reading.id.as_str()).chain(own)
    }

    /// The pseudonyms of numbers that it makes known, by participant.
    #[must_use]
    pub fn subjects(&self) -> &[(u32, String)] {
        if let Body::Opened { subjects, .. } | Body::Event { subjects, .. } = self { subjects } else { &[] }
    }

    /// Every pseudonym that it names.
    pub fn pseudonyms(&self) -> impl Iterator<Item = &str> {
        let asked = if let Body::Lookup { subject, .. } = self { subject.as_deref() } else { None };
        self.subjects().iter().map(|(_, pseudonym)| pseudonym.as_str()).chain(asked)
    }

    /// What auditors use to find the entry, or its call: `subject:…`, `place:…`, `rule:…`, `prompt:…`,
    /// `grant:…`, `reading:…`, `recording:…`, `listener:…`. Codes and ids that the gateway minted, nothing else.
    #[must_use]
    pub fn mentions(&self, actor: &Actor) -> Vec<String> {
        let mut keys: Vec<String> = self.pseudonyms().map(crate::subject::mention).collect();
        self.joined().iter().for_each(|joined| of_places(&joined.places, &mut keys));
        if let Some(What::Located { places, .. }) = self.what() {
            of_places(places, &mut keys);
        }
        if let Body::Opened { facts, .. } = self {
            let places = facts.recorder_locations.iter().chain(&facts.operator_locations);
            places.for_each(|code| of_code(*code, "rule", &mut keys));
            keys.extend(facts.overlays.iter().map(|overlay| format!("rule:{overlay}")));
        }
        if let Body::Fetched { .. } | Body::FetchRefused { .. } = self {
            keys.push(format!("listener:{}", actor.credential));
        }
        keys.extend(self.recording().map(|recording| format!("recording:{recording}")));
        keys.extend(self.prompt().map(|version| format!("prompt:{version}")));
        keys.extend(self.grants().map(|grant| format!("grant:{grant}")));
        keys.extend(self.readings().map(|reading| format!("reading:{reading}")));
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

fn of_places(places: &[Place], keys: &mut Vec<String>) {
    for place in places {
        of_code(place.code, "place", keys);
        of_code(place.code, "rule", keys);
    }
}

/// A place and the country that it is in.
fn of_code(code: Code, sort: &str, keys: &mut Vec<String>) {
    keys.push(format!("{sort}:{code}"));
    if !code.is_country() {
        keys.push(format!("{sort}:{}", code.country()));
    }
}
