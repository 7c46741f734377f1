//! Values.

use std::collections::BTreeSet;

use larum::expression::{Partials, Template, Tree, functions};
use serde_json::json;

use crate::{all, evaluated, partials, scope};

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
fn templates_have_every_family_of_functions() {
    all(&[
        ("{{convertFromUtc '2026-07-01T08:30:00Z' 'W. Europe Standard Time' 'HH:mm'}}", json!("10:30")),
        ("in {{dateDifference '2026-01-01' '2026-01-03'}}", json!("in 2.00:00:00")),
        ("{{dayOfMonth (addDays '2026-01-31' 1)}}", json!(1)),
        ("{{uriHost 'https://www.example.com/a'}}{{uriPath 'https://www.example.com/a'}}", json!("www.example.com/a")),
        ("{{xml '<a/>'}} and no more", json!("<a /> and no more")),
        ("{{json (xml '<a><b>1</b></a>')}}", json!({"a": {"b": "1"}})),
        ("{{#each (xpath '<a><b>1</b><b>2</b></a>' '//b/text()')}}[{{this}}]{{/each}}", json!("[1][2]")),
    ]);
    let nobody = "nobody waits here to be called back";
    assert!(crate::evaluated("{{listCallbackUrl}}").unwrap_err().contains(nobody));
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
fn random_functions_follow_the_scopes_sequence() {
    let scope = scope();
    let template = Template::compile("@guid()", &Partials::default()).unwrap();
    let (first, second) = (template.evaluate(&scope).unwrap(), template.evaluate(&scope).unwrap());
    assert_ne!(first, second);
    assert_eq!(first, template.evaluate(&crate::scope()).unwrap());
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
