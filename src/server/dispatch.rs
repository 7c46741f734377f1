//! From a request to the API's handler: find the route, admit the caller, hand over.

use std::sync::{Arc, Mutex};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};

use super::{
    Site,
    ask::{Ask, bad_request},
    connection::Peer,
    gate::in_time,
    problem::{Problem, Speaks},
    request::queries,
    routes::{Found, Handler},
    sentinel, speaks,
};
use crate::limits::API_QUERY_BYTES;

/// The first segment of everything Azure Resource Manager serves.
const ARM: &str = "subscriptions";

/// Answers what no page answers: the APIs, and that there is nothing here.
pub async fn call(State(site): State<Arc<Site>>, request: Request) -> Response {
    let is_api = is_api(request.uri().path());
    let speaks = if is_api { Speaks::Json } else { speaks(request.headers()) };
    answer(&site, request).await.unwrap_or_else(|problem| problem.answer(&site.pages, speaks))
}

async fn answer(site: &Arc<Site>, request: Request) -> Result<Response, Box<Problem>> {
    let (parts, body) = request.into_parts();
    let client = site.client(&parts.extensions, &parts.headers);
    let peer = Peer::of(&parts.extensions);
    site.count(client)?;
    let found = site.routes.find(parts.method.as_str(), parts.uri.path());
    let (route, parameters) = match found {
        Found::Route { route, parameters } => (route, parameters),
        Found::WrongMethod(methods) if is_arm(parts.uri.path()) => {
            let origin = site.guard.origin(site.scheme, peer, &parts.uri, &parts.headers);
            return Ok(sentinel::wrong_method(&parts.uri, &origin, &parts.method, &methods.join(", ")));
        }
        Found::WrongMethod(methods) => return Err(wrong_method(&parts, &methods)),
        Found::Nothing if is_arm(parts.uri.path()) => {
            let mut nothing = Problem::not_found();
            nothing.code = "ResourceNotFound";
            return Err(nothing);
        }
        Found::Nothing => return Err(Problem::not_found()),
    };
    let Handler::Api(handler) = route.handler else { return Err(Problem::not_found()) };
    // No API is public; a table that says so is not believed.
    let caller = site.enter(route, &parts.headers, client).await?.ok_or_else(Problem::not_found)?;
    let query = queries(parts.uri.query()).map_err(|_| bad_request("The query is not valid UTF-8, or too long."))?;
    // As the next page's address will hold it, so that no page is refused after the first.
    if sentinel::encoded_bytes(&query) > API_QUERY_BYTES {
        return Err(bad_request(format!("The query, percent-encoded, has more than {API_QUERY_BYTES} bytes.")));
    }
    let ask = Ask {
        site: site.clone(),
        caller,
        parameters,
        query,
        headers: parts.headers,
        uri: parts.uri,
        peer,
        body: Mutex::new(body),
    };
    if is_arm(route.path) {
        sentinel::addressed(&ask)?;
    }
    in_time(route, handler(ask)).await
}

/// Whether an address is one of the APIs', whose answers are JSON whatever a client accepts.
fn is_api(path: &str) -> bool {
    is_arm(path) || path.split('/').nth(1).is_some_and(|first| first.eq_ignore_ascii_case("api"))
}

/// Whether an address is Azure Resource Manager's.
pub(super) fn is_arm(path: &str) -> bool {
    path.split('/').nth(1).is_some_and(|first| first.eq_ignore_ascii_case(ARM))
}

fn wrong_method(parts: &axum::http::request::Parts, methods: &[&'static str]) -> Box<Problem> {
    let message = format!("This address does not take {}; it takes {}.", parts.method, methods.join(", "));
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "This cannot be done here", message)
        .allow(methods.join(", "))
}
