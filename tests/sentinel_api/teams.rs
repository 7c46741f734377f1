//! The team of an incident.

use larum::access::Role;
use serde_json::json;

use crate::kit::{Api, ONE, TWO, api};

async fn create(api: &Api, status: u16, body: &serde_json::Value) -> serde_json::Value {
    api.ok(status, "POST", &format!("/incidents/{ONE}/createTeam"), Some(body)).await
}

#[tokio::test]
async fn a_team_is_kept_shown_with_its_incident_and_told_of_in_the_log() {
    let api = api().await;
    let before = api.incident(ONE, "Door").await;
    assert!(before["properties"].get("teamInformation").is_none());
    let member = "2046feea-040d-4a46-9e2b-91c2941bfa70";
    let group = "99978838-9bda-4ad4-8f93-4cf7ebc50ca5";
    let body =
        json!({"teamName": " Door ", "teamDescription": "Who looks", "memberIds": [member], "groupIds": [group]});
    let team = create(&api, 200, &body).await;
    assert!(uuid::Uuid::try_parse(team["teamId"].as_str().unwrap()).is_ok());
    assert_eq!(
        team,
        json!({
            "teamId": team["teamId"], "name": "Door", "description": "Who looks",
            "primaryChannelUrl": before["properties"]["incidentUrl"],
            "teamCreationTimeUtc": before["properties"]["createdTimeUtc"],
        })
    );
    let after = api.ok(200, "GET", &format!("/incidents/{ONE}"), None).await;
    assert_eq!(after["properties"]["teamInformation"], team);
    assert_ne!(after["etag"], before["etag"]);
    // What is written of the incident leaves the team alone.
    let written = api.incident(ONE, "The north door").await;
    assert_eq!(written["properties"]["teamInformation"], team);
    let list = api.ok(200, "GET", "/incidents", None).await;
    assert_eq!(list["value"][0]["properties"]["teamInformation"], team);
    let log = api.own(200, "GET", "/api/incidents/1/activity", None).await;
    let entry = &log["value"][1];
    let told = json!([entry["what"], entry["team"], entry["name"], entry["members"], entry["groups"]]);
    assert_eq!(told, json!(["team_created", team["teamId"], "Door", [member], [group]]));
}

#[tokio::test]
async fn there_is_one_team_and_it_goes_with_its_incident() {
    let api = api().await;
    api.incident(ONE, "Door").await;
    let first = create(&api, 200, &json!({"teamName": "Door"})).await;
    assert!(first.get("description").is_none());
    let again = create(&api, 409, &json!({"teamName": "Window"})).await;
    let message = format!("Incident {ONE} already has a team, 'Door'.");
    assert_eq!(again, json!({"error": {"code": "Conflict", "message": message}}));
    let now = api.ok(200, "GET", &format!("/incidents/{ONE}"), None).await;
    assert_eq!(now["properties"]["teamInformation"], first);
    api.ok(200, "DELETE", &format!("/incidents/{ONE}"), None).await;
    let made = api.incident(ONE, "Door").await;
    assert!(made["properties"].get("teamInformation").is_none());
}

#[tokio::test]
async fn what_is_no_team_is_refused() {
    let mut api = api().await;
    api.incident(ONE, "Door").await;
    let guids = vec!["2046feea-040d-4a46-9e2b-91c2941bfa70"; 251];
    let cases = [
        (json!({}), "The request body is not valid: 'teamName': it is required."),
        (json!({"teamName": " "}), "A team's name must not be empty."),
        (json!({"teamName": "x".repeat(257)}), "A team's name can have 256 characters."),
        (
            json!({"teamName": "x", "teamDescription": "x".repeat(1_025)}),
            "A team's description can have 1024 characters.",
        ),
        (json!({"teamName": "x", "memberIds": guids}), "A team can be made with 250 members and groups."),
    ];
    for (body, message) in cases {
        assert_eq!(create(&api, 400, &body).await["error"]["message"], message);
    }
    let refused = create(&api, 400, &json!({"teamName": "x", "memberIds": ["mara"]})).await;
    assert!(refused["error"]["message"].as_str().unwrap().contains("'memberIds[0]'"), "{refused}");
    let team = json!({"teamName": "Door"});
    api.ok(404, "POST", &format!("/incidents/{TWO}/createTeam"), Some(&team)).await;
    api.token = api.token("reader", Role::Reader).await;
    create(&api, 403, &team).await;
    let now = api.ok(200, "GET", &format!("/incidents/{ONE}"), None).await;
    assert!(now["properties"].get("teamInformation").is_none());
}
