//! `/openapi.json`: what Larum serves, in OpenAPI 3.1, made from [`TABLE`].

use std::sync::OnceLock;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::routes::{Access, Answer, Content, Handler, Route, TABLE};

/// GET: the document. It is made when it is first asked for, and kept.
pub async fn show() -> Response {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    let text = DOCUMENT.get_or_init(|| document().to_string());
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "max-age=300")], text.as_str())
        .into_response()
}

/// The document.
#[must_use]
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in TABLE {
        let path = route.path.replace("{*", "{");
        let item = paths.entry(path).or_insert_with(|| json!({}));
        for method in route.methods {
            item[method.to_lowercase()] = operation(route, method, &mut generator);
        }
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Error".to_owned(), error());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Larum",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Incidents under Microsoft Sentinel's API, and what Larum has besides. Addresses of both ignore case.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A token made with `larum tokens create`."},
            },
        },
    })
}

fn operation(route: &Route, method: &str, generator: &mut SchemaGenerator) -> Value {
    let is_api = matches!(route.handler, Handler::Api(_));
    let mut operation = json!({
        "tags": [group(route)],
        "summary": route.summary,
        "operationId": identifier(route, method),
        "parameters": parameters(route),
        "responses": responses(route.answers, is_api, generator),
    });
    match route.access {
        Access::Role(role) => {
            operation["security"] = json!([{"bearer": []}]);
            operation["description"] = format!("Needs the role {}.", role.as_str()).into();
        }
        Access::Metrics => operation["security"] = json!([{}, {"bearer": []}]),
        Access::Public => {}
    }
    if let Some(shape) = route.request {
        operation["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": shape(generator)}}});
    }
    operation
}

/// Whose API a path is of, and what stands after what every address of that has in common.
fn split(path: &str) -> (&'static str, &str) {
    match path.rsplit_once("/Microsoft.SecurityInsights/") {
        Some((_, rest)) => ("sentinel", rest),
        None => ("larum", path.strip_prefix("/api/").unwrap_or(path)),
    }
}

fn group(route: &Route) -> String {
    if route.group.is_empty() {
        let (api, rest) = split(route.path);
        format!("{api}: {}", rest.split('/').next().unwrap_or_default())
    } else {
        route.group.to_owned()
    }
}

/// `put_sentinel_incidents_incident`: the method, whose API it is, and the words of the path.
fn identifier(route: &Route, method: &str) -> String {
    let (api, rest) = split(route.path);
    let words = rest.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    [method.to_lowercase().as_str(), api].into_iter().chain(words).collect::<Vec<_>>().join("_")
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({"name": name.trim_start_matches('*'), "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    if super::dispatch::is_arm(route.path) {
        parameters.push(json!({
            "name": "api-version",
            "in": "query",
            "required": true,
            "description": "Any version that Sentinel's API has had, as in 2024-03-01.",
            "schema": {"type": "string"},
        }));
    }
    let in_query = route.query.iter().map(|parameter| (parameter, "query"));
    let in_header = route.headers.iter().map(|parameter| (parameter, "header"));
    parameters.extend(in_query.chain(in_header).map(|(parameter, place)| {
        json!({
            "name": parameter.name,
            "in": place,
            "required": parameter.required,
            "description": parameter.about,
            "schema": {"type": "string"},
        })
    }));
    parameters
}

fn responses(answers: &[Answer], is_api: bool, generator: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    for answer in answers {
        let mut response = json!({"description": meaning(answer.status)});
        match answer.body {
            Content::Nothing => {}
            Content::Json(shape) => {
                response["content"] = json!({"application/json": {"schema": shape(generator)}});
            }
            Content::Other(media_type) => response["content"] = json!({media_type: {}}),
        }
        responses.insert(answer.status.to_string(), response);
    }
    if is_api {
        let schema = json!({"$ref": "#/components/schemas/Error"});
        let content = json!({"application/json": {"schema": schema}});
        responses.insert("default".to_owned(), json!({"description": "Refused, or failed", "content": content}));
    }
    responses.into()
}

fn meaning(status: u16) -> &'static str {
    match status {
        201 => "Created",
        202 => "Taken",
        204 => "Done, or nothing was to be done",
        503 => "Not now",
        _ => "Done",
    }
}

/// What every refusal says.
fn error() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {
                    "code": {"type": "string", "description": "A word for programs, as in BadRequest."},
                    "message": {"type": "string", "description": "What is wrong and what to do."},
                },
            },
        },
    })
}
