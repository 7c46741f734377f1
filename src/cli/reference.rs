//! The reference of `docs/reference/`, made from the JSON schemas and so from the doc comments of what is read.

use std::fmt::Write;

use serde_json::Value;

use super::schema::Of;

/// The pages by file name, in Markdown.
#[must_use]
pub fn pages() -> Vec<(String, String)> {
    let (playbook, tests, config) = (Of::Playbook.schema(), Of::Tests.schema(), Of::Config.schema());
    let mut all = Vec::new();
    let mut page = |name: &str, page: Page<'_>| all.push((format!("{name}.md"), page.text));

    let mut triggers = Page::new("Triggers", "A playbook has one, under `trigger:`.", &playbook);
    let trigger = &playbook["definitions"]["trigger"];
    triggers.kinds(trigger, &["conditions", "split_on", "concurrency"]);
    triggers.section(2, "Beside every kind");
    triggers.table(trigger, |key| ["conditions", "split_on", "concurrency"].contains(&key));
    triggers.parts(3);
    page("triggers", triggers);

    let about = "What stands after `action:`, with the inputs it takes under `with:`. Any value may be computed: an \
                 `@expression`, or a text with `{{…}}` or `@{…}` in it. One that comes out null counts as absent.";
    let mut actions = Page::new("Actions", about, &playbook);
    let name = &playbook["definitions"]["action_name"];
    for (name, about) in list(&name["enum"]).iter().zip(list(&name["enumDescriptions"])) {
        let name = name.as_str().unwrap_or_default();
        actions.section(2, &format!("`{name}`"));
        actions.say(about.as_str().unwrap_or_default());
        actions.table(playbook.pointer(&format!("/definitions/with_{name}")).unwrap_or(&Value::Null), |_| true);
        actions.parts(3);
    }
    page("actions", actions);

    let mut whole = Page::new("Playbooks", "The keys of a playbook and of what stands in `actions:`.", &playbook);
    whole.section(2, "A playbook");
    whole.table(&playbook, |_| true);
    whole.parts(3);
    for kind in ["call", "if", "switch", "for_each", "until", "scope", "terminate"] {
        whole.section(2, &if kind == "call" { "`action`".to_owned() } else { format!("`{kind}`") });
        let kind = &playbook["definitions"][kind];
        whole.say(text(kind));
        whole.table(kind, |_| true);
        whole.parts(3);
    }
    page("playbooks", whole);

    let about = "Outside systems, by name under `connections:` of `larum.yaml`.";
    let mut connections = Page::new("Connections", about, &config);
    connections.kinds(&config["definitions"]["connection"], &[]);
    page("connections", connections);

    let mut configuration = Page::new("larum.yaml", text(&config), &config);
    configuration.table(&config, |_| true);
    configuration.parts(2);
    page("configuration", configuration);

    let mut of_tests = Page::new("Tests of playbooks", text(&tests), &tests);
    of_tests.table(&tests, |_| true);
    of_tests.parts(2);
    page("tests", of_tests);
    all
}

/// A page while it is written.
struct Page<'s> {
    text: String,
    schema: &'s Value,
    /// Maps that were named and have not been described yet, each with the key it stands under.
    waiting: Vec<(String, &'s Value)>,
    /// Those of the page so far.
    seen: Vec<String>,
}

/// Definitions with a page of their own.
const ELSEWHERE: &[(&str, &str)] = &[
    ("step", "an action ([playbooks](playbooks.md))"),
    ("trigger", "a trigger ([triggers](triggers.md))"),
    ("connection", "a connection ([connections](connections.md))"),
    ("playbook", "a playbook ([playbooks](playbooks.md))"),
    ("action_name", "an action ([actions](actions.md))"),
    ("duration", "a duration"),
    ("secret", "a secret: `{env: NAME}` or `{file: PATH}`"),
    ("expected_text", "text"),
    ("expected_status", "a status, or a list of them"),
];

impl<'s> Page<'s> {
    fn new(title: &str, about: &str, schema: &'s Value) -> Self {
        let text = format!(
            "# {title}\n\n<!-- Made by `larum schema --markdown docs/reference` from the doc comments in the source; do not edit. -->\n"
        );
        let mut page = Self { text, schema, waiting: Vec::new(), seen: Vec::new() };
        page.say(about);
        page
    }

    fn section(&mut self, level: usize, title: &str) {
        let _ = writeln!(self.text, "\n{} {title}", "#".repeat(level));
    }

    fn say(&mut self, text: &str) {
        if !text.is_empty() {
            let _ = writeln!(self.text, "\n{text}");
        }
    }

    /// A section for each kind of a map that is of exactly one.
    fn kinds(&mut self, schema: &'s Value, others: &[&str]) {
        for (kind, value) in schema["properties"].as_object().into_iter().flatten() {
            if others.contains(&kind.as_str()) {
                continue;
            }
            self.section(2, &format!("`{kind}`"));
            self.say(text(value));
            let object = self.object(value).map_or(&Value::Null, |(_, object)| object);
            self.table(object, |_| true);
            self.parts(3);
        }
    }

    /// The keys of a map that `which` takes.
    fn table(&mut self, schema: &'s Value, which: impl Fn(&str) -> bool) {
        let object = self.object(schema).map_or(schema, |(_, object)| object);
        let Some(properties) = object["properties"].as_object().filter(|all| !all.is_empty()) else { return };
        self.text.push_str("\n| key | value | meaning |\n|---|---|---|\n");
        let required = list(&object["required"]);
        for (key, value) in properties.iter().filter(|(key, _)| which(key)) {
            let need = if required.iter().any(|name| name == key) { ", required" } else { "" };
            let words = self.words(value, key);
            let about = text(value).replace('\n', " ").replace('|', "\\|");
            let _ = writeln!(self.text, "| `{key}`{need} | {words} | {about} |");
        }
    }

    /// The maps that were named since, each in a section.
    fn parts(&mut self, level: usize) {
        while !self.waiting.is_empty() {
            let (key, object) = self.waiting.remove(0);
            self.section(level, &format!("`{key}`"));
            self.say(text(object));
            self.table(object, |_| true);
        }
    }

    fn definition(&self, schema: &Value) -> Option<(&'s str, &'s Value)> {
        let leads = schema["$ref"].as_str().or_else(|| match list(&schema["allOf"]) {
            [only] => only["$ref"].as_str(),
            _ => None,
        })?;
        let name = leads.strip_prefix("#/definitions/")?;
        let (name, value) = self.schema["definitions"].as_object()?.get_key_value(name)?;
        Some((name, value))
    }

    /// The map that a value may be, with its name where it has one.
    fn object(&self, schema: &'s Value) -> Option<(Option<&'s str>, &'s Value)> {
        if let Some((name, value)) = self.definition(schema) {
            return self.object(value).map(|(_, object)| (Some(name), object));
        }
        if schema["properties"].is_object() {
            return Some((None, schema));
        }
        list(&schema["anyOf"]).iter().find_map(|one| self.object(one))
    }

    /// What a value may be, in words; the maps it may be wait for their section.
    fn words(&mut self, schema: &'s Value, key: &str) -> String {
        if let Some((name, value)) = self.definition(schema) {
            if name == "computed" {
                return String::new();
            }
            if let Some((_, words)) = ELSEWHERE.iter().find(|(known, _)| *known == name) {
                return (*words).to_owned();
            }
            if value["properties"].is_object() && list(&value["allOf"]).iter().all(|rule| rule["if"].is_null()) {
                if !self.seen.iter().any(|seen| seen == name) {
                    self.seen.push(name.to_owned());
                    self.waiting.push((key.to_owned(), value));
                }
                return "a map, see below".to_owned();
            }
            return self.words(value, key);
        }
        if let Some(values) = schema.get("enum") {
            return list(values).iter().map(|value| format!("`{}`", plain(value))).collect::<Vec<_>>().join(", ");
        }
        if let Some(value) = schema.get("const") {
            return format!("`{}`", plain(value));
        }
        if schema["anyOf"].is_array() {
            let mut all: Vec<String> = Vec::new();
            let alternatives = list(&schema["anyOf"]);
            for one in alternatives {
                if one["items"].is_object() && one["items"] == alternatives[0] {
                    all.push("a list of them".to_owned());
                    continue;
                }
                let words = self.words(one, key);
                if !words.is_empty() && !all.contains(&words) {
                    all.push(words);
                }
            }
            return all.join(", or ");
        }
        if schema["properties"]["type"]["enum"].is_array() {
            let kinds = list(&schema["allOf"]);
            for kind in kinds {
                let title = plain(&kind["if"]["properties"]["type"]["const"]);
                if let Some((_, object)) = self.definition(&kind["then"]) {
                    self.waiting.push((format!("{key}: {{type: {title}}}"), object));
                }
            }
            return "a map with a `type`, see below".to_owned();
        }
        let types = match &schema["type"] {
            Value::String(one) => vec![one.as_str()],
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            _ => return "anything".to_owned(),
        };
        let words = types.into_iter().filter(|kind| *kind != "null").map(|kind| match kind {
            "string" => "text".to_owned(),
            "boolean" => "true or false".to_owned(),
            "integer" => match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
                (Some(i64::MIN), _) | (None, None) => "a whole number".to_owned(),
                (Some(low), Some(high)) if high < i64::from(u32::MAX) => format!("{low} to {high}"),
                (Some(low), _) => format!("a whole number from {low}"),
                (None, Some(high)) => format!("a whole number to {high}"),
            },
            "number" => "a number".to_owned(),
            "array" if schema["items"].is_object() => match self.words(&schema["items"], key) {
                items if items.is_empty() || items == "anything" => "a list".to_owned(),
                items => format!("a list: {items}"),
            },
            "array" => "a list".to_owned(),
            _ if schema["properties"].is_object() => {
                self.waiting.push((key.to_owned(), schema));
                "a map, see below".to_owned()
            }
            _ if schema["additionalProperties"].is_object() => match self.words(&schema["additionalProperties"], key) {
                values if values.is_empty() || values == "anything" => "a map".to_owned(),
                values => format!("a map by name: {values}"),
            },
            _ => "a map".to_owned(),
        });
        words.collect::<Vec<_>>().join(" or ")
    }
}

fn text(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
