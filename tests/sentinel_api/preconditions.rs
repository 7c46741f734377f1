//! `If-Match` and `If-None-Match`: whoever writes only over what they saw, or only what is new, can rely on it.

use serde_json::{Value, json};

use crate::kit::{BASE, ONE, VERSION, api};

#[tokio::test]
async fn every_write_holds_to_if_match_and_every_put_to_if_none_match() {
    let api = api().await;
    api.incident("other", "Door").await;
    let own = |path: &str| path.to_owned();
    let arm = |path: &str| format!("{BASE}{path}?{VERSION}");
    let properties = |properties: Value| Some(json!({"properties": properties}));
    let incident = properties(json!({"title": "Door", "severity": "High", "status": "New"}));
    let alert = Some(json!({"alertDisplayName": "Logon", "severity": "High"}));
    let related = format!("{BASE}/entities/alert");
    let puts = [
        (arm("/incidents/one"), incident),
        (own("/api/alerts/alert"), alert),
        (arm("/incidents/one/comments/c"), properties(json!({"message": "hello"}))),
        (arm("/incidents/one/tasks/t"), properties(json!({"title": "Look", "status": "new"}))),
        (arm("/incidents/one/relations/r"), properties(json!({"relatedResourceId": related}))),
        (arm("/bookmarks/b"), properties(json!({"displayName": "x", "query": "y"}))),
        (
            arm("/alertRules/r/actions/a"),
            properties(json!({"triggerUri": "https://x/workflows/w/triggers", "logicAppResourceId": "/x"})),
        ),
        (arm("/onboardingStates/default"), properties(json!({}))),
    ];
    let old = ("if-match", "\"2046feea-040d-4a46-9e2b-91c2941bfa70\"");
    let new = ("if-none-match", "*");
    for (path, body) in &puts {
        let written = async |header: (&str, &str)| api.call_with("PUT", path, &[header], body.as_ref()).await.status;
        assert_eq!(written(old).await, 412, "{path}: nothing is there that could match");
        assert_eq!(written(new).await, 201, "{path}");
        assert_eq!(written(new).await, 412, "{path}: it is there already");
        assert_eq!(written(old).await, 412, "{path}: it is another one");
        assert_eq!(written(("if-match", "*")).await, 200, "{path}");
        assert_eq!(written(("if-none-match", old.1)).await, 200, "{path}: that one is not there");
    }
    let number = api.own(200, "GET", "/api/incidents/name:one", None).await["properties"]["incidentNumber"].clone();
    let changes = [
        ("PATCH", format!("/api/incidents/{number}"), json!({"severity": "Low"})),
        ("POST", format!("/api/incidents/{number}/merge"), json!({"incidents": [1]})),
    ];
    for (method, path, body) in &changes {
        let refused = api.call_with(method, path, &[old], Some(body)).await;
        assert_eq!(refused.status, 412, "{path}: {}", refused.body);
        let etag = api.own(200, "GET", &format!("/api/incidents/{number}"), None).await["etag"].clone();
        let done = api.call_with(method, path, &[("if-match", etag.as_str().unwrap())], Some(body)).await;
        assert_eq!(done.status, 200, "{path}: {}", done.body);
    }
    for (path, _) in puts.iter().rev().filter(|(path, _)| !path.starts_with("/api/alerts")) {
        let gone = async |header: (&str, &str)| api.call_with("DELETE", path, &[header], None).await.status;
        assert_eq!(gone(old).await, 412, "{path}");
        let etag = api.call("GET", path, None).await.json()["etag"].as_str().unwrap().to_owned();
        assert_eq!(gone(("if-match", &etag)).await, 200, "{path}");
        assert_eq!(gone(("if-match", "*")).await, 412, "{path}: it is gone");
    }
    assert_eq!(api.ask("GET", &format!("/incidents/{ONE}"), None).await.status, 404);
}
