//! PostgreSQL for tests: the server that `tests/run` has started, a fresh place on it for every test,
//! and servers of a test's own, to be crashed.

use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

/// A place on a server that only this test uses: a role with a schema of its name, which is all that the
/// role finds. As good as a database of its own, and gone in milliseconds: `DROP DATABASE` takes a checkpoint.
pub(crate) struct Place {
    admin: String,
    /// The role, and the schema.
    pub(crate) name: String,
    /// The URL for a gateway.
    pub(crate) url: String,
}

impl Place {
    /// On the server that `tests/run` has started.
    pub(crate) async fn new() -> Place {
        let Ok(admin) = std::env::var("GATEWAY_TEST_POSTGRES") else {
            panic!(
                "GATEWAY_TEST_POSTGRES is not set: `tests/run` starts a PostgreSQL server, and says where it is"
            )
        };
        Place::on(&admin).await
    }

    /// On this server, as seen by its superuser.
    pub(crate) async fn on(admin: &str) -> Place {
        let name = format!("t_{}", consent_gateway::random::id().unwrap().simple());
        let mut connection = connect(admin).await;
        // Statement by statement: a role and its schema are made while others make theirs.
        for sql in [format!("CREATE ROLE {name} LOGIN"), format!("CREATE SCHEMA AUTHORIZATION {name}")] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
        Place { admin: admin.to_owned(), url: as_user(admin, &name), name }
    }

    /// What only a superuser may do.
    pub(crate) async fn administer(&self, sql: &str) {
        let mut connection = connect(&self.admin).await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                // The server may be gone: it was the test's own.
                let Ok(mut connection) = PgConnection::connect(&admin).await else { return };
                let sql = format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{name}'; \
                     DROP OWNED BY {name} CASCADE; DROP ROLE {name}"
                );
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            });
        });
        if dropped.join().is_err() && !std::thread::panicking() {
            panic!("{} could not be dropped", self.name);
        }
    }
}

/// A server of this test's own.
pub(crate) struct Server {
    dir: TempDir,
    pub(crate) url: String,
}

impl Server {
    /// With these settings beside those of the tests' server: `name=value`.
    pub(crate) fn start(settings: &[&str]) -> Server {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::Builder::new().prefix("consent-pg-").tempdir_in("/tmp").unwrap();
        // Root's servers run as somebody else.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut arguments = vec!["start", dir.path().to_str().unwrap()];
        arguments.extend(settings);
        let url = script(&arguments).trim().to_owned();
        Server { dir, url }
    }

    /// Crashes it, and starts it again, with these settings as well.
    pub(crate) fn restart(&self, settings: &[&str]) {
        let mut arguments = vec!["restart", self.dir.path().to_str().unwrap()];
        arguments.extend(settings);
        script(&arguments);
    }

    /// Where its files are.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        script(&["stop", self.dir.path().to_str().unwrap()]);
    }
}

fn script(arguments: &[&str]) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/postgres");
    let output = Command::new(path).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

/// The same place, seen by somebody else.
pub(crate) fn as_user(url: &str, user: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let place = rest.split_once('@').map_or(rest, |(_, place)| place);
    format!("{scheme}://{user}@{place}")
}
