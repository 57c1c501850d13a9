//! What Kazoo's documents say of recording.
//!
//! The documents themselves may hold anything else, which is not read. Their `call_recording` is closed, as Kazoo's
//! own schemas are: an unknown member, a value of another type or out of range is a mistake.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An account's document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "KazooAccount"))]
pub struct AccountDocument {
    /// Its recording settings.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub call_recording: Option<AccountRecording>,
}

/// An account's recording settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "KazooAccountRecording"))]
#[serde(deny_unknown_fields)]
pub struct AccountRecording {
    /// For the account's calls, whoever makes them.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub account: Option<CallRecording>,
    /// For each endpoint, unless its user or device says otherwise.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<CallRecording>,
}

/// A user's document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "KazooUser"))]
pub struct UserDocument {
    /// Its recording settings.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub call_recording: Option<CallRecording>,
    /// The setting of older releases, which counts only without `call_recording`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_call: Option<Legacy>,
}

/// A device's document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "KazooDevice"))]
pub struct DeviceDocument {
    /// Its recording settings.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub call_recording: Option<CallRecording>,
    /// The setting of older releases, which counts only without `call_recording`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_call: Option<Legacy>,
    /// The id of the user who owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
}

/// Recording settings by direction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "KazooCallRecording"))]
#[serde(deny_unknown_fields)]
pub struct CallRecording {
    /// In both directions, unless the direction says otherwise.
    #[serde(default, deserialize_with = "object", skip_serializing_if = "Member::is_absent")]
    pub any: Member<Source>,
    /// Calls to the account or endpoint.
    #[serde(default, deserialize_with = "object", skip_serializing_if = "Member::is_absent")]
    pub inbound: Member<Source>,
    /// Calls from it.
    #[serde(default, deserialize_with = "object", skip_serializing_if = "Member::is_absent")]
    pub outbound: Member<Source>,
}

impl CallRecording {
    /// Whether it is `{}`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == CallRecording::default()
    }
}

/// Recording settings by network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "KazooRecordingSource"))]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// For both networks, unless the network says otherwise.
    #[serde(default, deserialize_with = "object", skip_serializing_if = "Member::is_absent")]
    pub any: Member<Parameters>,
    /// The other side is in the account.
    #[serde(default, deserialize_with = "object", skip_serializing_if = "Member::is_absent")]
    pub onnet: Member<Parameters>,
    /// The other side is outside of it.
    #[serde(default, deserialize_with = "object", skip_serializing_if = "Member::is_absent")]
    pub offnet: Member<Parameters>,
}

/// How to record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "KazooRecordingParameters"))]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Whether to; by default, not.
    #[serde(default, skip_serializing_if = "Member::is_absent")]
    pub enabled: Member<bool>,
    /// The file's format.
    #[serde(default, skip_serializing_if = "Member::is_absent")]
    pub format: Member<Format>,
    /// How many seconds a recording must have in order to be kept.
    #[serde(default, skip_serializing_if = "Member::is_absent")]
    pub record_min_sec: Member<i64>,
    /// To start when the leg is answered.
    #[serde(default, skip_serializing_if = "Member::is_absent")]
    pub record_on_answer: Member<bool>,
    /// To start when the leg is bridged.
    #[serde(default, skip_serializing_if = "Member::is_absent")]
    pub record_on_bridge: Member<bool>,
    /// Samples per second.
    #[serde(default, skip_serializing_if = "Member::is_absent")]
    pub record_sample_rate: Member<i64>,
    /// The longest time, in seconds.
    #[serde(default, skip_serializing_if = "Member::is_absent")]
    pub time_limit: Member<TimeLimit>,
    /// Where the file is sent.
    #[serde(default, skip_serializing_if = "Member::is_absent")]
    pub url: Member<Target>,
}

/// A member of a document. `null` says something else than no member: it removes what it meets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Member<T> {
    /// There is none.
    #[default]
    Absent,
    /// It is `null`.
    Null,
    /// It has this value.
    Is(T),
}

impl<T> Member<T> {
    /// Its value, if it has one.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        match self {
            Member::Is(value) => Some(value),
            Member::Absent | Member::Null => None,
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Member::Absent)
    }
}

impl<T> From<Option<T>> for Member<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Member::Null, Member::Is)
    }
}

impl<T: Serialize> Serialize for Member<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Member::from)
    }
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Member<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Option::<T>::json_schema(generator)
    }
}

/// A file's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "KazooRecordingFormat"))]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// MP3.
    Mp3,
    /// WAV.
    Wav,
}

/// The method of the request that sends a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "KazooRecordingMethod"))]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// `PUT`.
    #[default]
    Put,
    /// `POST`.
    Post,
}

/// The longest time that is recorded: 5 to 10,800 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TimeLimit(i64);

impl TimeLimit {
    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for TimeLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = i64::deserialize(deserializer)?;
        match (5..=super::TIME_LIMIT).contains(&seconds) {
            true => Ok(TimeLimit(seconds)),
            false => Err(D::Error::custom(format!(
                "{seconds} is out of range, expected 5 to {} (seconds)",
                super::TIME_LIMIT
            ))),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for TimeLimit {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "TimeLimit".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "integer", "minimum": 5, "maximum": 10800})
    }
}

/// Where a file is sent: an `http` or `https` URL.
///
/// INVARIANT: it holds no user, password or query value, since these are masked as it is read. A secret in its path
/// cannot be told from a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Target(String);

impl Target {
    /// Reads a URL, and masks it.
    ///
    /// # Errors
    ///
    /// What is expected instead. The URL is not repeated, since it may hold a secret.
    pub fn parse(url: &str) -> Result<Target, &'static str> {
        let is_odd = |char: char| char.is_whitespace() || char.is_control() || char == '\\';
        let (scheme, rest) = url.split_once("://").ok_or(EXPECTED)?;
        let scheme = scheme.to_ascii_lowercase();
        if url.len() > MAX_URL || url.contains(is_odd) || !["http", "https"].contains(&scheme.as_str()) {
            return Err(EXPECTED);
        }
        // It is not sent.
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (authority, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
        let (user, host) =
            authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        // What follows a colon has to be a port: Kazoo would also read `user@password:host`.
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !host.ends_with(']') => (name, port),
            Some(_) | None => (host, "0"),
        };
        if name.is_empty() || port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(EXPECTED);
        }
        let mut shown = format!("{scheme}://");
        if user.is_some() {
            shown.push_str(MASK);
            shown.push('@');
        }
        shown.push_str(host);
        if let Some(path) = path {
            shown.push('/');
            shown.push_str(path);
        }
        let mut before = '?';
        for pair in query.into_iter().flat_map(|query| query.split('&')) {
            shown.push(before);
            before = '&';
            match pair.split_once('=') {
                Some((name, "")) => shown.extend([name, "="]),
                Some((name, _)) => shown.extend([name, "=", MASK]),
                // A name without a value may be a secret itself.
                None if pair.is_empty() => {}
                None => shown.push_str(MASK),
            }
        }
        Ok(Target(shown))
    }

    /// It, with `***` for whatever may be a secret.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Target::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Target {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "RecordingTarget".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "maxLength": MAX_URL,
            "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://",
            "description": "an `http` or `https` URL; whatever in it may be a secret is shown as `***`",
        })
    }
}

/// The setting of older releases: `true`, or an object that says so and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Legacy {
    /// Whether calls are recorded: all of them.
    pub records: bool,
    /// How.
    pub parameters: Parameters,
}

/// The object that [`Legacy`] may be. Anything else in it is not read.
#[derive(Default, Serialize, Deserialize)]
struct LegacyObject {
    #[serde(default, deserialize_with = "or_false")]
    record_call: bool,
    #[serde(default, skip_serializing_if = "Member::is_absent")]
    format: Member<Format>,
    #[serde(default, skip_serializing_if = "Member::is_absent")]
    record_min_sec: Member<i64>,
    #[serde(default, skip_serializing_if = "Member::is_absent")]
    time_limit: Member<TimeLimit>,
    #[serde(default, skip_serializing_if = "Member::is_absent")]
    url: Member<Target>,
}

fn or_false<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Serialize for Legacy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Parameters { format, record_min_sec, time_limit, url, .. } = self.parameters.clone();
        if self.parameters == Parameters::default() {
            return serializer.serialize_bool(self.records);
        }
        LegacyObject { record_call: self.records, format, record_min_sec, time_limit, url }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Legacy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagOrObject;

        impl<'de> Visitor<'de> for FlagOrObject {
            type Value = Legacy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or an object")
            }

            fn visit_bool<E: Error>(self, records: bool) -> Result<Legacy, E> {
                Ok(Legacy { records, parameters: Parameters::default() })
            }

            fn visit_map<M: MapAccess<'de>>(self, members: M) -> Result<Legacy, M::Error> {
                let LegacyObject { record_call, format, record_min_sec, time_limit, url } =
                    LegacyObject::deserialize(MapAccessDeserializer::new(members))?;
                let parameters =
                    Parameters { format, record_min_sec, time_limit, url, ..Parameters::default() };
                Ok(Legacy { records: record_call, parameters })
            }
        }

        deserializer.deserialize_any(FlagOrObject)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Legacy {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "LegacyRecordCall".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["boolean", "object"]})
    }
}

/// As [`optional_object`], where `null` is told from nothing.
fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Member<T>, D::Error> {
    optional_object(deserializer).map(Member::from)
}

/// Reads an object, or `null`, which is the same as nothing. By itself serde would also read an array.
///
/// # Errors
///
/// If it is something else.
pub fn optional_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    struct Object<T>(T);

    struct Members<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
        type Value = Object<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(self, members: M) -> Result<Object<T>, M::Error> {
            T::deserialize(MapAccessDeserializer::new(members)).map(Object)
        }
    }

    impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Members(PhantomData))
        }
    }

    let object: Option<Object<T>> = Option::deserialize(deserializer)?;
    Ok(object.map(|object| object.0))
}

const EXPECTED: &str = "expected an `http` or `https` URL of at most 2048 bytes, with a host, without spaces";
/// The longest URL, in bytes.
const MAX_URL: usize = 2048;
/// What is shown in place of a secret.
const MASK: &str = "***";
