//! `http` through the engine, against a real server: what is begun is asked after, across waits, restarts and retries.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, Method, Response, Uri},
};
use larum::{
    config::{Config, Connection, Http, HttpAuthentication, ParameterValue},
    secret::SecretRef,
    store::{RunId, Store, run::RunStatus},
};
use serde_json::json;

use crate::house::{House, form, until};

/// What a server was asked, in order: method, path, and `Authorization` if there was one.
type Seen = Arc<Mutex<Vec<String>>>;

/// Status, headers and body of an answer.
type Given<'a> = (u16, &'a [(&'a str, &'a str)], &'a str);

/// A server that gives these answers in order, the last one for ever: status, headers, body.
async fn server(answers: &[Given<'_>]) -> (String, Seen) {
    let answers = answers.iter().map(|(status, headers, body)| {
        let mut response = Response::builder().status(*status);
        for (name, value) in *headers {
            response = response.header(*name, *value);
        }
        response.body((*body).to_owned()).unwrap()
    });
    let answers = Arc::new(Mutex::new(answers.collect::<VecDeque<_>>()));
    let seen = Seen::default();
    let heard = seen.clone();
    let app = Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, _: Bytes| {
        let proof = headers.get("authorization").map(|value| format!(" {}", value.to_str().unwrap()));
        heard.lock().unwrap().push(format!("{method} {uri}{}", proof.unwrap_or_default()));
        let mut answers = answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }.unwrap();
        async move { answer }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, seen)
}

/// A house whose connection `local` may reach this machine.
async fn house(source: &str, parameters: BTreeMap<String, ParameterValue>) -> House {
    house_with(source, parameters, "http://127.0.0.1", None).await
}

/// With these credentials for what is under `base_url`.
async fn house_with(
    source: &str,
    parameters: BTreeMap<String, ParameterValue>,
    base_url: &str,
    authentication: Option<HttpAuthentication>,
) -> House {
    let local = Http {
        base_url: base_url.parse().unwrap(),
        authentication,
        allow_networks: vec!["127.0.0.1/32".parse().unwrap()],
        ca_file: None,
    };
    let config = Config {
        connections: BTreeMap::from([("local".to_owned(), Connection::Http(local))]),
        parameters: BTreeMap::from([("report".to_owned(), parameters)]),
        ..Config::default()
    };
    House::with_config(source, config).await
}

/// Waits until the server was asked that often and the run rests until its next time.
async fn rests(house: &House, seen: &Seen, asked: usize) {
    let what = format!("{asked} requests, then rest");
    until(&what, async || {
        let timer = house.living.disk.next_timer().await.unwrap();
        (seen.lock().unwrap().len() == asked && timer.is_some()).then_some(())
    })
    .await;
    house.quiet().await;
}

async fn kept(house: &House, run: RunId) -> String {
    let stored = house.stored(run).await;
    let journal: Vec<String> = stored.journal.iter().map(|event| String::from_utf8_lossy(event).into_owned()).collect();
    format!("{}\n{}", journal.join("\n"), stored.actions.unwrap_or_default())
}

#[tokio::test]
async fn what_a_service_has_begun_is_asked_after_without_memory_and_across_a_restart() {
    let json = ("content-type", "application/json");
    let (url, seen) = server(&[
        (202, &[("location", "/jobs/7?key=hunter2"), ("retry-after", "30")], ""),
        (202, &[], ""),
        (503, &[], "busy"),
        (200, &[json], r#"{"verdict": "clean"}"#),
    ])
    .await;
    let actions = format!(
        r#"
  - id: scan
    action: http
    with: {{method: POST, url: "{url}/scans", connection: local, body: {{file: a}}}}
    retry: {{policy: fixed, count: 1, interval: PT40S}}
  - {{id: create, action: create_incident, with: {{title: "{{{{actions.scan.verdict}}}}"}}}}
"#
    );
    let house = house(&form(&actions), BTreeMap::new()).await;
    let run = house.report("1", json!({})).await.unwrap();
    rests(&house, &seen, 1).await;
    house.clock.advance(chrono::Duration::seconds(31));
    rests(&house, &seen, 2).await;
    let house = house.restarted().await;
    assert_eq!(house.living.engine.runs_in_memory(), 0);
    house.clock.advance(chrono::Duration::seconds(21));
    rests(&house, &seen, 3).await;
    house.clock.advance(chrono::Duration::seconds(41));
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    assert_eq!(house.living.disk.incident(1).await.unwrap().unwrap().title, "clean");
    let asks = "GET /jobs/7?key=hunter2";
    assert_eq!(*seen.lock().unwrap(), ["POST /scans", asks, asks, asks]);
    let kept = kept(&house, run).await;
    assert!(!kept.contains("hunter2"), "where to ask is often all one needs to know: {kept}");
    assert_eq!(kept.matches(r#""file":"a""#).count(), 2, "a question does not repeat the input in the journal: {kept}");
}

#[tokio::test]
async fn a_timeout_ends_the_asking() {
    let (url, seen) = server(&[(202, &[("location", "/jobs/7"), ("retry-after", "40")], "")]).await;
    let actions = format!(
        r#"
  - {{id: scan, action: http, timeout: 1m, with: {{method: PUT, url: "{url}/scans/1", connection: local}}}}
  - {{id: create, action: create_incident, run_after: {{scan: [timed_out]}}, with: {{title: no answer}}}}
"#
    );
    let house = house(&form(&actions), BTreeMap::new()).await;
    let run = house.report("1", json!({})).await.unwrap();
    rests(&house, &seen, 1).await;
    house.clock.advance(chrono::Duration::seconds(41));
    rests(&house, &seen, 2).await;
    house.clock.advance(chrono::Duration::seconds(20));
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    let statuses = house.statuses(run).await;
    assert_eq!(statuses.iter().map(|(_, status)| status.as_str()).collect::<Vec<_>>(), ["TimedOut", "Succeeded"]);
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn credentials_are_never_kept_even_when_they_are_made_out_of_a_secret() {
    let (url, seen) = server(&[(200, &[], "")]).await;
    let actions = format!(
        r#"
  - id: header
    action: http
    with:
      url: "{url}/a"
      connection: local
      headers: {{Authorization: "Basic @{{base64(concat('soc:', parameters('password')))}}"}}
      cookie: "session=@{{base64(parameters('password'))}}"
  - id: own
    action: http
    with:
      url: "{url}/b"
      connection: local
      authentication: {{type: raw, value: "Key @{{base64(parameters('password'))}}"}}
  - {{id: read, action: compose, with: {{inputs: "@actions('header').inputs"}}}}
"#
    );
    let folder = tempfile::TempDir::new().unwrap();
    let place = folder.path().join("password");
    std::fs::write(&place, "hunter2").unwrap();
    let source = format!("parameters: {{password: {{type: securestring}}}}\n{}", form(&actions));
    let password = ParameterValue::Secret(SecretRef::File(place));
    let house = house(&source, BTreeMap::from([("password".to_owned(), password)])).await;
    let run = house.report("1", json!({})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    let sent = ["GET /a Basic c29jOmh1bnRlcjI=", "GET /b Key aHVudGVyMg=="];
    assert_eq!(*seen.lock().unwrap(), sent);
    let kept = kept(&house, run).await;
    for secret in ["hunter2", "c29jOmh1bnRlcjI=", "aHVudGVyMg=="] {
        assert!(!kept.contains(secret), "{secret} in {kept}");
    }
    assert!(kept.contains(r#""type":"raw","value":"[secret]""#), "{kept}");
}

#[tokio::test]
async fn credentials_that_a_service_repeats_are_taken_out_of_its_answer() {
    let folder = tempfile::TempDir::new().unwrap();
    let place = folder.path().join("password");
    std::fs::write(&place, "hunter2").unwrap();
    let (url, seen) = server(&[
        (200, &[("x-got", "Basic c29jOmh1bnRlcjI="), ("content-type", "text/plain")], "you are soc with hunter2"),
        (401, &[("content-type", "application/json")], r#"{"c29jOmh1bnRlcjI=": ["not hunter2!"]}"#),
    ])
    .await;
    let actions = format!(
        r#"
  - {{id: a, action: http, with: {{url: "{url}/a", connection: local}}}}
  - {{id: b, action: http, with: {{url: "{url}/b", connection: local}}}}
"#
    );
    let basic = HttpAuthentication::Basic { username: "soc".into(), password: SecretRef::File(place) };
    let house = house_with(&form(&actions), BTreeMap::new(), &url, Some(basic)).await;
    let run = house.report("1", json!({})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Failed);
    assert_eq!(*seen.lock().unwrap(), ["GET /a Basic c29jOmh1bnRlcjI=", "GET /b Basic c29jOmh1bnRlcjI="]);
    let kept = kept(&house, run).await;
    for secret in ["hunter2", "c29jOmh1bnRlcjI="] {
        assert!(!kept.contains(secret), "{secret} in {kept}");
    }
    assert!(kept.contains("Basic [secret]") && kept.contains(r#"{"[secret]":["not [secret]!"]}"#), "{kept}");
}
