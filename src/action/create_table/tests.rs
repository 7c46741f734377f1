use serde_json::{Value, json};

use super::execute;

fn table(format: &str, from: &Value, columns: Vec<Value>) -> Result<String, String> {
    let outcome = execute(&json!({"from": from, "format": format}), columns);
    match (outcome.outputs, outcome.error) {
        (Some(outputs), None) => Ok(outputs["body"].as_str().unwrap_or_default().to_owned()),
        (_, error) => Err(error.map(|error| error.message).unwrap_or_default()),
    }
}

#[test]
fn without_columns_every_key_has_one() {
    let rows = [
        (json!([{"ID": 0, "Name": "Apples"}, {"ID": 1, "Name": "Oranges"}]), "ID,Name\r\n0,Apples\r\n1,Oranges\r\n"),
        (json!([{"a": 1}, {"b": 2, "a": 3}, {"c": 4}]), "a,b,c\r\n1,,\r\n3,2,\r\n,,4\r\n"),
        (
            json!([{"a": null, "b": true, "c": 1.5, "d": [1], "e": {"f": "g"}}]),
            "a,b,c,d,e\r\n,True,1.5,[1],\"{\"\"f\"\":\"\"g\"\"}\"\r\n",
        ),
        (
            json!([{"a": "x,y", "b": "say \"hi\"", "c": "two\nlines", "d": " spaced "}]),
            "a,b,c,d\r\n\"x,y\",\"say \"\"hi\"\"\",\"two\nlines\", spaced \r\n",
        ),
        (json!([{"a,b": "=1+1"}]), "\"a,b\"\r\n=1+1\r\n"),
        (json!([]), ""),
    ];
    for (from, expected) in rows {
        assert_eq!(table("CSV", &from, Vec::new()).as_deref(), Ok(expected), "{from}");
    }
}

#[test]
fn html_cells_are_text() {
    let rows = [
        (
            json!([{"<b>": "<script>alert('x')</script>"}, {"<b>": "a & \"b\""}]),
            "<table><thead><tr><th>&lt;b&gt;</th></tr></thead><tbody>\
             <tr><td>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;</td></tr><tr><td>a &amp; &quot;b&quot;</td></tr></tbody></table>",
        ),
        (json!([]), "<table><thead><tr></tr></thead><tbody></tbody></table>"),
    ];
    for (from, expected) in rows {
        assert_eq!(table("html", &from, Vec::new()).as_deref(), Ok(expected), "{from}");
    }
}

#[test]
fn columns_say_what_stands_in_the_cells() {
    let columns = |id: u32, name: Value| json!([{"header": "No", "value": id}, {"header": "Name", "value": name}]);
    let rows = vec![columns(1, json!("Apples")), columns(2, json!(null))];
    assert_eq!(table("csv", &json!(["any", "thing"]), rows).as_deref(), Ok("No,Name\r\n1,Apples\r\n2,\r\n"));
}

#[test]
fn formulas_are_guarded_when_asked() {
    let from = json!([{"a": "=cmd()"}, {"a": "-5"}, {"a": "+x,y"}, {"a": "@sum"}, {"a": "plain"}, {"a": "\tx"}]);
    let outcome = execute(&json!({"from": from, "format": "CSV", "guard_formulas": true}), Vec::new());
    let expected = "a\r\n'=cmd()\r\n-5\r\n\"'+x,y\"\r\n'@sum\r\nplain\r\n'\tx\r\n";
    assert_eq!(outcome.outputs, Some(json!({"body": expected}).into()));
}

#[test]
fn what_makes_no_table_is_named() {
    let rows = [
        (
            table("XML", &json!([]), Vec::new()),
            "the inputs of `create_table` cannot be used: `format` must be HTML or CSV",
        ),
        (
            table("CSV", &json!([1]), Vec::new()),
            "the inputs of `create_table` cannot be used: without `columns` the elements of `from` must be maps",
        ),
        (
            table("CSV", &json!([1]), vec![json!([{"value": 1}])]),
            "the inputs of `create_table` cannot be used: `columns` must be a list of maps with `header`, a text, and `value`",
        ),
        (
            table("CSV", &json!("text"), Vec::new()),
            "the input `from` of `create_table` cannot be used: expected a sequence",
        ),
    ];
    for (got, expected) in rows {
        assert_eq!(got, Err(expected.to_owned()));
    }
}

#[test]
fn a_table_that_grows_without_bound_is_refused() {
    // An escaped letter is up to six times as long.
    let from: Vec<Value> = (0..400).map(|index| json!({format!("k{index}"): "&".repeat(60_000)})).collect();
    let message = table("HTML", &json!(from), Vec::new()).unwrap_err();
    assert!(message.contains("more than 104857600 characters"), "{message}");
}
