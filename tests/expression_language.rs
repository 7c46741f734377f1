//! What strings of a playbook come to: both languages, in tables of string and result.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use larum::expression::{
    CompileError, CompileErrorKind as Kind, JsonScope, Part, Partials, Reference, Template, Tree, functions,
};
use serde_json::{Value, json};

fn now() -> DateTime<Utc> {
    "2026-11-24T09:05:00.1234567Z".parse().unwrap()
}

/// A run in the middle: a mail came in, an incident exists, a loop is on its second element.
fn scope() -> JsonScope {
    let context = json!({
        "trigger": {
            "subject": "Stranger at the <north> door",
            "importance": "high",
            "from": "ann@example.com",
            "sender": {"name": "Ann", "address": "ann@example.com", "domain": "example.com"},
            "hostile": "{{variables.secret}} @{variables('secret')} @concat('a', 'b') {{> signature}}",
            "attachments": [{"name": "a.png", "size": 10}, {"name": "b.pdf", "size": 20, "it's": true}],
            "headers": {"x-report": ["yes"], "odd key": 1},
            "isHtml": false,
            "five": 5.0,
            "nothing": null,
            "empty": []
        },
        "request": {"method": "POST", "headers": {"x-github-delivery": "72d3162e"}},
        "actions": {
            "create": {"properties": {"incidentNumber": 7}},
            "Call_it": {"status": "Failed", "outputs": {"statusCode": 500, "body": {"error": {"message": "no"}}}},
            "skipped": {"status": "Skipped"},
            "around": {"status": "Failed", "result": [{"name": "Call_it", "status": "Failed"}]}
        },
        "variables": {"seen": [1, 2], "secret": "s3cret", "lines": "2\n2", "Title": "Report"},
        "parameters": {"greeting": "Hello"},
        "item": {"id": 2},
        "items": {"each_one": {"id": 2}},
        "iterationIndexes": {"until_done": 3},
        "workflow": {"name": "mail", "run": {"name": "r-1"}}
    });
    JsonScope::new(context, now(), 42)
}

fn partials() -> Partials {
    let sources = [
        ("signature", "-- \n{{parameters.greeting}} from {{who}}\n"),
        ("report", "{{trigger.subject}}\n{{> signature who=trigger.sender.name}}"),
        ("card", "[{{name}}/{{../kind}}]"),
        ("box", "<{{> @partial-block}}>"),
        ("lines", "one\n{{text}}\nthree\n"),
        ("element", "{{name}} {{size}};"),
    ];
    Partials::new(sources.map(|(name, source)| (name.to_owned(), source.to_owned()))).unwrap()
}

fn evaluated(template: &str) -> Result<Value, String> {
    let template = Template::compile(template, &partials()).map_err(|errors| errors[0].to_string())?;
    template.evaluate(&scope()).map_err(|error| error.message)
}

fn faults(template: &str) -> Vec<CompileError> {
    Template::compile(template, &partials()).expect_err(template)
}

#[track_caller]
fn all(table: &[(&str, Value)]) {
    for (template, expected) in table {
        assert_eq!(evaluated(template), Ok(expected.clone()), "{template}");
    }
}

#[test]
fn the_language_of_a_string_follows_from_how_it_begins_and_what_it_holds() {
    all(&[
        ("plain", json!("plain")),
        ("", json!("")),
        ("soc@example.com", json!("soc@example.com")),
        ("@", json!("@")),
        (" @add(1, 2)", json!(" @add(1, 2)")),
        ("@@add(1, 2)", json!("@add(1, 2)")),
        ("@@{'a'}@{'b'}", json!("@{'a'}@{'b'}")),
        ("@add(1, 2)", json!(3)),
        ("@{add(1, 2)}", json!("3")),
        ("x @@{y} z", json!("x @{y} z")),
        ("a@@{'b'}c@{'d'}", json!("a@{'b'}cd")),
        ("{{add 1 2}}", json!(3)),
        ("{{add 1 2}}!", json!("3!")),
        ("@concat('{{', 'x}}')", json!("{{x}}")),
        ("@{'{{'}", json!("{{")),
        ("@{'}'}", json!("}")),
        (r"\{{not a template}}", json!("{{not a template}}")),
        ("{{! a comment, it's ignored }}x", json!("x")),
    ]);
}

#[test]
fn both_languages_see_the_same_data() {
    all(&[
        ("@trigger.importance", json!("high")),
        ("{{trigger.importance}}", json!("high")),
        ("@triggerBody()?['importance']", json!("high")),
        ("@trigger().outputs.body.importance", json!("high")),
        ("@triggerOutputs()?['body/sender/domain']", json!("example.com")),
        ("@actions.create.properties.incidentNumber", json!(7)),
        ("@ACTIONS['Create'].properties.incidentnumber", json!(7)),
        ("{{actions.create.properties.incidentNumber}}", json!(7)),
        ("@body('call_it')?['error']?['message']", json!("no")),
        ("@outputs('Call_it').statusCode", json!(500)),
        ("@actions('Call_it').status", json!("Failed")),
        ("@result('around')[0].name", json!("Call_it")),
        ("@body('skipped')", json!(null)),
        ("@variables.title", json!("Report")),
        ("{{variables.seen}}", json!([1, 2])),
        ("@parameters.greeting", json!("Hello")),
        ("@item.id", json!(2)),
        ("@item()?['id']", json!(2)),
        ("@items('Each_one').id", json!(2)),
        ("@iterationIndexes('until_done')", json!(3)),
        ("@request.headers['x-github-delivery']", json!("72d3162e")),
        ("github:{{request.headers.x-github-delivery}}", json!("github:72d3162e")),
        ("@workflow().run.name", json!("r-1")),
        ("{{#with (workflow)}}{{run.name}}{{/with}}", json!("r-1")),
        ("@utcNow()", json!("2026-11-24T09:05:00.1234567Z")),
        ("{{utcNow 'yyyy-MM-dd'}}", json!("2026-11-24")),
        ("{{body 'create'}}", json!({"properties": {"incidentNumber": 7}})),
    ]);
}

#[test]
fn values_in_text_print_as_logic_apps_prints_them() {
    for (value, text) in [
        ("trigger.nothing", ""),
        ("trigger.isHtml", "False"),
        ("trigger.five", "5"),
        ("trigger.attachments.1.size", "20"),
        ("variables.seen", "[1,2]"),
        ("trigger.sender", r#"{"name":"Ann","address":"ann@example.com","domain":"example.com"}"#),
        ("trigger.subject", "Stranger at the <north> door"),
    ] {
        assert_eq!(evaluated(&format!("<{{{{{value}}}}}>")), Ok(json!(format!("<{text}>"))), "{value}");
        if !value.contains(".1.") {
            assert_eq!(evaluated(&format!("<@{{{value}}}>")), Ok(json!(format!("<{text}>"))), "{value}");
        }
    }
    all(&[
        ("@{1.5e300}", json!("1.5E+300")),
        ("@{100000000000000.0}", json!("100000000000000")),
        ("@{1000000000000000.0}", json!("1E+15")),
        ("@{0.0001}", json!("0.0001")),
        ("@{0.00001}", json!("1E-05")),
        ("@{0.000012345}", json!("1.2345E-05")),
        ("@{-2.50}", json!("-2.5")),
        ("@{base64ToBinary('aGk=')}", json!("hi")),
        ("{{escape_html trigger.subject}}", json!("Stranger at the &lt;north&gt; door")),
        (
            "<{{{trigger.subject}}}{{&trigger.subject}}>",
            json!("<Stranger at the <north> doorStranger at the <north> door>"),
        ),
    ]);
}

#[test]
fn what_is_absent_is_an_error_in_an_expression_and_nothing_in_a_template() {
    all(&[
        ("[{{trigger.nope}}{{trigger.nope.deeper}}{{trigger.subject.deeper}}{{variables.nope}}]", json!("[]")),
        ("{{trigger.nope}}", json!(null)),
        ("@trigger?.nope", json!(null)),
        ("@trigger?.nope?.deeper?[0]", json!(null)),
        ("@trigger.attachments?[9]", json!(null)),
        ("{{concat trigger.nope 'x'}}", json!("x")),
    ]);
    for (template, message) in [
        (
            "@trigger.sender.nope",
            "The template language expression 'trigger.sender.nope' cannot be evaluated because property 'nope' doesn't \
             exist, available properties are 'name, address, domain'. Please see https://aka.ms/logicexpressions for usage \
             details.",
        ),
        (
            "@trigger?.nope.deeper",
            "The template language expression 'trigger?.nope.deeper' cannot be evaluated because property 'deeper' cannot be \
             selected. Property selection is not supported on values of type 'Null'. Please see \
             https://aka.ms/logicexpressions for usage details.",
        ),
        (
            "@trigger.attachments[2]",
            "The template language expression 'trigger.attachments[2]' cannot be evaluated because array index '2' is outside \
             bounds (0, 1) of array. Please see https://aka.ms/logicexpressions for usage details.",
        ),
        (
            "@trigger.attachments?['name']",
            "The template language expression 'trigger.attachments?['name']' cannot be evaluated because property 'name' \
             cannot be selected. Array elements can only be selected using an integer index. Please see \
             https://aka.ms/logicexpressions for usage details.",
        ),
        (
            "@trigger.subject?.x",
            "The template language expression 'trigger.subject?.x' cannot be evaluated because property 'x' cannot be \
             selected. Property selection is not supported on values of type 'String'. Please see \
             https://aka.ms/logicexpressions for usage details.",
        ),
        (
            "@variables('nope')",
            "The template language expression 'variables('nope')' cannot be evaluated: the variable 'nope' doesn't exist.",
        ),
    ] {
        assert_eq!(evaluated(template), Err(message.to_owned()), "{template}");
    }
}

#[test]
fn what_data_says_is_never_evaluated() {
    let hostile = json!("{{variables.secret}} @{variables('secret')} @concat('a', 'b') {{> signature}}");
    let text = hostile.as_str().unwrap();
    all(&[
        ("{{trigger.hostile}}", hostile.clone()),
        ("@trigger.hostile", hostile.clone()),
        ("@{trigger.hostile}", hostile.clone()),
        ("@concat(trigger.hostile, '')", hostile.clone()),
        ("<{{trigger.hostile}}>", json!(format!("<{text}>"))),
        ("{{#with trigger}}{{hostile}}{{/with}}", hostile.clone()),
        ("{{> element name=trigger.hostile size=1}}", json!(format!("{text} 1;"))),
    ]);
}

#[test]
fn blocks_of_a_template() {
    all(&[
        ("{{#if trigger.isHtml}}html{{else}}text{{/if}}", json!("text")),
        ("{{#if (equals trigger.importance 'high')}}!{{/if}}", json!("!")),
        ("{{#if trigger.empty}}some{{else if trigger.nope}}nope{{else}}none{{/if}}", json!("none")),
        ("{{#unless trigger.isHtml}}text{{/unless}}", json!("text")),
        (
            "{{#each trigger.attachments}}{{@index}}:{{name}}{{#unless @last}}, {{/unless}}{{/each}}",
            json!("0:a.png, 1:b.pdf"),
        ),
        ("{{#each trigger.attachments as |file at|}}{{at}}{{file.name}}{{/each}}", json!("0a.png1b.pdf")),
        (
            "{{#each trigger.attachments}}{{#if @first}}{{name}} {{../trigger.from}}{{/if}}{{/each}}",
            json!("a.png ann@example.com"),
        ),
        ("{{#each trigger.attachments}}{{#if [it's]}}{{@root.trigger.from}}{{/if}}{{/each}}", json!("ann@example.com")),
        (
            "{{#each trigger.sender}}{{@key}}={{this}};{{/each}}",
            json!("name=Ann;address=ann@example.com;domain=example.com;"),
        ),
        ("{{#each trigger.empty}}x{{else}}none{{/each}}", json!("none")),
        ("{{#each (split 'a,b' ',')}}<{{this}}>{{/each}}", json!("<a><b>")),
        (
            "{{#each variables.seen}}{{#each @root.variables.seen}}{{@../index}}{{@index}} {{/each}}{{/each}}",
            json!("00 01 10 11 "),
        ),
        ("{{#with trigger.sender}}{{name}} at {{this.domain}}{{/with}}", json!("Ann at example.com")),
        ("{{#with trigger.sender as |who|}}{{who.name}}{{/with}}", json!("Ann")),
        ("{{#with trigger.nope}}x{{else}}nobody{{/with}}", json!("nobody")),
        ("{{#lookup trigger.headers 'odd key'}}{{this}}{{/lookup}}", json!("1")),
        ("{{#lookup trigger.headers 'nope'}}{{this}}{{else}}none{{/lookup}}", json!("none")),
        ("{{trigger.headers.[odd key]}}", json!(1)),
        ("{{trigger.attachments.0.name}}", json!("a.png")),
        ("{{trigger/sender/name}}", json!("Ann")),
        ("a {{~ trigger.importance ~}} b", json!("ahighb")),
        ("{{#if trigger.from}}\nyes\n{{/if}}\n", json!("yes\n")),
    ]);
}

#[test]
fn partials_see_what_surrounds_them() {
    all(&[
        ("{{> report}}", json!("Stranger at the <north> door\n-- \nHello from Ann\n")),
        ("{{#each trigger.attachments}}{{> element}}{{/each}}", json!("a.png 10;b.pdf 20;")),
        ("{{> element trigger.attachments.[1]}}", json!("b.pdf 20;")),
        ("{{> element trigger.sender size=3}}", json!("Ann 3;")),
        ("{{#> box}}{{trigger.from}}{{/box}}", json!("<ann@example.com>")),
        ("  {{> lines text='two'}}", json!("  one\n  two\n  three\n")),
        ("begin\n  {{> lines text=variables.lines}}\nend", json!("begin\n  one\n  2\n2\n  three\nend")),
    ]);
    let template = Template::compile("{{> report}}", &partials()).unwrap();
    assert_eq!(template.partials(), ["report", "signature"]);
}

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
        ("@xpath('a', 'b')", Kind::UnsupportedFunction, "xpath", "the template function 'xpath' is not supported yet"),
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
        ("{{#if trigger.x}}never closed", Kind::Syntax, "{{#if trigger.x}}", "'{{#iftrigger.x}}' is not closed"),
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
fn uses_say_what_is_read_and_where() {
    let path = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    let action = |id: &str, part, names: &[&str]| Reference::Action { id: id.to_owned(), part, path: path(names) };
    for (template, expected) in [
        ("plain", vec![]),
        (
            "@triggerBody()?['a']?['b'][0].c",
            vec![(Reference::Trigger { path: path(&["a", "b"]) }, "triggerBody()?['a']?['b'][0].c")],
        ),
        (
            "x @{trigger.a.b} @{trigger}",
            vec![
                (Reference::Trigger { path: path(&["a", "b"]) }, "trigger.a.b"),
                (Reference::Trigger { path: vec![] }, "trigger"),
            ],
        ),
        (
            "@outputs('X')?['body/value'][item().id]",
            vec![
                (action("X", Part::Outputs, &["body", "value"]), "outputs('X')?['body/value'][item().id]"),
                (Reference::Item { path: path(&["id"]) }, "item().id"),
            ],
        ),
        (
            "@concat(actions.a.x, body('b'), actions('c').status)",
            vec![
                (action("a", Part::Body, &["x"]), "actions.a.x"),
                (action("b", Part::Body, &[]), "body('b')"),
                (action("c", Part::Record, &["status"]), "actions('c').status"),
            ],
        ),
        (
            "@if(variables.a, parameters['b'], result('c'))",
            vec![
                (Reference::Variable("a".to_owned()), "variables.a"),
                (Reference::Parameter("b".to_owned()), "parameters['b']"),
                (Reference::Result("c".to_owned()), "result('c')"),
            ],
        ),
        (
            "trigger.a {{trigger.a}} {{concat 'trigger.b' trigger.b}}",
            vec![
                (Reference::Trigger { path: path(&["a"]) }, "trigger.a"),
                (Reference::Trigger { path: path(&["b"]) }, "trigger.b"),
            ],
        ),
        (
            "{{#with actions.x.sender}}{{name}}{{../trigger.y}}{{/with}}",
            vec![
                (action("x", Part::Body, &["sender"]), "actions.x.sender"),
                (action("x", Part::Body, &["sender", "name"]), "name"),
                (Reference::Trigger { path: path(&["y"]) }, "../trigger.y"),
            ],
        ),
        (
            "{{#each trigger.list as |one|}}{{name}}{{one.name}}{{@root.request.method}}{{/each}}",
            vec![
                (Reference::Trigger { path: path(&["list"]) }, "trigger.list"),
                (Reference::Request { path: path(&["method"]) }, "@root.request.method"),
            ],
        ),
        (
            "{{body 'x'}}{{items 'y'}}",
            vec![
                (action("x", Part::Body, &[]), "body 'x'"),
                (Reference::Items { name: "y".to_owned(), path: vec![] }, "items 'y'"),
            ],
        ),
    ] {
        let compiled = Template::compile(template, &partials()).unwrap();
        let got: Vec<(Reference, &str)> =
            compiled.uses().iter().map(|found| (found.what.clone(), &template[found.range.clone()])).collect();
        assert_eq!(got, expected, "{template}");
    }
}

#[test]
fn uses_in_partials_carry_the_partials_name() {
    let compiled = Template::compile("{{> report}}", &partials()).unwrap();
    let got: Vec<(Option<&str>, &Reference)> =
        compiled.uses().iter().map(|found| (found.partial.as_deref(), &found.what)).collect();
    let trigger = |names: &[&str]| Reference::Trigger { path: names.iter().map(|name| (*name).to_owned()).collect() };
    assert_eq!(
        got,
        [
            (Some("report"), &trigger(&["subject"])),
            (Some("report"), &trigger(&["sender", "name"])),
            (Some("signature"), &Reference::Parameter("greeting".to_owned())),
            (Some("signature"), &trigger(&["sender", "name"])),
        ]
    );
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
fn what_goes_wrong_inside_a_partial_is_shown_where_it_is_included() {
    let template = "x {{> element}}";
    let found = faults(template);
    assert_eq!(found[0].message, "in the partial 'element': nothing is called 'name' here");
    assert_eq!(&template[found[0].range.clone()], "{{> element}}");
}

#[test]
fn helper_arguments_are_evaluated_before_the_call_and_expressions_are_lazy() {
    assert_eq!(evaluated("@or(true, greater(true, 1))"), Ok(json!(true)));
    assert!(evaluated("{{or true (greater true 1)}}").is_err());
    assert_eq!(evaluated("@coalesce('x', div(1, 0))"), Ok(json!("x")));
    assert!(evaluated("{{coalesce 'x' (div 1 0)}}").is_err());
    assert_eq!(evaluated("{{coalesce trigger.nope 'x'}}"), Ok(json!("x")));
}

#[test]
fn a_tree_evaluates_its_values_and_never_its_keys() {
    let compile = |text: &str| Tree::Template(Template::compile(text, &partials()).unwrap());
    let tree = Tree::Object(vec![
        ("@odata.type".to_owned(), Tree::Literal(json!(1))),
        ("to".to_owned(), Tree::Array(vec![compile("{{trigger.from}}"), Tree::Literal(json!(null))])),
        ("n".to_owned(), compile("@add(1, 1)")),
    ]);
    assert_eq!(tree.evaluate(&scope()), Ok(json!({"@odata.type": 1, "to": ["ann@example.com", null], "n": 2})));
    assert_eq!(tree.uses().count(), 1);
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
fn random_functions_follow_the_scopes_sequence() {
    let scope = scope();
    let template = Template::compile("@guid()", &Partials::default()).unwrap();
    let (first, second) = (template.evaluate(&scope).unwrap(), template.evaluate(&scope).unwrap());
    assert_ne!(first, second);
    assert_eq!(first, template.evaluate(&self::scope()).unwrap());
    let template = Template::compile("@rand(-2, 2)", &Partials::default()).unwrap();
    let rolled: BTreeSet<i64> = (0..200).filter_map(|_| template.evaluate(&scope).unwrap().as_i64()).collect();
    assert_eq!(rolled.into_iter().collect::<Vec<_>>(), [-2, -1, 0, 1]);
}

#[test]
fn the_table_of_functions_is_well_formed() {
    let mut names = BTreeSet::new();
    for function in functions() {
        assert!(names.insert(function.name.to_lowercase()), "{} stands twice", function.name);
        assert!(function.signature.starts_with(&format!("{}(", function.name)), "{}", function.signature);
        assert!(function.doc.ends_with('.'), "{}", function.doc);
        assert!(function.max.is_none_or(|max| max >= function.min), "{}", function.signature);
    }
}

/// Strings that look like templates: the signs of both languages, names that exist, and anything at all.
fn anything() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "@",
            "@{",
            "}",
            "{{",
            "}}",
            "{{{",
            "}}}",
            "{{#if ",
            "{{/if}}",
            "{{#each ",
            "{{/each}}",
            "{{else}}",
            "{{> ",
            "{{!--",
            "--}}",
            "\\",
            "(",
            ")",
            "[",
            "]",
            "?",
            ".",
            ",",
            "'",
            "''",
            "\"",
            "~",
            "../",
            "this",
            "@root.",
            "@index",
            "trigger",
            "actions",
            "variables.x",
            "item",
            "concat",
            "body",
            "length",
            "if",
            "each",
            "lookup",
            "1",
            "-1.5e3",
            "null",
            " ",
            "\n",
            "as |x|",
            "x=",
            "report",
            "{{{{",
            "&",
            "|",
            "😀",
            "é",
        ])
        .prop_map(str::to_owned),
        ".{0,4}",
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest::proptest! {
    #[test]
    fn no_string_makes_the_compiler_or_the_evaluator_panic(text in anything()) {
        let partials = partials();
        match Template::compile(&text, &partials) {
            Ok(template) => {
                let _ = template.evaluate(&scope());
                for found in template.uses().iter().filter(|found| found.partial.is_none()) {
                    assert!(text.get(found.range.clone()).is_some());
                }
            }
            Err(errors) => {
                assert!(!errors.is_empty());
                for error in errors {
                    assert!(text.get(error.range.clone()).is_some(), "{:?} of {text:?}", error.range);
                }
            }
        }
    }

    #[test]
    fn dates_and_numbers_take_any_format(format in ".{0,12}", number in proptest::prelude::any::<f64>(), whole in proptest::prelude::any::<i64>()) {
        let scope = JsonScope::new(json!({"variables": {"format": format, "number": number, "whole": whole}}), now(), 1);
        for template in [
            "@utcNow(variables.format)",
            "@formatNumber(variables.number, variables.format)",
            "@formatNumber(variables.whole, variables.format, 'de-DE')",
            "@formatDateTime(variables.format)",
            "@float(variables.format)",
            "@addDays('2026-01-31', variables.whole)",
        ] {
            let _ = Template::compile(template, &Partials::default()).unwrap().evaluate(&scope);
        }
    }
}
