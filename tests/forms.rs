//! Forms over HTTP, as people and programs meet them.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

#[allow(dead_code, reason = "shared with the tests of webhooks")]
#[path = "forms/kit.rs"]
mod kit;

use std::time::Duration;

use chrono::Duration as Span;
use insta::assert_snapshot;
use kit::{PAGE, REPORT, Served, assert_accessible, assert_hardened, request, served, urlencoded};
use larum::{
    playbook::Field,
    store::{
        Store,
        query::{HistoryOutcome, IncidentFilter, RunFilter},
    },
};
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
