//! Signatures, verified by others: the `rsa` crate, and OpenSSL.

use std::process::Command;

use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rsa::PrivateKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use rsa::signature::Verifier as _;
use sha2::Sha256;

use super::*;
use crate::export::tests::rsa_pair;

fn decoded(value: &Value) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
}

#[test]
fn a_signed_vcon_is_a_general_jws_that_others_verify() {
    let (certificate, key, public) = rsa_pair();
    let signer = Signer::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let vcon = json!({"uuid": "0198c0de-0000-8000-8000-000000000000", "parties": []});
    let signed = signer.sign(&vcon).unwrap();
    let [signature] = &signed["signatures"].as_array().unwrap()[..] else { panic!("{signed:#}") };
    let text = |value: &Value| value.as_str().unwrap().to_owned();

    assert_eq!(serde_json::from_slice::<Value>(&decoded(&signed["payload"])).unwrap(), vcon);
    assert_eq!(decoded(&signature["protected"]), br#"{"alg":"RS256"}"#);
    assert_eq!(signature["header"]["uuid"], vcon["uuid"]);
    let x5c = signature["header"]["x5c"].as_array().unwrap();
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    assert_eq!(x5c, &[json!(BASE64_STANDARD.encode(&der))]);

    let input = format!("{}.{}", text(&signature["protected"]), text(&signed["payload"]));
    let bytes = decoded(&signature["signature"]);
    let verifier = VerifyingKey::<Sha256>::new(public);
    let rsa = Signature::try_from(bytes.as_slice()).unwrap();
    verifier.verify(input.as_bytes(), &rsa).unwrap();
    assert!(verifier.verify(format!("{input}A").as_bytes(), &rsa).is_err());

    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let certificate = file("certificate.pem", certificate.as_bytes());
    let openssl = |arguments: &[&std::ffi::OsStr]| Command::new("openssl").args(arguments).output().unwrap();
    let public = openssl(&[
        "x509".as_ref(),
        "-in".as_ref(),
        certificate.as_ref(),
        "-noout".as_ref(),
        "-pubkey".as_ref(),
    ]);
    let public = file("public.pem", &public.stdout);
    let (input, bytes) = (file("input", input.as_bytes()), file("signature", &bytes));
    let verify = [
        "dgst".as_ref(),
        "-sha256".as_ref(),
        "-verify".as_ref(),
        public.as_ref(),
        "-signature".as_ref(),
        bytes.as_ref(),
    ];
    let output = openssl(&[&verify[..], &[input.as_ref()]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let other = file("other", b"something else");
    assert!(!openssl(&[&verify[..], &[other.as_ref()]].concat()).status.success());
}

#[test]
fn a_pkcs_1_key_will_do_and_the_chain_goes_along() {
    use rsa::pkcs1::EncodeRsaPrivateKey as _;
    use rsa::pkcs8::DecodePrivateKey as _;
    let (certificate, key, _) = rsa_pair();
    let key = PrivateKey::from_pkcs8_pem(&key).unwrap().to_pkcs1_pem(LineEnding::LF).unwrap();
    let issuer = rcgen::generate_simple_self_signed(["issuer.example".to_owned()]).unwrap().cert.pem();
    let chain = format!("{certificate}{issuer}");
    let signed =
        Signer::from_pem(chain.as_bytes(), key.as_bytes()).unwrap().sign(&json!({"uuid": "u"})).unwrap();
    assert_eq!(signed["signatures"][0]["header"]["x5c"].as_array().unwrap().len(), 2);
}

#[test]
fn what_cannot_sign_is_refused_with_what_is_wrong() {
    let (certificate, key, _) = rsa_pair();
    let refused = |certificate: &str, key: &str| {
        let error = Signer::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap_err();
        error.to_string()
    };
    assert!(refused("", &key).contains("no certificate"));
    assert!(refused(&certificate, "").contains("can't read the key"));
    let elliptic = rcgen::generate_simple_self_signed(["gateway.example".to_owned()]).unwrap();
    let (theirs, their_key) = (elliptic.cert.pem(), elliptic.signing_key.serialize_pem());
    assert!(refused(&theirs, &their_key).contains("not an RSA key"), "{}", refused(&theirs, &their_key));
    assert!(refused(&theirs, &key).contains("can't be used together"));
    let short = PrivateKey::new(&mut crate::random::Drawn::default(), 1024).unwrap();
    let short = short.to_pkcs8_pem(LineEnding::LF).unwrap();
    assert!(refused(&certificate, &short).contains("can't be used together"));
    let signer = Signer::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    assert!(matches!(signer.sign(&json!({"parties": []})), Err(JwsError::NoUuid)));
    assert!(!format!("{signer:?}").contains("key"));
}
