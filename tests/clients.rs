//! Clients that other people's programs make from the description of the API.
//!
//! `tests/run` installs those programs, and says in `GATEWAY_TEST_CLIENTS` where its Python environment is, and in
//! `GATEWAY_TEST_NODE` where its packages of Node are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use consent_gateway::access::Role;
use consent_gateway::api::routes::TABLE;
use consent_gateway::config::Config;
use consent_gateway::gate::{AccountSettings, NewCredential};
use consent_gateway::serve;
use serde_json::{Value, json};
use tempfile::TempDir;
use trail::Actor;
use trail::clock::Clock;

use crate::harness::{Process, add_account, customer_key, run, wav};

#[test]
fn redocly_finds_nothing_in_the_description() {
    let Some(redocly) = node("redocly") else { return };
    let dir = described();
    let mut lint = Command::new(redocly);
    lint.arg("lint").arg("openapi.json").arg("--config").arg(ours("redocly.yaml"));
    said(lint.current_dir(dir.path()).env("REDOCLY_TELEMETRY", "off"));
}

#[test]
fn a_typescript_program_compiles_with_the_generated_types() {
    let (Some(generate), Some(compile)) = (node("openapi-typescript"), node("tsc")) else { return };
    let dir = described();
    let told = said(Command::new(generate).args(["openapi.json", "-o", "api.d.ts"]).current_dir(dir.path()));
    assert!(!told.to_lowercase().contains("warn"), "{told}");
    std::fs::copy(ours("client.ts"), dir.path().join("client.ts")).unwrap();
    let strict =
        ["--noEmit", "--strict", "--noUnusedLocals", "--noUncheckedIndexedAccess", "--target", "es2022"];
    said(Command::new(compile).args(strict).arg("client.ts").current_dir(dir.path()));
}

#[tokio::test]
async fn a_generated_python_client_does_the_main_job() {
    let Some(python) = python() else { return };
    let gateway = Real::prepare().await;
    let (made, serving) = gateway.after_the_main_job(&python);
    assert!(made["recording"].is_string(), "{made}");
    drop(serving);
}

/// What a role may do is tried with what the schemas allow and with what they forbid, three times for each operation:
/// every answer is one that is described.
#[tokio::test]
async fn schemathesis_finds_nothing() {
    let Some(python) = python() else { return };
    if !crate::harness::slow() {
        eprintln!("skipped: GATEWAY_TEST_SLOW is not true");
        return;
    }
    let seed = crate::harness::seed();
    let gateway = Real::prepare().await;
    let (made, serving) = gateway.after_the_main_job(&python);
    drop(serving);
    // Where a recording is meant, it is the one that there is.
    let text = std::fs::read_to_string(gateway.described.path().join("openapi.json")).unwrap();
    let text = text.replace(EXAMPLE, made["recording"].as_str().unwrap());
    let document: Value = serde_json::from_str(&text).unwrap();
    std::fs::write(gateway.described.path().join("made.json"), text).unwrap();
    let mut tried = BTreeSet::new();
    // Whoever deletes comes last.
    for credential in &gateway.people {
        let role = credential.role.as_str();
        let paths = document["paths"].as_object().unwrap().values();
        let operations = paths.flat_map(|path| path.as_object().unwrap().values());
        let may = |one: &&Value| one["x-roles"].as_array().unwrap().iter().any(|may| may == role);
        let own = operations.filter(may).map(|one| one["operationId"].as_str().unwrap());
        let (again, new): (Vec<&str>, Vec<&str>) = own.partition(|id| !tried.insert(id.to_string()));
        // Wrong passwords are counted, so that each operation is tried with them once, at a gateway that has counted none.
        for (own, checks) in [(new, &[][..]), (again, &["--exclude-checks", "ignored_auth"])] {
            if own.is_empty() {
                continue;
            }
            let serving = gateway.serve();
            let mut schemathesis = Command::new(python.join("st"));
            schemathesis.arg("--config-file").arg(ours("schemathesis.toml"));
            schemathesis.args(["run", "made.json", "--no-color", "--max-examples", "3", "--warnings", "off"]);
            schemathesis.args(["--phases", "examples,coverage,fuzzing", "--seed", &seed.to_string()]);
            schemathesis.args(["--url", &format!("http://{}", serving.address)]).args(checks);
            schemathesis
                .args(["--auth", &format!("{}:{}", credential.username, credential.password.expose())]);
            schemathesis.args(own.iter().flat_map(|id| ["--include-operation-id", id]));
            schemathesis.env("PYTHONPATH", ours("")).env("PYTHONDONTWRITEBYTECODE", "1");
            eprintln!("schemathesis as `{role}` of `{}`: {} operations", credential.account, own.len());
            said(schemathesis.current_dir(gateway.described.path()));
        }
    }
    assert_eq!(tried.len(), TABLE.len() - 3, "every operation but those that are open to everybody");
}

/// What stands in the description where a gateway would have minted an id.
const EXAMPLE: &str = "0191e2a0-7a4c-7000-8000-000000000000";

/// The real program with an account, and somebody of every role.
struct Real {
    dir: TempDir,
    described: TempDir,
    people: Vec<NewCredential>,
}

impl Real {
    async fn prepare() -> Real {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let config = Config { listen: ([127, 0, 0, 1], 0).into(), data, ..Config::default() };
        let running = serve::start(&config, Clock::system()).await.unwrap();
        let gate = &running.door.gate;
        let mut people = add_account(gate, "acme", &AccountSettings::default()).await;
        customer_key(gate, dir.path(), "acme").await;
        let (system, actor) = ("system", Actor::command_line());
        people.push(gate.add_credential(&actor, system, Role::Counsel, "Ada", None).await.unwrap());
        let provisioner = gate.add_credential(&actor, system, Role::Provisioner, "portal", None).await;
        people.push(provisioner.unwrap());
        people.sort_by_key(|one| one.role == Role::Admin);
        running.stop().await.unwrap();
        Real { dir, described: described(), people }
    }

    fn serve(&self) -> Process {
        Process::serve(&self.dir.path().join("data"), &[])
    }

    /// What the generated client made, and the gateway that it talked to.
    fn after_the_main_job(&self, python: &Path) -> (Value, Process) {
        let dir = self.described.path();
        let mut generate = Command::new(python.join("openapi-python-client"));
        generate.args(["generate", "--path", "openapi.json", "--meta", "none", "--fail-on-warning"]);
        generate
            .args(["--output-path", "consent_gateway_client", "--config"])
            .arg(ours("python-client.yaml"));
        said(generate.current_dir(dir));
        let mut check = Command::new(python.join("mypy"));
        check.args(["--strict", "--cache-dir", ".mypy"]).arg(ours("client.py")).env("MYPYPATH", dir);
        said(check.current_dir(dir));
        let of_acme = self.people.iter().filter(|one| one.account == "acme");
        let known: BTreeMap<&str, [&str; 2]> =
            of_acme.map(|one| (one.role.as_str(), [one.username.as_str(), one.password.expose()])).collect();
        std::fs::write(dir.join("credentials.json"), json!(known).to_string()).unwrap();
        std::fs::write(dir.join("audio.wav"), wav(1000)).unwrap();
        let serving = self.serve();
        let mut client = Command::new(python.join("python"));
        client.arg(ours("client.py")).arg(format!("http://{}", serving.address));
        client.args(["credentials.json", "audio.wav"]).env("PYTHONPATH", dir);
        (serde_json::from_str(&said(client.current_dir(dir))).unwrap(), serving)
    }
}

/// A directory that holds the description, as the program prints it.
fn described() -> TempDir {
    let (code, printed, told) = run(&["openapi"]);
    assert_eq!(code, 0, "{told}");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("openapi.json"), printed).unwrap();
    dir
}

/// The programs of the Python environment.
fn python() -> Option<PathBuf> {
    installed("GATEWAY_TEST_CLIENTS", "bin")
}

/// A program of a package of Node.
fn node(name: &str) -> Option<PathBuf> {
    Some(installed("GATEWAY_TEST_NODE", ".bin")?.join(name))
}

fn installed(variable: &str, programs: &str) -> Option<PathBuf> {
    let Ok(place) = std::env::var(variable) else {
        eprintln!("skipped: {variable} is unset; tests/run sets it");
        return None;
    };
    let place = Path::new(&place).join(programs);
    assert!(place.is_dir(), "{variable}: there is no {}; tests/run installs it", place.display());
    Some(place)
}

/// A file of ours beside the tests.
fn ours(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop").join(name)
}

/// What a program prints that has to do its work.
#[track_caller]
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let [printed, told] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{command:?}\n{printed}\n{told}");
    printed
}
