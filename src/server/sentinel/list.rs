//! Lists: `$filter`, `$orderby`, `$top`, `$skipToken` in, a page and the address of the next one out.

use axum::{http::StatusCode, response::Response};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    limits::{API_PAGE, API_PAGE_MOST},
    odata::{Filter, Order, Property},
    server::{
        ask::{Ask, bad_request},
        problem::{Problem, json},
    },
    store::incidents::{Listing, Page},
};

const FILTER: &str = "$filter";
const ORDER: &str = "$orderby";
const TOP: &str = "$top";
const SKIP: &str = "$skipToken";
/// What a value in a query may hold as it is. Braces are encoded for a client that formats the address, a plus sign for
/// those that take it for a space.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same for a name, in which the dollar sign is part of the convention.
const NAME: &AsciiSet = &VALUE.remove(b'$');

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "{T}List")]
pub struct ListOf<T> {
    pub value: Vec<T>,
    /// The address of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_link: Option<String>,
}

/// What the client wants of a list with these properties.
///
/// # Errors
/// 400 that says at which position.
pub fn listing(ask: &Ask, properties: &'static [Property]) -> Result<Listing, Box<Problem>> {
    let given = |name| ask.query(name).map(str::trim).filter(|text| !text.is_empty());
    let filter = given(FILTER).map(|text| Filter::parse(text, properties)).transpose();
    let order = given(ORDER).map(|text| Order::parse(text, properties)).transpose();
    let top = given(TOP).map(|text| {
        let number = text.parse::<usize>().ok().filter(|top| *top > 0);
        number.ok_or_else(|| {
            bad_request(format!("The query parameter $top must be a whole number from 1 on, not '{text}'."))
        })
    });
    let after = given(SKIP).map(|text| {
        let token = BASE64_URL_SAFE_NO_PAD.decode(text);
        token.map_err(|_| bad_request("The query parameter $skipToken is not one that a list gave out."))
    });
    Ok(Listing {
        filter: filter.map_err(|error| bad_request(error.to_string()))?,
        order: order.map_err(|error| bad_request(error.to_string()))?.unwrap_or_default(),
        top: top.transpose()?.unwrap_or(API_PAGE).min(API_PAGE_MOST),
        after: after.transpose()?,
    })
}

/// The answer: a page, and where the next one is.
pub fn page<T, R: Serialize>(ask: &Ask, page: Page<T>, resource: impl Fn(&T) -> R) -> Response {
    let next_link = page.next.map(|next| link(ask, SKIP, &BASE64_URL_SAFE_NO_PAD.encode(next)));
    json(StatusCode::OK, &ListOf { value: page.items.iter().map(resource).collect(), next_link })
}

/// The answer of a list that has one page only.
pub fn whole<T, R: Serialize>(items: &[T], resource: impl Fn(&T) -> R) -> Response {
    json(StatusCode::OK, &ListOf { value: items.iter().map(resource).collect(), next_link: None })
}

/// Bytes of a query as a link to the next page holds it, without the page's token.
pub fn encoded_bytes(query: &[(String, String)]) -> usize {
    let bytes = |text, kept| utf8_percent_encode(text, kept).map(str::len).sum::<usize>() + 1;
    let asked = query.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(SKIP));
    asked.map(|(name, value)| bytes(name, NAME) + bytes(value, VALUE)).sum()
}

/// The same address as was asked, at the host that was asked, with another value of one parameter.
pub fn link(ask: &Ask, parameter: &str, value: &str) -> String {
    let path = ask.uri.path().replace('{', "%7B").replace('}', "%7D");
    let mut link = format!("{}{path}?", ask.origin());
    for (name, value) in ask.query.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(parameter)) {
        let (name, value) = (utf8_percent_encode(name, NAME), utf8_percent_encode(value, VALUE));
        link.push_str(&format!("{name}={value}&"));
    }
    link.push_str(&format!("{parameter}={}", utf8_percent_encode(value, VALUE)));
    link
}
