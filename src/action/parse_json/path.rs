//! Where in a value something stands, as Newtonsoft writes it: `rows[1].name`, `['a b'][0]`.

/// One step from a value into another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

/// The path of these steps, outermost first; nothing for the value itself.
pub(super) fn write<'s>(segments: impl IntoIterator<Item = &'s Segment>) -> String {
    let mut out = String::new();
    for segment in segments {
        match segment {
            Segment::Index(index) => out.push_str(&format!("[{index}]")),
            Segment::Key(key) if key.contains(is_special) => {
                out.push_str("['");
                out.push_str(&key.replace('\\', "\\\\").replace('\'', "\\'"));
                out.push_str("']");
            }
            Segment::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
        }
    }
    out
}

/// Letters that would make a bare key ambiguous.
fn is_special(letter: char) -> bool {
    matches!(letter, '.' | '\'' | '"' | '/' | '\\' | '[' | ']' | '(' | ')') || letter.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_quoted_where_they_must_be() {
        let key = |key: &str| Segment::Key(key.to_owned());
        let row = |segments: &[Segment]| write(segments);
        assert_eq!(row(&[]), "");
        assert_eq!(row(&[key("rows"), Segment::Index(1), key("name")]), "rows[1].name");
        assert_eq!(row(&[key("a b"), key("x.y"), Segment::Index(0), key("q'")]), r"['a b']['x.y'][0]['q\'']");
        assert_eq!(row(&[Segment::Index(2), key("ok_1")]), "[2].ok_1");
    }
}
