//! Requests about a Kazoo platform's own recording settings.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use policy::scope::action::{ByKey, RecordCall, RecordCaller};
use policy::scope::document::{AccountDocument, DeviceDocument, UserDocument, optional_object};
use policy::scope::{Line, Network};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Object, or_default};
use trail::OnUnasked;

/// `POST /v1/recording-scope`: a call, and the documents that are about it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(rename = "RecordingScopeAsked")]
#[serde(deny_unknown_fields)]
pub struct RecordingScope {
    /// Which Kazoo routes it; by default, the one of the account's recording settings.
    #[serde(default)]
    pub line: Option<Line>,
    /// The account's document; by default, the one in the account's recording settings.
    #[serde(default, deserialize_with = "optional_object")]
    pub account: Option<AccountDocument>,
    /// The user's document, or a user's id in the account's recording settings; by default, the user who owns the
    /// device there.
    #[serde(default)]
    pub user: Option<Named<UserDocument>>,
    /// The device's document, or a device's id in the account's recording settings.
    #[serde(default)]
    pub device: Option<Named<DeviceDocument>>,
    /// The endpoint that is called; by default, `user` and `device` are those of the caller and of the callee.
    #[serde(default, deserialize_with = "optional_object")]
    pub destination: Option<Destination>,
    /// Where the caller is.
    pub from: Network,
    /// Where the callee is.
    pub to: Network,
    /// The data of a callflow's `record_call`.
    #[serde(default, deserialize_with = "optional_object")]
    pub record_call: Option<RecordCall>,
    /// The data of a callflow's `record_caller`.
    #[serde(default, deserialize_with = "optional_object")]
    pub record_caller: Option<RecordCaller>,
    /// The data of a metaflow's `record_call`.
    #[serde(default, deserialize_with = "optional_object")]
    pub metaflow: Option<ByKey>,
}

/// The endpoint that is called.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(rename = "CalledEndpoint")]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// The user's document, or a user's id in the account's recording settings.
    #[serde(default)]
    pub user: Option<Named<UserDocument>>,
    /// The device's document, or a device's id in the account's recording settings.
    #[serde(default)]
    pub device: Option<Named<DeviceDocument>>,
}

/// A document, or the id of one that is kept.
#[derive(Debug, Clone)]
pub enum Named<T> {
    /// The id.
    Id(String),
    /// The document.
    Document(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdOrObject<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for IdOrObject<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object, or the id of a document that is kept")
            }

            fn visit_str<E: Error>(self, id: &str) -> Result<Named<T>, E> {
                Ok(Named::Id(id.to_owned()))
            }

            fn visit_map<M: MapAccess<'de>>(self, members: M) -> Result<Named<T>, M::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Named::Document)
            }
        }

        deserializer.deserialize_any(IdOrObject(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let document = generator.subschema_for::<T>();
        json_schema!({"anyOf": [{"type": "string"}, document]})
    }
}

/// `PUT /v1/recording-settings`: a platform's documents. Of each, only what says which calls are recorded is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordingSettings {
    /// Which Kazoo they are for.
    pub line: Line,
    /// The account's document.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountDocument>,
    /// The users' documents, by their ids.
    #[serde(default, deserialize_with = "by_id")]
    pub users: BTreeMap<String, UserDocument>,
    /// The devices' documents, by their ids; `owner_id` says whose they are.
    #[serde(default, deserialize_with = "by_id")]
    pub devices: BTreeMap<String, DeviceDocument>,
    /// What becomes of a recording that Kazoo sends and that these settings do not ask for: by default, the same as of any
    /// other.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "OnUnasked::is_off")]
    pub unasked: OnUnasked,
}

fn by_id<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    let documents: Option<BTreeMap<String, Object<T>>> = Option::deserialize(deserializer)?;
    Ok(documents.unwrap_or_default().into_iter().map(|(id, document)| (id, document.0)).collect())
}

/// The largest size of an account's recording settings, in bytes, as far as they are kept.
pub const MAX_SETTINGS: usize = 256 * 1024;
