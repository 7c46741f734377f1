//! TLS, with certificates made by openssl.

use std::{
    fs,
    io::Read,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use larum::{
    action::http::client_config,
    config::ServerTls,
    server::{Certificates, TlsError},
};

use crate::support::{
    self, await_port, free_port,
    larum::{DEADLINE, Site},
};

/// A certificate for localhost that is its own authority, with its key, in a folder of its own.
fn certificate(folder: &Path, name: &str) -> ServerTls {
    let folder = folder.join(name);
    fs::create_dir(&folder).unwrap();
    support::certificate(&folder, "localhost");
    ServerTls { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") }
}

fn openssl(arguments: &[&str]) {
    let done = Command::new("openssl").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(done.unwrap().success(), "openssl {arguments:?}");
}

#[tokio::test]
#[ignore = "needs openssl"]
async fn both_addresses_speak_tls_and_a_client_that_stalls_holds_up_nobody() {
    let site = Site::new("", &[]);
    let files = certificate(site.folder.path(), "larum");
    let (main, public) = (free_port(), free_port());
    let config = format!(
        "server:\n  listen: '0.0.0.0:{main}'\n  public_listen: '0.0.0.0:{public}'\n  tls: {{certificate: larum/certificate.pem, key: larum/key.pem}}\n"
    );
    fs::write(site.folder.path().join("larum.yaml"), config).unwrap();
    let boss = site.administrator();
    let mut larum = site.command().spawn().unwrap();
    await_port(main, "larum");
    await_port(public, "larum");
    // They connect and say nothing; until they are dropped they hold a connection each.
    let stalled: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(("127.0.0.1", main)).unwrap()).collect();

    for version in [reqwest::tls::Version::TLS_1_2, reqwest::tls::Version::TLS_1_3] {
        let mut tls = client_config(Some(&files.certificate)).unwrap();
        if version == reqwest::tls::Version::TLS_1_2 {
            tls = old(&files.certificate);
        }
        let client =
            reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().timeout(DEADLINE).build().unwrap();
        let alive = client.get(format!("https://localhost:{main}/healthz")).send().await.unwrap();
        assert_eq!(alive.status(), 200);
        let sheet = client.get(format!("https://localhost:{public}/assets/larum.css")).send().await.unwrap();
        assert_eq!(sheet.status(), 200);
        let closed = client.get(format!("https://localhost:{public}/healthz")).send().await.unwrap();
        assert_eq!(closed.status(), 404);
        let metrics = client.get(format!("https://localhost:{main}/metrics"));
        assert_eq!(metrics.try_clone().unwrap().send().await.unwrap().status(), 401, "others could ask");
        assert_eq!(metrics.bearer_auth(&boss).send().await.unwrap().status(), 200);
    }
    // Plain HTTP is not answered.
    let mut plain = TcpStream::connect(("127.0.0.1", main)).unwrap();
    std::io::Write::write_all(&mut plain, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));
    // The command line believes the certificate when it is told to, and not otherwise.
    let url = format!("https://localhost:{main}");
    let ca_file = files.certificate.to_str().unwrap();
    let told = [("LARUM_URL", &*url), ("LARUM_TOKEN", &*boss), ("LARUM_CA_FILE", ca_file)];
    let (code, out, err) = site.run_with(&told, &["tokens", "list"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("boss"), "{out}");
    let (code, _, err) = site.run_with(&told[..2], &["tokens", "list"]);
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("UnknownIssuer") && err.contains("LARUM_CA_FILE"), "{err}");
    // Whoever says nothing is hung up on.
    for mut silent in stalled {
        silent.set_read_timeout(Some(DEADLINE)).unwrap();
        assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    }
    larum.kill().unwrap();
    larum.wait().unwrap();
}

/// A client that knows TLS 1.2 only.
fn old(ca_file: &Path) -> tokio_rustls::rustls::ClientConfig {
    use tokio_rustls::rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, pem::PemObject},
        version::TLS12,
    };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca_file).unwrap()).unwrap();
    ClientConfig::builder_with_provider(std::sync::Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[test]
#[ignore = "needs openssl"]
fn a_certificate_that_cannot_be_used_is_told_by_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let good = certificate(folder.path(), "good");
    let other = certificate(folder.path(), "other");
    fs::write(place("empty.pem"), "").unwrap();
    fs::write(place("torn.pem"), "-----BEGIN CERTIFICATE-----\nMIIB\n").unwrap();
    fs::write(place("nonsense.pem"), "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n").unwrap();
    let key = good.key.to_str().unwrap();
    openssl(&["pkcs8", "-topk8", "-in", key, "-passout", "pass:x", "-out", place("sealed.pem").to_str().unwrap()]);
    let with = |certificate: &PathBuf, key: &PathBuf| ServerTls { certificate: certificate.clone(), key: key.clone() };
    let table = [
        (
            with(&place("none.pem"), &good.key),
            "the certificate F/none.pem of server.tls cannot be read: No such file or directory (os error 2)",
        ),
        (
            with(&place("empty.pem"), &good.key),
            "F/empty.pem holds no PEM certificate; server.tls.certificate names a file that begins with -----BEGIN CERTIFICATE-----",
        ),
        (
            with(&place("torn.pem"), &good.key),
            "the certificate F/torn.pem of server.tls is not PEM: the line -----END CERTIFICATE----- is missing",
        ),
        (
            with(&place("nonsense.pem"), &good.key),
            "the certificate F/nonsense.pem of server.tls cannot be used: invalid peer certificate: BadEncoding",
        ),
        (
            with(&good.certificate, &place("none.pem")),
            "the private key F/none.pem of server.tls cannot be read: No such file or directory (os error 2)",
        ),
        (
            with(&good.certificate, &good.certificate),
            "F/good/certificate.pem holds no PEM private key; server.tls.key names a file with -----BEGIN PRIVATE KEY-----",
        ),
        (
            with(&good.certificate, &place("sealed.pem")),
            "the private key F/sealed.pem of server.tls is encrypted; keep it decrypted in a file that only Larum may read",
        ),
        (
            with(&good.certificate, &other.key),
            "the private key F/other/key.pem does not belong to the certificate F/good/certificate.pem; the two files of server.tls must be made together",
        ),
    ];
    for (files, expected) in table {
        let told = Certificates::load(&files).err().map(|error: TlsError| error.to_string()).unwrap_or_default();
        assert_eq!(told.replace(folder.path().to_str().unwrap(), "F"), expected);
    }
}

#[test]
#[ignore = "needs openssl"]
fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), "larum");
    let certificates = Certificates::load(&files).unwrap();
    assert!(!certificates.refresh().unwrap());
    let renewed = certificate(folder.path(), "renewed");
    fs::copy(&renewed.certificate, &files.certificate).unwrap();
    assert!(
        matches!(certificates.refresh(), Err(TlsError::Mismatch { .. })),
        "between the two copies the files do not fit"
    );
    fs::copy(&renewed.key, &files.key).unwrap();
    assert!(certificates.refresh().unwrap());
    assert!(!certificates.refresh().unwrap());
}
