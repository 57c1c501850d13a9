//! How far everybody agreed, as the policy decided it entry by entry.

use jiff::Timestamp;
use policy::{Method, What, Why};

use super::super::{Body, Saw, SawParticipant};
use super::tell::Teller;
use super::{Act, ActKind, Denial, How, LEFT, Person, Read, Standing, Word};

impl Teller<'_> {
    /// What the policy saw, and with it how far everybody agreed.
    pub(super) fn saw(&mut self, read: &Read, saw: &Saw) {
        let logged_at = read.leaf.at;
        if self.story.asked.last().is_none_or(|(_, asked)| *asked != saw.requirement) {
            self.story.asked.push((logged_at, saw.requirement.clone()));
        }
        // A late report counts from when it happened, for those it is about.
        let late =
            if let Body::Event { facts, late: true, .. } = &read.leaf.body { Some(facts) } else { None };
        let act = self.story.acts.last().filter(|act| act.entry == read.index);
        let since = late.map_or(logged_at, |facts| act.map_or_else(|| self.late_from(facts), |act| act.at));
        let says = |what: &&What| matches!(what, What::PromptCompleted { .. } | What::ConsentGiven { .. });
        let about = late.map(|facts| &facts.what).filter(says).map(What::participants);
        let is_over = self.story.closed_at.is_some();
        for seen in &saw.participants {
            self.seen(read, saw, seen);
            let Some(person) = self.person(seen.p) else { continue };
            if let Some(prompt) = &seen.prompt {
                person.is_told(since, prompt, true);
            }
            if !is_over && about.is_none_or(|about| about.contains(&seen.p)) {
                // Only what loosens counts from when it happened: a standing objection does not become
                // earlier.
                let loosens = about.is_some() && matches!(seen.state.as_str(), "prompted" | "consented");
                person.stands(if loosens { since } else { logged_at }, &seen.state);
            }
        }
    }

    fn seen(&mut self, read: &Read, saw: &Saw, seen: &SawParticipant) {
        let Some(last) = self.person(seen.p).map(|person| person.words.last().cloned()) else { return };
        let at = read.leaf.at;
        let agreed = last.as_ref().and_then(|word| match &word.standing {
            Standing::Granted(how) if word.until.is_none_or(|until| at < until) => Some(how.clone()),
            Standing::Granted(_) | Standing::Denied(_) => None,
        });
        let is = |denial| last.as_ref().is_some_and(|word| word.standing == Standing::Denied(denial));
        match seen.state.as_str() {
            // Somebody who may have taken it back in a gap must be named again before they are relied on.
            "consented" | "prompted" if self.doubted.contains(&seen.p) => {}
            "consented" if agreed.is_none() || agreed == Some(How::Stayed) => {
                let (how, from, until) = self.how(seen.p, last.as_ref(), at);
                if agreed.as_ref() != Some(&how) {
                    self.say(seen.p, Standing::Granted(how), from, until, read.index);
                }
            }
            "prompted" if saw.recording == PERMITTED && agreed.is_none() => {
                let told = |act: &Act| matches!(act.what, ActKind::Prompted { .. });
                let from = self.last_act(seen.p, told).map_or(at, |act| since(act, last.as_ref(), at));
                self.say(seen.p, Standing::Granted(How::Stayed), from, None, read.index);
            }
            // Being told was enough until now.
            "prompted" if agreed == Some(How::Stayed) && saw.requirement.starts_with(EXPRESS) => {
                self.end(seen.p, at);
            }
            "unprompted" if agreed.is_some() => self.end(seen.p, at),
            "declined" if !is(Denial::Declined) => {
                let from =
                    self.last_act(seen.p, |act| act.what == ActKind::Declined).map_or(at, |act| act.at);
                self.say(seen.p, Standing::Denied(Denial::Declined), from, None, read.index);
            }
            "withdrawn" if !is(Denial::Withdrawn) => {
                let from =
                    self.last_act(seen.p, |act| act.what == ActKind::Withdrawn).map_or(at, |act| act.at);
                self.say(seen.p, Standing::Denied(Denial::Withdrawn), from, None, read.index);
            }
            _ => {}
        }
    }

    /// How somebody agreed who did so according to the policy: by their last act since they objected.
    fn how(
        &mut self,
        number: u32,
        last: Option<&Word>,
        at: Timestamp,
    ) -> (How, Timestamp, Option<Timestamp>) {
        let objected = last.filter(|word| word.objects()).map(|word| word.entry);
        // Acts that held no express yes before hold none now.
        let looked = self.looked.insert(number, 0).unwrap_or(0);
        let is_minor = self.story.people.get(&number).is_some_and(|person| person.minor);
        let theirs = self.story.acts.iter().skip(looked).rev().filter(|act| {
            act.participants.contains(&number) && objected.is_none_or(|entry| entry < act.entry)
        });
        for act in theirs {
            match &act.what {
                ActKind::Given(method) if *method != Method::Continued && !is_minor => {
                    return (How::Said(*method), since(act, last, at), None);
                }
                ActKind::Named(grant) => {
                    let relied = self.story.grants.iter().rev().find(|relied| relied.grant == *grant);
                    return (
                        How::Before(grant.clone()),
                        since(act, last, at),
                        relied.and_then(|relied| relied.until),
                    );
                }
                ActKind::Given(_)
                | ActKind::Began { .. }
                | ActKind::Prompted { .. }
                | ActKind::Interrupted
                | ActKind::Declined
                | ActKind::Withdrawn
                | ActKind::Announced => {}
            }
        }
        self.looked.insert(number, self.story.acts.len());
        (How::Stayed, at, None)
    }

    /// Notes whose silence was in the way of what was refused.
    pub(super) fn missing(&mut self, read: &Read, saw: &Saw, why: impl IntoIterator<Item = Why>) {
        let mut numbers: Vec<u32> = Vec::new();
        for why in why {
            if why == Why::NobodyConsents {
                numbers.extend(saw.participants.iter().map(|seen| seen.p));
            }
            if let Why::Missing(participant) | Why::InDoubt(participant) | Why::Minor(participant) = why {
                numbers.push(participant);
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        for number in numbers {
            let agrees = !self.doubted.contains(&number)
                && saw.participants.iter().any(|seen| {
                    seen.p == number
                        && (seen.state == "consented"
                            || (seen.state == "prompted" && saw.recording == PERMITTED))
                });
            let left = saw.participants.iter().any(|seen| seen.p == number && seen.state == LEFT);
            let Some(person) = self.person(number).filter(|person| person.is_person) else { continue };
            let said = match person.words.last().map(|word| &word.standing) {
                Some(Standing::Denied(_)) => true,
                Some(Standing::Granted(_)) => left,
                None => false,
            };
            if !agrees && !said {
                self.say(number, Standing::Denied(Denial::Missing), read.leaf.at, None, read.index);
            }
        }
    }

    fn last_act(&self, number: u32, is: impl Fn(&Act) -> bool) -> Option<&Act> {
        self.story.acts.iter().rev().find(|act| act.participants.contains(&number) && is(act))
    }

    fn say(
        &mut self,
        number: u32,
        standing: Standing,
        from: Timestamp,
        until: Option<Timestamp>,
        entry: u64,
    ) {
        self.end(number, from);
        if let Some(person) = self.person(number) {
            person.words.push(Word { standing, from, until, entry });
        }
    }

    /// Ends their last word at `at`.
    pub(super) fn end(&mut self, number: u32, at: Timestamp) {
        if let Some(word) = self.person(number).and_then(|person| person.words.last_mut()) {
            word.end(at);
        }
    }
}

impl Word {
    /// Whether they agreed on the call itself.
    pub(super) fn is_of_the_call(&self) -> bool {
        matches!(self.standing, Standing::Granted(How::Stayed | How::Said(_)))
    }

    /// Ends it at `at`.
    pub(super) fn end(&mut self, at: Timestamp) {
        let at = at.max(self.from);
        self.until = Some(self.until.map_or(at, |until| until.min(at)));
    }
}

impl Person {
    /// Sets how they stand from a moment on, whatever was known of that time before.
    fn stands(&mut self, from: Timestamp, state: &str) {
        self.states.retain(|(other, _)| *other < from);
        if self.states.last().is_none_or(|(_, last)| last != state) {
            self.states.push((from, state.to_owned()));
        }
    }
}

/// From when an act counts: from now on, if the last word already rests on it and has ended.
fn since(act: &Act, last: Option<&Word>, at: Timestamp) -> Timestamp {
    if last.is_some_and(|word| act.entry <= word.entry) { at } else { act.at }
}

const PERMITTED: &str = "permitted";
const EXPRESS: &str = "all/express";
