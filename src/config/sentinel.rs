//! `sentinel:` connections: a workspace of Microsoft Sentinel, or of another Larum.

use chrono::NaiveDate;

use super::{Http, HttpAuthentication, OAuth, Workspace, connection::KEPT, entra, http::encrypted, read::Reader};
use crate::{
    diagnostic::codes,
    yaml::{Fields, Given, Takes},
};

/// A workspace behind Sentinel's API.
#[derive(Debug, Clone)]
pub struct Sentinel {
    pub workspace: Workspace,
    /// Sent as `api-version`. Default `2024-03-01`.
    pub api_version: String,
    /// Where the API is, how Larum proves who it is there, and which networks it may reach.
    pub http: Http,
}

/// Where Azure Resource Manager is.
const ENDPOINT: &str = "https://management.azure.com";
/// The first version that Sentinel had.
const FIRST_VERSION: NaiveDate = match NaiveDate::from_ymd_opt(2019, 1, 1) {
    Some(date) => date,
    None => NaiveDate::MIN,
};
/// The first stable version with tasks.
const API_VERSION: &str = "2024-03-01";

crate::shape! {
    /// A workspace of Microsoft Sentinel or of another Larum, for the actions on incidents.
    pub(super) SENTINEL = "a sentinel connection";
    /// The subscription, a UUID.
    required "subscription": Takes::Words;
    /// The resource group.
    required "resource_group": Takes::Words;
    /// The workspace's name.
    required "workspace": Takes::Words;
    /// Where the API is. Default `https://management.azure.com`.
    optional "endpoint": Takes::Words;
    /// Sent as `api-version`. Default `2024-03-01`.
    optional "api_version": Takes::Like("^\\d{4}-\\d{2}-\\d{2}(-preview)?$");
    /// Networks that it may be on although calls to them are refused otherwise: this machine, private networks.
    optional "allow_networks": Takes::OneOrMore(&Takes::Words);
    /// A PEM file with certificate authorities that count beside the system's.
    optional "ca_file": Takes::Words;
    /// Where a fixed token is kept; instead of the client's credentials.
    sometimes "token": KEPT;
    /// The tenant's id or domain.
    sometimes "tenant_id": Takes::Words;
    /// The client.
    sometimes "client_id": Takes::Words;
    /// Where the client's secret is kept.
    sometimes "client_secret": KEPT;
    /// Where Microsoft Entra is. Default `https://login.microsoftonline.com`.
    sometimes "authority": Takes::Words;
    /// What the token is for. Default: `.default` of the endpoint.
    sometimes "scope": Takes::Words;
}

pub(super) fn sentinel(given: Given<'_>, reader: &mut Reader<'_>) -> Option<Sentinel> {
    let mut fields = given.fields(&SENTINEL, &mut reader.faults)?;
    let subscription = fields.required("subscription");
    let resource_group = fields.required("resource_group");
    let workspace = fields.required("workspace");
    let endpoint = fields.optional("endpoint");
    let api_version = fields.optional("api_version");
    let allow_networks = fields.optional("allow_networks");
    let ca_file = fields.optional("ca_file");
    let url = match endpoint {
        Some(given) => reader.url(given),
        None => url::Url::parse(ENDPOINT).ok(),
    };
    let authentication = authentication(&mut fields, url.as_ref(), reader);
    fields.finish(&mut reader.faults);

    let subscription = subscription.and_then(|given| reader.subscription(given));
    let resource_group = resource_group.and_then(|given| reader.azure_name(given));
    let name = workspace.and_then(|given| reader.azure_name(given));
    let api_version = match api_version {
        Some(given) => version(given, reader),
        None => Some(API_VERSION.to_owned()),
    };
    let allow_networks = allow_networks.map(|given| reader.networks(given)).unwrap_or_default();
    let ca_file = ca_file.and_then(|given| reader.path(given));
    if let (Some(url), Some(given)) = (&url, endpoint) {
        encrypted(url, given, reader);
    }
    Some(Sentinel {
        workspace: Workspace { subscription: subscription?, resource_group: resource_group?, name: name? },
        api_version: api_version?,
        http: Http { base_url: url?, authentication: Some(authentication?), allow_networks, ca_file },
    })
}

/// A fixed `token`, or client credentials with which tokens are fetched.
fn authentication(
    fields: &mut Fields<'_>,
    endpoint: Option<&url::Url>,
    reader: &mut Reader<'_>,
) -> Option<HttpAuthentication> {
    if let Some(given) = fields.optional("token") {
        for key in ["tenant_id", "client_id", "client_secret", "authority", "scope"] {
            if let Some(other) = fields.optional(key) {
                let message = format!("`token` is what Larum shows, `{key}` asks for another one");
                reader.faults.add(codes::EXCLUSIVE_KEYS, other.key_span(), message);
            }
        }
        return reader.secret(given).map(|token| HttpAuthentication::Bearer { token });
    }
    let tenant = fields.required("tenant_id");
    let client_id = fields.required("client_id");
    let client_secret = fields.required("client_secret");
    let authority = fields.optional("authority");
    let scope = fields.optional("scope");
    let words = |given: Option<Given<'_>>, reader: &mut Reader<'_>| {
        given.and_then(|given| given.words(&mut reader.faults)).map(str::to_owned)
    };
    let tenant_text = words(tenant, reader);
    let client_id = words(client_id, reader);
    let client_secret = client_secret.and_then(|given| reader.secret(given));
    let authority_text = words(authority, reader);
    let scope = match scope {
        Some(given) => words(Some(given), reader)?,
        None => format!("{}/.default", endpoint?.as_str().trim_end_matches('/')),
    };
    match entra(authority_text.as_deref(), &tenant_text?, None, Some(&scope)) {
        Ok((token_url, asks)) => {
            if let Some(given) = authority {
                encrypted(&token_url, given, reader);
            }
            let (client_id, client_secret) = (client_id?, client_secret?);
            Some(HttpAuthentication::OAuth(Box::new(OAuth { token_url, client_id, client_secret, asks })))
        }
        Err((key, why)) => {
            let key = if key == "tenant" { "tenant_id" } else { key };
            let place = [authority, tenant].into_iter().flatten().find(|given| given.key == key);
            let span = place.map_or(fields.span(), |given| given.span());
            reader.faults.add(codes::BAD_VALUE, span, format!("`{key}` {why}"));
            None
        }
    }
}

fn version(given: Given<'_>, reader: &mut Reader<'_>) -> Option<String> {
    let text = given.words(&mut reader.faults)?;
    if is_api_version(text) {
        return Some(text.to_owned());
    }
    reader.bad(&given, format!("`{text}` is not a version of the API"), "write it like 2024-03-01");
    None
}

/// Whether this is a version of Sentinel's API: any date since it began, `YYYY-MM-DD`, perhaps with `-preview`.
#[must_use]
pub fn is_api_version(text: &str) -> bool {
    const PREVIEW: &str = "-preview";
    let day = match text.split_at_checked(10) {
        Some((day, suffix)) if suffix.is_empty() || suffix.eq_ignore_ascii_case(PREVIEW) => day,
        _ => return false,
    };
    // What reads a date takes spaces for digits.
    day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
        && NaiveDate::parse_from_str(day, "%Y-%m-%d").is_ok_and(|date| date >= FIRST_VERSION)
}

#[cfg(test)]
mod tests {
    use super::is_api_version;

    #[test]
    fn every_version_since_sentinel_began_is_taken_and_nothing_else() {
        for version in ["2019-01-01-preview", "2020-01-01", "2022-07-01-PREVIEW", "2025-10-01-preview", "2031-02-28"] {
            assert!(is_api_version(version), "{version}");
        }
        for version in [
            "",
            "2018-12-31",
            "2022-02-30",
            "2022-7-1",
            "2022-07-01-beta",
            "2022-07-01-Preview ",
            "latest",
            "20220701",
            "2022-07- 1",
            "+2022-7-01",
        ] {
            assert!(!is_api_version(version), "{version}");
        }
    }
}
