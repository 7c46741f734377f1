//! `/first-admin/{secret}`: the link that makes the first administrator's token. Opening it changes nothing, because mail
//! and chat programs open links; only the button on its page uses it up.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    extract::{Path as InPath, Request, State},
    http::{HeaderMap, StatusCode, request::Parts},
    response::Response,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, SecondsFormat, Utc};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;

use super::{
    Site,
    caller::Refused,
    problem::{Problem, Speaks, json as json_answer},
    request::STORE_RETRY,
    speaks,
};
use crate::{
    access::{Issued, Lifetime, Role, StoredToken, TokenRequest},
    store::{Store, StoreError},
};

/// The file in the data folder that the link stands in.
const FILE: &str = "first-admin";
/// Random bytes of a link.
const SECRET_BYTES: usize = 32;
/// The token's name; a number follows where it is taken.
const NAME: &str = "first-administrator";
/// Names that are tried.
const NAMES: usize = 100;

/// A link that makes one administrator's token. What is secret in it stands in its file and nowhere else.
#[derive(Debug)]
pub struct FirstAdmin {
    file: PathBuf,
    /// SHA-256 of the secret.
    hash: [u8; 32],
    used: Mutex<bool>,
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum FirstAdminError {
    #[error("the tokens could not be looked through for an administrator's: {0}")]
    Store(#[from] StoreError),
    #[error("the link for the first administrator cannot be written to {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
}

impl FirstAdmin {
    /// Makes a link below `url` and writes it to the data folder, if no administrator's token can be used. A file of before
    /// goes, since what it says does not count any more.
    ///
    /// # Errors
    /// When the tokens cannot be read or the file cannot be written.
    pub async fn prepare(
        store: &dyn Store,
        data: &Path,
        url: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, FirstAdminError> {
        let path = data.join(FILE);
        let failed = |source| FirstAdminError::File { path: path.clone(), source };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let administers = |token: &StoredToken| token.role == Role::Administrator && token.is_usable(now);
        if store.tokens().await?.iter().any(administers) {
            return Ok(None);
        }
        let hash = write(&path, url).map_err(failed)?;
        Ok(Some(Self { file: path, hash, used: Mutex::default() }))
    }

    /// Where the link stands.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    fn is(&self, secret: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(secret).into();
        hash.ct_eq(&self.hash).into()
    }
}

/// Writes a new link to a new file that only its owner may read.
fn write(path: &Path, url: &str) -> io::Result<[u8; 32]> {
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(|error| io::Error::other(error.to_string()))?;
    let secret = BASE64_URL_SAFE_NO_PAD.encode(secret);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{url}/first-admin/{secret}")?;
    file.sync_all()?;
    Ok(Sha256::digest(&secret).into())
}

#[derive(Serialize)]
struct Page {
    title: &'static str,
    action: String,
}

#[derive(Serialize)]
struct DonePage<'a> {
    title: &'static str,
    name: &'a str,
    expires: Option<String>,
    token: &'a str,
}

/// GET: what the link does, with a button.
pub async fn show(State(site): State<Arc<Site>>, InPath(secret): InPath<String>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    let page = async {
        let link = find(&site, &secret, &request)?;
        if *link.used.lock().await {
            return Err(used());
        }
        let page = Page { title: "The first administrator", action: format!("/first-admin/{secret}") };
        Ok(site.pages.answer(StatusCode::OK, "portal/first-admin", &page))
    };
    page.await.unwrap_or_else(|problem: Box<Problem>| problem.answer(&site.pages, speaks(&request.headers)))
}

/// POST: makes the token and shows it, once.
pub async fn make(State(site): State<Arc<Site>>, InPath(secret): InPath<String>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    let headers = &request.headers;
    let made = async {
        site.guard.own_site(headers)?;
        find(&site, &secret, &request)?;
        let task = tokio::spawn(use_up(site.clone()));
        // A task of its own: when the client goes meanwhile, the link must not go on counting beside the token it made.
        let issued = task.await.map_err(|error| unavailable(&error))??;
        Ok(answer(&site, headers, &issued))
    };
    made.await.unwrap_or_else(|problem: Box<Problem>| problem.answer(&site.pages, speaks(headers)))
}

/// Makes the link's token; then the link is used.
async fn use_up(site: Arc<Site>) -> Result<Issued, Box<Problem>> {
    let link = site.first_admin.get().ok_or_else(used)?;
    // Held until the token is on disk: of two who press at once, one gets it.
    let mut is_used = link.used.lock().await;
    if *is_used {
        return Err(used());
    }
    let issued = issue(&site).await?;
    *is_used = true;
    if let Err(error) = fs::remove_file(&link.file) {
        tracing::warn!(file = %link.file.display(), %error, "the used link cannot be removed; it counts no more");
    }
    tracing::info!(token = issued.stored.name, "the first administrator's token was made");
    Ok(issued)
}

/// The link that is meant.
fn find<'s>(site: &'s Site, secret: &str, request: &Parts) -> Result<&'s FirstAdmin, Box<Problem>> {
    site.first_admin.get().filter(|link| link.is(secret)).ok_or_else(|| {
        let client = site.client(&request.extensions, &request.headers);
        site.count_refused(client, Refused::NoLink).into()
    })
}

/// Makes a token under the first name that is free, and keeps it.
async fn issue(site: &Site) -> Result<Issued, Box<Problem>> {
    for number in 1..=NAMES {
        let name = if number == 1 { NAME.to_owned() } else { format!("{NAME}-{number}") };
        let by = "the link in first-admin".to_owned();
        let request = TokenRequest { name, role: Role::Administrator, lifetime: Lifetime::default(), by };
        let issued = request.issue(site.door.clock.now()).map_err(|error| unavailable(&error))?;
        if site.door.store.keep_token(issued.stored.clone()).await.map_err(|error| unavailable(&error))? {
            return Ok(issued);
        }
    }
    Err(unavailable(&format!("{NAMES} tokens are called {NAME}")))
}

fn answer(site: &Site, headers: &HeaderMap, issued: &Issued) -> Response {
    let (stored, token) = (&issued.stored, issued.token.expose_secret());
    if speaks(headers) == Speaks::Json {
        let body = json!({"token": token, "name": stored.name, "role": stored.role, "expires": stored.expires});
        return json_answer(StatusCode::CREATED, &body);
    }
    let expires = stored.expires.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
    let page = DonePage { title: "Keep this token", name: &stored.name, expires, token };
    site.pages.answer(StatusCode::CREATED, "portal/first-admin-done", &page)
}

fn used() -> Box<Problem> {
    let message = "This link made its token already, and counts once. If you did not press the button, somebody else did: \
                   look through the tokens with larum tokens list, and revoke what you do not know.";
    Problem::new(StatusCode::GONE, "Gone", "This link was used", message)
}

fn unavailable(error: &dyn std::fmt::Display) -> Box<Problem> {
    tracing::error!(%error, "the first administrator's token could not be made; the link still counts");
    let message = "The token could not be made. The link still counts: try again in a while.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "This does not work just now", message)
        .retry_after(STORE_RETRY)
}
