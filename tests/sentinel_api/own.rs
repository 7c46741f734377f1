//! Larum's own API: what the command line and other products use.

use larum::{access::Role, store::incidents::IncidentStore};
use serde_json::{Value, json};

use crate::{
    forms::request,
    kit::{BASE, ONE, PLAYBOOK, api, masked, with},
};

#[tokio::test]
async fn an_alert_is_taken_in_with_what_it_concerns_and_can_be_related() {
    let api = api().await;
    let alert = json!({
        "alertDisplayName": "Logon from two countries", "severity": "High", "description": "Within an hour",
        "vendorName": "Contoso", "productName": "Contoso IDP", "providerAlertId": "7", "tactics": ["InitialAccess"],
        "startTimeUtc": "2026-11-24T08:00:00Z", "additionalData": {"Countries": "DE, BR"}, "alertLink": "https://contoso.example/7",
        "entities": [
            {"kind": "Account", "properties": {"accountName": "mara", "upnSuffix": "contoso.example"}},
            {"kind": "Ip", "properties": {"address": "192.0.2.7"}},
            {"kind": "Ip", "properties": {"address": "192.0.2.7"}},
        ],
    });
    let taken = api.own(201, "POST", "/api/alerts", Some(&alert)).await;
    insta::assert_json_snapshot!("alert", masked(&taken, &[]));
    let name = taken["name"].as_str().unwrap();
    let again = api.own(200, "POST", "/api/alerts", Some(&alert)).await;
    assert_eq!(again["name"], name, "what the product calls the same is the same alert");
    let entities: Vec<&Value> = taken["entities"].as_array().unwrap().iter().map(|entity| &entity["name"]).collect();
    let other = json!({"alertDisplayName": "Other", "severity": "Low", "entities": [{"kind": "ip", "properties": {"address": "192.0.2.7"}}]});
    let refused = api.call("PUT", "/api/alerts/other", Some(&other)).await;
    assert_eq!(refused.status, 400, "kinds are Sentinel's: {}", refused.body);
    let other = json!({"alertDisplayName": "Other", "severity": "Low", "entities": [{"kind": "Ip", "properties": {"address": "192.0.2.7"}}]});
    let other = api.own(201, "PUT", "/api/alerts/other", Some(&other)).await;
    assert_eq!(other["entities"][0]["name"], *entities[1], "the same address is the same entity");

    api.incident(ONE, "Door").await;
    let relation = json!({"properties": {"relatedResourceId": format!("{BASE}/entities/{name}")}});
    let related = api.ok(201, "PUT", &format!("/incidents/{ONE}/relations/r"), Some(&relation)).await;
    assert_eq!(related["properties"]["relatedResourceKind"], "SecurityAlert");
    let alerts = api.ok(200, "POST", &format!("/incidents/{ONE}/alerts"), None).await;
    assert_eq!(alerts["value"][0]["properties"]["alertDisplayName"], "Logon from two countries");
    let listed = api.ok(200, "POST", &format!("/incidents/{ONE}/entities"), None).await;
    assert_eq!(listed["metaData"], json!([{"entityKind": "Account", "count": 1}, {"entityKind": "Ip", "count": 1}]));
    let entity = api.ok(200, "GET", &format!("/entities/{}", entities[1].as_str().unwrap()), None).await;
    assert_eq!((&entity["kind"], &entity["properties"]["friendlyName"]), (&json!("Ip"), &json!("192.0.2.7")));
    let incident = api.own(200, "GET", "/api/incidents/1", None).await;
    assert_eq!(incident["properties"]["additionalData"]["alertProductNames"], json!(["Contoso IDP"]));
    let all = api.own(200, "GET", "/api/alerts", None).await;
    assert_eq!(all["value"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_incident_is_made_changed_commented_merged_and_deleted_by_its_number() {
    let api = api().await;
    let new = json!({"title": "Door", "owner": "john@contoso.com", "tags": ["north"]});
    let made = api.own(201, "POST", "/api/incidents", Some(&new)).await;
    assert_eq!(made["properties"]["severity"], "Medium");
    assert_eq!(made["properties"]["owner"]["userPrincipalName"], "john@contoso.com");
    let patch = json!({"severity": "High", "addTags": ["urgent"], "removeTags": ["NORTH"], "owner": ""});
    let patched = api.own(200, "PATCH", "/api/incidents/1", Some(&patch)).await;
    assert_eq!(patched["properties"]["labels"], json!([{"labelName": "urgent", "labelType": "User"}]));
    assert_eq!(patched["properties"]["title"], "Door");
    let refused = api.own(400, "PATCH", "/api/incidents/1", Some(&json!({"status": "Closed"}))).await;
    assert_eq!(refused["error"]["code"], "BadRequest");
    let unknown = api.own(400, "PATCH", "/api/incidents/1", Some(&json!({"colour": "red"}))).await;
    assert!(unknown["error"]["message"].as_str().unwrap().contains("colour"), "{unknown}");
    let comment = api.own(201, "POST", "/api/incidents/1/comments", Some(&json!({"message": "Looked at it"}))).await;
    assert_eq!(comment["properties"]["author"]["name"], "tests");

    api.own(201, "POST", "/api/incidents", Some(&json!({"title": "Door"}))).await;
    while api.served.store.index_portion().await.unwrap() {}
    let related = api.own(200, "GET", "/api/incidents/1/related", None).await;
    assert_eq!(related["value"][0]["because"], json!([{"reason": "same_title"}]), "{related}");
    let merged = api.own(200, "POST", "/api/incidents/1/merge", Some(&json!({"incidents": [2]}))).await;
    assert_eq!(merged["properties"]["incidentNumber"], 1);
    let gone = api.own(200, "GET", "/api/incidents/2", None).await;
    assert_eq!(gone["properties"]["additionalData"]["mergedIncidentNumber"], 1, "{gone}");
    let log = api.own(200, "GET", "/api/incidents/1/activity?limit=2", None).await;
    assert_eq!(log["value"].as_array().unwrap().len(), 2);
    assert!(log["nextLink"].as_str().unwrap().contains("after="), "{log}");
    assert_eq!(api.call("DELETE", "/api/incidents/1", None).await.status, 200);
    assert_eq!(api.call("GET", "/api/incidents/1", None).await.status, 404);
    let log = api.own(200, "GET", "/api/incidents/1/activity", None).await;
    assert_eq!(log["value"].as_array().unwrap().last().unwrap()["what"], "deleted", "a deletion leaves a trace");
    assert_eq!(api.call("GET", "/api/incidents/99/activity", None).await.status, 404);
}

#[tokio::test]
async fn incidents_are_found_by_their_words() {
    let api = api().await;
    api.own(201, "POST", "/api/incidents", Some(&json!({"title": "A stranger at the north door"}))).await;
    api.own(201, "POST", "/api/incidents", Some(&json!({"title": "A leak"}))).await;
    while api.served.store.index_portion().await.unwrap() {}
    let found = api.own(200, "GET", "/api/incidents/search?q=north%20stranger", None).await;
    assert_eq!(found["value"].as_array().unwrap().len(), 1);
    assert_eq!(found["value"][0]["incident"]["properties"]["incidentNumber"], 1);
    let nothing = api.own(400, "GET", "/api/incidents/search", None).await;
    assert_eq!(nothing["error"]["message"], "The query parameter q must say what to look for.");
    let short = api.own(400, "GET", "/api/incidents/search?q=north%20st*", None).await;
    assert_eq!(
        short["error"]["message"],
        "The search cannot be done: 'st*' would find too much: a beginning has at least 3 characters before its *."
    );
}

#[tokio::test]
async fn runs_are_listed_shown_and_cancelled() {
    const WAITS: &str = "
name: waits
trigger: {incident: {on: [created]}}
actions:
  - {id: wait, action: delay, with: {for: PT1H}}
";
    let api = with(&[PLAYBOOK, WAITS], Role::Contributor).await;
    api.incident(ONE, "Door").await;
    let body = json!({"logicAppsResourceId": "waits"});
    assert_eq!(api.ask("POST", &format!("/incidents/{ONE}/runPlaybook"), Some(&body)).await.status, 204);
    let runs = api.own(200, "GET", "/api/runs?playbook=waits", None).await;
    let run = runs["value"][0]["run"].as_str().unwrap().to_owned();
    let shown = api.own(200, "GET", &format!("/api/runs/{run}"), None).await;
    assert_eq!((&shown["playbook"], &shown["kind"]), (&json!("waits"), &json!("incident")));
    api.own(202, "POST", &format!("/api/runs/{run}/cancel"), None).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let shown = api.own(200, "GET", &format!("/api/runs/{run}"), None).await;
        if shown["status"] == "Cancelled" {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{shown}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let again = api.own(409, "POST", &format!("/api/runs/{run}/cancel"), None).await;
    assert_eq!(again["error"]["message"], format!("Run {run} has ended as Cancelled already."));
    assert_eq!(api.own(200, "GET", "/api/runs?status=running", None).await, json!({"value": []}));
    assert_eq!(api.call("GET", "/api/runs?status=dancing", None).await.status, 400);
    assert_eq!(api.call("GET", "/api/runs/none", None).await.status, 404);
}

#[tokio::test]
async fn other_addresses_and_methods_are_refused_in_json() {
    let api = api().await;
    let table = [("GET", "/api/nothing", 404, None), ("PUT", "/api/incidents/1", 405, Some("GET, PATCH, DELETE"))];
    for (method, path, status, allow) in table {
        let token = format!("Bearer {}", api.token);
        let answer =
            api.served.raw(&request(method, path, &[("authorization", &token), ("accept", "text/html")], None)).await;
        assert_eq!((answer.status, answer.header("allow")), (status, allow), "{}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(answer.json()["error"]["message"].is_string());
    }
}

#[tokio::test]
async fn a_post_that_is_repeated_with_its_key_makes_nothing_twice() {
    let api = api().await;
    let key = |key: &'static str| [("idempotency-key", key)];
    let new = json!({"title": "Door"});
    let post = async |path: &str, given: &'static str, body: &Value| {
        api.call_with("POST", path, &key(given), Some(body)).await
    };
    let made = post("/api/incidents", "a", &new).await;
    let again = post("/api/incidents", "a", &json!({"title": "Gate"})).await;
    assert_eq!((made.status, again.status), (201, 201), "{}", again.body);
    assert_eq!(made.json(), again.json());
    assert_eq!((made.header("idempotent-replayed"), again.header("idempotent-replayed")), (None, Some("true")));
    let said = json!({"message": "It was open."});
    let comment = post("/api/incidents/1/comments", "a", &said).await;
    let name = made.json()["name"].as_str().unwrap().to_owned();
    let again = post(&format!("/api/incidents/{name}/comments"), "a", &said).await;
    assert_eq!((comment.status, again.status), (201, 201), "{}", again.body);
    assert_eq!(comment.json(), again.json(), "however the address names the incident");
    // At the same time, one of them is first.
    let many = (0..8).map(|_| post("/api/incidents", "b", &new));
    let names: std::collections::BTreeSet<String> = futures::future::join_all(many)
        .await
        .iter()
        .map(|answer| {
            assert_eq!(answer.status, 201, "{}", answer.body);
            answer.json()["name"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(names.len(), 1);
    // Another key, another incident, another client: another thing.
    post("/api/incidents", "c", &new).await;
    post("/api/incidents/2/comments", "a", &said).await;
    let other = api.token("other", Role::Responder).await;
    let authorization = format!("Bearer {other}");
    let headers = [("authorization", &*authorization), ("content-type", "application/json"), ("idempotency-key", "a")];
    let other = api.served.raw(&request("POST", "/api/incidents", &headers, Some(new.to_string().as_bytes()))).await;
    assert_eq!((other.status, &other.json()["properties"]["incidentNumber"]), (201, &json!(4)));
    assert_eq!(api.own(200, "GET", "/api/incidents/1", None).await["properties"]["additionalData"]["commentsCount"], 1);
    assert_eq!(api.own(200, "GET", "/api/incidents/2", None).await["properties"]["additionalData"]["commentsCount"], 1);
    let long: &'static str = "x".repeat(300).leak();
    for bad in ["", long] {
        assert_eq!(post("/api/incidents", bad, &new).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn what_led_to_a_write_is_taken_from_nobody_who_makes_it_up_in_another_form() {
    let api = api().await;
    let mark = "0123456789abcdef0123456789abcdef";
    let many: &'static str = [mark; 9].join(",").leak();
    let new = json!({"title": "Door"});
    for bad in ["", "my-playbook-name", "0123", many] {
        let answer = api.call_with("POST", "/api/incidents", &[("larum-causes", bad)], Some(&new)).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!("BadRequest")), "{bad}");
    }
    let twice = [("larum-causes", mark), ("larum-causes", mark)];
    assert_eq!(api.call_with("POST", "/api/incidents", &twice, Some(&new)).await.status, 400);
    let taken = api.call_with("POST", "/api/incidents", &[("larum-causes", mark)], Some(&new)).await;
    assert_eq!(taken.status, 201, "{}", taken.body);
    assert_eq!(api.own(200, "GET", "/api/incidents/1", None).await["properties"]["title"], "Door");
}

#[tokio::test]
async fn a_playbook_is_run_on_the_incident_that_a_whole_id_names() {
    let api = api().await;
    api.incident(ONE, "Door").await;
    let alert = json!({"alertDisplayName": "Logon", "severity": "High"});
    api.own(201, "PUT", "/api/alerts/alert", Some(&alert)).await;
    let good = format!("{BASE}/Incidents/{ONE}");
    let bad = [
        ONE.to_owned(),
        format!("/incidents/{ONE}"),
        format!("{BASE}/bookmarks/{ONE}"),
        format!("{BASE}/incidents/{ONE}/comments/{ONE}"),
        good.replace("myWorkspace", "another"),
        good.replace("myRg", "another"),
        good.replace("Microsoft.SecurityInsights", "Microsoft.Other"),
        format!("/x{good}"),
        format!("{BASE}/incidents/"),
        "ä".repeat(200),
    ];
    let run = async |id: &str| {
        let body = json!({"logicAppsResourceId": "my-playbook-name", "incidentArmId": id});
        api.ask("POST", "/entities/alert/runPlaybook", Some(&body)).await
    };
    for id in bad {
        let answer = run(&id).await;
        let message = format!("'incidentArmId': '{id}' is not the resource id of an incident of this workspace.");
        assert_eq!(answer.status, 400, "{id}: {}", answer.body);
        assert_eq!(answer.json(), json!({"error": {"code": "BadRequest", "message": message}}));
    }
    for id in [&good, &good.to_uppercase(), &good.to_lowercase(), &format!("{good}/")] {
        assert_eq!(run(id).await.status, 204, "{id}");
    }
    assert_eq!(run(&good.replace(ONE, "nothing")).await.status, 404);
}
