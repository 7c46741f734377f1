//! Bodies in parts, as forms and in envelopes, out and back.

use super::*;

/// What the server says it was sent, with the boundary of multipart bodies left as it is: it derives from the call.
async fn sent_bodies(inputs: Vec<Value>) -> String {
    let at = serve("127.0.0.1:0").await;
    let asker = Asker::local();
    let mut seen = Vec::new();
    for mut input in inputs {
        let shown = input.to_string();
        input["url"] = format!("http://{at}/").into();
        input["method"] = "POST".into();
        let sent = asker.sent(input).await;
        let body = sent["body"].as_str().expect("a text").replace("\r\n", "\n");
        seen.push(format!("{shown}\n{}\n{body}", sent["headers"]["content-type"]));
    }
    seen.join("\n\n")
}

#[tokio::test]
async fn forms_and_parts_are_sent_as_they_are_written() {
    let parts = json!([
        {"headers": {"Content-Disposition": "form-data; name=\"what\""}, "body": "Grüße"},
        {
            "headers": {"Content-Disposition": "form-data; name=\"file\"; filename=\"a.png\"", "X-Absent": null},
            "body": {"$content-type": "image/png", "$content": "aWNvbg=="},
        },
        {"headers": {"content-type": "application/vnd.x+json"}, "body": {"a": [1, null]}},
        {"headers": {"X-Number": 5}, "body": {"$formdata": [{"key": "a", "value": "b c"}]}},
        {},
    ]);
    let whole = json!({"$content-type": "a/b", "$content": "aGVsbG8=", "$multipart": parts, "$formdata": []});
    let typed = json!({"Content-Type": "multipart/mixed; charset=x; Boundary=mine"});
    let forged = json!([{"body": "--larum-00000000-0000-0000-0000-000000000007--\r\nX"}]);
    let fields = json!([{"key": "a b", "value": "ü&="}, {"key": "n", "value": 5}, {"key": "empty"}]);
    insta::assert_snapshot!(
        sent_bodies(vec![
            json!({"body": {"$content-type": "multipart/form-data", "$multipart": parts}}),
            json!({"body": {"$multipart": [{"body": "x"}]}, "headers": typed}),
            json!({"body": {"$multipart": [{"body": "x"}]}, "headers": {"Content-Type": "text/plain"}}),
            json!({"body": {"$multipart": forged}}),
            json!({"body": {"$content-type": "application/x-www-form-urlencoded", "$formdata": fields}}),
            json!({"body": {"$formdata": fields}}),
            json!({"body": whole}),
        ])
        .await
    );
}

#[tokio::test]
async fn a_body_that_cannot_be_sent_is_refused_and_named() {
    let many: Vec<Value> = vec![json!({}); crate::limits::HTTP_PARTS + 1];
    let asker = Asker::local();
    let mut faults = Vec::new();
    for body in [
        json!({"$multipart": []}),
        json!({"$multipart": many}),
        json!({"$multipart": ["x"]}),
        json!({"$multipart": [{"headers": "x"}]}),
        json!({"$multipart": [{}, {"headers": {"A": "b\r\nC: d"}}]}),
        json!({"$multipart": [{"headers": {"A: b": "c"}}]}),
        json!({"$multipart": [{"headers": {"A": ["b"]}}]}),
        json!({"$multipart": [{"body": {"$content-type": "a/b", "$content": "%"}}]}),
        json!({"$multipart": [{"body": {"$content-type": "a/b\r\nC: d", "$content": ""}}]}),
        json!({"$formdata": [{"value": "x"}]}),
        json!({"$formdata": [{"key": "x", "value": {}}]}),
        json!({"$content-type": "a/b\r\nC: d", "$content": ""}),
    ] {
        let mut shown = body.to_string();
        shown.truncate(120);
        let fault = asker.fault(json!({"url": "https://example.com/", "method": "POST", "body": body})).await;
        faults.push(format!("{shown}\n    {fault}"));
    }
    let large = "x".repeat(crate::limits::HTTP_REQUEST_BYTES + 1);
    faults.push(asker.fault(json!({"url": "https://example.com/", "method": "POST", "body": large})).await);
    insta::assert_snapshot!(faults.join("\n"));
}

/// Answers with the type the query asks for and the body it was sent.
async fn mirror() -> SocketAddr {
    let app = Router::new().fallback(|uri: Uri, body: Bytes| async move {
        let kind = uri.query().unwrap_or_default().replace("%20", " ").replace("%22", "\"");
        answer(200, &[("content-type", kind.as_str())], body)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[tokio::test]
async fn answers_in_parts_and_forms_become_envelopes_that_can_be_sent_on() {
    let at = mirror().await;
    let asker = Asker::local();
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x\r\nContent-Type: image/png\r\n\r\n\
                     icon\r\n--x--\r\n";
    let mut seen = Vec::new();
    for (kind, body) in [
        ("application/x-www-form-urlencoded", "a=1&b=x+y%21"),
        ("multipart/form-data; boundary=x", multipart),
        ("multipart/form-data", multipart),
        ("application/json; charset=utf-8", "\u{feff}[1]"),
    ] {
        let input = json!({"url": format!("http://{at}/?{kind}"), "method": "POST", "body": body});
        let outcome = asker.ask(input).await;
        seen.push(match (outcome.outputs, outcome.error) {
            (Some(outputs), _) => outputs["body"].clone(),
            (None, error) => without_ports(&error.expect("an error").message).into(),
        });
    }
    insta::assert_json_snapshot!(seen);

    let sent_on =
        asker.sent(json!({"url": format!("http://{at}/?text/plain"), "method": "POST", "body": seen[1]})).await;
    assert_eq!(sent_on, multipart, "sent on, it is the same bytes");
}
