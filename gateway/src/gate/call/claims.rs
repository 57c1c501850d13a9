//! Whatever makes things stricter counts, no matter what else is wrong with the request.
//!
//! If a request is refused, the restrictive parts of it are logged all the same, separately for each person
//! and each place, so that a mistake in one does not keep another from counting. What arrived while the trail
//! could not be written is logged as soon as possible.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use policy::{Alike, Event, Kind, What};
use sha2::{Digest as _, Sha256};

use crate::access::Principal;
use crate::gate::ask::{EventType, OTHERS, Observed, Participant, Places, ReportedBy, check_name};
use crate::gate::call::barred::{Missing, Pending, Unlogged};
use crate::gate::call::facts::{MAX_PLACES, locate, number_on};
use crate::gate::call::observe::objects;
use crate::gate::{Fault, Field, Gate, Loaded};
use crate::ledger::CallRow;
use trail::clock::whole_millis;
use trail::hex;

impl Gate {
    /// Logs the restrictive parts of these claims. If the trail cannot be written, the call is barred.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the trail could not be written.
    pub(in crate::gate) async fn claim_all(
        &self,
        who: &Principal,
        name: &str,
        claims: Vec<Observed>,
        pending: &Pending<'_>,
    ) -> Result<(), Fault> {
        let claims = told_once(claims, self.clock.now());
        let outcome = self.claim(who, name, &claims).await;
        for claim in claims {
            match &outcome {
                Ok(()) => pending.lift(&who.account, name, &claim),
                Err(_) => pending.bar(who, name, Unlogged::Event(claim)),
            }
        }
        outcome
    }

    /// Logs the restrictive parts of these claims: first for known participants, then for those who have to
    /// be added first.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the trail could not be written.
    async fn claim(&self, who: &Principal, name: &str, claims: &[Observed]) -> Result<(), Fault> {
        let Some(row) = self.call_row(&who.account, name).await? else { return Ok(()) };
        let mut of_this = Vec::new();
        for claim in claims {
            let (earlier, rest) = self.divided(&row, claim).await?;
            if let Some((then, claim)) = earlier {
                let loaded = self.load_row(then).await?;
                self.log_parts(who, &loaded, &[claim]).await?;
            }
            of_this.extend(rest);
        }
        let mut loaded = self.load_row(row).await?;
        self.log_parts(who, &loaded, &of_this).await?;
        let strangers = strangers(&of_this, &loaded);
        if strangers.is_empty() {
            return Ok(());
        }
        for stranger in &strangers {
            logged(self.join_until_seen(who, name, stranger).await)?;
        }
        loaded = self.load(&who.account, name).await?;
        let ids: BTreeSet<&str> = strangers.iter().map(|stranger| stranger.id.as_str()).collect();
        let theirs = of_this.iter().filter(|claim| holds_for_all(claim)).map(|claim| Observed {
            participant: None,
            participants: claim.whom().filter(|id| ids.contains(id)).map(ToOwned::to_owned).collect(),
            ..claim.clone()
        });
        let theirs: Vec<Observed> = theirs.filter(|claim| !claim.participants.is_empty()).collect();
        self.log_parts(who, &loaded, &theirs).await
    }

    /// Splits off what concerns people who objected on an earlier call of this id: it counts for that call.
    /// The rest, if any, counts for this one.
    pub(in crate::gate) async fn divided(
        &self,
        row: &CallRow,
        event: &Observed,
    ) -> Result<(Option<(CallRow, Observed)>, Option<Observed>), Fault> {
        let whole = Ok((None, Some(event.clone())));
        let at = event.at.map(Timestamp::as_millisecond);
        let Some(at) = at.filter(|at| objects(event) && *at < row.opened_at) else { return whole };
        let then = self.ledger.call_at(&row.account, &row.id, at).await?;
        // Between two calls, nobody is on either.
        let goes_on = |then: &CallRow| then.uid != row.uid && then.ended_at.is_none_or(|ended| at <= ended);
        let Some(then) = then.filter(goes_on) else { return whole };
        let names = self.ledger.names_on(std::slice::from_ref(&then.uid)).await?;
        let was_there = |id: &str| names.iter().any(|(_, _, name)| name == id);
        let (there, here): (Vec<&str>, Vec<&str>) = event.whom().partition(|id| was_there(id));
        if there.is_empty() && !here.is_empty() {
            return whole;
        }
        let of = |ids: Vec<&str>| Observed {
            participant: None,
            participants: ids.into_iter().map(ToOwned::to_owned).collect(),
            ..event.clone()
        };
        match here.is_empty() {
            true => Ok((Some((then, event.clone())), None)),
            false => Ok((Some((then, of(there))), Some(of(here)))),
        }
    }

    /// Logs all parts at once; if some of them cannot be logged, the others.
    async fn log_parts(&self, who: &Principal, loaded: &Loaded, claims: &[Observed]) -> Result<(), Fault> {
        let parts: Vec<Observed> = claims.iter().flat_map(|claim| self.parts(claim, loaded)).collect();
        if parts.is_empty() || logged(self.observe_on(who, loaded.row.clone(), &parts).await)? {
            return Ok(());
        }
        for part in parts {
            logged(self.observe_on(who, loaded.row.clone(), &[part]).await)?;
        }
        Ok(())
    }

    /// Splits the claim into events that can be logged: about known participants, with the values that can be
    /// read.
    fn parts(&self, claim: &Observed, loaded: &Loaded) -> Vec<Observed> {
        let bare = Observed {
            at: claim.at,
            reported_by: claim.reported_by,
            only_tightens: claim.only_tightens,
            ..Observed::of(claim.kind)
        };
        let mut whom: BTreeSet<String> = claim.whom().map(ToOwned::to_owned).collect();
        if holds_for_all(claim) {
            let mut reason = None;
            if whom.is_empty() || whom.iter().any(|id| !is_usable(id)) {
                // It holds for somebody, but it is unclear for whom.
                reason = Some(if objects(claim) { OF_NOBODY } else { OF_SOMEBODY }.to_owned());
                whom.extend(loaded.present());
            }
            let participants: Vec<String> =
                whom.into_iter().filter(|id| loaded.number_of(id).is_some()).collect();
            return match participants.is_empty() {
                true => Vec::new(),
                false => vec![Observed { participants, reason, ..bare }],
            };
        }
        let known = whom.iter().filter_map(|id| Some((id, loaded.number_of(id)?)));
        let of = |id: &String| Observed { participant: Some(id.clone()), ..bare.clone() };
        if claim.kind == EventType::ParticipantLocated {
            return known
                .flat_map(|(id, number)| self.stricter_places(claim, loaded, number, &of(id)))
                .collect();
        }
        if claim.kind == EventType::ParticipantAnswered {
            return known.map(|(id, _)| Observed { by: claim.by, ..of(id) }).collect();
        }
        vec![bare]
    }

    /// The readable places in a claim, as far as they do not loosen anything: for somebody without a known
    /// place, unknown is the strictest, and the unreadable part may be stricter than the readable part.
    fn stricter_places(
        &self,
        claim: &Observed,
        loaded: &Loaded,
        number: u32,
        of: &Observed,
    ) -> Vec<Observed> {
        if !loaded.call.is_located(number) {
            return Vec::new();
        }
        let mut call = loaded.call.clone();
        let readable = self.readable(claim, loaded.call.kind()).into_iter();
        let kept = readable.filter_map(|(location, phone, ip)| {
            let places = locate(&self.locator, location.as_ref(), phone.as_deref(), ip.as_deref()).ok()?;
            let since = claim.since.map(whole_millis);
            let what = What::Located { participant: number, places, since, alike: Alike::default() };
            let before = call.at(loaded.now).decide(loaded.now);
            let mut moved = call.clone();
            moved.apply(&Event { received_at: loaded.now, at: claim.at.map(whole_millis), what });
            let after = moved.at(loaded.now).decide(loaded.now);
            if (after.permitted() && !before.permitted())
                || after.requirement.strictness < before.requirement.strictness
            {
                return None;
            }
            call = moved;
            Some(Observed { location, number: phone, ip, since: claim.since, ..of.clone() })
        });
        kept.collect()
    }

    /// The readable places in a claim, split into groups of at most as many as one event may hold; the first
    /// group comes with the number and the address, if they can be read.
    fn readable(
        &self,
        claim: &Observed,
        kind: Kind,
    ) -> Vec<(Option<Places>, Option<String>, Option<String>)> {
        let reads = |number: Option<&str>, ip: Option<&str>| locate(&self.locator, None, number, ip).is_ok();
        let mut places: Vec<String> = Vec::new();
        for text in claim.location.as_ref().map(Places::as_slice).unwrap_or_default() {
            // With more places than can be kept apart, they may be anywhere.
            if places.len() <= policy::MAX_KNOWN_PLACES
                && let Ok(sighting) = crate::locate::declared(text)
                && !places.contains(&sighting.code)
            {
                places.push(sighting.code);
            }
        }
        let number = number_on(kind, claim.number.as_deref()).filter(|number| reads(Some(number), None));
        let ip = claim.ip.as_deref().filter(|ip| reads(None, Some(ip)));
        let mut chunks = places.chunks(MAX_PLACES).map(|some| Some(Places::Many(some.to_vec())));
        let first = chunks.next().flatten();
        if first.is_none() && number.is_none() && ip.is_none() {
            return Vec::new();
        }
        let first = (first, number.map(ToOwned::to_owned), ip.map(ToOwned::to_owned));
        std::iter::once(first).chain(chunks.map(|some| (some, None, None))).collect()
    }

    /// Logs the readable part of a location that cannot be used as a whole: it applies in addition to what
    /// was known.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the trail could not be written.
    pub(in crate::gate) async fn claim_places(
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
        self.claim(who, name, &[located]).await
    }

    /// Logs, as soon as possible, what arrived and could not be logged. Called several times a second.
    pub async fn log_what_is_missing(&self) {
        for missing in self.barred.missing() {
            // If another request has the turn of a call, it logs what is missing when it is done.
            let Some(_turn) = self.turns.try_take(&missing.who.account, &missing.name) else { continue };
            self.log_missing(&missing).await;
        }
    }

    /// As [`Gate::log_what_is_missing`], for one call; the caller has its turn.
    pub(in crate::gate) async fn log_missing_of(&self, who: &Principal, name: &str) {
        let of_this = |missing: &Missing| missing.who.account == who.account && missing.name == name;
        for missing in self.barred.missing().into_iter().filter(of_this) {
            Box::pin(self.log_missing(&missing)).await;
        }
    }

    async fn log_missing(&self, missing: &Missing) {
        // Somebody may have repeated it in the meantime.
        if !self.barred.is_missing(missing) {
            return;
        }
        let (who, name) = (&missing.who, missing.name.as_str());
        let at = Some(missing.counts_from());
        let outcome = match &missing.what {
            Unlogged::Event(event) => {
                // A retry by the sender is a separate event.
                let reported_by = Some(ReportedBy::Gateway);
                // What came in the meantime may have ended a hold.
                let only_tightens = event.kind.is_of_a_hold();
                let event = Observed { at, id: None, reported_by, only_tightens, ..event.clone() };
                match logged(self.observe_until_seen(who, name, std::slice::from_ref(&event)).await) {
                    Ok(true) => Ok(true),
                    Ok(false) => match event.claim() {
                        Some(claim) => self.claim(who, name, &[claim]).await.map(|()| false),
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
                    tracing::warn!("logged the restrictive part of an event that cannot be logged whole");
                }
                self.barred.done(missing);
            }
            // The next tick tries again, and other calls do not wait for it.
            Err(fault) => tracing::debug!(code = %fault.code(), "cannot log an event yet"),
        }
    }
}

/// Whether it could be logged; false if it holds nothing that can be, about an existing call or participant.
fn logged<T>(outcome: Result<T, Fault>) -> Result<bool, Fault> {
    match outcome {
        Ok(_) => Ok(true),
        Err(fault) if fault.is_ours() => Err(fault),
        Err(fault) => {
            tracing::info!(code = %fault.code(), "a restrictive event held something that cannot be logged");
            Ok(false)
        }
    }
}

/// These claims, merged into one for each person and one for the call, as of the earliest moment that any of
/// them names. The result is bounded, no matter how much a request holds.
fn told_once(claims: Vec<Observed>, now: Timestamp) -> Vec<Observed> {
    let mut told: BTreeMap<(EventType, String), Observed> = BTreeMap::new();
    let earlier = |one: Option<Timestamp>, other: Option<Timestamp>| match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    for claim in claims {
        // A time in the future counts as now, and so does no time.
        let at = claim.at.filter(|at| *at < now);
        let mut whom: Vec<String> = match claim.kind.is_of_somebody() {
            true => claim.whom().map(ToOwned::to_owned).collect(),
            false => Vec::new(),
        };
        if whom.is_empty() {
            // Nobody in particular, so the whole call.
            whom.push(String::new());
        }
        let bare = Observed {
            participant: None,
            participants: Vec::new(),
            at,
            location: both(None, claim.location.as_ref()),
            number: claim.number.filter(|number| number.len() <= MAX_TEXT),
            ip: claim.ip.filter(|ip| ip.len() <= MAX_TEXT),
            ..claim
        };
        for id in whom {
            // With more people than can be on a call, they stand for somebody.
            let is_one_more = told.len() >= MAX_TOLD && !told.contains_key(&(bare.kind, id.clone()));
            let id = if is_one_more { String::new() } else { id };
            match told.entry((bare.kind, id)) {
                Entry::Vacant(place) => {
                    let participant = Some(place.key().1.clone());
                    place.insert(Observed { participant, ..bare.clone() });
                }
                Entry::Occupied(mut place) => {
                    let before = place.get_mut();
                    before.at = earlier(before.at, at);
                    if bare.kind == EventType::ParticipantLocated {
                        before.since = before.since.zip(bare.since).map(|(one, other)| one.min(other));
                        before.location = both(before.location.take(), bare.location.as_ref());
                        before.number = before.number.take().or_else(|| bare.number.clone());
                        before.ip = before.ip.take().or_else(|| bare.ip.clone());
                    }
                }
            }
        }
    }
    let mut claims: Vec<Observed> = Vec::new();
    for mut claim in told.into_values() {
        if !claim.kind.is_of_somebody() {
            claim.participant = None;
        }
        let said =
            |other: &&mut Observed| holds_for_all(other) && other.kind == claim.kind && other.at == claim.at;
        match claims.iter_mut().find(said) {
            Some(others) => others.participants.extend(claim.participant),
            None if holds_for_all(&claim) => {
                claim.participants = claim.participant.take().into_iter().collect();
                claims.push(claim);
            }
            None => claims.push(claim),
        }
    }
    claims
}

/// Whether a claim holds for everybody on the call if it is unclear whom it names.
fn holds_for_all(claim: &Observed) -> bool {
    objects(claim) || claim.kind == EventType::ParticipantMinor || claim.kind.is_of_a_hold()
}

/// All readable places of both, at most one more than can be kept apart.
fn both(one: Option<Places>, other: Option<&Places>) -> Option<Places> {
    let mut places = one.map(|places| places.as_slice().to_vec()).unwrap_or_default();
    for place in other.map(Places::as_slice).unwrap_or_default() {
        let more = places.len() <= policy::MAX_KNOWN_PLACES && !places.contains(place);
        if more && crate::locate::declared(place).is_ok() {
            places.push(place.clone());
        }
    }
    (!places.is_empty()).then_some(Places::Many(places))
}

/// Those whom a claim places on the call, though they were never announced: nothing is known of any of them.
fn strangers(claims: &[Observed], loaded: &Loaded) -> Vec<Participant> {
    let mut found: BTreeMap<String, Option<Timestamp>> = BTreeMap::new();
    for claim in claims.iter().filter(|claim| claim.kind.is_of_somebody()) {
        for id in claim.whom() {
            let id = match (is_usable(id), holds_for_all(claim)) {
                (true, _) => id.to_owned(),
                // It applies to everybody.
                (false, true) => continue,
                (false, false) => unnamed(id.as_bytes()),
            };
            if loaded.row_of(&id).is_none() {
                let since = found.entry(id).or_insert(claim.at);
                *since = since.zip(claim.at).map(|(one, other)| one.min(other)).or(*since).or(claim.at);
            }
        }
    }
    let joining = |(id, joined_at)| Participant { joined_at, ..Participant::stranger(id) };
    few(found.into_iter().map(joining).collect())
}

/// If a refused request adds very many people, all beyond the first few become one.
pub(in crate::gate) fn few(mut people: Vec<Participant>) -> Vec<Participant> {
    let mut seen = BTreeSet::new();
    people.retain(|one| seen.insert(one.id.clone()));
    let others = people.split_off(people.len().min(MAX_STRANGERS));
    if !others.is_empty() {
        let joined_at = others.iter().filter_map(|one| one.joined_at).min();
        people.push(Participant { joined_at, ..Participant::stranger(unnamed(OTHERS.as_bytes())) });
    }
    people
}

/// The id of somebody whose own id cannot be used: the platform finds it in the decision, and can use it to
/// report that they have left.
pub(in crate::gate) fn unnamed(sent: &[u8]) -> String {
    let digest = hex(&Sha256::digest(sent));
    format!("unnamed-{}", digest.get(..16).unwrap_or_default())
}

/// Whether this can be the id of a participant.
pub(in crate::gate) fn is_usable(id: &str) -> bool {
    check_name(Field::ParticipantId, id).is_ok() && id != OTHERS
}

/// The reason that is logged for an objection that applies to everybody who was there.
const OF_NOBODY: &str = "the objection named nobody of the call, so it counts for everybody on it";
/// The reason that is logged for anything else that applies to everybody who was there.
const OF_SOMEBODY: &str = "it named nobody of the call, so it counts for everybody on it";
/// How many people the claims of one request can distinguish at most: more than can be on a call.
const MAX_TOLD: usize = 512;
/// The longest number or address, in bytes.
const MAX_TEXT: usize = 64;
/// How many people who were never announced are added one by one.
const MAX_STRANGERS: usize = 8;
