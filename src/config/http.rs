//! `http:` connections: where a service is, how Larum proves who it is there, and which networks it may reach.

use std::path::PathBuf;

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use super::{
    connection::{KEPT, is_loopback},
    read::Reader,
};
use crate::{
    diagnostic::codes,
    secret::{SecretError, SecretRef},
    yaml::{Fields, Given, Shape, Takes},
};

/// An HTTP service: its credentials and the networks it may be on.
#[derive(Debug, Clone)]
pub struct Http {
    /// Only URLs under this one get the credentials.
    pub base_url: Url,
    pub authentication: Option<HttpAuthentication>,
    /// Otherwise refused networks (loopback, private, …) that this connection may reach.
    pub allow_networks: Vec<IpNet>,
    /// A PEM file with certificate authorities that count beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// How an HTTP call proves who makes it. `S` is where a secret is kept, or, once it was read, the secret.
#[derive(Debug, Clone)]
pub enum HttpAuthentication<S = SecretRef> {
    /// `Authorization: Basic …` (RFC 7617).
    Basic { username: String, password: S },
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer { token: S },
    /// The whole value of `Authorization`.
    Raw { value: S },
    /// A certificate shown during the TLS handshake, both in PEM: the certificate with its chain, and its private key.
    ClientCertificate { certificate: S, key: S },
    /// A token of an authorisation server, fetched with the client's own credentials (RFC 6749 §4.4).
    OAuth(Box<OAuth<S>>),
}

/// What a token is asked with.
#[derive(Debug, Clone)]
pub struct OAuth<S = SecretRef> {
    pub token_url: Url,
    pub client_id: String,
    pub client_secret: S,
    /// What the token is for, as fields of the request: `scope`, `audience`, or `resource` with Microsoft's first version.
    pub asks: Vec<(&'static str, String)>,
}

/// Where tokens come from unless `authority` or `token_url` says otherwise.
const AUTHORITY: &str = "https://login.microsoftonline.com";

/// Where tokens come from, and what they are asked with.
pub type Endpoint = (Url, Vec<(&'static str, String)>);

/// Where Microsoft Entra gives tokens to clients of `tenant`, and what to ask with: the second version of its endpoint
/// takes a `scope`, the first, which Logic Apps uses, an `audience`.
///
/// # Errors
/// Which of the inputs is wrong, and how.
pub fn entra(
    authority: Option<&str>,
    tenant: &str,
    audience: Option<&str>,
    scope: Option<&str>,
) -> Result<Endpoint, (&'static str, &'static str)> {
    let no_address = ("authority", "is no web address");
    let mut url = Url::parse(authority.unwrap_or(AUTHORITY)).map_err(|_| no_address)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !url.username().is_empty() {
        return Err(no_address);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if tenant.is_empty() || tenant.starts_with('.') || !tenant.chars().all(plain) {
        return Err(("tenant", "is neither the id nor the domain of a tenant"));
    }
    let (version, ask) = match (audience, scope) {
        (Some(audience), None) => ("", ("resource", audience.to_owned())),
        (None, Some(scope)) => ("v2.0/", ("scope", scope.to_owned())),
        (None, None) => return Err(("audience", "or `scope` must say what the token is for")),
        (Some(_), Some(_)) => {
            return Err(("scope", "and `audience` exclude each other: one says what the token is for"));
        }
    };
    let path = format!("{}/{tenant}/oauth2/{version}token", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    Ok((url, vec![ask]))
}

/// Whether what is sent to `url` can be read on the way: it is not encrypted and does not stay on this machine.
#[must_use]
pub fn is_readable_on_the_way(url: &Url) -> bool {
    url.scheme() == "http" && !url.host_str().is_some_and(is_loopback)
}

impl HttpAuthentication {
    /// Reads the secrets, anew each time, so that rotated ones take effect at once.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn read(&self) -> Result<HttpAuthentication<SecretString>, SecretError> {
        Ok(match self {
            Self::Basic { username, password } => {
                HttpAuthentication::Basic { username: username.clone(), password: password.read()? }
            }
            Self::Bearer { token } => HttpAuthentication::Bearer { token: token.read()? },
            Self::Raw { value } => HttpAuthentication::Raw { value: value.read()? },
            Self::ClientCertificate { certificate, key } => {
                HttpAuthentication::ClientCertificate { certificate: certificate.read()?, key: key.read()? }
            }
            Self::OAuth(oauth) => HttpAuthentication::OAuth(Box::new(OAuth {
                token_url: oauth.token_url.clone(),
                client_id: oauth.client_id.clone(),
                client_secret: oauth.client_secret.read()?,
                asks: oauth.asks.clone(),
            })),
        })
    }
}

pub(super) fn http(given: Given<'_>, reader: &mut Reader<'_>) -> Option<Http> {
    let mut fields = given.fields(&HTTP, &mut reader.faults)?;
    let base_url = fields.required("base_url");
    let authentication = fields.optional("authentication");
    let allow_networks = fields.optional("allow_networks");
    let ca_file = fields.optional("ca_file");
    fields.finish(&mut reader.faults);
    let url = base_url.and_then(|given| reader.url(given));
    let authentication = authentication.and_then(|given| read_authentication(given, reader));
    let allow_networks = allow_networks.map(|given| reader.networks(given)).unwrap_or_default();
    let ca_file = ca_file.and_then(|given| reader.path(given));
    let url = url?;
    if let (Some(authentication), Some(given)) = (&authentication, base_url) {
        encrypted(&url, given, reader);
        if matches!(authentication, HttpAuthentication::ClientCertificate { .. }) && url.scheme() == "http" {
            let help = "a certificate is shown during the TLS handshake: use https";
            reader.bad(&given, "without encryption no certificate is shown".to_owned(), help);
        }
    }
    Some(Http { base_url: url, authentication, allow_networks, ca_file })
}

/// A fault when credentials would be readable on the way to `url`.
pub(super) fn encrypted(url: &Url, given: Given<'_>, reader: &mut Reader<'_>) {
    if is_readable_on_the_way(url) {
        let message = "credentials would go to this address unencrypted";
        reader.faults.add_with(codes::PLAIN_TRANSPORT, given.span(), message, Some("use https".to_owned()));
    }
}

#[derive(Clone, Copy)]
enum Scheme {
    Basic,
    Bearer,
    Raw,
    ClientCertificate,
    OAuth,
}

const SCHEMES: &[(&str, Scheme)] = &[
    ("basic", Scheme::Basic),
    ("bearer", Scheme::Bearer),
    ("raw", Scheme::Raw),
    ("client_certificate", Scheme::ClientCertificate),
    ("oauth", Scheme::OAuth),
];

/// The keys of each scheme.
const AUTHENTICATION: &[(&str, &Shape)] = &[
    ("basic", &BASIC),
    ("bearer", &BEARER),
    ("raw", &RAW),
    ("client_certificate", &CLIENT_CERTIFICATE),
    ("oauth", &OAUTH),
];

crate::shape! {
    /// A web service, for `http`.
    pub(super) HTTP = "an http connection";
    /// Its address; only calls under it get the credentials.
    required "base_url": Takes::Like("^[Hh][Tt][Tt][Pp][Ss]?://");
    /// How Larum proves who it is.
    optional "authentication": Takes::Kinds("type", AUTHENTICATION);
    /// Networks that it may be on although calls to them are refused otherwise: this machine, private networks.
    optional "allow_networks": Takes::OneOrMore(&Takes::Words);
    /// A PEM file with certificate authorities that count beside the system's.
    optional "ca_file": Takes::Words;
}

crate::shape! {
    /// A user and a password (`Authorization: Basic`).
    BASIC = "`authentication`";
    /// `basic`
    required "type": Takes::Choice(|| vec!["basic"]);
    /// The user.
    required "username": Takes::Words;
    /// Where the password is kept.
    required "password": KEPT;
}

crate::shape! {
    /// A token (`Authorization: Bearer`).
    BEARER = "`authentication`";
    /// `bearer`
    required "type": Takes::Choice(|| vec!["bearer"]);
    /// Where the token is kept.
    required "token": KEPT;
}

crate::shape! {
    /// The whole value of `Authorization`.
    RAW = "`authentication`";
    /// `raw`
    required "type": Takes::Choice(|| vec!["raw"]);
    /// Where the value is kept.
    required "value": KEPT;
}

crate::shape! {
    /// A certificate that is shown while the connection is being encrypted.
    CLIENT_CERTIFICATE = "`authentication`";
    /// `client_certificate`
    required "type": Takes::Choice(|| vec!["client_certificate"]);
    /// Where the certificate with those that vouch for it is kept, in PEM.
    required "certificate": KEPT;
    /// Where its private key is kept, in PEM.
    required "key": KEPT;
}

crate::shape! {
    /// A token that is fetched with the client's own credentials, of Microsoft Entra unless `token_url` says otherwise.
    OAUTH = "`authentication`";
    /// `oauth`
    required "type": Takes::Choice(|| vec!["oauth"]);
    /// The client.
    required "client_id": Takes::Words;
    /// Where the client's secret is kept.
    required "client_secret": KEPT;
    /// What the token is for; with Microsoft's first version of the endpoint.
    optional "audience": Takes::Words;
    /// What the token is for; with Microsoft's second version of the endpoint, which has `.default` scopes.
    optional "scope": Takes::Words;
    /// Where tokens come from, of any other authorisation server.
    optional "token_url": Takes::Words;
    /// Where Microsoft Entra is. Default `https://login.microsoftonline.com`.
    optional "authority": Takes::Words;
    /// The tenant's id or domain; needed without `token_url`.
    sometimes "tenant": Takes::Words;
}

fn read_authentication(given: Given<'_>, reader: &mut Reader<'_>) -> Option<HttpAuthentication> {
    let mut fields = given.fields("`authentication`", &mut reader.faults)?;
    let kind = fields.required("type");
    let Some(scheme) = kind.and_then(|given| given.choice(SCHEMES, &mut reader.faults)) else {
        // Which keys belong here is not known without the type, but what is secret stays so.
        for key in ["password", "token", "value", "key", "client_secret"] {
            if let Some(given) = fields.optional(key) {
                reader.secret(given);
            }
        }
        fields.ignore(&[
            "username",
            "certificate",
            "token_url",
            "authority",
            "tenant",
            "client_id",
            "audience",
            "scope",
        ]);
        fields.finish(&mut reader.faults);
        return None;
    };
    match scheme {
        Scheme::Basic => {
            fields.narrow(&BASIC);
            let username = fields.required("username");
            let password = fields.required("password");
            fields.finish(&mut reader.faults);
            let username = username.and_then(|given| given.words(&mut reader.faults)).map(str::to_owned);
            let password = password.and_then(|given| reader.secret(given));
            Some(HttpAuthentication::Basic { username: username?, password: password? })
        }
        Scheme::Bearer => {
            fields.narrow(&BEARER);
            let token = fields.required("token");
            fields.finish(&mut reader.faults);
            Some(HttpAuthentication::Bearer { token: reader.secret(token?)? })
        }
        Scheme::Raw => {
            fields.narrow(&RAW);
            let value = fields.required("value");
            fields.finish(&mut reader.faults);
            Some(HttpAuthentication::Raw { value: reader.secret(value?)? })
        }
        Scheme::ClientCertificate => {
            fields.narrow(&CLIENT_CERTIFICATE);
            let certificate = fields.required("certificate");
            let key = fields.required("key");
            fields.finish(&mut reader.faults);
            let certificate = certificate.and_then(|given| reader.secret(given));
            let key = key.and_then(|given| reader.secret(given));
            Some(HttpAuthentication::ClientCertificate { certificate: certificate?, key: key? })
        }
        Scheme::OAuth => read_oauth(fields, reader).map(|oauth| HttpAuthentication::OAuth(Box::new(oauth))),
    }
}

/// `{type: oauth, …}`: with `token_url` any authorisation server, otherwise a tenant of Microsoft Entra.
fn read_oauth(mut fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<OAuth> {
    fields.narrow(&OAUTH);
    let client_id = fields.required("client_id");
    let client_secret = fields.required("client_secret");
    let audience = fields.optional("audience");
    let scope = fields.optional("scope");
    let token_url = fields.optional("token_url");
    let authority = fields.optional("authority");
    let tenant = if token_url.is_some() { fields.optional("tenant") } else { fields.required("tenant") };
    let span = fields.span();
    fields.finish(&mut reader.faults);
    let words = |given: Option<Given<'_>>, reader: &mut Reader<'_>| {
        given.and_then(|given| given.words(&mut reader.faults)).map(str::to_owned)
    };
    let client_id = words(client_id, reader);
    let client_secret = client_secret.and_then(|given| reader.secret(given));
    let (audience_text, scope_text) = (words(audience, reader), words(scope, reader));
    let (token_url, asks) = if let Some(given) = token_url {
        for other in [authority, tenant].into_iter().flatten() {
            let message = format!("`token_url` says where tokens come from, `{}` says so too", other.key);
            reader.faults.add(codes::EXCLUSIVE_KEYS, other.key_span(), message);
        }
        let url = reader.url(given)?;
        encrypted(&url, given, reader);
        let asks = [("scope", scope_text), ("audience", audience_text)];
        (url, asks.into_iter().filter_map(|(name, text)| Some((name, text?))).collect())
    } else {
        let (authority_text, tenant_text) = (words(authority, reader), words(tenant, reader)?);
        match entra(authority_text.as_deref(), &tenant_text, audience_text.as_deref(), scope_text.as_deref()) {
            Ok((url, asks)) => {
                if let Some(given) = authority {
                    encrypted(&url, given, reader);
                }
                (url, asks)
            }
            Err((key, why)) => {
                let place = [authority, tenant, scope].into_iter().flatten().find(|given| given.key == key);
                let span = place.map_or(span, |given| given.span());
                reader.faults.add(codes::BAD_VALUE, span, format!("`{key}` {why}"));
                return None;
            }
        }
    };
    Some(OAuth { token_url, client_id: client_id?, client_secret: client_secret?, asks })
}
