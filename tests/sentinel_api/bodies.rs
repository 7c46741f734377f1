//! What clients send that is not quite what the specification says, and is understood.

use serde_json::{Value, json};

use crate::kit::{ONE, api};

#[tokio::test]
async fn owners_are_filled_in_as_far_as_they_can_be() {
    let api = api().await;
    let nobody = json!({"objectId": null, "email": null, "assignedTo": null, "userPrincipalName": null});
    let id = "2046feea-040d-4a46-9e2b-91c2941bfa70";
    let table = [
        (json!({"objectId": id}), json!({"objectId": id})),
        (
            json!({"userPrincipalName": "john@contoso.com"}),
            json!({"email": "john@contoso.com", "assignedTo": "john@contoso.com", "userPrincipalName": "john@contoso.com"}),
        ),
        (
            json!({"email": "john@contoso.com"}),
            json!({"email": "john@contoso.com", "assignedTo": "john@contoso.com", "userPrincipalName": "john@contoso.com"}),
        ),
        (json!({"assignedTo": "John"}), json!({"assignedTo": "John"})),
        (
            json!({"objectId": id, "email": "j@d.e", "assignedTo": "John", "userPrincipalName": "j", "ownerType": "User"}),
            json!({"objectId": id, "email": "j@d.e", "assignedTo": "John", "userPrincipalName": "j", "ownerType": "User"}),
        ),
        (json!({}), nobody.clone()),
        (nobody.clone(), nobody.clone()),
        (Value::Null, nobody.clone()),
        (json!({"objectId": "", "email": " "}), nobody),
    ];
    for (given, expected) in table {
        let body = json!({"properties": {"title": "Door", "severity": "High", "status": "New", "owner": given}});
        let answer = api.ask("PUT", &format!("/incidents/{ONE}"), Some(&body)).await;
        assert_eq!(answer.json()["properties"]["owner"], expected, "{given}");
    }
}

#[tokio::test]
async fn read_only_and_unknown_members_are_read_over_and_nothing_that_is_left_out_stays() {
    let api = api().await;
    let path = format!("/incidents/{ONE}");
    let body = json!({
        "id": "/nonsense", "name": "other", "type": "other", "systemData": {}, "kind": 7,
        "properties": {
            "title": "  Door ", "severity": "high", "status": "NEW", "description": "At night",
            "labels": [{"labelName": "a", "labelType": "AutoAssigned"}, {"labelName": "b", "type": "User"}, {"labelName": "a"}],
            "firstActivityTimeUtc": "2019-01-01T13:00:30.1234567Z", "lastActivityTimeUtc": "2019-01-01T13:00:30",
            "incidentNumber": 7, "incidentUrl": 7, "createdTimeUtc": "never", "providerName": "Other", "additionalData": null,
            "relatedAnalyticRuleIds": "none", "teamInformation": {}, "classification": null, "colour": "red",
        },
    });
    let created = api.ok(201, "PUT", &path, Some(&body)).await;
    insta::assert_json_snapshot!("understood", crate::kit::masked(&created, &[ONE]));
    let body = json!({"properties": {"title": "Door", "severity": "High", "status": "New"}});
    let replaced = api.ok(200, "PUT", &path, Some(&body)).await;
    let properties = &replaced["properties"];
    assert_eq!((&properties["description"], &properties["labels"]), (&json!(""), &json!([])));
    assert!(properties.get("firstActivityTimeUtc").is_none(), "{properties}");
}

#[tokio::test]
async fn what_was_answered_can_be_sent_back() {
    let api = api().await;
    let path = format!("/incidents/{ONE}");
    let mut seen = api.incident(ONE, "Door").await;
    seen["properties"]["severity"] = "Low".into();
    let sent = api.ok(200, "PUT", &path, Some(&seen)).await;
    assert_eq!(sent["properties"]["severity"], "Low");
    let comment = format!("{path}/comments/c");
    let made = api.ok(201, "PUT", &comment, Some(&json!({"properties": {"message": "<b>hello</b>"}}))).await;
    let again = api.ok(200, "PUT", &comment, Some(&made)).await;
    assert_eq!(again["properties"]["message"], "<b>hello</b>");
}
