//! What commands are given: dates, words, passwords, accounts.

use jiff::Timestamp;
use serde_json::Value;
use zeroize::Zeroizing;

use super::CliError;
use crate::gate::Gate;

pub(super) async fn must_exist(gate: &Gate, account: &str) -> Result<(), CliError> {
    match gate.ledger.account(account).await.map_err(crate::gate::Fault::from)? {
        Some(_) => Ok(()),
        None => Err(CliError::Wrong(format!(
            "there is no account `{account}`; add it with `consent-gateway account add`"
        ))),
    }
}

pub(super) fn read_password() -> Result<Zeroizing<String>, CliError> {
    let mut line = Zeroizing::new(String::new());
    std::io::stdin()
        .read_line(&mut line)
        .map_err(|source| CliError::Io { what: "standard input cannot be read".into(), source })?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

pub(super) fn date(text: &str) -> Result<Timestamp, CliError> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let day: Option<jiff::civil::Date> = text.parse().ok();
    day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok()).map(|zoned| zoned.timestamp()).ok_or_else(
        || CliError::Wrong(format!("`{text}` is no date; write `2027-01-31` or `2027-01-31T12:00:00Z`")),
    )
}

pub(super) fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, CliError> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|error| CliError::Wrong(error.to_string()))
}
