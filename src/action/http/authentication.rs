//! `authentication:` of a playbook: credentials that come as parameters, for playbooks that bring their own.

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::fault::Fault;
use crate::config::{self, HttpAuthentication, OAuth};

/// How the call proves who makes it. Secrets come from parameters of type `securestring`, never written down. It goes to
/// the origin of `url` only, over https, and replaces what the connection has.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Authentication {
    /// `basic` (`username`, `password`), `bearer` (`token`), `raw` (`value`), `client_certificate` (`certificate`,
    /// `key`) or `oauth` (`client_id`, `client_secret`, and `tenant` with `audience` or `scope`, or a `token_url`).
    #[serde(rename = "type")]
    #[schemars(with = "Kind")]
    kind: String,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    /// What stands after `Bearer`.
    #[serde(default)]
    token: Option<String>,
    /// The whole value of the `Authorization` header.
    #[serde(default)]
    value: Option<String>,
    /// The client's certificate in PEM, the chain after it.
    #[serde(default)]
    certificate: Option<String>,
    /// The private key of the certificate in PEM, not encrypted.
    #[serde(default)]
    key: Option<String>,
    /// Where tokens come from: any server with the client credentials grant of OAuth 2.0. Without it, Microsoft Entra.
    #[serde(default)]
    token_url: Option<String>,
    /// The host of Microsoft Entra. Default `https://login.microsoftonline.com`.
    #[serde(default)]
    authority: Option<String>,
    /// The Entra tenant, its id or its domain.
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    client_secret: Option<String>,
    /// What the token is for, such as `https://management.azure.com/`.
    #[serde(default)]
    audience: Option<String>,
    /// The same for the second version of Entra's endpoint, such as `https://graph.microsoft.com/.default`.
    #[serde(default)]
    scope: Option<String>,
}

/// The types, for the schema; the input itself is read ignoring case.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "the schema is made from it")]
enum Kind {
    Basic,
    Bearer,
    Raw,
    ClientCertificate,
    Oauth,
}

impl Authentication {
    /// What it gives, or which of its keys is missing or wrong.
    pub(super) fn into_credentials(self) -> Result<HttpAuthentication<SecretString>, Fault> {
        let kind = self.kind.to_ascii_lowercase();
        let need = |name: &str, value: Option<String>| {
            let message = || format!("the `authentication` of `http` is of type `{kind}` and has no `{name}`");
            value.ok_or_else(|| Fault::BadRequest(message()))
        };
        let secret = |name: &str, value: Option<String>| need(name, value).map(SecretString::from);
        Ok(match kind.as_str() {
            "basic" => HttpAuthentication::Basic {
                username: need("username", self.username)?,
                password: secret("password", self.password)?,
            },
            "bearer" => HttpAuthentication::Bearer { token: secret("token", self.token)? },
            "raw" => HttpAuthentication::Raw { value: secret("value", self.value)? },
            "client_certificate" => HttpAuthentication::ClientCertificate {
                certificate: secret("certificate", self.certificate)?,
                key: secret("key", self.key)?,
            },
            "oauth" => {
                let (token_url, asks) = match &self.token_url {
                    Some(url) => {
                        let asks = [("scope", self.scope), ("audience", self.audience)];
                        (token_url(url)?, asks.into_iter().filter_map(|(name, text)| Some((name, text?))).collect())
                    }
                    None => {
                        let tenant = need("tenant", self.tenant)?;
                        let (audience, scope) = (self.audience.as_deref(), self.scope.as_deref());
                        config::entra(self.authority.as_deref(), &tenant, audience, scope).map_err(|(key, why)| {
                            Fault::BadRequest(format!("`{key}` in the `authentication` of `http` {why}"))
                        })?
                    }
                };
                if config::is_readable_on_the_way(&token_url) {
                    let message = "the `client_secret` in the `authentication` of `http` would be sent unencrypted";
                    return Err(Fault::BadRequest(message.into()));
                }
                HttpAuthentication::OAuth(Box::new(OAuth {
                    token_url,
                    client_id: need("client_id", self.client_id)?,
                    client_secret: secret("client_secret", self.client_secret)?,
                    asks,
                }))
            }
            _ => {
                let message = "the `type` in the `authentication` of `http` is none of basic, bearer, raw, \
                               client_certificate, oauth";
                return Err(Fault::BadRequest(message.into()));
            }
        })
    }
}

fn token_url(text: &str) -> Result<Url, Fault> {
    let url = Url::parse(text.trim()).ok();
    let web = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.password().is_none());
    web.ok_or_else(|| Fault::BadRequest("`token_url` in the `authentication` of `http` is no web address".into()))
}
