//! The asynchronous pattern: what is answered 202 is asked after.

use axum::extract::State;

use super::*;
use crate::action::Poll;

/// What a job's server was asked, in order.
type Seen = Arc<Mutex<Vec<String>>>;
type Answers = Arc<Mutex<VecDeque<Response<String>>>>;

/// A server whose answers come from a list, in order, the last one for ever.
async fn jobs(answers: Vec<Response<String>>) -> (SocketAddr, Seen) {
    let seen = Seen::default();
    let state = (seen.clone(), Arc::new(Mutex::new(VecDeque::from(answers))));
    let app =
        Router::new().fallback(
            |State((seen, answers)): State<(Seen, Answers)>,
             method: Method,
             uri: Uri,
             headers: HeaderMap,
             body: Bytes| async move {
                let shown = ["authorization", "x-api-key", "cookie", "content-type", "x-ms-workflow-run-id"];
                let shown = shown.iter().filter_map(|name| {
                    Some(format!(" {name}={}", String::from_utf8_lossy(headers.get(*name)?.as_bytes())))
                });
                let line = format!("{method} {uri} {}B{}", body.len(), shown.collect::<String>());
                seen.lock().expect("the list").push(line);
                let mut answers = answers.lock().expect("the answers");
                if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }.expect("an answer")
            },
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app.with_state(state)).await });
    (address, seen)
}

fn says(status: u16, headers: &[(&str, &str)], body: &str) -> Response<String> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.to_owned()).expect("a response")
}

/// Performs a call until it is done, as the machine does but without waiting: the waits it asked for, and the last outcome.
async fn to_the_end(asker: &Asker, mut input: Value) -> (Vec<u64>, Outcome) {
    let mut waits = Vec::new();
    loop {
        let mut outcome = asker.ask(input.clone()).await;
        let Some(poll) = outcome.poll.take() else { return (waits, outcome) };
        assert_eq!((outcome.code.as_str(), outcome.outputs), ("Accepted", None));
        assert!(!poll.state.to_string().contains("/jobs"), "the address is sealed: {}", poll.state);
        waits.push(poll.after.as_secs());
        input[Poll::KEY] = poll.state;
    }
}

#[tokio::test]
async fn what_is_accepted_is_asked_after_until_it_is_done() {
    let done = [("content-type", "application/json")];
    let (at, seen) = jobs(vec![
        says(202, &[("location", "/jobs/1?key=secret"), ("retry-after", "2")], "begun"),
        says(202, &[], ""),
        says(202, &[("location", "2"), ("retry-after", "Tue, 24 Nov 2026 09:01:00 GMT")], ""),
        says(202, &[("retry-after", "0")], ""),
        says(303, &[("location", "/results/2")], ""),
        says(200, &done, r#"{"done": true}"#),
    ])
    .await;
    let input = json!({
        "method": "POST", "url": format!("http://{at}/jobs"), "queries": {"a": 1}, "body": {"n": 1},
        "headers": {"X-Api-Key": "k"}, "cookie": "a=b", "authentication": {"type": "bearer", "token": "t"},
    });
    let (waits, outcome) = to_the_end(&Asker::local(), input).await;
    assert_eq!(waits, [2, 20, 60, 1], "20 s is the default, 1 s the least");
    assert_eq!((outcome.status, outcome.code.as_str()), (crate::playbook::ActionStatus::Succeeded, "OK"));
    assert_eq!(outcome.outputs.expect("outputs")["body"], json!({"done": true}));
    insta::assert_snapshot!(seen.lock().expect("the list").join("\n"));
}

#[tokio::test]
async fn a_202_that_is_not_to_be_asked_after_is_the_answer() {
    let accepted = || says(202, &[("location", "/jobs/1"), ("content-type", "text/plain")], "begun");
    let (at, seen) = jobs(vec![accepted()]).await;
    let url = format!("http://{at}/jobs");
    let (waits, outcome) =
        to_the_end(&Asker::local(), json!({"method": "PUT", "url": url, "disable_async_pattern": true})).await;
    assert_eq!((waits.len(), outcome.code.as_str()), (0, "Accepted"));
    assert_eq!(outcome.outputs.expect("outputs")["body"], "begun");
    assert_eq!(seen.lock().expect("the list").len(), 1);

    let (at, _) = jobs(vec![says(202, &[], "")]).await;
    let (waits, outcome) = to_the_end(&Asker::local(), json!({"url": format!("http://{at}/jobs")})).await;
    assert_eq!((waits.len(), outcome.outputs.expect("outputs")["statusCode"].clone()), (0, json!(202)));
}

#[tokio::test]
async fn azures_own_header_says_where_to_ask_as_well() {
    let (at, seen) = jobs(vec![says(202, &[("azure-asyncoperation", "/operations/1")], ""), says(200, &[], "")]).await;
    let (waits, _) = to_the_end(&Asker::local(), json!({"method": "PUT", "url": format!("http://{at}/vm")})).await;
    assert_eq!(waits, [20]);
    assert!(seen.lock().expect("the list")[1].starts_with("GET /operations/1 "));
}

#[tokio::test]
async fn credentials_do_not_follow_to_another_origin() {
    let (foreign, seen) = jobs(vec![says(202, &[], ""), says(200, &[], "")]).await;
    let location = format!("http://{foreign}/jobs/1");
    let (at, _) = jobs(vec![says(202, &[("location", &location)], "")]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "hunter2").expect("a file");
    let token = HttpAuthentication::Bearer { token: SecretRef::File(file) };
    let url = format!("http://{at}/");
    let asker = Asker::new(connection(&url, &["127.0.0.1/32"], Some(token)));
    let input = json!({"url": url, "headers": {"X-Api-Key": "hunter2"}, "cookie": "hunter2"});
    let (_, outcome) = to_the_end(&asker, input).await;
    assert_eq!(outcome.code, "OK");
    assert_eq!(*seen.lock().expect("the list"), ["GET /jobs/1 0B", "GET /jobs/1 0B"]);
}

#[tokio::test]
async fn an_address_to_ask_at_that_cannot_be_used_is_named() {
    let mut faults = Vec::new();
    for location in ["ftp://127.0.0.1/", "http://[", "http://169.254.169.254/latest", "http://127.0.0.9/"] {
        let (at, _) = jobs(vec![says(202, &[("location", location)], "")]).await;
        let (_, outcome) = to_the_end(&Asker::local(), json!({"method": "POST", "url": format!("http://{at}/")})).await;
        let error = outcome.error.expect("an error");
        faults.push(format!("{location}: {}: {}", error.code, without_ports(&error.message)));
        assert!(!outcome.retryable);
    }
    let input = json!({"url": "https://example.com/", "$poll": {"location": "aGVsbG8=", "at_home": true}});
    faults.push(format!("tampered with: {}", Asker::local().fault(input).await));
    insta::assert_snapshot!(faults.join("\n"));
}

#[tokio::test]
async fn a_failing_answer_is_the_end_or_is_tried_again_as_any_other() {
    let begun = || says(202, &[("location", "/jobs/1")], "");
    for (status, again) in [(404, false), (409, false), (429, true), (503, true)] {
        let (at, _) = jobs(vec![begun(), says(status, &[], "")]).await;
        let input = json!({"method": "POST", "url": format!("http://{at}/jobs")});
        let (_, outcome) = to_the_end(&Asker::local(), input).await;
        assert_eq!(outcome.outputs.expect("outputs")["statusCode"], status);
        assert_eq!((outcome.status, outcome.retryable), (crate::playbook::ActionStatus::Failed, again));
    }
}

#[tokio::test]
async fn a_service_is_told_which_run_calls_unless_it_is_not_to() {
    let at = serve("127.0.0.1:0").await;
    let url = format!("http://{at}/ids");
    let asker = Asker::local();
    assert_eq!(
        asker.sent(json!({"url": url, "headers": {"X-MS-Client-Tracking-Id": "mine", "Larum-Causes": "mine"}})).await["headers"],
        json!({
            "accept": "*/*",
            "larum-causes": "c",
            "x-ms-client-tracking-id": "mine",
            "x-ms-tracking-id": "00000000-0000-0000-0000-000000000009",
            "x-ms-workflow-run-id": "00000000-0000-0000-0000-000000000008",
        })
    );
    let sent = asker.sent(json!({"url": url, "suppress_workflow_headers": true})).await;
    assert_eq!(sent["headers"], json!({"accept": "*/*"}));
}
