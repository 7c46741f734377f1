//! Signed addresses of webhooks, like Logic Apps' callback URLs: `?sp=…&sv=1.0&sig=…`, and `se=…` when they expire.
//!
//! Two keys sign them. Changing one makes every address it signed worthless, while those of the other go on.

use std::{
    fmt, fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, SecondsFormat, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The file in the data folder that holds both keys.
const FILE: &str = "hook-keys.json";
/// What an address permits and in which version, in Logic Apps' words.
const PERMISSION: &str = "/triggers/webhook/run";
const VERSION: &str = "1.0";

/// Which of the two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyName {
    Primary,
    Secondary,
}

/// The two keys, read from their file; a changed file counts at once.
pub struct CallbackKeys {
    path: PathBuf,
    known: Mutex<Option<(Stamp, Keys)>>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Keys {
    primary: String,
    secondary: String,
}

/// What changes whenever the file is replaced.
#[derive(PartialEq, Eq)]
struct Stamp {
    changed: Option<SystemTime>,
    file: u64,
}

/// Why an address does not count.
#[derive(Debug, thiserror::Error)]
pub enum CallbackFault {
    #[error("this address is not signed: sp, sv and sig must be given once")]
    Missing,
    #[error("the signature of this address is wrong, or its key was changed")]
    Wrong,
    #[error("this address expired at {0}")]
    Expired(String),
    /// Ours, not the caller's.
    #[error("the keys in {path} cannot be read: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
}

impl fmt::Debug for CallbackKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallbackKeys").field(&self.path).finish()
    }
}

impl KeyName {
    fn of(self, keys: &Keys) -> &str {
        match self {
            Self::Primary => &keys.primary,
            Self::Secondary => &keys.secondary,
        }
    }
}

impl CallbackKeys {
    /// The keys of a data folder; nothing is read or made yet.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self { path: data.join(FILE), known: Mutex::default() }
    }

    /// The query that opens the webhook at `path`: to anybody who has it, until `expires`. The keys are made when there
    /// are none.
    ///
    /// # Errors
    /// When the keys can be neither read nor made.
    pub fn query(&self, path: &str, key: KeyName, expires: Option<DateTime<Utc>>) -> io::Result<String> {
        let keys = match self.read()? {
            Some(keys) => keys,
            None => self.make()?,
        };
        let expires = expires.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
        let signature = mac(key.of(&keys), path, PERMISSION, VERSION, expires.as_deref()).finalize().into_bytes();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("sp", PERMISSION).append_pair("sv", VERSION);
        if let Some(expires) = &expires {
            query.append_pair("se", expires);
        }
        query.append_pair("sig", &BASE64_URL_SAFE_NO_PAD.encode(signature));
        Ok(query.finish())
    }

    /// Checks the query of a call of the webhook at `path`, in time that does not depend on where it is wrong.
    ///
    /// # Errors
    /// When it is not signed, wrongly signed or expired.
    pub fn verify(&self, path: &str, query: &[(String, String)], now: DateTime<Utc>) -> Result<(), CallbackFault> {
        let only = |name: &str| {
            let mut values = query.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
            match (values.next(), values.next()) {
                (None, _) => Ok(None),
                (Some(value), None) => Ok(Some(value)),
                (Some(_), Some(_)) => Err(CallbackFault::Missing),
            }
        };
        let expires = only("se")?;
        let (Some(permission), Some(version), Some(signature)) = (only("sp")?, only("sv")?, only("sig")?) else {
            return Err(CallbackFault::Missing);
        };
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| CallbackFault::Wrong)?;
        let unreadable = |source| CallbackFault::Unreadable { path: self.path.clone(), source };
        // Where there are no keys, nothing was ever signed.
        let keys = self.read().map_err(unreadable)?.ok_or(CallbackFault::Wrong)?;
        // Both keys are tried, so that the time does not tell which of them it was.
        let good = [KeyName::Primary, KeyName::Secondary]
            .map(|key| mac(key.of(&keys), path, permission, version, expires).verify_slice(&signature).is_ok());
        if !good.contains(&true) || permission != PERMISSION || version != VERSION {
            return Err(CallbackFault::Wrong);
        }
        match expires.map(DateTime::parse_from_rfc3339) {
            None => Ok(()),
            Some(Ok(expires)) if now < expires => Ok(()),
            Some(Ok(expires)) => {
                Err(CallbackFault::Expired(expires.to_utc().to_rfc3339_opts(SecondsFormat::Secs, true)))
            }
            Some(Err(_)) => Err(CallbackFault::Wrong),
        }
    }

    /// Makes a new key, which makes every address signed with the old one worthless.
    ///
    /// # Errors
    /// When the keys can be neither read nor written.
    pub fn rotate(&self, key: KeyName) -> io::Result<()> {
        let Some(mut keys) = self.read()? else { return self.make().map(|_| ()) };
        match key {
            KeyName::Primary => keys.primary = fresh()?,
            KeyName::Secondary => keys.secondary = fresh()?,
        }
        self.write(&keys)
    }

    fn read(&self) -> io::Result<Option<Keys>> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let stamp = Stamp { changed: metadata.modified().ok(), file: file_number(&metadata) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, keys)) = &*known
            && *before == stamp
        {
            return Ok(Some(keys.clone()));
        }
        let keys: Keys = serde_json::from_slice(&fs::read(&self.path)?)?;
        if [&keys.primary, &keys.secondary].iter().any(|key| key.len() < 32) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a key is too short"));
        }
        *known = Some((stamp, keys.clone()));
        Ok(Some(keys))
    }

    fn make(&self) -> io::Result<Keys> {
        let keys = Keys { primary: fresh()?, secondary: fresh()? };
        self.write(&keys)?;
        Ok(keys)
    }

    /// Writes beside its place, syncs and renames, so that nobody ever reads half a file.
    fn write(&self, keys: &Keys) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(serde_json::to_string(keys)?.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        fs::File::open(folder)?.sync_all()
    }
}

fn fresh() -> io::Result<String> {
    let mut key = [0u8; 32];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(hex::encode(key))
}

/// Over every part with its length, so that no two addresses make the same message.
fn mac(key: &str, path: &str, permission: &str, version: &str, expires: Option<&str>) -> Hmac<Sha256> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key.as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"));
    for part in [permission, version, path, expires.unwrap_or_default()] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac
}

#[cfg(unix)]
fn file_number(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn file_number(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + hour * 3600, 0).unwrap()
    }

    fn pairs(query: &str) -> Vec<(String, String)> {
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    #[test]
    fn an_address_opens_its_own_webhook_until_it_expires_or_its_key_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let keys = CallbackKeys::of(folder.path());
        let for_ever = keys.query("alarm", KeyName::Primary, None).unwrap();
        let for_a_day = keys.query("alarm", KeyName::Secondary, Some(at(24))).unwrap();
        let served = CallbackKeys::of(folder.path());
        let says = |path: &str, query: &str, hour| match served.verify(path, &pairs(query), at(hour)) {
            Ok(()) => "good".to_owned(),
            Err(fault) => fault.to_string(),
        };
        assert_eq!(says("alarm", &for_ever, 1_000_000), "good");
        assert_eq!(says("other", &for_ever, 0), "the signature of this address is wrong, or its key was changed");
        assert_eq!(says("alarm", &for_a_day, 23), "good");
        assert_eq!(says("alarm", &for_a_day, 24), "this address expired at 2026-09-22T14:13:20Z");
        let later = for_a_day.replace("2026-09-22", "2026-09-23");
        assert_eq!(says("alarm", &later, 0), "the signature of this address is wrong, or its key was changed");
        let (unexpiring, _) = for_a_day.split_once("&se").unwrap();
        let unexpiring = format!("{unexpiring}&sig={}", for_a_day.split_once("&sig=").unwrap().1);
        assert_eq!(says("alarm", &unexpiring, 0), "the signature of this address is wrong, or its key was changed");
        for twice in [format!("{for_ever}&sig=x"), format!("{for_a_day}&se=x")] {
            assert_eq!(says("alarm", &twice, 0), "this address is not signed: sp, sv and sig must be given once");
        }

        keys.rotate(KeyName::Primary).unwrap();
        assert_eq!(says("alarm", &for_ever, 0), "the signature of this address is wrong, or its key was changed");
        assert_eq!(says("alarm", &for_a_day, 0), "good");
        let again = keys.query("alarm", KeyName::Primary, None).unwrap();
        assert_eq!(says("alarm", &again, 0), "good");
    }

    #[test]
    #[cfg(unix)]
    fn only_their_owner_may_read_the_keys() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let keys = CallbackKeys::of(folder.path());
        keys.rotate(KeyName::Primary).unwrap();
        keys.rotate(KeyName::Secondary).unwrap();
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
