//! The customer's side: keys, and opening what was sealed. Needs no server.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::{CliError, out};
use seal::{Envelope, Expected};

/// What is opened, and with what.
#[derive(Debug, Args)]
pub struct Open {
    /// The sealed media
    media: PathBuf,
    /// Its envelope, as stored beside it or shown by `GET /v1/recordings/{id}`
    #[arg(long, value_name = "ENVELOPE.json")]
    envelope: PathBuf,
    /// The private key
    #[arg(long, value_name = "PRIVATE.pem")]
    key: PathBuf,
    /// Where the audio goes; an existing file is not overwritten, and `-` is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The account that it must belong to
    #[arg(long)]
    account: Option<String>,
    /// The recording that it must be
    #[arg(long)]
    recording: Option<String>,
}

/// Makes a key pair.
///
/// # Errors
///
/// [`CliError`].
pub fn keygen(dir: &Path, json: bool) -> Result<(), CliError> {
    std::fs::create_dir_all(dir)
        .map_err(|source| CliError::Io { what: format!("`{}` cannot be made", dir.display()), source })?;
    let pair = seal::keygen(dir)?;
    if json {
        out::json(&json!({
            "private": pair.private_path, "public": pair.public_path,
            "id": pair.public_key.fingerprint(), "bits": pair.public_key.bits(),
        }));
        return Ok(());
    }
    out::line(format!(
        "private key: {} (keep it safe: without it no recording can be opened)",
        pair.private_path.display()
    ));
    out::line(format!(
        "public key:  {} (give it to the gateway: `key add ACCOUNT public.pem`)",
        pair.public_path.display()
    ));
    Ok(())
}

/// Opens sealed media.
///
/// # Errors
///
/// [`CliError`].
pub fn open(asked: &Open, json: bool) -> Result<(), CliError> {
    let io =
        |path: &Path, source| CliError::Io { what: format!("`{}` cannot be read", path.display()), source };
    let envelope = std::fs::read_to_string(&asked.envelope).map_err(|source| io(&asked.envelope, source))?;
    let envelope = read_envelope(&envelope)?;
    let private =
        Zeroizing::new(std::fs::read_to_string(&asked.key).map_err(|source| io(&asked.key, source))?);
    let media = File::open(&asked.media).map_err(|source| io(&asked.media, source))?;
    let expected = Expected { account: asked.account.as_deref(), recording: asked.recording.as_deref() };
    let onto_output = asked.out.as_os_str() == "-";
    let media = BufReader::with_capacity(1 << 18, media);
    let opened = match onto_output {
        true => seal::open_onto(media, &envelope, &private, expected, std::io::stdout().lock())?,
        false => seal::open(media, &envelope, &private, expected, &asked.out)?,
    };
    let told = json!({
        "out": asked.out, "bytes": opened.bytes, "key": opened.key, "account": envelope.account,
        "recording": envelope.recording, "content_type": envelope.content_type, "origin": "unverified",
    });
    let of = format!("{} bytes of {} are in", opened.bytes, envelope.content_type);
    let origin = "origin unverified: anyone who has the public key can seal something; a proof pack shows where it \
                  comes from";
    match (onto_output, json) {
        // The audio alone goes to standard output.
        (true, true) => out::aside(&told.to_string()),
        (true, false) => out::aside(origin),
        (false, true) => out::json(&told),
        (false, false) => out::line(format!("{of} {}\n{origin}", asked.out.display())),
    }
    Ok(())
}

/// The envelope itself, or a recording's description that holds it.
fn read_envelope(text: &str) -> Result<Envelope, CliError> {
    /// A recording, as `GET /v1/recordings/{id}` describes it.
    #[derive(Deserialize)]
    struct Described {
        envelope: serde_json::Value,
    }
    let envelope = match serde_json::from_str(text) {
        Ok(Described { envelope }) => serde_json::from_value(envelope),
        Err(_) => serde_json::from_str(text),
    };
    envelope.map_err(|error| CliError::Wrong(format!("this is not an envelope: {error}")))
}
