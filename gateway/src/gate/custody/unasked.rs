//! Recordings that a platform sends though its own settings do not ask for them.
//!
//! Nothing here is of the law: it is asked last, of what may be kept, by the settings that the account keeps when the file
//! arrives. The file does not say why it was made ([`policy::scope::upload`]).

use jiff::Timestamp;
use policy::scope::upload::{Unasked, unasked};
use policy::scope::{Endpoint, Network};
use serde_json::json;

use crate::access::Principal;
use crate::gate::ask::{Direction, RecordingSettings};
use crate::gate::{Fault, Gate, Loaded, RecordingRefusal};
use crate::ledger::{Appended, Job};
use trail::{Body, Came, Door, OnUnasked};

/// What becomes of a recording.
pub(in crate::gate) enum Asked {
    /// It is kept, and this is noted of it.
    Kept(Option<Unasked>),
    /// Others wrote to the call in the meantime, so that their entries have to be considered.
    Conflict,
}

impl Gate {
    /// Whether the account's recording settings ask for a recording of so many milliseconds. A refusal is logged.
    ///
    /// # Errors
    ///
    /// [`Fault`]: they do not, and the account wants none that they do not ask for.
    pub(in crate::gate) async fn ask_settings(
        &self,
        (who, came): (&Principal, Came),
        loaded: &Loaded,
        name: Option<&str>,
        duration_ms: u64,
        now: Timestamp,
    ) -> Result<Asked, Fault> {
        if came.door != Door::Kazoo {
            return Ok(Asked::Kept(None));
        }
        let Some((settings, _)) = self.kept_settings(&who.account).await? else {
            return Ok(Asked::Kept(None));
        };
        if settings.unasked.is_off() {
            return Ok(Asked::Kept(None));
        }
        let Some(why) = why(&settings, loaded.context.direction, duration_ms) else {
            return Ok(Asked::Kept(None));
        };
        // What the law wants recorded is kept, whatever the platform was set to.
        if settings.unasked == OnUnasked::Flag || loaded.call.requirement(now).mandatory {
            return Ok(Asked::Kept(Some(why)));
        }
        let body = Body::Unasked { came, why, saw: loaded.saw() };
        let draft = loaded.draft(who, now, body, Some(json!({"name": name})))?;
        let job = Job { expects: loaded.expects(), entries: vec![draft], ..Job::default() };
        match self.append(job).await? {
            Appended::Conflict => Ok(Asked::Conflict),
            Appended::Done => Err(RecordingRefusal::Unasked(why).into()),
        }
    }
}

/// Why these settings do not ask for a recording. Whoever is logged in at somebody else's device has what their user's
/// documents say, and those of the device with its owner.
fn why(settings: &RecordingSettings, direction: Option<Direction>, duration_ms: u64) -> Option<Unasked> {
    let users = settings.users.values().map(|user| Endpoint { user: user.clone(), ..Endpoint::default() });
    let devices = settings.devices.values().map(|device| {
        let owner = device.owner_id.as_ref().and_then(|id| settings.users.get(id));
        Endpoint { user: owner.cloned().unwrap_or_default(), device: device.clone() }
    });
    let endpoints: Vec<Endpoint> = users.chain(devices).collect();
    let account = settings.account.clone().unwrap_or_default();
    unasked(settings.line, &account, &endpoints, calls(direction), duration_ms)
}

/// Between which networks a call can be. Who is called is in the account if it is inbound, and whoever calls is if it is
/// outbound; the other side may be as well.
fn calls(direction: Option<Direction>) -> &'static [(Network, Network)] {
    use Network::{Offnet, Onnet};
    match direction {
        // A call that is forwarded or referred may leave again.
        Some(Direction::Inbound) => &[(Offnet, Onnet), (Onnet, Onnet), (Offnet, Offnet)],
        Some(Direction::Outbound) => &[(Onnet, Offnet), (Onnet, Onnet)],
        Some(Direction::Internal) => &[(Onnet, Onnet)],
        None => &[(Onnet, Onnet), (Onnet, Offnet), (Offnet, Onnet), (Offnet, Offnet)],
    }
}
