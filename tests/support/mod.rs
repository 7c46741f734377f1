//! Real servers for tests, private to each test: started on a free port, stopped when dropped.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod dovecot;
pub mod larum;
pub mod proxy;
pub mod smtp;

use std::{
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How long a server may take to come up or to go.
pub const SERVER_DEADLINE: Duration = Duration::from_secs(20);

/// A port nobody listens on at the moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until something listens on a port.
pub fn await_port(port: u16, what: &str) {
    let until = Instant::now() + SERVER_DEADLINE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "{what} does not listen on port {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Makes `certificate.pem` and `key.pem` in a folder: a server's own for this host, which whoever trusts it accepts.
pub fn certificate(folder: &Path, host: &str) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", &format!("/CN=larum test server {host}"), "-addext", &format!("subjectAltName=DNS:{host}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("certificate.pem"))
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success(), "openssl makes a certificate");
}

/// Opens a data folder whose store was closed in this process. The lock on it may live on for a moment in a child that
/// another test has forked and that does not run its own program yet.
pub fn open_store(data: &Path) -> std::sync::Arc<::larum::store::SqliteStore> {
    use ::larum::store::{OpenError, SqliteStore};
    let until = Instant::now() + SERVER_DEADLINE;
    loop {
        match SqliteStore::open(data) {
            Err(OpenError::InUse(_)) if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
            opened => return opened.unwrap(),
        }
    }
}

/// A folder that the servers' own users may walk into.
pub fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path());
    folder
}

fn open(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}
