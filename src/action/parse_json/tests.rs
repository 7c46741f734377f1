use proptest::prelude::*;
use serde_json::{Number, Value, json};

use super::{execute, path::Segment, reader};
use crate::{action::Outcome, limits, playbook::ActionStatus};

fn read(text: &str) -> Result<Value, String> {
    reader::read(text).map_err(|fault| fault.to_string())
}

fn errors(content: &Value, schema: &Value) -> Vec<Value> {
    let outcome = execute(&json!({"content": content, "schema": schema}));
    match outcome.outputs {
        Some(outputs) => outputs["errors"].as_array().cloned().unwrap_or_default(),
        None => panic!("{:?}", outcome.error),
    }
}

fn messages(content: &Value, schema: &Value) -> Vec<String> {
    errors(content, schema).iter().map(|error| error["message"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn what_is_nearly_json_is_read() {
    let rows = [
        ("{'a':'b'}", json!({"a": "b"})),
        ("{a:1, $b_2:2, 3:4, ä:5}", json!({"a": 1, "$b_2": 2, "3": 4, "ä": 5})),
        ("{a :1}", json!({"a": 1})),
        ("/* first */ {\"a\":1 /* c */} // end", json!({"a": 1})),
        ("[1, // one\r\n 2 /* two */]", json!([1, 2])),
        ("[1,2,]", json!([1, 2])),
        ("{\"a\":1,}", json!({"a": 1})),
        ("[,1]", json!([null, 1])),
        ("[1,,2]", json!([1, null, 2])),
        ("[,]", json!([null])),
        ("{a:,b:1}", json!({"a": null, "b": 1})),
        ("{a:undefined}", json!({"a": null})),
        ("{} x", json!({})),
        ("{}{}", json!({})),
        ("{\"a\":1}}", json!({"a": 1})),
        ("1 x", json!(1)),
        ("{\"a\":1,\"a\":2}", json!({"a": 2})),
        ("[NaN, Infinity, -Infinity]", json!(["NaN", "Infinity", "-Infinity"])),
        ("[0x1A, 010, -010, .5, 1., 1e2]", json!([26, 8, -10, 0.5, 1.0, 100.0])),
        // The end of the text right after a value closes every open container.
        ("[1", json!([1])),
        ("[1  ", json!([1])),
        ("[[1]", json!([[1]])),
        ("{\"a\":{\"b\":12", json!({"a": {"b": 12}})),
        ("[{\"a\":1}", json!([{"a": 1}])),
        ("[\"x\" /* y */", json!(["x"])),
        (r#"["\'", "\/"]"#, json!(["'", "/"])),
        (r#""\ud83d\ude00 \u00e4""#, json!("\u{1F600} ä")),
        (
            r#"["\ud83d", "\ud83dx", "\ud83d\u0041", "\ude00"]"#,
            json!(["\u{fffd}", "\u{fffd}x", "\u{fffd}A", "\u{fffd}"]),
        ),
        ("\"a\tb\nc\"", json!("a\tb\nc")),
        ("\"2026-03-05T14:07:09.1234567+02:00\"", json!("2026-03-05T14:07:09.1234567+02:00")),
        ("\u{feff}{\"a\":1}", json!({"a": 1})),
        ("  ", json!(null)),
        ("// nothing", json!(null)),
        (",", json!(null)),
    ];
    for (text, expected) in rows {
        assert_eq!(read(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    let rows = [
        ("hello", "Unexpected character encountered while parsing value: h. Path '', line 0, position 0."),
        (" h", "Unexpected character encountered while parsing value: h. Path '', line 1, position 1."),
        ("}", "Unexpected character encountered while parsing value: }. Path '', line 0, position 0."),
        ("[}", "Unexpected character encountered while parsing value: }. Path '', line 1, position 1."),
        ("[+1]", "Unexpected character encountered while parsing value: +. Path '', line 1, position 1."),
        ("new Date(1)", "Unexpected character encountered while parsing value: n. Path '', line 0, position 0."),
        (
            "{\r\n\"a\":\r\n  x}",
            "Unexpected character encountered while parsing value: x. Path 'a', line 3, position 2.",
        ),
        ("[1,\n2,\nx]", "Unexpected character encountered while parsing value: x. Path '[1]', line 3, position 0."),
        (
            "[\"\u{1F600}\" x]",
            "After parsing a value an unexpected character was encountered: x. Path '[0]', line 1, position 6.",
        ),
        ("]", "JsonToken EndArray is not valid for closing JsonType None. Path '', line 1, position 1."),
        ("[1}", "JsonToken EndObject is not valid for closing JsonType Array. Path '', line 1, position 3."),
        (
            "[0, {\"a\": ]",
            "JsonToken EndArray is not valid for closing JsonType Object. Path '[1]', line 1, position 11.",
        ),
        ("{\"a\":1,", "Unexpected end when reading token. Path ''."),
        ("{\"a\":", "Unexpected end when reading token. Path ''."),
        ("{", "Unexpected end when reading token. Path ''."),
        ("[", "Unexpected end when reading token. Path ''."),
        ("[1,", "Unexpected end when reading token. Path ''."),
        ("{\"a\":[1,{\"b\":", "Unexpected end when reading token. Path 'a[1]'."),
        ("[tr", "Unexpected end when reading JSON. Path '', line 1, position 3."),
        ("{\"a\"", "Unexpected end when reading JSON. Path '', line 1, position 4."),
        ("{a", "Unexpected end while parsing unquoted property name. Path '', line 1, position 2."),
        ("true;", "Error parsing boolean value. Path '', line 1, position 4."),
        ("[1,tru]", "Error parsing boolean value. Path '[0]', line 1, position 6."),
        ("{\"a\":\n  nul}", "Error parsing null value. Path 'a', line 2, position 5."),
        ("{\"a\":Infinityx}", "Error parsing Infinity value. Path 'a', line 1, position 13."),
        ("[1 2]", "After parsing a value an unexpected character was encountered: 2. Path '[0]', line 1, position 3."),
        (
            "{\"a\":1 \"b\":2}",
            "After parsing a value an unexpected character was encountered: \". Path 'a', line 1, position 7.",
        ),
        ("{\"a\":1,,\"b\":2}", "Invalid property identifier character: ,. Path 'a', line 1, position 7."),
        ("{]", "Invalid property identifier character: ]. Path '', line 1, position 1."),
        ("{a-b:1}", "Invalid JavaScript property identifier character: -. Path '', line 1, position 2."),
        (
            "{\"a\" 1}",
            "Invalid character after parsing property name. Expected ':' but got: 1. Path '', line 1, position 5.",
        ),
        ("\"abc", "Unterminated string. Expected delimiter: \". Path '', line 1, position 4."),
        ("{\"a", "Unterminated string. Expected delimiter: \". Path '', line 1, position 3."),
        ("{\"a\":\"x", "Unterminated string. Expected delimiter: \". Path 'a', line 1, position 7."),
        ("'a\\", "Unterminated string. Expected delimiter: '. Path '', line 1, position 3."),
        ("\"\\q\"", "Bad JSON escape sequence: \\q. Path '', line 1, position 3."),
        ("[\"a\\u0041\\x41\"]", "Bad JSON escape sequence: \\x. Path '', line 1, position 11."),
        ("\"\\u12G4\"", "Invalid Unicode escape sequence: \\u12G4. Path '', line 1, position 3."),
        ("\"\\u12", "Unexpected end while parsing Unicode escape sequence. Path '', line 1, position 5."),
        ("[1 /* c", "Unexpected end while parsing comment. Path '[0]', line 1, position 7."),
        ("[1 /c", "Error parsing comment. Expected: *, got c. Path '[0]', line 1, position 4."),
        ("[1.2.3]", "Input string '1.2.3' is not a valid number. Path '[0]', line 1, position 6."),
        ("[08]", "Input string '08' is not a valid number. Path '[0]', line 1, position 3."),
        ("[-]", "Input string '-' is not a valid number. Path '[0]', line 1, position 2."),
        (
            "[-Infinity,-NaN]",
            "Unexpected character encountered while parsing number: N. Path '[0]', line 1, position 12.",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(read(text), Err(expected.to_owned()), "{text}");
    }
    let deep = limits::VALUE_NESTING;
    assert!(read(&"[".repeat(deep + 1)).is_err_and(|message| message.starts_with("The reader's MaxDepth of 100")));
    assert!(read(&format!("{}1", "[".repeat(deep))).is_ok());
    let many = limits::JSON_VALUES;
    for piece in [",", "1,", "[],"] {
        // The array itself is a value too.
        assert!(read(&format!("[{}]", piece.repeat(many - 1))).is_ok(), "{piece}");
        let message = read(&format!("[{}]", piece.repeat(many))).unwrap_err();
        assert!(message.starts_with("There are more than 500000 values. Path '[499998]', line 1"), "{message}");
    }
    assert!(read(&format!("{{{}", "a:,".repeat(many))).is_err_and(|message| message.contains("500000 values")));
}

#[test]
fn places_are_those_of_the_first_token() {
    let text = "{\n  \"rows\": [{\"a/b\": 1},\n    {\"a/b\": \"äx\"}]}";
    let places = reader::places(text, ["", "/rows", "/rows/1/a~1b", "/none"].into_iter());
    let shown: Vec<(&str, usize, usize)> =
        places.iter().map(|(pointer, place)| (pointer.as_str(), place.line, place.position)).collect();
    assert_eq!(shown, [("", 1, 1), ("/rows", 2, 11), ("/rows/1/a~1b", 3, 16)]);
}

#[test]
fn content_that_is_no_text_is_taken_as_it_is() {
    let body = |content: Value, schema: Value| {
        execute(&json!({"content": content, "schema": schema})).outputs.map(|outputs| outputs["body"].clone())
    };
    assert_eq!(body(json!(3), json!({"type": "integer"})), Some(json!(3)));
    assert_eq!(body(json!({"a": 1}), json!({})), Some(json!({"a": 1})));
    assert_eq!(body(json!("  "), json!({})), Some(json!(null)));
    let text = r#"{"num":"1","extra":true}"#;
    let schema = json!({"properties": {"num": {"type": "string"}}});
    assert_eq!(body(json!(text), schema), Some(json!({"num": "1", "extra": true})));
    let outcome = execute(&json!({"content": "[1"}));
    assert_eq!(outcome, Outcome::succeeded(json!({"body": [1]})), "without a schema");
}

#[test]
fn each_failure_has_its_code() {
    let envelope = json!({"$content-type": "application/json", "$content": "eyJhIjogMX0="});
    let zip = json!({"properties": {"zip": {"type": "string", "pattern": "^[0-9]+$"}}});
    let far = json!({"properties": {"a": {"$ref": "https://example.com/schema.json"}}});
    let rows = [
        (
            json!({}),
            "BadRequest",
            "InvalidTemplate",
            "Required property 'content' expects a value but got null. Path ''.",
        ),
        (
            json!({"content": ""}),
            "BadRequest",
            "InvalidTemplate",
            "Required property 'content' expects a value but got null. Path ''.",
        ),
        (
            json!({"content": envelope}),
            "BadRequest",
            "BadRequest",
            "The property 'content' must be of type JSON in the 'ParseJson' action inputs, but was of type 'application/json'.",
        ),
        (
            json!({"content": "{\"a\":1,"}),
            "InvalidJSON",
            "InvalidJSON",
            "The 'content' property of actions of type 'ParseJson' must be valid JSON. The provided value cannot be parsed: 'Unexpected end when reading token. Path ''.'.",
        ),
        (
            json!({"content": "{}", "schema": zip}),
            "ActionSchemaNotSupported",
            "ActionSchemaNotSupported",
            "The 'schema' property of action 'ParseJson' inputs contains 'pattern' or 'patternProperties' properties. 'Pattern' or 'patternProperties' properties are not supported in the action json schema.",
        ),
        (
            json!({"content": "{}", "schema": {"items": [{"patternProperties": {}}]}}),
            "ActionSchemaNotSupported",
            "ActionSchemaNotSupported",
            "The 'schema' property of action 'ParseJson' inputs contains 'pattern' or 'patternProperties' properties. 'Pattern' or 'patternProperties' properties are not supported in the action json schema.",
        ),
        (
            json!({"content": "{}", "schema": {"properties": {"a": {"type": "text"}}}}),
            "ActionSchemaInvalid",
            "ActionSchemaInvalid",
            "The 'schema' property of action 'ParseJson' inputs is not a valid JSON schema: at 'properties.a.type' \"text\" is not valid under any of the schemas listed in the 'anyOf' keyword",
        ),
        (
            json!({"content": "1", "schema": {"type": "string"}}),
            "ValidationFailed",
            "ValidationFailed",
            "The schema validation failed.",
        ),
    ];
    for (input, code, error_code, message) in rows {
        let outcome = execute(&input);
        let error = outcome.error.expect("an error");
        assert_eq!(outcome.status, ActionStatus::Failed, "{input}");
        assert_eq!(
            (outcome.code.as_str(), error.code.as_str(), error.message.as_str()),
            (code, error_code, message),
            "{input}"
        );
        assert_eq!(outcome.outputs.is_some(), code == "ValidationFailed", "{input}");
    }
    assert_eq!(execute(&json!({"content": "{}", "schema": far})).code, "ActionSchemaInvalid");
    let named = json!({"properties": {"pattern": {"type": "string"}}});
    assert_eq!(execute(&json!({"content": {"pattern": "x"}, "schema": named})).code, "OK");
}

#[test]
fn a_mismatch_names_the_path_the_expected_and_what_came() {
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    assert_eq!(
        errors(&json!("{\n \"name\": 1}"), &schema),
        [json!({
            "message": "Invalid type. Expected String but got Integer.",
            "lineNumber": 2,
            "linePosition": 10,
            "path": "name",
            "value": 1,
            "schemaId": "#/properties/name",
            "errorType": "type",
            "childErrors": [],
        })]
    );
    let schema = json!({"properties": {"a": {"type": "string"}, "b": {"type": "object"}, "c": {"type": "array"}}});
    let shown: Vec<Value> = errors(&json!({"a": null, "b": [1], "c": {}}), &schema);
    assert!(shown.iter().all(|error| error.get("value").is_none()), "null, lists and objects are not repeated");
}

#[test]
fn constraints_have_newtonsofts_words() {
    let rows = [
        (json!(1), json!({"type": ["string", "null"]}), "Invalid type. Expected String, Null but got Integer."),
        (
            json!(true),
            json!({"type": ["null", "integer", "string"]}),
            "Invalid type. Expected String, Integer, Null but got Boolean.",
        ),
        (json!(1.5), json!({"type": "integer"}), "Invalid type. Expected Integer but got Number."),
        (json!("z"), json!({"enum": ["a"]}), "Value \"z\" is not defined in enum."),
        (json!({"a": 2}), json!({"enum": [{"a": 1}]}), "Value {\"a\":2} is not defined in enum."),
        (json!(2), json!({"const": 1}), "Value 2 does not match const."),
        (json!(-1), json!({"minimum": 0}), "Integer -1 is less than minimum value of 0."),
        (json!(0), json!({"minimum": 0.5}), "Integer 0 is less than minimum value of 0.5."),
        (json!(1.5), json!({"minimum": 2}), "Float 1.5 is less than minimum value of 2."),
        (json!(11), json!({"maximum": 10}), "Integer 11 exceeds maximum value of 10."),
        (
            json!(0),
            json!({"exclusiveMinimum": 0}),
            "Integer 0 equals minimum value of 0 and exclusive minimum is true.",
        ),
        (json!(-1), json!({"exclusiveMinimum": 0}), "Integer -1 is less than minimum value of 0."),
        (
            json!(0),
            json!({"minimum": 0, "exclusiveMinimum": true}),
            "Integer 0 equals minimum value of 0 and exclusive minimum is true.",
        ),
        (
            json!(5),
            json!({"maximum": 5, "exclusiveMaximum": true}),
            "Integer 5 equals maximum value of 5 and exclusive maximum is true.",
        ),
        (json!(6), json!({"exclusiveMaximum": 5}), "Integer 6 exceeds maximum value of 5."),
        (json!(7), json!({"multipleOf": 5}), "Integer 7 is not a multiple of 5."),
        (json!("ab"), json!({"minLength": 3}), "String 'ab' is less than minimum length of 3."),
        (json!("abcd"), json!({"maxLength": 3}), "String 'abcd' exceeds maximum length of 3."),
        (json!("nope"), json!({"format": "email"}), "String 'nope' does not validate against format 'email'."),
        (json!([]), json!({"minItems": 1}), "Array item count 0 is less than minimum count of 1."),
        (json!([1, 2, 3]), json!({"maxItems": 2}), "Array item count 3 exceeds maximum count of 2."),
        (json!([1, 1]), json!({"uniqueItems": true}), "Non-unique array item at index 1."),
        (json!({"a": 1}), json!({"minProperties": 2}), "Object property count 1 is less than minimum count of 2."),
        (json!({"a": 1}), json!({"maxProperties": 0}), "Object property count 1 exceeds maximum count of 0."),
        (json!({}), json!({"required": ["a", "b"]}), "Required properties are missing from object: a, b."),
        (
            json!({"x": 1}),
            json!({"additionalProperties": false}),
            "Property 'x' has not been defined and the schema does not allow additional properties.",
        ),
        (
            json!([1, 2]),
            json!({"items": [{}], "additionalItems": false}),
            "Index 2 has not been defined and the schema does not allow additional items.",
        ),
        (json!([1]), json!({"contains": {"type": "string"}}), "No items match contains."),
        (json!(1), json!(false), "Schema always fails validation."),
        (
            json!(true),
            json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
            "JSON does not match any schemas from 'anyOf'.",
        ),
        (json!(true), json!({"oneOf": [{"type": "string"}]}), "JSON is valid against no schemas from 'oneOf'."),
        (
            json!(5),
            json!({"oneOf": [{"type": "integer"}, {"type": "number"}, {"type": "null"}]}),
            "JSON is valid against more than one schema from 'oneOf'. Valid schema indexes: 0, 1.",
        ),
        (json!("x"), json!({"not": {"type": "string"}}), "JSON is valid against schema from 'not'."),
    ];
    for (value, schema, expected) in rows {
        assert_eq!(messages(&json!(value.to_string()), &schema), [expected], "{value} against {schema}");
    }
}

#[test]
fn paths_and_schema_ids_follow_the_value() {
    let rows = json!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "n": {"$ref": "#/definitions/count"}},
            "required": ["name"],
        },
    });
    let schema = json!({"definitions": {"count": {"type": "integer"}}, "properties": {"rows": rows}});
    let content = r#"{"rows":[{"name":"a","n":1},{"name":2,"n":"x"},{"n":3}]}"#;
    let shown: Vec<(String, String, String, Value)> = errors(&json!(content), &schema)
        .iter()
        .map(|error| {
            let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            (text("path"), text("schemaId"), text("errorType"), error["value"].clone())
        })
        .collect();
    let row = |path: &str, schema: &str, kind: &str, value: Value| {
        (path.to_owned(), schema.to_owned(), kind.to_owned(), value)
    };
    assert_eq!(
        shown,
        [
            row("rows[1].name", "#/properties/rows/items/properties/name", "type", json!(2)),
            row("rows[1].n", "#/definitions/count", "type", json!("x")),
            row("rows[2]", "#/properties/rows/items", "required", json!(["name"])),
        ]
    );
    let schema = json!({"properties": {"a b": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}});
    let shown = errors(&json!({"a b": true}), &schema);
    let inner: Vec<&Value> =
        shown[0]["childErrors"].as_array().into_iter().flatten().map(|error| &error["schemaId"]).collect();
    assert_eq!(shown[0]["path"], "['a b']");
    assert_eq!(inner, ["#/properties/a b/anyOf/1", "#/properties/a b/anyOf/0"]);
}

#[test]
fn a_long_list_of_mismatches_is_cut() {
    let list = |length: usize| json!((0..length).collect::<Vec<_>>());
    let of_text = json!({"items": {"type": "string"}});
    assert_eq!(errors(&list(limits::SCHEMA_LISTED_VALUES - 1), &of_text).len(), limits::SCHEMA_ERRORS);
    let first = errors(&list(limits::SCHEMA_LISTED_VALUES), &of_text);
    assert_eq!((first.len(), &first[0]["path"]), (1, &json!("[0]")), "all of a large list are not looked for");
    let one_of_two = json!({"anyOf": [{"items": {"type": "string"}}, {"type": "object"}]});
    let found = errors(&json!((0..10_000).collect::<Vec<u32>>()), &one_of_two);
    assert_eq!(found[0]["childErrors"].as_array().map(Vec::len), Some(limits::SCHEMA_ERRORS));
}

#[test]
fn keys_of_a_path_are_told_apart() {
    assert_ne!(Segment::Key("0".to_owned()), Segment::Index(0));
}

fn json_value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |float| Number::from_f64(float).map(Value::Number)),
    ];
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), number, ".*".prop_map(Value::from)];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((".{0,6}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn valid_json_is_read_as_serde_json_reads_it(value in json_value(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.expect("JSON");
        prop_assert_eq!(read(&text), Ok(serde_json::from_str(&text).expect("a value")));
    }

    #[test]
    fn text_without_its_last_brackets_is_the_same_value(inmost: i64, lists: Vec<bool>, missing in 0..8_usize) {
        let wrap = |inner, list: &bool| if *list { json!([true, inner]) } else { json!({"a": inner}) };
        let value = lists.iter().take(20).fold(json!(inmost), wrap);
        let text = value.to_string();
        let bare = &text[..text.len() - missing.min(lists.len().min(20))];
        prop_assert_eq!(read(bare), Ok(value));
    }

    #[test]
    fn nothing_makes_the_reader_panic(text in r#"[\[\]{},:'"/*\\ \n\rtrueflsnINaxX0-9.+\-u😀é]{0,60}"#) {
        let _ = read(&text);
        let _ = reader::places(&text, ["", "/0", "/a"].into_iter());
    }

    #[test]
    fn nor_does_any_text(text in any::<String>()) {
        let _ = read(&text);
    }

    #[test]
    fn nor_does_a_broken_json(value in json_value(), cut in any::<proptest::sample::Index>(), inserted in ".{0,2}") {
        let text = value.to_string();
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let at = places[cut.index(places.len())];
        let _ = read(&text[..at]);
        let _ = read(&format!("{}{inserted}{}", &text[..at], &text[at..]));
    }

    #[test]
    fn a_place_lies_within_the_text(value in json_value()) {
        let text = serde_json::to_string_pretty(&value).expect("JSON");
        let lines = text.lines().count().max(1);
        for place in reader::places(&text, ["", "/0", "/1/0"].into_iter()).into_values() {
            prop_assert!((1..=lines).contains(&place.line) && place.position > 0);
        }
    }
}
