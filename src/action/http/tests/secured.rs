//! TLS: whose certificates are believed, and the one that is shown.

use std::path::{Path, PathBuf};

use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::WebPkiClientVerifier,
    },
};

use super::*;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(data(name)).expect("a certificate")
}

/// A server with the certificate of this name that says what it was sent; `asks` makes it ask for the client's.
async fn secure(name: &str, asks: bool) -> SocketAddr {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.expect("TLS");
    let builder = if asks {
        let mut roots = RootCertStore::empty();
        roots.add(certificate("authority.pem")).expect("an authority");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        builder.with_client_cert_verifier(verifier.expect("a verifier"))
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::from_pem_file(data(&format!("{name}-key.pem"))).expect("a key");
    let config = builder.with_single_cert(vec![certificate(&format!("{name}.pem"))], key).expect("a certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(tcp).await else { return };
                let app = Router::new().route("/to/{status}", any(redirect)).fallback(echo);
                let service = TowerToHyperService::new(app);
                let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                served.await.ok();
            });
        }
    });
    address
}

fn trusting(base: &str, ca_file: Option<PathBuf>, authentication: Option<HttpAuthentication>) -> Asker {
    Asker::new(config::Http { ca_file, ..connection(base, &["127.0.0.1/32"], authentication) })
}

fn shown(certificate: PathBuf, key: PathBuf) -> Option<HttpAuthentication> {
    Some(HttpAuthentication::ClientCertificate { certificate: SecretRef::File(certificate), key: SecretRef::File(key) })
}

#[tokio::test]
async fn a_server_of_a_private_authority_is_believed_when_the_connection_names_that() {
    let at = secure("server", false).await;
    let url = format!("https://localhost:{}/x", at.port());
    let asker = trusting(&url, Some(data("authority.pem")), None);
    assert_eq!(asker.sent(json!({"url": url, "method": "POST", "body": "x"})).await["body"], "x");
    let by_address = format!("https://127.0.0.1:{}/x", at.port());
    assert_eq!(asker.sent(json!({"url": by_address})).await["uri"], "/x");
}

#[tokio::test]
async fn a_server_that_cannot_be_believed_is_not_called_and_the_reason_is_said() {
    let ports = |text: String, at: SocketAddr| text.replace(&at.port().to_string(), "PORT");
    let mut faults = Vec::new();
    for (what, name, ca_file) in [
        ("an unknown authority", "server", None),
        ("an expired certificate", "expired", Some(data("authority.pem"))),
        ("a certificate for another name", "other-name", Some(data("authority.pem"))),
        ("no such file", "server", Some("tests/data/tls/nowhere.pem".into())),
        ("a file without a certificate", "server", Some("tests/data/tls/server-key.pem".into())),
    ] {
        let at = secure(name, false).await;
        let url = format!("https://localhost:{}/hunter2", at.port());
        let asker = trusting(&url, ca_file, None);
        let fault = asker.fault(json!({"url": url, "method": "POST"})).await;
        faults.push(format!("{what}: {}", ports(fault, at)));
    }
    insta::assert_snapshot!(faults.join("\n"));
}

#[tokio::test]
async fn a_client_certificate_is_shown_under_the_base_url_and_nowhere_else() {
    let at = secure("server", true).await;
    let base = format!("https://localhost:{}/api", at.port());
    let own = || shown(data("client.pem"), data("client-key.pem"));
    let asker = trusting(&base, Some(data("authority.pem")), own());
    assert_eq!(asker.sent(json!({"url": format!("{base}/x")})).await["uri"], "/api/x");
    let elsewhere = format!("https://localhost:{}/other", at.port());
    let fault = asker.fault(json!({"url": elsewhere})).await;
    assert!(fault.starts_with("ConnectionFailed, tried again: "), "{fault}");

    let read = |name: &str| std::fs::read_to_string(data(name)).expect("a file");
    // As `openssl pkcs12` writes it.
    let both = tempfile::NamedTempFile::new().expect("a file");
    let text =
        format!("Bag Attributes\n{}Key Attributes: <No Attributes>\n{}", read("client-key.pem"), read("client.pem"));
    std::fs::write(both.path(), text).expect("written");
    let in_one = shown(both.path().into(), both.path().into());
    let asker = trusting(&base, Some(data("authority.pem")), in_one);
    assert_eq!(asker.sent(json!({"url": base})).await["uri"], "/api");

    let authentication =
        json!({"type": "client_certificate", "certificate": read("client.pem"), "key": read("client-key.pem")});
    let asker = trusting(&base, Some(data("authority.pem")), None);
    assert_eq!(asker.sent(json!({"url": base, "authentication": authentication})).await["uri"], "/api");
}

#[tokio::test]
async fn a_client_certificate_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let sealed = file("sealed", "-----BEGIN ENCRYPTED PRIVATE KEY-----\naGk=\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let base = "https://127.0.0.1:9/";
    let mut faults = Vec::new();
    for (certificate, key) in [
        (data("client-key.pem"), data("client-key.pem")),
        (data("client.pem"), data("client.pem")),
        (data("client.pem"), data("server-key.pem")),
        (data("client.pem"), sealed),
        (file("empty", ""), data("client-key.pem")),
    ] {
        let asker = trusting(base, Some(data("authority.pem")), shown(certificate, key));
        faults.push(asker.fault(json!({"url": base})).await);
    }
    insta::assert_snapshot!(faults.join("\n"));
}
