//! What an author sees in VS Code: its YAML language server (Red Hat's, from npm) with the schemas of this repository.
//!
//! `make test` installs it into `target/language-server`, as `tests/language_server/package-lock.json` pins it.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

/// How long the server may take for an answer, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);
const SERVER: &str = "target/language-server/node_modules/.bin/yaml-language-server";

/// A language server, spoken to over its standard streams (Language Server Protocol 3.17).
struct Editor {
    server: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    requests: u64,
    /// The address of the open file.
    file: String,
}

impl Editor {
    /// An editor in which `text` is open as a file of `playbooks/`.
    fn open(name: &str, text: &str) -> Self {
        let mut server = Command::new(SERVER)
            .arg("--stdio")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("`make language-server` installs it");
        let input = server.stdin.take().unwrap();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            while let Some(message) = read(&mut output)
                && sender.send(message).is_ok()
            {}
        });
        let root = format!("file://{}", Path::new(".").canonicalize().unwrap().display());
        let mut editor = Self { server, input, messages, requests: 0, file: format!("{root}/playbooks/{name}") };
        let capabilities = json!({"textDocument": {
            "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
            "hover": {"contentFormat": ["markdown"]},
            "publishDiagnostics": {},
        }});
        editor.ask("initialize", &json!({"processId": null, "rootUri": root, "capabilities": capabilities}));
        editor.tell("initialized", &json!({}));
        let settings = json!({"yaml": {
            "validate": true, "hover": true, "completion": true, "schemaStore": {"enable": false},
        }});
        editor.tell("workspace/didChangeConfiguration", &json!({"settings": settings}));
        let document = json!({"uri": editor.file, "languageId": "yaml", "version": 1, "text": text});
        editor.tell("textDocument/didOpen", &json!({"textDocument": document}));
        editor
    }

    fn write(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.input.flush().unwrap();
    }

    fn tell(&mut self, method: &str, params: &Value) {
        self.write(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// The result of a request; what the server asks meanwhile is answered with nothing.
    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        self.wait(|message| (message["id"] == id && message["method"].is_null()).then(|| message["result"].clone()))
    }

    fn wait(&mut self, wanted: impl Fn(&Value) -> Option<Value>) -> Value {
        loop {
            let message = self.messages.recv_timeout(DEADLINE).expect("an answer within the deadline");
            if let Some(found) = wanted(&message) {
                return found;
            }
            if message["method"].is_string() && !message["id"].is_null() {
                let nothing = match message["params"]["items"].as_array() {
                    Some(items) => json!(vec![Value::Null; items.len()]),
                    None => Value::Null,
                };
                self.write(&json!({"jsonrpc": "2.0", "id": message["id"], "result": nothing}));
            }
        }
    }

    /// The faults the editor underlines, each with its line counted from 1.
    fn faults(&mut self) -> Vec<(u64, String)> {
        let file = self.file.clone();
        let found = self.wait(|message| {
            let published = message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == *file;
            published.then(|| message["params"]["diagnostics"].clone())
        });
        let fault = |fault: &Value| {
            let line = fault["range"]["start"]["line"].as_u64().unwrap() + 1;
            (line, fault["message"].as_str().unwrap().to_owned())
        };
        found.as_array().unwrap().iter().map(fault).collect()
    }

    fn place(&self, line: usize, character: usize) -> Value {
        json!({"textDocument": {"uri": self.file}, "position": {"line": line, "character": character}})
    }

    /// What is offered at a place, each with its documentation.
    fn completions(&mut self, (line, character): (usize, usize)) -> Vec<(String, String)> {
        let found = self.ask("textDocument/completion", &self.place(line, character));
        let items = found["items"].as_array().or(found.as_array()).unwrap();
        let about = |item: &Value| match &item["documentation"] {
            Value::Object(about) => about["value"].as_str().unwrap_or_default().to_owned(),
            other => other.as_str().unwrap_or_default().to_owned(),
        };
        items.iter().map(|item| (item["label"].as_str().unwrap().to_owned(), about(item))).collect()
    }

    /// What is shown over a place.
    fn hover(&mut self, (line, character): (usize, usize)) -> String {
        let found = self.ask("textDocument/hover", &self.place(line, character));
        found["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim() {
            "" => break,
            header => {
                if let Some(value) = header.strip_prefix("Content-Length: ") {
                    length = value.parse().ok()?;
                }
            }
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

/// A text with `|` where the cursor is: the text without it, and line and column from 0.
fn cursor(text: &str) -> (String, (usize, usize)) {
    let at = text.find('|').unwrap();
    let before = &text[..at];
    let column = before.chars().rev().take_while(|c| *c != '\n').count();
    (text.replacen('|', "", 1), (before.matches('\n').count(), column))
}

const HEAD: &str = "# yaml-language-server: $schema=../schema/playbook.json
name: example
trigger:
  manual: {}
actions:
";

#[test]
#[ignore = "needs the language server of tests/language_server"]
fn actions_are_offered_by_name_with_what_they_do() {
    let (text, place) = cursor(&format!("{HEAD}  - id: a\n    action: |\n"));
    let offered = Editor::open("new.yaml", &text).completions(place);
    let names: Vec<&str> = offered.iter().map(|(name, _)| name.as_str()).collect();
    let known: Vec<&str> = larum::action::ACTIONS.iter().map(|action| action.spec.name).collect();
    assert!(known.iter().all(|name| names.contains(name)), "{offered:#?}");
    let (_, about) = offered.iter().find(|(name, _)| name == "compose").unwrap();
    assert!(about.contains("Gives back what it is given"), "{about}");
}

#[test]
#[ignore = "needs the language server of tests/language_server"]
fn inputs_are_offered_for_the_action_that_is_written() {
    let (text, place) =
        cursor(&format!("{HEAD}  - id: a\n    action: create_incident\n    with:\n      title: x\n      |\n"));
    let offered = Editor::open("new.yaml", &text).completions(place);
    let names: Vec<&str> = offered.iter().map(|(name, _)| name.as_str()).collect();
    assert!(["severity", "tags", "description"].iter().all(|name| names.contains(name)), "{names:?}");
    assert!(!["title", "to", "url"].iter().any(|name| names.contains(name)), "{names:?}");
}

#[test]
#[ignore = "needs the language server of tests/language_server"]
fn a_key_under_the_pointer_is_explained() {
    let (text, place) = cursor(&format!(
        "{HEAD}  - id: a\n    action: send_email\n    with: {{is_h|tml: true, to: a@example.com, subject: x, body: y}}\n"
    ));
    let shown = Editor::open("new.yaml", &text).hover(place);
    assert!(shown.contains("is HTML"), "{shown}");
    let (text, place) = cursor(
        "# yaml-language-server: $schema=../schema/playbook.json\nname: x\ntrigger:\n  mailbox:\n    fol|der: INBOX\nactions: []\n",
    );
    let shown = Editor::open("new.yaml", &text).hover(place);
    assert!(shown.contains("The folder. Default \\`INBOX\\`."), "{shown}");
}

#[test]
#[ignore = "needs the language server of tests/language_server"]
fn a_mistake_is_underlined_in_its_line() {
    // What is appended to the head, the line of the fault, and what it says.
    let table = [
        ("  - id: a\n    action: create_incidnt\n    with: {title: x}\n", 7, "create_incident"),
        ("  - id: a\n    action: create_incident\n    with:\n      title: x\n      severty: High\n", 10, "severty"),
        ("  - id: a\n    action: create_incident\n    with: {severity: High}\n", 8, "title"),
        (
            "  - id: a\n    if: \"@true\"\n    then:\n      - id: b\n        action: compose\n        wiht: {inputs: 1}\n",
            11,
            "wiht",
        ),
        (
            "  - id: a\n    action: http\n    with: {method: GET, url: x}\n    retry: {policy: sometimes}\n",
            9,
            "exponential",
        ),
    ];
    for (actions, line, says) in table {
        let faults = Editor::open("new.yaml", &format!("{HEAD}{actions}")).faults();
        assert!(faults.iter().any(|(at, message)| *at == line && message.contains(says)), "{actions}\n{faults:#?}");
        assert!(faults.iter().all(|(at, _)| *at == line), "{actions}\n{faults:#?}");
    }
}

#[test]
#[ignore = "needs the language server of tests/language_server"]
fn the_gallery_is_without_fault_in_the_editor() {
    for path in crate::files::under("playbooks", ".yaml") {
        if path.starts_with("playbooks/rules") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let faults = Editor::open(name, &std::fs::read_to_string(&path).unwrap()).faults();
        assert!(faults.is_empty(), "{name}: {faults:#?}");
    }
}
