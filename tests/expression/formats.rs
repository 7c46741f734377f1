//! What functions write and read: numbers, dates, text outside of ASCII.

use larum::expression::{JsonScope, Partials, Template};
use serde_json::{Value, json};

use crate::{all, evaluated, now};

/// `function(value, format)` for a table of format and result.
#[track_caller]
fn formatted(call: &str, table: &[(&str, &str)]) {
    for (format, expected) in table {
        let context = json!({"variables": {"format": format}});
        let template = Template::compile(&format!("@{call}"), &Partials::default()).unwrap();
        let got = template.evaluate(&JsonScope::new(context, now(), 1)).map_err(|error| error.message);
        assert_eq!(got, Ok(Value::from(*expected)), "{call} {format}");
    }
}

#[test]
fn dates_follow_nets_standard_formats() {
    formatted(
        "formatDateTime('2026-03-05T14:07:09.1230000Z', variables.format)",
        &[
            ("d", "3/5/2026"),
            ("D", "Thursday, March 5, 2026"),
            ("f", "Thursday, March 5, 2026 2:07 PM"),
            ("F", "Thursday, March 5, 2026 2:07:09 PM"),
            ("g", "3/5/2026 2:07 PM"),
            ("G", "3/5/2026 2:07:09 PM"),
            ("m", "March 5"),
            ("o", "2026-03-05T14:07:09.1230000Z"),
            ("r", "Thu, 05 Mar 2026 14:07:09 GMT"),
            ("s", "2026-03-05T14:07:09"),
            ("t", "2:07 PM"),
            ("T", "2:07:09 PM"),
            ("u", "2026-03-05 14:07:09Z"),
            ("y", "March 2026"),
        ],
    );
    formatted(
        "formatDateTime('2026-03-05T14:07:09Z', variables.format, 'pt-BR')",
        &[("m", "5 de março"), ("y", "março de 2026"), ("G", "05/03/2026 14:07:09")],
    );
    formatted(
        "formatDateTime('2026-03-05T14:07:09Z', variables.format, 'ja-JP')",
        &[("D", "2026年3月5日"), ("y", "2026年3月")],
    );
    formatted(
        "formatDateTime('2026-03-05T14:07:09Z', variables.format, 'de-DE')",
        &[("D", "Donnerstag, 5. März 2026"), ("g", "05.03.2026 14:07"), ("ddd d. MMM", "Do 5. Mär")],
    );
}

#[test]
fn dates_follow_nets_custom_formats() {
    formatted(
        "formatDateTime('2026-03-05T14:07:09.1200000Z', variables.format)",
        &[
            ("yyyy-MM-dd HH:mm:ss", "2026-03-05 14:07:09"),
            ("yy M d h m s", "26 3 5 2 7 9"),
            ("hh tt t", "02 PM P"),
            ("%d", "5"),
            ("dddd ddd MMMM MMM", "Thursday Thu March Mar"),
            ("f ff fff", "1 12 120"),
            ("ss.FFFF", "09.12"),
            ("HH\\h mm'm' \"s\"", "14h 07m s"),
            ("K zzz", "Z +00:00"),
            ("yyyyMMdd'T'HHmmss", "20260305T140709"),
            ("d/M", "5/3"),
        ],
    );
    formatted(
        "formatDateTime('2026-03-05 00:30', variables.format)",
        &[("o", "2026-03-05T00:30:00.0000000"), ("h:mm tt", "12:30 AM"), ("ss.FFF", "00")],
    );
}

#[test]
fn dates_are_read_in_the_usual_forms() {
    for text in [
        "2026-03-05T14:07:00Z",
        "2026-03-05T14:07:00.0000000Z",
        "2026-03-05T16:07:00+02:00",
        "2026-03-05 14:07:00Z",
        "Thu, 05 Mar 2026 14:07:00 GMT",
        "Thu, 5 Mar 2026 09:07:00 -0500",
    ] {
        assert_eq!(
            evaluated(&format!("@formatDateTime('{text}')")),
            Ok(json!("2026-03-05T14:07:00.0000000Z")),
            "{text}"
        );
    }
    for text in
        ["2026-03-05", "03/05/2026", "3/5/2026 12:00 AM", "March 5, 2026", "5 March 2026", "Thursday, March 5, 2026"]
    {
        assert_eq!(
            evaluated(&format!("@formatDateTime('{text}')")),
            Ok(json!("2026-03-05T00:00:00.0000000")),
            "{text}"
        );
    }
    for text in ["", "soon", "2026-13-01", "2026-02-30", "25:00", "2026-03-05T14:07:00Zx"] {
        assert!(evaluated(&format!("@formatDateTime('{text}')")).is_err(), "{text}");
    }
    all(&[
        ("@addDays('2024-02-28', 1, 'yyyy-MM-dd')", json!("2024-02-29")),
        ("@addHours('2026-12-31T23:00:00Z', 2)", json!("2027-01-01T01:00:00.0000000Z")),
    ]);
    assert!(evaluated("@addDays('9999-12-31', 1)").is_err());
}

#[test]
fn numbers_follow_nets_formats() {
    formatted(
        "formatNumber(1234567.891, variables.format)",
        &[
            ("N", "1,234,567.89"),
            ("N0", "1,234,568"),
            ("F1", "1234567.9"),
            ("C", "$1,234,567.89"),
            ("E3", "1.235E+006"),
            ("G", "1234567.891"),
            ("P1", "123,456,789.1%"),
            ("0.00", "1234567.89"),
            ("#,##0.0", "1,234,567.9"),
            ("#,#,", "1,235"),
            ("0,,.0'M'", "1.2M"),
            ("00000000000", "00001234568"),
            ("(###) ###-####", "() 123-4568"),
            ("0.###E+0", "1.235E+6"),
            ("#.##;(#.##)", "1234567.89"),
        ],
    );
    formatted(
        "formatNumber(-12, variables.format)",
        &[
            ("D5", "-00012"),
            ("N1", "-12.0"),
            ("C0", "-$12"),
            ("#;(#);zero", "(12)"),
            ("0.0", "-12.0"),
            ("0%", "-1200%"),
            ("\\#0", "-#12"),
        ],
    );
    formatted("formatNumber(0, variables.format)", &[("#;(#);zero", "zero"), ("#", ""), ("0.0#", "0.0")]);
    formatted("formatNumber(1.005, variables.format)", &[("0.00", "1.01"), ("F2", "1.00")]);
    formatted("formatNumber(9.995, variables.format)", &[("0.00", "10.00"), ("#.##", "10"), ("0.00E+0", "1.00E+1")]);
    formatted(
        "formatNumber(0.00012, variables.format)",
        &[("0.0000", "0.0001"), ("#.####", ".0001"), ("0.0E0", "1.2E-4")],
    );
    formatted("formatNumber(255, variables.format)", &[("X", "FF"), ("x4", "00ff")]);
    formatted(
        "formatNumber(1234.5, variables.format, 'de-DE')",
        &[("N2", "1.234,50"), ("C", "1.234,50\u{a0}€"), ("0.0", "1234,5")],
    );
    formatted("formatNumber(12345678, variables.format, 'en-IN')", &[("N0", "1,23,45,678")]);
    assert!(evaluated("@formatNumber(1, 'Q7')").is_err());
    assert!(evaluated("@formatNumber(1, 'N', 'xx-YY')").is_err());
}

#[test]
fn text_outside_of_ascii_counts_in_utf_16_as_in_net() {
    all(&[
        ("@length('é')", json!(1)),
        ("@length('😀')", json!(2)),
        ("@substring('a😀b', 3)", json!("b")),
        ("@indexOf('a😀B', 'b')", json!(3)),
        ("@startsWith('ÄPFEL', 'äpf')", json!(true)),
        ("@equals('Ä', 'ä')", json!(false)),
        ("@toUpper('straße')", json!("STRAßE")),
        ("@take('äöü', 2)", json!("äö")),
        ("@first('äö')", json!("ä")),
        ("@utf8Length('é')", json!(2)),
        ("@uriComponent('ä&b')", json!("%C3%A4%26b")),
    ]);
}

#[test]
fn functions_where_logic_apps_documentation_is_silent() {
    all(&[
        ("@json(null)", json!({})),
        ("@union(json('{\"a\":1}'), json('{\"b\":2,\"a\":3}'))", json!({"a": 3, "b": 2})),
        ("@mergeObjects(json('{\"a\":{\"x\":1}}'), json('{\"a\":{\"y\":2}}'))", json!({"a": {"x": 1, "y": 2}})),
        ("@sort(json('[{\"n\":2},{\"n\":1}]'), 'n')", json!([{"n": 1}, {"n": 2}])),
        ("@sort(createArray('b', 'A', 'a'))", json!(["A", "a", "b"])),
        ("@nthIndexOf('abcabc', 'B', -1)", json!(4)),
        ("@encodeXmlName('1 a_x0031_')", json!("_x0031__x0020_a_x005F_x0031_")),
        ("@decodeXmlName(encodeXmlName('1 a_x0031_'))", json!("1 a_x0031_")),
        ("@decodeXmlValue(encodeXmlValue('<a b=\"c\">&'))", json!("<a b=\"c\">&")),
        ("@chunk('abcde', 2)", json!(["ab", "cd", "e"])),
        ("@union(createArray(1, 1.0, '1'), createArray(true))", json!([1, "1", true])),
    ]);
    for template in
        ["@json('')", "@json('{')", "@sort(createArray(1, 'a'))", "@int('9223372036854775808')", "@float('NaN')"]
    {
        assert!(evaluated(template).is_err(), "{template}");
    }
}

#[test]
fn dates_are_read_as_a_culture_writes_them() {
    for (call, expected) in [
        ("parseDateTime('20.10.2014 15:30', 'de-DE')", "2014-10-20T15:30:00.0000000"),
        ("parseDateTime('5. März 2026', 'de-DE')", "2026-03-05T00:00:00.0000000"),
        ("parseDateTime('jeudi 5 mars 2026', 'fr-FR')", "2026-03-05T00:00:00.0000000"),
        ("parseDateTime('20 de octubre de 2020', 'es-ES')", "2020-10-20T00:00:00.0000000"),
        ("parseDateTime('10/20/2014 3:05 PM', 'en-US')", "2014-10-20T15:05:00.0000000"),
        ("parseDateTime('20/10/14', 'en-GB')", "2014-10-20T00:00:00.0000000"),
        ("parseDateTime('1/2/60', 'en-US')", "1960-01-02T00:00:00.0000000"),
        ("parseDateTime('2026-01-31T10:30:00Z')", "2026-01-31T10:30:00.0000000Z"),
        ("parseDateTime('March 5')", "2026-03-05T00:00:00.0000000"),
        ("parseDateTime('05 Mar 2026 2 PM', 'en-US', 'dd MMM yyyy h tt')", "2026-03-05T14:00:00.0000000"),
        ("parseDateTime('2026-03-05 14:07 +02:00', 'en-US', 'yyyy-MM-dd HH:mm zzz')", "2026-03-05T12:07:00.0000000Z"),
    ] {
        assert_eq!(evaluated(&format!("@{call}")), Ok(Value::from(expected)), "{call}");
    }
    for call in [
        "parseDateTime('20/10/2014', 'en-US')",
        "parseDateTime('20/10/2014 banana', 'fr-FR')",
        "parseDateTime('2026', 'en-US', 'yy')",
        "parseDateTime('tomorrow')",
        "parseDateTime('13 PM 1/2/2026')",
    ] {
        assert!(evaluated(&format!("@{call}")).is_err(), "{call}");
    }
}

#[test]
fn zones_follow_their_clocks_through_both_changes() {
    for (call, expected) in [
        ("convertFromUtc('2026-03-29T00:59:00Z', 'Europe/Berlin', 'HH:mm')", "01:59"),
        ("convertFromUtc('2026-03-29T01:00:00Z', 'W. Europe Standard Time', 'HH:mm')", "03:00"),
        ("convertToUtc('2026-10-25 02:30', 'Europe/Berlin', 'HH:mm')", "01:30"),
        (
            "convertTimeZone('2026-07-01 09:00', 'Eastern Standard Time', 'Tokyo Standard Time', 'o')",
            "2026-07-01T22:00:00.0000000",
        ),
        ("convertTimeZone('2026-07-01 09:00', 'Europe/Berlin', 'UTC')", "2026-07-01T07:00:00.0000000Z"),
        ("convertTimeZone('2026-07-01T09:00:00+02:00', 'Asia/Tokyo', 'UTC')", "2026-07-01T07:00:00.0000000Z"),
    ] {
        assert_eq!(evaluated(&format!("@{call}")), Ok(Value::from(expected)), "{call}");
    }
    for (call, message) in [
        (
            "convertToUtc('2026-03-29 02:30', 'Europe/Berlin')",
            "cannot be evaluated: the clocks of Europe/Berlin skip the time 2026-03-29 02:30:00.",
        ),
        (
            "convertFromUtc('2026-03-29', 'Europe/Berln')",
            "cannot be evaluated: there is no time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?",
        ),
        (
            "addToTime('2026-03-29', 1, 'Fortnight')",
            "there is no unit of time 'Fortnight'; there are Second, Minute, Hour, Day, Week, Month and Year.",
        ),
        ("addToTime('9999-12-31', 1, 'day')", "the result lies outside of the years 1 to 9999."),
    ] {
        let error = evaluated(&format!("@{call}")).unwrap_err();
        assert!(error.contains(message), "{call}: {error}");
    }
}

#[test]
fn large_inputs_are_no_trouble() {
    let long = "é&".repeat(100_000);
    let context =
        json!({"variables": {"long": long, "a": "a".repeat(200_000), "b": format!("{}b", "a".repeat(100_000))}});
    for (call, expected) in [
        ("length(chunk(variables.long, 1))", json!(200_000)),
        ("length(decodeXmlValue(variables.long))", json!(200_000)),
        ("nthIndexOf(variables.long, 'É&', 80000)", json!(159_998)),
        ("nthIndexOf(variables.a, substring(variables.b, 0, 100000), -1)", json!(100_000)),
        ("indexOf(variables.a, variables.b)", json!(-1)),
        ("length(split(variables.long, '&'))", json!(100_001)),
        ("length(union(chunk(variables.long, 4), range(1, 100000)))", json!(100_001)),
        ("length(sort(chunk(variables.long, 4)))", json!(50_000)),
    ] {
        let template = Template::compile(&format!("@{call}"), &Partials::default()).unwrap();
        let got = template.evaluate(&JsonScope::new(context.clone(), now(), 1)).map_err(|error| error.message);
        assert_eq!(got, Ok(expected), "{call}");
    }
    let padded = json!({"variables": {"format": "y".repeat(100_000)}});
    let template = Template::compile("@utcNow(variables.format)", &Partials::default()).unwrap();
    assert!(template.evaluate(&JsonScope::new(padded, now(), 1)).is_err());
}
