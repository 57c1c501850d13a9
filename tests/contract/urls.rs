//! The URL of a PostgreSQL server: what is refused, and that nobody gets to read the password in it.

use std::process::{Command, Output};
use std::time::Instant;

use consent_gateway::config::{Config, LedgerUrl};
use consent_gateway::ledger::Ledger;
use tempfile::TempDir;

use crate::harness::PROGRAM;
use crate::postgres::Place;

const PASSWORD: &str = "hunter2-4711";

async fn refused(url: &str) -> String {
    let error = Ledger::open(TempDir::new().unwrap().path(), Some(url)).await.unwrap_err();
    let told = format!("{error} {error:?} {}", trail::chain::Chain(&error));
    assert!(!told.contains(PASSWORD), "{told}");
    told
}

#[tokio::test]
async fn what_is_no_url_of_a_postgresql_server_is_refused_and_not_repeated() {
    for url in [
        String::new(),
        "ledger.db".into(),
        format!("user:{PASSWORD}@host/database"),
        format!("mysql://user:{PASSWORD}@host/database"),
        format!("sqlite://{PASSWORD}"),
        format!("postgres://user:{PASSWORD}@host:port/database"),
        format!("postgres://user:{PASSWORD}/@host/database"),
        format!("postgres://user:{PASSWORD}#@host/database"),
        format!("postgres://user:a?{PASSWORD}=@host/database"),
        format!("postgres://user@host/database?pasword={PASSWORD}"),
        format!("postgres://user@host/database?{PASSWORD}"),
        format!("postgres://user:{PASSWORD}@host/database?sslmode=perhaps"),
        format!("postgres://user:{PASSWORD}@[::1/database"),
    ] {
        let told = refused(&url).await;
        assert!(told.contains("`ledger` is not a URL of a PostgreSQL server"), "{url}: {told}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_at_once() {
    let begun = Instant::now();
    let told = refused(&format!("postgres://user:{PASSWORD}@127.0.0.1:1/database")).await;
    assert!(told.contains("refused") && begun.elapsed().as_secs() < 20, "{told}");
    let told = refused(&format!("postgres://user:{PASSWORD}@localhost/database?host=/nowhere")).await;
    assert!(told.contains("No such file"), "{told}");
}

/// On the real server.
#[tokio::test]
async fn a_server_is_found_however_its_socket_is_written() {
    let place = Place::new().await;
    let (_, rest) = place.url.split_once('@').unwrap();
    let (_, rest) = rest.split_once('/').unwrap();
    let (database, query) = rest.split_once('?').unwrap();
    let host = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("host="))
        .expect("the tests' server is on a socket");
    let (user, quoted) = (&place.name, host.replace('/', "%2F"));
    let data = TempDir::new().unwrap();
    for url in [
        format!("postgres://{user}@localhost/{database}?host={host}"),
        format!("postgres://{user}@/{database}?host={host}"),
        format!("postgresql://{user}:unused@/{database}?host={quoted}"),
        format!("postgresql:///{database}?host={host}&user={user}"),
        format!("postgresql://?dbname={database}&host={quoted}&user={user}"),
        format!("postgres://{user}@{quoted}/{database}"),
        format!("postgres://{user}@:5432/{database}?host={host}"),
    ] {
        let ledger =
            Ledger::open(data.path(), Some(&url)).await.unwrap_or_else(|error| panic!("{url}: {error}"));
        assert!(Ledger::is_there(data.path(), Some(&url)).await.unwrap(), "{url}");
        ledger.close().await;
    }
    let told = refused(&format!("postgres://user:{PASSWORD}@one.example,two.example/database")).await;
    assert!(told.contains("several hosts"), "{told}");
    let told = refused("postgres:user@/database").await;
    assert!(told.contains("postgres://user@/database?host=/var/run/postgresql"), "{told}");
}

#[test]
fn a_configuration_does_not_show_the_url() {
    let url = format!("postgres://user:{PASSWORD}@host/database");
    let config = Config { ledger: Some(LedgerUrl::new(&url)), ..Config::default() };
    assert!(!format!("{config:?} {config:#?}").contains(PASSWORD));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.toml");
    for (line, text) in [
        (2, format!("log_json = true\nledger = \"{url}")),
        (1, format!("ledger = {url}")),
        (1, format!("ledger = '{url}' listen = 1")),
        (1, format!("ledgre = \"{url}\"")),
        (1, format!("connections = \"{url}\"")),
        (2, format!("\nledger = [\"{url}\"]")),
    ] {
        std::fs::write(&path, &text).unwrap();
        let error = Config::read(&path).unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(!told.contains(PASSWORD) && told.contains(&format!("line {line}")), "{text}: {told}");
    }
    std::fs::write(&path, format!("ledger = \"{url}\"")).unwrap();
    assert_eq!(Config::read(&path).unwrap().ledger, config.ledger);
}

fn program(args: &[&str], ledger: Option<&str>) -> Output {
    let mut command = Command::new("timeout");
    command.args(["240", PROGRAM]).args(args).env("RUST_LOG", "trace");
    if let Some(url) = ledger {
        command.env("CONSENT_GATEWAY_LEDGER", url);
    }
    command.output().unwrap()
}

fn told(output: &Output) -> String {
    let told = [output.stdout.as_slice(), &output.stderr].concat();
    let told = String::from_utf8(told).unwrap();
    assert!(!told.contains(PASSWORD), "{told}");
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_and_no_log_line_tells_the_password() {
    let place = Place::new().await;
    let url = place.url.replacen('@', &format!(":{PASSWORD}@"), 1);
    assert!(url.contains(PASSWORD));
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    for (args, ledger) in [
        (vec!["--help"], Some(url.as_str())),
        (vec!["serve", "--help"], Some(&url)),
        (vec!["account", "add", "acme", "--data", data, "--ledger", &url], None),
        (vec!["account", "list", "--data", data], Some(&url)),
        (vec!["check", "--data", data], Some(&url)),
        (vec!["check", "--data", data, "--json"], Some(&url)),
    ] {
        let output = program(&args, ledger);
        assert!(output.status.success(), "{args:?}: {}", told(&output));
        told(&output);
    }
    assert!(told(&program(&["account", "list", "--data", data], Some(&url))).contains("acme"));
    // It was the server that answered: nothing is in a file.
    assert!(!consent_gateway::ledger::file(data.as_ref()).exists());
    // Everything that is ever logged, and what ends a server that cannot reach its own.
    let script = "\"$@\" >out 2>&1 & until grep -q listening out; do kill -0 $! || break; sleep 0.1; done; \
                  kill -TERM $!; wait $!; cat out";
    let mut serving = Command::new("timeout");
    serving
        .args(["240", "sh", "-c", script, "sh", PROGRAM, "serve", "--listen", "127.0.0.1:0", "--data", data])
        .envs([("RUST_LOG", "trace"), ("CONSENT_GATEWAY_LEDGER", url.as_str())])
        .current_dir(dir.path());
    let served = told(&serving.output().unwrap());
    assert!(served.contains("listening") && served.contains("stopped"), "{served}");
    let wrong = format!("postgres://user:{PASSWORD}@127.0.0.1:1/database");
    let output = program(&["serve", "--data", data], Some(&wrong));
    assert!(!output.status.success() && told(&output).contains("refused"));
    // What is set but empty was meant to be something.
    let output = program(&["check", "--data", data], Some(""));
    assert!(!output.status.success() && told(&output).contains("`ledger` is not a URL"), "{}", told(&output));
}
