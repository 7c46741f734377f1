//! Secrets: what is computed from one is one, and neither a record nor the journal shows it.

use std::sync::Arc;

use larum::{
    engine::{Command, Delivered, Event, Input, Machine, Secrets},
    expression::{JsonScope, Partials, Template},
    store::run::RunStatus,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    house::{House, form, load, start},
    probe::asked,
    simulation::{delivered, plan},
};

/// The records of a run of pure actions, with these secrets.
fn records(actions: &str, secrets: &Value) -> Value {
    let names = secrets.as_object().unwrap().iter();
    let kinds = names.clone().map(|(name, value)| {
        format!("{name}: {{type: {}}}", if value.is_object() { "secureobject" } else { "securestring" })
    });
    let source = format!("parameters: {{{}}}\n{}", kinds.collect::<Vec<_>>().join(", "), form(actions));
    let secrets = Secrets::new(names.map(|(name, value)| (name.clone(), value.clone())).collect());
    let delivered = Delivered { secrets: Arc::new(secrets), ..delivered(1) };
    let (machine, _) = Machine::start(plan(load(&source)), delivered);
    serde_json::from_str(&machine.records()).unwrap()
}

/// What the action `x` returned, as its record shows it.
fn shown(expression: &str, secrets: &Value) -> Value {
    let actions = format!("\n  - id: x\n    action: compose\n    with:\n      inputs: >-\n        {expression}\n");
    records(&actions, secrets)[0]["outputs"].clone()
}

#[test]
fn what_is_computed_from_a_secret_is_shown_as_one() {
    let token = || json!({"token": "s3cret-Token/1", "login": {"user": "soc-team", "password": "pass\"word-1"}});
    for (expression, expected) in [
        ("@concat('Bearer ', parameters('token'))", json!("Bearer [secret]")),
        (
            "@toUpper(concat('the token is ', parameters('token'), ', keep it'))",
            json!("THE TOKEN IS [secret], KEEP IT"),
        ),
        ("@base64(concat('larum:', parameters('token')))", json!("bGFydW06[secret]=")),
        ("@base64ToString(base64(concat('larum:', parameters('token'))))", json!("[secret]")),
        ("@uriComponent(parameters('token'))", json!("[secret]")),
        ("@concat('?key=', uriComponent(parameters('token')), '&page=1')", json!("?key=[secret]&page=1")),
        ("@substring(concat('The token: ', parameters('token')), 11)", json!("[secret]")),
        ("@substring(concat('The token: ', parameters('token')), 0, 10)", json!("The token:")),
        ("@substring(concat(parameters('token'), ' ', parameters('token')), 3)", json!("[secret] [secret]")),
        ("@split(concat('one;', parameters('token'), ';three'), ';')", json!(["one", "[secret]", "three"])),
        ("@split(concat('another day, ', parameters('token')), 'e')", json!(["anoth", "[secret]", "t-Tok", "n/1"])),
        ("@replace(parameters('token'), '-', '_')", json!("[secret]")),
        ("@string(parameters('login'))", json!("{\"user\":\"[secret]\",\"password\":\"[secret]\"}")),
        (
            "@json(concat('{\"key\": \"', parameters('token'), '\", \"kind\": \"ordinary\"}'))",
            json!({"key": "[secret]", "kind": "ordinary"}),
        ),
        ("@createArray(length(parameters('token')), equals(parameters('token'), 'x'))", json!([14, false])),
        ("@first(skip(createArray('nothing', toLower(parameters('token'))), 1))", json!("[secret]")),
        ("Login: @{parameters('login')}", json!("Login: {\"user\":\"[secret]\",\"password\":\"[secret]\"}")),
        ("{{toUpper parameters.token}} and {{parameters.login.password}}", json!("[secret] and [secret]")),
        ("@encodeXmlValue(concat('<', parameters('login').password, '>'))", json!("&lt;[secret]&gt;")),
    ] {
        assert_eq!(shown(expression, &token()), expected, "{expression}");
    }
}

#[test]
fn a_number_made_of_a_secret_is_one() {
    let code = || json!({"code": "482913"});
    assert_eq!(shown("@int(parameters('code'))", &code()), json!("[secret]"));
    assert_eq!(shown("@add(int(parameters('code')), 100000)", &code()), json!("[secret]"));
    assert_eq!(shown("@mod(int(parameters('code')), 7)", &code()), json!(482_913 % 7));
}

#[test]
fn a_secret_stays_one_through_variables_loops_and_pure_actions() {
    let actions = r#"
  - {id: keep, action: set_variable, with: {name: kept, value: "@toUpper(parameters('token'))"}}
  - {id: each, for_each: "@split(concat(parameters('token'), ' ', variables('kept')), ' ')", do: [
      {id: item, action: compose, with: {inputs: "@base64(item())"}}]}
  - {id: parse, action: parse_json, with: {content: "@concat('[\"', toLower(variables('kept')), '\"]')"}}
  - {id: table, action: create_table, with: {format: HTML, from: [{key: "@parameters('token')"}]}}
  - {id: join, action: join, with: {from: "@createArray(variables('kept'), 'x')", join_with: ","}}
  - {id: fail, action: compose, with: {inputs: "@int(variables('kept'))"}}
"#;
    let source = format!("variables: {{kept: {{type: string}}}}\n{actions}");
    let (variables, actions) = source.split_once('\n').unwrap();
    let token = "<S3cret-Token>";
    let yaml = format!("parameters: {{token: {{type: securestring}}}}\n{variables}\n{}", form(actions));
    let secrets = Secrets::new(vec![("token".into(), json!(token))]);
    let delivered = Delivered { secrets: Arc::new(secrets), ..delivered(1) };
    let (machine, _) = Machine::start(plan(load(&yaml)), delivered);
    let told = format!("{} {}", machine.records(), machine.variables());
    for form in [token, "S3CRET-TOKEN", "s3cret-token", "S3cret-Token", "PFMzY3Jld", "PFMzQ1JFVC1UT0tFTj4"] {
        assert!(!told.contains(form), "{form} in {told}");
    }
    assert!(told.contains(r#""kept":"[secret]""#), "{told}");
}

#[test]
fn a_run_that_is_folded_again_knows_the_same_secrets() {
    let actions = r#"
  - {id: a, action: compose, with: {inputs: "@toUpper(parameters('token'))"}}
  - {id: ask, action: probe, with: {value: "@{actions.a} and @{base64(actions.a)}"}}
"#;
    let source = format!("parameters: {{token: {{type: securestring}}}}\n{}", form(actions));
    let plan = plan(load(&source));
    let secrets = Arc::new(Secrets::new(vec![("token".into(), json!("s3cret-token"))]));
    let begin = || Machine::start(plan.clone(), Delivered { secrets: secrets.clone(), ..delivered(1) });
    let ((first, commands), (second, again)) = (begin(), begin());
    assert_eq!(commands, again);
    assert_eq!(first.records(), second.records());
    let Command::Perform { input, journalled, .. } = &commands[0] else { panic!("{commands:?}") };
    assert_eq!(input["value"], "S3CRET-TOKEN and UzNDUkVULVRPS0VO");
    assert_eq!(journalled.show(), json!({"value": "[secret] and [secret]"}));
}

#[test]
fn the_names_in_a_secret_text_of_json_are_no_secrets() {
    let creds = r#"{"username": "soc-team", "outputs": {"status": "pass-word-1"}}"#;
    let actions = r#"
  - {id: read, action: compose, with: {inputs: "@json(parameters('creds'))"}}
  - {id: print, action: compose, with: {inputs: {username: "a username, outputs and a status", kept: "@{actions.read.username}"}}}
"#;
    let records = records(actions, &json!({"creds": creds}));
    assert_eq!(records[0]["outputs"], json!({"username": "[secret]", "outputs": {"status": "[secret]"}}));
    assert_eq!(records[1]["outputs"], json!({"username": "a username, outputs and a status", "kept": "[secret]"}));
}

#[test]
fn a_secret_that_is_a_word_of_records_leaves_the_record_its_keys() {
    let actions = "\n  - {id: outputs, action: compose, with: {inputs: \"@parameters('one')\"}}\n";
    let records = records(actions, &json!({"one": "outputs", "other": "Succeeded"}));
    assert_eq!(records[0]["outputs"], "[secret]");
    assert_eq!((&records[0]["name"], &records[0]["status"]), (&json!("outputs"), &json!("Succeeded")));
}

/// What a run that asks `value` of the probe comes to when its journal says that this was asked.
fn folded(value: &str, secret: &str, recorded: &Value) -> Vec<Command> {
    let actions = format!("\n  - {{id: ask, action: probe, with: {{value: \"{value}\"}}}}\n");
    let source = format!("parameters: {{token: {{type: securestring}}}}\n{}", form(&actions));
    let secrets = Arc::new(Secrets::new(vec![("token".into(), json!(secret))]));
    let (mut machine, commands) = Machine::start(plan(load(&source)), Delivered { secrets, ..delivered(1) });
    let Command::Perform { step, attempt, .. } = commands[0].clone() else { panic!("{commands:?}") };
    machine.apply(Event::Started { step, attempt, at: start(), input: Input::of(&json!({"value": recorded})) })
}

#[test]
fn a_run_goes_on_that_was_journalled_before_what_it_computed_was_a_secret() {
    assert_eq!(folded("@{toUpper(parameters('token'))}!", "s3cret-token", &json!("S3CRET-TOKEN!")), []);
    let commands = folded("@{toUpper(parameters('token'))}!", "s3cret-token", &json!("S3CRET-TOKEN?"));
    let [Command::Finish { error: Some(error), .. }] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!((&error["code"], &error["recorded"]), (&json!("ReplayDiffers"), &json!({"value": "[secret]?"})));
}

#[test]
fn a_run_goes_on_after_its_secret_was_replaced_by_a_longer_one() {
    let value = "Basic @{base64(concat('larum:', parameters('token'), ':larum'))}";
    for (secret, recorded) in [
        ("s3cret-token", "Basic bGFydW06[secret]OmxhcnVt"),
        ("s3cret-token-2", "Basic bGFydW06[secret]OmxhcnVt"),
        ("another-t0ken", "Basic bGFydW06[secret]ps[secret]bGFydW0="),
    ] {
        assert_eq!(folded(value, secret, &json!(recorded)), [], "{secret}");
    }
    assert_ne!(folded(value, "s3cret-token", &json!("Digest bGFydW06[secret]OmxhcnVt")), []);
}

#[tokio::test]
async fn a_value_from_a_secure_field_is_used_and_never_shown() {
    let actions = r#"
  - {id: sign_in, action: probe, secure: [inputs, outputs], with: {value: sign-in, answers: ["ticket-4711-x"]}}
  - {id: keep, action: compose, secure: [inputs], with: {inputs: "@concat('kept ', base64(actions.sign_in))"}}
  - {id: use, action: probe, with: {value: "Ticket @{actions.sign_in}", answers: ["you came with ticket-4711-x"]}}
  - {id: again, action: probe, with: {value: "@{toUpper(actions.use)} @{actions.keep}"}}
"#;
    let house = House::new(&form(actions)).await;
    let run = house.report("1", json!({})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    let received: Vec<String> = asked(run).into_iter().map(|attempt| attempt.0).collect();
    assert_eq!(
        received,
        ["sign-in", "Ticket ticket-4711-x", "YOU CAME WITH TICKET-4711-X kept dGlja2V0LTQ3MTEteA=="],
        "the actions themselves get what it is"
    );
    let stored = house.stored(run).await;
    let journal: Vec<String> = stored.journal.iter().map(|event| String::from_utf8_lossy(event).into_owned()).collect();
    let kept = format!("{}\n{}", journal.join("\n"), stored.actions.unwrap_or_default());
    for secret in ["ticket-4711-x", "TICKET-4711-X", "dGlja2V0LTQ3MTEteA"] {
        assert!(!kept.contains(secret), "{secret} in {kept}");
    }
    assert!(kept.contains("you came with [secret]"), "{kept}");
}

#[tokio::test]
async fn what_the_trigger_delivered_cannot_be_made_a_secret() {
    let actions = r#"
  - {id: keep, action: compose, secure: [inputs, outputs], with: {inputs: {said: "@trigger.what", kind: in-so-many-words}}}
  - {id: print, action: compose, with: {inputs: "@{actions.keep.said}, in-so-many-words"}}
"#;
    let house = House::new(&form(actions)).await;
    let run = house.report("1", json!({"what": "a stranger at the door"})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    let records = house.stored(run).await.actions.unwrap();
    assert_eq!(records[0]["inputs"], "[secret]");
    assert_eq!(records[1]["outputs"], "a stranger at the door, [secret]");
}

/// Ways to compute with a text; each keeps what is secret of it in pieces of six characters or more.
const STEPS: &[&str] = &[
    "toUpper(X)",
    "toLower(X)",
    "base64(X)",
    "concat('before ', X, ' after')",
    "concat(X, '-', X)",
    "string(createArray(X, 'quite ordinary'))",
    "substring(X, 1)",
    "dataUri(X)",
    "first(createArray(X, 'nothing'))",
    "trim(concat('  ', X))",
    // From here on what is shown beside the secret depends on it.
    "uriComponent(X)",
    "base64ToString(base64(X))",
    "replace(X, 'a', 'bcd')",
    "join(split(X, '1'), '22')",
    "escape_html(concat('<', X, '>'))",
    "string(json(concat('{\"key\": \"', base64(X), '\"}')))",
];
const SAME_LENGTH: usize = 10;

fn chain(steps: &[usize]) -> Vec<String> {
    let mut expressions = vec!["parameters('token')".to_owned()];
    for &step in steps {
        let next = STEPS[step].replace('X', &expressions[expressions.len() - 1]);
        expressions.push(next);
    }
    expressions
}

fn told(expression: &str, secret: &str) -> String {
    let actions = format!(
        "\n  - id: x\n    action: compose\n    with:\n      inputs: >-\n        @{expression}\n  - {{id: print, action: compose, with: {{inputs: '<{{{{actions.x}}}}>'}}}}\n"
    );
    let mut told = records(&actions, &json!({"token": secret})).to_string();
    while told.contains("[secret][secret]") {
        told = told.replace("[secret][secret]", "[secret]");
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_record_is_the_same_whatever_the_secret_is(
        steps in prop::collection::vec(0..SAME_LENGTH, 0..6),
        one in "[A-Za-z0-9]{24}",
        other in "[A-Za-z0-9]{24}",
    ) {
        let expression = chain(&steps).pop().unwrap();
        prop_assert_eq!(told(&expression, &one), told(&expression, &other), "{}", expression);
    }

    #[test]
    fn a_record_shows_nothing_of_what_a_secret_was_on_the_way(
        steps in prop::collection::vec(0..STEPS.len(), 0..6),
        secret in "[A-Za-z0-9/+&<%ä-]{20,30}",
    ) {
        let expressions = chain(&steps);
        let told = told(&expressions[expressions.len() - 1], &secret);
        let scope = JsonScope::new(json!({"parameters": {"token": secret}}), start(), 1);
        for expression in &expressions {
            let template = Template::compile(&format!("@{expression}"), &Partials::default()).unwrap();
            let value = template.evaluate(&scope).unwrap();
            let (text, quoted) = (value.as_str().unwrap(), value.to_string());
            prop_assert!(!told.contains(text) && !told.contains(&quoted[1..quoted.len() - 1]), "{text} in {told}");
        }
    }
}
