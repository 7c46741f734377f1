//! Azure's own Python SDK drives Larum, unmodified, over TLS.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod support;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use support::larum::Site;

/// Started by hand through `runPlaybook`.
const PLAYBOOK: &str = r#"
name: comment-on-incident
trigger: {incident: {on: []}}
actions:
  - {id: comment, action: add_comment, with: {incident: "@trigger.object.id", message: "was here: {{trigger.object.properties.title}}"}}
"#;

#[test]
#[ignore = "needs Azure's SDK from PyPI (make azure-sdks) and openssl"]
fn version_1_0_0_drives_larum_as_far_as_it_reaches() {
    drive("1.0.0", &["entities", "bookmark relations", "createTeam", "incident tasks", "run_playbook"]);
}

#[test]
#[ignore = "needs Azure's SDK from PyPI (make azure-sdks) and openssl"]
fn version_2_0_0b2_drives_larum_as_far_as_it_reaches() {
    drive("2.0.0b2", &[]);
}

#[test]
#[ignore = "needs Azure's SDK from PyPI (make azure-sdks) and openssl"]
fn version_2_0_0b4_the_newest_drives_larum_as_far_as_it_reaches() {
    drive("2.0.0b4", &["createTeam", "run_playbook's answer"]);
}

/// Runs `tests/azure/drive.py` under a version of the SDK. `beyond` is what that version has no operations for.
fn drive(version: &str, beyond: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/azure").join(version).join("bin/python");
    assert!(python.exists(), "{} is missing: `make azure-sdks` installs it from PyPI", python.display());
    let site = Site::secure(&[("comment.yaml", PLAYBOOK)]);
    let token = site.token("contributor");
    let _larum = site.serve();
    let driven = Command::new(python)
        .arg(root.join("tests/azure/drive.py"))
        .env("LARUM_URL", format!("https://localhost:{}", site.address.port()))
        .env("LARUM_TOKEN", token)
        .env("REQUESTS_CA_BUNDLE", certificate(&site))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&driven.stdout), String::from_utf8_lossy(&driven.stderr));
    // The log is long; what went wrong stands at its end.
    let log = site.log();
    let end = log.char_indices().rev().nth(4_000).map_or(0, |(at, _)| at);
    assert!(driven.status.success(), "the server's log ends:\n{}\n{out}\n{err}", &log[end..]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["version"], version);
    assert_eq!(report["beyond"], serde_json::json!(beyond), "what this version does not reach");
    eprintln!("{out}");
}

fn certificate(site: &Site) -> PathBuf {
    site.folder.path().join("certificate.pem")
}
