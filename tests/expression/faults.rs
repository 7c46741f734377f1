//! Faults, found when a playbook is loaded.

use larum::expression::{CompileErrorKind as Kind, JsonScope, Partials, Template, Tree};
use serde_json::json;

use crate::{evaluated, faults, now, scope};

#[test]
fn faults_are_found_at_load_with_their_place() {
    for (template, kind, at, message) in [
        ("@concat('a'", Kind::Syntax, "concat", "the parameters of 'concat' are not closed"),
        ("@concat('a')('b')", Kind::Syntax, "(", "'(' is not expected here"),
        ("@concat(", Kind::Syntax, "", "the expression ends too early"),
        ("@concat", Kind::Syntax, "concat", "'concat' is a function and needs its parameters"),
        ("@'open", Kind::Syntax, "'open", "the string is not closed"),
        ("@triggerBody()?", Kind::Syntax, "?", "a '?' is followed by .name or [key]"),
        ("@1e", Kind::Syntax, "1e", "'1e' is not a number"),
        ("@9223372036854775808", Kind::Syntax, "9223372036854775808", "'9223372036854775808' is not a number"),
        ("x @{}", Kind::Syntax, "}", "'}' is not expected here"),
        ("x @{add(1, 2)", Kind::Syntax, "", "the expression ends too early"),
        ("@{trigger.x} and {{trigger.x}}", Kind::MixedLanguages, "{{", "'@{…}' and '{{…}}' do not mix in one string"),
        ("{{trigger.x}} and @{trigger.x}", Kind::MixedLanguages, "@{", "'@{…}' and '{{…}}' do not mix in one string"),
        ("@@{{trigger.x}}", Kind::MixedLanguages, "{{", "'@{…}' and '{{…}}' do not mix in one string"),
        ("é @{length(\"Hello\")}", Kind::DoubleQuotes, "\"Hello\"", "strings are written in single quotes"),
        (
            "é @{lenght('x')}",
            Kind::UnknownFunction,
            "lenght",
            "the template function 'lenght' is not defined or not valid",
        ),
        (
            "é {{concat (lenght 'x')}}",
            Kind::UnknownFunction,
            "lenght",
            "the template function 'lenght' is not defined or not valid",
        ),
        (
            "@appsetting('a')",
            Kind::UnsupportedFunction,
            "appsetting",
            "the template function 'appsetting' is not expected at this location",
        ),
        (
            "@add(1)",
            Kind::ParameterCount,
            "add",
            "the template language function 'add' expects two parameters. The function was invoked with '1' parameter(s)",
        ),
        (
            "x {{add 1}}",
            Kind::ParameterCount,
            "add",
            "the template language function 'add' expects two parameters. The function was invoked with '1' parameter(s)",
        ),
        (
            "@formatDateTime()",
            Kind::ParameterCount,
            "formatDateTime",
            "the template language function 'formatDateTime' expects one to three parameters. The function was invoked with '0' parameter(s)",
        ),
        ("@triger.subject", Kind::UnknownName, "triger", "nothing is called 'triger' here"),
        ("x {{triger.subject}}", Kind::UnknownName, "triger.subject", "nothing is called 'triger' here"),
        ("{{subject}}", Kind::UnknownName, "subject", "nothing is called 'subject' here"),
        ("@actions", Kind::UnknownName, "actions", "'actions' needs a name after it"),
        ("{{variables}}", Kind::UnknownName, "variables", "'variables' needs a name after it"),
        ("@body(5)", Kind::UnknownName, "body(5)", "'body' takes a name, written as text"),
        (
            "{{#each trigger.attachments}}{{name}} {{trigger.from}}{{/each}}",
            Kind::UnknownName,
            "trigger.from",
            "inside a block 'trigger' would be a member of the block's value",
        ),
        ("{{@nope}}", Kind::UnknownName, "@nope", "nothing is called '@nope' here"),
        ("{{if trigger.isHtml 'a' 'b'}}", Kind::InlineBlock, "if", "'if' is a block and cannot stand inside '{{…}}'"),
        (
            "{{concat (lookup trigger 'x')}}",
            Kind::InlineBlock,
            "lookup",
            "'lookup' is a block and cannot stand inside '{{…}}'",
        ),
        ("{{#eech trigger.x}}{{/eech}}", Kind::UnknownBlock, "eech", "there is no block 'eech'"),
        ("{{#if}}{{/if}}", Kind::UnknownBlock, "if", "the block 'if' takes one parameter and was given 0"),
        (
            "{{> (concat 'a' 'b')}}",
            Kind::DynamicPartial,
            "{{> (concat 'a' 'b')}}",
            "a partial's name cannot be computed",
        ),
        ("x {{> nope}}", Kind::UnknownPartial, "nope", "there is no partial 'nope'"),
        ("{{#if trigger.x}}never closed", Kind::Syntax, "{{#if trigger.x}}", "'{{#if trigger.x}}' is not closed"),
        ("{{#if trigger.x}}{{/each}}", Kind::Syntax, "{{/each}}", "'{{#if}}' is closed by '{{/each}}'"),
        ("é {{trigger.subject", Kind::Syntax, "{{trigger.subject", "'{{trigger.subject' is not closed"),
        ("{{#*inline 'x'}}{{/inline}}", Kind::Syntax, "{{#*inline 'x'}}", "there are no inline partials here"),
        ("{{concat a=1 'x'}}", Kind::Syntax, "a", "only a partial takes parameters by name, such as 'a='"),
    ] {
        let found = faults(template);
        let got = (found[0].kind, &template[found[0].range.clone()], found[0].message.as_str());
        assert_eq!(got, (kind, at, message), "{template}");
    }
}

#[test]
fn a_near_name_is_offered() {
    for (template, help) in [
        ("@lenght('x')", "did you mean 'length'?"),
        ("{{triger.x}}", "did you mean 'trigger'?"),
        ("@trigger.x == 'a'", "there are no operators: write equals(a, b), not(a), and(a, b), add(a, b)"),
        ("@trigger.x=='a'", "there are no operators: write equals(a, b), not(a), and(a, b), add(a, b)"),
        ("@json({})", "there are no object literals: write json('{…}')"),
        ("@length(['a'])", "there are no array literals: write createArray(…)"),
        (
            "@trigger.x was said",
            "'@' makes the whole string one expression: inside text write @{…}, and '@@' for a plain '@'",
        ),
        ("@soc hello", "text stands in single quotes: 'text'; a string that only begins with '@' begins with '@@'"),
        ("{{#if equals a b}}{{/if}}", "put a call in parentheses: {{#if (equals …)}}"),
        ("{{trigger.x y}}", "between '{{' and '}}' stands a name, or a function and its parameters"),
        ("{{#eahc trigger.x}}{{/eahc}}", "did you mean 'each'?"),
        ("@length(\"x\")", "write 'text'; a single quote inside it is doubled"),
        ("@add(1)", "write add(number, other)"),
        ("{{if a b c}}", "write {{#if x}}…{{/if}}, or the whole value as @if(condition, a, b)"),
    ] {
        assert_eq!(faults(template)[0].help.as_deref(), Some(help), "{template}");
    }
}

#[test]
fn every_fault_of_a_template_is_reported_at_once() {
    let found = faults("{{lenght 'x'}} {{#if trigger.x}}{{> nope}}{{/if}} {{add 1}}");
    let kinds: Vec<Kind> = found.iter().map(|error| error.kind).collect();
    assert_eq!(kinds, [Kind::UnknownFunction, Kind::UnknownPartial, Kind::ParameterCount]);
}

#[test]
fn partials_are_checked_when_they_are_loaded() {
    let load = |sources: &[(&str, &str)]| {
        let sources = sources.iter().map(|(name, source)| ((*name).to_owned(), (*source).to_owned()));
        match Partials::new(sources) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.into_iter().map(|(name, error)| (name, error.kind)).collect::<Vec<_>>(),
        }
    };
    assert_eq!(load(&[("a", "{{> b}}"), ("b", "{{trigger.x}}")]), []);
    assert_eq!(load(&[("a", "{{> b}}")]), [("a".to_owned(), Kind::UnknownPartial)]);
    assert_eq!(
        load(&[("a", "x{{> b}}"), ("b", "{{#if trigger.x}}{{> a}}{{/if}}")]),
        [("a".to_owned(), Kind::RecursivePartial), ("b".to_owned(), Kind::RecursivePartial),]
    );
    assert_eq!(
        load(&[("a", "{{#if"), ("b", "{{nope 1}}")]),
        [("a".to_owned(), Kind::Syntax), ("b".to_owned(), Kind::UnknownFunction),]
    );
}

#[test]
fn what_goes_wrong_inside_a_partial_is_shown_where_it_stands() {
    let found = faults("x {{> element}}");
    assert_eq!(found[0].message, "nothing is called 'name' here");
    assert_eq!(found[0].partial.as_deref(), Some("element"));
}

#[test]
fn input_is_bounded() {
    let deep = |open: &str, middle: &str, close: &str, times: usize| open.repeat(times) + middle + &close.repeat(times);
    let kind = |template: &str| faults(template)[0].kind;
    assert_eq!(kind(&format!("@concat('{}')", "x".repeat(8_192))), Kind::TooLong);
    assert_eq!(kind(&format!("x @{{concat('{}')}}", "x".repeat(8_192))), Kind::TooLong);
    assert_eq!(kind(&format!("@{}", deep("string(", "1", ")", 200))), Kind::TooDeep);
    assert_eq!(kind(&format!("@item(){}", "[item()".repeat(200))), Kind::TooDeep);
    assert_eq!(kind(&format!("{{{{{}}}}}", deep("(string ", "1", ")", 200))), Kind::TooDeep);
    assert_eq!(kind(&deep("{{#if trigger}}", "x", "{{/if}}", 200)), Kind::TooDeep);
    assert_eq!(kind(&format!("{{{{concat {}}}}}", deep("[", "1", "]", 200))), Kind::TooDeep);
    // Up to the limits it works.
    assert_eq!(evaluated(&format!("@{}", deep("string(", "1", ")", 100))), Ok(json!("1")));
    assert_eq!(evaluated(&deep("{{#if trigger}}", "x", "{{/if}}", 100)), Ok(json!("x")));
    assert_eq!(evaluated(&format!("@trigger{}", "?.x".repeat(2_000))), Ok(json!(null)));
    let many = "x".repeat(2_000);
    let growing = format!("replace(replace(replace('x', 'x', '{many}'), 'x', '{many}'), 'x', '{many}')");
    assert!(evaluated(&format!("@{growing}")).unwrap_err().contains("would return more than"));
}

#[test]
fn a_value_nested_too_deep_is_an_error_and_no_crash() {
    let tree = |levels: usize| {
        let literal = Tree::Literal(json!("x"));
        (0..levels).fold(literal, |inner, _| Tree::Array(vec![inner]))
    };
    assert!(tree(100).evaluate(&scope()).is_ok());
    assert_eq!(tree(101).evaluate(&scope()).unwrap_err().message, "The value would be nested deeper than 100 levels.");
}

#[test]
fn json_of_very_many_values_is_refused_before_it_is_read() {
    let read = |text: String| {
        let scope = JsonScope::new(json!({"variables": {"text": text}}), now(), 1);
        let template = Template::compile("@length(json(variables.text))", &Partials::default()).unwrap();
        template.evaluate(&scope).map_err(|error| error.message)
    };
    assert_eq!(read(format!("[{}0]", "0,".repeat(499_998))), Ok(json!(499_999)));
    for piece in ["0,", "[],", "{\"a\":0},"] {
        let message = read(format!("[{}0]", piece.repeat(500_000))).unwrap_err();
        assert!(message.contains("would return more than 500000 values"), "{piece}: {message}");
    }
    assert_eq!(read(format!("[\"{}\"]", ",".repeat(500_000))), Ok(json!(1)));
}
