//! A dry run, for people.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use serde_json::Value;

use super::dry_run::{DryRun, Field, Tried};

/// Characters of a value on its line.
const SHOWN: usize = 160;
/// Iterations of an action that are shown, beside those that fail.
const ITERATIONS: usize = 5;
/// Evaluations of one field that are shown.
const EVALUATIONS: usize = 5;
/// Values read by one field that are shown.
const READS: usize = 20;

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({}): {}", self.playbook, self.file, one_line(&self.event))?;
        match (&self.because, &self.error) {
            (Some(because), _) => writeln!(f, "would not be started: {because}")?,
            (None, Some(error)) => writeln!(f, "would end {}: {}", self.status, told(error))?,
            (None, None) => writeln!(f, "would end {}", self.status)?,
        }
        for fault in &self.faults {
            writeln!(f, "  {fault}")?;
        }
        let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
        let mut left = 0;
        for tried in &self.actions {
            let (action, is_in_loop) = tried.step.split_once('/').map_or((&*tried.step, false), |(id, _)| (id, true));
            let count = shown.entry(action).or_default();
            *count += 1;
            if is_in_loop && *count > ITERATIONS && !matches!(tried.status, "failed" | "timed_out") {
                left += 1;
            } else {
                write!(f, "\n{tried}")?;
            }
        }
        if left > 0 {
            writeln!(f, "\n{left} more of loops; --output json has all")?;
        }
        self.deeds(f)
    }
}

impl DryRun {
    fn deeds(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |deed: &Value, name: &str| one_line(deed[name].as_str().unwrap_or_default());
        let list = |deed: &Value, name: &str| {
            let items = deed[name].as_array().into_iter().flatten().filter_map(Value::as_str);
            items.collect::<Vec<_>>().join(", ")
        };
        let mut lines = Vec::new();
        for made in &self.incidents {
            let (severity, status) = (text(made, "severity"), text(made, "status"));
            lines.push(format!("incident by {}: {} ({severity}, {status})", text(made, "action"), text(made, "title")));
        }
        for mail in &self.mails {
            lines.push(format!("mail by {} to {}: {}", text(mail, "action"), list(mail, "to"), text(mail, "subject")));
        }
        for call in &self.calls {
            lines.push(format!("call by {}: {} {}", text(call, "action"), text(call, "method"), text(call, "url")));
        }
        for child in &self.children {
            lines.push(format!("run by {} of {}", text(child, "action"), text(child, "playbook")));
        }
        if let Some(reply) = &self.reply {
            lines.push(format!("answer to the caller: {}", reply["statusCode"]));
        }
        if lines.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nwould have done, and did not:")?;
        lines.iter().try_for_each(|line| writeln!(f, "  {}", one_line(line)))
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.step, self.action, self.status)?;
        match &self.error {
            Some(error) => writeln!(f, ", {}", told(error))?,
            None => writeln!(f)?,
        }
        let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
        let mut left = 0;
        for field in &self.fields {
            let count = shown.entry(&field.field).or_default();
            *count += 1;
            if *count > EVALUATIONS {
                left += 1;
            } else {
                write!(f, "{field}")?;
            }
        }
        if left > 0 {
            writeln!(f, "  {left} more evaluations; --output json has all")?;
        }
        Ok(())
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, value, error, written, reads } = self;
        match (value, error) {
            (_, Some(error)) => writeln!(f, "  {field} has no value: {}", one_line(error))?,
            (value, None) => writeln!(f, "  {field} = {}", shown(value.as_ref().unwrap_or(&Value::Null)))?,
        }
        write!(f, "    {}:{}", written.file, written.position.line)?;
        match &written.expression {
            Some(expression) => writeln!(f, "  {}", one_line(expression))?,
            None => writeln!(f)?,
        }
        for read in reads.iter().take(READS) {
            writeln!(f, "      {} = {}", one_line(&read.path), shown(&read.value))?;
        }
        if reads.len() > READS {
            writeln!(f, "      {} more", reads.len() - READS)?;
        }
        Ok(())
    }
}

/// `{code, message}` in one line.
fn told(error: &Value) -> String {
    let part = |name: &str| error[name].as_str().unwrap_or_default();
    one_line(&format!("{}: {}", part("code"), part("message")))
}

/// A value on one line, cut where it is long.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    let count = text.chars().count();
    if count <= SHOWN {
        return text;
    }
    let mut cut: String = text.chars().take(SHOWN).collect();
    let _ = write!(cut, "… ({count} characters)");
    cut
}

/// A text on one line, cut where it is long.
fn one_line(text: &str) -> String {
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    if text.chars().count() > SHOWN {
        line.push('…');
    }
    line
}
