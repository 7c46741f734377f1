//! Programs under measurement: where they are, how they are started, what they use.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a program may take to become ready, or a load to be worked off.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// A program of this build in `target/release`.
pub fn program(name: &str) -> PathBuf {
    let bench = std::env::current_exe().expect("a program knows where it is");
    let release = bench.parent().and_then(Path::parent).expect("benches lie in target/release/deps");
    let path = release.join(name);
    assert!(path.exists(), "{} is missing: run `cargo build --release --bins --examples` first", path.display());
    path
}

/// A port nobody listens on.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("loopback has a free port")
}

/// A running program that is killed when dropped.
pub struct Running(Child);

impl Running {
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts"))
    }

    /// Waits until somebody accepts connections at `address`.
    pub fn listens(&self, address: SocketAddr) {
        wait("the program to listen", || TcpStream::connect(address).is_ok());
    }

    /// A figure of `/proc/PID/status` in kB.
    pub fn memory(&self, key: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("the program runs");
        let line = status.lines().find(|line| line.starts_with(key)).expect("the key is there");
        line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("the figure is a number")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for `done`, at most [`DEADLINE`].
pub fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The number a question to a SQLite file answers; 0 while the file or table is not there yet.
pub fn ask(database: &Path, question: &str) -> u64 {
    let open = rusqlite::Connection::open_with_flags(database, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    open.and_then(|db| db.query_row(question, [], |row| row.get::<_, i64>(0))).map_or(0, i64::unsigned_abs)
}

/// A folder with a configuration and playbooks for `larum serve`.
pub struct Site {
    pub folder: tempfile::TempDir,
    pub address: SocketAddr,
}

impl Site {
    /// `connections` is YAML below `connections:`; `playbook` the one playbook.
    pub fn new(connections: &str, playbook: &str) -> Self {
        let folder = tempfile::tempdir_in(program("").as_path()).expect("target is writable");
        let address = free_address();
        fs::create_dir(folder.path().join("playbooks")).expect("the folder is writable");
        let config = format!(
            "server: {{listen: \"{address}\", form_posts_per_minute: 0, api_calls_per_minute: 0}}\nplaybooks: [playbooks]\nconnections: {connections}\n"
        );
        fs::write(folder.path().join("larum.yaml"), config).expect("the folder is writable");
        fs::write(folder.path().join("playbooks/bench.yaml"), playbook).expect("the folder is writable");
        Self { folder, address }
    }

    /// A new token that may do whatever incidents need; makes the data folder when there is none.
    pub fn token(&self) -> String {
        let made = Command::new(program("larum"))
            .args(["tokens", "create", "bench", "--role", "contributor", "--config", "larum.yaml", "--output", "json"])
            .current_dir(self.folder.path())
            .output()
            .expect("the program runs");
        let made: serde_json::Value = serde_json::from_slice(&made.stdout).expect("the command prints JSON");
        made["token"].as_str().expect("the token is in it").to_owned()
    }

    pub fn serve(&self) -> Running {
        Running::start(
            Command::new(program("larum")).args(["serve", "--config", "larum.yaml"]).current_dir(self.folder.path()),
        )
    }

    pub fn incidents(&self) -> u64 {
        ask(&self.folder.path().join("larum-data/larum.db"), "SELECT count(*) FROM incident")
    }
}
