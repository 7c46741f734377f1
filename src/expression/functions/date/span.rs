//! Spans of time as .NET's TimeSpan reads and writes them: `3.04:30:00`.

use std::fmt::Write;

use super::culture::Culture;
use crate::limits;

const SECOND: u64 = 10_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A span in steps of 100 ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) ticks: i64,
}

impl Span {
    /// Reads `d`, `hh:mm`, `hh:mm:ss`, `d.hh:mm:ss`, `d:hh:mm:ss`, with up to seven digits of a second's fraction.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let mut parts: Vec<&str> = rest.split(':').collect();
        if parts.len() == 1 {
            return Self::of(negative, number(rest)?.checked_mul(DAY)?);
        }
        let mut days = "0";
        if let Some((before, hours)) = parts[0].split_once('.') {
            days = before;
            parts[0] = hours;
        } else if parts.len() == 4 {
            days = parts.remove(0);
        }
        let (seconds, fraction) = match parts.get(2) {
            Some(text) => text.split_once('.').unwrap_or((text, "0")),
            None => ("0", "0"),
        };
        let [hours, minutes, ..] = parts[..] else { return None };
        if parts.len() > 3 || fraction.is_empty() || fraction.len() > 7 {
            return None;
        }
        let below = |text: &str, limit: u64| number(text).filter(|number| *number < limit);
        let fraction = number(&format!("{fraction:0<7}"))?;
        let clock = below(hours, 24)? * HOUR + below(minutes, 60)? * MINUTE + below(seconds, 60)? * SECOND + fraction;
        Self::of(negative, number(days)?.checked_mul(DAY)?.checked_add(clock)?)
    }

    fn of(negative: bool, ticks: u64) -> Option<Self> {
        let ticks = i64::try_from(ticks).ok()?;
        Some(Self { ticks: if negative { -ticks } else { ticks } })
    }

    fn parts(self) -> Parts {
        let ticks = self.ticks.unsigned_abs();
        Parts {
            sign: if self.ticks < 0 { "-" } else { "" },
            days: ticks / DAY,
            hours: ticks % DAY / HOUR,
            minutes: ticks % HOUR / MINUTE,
            seconds: ticks % MINUTE / SECOND,
            fraction: ticks % SECOND,
        }
    }

    /// .NET's constant format: `[-][d.]hh:mm:ss[.fffffff]`.
    pub(super) fn constant(self) -> String {
        let Parts { sign, days, hours, minutes, seconds, fraction } = self.parts();
        let days = if days == 0 { String::new() } else { format!("{days}.") };
        let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:07}") };
        format!("{sign}{days}{hours:02}:{minutes:02}:{seconds:02}{fraction}")
    }

    /// The span by a standard format (`c`, `g`, `G`) or a custom one; `None` when there is no such format.
    pub(super) fn format(self, format: &str, culture: Culture) -> Option<String> {
        if format.len() > limits::FORMAT_BYTES {
            return None;
        }
        let Parts { sign, days, hours, minutes, seconds, fraction } = self.parts();
        let point = culture.decimal;
        match format {
            "" | "c" | "t" | "T" => Some(self.constant()),
            "g" => {
                let days = if days == 0 { String::new() } else { format!("{days}:") };
                let digits = format!("{fraction:07}");
                let digits = digits.trim_end_matches('0');
                let fraction = if digits.is_empty() { String::new() } else { format!("{point}{digits}") };
                Some(format!("{sign}{days}{hours}:{minutes:02}:{seconds:02}{fraction}"))
            }
            "G" => Some(format!("{sign}{days}:{hours:02}:{minutes:02}:{seconds:02}{point}{fraction:07}")),
            _ => self.parts().custom(format),
        }
    }
}

struct Parts {
    sign: &'static str,
    days: u64,
    hours: u64,
    minutes: u64,
    seconds: u64,
    fraction: u64,
}

impl Parts {
    /// A custom format has no sign; its letters are `d h m s f F`, and everything else is quoted or escaped.
    fn custom(&self, format: &str) -> Option<String> {
        let mut out = String::new();
        let mut rest = format;
        while let Some(letter) = rest.chars().next() {
            match letter {
                '\'' | '"' => {
                    let (text, length) = super::format::quoted(rest, letter)?;
                    out.push_str(&text);
                    rest = &rest[length..];
                }
                '\\' => {
                    let escaped = rest.chars().nth(1)?;
                    out.push(escaped);
                    rest = &rest[1 + escaped.len_utf8()..];
                }
                '%' => {
                    rest = &rest[1..];
                    if rest.is_empty() || rest.starts_with('%') {
                        return None;
                    }
                }
                _ => {
                    let run = rest.chars().take_while(|next| *next == letter).count();
                    self.specifier(letter, run, &mut out)?;
                    rest = &rest[run..];
                }
            }
        }
        Some(out)
    }

    fn specifier(&self, letter: char, run: usize, out: &mut String) -> Option<()> {
        let (value, widest) = match letter {
            'd' => (self.days, 8),
            'h' => (self.hours, 2),
            'm' => (self.minutes, 2),
            's' => (self.seconds, 2),
            'f' | 'F' => (self.fraction, 7),
            _ => return None,
        };
        if run > widest {
            return None;
        }
        match letter {
            'f' | 'F' => {
                let digits = format!("{value:07}");
                let digits = &digits[..run];
                out.push_str(if letter == 'F' { digits.trim_end_matches('0') } else { digits });
                Some(())
            }
            _ => write!(out, "{value:0run$}").ok(),
        }
    }
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may end here")]

    use super::*;
    use crate::expression::functions::culture::invariant;

    #[test]
    fn spans_are_read_and_written_as_dotnet_does() {
        for (given, constant) in [
            ("3", "3.00:00:00"),
            ("04:30", "04:30:00"),
            ("-1.02:03:04.5", "-1.02:03:04.5000000"),
            ("1:2:3:4", "1.02:03:04"),
            ("0:0:0", "00:00:00"),
        ] {
            assert_eq!(Span::parse(given).unwrap().constant(), constant, "{given}");
        }
        for given in ["", "-", "24:00", "1:60", "a", "1:2:3:4:5", "1.2", "1:2:3.12345678", "99999999999"] {
            assert_eq!(Span::parse(given), None, "{given}");
        }
    }

    #[test]
    fn spans_have_standard_and_custom_formats() {
        let span = Span::parse("1.02:03:04.05").unwrap();
        let format = |format| span.format(format, invariant());
        assert_eq!(format("g").as_deref(), Some("1:2:03:04.05"));
        assert_eq!(format("G").as_deref(), Some("1:02:03:04.0500000"));
        assert_eq!(format(r"d\.hh\:mm\:ss\.ff").as_deref(), Some("1.02:03:04.05"));
        assert_eq!(format("%h").as_deref(), Some("2"));
        assert_eq!(format("d' days'").as_deref(), Some("1 days"));
        assert_eq!(format("hh:mm"), None);
    }
}
