//! The same question put to Cedar.
//!
//! The law is one entity for each medium, with the codes that ask for a notice or more, and those
//! that ask for an express yes, as sets. Cedar cannot go through the places of a call one by one and
//! look for a country's row where a state has none, so that is done as the law is laid out: a code's
//! country and what stands in for a missing row are counted in, as of one day. A code that the law
//! does not know asks for the most. The rows themselves stand beside that as entities, with their
//! texts; no policy looks at them.
//!
//! The alternative, a call that is an entity below its places, would put every call into the entity
//! store before it can be asked about.

use std::collections::BTreeSet;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request, RestrictedExpression,
};
use serde_json::{Value, json};

use crate::ours::Law;
use crate::scene::{EVIDENCE, MEDIA, Scene, WITHOUT_A_ROW, Words};

const POLICY: &str = include_str!("policy.cedar");

/// Policies and law, read.
pub struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    law: Entities,
}

/// The law as the JSON text of entities, with or without the rows' texts.
pub fn data(law: &Law, with_rows: bool) -> String {
    let rows = law.rows();
    let mut known: BTreeSet<&str> = rows.iter().map(|row| row.code.as_str()).collect();
    known.extend(WITHOUT_A_ROW);
    let mut entities = Vec::new();
    for medium in MEDIA {
        let asking = |least| known.iter().filter(|code| law.asks(code, medium) >= least).collect::<Vec<_>>();
        let by_evidence = |least| {
            let floors = EVIDENCE.into_iter().zip(law.floors()).chain([("nothing", law.default_asks())]);
            floors.filter(|(_, asks)| *asks >= least).map(|(name, _)| name).collect::<Vec<_>>()
        };
        entities.push(json!({
            "uid": { "type": "Medium", "id": medium },
            "attrs": {
                "known": known,
                "notice": asking(2),
                "express": asking(3),
                "noticeByEvidence": by_evidence(2),
                "expressByEvidence": by_evidence(3),
            },
            "parents": [],
        }));
    }
    for row in rows.iter().filter(|_| with_rows) {
        let asks: serde_json::Map<String, Value> =
            MEDIA.into_iter().zip(row.asks).map(|(medium, asks)| (medium.into(), asks.into())).collect();
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
    let strings = |words: BTreeSet<&str>| {
        let each = words.into_iter().map(|word| RestrictedExpression::new_string(word.into()));
        RestrictedExpression::new_set(each)
    };
    let numbers = |numbers: Vec<i64>| {
        RestrictedExpression::new_set(numbers.into_iter().map(RestrictedExpression::new_long))
    };
    let context = Context::from_pairs([
        ("places".to_string(), strings(words.places)),
        ("evidence".to_string(), strings(words.evidence)),
        ("here".to_string(), numbers(words.here)),
        ("asserted".to_string(), numbers(words.asserted)),
        ("prompted".to_string(), numbers(words.prompted)),
        ("express".to_string(), numbers(words.express)),
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
