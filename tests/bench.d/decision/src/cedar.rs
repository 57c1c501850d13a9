//! The same question put to Cedar.
//!
//! The law is one entity for each medium, with the codes that ask for a notice or more, and those
//! that ask for an express yes, as sets. Cedar cannot go through the places of a call one by one and
//! look for a country's row where a state has none, so that is done as the law is laid out: a code's
//! country and what stands in for a missing row are counted in, as of one day. A code that the law
//! does not know is refused. What is asked for some purposes and not for others is a set of pairs, such
//! as "US-IL voiceprint", and a call comes with the pairs of all its places and all its purposes. The
//! rows themselves stand beside that as entities, with their texts; no policy looks at them.
//!
//! The alternative, a call that is an entity below its places, would put every call into the entity
//! store before it can be asked about.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request, RestrictedExpression,
};
use serde_json::{Value, json};

use crate::ours::{Law, Rule};
use crate::scene::{ALWAYS, ANYTHING, MEDIA, PURPOSES, Scene, Words};

const POLICY: &str = include_str!("policy.cedar");

/// Policies and law, read.
pub struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    law: Entities,
}

/// The law as the JSON text of entities, with or without the rows' texts.
pub fn data(law: &Law, with_rows: bool) -> String {
    let mut entities = Vec::new();
    for medium in MEDIA {
        let grounds = law.grounds(medium);
        let forbidden = |role: &str| {
            pairs_of(&grounds, |rule| {
                let of_them = rule.forbids.iter().filter(|(_, roles)| roles.iter().any(|one| *one == role));
                of_them.map(|(purpose, _)| purpose.to_string()).collect()
            })
        };
        let written_for =
            pairs_of(&grounds, |rule| rule.written_for.iter().map(|purpose| purpose.to_string()).collect());
        let says = pairs_of(&grounds, |rule| {
            let mut says = Vec::new();
            for (purpose, elements) in &rule.says {
                says.extend(elements.iter().map(|element| format!("{purpose} {element}")));
            }
            says
        });
        entities.push(json!({
            "uid": { "type": "Medium", "id": medium },
            "attrs": {
                "known": grounds.keys().collect::<Vec<_>>(),
                "notice": asking(&grounds, 2),
                "express": asking(&grounds, 3),
                "forbids": { "customer": forbidden("customer"), "agent": forbidden("agent") },
                "writtenFor": written_for,
                "says": says,
            },
            "parents": [],
        }));
    }
    let rows = law.rows();
    for row in rows.iter().filter(|_| with_rows) {
        let asks =
            MEDIA.into_iter().zip(&row.asks).map(|(medium, rule)| (medium.to_string(), rule.to_json()));
        let asks: serde_json::Map<String, Value> = asks.collect();
        let from = row.from.as_deref().unwrap_or("");
        entities.push(json!({
            "uid": { "type": "Row", "id": format!("{} {from}", row.code) },
            "attrs": {
                "code": row.code,
                "name": row.name,
                "from": from,
                "asks": asks,
                "strictestWhenUnknown": row.strictest_when_unknown,
                "citations": row.citations,
                "summary": row.summary,
                "confidence": row.confidence,
            },
            "parents": [],
        }));
    }
    Value::from(entities).to_string()
}

/// Where so much is asked: for whatever purpose, for any at all, and, where purposes differ, for which.
fn asking(grounds: &BTreeMap<String, Rule>, least: u8) -> Value {
    let where_it = |asks: fn(&Rule) -> u8| -> Vec<&String> {
        grounds.iter().filter(|(_, rule)| asks(rule) >= least).map(|(ground, _)| ground).collect()
    };
    let mut for_purpose = Vec::new();
    for (ground, rule) in grounds.iter().filter(|(_, rule)| rule.least() < least) {
        let asking = PURPOSES.into_iter().chain([ANYTHING]).filter(|purpose| rule.asks(purpose) >= least);
        for_purpose.extend(asking.map(|purpose| format!("{ground} {purpose}")));
    }
    json!({ "whatever": where_it(Rule::least), "ever": where_it(Rule::most), "forPurpose": for_purpose })
}

/// Each ground with each of the words of its rule.
fn pairs_of(grounds: &BTreeMap<String, Rule>, words: impl Fn(&Rule) -> Vec<String>) -> Vec<String> {
    let mut pairs = Vec::new();
    for (ground, rule) in grounds {
        pairs.extend(words(rule).into_iter().map(|word| format!("{ground} {word}")));
    }
    pairs
}

/// Each of these grounds with each of these words.
fn pairs(grounds: &BTreeSet<&str>, words: &[impl Display]) -> Vec<String> {
    let mut pairs = Vec::with_capacity(grounds.len() * words.len());
    for ground in grounds {
        pairs.extend(words.iter().map(|word| format!("{ground} {word}")));
    }
    pairs
}

impl Cedar {
    pub fn parse(data: &str) -> Cedar {
        Cedar {
            authorizer: Authorizer::new(),
            policies: POLICY.parse().expect("policies"),
            law: Entities::from_json_str(data, None).expect("entities"),
        }
    }

    pub fn verdict(&self, request: &Request) -> bool {
        self.authorizer.is_authorized(request, &self.policies, &self.law).decision() == Decision::Allow
    }

    /// The same, when a policy that fails must not go unseen: Cedar would leave it out.
    pub fn checked_verdict(&self, request: &Request) -> bool {
        let response = self.authorizer.is_authorized(request, &self.policies, &self.law);
        let errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{errors:?}");
        response.decision() == Decision::Allow
    }
}

/// What does not change from call to call.
pub struct Names {
    principal: EntityUid,
    action: EntityUid,
    media: [EntityUid; 4],
}

impl Names {
    pub fn new() -> Names {
        let name = |text: &str| text.parse::<EntityUid>().expect("a name");
        Names {
            principal: name(r#"Recorder::"recorder""#),
            action: name(r#"Action::"record""#),
            media: MEDIA.map(|medium| name(&format!("Medium::\"{medium}\""))),
        }
    }
}

/// A call as a request.
pub fn request(names: &Names, scene: &Scene) -> Request {
    let words = Words::of(scene);
    let mut unsaid = Vec::new();
    for element in &scene.prompt.lacks {
        let asked = [ALWAYS].into_iter().chain(scene.purposes.iter().copied());
        unsaid.extend(asked.map(|purpose| format!("{purpose} {element}")));
    }
    let context = Context::from_pairs([
        ("served".to_string(), strings(pairs(&words.grounds, &words.served))),
        ("further".to_string(), strings(pairs(&words.grounds, &words.further))),
        ("unsaid".to_string(), strings(pairs(&words.grounds, &unsaid))),
        ("grounds".to_string(), strings(words.grounds)),
        ("purposes".to_string(), strings(scene.purposes.iter().copied())),
        ("told".to_string(), strings(scene.prompt.purposes.iter().copied())),
        ("roles".to_string(), strings(words.roles)),
        ("here".to_string(), numbers(words.here)),
        ("agreed".to_string(), numbers(words.agreed)),
        ("prompted".to_string(), numbers(words.prompted)),
        ("express".to_string(), numbers(words.express)),
        ("written".to_string(), numbers(words.written)),
        ("objecting".to_string(), numbers(words.objecting)),
    ]);
    let medium = MEDIA.iter().position(|medium| *medium == scene.medium).expect("a medium");
    Request::new(
        names.principal.clone(),
        names.action.clone(),
        names.media[medium].clone(),
        context.expect("a context"),
        None,
    )
    .expect("a request")
}

fn strings(words: impl IntoIterator<Item = impl Into<String>>) -> RestrictedExpression {
    let each = words.into_iter().map(|word| RestrictedExpression::new_string(word.into()));
    RestrictedExpression::new_set(each)
}

fn numbers(numbers: Vec<i64>) -> RestrictedExpression {
    RestrictedExpression::new_set(numbers.into_iter().map(RestrictedExpression::new_long))
}
