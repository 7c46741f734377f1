//! The JSON schemas take what Larum takes and refuse what is built wrongly; they and the reference are up to date.

use std::{fs, path::Path};

use larum::{
    action,
    cli::{reference, schema},
    config::Config,
    diagnostic::{Code, Diagnostic, Faults, Source, codes},
    playbook, schema as json_schema, testing, yaml,
};
use serde_json::Value;

use crate::files;

fn value(text: &str) -> Value {
    let source = Source::new("file.yaml", text);
    yaml::parse(&mut Faults::new(&source)).map(|node| node.to_json()).unwrap_or_default()
}

fn faults(schema: &json_schema::Schema, path: &Path) -> Vec<String> {
    let faults = schema.faults(&value(&fs::read_to_string(path).unwrap()), 5);
    faults.iter().map(|fault| format!("{} at {}: {}", path.display(), fault.pointer, fault.message)).collect()
}

fn read(schema: &Value) -> json_schema::Schema {
    json_schema::Schema::new(schema).unwrap()
}

#[test]
fn the_schemas_of_the_repository_are_what_the_source_says() {
    files::fresh("schema", &schema::files());
}

#[test]
fn the_reference_is_what_the_source_says() {
    files::fresh("docs/reference", &reference::pages());
}

#[test]
fn every_good_file_fits_its_schema() {
    let (playbooks, mut tests) = files::good();
    // Larum takes names in any case; editors are told the one that is usual.
    tests.retain(|path| !path.ends_with("statuses-and-names-compare-ignoring-case.test.yaml"));
    assert!(playbooks.len() >= 7 && tests.len() >= 80, "{} {}", playbooks.len(), tests.len());
    let playbook = read(&schema::Of::Playbook.schema());
    let test = read(&schema::Of::Tests.schema());
    let mut found: Vec<String> = playbooks.iter().flat_map(|path| faults(&playbook, path)).collect();
    found.extend(tests.iter().flat_map(|path| faults(&test, path)));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Examples of a whole file in the documentation that Larum itself takes.
#[test]
fn every_configuration_in_the_documentation_fits_its_schema() {
    let schema = read(&Config::schema());
    let mut count = 0;
    for page in files::under("docs", ".md").into_iter().chain(["README.md".into()]) {
        let text = fs::read_to_string(&page).unwrap();
        for block in text.split("```yaml\n").skip(1) {
            let block = block.split("\n```").next().unwrap();
            let source = Source::new("larum.yaml", block);
            if !block.contains("connections:") || Config::read(&source, Path::new("")).is_err() {
                continue;
            }
            count += 1;
            let faults = schema.faults(&value(block), 5);
            assert!(faults.is_empty(), "{}: {faults:?}\n{block}", page.display());
        }
    }
    assert!(count >= 5, "{count}");
}

/// Faults in how a file is built, as far as they can be: these a schema may be able to tell.
const STRUCTURAL: &[Code] = &[
    codes::UNKNOWN_KEY,
    codes::MISSING_KEY,
    codes::WRONG_TYPE,
    codes::NOT_A_CHOICE,
    codes::OUT_OF_BOUNDS,
    codes::NOT_A_DURATION,
    codes::EXCLUSIVE_KEYS,
    codes::NOT_SUPPORTED,
    codes::BAD_NAME,
    codes::UNKNOWN_ACTION,
    codes::UNKNOWN_INPUT,
    codes::MISSING_INPUT,
    codes::WRONG_INPUT,
];

/// The structural mistakes of a folder that its schema lets through.
fn missed(folder: &str, schema: &Value, check: impl Fn(&Path) -> Vec<Diagnostic>) -> String {
    let schema = read(schema);
    let mut out = String::new();
    let mut refused = 0;
    for path in files::under(&format!("tests/invalid/{folder}"), ".yaml") {
        let Some(first) = check(&path).into_iter().next() else { continue };
        if !STRUCTURAL.contains(&first.code) {
            continue;
        }
        if faults(&schema, &path).is_empty() {
            out += &format!("{}: {}\n", path.file_stem().unwrap().display(), first.message);
        } else {
            refused += 1;
        }
    }
    format!("{out}\n{refused} others are refused\n")
}

#[test]
fn a_file_that_is_built_wrongly_is_refused_where_a_schema_can_tell() {
    let vocabulary = action::vocabulary();
    let config = Config::default();
    insta::assert_snapshot!(
        "playbooks",
        missed("playbooks", &playbook::schema(&vocabulary), |path| {
            playbook::load_folder(&[path.to_owned()], None, &config, &vocabulary).faults
        })
    );
    insta::assert_snapshot!(
        "tests",
        missed("tests", &testing::schema(), |path| { testing::Loader::new(None).load(&[path.to_owned()]).1 })
    );
    insta::assert_snapshot!(
        "configurations",
        missed("configurations", &Config::schema(), |path| { Config::load(path).err().unwrap_or_default() })
    );
}
