//! Sentences for what cannot be registered, approved or confirmed.

use policy::atlas::usually_meant;
use policy::{Element, Problem, Severity};

use crate::access::MAX_QUARANTINE_SECONDS;
use crate::gate::{LawRefusal, MAX_ACCOUNT_ALIASES, PersonRefusal, RegisterRefusal, WrongReading};
use trail::counted;

pub(super) fn refused(why: &RegisterRefusal) -> String {
    match why {
        RegisterRefusal::AccountExists { id } => format!("there is already an account `{id}`"),
        RegisterRefusal::UnknownAccount { id } => {
            format!("there is no account `{id}`; add it with `consent-gateway account add`")
        }
        RegisterRefusal::NotProvisioned { id } => format!(
            "there is no account `{id}` among those that this credential provisions; `PUT /v1/accounts/{id}` makes one"
        ),
        RegisterRefusal::NameTaken { name } => format!(
            "`{name}` cannot be had: it is an account's id, an alias of an account (whatever the case of its letters), \
             or reserved; choose another, or have whoever has it give it up"
        ),
        RegisterRefusal::ManyAliases => format!("an account has at most {MAX_ACCOUNT_ALIASES} aliases; remove one"),
        RegisterRefusal::Loosens { what } => format!(
            "`{what}` would ask less than the account's law does now, or may, and a provisioner only tightens: somebody \
             with a shell can set it with `consent-gateway account set`, and the account's `counsel` can choose its law \
             with `PUT /v1/law`, or its prompts with `PUT /v1/prompts`; leave `{what}` out to keep it as it is"
        ),
        RegisterRefusal::RoleNotGiven { role } => format!(
            "a provisioner gives nobody the role `{}`; it is given with `consent-gateway credential add`",
            role.as_str()
        ),
        RegisterRefusal::CredentialExists { role } => format!(
            "the credential of this name has the role `{role}`, and a role never changes: `DELETE` it first, or use \
             another name"
        ),
        RegisterRefusal::NoProvisioner { username } => {
            format!("`{username}` is not a credential of a provisioner; `consent-gateway credential list system` shows them")
        }
        RegisterRefusal::OtherKey { id } => {
            format!("the key in the body has the id `{id}` (SHA-256 of its SPKI), and the path names another")
        }
        RegisterRefusal::KeyRetired => "this key of the account was retired, so that nothing is sealed for it any more; \
             add another one, or take this one up again with `consent-gateway key add`"
            .into(),
        RegisterRefusal::SystemHasNoCalls => "the account `system` has no calls; name another account".into(),
        RegisterRefusal::RoleOfCalls => {
            "the account `system` has no calls; its roles are `counsel`, `auditor`, `admin` and `provisioner`".into()
        }
        RegisterRefusal::RoleOfSystem => {
            "a provisioner belongs to the account `system`: `consent-gateway credential add system --role provisioner`"
                .into()
        }
        RegisterRefusal::QuarantineSeconds => {
            format!("an upload may wait in quarantine for at most {MAX_QUARANTINE_SECONDS} seconds")
        }
        RegisterRefusal::LateEvidence => "`late_evidence_seconds` must be at most 60".into(),
        RegisterRefusal::Retention => {
            "`keep_at_least` must not be longer than `keep_at_most`, and neither may contradict what `keep_for` says of a \
             purpose: for an exception, set `keep_by_default` in place of `keep_at_most`"
                .into()
        }
        RegisterRefusal::LeastKept => "`least_kept_percent` must be at most 100".into(),
        RegisterRefusal::Notice => {
            "the `notice` of a lawful basis must be an `https` URL, without a name or a password".into()
        }
        RegisterRefusal::Webhook(error) => error.to_string(),
        RegisterRefusal::NoWebhook { id } => {
            format!("`{id}` has no webhook; set one with `consent-gateway account set {id} --webhook URL`")
        }
        RegisterRefusal::NoRecorders => "`recorders` must be at least 1".into(),
        RegisterRefusal::WeakPassword(error) => error.to_string(),
        RegisterRefusal::UnusableKey(error) => error.to_string(),
        RegisterRefusal::OneKey { account, format, in_use } => format!(
            "the recordings of `{account}` are sealed as `{}`, for one key, and {} is in use: add the new one with \
             `--replace`, which retires it in the same step",
            format.as_str(),
            in_use.join(", ")
        ),
        RegisterRefusal::ManyKeys { account, format, in_use } => format!(
            "recordings in the format `{}` are sealed for one key, and `{account}` has {}: retire all but one first, with \
             `consent-gateway key retire {account} KEY`; they are {}",
            format.as_str(),
            in_use.len(),
            in_use.join(", ")
        ),
        RegisterRefusal::PromptText => "`text` is empty or longer than 16 KiB".into(),
        RegisterRefusal::PromptDuration => "`duration_ms` must be from 1000 (1 s) to 600000 (10 min)".into(),
        RegisterRefusal::UnknownElement { element } => {
            let known = Element::ALL.map(Element::as_str).join("`, `");
            format!("`says` has no `{element}`; the words are `{known}`")
        }
        RegisterRefusal::NotQuoted { element } => {
            format!("`says.{element}` quotes words that are not in `text`; quote them exactly")
        }
        RegisterRefusal::GrantEndsEarly | RegisterRefusal::HoldEndsEarly => "`until` must be after `from`".into(),
        RegisterRefusal::UploadsNothing { role } => format!(
            "the role `{}` uploads nothing; what is told of refused uploads is set for `recorder` and `uploader`",
            role.as_str()
        ),
        RegisterRefusal::HoldOnEverything => {
            "say what the hold is limited to: at least one of `recording`, `call`, `number`, `participant`, `from` and \
             `until`"
                .into()
        }
        RegisterRefusal::HoldExists => {
            "this id belongs to another hold; holds never change, so set one under another id and lift this one".into()
        }
        RegisterRefusal::GrantExists => {
            "this id belongs to another grant, or to a withdrawn one; grants never change, so register a new \
             one"
            .into()
        }
    }
}

pub(super) fn person(why: &PersonRefusal) -> String {
    match why {
        PersonRefusal::NotAName { name } => format!("`{name}` is not a name; say who this is"),
        PersonRefusal::NameNeeded => {
            "a credential of the account `system` must name a person: say who, with `--name`".into()
        }
        PersonRefusal::Unnamed => "this credential does not name a person; add one with `--name`".into(),
        PersonRefusal::Oneself => "you cannot confirm yourself; a colleague has to".into(),
        PersonRefusal::Unconfirmed { name, account, id } => format!(
            "`{name}` was enrolled after the first two people of the account and does not count until \
             somebody who counts has confirmed them: `consent-gateway person confirm {account} {id} --as \
             USERNAME`"
        ),
        PersonRefusal::NotTwo { names: [first, second] } => format!(
            "`{first}` and `{second}` do not count as two people yet, since both depend on the same person's \
             confirmation; another colleague has to run `consent-gateway person confirm`"
        ),
    }
}

pub(super) fn law(why: &LawRefusal) -> String {
    match why {
        LawRefusal::NotCounsel => {
            "the table belongs to the system's account: use a `counsel` credential of the account `system`"
                .into()
        }
        LawRefusal::NotOfTheSystem => {
            "proposals belong to the system's account: use a credential of the account `system`".into()
        }
        LawRefusal::Mistakes { problems } => {
            let mistakes: Vec<&Problem> =
                problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
            let first = mistakes.first().map(|problem| format!("line {problem}")).unwrap_or_default();
            format!("the table has {}, the first in {first}", counted(mistakes.len(), "mistake"))
        }
        LawRefusal::Outdated => {
            "another version came into force after the proposal was made; publish the table again, and read \
             the new difference"
                .into()
        }
        LawRefusal::OwnProposal => "you proposed this table; somebody else has to approve it".into(),
        LawRefusal::NotOwnProposal => {
            "only the person who proposed a table can withdraw it; others can reject it".into()
        }
        LawRefusal::Decided { state } => {
            format!(
                "the proposal is already {}; if you want it in force, publish the table again",
                state.as_str()
            )
        }
        LawRefusal::Expired => "the proposal has expired; publish the table again".into(),
        LawRefusal::UnknownOverlay { id, known } if known.is_empty() => {
            format!("the table has no overlay `{id}`, or any other")
        }
        LawRefusal::UnknownOverlay { id, known } => {
            format!("the table has no overlay `{id}`; it has `{}`", known.join("`, `"))
        }
        LawRefusal::NoRow { code } => format!(
            "the table has no row for {code}; its country's row or the default applies{}",
            usually_meant(*code)
        ),
        LawRefusal::Reading(wrong) => reading(wrong),
        LawRefusal::ReadingsNotAllowed { code } => format!(
            "this asks less than the table does for {code}, and the law desk does not let this account read the law \
             there otherwise: counsel of the account `system` can allow it with `PUT \
             /v1/jurisdictions/{code}/readings/ACCOUNT`"
        ),
        LawRefusal::OwnReading => "you proposed this reading; somebody else has to approve it".into(),
        LawRefusal::OwnReadingEnd => {
            "you proposed the end of this reading; it asks more, so somebody else has to end it".into()
        }
        LawRefusal::ReadingDecided => {
            "the reading has been decided or ended already; state another one".into()
        }
    }
}

fn reading(wrong: &WrongReading) -> String {
    match wrong {
        WrongReading::Contradiction => {
            "`parties` and `form` contradict each other: `one` goes with `none`, `all` with `notice` or `express`"
                .into()
        }
        WrongReading::NoEntity => "say in `entity` which legal entity it is for".into(),
        WrongReading::NoMemo => "it asks less than the table: say in `memo` where counsel's memo is kept".into(),
        WrongReading::NoEnd => {
            "it asks less than the table: say in `until` when it is over, at most two years ahead".into()
        }
        WrongReading::Past => "`until` is in the past".into(),
        WrongReading::OtherOperator { operator: Some(operator) } => format!(
            "`operator` is not where this account's operator is established, {operator}: the reading would never count"
        ),
        WrongReading::OtherOperator { operator: None } => {
            "it asks less than the table, and the account does not say where its operator is established: set that \
             first"
                .into()
        }
        WrongReading::PurposesOfStricter => {
            "it asks nothing less than the table, so it counts whatever a call is for: leave `purposes` out".into()
        }
        WrongReading::UnknownPurpose { purpose } => {
            let known: Vec<&str> = policy::Purpose::ALL.into_iter().map(policy::Purpose::as_str).collect();
            format!("the law does not distinguish `{purpose}`; it has `{}`", known.join("`, `"))
        }
        WrongReading::TooMany => "the account has 32 readings that are not ended; end one first".into(),
        WrongReading::Outdated { code } => format!(
            "the table asks more for {code} now than when this was proposed; read it again, and propose it anew"
        ),
    }
}
