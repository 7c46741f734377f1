//! OAuth client credentials against a token server and a service that looks at the tokens.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use futures::future::join_all;

use super::*;
use crate::config::OAuth;

/// Status, headers and body.
type Answer = (u16, Vec<(&'static str, String)>, String);

/// A token server, and a service that takes its newest token.
#[derive(Clone, Default)]
struct Authority {
    /// What the token server was sent.
    asked: Arc<Mutex<Vec<String>>>,
    /// What it answers instead of a token.
    instead: Arc<Mutex<Option<Answer>>>,
    /// Seconds that tokens are good for, as they are written.
    life: Arc<Mutex<Value>>,
    /// The number of the oldest token that still counts.
    oldest: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
}

impl Authority {
    async fn serve() -> (Self, SocketAddr) {
        let authority = Self { life: Arc::new(Mutex::new(json!(3600))), ..Self::default() };
        let app = Router::new().route("/service", any(service)).fallback(token).with_state(authority.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, app).await });
        (authority, address)
    }

    fn asked(&self) -> usize {
        self.asked.lock().expect("the list").len()
    }

    fn answers(&self, status: u16, headers: Vec<(&'static str, String)>, body: &str) {
        *self.instead.lock().expect("the answer") = Some((status, headers, body.to_owned()));
    }
}

async fn token(State(authority): State<Authority>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let number = {
        let mut asked = authority.asked.lock().expect("the list");
        let kind = headers["content-type"].to_str().expect("a text");
        asked.push(format!("{uri} {kind}\n    {}", String::from_utf8_lossy(&body)));
        asked.len()
    };
    // Long enough for everybody else to ask meanwhile.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let instead = authority.instead.lock().expect("the answer").clone();
    if let Some((status, headers, body)) = instead {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        return answer(status, &headers, body);
    }
    let life = authority.life.lock().expect("the life").clone();
    let token = json!({"token_type": "Bearer", "access_token": format!("token-{number}"), "expires_in": life});
    answer(200, &[("content-type", "application/json")], token.to_string())
}

async fn service(State(authority): State<Authority>, headers: HeaderMap) -> Response<Body> {
    authority.calls.fetch_add(1, Ordering::SeqCst);
    let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let number = given.strip_prefix("Bearer token-").and_then(|number| number.parse::<usize>().ok());
    let good = number.is_some_and(|number| number >= authority.oldest.load(Ordering::SeqCst));
    answer(if good { 200 } else { 401 }, &[("content-type", "text/plain")], given)
}

struct Client {
    asker: Asker,
    url: String,
    _folder: tempfile::TempDir,
}

impl Client {
    /// One whose tokens come from `token_url`.
    fn new(at: SocketAddr, token_url: &str, asks: Vec<(&'static str, String)>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        std::fs::write(&file, "hunter2&=").expect("a file");
        let oauth = OAuth {
            token_url: token_url.parse().expect("a URL"),
            client_id: "larum".into(),
            client_secret: SecretRef::File(file),
            asks,
        };
        let url = format!("http://{at}/service");
        let authentication = Some(HttpAuthentication::OAuth(Box::new(oauth)));
        Self { asker: Asker::new(connection(&url, &["127.0.0.1/32"], authentication)), url, _folder: folder }
    }

    fn of(at: SocketAddr) -> Self {
        Self::new(at, &format!("http://{at}/token"), vec![("scope", "a b".into())])
    }

    /// The status of a call, and what the service saw.
    async fn call(&self) -> (u64, String) {
        let outputs = self.asker.ask(json!({"url": self.url, "method": "POST"})).await.outputs.expect("outputs");
        let seen = outputs["body"].as_str().unwrap_or_default().to_owned();
        (outputs["statusCode"].as_u64().unwrap_or_default(), seen)
    }

    fn later(&mut self, seconds: i64) {
        self.asker.now += chrono::Duration::seconds(seconds);
    }
}

fn token_of(number: usize) -> (u64, String) {
    (200, format!("Bearer token-{number}"))
}

#[tokio::test]
async fn a_token_is_fetched_once_and_replaced_shortly_before_it_ends() {
    let (authority, at) = Authority::serve().await;
    let mut client = Client::of(at);
    assert_eq!(client.call().await, token_of(1));
    client.later(3600 - 301);
    assert_eq!(client.call().await, token_of(1));
    client.later(2);
    *authority.life.lock().expect("the life") = json!("60");
    assert_eq!(client.call().await, token_of(2), "five minutes before its end it is replaced");
    client.later(29);
    assert_eq!(client.call().await, token_of(2), "a short one is used for half its life");
    client.later(2);
    *authority.life.lock().expect("the life") = json!(null);
    assert_eq!(client.call().await, token_of(3));
    client.later(299);
    assert_eq!(client.call().await, token_of(3), "one of unknown life for five minutes");
    client.later(2);
    assert_eq!(client.call().await, token_of(4));
}

#[tokio::test]
async fn callers_at_the_same_time_share_one_request_whatever_comes_of_it() {
    let (authority, at) = Authority::serve().await;
    let client = Client::of(at);
    let answers = join_all((0..20).map(|_| client.call())).await;
    assert!(answers.iter().all(|answer| *answer == token_of(1)), "{answers:?}");
    assert_eq!(authority.asked(), 1);

    let (authority, at) = Authority::serve().await;
    authority.answers(400, vec![], "{}");
    let client = Client::of(at);
    let faults = join_all((0..20).map(|_| client.asker.fault(json!({"url": client.url})))).await;
    assert!(faults.iter().all(|fault| fault.starts_with("AuthenticationFailed: ")), "{faults:?}");
    assert_eq!(authority.asked(), 1);
    client.asker.fault(json!({"url": client.url})).await;
    assert_eq!(authority.asked(), 2, "who comes later asks anew");
}

#[tokio::test]
async fn a_kept_token_that_is_refused_is_replaced_once() {
    let (authority, at) = Authority::serve().await;
    let client = Client::of(at);
    assert_eq!(client.call().await, token_of(1));
    authority.oldest.store(2, Ordering::SeqCst);
    assert_eq!(client.call().await, token_of(2));
    assert_eq!((authority.asked(), authority.calls.load(Ordering::SeqCst)), (2, 3));

    authority.oldest.store(100, Ordering::SeqCst);
    assert_eq!(client.call().await, (401, "Bearer token-3".to_owned()), "the second refusal is the answer");
    assert_eq!((authority.asked(), authority.calls.load(Ordering::SeqCst)), (3, 5));

    let client = Client::of(at);
    assert_eq!(client.call().await.0, 401);
    let calls = (authority.asked(), authority.calls.load(Ordering::SeqCst));
    assert_eq!(calls, (4, 6), "one that was just given is not asked for again");
}

#[tokio::test]
async fn another_secret_or_purpose_is_another_token() {
    let (authority, at) = Authority::serve().await;
    let asker = Asker::local();
    for (secret, scope) in [("a", "x"), ("a", "x"), ("b", "x"), ("b", "y"), ("b", "x")] {
        let authentication = json!({
            "type": "oauth", "token_url": format!("http://{at}/token"), "client_id": "larum",
            "client_secret": secret, "scope": scope,
        });
        let outcome = asker.ask(json!({"url": format!("http://{at}/service"), "authentication": authentication})).await;
        assert_eq!(outcome.code, "OK");
    }
    assert_eq!(authority.asked(), 3);
}

#[tokio::test]
async fn the_token_server_is_asked_as_it_expects() {
    let (authority, at) = Authority::serve().await;
    let (url, v1) = config::entra(Some(&format!("http://{at}/")), "contoso.example", Some("https://a/"), None)
        .expect("an endpoint");
    Client::new(at, url.as_str(), v1).call().await;
    let (url, v2) = config::entra(Some(&format!("http://{at}")), "contoso.example", None, Some("https://a/.default"))
        .expect("an endpoint");
    Client::new(at, url.as_str(), v2).call().await;
    Client::new(at, &format!("http://{at}/oauth/token"), vec![]).call().await;
    insta::assert_snapshot!(authority.asked.lock().expect("the list").join("\n"));

    let (url, _) = config::entra(None, "contoso.example", Some("a"), None).expect("an endpoint");
    assert_eq!(url.as_str(), "https://login.microsoftonline.com/contoso.example/oauth2/token");
}

#[tokio::test]
async fn without_a_token_the_call_says_what_was_tried_and_what_came_back() {
    let (authority, at) = Authority::serve().await;
    let mut faults = Vec::new();
    let json = || vec![("content-type", "application/json".to_owned())];
    let described = r#"{"error": "invalid_client", "error_description": "AADSTS7000215:\r\n hunter2&= is wrong."}"#;
    let long = format!(r#"{{"error": "{}"}}"#, "x".repeat(5_000));
    for (status, headers, body) in [
        (401, json(), described),
        (400, json(), long.as_str()),
        (403, vec![], "<html>no</html>"),
        (429, vec![("retry-after", "7".into())], ""),
        (503, vec![], "busy"),
        (302, vec![("location", "/elsewhere".into())], ""),
        (200, json(), "{}"),
        (200, json(), "<html>"),
        (200, json(), r#"{"access_token": "a", "token_type": "mac"}"#),
        (200, json(), r#"{"access_token": "a\r\nB: c"}"#),
        (200, json(), " ".repeat(crate::limits::OAUTH_ANSWER_BYTES + 1).as_str()),
    ] {
        authority.answers(status, headers, body);
        let client = Client::of(at);
        let outcome = client.asker.ask(json!({"url": client.url, "method": "POST"})).await;
        let error = outcome.error.expect("an error");
        assert!(!error.message.contains("hunter2"), "{}", error.message);
        let again = if outcome.retryable { format!(" again {:?}", outcome.retry_after) } else { String::new() };
        faults.push(format!("{}{again}: {}", error.code, without_ports(&error.message)));
    }
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
        listener.local_addr().expect("an address")
    };
    for url in [format!("http://{gone}/token"), "http://127.0.0.9/".into(), "http://169.254.169.254/".into()] {
        let client = Client::new(at, &url, vec![]);
        faults.push(client.asker.fault(json!({"url": client.url, "method": "POST"})).await);
    }
    insta::assert_snapshot!(faults.join("\n"));
    assert_eq!(authority.calls.load(Ordering::SeqCst), 0, "the service was never called");
}
