//! What the link in an approval mail carries: which run asks, which step, who was asked and which answer it stands for,
//! signed so that nobody can make one up.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{secret::Vault, store::RunId};

const PURPOSE: &str = "approval";
/// Sixteen bytes of run, eight of expiry, two of recipient and two of option; the step follows.
const HEAD: usize = 28;
const SIGNATURE: usize = 32;

/// One answer of one person to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub run: RunId,
    /// The step that asks, as the engine writes it.
    pub step: String,
    /// The place of the person among those who were asked.
    pub recipient: u16,
    /// The place of the answer among the options.
    pub option: u16,
    /// No run lasts longer.
    pub expires: DateTime<Utc>,
}

impl Token {
    /// The token as it stands in an address.
    #[must_use]
    pub fn seal(&self, vault: &Vault) -> String {
        let mut bytes = Vec::with_capacity(HEAD + self.step.len() + SIGNATURE);
        bytes.extend_from_slice(self.run.as_bytes());
        bytes.extend_from_slice(&self.expires.timestamp().to_be_bytes());
        bytes.extend_from_slice(&self.recipient.to_be_bytes());
        bytes.extend_from_slice(&self.option.to_be_bytes());
        bytes.extend_from_slice(self.step.as_bytes());
        let signature = vault.sign(PURPOSE, &bytes);
        bytes.extend_from_slice(&signature);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The token behind a text, if it was made here and has not been changed. It may have expired.
    #[must_use]
    pub fn open(vault: &Vault, text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (signed, signature) = bytes.split_at_checked(bytes.len().checked_sub(SIGNATURE)?)?;
        if !vault.verifies(PURPOSE, signed, signature) {
            return None;
        }
        let (head, step) = signed.split_at_checked(HEAD)?;
        let (run, head) = head.split_first_chunk::<16>()?;
        let (expires, head) = head.split_first_chunk::<8>()?;
        let (recipient, head) = head.split_first_chunk::<2>()?;
        let option = head.first_chunk::<2>()?;
        Some(Self {
            run: Uuid::from_bytes(*run),
            step: String::from_utf8(step.to_vec()).ok()?,
            recipient: u16::from_be_bytes(*recipient),
            option: u16::from_be_bytes(*option),
            expires: DateTime::from_timestamp(i64::from_be_bytes(*expires), 0)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token {
            run: Uuid::from_u128(7),
            step: "ask/3/0".to_owned(),
            recipient: 2,
            option: 1,
            expires: DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
        }
    }

    #[test]
    fn a_token_reads_back_as_it_was_sealed_and_only_with_its_key() {
        let vault = Vault::ephemeral("key");
        let sealed = token().seal(&vault);
        assert_eq!(Token::open(&vault, &sealed), Some(token()));
        assert_eq!(Token::open(&Vault::ephemeral("other"), &sealed), None);
        for text in ["", "AAAA", "not base64!", &sealed[1..], &format!("{sealed}A")] {
            assert_eq!(Token::open(&vault, text), None, "{text}");
        }
    }

    #[test]
    fn a_changed_token_does_not_count_whichever_byte_was_changed() {
        let vault = Vault::ephemeral("key");
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token().seal(&vault)).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert_eq!(Token::open(&vault, &BASE64_URL_SAFE_NO_PAD.encode(changed)), None, "{place}");
        }
    }
}
