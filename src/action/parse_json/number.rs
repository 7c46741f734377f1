//! Numbers as the lenient reader takes them: JSON's own, `.5`, `1.`, `-010`, and octal and hexadecimal ones.

use serde_json::{Number, Value};

/// The number that `text` stands for; `None` when it stands for none. `text` holds only what a number may hold: digits,
/// signs, a point, and the letters of hexadecimal digits.
pub(super) fn parse(text: &str) -> Option<Value> {
    // What is JSON is read as JSON, so that both readers agree to the last bit.
    if let Ok(number) = serde_json::from_str::<Number>(text) {
        return Some(Value::Number(number));
    }
    let second = text.as_bytes().get(1);
    if text.starts_with('0') && second.is_some_and(|second| !matches!(second, b'.' | b'e' | b'E')) {
        return other_base(text);
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::from(whole));
    }
    let float: f64 = text.parse().ok()?;
    Some(match Number::from_f64(float) {
        Some(number) => Value::Number(number),
        // Too large for a double; Logic Apps writes such a number as this text.
        None => Value::from(if float > 0.0 { "Infinity" } else { "-Infinity" }),
    })
}

/// `0x1A` and `010`, in two's complement as .NET reads them.
fn other_base(text: &str) -> Option<Value> {
    let bits = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => unsigned(digits, 16)?,
        None => unsigned(text, 8)?,
    };
    Some(Value::from(bits.cast_signed()))
}

fn unsigned(digits: &str, base: u32) -> Option<u64> {
    // A second sign is no digit, though the standard library takes it.
    if digits.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(digits, base).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_beyond_json_are_read_as_dotnet_reads_them() {
        let rows = [
            ("5", Some(json!(5))),
            ("-7", Some(json!(-7))),
            ("1.50", Some(json!(1.5))),
            ("18446744073709551615", Some(json!(u64::MAX))),
            ("0x1A", Some(json!(26))),
            ("0X1a", Some(json!(26))),
            ("0xFFFFFFFFFFFFFFFF", Some(json!(-1))),
            ("010", Some(json!(8))),
            ("00", Some(json!(0))),
            ("-010", Some(json!(-10))),
            (".5", Some(json!(0.5))),
            ("-.5", Some(json!(-0.5))),
            ("1.", Some(json!(1.0))),
            ("1e2", Some(json!(100.0))),
            ("1.7976931348623157E+309", Some(json!("Infinity"))),
            ("-1e999", Some(json!("-Infinity"))),
            ("08", None),
            ("01.5", None),
            ("0x", None),
            ("0x+1", None),
            ("-0x1A", None),
            ("1.2.3", None),
            ("1e", None),
            ("-", None),
            (".", None),
            ("1-2", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
