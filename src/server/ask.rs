//! A request as an API's handler sees it: who asks for what, already admitted.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, Uri, header},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Site, caller::Caller, problem::Problem};
use crate::{content, limits::API_BODY_BYTES};

/// A request that was let in.
pub struct Ask {
    pub site: Arc<Site>,
    pub caller: Caller,
    /// What stood in the address for the route's parameters, decoded.
    pub(super) parameters: Vec<(&'static str, String)>,
    /// Decoded, in order.
    pub(super) query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub uri: Uri,
    pub(super) body: Body,
}

impl Ask {
    /// A parameter of the path; the table's tests see to it that every handler asks for those its path has.
    #[must_use]
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// The first query parameter of this name, ignoring case.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// The JSON body, read as a `T`. What is wrong with it is told with the place of it.
    ///
    /// # Errors
    /// 400 when it is no JSON or no `T`, 413 when it is too large, 415 when it says that it is something else.
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Box<Problem>> {
        let value = self.value().await?;
        serde_path_to_error::deserialize(value).map_err(|error| {
            let (path, inner) = (error.path().to_string(), error.inner().to_string());
            let place = if path == "." { String::new() } else { format!("'{path}': ") };
            bad_request(format!("The request body is not valid: {place}{inner}."))
        })
    }

    /// The JSON body.
    ///
    /// # Errors
    /// As [`Ask::json`]'s.
    pub async fn value(&mut self) -> Result<Value, Box<Problem>> {
        let declared = self.headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
        // Clients that send JSON without saying so are understood.
        if let Some(declared) = declared.filter(|declared| !declared.to_ascii_lowercase().contains("json")) {
            let message = format!("The body must be JSON (Content-Type: application/json), not '{declared}'.");
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UnsupportedMediaType",
                "This cannot be read",
                message,
            ));
        }
        let body = std::mem::take(&mut self.body);
        let held = self.site.bodies.read(body, &self.headers, API_BODY_BYTES).await?;
        if held.bytes.is_empty() {
            return Err(bad_request("The request body is missing; it must be a JSON object."));
        }
        content::value(Some("application/json"), held.bytes.clone())
            .await
            .map_err(|fault| bad_request(format!("The request body is not valid: {fault}.")))
    }
}

/// 400.
#[must_use]
pub fn bad_request(message: impl Into<String>) -> Box<Problem> {
    Problem::new(StatusCode::BAD_REQUEST, "BadRequest", "This cannot be taken", message)
}
