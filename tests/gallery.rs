//! What the gallery's playbooks make of what arrives, next to Microsoft Sentinel's playbooks that two of them follow.

#![allow(clippy::unwrap_used, reason = "a test may end here")]

use std::{collections::BTreeMap, fs, path::Path};

use chrono::DateTime;
use larum::{
    action,
    expression::{JsonScope, Tree},
    mail,
    playbook::{Action, ActionKind, Bundle, Playbook, Trigger, load, templates},
};
use serde_json::{Value, json};

fn gallery(name: &str) -> Playbook {
    let path = format!("playbooks/{name}.yaml");
    let source = fs::read_to_string(&path).unwrap();
    let (templates, _) = templates::sources(None);
    load(&Bundle { path, source, templates, parameters: BTreeMap::new() }, &action::vocabulary()).unwrap()
}

fn find<'a>(actions: &'a [Action], id: &str) -> Option<&'a Action> {
    actions.iter().find_map(|action| match &action.kind {
        _ if action.id == id => Some(action),
        ActionKind::If { then, otherwise, .. } => find(then, id).or_else(|| find(otherwise, id)),
        _ => None,
    })
}

fn inputs(playbook: &Playbook, id: &str, context: Value) -> Value {
    let action = find(&playbook.actions, id).unwrap();
    let ActionKind::Call { with, .. } = &action.kind else { panic!("{id} calls nothing") };
    evaluate(with, context)
}

fn evaluate(tree: &Tree, context: Value) -> Value {
    tree.evaluate(&JsonScope::new(context, DateTime::UNIX_EPOCH, 0)).unwrap()
}

const LABELLED: &str = "Incident title: Phish mail\nIncident Description: Users report a fake bank page.\n\
    Incident Severity: High\nIncident Status: New\nIncident tag: phishing\nAssign Incident: Assign\n\
    Assign Incident to: alice@contoso.com\n";

fn labelled(text: &str) -> Value {
    let playbook = gallery("create-incident-from-labelled-mail");
    inputs(&playbook, "create_incident", json!({"actions": {"email_body_to_text": text}}))
}

#[test]
fn a_labelled_mail_fills_every_field() {
    assert_eq!(
        labelled(LABELLED),
        json!({
            "title": "Phish mail",
            "description": "Users report a fake bank page.",
            "severity": "High",
            "status": "New",
            "tags": ["phishing"],
            "owner": " alice@contoso.com\n",
        })
    );
}

#[test]
fn nobody_owns_an_incident_that_is_not_to_be_assigned() {
    assert_eq!(labelled(&LABELLED.replace(": Assign\n", ": Unassign\n"))["owner"], Value::Null);
}

#[test]
fn a_mail_without_labels_puts_its_whole_text_in_every_field_and_has_no_owner() {
    let text = "Somebody followed me through the north door.";
    assert_eq!(
        labelled(text),
        json!({"title": text, "description": text, "severity": text, "status": text, "tags": [text], "owner": null})
    );
}

#[test]
fn labels_in_another_spelling_are_not_found() {
    let text = LABELLED.replace("Incident title", "Incident Title").replace("Incident tag", "Incident Tag");
    let fields = labelled(&text);
    assert_eq!(fields["title"], "Incident Title: Phish mail");
    assert!(fields["status"].as_str().unwrap().starts_with("New\nIncident Tag: phishing"), "{fields}");
}

#[test]
fn the_labelled_playbook_tells_the_sender_what_came_of_it() {
    let playbook = gallery("create-incident-from-labelled-mail");
    let condition = find(&playbook.actions, "condition").unwrap();
    let ActionKind::If { condition, .. } = &condition.kind else { panic!("no if") };
    let trigger = json!({"from": "bob@example.com", "subject": "Labelled report"});
    let outcome = |outputs: Value| json!({"trigger": trigger, "actions": {"create_incident": {"outputs": outputs}}});
    let created =
        outcome(json!({"statusCode": 200, "body": {"properties": {"title": "Phish mail", "incidentNumber": 7}}}));
    let refused =
        outcome(json!({"statusCode": 400, "body": {"error": {"code": "BadRequest", "message": "no severity"}}}));
    assert_eq!(evaluate(condition, created.clone()), true);
    assert_eq!(evaluate(condition, refused.clone()), false);
    assert_eq!(
        inputs(&playbook, "send_success", created),
        json!({
            "to": "bob@example.com",
            "subject": "Incident created: Phish mail",
            "body": "The incident was created with the number 7.",
        })
    );
    assert_eq!(
        inputs(&playbook, "send_failure", refused),
        json!({
            "to": "bob@example.com",
            "subject": "Incident not created: Labelled report",
            "body": "There was an error while the incident was created. Error details: no severity",
        })
    );
}

#[test]
fn a_form_hands_its_answers_over_as_they_are_and_nothing_for_what_was_not_answered() {
    let playbook = gallery("create-incident-from-form");
    let answers = json!({"title": "Tailgating", "description": null, "severity": "High", "status": null, "tag": null,
        "owner": null, "contact": null});
    assert_eq!(
        inputs(&playbook, "create_incident", json!({"trigger": answers})),
        json!({"title": "Tailgating", "description": null, "severity": "High", "status": null, "tags": ["form", null],
            "owner": null})
    );
}

#[test]
fn each_sample_mail_starts_exactly_one_playbook() {
    let names = ["create-incident-from-shared-mailbox", "create-incident-from-labelled-mail"];
    let filters: Vec<String> = names
        .iter()
        .map(|name| match gallery(name).trigger {
            Trigger::Mailbox(mailbox) => mailbox.filter.subject_contains.unwrap().to_lowercase(),
            other => panic!("{name} starts by {}", other.kind()),
        })
        .collect();
    for sample in ["report", "labelled-report"] {
        let raw = fs::read(Path::new("playbooks/samples").join(sample).with_extension("eml")).unwrap();
        let mail = mail::read(&raw, DateTime::UNIX_EPOCH).unwrap();
        let subject = mail.subject.to_lowercase();
        let matching = filters.iter().filter(|filter| subject.contains(filter.as_str())).count();
        assert_eq!(matching, 1, "{sample}");
    }
}

#[test]
fn the_report_template_prints_the_sample_whole() {
    let playbook = gallery("create-incident-from-shared-mailbox");
    let raw = fs::read("playbooks/samples/report.eml").unwrap();
    let mail = mail::read(&raw, DateTime::from_timestamp(1_795_420_800, 0).unwrap()).unwrap();
    let fields = inputs(&playbook, "create", json!({"trigger": mail.trigger}));
    insta::assert_json_snapshot!(fields);
}

#[test]
fn an_incident_is_triaged_by_what_its_alerts_concern() {
    let playbook = gallery("triage-new-incident");
    let when = &playbook.admission.conditions[0].expression;
    let of = |severity: &str| json!({"trigger": {"object": {"properties": {"severity": severity}}}});
    assert_eq!((evaluate(when, of("High")), evaluate(when, of("Low"))), (json!(true), json!(false)));
    let condition = find(&playbook.actions, "addresses").unwrap();
    let ActionKind::If { condition, .. } = &condition.kind else { panic!("no if") };
    let found = |addresses: Value| json!({"actions": {"entities": {"outputs": {"body": {"IPs": addresses}}}}});
    assert_eq!(evaluate(condition, found(json!([]))), false);
    assert_eq!(evaluate(condition, found(json!([{"Address": "203.0.113.7"}]))), true);
    assert_eq!(
        inputs(&playbook, "comment", json!({"actions": {"table": {"outputs": {"body": "<table></table>"}}}})),
        json!({"message": "<p>Addresses that this incident concerns:</p><table></table>"})
    );
}
