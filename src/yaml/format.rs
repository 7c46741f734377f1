//! The canonical layout of a file: two spaces a level, lists further in than their key, one blank line at most, comments
//! two spaces behind what they stand beside. Scalars stay as they are written, and so do flows that fit in a line.
//!
//! What was laid out is read again: where it would say anything else, or a comment would be missing, the file is refused.

mod source;
mod writer;

use self::{
    source::{Comment, collect, comments},
    writer::Writer,
};
use super::{
    parse,
    tree::{Node, Value},
};
use crate::diagnostic::{Faults, Source};

/// Why a file is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFormatted {
    /// It cannot be read, for which [`parse`] has the faults.
    #[error("it has faults that `larum check` shows")]
    Faulty,
    /// The new layout would not say the same.
    #[error("the new layout would not be the same playbook; please report the file")]
    Unsafe,
}

/// The canonical layout of a file's text. Its line ends and its byte order mark stay what they are.
///
/// # Errors
/// Why it has none.
pub fn format(text: &str) -> Result<String, NotFormatted> {
    let (mark, body) = text.strip_prefix('\u{feff}').map_or(("", text), |body| ("\u{feff}", body));
    let windows = body.contains("\r\n");
    let unix = body.replace("\r\n", "\n");
    // A lone carriage return is a line end too, and a directive says how the rest is read.
    if unix.contains('\r') || unix.starts_with('%') {
        return Err(NotFormatted::Unsafe);
    }
    let (before, root) = read(&unix)?;
    let out = match &root {
        Some(root) => Writer::write(&unix, before.clone(), root),
        None => unix.clone(),
    };
    let (after, again) = read(&out).map_err(|_| NotFormatted::Unsafe)?;
    let same = match (&root, &again) {
        (Some(root), Some(again)) => is_same(root, again),
        (None, None) => true,
        _ => false,
    };
    let texts = |comments: &[Comment]| comments.iter().map(|comment| comment.text.clone()).collect::<Vec<_>>();
    if !same || texts(&before) != texts(&after) {
        return Err(NotFormatted::Unsafe);
    }
    Ok(format!("{mark}{}", if windows { out.replace('\n', "\r\n") } else { out }))
}

/// A text's comments and its tree, without one where it says nothing.
fn read(text: &str) -> Result<(Vec<Comment>, Option<Node>), NotFormatted> {
    let source = Source::new("", text);
    let mut faults = Faults::new(&source);
    let root = parse(&mut faults);
    if faults.count() > 0 {
        return Err(NotFormatted::Faulty);
    }
    let root = root.filter(|root| root.value != Value::Null);
    let mut scalars = Vec::new();
    if let Some(root) = &root {
        collect(root, &mut scalars);
    }
    Ok((comments(text, &scalars), root))
}

/// Whether two trees say the same, written in the same style.
fn is_same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Map(one), Value::Map(other)) => {
            let pairs = one.iter().zip(other);
            one.len() == other.len()
                && pairs.into_iter().all(|(one, other)| one.key == other.key && is_same(&one.value, &other.value))
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn flows_are_broken_where_they_hold_a_comment_or_do_not_fit() {
        let messy = "a:   [x,\n   y]   # beside\nb: {c: 1, # one\n  d: [2,3], # two\n  # last\n }\ne: { }\n";
        insta::assert_snapshot!(format(messy).unwrap());
    }

    #[test]
    fn comments_and_blank_lines_stay_where_they_belong() {
        let messy = "\n\n# head\n\n\nname:    x   # the name\nactions:   # what it does\n- id: a     # first\n  if: x\n\n\n  # before then\n  then:\n    -   id: b\n        # under b\n    # end of then\n# about the trigger\n\ntrigger:\n      manual:   {}\n#end";
        insta::assert_snapshot!(format(messy).unwrap());
    }

    #[test]
    fn blocks_keep_their_lines() {
        let messy = "a: |  # how\n       one\n         two\n\n       three\nb: >-\n # no comment\n folded\n\nc: |+\n  kept\n\n\nd: |2\n   first is further in\n  second\ne: \"quoted\n   over lines\"\nf: plain\n  over lines\n";
        insta::assert_snapshot!(format(messy).unwrap());
    }

    #[test]
    fn blocks_that_hold_nothing_or_end_in_spaces_are_laid_out_once() {
        for (messy, tidy) in [
            ("a: |\nb: 1\n", "a: |\nb: 1\n"),
            ("a: |\n\n\n# c\nb: 1\n", "a: |\n\n# c\nb: 1\n"),
            ("b: 1\na:   |", "b: 1\na: |\n"),
            ("b: 1\na: |+\n\n\n", "b: 1\na: |+\n\n\n"),
            ("a: >+  # c\n\n\nb: 1\n", "a: >+  # c\n\n\nb: 1\n"),
            ("- |-\n- >2\n- x\n", "- |-\n- >2\n- x\n"),
            ("a: |\n    one \nb: 1\n", "a: |\n  one \nb: 1\n"),
            ("a: |\n    one\n      \n\nb: 1\n", "a: |\n  one\n    \n\nb: 1\n"),
            ("a: |\n \"one\" # text\nb: 1\n", "a: |\n  \"one\" # text\nb: 1\n"),
            ("a: |2\n     \nb: 1\n", "a: |2\n     \nb: 1\n"),
        ] {
            assert_eq!(format(messy).as_deref(), Ok(tidy), "{messy}");
            assert_eq!(format(tidy).as_deref(), Ok(tidy));
        }
    }

    #[test]
    fn a_whole_file_in_a_flow_and_comments_before_a_value_are_laid_out_once() {
        for (messy, tidy) in [
            ("{b, c: 1}\n", "{b, c: 1}\n"),
            ("a: {b, c: }\n", "a: {b, c: }\n"),
            ("{a: 1, # c\n b: 2}\n", "a: 1  # c\nb: 2\n"),
            ("# head\n\n{ # c\n\n a: 1\n # d\n}\n# e\n", "# head\n\n# c\n\na: 1\n# d\n# e\n"),
            ("[1, # c\n 2]\n", "- 1  # c\n- 2\n"),
            ("with:   # one\n  # two\n  x\n", "# one\n# two\nwith: x\n"),
            ("a:\n  -\n    # three\n    {}\n", "a:\n  # three\n  - {}\n"),
            ("a: # one\n  # two\n  |\n  x\n", "# one\n# two\na: |\n  x\n"),
        ] {
            assert_eq!(format(messy).as_deref(), Ok(tidy), "{messy}");
            assert_eq!(format(tidy).as_deref(), Ok(tidy));
        }
    }
}
