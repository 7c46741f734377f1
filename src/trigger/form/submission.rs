//! What a form page carries so that one page is one submission: a signed id that is CSRF token and de-duplication key.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{limits::FORM_PAGE_AGE, secret::Vault};

const PURPOSE: &str = "form-submission";
const RECEIPT: &str = "form-receipt";
/// Eight bytes of expiry and sixteen of chance, then the signature.
const SIGNED: usize = 24;

/// Why a page's submission id does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubmissionFault {
    #[error("the submission id is missing or was not issued by this form")]
    Foreign,
    #[error("the page was open for longer than a day")]
    Expired,
}

/// A new single-use submission id for the form at `path`, good for [`FORM_PAGE_AGE`].
///
/// # Errors
/// When the system gives no randomness.
pub fn submission_id(vault: &Vault, path: &str, now: DateTime<Utc>) -> Result<String, getrandom::Error> {
    let expires = now.timestamp().saturating_add_unsigned(FORM_PAGE_AGE.as_secs());
    let mut id = [0u8; SIGNED];
    id[..8].copy_from_slice(&expires.to_be_bytes());
    getrandom::fill(&mut id[8..])?;
    let signature = vault.sign(PURPOSE, &message(&id, path));
    Ok(BASE64_URL_SAFE_NO_PAD.encode([&id[..], &signature].concat()))
}

/// The de-duplication key of a submission id that the form at `path` issued.
///
/// # Errors
/// When it was not issued here, for another form, or too long ago.
pub fn submission_key(vault: &Vault, path: &str, id: &str, now: DateTime<Utc>) -> Result<String, SubmissionFault> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(id).map_err(|_| SubmissionFault::Foreign)?;
    let (id, signature) = bytes.split_at_checked(SIGNED).ok_or(SubmissionFault::Foreign)?;
    if !vault.verifies(PURPOSE, &message(id, path), signature) {
        return Err(SubmissionFault::Foreign);
    }
    let expires = id.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes));
    if now.timestamp() > expires {
        return Err(SubmissionFault::Expired);
    }
    Ok(format!("page {path} {}", hex::encode(id)))
}

/// Signs the reference of a report that was taken, so that only its sender can ask what became of it.
#[must_use]
pub fn receipt(vault: &Vault, path: &str, reference: Uuid) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(vault.sign(RECEIPT, &message(reference.as_bytes(), path)))
}

/// Whether `receipt` was signed for this reference and form.
#[must_use]
pub fn receipt_holds(vault: &Vault, path: &str, reference: Uuid, receipt: &str) -> bool {
    BASE64_URL_SAFE_NO_PAD
        .decode(receipt)
        .is_ok_and(|signature| vault.verifies(RECEIPT, &message(reference.as_bytes(), path), &signature))
}

/// An id of fixed length and then the path, so that no two pairs make the same message.
fn message(id: &[u8], path: &str) -> Vec<u8> {
    [id, path.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + hour * 3600, 0).unwrap()
    }

    #[test]
    fn an_id_counts_for_its_own_form_and_for_a_day() {
        let vault = Vault::ephemeral("key");
        let id = submission_id(&vault, "report", at(0)).unwrap();
        let key = submission_key(&vault, "report", &id, at(24)).unwrap();
        assert_eq!(submission_key(&vault, "report", &id, at(1)), Ok(key));
        assert_eq!(submission_key(&vault, "report", &id, at(25)), Err(SubmissionFault::Expired));
        assert_eq!(submission_key(&vault, "other", &id, at(0)), Err(SubmissionFault::Foreign));
        assert_eq!(submission_key(&Vault::ephemeral("other"), "report", &id, at(0)), Err(SubmissionFault::Foreign));
    }

    #[test]
    fn two_pages_are_two_submissions() {
        let vault = Vault::ephemeral("key");
        let keys = [(), ()].map(|()| {
            let id = submission_id(&vault, "report", at(0)).unwrap();
            submission_key(&vault, "report", &id, at(0)).unwrap()
        });
        assert_ne!(keys[0], keys[1]);
    }

    #[test]
    fn a_changed_id_is_foreign_whichever_byte_was_changed() {
        let vault = Vault::ephemeral("key");
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(submission_id(&vault, "report", at(0)).unwrap()).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let changed = BASE64_URL_SAFE_NO_PAD.encode(changed);
            assert_eq!(submission_key(&vault, "report", &changed, at(0)), Err(SubmissionFault::Foreign), "{place}");
        }
        for text in ["", "AAAA", "not base64!"] {
            assert_eq!(submission_key(&vault, "report", text, at(0)), Err(SubmissionFault::Foreign), "{text}");
        }
    }

    #[test]
    fn a_receipt_holds_for_its_own_reference() {
        let vault = Vault::ephemeral("key");
        let [mine, other] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let receipt = receipt(&vault, "report", mine);
        assert!(receipt_holds(&vault, "report", mine, &receipt));
        assert!(!receipt_holds(&vault, "report", other, &receipt));
        assert!(!receipt_holds(&vault, "other", mine, &receipt));
        assert!(!receipt_holds(&vault, "report", mine, ""));
    }
}
