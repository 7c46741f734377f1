//! Lists: pages, the address of the next one, and addresses in every spelling.

use std::collections::BTreeSet;

use larum::{access::Role, config::Config};
use serde_json::{Value, json};

use crate::kit::{Api, BASE, ONE, VERSION, api};

/// Follows a list to its end; the sizes of its pages and the titles in order.
async fn follow(api: &Api, first: &str) -> (Vec<usize>, Vec<String>) {
    let (mut sizes, mut titles) = (Vec::new(), Vec::new());
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let answer = api.call("GET", &path, None).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let page = answer.json();
        let value = page["value"].as_array().unwrap();
        sizes.push(value.len());
        titles.extend(value.iter().map(|item| item["properties"]["title"].as_str().unwrap().to_owned()));
        next = page.get("nextLink").map(|link| {
            let link = link.as_str().unwrap();
            assert!(!link.contains(['{', '}', ' ', '+', '\'']), "{link}");
            url::Url::parse(link).unwrap();
            link.strip_prefix("http://localhost").unwrap().to_owned()
        });
    }
    (sizes, titles)
}

async fn many(api: &Api, count: usize) {
    for number in 0..count {
        let severity = if number % 2 == 0 { "High" } else { "Low" };
        let body =
            json!({"properties": {"title": format!("{{{number:03}}} a+b"), "severity": severity, "status": "New"}});
        api.ok(201, "PUT", &format!("/incidents/incident-{number}"), Some(&body)).await;
    }
}

#[tokio::test]
async fn a_list_is_followed_to_its_end_in_pages_of_the_size_asked_for() {
    let api = api().await;
    many(&api, 103).await;
    let (sizes, titles) = follow(&api, &format!("{BASE}/incidents?{VERSION}")).await;
    assert_eq!(sizes, [50, 50, 3], "50 is the size when none is asked for");
    assert_eq!(titles.iter().collect::<BTreeSet<_>>().len(), 103);
    let filter = "$filter=contains(properties/title,%27%7B%27)%20and%20contains(properties/title,%27a%2Bb%27)%20and%20properties/severity%20eq%20%27High%27";
    let (sizes, titles) =
        follow(&api, &format!("{BASE}/incidents?{VERSION}&{filter}&$orderby=properties/incidentNumber%20desc&$top=20"))
            .await;
    assert_eq!(sizes, [20, 20, 12], "$top is the size of a page, not a limit");
    assert_eq!((titles.first().unwrap().as_str(), titles.last().unwrap().as_str()), ("{102} a+b", "{000} a+b"));
    let (sizes, _) = follow(&api, &format!("{BASE}/incidents?{VERSION}&$top=1000000")).await;
    assert_eq!(sizes, [103]);
}

#[tokio::test]
async fn a_filter_that_page_one_takes_is_taken_on_the_next_page_too() {
    let api = api().await;
    many(&api, 2).await;
    for (quotes, status) in [(13_000, 200), (16_600, 400)] {
        let filter = format!("$filter=properties/title%20ne%20'{}'", "(".repeat(quotes));
        let first = format!("{BASE}/incidents?{VERSION}&$top=1&{filter}");
        assert_eq!(api.call("GET", &first, None).await.status, status, "{quotes}");
        if status == 200 {
            assert_eq!(follow(&api, &first).await.0, [1, 1]);
        }
    }
}

#[tokio::test]
async fn names_in_addresses_ignore_case_and_a_slash_at_the_end() {
    let api = api().await;
    api.incident("Case-7", "Door").await;
    let upper = BASE.to_uppercase();
    let lower = BASE.to_lowercase();
    let table = [
        format!("{upper}/INCIDENTS/CASE-7?API-VERSION=2023-11-01"),
        format!("{lower}/Incidents/case-7/?api-version=2019-01-01-preview"),
        format!(
            "{}/incidents/Case%2D7?{VERSION}",
            BASE.replace("resourceGroups", "resourcegroups").replace("myRg", "m%79Rg")
        ),
        format!(
            "{BASE}/incidents?{VERSION}&%24filter=properties/title%20eq%20'Door'&$orderBy=properties/createdTimeUtc&$TOP=1"
        ),
        format!("{BASE}/incidents/?{VERSION}"),
    ];
    for path in table {
        let answer = api.call("GET", &path, None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let value = answer.json();
        let incident = value.get("value").map_or(&value, |value| &value[0]);
        assert_eq!(incident["name"], "Case-7", "{path}: {value}");
    }
}

#[tokio::test]
async fn the_next_link_is_at_the_main_address_whatever_forms_are_reached_by() {
    let url = |text: &str| Some(text.parse().unwrap());
    // url, public_url and public_listen.
    let table = [
        (None, url("https://larum.example.com/"), false),
        (url("https://larum.example.com/"), url("https://reports.example.com"), false),
        (url("https://larum.example.com"), url("https://reports.example.com"), true),
    ];
    for (url, public_url, has_second) in table {
        leads_to_larum_example_com(url, public_url, has_second).await;
    }
}

async fn leads_to_larum_example_com(url: Option<url::Url>, public_url: Option<url::Url>, has_second: bool) {
    let served = crate::forms::served(&[], |config: &mut Config| {
        (config.server.url, config.server.public_url) = (url, public_url);
        config.server.public_listen = has_second.then(|| ([127, 0, 0, 1], 1).into());
        config.server.api_calls_per_minute = 0;
        config.workspace.subscription = "d0cfe6b2-9ac0-4464-9919-dccaee2e48c0".into();
        config.workspace.resource_group = "myRg".into();
        config.workspace.name = "myWorkspace".into();
    })
    .await;
    let mut api = Api { served, token: String::new() };
    api.token = api.token("tests", Role::Responder).await;
    many(&api, 2).await;
    let page = api.ok(200, "GET", "/incidents?$top=1", None).await;
    let link = page["nextLink"].as_str().unwrap();
    assert!(link.starts_with(&format!("https://larum.example.com{BASE}/incidents?$top=1&api-version=")), "{link}");
    assert!(
        page["value"][0]["properties"]["incidentUrl"]
            .as_str()
            .unwrap()
            .starts_with("https://larum.example.com/incidents/")
    );
}

#[tokio::test]
async fn comments_and_relations_are_listed_with_conditions_too() {
    let api = api().await;
    api.incident(ONE, "Door").await;
    for number in 0..5 {
        let body = json!({"properties": {"message": format!("comment {number}")}});
        api.ok(201, "PUT", &format!("/incidents/{ONE}/comments/c{number}"), Some(&body)).await;
    }
    let path = format!("/incidents/{ONE}/comments?$filter=contains(properties/message,'3')");
    let found = api.ok(200, "GET", &path.replace(' ', "%20"), None).await;
    let messages: Vec<&Value> =
        found["value"].as_array().unwrap().iter().map(|item| &item["properties"]["message"]).collect();
    assert_eq!(messages, ["comment 3"]);
    let page = api.ok(200, "GET", &format!("/incidents/{ONE}/comments?$top=2"), None).await;
    assert_eq!(page["value"].as_array().unwrap().len(), 2);
    assert!(page["nextLink"].is_string());
}

/// What would be a whole table compared with itself ends after five seconds, and says what to do.
#[tokio::test]
async fn a_list_that_takes_too_long_is_given_up_with_a_503_that_says_how_to_narrow_it() {
    let api = api().await;
    let labels: Vec<_> = (0..200).map(|number| json!({"labelName": format!("label {number:03}")})).collect();
    for name in 0..10 {
        let properties = json!({"title": "Door", "severity": "High", "status": "New", "labels": labels});
        api.ok(201, "PUT", &format!("/incidents/incident-{name}"), Some(&json!({"properties": properties}))).await;
    }
    let pairs = "properties/labels/any(a: properties/labels/any(b: contains(a/labelName, b/labelName) and a/labelName ne b/labelName))";
    let filter = [pairs; 100].join(" or ");
    let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    let answer = api.call("GET", &format!("{BASE}/incidents?{VERSION}&$filter={filter}"), None).await;
    assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true), "{}", answer.body);
    assert_eq!(
        answer.json()["error"],
        json!({
            "code": "ServiceUnavailable",
            "message": "The list or search took longer than 5 seconds and was given up. Narrow it: compare the status, \
                        the severity, a time or a label with 'eq' or 'ge', sort by a time, and avoid 'any' inside 'any'.",
        })
    );
    // Nobody else is kept waiting by it.
    api.ok(200, "GET", "/incidents?$filter=properties/severity%20eq%20'High'", None).await;
}

#[tokio::test]
async fn the_next_page_is_where_a_trusted_proxy_says_its_client_is() {
    let next = async |trusted: &str| {
        let trusted = trusted.parse().unwrap();
        let api = crate::kit::changed(&[], larum::access::Role::Contributor, |config| {
            config.server.trusted_proxies = vec![trusted];
        })
        .await;
        api.incident("one", "Door").await;
        api.incident("two", "Door").await;
        let proxy = [("x-forwarded-proto", "https"), ("x-forwarded-host", "soc.example.com")];
        let path = format!("{BASE}/incidents?{VERSION}&$top=1");
        let page = api.call_with("GET", &path, &proxy, None).await.json();
        page["nextLink"].as_str().unwrap().split("/subscriptions").next().unwrap().to_owned()
    };
    assert_eq!(next("127.0.0.0/8").await, "https://soc.example.com");
    assert_eq!(next("192.0.2.0/24").await, "http://localhost");
}
