//! What Larum itself stands on: the data folder and its addresses.

use std::{io, net::SocketAddr};

use tokio::net::TcpListener;

use super::{Finding, written};
use crate::{config::Config, server::Certificates};

/// The data folder, the certificate, the addresses.
pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    let server = &config.server;
    let mut findings = vec![data(config)];
    if let Some(files) = &server.tls {
        findings.push(match Certificates::load(files) {
            Ok(_) => {
                Finding::well("server.tls", format!("the certificate {} can be used", files.certificate.display()))
            }
            Err(error) => {
                Finding::broken("server.tls", error.to_string(), "`serve` will not start before this is put right")
            }
        });
    }
    findings.push(address("server.listen", server.listen).await);
    if let Some(public) = server.public_listen {
        findings.push(address("server.public_listen", public).await);
    }
    findings
}

fn data(config: &Config) -> Finding {
    let about = format!("data folder {}", config.data.display());
    let found =
        if config.data.exists() { "it can be written" } else { "it is not there yet; the first start makes it" };
    match written(&config.data) {
        Ok(()) => Finding::well(&about, found),
        Err(error) => {
            Finding::broken(&about, format!("it cannot be written: {error}"), "give it to the user that runs Larum")
        }
    }
}

async fn address(about: &str, address: SocketAddr) -> Finding {
    let about = format!("{about} {address}");
    match TcpListener::bind(address).await {
        Ok(_) => Finding::well(&about, "it is free"),
        // The usual case beside a running server, which is no fault.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Finding::well(&about, "somebody listens there: a running Larum, or else `serve` will not start")
        }
        Err(error) => Finding::broken(
            &about,
            format!("nobody can listen there: {error}"),
            "name an address of this machine, and a port above 1023 unless Larum may take lower ones",
        ),
    }
}
