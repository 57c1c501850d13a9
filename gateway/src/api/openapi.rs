//! `GET /openapi.json`: the API, described from the table of routes and the types of its bodies.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use schemars::SchemaGenerator;
use schemars::generate::{Contract, SchemaSettings};
use serde_json::{Map, Value, json};

use super::routes::{Body, Content, Route, Shape, TABLE};
use super::{Code, all_codes};
use crate::access::Role;

/// The OpenAPI 3.1 document.
#[must_use]
pub fn document() -> &'static Value {
    &DOCUMENT
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| Describer::new().document());

/// Describes routes, and gathers the types that they name.
struct Describer {
    /// Of what is sent.
    requests: SchemaGenerator,
    /// Of what is answered: there, nothing that is always written is missing.
    answers: SchemaGenerator,
}

impl Describer {
    fn new() -> Describer {
        let generator = |contract: Contract| {
            let mut settings = SchemaSettings::draft2020_12();
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
            settings.contract = contract;
            settings.into_generator()
        };
        Describer { requests: generator(Contract::Deserialize), answers: generator(Contract::Serialize) }
    }

    fn document(mut self) -> Value {
        let mut paths: Map<String, Value> = Map::new();
        let mut tags = BTreeSet::new();
        for route in TABLE.iter() {
            tags.insert(route.tag);
            let path = paths.entry(described_path(route)).or_insert_with(|| json!({}));
            if let Value::Object(operations) = path {
                operations.insert(route.method.to_lowercase(), self.operation(route));
            }
        }
        let mut schemas = self.answers.take_definitions(true);
        schemas.extend(self.requests.take_definitions(true));
        schemas.insert("Problem".into(), problem());
        let mut document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Consent Gateway",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "A policy proxy in front of a recording store: no consent, no bytes.",
                "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
            },
            "servers": [{"url": "/", "description": "this gateway"}],
            "tags": tags.into_iter().map(|tag| json!({"name": tag})).collect::<Vec<_>>(),
            "security": [{"basic": []}],
            "paths": paths,
            "components": {
                "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
                "schemas": schemas,
            },
        });
        name_words(&mut document);
        document
    }

    fn operation(&mut self, route: &Route) -> Value {
        let roles: Vec<&str> = route.roles.iter().copied().map(Role::as_str).collect();
        let mut operation = json!({
            "operationId": operation_id(route),
            "summary": route.summary.trim_end_matches('.'),
            "tags": [route.tag],
            "x-roles": roles,
            "parameters": self.parameters(route),
            "responses": self.responses(route),
        });
        if let Value::Object(members) = &mut operation {
            if route.roles.is_empty() {
                members.insert("security".into(), json!([]));
            }
            if let Some(body) = &route.body {
                members.insert("requestBody".into(), self.request(route, body));
            }
        }
        operation
    }

    fn parameters(&mut self, route: &Route) -> Vec<Value> {
        let in_path = route.path.split('/').filter_map(|word| word.strip_prefix('{')?.strip_suffix('}'));
        let mut parameters: Vec<Value> = in_path
            .map(|name| {
                let name = name.trim_start_matches('*');
                let (says, example) = path_parameter(name);
                json!({
                    "name": name, "in": "path", "required": true, "description": says, "example": example,
                    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
                })
            })
            .collect();
        if let Some(shape) = route.query {
            parameters.extend(queries(shape, &mut self.requests));
        }
        parameters.extend(route.headers.iter().map(|(name, says)| {
            json!({"name": name, "in": "header", "required": false, "description": says, "schema": {"type": "string"}})
        }));
        parameters
    }

    fn request(&mut self, route: &Route, body: &Body) -> Value {
        match body {
            Body::Json { shape, required } => {
                let schema = shape(&mut self.requests);
                let mut content = json!({"schema": schema});
                if let (Some(example), Value::Object(members)) = (example(route), &mut content) {
                    members.insert("example".into(), example);
                }
                json!({"required": required, "content": {"application/json": content}})
            }
            Body::File(media_types) => {
                let binary = json!({"schema": {"type": "string", "format": "binary"}});
                let content: Map<String, Value> =
                    media_types.iter().map(|one| ((*one).to_owned(), binary.clone())).collect();
                json!({
                    "required": true,
                    "description": "WAV (PCM, G.711, GSM 6.10), MP3 or Ogg, as a whole",
                    "content": content,
                })
            }
        }
    }

    fn responses(&mut self, route: &Route) -> Map<String, Value> {
        let mut responses: Map<String, Value> = route
            .answers
            .iter()
            .map(|(status, says, content)| (status.to_string(), self.answer(says, content)))
            .collect();
        for (status, says) in REFUSALS {
            if !route.roles.is_empty() && may_refuse(route, status) {
                responses.insert(
                    status.to_string(),
                    json!({
                        "description": says,
                        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                    }),
                );
            }
        }
        responses
    }

    fn answer(&mut self, says: &str, content: &Content) -> Value {
        let schema = content.shape.map(|shape| json!(shape(&mut self.answers)));
        let of = |index: usize, media_type: &str| match &schema {
            Some(schema) if index == 0 => json!({"schema": schema}),
            _ if media_type.starts_with("text/") || media_type.ends_with("jsonl") => {
                json!({"schema": {"type": "string"}})
            }
            _ => json!({"schema": {"type": "string", "format": "binary"}}),
        };
        let described: Map<String, Value> = content
            .media_types
            .iter()
            .enumerate()
            .map(|(index, media_type)| ((*media_type).to_owned(), of(index, media_type)))
            .collect();
        if described.is_empty() {
            json!({"description": says})
        } else {
            json!({"description": says, "content": described})
        }
    }
}

/// The path as OpenAPI writes it, which knows no parameter that holds slashes.
fn described_path(route: &Route) -> String {
    route.path.replace("{*", "{")
}

fn operation_id(route: &Route) -> String {
    let words =
        route.path.split(['/', '{', '}', '.', '-', '*']).filter(|word| !word.is_empty() && *word != "v1");
    let path: Vec<&str> = words.collect();
    format!("{}_{}", route.method.to_lowercase(), path.join("_"))
}

/// What a parameter in a path is, with an example.
fn path_parameter(name: &str) -> (&'static str, &'static str) {
    match name {
        "call" => ("the platform's id of the call, or an alias", "call-1"),
        "name" => ("the name of the recording, unique on its call", "main"),
        "code" => ("ISO 3166-1 alpha-2 or ISO 3166-2", "US-CA"),
        "version" => ("the number of a version, or `in-force`", "1"),
        "proposal" => ("the id of a proposal", "0191e2a0-7a4c-7000-8000-000000000000"),
        "person" => ("the id of a person", "0191e2a0-7a4c-7000-8000-000000000000"),
        "log" => ("the name of a log: its account, and behind a dot its epoch, from the second on", "acme"),
        "path" => ("where the tile lies, by C2SP tlog-tiles; slashes stay as they are", "0/000"),
        _ => ("its id", "0191e2a0-7a4c-7000-8000-000000000000"),
    }
}

/// The members of a query, each a parameter.
fn queries(shape: Shape, generator: &mut SchemaGenerator) -> Vec<Value> {
    let schema = json!(shape(generator));
    let required = |name: &str| {
        schema.get("required").and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == name))
    };
    let members = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let parameter = |(name, member): (&String, &Value)| {
        let mut member = member.clone();
        without_null(&mut member);
        let says = member.as_object_mut().and_then(|member| member.remove("description"));
        json!({"name": name, "in": "query", "required": required(name), "schema": member, "description": says})
    };
    members.map(parameter).collect()
}

/// In a query, what is not there is left out.
fn without_null(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    members.remove("default");
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            members.insert("type".into(), one);
        }
    }
    if let Some(Value::Array(choices)) = members.remove("anyOf")
        && let Some(Value::Object(choice)) =
            choices.into_iter().find(|one| one.get("type") != Some(&json!("null")))
    {
        members.extend(choice);
    }
}

/// Vocabularies as lists of words: what is a choice of single words is an enumeration.
fn name_words(schema: &mut Value) {
    if let Value::Array(items) = schema {
        items.iter_mut().for_each(name_words);
    }
    let Value::Object(members) = schema else { return };
    members.values_mut().for_each(name_words);
    let Some(Value::Array(choices)) = members.get("oneOf") else { return };
    let mut words = Vec::new();
    let mut says = Vec::new();
    for choice in choices {
        let several = choice.get("enum").and_then(Value::as_array).cloned();
        let Some(these) = choice.get("const").map(|word| vec![word.clone()]).or(several) else { return };
        if let (Some(word), Some(text)) =
            (these.first().and_then(Value::as_str), choice.get("description").and_then(Value::as_str))
        {
            says.push(format!("- `{word}`: {text}"));
        }
        words.extend(these);
    }
    if !words.iter().all(Value::is_string) {
        return;
    }
    members.remove("oneOf");
    members.insert("type".into(), json!("string"));
    members.insert("enum".into(), Value::Array(words));
    if !says.is_empty() {
        let before = members.get("description").and_then(Value::as_str).map(|text| format!("{text}\n\n"));
        members.insert(
            "description".into(),
            json!(format!("{}{}", before.unwrap_or_default(), says.join("\n"))),
        );
    }
}

/// Whether a route may answer with a refusal of this status.
fn may_refuse(route: &Route, status: u16) -> bool {
    let (takes, changes) = (route.body.is_some(), route.method != "GET");
    route.refusals.contains(&status)
        || match status {
            400 | 401 | 403 | 429 | 500 | 503 => true,
            404 => route.path.contains('{'),
            408 | 413 | 415 | 501 => takes,
            422 => takes || changes || route.query.is_some(),
            _ => false,
        }
}

const REFUSALS: [(u16, &str); 15] = [
    (400, "the request cannot be read"),
    (401, "no credentials, or wrong ones"),
    (403, "the role may not, or the law is against it"),
    (404, "no such thing, or another account's"),
    (408, "the body came too slowly"),
    (409, "it contradicts what is there"),
    (410, "it was deleted"),
    (413, "the body is too large"),
    (415, "the body is of a kind that is not taken"),
    (416, "the range lies outside"),
    (422, "the request can be read, and something in it is wrong"),
    (429, "too many wrong attempts"),
    (500, "a fault of the gateway: nothing was done"),
    (501, "a transfer coding other than `chunked`"),
    (503, "nothing was done; try again"),
];

fn problem() -> Value {
    let text = |says: &str| json!({"type": "string", "description": says});
    let codes: Vec<Code> = all_codes().collect();
    let words: Vec<&str> = codes.iter().map(|one| one.code).collect();
    json!({
        "type": "object",
        "description": "A problem (RFC 9457). `x-codes` says what each code means, and what is beside it.",
        "x-codes": codes,
        "required": ["type", "title", "status", "code", "detail", "instance"],
        "properties": {
            "type": text("always `about:blank`"),
            "title": text("the status in words"),
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "code": {"type": "string", "description": "what is wrong, for programs", "enum": words},
            "detail": text("what is wrong and what to do, for people"),
            "instance": {
                "type": "string", "format": "uri", "pattern": "^urn:uuid:",
                "description": "this answer: `X-Request-Id` as a URI, and `request` in the lines of the gateway's own log",
            },
        },
    })
}

/// What could be sent.
fn example(route: &Route) -> Option<Value> {
    let caller = json!({"id": "caller", "role": "customer", "number": "+14155550123", "languages": ["en"]});
    Some(match (route.method, route.path) {
        ("PUT", "/v1/calls/{call}") => json!({
            "medium": "telephone", "direction": "inbound", "purposes": ["quality"],
            "participants": [caller, {"id": "agent", "role": "agent", "location": "US-CA"}],
        }),
        ("POST", "/v1/calls/{call}/participants") => caller,
        ("POST", "/v1/calls/{call}/events") => json!({
            "type": "prompt.completed", "prompt": "welcome", "participants": ["caller", "agent"], "played_ms": 4000,
        }),
        ("POST", "/v1/calls/{call}/recording") => json!({"action": "start"}),
        ("PUT", "/v1/prompts/{id}") => json!({
            "text": "This call is recorded.", "language": "en", "duration_ms": 4000, "purposes": ["quality"],
            "says": {"recording": "this call is recorded"},
        }),
        ("PUT", "/v1/consent-grants/{id}") => {
            json!({"subject": "agent", "role": "agent", "basis": "contract of employment", "written": true})
        }
        ("POST", "/v1/erasures") => {
            json!({"number": "+14155550123", "recordings": "delete", "reason": "they asked for it"})
        }
        ("PUT", "/v1/law") => json!({"overlays": [], "public_safety": false, "reason": "as counsel advised"}),
        ("POST", "/v1/jurisdictions/check" | "/v1/jurisdictions/proposals") => {
            json!({"table": "[default]\nparties = \"all\"\n", "reason": "a new statute"})
        }
        (_, path) if path.starts_with("/v1/jurisdictions/proposals/") || path.starts_with("/v1/people/") => {
            json!({"reason": "read, and agreed"})
        }
        _ => return None,
    })
}
