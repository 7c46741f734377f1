//! Text → tokens, one at a time.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::Fault;

/// A token and the byte it begins at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'t> {
    pub at: usize,
    pub kind: TokenKind<'t>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind<'t> {
    Open,
    Close,
    Comma,
    Colon,
    Slash,
    Word(&'t str),
    Text(String),
    Integer(i64),
    Instant(DateTime<Utc>),
    /// A GUID without quotes, in lower case.
    Guid(String),
    End,
}

pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token; at the end of the text [`TokenKind::End`], again and again.
    pub(super) fn next(&mut self) -> Result<Token<'t>, Fault> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        let (at, rest) = (self.at, &self.text[self.at..]);
        let Some(first) = rest.chars().next() else { return Ok(Token { at, kind: TokenKind::End }) };
        let (kind, length) = match first {
            '(' => (TokenKind::Open, 1),
            ')' => (TokenKind::Close, 1),
            ',' => (TokenKind::Comma, 1),
            ':' => (TokenKind::Colon, 1),
            '/' => (TokenKind::Slash, 1),
            '\'' => quoted(rest).ok_or_else(|| Fault::new(at, "There is an unterminated string literal"))?,
            _ if guid(rest).is_some() => (TokenKind::Guid(rest[..GUID].to_ascii_lowercase()), GUID),
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = run(rest, |c| c.is_ascii_alphanumeric() || c == '_');
                (TokenKind::Word(&rest[..length]), length)
            }
            '0'..='9' | '-' if first != '-' || rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let length = run(rest, |c| c.is_ascii_alphanumeric() || "+-.:".contains(c));
                let literal = &rest[..length];
                let kind = number(literal).or_else(|| instant(literal).map(TokenKind::Instant));
                (kind.ok_or_else(|| Fault::new(at, format!("Unrecognized literal '{literal}'")))?, length)
            }
            '-' => return Err(Fault::syntax(at)),
            other => return Err(Fault::new(at, format!("Syntax error: character '{other}' is not valid"))),
        };
        self.at += length;
        Ok(Token { at, kind })
    }
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// A text in single quotes, in which a doubled quote is one.
fn quoted(text: &str) -> Option<(TokenKind<'static>, usize)> {
    let mut from = 1;
    loop {
        let end = from + text[from..].find('\'')?;
        if !text[end + 1..].starts_with('\'') {
            return Some((TokenKind::Text(text[1..end].replace("''", "'")), end + 1));
        }
        from = end + 2;
    }
}

/// Letters of a GUID.
const GUID: usize = 36;

/// A GUID at the start of `text` that nothing follows closely.
fn guid(text: &str) -> Option<uuid::Uuid> {
    let (guid, rest) = text.split_at_checked(GUID)?;
    let ends = !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "_-:".contains(c));
    uuid::Uuid::try_parse(guid).ok().filter(|_| ends)
}

/// A whole number; a fraction of nothing is allowed.
fn number(text: &str) -> Option<TokenKind<'static>> {
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|digit| digit == b'0') => whole,
        _ => text,
    };
    whole.parse().ok().map(TokenKind::Integer)
}

/// A date, or a date and time of ISO 8601 with any number of fraction digits (nine count) and a zone; without one it is UTC.
pub(super) fn instant(text: &str) -> Option<DateTime<Utc>> {
    let (date, time) = match text.split_once(['T', 't']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let Some(time) = time else { return Some(date.and_time(NaiveTime::MIN).and_utc()) };
    let zone = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (time, zone) = time.split_at(zone);
    let (clock, fraction) = match time.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (time, None),
    };
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2]).or_else(|| {
        let [hour, minute] = numbers(clock, ':', [2, 2])?;
        fraction.is_none().then_some([hour, minute, 0])
    })?;
    let nanos = match fraction {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            format!("{digits:0<9}")[..9].parse().ok()?
        }
        Some(_) => return None,
        None => 0,
    };
    let local = date.and_time(NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)?);
    local.checked_sub_signed(offset(zone)?).map(|at| at.and_utc())
}

/// What a zone is ahead of UTC.
fn offset(zone: &str) -> Option<TimeDelta> {
    let (sign, clock) = match zone.split_at_checked(1) {
        None | Some(("Z" | "z", "")) => return Some(TimeDelta::zero()),
        Some(("+", clock)) => (1, clock),
        Some(("-", clock)) => (-1, clock),
        Some(_) => return None,
    };
    let [hours, minutes] = numbers(clock, ':', [2, 2])?;
    (hours <= 14 && minutes < 60).then(|| TimeDelta::minutes(sign * i64::from(hours * 60 + minutes)))
}

/// Numbers of these many digits each, with `between` between them.
fn numbers<const N: usize>(text: &str, between: char, digits: [usize; N]) -> Option<[u32; N]> {
    let mut parts = text.split(between);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        let fits = part.len() == digits && part.bytes().all(|digit| digit.is_ascii_digit());
        *number = part.parse().ok().filter(|_| fits)?;
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;

    use super::*;

    #[test]
    fn instants_are_read_with_any_zone_and_any_number_of_fraction_digits() {
        let read = |text| instant(text).map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        for (text, expected) in [
            ("2024-01-01", "2024-01-01T00:00:00Z"),
            ("2024-01-01T10:20Z", "2024-01-01T10:20:00Z"),
            ("2024-01-01T10:20:30", "2024-01-01T10:20:30Z"),
            ("2024-01-01T10:20:30z", "2024-01-01T10:20:30Z"),
            ("2024-01-01T10:20:30.5+02:30", "2024-01-01T07:50:30.500Z"),
            ("2024-01-01T10:20:30.1234567-05:00", "2024-01-01T15:20:30.123456700Z"),
            ("2024-01-01T10:20:30.123456789123Z", "2024-01-01T10:20:30.123456789Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "2024",
            "2024-1-1",
            "2024-02-30",
            "2024-01-01T",
            "2024-01-01T24:00:00Z",
            "2024-01-01T10Z",
            "2024-01-01T10:20.5Z",
            "2024-01-01T10:20:30.Z",
            "2024-01-01T10:20:30+2",
            "2024-01-01T10:20:30+15:00",
            "2024-01-01T10:20:30Z1",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
