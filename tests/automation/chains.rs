//! What starts itself again ends, and the incident's log tells it.

use larum::incident::{Patch, Severity};
use serde_json::json;

use crate::house::{House, draft, rule, severity};

/// A playbook that changes the incident at every creation and update.
fn changes(name: &str, severity: &str) -> String {
    format!(
        "name: {name}\ntrigger: {{incident: {{on: [created, updated]}}}}\nactions:\n  \
         - {{id: change, action: update_incident, with: {{severity: {severity}, tags_to_add: [\"{name} {{{{trigger.object.properties.additionalData.commentsCount}}}}\"]}}}}\n  \
         - {{id: say, action: add_comment, with: {{message: \"{name} was here\"}}}}\n"
    )
}

#[tokio::test]
async fn a_playbook_that_changes_the_incident_it_was_started_by_runs_once() {
    let house = House::new(&[&changes("again", "High")]).await;
    house.create(draft("Door", Severity::Low)).await;
    house.quiet().await;
    assert_eq!(house.ran().await, ["again Succeeded"]);
    let because = "playbook again: it led to this change itself: playbook again";
    assert_eq!(house.not_started(1).await, [because; 2], "its change and its comment");
    // Somebody else's change starts it anew.
    house.patch(1, severity(Severity::Medium)).await;
    house.quiet().await;
    assert_eq!(house.runs().await.len(), 2);
}

#[tokio::test]
async fn two_playbooks_that_start_each_other_end() {
    let house = House::new(&[&changes("one", "High"), &changes("other", "Low")]).await;
    house.create(draft("Door", Severity::Medium)).await;
    house.quiet().await;
    let told = house.not_started(1).await;
    assert!(
        told.contains(&"playbook one: it led to this change itself: playbook one, then playbook other".to_owned()),
        "{told:?}"
    );
    assert!(
        told.contains(&"playbook other: it led to this change itself: playbook one, then playbook other".to_owned()),
        "{told:?}"
    );
    // Each of the two creations' runs makes two changes; the other hears them, and nobody after that.
    assert_eq!(house.runs().await.len(), 6, "{:?}", house.ran().await);
}

#[tokio::test]
async fn a_playbook_and_a_rule_that_start_each_other_end() {
    let house = House::new(&[&changes("ping", "High")]).await;
    let actions = json!([{"ModifyProperties": {"severity": "Low"}}, {"RunPlaybook": {"logicAppResourceId": "ping"}}]);
    house.rule("pong", rule(1, "Updated", json!([]), actions)).await;
    house.create(draft("Door", Severity::Medium)).await;
    house.quiet().await;
    let told = house.not_started(1).await;
    assert!(
        told.iter().any(|line| line.starts_with("automation rule pong: it led to this change itself: ")),
        "{told:?}"
    );
    assert!(told.iter().any(|line| line.starts_with("playbook ping: it led to this change itself: ")), "{told:?}");
    assert_eq!(house.runs().await.len(), 1, "{:?}", house.ran().await);
}

#[tokio::test]
async fn a_rule_that_changes_what_it_looks_at_acts_once() {
    let house = House::new(&[]).await;
    let tag = |name: &str| json!([{"ModifyProperties": {"labels": [{"labelName": name}]}}]);
    house.rule("loop", rule(1, "Updated", json!([]), tag("seen"))).await;
    house.create(draft("Door", Severity::Medium)).await;
    house.patch(1, Patch { title: Some("Gate".into()), ..Patch::default() }).await;
    house.quiet().await;
    assert_eq!(house.incident(1).await.tags, ["seen"]);
    let because = "automation rule loop: it led to this change itself: automation rule loop";
    assert_eq!(house.not_started(1).await, [because]);
}

#[tokio::test]
async fn a_playbook_that_starts_itself_through_another_ends() {
    let house = House::new(&["
name: parent
trigger: {incident: {on: [created, updated]}}
actions:
  - {id: ask, action: run_playbook, with: {playbook: child, body: \"@trigger.object.id\"}}
---
name: child
trigger: {manual: {}}
actions:
  - {id: change, action: update_incident, with: {incident: \"@trigger\", severity: High}}
"])
    .await;
    house.create(draft("Door", Severity::Low)).await;
    house.quiet().await;
    assert_eq!(house.ran().await, ["parent Succeeded", "child Succeeded"]);
    let because = "playbook parent: it led to this change itself: playbook parent, then playbook child";
    assert_eq!(house.not_started(1).await, [because]);
}

#[tokio::test]
async fn a_chain_of_ever_new_playbooks_ends_too() {
    let many: Vec<String> = (0..12)
        .map(|at| {
            format!(
                "name: p{at:02}\ntrigger: {{incident: {{on: updated, when: \"@equals(trigger.object.properties.title, '{at}')\"}}}}\nactions:\n  \
                 - {{id: next, action: update_incident, with: {{title: \"{}\"}}}}\n",
                at + 1
            )
        })
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let house = House::new(&many).await;
    house.create(draft("Door", Severity::Low)).await;
    house.patch(1, Patch { title: Some("0".into()), ..Patch::default() }).await;
    house.quiet().await;
    assert_eq!(house.runs().await.len(), 8);
    assert_eq!(house.incident(1).await.title, "8");
    let told = house.not_started(1).await;
    let end = "8 playbooks and rules led to this change one after another, and no more may follow: playbook p00, then ";
    assert!(told.iter().any(|line| line.starts_with(&format!("playbook p08: {end}"))), "{told:?}");
}

#[tokio::test]
async fn playbooks_that_all_hear_one_another_end_before_every_order_was_tried() {
    let many: Vec<String> =
        (0..6).map(|at| changes(&format!("p{at}"), if at % 2 == 0 { "High" } else { "Low" })).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let house = House::new(&many).await;
    house.create(draft("Door", Severity::Medium)).await;
    house.quiet().await;
    // Six for the creation, and 64 for what playbooks did then; it would be 1,956.
    assert_eq!(house.runs().await.len(), 6 + 64);
    let told = house.not_started(1).await;
    let end = "64 playbooks and rules were started by one another's changes of this incident";
    assert_eq!(told.iter().filter(|line| line.contains(end)).count(), 1, "said once");
    house.patch(1, severity(Severity::Informational)).await;
    house.quiet().await;
    assert_eq!(house.runs().await.len(), 2 * (6 + 64), "what a person does starts them anew");
}
