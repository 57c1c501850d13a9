//! The configuration, and what the tests of all anchors share: [`server`] and [`log`].

use super::*;

pub(in crate::anchor) mod log;
pub(in crate::anchor) mod server;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sections {
    #[serde(default)]
    witness: Vec<WitnessConfig>,
    #[serde(default)]
    timestamp: Vec<TimestampConfig>,
    write_once: Option<WriteOnceConfig>,
}

fn read(text: &str) -> Result<Sections, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn every_key_of_the_configuration_is_read() {
    let key = log::cosigner("w.example/1").cosigner();
    let sections = read(&format!(
        r#"
        [[witness]]
        name = "first"
        key = "{key}"
        url = "https://w.example/log/"

        [[timestamp]]
        url = "https://tsa.example/"
        [[timestamp]]
        url = "http://127.0.0.1:318/tsr"
        every_seconds = 60

        [write_once]
        bucket = "heads"
        prefix = "gateway"
        endpoint = "https://s3.example:9000"
        region = "eu-1"
        access_key = "k"
        secret_key = "hidden"
        "#
    ))
    .unwrap();
    assert_eq!(sections.witness[0].name, "first");
    assert_eq!(sections.witness[0].key, key);
    assert_eq!(sections.witness[0].url.to_string(), "https://w.example/log/");
    let every: Vec<u64> = sections.timestamp.iter().map(|timestamp| timestamp.every_seconds).collect();
    assert_eq!(every, [3600, 60]);
    let Some(WriteOnceConfig::Bucket(bucket)) = &sections.write_once else { panic!("{sections:?}") };
    assert_eq!((bucket.region.as_str(), bucket.allow_http), ("eu-1", false));
    assert!(!format!("{sections:?}").contains("hidden"));
}

#[test]
fn a_directory_needs_nothing_else() {
    let sections = read("write_once = { directory = '/mnt/heads' }").unwrap();
    assert!(matches!(sections.write_once, Some(WriteOnceConfig::Directory(_))));
}

#[test]
fn what_makes_no_sense_is_refused_with_a_hint() {
    let of_log = log::log_key().verifier();
    for (text, hint) in [
        ("write_once = {}", "needs `directory` or `bucket`"),
        ("write_once = { directory = 'd', bucket = 'b' }", "keep one"),
        ("write_once = { directory = 'd', region = 'r' }", "`region` belongs to a `bucket`"),
        ("write_once = { bucket = 'b', access_key = 'k' }", "go together"),
        ("write_once = { bucket = 'b', colour = 'red' }", "unknown field `colour`"),
        ("timestamp = [{ url = 'http://tsa.example/' }]", "plain `http` is for this machine only"),
        ("timestamp = [{ url = 'https://tsa.example/', key = '' }]", "unknown field `key`"),
        ("witness = [{ name = 'w', key = 'abc', url = 'https://w.example' }]", "verifier key"),
        ("witness = [{ name = 'w', url = 'https://w.example' }]", "missing field `key`"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(hint), "{text}: {error}");
    }
    // Well formed, but of the wrong kind: refused when the witness is made.
    read(&format!("witness = [{{ name = 'w', key = '{of_log}', url = 'https://w.example' }}]")).unwrap();
}

#[test]
fn half_a_credential_is_never_completed_from_the_environment() {
    let environment = |name: &str| Some(format!("{name} of the environment"));
    let mut config = bucket();
    assert_eq!(config.credentials(environment).unwrap().0, "AWS_ACCESS_KEY_ID of the environment");
    assert!(config.credentials(|_| None).is_none());
    assert!(config.credentials(|name| (name == ACCESS_KEY).then(String::new)).is_none());
    config.access_key = Some("k".into());
    assert!(config.credentials(environment).is_none());
    config.secret_key = Some(SecretKey::from("s".to_owned()));
    assert_eq!(config.credentials(environment).unwrap().1.as_str(), "s");
}

#[test]
fn a_bucket_is_reached_in_plain_text_only_where_that_is_meant() {
    for (endpoint, allow_http, secure) in [
        (None, false, Some(true)),
        (None, true, Some(true)),
        (Some("https://s3.example"), false, Some(true)),
        (Some("https://s3.example"), true, Some(true)),
        (Some("http://s3.example"), false, None),
        (Some("http://s3.example"), true, Some(false)),
        (Some("http://127.0.0.1:9000"), false, Some(false)),
        (Some("http://127.0.0.1.example"), false, None),
        (Some("s3.example"), true, None),
    ] {
        let config = BucketConfig { endpoint: endpoint.map(Into::into), allow_http, ..bucket() };
        assert_eq!(config.secure().ok(), secure, "{endpoint:?} {allow_http}");
    }
}

fn bucket() -> BucketConfig {
    BucketConfig {
        bucket: "heads".into(),
        prefix: String::new(),
        endpoint: None,
        region: "us-east-1".into(),
        access_key: None,
        secret_key: None,
        allow_http: false,
    }
}
