//! A bookmark's own relations, and what it leads to.

use serde_json::{Value, json};

use crate::kit::{Api, BASE, ONE, TWO, api};

const BOOKMARK: &str = "2216d0e1-91e3-4902-89fd-d2df8c535096";
const NAME: &str = "4bb36b7b-26ff-4d1c-9cbe-0d8ab3da0014";

async fn bookmark(api: &Api, properties: &Value) {
    let mut properties = properties.clone();
    properties["displayName"] = "Door log".into();
    properties["query"] = "DoorLog".into();
    api.ok(201, "PUT", &format!("/bookmarks/{BOOKMARK}"), Some(&json!({"properties": properties}))).await;
}

fn to(id: &str) -> Value {
    json!({"properties": {"relatedResourceId": id}})
}

async fn relate(api: &Api, status: u16, name: &str, incident: &str) -> Value {
    let body = to(&format!("{BASE}/incidents/{incident}"));
    api.ok(status, "PUT", &format!("/bookmarks/{BOOKMARK}/relations/{name}"), Some(&body)).await
}

/// Names of the relations in a list.
async fn names(api: &Api, path: &str) -> Vec<String> {
    let list = api.ok(200, "GET", path, None).await;
    list["value"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_relation_is_the_same_from_the_bookmark_and_from_the_incident() {
    let api = api().await;
    let before = api.incident(ONE, "Door").await;
    bookmark(&api, &json!({})).await;
    let made = relate(&api, 201, NAME, ONE).await;
    assert_eq!(
        made,
        json!({
            "id": format!("{BASE}/Bookmarks/{BOOKMARK}/Relations/{NAME}"), "name": NAME, "etag": made["etag"],
            "type": "Microsoft.SecurityInsights/Bookmarks/Relations",
            "properties": {
                "relatedResourceId": before["id"], "relatedResourceName": ONE, "relatedResourceType": before["type"],
            },
        })
    );
    let own = format!("/bookmarks/{BOOKMARK}/relations");
    assert_eq!(api.ok(200, "GET", &format!("{own}/{NAME}"), None).await, made);
    assert_eq!(api.ok(200, "GET", &own, None).await, json!({"value": [made]}));
    let seen = api.ok(200, "GET", &format!("/incidents/{ONE}/relations/{NAME}"), None).await;
    assert_eq!((&seen["properties"]["relatedResourceName"], &seen["etag"]), (&json!(BOOKMARK), &made["etag"]));
    let after = api.ok(200, "GET", &format!("/incidents/{ONE}"), None).await;
    assert_eq!(after["properties"]["additionalData"]["bookmarksCount"], 1);
    assert_ne!(after["etag"], before["etag"]);
    let log = api.own(200, "GET", "/api/incidents/1/activity", None).await;
    assert_eq!(log["value"][1]["what"], "related");
    // Written again it has a new etag; an old one is refused.
    let again = relate(&api, 200, NAME, ONE).await;
    assert_ne!(again["etag"], made["etag"]);
    let mut stale = to(&format!("{BASE}/incidents/{ONE}"));
    stale["etag"] = made["etag"].clone();
    api.ok(409, "PUT", &format!("{own}/{NAME}"), Some(&stale)).await;
    // One made from the incident is among the bookmark's.
    api.incident(TWO, "Window").await;
    let other = to(&format!("{BASE}/bookmarks/{BOOKMARK}"));
    api.ok(201, "PUT", &format!("/incidents/{TWO}/relations/other"), Some(&other)).await;
    assert_eq!(names(&api, &own).await, [NAME, "other"]);
    api.ok(200, "DELETE", &format!("{own}/other"), None).await;
    assert_eq!(names(&api, &format!("/incidents/{TWO}/relations")).await, Vec::<String>::new());
    api.ok(200, "DELETE", &format!("/incidents/{ONE}/relations/{NAME}"), None).await;
    assert_eq!(names(&api, &own).await, Vec::<String>::new());
    api.ok(204, "DELETE", &format!("{own}/{NAME}"), None).await;
    let now = api.ok(200, "GET", &format!("/incidents/{ONE}"), None).await;
    assert_eq!(now["properties"]["additionalData"]["bookmarksCount"], 0);
}

#[tokio::test]
async fn of_two_relations_called_alike_the_older_is_meant() {
    let api = api().await;
    bookmark(&api, &json!({})).await;
    let body = to(&format!("{BASE}/bookmarks/{BOOKMARK}"));
    for incident in [TWO, ONE] {
        api.incident(incident, "Door").await;
        api.ok(201, "PUT", &format!("/incidents/{incident}/relations/same"), Some(&body)).await;
    }
    let path = format!("/bookmarks/{BOOKMARK}/relations/Same");
    for incident in [TWO, ONE] {
        let meant = api.ok(200, "GET", &path, None).await;
        assert_eq!(meant["properties"]["relatedResourceName"], incident);
        api.ok(200, "DELETE", &path, None).await;
    }
    api.ok(404, "GET", &path, None).await;
}

#[tokio::test]
async fn a_bookmark_is_related_to_incidents_that_are_there_and_to_nothing_else() {
    let api = api().await;
    let path = format!("/bookmarks/{BOOKMARK}/relations/r");
    api.incident(ONE, "Door").await;
    api.incident(TWO, "Window").await;
    relate(&api, 404, "r", ONE).await;
    bookmark(&api, &json!({})).await;
    let refused = relate(&api, 404, "r", "nothing").await;
    assert_eq!(refused["error"]["message"], "Resource 'nothing' does not exist.");
    for id in [format!("{BASE}/bookmarks/{BOOKMARK}"), format!("{BASE}/entities/{ONE}"), "nonsense".to_owned()] {
        let refused = api.ok(400, "PUT", &path, Some(&to(&id))).await;
        let message = format!(
            "'properties.relatedResourceId': '{id}' is not the resource id of an incident (…/incidents/…), which is all \
             that a bookmark is related to."
        );
        assert_eq!(refused["error"]["message"], message);
    }
    let elsewhere = to(&format!("{}/incidents/{ONE}", BASE.replace("myWorkspace", "theirs")));
    let refused = api.ok(400, "PUT", &path, Some(&elsewhere)).await;
    assert_eq!(refused["error"]["message"], "Related resource and bookmark should belong to the same workspace.");
    relate(&api, 201, "r", ONE).await;
    let refused = relate(&api, 409, "r", TWO).await;
    let message = format!("Relation with name r already exists in bookmark {BOOKMARK} to different incident {ONE}.");
    assert_eq!(refused["error"]["message"], message);
    let refused = relate(&api, 400, "another", ONE).await;
    assert_eq!(refused["error"]["message"], format!("Bookmark {BOOKMARK} already exists in incident {ONE}."));
    assert_eq!(names(&api, &format!("/bookmarks/{BOOKMARK}/relations")).await, ["r"]);
}

/// What an expansion finds: kinds with friendly names, and the counts.
async fn expand(api: &Api, body: &Value) -> Value {
    let found = api.ok(200, "POST", &format!("/bookmarks/{BOOKMARK}/expand"), Some(body)).await;
    assert_eq!(found["value"]["edges"], json!([]));
    let entities = found["value"]["entities"].as_array().unwrap().iter();
    let named = entities.map(|entity| json!([entity["kind"], entity["properties"]["friendlyName"]]));
    let counts = found["metaData"]["aggregations"].as_array().unwrap().iter();
    let counted = counts.map(|counted| json!([counted["entityKind"], counted["count"]]));
    json!([named.collect::<Vec<_>>(), counted.collect::<Vec<_>>()])
}

#[tokio::test]
async fn a_bookmark_leads_to_what_it_names_and_to_the_entities_of_its_incidents() {
    let api = api().await;
    let result = json!([{"Who": "CONTOSO\\mara", "From": "192.0.2.7"}, {"Who": "CONTOSO\\jo", "From": "192.0.2.7"}]);
    let mapping = |kind: &str, identifier: &str, value: &str| json!({"entityType": kind, "fieldMappings": [{"identifier": identifier, "value": value}]});
    bookmark(
        &api,
        &json!({
            "queryResult": result.to_string(),
            "entityMappings": [
                mapping("Account", "FullName", "Who"), mapping("IP", "Address", "From"),
                mapping("Host", "HostName", "gate-1"),
            ],
        }),
    )
    .await;
    let named =
        [json!(["Account", "mara"]), json!(["Account", "jo"]), json!(["Ip", "192.0.2.7"]), json!(["Host", "gate-1"])];
    let alone = json!([named, [["Account", 2], ["Ip", 1], ["Host", 1]]]);
    assert_eq!(expand(&api, &json!({"expansionId": "27f76e63-c41b-480f-bb18-12ad2e011d49"})).await, alone);

    let alert = json!({
        "alertDisplayName": "Badge used twice", "severity": "High",
        "entities": [
            {"kind": "Ip", "properties": {"address": "192.0.2.7"}}, {"kind": "Url", "properties": {"url": "https://bing.com"}},
        ],
    });
    let at = api.own(201, "PUT", "/api/alerts/a", Some(&alert)).await["properties"]["timeGenerated"].clone();
    for incident in [ONE, TWO] {
        api.incident(incident, "Door").await;
        let body = to(&format!("{BASE}/entities/a"));
        api.ok(201, "PUT", &format!("/incidents/{incident}/relations/a"), Some(&body)).await;
        relate(&api, 201, incident, incident).await;
    }
    let [mara, jo, ip, host] = named;
    let both = json!([
        [mara, jo, ip, host, ["Url", "https://bing.com"]],
        [["Account", 2], ["Ip", 1], ["Host", 1], ["Url", 1]]
    ]);
    let early = "2001-01-01T00:00:00Z";
    for within in [json!({}), json!({"startTime": at, "endTime": at}), json!({"startTime": early, "endTime": null})] {
        assert_eq!(expand(&api, &within).await, both, "{within}");
    }
    for without in [json!({"endTime": early}), json!({"startTime": "2101-01-01T00:00:00"})] {
        assert_eq!(expand(&api, &without).await, alone, "{without}");
    }
}

#[tokio::test]
async fn an_expansion_that_cannot_be_made_is_refused_with_the_place() {
    let api = api().await;
    let path = format!("/bookmarks/{BOOKMARK}/expand");
    api.ok(404, "POST", &path, Some(&json!({}))).await;
    bookmark(&api, &json!({})).await;
    let cases = [
        (json!({"expansionId": "everything"}), "'expansionId'"),
        (json!({"startTime": "yesterday"}), "'startTime': 'yesterday' is not a time in ISO 8601"),
        (
            json!({"startTime": "2020-01-02T00:00:00Z", "endTime": "2020-01-01T00:00:00Z"}),
            "'startTime' must not be after 'endTime'.",
        ),
    ];
    for (body, message) in cases {
        let refused = api.ok(400, "POST", &path, Some(&body)).await;
        assert!(refused["error"]["message"].as_str().unwrap().contains(message), "{refused}");
    }
    api.ok(400, "POST", &path, None).await;
}

#[tokio::test]
async fn bookmarks_come_in_pages() {
    let api = api().await;
    let body = json!({"properties": {"displayName": "Door log", "query": "DoorLog"}});
    for number in 0..7 {
        api.ok(201, "PUT", &format!("/bookmarks/b{number}"), Some(&body)).await;
    }
    let (mut found, mut pages) = (Vec::new(), 0);
    let mut next = Some(format!("{BASE}/bookmarks?api-version=2024-03-01&$top=3"));
    while let Some(path) = next {
        let page = api.own(200, "GET", &path, None).await;
        found.extend(page["value"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()));
        next = page["nextLink"].as_str().map(|link| link[link.find("/subscriptions").unwrap()..].to_owned());
        pages += 1;
    }
    assert_eq!(found, (0..7).map(|number| format!("b{number}")).collect::<Vec<_>>());
    assert_eq!(pages, 3);
    let all = api.ok(200, "GET", "/bookmarks", None).await;
    assert_eq!((all["value"].as_array().unwrap().len(), all.get("nextLink")), (7, None));
    for bad in ["$top=0", "$skipToken=x", "$skipToken=AAAA", "$filter=properties/displayName%20eq%20'a'"] {
        assert_eq!(api.ask("GET", &format!("/bookmarks?{bad}"), None).await.status, 400, "{bad}");
    }
}
