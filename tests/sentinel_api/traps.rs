//! What breaks Azure's SDKs when a server does it otherwise; each was found by running one.

use serde_json::{Value, json};

use crate::{
    forms::request,
    kit::{BASE, ONE, VERSION, api},
};

#[tokio::test]
async fn a_put_is_answered_200_or_201_with_the_resource_and_a_delete_200_or_204_without_a_body() {
    let api = api().await;
    let one = format!("/incidents/{ONE}");
    let task = json!({"properties": {"title": "Look", "status": "New"}});
    let comment = json!({"properties": {"message": "hello"}});
    let door = json!({"properties": {"title": "Door", "severity": "High", "status": "New"}});
    let bookmark = json!({"properties": {"displayName": "x", "query": "y"}});
    let action = json!({"properties": {"triggerUri": "https://x/workflows/w/triggers", "logicAppResourceId": "/x"}});
    let all = [
        (one.clone(), door),
        (format!("{one}/comments/c"), comment),
        (format!("{one}/tasks/t"), task),
        ("/bookmarks/b".to_owned(), bookmark),
        ("/alertRules/r/actions/a".to_owned(), action),
        ("/onboardingStates/default".to_owned(), json!({"properties": {}})),
    ];
    for (path, body) in &all {
        for status in [201, 200] {
            let written = api.ok(status, "PUT", path, Some(body)).await;
            for member in ["id", "name", "type", "etag"] {
                assert!(written[member].is_string(), "{path}: {written}");
            }
        }
    }
    for (path, _) in all.iter().rev() {
        for status in [200, 204] {
            let answer = api.ask("DELETE", path, None).await;
            assert_eq!((answer.status, answer.body.as_str()), (status, ""), "{path}");
        }
    }
}

#[tokio::test]
async fn a_playbook_started_by_hand_is_answered_204_and_runs_on_the_incident() {
    let api = api().await;
    api.incident(ONE, "Door").await;
    let body = json!({"logicAppsResourceId": "/subscriptions/x/workflows/My-Playbook-Name", "tenantId": "t"});
    let answer = api.ask("POST", &format!("/incidents/{ONE}/runPlaybook"), Some(&body)).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(api.served.runs().await, 1);
    let outputs = api.served.newest_outputs().await;
    assert_eq!(outputs["body"]["object"]["properties"]["title"], "Door", "{outputs}");
    let log = api.own(200, "GET", "/api/incidents/1/activity", None).await;
    assert_eq!(log["value"][1]["what"], "playbook_started", "{log}");
    assert_eq!(log["value"][1]["by"]["name"], "tests", "{log}");
}

#[tokio::test]
async fn what_is_missing_or_in_conflict_has_an_error_body() {
    let api = api().await;
    for (status, path) in [(404, "/incidents/none"), (404, "/bookmarks/none"), (404, "/automationRules/none")] {
        let error = api.ok(status, "GET", path, None).await;
        assert_eq!(error["error"]["code"], "ResourceNotFound");
        assert!(error["error"]["message"].is_string());
    }
}

#[tokio::test]
async fn a_deleted_automation_rule_is_answered_200_with_an_object_whether_or_not_it_was_there() {
    let api = api().await;
    let rule = json!({"properties": {
        "displayName": "Rule", "order": 1,
        "triggeringLogic": {"isEnabled": true, "triggersOn": "Incidents", "triggersWhen": "Created"},
        "actions": [{"order": 1, "actionType": "ModifyProperties", "actionConfiguration": {"severity": "Low"}}],
    }});
    api.ok(201, "PUT", "/automationRules/r", Some(&rule)).await;
    for _ in 0..2 {
        assert_eq!(api.ok(200, "DELETE", "/automationRules/r", None).await, json!({}));
    }
}

#[tokio::test]
async fn lists_asked_for_by_post_need_no_body_no_type_and_no_length() {
    let api = api().await;
    api.incident(ONE, "Door").await;
    let token = format!("Bearer {}", api.token);
    let empty = [
        ("alerts", json!({"value": []})),
        ("bookmarks", json!({"value": []})),
        ("entities", json!({"entities": [], "metaData": []})),
    ];
    for (list, expected) in empty {
        let path = format!("{BASE}/incidents/{ONE}/{list}?{VERSION}");
        let bare: &[(&str, &str)] = &[("authorization", &token)];
        let zero: &[(&str, &str)] = &[("authorization", &token), ("content-length", "0")];
        for headers in [bare, zero] {
            let answer = api.served.raw(&request("POST", &path, headers, None)).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert_eq!(answer.json(), expected);
        }
        let answer = api.call("POST", &path, Some(&json!({"ignored": true}))).await;
        assert_eq!(answer.json(), expected);
    }
}

#[tokio::test]
async fn nothing_that_clients_iterate_over_is_null_and_times_have_a_zone() {
    let api = api().await;
    let incident = api.incident(ONE, "Door").await;
    let properties = &incident["properties"];
    for list in [&properties["labels"], &properties["relatedAnalyticRuleIds"], &properties["additionalData"]["tactics"]]
    {
        assert_eq!(*list, json!([]));
    }
    assert!(properties["owner"].is_object());
    for time in ["createdTimeUtc", "lastModifiedTimeUtc"] {
        assert_eq!(properties[time], "2026-11-24T09:05:00.0000000Z");
    }
    let quoted = |value: &Value| value["etag"].as_str().unwrap().starts_with('"');
    assert!(quoted(&incident));
    let comment = json!({"properties": {"message": "hello"}});
    assert!(!quoted(&api.ok(201, "PUT", &format!("/incidents/{ONE}/comments/c"), Some(&comment)).await));
    let task = json!({"properties": {"title": "Look", "status": "New"}});
    assert!(quoted(&api.ok(201, "PUT", &format!("/incidents/{ONE}/tasks/t"), Some(&task)).await));
}
