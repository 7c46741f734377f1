//! `Larum-Causes`: what led to a call, so that a Larum which is changed by it can tell what it started itself.
//!
//! The header holds a mark for each playbook and rule: a keyed fingerprint, which the Larum that made it knows again and
//! which tells everybody else nothing, no name included. One that is not known is another Larum's; it is kept and sent on.

use std::str;

use crate::{incident::Cause, limits, secret::Vault};

/// The header's name.
pub const CAUSES_HEADER: &str = "larum-causes";

/// Keeps these fingerprints from serving as others.
const PURPOSE: &str = "cause";
/// Bytes of a fingerprint.
const MARK: usize = 16;

/// The header of a call that these led to, the first cause first. No more stand there than are looked at.
#[must_use]
pub fn header(vault: &Vault, causes: &[Cause]) -> String {
    let marks = causes.iter().take(limits::CAUSES).map(|cause| mark(vault, cause));
    marks.collect::<Vec<_>>().join(", ")
}

/// What the header says: those of `known` that it marks, in its order, and marks of others.
///
/// # Errors
/// What the header must be.
pub fn read(vault: &Vault, header: &[u8], known: impl IntoIterator<Item = Cause>) -> Result<Vec<Cause>, String> {
    let marks: Vec<&str> = str::from_utf8(header).unwrap_or_default().split(',').map(str::trim).collect();
    let is_mark =
        |mark: &&str| mark.len() == 2 * MARK && mark.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if marks.len() > limits::CAUSES || !marks.iter().all(is_mark) {
        return Err(format!(
            "The header Larum-Causes must be what a Larum sent: 1 to {} marks of {} hexadecimal digits, with commas between \
             them.",
            limits::CAUSES,
            2 * MARK
        ));
    }
    let mut causes: Vec<Cause> = marks.iter().map(|mark| Cause::Elsewhere((*mark).to_owned())).collect();
    for one in known {
        let ours = mark(vault, &one);
        for cause in causes.iter_mut().filter(|cause| matches!(cause, Cause::Elsewhere(mark) if *mark == ours)) {
            *cause = one.clone();
        }
    }
    Ok(causes)
}

fn mark(vault: &Vault, cause: &Cause) -> String {
    let (kind, name) = match cause {
        Cause::Playbook(name) => ("playbook", name),
        Cause::Rule(name) => ("rule", name),
        Cause::Elsewhere(mark) => return mark.clone(),
    };
    let named = format!("{kind} {}", name.to_ascii_lowercase());
    hex::encode(&vault.sign(PURPOSE, named.as_bytes())[..MARK])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes() -> Vec<Cause> {
        vec![Cause::Playbook("Triage".into()), Cause::Rule("triage".into())]
    }

    #[test]
    fn whoever_sent_it_knows_it_again_and_others_keep_it() {
        let (one, other) = (Vault::ephemeral("one"), Vault::ephemeral("other"));
        let sent = header(&one, &causes());
        assert!(!sent.to_lowercase().contains("triage"));
        let known =
            || vec![Cause::Playbook("other".into()), Cause::Rule("TRIAGE".into()), Cause::Playbook("triage".into())];
        // There a playbook of the same name is another one.
        let there = read(&other, sent.as_bytes(), known()).unwrap();
        assert!(there.iter().all(|cause| matches!(cause, Cause::Elsewhere(_))), "{there:?}");
        let on = header(&other, &[there, vec![Cause::Playbook("triage".into())]].concat());
        let back = read(&one, on.as_bytes(), known()).unwrap();
        assert!(back[..2].iter().zip(causes()).all(|(found, sent)| found.is_same(&sent)), "{back:?}");
        assert!(matches!(&back[2..], [Cause::Elsewhere(_)]));
    }

    #[test]
    fn nothing_but_a_few_marks_is_taken() {
        let vault = Vault::ephemeral("one");
        let mark = "0123456789abcdef0123456789abcdef";
        for good in [mark.to_owned(), format!("{mark},{mark}"), [mark; limits::CAUSES].join(" , ")] {
            assert!(read(&vault, good.as_bytes(), causes()).is_ok(), "{good}");
        }
        let many = [mark; limits::CAUSES + 1].join(",");
        for bad in ["", ",", "triage", &mark[1..], &mark.to_uppercase(), &format!("{mark},"), &many] {
            assert!(read(&vault, bad.as_bytes(), causes()).is_err(), "{bad}");
        }
        assert!(read(&vault, b"\xff", causes()).is_err());
    }

    #[test]
    fn a_chain_that_is_too_long_is_sent_as_long_as_it_counts() {
        let vault = Vault::ephemeral("one");
        let many: Vec<Cause> = (0..20).map(|at| Cause::Playbook(at.to_string())).collect();
        let sent = header(&vault, &many);
        assert_eq!(read(&vault, sent.as_bytes(), many.clone()).unwrap(), many[..limits::CAUSES]);
    }
}
