//! Tables for people: aligned columns of one line each.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Characters of a cell; a longer text is cut with a mark.
const CELL_CHARS: usize = 60;

/// Rows under a heading, each column as wide as its widest cell, without spaces at the end of a line.
#[must_use]
pub fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let heading = heading.map(str::to_owned);
    let rows: Vec<[String; N]> =
        std::iter::once(&heading).chain(rows).map(|row| row.clone().map(|cell| line(&cell))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A text on one line that a terminal shows as it is: what a stranger wrote must not move the cursor.
fn line(text: &str) -> String {
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if text.chars().count() > CELL_CHARS {
        shown.take(CELL_CHARS - 1).chain(['…']).collect()
    } else {
        shown.collect()
    }
}

/// A text of several lines without anything that a terminal would obey.
#[must_use]
pub fn block(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || *c == '\t' || !c.is_control()).collect()
}

/// An instant in UTC, to the second.
#[must_use]
pub fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// The end of an id. Ids begin with the time, so that it is the end that tells two of one minute apart.
#[must_use]
pub fn short(id: Uuid) -> String {
    id.simple().to_string().split_off(24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_a_stranger_cannot_write_on_the_terminal() {
        let rows = [["1".to_owned(), "a\u{1b}[2Jb\nc".to_owned()], ["1000".to_owned(), "é".repeat(70)]];
        let expected = format!("NO    TITLE\n1     a [2Jb c\n1000  {}…\n", "é".repeat(59));
        assert_eq!(table(["NO", "TITLE"], &rows), expected);
    }
}
