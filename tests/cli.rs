//! The commands, as a person or a script runs them.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use seal::Envelope;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Client, PROGRAM, Process, files_below, run, run_with};
use crate::postgres::Place;
use crate::site::{self, Site};
use consent_gateway::access::Role;

#[test]
fn an_account_is_set_up_by_commands_that_scripts_can_read() {
    let cli = Cli::new();
    let added = cli.json(&[
        "account",
        "add",
        "acme",
        "--operator",
        "us-ca",
        "--recorder",
        "US-NY",
        "--recorders",
        "2",
    ]);
    assert_eq!(added["account"], "acme");
    assert_eq!(added["settings"]["recorders"], 2);
    let listed = cli.json(&["account", "list"]);
    assert_eq!(
        listed,
        json!([{
            "account": "acme", "operator": "US-CA", "recorder": "US-NY", "format": "tink", "provisioner": null,
        }])
    );

    let credential = cli.json(&["credential", "add", "acme", "--role", "recorder", "--name", "the PBX"]);
    assert_eq!((&credential["account"], &credential["role"]), (&json!("acme"), &json!("recorder")));
    assert!(credential["username"].as_str().unwrap().starts_with("cg_"));
    let password = credential["password"].as_str().unwrap();
    assert!(!cli.keeps(password.as_bytes()), "the password is kept as it is");
    // Whoever lost the username finds it.
    let listed = cli.json(&["credential", "list", "acme"]);
    let found = listed[0]["username"].as_str().unwrap();
    assert_eq!(
        (&listed[0]["username"], &listed[0]["role"], &listed[0]["name"], &listed[0]["revoked_at"]),
        (&credential["username"], &json!("recorder"), &json!("the PBX"), &Value::Null)
    );
    assert!(!listed.to_string().contains(password) && listed[0].get("hash").is_none(), "{listed}");
    let revoked = cli.json(&["credential", "revoke", found]);
    assert_eq!(revoked["revoked"], credential["username"]);
    assert!(cli.json(&["credential", "list", "acme"])[0]["revoked_at"].is_string());

    let pair = cli.json(&["keygen", "--out", &cli.path("customer")]);
    let key = cli.json(&["key", "add", "acme", pair["public"].as_str().unwrap()]);
    assert_eq!((&key["id"], &key["bits"]), (&pair["id"], &pair["bits"]));
    let keys = cli.json(&["key", "list", "acme"]);
    assert_eq!((&keys[0]["id"], &keys[0]["retired_at"]), (&pair["id"], &Value::Null));
    assert_eq!(cli.json(&["key", "list"]), keys);
    cli.json(&["key", "retire", "acme", pair["id"].as_str().unwrap()]);
    assert!(cli.json(&["key", "list", "acme"])[0]["retired_at"].is_string());

    let prompt = [
        "prompt",
        "add",
        "acme",
        "en",
        "--language",
        "en",
        "--duration-ms",
        "4000",
        "--purpose",
        "quality",
        "--text",
        "Recorded.",
    ];
    assert_eq!(cli.json(&prompt)["version"], 1);
    assert_eq!(cli.json(&prompt)["version"], 1, "the same prompt again");
    let longer: Vec<&str> = prompt.iter().map(|word| if *word == "4000" { "5000" } else { word }).collect();
    assert_eq!(cli.json(&longer)["version"], 2);
    let prompts = cli.json(&["prompt", "list", "acme"]);
    assert_eq!(prompts.as_array().map(Vec::len), Some(1), "{prompts}");
    assert_eq!(
        (&prompts[0]["id"], &prompts[0]["version"], &prompts[0]["duration_ms"], &prompts[0]["text"]),
        (&json!("en"), &json!(2), &json!(5000), &json!("Recorded."))
    );

    let grant = cli.json(&[
        "consent-grant",
        "add",
        "acme",
        "contract-7",
        "--subject",
        "agent-7",
        "--role",
        "agent",
        "--basis",
        "employment contract",
        "--until",
        "2031-01-31",
    ]);
    assert_eq!(grant["subject"], "agent-7");
    assert_eq!(grant["until"], "2031-01-31T00:00:00Z");
    assert!(cli.json(&["consent-grant", "withdraw", "acme", "contract-7"])["withdrawn_at"].is_string());
}

#[test]
fn an_account_is_told_how_its_recordings_are_sealed_and_changes_its_only_key_in_one_step() {
    let cli = Cli::new();
    cli.says(&["account", "add", "acme", "--format", "rsa-aes"]);
    assert_eq!(cli.json(&["account", "list"])[0]["format"], "rsa-aes");
    for name in ["old", "new"] {
        cli.says(&["keygen", "--out", &cli.path(name)]);
    }
    let (old, new) = (cli.path("old/public.pem"), cli.path("new/public.pem"));
    let first = cli.json(&["key", "add", "acme", &old])["id"].as_str().unwrap().to_owned();
    let refused = cli.refuses(&["key", "add", "acme", &new]);
    assert!(refused.contains("`--replace`") && refused.contains(&first), "{refused}");
    let told = cli.says(&["key", "add", "acme", &new, "--replace"]);
    assert!(told.contains(&format!("added to `acme`\nkey {first} retired\nnote: ")), "{told}");
    assert!(told.contains("without the proof"), "{told}");
    let set = |format| cli.says(&["account", "set", "acme", "--format", format]);
    assert_eq!(set("tink"), "recordings of `acme` are sealed as `tink` from now on\n");
    assert_eq!(set("tink"), "recordings of `acme` are sealed as `tink` already\n");
    cli.says(&["key", "add", "acme", &old]);
    let refused = cli.refuses(&["account", "set", "acme", "--format", "rsa-aes"]);
    assert!(refused.contains("`acme` has 2") && refused.contains("key retire acme"), "{refused}");
    cli.says(&["key", "retire", "acme", &first]);
    let changed = cli.json(&["account", "set", "acme", "--format", "rsa-aes"]);
    assert_eq!(changed, json!({"account": "acme", "format": "rsa-aes", "changed": true}));
    assert!(cli.refuses(&["account", "set", "emca", "--format", "tink"]).contains("no account `emca`"));
    assert!(cli.refuses(&["account", "set", "system", "--format", "rsa-aes"]).contains("has no calls"));
}

#[test]
fn without_json_commands_tell_people_what_they_did() {
    let cli = Cli::new();
    assert_eq!(cli.says(&["account", "add", "acme"]), "account `acme` added\n");
    assert_eq!(cli.says(&["account", "list"]), "acme\n");
    let credential = cli.says(&["credential", "add", "acme", "--role", "listener"]);
    let username = credential.lines().next().unwrap().strip_prefix("username: ").unwrap();
    assert!(credential.contains("(shown once)"), "{credential}");
    let listed = format!("{username}  listener   unnamed  revoked: -\n");
    assert_eq!(cli.says(&["credential", "list", "acme"]), listed);
    assert_eq!(cli.says(&["credential", "revoke", username]), format!("credential `{username}` revoked\n"));
    assert!(cli.says(&["credential", "list", "acme"]).contains("revoked: 2"));
    assert_eq!(cli.says(&["prompt", "list", "acme"]), "`acme` has no prompts\n");
    let made = cli.says(&["keygen", "--out", &cli.path("customer")]);
    assert!(made.contains("keep it safe") && made.contains("key add ACCOUNT public.pem"), "{made}");
    let key = cli.says(&["key", "add", "acme", &cli.path("customer/public.pem")]);
    assert!(key.starts_with("key ") && key.ends_with("added to `acme`\n"), "{key}");
    assert!(cli.says(&["key", "list"]).contains("retired: -"));
    let prompt = [
        "prompt",
        "add",
        "acme",
        "en",
        "--language",
        "en",
        "--duration-ms",
        "4000",
        "--purpose",
        "quality",
        "--text",
        "Recorded.",
        "--says",
        "recording=Recorded",
    ];
    for told in ["registered", "exists already"] {
        let said = cli.says(&prompt);
        assert!(said.starts_with(&format!("prompt `en` version 1 {told}\nnote: in ")), "{said}");
        assert!(said.contains("it does not say everything that is required"), "{said}");
    }
    assert_eq!(cli.says(&["prompt", "list", "acme"]), "en  version 1  en  4000 ms  Recorded.\n");
    let silent = cli.says(&prompt[..prompt.len() - 2]);
    assert!(
        silent.contains("note: it does not show which of its words say that the call is recorded"),
        "{silent}"
    );
    let checked = cli.says(&["check"]);
    for part in [
        "would listen on 127.0.0.1:8080, without TLS",
        "1 account\n",
        "warning: account `acme` does not say where its operator",
        "warning: no lawyer has reviewed 122 rows of the table",
    ] {
        assert!(checked.contains(part), "{checked}");
    }
    assert_eq!(cli.json(&["check"])["accounts"], 1);
}

#[test]
fn the_secret_of_a_webhook_is_shown_once() {
    let cli = Cli::new();
    let added = cli.says(&["account", "add", "globex", "--webhook", "https://globex.example/told?token=t"]);
    assert!(added.starts_with("account `globex` added\nsigning secret: whsec_"), "{added}");
    cli.says(&["account", "add", "acme"]);
    let url = "https://user:word@acme.example/told?token=t";
    let said = cli.says(&["account", "set", "acme", "--webhook", url]);
    assert!(
        said.starts_with("`acme` is told at https://acme.example/told\nsigning secret: whsec_"),
        "{said}"
    );
    assert!(said.ends_with("   (shown once)\n"), "{said}");
    let again = cli.says(&["account", "set", "acme", "--webhook", "https://acme.example/other"]);
    assert_eq!(again, "`acme` is told at https://acme.example/other\n");
    let new = cli.json(&["account", "set", "acme", "--new-webhook-secret"]);
    assert_eq!(new["webhook"], "https://acme.example/other");
    let secret = new["webhook_secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && !said.contains(secret), "{new}");
    assert_eq!(cli.says(&["account", "set", "acme", "--no-webhook"]), "`acme` is told nothing any more\n");
}

#[test]
fn a_mistake_is_told_in_one_sentence_with_what_to_do() {
    let cli = Cli::new();
    cli.says(&["account", "add", "acme"]);
    for (args, told) in [
        (&["account", "add", "acme"][..], "there is already an account `acme`"),
        (&["account", "add", "Acme Inc."], "1 to 64 of `a-z`"),
        (&["account", "add", "b", "--operator", "Kalifornien"], "Kalifornien"),
        (&["account", "add", "b", "--late-evidence-seconds", "61"], "60"),
        (&["account", "add", "b", "--webhook", "ftp://example.com/"], "`https` URL"),
        (&["account", "set", "acme", "--webhook", "http://example.com/"], "webhooks.allow_private"),
        (&["account", "set", "acme", "--webhook", "https://10.0.0.1/"], "everybody can reach"),
        (&["account", "set", "acme", "--new-webhook-secret"], "`acme` has no webhook"),
        (&["account", "set", "nobody", "--no-webhook"], "there is no account `nobody`"),
        (
            &["credential", "add", "acme", "--role", "boss"],
            "the roles are recorder, observer, uploader, listener, auditor, counsel, registrar, admin",
        ),
        (&["credential", "add", "nobody", "--role", "admin"], "consent-gateway account add"),
        (&["credential", "revoke", "cg_0000000000000000"], "there is no credential"),
        (&["credential", "list", "nobody"], "there is no account `nobody`"),
        (&["prompt", "list", "nobody"], "there is no account `nobody`"),
        (&["key", "add", "acme", "/nowhere/public.pem"], "`/nowhere/public.pem` cannot be read"),
        (&["key", "add", "nobody", "Cargo.toml"], "consent-gateway account add"),
        (&["key", "retire", "acme", "00"], "there is no key in use"),
        (
            &[
                "prompt",
                "add",
                "nobody",
                "en",
                "--language",
                "en",
                "--duration-ms",
                "4000",
                "--purpose",
                "q",
                "--text",
                "t",
            ],
            "consent-gateway account add",
        ),
        (
            &[
                "prompt",
                "add",
                "acme",
                "en",
                "--language",
                "en",
                "--duration-ms",
                "10",
                "--purpose",
                "q",
                "--text",
                "t",
            ],
            "duration",
        ),
        (&["consent-grant", "add", "acme", "g", "--subject", "s", "--role", "boss", "--basis", "b"], "boss"),
        (
            &["consent-grant", "add", "nobody", "g", "--subject", "s", "--role", "agent", "--basis", "b"],
            "consent-gateway account add",
        ),
        (&["consent-grant", "withdraw", "acme", "g"], "there is no consent grant"),
        (&["decide", "/nowhere/facts.json"], "`/nowhere/facts.json` cannot be read"),
        (&["scope", "/nowhere/scope.json"], "`/nowhere/scope.json` cannot be read"),
        (
            &["open", "/nowhere/m", "--envelope", "/nowhere/e", "--key", "/nowhere/k", "--out", "o"],
            "`/nowhere/e` cannot be read",
        ),
        (&["--config", "/nowhere/gateway.toml", "check"], "`/nowhere/gateway.toml` cannot be read"),
    ] {
        let error = cli.refuses(args);
        assert!(error.contains(told), "{args:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{args:?}: {error}");
        assert!(
            !error.trim_end().ends_with('.') && !error.contains("::") && !error.contains('{'),
            "{args:?}: {error}"
        );
    }
    let grant = ["consent-grant", "add", "acme", "g", "--subject", "s", "--role", "agent", "--basis", "b"];
    for (until, says) in [
        ("next year", "this is not a time: write it as in `2027-01-31T12:00:00Z`"),
        ("2026-12-31T23:59:59", "`2026-12-31T23:59:59` has no time zone: end it with `Z`"),
    ] {
        let (code, _, error) = cli.run(&[&grant[..], &["--until", until]].concat());
        assert!(code == 2 && error.contains("--until") && error.contains(says), "{error}");
    }
    // What is no command is told by usage, with an exit code of its own.
    for args in
        [&["acount"][..], &["credential", "add"], &["account", "add", "b", "--recorders", "many"], &[]]
    {
        let (code, out, err) = run(args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        assert!(err.contains("--help") || err.contains("Usage"), "{err}");
    }
}

#[test]
fn a_private_key_offered_to_the_gateway_is_refused_loudly_and_nothing_of_it_is_kept() {
    let cli = Cli::new();
    cli.says(&["account", "add", "acme"]);
    cli.says(&["keygen", "--out", &cli.path("customer")]);
    let private = cli.path("customer/private.pem");
    let pem = std::fs::read_to_string(&private).unwrap();
    let error = cli.refuses(&["key", "add", "acme", &private]);
    assert!(error.contains("private key") && error.contains("public"), "{error}");
    // Behind the public one, it is still a private one.
    let both = cli.path("both.pem");
    let public = std::fs::read_to_string(cli.path("customer/public.pem")).unwrap();
    std::fs::write(&both, format!("{public}\n{pem}")).unwrap();
    assert!(cli.refuses(&["key", "add", "acme", &both]).contains("private key"));
    let old = cli.path("old.pem");
    let made = Command::new("openssl")
        .args(["rsa", "-traditional", "-in", &private, "-out", &old])
        .output()
        .unwrap();
    assert!(made.status.success());
    assert!(cli.refuses(&["key", "add", "acme", &old]).contains("private key"));

    assert_eq!(cli.json(&["key", "list"]), json!([]));
    for line in pem.lines().filter(|line| !line.starts_with('-')) {
        assert!(!cli.keeps(line.as_bytes()), "a line of the private key is kept");
        assert!(!error.contains(line));
    }
}

#[test]
fn keys_that_protect_nothing_are_refused() {
    let cli = Cli::new();
    cli.says(&["account", "add", "acme"]);
    for (make, told) in [
        ("openssl genrsa 1024 | openssl rsa -pubout", "2048"),
        ("openssl ecparam -name prime256v1 -genkey | openssl ec -pubout", "RSA"),
        ("openssl genrsa -3 2048 | openssl rsa -pubout", "65537"),
        ("echo nothing", "PEM"),
    ] {
        let file = cli.path("weak.pem");
        let made = Command::new("bash").args(["-c", &format!("({make}) >{file}")]).output().unwrap();
        assert!(made.status.success(), "{make}");
        let error = cli.refuses(&["key", "add", "acme", &file]);
        assert!(error.contains(told), "{make}: {error}");
    }
    assert_eq!(cli.json(&["key", "list"]), json!([]));
}

#[test]
fn who_only_asks_makes_no_ledger_and_no_keys() {
    let cli = Cli::new();
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../jurisdictions.toml");
    let table = table.to_str().unwrap();
    std::fs::write(cli.dir.path().join("public.pem"), "x").unwrap();
    let (public, out) = (cli.path("public.pem"), cli.path("out.zip"));
    let before = files_below(cli.dir.path());
    let prompt = ["prompt", "add", "acme", "en", "--language", "en", "--duration-ms", "4000", "--text", "x"];
    let grant = ["consent-grant", "add", "acme", "g", "--subject", "a", "--role", "agent", "--basis", "b"];
    let commands: Vec<Vec<&str>> = vec![
        vec!["account", "list"],
        vec!["credential", "add", "acme", "--role", "admin"],
        vec!["credential", "list", "acme"],
        vec!["credential", "revoke", "cg_x"],
        vec!["prompt", "list", "acme"],
        vec!["key", "add", "acme", &public],
        vec!["key", "list"],
        vec!["key", "retire", "acme", "x"],
        prompt.to_vec(),
        vec!["prompt", "check", "--account", "acme"],
        grant.to_vec(),
        vec!["consent-grant", "withdraw", "acme", "g"],
        vec!["person", "list", "acme"],
        vec!["explain", "acme", "c"],
        vec!["erase", "acme", "--number", "+14155550100", "--recordings", "keep", "--reason", "x"],
        vec!["sweep"],
        vec!["sweep", "--dry-run"],
        vec!["compact"],
        vec!["table", "impact", table],
        vec!["reading", "list", "acme"],
        vec!["reading", "end", "sha256:00", "--as", "cg_x", "--password-stdin"],
        vec!["table", "publish", table, "--as", "cg_x", "--password-stdin"],
        vec!["table", "versions"],
        vec!["table", "proposals"],
        vec!["audit", "export", "acme", "--out", &out],
        vec!["audit", "find", "acme"],
        vec!["audit", "prove", "acme", "--call", "c", "--out", &out],
        vec!["audit", "vcon", "acme", "c"],
        vec!["audit", "consent-record", "acme", "c"],
        vec!["audit", "key", "acme"],
        vec!["audit", "rotate-key"],
        vec!["audit", "drop", "acme", "--epoch", "1", "--reason", "x"],
    ];
    for command in &commands {
        let error = cli.refuses(command);
        let says = format!("there is no ledger in `{}`", cli.data.display());
        assert!(error.contains(&says), "{command:?}: {error}");
    }
    assert!(cli.refuses(&["audit", "reopen", "--reason", "x"]).contains("there is no data in"));
    let (code, told, _) = cli.run(&["audit", "verify", "typo.zip"]);
    let says = "`typo.zip` is neither a file nor a directory, and there is no ledger in";
    assert!(code == 2 && told.contains(says), "{code} {told}");
    cli.says(&["table", "show", "US-CA"]);
    let checked = cli.says(&["check"]);
    assert!(
        checked.contains("there is no ledger in") && checked.contains("`account add` makes it"),
        "{checked}"
    );
    assert_eq!(cli.json(&["check"])["ledger"], Value::Null);
    assert!(!cli.data.exists(), "nothing was made");
    assert_eq!(files_below(cli.dir.path()), before);
}

/// Every command that does not have others below it, as its manual page is called.
fn commands() -> BTreeSet<String> {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, err) = run(&["man", "--out", dir.path().to_str().unwrap()]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "", ""));
    let pages = files_below(dir.path());
    let pages: Vec<&str> = pages
        .iter()
        .map(|page| page.file_name().unwrap().to_str().unwrap().strip_suffix(".1").unwrap())
        .collect();
    let names = pages.iter().filter_map(|page| page.strip_prefix("consent-gateway-"));
    let is_leaf = |name: &&str| !pages.iter().any(|page| page.contains(&format!("consent-gateway-{name}-")));
    names.filter(is_leaf).map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn whoever_reads_in_an_empty_directory_leaves_it_empty() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../jurisdictions.toml");
    let table = table.to_str().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let path = |name: &str| elsewhere.path().join(name).to_str().unwrap().to_owned();
    let (out, facts) = (path("out.zip"), path("facts.json"));
    std::fs::write(&facts, r#"{"medium": "telephone", "participants": []}"#).unwrap();
    let scope = path("scope.json");
    std::fs::write(&scope, r#"{"line": "4.3", "from": "onnet", "to": "offnet"}"#).unwrap();
    let reading: Vec<(&str, Vec<&str>)> = vec![
        ("account list", vec![]),
        ("audit consent-record", vec!["acme", "c"]),
        ("audit export", vec!["acme", "--out", &out]),
        ("audit find", vec!["acme"]),
        ("audit key", vec!["acme"]),
        ("audit prove", vec!["acme", "--call", "c", "--out", &out]),
        ("audit vcon", vec!["acme", "c"]),
        ("audit verify", vec!["acme"]),
        ("check", vec![]),
        ("check", vec!["--running"]),
        ("completions", vec!["zsh"]),
        ("credential list", vec!["acme"]),
        ("decide", vec![&facts]),
        ("explain", vec!["acme", "c"]),
        ("key list", vec![]),
        ("openapi", vec![]),
        ("person list", vec!["acme"]),
        ("prompt check", vec!["--text", "This call is recorded."]),
        ("prompt check", vec!["--account", "acme"]),
        ("prompt list", vec!["acme"]),
        ("reading list", vec!["acme"]),
        ("scope", vec![&scope]),
        ("store list", vec![&out]),
        ("table check", vec![table]),
        ("table check", vec!["in-force"]),
        ("table diff", vec!["in-force", table]),
        ("table impact", vec![table]),
        ("table proposal", vec!["x"]),
        ("table proposals", vec![]),
        ("table show", vec!["US-CA"]),
        ("table version", vec!["1"]),
        ("table versions", vec![]),
    ];
    let writing = [
        "account-add",
        "account-alias",
        "account-set",
        "audit-drop",
        "audit-reopen",
        "audit-rotate-key",
        "compact",
        "consent-grant-add",
        "consent-grant-withdraw",
        "credential-add",
        "credential-revoke",
        "credential-rotate",
        "credential-set",
        "demo",
        "erase",
        "key-add",
        "key-retire",
        "keygen",
        "man",
        "open",
        "person-add",
        "person-confirm",
        "prompt-add",
        "reading-allow",
        "reading-approve",
        "reading-disallow",
        "reading-end",
        "reading-state",
        "serve",
        "store-extract",
        "sweep",
        "table-approve",
        "table-publish",
        "table-reject",
        "table-withdraw",
    ];
    let named = reading.iter().map(|(command, _)| command.replace(' ', "-"));
    let named: BTreeSet<String> = named.chain(writing.iter().map(|name| (*name).to_owned())).collect();
    assert_eq!(named, commands(), "every command is known to read, or to write");

    // On a server as well: with nothing there, and where only the secrets are, as when the name of the database is wrong.
    let place = Place::new().await;
    consent_gateway::secrets::Secrets::open(&elsewhere.path().join("secrets")).unwrap();
    let config = site::config(elsewhere.path(), &format!("secrets = \"{}\"\n", path("secrets")));
    let before = files_below(elsewhere.path());
    for options in [&[][..], &["--ledger", &place.url], &["--ledger", &place.url, "--config", &config]] {
        for (command, args) in &reading {
            let dir = tempfile::tempdir().unwrap();
            let output = Command::new(PROGRAM)
                .args(command.split(' '))
                .args(args)
                .args(options)
                .current_dir(dir.path())
                .output()
                .unwrap();
            let told = [output.stdout, output.stderr].map(|told| String::from_utf8(told).unwrap()).concat();
            assert!(!told.contains("panicked"), "{command}: {told}");
            let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
            assert!(left.is_empty(), "{command} {args:?} {options:?} left {left:?}: {told}");
        }
        assert_eq!(files_below(elsewhere.path()), before, "{options:?}");
    }
    let made = format!("SELECT count(*) FROM pg_tables WHERE schemaname = '{}'", place.name);
    let mut server = crate::postgres::connect(&place.url).await;
    let made: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(made)).fetch_one(&mut server).await.unwrap();
    assert_eq!(made, 0, "tables on the server");
}

#[test]
fn whoever_asks_for_help_is_told_what_to_type() {
    let (code, overview, _) = run(&["--help"]);
    assert_eq!(code, 0);
    for part in [
        "\nRun it:\n  serve ",
        "\nThe law:\n  table ",
        "\nOptions of every command:\n",
        "--ledger <URL>",
        "consent-gateway help COMMAND",
    ] {
        assert!(overview.contains(part), "{overview}");
    }
    let (_, help, _) = run(&["table", "impact", "--help"]);
    let (own, everywhere) = help.split_once("\nOptions of every command:\n").unwrap();
    assert!(own.contains("--since <DATE>") && everywhere.contains("--json"), "{help}");
    assert!(
        help.contains("Examples:\n  consent-gateway table impact draft.toml --since 2026-11-01\n"),
        "{help}"
    );
    // What is mistyped is told with what to type.
    for (args, example) in [
        (&["credential", "add"][..], "consent-gateway credential add acme --role recorder"),
        (&["--data", "table", "audit", "prove", "acme"], "consent-gateway audit prove acme --call c-42"),
        (&["key", "retire", "acme"], "consent-gateway key retire acme"),
        (&["serve", "--listen", "example.com:80"], "consent-gateway serve --listen localhost:8080"),
        (&["audit", "find", "acme", "--limit", "0"], "consent-gateway audit find acme --call c-42"),
        (&["tabel"], "consent-gateway demo"),
    ] {
        let (code, out, err) = run(args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        assert!(err.starts_with("error: ") && err.contains(example), "{args:?}: {err}");
    }
}

#[test]
fn shells_complete_commands_and_pages_document_them() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        for program in ["consent-gateway", "consent-verify"] {
            let (code, script, err) = run(&["completions", shell, "--of", program]);
            assert_eq!((code, err.as_str()), (0, ""));
            assert!(script.contains(program) && script.contains("verify"), "{shell}: {script}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (_, script, _) = run(&["completions", "bash"]);
    std::fs::write(dir.path().join("completion"), script).unwrap();
    let complete = |words: &str, which: usize| {
        let ask = format!(
            "set -e; . ./completion; COMP_WORDS=({words}); COMP_CWORD={which}; \
             _consent__gateway consent-gateway \"${{COMP_WORDS[{which}]}}\" x; echo \"${{COMPREPLY[*]}}\""
        );
        let output = Command::new("bash").args(["-c", &ask]).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(complete("consent-gateway ta", 1), "table\n");
    assert_eq!(complete("consent-gateway table imp", 2), "impact\n");
    assert_eq!(complete("consent-gateway table impact --si", 3), "--since\n");
    assert_eq!(complete("consent-gateway consent-grant add --su", 3), "--subject\n");

    let pages = dir.path().join("man/man1");
    let (code, _, err) = run(&["man", "--out", pages.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (0, ""));
    for (page, says) in [
        ("consent-gateway.1", "no consent, no bytes"),
        ("consent-gateway-table-impact.1", "Rehearse a table"),
        ("consent-verify.1", "offline"),
        ("consent-verify-find.1", "Find entries of an export"),
    ] {
        let text = std::fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.contains(".TH ") && text.contains(says) && text.contains(".SH EXTRA"), "{page}: {text}");
    }
}

/// What somebody at a terminal sees who answers every question in turn, and how the terminal is left. It has to hide
/// what is typed while it asks.
fn at_a_terminal(args: &[&str], answers: &[&str]) -> String {
    let script = r#"
import os, pty, sys, termios
answers, argv = sys.argv[1].split("|") if sys.argv[1] else [], sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", 'trap : INT; "$@"; echo "code $?"; stty -a', "sh"] + argv)
seen, asked = b"", 0
while True:
    try:
        some = os.read(terminal, 65536)
    except OSError:
        break
    if not some:
        break
    seen += some
    if asked < len(answers) and seen.endswith(b": "):
        assert not termios.tcgetattr(terminal)[3] & termios.ECHO, "what is typed is shown"
        os.write(terminal, answers[asked].encode())
        asked += 1
os.waitpid(pid, 0)
sys.stdout.write(seen.decode())
"#;
    let python = std::env::var("GATEWAY_TEST_PYTHON").expect("run the tests with tests/run");
    let output = Command::new("timeout")
        .args(["240", &python, "-c", script, &answers.join("|"), PROGRAM])
        .args(args)
        .env_remove("CONSENT_GATEWAY_PASSWORD")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n")
}

#[test]
fn a_password_is_asked_for_at_a_terminal_and_not_shown() {
    let cli = Cli::new();
    cli.says(&["account", "add", "acme"]);
    let data = cli.data.to_str().unwrap();
    let password = "correct horse battery";
    let typed = format!("{password}\n");
    let at_a_terminal = |args: &[&str], answers: &[&str]| {
        let seen = at_a_terminal(&[args, &["--data", data]].concat(), answers);
        assert!(!seen.contains("horse"), "{seen}");
        assert!(seen.contains(" echo "), "the terminal shows what is typed again: {seen}");
        seen
    };
    // Twice, since nobody sees what they type.
    let add = ["credential", "add", "system", "--role", "counsel", "--name", "Dana", "--password-stdin"];
    let differ = at_a_terminal(&add, &[&typed, "correct house battery\n"]);
    assert!(differ.contains("error: the passwords differ") && differ.contains("code 1"), "{differ}");
    let added = at_a_terminal(&add, &[&typed, &typed]);
    assert!(added.contains("New password: \nOnce more: \n") && added.contains("code 0"), "{added}");
    let username = added.split("username: ").nth(1).unwrap().lines().next().unwrap();
    // Whoever changes their mind.
    let interrupted = at_a_terminal(&add, &["correct horse\u{3}"]);
    assert!(interrupted.contains("code 130"), "{interrupted}");
    assert_eq!(cli.json(&["credential", "list", "system"]).as_array().unwrap().len(), 1);

    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../jurisdictions.toml");
    let publish = ["table", "publish", table.to_str().unwrap(), "--as", username, "--reason", "x"];
    let wrong = at_a_terminal(&publish, &["correct horse\n"]);
    assert!(wrong.contains("Password: \n") && wrong.contains("do not match"), "{wrong}");
    let published = at_a_terminal(&publish, &[&typed]);
    assert!(published.contains("it is already in force") && published.contains("code 0"), "{published}");
    // Where nobody can be asked, it is said what to do.
    let told = cli.refuses(&publish);
    assert!(told.contains("CONSENT_GATEWAY_PASSWORD") && told.contains("--password-stdin"), "{told}");
    let (code, out, err) =
        run_with(&[&publish[..], &["--data", data]].concat(), &[("CONSENT_GATEWAY_PASSWORD", password)]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "it is already in force\n", ""));
}

#[test]
fn a_terminal_shows_how_far_long_work_has_come_and_a_file_does_not() {
    let cli = Cli::new();
    cli.says(&["account", "add", "acme"]);
    let mut process = Process::serve(&cli.data, &[]);
    process.terminate();
    process.wait();
    let (data, out) = (cli.data.to_str().unwrap(), cli.path("export"));
    let seen = at_a_terminal(&["audit", "export", "system", "--out", &out, "--data", data], &[]);
    assert!(seen.contains("=] ") && seen.contains(" entries\n"), "{seen}");
    let trust = cli.path("trust.txt");
    std::fs::write(&trust, cli.says(&["audit", "key", "system"])).unwrap();
    let seen = at_a_terminal(&["audit", "verify", &out, "--trust", &trust], &[]);
    assert!(seen.contains("=] ") && seen.contains("good: "), "{seen}");
    assert!(!cli.says(&["audit", "verify", &out, "--trust", &trust]).contains("=] "));
}

#[tokio::test]
async fn a_password_is_good_as_long_as_it_may_be_and_however_it_was_typed() {
    let cli = Cli::new();
    cli.says(&["account", "add", "acme"]);
    let add = ["credential", "add", "acme", "--role", "auditor", "--password-stdin", "--json"];
    let longest = "x".repeat(1024);
    let mut people = Vec::new();
    for (typed, sent) in [
        (format!("{longest}\n"), longest.as_str()),
        (format!("{}\n", "x".repeat(760)), &longest[..760]),
        ("\u{feff}correct horse battery\r\n".to_owned(), "correct horse battery"),
        ("zwölf Zeichen: \"€\"".to_owned(), "zwölf Zeichen: \"€\""),
    ] {
        let (code, out, err) = cli.fed(&add, typed.as_bytes());
        assert_eq!(code, 0, "{err}");
        let username = serde_json::from_str::<Value>(&out).unwrap()["username"].as_str().unwrap().to_owned();
        people.push((username, sent));
    }
    for (typed, says) in [
        (format!("{longest}x\n").into_bytes(), "longer than 1024 bytes"),
        (b"correct horse \xe4ttery\n".to_vec(), "not UTF-8"),
        ("correct horse battery".encode_utf16().flat_map(u16::to_le_bytes).collect(), "control character"),
        (b"correct\thorse battery\n".to_vec(), "control character"),
    ] {
        let (code, _, err) = cli.fed(&add, &typed);
        assert!(code == 1 && err.contains(says), "{err}");
    }
    let process = Process::serve(&cli.data, &[]);
    for (username, sent) in people {
        Client::named(process.address, &username, sent).get("/v1/consents").await.expect(200);
    }
}

#[tokio::test]
async fn a_password_of_ones_own_is_read_from_standard_input_and_not_shown() {
    let cli = Cli::new();
    cli.says(&["account", "add", "acme"]);
    let add = ["credential", "add", "acme", "--role", "auditor", "--password-stdin", "--json"];
    let (code, out, err) = cli.fed(&add, b"correct horse battery\n");
    assert_eq!((code, err.as_str()), (0, ""));
    let credential: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(credential["password"], Value::Null);
    assert!(!out.contains("correct horse") && !cli.keeps(b"correct horse"));
    for short in [&b"short\n"[..], b"\n", b""] {
        let (code, _, err) = cli.fed(&add, short);
        assert_eq!(code, 1);
        assert!(err.contains("12"), "{err}");
    }
    let process = Process::serve(&cli.data, &[]);
    let username = credential["username"].as_str().unwrap();
    Client::named(process.address, username, "correct horse battery").get("/v1/consents").await.expect(200);
    Client::named(process.address, username, "correct horse")
        .get("/v1/consents")
        .await
        .problem(401, "unauthorized");
}

#[tokio::test]
async fn administration_works_while_the_gateway_runs_on_the_same_data() {
    let cli = Cli::new();
    let process = Process::serve(&cli.data, &[]);
    cli.says(&["account", "add", "acme"]);
    cli.says(&[
        "prompt",
        "add",
        "acme",
        "en",
        "--language",
        "en",
        "--duration-ms",
        "1000",
        "--purpose",
        "quality",
        "--text",
        "Recorded.",
        "--says",
        "recording=Recorded",
    ]);
    let credential = cli.json(&["credential", "add", "acme", "--role", "recorder"]);
    let word = |name: &str| credential[name].as_str().unwrap();
    let recorder = Client::named(process.address, word("username"), word("password"));
    let started = site::now().checked_sub(jiff::SignedDuration::from_secs(10)).unwrap();
    let body = json!({
        "medium": "telephone", "started_at": started, "purposes": ["quality"],
        "participants": [{"id": "caller", "role": "customer", "location": "US-CA"}],
    });
    recorder.put("/v1/calls/c", &body).await.expect(201);
    let played =
        json!({"type": "prompt.completed", "prompt": "en", "participant": "caller", "played_ms": 1000});
    recorder.post("/v1/calls/c/events", &played).await.expect(201);
    let start = json!({"action": "start"});
    let refused = recorder.post("/v1/calls/c/recording", &start).await.problem(403, "no-usable-key");
    assert!(refused["detail"].as_str().unwrap().contains("consent-gateway key add"), "{refused}");

    cli.says(&["keygen", "--out", &cli.path("customer")]);
    let key = cli.json(&["key", "add", "acme", &cli.path("customer/public.pem")]);
    recorder.post("/v1/calls/c/recording", &start).await.expect(200);
    recorder.post("/v1/calls/c/recording", &json!({"action": "stop"})).await.expect(200);
    cli.says(&["key", "retire", "acme", key["id"].as_str().unwrap()]);
    recorder.post("/v1/calls/c/recording", &start).await.problem(403, "no-usable-key");
    cli.says(&["credential", "revoke", word("username")]);
    recorder.get("/v1/calls/c").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn sealed_media_are_opened_by_a_command_and_by_nobody_without_the_key() {
    let site = Site::new().await;
    let process = site.serve(&[]);
    let recorder = site.client(&process, Role::Recorder);
    let from = site.record(&recorder, "c").await;
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    let audio = crate::harness::wav(1000);
    let from = from.to_string();
    let stored =
        recorder.upload("/v1/calls/c/recordings/a", &[("recording-start", &from)], &audio).await.expect(201);
    let id = stored["id"].as_str().unwrap();
    let media = site
        .client(&process, Role::Listener)
        .get(&format!("/v1/recordings/{id}/media?purpose=quality"))
        .await;
    let at = |name: &str| site.dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("media"), &media.body).unwrap();
    std::fs::write(at("description.json"), stored.to_string()).unwrap();
    std::fs::write(at("envelope.json"), stored["envelope"].to_string()).unwrap();
    let private = at("acme/private.pem");
    let open = |envelope: &str, key: &str, out: &str, more: &[&str]| {
        let mut args = vec![
            "open".to_owned(),
            at("media"),
            "--envelope".into(),
            at(envelope),
            "--key".into(),
            key.into(),
            "--out".into(),
            at(out),
        ];
        args.extend(more.iter().map(|word| (*word).to_owned()));
        run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    // The description holds the envelope, and so does the store.
    let data = site.data.to_str().unwrap();
    let (code, said, err) = run(&["store", "extract", data, "--recording", id, "--out", &at("extracted")]);
    assert_eq!((code, err.as_str()), (0, ""), "{said}");
    assert!(std::fs::read(at(&format!("extracted/{id}.sealed"))).unwrap() == media.body);
    std::fs::copy(at(&format!("extracted/{id}.json")), at("kept.json")).unwrap();
    for envelope in ["description.json", "envelope.json", "kept.json"] {
        let out = format!("{envelope}.wav");
        let (code, said, err) = open(envelope, &private, &out, &["--account", "acme", "--recording", id]);
        assert_eq!((code, err.as_str()), (0, ""), "{envelope}");
        assert!(said.contains("origin unverified"), "{said}");
        assert!(std::fs::read(at(&out)).unwrap() == audio);
    }
    let onto = |media: &str, more: &[&str]| {
        let args = ["open", media, "--envelope", &at("envelope.json"), "--key", &private, "--out", "-"];
        let output =
            Command::new(PROGRAM).args(args).args(more).current_dir(site.dir.path()).output().unwrap();
        (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
    };
    let (code, told, aside) = onto(&at("media"), &[]);
    assert!(code == Some(0) && told == audio && aside.contains("origin unverified"), "{aside}");
    let (code, told, aside) = onto(&at("media"), &["--json"]);
    assert!(code == Some(0) && told == audio && aside.contains("\"out\":\"-\""), "{aside}");
    assert!(!site.dir.path().join("-").exists());
    let (_, said, _) = open("envelope.json", &private, "json.wav", &["--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&said["account"], &said["bytes"], &said["origin"]),
        (&json!("acme"), &json!(audio.len()), &json!("unverified"))
    );

    let refused = |envelope: &str, key: &str, more: &[&str], told: &str| {
        let (code, out, err) = open(envelope, key, "refused.wav", more);
        assert_eq!((code, out.as_str()), (1, ""), "{told}");
        assert!(err.contains(told), "{told}: {err}");
        assert!(!Path::new(&at("refused.wav")).exists(), "{told}: something was written");
    };
    let (_, _, err) = open("envelope.json", &private, "json.wav", &[]);
    assert!(err.contains("json.wav") && err.contains("exist"), "{err}");
    refused("envelope.json", &private, &["--account", "other"], "other");
    refused("envelope.json", &private, &["--recording", "0000"], "0000");
    let (code, _, _) = run(&["keygen", "--out", &at("stranger")]);
    assert_eq!(code, 0);
    refused("envelope.json", &at("stranger/private.pem"), &[], "key");
    refused("envelope.json", &at("acme/public.pem"), &[], "private");
    refused("media", &private, &[], "");
    let mut altered = media.body.clone();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    std::fs::write(at("media"), &altered).unwrap();
    refused("envelope.json", &private, &[], "");
    let (code, told, aside) = onto(&at("media"), &[]);
    assert!(code == Some(1) && told.is_empty() && aside.contains("is not genuine"), "{aside}");
    std::fs::write(at("media"), &media.body[..last]).unwrap();
    refused("envelope.json", &private, &[], "");
    let _: Envelope = serde_json::from_value(stored["envelope"].clone()).unwrap();
}

#[test]
fn keygen_overwrites_no_key_and_lets_nobody_else_read_the_private_one() {
    let cli = Cli::new();
    let made = cli.json(&["keygen", "--out", &cli.path("new/customer")]);
    let private = made["private"].as_str().unwrap();
    assert_eq!(std::fs::metadata(private).unwrap().permissions().mode() & 0o777, 0o600);
    let pem = std::fs::read(private).unwrap();
    assert!(cli.refuses(&["keygen", "--out", &cli.path("new/customer")]).contains("private.pem"));
    assert!(std::fs::read(private).unwrap() == pem);
}

#[test]
fn scope_explains_what_kazoo_records_and_decide_answers_beside_it() {
    let cli = Cli::new();
    let user = json!({"call_recording": {"outbound": {"offnet": {"enabled": true, "url": "https://kz:s3cret@x.example/"}}}});
    let asked = json!({"line": "4.3", "account": {}, "user": user, "from": "onnet", "to": "offnet"});
    let (code, out, err) = cli.fed(&["scope", "-"], asked.to_string().as_bytes());
    assert_eq!((code, err.as_str()), (0, ""));
    let scope: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&scope["source"]["record"], &scope["source"]["leg"]), (&json!(true), &json!("a")));
    assert_eq!(scope["source"]["settings"]["url"], "https://***@x.example/");
    assert_eq!(
        (&scope["account"]["record"], &scope["destination"]["record"]),
        (&json!(false), &json!(false))
    );
    let (_, machine, _) = cli.fed(&["scope", "-", "--json"], asked.to_string().as_bytes());
    assert_eq!(serde_json::from_str::<Value>(&machine).unwrap(), scope);

    let facts = json!({"medium": "telephone", "started_at": "2026-11-20T10:00:00Z", "scope": asked});
    let (code, out, err) = cli.fed(&["decide", "-"], facts.to_string().as_bytes());
    assert_eq!((code, err.as_str()), (0, ""));
    let decision: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&decision["scope"], &decision["recording"]), (&scope, &json!("blocked")));
    assert!(!cli.data.exists(), "nothing is kept");

    for (wrong, told) in [
        ("{\"line\": \"4.3\",", "it is not JSON: it ends in the middle"),
        (r#"{"line": "4.3", "from": "onnet"}"#, "missing field `to`"),
        (r#"{"line": "4.3", "from": "onnet", "to": "onnet", "device": "d1"}"#, "`d1` is not a device's id"),
        (r#"{"from": "onnet", "to": "onnet"}"#, "`line` is missing"),
        (
            r#"{"line": "4.3", "from": "onnet", "to": "onnet", "user": {"call_recording": {"any": {"x": {}}}}}"#,
            "`user.call_recording.any.x`",
        ),
        ("[]", "an object"),
    ] {
        let (code, out, err) = cli.fed(&["scope", "-"], wrong.as_bytes());
        assert_eq!((code, out.as_str()), (1, ""), "{wrong}");
        assert!(err.contains(told) && !err.contains("s3cret"), "{wrong}: {err}");
    }
    let mut facts = facts;
    facts["scope"]["from"] = json!("abroad");
    let (code, _, err) = cli.fed(&["decide", "-"], facts.to_string().as_bytes());
    assert!(code == 1 && err.contains("`scope.from`"), "{err}");
}

#[test]
fn decide_explains_a_call_from_a_file_or_standard_input() {
    let cli = Cli::new();
    let facts = json!({
        "medium": "telephone", "started_at": "2026-11-20T10:00:00Z", "at": "2026-11-20T10:01:00Z",
        "participants": [
            {"id": "caller", "role": "customer", "number": "+14155550100"},
            {"id": "agent", "role": "agent", "location": "US-NY"},
        ],
    });
    let (code, out, err) = cli.fed(&["decide", "-"], facts.to_string().as_bytes());
    assert_eq!((code, err.as_str()), (0, ""));
    let decision: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(decision["recording"], "blocked");
    assert_eq!(decision["requirement"]["parties"], "all");
    assert_eq!(decision["decided_at"], "2026-11-20T10:01:00.000Z");
    assert!(decision["because"].to_string().contains("Cal. Penal Code"), "{decision}");

    let mut played = facts.clone();
    played["events"] = json!([{"type": "prompt.completed", "prompt": "en", "participants": ["caller", "agent"], "played_ms": 4000, "at": "2026-11-20T10:00:30Z"}]);
    let (_, out, _) = cli.fed(&["decide", "-"], played.to_string().as_bytes());
    let decision: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(decision["recording"], "permitted", "{decision}");
    assert!(!cli.data.exists(), "nothing is kept");

    for (facts, told) in [
        ("{\"medium\": \"telephone\",", "it is not JSON: it ends in the middle (line 1, column 23)"),
        ("{\n\"medium\": \"telephone\"\n\"kind\"", "a `,` or a `}` is missing (line 3, column 1)"),
    ] {
        let (code, _, err) = cli.fed(&["decide", "-"], facts.as_bytes());
        assert!(code == 1 && err.contains(told), "{err}");
    }
    for (facts, told) in [
        (json!({"medium": "telephone", "colour": "red"}), "colour"),
        (json!({"participants": [{"id": "a", "role": "customer", "location": "Mars"}]}), "Mars"),
        (json!({"participants": [{"id": "a", "role": "customer", "number": "0415"}]}), "number"),
        (json!({"recorder_location": "Mars"}), "Mars"),
        (
            json!({"events": [{"type": "consent.given", "participant": "b", "method": "dtmf"}]}),
            "`b` is not on the call",
        ),
        (
            json!({"participants": [{"id": "a", "role": "customer"}], "events": [{"type": "consent.given", "participant": "a"}]}),
            "method",
        ),
        (json!([]), "map"),
    ] {
        let (code, out, err) = cli.fed(&["decide", "-"], facts.to_string().as_bytes());
        assert_eq!((code, out.as_str()), (1, ""), "{facts}");
        assert!(err.contains(told), "{facts}: {err}");
    }
}

#[test]
fn what_a_table_loosens_is_shown_by_a_call_that_decide_blocks_and_permits() {
    let cli = Cli::new();
    let tables = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/messages/diff");
    let [old, new] = ["base.toml", "looser.toml"].map(|name| tables.join(name).to_str().unwrap().to_owned());
    let (code, out, err) = cli.run(&["table", "diff", &old, &new]);
    assert_eq!((code, err.as_str()), (3, ""));
    let call = out.lines().find_map(|line| line.trim_start().strip_prefix("shown by: ")).unwrap();
    let decided = |table: &str| {
        let (code, out, err) = cli.fed(&["decide", "-", "--jurisdictions", table], call.as_bytes());
        assert_eq!((code, err.as_str()), (0, ""));
        serde_json::from_str::<Value>(&out).unwrap()["recording"].clone()
    };
    assert_eq!([decided(&old), decided(&new)], ["blocked", "permitted"]);
    let (_, out, _) = cli.run(&["table", "diff", &old, &new, "--json"]);
    let diff: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(diff["changes"][0]["points"][0]["shown_by"], serde_json::from_str::<Value>(call).unwrap());
    // The other way round nothing is looser.
    let (code, out, _) = cli.run(&["table", "diff", &new, &old]);
    assert!(code == 0 && !out.contains("shown by"), "{out}");
    assert!(!cli.data.exists(), "nothing is kept");
}

#[test]
fn serve_refuses_what_would_surprise() {
    let cli = Cli::new();
    let table = cli.path("broken.toml");
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../jurisdictions.toml")).unwrap();
    std::fs::write(&table, text.replacen("parties = \"all\"", "parties = \"most\"", 1)).unwrap();
    let line = 1 + text.lines().position(|line| line.starts_with("parties = \"all\"")).unwrap();
    for args in [["serve", "--jurisdictions", &table], ["check", "--jurisdictions", &table]] {
        let error = cli.refuses(&args);
        assert!(error.contains(&format!("{table}:{line}:")), "{error}");
        assert!(error.contains("most") && error.contains("nothing starts"), "{error}");
    }
    std::fs::write(&table, "[default\n").unwrap();
    assert!(cli.refuses(&["serve", "--jurisdictions", &table]).contains(&format!("{table}:1:")));
    assert!(cli.refuses(&["serve", "--jurisdictions", "/nowhere.toml"]).contains("/nowhere.toml"));

    let config = |text: &str| site::config(cli.dir.path(), text);
    let unknown = cli.refuses(&["--config", &config("listn = \"127.0.0.1:0\"\n"), "serve"]);
    assert!(
        unknown.contains("gateway.toml") && unknown.contains("listn") && unknown.contains("line 1"),
        "{unknown}"
    );
    let nested = cli.refuses(&["--config", &config("[upload]\nmax_byte = 1\n"), "serve"]);
    assert!(nested.contains("max_byte") && nested.contains("line 2"), "{nested}");
    // What this machine is called elsewhere is nobody's address here: a name may lead to anybody.
    let named = cli.refuses(&["--config", &config("listen = \"gateway.example.com:8080\"\n"), "serve"]);
    assert!(named.contains("`localhost:8080`") && named.contains("line 1"), "{named}");
    let mut here = Command::new(PROGRAM);
    here.args(["--data", cli.data.to_str().unwrap(), "serve", "--listen", "localhost:0"]);
    assert!(Process::of(here).unwrap().address.ip().is_loopback());
    let open = cli.refuses(&["serve", "--listen", "0.0.0.0:0"]);
    assert!(open.contains("behind_tls_proxy") && open.contains("0.0.0.0:0"), "{open}");
    let tls = cli.refuses(&[
        "--config",
        &config("[tls]\ncertificate = \"/nowhere.pem\"\nkey = \"/nowhere.key\"\n"),
        "serve",
    ]);
    assert!(tls.contains("/nowhere.pem"), "{tls}");
    let ip = cli.refuses(&["--config", &config("ip_database = \"/nowhere.mmdb\"\n"), "serve"]);
    assert!(ip.contains("/nowhere.mmdb"), "{ip}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let bound = cli.refuses(&["serve", "--listen", &address]);
    assert!(bound.contains(&address) && bound.contains("in use"), "{bound}");
}

#[test]
fn a_data_directory_that_cannot_be_used_is_told_by_its_path() {
    let cli = Cli::new();
    std::fs::write(&cli.data, "a file").unwrap();
    for command in [&["serve"][..], &["check"], &["account", "list"]] {
        let error = cli.refuses(command);
        assert!(error.contains(cli.data.to_str().unwrap()), "{error}");
    }
    std::fs::remove_file(&cli.data).unwrap();
    cli.says(&["account", "add", "acme"]);
    // With the log that SQLite writes ahead, the file itself need not be read.
    for ahead in ["ledger.db-wal", "ledger.db-shm"] {
        let _ = std::fs::remove_file(cli.data.join(ahead));
    }
    std::fs::write(
        cli.data.join("ledger.db"),
        "no ledger at all, but long enough to be read as one ".repeat(100),
    )
    .unwrap();
    let error = cli.refuses(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(error.contains("ledger"), "{error}");
}

#[test]
fn what_the_gateway_keeps_only_its_owner_can_read() {
    let cli = Cli::new();
    cli.says(&["account", "add", "acme"]);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&cli.data), 0o700);
    assert_eq!(mode(&cli.data.join("secrets")), 0o700);
    for secret in files_below(&cli.data.join("secrets")) {
        assert_eq!(mode(&secret), 0o600, "{}", secret.display());
    }
}

#[tokio::test]
async fn every_key_of_the_configuration_is_followed() {
    let cli = Cli::new();
    let dir = cli.dir.path();
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../jurisdictions.toml");
    let text = format!(
        "listen = \"127.0.0.1:0\"\ndata = \"{data}\"\nsecrets = \"{secrets}\"\njurisdictions = \"{table}\"\n\
         behind_tls_proxy = true\nconnections = 64\ndrain_seconds = 3\nlog_json = false\n\
         [webhooks]\nallow_private = true\n\
         [upload]\nmax_bytes = 20000\ndeadline_seconds = 60\nmin_rate = 100\n",
        data = dir.join("elsewhere").display(),
        secrets = dir.join("apart").display(),
        table = table.display(),
    );
    let config = site::config(dir, &text);
    let json = |args: &[&str]| {
        let (code, out, err) = run(&[&["--config", &config, "--json"], args].concat());
        assert_eq!(code, 0, "{err}");
        serde_json::from_str::<Value>(&out).unwrap()
    };
    let checked = json(&["check"]);
    assert_eq!(checked["data"], dir.join("elsewhere").to_str().unwrap());
    assert!(checked["rows"].as_u64().unwrap() > 100);
    assert_eq!((&checked["ledger"], dir.join("elsewhere").exists()), (&Value::Null, false));
    json(&["account", "add", "first", "--webhook", "http://127.0.0.1:9/"]);
    assert_eq!(json(&["check"])["accounts"], 1);
    assert!(dir.join("elsewhere/ledger.db").exists());
    assert_eq!(files_below(&dir.join("apart")).len(), 6);
    assert!(!dir.join("elsewhere/secrets").exists());
    assert!(!cli.data.exists());

    // The command line overrides the file.
    json(&["--data", cli.data.to_str().unwrap(), "account", "add", "acme"]);
    assert!(cli.data.join("ledger.db").exists());
    let credential =
        json(&["--data", cli.data.to_str().unwrap(), "credential", "add", "acme", "--role", "recorder"]);
    let process = Process::serve(&cli.data, &["--config", &config]);
    let recorder = Client::named(
        process.address,
        credential["username"].as_str().unwrap(),
        credential["password"].as_str().unwrap(),
    );
    recorder.get("/v1/recordings").await.expect(200);
}

/// The program, on a data directory of its own.
struct Cli {
    dir: TempDir,
    data: std::path::PathBuf,
}

impl Cli {
    fn new() -> Cli {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        Cli { dir, data }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn run(&self, args: &[&str]) -> (i32, String, String) {
        run(&[&["--data", self.data.to_str().unwrap()], args].concat())
    }

    /// What a command prints with `--json`.
    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let (code, out, err) = self.run(&[args, &["--json"]].concat());
        assert_eq!((code, err.as_str()), (0, ""), "{args:?}");
        serde_json::from_str(&out).unwrap()
    }

    /// What a command prints for people.
    #[track_caller]
    fn says(&self, args: &[&str]) -> String {
        let (code, out, err) = self.run(args);
        assert_eq!((code, err.as_str()), (0, ""), "{args:?}");
        out
    }

    /// What a command prints that fails.
    #[track_caller]
    fn refuses(&self, args: &[&str]) -> String {
        let (code, out, err) = self.run(args);
        assert_eq!((code, out.as_str()), (1, ""), "{args:?}: {err}");
        assert!(err.starts_with("error: "), "{err}");
        err
    }

    /// With this on its standard input.
    fn fed(&self, args: &[&str], input: &[u8]) -> (i32, String, String) {
        let mut child = Command::new(PROGRAM)
            .args(["--data", self.data.to_str().unwrap()])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Whether these bytes stand anywhere in the data directory.
    fn keeps(&self, bytes: &[u8]) -> bool {
        files_below(&self.data)
            .iter()
            .any(|file| std::fs::read(file).unwrap().windows(bytes.len()).any(|window| window == bytes))
    }
}
