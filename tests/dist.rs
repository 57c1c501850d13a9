//! What a package or an image is made of: the unit for systemd, the container file, the configuration beside them.
//! Images are built by nobody here, which takes a daemon: their file is read, and what it names has to be there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use consent_gateway::config::Config;

use crate::harness::{PROGRAM, Process, run};
use crate::site;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn dist(name: &str) -> PathBuf {
    root().join("gateway/dist").join(name)
}

/// The settings of the unit, in its order, and whether each is of `[Service]`.
fn unit() -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(dist("consent-gateway.service")).unwrap();
    let mut section = String::new();
    let mut settings = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => section = name.to_owned(),
            None => {
                let (key, value) = line.split_once('=').expect(line);
                settings.push((section.clone(), key.to_owned(), value.to_owned()));
            }
        }
    }
    settings
}

#[test]
fn the_unit_starts_what_there_is_and_waits_until_it_has_stopped() {
    let unit = unit();
    let said = |key: &str| {
        let mut values = unit.iter().filter(|(_, name, _)| name == key).map(|(_, _, value)| value.as_str());
        values.next().unwrap_or_else(|| panic!("it does not say `{key}`"))
    };
    let start: Vec<&str> = said("ExecStart").split(' ').collect();
    assert_eq!(start[0], "/usr/local/bin/consent-gateway");
    let config = Config::read(&dist("gateway.toml")).unwrap();
    config.check().unwrap();
    // The same words, with another configuration.
    let dir = tempfile::tempdir().unwrap();
    let words = ["--config", "/etc/consent-gateway/gateway.toml", "serve"];
    assert_eq!(start[1..], words);
    let text = format!("data = \"{}\"\nlisten = \"127.0.0.1:0\"\n", dir.path().join("data").display());
    let mut command = Command::new(PROGRAM);
    command.args(["--config", &site::config(dir.path(), &text), "serve"]);
    let mut process = Process::of(command).unwrap();
    process.terminate();
    assert_eq!(process.wait(), Some(0));

    let stop: u64 = said("TimeoutStopSec").parse().unwrap();
    assert!(config.lame_duck_seconds > 0 && stop > config.lame_duck_seconds + 2 * config.drain_seconds);
    let files: usize = said("LimitNOFILE").parse().unwrap();
    assert!(files >= 2 * config.connections + 128);
    let written: Vec<PathBuf> =
        said("StateDirectory").split(' ').map(|name| Path::new("/var/lib").join(name)).collect();
    assert_eq!(written, [config.data.clone(), config.pins_dir(), config.quarantine_dir()]);
    assert_eq!(said("WorkingDirectory"), config.data.to_str().unwrap());
    assert_eq!((said("UMask"), said("NoNewPrivileges"), said("ProtectSystem")), ("0077", "yes", "strict"));
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let analyze = |args: &[&str]| Command::new("systemd-analyze").args(args).output();
    if analyze(&["--version"]).is_err() {
        eprintln!("NOT CHECKED: the unit by systemd-analyze, which is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let unit = dir.path().join("consent-gateway.service");
    let text = std::fs::read_to_string(dist("consent-gateway.service")).unwrap();
    std::fs::write(&unit, text.replace("/usr/local/bin/consent-gateway", PROGRAM)).unwrap();
    let unit = unit.to_str().unwrap();
    let verified = analyze(&["verify", "--man=no", "--recursive-errors=no", unit]).unwrap();
    let told = String::from_utf8_lossy(&verified.stderr);
    let about: Vec<&str> = told.lines().filter(|line| line.contains("consent-gateway")).collect();
    assert!(verified.status.success() && about.is_empty(), "{told}");
    // From 0, nothing is open, to 100.
    let secure = analyze(&["security", "--offline=true", "--threshold=20", unit]).unwrap();
    assert!(secure.status.success(), "{}", String::from_utf8_lossy(&secure.stdout));
}

/// The instructions of the container file, each in one line.
fn instructions() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(dist("Containerfile")).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let text = lines.join("\n").replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.is_empty());
    let split = lines.map(|line| line.split_once(' ').expect("an instruction and what it says"));
    split
        .map(|(name, said)| (name.to_owned(), said.split_whitespace().collect::<Vec<_>>().join(" ")))
        .collect()
}

#[test]
fn what_the_container_file_names_is_there() {
    let instructions = instructions();
    let all = |wanted: &str| -> Vec<String> {
        instructions.iter().filter(|(name, _)| name == wanted).map(|(_, said)| said.clone()).collect()
    };
    let known = [
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "USER",
        "VOLUME",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    ];
    for (name, said) in &instructions {
        assert!(known.contains(&name.as_str()) && !said.is_empty(), "{name} {said}");
    }
    let manifest: toml::Table =
        toml::from_str(&std::fs::read_to_string(root().join("Cargo.toml")).unwrap()).unwrap();
    let rust = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    let from = all("FROM");
    assert!(
        from.len() == 2 && from[0].contains(&format!("/rust:{rust}-")) && from[0].ends_with(" AS build"),
        "{from:?}"
    );

    // Everything that the workspace is made of comes along, and only what is there is named.
    let mut copied = BTreeSet::new();
    let mut programs = Vec::new();
    for said in all("COPY") {
        let words: Vec<&str> = said.split(' ').collect();
        let (to, sources) = words.split_last().unwrap();
        match sources[0] {
            "--from=build" => programs.extend(sources[1..].iter().map(|path| (*path).to_owned())),
            _ => {
                for source in sources {
                    assert!(root().join(source).exists(), "{source} is not there");
                    copied.insert((*source).to_owned());
                    assert!(sources.len() > 1 || to.ends_with(source) || to.starts_with('/'), "{said}");
                }
            }
        }
    }
    for member in manifest["workspace"]["members"].as_array().unwrap() {
        let top = member.as_str().unwrap().split('/').next().unwrap();
        assert!(copied.contains(top), "{top} is not copied");
    }
    let build = all("RUN").into_iter().find(|run| run.starts_with("cargo build --release --locked")).unwrap();
    assert!(
        build.contains("--package consent-gateway") && build.contains("--package consent-trail"),
        "{build}"
    );
    let built = Path::new(PROGRAM).parent().unwrap();
    for program in programs {
        let name = program.strip_prefix("/build/target/release/").unwrap();
        assert!(built.join(name).exists(), "{name} is not built");
    }
    // Nobody is root, and the data are on a volume.
    let user = all("USER");
    assert!(user.len() == 1 && user[0].split(':').all(|id| id.parse::<u32>().unwrap() > 0), "{user:?}");
    let config = Config::read(&dist("gateway.toml")).unwrap();
    let volumes: Vec<PathBuf> = serde_json::from_str(&all("VOLUME")[0]).unwrap();
    assert_eq!(volumes, [config.data.clone(), config.pins_dir(), config.quarantine_dir()]);
    assert_eq!(all("EXPOSE"), [config.listen.port().to_string()]);
    assert_eq!(all("STOPSIGNAL"), ["SIGTERM"]);

    // What it runs can be typed. Beyond loopback it asks for TLS, so that nobody serves everybody by mistake.
    let begin = all("ENTRYPOINT").remove(0);
    let begin: Vec<String> = serde_json::from_str(&begin).unwrap();
    let more: Vec<String> = serde_json::from_str(&all("CMD").remove(0)).unwrap();
    assert_eq!(begin[..2], ["consent-gateway", "--config"]);
    let dir = tempfile::tempdir().unwrap();
    let of_ours = dist("gateway.toml");
    let words: Vec<&str> =
        ["--config", of_ours.to_str().unwrap()].into_iter().chain(more.iter().map(String::as_str)).collect();
    let (code, _, told) = run(&words);
    assert!(code == 1 && told.contains("behind_tls_proxy"), "{told}");

    let health = all("HEALTHCHECK").remove(0);
    let (_, check) = health.split_once(" CMD ").unwrap();
    let (check, or) = check.split_once(" || ").unwrap();
    assert_eq!(or, "test $? -eq 3");
    assert_eq!(check, format!("{} check --running", begin.join(" ")));
    // Whether anybody answers, and whether they are ready.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = format!(
        "listen = \"{port}\"\nlame_duck_seconds = 3600\ndata = \"{}\"\n",
        dir.path().join("data").display()
    );
    let config = site::config(dir.path(), &text);
    let check = || run(&["--config", &config, "check", "--running"]);
    let (code, _, told) = check();
    assert!(code == 1 && told.contains(&format!("no gateway answers on {port}: ")), "{told}");
    let mut command = Command::new(PROGRAM);
    command.args(["--config", &config, "serve"]);
    let process = Process::of(command).unwrap();
    assert_eq!(check(), (0, format!("{port}: ready\n"), String::new()));
    process.terminate();
    let (mut code, mut told) = (0, String::new());
    while code == 0 {
        (code, told, _) = check();
    }
    assert!(code == 3 && told.contains("about to stop"), "{code} {told}");
}
