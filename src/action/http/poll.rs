//! The asynchronous pattern: a 202 with a `Location` means "begun, ask there".

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use reqwest::{Response, header::LOCATION};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use super::{
    fault::Fault,
    request::{self, host},
    response,
};
use crate::{
    action::Outcome,
    limits,
    secret::{Unsealable, Vault},
};

/// The header Azure's own services use beside or instead of `Location`.
const AZURE: &str = "azure-asyncoperation";
/// What addresses are sealed for.
const PLACE: &str = "http: where to ask";

/// What the next attempt must know. Whoever knows such an address can often ask there without credentials, so the journal
/// keeps it sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// Where to ask, sealed, in base64.
    location: String,
    /// Whether every hop so far was at the origin of the author's URL.
    pub(super) at_home: bool,
}

impl Waiting {
    /// The address to ask at.
    pub(super) fn location(&self, vault: &Vault) -> Result<Url, Fault> {
        let opened = BASE64_STANDARD.decode(&self.location).ok().and_then(|sealed| vault.unseal(PLACE, &sealed).ok());
        let text = opened.and_then(|bytes| String::from_utf8(bytes).ok());
        text.and_then(|text| Url::parse(&text).ok())
            .ok_or_else(|| Fault::Location(format!("where to ask is not known: {Unsealable}")))
    }
}

/// Where an answer says to ask, if it does.
pub(super) fn location(response: &Response, url: &Url) -> Result<Option<Url>, Fault> {
    if response.status().as_u16() != 202 {
        return Ok(None);
    }
    let headers = response.headers();
    let Some(location) = headers.get(LOCATION).or_else(|| headers.get(AZURE)) else { return Ok(None) };
    match request::resolve(url, location) {
        Ok(location) => Ok(Some(location)),
        Err(what) => {
            let host = host(url);
            Err(Fault::Location(format!(
                "{host} answered 202 and says to ask at {what}, which is no http or https address"
            )))
        }
    }
}

/// The outcome of a 202: to be asked again at `location`.
pub(super) fn outcome(
    location: &Url,
    at_home: bool,
    response: &Response,
    vault: &Vault,
    now: DateTime<Utc>,
) -> Result<Outcome, Fault> {
    let sealed = vault.seal(PLACE, location.as_str().as_bytes());
    let sealed = sealed.map_err(|error| Fault::Location(format!("its address cannot be sealed: {error}")))?;
    let waiting = json!(Waiting { location: BASE64_STANDARD.encode(sealed), at_home });
    let wait = response::retry_after(response.headers(), now).unwrap_or(limits::HTTP_POLL);
    let accepted = Outcome { code: "Accepted".into(), outputs: None, ..Outcome::succeeded(json!(null)) };
    Ok(accepted.polled(wait.max(limits::HTTP_POLL_LEAST), waiting))
}
