//! `check`: tries every dependency, and says what `serve` would do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use policy::{Diff, Table};
use rustix::fs::Access;
use serde_json::{Value, json};

use super::asked::{Missing, missing, patiently};
use super::{CliError, asked, out};
use crate::config::Config;
use crate::gate::answer::Difference;
use crate::gate::{Fault, Lack};
use crate::listen::descriptors;
use crate::notary::{First, Notary};
use crate::secrets::Locks;
use crate::serve;
use trail::chain::Chain;
use trail::cli::out::say;
use trail::clock::Clock;
use trail::counted;

pub(super) async fn run(config: Config, json: bool) -> Result<(), CliError> {
    config.check()?;
    if let Some(tls) = &config.tls {
        crate::listen::tls::Reloading::from_files(tls.certificate.clone(), tls.key.clone())
            .map_err(serve::ServeError::from)?;
    }
    match missing(&config).await? {
        Some(Missing::Data(told)) => return first_start(&config, &told, json),
        Some(missing @ Missing::Secrets(_)) => return Err(missing.into()),
        None => {}
    }
    let gate = serve::gate(&config, Clock::system()).await?;
    let (name, keys) = (config.log_name.as_deref(), gate.secrets().log.clone());
    Notary::open(gate.ledger().clone(), Clock::system(), name, keys, &config.pins_dir(), First::Everything)
        .await
        .map_err(serve::ServeError::from)?;
    patiently("reading what is registered", gate.ledger().check_registers())
        .await
        .map_err(CliError::of_ledger)?;
    let lacking = gate.lacking().await;
    let mut warnings: Vec<String> = few_descriptors(&config).into_iter().collect();
    if config.behind_tls_proxy && config.trusted_proxies.is_empty() {
        warnings.push(
            "`trusted_proxies` is empty: all clients behind a proxy count as one, so wrong passwords of one \
             delay the others"
                .into(),
        );
    }
    if let Err(error) = Locks::new(config.quarantine_dir()).probe() {
        warnings.push(format!(
            "nothing can be put into quarantine, since `{}` cannot be written ({error}): set `quarantine` to a directory for it",
            config.quarantine_dir().display()
        ));
    }
    let table = gate.laws().in_force();
    warnings.extend(of_configuration(&config, &table));
    warnings.extend(configured(&config, &table));
    let accounts = gate.ledger().accounts().await.map_err(Fault::from)?;
    for account in &accounts {
        if account.operator_location.is_none() {
            warnings.push(format!(
                "account `{}` does not say where its operator is established, so that place is ignored",
                account.id
            ));
        }
        if account.recorder_location.is_none() {
            warnings.push(format!(
                "account `{}` does not say where its recorder stands, so that place is ignored",
                account.id
            ));
        }
        for place in [&account.operator_location, &account.recorder_location].into_iter().flatten() {
            let Ok(code) = place.parse() else {
                warnings.push(format!(
                    "account `{}` has the place `{place}`, which is not a code, so none of its calls can be opened; \
                     restore the ledger from a backup",
                    account.id
                ));
                continue;
            };
            if table.row(code, gate.clock().now()).is_some_and(|row| row.strictest_when_unknown) {
                warnings.push(format!(
                    "account `{}` names only the country `{place}`: the strictest of its \
                     states applies to every call",
                    account.id
                ));
            }
        }
        if gate.usable_keys(&account.id).await?.is_empty() {
            warnings.push(format!("account `{}` has no public key: recording cannot start", account.id));
        }
    }
    gate.ledger().close().await;
    let version = gate.laws().version().number;
    if json {
        out::json(&json!({
            "listen": config.listen, "tls": config.tls.is_some(), "data": config.data,
            "table": table.digest(), "version": version, "rows": table.rows().count(), "accounts": accounts.len(), "warnings": warnings,
            "failing": lacking.iter().map(|(lack, why)| json!({"what": lack.as_str(), "why": why})).collect::<Vec<_>>(),
        }));
        return ready(&lacking);
    }
    out::line(would_listen(&config));
    out::line(format!("data in {}", config.data.display()));
    out::line(match version {
        0 => format!("no table is in force yet: `serve` would begin with {}", named(&table)),
        _ => format!("version {version} of the table is in force: {}", named(&table)),
    });
    out::line(counted(accounts.len(), "account"));
    for warning in warnings {
        out::line(format!("warning: {warning}"));
    }
    for (lack, why) in &lacking {
        out::line(format!("not ready ({}): {why}", lack.as_str()));
    }
    if lacking.is_empty() {
        out::line("ready: everything that a request needs works, and ledger and store can be written");
    }
    ready(&lacking)
}

/// Compares the ledger with the store: a line for each difference, then how many there are.
pub(super) async fn store(config: Config, json: bool) -> Result<(), CliError> {
    let gate = asked::gate(&config).await?;
    let mut shown = Ok(());
    let tell = |found: Difference| {
        let line = match json {
            true => out::json_line(&found),
            false => Ok(format!(
                "{:<16}  {}  {}  {}  {}",
                found.what.as_str(),
                found.recording,
                out::plain(found.account.as_deref().unwrap_or("-")),
                out::plain(found.place.as_deref().unwrap_or("-")),
                out::plain(found.why.as_deref().unwrap_or(""))
            )),
        };
        shown = std::mem::replace(&mut shown, Ok(())).and(line.map(|line| out::line(line.trim_end())));
    };
    let taken = gate.take_inventory(tell).await;
    gate.ledger().close().await;
    let taken = taken?;
    shown?;
    if json {
        out::line(out::json_line(&taken)?);
    } else {
        let found: Vec<String> =
            taken.differences.iter().map(|(what, count)| format!("{count} {}", what.as_str())).collect();
        let found = if found.is_empty() { "no difference".to_owned() } else { found.join(", ") };
        let recordings = counted(usize::try_from(taken.recordings).unwrap_or(usize::MAX), "recording");
        out::line(format!("{recordings} kept, {} in the store: {found}", taken.objects));
    }
    if taken.is_grave() { Err(CliError::Exit(3)) } else { Ok(()) }
}

/// Asks the running gateway with this configuration.
pub(super) async fn running(config: Config, json: bool) -> Result<(), CliError> {
    let ip = match config.listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    let address = SocketAddr::new(ip, config.listen.port());
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let unanswered = |error: reqwest::Error| {
        CliError::Wrong(format!("no gateway answers on {address}: {}", Chain(&error.without_url())))
    };
    // An error means that a provider is installed already.
    let _first = rustls::crypto::ring::default_provider().install_default();
    // The certificate names the gateway's public host, not this address. The request holds no secret.
    let client = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .map_err(unanswered)?;
    let answer = client.get(format!("{scheme}://{address}/readyz")).send().await.map_err(unanswered)?;
    let is_ready = answer.status().is_success();
    let text = answer.text().await.map_err(unanswered)?;
    let told: Value = serde_json::from_str(&text)
        .map_err(|_| CliError::Wrong(format!("the server on {address} is not a gateway")))?;
    say(json, &told, || {
        let word = |name: &str| out::plain(told.get(name).and_then(Value::as_str).unwrap_or("not ready"));
        format!("{address}: {}", word(if is_ready { "status" } else { "detail" }))
    });
    if is_ready { Ok(()) } else { Err(CliError::Exit(3)) }
}

/// How long a gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sets the exit code, which scripts read.
fn ready(lacking: &[(Lack, String)]) -> Result<(), CliError> {
    if lacking.iter().any(|(lack, _)| lack.turns_away()) { Err(CliError::Exit(1)) } else { Ok(()) }
}

/// `serve` raises the limit as far as it can, and so does this process.
fn few_descriptors(config: &Config) -> Option<String> {
    if let Err(error) = descriptors::raise() {
        return Some(format!("the limit of open files cannot be raised: {error}"));
    }
    let allowed = descriptors::connections().filter(|allowed| *allowed < config.connections)?;
    Some(format!(
        "`connections` is {}, and the limit of open files (`ulimit -Hn`) allows only {allowed}: that many \
         are served",
        config.connections
    ))
}

/// What can be said if no gateway has ever started. Creates nothing.
fn first_start(config: &Config, missing: &str, json: bool) -> Result<(), CliError> {
    let table = serve::table(config)?;
    // The directory would be created here, so this has to be writable.
    let there = config.data.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("."));
    rustix::fs::access(there, Access::WRITE_OK)
        .map_err(|errno| serve::ServeError::Data { path: config.data.clone(), source: errno.into() })?;
    let warnings = of_configuration(config, &table);
    if json {
        out::json(&json!({
            "listen": config.listen, "tls": config.tls.is_some(), "data": config.data, "ledger": null,
            "table": table.digest(), "version": 0, "rows": table.rows().count(), "accounts": 0, "warnings": warnings,
        }));
        return Ok(());
    }
    out::line(would_listen(config));
    out::line(format!("{missing} yet: `serve` or `account add` makes it"));
    out::line(format!("`serve` would begin with the table {}", named(&table)));
    warnings.iter().for_each(|warning| out::line(format!("warning: {warning}")));
    Ok(())
}

fn named(table: &Table) -> String {
    format!("{} with {}", table.digest(), counted(table.rows().count(), "row"))
}

fn would_listen(config: &Config) -> String {
    let tls = if config.tls.is_some() { "with TLS" } else { "without TLS" };
    format!("would listen on {}, {tls}", config.listen)
}

/// Warnings that do not depend on the ledger.
fn of_configuration(config: &Config, table: &Table) -> Vec<String> {
    let mut warnings = Vec::new();
    let unreviewed = table.rows().filter(|row| row.source.reviewed.is_none()).count();
    if unreviewed > 0 {
        let rows = counted(unreviewed, "row");
        warnings.push(format!("no lawyer has reviewed {rows} of the table"));
    }
    if config.ip_database.is_none() {
        warnings.push("no IP database is configured (`ip_database`), so IP addresses are not located".into());
    }
    warnings
}

/// What `serve` would do with the configured table, if it is not the one in force.
fn configured(config: &Config, in_force: &Table) -> Option<String> {
    let (_, name, text) = match serve::table_text(config) {
        Ok(found) => found,
        Err(error) => return Some(format!("{error}; it would change nothing")),
    };
    let new = match Table::parse(&text) {
        Ok(table) => table,
        Err(problems) => {
            let mistakes = counted(problems.0.len(), "mistake");
            return Some(format!("{name} has {mistakes} and would change nothing: see `table check`"));
        }
    };
    if new.digest() == in_force.digest() {
        return None;
    }
    Some(match Diff::between(in_force, &new).loosens {
        true => format!(
            "{name} is not in force and loosens something: unless it was offered before, `serve` would \
             propose it"
        ),
        false => {
            format!("{name} is not in force: unless it was offered before, `serve` would put it in force")
        }
    })
}
