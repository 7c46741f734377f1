//! How IMAP writes folder names and sets of UIDs.

use std::fmt::Write;

use base64::{Engine, alphabet, engine::general_purpose::NO_PAD};

/// A folder's name as a quoted string in modified UTF-7 (RFC 3501 §5.1.3), or `None` when it holds a line break or a null
/// byte, which no folder's name can.
pub(super) fn quoted(folder: &str) -> Option<String> {
    if folder.contains(['\r', '\n', '\0']) {
        return None;
    }
    let mut name = String::with_capacity(folder.len() + 2);
    let mut foreign: Vec<u16> = Vec::new();
    for c in folder.chars() {
        if matches!(c, ' '..='~') {
            end_foreign(&mut name, &mut foreign);
            match c {
                '&' => name.push_str("&-"),
                '"' | '\\' => name.extend(['\\', c]),
                c => name.push(c),
            }
        } else {
            foreign.extend(c.encode_utf16(&mut [0; 2]).iter());
        }
    }
    end_foreign(&mut name, &mut foreign);
    Some(format!("\"{name}\""))
}

/// Ends a stretch of characters outside ASCII: base64 of UTF-16, with `,` in place of `/` and without padding.
fn end_foreign(name: &mut String, foreign: &mut Vec<u16>) {
    if foreign.is_empty() {
        return;
    }
    let alphabet = base64::engine::GeneralPurpose::new(&alphabet::IMAP_MUTF7, NO_PAD);
    let bytes: Vec<u8> = foreign.drain(..).flat_map(u16::to_be_bytes).collect();
    let _ = write!(name, "&{}-", alphabet.encode(bytes));
}

/// UIDs as an IMAP set, runs written as ranges: `1:3,7`.
pub(super) fn uid_set(uids: &[u32]) -> String {
    let mut sorted = uids.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut set = String::new();
    for run in sorted.chunk_by(|a, b| a + 1 == *b) {
        let separator = if set.is_empty() { "" } else { "," };
        let _ = match run {
            [one] => write!(set, "{separator}{one}"),
            [first, .., last] => write!(set, "{separator}{first}:{last}"),
            [] => Ok(()),
        };
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names_are_written_in_modified_utf7() {
        for (folder, written) in [
            ("INBOX", r#""INBOX""#),
            ("Sent & \"done\"", r#""Sent &- \"done\"""#),
            ("Entwürfe", r#""Entw&APw-rfe""#),
            ("~peter/mail/台北/日本語", r#""~peter/mail/&U,BTFw-/&ZeVnLIqe-""#),
        ] {
            assert_eq!(quoted(folder).as_deref(), Some(written));
        }
        assert_eq!(quoted("a\r\nb"), None);
    }

    #[test]
    fn uids_are_written_as_ranges() {
        for (uids, set) in [(&[][..], ""), (&[7], "7"), (&[3, 1, 2, 7, 7], "1:3,7"), (&[1, 3, 5], "1,3,5")] {
            assert_eq!(uid_set(uids), set);
        }
    }
}
