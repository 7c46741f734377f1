//! Where credentials go, and what they look like there.

use super::*;

fn bearer(file: &std::path::Path) -> Option<HttpAuthentication> {
    Some(HttpAuthentication::Bearer { token: SecretRef::File(file.into()) })
}

#[tokio::test]
async fn credentials_go_only_to_the_connections_base_url() {
    let home = serve("127.0.0.1:0").await;
    let foreign = serve("127.0.0.1:0").await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "hunter2\n").expect("a file");
    let base = format!("http://{home}/api");
    let asker = Asker::new(connection(&base, &["127.0.0.1/32"], bearer(&file)));
    let headers = json!({"X-Api-Key": "k", "Accept": "text/csv"});
    let mut seen = Vec::new();
    for (what, url) in [
        ("the base itself", base.clone()),
        ("below it", format!("{base}/a?b")),
        ("a path that only begins alike", format!("http://{home}/apix")),
        ("out of it by dots", format!("{base}/../secret")),
        ("out of it by written dots", format!("{base}/%2e%2e/secret")),
        ("another port", format!("http://{foreign}/api")),
        ("redirected below it", format!("{base}/../to/302?/api/b")),
        ("redirected out of it", format!("http://{home}/to/302?/other")),
        ("redirected to another port", format!("http://{home}/to/307?http://{foreign}/api")),
        ("redirected away and home again", format!("http://{home}/to/307?http://{foreign}/to/307?http://{home}/api")),
    ] {
        let sent = asker.sent(json!({"url": url, "headers": headers})).await;
        seen.push(format!("{what}: {} {}", sent["uri"], sent["headers"]));
    }
    insta::assert_snapshot!(seen.join("\n"));

    let basic = HttpAuthentication::Basic { username: "u".into(), password: SecretRef::File(file.clone()) };
    let asker = Asker::new(connection(&base, &["127.0.0.1/32"], Some(basic)));
    let sent = asker.sent(json!({"url": base, "headers": {"Authorization": "mine"}})).await;
    assert_eq!(sent["headers"]["authorization"], "Basic dTpodW50ZXIy", "the connection's goes before the author's");

    std::fs::remove_file(&file).expect("removed");
    let fault = asker.fault(json!({"url": base})).await;
    assert!(fault.starts_with("SecretUnavailable: the secret of the connection cannot be read: "), "{fault}");
}

#[tokio::test]
async fn each_kind_of_credentials_has_its_header() {
    let home = serve("127.0.0.1:0").await;
    let folder = tempfile::tempdir().expect("a folder");
    let secret = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("a file");
        SecretRef::File(file)
    };
    let url = format!("http://{home}/x");
    let mut seen = Vec::new();
    for authentication in [
        HttpAuthentication::Basic { username: "grün".into(), password: secret("password", "a:b\n") },
        HttpAuthentication::Bearer { token: secret("token", "abc") },
        HttpAuthentication::Raw { value: secret("value", "SharedKey larum:abc=") },
    ] {
        let asker = Asker::new(connection(&url, &["127.0.0.1/32"], Some(authentication)));
        seen.push(asker.sent(json!({"url": url})).await["headers"]["authorization"].clone());
    }
    for authentication in [
        json!({"type": "Basic", "username": "grün", "password": "a:b"}),
        json!({"type": "bearer", "token": "abc"}),
        json!({"type": "RAW", "value": "SharedKey larum:abc="}),
    ] {
        let sent = Asker::local().sent(json!({"url": url, "authentication": authentication})).await;
        seen.push(sent["headers"]["authorization"].clone());
    }
    let three = ["Basic Z3LDvG46YTpi", "Bearer abc", "SharedKey larum:abc="];
    assert_eq!(seen, three.iter().chain(&three).map(|text| Value::from(*text)).collect::<Vec<_>>());

    let secret = secret("broken", "a\nb");
    let asker = Asker::new(connection(&url, &["127.0.0.1/32"], Some(HttpAuthentication::Raw { value: secret })));
    assert_eq!(
        asker.fault(json!({"url": url})).await,
        "BadRequest: the secret of the call has characters that no header may hold"
    );
}

#[tokio::test]
async fn credentials_of_the_playbook_stay_at_its_urls_origin_and_go_before_the_connections() {
    let home = serve("127.0.0.1:0").await;
    let foreign = serve("127.0.0.1:0").await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "of-the-connection").expect("a file");
    let asker = Asker::new(connection(&format!("http://{home}"), &["127.0.0.1/32"], bearer(&file)));
    let own = json!({"type": "bearer", "token": "of-the-playbook"});
    let mut seen = Vec::new();
    for (what, url) in [
        ("at home", format!("http://{home}/a")),
        ("redirected at home", format!("http://{home}/to/302?/b")),
        ("redirected away", format!("http://{home}/to/302?http://{foreign}/c")),
        ("redirected away and home again", format!("http://{home}/to/307?http://{foreign}/to/307?http://{home}/d")),
        ("elsewhere", format!("http://{foreign}/e")),
    ] {
        let sent = asker.sent(json!({"url": url, "authentication": own})).await;
        seen.push(format!("{what}: {} {}", sent["uri"], sent["headers"]));
    }
    insta::assert_snapshot!(seen.join("\n"));
}

#[tokio::test]
async fn authentication_that_cannot_be_used_is_refused_and_named() {
    let asker = Asker::local();
    let mut faults = Vec::new();
    for (url, authentication) in [
        ("https://example.com/", json!({"type": "digest"})),
        ("https://example.com/", json!({"type": "basic", "username": "u"})),
        ("https://example.com/", json!({"type": "bearer", "tokn": "hunter2"})),
        ("https://example.com/", json!({"type": "raw", "value": 5})),
        ("https://example.com/", json!({"type": "raw", "value": "a\r\nB: hunter2"})),
        ("http://example.com/", json!({"type": "raw", "value": "hunter2"})),
        ("https://example.com/", json!({"type": "client_certificate", "certificate": "hunter2", "key": "hunter2"})),
        ("https://example.com/", json!({"type": "oauth", "client_id": "c", "client_secret": "hunter2"})),
        ("https://example.com/", json!({"type": "oauth", "tenant": "t/../u", "audience": "a"})),
        ("https://example.com/", json!({"type": "oauth", "tenant": "t", "client_id": "c", "client_secret": "hunter2"})),
        ("https://example.com/", json!({"type": "oauth", "tenant": "t", "audience": "a", "scope": "s"})),
        ("https://example.com/", json!({"type": "oauth", "tenant": "t", "audience": "a", "authority": "login"})),
        (
            "https://example.com/",
            json!({"type": "oauth", "token_url": "http://example.com/", "client_id": "c", "client_secret": "hunter2"}),
        ),
        (
            "https://example.com/",
            json!({"type": "oauth", "token_url": "https://10.0.0.1/", "client_id": "c", "client_secret": "hunter2"}),
        ),
    ] {
        let fault = asker.fault(json!({"url": url, "authentication": authentication})).await;
        assert!(!fault.contains("hunter2"), "{fault}");
        faults.push(format!("{authentication}\n    {fault}"));
    }
    insta::assert_snapshot!(faults.join("\n"));
}
