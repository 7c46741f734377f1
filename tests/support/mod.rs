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

/// A folder that the servers' own users may walk into.
pub fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path());
    folder
}

fn open(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}
