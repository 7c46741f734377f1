//! The table of routes and roles, every cell.

use chrono::Duration;
use larum::{
    access::{Lifetime, Role, TokenRequest},
    server::routes::{Access, Listener, Route, TABLE},
    store::incidents::IncidentStore,
};
use secrecy::ExposeSecret;

use crate::kit::{Answer, Served, request, served, start};

/// Whoever comes to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    /// With a user name and a password, which nobody has.
    Basic,
    /// With something that looks like a token.
    Stranger,
    /// With a token that lets do everything and counts no more.
    Expired,
    Revoked,
    Holds(Role),
}

const EVERYBODY: [Who; 9] = [
    Who::Nobody,
    Who::Basic,
    Who::Stranger,
    Who::Expired,
    Who::Revoked,
    Who::Holds(Role::Reader),
    Who::Holds(Role::Responder),
    Who::Holds(Role::Contributor),
    Who::Holds(Role::Administrator),
];

/// What the table promises.
fn promised(route: &Route, who: Who) -> &'static str {
    let needed = match route.access {
        Access::Public => return "in",
        Access::Metrics => Role::Reader,
        Access::Role(role) => role,
    };
    match who {
        Who::Nobody | Who::Basic => "401 AuthenticationFailed",
        Who::Stranger | Who::Revoked => "401 InvalidAuthenticationToken",
        Who::Expired => "401 ExpiredAuthenticationToken",
        Who::Holds(role) if role < needed => "403 AuthorizationFailed",
        Who::Holds(_) => "in",
    }
}

/// What became of a request, as far as being let in goes.
fn became(answer: &Answer) -> String {
    let error: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let code = error["error"]["code"].as_str().unwrap_or_default();
    match answer.status {
        401 if answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")) => {
            format!("401 {code}")
        }
        403 if code == "AuthorizationFailed" => format!("403 {code}"),
        429 => format!("429 {code}"),
        _ => "in".to_owned(),
    }
}

async fn token(site: &Served, name: &str, role: Role, lifetime: &str) -> String {
    let lifetime = Lifetime::parse(lifetime).unwrap();
    let issued = TokenRequest { name: name.into(), role, lifetime, by: "a test".into() }.issue(start()).unwrap();
    assert!(site.store.keep_token(issued.stored).await.unwrap());
    issued.token.expose_secret().to_owned()
}

/// The route's address with something in the place of each parameter.
fn address(route: &Route) -> String {
    let segment = |text: &str| match text {
        "{subscription}" => "00000000-0000-0000-0000-000000000000".to_owned(),
        "{resourceGroup}" => "larum".to_owned(),
        "{workspace}" => "default".to_owned(),
        text if text.starts_with('{') => "nothing".to_owned(),
        text => text.to_owned(),
    };
    let path: Vec<String> = route.path.split('/').map(segment).collect();
    format!("{}?api-version=2024-03-01", path.join("/"))
}

#[tokio::test]
async fn every_route_lets_in_whom_the_table_names_and_nobody_else() {
    let site = served(&[], |config| config.server.open_metrics = false).await;
    let mut tokens = Vec::new();
    for role in Role::ALL {
        tokens.push((Who::Holds(*role), token(&site, role.as_str(), *role, "never").await));
    }
    tokens.push((Who::Expired, token(&site, "old", Role::Administrator, "1d").await));
    tokens.push((Who::Revoked, token(&site, "gone", Role::Administrator, "never").await));
    assert!(site.store.revoke_token("gone", start()).await.unwrap());
    let never_made = format!("larum_{}_{}", "0".repeat(32), "A".repeat(43));
    tokens.push((Who::Stranger, never_made));
    site.clock.advance(Duration::days(2));

    let mut wrong = Vec::new();
    let mut cells = 0;
    for route in TABLE {
        // Failures are counted by the minute.
        site.clock.advance(Duration::minutes(2));
        for method in route.methods {
            for who in EVERYBODY {
                let held = tokens.iter().find(|(holder, _)| *holder == who);
                let authorization = match (who, held) {
                    (Who::Basic, _) => Some("Basic bGFydW06bGFydW0=".to_owned()),
                    // The scheme's name ignores case (RFC 9110).
                    (Who::Holds(Role::Reader), Some((_, token))) => Some(format!("bEARER {token}")),
                    (_, held) => held.map(|(_, token)| format!("Bearer {token}")),
                };
                let mut headers = vec![("accept", "application/json"), ("content-type", "application/json")];
                headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
                let body = if *method == "GET" { None } else { Some(&b"{}"[..]) };
                let answer = site.raw(&request(method, &address(route), &headers, body)).await;
                cells += 1;
                if became(&answer) != promised(route, who) {
                    wrong.push(format!(
                        "{method} {} {who:?}: {} instead of {}",
                        route.path,
                        became(&answer),
                        promised(route, who)
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cells} cells\n{}", wrong.len(), wrong.join("\n"));
}

/// The rights as the user reads them; a change of this list is a change of what somebody may do.
#[test]
fn the_table_gives_these_rights() {
    let line = |route: &Route| {
        let access = match route.access {
            Access::Public => "anybody",
            Access::Metrics => "reader, or anybody where open_metrics says so",
            Access::Role(role) => role.as_str(),
        };
        let outside = if route.listener == Listener::Public { ", outside too" } else { "" };
        // Where Sentinel's resources are needs to be read once only.
        let path = route
            .path
            .split_once("/Microsoft.SecurityInsights")
            .map_or(route.path.to_owned(), |(_, rest)| format!("…{rest}"));
        format!("{} {path}: {access}{outside}", route.methods.join(" "))
    };
    insta::assert_snapshot!(TABLE.iter().map(line).collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn a_refusal_says_which_role_is_needed_and_in_the_form_of_azure() {
    let site = served(&[], |_| {}).await;
    let reader = token(&site, "reader", Role::Reader, "never").await;
    let headers = [("authorization", &*format!("Bearer {reader}"))];
    let path = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/larum/providers/Microsoft.OperationalInsights/workspaces/default/providers/Microsoft.SecurityInsights/incidents/a?api-version=2024-03-01";
    let answers = [
        site.raw(&request("PUT", path, &headers, Some(b"{}"))).await,
        site.raw(&request("GET", path, &[], None)).await,
        site.raw(&request("GET", path, &[("authorization", "Bearer larum_x")], None)).await,
        site.raw(&request("GET", path, &[headers[0], headers[0]], None)).await,
    ];
    let shown: Vec<String> = answers
        .iter()
        .map(|answer| format!("{} {:?}\n{}", answer.status, answer.header("www-authenticate"), answer.body))
        .collect();
    insta::assert_snapshot!(shown.join("\n\n"), @r#"
    403 None
    {"error":{"code":"AuthorizationFailed","message":"The access token 'reader' has the role reader; this needs the role responder."}}

    401 Some("Bearer")
    {"error":{"code":"AuthenticationFailed","message":"Authentication failed. The 'Authorization' header is missing."}}

    401 Some("Bearer error=\"invalid_token\"")
    {"error":{"code":"InvalidAuthenticationToken","message":"The access token is invalid."}}

    401 Some("Bearer")
    {"error":{"code":"AuthenticationFailed","message":"Authentication failed. The 'Authorization' header must be given once, as 'Bearer TOKEN'."}}
    "#);
}

#[tokio::test]
async fn apis_answer_under_their_own_address_only() {
    let public = "https://soc.example.com".parse().ok();
    let site = served(&[], |config| config.server.public_url = public).await;
    let reader = format!("Bearer {}", token(&site, "reader", Role::Reader, "never").await);
    let asked = async |host: &str| {
        let headers = [("host", host), ("authorization", &*reader)];
        site.raw(&request("GET", "/api/runs", &headers, None)).await
    };
    for host in ["soc.example.com", "localhost"] {
        assert_eq!(asked(host).await.status, 200, "{host}");
    }
    let foreign = asked("evil.example").await;
    assert_eq!((foreign.status, foreign.json()["error"]["code"].as_str()), (421, Some("MisdirectedRequest")));
}

#[tokio::test]
async fn metrics_are_open_where_only_this_machine_can_ask() {
    let site = served(&[], |_| {}).await;
    assert_eq!(site.get("/metrics").await.status, 200);
}

#[tokio::test]
async fn a_client_that_asks_too_much_is_told_when_to_come_again() {
    let site = served(&[], |config| config.server.api_calls_per_minute = 3).await;
    for _ in 0..3 {
        assert_eq!(site.get("/healthz").await.status, 200);
    }
    let refused = site.raw(&request("GET", "/api/incidents", &[], None)).await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (429, Some("TooManyRequests")));
    let seconds: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    site.clock.advance(Duration::seconds(seconds));
    assert_eq!(site.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn bad_tokens_are_told_to_wait_and_a_good_one_of_the_same_client_is_not() {
    let site = served(&[], |_| {}).await;
    let reader = token(&site, "reader", Role::Reader, "never").await;
    let asked = async |token: &str| {
        let authorization = format!("Bearer {token}");
        site.raw(&request("GET", "/api/runs", &[("authorization", &authorization)], None)).await
    };
    let mut statuses = Vec::new();
    for _ in 0..=larum::limits::REFUSALS_PER_MINUTE {
        statuses.push(asked("larum_guess").await.status);
    }
    assert_eq!(statuses.pop(), Some(429));
    assert!(statuses.iter().all(|status| *status == 401));
    assert!(asked("larum_guess").await.header("retry-after").is_some());
    assert_eq!(asked(&reader).await.status, 200);
}

#[tokio::test]
async fn an_answer_reaches_whoever_sends_a_large_body_first() {
    let site = served(&[], |_| {}).await;
    let reader = format!("Bearer {}", token(&site, "reader", Role::Reader, "never").await);
    let incidents = "/api/incidents/1";
    let table = [
        ("PATCH", incidents, "", "localhost", 401),
        ("PATCH", incidents, "Bearer larum_x", "localhost", 401),
        ("PATCH", incidents, &*reader, "localhost", 403),
        ("POST", "/api/nothing", &reader, "localhost", 404),
        ("POST", "/nothing", "", "localhost", 404),
        ("POST", "/healthz", "", "localhost", 405),
        ("POST", incidents, &reader, "localhost", 405),
        ("POST", incidents, &reader, "evil.example", 421),
    ];
    let body = vec![b'x'; 10 * 1024 * 1024];
    for (method, path, authorization, host, status) in table {
        let headers = [("host", host), ("authorization", authorization), ("content-type", "application/json")];
        let answer = site.raw(&request(method, path, &headers, Some(&body))).await;
        assert_eq!(answer.status, status, "{method} {path} {authorization}");
    }
}
