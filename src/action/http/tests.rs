//! `http` against real servers on loopback addresses, which the connections under test allow.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Path,
    http::{HeaderMap, Method, Response, StatusCode, Uri},
    response::IntoResponse,
    routing::{any, get},
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    config::HttpAuthentication,
    secret::{SecretRef, Vault},
};

mod asking;
mod bodies;
mod credentials;
mod oauth;
mod secured;

const NOW: &str = "2026-11-24T09:00:00Z";

/// What a server was sent, as it answers it.
async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> axum::Json<Value> {
    let headers: BTreeMap<String, String> = headers
        .iter()
        .filter(|(name, _)| !["host", "accept-encoding", "content-length", "user-agent"].contains(&name.as_str()))
        .filter(|(name, _)| {
            !name.as_str().starts_with("x-ms-") && name.as_str() != "larum-causes" || uri.path() == "/ids"
        })
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    axum::Json(json!({
        "method": method.as_str(), "uri": uri.to_string(), "headers": headers, "body": String::from_utf8_lossy(&body),
    }))
}

fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).expect("a response")
}

/// The body of `/shape/NAME`, one for each way an answer can look.
async fn shape(Path(name): Path<String>) -> Response<Body> {
    let zeros = include_bytes!("../../../tests/data/zeros-20-mib.gz");
    match name.as_str() {
        "json" => answer(200, &[("content-type", "application/json; charset=utf-8")], r#"{"b":1,"a":[true,null]}"#),
        "problem" => answer(200, &[("content-type", "application/problem+json")], r#"{"title":"x"}"#),
        "bom" => answer(200, &[("content-type", "application/json")], "\u{feff}5"),
        "broken" => answer(200, &[("content-type", "application/json")], "<html>"),
        "broken-failure" => answer(503, &[("content-type", "application/json")], "<html>busy</html>"),
        "text" => answer(200, &[("content-type", "text/plain; charset=utf-8")], "Grüße"),
        "latin" => answer(200, &[("content-type", "text/html; Charset=\"ISO-8859-1\"")], &b"Gr\xfc\xdfe"[..]),
        "binary" => answer(200, &[("content-type", "image/png")], &b"\x89PNG"[..]),
        "untyped" => answer(200, &[], "?"),
        "xml" => answer(200, &[("content-type", "application/xml")], "<a/>"),
        "empty" => answer(204, &[], ""),
        "empty-json" => answer(200, &[("content-type", "application/json")], ""),
        "twice" => answer(200, &[("x-a", "1"), ("x-a", "2")], ""),
        "bomb" => answer(200, &[("content-encoding", "gzip"), ("content-type", "text/plain")], &zeros[..]),
        "broken-gzip" => answer(200, &[("content-encoding", "gzip")], "not gzip at all"),
        "endless" => {
            let piece = Bytes::from(vec![b'x'; 1 << 20]);
            let pieces = futures::stream::repeat_with(move || Ok::<_, io::Error>(piece.clone()));
            answer(200, &[("content-type", "text/plain")], Body::from_stream(pieces))
        }
        "limit" => answer(200, &[("content-type", "text/plain")], vec![b'x'; crate::limits::HTTP_RESPONSE_BYTES]),
        "cut" => {
            let cut = futures::stream::iter([Ok(Bytes::from("half")), Err(io::Error::other("gone"))]);
            answer(200, &[("content-type", "text/plain")], Body::from_stream(cut))
        }
        other => answer(404, &[], format!("no shape {other}")),
    }
}

/// `/to/STATUS?TARGET` redirects to the target as it is written.
async fn redirect(Path(status): Path<u16>, uri: Uri) -> Response<Body> {
    answer(status, &[("location", uri.query().unwrap_or_default()), ("connection", "close")], "")
}

async fn status(Path((status, retry)): Path<(u16, String)>) -> impl IntoResponse {
    let retry = retry.replace('_', " ");
    answer(status, if retry == "-" { vec![] } else { vec![("retry-after", retry.as_str())] }.as_slice(), "why")
}

async fn slow() -> StatusCode {
    tokio::time::sleep(Duration::from_secs(30)).await;
    StatusCode::OK
}

async fn serve(address: &str) -> SocketAddr {
    let app = Router::new()
        .route("/shape/{name}", get(shape))
        .route("/to/{status}", any(redirect))
        .route("/status/{status}/{retry}", any(status))
        .route("/slow", any(slow))
        .fallback(echo);
    let listener = tokio::net::TcpListener::bind(address).await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Answers for `name.test` from a list, one entry for each time it is asked, the last one for ever.
struct Names(Mutex<VecDeque<Vec<IpAddr>>>);

impl Names {
    fn of(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().expect("an address")).collect();
        Arc::new(Self(Mutex::new(answers.iter().map(parse).collect())))
    }
}

#[async_trait::async_trait]
impl Lookup for Names {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if host != "name.test" {
            return Err(io::Error::other(format!("nobody knows {host}")));
        }
        let mut answers = self.0.lock().expect("the answers");
        if answers.len() > 1 {
            return Ok(answers.pop_front().expect("an answer"));
        }
        Ok(answers.front().cloned().unwrap_or_default())
    }
}

fn connection(base: &str, allow: &[&str], authentication: Option<HttpAuthentication>) -> config::Http {
    config::Http {
        base_url: base.parse().expect("a URL"),
        authentication,
        allow_networks: allow.iter().map(|network| network.parse().expect("a network")).collect(),
        ca_file: None,
    }
}

struct Asker {
    clients: HttpClients,
    connection: Option<config::Http>,
    timeout: Duration,
    now: DateTime<Utc>,
}

impl Asker {
    fn new(connection: config::Http) -> Self {
        Self {
            clients: HttpClients::default(),
            connection: Some(connection),
            timeout: Duration::from_secs(20),
            now: NOW.parse().expect("an instant"),
        }
    }

    /// One that may reach 127.0.0.1 and nothing else in private networks.
    fn local() -> Self {
        Self::new(connection("http://127.0.0.1", &["127.0.0.1/32"], None))
    }

    async fn ask(&self, input: Value) -> Outcome {
        let mut inputs = match input::read::<Inputs>(NAME, &input) {
            Ok(inputs) => inputs,
            Err(outcome) => return *outcome,
        };
        let own = match inputs.authentication.take().map(Authentication::into_credentials).transpose() {
            Ok(own) => own,
            Err(fault) => return fault.outcome(false),
        };
        let exchange = Exchange {
            clients: &self.clients,
            vault: &Vault::ephemeral("key"),
            connection: self.connection.as_ref(),
            own,
            ids: Ids {
                key: Uuid::from_u128(7),
                run: Uuid::from_u128(8),
                tracking: Uuid::from_u128(9),
                causes: "c".into(),
            },
            repeatable: Http.kind(&input) != EffectKind::Bare { repeat_when_unknown: false },
            timeout: self.timeout,
            now: self.now,
            spent: Default::default(),
        };
        exchange.outcome(&inputs).await
    }

    /// What the server was sent.
    async fn sent(&self, input: Value) -> Value {
        let outcome = self.ask(input).await;
        outcome.outputs.unwrap_or_else(|| panic!("{:?}", outcome.error))["body"].clone()
    }

    /// The error's code and message, with the servers' ports left out.
    async fn fault(&self, input: Value) -> String {
        let outcome = self.ask(input).await;
        assert_eq!(outcome.outputs, None);
        let error = outcome.error.expect("an error");
        assert_eq!(error.code, outcome.code);
        let again = if outcome.retryable { ", tried again" } else { "" };
        format!("{}{again}: {}", error.code, without_ports(&error.message))
    }
}

fn without_ports(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(".0.0.1:").map(|at| at + ".0.0.1:".len()) {
        out += &rest[..at];
        out += "PORT";
        rest = rest[at..].trim_start_matches(|character: char| character.is_ascii_digit());
    }
    out + rest
}

#[tokio::test]
async fn what_is_asked_for_is_what_is_sent() {
    let at = serve("127.0.0.1:0").await;
    let asker = Asker::local();
    let url = format!("http://{at}/x?old=1#part");
    let envelope = json!({"$content-type": "image/png", "$content": "iVBORw=="});
    let mut sent = Vec::new();
    for input in [
        json!({"url": url}),
        json!({"url": url, "method": "delete"}),
        json!({"url": url, "queries": {"a b": "ü&=", "n": 5, "t": true, "absent": null}, "headers": {"X-Absent": null}}),
        json!({"url": url, "queries": {}}),
        json!({"url": url, "method": "POST", "body": "Grüße"}),
        json!({"url": url, "method": "POST", "body": {"b": 1, "a": null}}),
        json!({"url": url, "method": "PUT", "body": [1, 2]}),
        json!({"url": url, "method": "PATCH", "body": 5, "headers": {"Content-Type": "application/merge-patch+json"}}),
        json!({"url": url, "method": "POST", "body": envelope}),
        json!({"url": url, "method": "POST", "body": "", "idempotency_key": true}),
        json!({"url": url, "headers": {"X-Number": 5, "X-Truth": false, "X-Text": " ü ", "Authorization": "Custom 1"}}),
        json!({"url": url, "headers": {
            "Host": "evil", "Cookie": "a=b", "Content-Length": "3", "Transfer-Encoding": "chunked", "Origin": "x",
            "Accept": "text/csv", "Accept-Charset": "x", "Accept-Version": "2", "Connection": "x-text",
            "Proxy-Authorization": "x", "Content-Language": "de", "Content-Disposition": "inline",
        }}),
    ] {
        let seen = asker.sent(input.clone()).await.to_string();
        sent.push(format!("{input}\n    {seen}").replace(&at.to_string(), "HOST"));
    }
    insta::assert_snapshot!(sent.join("\n"));
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_and_named() {
    let asker = Asker::local();
    let mut faults = Vec::new();
    for input in [
        json!({}),
        json!({"url": 5}),
        json!({"url": "/incidents"}),
        json!({"url": "ftp://example.com/"}),
        json!({"url": "file:///etc/passwd"}),
        json!({"url": "https://user:hunter2@example.com/"}),
        json!({"url": "https://example.com/", "method": "TRACE"}),
        json!({"url": "https://example.com/", "method": "GET\r\nX: y"}),
        json!({"url": "https://example.com/", "headers": {"X-A": "1\r\nX-B: 2"}}),
        json!({"url": "https://example.com/", "headers": {"X-A: 1\r\nX-B": "2"}}),
        json!({"url": "https://example.com/", "headers": {"X-A": ["1"]}}),
        json!({"url": "https://example.com/", "queries": {"a": {}}}),
        json!({"url": "https://example.com/", "method": "POST", "body": {"$content-type": "a/b", "$content": "%"}}),
        json!({"url": "https://example.com/", "on_unknown": "explode"}),
    ] {
        faults.push(format!("{input}\n    {}", asker.fault(input.clone()).await));
    }
    insta::assert_snapshot!(faults.join("\n"));
}

#[tokio::test]
async fn an_answer_becomes_status_code_headers_and_body() {
    let at = serve("127.0.0.1:0").await;
    let asker = Asker::local();
    let mut seen = Vec::new();
    for name in [
        "json",
        "problem",
        "bom",
        "broken",
        "broken-failure",
        "text",
        "latin",
        "binary",
        "untyped",
        "xml",
        "empty",
        "empty-json",
        "twice",
        "bomb",
        "broken-gzip",
        "endless",
    ] {
        let mut outcome = asker.ask(json!({"url": format!("http://{at}/shape/{name}")})).await;
        if let Some(outputs) = &mut outcome.outputs {
            outputs.change(|outputs| {
                if let Some(Value::Object(headers)) = outputs.get_mut("headers") {
                    headers.retain(|name, _| name != "date");
                }
            });
        }
        let text = serde_json::to_string(&outcome).expect("JSON");
        seen.push(format!("{name}\n    {}", without_ports(&text)));
    }
    insta::assert_snapshot!(seen.join("\n"));

    // Whether the headers came through before the connection broke is a matter of luck.
    let cut = asker.fault(json!({"url": format!("http://{at}/shape/cut")})).await;
    assert!(cut.starts_with("ConnectionFailed, tried again: GET to http://127.0.0.1:PORT got "), "{cut}");

    let whole = asker.sent(json!({"url": format!("http://{at}/shape/limit")})).await;
    assert_eq!(whole.as_str().map(str::len), Some(crate::limits::HTTP_RESPONSE_BYTES));
}

#[tokio::test]
async fn a_status_from_400_fails_with_its_outputs_and_some_are_tried_again() {
    let at = serve("127.0.0.1:0").await;
    let asker = Asker::local();
    let mut seen = Vec::new();
    for path in [
        "200/-",
        "202/-",
        "302/-",
        "304/-",
        "400/-",
        "401/-",
        "404/-",
        "408/-",
        "409/-",
        "422/7",
        "429/7",
        "429/-",
        "451/-",
        "500/-",
        "501/-",
        "503/Tue,_24_Nov_2026_09:02:00_GMT",
        "503/Tue,_24_Nov_2026_08:02:00_GMT",
        "503/soon",
        "504/-",
        "599/-",
    ] {
        let outcome = asker.ask(json!({"method": "POST", "url": format!("http://{at}/status/{path}")})).await;
        let outputs = outcome.outputs.expect("outputs");
        assert_eq!(outcome.error, None);
        seen.push(format!(
            "{path:38} {:9} {:20} {} {} {:?}",
            outcome.status.as_str(),
            outcome.code,
            outputs["statusCode"],
            if outcome.retryable { "again" } else { "final" },
            outcome.retry_after
        ));
    }
    insta::assert_snapshot!(seen.join("\n"));
}

#[tokio::test]
async fn a_redirect_is_followed_as_browsers_do() {
    let at = serve("127.0.0.1:0").await;
    let asker = Asker::local();
    let mut seen = Vec::new();
    for (method, status) in [
        ("GET", 301),
        ("POST", 301),
        ("PUT", 301),
        ("POST", 302),
        ("POST", 303),
        ("PUT", 303),
        ("POST", 307),
        ("POST", 308),
        ("DELETE", 308),
    ] {
        let url = format!("http://{at}/to/{status}?/end");
        let sent = asker.sent(json!({"method": method, "url": url, "body": "x", "headers": {"X-A": "1"}})).await;
        seen.push(format!("{method} {status}: {sent}"));
    }
    insta::assert_snapshot!(seen.join("\n"));

    let mut faults = Vec::new();
    // `302` leads to itself until the hops run out.
    for target in ["302", "ftp://127.0.0.1/", "http://[", "javascript:alert(1)"] {
        let url = format!("http://{at}/to/302?{target}");
        faults.push(format!("{target}: {}", asker.fault(json!({"url": url})).await));
    }
    insta::assert_snapshot!("redirects_that_lead_nowhere", faults.join("\n"));
}

#[tokio::test]
async fn private_addresses_are_refused_on_every_hop() {
    let at = serve("127.0.0.1:0").await;
    let port = at.port();
    let nobody = Asker { connection: None, ..Asker::local() };
    let mut faults = Vec::new();
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:7f00:1]:{port}/"),
        "http://169.254.169.254/latest/meta-data/".into(),
        "https://10.0.0.1/".into(),
        "http://0/".into(),
    ] {
        let fault = nobody.fault(json!({"url": url})).await;
        faults.push(format!("{url}: {fault}").replace(&port.to_string(), "PORT"));
    }

    let asker = Asker::local();
    for target in [
        format!("http://127.0.0.2:{port}/"),
        "http://169.254.169.254/".into(),
        format!("http://2130706434:{port}/"),
        "http://[fe80::1]/".into(),
        format!("//[::ffff:127.0.0.3]:{port}/"),
    ] {
        for status in [302, 307] {
            let url = format!("http://{at}/to/{status}?{target}");
            let fault = asker.fault(json!({"url": url, "method": "POST"})).await;
            faults.push(format!("{status} to {target}: {fault}").replace(&port.to_string(), "PORT"));
        }
    }
    insta::assert_snapshot!(faults.join("\n"));
}

#[tokio::test]
async fn a_name_that_moves_to_a_private_address_is_refused_from_then_on() {
    let at = serve("127.0.0.1:0").await;
    let mut asker = Asker::local();
    asker.clients = HttpClients::with_lookup(Names::of(&[&["127.0.0.1"], &["127.0.0.2"]]));
    // The redirect closes its connection, so that the next hop must resolve again.
    let url = format!("http://name.test:{}/to/302?/end", at.port());
    assert_eq!(
        asker.fault(json!({"url": url})).await,
        "AddressRefused: the call was not sent: name.test is at 127.0.0.2, a loopback address; the `allow_networks` of \
         a connection could permit it"
    );

    asker.clients = HttpClients::with_lookup(Names::of(&[&["10.0.0.1", "fe80::1", "127.0.0.1"]]));
    let url = format!("http://name.test:{}/end", at.port());
    assert_eq!(asker.sent(json!({"url": url})).await["uri"], "/end", "of several addresses the allowed one is used");

    let url = format!("http://other.test:{}/end", at.port());
    assert!(asker.fault(json!({"url": url})).await.ends_with("nobody knows other.test"));
}

#[tokio::test]
async fn a_call_without_an_answer_says_what_was_tried_and_keeps_secrets() {
    let at = serve("127.0.0.1:0").await;
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
        listener.local_addr().expect("an address")
    };
    let mut asker = Asker::local();
    asker.timeout = Duration::from_millis(300);
    let mut faults = Vec::new();
    for input in [
        json!({"url": format!("http://{gone}/hunter2?key=hunter2")}),
        json!({"url": format!("http://{gone}/hunter2?key=hunter2"), "method": "POST"}),
        json!({"url": format!("https://{at}/hunter2")}),
        json!({"url": format!("http://{at}/slow?hunter2")}),
        json!({"url": format!("http://{at}/slow?hunter2"), "method": "PUT"}),
        json!({"url": format!("http://{at}/slow?hunter2"), "method": "POST"}),
        json!({"url": format!("http://{at}/slow?hunter2"), "method": "PATCH", "on_unknown": "retry"}),
        json!({"url": format!("http://{at}/slow?hunter2"), "method": "POST", "idempotency_key": true}),
    ] {
        let fault = asker.fault(input.clone()).await;
        assert!(!fault.contains("hunter2"), "{fault}");
        faults.push(format!("{}\n    {fault}", without_ports(&input.to_string())));
    }
    insta::assert_snapshot!(faults.join("\n"));
}

#[test]
fn a_crash_in_the_middle_means_what_the_method_says() {
    let kind = |input: Value| Http.kind(&input);
    for method in ["GET", "head", "OPTIONS", "put", "DELETE"] {
        assert_eq!(kind(json!({"method": method})), EffectKind::Identified);
    }
    assert_eq!(kind(json!({})), EffectKind::Identified);
    for method in ["POST", "patch"] {
        assert_eq!(kind(json!({"method": method})), EffectKind::Bare { repeat_when_unknown: false });
        assert_eq!(kind(json!({"method": method, "$poll": {}})), EffectKind::Identified, "it only asks");
        assert_eq!(
            kind(json!({"method": method, "on_unknown": "retry"})),
            EffectKind::Bare { repeat_when_unknown: true }
        );
        assert_eq!(kind(json!({"method": method, "idempotency_key": true})), EffectKind::Identified);
    }
}
