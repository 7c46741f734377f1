//! Tokens through their life, and the first of them, with the real program.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::support::{free_port, larum::Site};

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Whether these bytes lie anywhere in the folder.
fn lies_in(folder: &Path, wanted: &str) -> Option<String> {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if let Some(found) = lies_in(&path, wanted) {
                return Some(found);
            }
        } else if memchr::memmem::find(&fs::read(&path).unwrap(), wanted.as_bytes()).is_some() {
            return Some(path.display().to_string());
        }
    }
    None
}

#[test]
fn the_first_administrator_comes_by_a_link_that_counts_once() {
    let site = Site::new("", &[]);
    let file = site.data().join("first-admin");
    let larum = site.serve();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let link = fs::read_to_string(&file).unwrap();
    let path = link.trim().strip_prefix(&format!("http://{}", site.address)).unwrap().to_owned();
    site.until("the path to be printed", || site.log().contains("larum-data/first-admin"));

    // Programs that look into links use nothing up, and a foreign page cannot press the button.
    for _ in 0..2 {
        let page = site.get(&path).unwrap();
        assert_eq!(page.status, 200);
        assert!(page.body.contains("Make the administrator") || page.body.is_empty(), "{}", page.body);
    }
    assert_eq!(site.post(&path, "Origin: https://evil.example\r\n", "").unwrap().status, 403);
    assert_eq!(site.get("/first-admin/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap().status, 404);

    let made = site.post(&path, "", "").unwrap();
    assert_eq!(made.status, 201, "{}", made.body);
    let token = json(&made.body)["token"].as_str().unwrap().to_owned();
    assert!(!file.exists());
    for again in [site.post(&path, "", "").unwrap(), site.get(&path).unwrap()] {
        assert_eq!(again.status, 410);
    }
    let listed = json(&site.ask_as(&token, "GET", "/api/tokens", "").unwrap().body);
    assert_eq!(listed["value"][0]["role"], "administrator");
    assert_eq!(larum.stop(), Some(0));

    // There is an administrator now, so that the next start makes no link.
    let larum = site.serve();
    assert!(!file.exists());
    let revoked = site.ask_as(&token, "POST", "/api/tokens/first-administrator/revoke", "").unwrap();
    assert_eq!(revoked.status, 200);
    assert_eq!(site.ask_as(&token, "GET", "/api/tokens", "").unwrap().status, 401);
    assert_eq!(larum.stop(), Some(0));
    let larum = site.serve();
    assert_ne!(fs::read_to_string(&file).unwrap(), link, "a link of before does not come back");
    assert_eq!(site.get(&path).unwrap().status, 404);
    drop(larum);

    let secrets = [token.rsplit_once('_').unwrap().1, path.rsplit_once('/').unwrap().1];
    for secret in secrets {
        assert_eq!(lies_in(site.folder.path(), secret), None, "neither the log nor the data folder holds a secret");
    }
}

#[test]
fn a_token_is_refused_from_the_moment_it_is_revoked() {
    let site = Site::new("", &[]);
    let boss = site.administrator();
    let _larum = site.serve();
    let made =
        site.ask_as(&boss, "POST", "/api/tokens", r#"{"name": "ci", "role": "reader", "expires": "90d"}"#).unwrap();
    assert_eq!(made.status, 201, "{}", made.body);
    let ci = json(&made.body)["token"].as_str().unwrap().to_owned();
    let taken = site.ask_as(&boss, "POST", "/api/tokens", r#"{"name": "CI", "role": "reader"}"#).unwrap();
    assert_eq!((taken.status, json(&taken.body)["error"]["code"].as_str()), (409, Some("Conflict")));
    for body in [
        r#"{"name": "a\nb", "role": "reader"}"#,
        r#"{"name": "a", "role": "reader", "expires": "soon"}"#,
        r#"{"name": "a", "role": "king"}"#,
    ] {
        assert_eq!(site.ask_as(&boss, "POST", "/api/tokens", body).unwrap().status, 400, "{body}");
    }
    assert_eq!(site.ask_as(&ci, "GET", "/api/runs", "").unwrap().status, 200);
    assert_eq!(site.ask_as(&ci, "GET", "/api/tokens", "").unwrap().status, 403);
    assert_eq!(site.ask_as(&boss, "POST", "/api/tokens/Ci/revoke", "").unwrap().status, 200);
    let refused = site.ask_as(&ci, "GET", "/api/runs", "").unwrap();
    assert_eq!(
        (refused.status, json(&refused.body)["error"]["code"].as_str()),
        (401, Some("InvalidAuthenticationToken"))
    );
    assert_eq!(site.ask_as(&boss, "POST", "/api/tokens/ci/revoke", "").unwrap().status, 404);
    for token in [&boss, &ci] {
        let secret = token.rsplit_once('_').unwrap().1;
        assert_eq!(lies_in(site.folder.path(), secret), None, "neither the log nor the data folder holds a token");
    }
}

#[test]
fn an_address_that_others_reach_needs_encryption_or_a_proxy() {
    let site = Site::new("", &[]);
    let port = free_port();
    for server in [format!("{{listen: '0.0.0.0:{port}'}}"), format!("{{public_listen: '0.0.0.0:{port}'}}")] {
        fs::write(site.folder.path().join("larum.yaml"), format!("server: {server}\n")).unwrap();
        let (code, _, err) = site.run(&["serve"]);
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("LR0092") && err.contains("trusted_proxies") && err.contains("tls"), "{err}");
        assert!(!site.data().exists(), "it stopped before it touched anything");
    }
}

#[test]
fn the_public_address_serves_forms_hooks_and_approvals_only() {
    let mut site = Site::new("", &[("report.yaml", crate::kit::REPORT)]);
    let port = free_port();
    let config = format!(
        "server: {{listen: '{}', public_listen: '127.0.0.1:{port}', public_url: 'https://reports.example.com'}}\n",
        site.address
    );
    fs::write(site.folder.path().join("larum.yaml"), config).unwrap();
    // The link for the first administrator leads to the main address, since the other one does not serve it.
    let larum = site.serve();
    let link = fs::read_to_string(site.data().join("first-admin")).unwrap();
    assert!(link.starts_with(&format!("http://{}/first-admin/", site.address)), "{link}");
    drop(larum);
    let boss = site.administrator();
    let _larum = site.serve();
    let main = site.address;
    site.address.set_port(port);
    assert_eq!(site.get("/forms/report").unwrap().status, 200);
    assert_eq!(site.get("/assets/larum.css").unwrap().status, 200);
    assert_eq!(site.post("/forms/report", "", r#"{"what": "a door stood open"}"#).unwrap().status, 202);
    let closed =
        larum::server::routes::TABLE.iter().filter(|route| route.listener == larum::server::routes::Listener::Main);
    for route in closed {
        for method in route.methods {
            let path = route.path.replace(['{', '}'], "");
            let answer = site.ask_as(&boss, method, &path, "").unwrap();
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.body);
        }
    }
    site.address = main;
    assert_eq!(site.ask_as(&boss, "GET", "/api/runs", "").unwrap().status, 200);
}
