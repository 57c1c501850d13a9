//! What the law asked of a call, rule by rule: decided again from the entries, by the tables that decided.

use std::sync::Arc;

use jiff::Timestamp;
use policy::{Because, Call, Table};
use uuid::Uuid;

use super::super::{Body, FoldError, Folding, Saw};
use super::Read;

/// What the law asked of a call, from its start to its end.
#[derive(Debug, Default)]
pub struct Laws {
    /// Every change of it, in the order of the log.
    pub laws: Vec<Law>,
    /// Why no more of it could be computed.
    pub unjudged: Option<Unjudged>,
}

/// What the law asked from an entry on.
#[derive(Debug, Clone)]
pub struct Law {
    /// When that was logged.
    pub from: Timestamp,
    /// The entry.
    pub entry: u64,
    /// The table that decided, by its digest.
    pub table: String,
    /// All rules taken together: `parties/form`, and anything else.
    pub asked: String,
    /// The rules that counted.
    pub rules: Vec<Because>,
}

/// Why it is not known what the law asked.
#[derive(Debug, thiserror::Error)]
pub enum Unjudged {
    /// The call cannot be folded.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// It was decided by another version of the policy.
    #[error(
        "it was decided by version {version} of the policy, and this program knows version {}",
        policy::VERSION
    )]
    Policy {
        /// Which one.
        version: String,
    },
    /// The facts and the table give another decision.
    #[error("entry {0} was decided otherwise than the facts and the table give")]
    Otherwise(u64),
}

/// What the law asked of a call, by its entries and the gaps of its log.
pub fn laws(call: Uuid, entries: &[Read], tables: &dyn Fn(&str) -> Option<Arc<Table>>) -> Laws {
    let mut laws = Vec::new();
    let unjudged = judge(call, entries, tables, &mut laws).err();
    Laws { laws, unjudged }
}

fn judge(
    call: Uuid,
    entries: &[Read],
    tables: &dyn Fn(&str) -> Option<Arc<Table>>,
    laws: &mut Vec<Law>,
) -> Result<(), Unjudged> {
    let own = |read: &&Read| {
        let is_gap = matches!(read.leaf.body, Body::Gap { .. });
        read.leaf.call == Some(call) || is_gap && read.leaf.call.is_none()
    };
    // A gap before the call was opened does not concern it.
    let is_gap = |read: &&Read| read.leaf.call.is_none();
    let mut entries = entries.iter().filter(own).skip_while(is_gap);
    let first = entries.next().ok_or(FoldError::Empty)?;
    let mut folding = Folding::open(tables, &first.leaf)?;
    laws.extend(judged(first, folding.call())?);
    for read in entries {
        folding.step(tables, &read.leaf)?;
        if folding.call().ended_at().is_some() {
            break;
        }
        let law = judged(read, folding.call())?;
        let asks = |law: &Law| (law.table.clone(), law.asked.clone(), law.rules.clone());
        laws.extend(law.filter(|law| laws.last().map(asks) != Some(asks(law))));
    }
    Ok(())
}

/// What the law asked by then, if the decision can be repeated.
fn judged(read: &Read, call: &Call) -> Result<Option<Law>, Unjudged> {
    let Some(saw) = read.leaf.body.saw() else { return Ok(None) };
    if saw.policy != policy::VERSION {
        return Err(Unjudged::Policy { version: saw.policy.clone() });
    }
    let decision = call.decide(read.leaf.at);
    if Saw::of(&saw.table, &decision) != *saw {
        return Err(Unjudged::Otherwise(read.index));
    }
    Ok(Some(Law {
        from: read.leaf.at,
        entry: read.index,
        table: saw.table.clone(),
        asked: saw.requirement.clone(),
        rules: decision.because,
    }))
}
