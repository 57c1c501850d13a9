//! Handshakes and certificates.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::listen::tls::TlsError;

/// The start of a record that announces 512 bytes of `ClientHello`.
const HALF_A_HANDSHAKE: &[u8] = &[22, 3, 1, 2, 0, 1];

#[tokio::test(start_paused = true)]
async fn a_stalled_handshake_is_closed() {
    let files = Files::new();
    let start = Instant::now();
    let mut client = Wires::new(Some(files.reloading())).connect().await;
    client.write_all(HALF_A_HANDSHAKE).await.unwrap();
    assert_eq!(read_to_end(&mut client).await, "");
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn on_a_socket_half_a_handshake_is_closed() {
    let (files, handshake) = (Files::new(), Duration::from_millis(200));
    let limits = Limits { handshake, ..Limits::default() };
    let server = Running::start(limits, Some(files.reloading())).await;
    let start = Instant::now();
    let mut client = server.connect().await;
    client.write_all(HALF_A_HANDSHAKE).await.unwrap();
    assert_eq!(read_to_end(&mut client).await, "");
    assert!(start.elapsed() >= handshake && start.elapsed() < Limits::default().handshake);
}

#[tokio::test(start_paused = true)]
async fn over_tls_requests_are_answered_and_heads_limited() {
    let files = Files::new();
    let wires = Wires::new(Some(files.reloading()));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut client = handshake(wires.connect().await, version).await;
        assert_eq!(client.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        client.write_all(HELLO).await.unwrap();
        assert!(read_answer(&mut client).await.ends_with("hello"));
        let start = Instant::now();
        client.write_all(b"GET").await.unwrap();
        let closed = client.read_u8().await.unwrap_err();
        assert_eq!(closed.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(start.elapsed().as_secs(), 10);
    }
    let mut plain = wires.connect().await;
    plain.write_all(HELLO).await.unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.starts_with(b"HTTP"));
}

#[tokio::test(start_paused = true)]
async fn a_new_certificate_is_served_without_a_restart() {
    let files = Files::new();
    let wires = Wires::new(Some(files.reloading()));
    let old = wires.certificate().await;

    let (cert, key) = pair();
    files.write(&cert, "not a key");
    assert_eq!(wires.certificate_later().await, old, "a broken pair is not served");

    files.write(&cert, &pair().1);
    assert_eq!(wires.certificate_later().await, old, "nor another certificate's key");

    std::fs::remove_file(&files.key).unwrap();
    assert_eq!(wires.certificate_later().await, old, "nor half a pair");

    files.write(&cert, &key);
    let new = wires.certificate_later().await;
    assert_ne!(new, old);

    let next = Files::new();
    std::fs::rename(&next.cert, &files.cert).unwrap();
    std::fs::rename(&next.key, &files.key).unwrap();
    assert_eq!(wires.certificate().await, new, "the files are looked at once a second");
    assert_ne!(wires.certificate_later().await, new);
}

#[test]
fn a_pair_that_cannot_be_served_is_refused_at_the_start() {
    let files = Files::new();
    let load = || Reloading::from_files(files.cert.clone(), files.key.clone()).err().unwrap();
    let (cert, key) = pair();
    files.write(&cert, &pair().1);
    assert!(matches!(load(), TlsError::Refused(_)));
    files.write(&key, &key);
    assert!(matches!(load(), TlsError::Empty { .. }));
    files.write(&cert, &cert);
    assert!(matches!(load(), TlsError::Key { .. }));
    std::fs::remove_file(&files.cert).unwrap();
    assert!(matches!(load(), TlsError::File { .. }));
    // A pipe would never answer.
    assert!(std::process::Command::new("mkfifo").arg(&files.cert).status().unwrap().success());
    assert!(matches!(load(), TlsError::File { .. }));
}

/// A key or certificate that is not there for reading, of whichever kind, holds nobody up.
#[tokio::test(start_paused = true)]
async fn while_a_file_is_no_plain_file_the_old_pair_is_served() {
    let files = Files::new();
    let wires = Wires::new(Some(files.reloading()));
    let old = wires.certificate().await;
    let pipe = |path: &std::path::Path| {
        std::fs::remove_file(path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    let directory = |path: &std::path::Path| {
        std::fs::remove_file(path).unwrap();
        std::fs::create_dir(path).unwrap();
    };
    pipe(&files.key);
    assert_eq!(wires.certificate_later().await, old);
    pipe(&files.cert);
    assert_eq!(wires.certificate_later().await, old);
    directory(&files.key);
    assert_eq!(wires.certificate_later().await, old);
    std::fs::remove_dir(&files.key).unwrap();
    std::fs::remove_file(&files.cert).unwrap();
    let (cert, key) = pair();
    files.write(&cert, &key);
    assert_ne!(wires.certificate_later().await, old, "the good pair is served again");
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_handshake() {
    let files = Files::new();
    let server = Running::start(Limits::default(), Some(files.reloading())).await;
    let mut client = server.connect().await;
    client.write_all(HALF_A_HANDSHAKE).await.unwrap();
    // Answered, so the first one has been accepted.
    let mut other = handshake(server.connect().await, &rustls::version::TLS13).await;
    other.write_all(HELLO).await.unwrap();
    assert!(read_answer(&mut other).await.ends_with("hello"));
    let start = Instant::now();
    server.shutdown.cancel();
    server.task.await.unwrap();
    assert!(start.elapsed() < Limits::default().handshake);
}

impl Wires {
    async fn certificate(&self) -> CertificateDer<'static> {
        let stream = handshake(self.connect().await, &rustls::version::TLS13).await;
        stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    }

    async fn certificate_later(&self) -> CertificateDer<'static> {
        sleep(Duration::from_secs(2)).await;
        self.certificate().await
    }
}

/// A certificate and key on disk.
struct Files {
    _directory: tempfile::TempDir,
    cert: std::path::PathBuf,
    key: std::path::PathBuf,
}

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (cert, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
        let files = Self { _directory: directory, cert, key };
        let (cert, key) = pair();
        files.write(&cert, &key);
        files
    }

    fn write(&self, cert: &str, key: &str) {
        std::fs::write(&self.cert, cert).unwrap();
        std::fs::write(&self.key, key).unwrap();
    }

    fn reloading(&self) -> Reloading {
        Reloading::from_files(self.cert.clone(), self.key.clone()).unwrap()
    }
}

fn pair() -> (String, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

async fn handshake<S: Stream>(stream: S, version: &'static rustls::SupportedProtocolVersion) -> TlsStream<S> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.dangerous().set_certificate_verifier(Arc::new(Anyone(provider)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

/// Trusts any certificate: these tests look at which one is served.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
