//! What every route asks of whoever comes, before and around its handler: not too often, with the role it needs, and
//! answered in time.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{Extensions, HeaderMap, StatusCode},
    middleware::Next,
    response::Response,
};
use tokio::time::timeout;

use super::{
    Site,
    caller::Caller,
    connection::Peer,
    guard::counted_as,
    problem::Problem,
    routes::{Access, Counted, Route},
    speaks,
};
use crate::access::Role;

impl Site {
    /// Whom limits count a request to.
    pub(super) fn client(&self, extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
        counted_as(self.guard.client(Peer::of(extensions), headers))
    }

    /// Counts a request, unless its client has sent too many.
    ///
    /// # Errors
    /// 429 with the time after which it may come again.
    pub(super) fn count(&self, client: IpAddr) -> Result<(), Box<Problem>> {
        self.api_rate.count(client, self.door.clock.now()).map_err(|seconds| {
            let message = format!("Too many requests came from your address. Try again in {seconds} seconds.");
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", "This is too much", message)
                .retry_after(seconds)
        })
    }

    /// Lets in whoever may use this route; `None` is anybody.
    ///
    /// # Errors
    /// 401 without a usable token, 403 with one of a lesser role.
    pub(super) async fn enter(
        &self,
        route: &Route,
        headers: &HeaderMap,
        client: IpAddr,
    ) -> Result<Option<Caller>, Box<Problem>> {
        let needed = match route.access {
            Access::Public => return Ok(None),
            Access::Metrics if self.open_metrics => return Ok(None),
            Access::Metrics => Role::Reader,
            Access::Role(role) => role,
        };
        Ok(Some(self.admit(headers, client, needed).await?))
    }
}

/// Stands before the handler of a page.
pub async fn page(State((site, route)): State<(Arc<Site>, &'static Route)>, request: Request, next: Next) -> Response {
    let speaks = speaks(request.headers());
    let entered = async {
        let client = site.client(request.extensions(), request.headers());
        if route.counted == Counted::Here {
            site.count(client)?;
        }
        site.enter(route, request.headers(), client).await?;
        in_time(route, async { Ok(next.run(request).await) }).await
    };
    entered.await.unwrap_or_else(|problem: Box<Problem>| problem.answer(&site.pages, speaks))
}

/// Waits for a handler as long as its route allows.
///
/// # Errors
/// 504 when it takes longer; what it has begun to write may still come about.
pub async fn in_time(
    route: &Route,
    handler: impl Future<Output = Result<Response, Box<Problem>>>,
) -> Result<Response, Box<Problem>> {
    timeout(route.patience, handler).await.unwrap_or_else(|_| {
        let seconds = route.patience.as_secs();
        tracing::error!(route = route.path, seconds, "a request was given up");
        let message = format!(
            "This took longer than {seconds} seconds and was given up. What was to be changed may have been: look before you \
             send it again."
        );
        Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "GatewayTimeout", "This took too long", message))
    })
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use axum::{response::IntoResponse, routing::get};

    use super::*;

    #[tokio::test]
    async fn a_handler_that_does_not_end_is_given_up() {
        let route = Route::page(&["GET"], "/", "", || get(|| async {})).patience(Duration::from_millis(20));
        let given_up = in_time(&route, pending()).await.unwrap_err();
        assert_eq!((given_up.status, given_up.code), (StatusCode::GATEWAY_TIMEOUT, "GatewayTimeout"));
        assert!(in_time(&route, async { Ok(StatusCode::OK.into_response()) }).await.is_ok());
    }

    #[test]
    fn what_waits_on_purpose_is_given_its_time() {
        use crate::limits::{FORM_PREFERRED_WAIT, HOOK_REQUEST, REPLY, REQUEST, REQUEST_BODY};
        assert!(REQUEST > REQUEST_BODY + FORM_PREFERRED_WAIT);
        assert!(HOOK_REQUEST > REQUEST_BODY + REPLY);
    }
}
