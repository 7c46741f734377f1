//! `docs/tutorial.md` followed word for word: its commands in order, in a folder of their own, and what they print.
//!
//! A command begins with `$ ` in a `console` block, a here-document goes on to its end; what follows is printed by it.
//! `UPDATE_EXPECTED=1` writes what is printed into the page.

use std::{
    fs,
    io::Cursor,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use chrono::{DateTime, NaiveDate, NaiveTime};

const PAGE: &str = "docs/tutorial.md";
/// What the page shows as the port.
const PORT: &str = "8787";

/// How long what goes on in the background may take; where the page is written anew, nobody knows what it waits for.
fn deadline() -> Duration {
    Duration::from_secs(if is_written_anew() { 3 } else { 60 })
}

fn is_written_anew() -> bool {
    std::env::var_os("UPDATE_EXPECTED").is_some()
}

/// The server, which ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_tutorial_works_as_it_stands() {
    let page = fs::read_to_string(PAGE).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut reader = Follower { folder: folder.path(), port, server: None };
    let (mut followed, mut lines, mut faults) = (String::new(), page.lines().peekable(), Vec::new());
    while let Some(line) = lines.next() {
        followed += &format!("{line}\n");
        if line != "```console" {
            continue;
        }
        while let Some(line) = lines.next_if(|line| *line != "```") {
            let mut command = line.strip_prefix("$ ").expect("a block begins with a command").to_owned();
            if command.ends_with("<<'EOF'") {
                for line in lines.by_ref() {
                    command += &format!("\n{line}");
                    if line == "EOF" {
                        break;
                    }
                }
            }
            let mut shown = String::new();
            while let Some(line) = lines.next_if(|line| *line != "```" && !line.starts_with("$ ")) {
                shown += &format!("{line}\n");
            }
            let printed = reader.follow(&command, &shown);
            if masked(&printed) != masked(&shown) {
                faults.push(format!("$ {command}\n--- the page shows\n{shown}--- it prints\n{printed}"));
                shown = printed;
            }
            followed += &format!("$ {command}\n{shown}");
        }
    }
    if is_written_anew() {
        fs::write(PAGE, followed).unwrap();
    } else {
        assert!(
            faults.is_empty(),
            "{PAGE} is stale; UPDATE_EXPECTED=1 cargo test --test authoring\n{}",
            faults.join("\n")
        );
    }
}

/// Who follows the page.
struct Follower<'a> {
    folder: &'a Path,
    port: String,
    server: Option<Server>,
}

impl Follower<'_> {
    /// What a command prints.
    fn follow(&mut self, command: &str, shown: &str) -> String {
        match command {
            "larum new" => self.converse(shown),
            "larum serve" => self.serve(shown),
            // What looks at what goes on in the background is asked again until the page is right; none of it changes anything.
            _ if self.server.is_some() => until(shown, || self.run(command)),
            _ => self.run(command),
        }
    }

    fn run(&self, command: &str) -> String {
        let binary = Path::new(env!("CARGO_BIN_EXE_larum")).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec 2>&1\n{command}")]).current_dir(self.folder).env("PATH", path);
        let out = shell.env_remove("LARUM_TOKEN").stdin(Stdio::null()).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    }

    /// The questions, with the answers that the page gives after each `> `.
    fn converse(&self, shown: &str) -> String {
        let answer = |line: &str| format!("{line} ").split_once(" > ").map(|(_, answer)| answer.trim_end().to_owned());
        let answers: Vec<String> = shown.lines().filter_map(answer).collect();
        let mut printed = Vec::new();
        larum::cli::new::converse(self.folder, &mut Cursor::new(answers.join("\n") + "\n"), &mut printed);
        // A terminal shows what is typed and goes to the next line.
        let printed = String::from_utf8(printed).unwrap();
        let mut parts = printed.split(" > ");
        let mut screen = parts.next().unwrap().to_owned();
        for (at, part) in parts.enumerate() {
            let answer = answers.get(at).map_or("", String::as_str);
            screen += &format!("{}\n{part}", format!(" > {answer}").trim_end());
        }
        screen
    }

    /// Serves on a port of its own until the test ends; what is said at the start, without the log.
    fn serve(&mut self, shown: &str) -> String {
        let config = format!("server: {{listen: \"127.0.0.1:{}\"}}\n", self.port);
        fs::write(self.folder.join("larum.yaml"), config).unwrap();
        let file = self.folder.join("serve.log");
        let log = fs::File::create(&file).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_larum"))
            .arg("serve")
            .current_dir(self.folder)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.server = Some(Server(child));
        until(shown, || {
            let said = fs::read_to_string(&file).unwrap();
            let said = said.lines().filter(|line| !line.starts_with('{'));
            said.map(|line| format!("{line}\n")).collect::<String>().replace(&self.port, PORT)
        })
    }
}

/// What is printed once it is as shown, or at the deadline.
fn until(shown: &str, print: impl Fn() -> String) -> String {
    let started = Instant::now();
    loop {
        let printed = print();
        let is_right = !is_written_anew() && masked(&printed) == masked(shown);
        if is_right || started.elapsed() > deadline() {
            return printed;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// A text without what differs from time to time: instants, ids, versions.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let in_word = |c: char| c.is_ascii_alphanumeric() || "-:.".contains(c);
    for line in text.lines() {
        // Where a long value is cut depends on how many digits an instant in it has.
        let line = if line.ends_with(" characters)") { line.get(..30).unwrap_or(line) } else { line };
        let mut rest = line;
        while let Some(start) = rest.find(in_word) {
            let length = rest[start..].find(|c| !in_word(c)).unwrap_or(rest.len() - start);
            let word = &rest[start..start + length];
            out += &rest[..start];
            out += if varies(word) { "…" } else { word };
            rest = &rest[start + length..];
        }
        out += rest;
        out.push('\n');
    }
    out
}

fn varies(word: &str) -> bool {
    let is_hex = |text: &str, length: usize| text.len() == length && text.chars().all(|c| c.is_ascii_hexdigit());
    DateTime::parse_from_rfc3339(word).is_ok()
        || NaiveDate::parse_from_str(word, "%Y-%m-%d").is_ok()
        || NaiveTime::parse_from_str(word, "%H:%M:%SZ").is_ok()
        || uuid::Uuid::parse_str(word).is_ok()
        || is_hex(word, 64)
        || is_hex(word, 8)
        || word.strip_prefix("larum.").is_some_and(|id| is_hex(id.split('.').next().unwrap_or_default(), 32))
}
