//! What is sent: method, address, headers and body, made from the inputs.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use reqwest::{
    Method,
    header::{
        ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName,
        HeaderValue, USER_AGENT,
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

use super::{Inputs, body, fault::Fault};
use crate::{
    action::{Call, causes},
    config::HttpAuthentication,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const RUN_ID: HeaderName = HeaderName::from_static("x-ms-workflow-run-id");
const CLIENT_TRACKING_ID: HeaderName = HeaderName::from_static("x-ms-client-tracking-id");
const TRACKING_ID: HeaderName = HeaderName::from_static("x-ms-tracking-id");
const CAUSES: HeaderName = HeaderName::from_static(causes::CAUSES_HEADER);

/// What a call is known by, the same for each of its attempts.
#[derive(Debug, Clone)]
pub(super) struct Ids {
    /// The `Idempotency-Key`, should the inputs ask for one.
    pub(super) key: Uuid,
    pub(super) run: Uuid,
    /// `actions('x').trackingId`
    pub(super) tracking: Uuid,
    /// What led to it, as the header `Larum-Causes` has it.
    pub(super) causes: String,
}

impl Ids {
    pub(super) fn of(call: &Call<'_>) -> Self {
        Self {
            key: call.identity.uuid("idempotency-key"),
            run: call.run.run,
            tracking: call.identity.uuid("tracking"),
            causes: causes::header(&call.services.vault, &call.run.causes()),
        }
    }
}

/// A request as it is sent on one hop.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
}

impl Request {
    /// The first hop's request.
    pub(super) fn new(inputs: &Inputs, ids: &Ids) -> Result<Self, Fault> {
        let mut request = Self::bare(inputs, ids)?;
        request.method = method(inputs.method.as_deref().unwrap_or("GET"))?;
        if let Some(body) = &inputs.body {
            request.body = Some(body::encode(body, &mut request.headers, ids.key)?);
        }
        if inputs.idempotency_key {
            request.headers.insert(IDEMPOTENCY_KEY, text_value(&ids.key.to_string())?);
        }
        Ok(request)
    }

    /// The request that asks at `location` what became of the first one.
    pub(super) fn asking(inputs: &Inputs, ids: &Ids, location: Url, at_home: bool) -> Result<Self, Fault> {
        let mut request = Self::bare(inputs, ids)?;
        request.without_body();
        if !at_home {
            request.without_private_headers();
        }
        request.go(location);
        Ok(request)
    }

    fn bare(inputs: &Inputs, ids: &Ids) -> Result<Self, Fault> {
        let url = address(&inputs.url, inputs.queries.as_ref())?;
        let mut headers = headers(&inputs.headers)?;
        if let Some(cookie) = &inputs.cookie {
            let cookie = secret_value(cookie.trim())
                .ok_or_else(|| Fault::BadRequest("the input `cookie` of `http` can stand in no header".into()))?;
            headers.insert(COOKIE, cookie);
        }
        if !inputs.suppress_workflow_headers {
            for (name, id) in [(RUN_ID, ids.run), (CLIENT_TRACKING_ID, ids.run), (TRACKING_ID, ids.tracking)] {
                headers.entry(name).or_insert(text_value(&id.to_string())?);
            }
            // Whatever the inputs say: a Larum that is called would take them for what led to this run.
            headers.insert(CAUSES, text_value(&ids.causes)?);
        }
        Ok(Self { method: Method::GET, url, headers, body: None })
    }

    /// What a redirect with `status` to `target` makes of the request, as browsers do it (Fetch §4.4): 303 asks for
    /// the other address with GET, 301 and 302 do so after a POST, 307 and 308 send the same again.
    pub(super) fn redirected(mut self, status: u16, target: Url) -> Self {
        let asks_anew = match status {
            303 => self.method != Method::HEAD,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        if asks_anew {
            self.without_body();
        }
        self.go(target);
        self
    }

    fn without_body(&mut self) {
        self.method = Method::GET;
        self.body = None;
        for name in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE] {
            self.headers.remove(name);
        }
    }

    fn go(&mut self, target: Url) {
        if target.origin() != self.url.origin() {
            self.without_private_headers();
        }
        self.url = target;
    }

    /// Any header may be a credential (`X-Api-Key`), so only those that cannot be go to another origin.
    fn without_private_headers(&mut self) {
        const HARMLESS: [HeaderName; 6] =
            [ACCEPT, CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE, USER_AGENT, IDEMPOTENCY_KEY];
        let kept = HARMLESS.into_iter().filter_map(|name| self.headers.remove(&name).map(|value| (name, value)));
        self.headers = kept.collect();
    }
}

/// The `Authorization` header of what is sent as one; `None` for what is not.
pub(super) fn authorization(authentication: &HttpAuthentication<SecretString>) -> Result<Option<HeaderValue>, Fault> {
    let text = match authentication {
        HttpAuthentication::Basic { username, password } => {
            let pair = SecretString::from(format!("{username}:{}", password.expose_secret()));
            SecretString::from(format!("Basic {}", BASE64_STANDARD.encode(pair.expose_secret())))
        }
        HttpAuthentication::Bearer { token } => SecretString::from(format!("Bearer {}", token.expose_secret())),
        HttpAuthentication::Raw { value } => value.clone(),
        HttpAuthentication::ClientCertificate { .. } | HttpAuthentication::OAuth(_) => return Ok(None),
    };
    let value = secret_value(text.expose_secret())
        .ok_or_else(|| Fault::BadRequest("the secret of the call has characters that no header may hold".into()))?;
    Ok(Some(value))
}

/// A header value that is not shown; `None` when no header can hold it.
pub(super) fn secret_value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(text.as_bytes()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Scheme, host and port, all of a URL that an error may show.
pub(super) fn host(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Where a `Location` leads from `url`; otherwise what it is instead of a web address. Credentials in it are the server's
/// and not the author's, so they are left out.
pub(super) fn resolve(url: &Url, location: &HeaderValue) -> Result<Url, String> {
    let mut target = match url.join(&String::from_utf8_lossy(location.as_bytes())) {
        Ok(target) if is_web(&target) => target,
        Ok(other) => return Err(format!("`{}:`", other.scheme())),
        Err(_) => return Err("something unreadable".into()),
    };
    let cleared = target.set_username("").and_then(|()| target.set_password(None));
    cleared.map_err(|()| "something unreadable")?;
    target.set_fragment(None);
    Ok(target)
}

/// Whether `url` is `base` or lies below it: the same origin, and its path begins with the base's whole segments.
pub(super) fn is_under(url: &Url, base: &Url) -> bool {
    let root = base.path().trim_end_matches('/');
    url.origin() == base.origin()
        && url.path().strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn method(name: &str) -> Result<Method, Fault> {
    let known = [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE, Method::POST, Method::PATCH];
    known.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(name)).ok_or_else(|| {
        Fault::BadRequest("the input `method` of `http` is none of GET, HEAD, OPTIONS, PUT, DELETE, POST, PATCH".into())
    })
}

pub(super) fn address(text: &str, queries: Option<&Map<String, Value>>) -> Result<Url, Fault> {
    let bad = |what: &str| Fault::BadRequest(format!("the input `url` of `http` {what}"));
    let mut url = Url::parse(text.trim()).map_err(|error| bad(&format!("is no address: {error}")))?;
    if !is_web(&url) {
        return Err(bad("does not begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("holds credentials; put them into a connection"));
    }
    url.set_fragment(None);
    if let Some(queries) = queries {
        url.set_query(None);
        for (name, value) in queries.iter().filter(|(_, value)| !value.is_null()) {
            url.query_pairs_mut().append_pair(name, &scalar("queries", name, value)?);
        }
    }
    Ok(url)
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

fn headers(given: &Map<String, Value>) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::with_capacity(given.len() + 2);
    for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        let parsed = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| {
            Fault::BadRequest(format!("the input `headers` of `http` has {name:?}, which is no header's name"))
        })?;
        if is_stripped(parsed.as_str()) {
            continue;
        }
        let mut value = text_value(scalar("headers", name, value)?.trim()).map_err(|_| {
            Fault::BadRequest(format!("the header `{parsed}` of `http` has a line break or another control character"))
        })?;
        value.set_sensitive(parsed == AUTHORIZATION);
        headers.insert(parsed, value);
    }
    Ok(headers)
}

/// Headers that are the transport's own, and those Logic Apps leaves out.
fn is_stripped(name: &str) -> bool {
    let hop = ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "expect"];
    let refused = ["allow", "cookie", "expires", "last-modified", "origin", "set-cookie"];
    let content =
        name.starts_with("content-") && !["content-disposition", "content-encoding", "content-type"].contains(&name);
    let accept = name.starts_with("accept-") && name != "accept-version";
    hop.contains(&name) || refused.contains(&name) || name.starts_with("proxy-") || content || accept
}

/// A header value; refuses what could end the line (RFC 9110 §5.5).
pub(super) fn text_value(text: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| Fault::BadRequest("no header can hold this".into()))
}

/// A value that has one plain text.
pub(super) fn scalar(input: &str, name: &str, value: &Value) -> Result<String, Fault> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Null => Ok(value.to_string()),
        Value::Array(_) | Value::Object(_) => Err(Fault::BadRequest(format!(
            "`{name}` in the input `{input}` of `http` is a list or an object; it must be a text, a number or true or false"
        ))),
    }
}
