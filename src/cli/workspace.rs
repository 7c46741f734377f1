//! Where a server's workspace is in the Sentinel API.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;

use super::{
    client::{Again, Client},
    data::Fault,
};

/// The newest version of the API that this command line was written for.
const API_VERSION: &str = "2025-09-01";
/// How often something is asked for again whose answer was lost.
pub const REPEATS: u32 = 3;

/// The path that the workspace's resources are below.
///
/// # Errors
/// Whatever keeps the server from saying it.
pub async fn base(client: &Client, undone: &str) -> Result<String, Fault> {
    let answer = client.get_done(Method::GET, "/api/workspace", None, Again::Harmless, undone).await?;
    match answer.text("/provider") {
        "" => Err(Fault::Server(format!("{undone}: the server does not say which workspace it has"))),
        provider => Ok(provider.to_owned()),
    }
}

/// A path with the version that it is asked in.
#[must_use]
pub fn versioned(path: &str) -> String {
    format!("{path}?api-version={API_VERSION}")
}

/// A name as one segment of a path.
#[must_use]
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}
