//! Schemas of Rust types, in the form that client generators handle best.

use serde_json::{Map, Value, json};

type Schemas = Map<String, Value>;

/// Schemas of answers: optional members are never null, and nothing has a default.
pub(super) fn of_answers(schemas: Schemas) -> Schemas {
    mended(schemas, &|_, member, required| {
        let may_be_null = member.as_object_mut().and_then(|member| member.remove(NULLABLE)).is_some();
        if !required && !may_be_null {
            without_null(member);
        }
        if let Value::Object(member) = member {
            member.remove("default");
        }
    })
}

/// Schemas of requests: null means left out.
pub(super) fn of_requests(schemas: Schemas) -> Schemas {
    mended(schemas, &|_, member, required| {
        if !required {
            with_null(member);
        }
    })
}

/// Marks a member of an answer that may be left out or null.
const NULLABLE: &str = "x-nullable";

type OfMember<'f> = &'f dyn Fn(&str, &mut Value, bool);

fn mended(mut schemas: Schemas, member: OfMember<'_>) -> Schemas {
    let mut choices = Schemas::new();
    for (name, schema) in &mut schemas {
        each_member(schema, member);
        name_words(schema);
        choices.extend(spread(name, schema));
    }
    schemas.extend(choices);
    schemas
}

/// Calls `member` for every member of every object, with whether it is required.
fn each_member(schema: &mut Value, member: OfMember<'_>) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| each_member(item, member)),
        Value::Object(members) => {
            members.values_mut().for_each(|below| each_member(below, member));
            let required = members.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            if let Some(Value::Object(properties)) = members.get_mut("properties") {
                for (name, schema) in properties {
                    member(name, schema, required.iter().any(|one| one == name));
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Removes null: an absent member is left out.
pub(super) fn without_null(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    members.remove("default");
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            members.insert("type".into(), one);
        }
    }
    if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type") != Some(&json!("null")));
        if let [Value::Object(one)] = choices.as_mut_slice() {
            let one = std::mem::take(one);
            members.remove("anyOf");
            members.extend(one);
        }
    }
}

fn with_null(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    // Client generators refuse an object as a default.
    if members.get("default").is_some_and(|default| default.is_null() || default.is_object()) {
        members.remove("default");
    }
    let null = json!({"type": "null"});
    if let Some(reference) = members.remove("$ref") {
        members.insert("anyOf".into(), json!([{"$ref": reference}]));
    }
    if let Some(Value::String(one)) = members.get("type") {
        members.insert("type".into(), json!([one, "null"]));
    }
    if let Some(Value::Array(choices)) = members.get_mut("anyOf")
        && !choices.contains(&null)
    {
        choices.push(null);
    }
}

/// Turns a choice of single words into an enumeration.
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

/// Splits a choice of objects into schemas of their own, each with a name and with all of its members: shared
/// members are repeated in each. Single words among them become one enumeration. Returns the new schemas.
fn spread(name: &str, schema: &mut Value) -> Schemas {
    let mut named = Schemas::new();
    let Value::Object(members) = schema else { return named };
    let Some(Value::Array(mut choices)) = members.remove("oneOf") else { return named };
    let shared = members.remove("properties").unwrap_or_default();
    let always = members.remove("required").unwrap_or_default();
    members.remove("type");
    // Either one member of all of them says which they are, or each has a member of its own.
    let says = |choice: &Value, tag: &str| {
        Some(choice.get("properties")?.get(tag)?.get("const")?.as_str()?.to_owned())
    };
    let first = choices.first().and_then(|choice| choice.get("properties")?.as_object());
    let mut tags = first.into_iter().flat_map(Map::keys);
    let tag = tags.find(|tag| choices.iter().all(|choice| says(choice, tag).is_some())).cloned();
    for choice in &mut choices {
        let word = tag.as_ref().and_then(|tag| says(choice, tag));
        let about = choice.get("description").cloned();
        let Some(Value::Object(own)) = choice.get_mut("properties") else { continue };
        let word = word.or_else(|| own.keys().next().cloned()).unwrap_or_default();
        let title = format!("{name}{}", capitals(&word));
        for member in own.values_mut() {
            if let (Some(about), None, Value::Object(member)) = (&about, &tag, &mut *member) {
                member.entry("description").or_insert_with(|| about.clone());
            }
            if member.get("properties").is_some() {
                refer(member, format!("{title}Facts"), &mut named);
            }
        }
        own.extend(shared.as_object().into_iter().flatten().map(|(name, one)| (name.clone(), one.clone())));
        if let (Some(Value::Array(required)), Value::Array(always)) = (choice.get_mut("required"), &always) {
            required.extend(always.iter().cloned());
        }
        refer(choice, title, &mut named);
    }
    // Client generators try one after the other, and some of them fail at a single word.
    let is_word = |choice: &&Value| choice.get("type") == Some(&json!("string"));
    let words = choices.iter().filter(is_word).flat_map(|choice| {
        choice
            .get("const")
            .into_iter()
            .chain(choice.get("enum").and_then(Value::as_array).into_iter().flatten())
    });
    let words: Vec<Value> = words.cloned().collect();
    choices.retain(|choice| !is_word(&choice));
    if !words.is_empty() {
        let mut word = json!({"type": "string", "enum": words});
        refer(&mut word, format!("{name}Word"), &mut named);
        choices.push(word);
    }
    members.insert("oneOf".into(), Value::Array(choices));
    named
}

/// Names a schema, and puts a reference in its place.
fn refer(schema: &mut Value, name: String, named: &mut Schemas) {
    let reference = json!({"$ref": format!("#/components/schemas/{name}")});
    named.insert(name, std::mem::replace(schema, reference));
}

/// `in-force` as `InForce`.
fn capitals(word: &str) -> String {
    let parts = word.split(|c: char| !c.is_ascii_alphanumeric());
    parts
        .flat_map(|part| {
            let mut letters = part.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect()
}
