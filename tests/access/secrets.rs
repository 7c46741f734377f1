//! A secret that is planted in ten places, and looked for in everything that Larum writes, answers and prints.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    thread,
};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use rusqlite::{Connection, OpenFlags, types::ValueRef};
use serde_json::Value;

use crate::support::larum::Site;

const TOKEN: &str = "Zk9/pl\"anted-Secret+4711";
const PASSWORD: &str = "connection-Passw0rd/8812";

/// Header, query, body, variable, compose, loop, error, template, journal (each call's input), and the run's own error,
/// which is logged and goes into the incident of a run that failed.
const PLANTED: &str = r#"
name: planted
parameters: {token: {type: securestring}}
variables: {kept: {type: string}}
trigger: {form: {path: planted, title: Planted, fields: [{id: what, label: What, type: text}]}}
actions:
  - id: keep
    action: set_variable
    with: {name: kept, value: "prefix @{parameters('token')} suffix"}
  - id: call
    action: http
    with:
      method: POST
      url: http://ECHO/echo?again=@{uriComponent(parameters('token'))}
      connection: echo
      headers: {X-Key: "@base64(parameters('token'))", X-Plain: "{{uriComponent parameters.token}}"}
      body: {key: "@parameters('token')", upper: "@toUpper(variables('kept'))"}
  - id: queries
    action: http
    with: {url: "http://ECHO/fails", connection: echo, queries: {key: "@parameters('token')"}}
  - id: compose
    run_after: {queries: [failed]}
    action: compose
    with: {inputs: {base64: "@base64(concat('user:', parameters('token')))", quoted: "@string(createArray(parameters('token')))", "@{toLower(parameters('token'))}": "as a key"}}
  - id: each
    for_each: "@split(concat(parameters('token'), ';', toUpper(parameters('token'))), ';')"
    do:
      - {id: item, action: compose, with: {inputs: "@{item()} and {@{base64(item())}}"}}
  - id: print
    action: compose
    with: {inputs: "{{#each actions.each}}{{this}}{{/each}} {{parameters.token}} {{encodeXmlValue (toUpper variables.kept)}}"}
  - id: wrong
    action: compose
    with: {inputs: "@formatNumber(1, 'N2', parameters('token'))"}
  - id: nowhere
    run_after: {wrong: [failed]}
    action: http
    with: {url: "http://127.0.0.1:1/@{uriComponent(parameters('token'))}", connection: echo}
    retry: {policy: none}
  - id: end
    run_after: {nowhere: [failed]}
    terminate: {status: failed, code: "@toUpper(parameters('token'))", message: "It was @{variables('kept')}, @{base64(parameters('token'))}."}
"#;

const CASES: &str = r#"
playbook: planted
cases:
  - name: it shows what it found
    given: {form: {what: x}}
    parameters: {token: 'Zk9/pl"anted-Secret+4711'}
    expect: {status: succeeded, variables: {kept: another}, outputs: {keep: nothing}}
"#;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Answers every request with what was asked.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) -> Option<()> {
    let mut asked = Vec::new();
    let head = loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        asked.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&asked).into_owned();
        let Some(end) = text.find("\r\n\r\n") else { continue };
        let length = text.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if asked.len() >= end + 4 + length.unwrap_or(0) {
            break text;
        }
    };
    let status = if head.contains("/fails") { "422 Unprocessable" } else { "200 OK" };
    let body = serde_json::json!({"you said": head}).to_string();
    let length = body.len();
    let reply = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(reply.as_bytes()).ok()
}

/// The forms in which a secret is looked for.
fn forms(secret: &str) -> Vec<String> {
    let percent: String = secret
        .bytes()
        .map(|byte| match byte {
            b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    let cases = [secret.to_owned(), secret.to_uppercase(), secret.to_lowercase()];
    let quoted = |text: &String| Value::from(text.as_str()).to_string().trim_matches('"').to_owned();
    let encoded: Vec<String> = cases.iter().flat_map(|text| [quoted(text), STANDARD_NO_PAD.encode(text)]).collect();
    cases.into_iter().chain(encoded).chain([percent.clone(), percent.to_lowercase()]).collect()
}

#[track_caller]
fn is_clean(place: &str, bytes: &[u8]) {
    for form in [TOKEN, PASSWORD].into_iter().flat_map(forms) {
        if let Some(at) = memchr::memmem::find(bytes, form.as_bytes()) {
            let around = &bytes[at.saturating_sub(200)..bytes.len().min(at + 100)];
            panic!("{form} stands in {place}: …{}…", String::from_utf8_lossy(around));
        }
    }
}

/// Every file as it is, and every value of the database unpacked.
fn look_through(folder: &Path) -> usize {
    let mut unpacked = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let place = path.display().to_string();
        if path.is_dir() {
            unpacked += look_through(&path);
            continue;
        }
        is_clean(&place, &fs::read(&path).unwrap());
        if path.extension().is_none_or(|extension| extension != "db") {
            continue;
        }
        let database = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let names = "select name from sqlite_master where type = 'table' and sql not like 'create virtual%'";
        let mut tables = database.prepare(names).unwrap();
        let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        for table in tables {
            let mut rows = database.prepare(&format!("select * from \"{table}\"")).unwrap();
            let columns = rows.column_count();
            let mut rows = rows.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                for column in 0..columns {
                    if let ValueRef::Blob(blob) = row.get_ref(column).unwrap()
                        && let Some((1, block)) = blob.split_first()
                        && let Ok(text) = lz4_flex::block::decompress_size_prepended_with_dict(
                            block,
                            include_bytes!("../../src/store/sqlite/dictionary.json"),
                        )
                    {
                        unpacked += 1;
                        is_clean(&format!("{place}, {table}"), &text);
                    }
                }
            }
        }
    }
    unpacked
}

#[test]
fn a_secret_is_in_clear_in_no_file_no_answer_no_output_and_no_log() {
    let echo = echo();
    let config = format!(
        "parameters: {{planted: {{token: {{file: token}}}}}}\nconnections: {{echo: {{http: {{base_url: 'http://{echo}', \
         authentication: {{type: basic, username: larum, password: {{file: password}}}}, allow_networks: [127.0.0.0/8]}}}}}}\n"
    );
    let playbook = PLANTED.replace("ECHO", &echo.to_string());
    let site = Site::new(&config, &[("planted.yaml", &playbook)]);
    fs::write(site.folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
    fs::write(site.folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
    let boss = site.administrator();
    let larum = site.serve();
    assert_eq!(site.post("/forms/planted", "", r#"{"what": "x"}"#).unwrap().status, 202);
    let listed = || json(&site.ask_as(&boss, "GET", "/api/runs", "").unwrap().body);
    site.until("the run to end", || listed().to_string().contains("\"Failed\""));
    let runs = listed();
    let first = runs["value"][0].clone();
    let id = first["run"].as_str().or(first["id"].as_str()).unwrap_or_else(|| panic!("{runs}")).to_owned();

    for path in
        [format!("/api/runs/{id}"), "/api/runs".to_owned(), "/api/incidents/1".to_owned(), "/metrics".to_owned()]
    {
        is_clean(&path, site.ask_as(&boss, "GET", &path, "").unwrap().body.as_bytes());
    }
    let run = site.ask_as(&boss, "GET", &format!("/api/runs/{id}"), "").unwrap().body;
    assert!(run.contains("you said"), "the call was answered: {run}");
    let actions = json(&run)["actions"].clone();
    let status =
        |id: &str| actions.as_array().unwrap().iter().find(|action| action["name"] == id).unwrap()["status"].clone();
    for (id, expected) in [
        ("keep", "Succeeded"),
        ("call", "Succeeded"),
        ("queries", "Failed"),
        ("compose", "Succeeded"),
        ("each", "Succeeded"),
        ("print", "Succeeded"),
        ("wrong", "Failed"),
        ("nowhere", "Failed"),
        ("end", "Succeeded"),
    ] {
        assert_eq!(status(id), expected, "{id}: {run}");
    }

    // While the server holds the database, so that the write-ahead log is looked through as well.
    assert!(look_through(&site.data()) > 0, "values were unpacked");
    fs::write(site.folder.path().join("event.json"), r#"{"what": "x"}"#).unwrap();
    fs::write(site.folder.path().join("planted.test.yaml"), CASES).unwrap();
    fs::copy(site.folder.path().join("playbooks/planted.yaml"), site.folder.path().join("planted.yaml")).unwrap();
    let config = ["--config", "larum.yaml"];
    for (arguments, expected) in [
        (vec!["runs", "list", "--config", "larum.yaml"], "planted"),
        (vec!["runs", "show", &id, "--config", "larum.yaml"], "[secret]"),
        (vec!["runs", "show", &id, "--output", "json", "--config", "larum.yaml"], "[secret]"),
        (vec!["run", "planted", "--event", "event.json", "--config", "larum.yaml"], "wrong"),
        (vec!["run", "planted", "--event", "event.json", "--output", "json", "--config", "larum.yaml"], "[secret]"),
        (vec!["run", "planted", "--event", "event.json", "--dry-run", "--config", "larum.yaml"], "[secret]"),
        (vec!["incidents", "show", "1", "--output", "json", "--config", "larum.yaml"], "[secret]"),
        (vec!["check", "--config", "larum.yaml"], "no faults"),
    ] {
        let (_, out, err) = site.run(&arguments);
        assert!(out.contains(expected) || err.contains(expected), "{arguments:?}\n{out}\n{err}");
        is_clean(&arguments.join(" "), format!("{out}\n{err}").as_bytes());
    }
    let (_, out, err) = site.run(&[&["test", "planted.test.yaml"][..], &config].concat());
    assert!(format!("{out}{err}").contains("[secret]"), "{out}\n{err}");
    is_clean("larum test", format!("{out}\n{err}").as_bytes());

    assert_eq!(larum.stop(), Some(0));
    look_through(&site.data());
    is_clean("the log", site.log().as_bytes());
}
