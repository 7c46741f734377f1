//! A running server, as the commands that change something speak to it.

use std::{env, path::PathBuf, time::Duration};

use reqwest::{
    Method, StatusCode, header,
    header::{HeaderMap, HeaderValue},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::sleep;
use url::Url;
use uuid::Uuid;

use super::data::Fault;
use crate::{action::http, config, limits};

/// Where a server listens when nothing else is said.
const USUAL: &str = "http://127.0.0.1:8787";
const URL: &str = "LARUM_URL";
const TOKEN: &str = "LARUM_TOKEN";
const CA_FILE: &str = "LARUM_CA_FILE";
/// How often a request is sent.
const ATTEMPTS: u32 = 4;
/// The first wait between two; it doubles.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest wait that a server may ask for; after a longer one nobody looks at the terminal any more.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than the server itself allows an answer.
const ANSWER: Duration = limits::REQUEST.saturating_add(Duration::from_secs(10));
const CONNECT: Duration = Duration::from_secs(10);

/// Which server, and what it is trusted by. The token comes from `LARUM_TOKEN` only: other users of this machine can read
/// the arguments of a command.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ServerArgs {
    /// The server's address. Default: the variable LARUM_URL, else http://127.0.0.1:8787. The token is read from LARUM_TOKEN.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A PEM file with the authority of the server's certificate, where the system does not know it. Default: LARUM_CA_FILE.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl ServerArgs {
    /// Whether a server was named, here or in the environment.
    #[must_use]
    pub fn names_one(&self) -> bool {
        self.url.is_some() || variable(URL).is_some()
    }

    /// Whether there is a token to ask a server with.
    #[must_use]
    pub fn has_token(&self) -> bool {
        variable(TOKEN).is_some()
    }

    /// A client of that server.
    ///
    /// # Errors
    /// When the address is none, would carry the token readable over the network, or there is no token.
    pub fn client(&self) -> Result<Client, Fault> {
        let text = self.url.clone().or_else(|| variable(URL)).unwrap_or_else(|| USUAL.to_owned());
        let url = Url::parse(&text).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
        let url =
            url.ok_or_else(|| Fault::Input(format!("'{text}' is not the address of a server, such as {USUAL}")))?;
        if config::is_readable_on_the_way(&url) {
            let message = "the token would cross the network readable; use its https:// address";
            return Err(Fault::Input(format!("nothing was sent to {text}: {message}")));
        }
        let token = variable(TOKEN).ok_or_else(|| {
            let first = "an administrator makes one (larum tokens create NAME --role ROLE); the first one comes from the \
                         link in the file first-admin of the data folder";
            Fault::Input(format!("{TOKEN} is not set: it must hold a token of {text}; {first}"))
        })?;
        if HeaderValue::try_from(token.trim()).is_err() {
            return Err(Fault::Input(format!(
                "{TOKEN} holds no token: a token is one line of ASCII; nothing was sent"
            )));
        }
        let ca_file = self.ca_file.clone().or_else(|| variable(CA_FILE).map(PathBuf::from));
        let tls = http::client_config(ca_file.as_deref()).map_err(Fault::Input)?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            // A redirect would carry the token to whoever it names.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .user_agent(concat!("larum/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Fault::Server(format!("no connection can be made: {}", told(&error))))?;
        Ok(Client { http: client, url, token: token.trim().to_owned().into() })
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Speaks to one server.
pub struct Client {
    http: reqwest::Client,
    url: Url,
    token: SecretString,
}

/// Whether a request may be sent again when its answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Sending it twice does the same as once.
    Harmless,
    /// It carries this `Idempotency-Key`: sent twice, it is done once.
    Once(Uuid),
    Never,
}

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    /// Null when it was no JSON.
    pub body: Value,
    /// Whether an answer was lost before: what was asked for may have come about then.
    pub is_repeated: bool,
}

/// The answer was lost: the server may have done what it was asked.
#[derive(Debug)]
pub struct Lost(String);

impl Client {
    /// Asks the server; what it says against it is an answer too.
    ///
    /// # Errors
    /// Of the outer kind when the server cannot be reached, of the inner when its answer was lost.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        again: Again,
    ) -> Result<Result<Answer, Lost>, Fault> {
        self.ask_with(&HeaderMap::new(), method, path, body, again).await
    }

    /// The same with more headers.
    ///
    /// # Errors
    /// As [`Client::ask`]'s.
    pub async fn ask_with(
        &self,
        headers: &HeaderMap,
        method: Method,
        path: &str,
        body: Option<&Value>,
        again: Again,
    ) -> Result<Result<Answer, Lost>, Fault> {
        let url = address(&self.url, path)?;
        let (mut attempt, mut pause, mut is_repeated) = (1, PAUSE, false);
        loop {
            match self.once(headers, &method, url.clone(), body, again).await? {
                Ok((answer, wait)) => {
                    let wait = wait.filter(|wait| attempt < ATTEMPTS && *wait <= PATIENCE);
                    let Some(wait) = wait else { return Ok(Ok(Answer { is_repeated, ..answer })) };
                    // It says that it did nothing, and when to come again.
                    eprintln!("{} asks to be asked again in {} seconds", self.url, wait.as_secs());
                    sleep(wait).await;
                }
                Err(lost) if again == Again::Never || attempt == ATTEMPTS => return Ok(Err(lost)),
                Err(_) => {
                    is_repeated = true;
                    sleep(pause).await;
                    pause *= 2;
                }
            }
            attempt += 1;
        }
    }

    /// The same, where only a good answer is of use; `undone` says what did not come about otherwise.
    ///
    /// # Errors
    /// Whatever stands in the way, in words that begin with `undone`.
    pub async fn get_done(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        again: Again,
        undone: &str,
    ) -> Result<Answer, Fault> {
        let asked = self.ask(method, path, body, again).await?;
        asked.map_err(|lost| lost.fault(undone))?.or_refused(undone)
    }

    async fn once(
        &self,
        headers: &HeaderMap,
        method: &Method,
        url: Url,
        body: Option<&Value>,
        again: Again,
    ) -> Result<Result<(Answer, Option<Duration>), Lost>, Fault> {
        let request = self.http.request(method.clone(), url).headers(headers.clone());
        let mut request = request.bearer_auth(self.token.expose_secret());
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_string());
        }
        if let Again::Once(key) = again {
            request = request.header("Idempotency-Key", key.to_string());
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                let why = told(&error);
                let way = if why.contains("UnknownIssuer") {
                    format!("its certificate's authority is not known here; --ca-file or {CA_FILE} names it")
                } else {
                    format!("`larum serve` starts one, {URL} or --url names another")
                };
                let message = format!("there is no server to speak to at {}: {why}; {way}", self.url);
                return Err(Fault::Server(message));
            }
            Err(error) => return Ok(Err(Lost(told(&error)))),
        };
        let status = response.status();
        let after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = after.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        let is_busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
        let body = match response.bytes().await {
            Ok(body) => serde_json::from_slice(&body).unwrap_or_default(),
            Err(error) => return Ok(Err(Lost(told(&error)))),
        };
        Ok(Ok((Answer { status, body, is_repeated: false }, after.filter(|_| is_busy))))
    }
}

impl Lost {
    /// What to tell, beginning with what may not have come about.
    #[must_use]
    pub fn fault(self, undone: &str) -> Fault {
        Fault::Server(format!("{undone}, or it was and the answer was lost ({}); look before you try again", self.0))
    }
}

impl Answer {
    /// This answer, if the server did what it was asked.
    ///
    /// # Errors
    /// What it said against it, and what to do.
    pub fn or_refused(self, undone: &str) -> Result<Self, Fault> {
        if self.status.is_success() {
            return Ok(self);
        }
        let error = &self.body["error"];
        let message = match (error["message"].as_str(), error["code"].as_str()) {
            (Some(message), _) => message.to_owned(),
            (None, Some(code)) => code.to_owned(),
            (None, None) => format!("the server answered {} and nothing more", self.status),
        };
        let hint = match self.status {
            StatusCode::UNAUTHORIZED => format!(" {TOKEN} must hold a token of this server that is good."),
            StatusCode::MISDIRECTED_REQUEST => format!(" {URL} must be the address that its larum.yaml names."),
            _ => String::new(),
        };
        let message = format!("{undone}: {message}{hint}");
        Err(if self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS {
            Fault::Server(message)
        } else {
            Fault::Input(message)
        })
    }

    /// A text of the body, or nothing.
    #[must_use]
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// An address below a server's, which may have a path of its own where a proxy puts it under one.
fn address(server: &Url, path: &str) -> Result<Url, Fault> {
    let text = format!("{}{path}", server.as_str().trim_end_matches('/'));
    Url::parse(&text).map_err(|error| Fault::Input(format!("'{text}' is no address: {error}")))
}

/// An error with its causes, without the address, which is told already.
fn told(error: &dyn std::error::Error) -> String {
    let mut causes = std::iter::successors(error.source(), |error| error.source()).map(ToString::to_string);
    let last = causes.next().map(|first| causes.last().unwrap_or(first));
    last.unwrap_or_else(|| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_below_the_path_of_the_server() {
        let table = [
            ("http://127.0.0.1:8787", "http://127.0.0.1:8787/api/tokens?a=b"),
            ("https://soc.example.com/", "https://soc.example.com/api/tokens?a=b"),
            ("https://example.com/larum", "https://example.com/larum/api/tokens?a=b"),
            ("https://example.com/larum/", "https://example.com/larum/api/tokens?a=b"),
        ];
        for (server, expected) in table {
            let found = address(&server.parse().unwrap(), "/api/tokens?a=b").unwrap();
            assert_eq!(found.as_str(), expected);
        }
    }
}
