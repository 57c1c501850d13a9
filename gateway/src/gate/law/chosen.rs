//! What an account chooses: the overlays for its calls, whether it answers emergencies, and whether somebody
//! on hold counts.

use policy::{HeldCounts, Table};
use serde_json::json;

use crate::gate::answer::ChosenLaw;
use crate::gate::{ATTEMPTS, Fault, Gate, LawRefusal, RegisterRefusal, Wrong};
use crate::ledger::{Appended, Change, Expect};
use trail::{Actor, Body, SYSTEM_LOG};

impl Gate {
    /// Chooses, for every call of an account that is opened from now on, the overlays, whether the account is a
    /// public-safety answering point, to which special rules for emergency calls apply, and whether somebody on
    /// hold counts as on the call, where no rule says it.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the table has no such overlay, or the reason is missing.
    pub async fn choose_law(
        &self,
        actor: &Actor,
        account: &str,
        (overlays, public_safety, on_hold): (&[String], bool, HeldCounts),
        reason: &str,
    ) -> Result<ChosenLaw, Fault> {
        if account == SYSTEM_LOG {
            return Err(RegisterRefusal::SystemHasNoCalls.into());
        }
        check_overlays(&self.laws.in_force(), overlays)?;
        if reason.trim().is_empty() || reason.len() > 4096 {
            return Err(Wrong::NoReason.into());
        }
        for _ in 0..ATTEMPTS {
            let row = self
                .ledger
                .account(account)
                .await?
                .ok_or_else(|| RegisterRefusal::UnknownAccount { id: account.into() })?;
            let (mut settings, ..) = self.settings(account).await?;
            settings.overlays = overlays.to_vec();
            settings.overlays.sort();
            settings.overlays.dedup();
            settings.public_safety = public_safety;
            settings.on_hold = on_hold;
            let document =
                serde_json::to_string(&settings).map_err(|_| Fault::damaged("settings cannot be written"))?;
            let body = Body::AccountLaw { overlays: settings.overlays.clone(), public_safety, on_hold };
            let expects = vec![Expect::AccountSettings { id: account.into(), settings: row.settings }];
            let changes = vec![Change::AccountSettings { id: account.into(), settings: document }];
            let detail = Some(json!({"reason": reason}));
            if self.note(actor, account, body, detail, changes, expects).await? == Appended::Done {
                return self.chosen_law(account).await;
            }
        }
        Err(Fault::contended())
    }

    /// The overlays for every call of an account.
    ///
    /// # Errors
    ///
    /// If the ledger fails.
    pub async fn chosen_law(&self, account: &str) -> Result<ChosenLaw, Fault> {
        let (settings, recorder, operator) = self.settings(account).await?;
        Ok(ChosenLaw {
            account: account.into(),
            overlays: settings.overlays,
            public_safety: settings.public_safety,
            on_hold: settings.on_hold,
            recorder_location: recorder,
            operator_location: operator,
        })
    }
}

/// Refuses an overlay that the table does not have.
pub(crate) fn check_overlays(table: &Table, overlays: &[String]) -> Result<(), LawRefusal> {
    match overlays.iter().find(|id| table.overlay_history(id).is_empty()) {
        None => Ok(()),
        Some(id) => {
            let mut known: Vec<String> = table.overlays().map(|overlay| overlay.id.to_string()).collect();
            known.dedup();
            Err(LawRefusal::UnknownOverlay { id: id.clone(), known })
        }
    }
}
