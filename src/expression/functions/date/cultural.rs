//! Dates in the words of a culture: `parseDateTime()`.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use super::{
    Timestamp,
    culture::{Culture, Field},
    in_range,
};

use crate::limits;

/// Years of two digits reach up to this one, as in .NET.
const TWO_DIGIT_YEAR_MAX: i32 = 2049;

/// Words that stand between the parts of a date and say nothing: `20 de octubre`, `15th of March`.
const BETWEEN: [&str; 12] = ["de", "del", "den", "der", "le", "of", "the", "at", "st", "nd", "rd", "th"];

/// What `text` says as `culture` writes dates: numbers in the culture's order, names of months and days, a time of day.
pub(super) fn parse(text: &str, culture: Culture, this_year: i32) -> Option<Timestamp> {
    let mut date = Vec::new();
    let mut month = None;
    let mut clock = Clock::default();
    let tokens = tokens(text)?;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            Token::Number(_) if matches!(tokens.get(at + 1), Some(Token::Colon)) && clock.hour.is_none() => {
                at = clock.read(&tokens, at)?;
                continue;
            }
            Token::Number(digits) => date.push(*digits),
            Token::Word(word) => {
                let name = |names: &[&str]| names.iter().position(|known| same_word(known, word));
                if let Some(found) = name(culture.months).or_else(|| name(culture.short_months)) {
                    month = Some(u32::try_from(found).ok()? + 1);
                } else if let Some(half) = half(word, culture) {
                    clock.afternoon = Some(half);
                    if clock.hour.is_none() {
                        clock.hour = date.pop()?.parse().ok();
                    }
                } else if name(culture.days).or_else(|| name(culture.short_days)).or_else(|| name(&BETWEEN)).is_none() {
                    return None;
                }
            }
            Token::Colon => return None,
        }
        at += 1;
    }
    let date = match month {
        Some(month) => named_month(&date, month, this_year)?,
        None => numbers(&date, culture, this_year)?,
    };
    let time = date.and_time(clock.time()?);
    in_range(time).then_some(Timestamp { time, utc: false })
}

enum Token<'t> {
    Number(&'t str),
    Word(&'t str),
    Colon,
}

fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim();
    if rest.len() > 100 {
        return None;
    }
    while let Some(letter) = rest.chars().next() {
        let length = if letter.is_ascii_digit() {
            let length = run(rest, |c| c.is_ascii_digit());
            tokens.push(Token::Number(&rest[..length]));
            length
        } else if letter.is_alphabetic() {
            let length = run(rest, |c| c.is_alphanumeric() || matches!(c, '\'' | '’'));
            tokens.push(Token::Word(&rest[..length]));
            length
        } else if letter == ':' {
            tokens.push(Token::Colon);
            1
        } else if letter.is_whitespace() || matches!(letter, '/' | '-' | '.' | ',') {
            letter.len_utf8()
        } else {
            return None;
        };
        rest = &rest[length..];
    }
    Some(tokens)
}

fn run(text: &str, holds: impl Fn(char) -> bool) -> usize {
    text.find(|c: char| !holds(c)).unwrap_or(text.len())
}

/// Whether two words are the same but for case and a final point of abbreviation.
fn same_word(known: &str, word: &str) -> bool {
    let known = known.trim_end_matches('.');
    known.chars().flat_map(char::to_lowercase).eq(word.chars().flat_map(char::to_lowercase))
}

/// Whether `word` marks the afternoon (true) or the morning (false).
fn half(word: &str, culture: Culture) -> Option<bool> {
    let halves = culture.halves.iter().position(|half| !half.is_empty() && same_word(half, word)).map(|at| at == 1);
    halves.or_else(|| ["am", "pm"].iter().position(|half| same_word(half, word)).map(|at| at == 1))
}

#[derive(Default)]
struct Clock {
    hour: Option<u32>,
    minute: u32,
    second: u32,
    nanosecond: u32,
    afternoon: Option<bool>,
}

impl Clock {
    /// Reads `h:m`, `h:m:s` or `h:m:s.f` from the token at `at`; gives the place after it.
    fn read(&mut self, tokens: &[Token<'_>], mut at: usize) -> Option<usize> {
        let number = |at: usize| match tokens.get(at) {
            Some(Token::Number(digits)) => digits.parse::<u32>().ok(),
            _ => None,
        };
        self.hour = Some(number(at)?);
        self.minute = number(at + 2)?;
        at += 3;
        if matches!(tokens.get(at), Some(Token::Colon)) {
            self.second = number(at + 1)?;
            at += 2;
        }
        Some(at)
    }

    fn time(&self) -> Option<NaiveTime> {
        let hour = self.hour.unwrap_or(0);
        let hour = match self.afternoon {
            Some(_) if !(1..=12).contains(&hour) => return None,
            Some(afternoon) => hour % 12 + if afternoon { 12 } else { 0 },
            None => hour,
        };
        NaiveTime::from_hms_nano_opt(hour, self.minute, self.second, self.nanosecond)
    }
}

pub(super) fn full_year(digits: &str) -> Option<i32> {
    let year: i32 = digits.parse().ok()?;
    if digits.len() > 2 {
        return Some(year);
    }
    let century = TWO_DIGIT_YEAR_MAX / 100 * 100;
    Some(if century + year > TWO_DIGIT_YEAR_MAX { century - 100 + year } else { century + year })
}

/// A day and a year beside a named month, in either order; the first of the month or this year where one is missing.
fn named_month(numbers: &[&str], month: u32, this_year: i32) -> Option<NaiveDate> {
    let is_year = |digits: &str| digits.len() > 2 || digits.parse::<u32>().is_ok_and(|number| number > 31);
    let (day, year) = match numbers {
        [] => (1, this_year),
        [year] if is_year(year) => (1, full_year(year)?),
        [day] => (day.parse().ok()?, this_year),
        [year, day] if is_year(year) => (day.parse().ok()?, full_year(year)?),
        [day, year] => (day.parse().ok()?, full_year(year)?),
        _ => return None,
    };
    NaiveDate::from_ymd_opt(year, month, day)
}

/// A date in numbers: the year first where it has more than two digits, else in the culture's order.
fn numbers(numbers: &[&str], culture: Culture, this_year: i32) -> Option<NaiveDate> {
    let order: Vec<Field> = match numbers {
        [first, _, _] if first.len() > 2 => vec![Field::Year, Field::Month, Field::Day],
        [_, _, _] => culture.date_order.to_vec(),
        [_, _] => culture.date_order.into_iter().filter(|field| *field != Field::Year).collect(),
        _ => return None,
    };
    let fields: BTreeMap<Field, &str> = order.into_iter().zip(numbers.iter().copied()).collect();
    let year = fields.get(&Field::Year).map_or(Some(this_year), |digits| full_year(digits))?;
    NaiveDate::from_ymd_opt(year, fields.get(&Field::Month)?.parse().ok()?, fields.get(&Field::Day)?.parse().ok()?)
}

/// What `text` says by exactly the .NET format `format`, as `DateTime.ParseExact` reads it.
pub(super) fn parse_exact(text: &str, format: &str, culture: Culture, this_year: i32) -> Option<Timestamp> {
    if format.len() > limits::FORMAT_BYTES {
        return None;
    }
    let mut exact = Exact { text: text.trim(), culture, ..Exact::default_for(culture) };
    let mut rest = format;
    while let Some(letter) = rest.chars().next() {
        let run = rest.chars().take_while(|next| *next == letter).count();
        let taken = match letter {
            '\'' | '"' => {
                let (quoted, length) = super::format::quoted(rest, letter)?;
                exact.literal(&quoted)?;
                length
            }
            '\\' => {
                let escaped = rest.chars().nth(1)?;
                exact.literal(escaped.encode_utf8(&mut [0; 4]))?;
                1 + escaped.len_utf8()
            }
            '%' => 1,
            _ => exact.specifier(letter, run)? * letter.len_utf8(),
        };
        rest = &rest[taken..];
    }
    if !exact.text.is_empty() {
        return None;
    }
    exact.timestamp(this_year)
}

/// What an exact parse has found so far.
struct Exact<'t> {
    text: &'t str,
    culture: Culture,
    day: Option<u32>,
    month: Option<u32>,
    year: Option<i32>,
    clock: Clock,
    offset_minutes: Option<i64>,
}

impl<'t> Exact<'t> {
    fn default_for(culture: Culture) -> Exact<'t> {
        Exact { text: "", culture, day: None, month: None, year: None, clock: Clock::default(), offset_minutes: None }
    }

    fn literal(&mut self, literal: &str) -> Option<()> {
        self.text = self.text.strip_prefix(literal)?;
        Some(())
    }

    /// A number of at least `least` and at most `most` digits.
    fn digits(&mut self, least: usize, most: usize) -> Option<&'t str> {
        let length = self.text.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.text.split_at(length);
        if length < least {
            return None;
        }
        self.text = rest;
        Some(digits)
    }

    fn number(&mut self, run: usize) -> Option<u32> {
        self.digits(run.min(2), 2)?.parse().ok()
    }

    /// The longest of `names` that comes next.
    fn name(&mut self, names: &[&str]) -> Option<u32> {
        let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
        let (at, length) = names
            .iter()
            .enumerate()
            .filter(|(_, name)| !name.is_empty())
            .filter_map(|(at, name)| {
                let head = self.text.get(..name.len())?;
                (lower(head) == lower(name)).then_some((at, name.len()))
            })
            .max_by_key(|(_, length)| *length)?;
        self.text = &self.text[length..];
        u32::try_from(at).ok()
    }

    /// Reads what a run of one letter stands for; says how many of the letters were used.
    fn specifier(&mut self, letter: char, run: usize) -> Option<usize> {
        let culture = self.culture;
        match (letter, run) {
            ('d', 1 | 2) => self.day = Some(self.number(run)?),
            ('d', 3) => drop(self.name(culture.short_days)?),
            ('d', _) => drop(self.name(culture.days)?),
            ('M', 1 | 2) => self.month = Some(self.number(run)?),
            ('M', 3) => self.month = Some(self.name(culture.short_months)? + 1),
            ('M', _) => self.month = Some(self.name(culture.months)? + 1),
            ('y', 1 | 2) => self.year = full_year(self.digits(run, 2)?),
            ('y', _) => self.year = self.digits(run, run.max(4))?.parse().ok(),
            ('H' | 'h', _) => self.clock.hour = Some(self.number(run)?),
            ('m', _) => self.clock.minute = self.number(run)?,
            ('s', _) => self.clock.second = self.number(run)?,
            ('f' | 'F', 1..=7) => {
                let digits = self.digits(if letter == 'f' { run } else { 0 }, run)?;
                self.clock.nanosecond = format!("{digits:0<9}").parse().ok()?;
            }
            ('t', _) => {
                let halves =
                    if culture.halves.iter().any(|half| !half.is_empty()) { culture.halves } else { &["AM", "PM"] };
                let initials: Vec<&str> = halves.iter().map(|half| half.get(..1).unwrap_or(half)).collect();
                self.clock.afternoon = Some(if run == 1 { self.name(&initials)? } else { self.name(halves)? } == 1);
            }
            ('z' | 'K', _) => {
                self.offset()?;
                return Some(if letter == 'K' { 1 } else { run });
            }
            // A space of the format stands for any white space, as the other letters do for themselves.
            (' ', _) => {
                let trimmed = self.text.trim_start();
                if trimmed.len() == self.text.len() {
                    return None;
                }
                self.text = trimmed;
            }
            (other, _) => {
                for _ in 0..run {
                    self.literal(other.encode_utf8(&mut [0; 4]))?;
                }
            }
        }
        Some(run)
    }

    /// `Z`, `+02`, `+02:00` or nothing.
    fn offset(&mut self) -> Option<()> {
        if let Some(rest) = self.text.strip_prefix(['Z', 'z']) {
            self.text = rest;
            self.offset_minutes = Some(0);
            return Some(());
        }
        let Some(rest) = self.text.strip_prefix(['+', '-']) else { return Some(()) };
        let sign = if self.text.starts_with('-') { -1 } else { 1 };
        self.text = rest;
        let hours: i64 = self.digits(1, 2)?.parse().ok()?;
        self.text = self.text.strip_prefix(':').unwrap_or(self.text);
        let minutes: i64 = self.digits(0, 2)?.parse().unwrap_or(0);
        self.offset_minutes = Some(sign * (hours * 60 + minutes));
        Some(())
    }

    fn timestamp(self, this_year: i32) -> Option<Timestamp> {
        let date =
            NaiveDate::from_ymd_opt(self.year.unwrap_or(this_year), self.month.unwrap_or(1), self.day.unwrap_or(1))?;
        let time: NaiveDateTime = date.and_time(self.clock.time()?);
        let time = match self.offset_minutes {
            Some(minutes) => time.checked_sub_signed(chrono::TimeDelta::try_minutes(minutes)?)?,
            None => time,
        };
        in_range(time).then_some(Timestamp { time, utc: self.offset_minutes.is_some() })
    }
}
