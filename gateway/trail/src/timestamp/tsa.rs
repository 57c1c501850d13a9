//! An authority of `openssl ts`, made at test time.

use std::path::Path;
use std::process::Command;

/// A certificate authority with one time stamping certificate, in a directory of its own.
pub(super) struct Tsa {
    dir: tempfile::TempDir,
}

impl Tsa {
    pub(super) fn new() -> Tsa {
        let tsa = Tsa { dir: tempfile::tempdir().unwrap() };
        std::fs::write(tsa.path().join("tsa.cnf"), CONFIG).unwrap();
        std::fs::write(tsa.path().join("serial"), "01\n").unwrap();
        tsa.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
             -subj /CN=test-ca -days 30",
        );
        tsa.openssl(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tsa.key -out tsa.csr \
             -subj /CN=test-tsa",
        );
        tsa.openssl(
            "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out tsa.pem \
             -extfile tsa.cnf -extensions stamping",
        );
        tsa
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// What it prints.
    pub(super) fn openssl(&self, arguments: &str) -> String {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.path())
            .output()
            .expect("openssl is there: tests/run installs it");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "openssl {arguments}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    pub(super) fn reply(&self, section: &str, query: &[u8]) -> Vec<u8> {
        std::fs::write(self.path().join("q.tsq"), query).unwrap();
        self.openssl(&format!("ts -reply -config tsa.cnf -section {section} -queryfile q.tsq -out r.tsr"));
        std::fs::read(self.path().join("r.tsr")).unwrap()
    }
}
const CONFIG: &str = "
[ stamping ]
extendedKeyUsage = critical, timeStamping
[ tsa ]
default_tsa = plain
[ plain ]
serial = serial
signer_cert = tsa.pem
certs = ca.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
[ full ]
serial = serial
signer_cert = tsa.pem
certs = ca.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1, millisecs:500, microsecs:100
clock_precision_digits = 6
ordering = yes
tsa_name = yes
ess_cert_id_alg = sha256
[ choosy ]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha512
";
