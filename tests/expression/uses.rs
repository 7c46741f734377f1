//! References, which a playbook's check follows.

use larum::expression::{Part, Reference, Template};

use crate::partials;

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
