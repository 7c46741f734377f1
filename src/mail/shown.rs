//! Text that people will see: subjects, names and bodies arrive with line breaks, escape sequences, null bytes and
//! controls that reverse the writing direction, and without limit. What was received is kept elsewhere, unchanged.

/// Marks a text that was cut.
const CUT: char = '…';

/// One line of at most `limit` characters, the mark of a cut included: every run of white space becomes one space, and control characters and those
/// that change the writing direction are dropped.
#[must_use]
pub fn line(text: &str, limit: usize) -> String {
    let mut line = String::with_capacity(text.len().min(limit));
    let mut chars = 0;
    let mut space = false;
    for c in text.chars() {
        if c.is_whitespace() {
            space = chars > 0;
            continue;
        }
        if c.is_control() || turns_direction(c) {
            continue;
        }
        if chars + usize::from(space) >= limit {
            if chars == limit {
                line.pop();
            }
            line.push(CUT);
            break;
        }
        if std::mem::take(&mut space) {
            line.push(' ');
            chars += 1;
        }
        line.push(c);
        chars += 1;
    }
    line
}

/// A file's name: one line without the separators of paths, so that it names a file and never a place.
#[must_use]
pub fn file_name(name: &str, limit: usize) -> String {
    line(name, limit).replace(['/', '\\', ':'], "_").trim_start_matches('.').to_owned()
}

/// A body: line ends become `\n`, and control characters other than tab and line end are dropped. Marks of the writing
/// direction stay, because right-to-left languages need them in running text.
#[must_use]
pub fn body(text: String) -> String {
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(is_control) {
        return text;
    }
    let mut body = String::with_capacity(text.len());
    let mut from = 0;
    for (at, control) in text.match_indices(is_control) {
        body.push_str(&text[from..at]);
        from = at + control.len();
        if control == "\r" && !text[from..].starts_with('\n') {
            body.push('\n');
        }
    }
    body.push_str(&text[from..]);
    body
}

/// The first `limit` bytes of a text, to a whole character.
#[must_use]
pub fn first_bytes(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Unicode's bidirectional controls (UAX #9), the zero-width no-break space, and the tag characters that hide text.
#[must_use]
pub fn turns_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_one_clean_line() {
        for (received, shown) in [
            ("plain", "plain"),
            ("  two\r\n lines\t here ", "two lines here"),
            ("nu\0ll and \u{1b}[31mred", "null and [31mred"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("\u{feff}mark", "mark"),
            ("日本語", "日本語"),
            ("", ""),
        ] {
            assert_eq!(line(received, 100), shown);
        }
        assert_eq!(line("abcdef", 3), "ab…");
        assert_eq!(line("abc", 3), "abc");
        assert_eq!(line("ab cd", 3), "ab…");
    }

    #[test]
    fn a_file_name_is_no_path() {
        assert_eq!(file_name("../../etc/passwd", 100), "_.._etc_passwd");
        assert_eq!(file_name("C:\\report.pdf", 100), "C__report.pdf");
    }

    #[test]
    fn a_body_keeps_its_lines_and_loses_its_controls() {
        assert_eq!(body("a\r\nb\rc\n\td\0\u{1b}\u{85}".into()), "a\nb\nc\n\td");
        assert_eq!(body("שלום \u{200f}".into()), "שלום \u{200f}");
    }
}
