//! Alerts, which other products send here: what incidents are related to, and what starts `alert` triggers.

use axum::{http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::{Uuid, uuid};

use crate::{
    incident::{
        Alert, Change, Entity, EntityKind, EntityResource, ResourceName, Severity, Workspace, Written, properties,
        within,
    },
    limits::{ALERT_BYTES, ALERT_ENTITIES, ENTITY_BYTES, INCIDENT_TITLE_CHARS},
    server::{
        ask::{Ask, bad_request, not_found, put, unexpected},
        own::incidents::refused,
        problem::{Problem, json},
        sentinel::{listing, optional_instant, page, word},
    },
};

/// The namespace of alerts' names that come from their products' (RFC 9562 §5.5).
const NAMESPACE: Uuid = uuid!("0c6f2f0e-5f0f-5a43-8a59-1f2d3c4b5a69");
/// Members that are kept in places of their own.
const OWN: [&str; 6] = ["alertDisplayName", "severity", "entities", "systemAlertId", "timeGenerated", "friendlyName"];

/// An alert. What else Sentinel's SecurityAlert has (`alertLink`, `confidenceLevel`, `resourceIdentifiers`, …) is kept as
/// it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[allow(dead_code, reason = "read to check the body, and the source of its schema")]
pub struct AlertWrite {
    /// Its title.
    alert_display_name: String,
    #[serde(deserialize_with = "word")]
    severity: Severity,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    vendor_name: Option<String>,
    /// What raised it; shown among an incident's `alertProductNames`.
    #[serde(default)]
    product_name: Option<String>,
    /// How the product calls it. An alert with the same one of the same product is the same alert.
    #[serde(default)]
    provider_alert_id: Option<String>,
    /// Which of the product's rules raised it.
    #[serde(default)]
    alert_type: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default, deserialize_with = "optional_instant")]
    #[schemars(with = "Option<String>")]
    start_time_utc: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "optional_instant")]
    #[schemars(with = "Option<String>")]
    end_time_utc: Option<DateTime<Utc>>,
    /// MITRE ATT&CK tactics, as in `InitialAccess`.
    #[serde(default)]
    tactics: Option<Vec<String>>,
    /// MITRE ATT&CK techniques, as in `T1566`.
    #[serde(default)]
    techniques: Option<Vec<String>>,
    /// Anything else.
    #[serde(default)]
    additional_data: Option<Map<String, Value>>,
    /// What it concerns.
    #[serde(default)]
    entities: Option<Vec<EntityWrite>>,
}

/// Something an alert concerns.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "an object")]
pub struct EntityWrite {
    kind: EntityKind,
    /// Under Sentinel's names, as in `{"address": "192.0.2.7"}` of an `Ip`. What identifies it gives it its name.
    #[serde(default)]
    properties: Map<String, Value>,
}

/// An alert and what it concerns.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AlertWithEntities")]
pub struct Shown {
    #[serde(flatten)]
    alert: EntityResource,
    entities: Vec<EntityResource>,
}

impl Shown {
    fn of(alert: &Alert, workspace: &Workspace) -> Self {
        let entities = alert.entities.iter().map(|entity| entity.resource(workspace)).collect();
        Self { alert: alert.resource(workspace), entities }
    }
}

/// GET `/api/alerts`, newest first.
pub async fn list(ask: Ask) -> Result<Response, Box<Problem>> {
    let listing = listing(&ask, properties::ALERT)?;
    let alerts = ask.store().alerts(listing).await?;
    Ok(page(&ask, alerts, |alert| Shown::of(alert, ask.workspace())))
}

/// GET `/api/alerts/{alert}`.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let name = ask.name("alert")?;
    let alert = ask.store().alert(&name).await?;
    let alert = alert.ok_or_else(|| not_found(name))?;
    Ok(json(StatusCode::OK, &Shown::of(&alert, ask.workspace())))
}

/// POST `/api/alerts`.
pub async fn post(ask: Ask) -> Result<Response, Box<Problem>> {
    take(ask, None).await
}

/// PUT `/api/alerts/{alert}`.
pub async fn put_one(ask: Ask) -> Result<Response, Box<Problem>> {
    let name = ask.name("alert")?;
    take(ask, Some(name)).await
}

async fn take(mut ask: Ask, name: Option<ResourceName>) -> Result<Response, Box<Problem>> {
    let body = ask.value().await?;
    let mut given: AlertWrite = ask.read(body.clone())?;
    if given.alert_display_name.trim().is_empty() {
        return Err(bad_request("'alertDisplayName' must not be empty."));
    }
    within("alertDisplayName", Some(&given.alert_display_name), INCIDENT_TITLE_CHARS).map_err(refused)?;
    let given_entities = given.entities.take().unwrap_or_default();
    if given_entities.len() > ALERT_ENTITIES {
        return Err(bad_request(format!("'entities' has more than {ALERT_ENTITIES} members.")));
    }
    let name = name.unwrap_or_else(|| ResourceName::Guid(derived(&given)));
    let Value::Object(mut properties) = body else { return Err(unexpected()) };
    properties.retain(|member, value| !value.is_null() && !OWN.contains(&&**member));
    if Value::from(properties.clone()).to_string().len() > ALERT_BYTES {
        return Err(bad_request(format!("The alert has more than {ALERT_BYTES} bytes besides its entities.")));
    }
    let mut entities: Vec<Entity> = Vec::with_capacity(given_entities.len());
    for entity in given_entities {
        if Value::from(entity.properties.clone()).to_string().len() > ENTITY_BYTES {
            return Err(bad_request(format!("The properties of an entity have more than {ENTITY_BYTES} bytes.")));
        }
        let entity = Entity::of(entity.kind, entity.properties);
        if entities.iter().all(|known| known.name != entity.name) {
            entities.push(entity);
        }
    }
    let alert = Box::new(Alert {
        name,
        etag: Uuid::nil(),
        title: given.alert_display_name.trim().to_owned(),
        severity: given.severity,
        received: ask.site.door.clock.now(),
        properties,
        entities,
    });
    match ask.change(Change::PutAlert { alert, precondition: ask.precondition(None) }).await? {
        Written::Alert { alert, created } => Ok(put(created, &Shown::of(&alert, ask.workspace()))),
        _ => Err(unexpected()),
    }
}

/// The name of an alert whose sender chose none: the same for what its product calls the same.
fn derived(alert: &AlertWrite) -> Uuid {
    match alert.provider_alert_id.as_deref().filter(|id| !id.is_empty()) {
        Some(id) => {
            let key = Value::from(vec![
                alert.vendor_name.as_deref().unwrap_or_default(),
                alert.product_name.as_deref().unwrap_or_default(),
                id,
            ]);
            Uuid::new_v5(&NAMESPACE, key.to_string().as_bytes())
        }
        None => Uuid::now_v7(),
    }
}
