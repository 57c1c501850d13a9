//! What makes things stricter counts, whatever is wrong with the request that says so.
//!
//! Of a request that is refused, what it says that restricts is logged all the same, each person and
//! each place by itself, so that nothing wrong with one keeps another from counting. What came while
//! the trail could not be written is logged as soon as it can be.

use policy::Kind;

use super::ask::{EventType, OTHERS, Observed, Participant, Places, ReportedBy, check_name};
use super::barred::{Missing, Pending, Unlogged};
use super::observe::objects;
use super::open::MAX_PLACES;
use super::{Fault, FaultKind, Gate, Loaded, locate};
use crate::access::Principal;

impl Gate {
    /// Logs what these claims say that restricts. Where the trail cannot be written, the call is barred.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the trail could not be written.
    pub(super) async fn claim_all(
        &self,
        who: &Principal,
        name: &str,
        claims: Vec<Observed>,
        pending: &Pending<'_>,
    ) -> Result<(), Fault> {
        let mut outcome = Ok(());
        let mut heard: Vec<Observed> = Vec::new();
        for claim in claims {
            // However often it is said at once.
            if heard.contains(&claim) {
                continue;
            }
            match self.claim(who, name, &claim).await {
                Ok(()) => pending.lift(&who.account, name, &claim),
                Err(fault) => {
                    pending.bar(who, name, Unlogged::Event(claim.clone()));
                    outcome = Err(fault);
                }
            }
            heard.push(claim);
        }
        outcome
    }

    /// Logs what this claim says that restricts.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the trail could not be written.
    async fn claim(&self, who: &Principal, name: &str, claim: &Observed) -> Result<(), Fault> {
        let Some(row) = self.ledger.call_by_name(&who.account, name).await? else { return Ok(()) };
        let earlier = self.earlier_call(&row, claim).await?;
        let goes_on = earlier.is_none();
        let mut loaded = self.load_row(earlier.unwrap_or(row)).await?;
        if objects(claim) && goes_on && self.strangers_join(who, name, claim, &loaded).await? {
            loaded = self.load(&who.account, name).await?;
        }
        for event in self.parts(claim, &loaded) {
            logged(self.observe_on(who, loaded.row.clone(), &[event]).await)?;
        }
        Ok(())
    }

    /// Somebody objects who was never announced: they are on the call, as somebody of whom nothing is
    /// known. Whether anybody was.
    async fn strangers_join(
        &self,
        who: &Principal,
        name: &str,
        claim: &Observed,
        loaded: &Loaded,
    ) -> Result<bool, Fault> {
        let mut any = false;
        for id in claim.whom().filter(|id| is_usable(id) && loaded.row_of(id).is_none()) {
            let stranger = Participant { joined_at: claim.at, ..Participant::stranger(id.to_owned()) };
            logged(self.join_until_seen(who, name, &stranger).await)?;
            any = true;
        }
        Ok(any)
    }

    /// The claim in events that can be logged, of what is known on this call and can be read.
    fn parts(&self, claim: &Observed, loaded: &Loaded) -> Vec<Observed> {
        let bare = Observed { at: claim.at, reported_by: claim.reported_by, ..Observed::of(claim.kind) };
        let mut whom: Vec<String> = claim.whom().map(ToOwned::to_owned).collect();
        whom.sort();
        whom.dedup();
        let known = |id: &String| loaded.number_of(id).is_some();
        if objects(claim) {
            let nobody = whom.is_empty() || whom.iter().any(|id| !is_usable(id));
            let mut reason = None;
            if nobody {
                // Somebody said no, and it cannot be told who: each of them can agree again.
                reason = Some(OF_NOBODY.to_owned());
                whom = loaded.present().collect();
            }
            whom.retain(known);
            let event = Observed { participants: whom, reason, ..bare };
            return if event.participants.is_empty() { Vec::new() } else { vec![event] };
        }
        whom.retain(known);
        let of = |id: &String| Observed { participant: Some(id.clone()), ..bare.clone() };
        if claim.kind == EventType::ParticipantLocated {
            let places = self.readable(claim, loaded.call.kind());
            let moved = |id| {
                places.iter().map(move |(location, number, ip)| {
                    let (location, number, ip) = (location.clone(), number.clone(), ip.clone());
                    Observed { location, number, ip, since: claim.since, ..of(id) }
                })
            };
            return whom.iter().flat_map(moved).collect();
        }
        if claim.kind == EventType::ParticipantAnswered {
            return whom.iter().map(|id| Observed { by: claim.by, ..of(id) }).collect();
        }
        vec![bare]
    }

    /// The places that can be read of what is claimed, as many at a time as may be said at once: the
    /// first with the number and the address, where these can be read.
    fn readable(
        &self,
        claim: &Observed,
        kind: Kind,
    ) -> Vec<(Option<Places>, Option<String>, Option<String>)> {
        let reads = |number: Option<&str>, ip: Option<&str>| locate(&self.locator, None, number, ip).is_ok();
        let mut places: Vec<String> = Vec::new();
        for text in claim.location.as_ref().map(Places::as_slice).unwrap_or_default() {
            // Whoever has more places than are kept apart may be anywhere.
            if places.len() <= policy::MAX_KNOWN_PLACES
                && let Ok(sighting) = crate::locate::declared(text)
                && !places.contains(&sighting.code)
            {
                places.push(sighting.code);
            }
        }
        let number =
            super::number_on(kind, claim.number.as_deref()).filter(|number| reads(Some(number), None));
        let ip = claim.ip.as_deref().filter(|ip| reads(None, Some(ip)));
        let mut chunks = places.chunks(MAX_PLACES).map(|some| Some(Places::Many(some.to_vec())));
        let first = chunks.next().flatten();
        if first.is_none() && number.is_none() && ip.is_none() {
            return Vec::new();
        }
        let first = (first, number.map(ToOwned::to_owned), ip.map(ToOwned::to_owned));
        std::iter::once(first).chain(chunks.map(|some| (some, None, None))).collect()
    }

    /// Where somebody is who was described in a way that cannot be used: as far as it can be read, it counts
    /// beside what was known of them.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the trail could not be written.
    pub(super) async fn claim_places(
        &self,
        who: &Principal,
        name: &str,
        asked: &Participant,
    ) -> Result<(), Fault> {
        let located = Observed {
            participant: Some(asked.id.clone()),
            location: asked.location.clone(),
            number: asked.number.clone(),
            ip: asked.ip.clone(),
            ..Observed::of(EventType::ParticipantLocated)
        };
        self.claim(who, name, &located).await
    }

    /// Logs what had come and could not be logged, as soon as it can be. Asked for several times a second.
    pub async fn log_what_is_missing(&self) {
        for missing in self.barred.missing() {
            let _turn = self.turns.take(&missing.who.account, &missing.name).await;
            self.log_missing(&missing).await;
        }
    }

    /// The same of one call, by who has its turn.
    pub(super) async fn log_missing_of(&self, who: &Principal, name: &str) {
        let of_this = |missing: &Missing| missing.who.account == who.account && missing.name == name;
        for missing in self.barred.missing().into_iter().filter(of_this) {
            Box::pin(self.log_missing(&missing)).await;
        }
    }

    async fn log_missing(&self, missing: &Missing) {
        // Somebody may have said it again meanwhile.
        if !self.barred.is_missing(missing) {
            return;
        }
        let (who, name) = (&missing.who, missing.name.as_str());
        let at = Some(missing.counts_from());
        let outcome = match &missing.what {
            Unlogged::Event(event) => {
                // A retry of the sender's own is an event of its own.
                let reported_by = Some(ReportedBy::Gateway);
                let event = Observed { at, id: None, reported_by, ..event.clone() };
                match logged(self.observe_until_seen(who, name, std::slice::from_ref(&event)).await) {
                    Ok(true) => Ok(true),
                    Ok(false) => match event.claim() {
                        Some(claim) => self.claim(who, name, &claim).await.map(|()| false),
                        None => Ok(false),
                    },
                    Err(fault) => Err(fault),
                }
            }
            Unlogged::Join(asked) => {
                let asked = Participant { joined_at: at, ..asked.clone() };
                logged(self.join_somehow(who, name, &asked).await)
            }
        };
        match outcome {
            Ok(whole) => {
                if !whole {
                    tracing::warn!("of an event that could not be logged, what restricts is logged now");
                }
                self.barred.done(missing);
            }
            // It is tried again with the next tick, and holds up no other call.
            Err(fault) => tracing::debug!(code = fault.code, "an event cannot be logged yet"),
        }
    }
}

/// Whether it could be logged; false where it says nothing that can be, of a call or a participant that
/// there is.
fn logged<T>(outcome: Result<T, Fault>) -> Result<bool, Fault> {
    match outcome {
        Ok(_) => Ok(true),
        Err(fault) if fault.kind == FaultKind::Unavailable => Err(fault),
        Err(fault) => {
            tracing::info!(code = fault.code, "a restrictive event held something that cannot be logged");
            Ok(false)
        }
    }
}

/// Whether somebody can be called this.
fn is_usable(id: &str) -> bool {
    check_name("a participant's id", id).is_ok() && id != OTHERS
}

/// Why an objection stands for everybody who was there.
const OF_NOBODY: &str = "the objection named nobody of the call, so it counts for everybody on it";
