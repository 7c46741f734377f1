//! The documented PUT by `curl`, as the documentation has it.

use std::process::Command;

use serde_json::{Value, json};

use crate::kit::{Api, BASE, ONE, VERSION, api};

/// The status and body of what `curl` is answered.
async fn curl(api: &Api, arguments: &[&str], rest: &str) -> (u16, String) {
    let url = format!("http://{}{BASE}{rest}?{VERSION}", api.served.address);
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--write-out", "\n%{http_code}", "--header"]);
    command.arg(format!("Authorization: Bearer {}", api.token)).args(arguments).arg(url);
    let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("curl is on the machine");
    let text = String::from_utf8(done.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&done.stderr)));
    (status.parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn the_documented_put_then_get_list_update_and_delete() {
    let api = api().await;
    let put = r#"{
  "etag": "\"0300bf09-0000-0000-0000-5c37296e0000\"",
  "properties": {
    "lastActivityTimeUtc": "2019-01-01T13:05:30Z",
    "firstActivityTimeUtc": "2019-01-01T13:00:30Z",
    "description": "This is a demo incident",
    "title": "My incident",
    "owner": {
      "objectId": "2046feea-040d-4a46-9e2b-91c2941bfa70"
    },
    "severity": "High",
    "classification": "FalsePositive",
    "classificationComment": "Not a malicious activity",
    "classificationReason": "IncorrectAlertLogic",
    "status": "Closed"
  }
}"#;
    let one = format!("/incidents/{ONE}");
    let send = |body: String| {
        [
            "--request".to_owned(),
            "PUT".into(),
            "--header".into(),
            "Content-Type: application/json".into(),
            "--data".into(),
            body,
        ]
    };
    let arguments = send(put.to_owned());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (status, created) = curl(&api, &arguments, &one).await;
    assert_eq!(status, 201, "{created}");
    let created: Value = serde_json::from_str(&created).unwrap();

    let (status, got) = curl(&api, &[], &one).await;
    assert_eq!((status, serde_json::from_str::<Value>(&got).unwrap()), (200, created.clone()));

    let (status, listed) = curl(&api, &[], "/incidents").await;
    assert_eq!((status, serde_json::from_str::<Value>(&listed).unwrap()), (200, json!({"value": [created]})));

    let etag = created["etag"].as_str().unwrap();
    let update = json!({"etag": etag, "properties": {"title": "My incident", "severity": "Low", "status": "Active"}});
    let arguments = send(update.to_string());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (status, updated) = curl(&api, &arguments, &one).await;
    assert_eq!(status, 200, "{updated}");
    let updated: Value = serde_json::from_str(&updated).unwrap();
    assert_eq!(updated["properties"]["status"], "Active");
    assert_ne!(updated["etag"], etag);
    // The etag is an old one by now.
    let (status, conflict) = curl(&api, &arguments, &one).await;
    assert_eq!(status, 409, "{conflict}");

    assert_eq!(curl(&api, &["--request", "DELETE"], &one).await, (200, String::new()));
    assert_eq!(curl(&api, &["--request", "DELETE"], &one).await, (204, String::new()));
    let (status, missing) = curl(&api, &[], &one).await;
    assert_eq!(status, 404, "{missing}");
}
