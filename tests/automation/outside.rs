//! A running server changed from outside, as clients change it: over HTTP, by the commands, by a playbook that a form starts.
//! Each creation and each update starts the playbook that listens once, also when the server is killed in between.

use std::{collections::BTreeMap, fs, process::Command};

use serde_json::{Value, json};

use crate::support::larum::{Answer, Larum, Site, dying};

/// The resources of the built-in workspace.
const BASE: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/larum/providers\
                    /Microsoft.OperationalInsights/workspaces/default/providers/Microsoft.SecurityInsights";
const VERSION: &str = "api-version=2024-03-01";

const TOLD: &str = "
name: told
trigger: {incident: {on: [created, updated]}}
actions:
  - {id: say, action: compose, with: {inputs: \"{{trigger.objectEventType}}\"}}
";

/// Makes an incident and works on it.
const MAKER: &str = "
name: maker
trigger: {form: {path: report, title: Report, fields: [{id: what, label: What, type: text}]}}
actions:
  - {id: make, action: create_incident, with: {title: \"{{trigger.what}}\"}}
  - {id: raise, action: update_incident, with: {incident: \"@actions.make\", severity: High}}
  - {id: say, action: add_comment, with: {incident: \"@actions.make\", message: seen}}
";

/// A folder, and a client of whatever serves it.
struct Outside {
    site: Site,
    token: String,
}

impl Outside {
    fn new() -> Self {
        Self::with(&[("told.yaml", TOLD), ("maker.yaml", MAKER)])
    }

    /// With these playbooks; the connections `own` and `web` lead back to the server itself.
    fn with(playbooks: &[(&str, &str)]) -> Self {
        let site = Site::new("", playbooks);
        let token = site.token("responder");
        fs::write(site.folder.path().join("own-token"), &token).expect("the folder is writable");
        let config = site.folder.path().join("larum.yaml");
        let server = fs::read_to_string(&config).expect("the configuration is there");
        let address = site.address;
        let connections = format!(
            "connections:\n  own:\n    sentinel: {{subscription: 00000000-0000-0000-0000-000000000000, resource_group: larum, \
             workspace: default, token: {{file: own-token}}, endpoint: 'http://{address}', allow_networks: [127.0.0.0/8]}}\n  \
             web:\n    http: {{base_url: 'http://{address}', authentication: {{type: bearer, token: {{file: own-token}}}}, \
             allow_networks: [127.0.0.0/8]}}\n"
        );
        fs::write(&config, server + &connections).expect("the folder is writable");
        Self { site, token }
    }

    /// Every run that ended well, as the playbook it is of and what started it, once so many are there and nothing goes on.
    fn ran(&self, wanted: usize) -> Vec<String> {
        let mut ran = Vec::new();
        self.site.until("every event to be dealt with and every run to end", || {
            let events = self.site.count("SELECT count(*) FROM workspace_event");
            let runs = self.site.json(&["runs", "list", "--limit", "1000"]);
            let runs = runs.as_array().expect("a list");
            assert!(runs.iter().all(|run| run["status"] != "Failed"), "{runs:?}");
            let text = |run: &Value, key: &str| run[key].as_str().unwrap_or_default().to_owned();
            ran = runs.iter().map(|run| format!("{}: {}", text(run, "playbook"), text(run, "report"))).collect();
            events == 0 && runs.iter().all(|run| run["status"] == "Succeeded") && ran.len() >= wanted
        });
        ran.sort();
        ran
    }

    /// What was kept from starting, as the log of an incident tells it.
    fn not_started(&self, incident: u64) -> Vec<String> {
        let path = format!("/api/incidents/{incident}/activity");
        let answer = self.site.call("GET", &path, &self.token, "").expect("an answer");
        let log: Value = serde_json::from_str(&answer.body).expect("JSON");
        let entries = log["value"].as_array().expect("a list").iter();
        entries
            .filter_map(|entry| Some(format!("{}: {}", entry["name"].as_str()?, entry["because"].as_str()?)))
            .collect()
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Option<Answer> {
        self.site.call(method, path, &self.token, &body.to_string())
    }

    fn call(&self, method: &str, path: &str, body: &Value) {
        let answer = self.send(method, path, body).expect("an answer");
        assert_eq!(answer.status / 100, 2, "{method} {path}: {}", answer.body);
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let url = format!("http://{}", self.site.address);
        self.site.run_with(&[("LARUM_URL", &url), ("LARUM_TOKEN", &self.token)], arguments)
    }

    fn command(&self, arguments: &[&str]) {
        let (code, _, err) = self.run(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {err}");
    }

    /// What started the playbook that listens, each with how often.
    fn told(&self, wanted: usize) -> BTreeMap<String, usize> {
        let mut told = BTreeMap::new();
        for report in self.ran(wanted).iter().filter_map(|run| run.strip_prefix("told: ")) {
            *told.entry(report.to_owned()).or_insert(0) += 1;
        }
        told
    }
}

fn counts(wanted: &[(&str, usize)]) -> BTreeMap<String, usize> {
    wanted.iter().map(|(report, count)| ((*report).to_owned(), *count)).collect()
}

#[test]
fn each_creation_and_update_by_api_by_command_and_by_playbook_starts_a_playbook_once() {
    let outside = Outside::new();
    let _larum: Larum = outside.site.serve();
    let incident =
        |title: &str, severity: &str| json!({"properties": {"title": title, "severity": severity, "status": "New"}});
    // Sentinel's API.
    let one = format!("{BASE}/incidents/one?{VERSION}");
    outside.call("PUT", &one, &incident("Door", "Low"));
    outside.call("PUT", &one, &incident("Door", "High"));
    // What changes nothing is no update.
    outside.call("PUT", &one, &incident("Door", "High"));
    let comment = format!("{BASE}/incidents/one/comments/c?{VERSION}");
    outside.call("PUT", &comment, &json!({"properties": {"message": "It was open."}}));
    // Larum's own.
    outside.call("POST", "/api/incidents", &json!({"title": "Gate"}));
    outside.call("PATCH", "/api/incidents/2", &json!({"severity": "High"}));
    outside.call("POST", "/api/incidents/2/comments", &json!({"message": "It was shut."}));
    // The commands.
    outside.command(&["incidents", "create", "--title", "Roof"]);
    outside.command(&["incidents", "update", "3", "--severity", "Low", "--add-tag", "north"]);
    outside.command(&["incidents", "comment", "3", "A ladder."]);
    outside.command(&["incidents", "close", "3", "--classification", "Undetermined"]);
    // A playbook.
    let taken = outside.site.post("/forms/report", "", "{\"what\": \"Yard\"}").expect("an answer");
    assert_eq!(taken.status / 100, 2, "{}", taken.body);
    let wanted = counts(&[
        ("incident 1 created", 1),
        ("incident 1 updated", 2),
        ("incident 2 created", 1),
        ("incident 2 updated", 2),
        ("incident 3 created", 1),
        ("incident 3 updated", 3),
        ("incident 4 created", 1),
        ("incident 4 updated", 2),
    ]);
    assert_eq!(outside.told(14), wanted);
}

#[test]
#[ignore = "starts Larum many times"]
fn killed_between_the_change_and_its_playbook_it_starts_once_all_the_same() {
    for point in ["before settle", "after settle", "before finish"] {
        let outside = Outside::new();
        // The server may die before its answer is on the way; what comes of the change tells whether it was taken.
        let changes: [&dyn Fn(); 4] = [
            &|| drop(outside.send("POST", "/api/incidents", &json!({"title": "Gate"}))),
            &|| drop(outside.run(&["incidents", "create", "--title", "Roof"])),
            &|| drop(outside.run(&["incidents", "update", "2", "--severity", "High"])),
            &|| drop(outside.send("PATCH", "/api/incidents/1", &json!({"severity": "High"}))),
        ];
        let mut told = BTreeMap::new();
        for (before, change) in changes.into_iter().enumerate() {
            let mut doomed = Command::new(dying())
                .arg(outside.site.folder.path())
                .args([point, "1"])
                .spawn()
                .expect("the program starts");
            outside.site.until("the server to answer", || outside.site.get("/healthz").is_some());
            change();
            outside.site.until(point, || doomed.try_wait().expect("it can be waited for").is_some());
            let _larum: Larum = outside.site.serve();
            told = outside.told(before + 1);
        }
        let wanted = counts(&[
            ("incident 1 created", 1),
            ("incident 1 updated", 1),
            ("incident 2 created", 1),
            ("incident 2 updated", 1),
        ]);
        assert_eq!(told, wanted, "{point}");
    }
}

/// Playbooks that change the incident that started them, each by another way through the server's own API.
const ROUND: &str = r#"
name: round
trigger: {incident: {on: [created, updated]}}
actions:
  - {id: label, action: add_tags, with: {connection: own, incident: "@trigger.object.id", tags: ["@{guid()}"]}}
"#;
const HTTP: &str = r#"
name: http-round
trigger: {incident: {on: [updated]}}
actions:
  - id: change
    action: http
    with:
      connection: web
      method: PATCH
      url: "http://ADDRESS/api/incidents/{{trigger.object.properties.incidentNumber}}"
      body: {addTags: ["@{guid()}"]}
"#;
const ASKS: &str = r#"
name: asks
trigger: {incident: {on: []}}
actions:
  - id: ask
    action: http
    with:
      connection: web
      method: POST
      url: "http://ADDRESS@{trigger.object.id}/runPlaybook?api-version=2024-03-01"
      body: {logicAppsResourceId: asks}
  - {id: fine, action: compose, run_after: {ask: [failed]}, with: {inputs: 1}}
"#;

#[test]
fn a_playbook_that_changes_its_incident_through_the_own_api_runs_once() {
    let outside = Outside::with(&[("round.yaml", ROUND)]);
    let _larum = outside.site.serve();
    outside.call("POST", "/api/incidents", &json!({"title": "Door"}));
    assert_eq!(outside.ran(1), ["round: incident 1 created"]);
    let because = "playbook round: it led to this change itself: playbook round";
    assert_eq!(outside.not_started(1), [because]);
    // What somebody else changes starts it anew.
    outside.call("PATCH", "/api/incidents/1", &json!({"severity": "High"}));
    assert_eq!(outside.ran(2), ["round: incident 1 created", "round: incident 1 updated"]);
}

#[test]
fn two_playbooks_that_hear_each_other_through_the_own_api_end() {
    let outside = Outside::with(&[("round.yaml", ROUND)]);
    let address = outside.site.address.to_string();
    let path = outside.site.folder.path().join("playbooks/http.yaml");
    fs::write(path, HTTP.replace("ADDRESS", &address)).expect("the folder is writable");
    let _larum = outside.site.serve();
    outside.call("POST", "/api/incidents", &json!({"title": "Door"}));
    // The one is started by the creation, the other by what that one does, and nobody by what the other does.
    assert_eq!(outside.ran(2), ["http-round: incident 1 updated", "round: incident 1 created"]);
    let both = "it led to this change itself: playbook round, then playbook http-round";
    let round = "playbook round: it led to this change itself: playbook round".to_owned();
    let mut told = outside.not_started(1);
    told.sort();
    assert_eq!(told, [format!("playbook http-round: {both}"), round, format!("playbook round: {both}")]);
}

#[test]
fn a_playbook_that_asks_for_its_own_run_gets_none() {
    let outside = Outside::with(&[]);
    let address = outside.site.address.to_string();
    let path = outside.site.folder.path().join("playbooks/asks.yaml");
    fs::write(path, ASKS.replace("ADDRESS", &address)).expect("the folder is writable");
    let _larum = outside.site.serve();
    outside.call(
        "PUT",
        &format!("{BASE}/incidents/one?{VERSION}"),
        &json!({"properties": {"title": "Door", "severity": "Low", "status": "New"}}),
    );
    outside.call(
        "POST",
        &format!("{BASE}/incidents/one/runPlaybook?{VERSION}"),
        &json!({"logicAppsResourceId": "asks"}),
    );
    assert_eq!(outside.ran(1).len(), 1);
    assert_eq!(outside.not_started(1), ["playbook asks: it led to this change itself: playbook asks"]);
}
