//! Twilio's signature (`X-Twilio-Signature`): over the URL as it was asked, and a form's parameters, with the account's
//! auth token.
//!
//! It holds no time: whoever has a signed request can send it again. What must count once has to be told apart by what
//! it says.
//!
//! INVARIANT: with an empty token, which everybody has, nothing counts as signed; and a body that is no form does only if
//! the signed URL holds its hash.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

/// The signature of a request to `url`: by a form, these are its parameters; by anything else, there are none.
#[must_use]
pub fn sign(token: &str, url: &str, params: &[(String, String)]) -> String {
    let mut mac = keyed(token.as_bytes());
    mac.update(url.as_bytes());
    // By their bytes; of a name that is repeated, every value once.
    let params: BTreeSet<(&str, &str)> =
        params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for (name, value) in params {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// Whether a request to `url` was signed: with the parameters of a form, or with a `body` that is none. Twilio drops the
/// port here and names it there, so that both are taken.
#[must_use]
pub fn is_signed(
    token: &str,
    signature: &str,
    url: &str,
    params: &[(String, String)],
    body: Option<&[u8]>,
) -> bool {
    if token.is_empty() {
        return false;
    }
    let no_params: &[(String, String)] = &[];
    let (params, is_body) = match body {
        Some(body) => (no_params, is_named(url, body)),
        None => (params, Choice::from(1)),
    };
    let Some(spellings) = spellings(url) else { return false };
    let mut is_url = Choice::from(0);
    for url in spellings {
        is_url |= sign(token, &url, params).as_bytes().ct_eq(signature.as_bytes());
    }
    bool::from(is_url & is_body)
}

/// Whether the URL's query holds this body's hash.
fn is_named(url: &str, body: &[u8]) -> Choice {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let named = query.split('&').find_map(|pair| pair.strip_prefix("bodySHA256=")).unwrap_or_default();
    hex::encode(Sha256::digest(body)).as_bytes().ct_eq(named.as_bytes())
}

/// The URL without its name and password: without a port, and with one. The rest stays as it was written.
fn spellings(url: &str) -> Option<[String; 2]> {
    let (scheme, rest) = url.split_once("://")?;
    let usual = match scheme {
        "https" => "443",
        "http" => "80",
        _ => return None,
    };
    let (authority, path) = rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len()))?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let (name, port) = host.rsplit_once(':').filter(|(_, port)| is_port(port)).unwrap_or((host, usual));
    Some([format!("{scheme}://{name}{path}"), format!("{scheme}://{name}:{port}{path}")])
}

/// HMAC-SHA-1 under a key of any length.
fn keyed(key: &[u8]) -> Hmac<Sha1> {
    // RFC 2104 section 2: a key is padded with zeros to the hash's block, and a longer one is hashed before.
    let mut block = Zeroizing::new([0u8; 64]);
    let hashed = if key.len() > block.len() { Sha1::digest(key).to_vec() } else { key.to_vec() };
    for (to, from) in block.iter_mut().zip(Zeroizing::new(hashed).iter()) {
        *to = *from;
    }
    Hmac::<Sha1>::new((&*block).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "12345";
    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";

    fn form(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// What Twilio's own tests and documents have.
    fn call_of(number: &str) -> Vec<(String, String)> {
        form(&[
            ("From", number),
            ("To", "+18005551212"),
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", number),
            ("Digits", "1234"),
        ])
    }

    #[test]
    fn a_signature_is_the_one_that_twilio_publishes() {
        let documented = "https://example.com/myapp.php?foo=1&bar=2";
        assert_eq!(sign(TOKEN, documented, &call_of("+14158675310")), "L/OH5YylLD5NRKLltdqwSvS0BnU=");
        for (url, signature) in [
            (URL, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            ("https://mycompany.com:443/myapp.php?foo=1&bar=2", "kvajT1Ptam85bY51eRf/AJRuM3w="),
            ("http://mycompany.com:1234/myapp.php?foo=1&bar=2", "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
            ("http://mycompany.com:80/myapp.php?foo=1&bar=2", "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        ] {
            let params = call_of("+14158675309");
            assert_eq!(sign(TOKEN, url, &params), signature, "{url}");
            assert!(is_signed(TOKEN, signature, url, &params, None), "{url}");
        }
        let repeated = form(&[
            ("Sid", "CA123"),
            ("SidAccount", "AC123"),
            ("Digits", "5678"),
            ("Digits", "1234"),
            ("Digits", "1234"),
        ]);
        assert_eq!(sign(TOKEN, URL, &repeated), "IK+Dwps556ElfBT0I3Rgjkr1wJU=");
    }

    #[test]
    fn keys_of_a_block_and_of_more_are_as_in_other_libraries() {
        let url = "https://example.com/";
        assert_eq!(sign(&"x".repeat(64), url, &[]), "Enylio30915GQl2lam9s5yLJG/I=");
        assert_eq!(sign(&"x".repeat(65), url, &[]), "ADOnGmxmrdxqhGRpKX/XIGnXACA=");
    }

    #[test]
    fn a_port_may_be_left_out_or_named_and_a_password_is_no_part() {
        let params = call_of("+14158675309");
        let signed = |signature: &str, url: &str| is_signed(TOKEN, signature, url, &params, None);
        let (bare, with_port) = ("RSOYDt4T1cUTdK1PDd93/VVr8B8=", "kvajT1Ptam85bY51eRf/AJRuM3w=");
        for url in [
            URL,
            "https://mycompany.com:443/myapp.php?foo=1&bar=2",
            "https://name:word@mycompany.com/myapp.php?foo=1&bar=2",
            "https://name:w@rd@mycompany.com:443/myapp.php?foo=1&bar=2",
        ] {
            assert!(signed(bare, url) && signed(with_port, url), "{url}");
        }
        // Another port is dropped, but never turned into yet another one.
        assert!(signed(bare, "https://mycompany.com:8443/myapp.php?foo=1&bar=2"));
        assert!(!signed(with_port, "https://mycompany.com:8443/myapp.php?foo=1&bar=2"));
        let plain = "http://mycompany.com/myapp.php?foo=1&bar=2";
        assert!(signed("0ZXoZLH/DfblKGATFgpif+LLRf4=", plain) && !signed(bare, plain));
        assert_eq!(spellings("https://[::1]/a").unwrap(), ["https://[::1]/a", "https://[::1]:443/a"]);
        assert_eq!(spellings("http://[::1]:81?b").unwrap(), ["http://[::1]?b", "http://[::1]:81?b"]);
        assert_eq!(spellings("https://a.example").unwrap(), ["https://a.example", "https://a.example:443"]);
    }

    #[test]
    fn another_request_is_not_signed() {
        let (params, good) = (call_of("+14158675309"), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        let signed = |token: &str, signature: &str, url: &str, params: &[(String, String)]| {
            is_signed(token, signature, url, params, None)
        };
        assert!(signed(TOKEN, good, URL, &params));
        for (token, signature, url) in [
            ("12346", good, URL),
            (TOKEN, "", URL),
            (TOKEN, "RSOYDt4T1cUTdK1PDd93/VVr8B8", URL),
            (TOKEN, "rSOYDt4T1cUTdK1PDd93/VVr8B8=", URL),
            (TOKEN, good, "https://mycompany.com/myapp.php?foo=1&bar=3"),
            (TOKEN, good, "https://mycompany.com.evil.example/myapp.php?foo=1&bar=2"),
            (TOKEN, good, "ftp://mycompany.com/myapp.php?foo=1&bar=2"),
            (TOKEN, good, "mycompany.com/myapp.php?foo=1&bar=2"),
        ] {
            assert!(!signed(token, signature, url, &params), "{token} {signature} {url}");
        }
        assert!(!signed(TOKEN, good, URL, &params[1..]));
        assert!(!signed(TOKEN, good, URL, &call_of("+14158675308")));
        // What everybody can sign.
        assert!(!signed("", &sign("", URL, &params), URL, &params));
    }

    #[test]
    fn a_body_that_is_no_form_is_named_in_the_signed_url() {
        // The example of twilio-python's tests.
        let body = br#"{"property": "value", "boolean": true}"#;
        let url = format!(
            "{URL}&bodySHA256={}",
            "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
        );
        let signature = "a9nBmqA0ju/hNViExpshrM61xv4=";
        assert_eq!(sign(TOKEN, &url, &[]), signature);
        assert!(is_signed(TOKEN, signature, &url, &[], Some(body)));
        assert!(is_signed(TOKEN, signature, &url, &call_of("+14158675309"), Some(body)));
        assert!(!is_signed(TOKEN, signature, &url, &[], Some(b"{}")));
        // A signed URL without a hash says nothing of a body.
        assert!(!is_signed(TOKEN, &sign(TOKEN, URL, &[]), URL, &[], Some(body)));
        assert!(!is_signed(TOKEN, &sign(TOKEN, URL, &[]), URL, &[], Some(b"")));
    }
}
