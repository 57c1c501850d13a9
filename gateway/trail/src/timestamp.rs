//! Time stamps by RFC 3161: an authority signs that it has seen a checkpoint at a time of its own.
//!
//! What is stamped is the SHA-256 of the note's text: the signed part, its last line feed included,
//! without the empty line and the signatures. The whole response is kept as it came, so that anybody
//! can check it later:
//!
//! ```text
//! openssl ts -verify -in 1024.tsr -data note.txt -CAfile ca.pem
//! ```
//!
//! Knows no certificate: that the response is for this text and for this request is checked here,
//! that it is signed by an authority which the reader trusts is for `openssl` to say. Nothing the
//! gateway does depends on a stamp, so one by an impostor fools nobody who verifies.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use sha2::{Digest as _, Sha256};

use self::der::{Der, Unexpected};

mod der;

/// The time in a response to a [`query`], if it is a stamp of this text that answers this very request.
///
/// # Errors
///
/// If the response is a refusal, or is of something else.
pub fn answer(response: &[u8], text: &str, nonce: u64) -> Result<Timestamp, TimestampError> {
    let info = read(response)?;
    if info.imprint != imprint(text) {
        return Err(TimestampError::OtherText);
    }
    if info.nonce != Some(der::unsigned(nonce).as_slice()) {
        return Err(TimestampError::OtherRequest);
    }
    Ok(info.time)
}

/// The time in a kept response, if it is one of this text. Doesn't look at its signature.
///
/// # Errors
///
/// If the response is not a granted one, or is of something else.
pub fn time_of(response: &[u8], text: &str) -> Result<Timestamp, TimestampError> {
    let info = read(response)?;
    if info.imprint != imprint(text) {
        return Err(TimestampError::OtherText);
    }
    Ok(info.time)
}

/// Why a response is not a time stamp.
#[derive(Debug, thiserror::Error)]
pub enum TimestampError {
    /// Not a response by RFC 3161.
    #[error("what the time stamping authority answered is not a time stamp response")]
    Malformed,
    /// Refused.
    #[error("the time stamping authority refused: {0}")]
    Refused(String),
    /// A stamp of something else.
    #[error("the time stamp is of another text")]
    OtherText,
    /// A stamp for somebody else, or an old one.
    #[error("the time stamp answers another request")]
    OtherRequest,
}

impl From<Unexpected> for TimestampError {
    fn from(_: Unexpected) -> Self {
        TimestampError::Malformed
    }
}

/// What is read of a `TSTInfo`.
#[derive(Debug, PartialEq, Eq)]
struct Info<'a> {
    imprint: [u8; 32],
    nonce: Option<&'a [u8]>,
    time: Timestamp,
}

fn imprint(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// What an authority is asked for a stamp of a note's text: section 2.4.1, `TimeStampReq`, without a policy,
/// asking for the certificate.
#[must_use]
pub fn query(text: &str, nonce: u64) -> Vec<u8> {
    let algorithm = [der::element(der::OID, SHA_256), der::element(der::NULL, &[])].concat();
    let message =
        [der::element(der::SEQUENCE, &algorithm), der::element(der::OCTET_STRING, &imprint(text))].concat();
    let body = [
        der::element(der::INTEGER, &[1]),
        der::element(der::SEQUENCE, &message),
        der::element(der::INTEGER, &der::unsigned(nonce)),
        der::element(der::BOOLEAN, &[0xff]),
    ];
    der::element(der::SEQUENCE, &body.concat())
}

/// Section 2.4.2: `TimeStampResp`.
fn read(response: &[u8]) -> Result<Info<'_>, TimestampError> {
    let mut outer = Der::new(response);
    let mut inner = outer.enter(der::SEQUENCE)?;
    outer.end()?;
    granted(inner.enter(der::SEQUENCE)?)?;
    let token = inner.enter(der::SEQUENCE)?;
    inner.end()?;
    Ok(info(token_contents(token)?)?)
}

/// `PKIStatusInfo`: granted, or granted with modifications (a policy of its own choice, say).
fn granted(mut status: Der<'_>) -> Result<(), TimestampError> {
    let code = der::small(status.take(der::INTEGER)?)?;
    let words = status.optional(der::SEQUENCE)?;
    let failures = status.optional(der::BIT_STRING)?;
    status.end()?;
    if matches!(code, 0 | 1) {
        return Ok(());
    }
    let name = STATUS.get(usize::from(code)).copied().unwrap_or("unknown status");
    let mut said = vec![name.to_owned()];
    said.extend(failures.into_iter().flat_map(failed_bits).map(str::to_owned));
    said.extend(words.and_then(|words| spoken(Der::new(words)).ok()));
    Err(TimestampError::Refused(said.join(", ")))
}

/// `PKIFailureInfo`: which bits are set, the first one being the highest of its byte.
fn failed_bits(bits: &[u8]) -> impl Iterator<Item = &'static str> {
    let bytes = bits.get(1..).unwrap_or_default();
    FAILURES.iter().filter_map(|(bit, name)| {
        let byte = bytes.get(bit / 8)?;
        (byte & (0x80 >> (bit % 8)) != 0).then_some(*name)
    })
}

/// `PKIFreeText`, made fit for a log line.
fn spoken(mut words: Der<'_>) -> Result<String, Unexpected> {
    let text = words.take(der::UTF8_STRING)?;
    let text = std::str::from_utf8(text).map_err(|_| Unexpected)?;
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    Ok(format!("`{}`", printable.take(SPOKEN).collect::<String>()))
}

/// RFC 5652 sections 3 and 5.1: a `ContentInfo` with `SignedData` around a `TSTInfo`. Certificates
/// and signatures are walked over, not read.
fn token_contents(mut token: Der<'_>) -> Result<Der<'_>, Unexpected> {
    expect(token.take(der::OID)?, SIGNED_DATA)?;
    let mut content = token.enter(der::CONTEXT_0)?;
    token.end()?;
    let mut signed = content.enter(der::SEQUENCE)?;
    content.end()?;
    der::small(signed.take(der::INTEGER)?)?;
    signed.take(der::SET)?;
    let mut encapsulated = signed.enter(der::SEQUENCE)?;
    signed.skip_all()?;
    expect(encapsulated.take(der::OID)?, TST_INFO)?;
    let mut explicit = encapsulated.enter(der::CONTEXT_0)?;
    encapsulated.end()?;
    let contents = explicit.take(der::OCTET_STRING)?;
    explicit.end()?;
    let mut outer = Der::new(contents);
    let info = outer.enter(der::SEQUENCE)?;
    outer.end()?;
    Ok(info)
}

/// Section 2.4.2: `TSTInfo`.
fn info(mut info: Der<'_>) -> Result<Info<'_>, Unexpected> {
    expect(info.take(der::INTEGER)?, &[1])?;
    let _policy = info.take(der::OID)?;
    let mut message = info.enter(der::SEQUENCE)?;
    let mut algorithm = message.enter(der::SEQUENCE)?;
    expect(algorithm.take(der::OID)?, SHA_256)?;
    expect(algorithm.optional(der::NULL)?.unwrap_or_default(), &[])?;
    algorithm.end()?;
    let imprint = message.take(der::OCTET_STRING)?.try_into().map_err(|_| Unexpected)?;
    message.end()?;
    let _serial = der::integer(info.take(der::INTEGER)?)?;
    let time = moment(info.take(der::GENERALIZED_TIME)?).ok_or(Unexpected)?;
    let _accuracy = info.optional(der::SEQUENCE)?;
    let _ordering = info.optional(der::BOOLEAN)?;
    let nonce = info.optional(der::INTEGER)?.map(der::integer).transpose()?;
    let _authority = info.optional(der::CONTEXT_0)?;
    let _extensions = info.optional(der::CONTEXT_1)?;
    info.end()?;
    Ok(Info { imprint, nonce, time })
}

fn expect(found: &[u8], wanted: &[u8]) -> Result<(), Unexpected> {
    if found == wanted { Ok(()) } else { Err(Unexpected) }
}

/// `YYYYMMDDhhmmss[.s…]Z`. Zeros at the fraction's end are not DER, but `openssl` takes them; digits
/// beyond nanoseconds are cut off.
fn moment(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let pair = |at: usize| whole.get(at..at + 2)?.parse::<i8>().ok();
    let nanoseconds = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let civil = DateTime::new(
        whole.get(..4)?.parse().ok()?,
        pair(4)?,
        pair(6)?,
        pair(8)?,
        pair(10)?,
        pair(12)?,
        nanoseconds,
    );
    Offset::UTC.to_timestamp(civil.ok()?).ok()
}

/// 2.16.840.1.101.3.4.2.1
const SHA_256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// 1.2.840.113549.1.7.2
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9.16.1.4
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];

/// `PKIStatus`, by number.
const STATUS: [&str; 6] =
    ["granted", "granted with modifications", "rejection", "waiting", "revocation warning", "revoked"];

/// `PKIFailureInfo`: the bits that section 2.4.2 names.
const FAILURES: [(usize, &str); 8] = [
    (0, "unknown algorithm"),
    (2, "bad request"),
    (5, "bad data format"),
    (14, "its time source is not available"),
    (15, "policy not accepted"),
    (16, "extension not accepted"),
    (17, "additional information not available"),
    (25, "system failure"),
];

/// How much of an authority's own words is shown, in characters.
const SPOKEN: usize = 200;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tsa;
