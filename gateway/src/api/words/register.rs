//! Why something is not registered, in words.

use policy::atlas::usually_meant;
use policy::{Element, Problem, Severity};

use crate::gate::{LawRefusal, PersonRefusal, RegisterRefusal};

pub(super) fn refused(why: &RegisterRefusal) -> String {
    match why {
        RegisterRefusal::AccountExists { id } => format!("there is an account `{id}` already"),
        RegisterRefusal::UnknownAccount { id } => {
            format!("there is no account `{id}`; add it with `consent-gateway account add`")
        }
        RegisterRefusal::SystemHasNoCalls => {
            "the account `system` has no calls: choose for an account that has".into()
        }
        RegisterRefusal::RoleOfCalls => {
            "the account `system` has no calls: its roles are `counsel`, `auditor` and `admin`".into()
        }
        RegisterRefusal::LateEvidence => "`late_evidence_seconds` is at most 60".into(),
        RegisterRefusal::NoRecorders => "`recorders` is at least 1".into(),
        RegisterRefusal::WeakPassword(error) => error.to_string(),
        RegisterRefusal::UnusableKey(error) => error.to_string(),
        RegisterRefusal::PromptText => "`text` is empty or longer than 16 KiB".into(),
        RegisterRefusal::PromptDuration => "`duration_ms` is not from 1000 (1 s) to 600000 (10 min)".into(),
        RegisterRefusal::UnknownElement { element } => {
            let known = Element::ALL.map(Element::as_str).join("`, `");
            format!("`says` has no `{element}`; the words are `{known}`")
        }
        RegisterRefusal::NotQuoted { element } => {
            format!("`says.{element}` quotes words that are not in `text`; quote them as they stand there")
        }
        RegisterRefusal::GrantEndsEarly => "`until` does not lie after `from`".into(),
        RegisterRefusal::GrantExists => {
            "another grant has this id, or it was withdrawn; consent is never changed: register a new one"
                .into()
        }
    }
}

pub(super) fn person(why: &PersonRefusal) -> String {
    match why {
        PersonRefusal::NotAName { name } => format!("`{name}` is not a name; say who it is"),
        PersonRefusal::NameNeeded => {
            "a credential of the account `system` names a person: say who, with `--name`".into()
        }
        PersonRefusal::Unnamed => "this credential names nobody; add one with `--name`".into(),
        PersonRefusal::Oneself => "nobody confirms themselves; a colleague has to".into(),
        PersonRefusal::Unconfirmed { name, account, id } => format!(
            "`{name}` was enrolled after the first two people of the account and counts for nothing until one of those who \
             count has confirmed them: `consent-gateway person confirm {account} {id} --as USERNAME`"
        ),
        PersonRefusal::NotTwo { names: [first, second] } => format!(
            "`{first}` and `{second}` do not count as two people yet, since both rest on one and the same person; another \
             colleague has to run `consent-gateway person confirm`"
        ),
    }
}

pub(super) fn law(why: &LawRefusal) -> String {
    match why {
        LawRefusal::NotCounsel => {
            "the table belongs to the system's account: use a `counsel` credential of the account `system`".into()
        }
        LawRefusal::NotOfTheSystem => {
            "proposals belong to the system's account: use a credential of the account `system`".into()
        }
        LawRefusal::Mistakes { problems } => {
            let mistakes: Vec<&Problem> =
                problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
            let first = mistakes.first().map(|problem| format!("line {problem}")).unwrap_or_default();
            format!("the table has {} mistakes, the first in {first}", mistakes.len())
        }
        LawRefusal::Outdated => {
            "another version is in force than the one that the proposal was compared with; publish the table again, and \
             read the new difference"
                .into()
        }
        LawRefusal::OwnProposal => {
            "whoever proposes a table cannot approve it; a second person has to".into()
        }
        LawRefusal::NotOwnProposal => {
            "only whoever proposed a table can withdraw it; others can reject it".into()
        }
        LawRefusal::Decided { state } => {
            format!("the proposal is {}; publish the table again if it is meant", state.as_str())
        }
        LawRefusal::Expired => "the proposal has expired; publish the table again".into(),
        LawRefusal::UnknownOverlay { id, known } if known.is_empty() => {
            format!("the table has no overlay `{id}`; it has none")
        }
        LawRefusal::UnknownOverlay { id, known } => {
            format!("the table has no overlay `{id}`; it has `{}`", known.join("`, `"))
        }
        LawRefusal::NoRow { code } => format!(
            "the table has no row for {code}; its default applies, or its country's row{}",
            usually_meant(*code)
        ),
    }
}
