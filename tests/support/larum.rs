//! The real binary on a folder of its own: started, killed, started again, and asked what it knows.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long the binary may take to become ready, or a condition to come true.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A folder with `larum.yaml`, `playbooks/` and, once served, `larum-data/`.
pub struct Site {
    pub folder: tempfile::TempDir,
    pub address: SocketAddr,
    secure: bool,
}

/// An answer to an HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Site {
    /// `config` is YAML beside the `server:` key; playbooks are `(file name, text)`.
    pub fn new(config: &str, playbooks: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound port has an address");
        fs::create_dir(folder.path().join("playbooks")).expect("the folder is writable");
        let server = format!("server: {{listen: \"{address}\", form_posts_per_minute: 0, api_calls_per_minute: 0}}\n");
        fs::write(folder.path().join("larum.yaml"), server + config).expect("the folder is writable");
        for (name, text) in playbooks {
            fs::write(folder.path().join("playbooks").join(name), text).expect("the folder is writable");
        }
        Self { folder, address, secure: false }
    }

    /// The same over TLS for `localhost`; `certificate.pem` in the folder is to be trusted.
    pub fn secure(playbooks: &[(&str, &str)]) -> Self {
        let site = Self { secure: true, ..Self::new("", playbooks) };
        super::certificate(site.folder.path(), "localhost");
        let path = site.folder.path().join("larum.yaml");
        let config = fs::read_to_string(&path).expect("the configuration is there");
        let tls = "server: {tls: {certificate: certificate.pem, key: key.pem}, ";
        fs::write(&path, config.replacen("server: {", tls, 1)).expect("the folder is writable");
        site
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("larum-data")
    }

    /// `larum serve`, its log in `serve.log`; not waited for.
    pub fn command(&self) -> Command {
        let log = fs::File::options().create(true).append(true).open(self.folder.path().join("serve.log"));
        let log = log.expect("the folder is writable");
        let mut command = Command::new(env!("CARGO_BIN_EXE_larum"));
        command
            .args(["serve", "--config", "larum.yaml"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log can be shared"))
            .stderr(log);
        command
    }

    /// Starts the binary and waits until it is ready.
    pub fn serve(&self) -> Larum {
        let larum = Larum { child: self.command().spawn().expect("the binary starts") };
        let is_ready = || match self.secure {
            // Who speaks no TLS sees only that it says so.
            true => self.log().contains(" serves https://"),
            false => self.get("/readyz").is_some_and(|answer| answer.status == 200),
        };
        self.until("larum to be ready", is_ready);
        larum
    }

    /// Waits for `done`, at most [`DEADLINE`]; shows the log when it does not come true.
    pub fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let started = Instant::now();
        while !done() {
            if started.elapsed() > DEADLINE {
                panic!("waited {DEADLINE:?} for {what}; the log:\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("serve.log")).unwrap_or_default()
    }

    pub fn get(&self, path: &str) -> Option<Answer> {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address))
    }

    /// Posts JSON; `None` when the connection broke before an answer came.
    pub fn post(&self, path: &str, headers: &str, body: &str) -> Option<Answer> {
        self.ask(&format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            self.address,
            body.len()
        ))
    }

    /// A new token of this role, made in the data folder while no server holds it.
    pub fn token(&self, role: &str) -> String {
        let name = format!("{role}-{}", uuid::Uuid::new_v4());
        let (code, out, err) =
            self.run(&["tokens", "create", &name, "--role", role, "--config", "larum.yaml", "--output", "json"]);
        assert_eq!(code, Some(0), "a token is made: {err}");
        let made: serde_json::Value = serde_json::from_str(&out).expect("tokens create prints JSON");
        made["token"].as_str().unwrap_or_else(|| panic!("the token is in {out}")).to_owned()
    }

    /// Calls an API; `None` when the connection broke before an answer came. An empty `body` is none.
    pub fn call(&self, method: &str, path: &str, token: &str, body: &str) -> Option<Answer> {
        let about = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        self.ask(&format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{about}Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ))
    }

    /// Presses the button of the page behind an approval's link.
    pub fn confirm(&self, path: &str) -> Answer {
        let answer = self.ask(&format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n\r\n",
            self.address
        ));
        answer.expect("an answer")
    }

    /// Asks with a token.
    pub fn ask_as(&self, token: &str, method: &str, path: &str, body: &str) -> Option<Answer> {
        self.ask(&format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ))
    }

    /// An administrator's token, made in the data folder before a server holds it.
    pub fn administrator(&self) -> String {
        let (code, out, err) =
            self.run(&["tokens", "create", "boss", "--role", "administrator", "--config", "larum.yaml"]);
        assert_eq!(code, Some(0), "{err}");
        out.trim().to_owned()
    }

    pub fn ask(&self, request: &str) -> Option<Answer> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split_whitespace().nth(1)?.parse().ok()?;
        let body = answer.split_once("\r\n\r\n")?.1.to_owned();
        Some(Answer { status, body })
    }

    /// Runs another subcommand in the folder; gives its exit code, output and errors.
    pub fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.run_with(&[], arguments)
    }

    /// The same with these environment variables.
    pub fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String, String) {
        let done = Command::new(env!("CARGO_BIN_EXE_larum"))
            .args(arguments)
            .envs(variables.iter().copied())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("the binary runs");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (done.status.code(), text(done.stdout), text(done.stderr))
    }

    /// What `larum COMMAND --output json` prints.
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let (code, out, err) = self.run(&[arguments, &["--config", "larum.yaml", "--output", "json"]].concat());
        assert_eq!(code, Some(0), "{arguments:?}: {err}");
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?} prints JSON ({error}): {out}"))
    }

    /// The number a question to the database answers.
    pub fn count(&self, question: &str) -> u64 {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let open = rusqlite::Connection::open_with_flags(self.data().join("larum.db"), flags);
        open.and_then(|db| db.query_row(question, [], |row| row.get::<_, i64>(0))).map_or(0, i64::unsigned_abs)
    }
}

/// A running `larum serve`; killed hard when dropped.
pub struct Larum {
    child: Child,
}

impl Larum {
    /// kill -9.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop as Ctrl-C does and waits for its exit code.
    pub fn stop(mut self) -> Option<i32> {
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let started = Instant::now();
        while started.elapsed() < DEADLINE {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("larum did not stop within {DEADLINE:?}");
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Larum {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program that dies at a named point; `cargo test` builds it beside the tests.
pub fn dying() -> PathBuf {
    let test = std::env::current_exe().expect("a program knows where it is");
    let debug = test.parent().and_then(|deps| deps.parent()).expect("tests lie in target/PROFILE/deps");
    let path = debug.join("examples/dying");
    assert!(path.exists(), "{} is missing: `cargo build --examples` makes it", path.display());
    path
}
