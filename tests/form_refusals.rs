//! Submissions of forms that are not taken, and what a hostile sender gets to read.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

#[allow(dead_code, reason = "shared with the tests of webhooks")]
#[path = "forms/kit.rs"]
mod kit;

use chrono::Duration as Span;
use insta::assert_snapshot;
use kit::{PAGE, REPORT, assert_accessible, assert_hardened, request, served, urlencoded};
use larum::{
    limits::{FORM_BYTES, FORM_NUMBER},
    trigger::form::{Answers, decode_pairs},
};
use proptest::prelude::*;
use serde_json::json;

const JSON: (&str, &str) = ("content-type", "application/json");

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
