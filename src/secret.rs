//! Secrets: where they come from, how they are kept at rest, and the key in the data folder that everything is signed with.

use std::{
    borrow::Cow,
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::redaction::Redaction;

/// Where a secret is kept. A literal secret cannot be written down: there is no variant for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// The environment variable of this name.
    Env(String),
    /// The first line of this file.
    File(PathBuf),
}

/// A secret could not be read; names the place, never the value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the environment variable {0} is not set")]
    MissingVariable(String),
    #[error("the secret file {path} could not be read: {source}")]
    UnreadableFile { path: PathBuf, source: io::Error },
}

impl SecretRef {
    /// Reads the secret anew, so that a rotated one takes effect without a restart. Line ends at the end are dropped.
    ///
    /// # Errors
    /// When the variable is not set or the file cannot be read.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| SecretError::MissingVariable(name.clone()))?,
            Self::File(path) => fs::read_to_string(path)
                .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                .map_err(|source| SecretError::UnreadableFile { path: path.clone(), source })?,
        };
        READ.lock().unwrap_or_else(PoisonError::into_inner).insert(&text);
        Ok(SecretString::from(text))
    }
}

/// Every secret this process has read, whoever used it: what a server repeats in a refusal is known here.
static READ: Mutex<Redaction> = Mutex::new(Redaction::none());

/// The text without any secret this process has read, in clear or as a URL, base64 or JSON has it. The last line of
/// defence of logs and of errors that quote the other side.
#[must_use]
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    READ.lock().unwrap_or_else(PoisonError::into_inner).text(text)
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

/// The data folder's key: seals what must not lie in clear, signs what must come back unchanged.
#[derive(Clone)]
pub struct Vault {
    key: SecretString,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

/// What was sealed could not be opened: it was changed, or another data folder's key sealed it.
#[derive(Debug, thiserror::Error)]
#[error("a sealed value cannot be opened with this data folder's key")]
pub struct Unsealable;

impl Vault {
    /// Opens the key at `path`, making one (mode 0600) when there is none.
    ///
    /// # Errors
    /// When the file can be neither read nor made.
    pub fn open(path: &Path) -> io::Result<Self> {
        match fs::read_to_string(path) {
            Ok(key) => Ok(Self { key: SecretString::from(key) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut key = [0u8; 32];
                getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
                let key = hex::encode(key);
                let mut options = fs::OpenOptions::new();
                options.write(true).create_new(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let mut file = options.open(path)?;
                file.write_all(key.as_bytes())?;
                file.sync_all()?;
                Ok(Self { key: SecretString::from(key) })
            }
            Err(error) => Err(error),
        }
    }

    /// A vault with a fixed key, for tests and for runs whose store is thrown away.
    #[must_use]
    pub fn ephemeral(key: &str) -> Self {
        Self { key: SecretString::from(key.to_owned()) }
    }

    /// A keyed fingerprint of `message`; `purpose` keeps signatures of one kind from serving as another.
    #[must_use]
    pub fn sign(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        let mut mac = self.mac(purpose);
        mac.update(message);
        mac.finalize().into_bytes().into()
    }

    /// Whether `signature` is that of `message`, compared in constant time.
    #[must_use]
    pub fn verifies(&self, purpose: &str, message: &[u8], signature: &[u8]) -> bool {
        let mut mac = self.mac(purpose);
        mac.update(message);
        mac.verify_slice(signature).is_ok()
    }

    /// Seals `clear` so that only this data folder can read it. `place` is authenticated with it: a value moved elsewhere does not open.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn seal(&self, place: &str, clear: &[u8]) -> io::Result<Vec<u8>> {
        let mut nonce = [0u8; 24];
        getrandom::fill(&mut nonce).map_err(|error| io::Error::other(error.to_string()))?;
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: clear, aad: place.as_bytes() })
            .map_err(|_| io::Error::other("sealing failed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens what [`Vault::seal`] sealed at the same place.
    ///
    /// # Errors
    /// [`Unsealable`] when it was changed, moved or sealed by another key.
    pub fn unseal(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let (nonce, sealed) = sealed.split_at_checked(24).ok_or(Unsealable)?;
        let nonce = <[u8; 24]>::try_from(nonce).map_err(|_| Unsealable)?;
        self.cipher()
            .decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: place.as_bytes() })
            .map_err(|_| Unsealable)
    }

    fn mac(&self, purpose: &str) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(self.key.expose_secret().as_bytes())
            .unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"));
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.sign("seal", b"").into())
    }
}
