//! `larum fmt` lays out without saying anything else: idempotent, with every comment, on the repository's own files and
//! on generated ones.

use std::{fmt::Write, fs, process::Command};

use larum::{
    diagnostic::{Faults, Source},
    yaml,
};
use serde_json::Value;

use crate::files;

fn value(text: &str) -> Value {
    let source = Source::new("file.yaml", text);
    let mut faults = Faults::new(&source);
    let root = yaml::parse(&mut faults).unwrap();
    assert_eq!(faults.count(), 0, "{text}");
    root.to_json()
}

/// The new layout, held against the old one.
fn formatted(name: &str, text: &str) -> String {
    let once = yaml::format(text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
    let twice = yaml::format(&once).unwrap();
    assert_eq!(once, twice, "{name}: another time, another layout, of\n{text}");
    assert_eq!(value(text), value(&once), "{name}\n{text}\n---\n{once}");
    assert!(!once.lines().any(|line| line.ends_with([' ', '\t'])), "{name}: white space at the end of a line\n{once}");
    once
}

#[test]
fn the_gallery_is_laid_out() {
    for path in files::under("playbooks", ".yaml") {
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(formatted(&path.display().to_string(), &text), text, "{}: larum fmt playbooks", path.display());
    }
}

#[test]
fn every_behaviour_file_keeps_its_meaning_and_its_comments() {
    let all = files::under("tests/behaviour", ".yaml");
    assert!(all.len() >= 80);
    for path in all {
        let name = path.display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        let after = formatted(&name, &text);
        let own = |text: &str| -> Vec<String> {
            text.lines().map(str::trim).filter(|line| line.starts_with('#')).map(str::to_owned).collect()
        };
        assert_eq!(own(&text), own(&after), "{name}");
    }
}

/// Numbers of a seed, so that a failure can be seen again (Knuth's linear congruential generator, MMIX).
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A file as untidy as YAML lets it be, with the comments in it.
struct Untidy {
    dice: Dice,
    text: String,
    comments: Vec<String>,
}

impl Untidy {
    fn file(seed: u64) -> Self {
        let mut file = Self { dice: Dice(seed), text: String::new(), comments: Vec::new() };
        for _ in 0..4 {
            file.dice.throw(2);
        }
        file.map(0, 3);
        file
    }

    fn comment(&mut self) -> String {
        let text = format!("# comment {}: {{ and 'more'", self.comments.len());
        self.comments.push(text.clone());
        text
    }

    /// What may stand above an entry.
    fn above(&mut self, indent: usize) {
        for _ in 0..self.dice.throw(3) {
            match self.dice.throw(4) {
                0 => self.text.push('\n'),
                1 => {
                    let comment = self.comment();
                    let _ = writeln!(self.text, "{}{comment}", " ".repeat(indent));
                }
                _ => {}
            }
        }
    }

    /// What may stand at the end of a line.
    fn end(&mut self) {
        if self.dice.throw(4) == 0 {
            let comment = self.comment();
            let _ = write!(self.text, "{}{comment}", " ".repeat(1 + self.dice.throw(5) as usize));
        } else {
            self.text.push_str(&" ".repeat(self.dice.throw(2) as usize));
        }
        self.text.push('\n');
    }

    fn map(&mut self, indent: usize, depth: usize) {
        for index in 0..=self.dice.throw(4) {
            self.above(indent);
            let _ = write!(self.text, "{}key_{index}:", " ".repeat(indent));
            self.after(indent, depth);
        }
    }

    fn list(&mut self, indent: usize, depth: usize) {
        for _ in 0..=self.dice.throw(3) {
            self.above(indent);
            let _ = write!(self.text, "{}-", " ".repeat(indent));
            if depth > 0 && self.dice.throw(2) == 0 {
                let spaces = 1 + self.dice.throw(3) as usize;
                let _ = write!(self.text, "{}first:", " ".repeat(spaces));
                let inner = indent + 1 + spaces;
                self.after(inner, depth - 1);
                self.map(inner, depth - 1);
            } else {
                self.after(indent, depth);
            }
        }
    }

    /// A value after a key or a dash.
    fn after(&mut self, indent: usize, depth: usize) {
        let inner = indent + 1 + self.dice.throw(5) as usize;
        match self.dice.throw(if depth == 0 { 5 } else { 7 }) {
            0 => {
                let sign = ["|", ">", "|-", ">-", "|+"][self.dice.throw(5) as usize];
                let _ = write!(self.text, " {sign}");
                self.end();
                for line in 0..=self.dice.throw(3) {
                    // Without a sign for it, the first line says how far in the block stands.
                    let further = if line == 0 { 0 } else { self.dice.throw(3) as usize };
                    let _ = writeln!(self.text, "{}text # of a block", " ".repeat(inner + further));
                }
            }
            1 => {
                let _ = write!(self.text, "  \"quoted # text\n{}over lines\"", " ".repeat(inner));
                self.end();
            }
            2 => {
                let words = [" plain", " 12", "  'it''s'", "", " ~", " \"@{a}\"", " true", " ä"];
                let word = words[self.dice.throw(8) as usize];
                self.text.push_str(word);
                self.end();
            }
            3 | 4 => {
                self.text.push(' ');
                self.flow(inner, 2);
                self.end();
            }
            5 => {
                self.end();
                self.map(inner, depth - 1);
            }
            _ => {
                self.end();
                self.list(inner, depth - 1);
            }
        }
    }

    fn flow(&mut self, indent: usize, depth: usize) {
        let is_map = self.dice.throw(2) == 0;
        self.text.push(if is_map { '{' } else { '[' });
        let count = self.dice.throw(5);
        for index in 0..count {
            if index > 0 {
                self.text.push(',');
            }
            match self.dice.throw(5) {
                0 => {
                    let _ = write!(self.text, "\n{}", " ".repeat(indent));
                }
                1 => {
                    self.end();
                    self.text.push_str(&" ".repeat(indent));
                }
                _ => self.text.push(' '),
            }
            if is_map {
                let _ = write!(self.text, "f{index}: ");
            }
            if depth > 0 && self.dice.throw(4) == 0 {
                self.flow(indent, depth - 1);
            } else {
                let words = ["a word of some length that fills the line", "1.50", "'# quoted'", "\"a \\\"b\\\"\""];
                self.text.push_str(words[self.dice.throw(4) as usize]);
            }
        }
        self.text.push_str(&" ".repeat(self.dice.throw(2) as usize));
        self.text.push(if is_map { '}' } else { ']' });
    }
}

#[test]
fn two_hundred_untidy_files_keep_their_meaning_and_their_comments() {
    for seed in 0..200 {
        let file = Untidy::file(seed);
        let once = formatted(&format!("seed {seed}"), &file.text);
        let mut rest = once.as_str();
        for comment in &file.comments {
            let line = format!("{comment}\n");
            let at =
                rest.find(&line).unwrap_or_else(|| panic!("seed {seed}: no `{comment}`\n{}\n---\n{once}", file.text));
            rest = &rest[at + line.len()..];
        }
        // The same file as other editors save it.
        let windows = format!("\u{feff}{}", file.text.replace('\n', "\r\n"));
        assert_eq!(yaml::format(&windows).unwrap(), format!("\u{feff}{}", once.replace('\n', "\r\n")), "seed {seed}");
    }
}

#[test]
fn files_are_replaced_whole_or_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let larum = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_larum"));
        let output = command.current_dir(folder.path()).arg("fmt").args(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    fs::write(path("untidy.yaml"), "name:   x\n").unwrap();
    fs::write(path("tidy.yaml"), "name: x\n").unwrap();
    fs::write(path("faulty.yaml"), "name: [x\n").unwrap();
    fs::write(path("latin1.yaml"), b"name:   \xe9\n").unwrap();
    let (code, out, _) = larum(&["--check", "untidy.yaml", "tidy.yaml"]);
    assert_eq!((code, out.as_str()), (1, "untidy.yaml\n"));
    assert_eq!(fs::read_to_string(path("untidy.yaml")).unwrap(), "name:   x\n");
    let (code, out, err) = larum(&["."]);
    assert_eq!((code, out.as_str()), (1, "untidy.yaml\n"));
    insta::assert_snapshot!(err, @r"
    error: `faulty.yaml` stays as it is: it has faults that `larum check` shows
    error: `latin1.yaml` stays as it is: it is not UTF-8
    ");
    assert_eq!(fs::read_to_string(path("untidy.yaml")).unwrap(), "name: x\n");
    assert_eq!(fs::read_to_string(path("faulty.yaml")).unwrap(), "name: [x\n");
    assert_eq!(fs::read(path("latin1.yaml")).unwrap(), b"name:   \xe9\n");
    let (code, out, err) = larum(&["--check", "untidy.yaml", "tidy.yaml"]);
    assert_eq!((code, out, err), (0, String::new(), String::new()));
}
