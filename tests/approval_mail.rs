//! An approval end to end: the real binary, a real SMTP server, the mail as its receiver's mailbox has it, and Larum
//! killed in between.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod support;

use std::{collections::BTreeSet, fs};

use larum::mail;
use support::{
    dovecot::Dovecot,
    larum::{Answer, Site},
    smtp::{DOMAIN, Smtp},
};

const PLAYBOOK: &str = r#"
name: block-account
trigger: {form: {path: report, title: Report, fields: [{id: who, label: Who?, type: text}]}}
actions:
  - id: ask
    action: approve
    timeout: 2h
    with:
      to: APPROVER
      subject: "Block {{trigger.who}}?"
      body: "{{trigger.who}} was reported."
  - {id: file, action: create_incident, with: {title: "{{trigger.who}}: {{actions.ask.SelectedOption}} by {{actions.ask.UserEmailAddress}}"}}
"#;

/// The paths of the links in the only mail the approver has.
fn links(dovecot: &Dovecot, site: &Site) -> Vec<String> {
    let mails = || {
        let folder = dovecot.maildir("reporter", "INBOX");
        let files = ["new", "cur"].into_iter().filter_map(|part| fs::read_dir(folder.join(part)).ok()).flatten();
        files.map(|entry| entry.unwrap().path()).collect::<BTreeSet<_>>()
    };
    site.until("the approval mail to arrive", || !mails().is_empty());
    let mails = mails();
    assert_eq!(mails.len(), 1, "one mail was sent");
    let raw = fs::read(mails.first().unwrap()).unwrap();
    let read = mail::read(&raw, chrono::Utc::now()).unwrap().trigger;
    assert_eq!(read["subject"], "Block Ann?");
    assert_eq!(read["headers"]["auto-submitted"][0], "auto-generated");
    let text = read["text"].as_str().unwrap();
    let site = format!("http://{}", site.address);
    text.lines().filter_map(|line| line.strip_prefix(&site)).map(str::to_owned).collect()
}

fn get(site: &Site, path: &str) -> Answer {
    site.get(path).unwrap()
}

#[test]
#[ignore = "needs dovecot and postfix"]
fn a_mail_asks_opening_it_changes_nothing_a_button_decides_and_restarts_change_nothing() {
    let dovecot = Dovecot::start();
    let smtp = Smtp::start(&dovecot);
    let config = format!(
        "connections: {{outgoing: {{smtp: {{host: 127.0.0.1, port: {}, tls: none, from: soc@{DOMAIN}}}}}}}\n",
        smtp.port
    );
    let approver = format!("reporter@{DOMAIN}");
    let site = Site::new(&config, &[("block.yaml", &PLAYBOOK.replace("APPROVER", &approver))]);
    let larum = site.serve();
    assert_eq!(site.post("/forms/report", "", r#"{"who": "Ann"}"#).unwrap().status, 202);
    let links = links(&dovecot, &site);
    let [approve, reject] = &links[..] else { panic!("two links: {links:?}") };

    // A scanner opens both links, again and again.
    for path in [approve, reject, approve, reject] {
        let page = get(&site, path);
        assert_eq!(page.status, 200);
        assert!(page.body.contains("block-account") && page.body.contains("Ann was reported."), "{}", page.body);
    }
    let runs = site.json(&["runs", "list"]);
    assert_eq!(runs[0]["status"], "Running", "{runs}");

    larum.kill();
    let larum = site.serve();
    assert!(get(&site, reject).body.contains("Confirm: Reject"));
    assert_eq!(site.json(&["runs", "list"])[0]["status"], "Running");

    let decided = site.post(reject, "", "").unwrap();
    assert_eq!(decided.status, 200, "{}", decided.body);
    larum.kill();
    let larum = site.serve();
    site.until("the run to go on", || site.json(&["runs", "list"])[0]["status"] == "Succeeded");
    let incidents = site.json(&["incidents", "list"]);
    assert_eq!(incidents.as_array().unwrap().len(), 1);
    assert_eq!(incidents[0]["properties"]["title"], format!("Ann: Reject by {approver}"), "{incidents}");

    for path in [approve, reject] {
        let second = site.post(path, "", "").unwrap();
        assert_eq!(second.status, 409);
        let told = format!("by {approver}: <strong>Reject</strong>");
        assert!(second.body.contains("“Block Ann?” was decided on") && second.body.contains(&told), "{}", second.body);
        assert_eq!(get(&site, path).status, 200);
    }
    assert_eq!(larum.stop(), Some(0));
    // Killed and started again, Larum asked nobody twice.
    assert_eq!(dovecot.mails("reporter", "INBOX").len(), 1, "{}", smtp.log());
}
