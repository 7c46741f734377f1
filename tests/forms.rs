//! Forms over HTTP, as people and programs meet them.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

#[allow(dead_code, reason = "shared with the tests of webhooks")]
#[path = "forms/kit.rs"]
mod kit;

use std::time::Duration;

use chrono::Duration as Span;
use insta::assert_snapshot;
use kit::{Answer, PAGE, REPORT, Served, request, served, urlencoded};
use larum::{
    limits::{FORM_BYTES, FORM_NUMBER},
    playbook::Field,
    store::{
        Store,
        query::{HistoryOutcome, IncidentFilter, RunFilter},
    },
    trigger::form::{Answers, decode_pairs},
};
use proptest::prelude::*;
use serde_json::json;

const JSON: (&str, &str) = ("content-type", "application/json");

/// The same form under another path and name.
fn other() -> String {
    REPORT.replace("name: report", "name: other").replace("path: report", "path: other")
}

/// Waits until there are so many incidents, at most twenty seconds.
async fn incidents(site: &Served, number: usize) -> Vec<larum::incident::Incident> {
    for _ in 0..2000 {
        let found = site.store.incidents(IncidentFilter { limit: 1000, ..Default::default() }).await.unwrap();
        if found.len() >= number {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("there should be {number} incidents");
}

// --- what a good submission becomes ---

#[tokio::test]
async fn a_json_submission_is_answered_with_the_reference_of_its_run() {
    let site = served(&[REPORT], |_| {}).await;
    let answer = site
        .post(
            "/forms/report?source=intranet&tag=a&tag=b",
            &[JSON, ("user-agent", "curl/8"), ("cookie", "session=1"), ("authorization", "Bearer x")],
            json!({
                "what": "A stranger\r\nat the door", "place": " North door ", "kind": "Other",
                "affected": ["Laptop", "Mail"], "contact": "ann@example.com", "link": "https://evil.example/x?y=1",
                "day": "2026-11-23", "count": 3, "urgent": true
            })
            .to_string(),
        )
        .await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let runs = site.store.runs(RunFilter { limit: 10, ..Default::default() }).await.unwrap();
    assert_eq!(answer.json(), json!({"reference": runs[0].run}));
    let mut outputs = site.newest_outputs().await;
    assert_eq!(outputs["body"]["responseId"], json!(runs[0].event));
    outputs["body"]["responseId"] = json!("[event]");
    insta::assert_json_snapshot!("trigger_outputs", outputs);
}

#[tokio::test]
async fn unanswered_fields_are_null_an_unticked_box_is_false_and_a_number_stays_one() {
    let site = served(&[REPORT], |_| {}).await;
    let cases = [
        (json!({"what": "x"}), json!([null, null, null, null, null, null, null, false])),
        (
            json!({"what": "x", "place": "  ", "kind": "", "affected": [], "contact": "", "link": "", "day": null, "count": null, "urgent": null}),
            json!([null, null, null, null, null, null, null, false]),
        ),
        (json!({"WHAT": "x", "Count": 2.5}), json!([null, null, null, null, null, null, 2.5, false])),
        (json!({"what": "x", "count": -0.1}), json!([null, null, null, null, null, null, -0.1, false])),
    ];
    for (given, expected) in cases {
        let answer = site.post_json("/forms/Report", given.to_string()).await;
        assert_eq!(answer.status, 202, "{given}: {}", answer.body);
        let body = site.newest_outputs().await["body"].clone();
        let fields = ["place", "kind", "affected", "contact", "link", "day", "count", "urgent"];
        assert_eq!(json!(fields.map(|id| body[id].clone())), expected, "{given}");
    }
}

#[tokio::test]
async fn the_page_and_json_submissions_deliver_the_same() {
    let site = served(&[REPORT], |_| {}).await;
    let answer = site
        .post_page(
            "/forms/report",
            &[
                ("what", "Two lines\r\nof text & more"),
                ("place", ""),
                ("kind", "Lost device"),
                ("affected", "Mail"),
                ("affected", "Phone"),
                ("contact", "ann@example.com"),
                ("link", ""),
                ("day", "2026-11-23"),
                ("count", "12"),
                ("urgent", "true"),
            ],
        )
        .await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let page = site.newest_outputs().await["body"].clone();
    let given = json!({"what": "Two lines\nof text & more", "kind": "Lost device", "affected": ["Mail", "Phone"],
        "contact": "ann@example.com", "day": "2026-11-23", "count": 12, "urgent": true});
    assert_eq!(site.post_json("/forms/report", given.to_string()).await.status, 202);
    let json = site.newest_outputs().await["body"].clone();
    for Field { id, .. } in &kit::fields(REPORT) {
        assert_eq!(page[id], json[id], "{id}");
    }
}

#[tokio::test]
async fn what_a_report_says_stays_text() {
    let site = served(&[REPORT], |_| {}).await;
    for what in ["{{trigger.what}}", "@{triggerBody()}", "@concat('a', 'b')", "<script>alert(1)</script>", "\u{202e}x"]
    {
        let answer = site.post_json("/forms/report", json!({"what": what}).to_string()).await;
        assert_eq!(answer.status, 202, "{what}");
        assert_eq!(site.newest_outputs().await["body"]["what"], json!(what));
    }
}

#[tokio::test]
async fn an_edited_form_is_served_at_once() {
    let site = served(&[REPORT], |_| {}).await;
    assert_eq!(site.get("/forms/report").await.status, 200);
    kit::put_in_force(&site.store, &site.library, &[&other()]).await;
    assert_eq!(site.get("/forms/report").await.status, 404);
    assert_eq!(site.get("/forms/other").await.status, 200);
}

// --- repeated submissions ---

#[tokio::test]
async fn a_repeated_idempotency_key_is_answered_with_the_first_run() {
    let site = served(&[REPORT, &other()], |_| {}).await;
    let headers = [JSON, ("idempotency-key", "ticket-7")];
    let first = site.post("/forms/report", &headers, r#"{"what":"x"}"#).await;
    assert_eq!(first.status, 202);
    incidents(&site, 1).await;
    let second = site.post("/forms/report", &headers, r#"{"what":"x"}"#).await;
    assert_eq!((second.status, second.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!(second.json(), json!({"reference": first.json()["reference"], "incident": 1}));
    assert_eq!(site.runs().await, 1);
    let history = site.store.history(None, 10).await.unwrap();
    assert!(matches!(history[0].outcome, HistoryOutcome::Duplicate { .. }), "{history:?}");

    let elsewhere = site.post("/forms/other", &headers, r#"{"what":"x"}"#).await;
    assert_eq!((elsewhere.status, elsewhere.header("idempotent-replayed")), (202, None), "a key belongs to its form");
}

#[tokio::test]
async fn a_page_counts_once_however_often_and_at_once_it_is_sent() {
    let site = served(&[REPORT], |_| {}).await;
    let page = site.get("/forms/report").await;
    let body = urlencoded(page.submission(), &[("what", "x")]);
    let answers = futures::future::join_all((0..8).map(|_| site.post("/forms/report", PAGE, &body))).await;
    let statuses = |wanted| answers.iter().filter(|answer| answer.status == wanted).count();
    assert_eq!((statuses(303), statuses(409)), (1, 7));
    assert_eq!(site.runs().await, 1);
    incidents(&site, 1).await;
    assert_snapshot!("page_sent_twice", site.post("/forms/report", PAGE, &body).await.shown());
}

#[tokio::test]
async fn a_page_sent_with_mistakes_can_be_sent_again_with_its_values() {
    let site = served(&[REPORT], |_| {}).await;
    let wrong = [
        ("what", ""),
        ("place", "<b>\"here\"</b>"),
        ("kind", "Nonsense"),
        ("affected", "Laptop"),
        ("affected", "Toaster"),
        ("contact", "nobody"),
        ("link", "javascript:alert(1)"),
        ("day", "yesterday"),
        ("count", "many"),
        ("urgent", "true"),
        ("colour", "red"),
    ];
    let answer = site.post_page("/forms/report", &wrong).await;
    assert_accessible(&answer);
    assert_snapshot!("page_with_mistakes", answer.shown());
    let again = site.post("/forms/report", PAGE, urlencoded(answer.submission(), &[("what", "x")])).await;
    assert_eq!(again.status, 303);
}

#[tokio::test]
async fn a_page_is_good_for_a_day() {
    let site = served(&[REPORT], |_| {}).await;
    let page = site.get("/forms/report").await;
    site.clock.advance(Span::hours(24) + Span::seconds(1));
    let late = site.post("/forms/report", PAGE, urlencoded(page.submission(), &[("what", "kept")])).await;
    assert_eq!(late.status, 403);
    assert!(late.body.contains("open for more than a day") && late.body.contains("kept"), "{}", late.body);
    assert_accessible(&late);
    let again = site.post("/forms/report", PAGE, urlencoded(late.submission(), &[("what", "kept")])).await;
    assert_eq!(again.status, 303);
}

// --- thanks ---

#[tokio::test]
async fn the_thank_you_page_names_the_incident() {
    let site = served(&[REPORT], |_| {}).await;
    let answer = site.post_page("/forms/report", &[("what", "x")]).await;
    assert_eq!(answer.status, 303);
    let location = answer.header("location").unwrap().to_owned();
    assert_snapshot!("page_accepted", answer.shown());
    let thanks = site.get(&location).await;
    assert_accessible(&thanks);
    assert_snapshot!("thanks", thanks.shown());
}

#[tokio::test]
async fn the_thank_you_page_shows_a_reference_when_the_incident_takes_longer() {
    let site = served(&[REPORT], |_| {}).await;
    site.engine.drain().await;
    let answer = site.post_page("/forms/report", &[("what", "x")]).await;
    assert_snapshot!("thanks_while_running", site.get(answer.header("location").unwrap()).await.shown());
}

#[tokio::test]
async fn the_thank_you_page_of_a_playbook_without_an_incident_gives_thanks_all_the_same() {
    let source = "name: quiet\ntrigger: {form: {path: report, title: Tell us, fields: [{id: what, label: What?, type: text}]}}\n\
                  actions: [{id: a, action: compose, with: {inputs: \"{{trigger.what}}\"}}]\n";
    let site = served(&[source], |_| {}).await;
    let answer = site.post_page("/forms/report", &[("what", "x")]).await;
    assert_snapshot!("thanks_without_incident", site.get(answer.header("location").unwrap()).await.shown());
}

#[tokio::test]
async fn nobody_else_can_ask_what_became_of_a_report() {
    let site = served(&[REPORT], |_| {}).await;
    let answer = site.post_page("/forms/report", &[("what", "x")]).await;
    let location = answer.header("location").unwrap().to_owned();
    let (unsigned, _) = location.split_once("&receipt").unwrap();
    for address in [unsigned.to_owned(), format!("{unsigned}&receipt=AAAA"), "/forms/report/thanks".to_owned()] {
        assert_eq!(site.get(&address).await.status, 404, "{address}");
    }
}

#[tokio::test]
async fn a_json_submission_may_wait_for_its_incident() {
    let site = served(&[REPORT], |_| {}).await;
    let answer = site.post("/forms/report", &[JSON, ("prefer", "respond-async, wait=20")], r#"{"what":"x"}"#).await;
    assert_eq!((answer.status, answer.header("preference-applied")), (200, Some("wait=20")));
    assert_eq!(answer.json()["incident"], json!(1));
}

// --- refused submissions ---

#[tokio::test]
async fn a_hostile_json_submission_is_refused_with_words() {
    let site = served(&[REPORT], |_| {}).await;
    let long = "é".repeat(5001);
    let deep = "[".repeat(100_000);
    let many = format!("{{{}}}", (0..20_000).map(|n| format!("\"f{n}\":1")).collect::<Vec<_>>().join(","));
    let sixty = format!("{{{}}}", (0..60).map(|n| format!("\"f{n}\":1")).collect::<Vec<_>>().join(","));
    let listed = format!(r#"{{"what":"x","affected":[{}]}}"#, vec!["\"Mail\""; 20_000].join(","));
    let cases: Vec<(&str, Vec<u8>)> = [
        ("an empty body", ""),
        ("no JSON", "what=x"),
        ("JSON that breaks off", r#"{"what":"x""#),
        ("JSON and more", r#"{"what":"x"} {}"#),
        ("a list", r#"["x"]"#),
        ("a long text instead of an object", &format!("\"{}\"", "x".repeat(1000))),
        ("null", "null"),
        ("nothing answered", "{}"),
        ("only spaces", r#"{"what":" \n\t "}"#),
        ("an unknown field", r#"{"what":"x","color":1}"#),
        ("a mistyped field", r#"{"waht":"x"}"#),
        ("a field of the trigger", r#"{"what":"x","responseId":"1"}"#),
        (
            "an unknown field with control characters and no end",
            &format!(r#"{{"what":"x","a\u0000\r\n{}":1}}"#, "y".repeat(500)),
        ),
        ("a field twice", r#"{"what":"x","what":"y"}"#),
        ("a field twice in two spellings", r#"{"what":"x","WHAT":"y"}"#),
        ("a number for text", r#"{"what":5}"#),
        ("a list for text", r#"{"what":["x"]}"#),
        ("an object for text", r#"{"what":{"a":{"b":[1,2,{}]}}}"#),
        ("text for a number", r#"{"what":"x","count":"3"}"#),
        ("true for a number", r#"{"what":"x","count":true}"#),
        ("text for a box", r#"{"what":"x","urgent":"yes"}"#),
        ("one for a box", r#"{"what":"x","urgent":1}"#),
        ("a list for one choice", r#"{"what":"x","kind":["Other"]}"#),
        ("text for several choices", r#"{"what":"x","affected":"Mail"}"#),
        ("a number among choices", r#"{"what":"x","affected":["Mail",3,"Phone"]}"#),
        ("a choice there is not", r#"{"what":"x","kind":"other"}"#),
        ("a choice twice", r#"{"what":"x","affected":["Mail","Mail"]}"#),
        ("twenty thousand choices", &listed),
        ("too long by one character", &format!(r#"{{"what":"{long}"}}"#)),
        ("two lines where one is asked for", r#"{"what":"x","place":"a\r\nBcc: b@example.com"}"#),
        ("two lines by another name", r#"{"what":"x","place":"a\u2028b"}"#),
        ("a name that reads backwards", r#"{"what":"x","place":"gpj.\u202eexe"}"#),
        ("a NUL", r#"{"what":"a\u0000b"}"#),
        ("an escape sequence", r#"{"what":"\u001b[2J"}"#),
        ("a broken surrogate", r#"{"what":"\ud800"}"#),
        ("a mail address with a line", r#"{"what":"x","contact":"a@example.com\nBcc: b@example.com"}"#),
        ("no mail address", r#"{"what":"x","contact":"a b@example"}"#),
        ("a script for a link", r#"{"what":"x","link":"javascript:alert(1)"}"#),
        ("a file for a link", r#"{"what":"x","link":"file:///etc/passwd"}"#),
        ("half a link", r#"{"what":"x","link":"example.com"}"#),
        ("a day there is not", r#"{"what":"x","day":"2026-02-30"}"#),
        ("a day the other way round", r#"{"what":"x","day":"23.11.2026"}"#),
        ("a number beyond any", r#"{"what":"x","count":1e999}"#),
        ("a number beyond what is exact", r#"{"what":"x","count":9007199254740993}"#),
        ("a number of many digits", &format!(r#"{{"what":"x","count":{}}}"#, "9".repeat(400))),
        ("no number", r#"{"what":"x","count":NaN}"#),
        ("a hundred thousand levels", &format!(r#"{{"what":{deep}"#)),
        ("sixty unknown fields", &sixty),
        ("twenty thousand unknown fields", &many),
        (
            "everything wrong at once",
            r#"{"what":1,"place":2,"kind":3,"affected":4,"contact":5,"link":6,"day":7,"count":"8","urgent":9}"#,
        ),
    ]
    .into_iter()
    .map(|(name, body)| (name, body.as_bytes().to_vec()))
    .chain([
        ("bytes that are not UTF-8", b"{\"what\":\"\xff\xfe\"}".to_vec()),
        ("UTF-16", b"\xff\xfe{\x00}\x00".to_vec()),
        ("a name that is not UTF-8", b"{\"wh\xc3\x28t\":\"x\"}".to_vec()),
    ])
    .collect();
    let mut shown = String::new();
    for (name, body) in cases {
        let answer = site.post_json("/forms/report", body).await;
        assert!((400..500).contains(&answer.status), "{name}: {} {}", answer.status, answer.body);
        shown += &format!("### {name}\n{}\n\n", answer.shown());
    }
    assert_snapshot!("hostile_json", shown);
    assert_eq!(site.runs().await, 0);
}

#[tokio::test]
async fn a_hostile_request_is_refused_with_words() {
    let site = served(&[REPORT], |config| config.server.public_url = "https://reports.example.com".parse().ok()).await;
    let page = site.get("/forms/report").await;
    let id = page.submission().to_owned();
    let what = r#"{"what":"x"}"#;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let forged = format!("larum.submission={}A&what=x", &id[..id.len() - 1]);
    let twice = format!("larum.submission={id}&larum.submission={id}&what=x");
    let not_utf8 = format!("larum.submission={id}&what=%ff%fe");
    let long_key = "k".repeat(201);
    type Case<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>, &'a str);
    let cases: Vec<Case<'_>> = vec![
        ("no content type", "/forms/report", vec![], what),
        ("plain text", "/forms/report", vec![("content-type", "text/plain")], what),
        ("a multipart body", "/forms/report", vec![("content-type", "multipart/form-data; boundary=x")], "--x--"),
        ("JSON in another charset", "/forms/report", vec![("content-type", "application/json; charset=latin1")], what),
        ("another JSON type", "/forms/report", vec![("content-type", "application/problem+json")], what),
        ("a foreign origin", "/forms/report", vec![JSON, ("origin", "https://evil.example")], what),
        ("no origin's origin", "/forms/report", vec![JSON, ("origin", "null")], what),
        ("another port's origin", "/forms/report", vec![JSON, ("origin", "http://localhost:1")], what),
        ("another site by its own word", "/forms/report", vec![JSON, ("sec-fetch-site", "cross-site")], what),
        ("a neighbouring site", "/forms/report", vec![JSON, ("sec-fetch-site", "same-site")], what),
        (
            "a foreign page",
            "/forms/report",
            vec![form, ("accept", "text/html"), ("origin", "https://evil.example")],
            "what=x",
        ),
        ("no such form", "/forms/nothing", vec![JSON], what),
        ("an encoded path", "/forms/..%2f..%2fetc%2fpasswd", vec![JSON], what),
        ("a path that is not UTF-8", "/forms/%ff", vec![JSON], what),
        ("a query that is not UTF-8", "/forms/report?a=%ff", vec![JSON], what),
        ("an empty idempotency key", "/forms/report", vec![JSON, ("idempotency-key", "")], what),
        ("a long idempotency key", "/forms/report", vec![JSON, ("idempotency-key", &long_key)], what),
        ("two idempotency keys", "/forms/report", vec![JSON, ("idempotency-key", "a"), ("idempotency-key", "b")], what),
        ("an idempotency key that is not ASCII", "/forms/report", vec![JSON, ("idempotency-key", "schlüssel")], what),
        ("another host", "/forms/report", vec![JSON, ("host", "evil.example")], what),
        ("two hosts", "/forms/report", vec![JSON, ("host", "localhost"), ("host", "evil.example")], what),
        (
            "a body said to be too large",
            "/forms/report",
            vec![JSON, ("content-length", "99999999999"), ("expect", "100-continue")],
            "",
        ),
        ("text that is not UTF-8", "/forms/report", vec![form], &not_utf8),
    ];
    let mut shown = String::new();
    for (name, path, headers, body) in cases {
        let answer = site.post(path, &headers, body).await;
        assert!((400..500).contains(&answer.status), "{name}: {} {}", answer.status, answer.body);
        assert_hardened(&answer);
        shown += &format!("### {name}\n{}\n\n", answer.shown());
    }
    for (name, body) in
        [("no submission id", "what=x"), ("a forged submission id", &forged), ("two submission ids", &twice)]
    {
        let answer = site.post("/forms/report", PAGE, body).await;
        assert_eq!(answer.status, 403, "{name}: {}", answer.body);
        assert!(answer.body.contains("not issued by this form"), "{name}");
        assert_accessible(&answer);
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        let answer = site.raw(&request(method, "/forms/report", &[JSON], Some(what.as_bytes()))).await;
        shown += &format!("### {method}\n{}\n\n", answer.shown());
    }
    let missing = site.get("/incidents").await;
    shown += &format!("### a page that is not there\n{}\n", missing.shown());
    assert_snapshot!("hostile_requests", shown);
    assert_eq!(site.runs().await, 0);
}

#[tokio::test]
async fn bytes_that_are_no_request_are_answered_or_cut_off_and_the_server_goes_on() {
    let site = served(&[REPORT], |_| {}).await;
    let huge_header = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(1_000_000));
    let smuggled = "POST /forms/report HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                    content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let cases: [&[u8]; 6] = [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\rb\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        huge_header.as_bytes(),
        smuggled.as_bytes(),
    ];
    for bytes in cases {
        let answered = kit::bytes(site.address, bytes).await;
        let status = String::from_utf8_lossy(&answered).split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{}", String::from_utf8_lossy(&answered));
    }
    assert_eq!(site.post_json("/forms/report", r#"{"what":"x"}"#).await.status, 202);
}

#[tokio::test]
async fn twenty_megabytes_are_refused_and_ten_are_read() {
    let site = served(&[REPORT], |_| {}).await;
    let large = format!(r#"{{"what":"{}"}}"#, "x".repeat(2 * FORM_BYTES));
    let refused = site.post_json("/forms/report", &large).await;
    assert_snapshot!("too_large", refused.shown());
    let page = site.post("/forms/report", PAGE, &large).await;
    assert_snapshot!("too_large_page", page.shown());
    let chunk = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let chunked = site.post("/forms/report", &[JSON, ("transfer-encoding", "chunked")], &chunk).await;
    assert_eq!(chunked.status, 413);
    let fits = format!(r#"{{"what":"{}"}}"#, "x".repeat(FORM_BYTES - 100));
    let read = site.post_json("/forms/report", fits).await;
    assert_eq!(read.status, 422, "the body is read, only its answer is too long");
    assert!(read.body.contains("This has 10,485,660 characters; at most 5,000 are allowed."), "{}", read.body);
}

#[tokio::test]
async fn a_client_may_post_so_many_times_a_minute_and_another_still_can() {
    let site = served(&[REPORT], |config| {
        config.server.form_posts_per_minute = 3;
        config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let site = &site;
    let from = |client: &'static str| async move {
        site.post("/forms/report", &[JSON, ("x-forwarded-for", client)], r#"{"what":"x"}"#).await
    };
    for _ in 0..3 {
        assert_eq!(from("192.0.2.1").await.status, 202);
    }
    let refused = from("192.0.2.1").await;
    assert_snapshot!("too_many", refused.shown());
    assert_eq!(from("192.0.2.2").await.status, 202);
    for (client, status) in [("2001:db8::1", 202), ("2001:db8::2", 202), ("2001:db8::3", 202), ("2001:db8::4", 429)] {
        assert_eq!(from(client).await.status, status, "{client}");
    }
    let wait: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    site.clock.advance(Span::seconds(wait));
    assert_eq!(from("192.0.2.1").await.status, 202);
}

#[tokio::test]
async fn a_report_that_cannot_be_stored_is_not_acknowledged() {
    let site = served(&[REPORT], |_| {}).await;
    let page = site.get("/forms/report").await;
    site.store.close();
    assert_snapshot!("not_stored_json", site.post_json("/forms/report", r#"{"what":"x"}"#).await.shown());
    let answer = site.post("/forms/report", PAGE, urlencoded(page.submission(), &[("what", "x")])).await;
    assert_snapshot!("not_stored_page", answer.shown());
    let ready = site.get("/readyz").await;
    assert_eq!(ready.status, 503, "{}", ready.body);
    assert_eq!(site.get("/healthz").await.status, 200);
}

// --- the page ---

#[tokio::test]
async fn the_page_asks_for_every_field() {
    let site = served(&[REPORT], |_| {}).await;
    let page = site.get("/forms/report").await;
    assert_accessible(&page);
    assert_hardened(&page);
    assert_snapshot!("page", page.shown());
}

#[tokio::test]
async fn markup_in_a_playbook_or_a_submission_stays_text() {
    let evil = "\"><script>alert('{{title}}')</script>&amp;";
    let quoted = json!(evil);
    let source = format!(
        "name: x\ntrigger:\n  form:\n    path: x\n    title: {quoted}\n    fields:\n\
         \x20   - {{id: a, label: {quoted}, type: text, required: true}}\n\
         \x20   - {{id: b, label: {quoted}, type: long_text}}\n\
         \x20   - {{id: c, label: {quoted}, type: choice, multiple: true, options: [{quoted}]}}\n\
         \x20   - {{id: d, label: {quoted}, type: choice, options: [{quoted}]}}\n\
         \x20   - {{id: e, label: {quoted}, type: checkbox}}\n\
         actions: [{{id: a, action: compose, with: {{inputs: 1}}}}]\n"
    );
    let site = served(&[&source], |_| {}).await;
    let textarea = "</textarea><script>alert(1)</script>";
    let page = site.post_page("/forms/x", &[("b", textarea), ("c", "<i>"), ("<img src=x>", evil)]).await;
    assert_accessible(&page);
    for pages in [&page, &site.get("/").await, &site.get("/forms/x").await] {
        let body = pages.body.to_lowercase();
        for tag in ["<script", "<img", "<i>", "</textarea><"] {
            assert!(!body.contains(tag), "{tag}: {}", pages.body);
        }
    }
    assert_snapshot!("page_with_markup", page.shown());
}

#[tokio::test]
async fn a_folder_of_templates_replaces_the_built_in_ones() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("portal")).unwrap();
    std::fs::write(folder.path().join("portal/index.hbs"), "{{#each forms}}[{{title}}]{{/each}}").unwrap();
    std::fs::write(folder.path().join("portal/larum.css"), "body { color: red }").unwrap();
    let site = served(&[REPORT], |config| config.templates = Some(folder.path().to_owned())).await;
    assert_eq!(site.get("/").await.body, "[Report a concern]");
    assert_eq!(site.get("/assets/larum.css").await.body, "body { color: red }");
    assert!(site.get("/forms/report").await.body.contains("What happened?"));
}

// --- health, metrics, the end ---

#[tokio::test]
async fn whether_the_disk_can_be_written_is_looked_at_once_a_second() {
    let site = served(&[REPORT], |_| {}).await;
    assert_eq!(site.get("/readyz").await.status, 200);
    site.store.close();
    assert_eq!(site.get("/readyz").await.status, 200);
    site.clock.advance(Span::seconds(1));
    assert_eq!(site.get("/readyz").await.status, 503);
}

#[tokio::test]
async fn the_server_says_how_it_is() {
    let site = served(&[REPORT], |_| {}).await;
    assert_eq!(site.get("/healthz").await.body, "alive\n");
    assert_eq!(site.get("/readyz").await.body, "ready\n");
    site.recovered.send_replace(false);
    assert_eq!(site.get("/readyz").await.status, 503);
    assert_eq!(site.get("/healthz").await.status, 200);
    site.post_json("/forms/report", r#"{"what":"x"}"#).await;
    site.post_json("/forms/report", "{}").await;
    let metrics = site.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    for line in [
        r#"larum_reports_total{trigger="form",verdict="accepted"} 1"#,
        r#"larum_reports_total{trigger="form",verdict="refused"} 1"#,
    ] {
        assert!(metrics.body.lines().any(|known| known == line), "{line}: {}", metrics.body);
    }
    assert_snapshot!("index", site.get("/").await.shown());
}

#[tokio::test]
async fn a_stopping_server_ends_what_is_under_way_and_takes_nothing_new() {
    let site = served(&[REPORT], |_| {}).await;
    let body = br#"{"what":"x"}"#;
    let bytes = request("POST", "/forms/report", &[JSON], Some(body));
    let (head, tail) = bytes.split_at(bytes.len() - 5);
    let mut stream = tokio::net::TcpStream::connect(site.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, head).await.unwrap();
    // The request is under way once its headers were read, which nothing outside can see.
    tokio::time::sleep(Duration::from_millis(200)).await;
    site.stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    tokio::io::AsyncWriteExt::write_all(&mut stream, tail).await.unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    tokio::time::timeout(Duration::from_secs(20), site.ended).await.expect("the server ends").unwrap();
    assert!(tokio::net::TcpStream::connect(site.address).await.is_err(), "nothing listens any more");
}

// --- whatever is sent ---

proptest! {
    #[test]
    fn whatever_json_is_sent_is_taken_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Answers::from_json(&kit::fields(REPORT), &body);
    }

    #[test]
    fn whatever_a_page_sends_is_taken_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(pairs) = decode_pairs(&body) {
            let _ = Answers::from_pairs(&kit::fields(REPORT), pairs);
        }
    }

    #[test]
    fn what_a_page_encodes_is_read_back(pairs in proptest::collection::vec((".*", ".*"), 0..8)) {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(&pairs);
        let body = body.finish();
        prop_assert_eq!(decode_pairs(body.as_bytes()), Ok(pairs));
    }

    #[test]
    fn a_number_that_is_kept_is_kept_exactly(number in -FORM_NUMBER..FORM_NUMBER) {
        let mut fields = kit::fields(REPORT);
        fields.retain(|field| field.id == "count");
        let kept = Answers::from_json(&fields, json!({"count": number}).to_string().as_bytes()).unwrap();
        let page = Answers::from_pairs(&fields, vec![("count".to_owned(), json!(number).to_string())]).unwrap();
        let kept = serde_json::to_value(kept.iter().next().unwrap().1).unwrap();
        prop_assert_eq!(kept.as_f64(), Some(number));
        let page = serde_json::to_value(page.iter().next().unwrap().1).unwrap();
        prop_assert_eq!(page.as_f64(), Some(number));
    }
}

// --- what holds for every page ---

fn assert_hardened(answer: &Answer) {
    let policy = answer.header("content-security-policy").expect("every answer has a content security policy");
    assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
}

/// The rules a page can be checked for without a browser: every input has its label, every description and link its
/// element, ids are unique, the language is said, there is one first heading, groups have legends, nothing is inline.
fn assert_accessible(answer: &Answer) {
    let page = &answer.body;
    let tags: Vec<&str> =
        page.split('<').skip(1).filter_map(|piece| piece.split_once('>')).map(|(tag, _)| tag).collect();
    let attribute = |tag: &str, name: &str| {
        let marked = tag.split_once(&format!(" {name}=\""))?.1;
        Some(marked.split_once('"')?.0.to_owned())
    };
    let all = |name: &str| -> Vec<String> { tags.iter().filter_map(|tag| attribute(tag, name)).collect() };
    let ids = all("id");
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "ids are unique: {ids:?}");
    let labels = all("for");
    for tag in &tags {
        let input = ["input ", "select ", "textarea "].iter().any(|name| tag.starts_with(name));
        if input && !tag.contains("type=\"hidden\"") {
            let id = attribute(tag, "id").unwrap_or_else(|| panic!("an input without an id: {tag}"));
            assert!(labels.contains(&id), "an input without a label: {tag}");
        }
        assert!(!tag.contains(" style=") && !tag.contains(" on"), "nothing is inline: {tag}");
    }
    for id in all("aria-describedby").iter().flat_map(|list| list.split(' ')) {
        assert!(ids.iter().any(|known| known == id), "nothing is called {id}");
    }
    for link in all("href").iter().filter_map(|link| link.strip_prefix('#')) {
        assert!(ids.iter().any(|known| known == link), "a link leads nowhere: {link}");
    }
    assert!(tags.contains(&"html lang=\"en\""));
    assert_eq!(tags.iter().filter(|tag| **tag == "h1").count(), 1);
    let count = |name: &str| tags.iter().filter(|tag| tag.starts_with(name)).count();
    assert_eq!(count("fieldset"), count("legend"));
    assert_eq!(count("title"), 1);
    if page.contains("class=\"error\"") {
        assert!(page.contains("role=\"alert\""), "mistakes are announced");
    }
}
