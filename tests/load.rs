//! Playbooks that load, and what loading makes of them.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use common::vocabulary::vocabulary;
use larum::{
    action,
    config::Config,
    diagnostic::{Diagnostic, Source},
    playbook::{
        ActionKind,
        ActionStatus::{self, Cancelled, Failed, Skipped, Succeeded, TimedOut},
        Bundle, Filter, Loading, Playbook, Retry, RunAfter, Trigger, load, load_folder, templates,
    },
};
use serde_json::json;

const EXAMPLE: &str = include_str!("data/playbooks/example.yaml");

fn bundle(source: &str) -> Bundle {
    let (templates, _) = templates::sources(None);
    Bundle { path: "playbook.yaml".into(), source: source.into(), templates, parameters: BTreeMap::new() }
}

fn shown(faults: &[Diagnostic]) -> String {
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

#[track_caller]
fn loaded(source: &str) -> Playbook {
    load(&bundle(source), &vocabulary()).unwrap_or_else(|faults| panic!("{}", shown(&faults)))
}

/// Code, line and column of each fault.
fn faults(source: &str) -> Vec<String> {
    let faults = load(&bundle(source), &vocabulary()).err().unwrap_or_default();
    let place = |fault: &Diagnostic| format!("{} {}:{}", fault.code, fault.position().line, fault.position().column);
    faults.iter().map(place).collect()
}

#[test]
fn the_readmes_playbook_loads_and_its_mistake_is_told_as_the_readme_shows_it() {
    let readme = include_str!("../README.md");
    let source = readme.split("```yaml\n").find(|block| block.starts_with("name:")).unwrap();
    let source = source.split("```").next().unwrap();
    loaded(source);
    let path = "playbooks/create-incident-from-shared-mailbox.yaml".to_owned();
    let mistaken = Bundle { path, ..bundle(&source.replace("subject_contains", "subject_contain")) };
    let told = shown(&load(&mistaken, &vocabulary()).unwrap_err());
    assert!(readme.contains(told.trim_end()), "{told}");
}

#[test]
fn the_example_of_the_documentation_loads() {
    let playbook = loaded(EXAMPLE);
    assert_eq!(playbook.name, "create-incident-from-shared-mailbox");
    let Trigger::Mailbox(mailbox) = &playbook.trigger else { panic!("{:?}", playbook.trigger) };
    assert_eq!(mailbox.connection.as_deref(), Some("soc-mailbox"));
    assert_eq!(mailbox.folder, "INBOX");
    assert_eq!(mailbox.every, Duration::from_secs(60));
    assert_eq!(mailbox.filter, Filter { subject_contains: Some("incident".into()), ..Filter::default() });
    let order: Vec<_> = playbook.actions.iter().map(|action| (action.id.as_str(), action.run_after.clone())).collect();
    assert_eq!(
        order,
        [
            ("create", RunAfter::Start),
            ("acknowledge", RunAfter::After(vec![(0, vec![ActionStatus::Succeeded])])),
            ("apologise", RunAfter::After(vec![(0, vec![ActionStatus::Failed, ActionStatus::TimedOut])])),
        ]
    );
}

#[test]
fn every_playbook_of_the_gallery_loads_under_the_default_configuration() {
    let Loading { playbooks, faults, .. } =
        load_folder(&[PathBuf::from("playbooks")], None, &Config::default(), &action::vocabulary());
    assert_eq!(shown(&faults), "");
    let names: Vec<_> = playbooks.iter().map(|loaded| loaded.playbook.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "ask-before-blocking-an-account",
            "create-incident-from-form",
            "create-incident-from-labelled-mail",
            "create-incident-from-shared-mailbox",
            "create-incident-from-webhook",
            "triage-new-incident",
            "weekly-access-review",
        ]
    );
}

#[test]
fn a_bundle_holds_what_decides_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("templates")).unwrap();
    write("templates/greeting.hbs", "Hello {{> name}}");
    write("templates/name.hbs", "{{trigger.sender.name}}");
    write("templates/unused.hbs", "not reached");
    write(
        "greet.yaml",
        "name: greet\nparameters: {region: {type: string}, size: {type: int, default: 3}, token: {type: securestring}}\n\
         trigger: {mailbox: {}}\nactions:\n  - {id: say, action: compose, with: {inputs: '{{> greeting}} @@'}}\n",
    );
    write("greet.test.yaml", "not a playbook");
    let config =
        Source::new("larum.yaml", "templates: templates\nparameters: {greet: {region: north, token: {env: TOKEN}}}\n");
    let config = Config::read(&config, folder.path()).unwrap();
    let read = || {
        let paths = [folder.path().to_owned()];
        let Loading { mut playbooks, faults, .. } =
            load_folder(&paths, config.templates.as_deref(), &config, &vocabulary());
        assert_eq!(shown(&faults), "");
        assert_eq!(playbooks.len(), 1);
        playbooks.remove(0)
    };
    let first = read();
    assert_eq!(first.bundle.templates.keys().collect::<Vec<_>>(), ["greeting", "name"]);
    assert_eq!(first.bundle.parameters, BTreeMap::from([("region".to_owned(), json!("north"))]));
    // A bundle alone gives the same playbook again.
    let stored: Bundle = serde_json::from_str(&serde_json::to_string(&first.bundle).unwrap()).unwrap();
    assert_eq!(load(&stored, &vocabulary()).unwrap().name, "greet");
    write("templates/unused.hbs", "changed");
    assert_eq!(read().bundle.version(), first.bundle.version());
    write("templates/name.hbs", "somebody");
    assert_ne!(read().bundle.version(), first.bundle.version());
}

#[test]
fn a_broken_template_breaks_only_what_uses_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("templates")).unwrap();
    write("templates/broken.hbs", "{{#if");
    write("templates/around.hbs", "{{> broken}}");
    let playbook = |name: &str, template: &str| {
        format!(
            "name: {name}\ntrigger: {{mailbox: {{}}}}\nactions:\n  - {{id: say, action: compose, with: {{inputs: '{{{{> {template}}}}}'}}}}\n"
        )
    };
    write("bad.yaml", &playbook("bad", "around"));
    write("good.yaml", &playbook("good", "mail-report"));
    let Loading { playbooks, faults, .. } = load_folder(
        &[folder.path().to_owned()],
        Some(&folder.path().join("templates")),
        &Config::default(),
        &vocabulary(),
    );
    let names: Vec<_> = playbooks.iter().map(|loaded| loaded.playbook.name.as_str()).collect();
    assert_eq!(names, ["good"]);
    let sources: Vec<_> = faults.iter().map(|fault| &*fault.source.name).collect();
    assert_eq!(sources, ["templates/broken.hbs"]);
}

#[test]
fn every_fault_is_reported_at_once_and_in_order() {
    let source = "nam: example
trigger:
  schedule: {cron: '0 9 * *', time_zone: Berlin}
actions:
  - id: a
    action: compose
    with: {inputs: '@concat(', extra: 1}
  - id: b
    run_after: {c: [succeeded]}
    action: http
    retry: {policy: fixed}
";
    assert_eq!(
        faults(source),
        [
            "LR0010 1:1", // nam
            "LR0030 3:21",
            "LR0031 3:42",
            "LR0050 7:29",
            "LR0041 7:32",
            "LR0022 9:17",
            "LR0042 10:13", // url
            "LR0042 10:13", // method
            "LR0011 11:12", // count
            "LR0011 11:12", // interval
        ]
    );
}

#[test]
fn what_has_ended_can_be_read_with_everything_inside_it() {
    let playbook = loaded(
        "name: example
trigger: {manual: {}}
actions:
  - {id: first, action: compose, with: {inputs: 1}}
  - id: Fork
    if: '@equals(actions.first, 1)'
    then:
      - {id: one, action: compose, with: {inputs: '@actions.FIRST'}}
      - {id: two, action: compose, with: {inputs: '@actions.one'}}
    else: []
  - id: last
    run_after: {fork: [succeeded, failed, timed_out, skipped, cancelled]}
    action: compose
    with: {inputs: '@concat(string(result(''fork'')), string(actions.two), string(actions.first))'}
  - {id: beside, run_after: {}, action: compose, with: {inputs: '@trigger.anything.at.all'}}
",
    );
    let every = [Succeeded, Failed, TimedOut, Skipped, Cancelled];
    assert_eq!(playbook.actions[2].run_after, RunAfter::After(vec![(1, every.to_vec())]));
    assert_eq!(playbook.actions[3].run_after, RunAfter::Start);
    let ActionKind::If { then, otherwise, .. } = &playbook.actions[1].kind else { panic!("no if") };
    assert_eq!((then.len(), otherwise.len()), (2, 0));
    assert_eq!(then[0].run_after, RunAfter::Start);
}

#[test]
fn retry_timeout_and_secure_are_read() {
    let playbook = loaded(
        "name: example
trigger: {manual: {}}
actions:
  - id: call
    action: HTTP
    with: {method: get, url: 'https://example.com'}
    timeout: 2m
    secure: [outputs]
    retry: {policy: exponential, count: 4, interval: PT7.5S, minimum_interval: PT5S, maximum_interval: PT45S}
  - {id: plain, action: http, with: {method: GET, url: 'https://example.com'}}
",
    );
    let call = &playbook.actions[0];
    assert_eq!(call.timeout, Some(Duration::from_secs(120)));
    assert_eq!((call.secure_inputs, call.secure_outputs), (false, true));
    assert_eq!(
        call.retry,
        Retry::Exponential {
            count: 4,
            interval: Duration::from_millis(7_500),
            minimum_interval: Some(Duration::from_secs(5)),
            maximum_interval: Some(Duration::from_secs(45)),
        }
    );
    // Names compare ignoring case; the plan has them as they are listed.
    assert!(matches!(call.kind, ActionKind::Call { action: "http", .. }));
    assert_eq!(playbook.actions[1].retry, Retry::Default);
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("\u{feff}{}", EXAMPLE.replace('\n', "\r\n"));
    fs::write(folder.path().join("example.yaml"), text.replace("soc-mailbox  ", "soc-mailbox")).unwrap();
    let config = Source::new("larum.yaml", "connections: {soc-mailbox: {maildir: {path: mail}}}");
    let config = Config::read(&config, folder.path()).unwrap();
    let Loading { playbooks, faults, .. } = load_folder(&[folder.path().to_owned()], None, &config, &vocabulary());
    assert_eq!(shown(&faults), "");
    assert_eq!(playbooks[0].playbook.actions.len(), 3);
}

#[test]
fn a_file_that_is_not_there_or_too_large_is_a_fault_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large.yaml");
    fs::write(&large, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    let paths = [folder.path().join("missing.yaml"), large];
    let Loading { faults, .. } = load_folder(&paths, None, &Config::default(), &vocabulary());
    let codes: Vec<_> = faults.iter().map(|fault| fault.code.to_string()).collect();
    assert_eq!(codes, ["LR0003", "LR0001"]);
}

#[test]
fn the_real_actions_say_which_values_they_take() {
    let source = "name: example
trigger: {manual: {}}
actions:
  - id: create
    action: create_incident
    with: {title: x, severity: Hihg, status: active, tags: x, classification: TruePositive - SuspiciousActivity}
  - {id: tell, action: send_email, with: {to: a@example.com, subject: 5, boddy: x, is_html: 'true'}}
  - {id: call, action: http, with: {metod: GET, url: 'https://example.com'}}
  - {id: sign, action: http, with: {url: 'https://example.com', authentication: {type: digest, usrname: soc, password: x}}}
  - {id: poll, action: http, with: {url: 'https://example.com', $poll: {}, authentication: {type: OAuth, tenant: 5}}}
";
    insta::assert_snapshot!(shown(&load(&bundle(source), &action::vocabulary()).unwrap_err()));
}

#[test]
fn every_key_of_the_configuration_is_read() {
    let text = "
server: {listen: '0.0.0.0:80', url: https://soc.example.com, public_url: https://reports.example.com, trusted_proxies: [10.0.0.0/8, '::1'], form_posts_per_minute: 5, hook_calls_per_minute: 6, api_calls_per_minute: 7, public_listen: '[::1]:8443', tls: {certificate: larum.pem, key: larum-key.pem}, open_metrics: true}
data: /var/lib/larum
playbooks: [playbooks, more/one.yaml]
connections:
  inbox: {maildir: {path: mail, start: now}}
  soc-mailbox:
    imap:
      host: imap.example.com
      port: 1993
      ca_file: ca.pem
      username: soc@example.com
      password: {env: SOC_PASSWORD}
      start: 2026-11-24
      addresses: [soc@example.com, security@example.com]
  local: {imap: {host: '127.0.0.1', tls: none, username: soc, password: {file: soc.txt}, start: '2026-11-24T09:00:00+01:00'}}
  outgoing: {smtp: {host: smtp.example.com, tls: starttls, from: 'SOC <soc@example.com>', username: soc, password: {file: /run/secrets/smtp}}}
  relay: {smtp: {host: localhost, tls: none, from: soc@example.com}}
  api:
    http:
      base_url: https://api.example.com/v1
      authentication: {type: basic, username: larum, password: {env: API}}
      allow_networks: [192.168.0.0/16]
      ca_file: ca.pem
  shared: {http: {base_url: https://shared.example.com, authentication: {type: raw, value: {env: KEY}}}}
  mutual: {http: {base_url: https://mutual.example.com, authentication: {type: client_certificate, certificate: {file: larum.pem}, key: {file: larum-key.pem}}}}
  azure: {http: {base_url: https://management.azure.com, authentication: {type: oauth, tenant: contoso.example, audience: https://management.azure.com/, client_id: larum, client_secret: {env: AZURE}}}}
  tokens: {http: {base_url: https://api.example.net, authentication: {type: oauth, token_url: https://id.example.net/token, scope: read, audience: api, client_id: larum, client_secret: {env: ID}}}}
  other: {http: {base_url: https://other.example.com, authentication: {type: Bearer, token: {env: TOKEN}}}}
  github: {webhook: {header: X-Hub-Signature-256, prefix: 'sha256=', secret: [{env: NEW}, {env: OLD}]}}
  slack:
    webhook:
      header: X-Slack-Signature
      algorithm: sha512
      encoding: base64
      secret: {file: slack}
      secret_encoding: base64
      signs: 'v0:{X-Slack-Request-Timestamp}:{body}!'
      timestamp: {header: X-Slack-Request-Timestamp, tolerance: 1m}
  sentinel:
    sentinel:
      subscription: 12345678-0000-0000-0000-000000000000
      resource_group: soc
      workspace: soc
      tenant_id: contoso.example
      client_id: larum
      client_secret: {env: AZURE}
      authority: https://login.microsoftonline.us
      endpoint: https://management.usgovcloudapi.net
      scope: https://management.core.usgovcloudapi.net/.default
      api_version: 2022-12-01-preview
      allow_networks: [10.0.0.0/8]
      ca_file: ca.pem
  branch: {sentinel: {subscription: 12345678-0000-0000-0000-000000000000, resource_group: larum, workspace: default, token: {file: branch}, endpoint: 'https://larum.example.com'}}
  usual: {sentinel: {subscription: 12345678-0000-0000-0000-000000000000, resource_group: soc, workspace: soc, tenant_id: contoso.example, client_id: larum, client_secret: {env: AZURE}}}
workspace: {subscription: 12345678-0000-0000-0000-000000000000, resource_group: soc, name: main}
runs: {keep: 30d}
parameters:
  triage: {region: north, limits: {low: 1, high: 5}, token: {env: TRIAGE}}
";
    let config = Config::read(&Source::new("larum.yaml", text), std::path::Path::new("/etc/larum"))
        .unwrap_or_else(|faults| panic!("{}", shown(&faults)));
    insta::assert_debug_snapshot!(config);
}
