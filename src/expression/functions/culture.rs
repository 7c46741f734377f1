//! What a culture (`de-DE`) writes differently: names of days and months, separators, currency.

use pure_rust_locales::{Locale, locale_match};

/// A part of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Day,
    Month,
    Year,
}

/// A culture. Its data are glibc's; where .NET's differ for a culture that is much used, [`Culture::patterns`] has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Culture {
    pub(super) days: &'static [&'static str],
    pub(super) short_days: &'static [&'static str],
    pub(super) months: &'static [&'static str],
    pub(super) short_months: &'static [&'static str],
    /// The order in which a date in numbers has its parts.
    pub(super) date_order: [Field; 3],
    /// The marks of morning and afternoon; empty where the day has 24 hours.
    pub(super) halves: &'static [&'static str],
    pub(super) decimal: &'static str,
    pub(super) group: &'static str,
    /// Sizes of groups of digits, from the right; the last repeats.
    pub(super) grouping: &'static [i64],
    pub(super) currency: &'static str,
    pub(super) currency_first: bool,
    pub(super) currency_space: bool,
    pub(super) currency_digits: usize,
    pub(super) percent_space: bool,
    /// .NET's patterns, where they are known.
    pub(super) patterns: Option<Patterns>,
}

/// The patterns behind .NET's standard formats.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patterns {
    pub(super) short_date: &'static str,
    pub(super) long_date: &'static str,
    pub(super) short_time: &'static str,
    pub(super) long_time: &'static str,
    pub(super) month_day: &'static str,
    pub(super) year_month: &'static str,
}

const ENGLISH: Patterns = Patterns {
    short_date: "M/d/yyyy",
    long_date: "dddd, MMMM d, yyyy",
    short_time: "h:mm tt",
    long_time: "h:mm:ss tt",
    month_day: "MMMM d",
    year_month: "MMMM yyyy",
};

const INVARIANT: Patterns = Patterns {
    short_date: "MM/dd/yyyy",
    long_date: "dddd, dd MMMM yyyy",
    short_time: "HH:mm",
    long_time: "HH:mm:ss",
    month_day: "MMMM dd",
    year_month: "yyyy MMMM",
};

/// Patterns of a culture with a day of 24 hours.
const fn day_first(short_date: &'static str, long_date: &'static str, month_day: &'static str) -> Patterns {
    Patterns { short_date, long_date, short_time: "HH:mm", long_time: "HH:mm:ss", month_day, year_month: "MMMM yyyy" }
}

fn patterns(name: &str) -> Option<Patterns> {
    Some(match name {
        "en_US" => ENGLISH,
        "en_GB" => day_first("dd/MM/yyyy", "dd MMMM yyyy", "d MMMM"),
        "de_DE" | "de_CH" | "de_AT" => day_first("dd.MM.yyyy", "dddd, d. MMMM yyyy", "d. MMMM"),
        "fr_FR" | "fr_BE" => day_first("dd/MM/yyyy", "dddd d MMMM yyyy", "d MMMM"),
        "es_ES" => Patterns {
            long_time: "H:mm:ss",
            short_time: "H:mm",
            year_month: "MMMM 'de' yyyy",
            ..day_first("dd/MM/yyyy", "dddd, d 'de' MMMM 'de' yyyy", "d 'de' MMMM")
        },
        "it_IT" => day_first("dd/MM/yyyy", "dddd d MMMM yyyy", "d MMMM"),
        "nl_NL" => day_first("d-M-yyyy", "dddd d MMMM yyyy", "d MMMM"),
        "pl_PL" => day_first("dd.MM.yyyy", "dddd, d MMMM yyyy", "d MMMM"),
        "pt_BR" | "pt_PT" => Patterns {
            year_month: "MMMM 'de' yyyy",
            ..day_first("dd/MM/yyyy", "dddd, d 'de' MMMM 'de' yyyy", "d 'de' MMMM")
        },
        "da_DK" => day_first("dd-MM-yyyy", "d. MMMM yyyy", "d. MMMM"),
        "nb_NO" => day_first("dd.MM.yyyy", "dddd d. MMMM yyyy", "d. MMMM"),
        "fi_FI" => Patterns {
            short_time: "H.mm",
            long_time: "H.mm.ss",
            ..day_first("d.M.yyyy", "dddd d. MMMM yyyy", "d. MMMM")
        },
        "cs_CZ" => Patterns {
            short_time: "H:mm",
            long_time: "H:mm:ss",
            ..day_first("dd.MM.yyyy", "dddd d. MMMM yyyy", "d. MMMM")
        },
        "ja_JP" | "zh_CN" => Patterns {
            short_time: "H:mm",
            long_time: "H:mm:ss",
            year_month: "yyyy'年'M'月'",
            ..day_first(if name == "ja_JP" { "yyyy/MM/dd" } else { "yyyy/M/d" }, "yyyy'年'M'月'd'日'", "M'月'd'日'")
        },
        "sv_SE" => day_first("yyyy-MM-dd", "'den 'd MMMM yyyy", "'den 'd MMMM"),
        _ => return None,
    })
}

/// The culture of no place in particular.
pub(super) fn invariant() -> Culture {
    Culture {
        currency: "¤",
        currency_first: true,
        percent_space: true,
        patterns: Some(INVARIANT),
        ..of(Locale::en_US, "en_US")
    }
}

/// The culture called `name`, as in `fr-FR`, ignoring case; the empty name is the invariant culture.
pub(super) fn find(name: &str) -> Option<Culture> {
    if name.is_empty() {
        return Some(invariant());
    }
    let glibc = match name.split_once(['-', '_']) {
        Some((language, region)) => format!("{}_{}", language.to_ascii_lowercase(), region.to_ascii_uppercase()),
        None if name.eq_ignore_ascii_case("en") => "en_US".to_owned(),
        None => format!("{}_{}", name.to_ascii_lowercase(), name.to_ascii_uppercase()),
    };
    let locale = Locale::try_from(glibc.as_str()).ok()?;
    Some(of(locale, &glibc))
}

fn of(locale: Locale, name: &str) -> Culture {
    Culture {
        days: locale_match!(locale => LC_TIME::DAY),
        short_days: locale_match!(locale => LC_TIME::ABDAY),
        months: locale_match!(locale => LC_TIME::MON),
        short_months: locale_match!(locale => LC_TIME::ABMON),
        date_order: date_order(locale_match!(locale => LC_TIME::D_FMT)),
        halves: locale_match!(locale => LC_TIME::AM_PM),
        decimal: locale_match!(locale => LC_NUMERIC::DECIMAL_POINT),
        group: locale_match!(locale => LC_NUMERIC::THOUSANDS_SEP),
        grouping: locale_match!(locale => LC_NUMERIC::GROUPING),
        currency: locale_match!(locale => LC_MONETARY::CURRENCY_SYMBOL),
        currency_first: locale_match!(locale => LC_MONETARY::P_CS_PRECEDES) != 0,
        currency_space: locale_match!(locale => LC_MONETARY::P_SEP_BY_SPACE) != 0,
        currency_digits: usize::try_from(locale_match!(locale => LC_MONETARY::FRAC_DIGITS)).unwrap_or(2),
        percent_space: !name.starts_with("en_"),
        patterns: patterns(name),
    }
}

/// The order of the parts in one of glibc's formats, such as `%d.%m.%Y`.
fn date_order(format: &str) -> [Field; 3] {
    let found: Vec<Field> = format
        .chars()
        .filter_map(|letter| match letter {
            'd' | 'e' => Some(Field::Day),
            'm' | 'b' | 'B' => Some(Field::Month),
            'y' | 'Y' => Some(Field::Year),
            _ => None,
        })
        .collect();
    // `%F` and the like have none of these letters, and stand for ISO 8601.
    found.try_into().unwrap_or([Field::Year, Field::Month, Field::Day])
}
