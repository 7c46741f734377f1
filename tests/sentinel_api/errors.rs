//! What is refused, and with which words: whole bodies.

use std::fmt::Write;

use larum::{access::Role, limits::API_BODY_BYTES};
use serde_json::{Value, json};

use crate::{
    forms::request,
    kit::{Api, BASE, ONE, VERSION, api},
};

/// A line of the table: what was asked, the status, the body.
fn line(table: &mut String, asked: &str, answer: &crate::kit::Answer) {
    let body = answer.body.replace(BASE, "BASE");
    writeln!(table, "{asked}\n    {} {body}", answer.status).unwrap();
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_as_azure_does() {
    let api = api().await;
    api.incident(ONE, "Door").await;
    let other = |from: &str, to: &str| format!("{}/incidents?{VERSION}", BASE.replace(from, to));
    let cases = [
        ("GET", format!("{BASE}/incidents")),
        ("GET", format!("{BASE}/incidents?api-version=")),
        ("GET", format!("{BASE}/incidents?api-version=latest")),
        ("GET", format!("{BASE}/incidents?api-version=2018-06-01")),
        ("GET", other("d0cfe6b2-9ac0-4464-9919-dccaee2e48c0", "00000000-0000-0000-0000-000000000000")),
        ("GET", other("myRg", "theirRg")),
        ("GET", other("myWorkspace", "theirs")),
        ("GET", format!("{BASE}/incidents/nothing?{VERSION}")),
        ("GET", format!("{BASE}/incidents/a%2Fb?{VERSION}")),
        ("GET", format!("{BASE}/incidents/{ONE}/comments/none?{VERSION}")),
        ("GET", format!("{BASE}/incidents/{ONE}/tasks/none?{VERSION}")),
        ("GET", format!("{BASE}/incidents/{ONE}/relations/none?{VERSION}")),
        ("GET", format!("{BASE}/incidents/nothing/comments?{VERSION}")),
        ("POST", format!("{BASE}/incidents/nothing/alerts?{VERSION}")),
        ("POST", format!("{BASE}/incidents/nothing/entities?{VERSION}")),
        ("GET", format!("{BASE}/entities/none?{VERSION}")),
        ("GET", format!("{BASE}/bookmarks/none?{VERSION}")),
        ("GET", format!("{BASE}/bookmarks/none/relations?{VERSION}")),
        ("GET", format!("{BASE}/bookmarks/none/expand?{VERSION}")),
        ("GET", format!("{BASE}/automationRules/none?{VERSION}")),
        ("GET", format!("{BASE}/alertRules/none/actions/none?{VERSION}")),
        ("GET", format!("{BASE}/onboardingStates/other?{VERSION}")),
        ("GET", format!("{BASE}/watchlists?{VERSION}")),
        ("GET", "/subscriptions?api-version=2022-12-01".to_owned()),
        ("PUT", format!("{BASE}/incidents?{VERSION}")),
        ("POST", format!("{BASE}/incidents/{ONE}?{VERSION}")),
        ("PATCH", format!("{BASE}/incidents/{ONE}?{VERSION}")),
        ("GET", format!("{BASE}/incidents/{ONE}/alerts?{VERSION}")),
        ("POST", format!("{BASE}/incidents/{ONE}/createTeam?{VERSION}")),
    ];
    let mut table = String::new();
    for (method, path) in cases {
        let answer = api.call(method, &path, None).await;
        line(&mut table, &format!("{method} {}", path.replace(BASE, "BASE")), &answer);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
    }
    insta::assert_snapshot!("addresses", table);
}

#[tokio::test]
async fn whoever_is_not_let_in_is_told_as_azure_does() {
    let api = api().await;
    let reader = api.token("reader", Role::Reader).await;
    let ask = async |method: &str, authorization: Option<String>| {
        let headers: Vec<(&str, &str)> = authorization.iter().map(|value| ("authorization", value.as_str())).collect();
        api.served.raw(&request(method, &format!("{BASE}/incidents/{ONE}?{VERSION}"), &headers, None)).await
    };
    let mut table = String::new();
    line(&mut table, "no token", &ask("GET", None).await);
    line(&mut table, "no bearer", &ask("GET", Some("Basic YTpi".into())).await);
    line(&mut table, "no token of Larum", &ask("GET", Some("Bearer nonsense".into())).await);
    line(&mut table, "a reader writes", &ask("PUT", Some(format!("Bearer {reader}"))).await);
    insta::assert_snapshot!("admission", table);
}

#[tokio::test]
async fn a_body_that_is_none_is_refused_with_the_place_of_the_fault() {
    let api = api().await;
    let good = json!({"title": "Door", "severity": "High", "status": "New"});
    let with = |name: &str, value: Value| {
        let mut properties = good.clone();
        properties[name] = value;
        json!({"properties": properties}).to_string()
    };
    let without = |name: &str| {
        let mut properties = good.clone();
        properties.as_object_mut().unwrap().remove(name);
        json!({"properties": properties}).to_string()
    };
    let cases = [
        ("nothing", String::new()),
        ("no JSON", "{\"properties\": ".to_owned()),
        ("a list", "[]".to_owned()),
        ("no properties", "{}".to_owned()),
        ("no title", without("title")),
        ("no severity", without("severity")),
        ("no status", without("status")),
        ("a blank title", with("title", json!(" \n"))),
        ("a number as title", with("title", json!(7))),
        ("null as severity", with("severity", Value::Null)),
        ("another severity", with("severity", json!("Critical"))),
        ("another status", with("status", json!("Open"))),
        ("another classification", with("classification", json!("Positive"))),
        ("labels that are texts", with("labels", json!(["a"]))),
        ("a label without a name", with("labels", json!([{"labelName": "a"}, {"labelType": "User"}]))),
        ("an owner that is a text", with("owner", json!("john"))),
        ("a number as mail address", with("owner", json!({"email": 7}))),
        ("a time that is none", with("firstActivityTimeUtc", json!("yesterday"))),
        ("a description that is too long", with("description", json!("x".repeat(5_001)))),
        ("closed without classification", with("status", json!("Closed"))),
        (
            "closed without a reason",
            json!({"properties": {"title": "Door", "severity": "High", "status": "Closed", "classification": "BenignPositive"}})
                .to_string(),
        ),
        ("an etag that is a number", json!({"etag": 7, "properties": good}).to_string()),
    ];
    let mut table = String::new();
    let path = format!("{BASE}/incidents/{ONE}?{VERSION}");
    let token = format!("Bearer {}", api.token);
    let send = async |kind: &str, body: &[u8]| {
        let headers = [("authorization", &*token), ("content-type", kind)];
        api.served.raw(&request("PUT", &path, &headers, Some(body))).await
    };
    for (what, body) in cases {
        line(&mut table, what, &send("application/json; charset=utf-8", body.as_bytes()).await);
    }
    line(&mut table, "text", &send("text/plain", b"hello").await);
    line(&mut table, "too much", &send("application/json", &vec![b' '; API_BODY_BYTES + 1]).await);
    line(&mut table, "and nothing was made", &api.ask("GET", &format!("/incidents/{ONE}"), None).await);
    insta::assert_snapshot!("bodies", table);
}

#[tokio::test]
async fn what_hangs_on_an_incident_is_refused_in_sentinels_words() {
    let api = api().await;
    api.incident(ONE, "Door").await;
    let one = format!("/incidents/{ONE}");
    let alert = |workspace: &str, id: &str| json!({"properties": {"relatedResourceId": format!("{}/entities/{id}", BASE.replace("myWorkspace", workspace))}});
    let rule = |actions: Value| {
        json!({"properties": {
            "displayName": "Rule", "order": 1, "actions": actions,
            "triggeringLogic": {"isEnabled": true, "triggersOn": "Incidents", "triggersWhen": "Created"},
        }})
    };
    let cases = [
        (format!("{one}/comments/c"), json!({"properties": {}})),
        (format!("{one}/comments/c"), json!({"properties": {"message": ""}})),
        (format!("{one}/comments/c"), json!({"properties": {"message": "x".repeat(30_001)}})),
        ("/incidents/nothing/comments/c".to_owned(), json!({"properties": {"message": "hello"}})),
        (format!("{one}/tasks/t"), json!({"properties": {"title": "Look", "status": "Open"}})),
        (format!("{one}/tasks/t"), json!({"properties": {"status": "New"}})),
        (format!("{one}/relations/r"), json!({"properties": {"relatedResourceId": "nonsense"}})),
        (format!("{one}/relations/r"), alert("theirs", "a")),
        (format!("{one}/relations/r"), alert("myWorkspace", "2216d0e1-91e3-4902-89fd-d2df8c535096")),
        ("/bookmarks/b".to_owned(), json!({"properties": {"displayName": "x"}})),
        ("/bookmarks/b".to_owned(), json!({"properties": {"displayName": "x", "query": "y", "labels": [7]}})),
        ("/automationRules/r".to_owned(), json!({"properties": {"displayName": "Rule"}})),
        ("/automationRules/r".to_owned(), rule(json!([{"order": 1, "actionType": "Dance"}]))),
        ("/alertRules/x/actions/a".to_owned(), json!({"properties": {"logicAppResourceId": "x"}})),
    ];
    let mut table = String::new();
    for (path, body) in cases {
        let answer = api.ask("PUT", &path, Some(&body)).await;
        let mut shown = body.to_string().replace(BASE, "BASE");
        shown.truncate(120);
        line(&mut table, &format!("PUT {path} {shown}"), &answer);
    }
    let run = |playbook: &str| json!({"logicAppsResourceId": format!("/subscriptions/x/providers/Microsoft.Logic/workflows/{playbook}")});
    for (path, body) in [
        (format!("{one}/runPlaybook"), run("nobody")),
        (format!("{one}/runPlaybook"), json!({})),
        ("/incidents/nothing/runPlaybook".to_owned(), run("my-playbook-name")),
        ("/entities/none/runPlaybook".to_owned(), run("my-playbook-name")),
    ] {
        line(&mut table, &format!("POST {path} {body}"), &api.ask("POST", &path, Some(&body)).await);
    }
    insta::assert_snapshot!("children", table);
}

#[tokio::test]
async fn a_list_that_cannot_be_had_is_refused_with_the_position() {
    let api = api().await;
    let mut table = String::new();
    for query in [
        "$filter=Status%20-eq%20%22Active%22",
        "$filter=properties/colour%20eq%20'red'",
        "$filter=(properties/title%20eq%20'x'",
        "$orderby=createdTimeUtc",
        "$top=many",
        "$top=0",
        "$skipToken=%21%21",
        "$skipToken=AAAA",
    ] {
        line(&mut table, query, &api.ask("GET", &format!("/incidents?{query}"), None).await);
    }
    insta::assert_snapshot!("lists", table);
}

/// Whether an answer is a conflict of etags.
async fn put(api: &Api, headers: &[(&str, &str)], etag: Option<&str>) -> (u16, Value) {
    let mut body = json!({"properties": {"title": "Door", "severity": "High", "status": "New"}});
    if let Some(etag) = etag {
        body["etag"] = etag.into();
    }
    let answer = api.call_with("PUT", &format!("{BASE}/incidents/{ONE}?{VERSION}"), headers, Some(&body)).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn an_old_etag_is_a_conflict_and_an_if_match_that_fails_is_a_412() {
    let api = api().await;
    let (status, created) = put(&api, &[], Some("\"0300bf09-0000-0000-0000-5c37296e0000\"")).await;
    assert_eq!(status, 201);
    let first = created["etag"].as_str().unwrap().to_owned();
    let (status, second) = put(&api, &[], Some(first.trim_matches('"'))).await;
    assert_eq!(status, 200, "the quotes do not count: {second}");
    let conflict = json!({"error": {
        "code": "Conflict", "message": format!("Newer version of resource '{ONE}' exists. Data was not saved"),
    }});
    assert_eq!(put(&api, &[], Some(&first)).await, (409, conflict));
    let failed = json!({"error": {
        "code": "PreconditionFailed",
        "message": format!("The condition set in the request's If-Match header is not met by resource '{ONE}'."),
    }});
    assert_eq!(put(&api, &[("if-match", &first)], None).await, (412, failed));
    assert_eq!(put(&api, &[("if-match", "*")], None).await.0, 200);
    assert_eq!(put(&api, &[], None).await.0, 200, "without an etag the last writer wins");
    let comment = json!({"properties": {"message": "hello"}});
    let before = api.ok(200, "GET", &format!("/incidents/{ONE}"), None).await["etag"].clone();
    api.ok(201, "PUT", &format!("/incidents/{ONE}/comments/c"), Some(&comment)).await;
    assert_eq!(put(&api, &[], before.as_str()).await.0, 409, "a comment gives its incident another etag");
}

#[tokio::test]
async fn a_rule_that_stands_in_a_file_is_changed_there() {
    let api = api().await;
    let rule = json!({
        "displayName": "Fixed", "order": 1,
        "triggeringLogic": {"isEnabled": true, "triggersOn": "Incidents", "triggersWhen": "Created", "conditions": []},
        "actions": [{"order": 1, "actionType": "AddIncidentTask", "actionConfiguration": {"title": "Look"}}],
    });
    api.served.library.set_rules(vec![larum::playbook::FileRule {
        name: larum::incident::ResourceName::parse("fixed").unwrap(),
        path: "playbooks/rules.yaml".into(),
        written: crate::forms::start(),
        rule: larum::incident::automation::AutomationRule::parse(&rule).unwrap(),
    }]);
    assert_eq!(api.ok(200, "GET", "/automationRules/fixed", None).await["properties"]["displayName"], "Fixed");
    let message = "Automation rule 'fixed' stands in the file 'playbooks/rules.yaml'; change it there.";
    for (method, body) in [("PUT", Some(json!({"properties": rule}))), ("DELETE", None)] {
        let answer = api.ask(method, "/automationRules/FIXED", body.as_ref()).await;
        assert_eq!(answer.status, 409, "{method}: {}", answer.body);
        assert_eq!(answer.json(), json!({"error": {"code": "Conflict", "message": message}}), "{method}");
    }
    assert_eq!(api.ok(200, "GET", "/automationRules", None).await["value"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_too_much_and_what_fails_is_told_as_azure_tells_it() {
    let api = crate::kit::changed(&[], Role::Contributor, |config| config.server.api_calls_per_minute = 3).await;
    // The database loses a table behind the server's back.
    let database = rusqlite::Connection::open(api.served.data.path().join("larum.db")).unwrap();
    database.execute_batch("PRAGMA foreign_keys = OFF; DROP TABLE comment;").unwrap();
    let put = json!({"properties": {"title": "Door", "severity": "High", "status": "New"}});
    api.ok(201, "PUT", &format!("/incidents/{ONE}"), Some(&put)).await;
    let failed = api.ask("GET", &format!("/incidents/{ONE}/comments"), None).await;
    let message = "The request failed inside Larum; its log says why.";
    assert_eq!(failed.status, 500, "{}", failed.body);
    assert_eq!(failed.json(), json!({"error": {"code": "InternalServerError", "message": message}}));
    let listed = async || api.ask("GET", "/incidents", None).await;
    assert_eq!(listed().await.status, 200);
    let refused = listed().await;
    assert_eq!(refused.status, 429, "{}", refused.body);
    let seconds = refused.header("retry-after").unwrap();
    let message = format!("Too many requests came from your address. Try again in {seconds} seconds.");
    assert_eq!(refused.json(), json!({"error": {"code": "TooManyRequests", "message": message}}));
    for answer in [failed, refused] {
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}
