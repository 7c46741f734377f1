//! What a playbook of the gallery can be told before it is written: its mailbox, its address, its times.

use std::collections::BTreeMap;

use crate::{
    action,
    config::Config,
    diagnostic::Diagnostic,
    playbook::{self, Bundle, templates},
};

/// Something that playbooks of the gallery can be told.
#[derive(Debug, PartialEq, Eq)]
pub struct Need {
    /// How `--set` calls it.
    pub key: &'static str,
    /// What it is asked for by.
    pub question: &'static str,
    /// What stands before the value in the gallery's text.
    place: &'static str,
    /// What stands there instead once it is told.
    told: &'static str,
}

/// The mailbox's connection.
pub const CONNECTION: Need =
    Need { key: "connection", question: "Which mailbox?", place: "    # connection: ", told: "    connection: " };

/// The connection that mails are sent over.
pub const MAIL: Need = Need { key: "mail", question: "How are its mails sent?", place: "", told: "connection: " };

/// The address of a form or webhook.
pub const PATH: Need =
    Need { key: "path", question: "Its address, after /forms/ or /hooks/", place: "    path: ", told: "    path: " };

/// Every need, in the order they are asked for.
pub const ALL: [Need; 6] = [
    CONNECTION,
    PATH,
    Need { key: "cron", question: "When? Minute, hour, day, month, weekday", place: "    cron: ", told: "    cron: " },
    Need { key: "time_zone", question: "In which time zone?", place: "    time_zone: ", told: "    time_zone: " },
    Need {
        key: "deciders",
        question: "Whose mail address decides?",
        place: "  deciders: {type: string, default: ",
        told: "  deciders: {type: string, default: ",
    },
    MAIL,
];

/// A playbook with its tests, on the way from the gallery to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub name: String,
    pub playbook: String,
    pub tests: String,
}

impl Draft {
    /// The gallery's, under another name.
    pub fn new(from: &str, name: &str, playbook: &str, tests: &str) -> Self {
        Self { name: name.to_owned(), playbook: playbook.replace(from, name), tests: tests.replace(from, name) }
    }

    /// What it can be told.
    pub fn needs(&self) -> impl Iterator<Item = &'static Need> {
        ALL.iter().filter(|need| self.place(need).is_some())
    }

    /// What the gallery says, where a need has a value there.
    pub fn said(&self, need: &Need) -> Option<&str> {
        let (start, end) = self.place(need)?;
        (*need != MAIL).then(|| self.playbook[start + need.place.len()..end].trim_matches('"'))
    }

    /// The draft with a need's answer in its place, or the first fault that the answer makes.
    pub fn tell(&self, need: &Need, answer: &str) -> Result<Self, Diagnostic> {
        let mut next = self.clone();
        let value = scalar(answer);
        if *need == MAIL {
            next.playbook = sent_over(&self.playbook, need.told, &value);
        } else if let Some((start, end)) = self.place(need) {
            let before = self.playbook[start + need.place.len()..end].to_owned();
            next.playbook.replace_range(start..end, &format!("{}{value}", need.told));
            // Comments say the address too, and tests say who decided.
            for kind in ["forms", "hooks"].into_iter().filter(|_| *need == PATH) {
                next.playbook = next.playbook.replace(&format!("/{kind}/{before}"), &format!("/{kind}/{answer}"));
            }
            next.tests = next.tests.replace(&format!("by: {before}"), &format!("by: {value}"));
        }
        let (templates, _) = templates::sources(None);
        let path = format!("{}.yaml", self.name);
        let bundle = Bundle { path, source: next.playbook.clone(), templates, parameters: BTreeMap::new() };
        match playbook::load(&bundle, &action::vocabulary()) {
            Ok(_) => Ok(next),
            Err(faults) => faults.into_iter().next().map_or(Ok(next), Err),
        }
    }

    /// From where the need's place begins to where its value ends.
    fn place(&self, need: &Need) -> Option<(usize, usize)> {
        if *need == MAIL {
            return self.playbook.lines().position(sends).map(|line| (line, line));
        }
        let start = self.playbook.find(&format!("\n{}", need.place))? + 1;
        let value = start + need.place.len();
        let rest = &self.playbook[value..];
        let end = ["\n", "  #", "}"].into_iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
        Some((start, value + end))
    }
}

fn sends(line: &str) -> bool {
    ["action: send_email", "action: approve"].contains(&line.trim())
}

/// The text with every mail sent over the named connection.
fn sent_over(text: &str, key: &str, value: &str) -> String {
    let (mut next, mut is_mail) = (String::new(), false);
    for line in text.lines() {
        next.push_str(line);
        next.push('\n');
        if is_mail && line.trim() == "with:" {
            let depth = line.len() - line.trim_start().len() + 2;
            next.push_str(&format!("{:depth$}{key}{value}\n", ""));
        }
        is_mail = sends(line) || (is_mail && line.trim() != "with:");
    }
    next
}

/// The names of the configured connections of one of these kinds.
pub fn connections<'c>(config: &'c Config, kinds: &[&str]) -> Vec<&'c str> {
    let of = |(name, connection): (&'c String, &crate::config::Connection)| {
        kinds.contains(&connection.kind()).then_some(name.as_str())
    };
    config.connections.iter().filter_map(of).collect()
}

/// A text as a YAML scalar, in quotes where it could be read as something else.
pub fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./@".contains(c))
        && !["true", "false", "null", "yes", "no", "on", "off"].contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
