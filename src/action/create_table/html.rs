//! A table in HTML, on one line as Logic Apps writes it.

use std::borrow::Cow;

use super::TooLong;

pub(super) fn write<'v>(
    head: &[Cow<'_, str>],
    rows: impl Iterator<Item = Vec<Cow<'v, str>>>,
) -> Result<String, TooLong> {
    let mut out = String::from("<table><thead><tr>");
    head.iter().for_each(|header| cell(&mut out, "th", header));
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        row.iter().for_each(|text| cell(&mut out, "td", text));
        out.push_str("</tr>");
        TooLong::check(&out)?;
    }
    out.push_str("</tbody></table>");
    Ok(out)
}

fn cell(out: &mut String, tag: &str, text: &str) {
    out.push('<');
    out.push_str(tag);
    out.push('>');
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
    out.push_str("</");
    out.push_str(tag);
    out.push('>');
}
