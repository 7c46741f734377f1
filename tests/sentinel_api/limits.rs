//! What is too large, too many or of another shape: 400 with what the limit is, and nothing is written.

use serde_json::{Value, json};

use crate::kit::{BASE, ONE, VERSION, api};

fn x(count: usize) -> String {
    "x".repeat(count)
}

#[tokio::test]
async fn what_is_beyond_a_limit_is_refused_with_the_limit() {
    let api = api().await;
    api.incident(ONE, "Door").await;
    let arm = |rest: &str| format!("{BASE}{rest}?{VERSION}");
    let own = |path: &str| path.to_owned();
    let incident = |name: &str, value: Value| {
        let mut properties = json!({"title": "Door", "severity": "High", "status": "New"});
        properties[name] = value;
        json!({"properties": properties})
    };
    let put = |name: &str, value: Value| ("PUT", arm(&format!("/incidents/{ONE}")), incident(name, value));
    let labels = |count: usize| (0..count).map(|tag| json!({"labelName": tag.to_string()})).collect::<Value>();
    let tags = |count: usize| (0..count).map(|tag| json!(tag.to_string())).collect::<Value>();
    let post = |name: &str, value: Value| {
        let mut body = json!({"title": "Door"});
        body[name] = value;
        ("POST", own("/api/incidents"), body)
    };
    let patch = |name: &str, value: Value| ("PATCH", own("/api/incidents/1"), json!({name: value}));
    let task = |title: &str, description: &str| {
        let body = json!({"properties": {"title": title, "description": description, "status": "New"}});
        ("PUT", arm(&format!("/incidents/{ONE}/tasks/t")), body)
    };
    let bookmark = |name: &str, query: &str| {
        ("PUT", arm("/bookmarks/b"), json!({"properties": {"displayName": name, "query": query}}))
    };
    let alert = |title: &str, description: &str, entity: &str| {
        let entities = json!([{"kind": "Ip", "properties": {"address": entity}}]);
        let body =
            json!({"alertDisplayName": title, "severity": "Low", "description": description, "entities": entities});
        ("PUT", own("/api/alerts/a"), body)
    };
    let table = [
        (put("title", json!(x(2_001))), "the title has more than 2000 characters"),
        (put("description", json!(x(5_001))), "the description has more than 5000 characters"),
        (put("classificationComment", json!(x(5_001))), "the classificationComment has more than 5000 characters"),
        (put("owner", json!({"email": x(501)})), "the owner has more than 500 characters"),
        (put("labels", labels(50_000)), "an incident can have at most 200 tags"),
        (put("labels", json!([{"labelName": x(257)}])), "the tag has more than 256 characters"),
        (post("title", json!(x(2_001))), "the title has more than 2000 characters"),
        (post("tags", tags(100_000)), "an incident can have at most 200 tags"),
        (patch("title", json!(x(2_001))), "the title has more than 2000 characters"),
        (patch("description", json!(x(5_001))), "the description has more than 5000 characters"),
        (patch("owner", json!(x(501))), "the owner has more than 500 characters"),
        (patch("addTags", tags(100_000)), "an incident can have at most 200 tags"),
        (patch("removeTags", tags(100_000)), "an incident can have at most 200 tags"),
        (
            ("POST", own("/api/incidents/1/merge"), json!({"incidents": vec![1; 101]})),
            "At most 100 incidents can be merged at once.",
        ),
        (task(&x(501), ""), "the title has more than 500 characters"),
        (task("Look", &x(10_001)), "the description has more than 10000 characters"),
        (bookmark(&x(501), ""), "the displayName has more than 500 characters"),
        (bookmark("b", &x(262_144)), "'properties' has more than 262144 bytes."),
        (alert(&x(2_001), "", ""), "the alertDisplayName has more than 2000 characters"),
        (alert("a", &x(262_144), ""), "The alert has more than 262144 bytes besides its entities."),
        (alert("a", "", &x(32_768)), "The properties of an entity have more than 32768 bytes."),
    ];
    for ((method, path, body), message) in table {
        let answer = api.call(method, &path, Some(&body)).await;
        let told = answer.json();
        assert_eq!((answer.status, &told["error"]["message"]), (400, &json!(message)), "{method} {path}");
    }
    let full = api.own(200, "PATCH", "/api/incidents/1", Some(&json!({"addTags": tags(200)}))).await;
    assert_eq!(full["properties"]["labels"].as_array().unwrap().len(), 200);
    let more = api.own(400, "PATCH", "/api/incidents/1", Some(&json!({"addTags": ["more"]}))).await;
    assert_eq!(more["error"]["message"], "an incident can have at most 200 tags");
    for number in 0..200 {
        let body = json!({"properties": {"title": "Look", "status": "New"}});
        api.ok(201, "PUT", &format!("/incidents/{ONE}/tasks/{number}"), Some(&body)).await;
    }
    let (_, path, body) = task("Look", "");
    let more = api.call("PUT", &path, Some(&body)).await;
    assert_eq!(more.status, 400, "{}", more.body);
    assert!(more.body.contains("has 200 tasks already"), "{}", more.body);
}

#[tokio::test]
async fn a_list_is_no_object_at_any_level() {
    let api = api().await;
    api.incident(ONE, "Door").await;
    let arm = |rest: &str| format!("{BASE}{rest}?{VERSION}");
    let incident = arm(&format!("/incidents/{ONE}"));
    let properties = |properties: Value| json!({"properties": properties});
    let with = |name: &str, value: Value| {
        let mut body = json!({"title": "Door", "severity": "High", "status": "New", "displayName": "b", "query": "q"});
        body[name] = value;
        properties(body)
    };
    let five = json!([null, null, null, null, null]);
    let alert = json!({"alertDisplayName": "a", "severity": "Low", "entities": [["Ip", {"address": "192.0.2.7"}]]});
    let bookmark = arm("/bookmarks/b");
    let table = [
        ("PUT", incident.clone(), properties(json!(["Door", null, "High", "New"])), "properties"),
        ("PUT", incident.clone(), with("owner", five), "properties.owner"),
        ("PUT", incident.clone(), with("labels", json!([["a"]])), "properties.labels[0]"),
        ("PUT", bookmark.clone(), properties(json!(["b", "q"])), "properties"),
        ("PUT", bookmark.clone(), with("entityMappings", json!([["Ip"]])), "properties.entityMappings[0]"),
        (
            "PUT",
            bookmark.clone(),
            with("entityMappings", json!([{"fieldMappings": [["a", "b"]]}])),
            "properties.entityMappings[0].fieldMappings[0]",
        ),
        ("PUT", bookmark, with("incidentInfo", json!(["a", "High", "b", "c"])), "properties.incidentInfo"),
        ("PUT", arm(&format!("/incidents/{ONE}/comments/c")), properties(json!(["hello"])), "properties"),
        ("PUT", arm(&format!("/incidents/{ONE}/tasks/t")), properties(json!(["Look", null, "New"])), "properties"),
        ("PUT", arm("/onboardingStates/default"), properties(json!([true])), "properties"),
        ("POST", "/api/alerts".to_owned(), alert, "entities[0]"),
    ];
    for (method, path, body, place) in table {
        let answer = api.call(method, &path, Some(&body)).await;
        let told = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        let expected = format!("The request body is not valid: '{place}': invalid type: sequence, expected an object.");
        assert_eq!((answer.status, told), (400, expected), "{method} {path} {body}");
    }
    let nothing = json!({"alertDisplayName": "a", "severity": "Low", "entities": null});
    api.own(201, "POST", "/api/alerts", Some(&nothing)).await;
}

#[tokio::test]
async fn a_time_has_a_year_of_four_digits() {
    let api = api().await;
    for given in ["+262142-01-01T00:00:00", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "-0001-01-01T00:00:00"]
    {
        let title = json!({"title": "Door", "severity": "High", "status": "New", "firstActivityTimeUtc": given});
        let answer = api.ask("PUT", "/incidents/a", Some(&json!({"properties": title}))).await;
        assert_eq!(answer.status, 400, "{given}: {}", answer.body);
        assert!(answer.body.contains("properties.firstActivityTimeUtc"), "{}", answer.body);
    }
    let title =
        json!({"title": "Door", "severity": "High", "status": "New", "firstActivityTimeUtc": "9999-12-31T23:59:59"});
    api.ok(201, "PUT", "/incidents/a", Some(&json!({"properties": title}))).await;
}
