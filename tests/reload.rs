//! Playbook files are watched: a good edit takes effect for new runs at once, a bad one is reported and the last good
//! version stays, across restarts too.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod support;

use std::fs;

use support::larum::Site;

fn playbook(title: &str) -> String {
    format!(
        "name: report\ntrigger: {{form: {{path: report, title: Report, fields: [{{id: what, label: What, type: text}}]}}}}\n\
         actions:\n  - {{id: create, action: create_incident, with: {{title: \"{title}: {{{{trigger.what}}}}\"}}}}\n"
    )
}

fn write(site: &Site, text: &str) {
    fs::write(site.folder.path().join("playbooks/report.yaml"), text).unwrap();
}

/// Posts a report and gives the title of the incident it became.
fn title(site: &Site, what: &str) -> String {
    let before = site.count("SELECT count(*) FROM incident");
    let body = serde_json::json!({"what": what}).to_string();
    let answer = site.post("/forms/report", "", &body).unwrap();
    assert!((200..300).contains(&answer.status), "{answer:?}");
    site.until("the report to be an incident", || site.count("SELECT count(*) FROM incident") > before);
    let list = site.json(&["incidents", "list", "--limit", "1"]);
    list[0]["properties"]["title"].as_str().unwrap().to_owned()
}

#[test]
#[ignore = "starts the binary"]
fn a_good_edit_takes_effect_at_once_and_a_bad_one_leaves_the_last_good_version_in_force() {
    let site = Site::new("", &[("report.yaml", &playbook("first"))]);
    let larum = site.serve();
    assert_eq!(title(&site, "door"), "first: door");

    write(&site, &playbook("second"));
    site.until("the edit to take effect", || title(&site, "door") == "second: door");

    write(&site, &playbook("third").replace("create_incident", "create_incidnt"));
    site.until("the fault to be reported", || site.log().contains("create_incidnt"));
    site.until("the report to say what stays", || site.log().contains("last good version stays in force"));
    assert!(site.log().contains("playbooks/report.yaml:4:"), "it names the place:\n{}", site.log());
    assert_eq!(title(&site, "door"), "second: door");

    assert_eq!(larum.stop(), Some(0), "{}", site.log());
    let larum = site.serve();
    assert_eq!(title(&site, "after a restart"), "second: after a restart");

    write(&site, &playbook("fourth"));
    site.until("the mended file to take effect", || title(&site, "door") == "fourth: door");
    fs::remove_file(site.folder.path().join("playbooks/report.yaml")).unwrap();
    site.until("the playbook to be withdrawn", || {
        site.post("/forms/report", "", "{}").is_some_and(|answer| answer.status == 404)
    });
    larum.kill();
}

#[test]
#[ignore = "starts the binary"]
fn a_second_larum_on_the_same_data_folder_says_so_and_ends() {
    let site = Site::new("", &[("report.yaml", &playbook("first"))]);
    let larum = site.serve();
    let config = fs::read_to_string(site.folder.path().join("larum.yaml")).unwrap();
    let port = site.address.port().to_string();
    fs::write(site.folder.path().join("second.yaml"), config.replace(&port, "0")).unwrap();
    let (code, _, err) = site.run(&["serve", "--config", "second.yaml"]);
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("larum-data"), "it names the folder: {err}");
    larum.kill();
}
