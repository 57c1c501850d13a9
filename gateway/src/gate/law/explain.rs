//! What was decided on a call at a moment, and what would be decided today.
//!
//! A decision applies the rule in force at the call's time, to the facts known when it is made. Both are
//! kept: the facts with their times in the trail, and every version of the table with the time from which it
//! was in force.

use std::sync::Arc;

use jiff::Timestamp;

use crate::gate::answer::{Decision, Explained, Logged, RuleSources, Then, Today};
use crate::gate::{CallRefusal, Fault, Gate, called, from_row, parse_id};
use trail::Leaf;

impl Gate {
    /// Explains a call at a moment, by default at its last entry: the decision by the facts and the table of
    /// then, and the decision on the same facts by the table in force today.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the call is unknown, or was not open yet.
    pub async fn explain(
        &self,
        account: &str,
        name: &str,
        at: Option<Timestamp>,
    ) -> Result<Explained, Fault> {
        // If an id was used again, the call that was open at that moment is meant.
        let then = match at {
            Some(at) => self.ledger.call_at(account, name, at.as_millisecond()).await?,
            None => None,
        };
        let row = match then {
            Some(row) => row,
            None => self.call_row(account, name).await?.ok_or(CallRefusal::Unknown)?,
        };
        let (leaves, names) = self.leaves_of(parse_id(&row.uid)?, &row).await?;
        let at = at.or_else(|| leaves.last().map(|leaf| leaf.at)).unwrap_or_else(|| self.clock.now());
        let by_then: Vec<Leaf> = leaves.into_iter().take_while(|leaf| leaf.at <= at).collect();
        let Some(last) = by_then.last() else {
            return Err(CallRefusal::NotYetOpen { opened_at: from_row(row.opened_at) }.into());
        };
        let versions = self.ledger.versions().await?;
        let mut by_then_in_force = versions.iter().filter(|version| from_row(version.in_force_at) <= at);
        // An entry of that very moment names the table that decided it: another version may have come into
        // force in the same millisecond, or by another node's clock.
        let known = match last.body.saw().filter(|_| last.at == at) {
            Some(saw) => by_then_in_force
                .find(|version| version.digest == saw.table)
                .or_else(|| versions.iter().find(|version| version.digest == saw.table)),
            None => by_then_in_force.next(),
        };
        let mut then = self.fold(&by_then).await?;
        let table_then = match known {
            Some(version) => self.table(&version.digest).await?,
            None => self.laws.in_force(),
        };
        then.know(&table_then, at);
        let in_force = self.laws.version();
        let today = trail::fold(&|_| Some(Arc::clone(&in_force.table)), &by_then)?;
        let (then, today) = (then.decide(at), today.decide(at));
        let names = self.with_prompts(account, &[&then, &today], called(&names)).await;
        let differs = (then.standing, then.requirement) != (today.standing, today.requirement);
        Ok(Explained {
            call: row.id,
            at: at.into(),
            then: Then {
                version: known.map(|version| version.version),
                decision: Decision::new(table_then.digest(), &then, &names),
                sources: RuleSources::of(&then),
                logged: Logged {
                    entry: last.id,
                    at: last.at.into(),
                    kind: last.kind.clone(),
                    saw: last.body.saw().cloned(),
                },
            },
            today: Today {
                version: in_force.number,
                decision: Decision::new(in_force.table.digest(), &today, &names),
                sources: RuleSources::of(&today),
            },
            differs,
        })
    }
}
