//! HTML as text, for mails that come without a text part and for the action that converts.

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::limits;

/// Columns of the text: lines are not wrapped before this, and a rule or a table is not drawn wider.
const WIDTH: usize = 1_000;

/// The text of an HTML page: links lose their addresses, lists keep their bullets, nothing is drawn. Of HTML nested deeper
/// than [`limits::HTML_NESTING`], or that cannot be laid out, only the tags are dropped.
#[must_use]
pub fn html_to_text(html: &str) -> String {
    let laid_out = if nesting(html) > limits::HTML_NESTING { None } else { lay_out(html) };
    let text = laid_out.unwrap_or_else(|| without_tags(html));
    let mut tidy = String::with_capacity(text.len());
    for line in text.lines().map(str::trim_end) {
        // More than one empty line in a row is the layout's, not the writer's.
        if !line.is_empty() || !(tidy.is_empty() || tidy.ends_with("\n\n")) {
            tidy.push_str(line);
            tidy.push('\n');
        }
    }
    tidy.truncate(tidy.trim_end().len());
    tidy
}

fn lay_out(html: &str) -> Option<String> {
    let html = without_spans(html);
    let config = html2text::config::plain_no_decorate().raw_mode(true).allow_width_overflow().link_footnotes(false);
    // The layout is a foreign program fed by strangers; a fault in it must not take the mailbox's reader down.
    catch_unwind(AssertUnwindSafe(|| config.string_from_read(html.as_bytes(), WIDTH))).ok()?.ok()
}

/// Cells that say they span others make html2text panic when the numbers are absurd; as text they span nothing anyway.
fn without_spans(html: &str) -> Cow<'_, str> {
    let mut kept: Option<Vec<u8>> = None;
    let bytes = html.as_bytes();
    for at in memchr::memchr2_iter(b'p', b'P', bytes) {
        // `colspan=` and `rowspan=`, found by their `span`.
        let name = at.checked_sub(4).and_then(|start| bytes.get(start..start + 7));
        let is_span =
            name.is_some_and(|name| name.eq_ignore_ascii_case(b"colspan") || name.eq_ignore_ascii_case(b"rowspan"));
        let value = bytes.get(at + 3..).unwrap_or_default().iter().find(|byte| !byte.is_ascii_whitespace());
        if is_span && value == Some(&b'=') {
            kept.get_or_insert_with(|| bytes.to_vec())[at] = b'x';
        }
    }
    match kept.map(String::from_utf8) {
        Some(Ok(kept)) => Cow::Owned(kept),
        _ => Cow::Borrowed(html),
    }
}

/// How deep elements nest at most, counted generously: every tag that opens counts until one closes.
fn nesting(html: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let bytes = html.as_bytes();
    for at in memchr::memchr_iter(b'<', bytes) {
        match bytes.get(at + 1) {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(byte) if byte.is_ascii_alphabetic() && !is_void(&bytes[at + 1..]) => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            _ => {}
        }
    }
    deepest
}

/// Whether a tag's name is that of an element that has no end tag, or whose end tag writers commonly leave out.
fn is_void(tag: &[u8]) -> bool {
    let length = tag.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(tag.len());
    let name = tag[..length].to_ascii_lowercase();
    matches!(
        name.as_slice(),
        b"area"
            | b"base"
            | b"br"
            | b"col"
            | b"embed"
            | b"hr"
            | b"img"
            | b"input"
            | b"link"
            | b"meta"
            | b"source"
            | b"track"
            | b"wbr"
            | b"p"
            | b"li"
            | b"option"
    )
}

fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        text.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find('>').map_or(rest.len(), |end| end + 1);
        text.push(' ');
        rest = &rest[end..];
    }
    text.push_str(rest);
    for (entity, character) in [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")] {
        text = text.replace(entity, character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_as_its_text() {
        for (html, text) in [
            ("<p>Hello <b>world</b></p><p>again</p>", "Hello world\n\nagain"),
            ("a<br>b", "a\nb"),
            ("<ul><li>one</li><li>two</li></ul>", "* one\n* two"),
            ("<style>p {color: red}</style><script>alert(1)</script>seen", "seen"),
            ("&lt;b&gt; &amp; &#x20AC;", "<b> & €"),
            ("<table><tr><td>Name</td><td>Ann</td></tr></table>", "Name\nAnn"),
            ("", ""),
            ("no tags", "no tags"),
        ] {
            assert_eq!(html_to_text(html), text, "{html}");
        }
    }

    #[test]
    fn hostile_html_is_survived() {
        let deep = format!("{}deep{}", "<div>".repeat(100_000), "</div>".repeat(100_000));
        assert_eq!(html_to_text(&deep).trim(), "deep");
        let tables = format!("{}deep", "<table><tr><td>".repeat(60));
        assert!(html_to_text(&tables).contains("deep"));
        assert!(html_to_text(&"<hr>".repeat(10_000)).len() < 20_000_000);
        assert!(html_to_text(&"<".repeat(100_000)).len() < 1_000_000);
        assert!(html_to_text(&format!("<a{}>x", " b=c".repeat(50_000))).contains('x'));
        let _ = html_to_text("<table><tr><td colspan=99999999999>x</td><td rowspan=4294967295>y");
        assert!(html_to_text("<ol start=-9223372036854775808><li>x").contains('x'));
        let _ = html_to_text("<p>\0\u{202e}</p><![CDATA[<x>]]><!-- -- -->");
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(200))]
        #[test]
        fn no_soup_of_tags_makes_it_fail(tags in proptest::collection::vec("</?(table|tr|td|th|ul|ol|li|pre|p|a|b|h1|svg|select|template|style|!--)( (colspan|start|href)=[0-9]{1,3})?>|[a-z日 \\n&;]{0,5}", 0..40)) {
            let _ = html_to_text(&tags.concat());
        }
    }
}
