//! The parts of URIs.

use std::borrow::Cow;

use serde_json::Value;
use url::Url;

use super::{Args, string::text};
use crate::expression::{EvalError, evaluate::Outcome};

fn uri(args: &Args<'_>) -> Result<Url, EvalError> {
    Url::parse(args.only_string()?)
        .map_err(|error| args.error(format_args!("expects its parameter to be an absolute URI: {error}")))
}

/// The query with its question mark, nothing where there is none.
fn query(uri: &Url) -> String {
    uri.query().filter(|query| !query.is_empty()).map(|query| format!("?{query}")).unwrap_or_default()
}

pub(super) fn host(args: Args<'_>) -> Outcome<'_> {
    text(uri(&args)?.host_str().unwrap_or_default())
}

pub(super) fn path(args: Args<'_>) -> Outcome<'_> {
    text(uri(&args)?.path())
}

pub(super) fn path_and_query(args: Args<'_>) -> Outcome<'_> {
    let uri = uri(&args)?;
    text(format!("{}{}", uri.path(), query(&uri)))
}

pub(super) fn port(args: Args<'_>) -> Outcome<'_> {
    // -1 stands for a scheme that has no port, as in .NET.
    let port = uri(&args)?.port_or_known_default().map_or(-1, i64::from);
    Ok(Cow::Owned(Value::from(port)))
}

pub(super) fn scheme(args: Args<'_>) -> Outcome<'_> {
    text(uri(&args)?.scheme())
}

pub(super) fn query_of(args: Args<'_>) -> Outcome<'_> {
    text(query(&uri(&args)?))
}
