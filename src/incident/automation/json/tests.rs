//! What the API writes, and how its faults are told.

use super::*;

fn properties(change: impl FnOnce(&mut Value)) -> Value {
    let mut properties = json!({
        "displayName": "Suspicious sign-ins", "order": 1,
        "triggeringLogic": {
            "isEnabled": true, "triggersOn": "Incidents", "triggersWhen": "Updated",
            "expirationTimeUtc": "2027-01-01T00:00:00Z",
            "conditions": [
                {"conditionType": "Property", "conditionProperties": {"propertyName": "AccountName", "operator": "NotStartsWith", "propertyValues": ["svc-"]}},
                {"conditionType": "PropertyChanged", "conditionProperties": {"propertyName": "IncidentOwner"}},
                {"conditionType": "PropertyChanged", "conditionProperties": {"propertyName": "IncidentStatus", "changeType": "ChangedTo", "operator": "Equals", "propertyValues": ["Active"]}},
                {"conditionType": "PropertyArrayChanged", "conditionProperties": {"arrayType": "Comments", "changeType": "Added"}},
                {"conditionType": "Boolean", "conditionProperties": {"operator": "Or", "innerConditions": [
                    {"conditionType": "PropertyArray", "conditionProperties": {"arrayType": "CustomDetails", "arrayConditionType": "AnyItem", "itemConditions": [
                        {"conditionType": "Property", "conditionProperties": {"propertyName": "IncidentCustomDetailsKey", "operator": "Equals", "propertyValues": ["site"]}}]}},
                    {"conditionType": "Property", "conditionProperties": {"propertyName": "IncidentTitle", "operator": "Contains", "propertyValues": ["door", "gate"]}}]}},
            ],
        },
        "actions": [
            {"order": 1, "actionType": "ModifyProperties", "actionConfiguration": {"severity": "High", "owner": {"objectId": null, "email": "a@example.com", "assignedTo": null, "userPrincipalName": null}, "labels": [{"labelName": "door"}]}},
            {"order": 2, "actionType": "RunPlaybook", "actionConfiguration": {"logicAppResourceId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Logic/workflows/Close-Door", "tenantId": "d23e3eef-eed0-428f-a2d5-bc48c268e31d"}},
            {"order": 3, "actionType": "AddIncidentTask", "actionConfiguration": {"title": "Look at the door", "description": "It is the north one."}},
        ],
    });
    change(&mut properties);
    properties
}

#[test]
fn a_rule_comes_back_as_it_was_written() {
    let written = properties(|_| {});
    let rule = AutomationRule::parse(&written).unwrap();
    assert_eq!(rule.to_properties(), written);
}

#[test]
fn names_are_read_ignoring_case_and_actions_go_by_their_order() {
    let rule = AutomationRule::parse(&properties(|rule| {
        rule["triggeringLogic"]["triggersOn"] = "incidents".into();
        rule["actions"][0]["order"] = 9.into();
    }))
    .unwrap();
    assert_eq!(rule.on, TriggersOn::Incidents);
    assert_eq!(rule.actions.iter().map(|ordered| ordered.order).collect::<Vec<_>>(), [2, 3, 9]);
    let RuleAction::RunPlaybook { resource, .. } = &rule.actions[0].action else { panic!("{rule:?}") };
    assert_eq!(RuleAction::playbook_of(resource), "Close-Door");
}

#[test]
fn a_fault_says_where_and_what() {
    let faults = [
        ("/displayName", json!(null)),
        ("/displayName", json!("")),
        ("/order", json!(1001)),
        ("/order", json!(-1)),
        ("/order", json!("1")),
        ("/triggeringLogic", json!([])),
        ("/triggeringLogic/isEnabled", json!("yes")),
        ("/triggeringLogic/triggersOn", json!("Alerts")),
        ("/triggeringLogic/triggersOn", json!("Mails")),
        ("/triggeringLogic/triggersWhen", json!("Created")),
        ("/triggeringLogic/expirationTimeUtc", json!("tomorrow")),
        (
            "/triggeringLogic/conditions",
            json!(vec![
                json!({"conditionType": "PropertyArrayChanged", "conditionProperties": {"arrayType": "Labels", "changeType": "Added"}});
                51
            ]),
        ),
        ("/triggeringLogic/conditions/0/conditionType", json!("Propery")),
        ("/triggeringLogic/conditions/0/conditionProperties/propertyName", json!("AcountName")),
        ("/triggeringLogic/conditions/0/conditionProperties/operator", json!("Is")),
        ("/triggeringLogic/conditions/0/conditionProperties/propertyValues", json!([])),
        ("/triggeringLogic/conditions/2/conditionProperties/propertyValues/0", json!("Opened")),
        ("/triggeringLogic/conditions/3/conditionProperties/changeType", json!("Removed")),
        ("/triggeringLogic/conditions/4/conditionProperties/innerConditions", json!([])),
        ("/actions", json!([])),
        ("/actions/0/actionConfiguration", json!({})),
        ("/actions/0/actionConfiguration", json!({"status": "Closed"})),
        ("/actions/0/actionConfiguration", json!({"status": "Closed", "classification": "TruePositive"})),
        ("/actions/0/actionConfiguration/severity", json!("Hgh")),
        ("/actions/0/actionConfiguration/labels/0", json!({"labelType": "User"})),
        ("/actions/1/actionType", json!("Run")),
        ("/actions/1/actionConfiguration/logicAppResourceId", json!("")),
        ("/actions/2/actionConfiguration/title", json!(" ")),
    ];
    let told = faults.into_iter().map(|(place, value)| {
        let written = properties(|rule| *rule.pointer_mut(place).unwrap() = value);
        AutomationRule::parse(&written).unwrap_err().to_string()
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"));
}

#[test]
fn conditions_do_not_stand_in_one_another_without_end() {
    let leaf = json!({"conditionType": "PropertyArrayChanged", "conditionProperties": {"arrayType": "Labels", "changeType": "Added"}});
    let nested = (0..40).fold(leaf.clone(), |inner, _| {
        json!({"conditionType": "Boolean", "conditionProperties": {"operator": "And", "innerConditions": [inner, leaf]}})
    });
    let written = properties(|rule| rule["triggeringLogic"]["conditions"] = json!([nested]));
    let fault = AutomationRule::parse(&written).unwrap_err();
    assert_eq!(fault.message, "conditions stand in at most 8 others");
}
