//! Which calls a Kazoo platform records by itself, by the documents of a request or those that an account keeps.
//!
//! INVARIANT: of a document only its recording settings are kept, and no secret of a `url`: see [`policy::scope`].

use policy::scope::document::{DeviceDocument, UserDocument};
use policy::scope::{Call, Endpoint, decide};
use serde_json::json;

use crate::gate::answer::{self, RecordingRuling};
use crate::gate::ask::{self, MAX_SETTINGS, Named, check_name};
use crate::gate::{Fault, Field, Gate, RegisterRefusal, Thing, Wrong, from_row};
use crate::ledger::{Appended, Change};
use trail::{Actor, Body, SYSTEM_LOG};

impl Gate {
    /// Keeps an account's recording settings, in the place of those that it kept before.
    ///
    /// # Errors
    ///
    /// [`Fault`]: an id makes no sense, or there is too much of them.
    pub async fn put_recording_settings(
        &self,
        actor: &Actor,
        account: &str,
        settings: &ask::RecordingSettings,
    ) -> Result<answer::RecordingSettings, Fault> {
        if account == SYSTEM_LOG {
            return Err(RegisterRefusal::SystemHasNoCalls.into());
        }
        settings.users.keys().try_for_each(|id| check_name(Field::UserId, id))?;
        settings.devices.keys().try_for_each(|id| check_name(Field::DeviceId, id))?;
        let owners = settings.devices.values().filter_map(|device| device.owner_id.as_deref());
        owners.into_iter().try_for_each(|id| check_name(Field::UserId, id))?;
        let document = serde_json::to_string(settings)
            .map_err(|_| Fault::damaged("recording settings cannot be written"))?;
        if document.len() > MAX_SETTINGS {
            return Err(Wrong::ManySettings { bytes: document.len() }.into());
        }
        let kept = self.ledger.recording_settings(account).await?;
        if let Some(row) = kept.filter(|row| row.document == document) {
            return Ok(shown(settings, row.set_at));
        }
        let at = self.clock.now().as_millisecond();
        let change =
            Change::RecordingSettings { account: account.into(), document, salt: trail::salt()?, at };
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let body = Body::AccountRecordingSettings {
            line: settings.line,
            users: count(settings.users.len()),
            devices: count(settings.devices.len()),
            unasked: settings.unasked,
        };
        let detail = json!({"recording_settings": settings});
        match self.note(actor, account, body, Some(detail), vec![change], Vec::new()).await? {
            Appended::Done => Ok(shown(settings, at)),
            Appended::Conflict => Err(Fault::contended()),
        }
    }

    /// An account's recording settings.
    ///
    /// # Errors
    ///
    /// [`Fault`]: it keeps none.
    pub async fn recording_settings(&self, account: &str) -> Result<answer::RecordingSettings, Fault> {
        let (settings, set_at) = self.kept_settings(account).await?.ok_or(Thing::RecordingSettings)?;
        Ok(shown(&settings, set_at))
    }

    /// What a platform records of a call.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the request names a document that the account does not keep, or no line.
    pub async fn recording_scope(
        &self,
        account: &str,
        asked: &ask::RecordingScope,
    ) -> Result<answer::RecordingScope, Fault> {
        let kept = self.kept_settings(account).await?;
        Ok(scope(asked, kept.as_ref().map(|(settings, _)| settings))?)
    }

    pub(in crate::gate) async fn kept_settings(
        &self,
        account: &str,
    ) -> Result<Option<(ask::RecordingSettings, i64)>, Fault> {
        let Some(row) = self.ledger.recording_settings(account).await? else { return Ok(None) };
        let settings = serde_json::from_str(&row.document)
            .map_err(|_| Fault::damaged("recording settings cannot be read"))?;
        Ok(Some((settings, row.set_at)))
    }
}

fn shown(settings: &ask::RecordingSettings, set_at: i64) -> answer::RecordingSettings {
    let ask::RecordingSettings { line, account, users, devices, unasked } = settings.clone();
    answer::RecordingSettings {
        line,
        account: account.unwrap_or_default(),
        users,
        devices,
        unasked,
        set_at: from_row(set_at).into(),
    }
}

/// What a platform records of a call. What the request leaves out comes from the documents that are kept.
///
/// # Errors
///
/// [`Wrong`]: it names a document that is not kept, or no line.
pub fn scope(
    asked: &ask::RecordingScope,
    kept: Option<&ask::RecordingSettings>,
) -> Result<answer::RecordingScope, Wrong> {
    let line = asked.line.or(kept.map(|kept| kept.line)).ok_or(Wrong::NoLine)?;
    let account = asked.account.as_ref().or(kept.and_then(|kept| kept.account.as_ref()));
    let source = endpoint(asked.user.as_ref(), asked.device.as_ref(), kept)?;
    let destination = match &asked.destination {
        Some(called) => endpoint(called.user.as_ref(), called.device.as_ref(), kept)?,
        None => source.clone(),
    };
    let account = account.cloned().unwrap_or_default();
    let scope = decide(&Call { line, account, source, destination, from: asked.from, to: asked.to });
    Ok(answer::RecordingScope {
        record_call: asked.record_call.as_ref().map(|data| RecordingRuling::from(data.ruling())),
        record_caller: asked.record_caller.as_ref().map(|data| RecordingRuling::from(data.ruling())),
        metaflow: asked.metaflow.as_ref().map(|data| RecordingRuling::from(data.ruling())),
        ..answer::RecordingScope::from(scope)
    })
}

fn endpoint(
    user: Option<&Named<UserDocument>>,
    device: Option<&Named<DeviceDocument>>,
    kept: Option<&ask::RecordingSettings>,
) -> Result<Endpoint, Wrong> {
    let unknown = |field, id: &String| Wrong::NotKept { field, id: id.clone() };
    let kept_user = |id: &String| kept.and_then(|kept| kept.users.get(id));
    let device = match device {
        None => DeviceDocument::default(),
        Some(Named::Document(device)) => device.clone(),
        Some(Named::Id(id)) => {
            let device = kept.and_then(|kept| kept.devices.get(id));
            device.ok_or_else(|| unknown(Field::DeviceId, id))?.clone()
        }
    };
    let user = match user {
        Some(Named::Document(user)) => user.clone(),
        Some(Named::Id(id)) => kept_user(id).ok_or_else(|| unknown(Field::UserId, id))?.clone(),
        // An owner who does not exist is none to Kazoo either.
        None => device.owner_id.as_ref().and_then(kept_user).cloned().unwrap_or_default(),
    };
    Ok(Endpoint { user, device })
}
