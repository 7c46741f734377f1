//! The questions of `larum new` on a terminal: from where to where, and nothing is written before the last answer.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, Write},
    path::Path,
};

use super::{
    GALLERY, SAMPLES, is_name,
    needs::{self, CONNECTION, Draft, MAIL, Need, PATH, scalar},
};
use crate::{
    action,
    config::Config,
    diagnostic::Source,
    playbook::{self, Trigger},
};

/// Everything that was answered.
#[derive(Debug)]
pub struct Answers {
    pub draft: Draft,
    /// New lines for `connections:` in `larum.yaml`.
    pub connections: Vec<String>,
}

/// Asks through `input` and `out`.
pub struct Asker<'a> {
    pub input: &'a mut dyn BufRead,
    pub out: &'a mut dyn Write,
    pub config: &'a Config,
    pub folder: &'a Path,
}

impl Asker<'_> {
    /// Asks until everything is answered. An end of the input is an error of kind `UnexpectedEof`.
    pub fn ask(&mut self) -> io::Result<Answers> {
        writeln!(self.out, "The gallery:")?;
        let shown: Vec<String> = super::listed().collect();
        self.numbered(&shown)?;
        let names: Vec<&str> = GALLERY.iter().map(|(name, ..)| *name).collect();
        let at = self.choose("Start from which one?", &names, None)?;
        let (from, text, tests) = GALLERY[at];
        let name = self.name(from)?;
        let mut draft = Draft::new(from, &name, text, tests);
        let mut connections = Vec::new();
        for need in draft.clone().needs() {
            if *need == CONNECTION || *need == MAIL {
                let Some(connection) = self.connection(need, &mut connections)? else { continue };
                match draft.tell(need, &connection) {
                    Ok(next) => draft = next,
                    Err(fault) => writeln!(self.out, "{connection} is not used: {}", fault.message)?,
                }
            } else {
                draft = self.value(need, draft)?;
            }
        }
        Ok(Answers { draft, connections })
    }

    fn name(&mut self, from: &str) -> io::Result<String> {
        loop {
            let name = self.line("What is it called here?", Some(from))?;
            if !is_name(&name) {
                writeln!(self.out, "a name is made of letters, digits, `-` and `_`")?;
            } else if self.folder.join(format!("{name}.yaml")).exists() {
                writeln!(self.out, "there is a playbook of that name already")?;
            } else {
                return Ok(name);
            }
        }
    }

    /// A need that is a text; what the playbook would not take is asked for again.
    fn value(&mut self, need: &Need, draft: Draft) -> io::Result<Draft> {
        let taken = if *need == PATH { self.addresses() } else { BTreeSet::new() };
        let usual = draft.said(need).unwrap_or_default();
        let usual = if taken.contains(usual) { draft.name.clone() } else { usual.to_owned() };
        loop {
            let answer = self.line(need.question, Some(&usual))?;
            if taken.contains(&answer.to_lowercase()) {
                writeln!(self.out, "another playbook has that address")?;
                continue;
            }
            if answer == draft.said(need).unwrap_or_default() {
                return Ok(draft);
            }
            match draft.tell(need, &answer) {
                Ok(next) => return Ok(next),
                Err(fault) => {
                    writeln!(self.out, "{}", fault.message)?;
                    if let Some(help) = fault.help {
                        writeln!(self.out, "{help}")?;
                    }
                }
            }
        }
    }

    /// The addresses of the forms and webhooks that are there.
    fn addresses(&self) -> BTreeSet<String> {
        if !self.folder.is_dir() {
            return BTreeSet::new();
        }
        let paths = [self.folder.to_owned()];
        let loading = playbook::load_files(&paths, None, None, &action::vocabulary());
        let address = |playbook: &playbook::Playbook| match &playbook.trigger {
            Trigger::Form(form) => Some(form.path.to_lowercase()),
            Trigger::Webhook(webhook) => Some(webhook.path.to_lowercase()),
            _ => None,
        };
        loading.playbooks.iter().filter_map(|loaded| address(&loaded.playbook)).collect()
    }

    /// A connection of `larum.yaml`, or one that is written down now; `None` where none is needed.
    fn connection(&mut self, need: &Need, new: &mut Vec<String>) -> io::Result<Option<String>> {
        let mail = *need == MAIL;
        let kinds: &[&str] = if mail { &["smtp"] } else { &["maildir", "imap"] };
        let known: Vec<String> = needs::connections(self.config, kinds).into_iter().map(str::to_owned).collect();
        let data = self.config.data.display();
        let without = match mail {
            false => Some(format!("{data}/maildir, a folder that mails can be dropped into")),
            true if known.is_empty() => Some(format!("not yet: they become files in {data}/outbox")),
            true => None,
        };
        let written =
            if mail { "over an SMTP server, written down now" } else { "one on an IMAP server, written down now" };
        let mut shown: Vec<String> = without.iter().cloned().collect();
        shown.extend(known.iter().map(|name| format!("{name}, as larum.yaml has it")));
        shown.push(written.to_owned());
        writeln!(self.out, "{}", if mail { "It sends mails:" } else { "It reads mails:" })?;
        self.numbered(&shown)?;
        let at = self.choose(need.question, &[], Some((1, shown.len())))?;
        match at.checked_sub(usize::from(without.is_some())) {
            None => Ok(None),
            Some(at) if at < known.len() => Ok(known.get(at).cloned()),
            Some(_) => self.written_down(mail, new).map(Some),
        }
    }

    /// A new connection's name; its line goes to `new`.
    fn written_down(&mut self, mail: bool, new: &mut Vec<String>) -> io::Result<String> {
        let usual = if mail { "outgoing" } else { "soc-mailbox" };
        loop {
            let name = self.line("The connection's name", Some(usual))?;
            if self.config.connections.keys().any(|known| known.eq_ignore_ascii_case(&name)) {
                writeln!(self.out, "larum.yaml has a connection of that name already")?;
                continue;
            }
            let host = self.line("Its host", None)?;
            let from = if mail { Some(self.line("The address mails come from", None)?) } else { None };
            let user = self.line("The user's name there", from.as_deref().map(address))?;
            let variable = name.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            let variable =
                self.line("The environment variable its password is in", Some(&format!("{variable}_PASSWORD")))?;
            let from = from.map(|from| format!("from: {}, ", scalar(&from))).unwrap_or_default();
            let kind = if mail { "smtp" } else { "imap" };
            let line = format!(
                "{}: {{{kind}: {{host: {}, {from}username: {}, password: {{env: {}}}}}}}",
                scalar(&name),
                scalar(&host),
                scalar(&user),
                scalar(&variable)
            );
            let all =
                format!("connections:\n{}  {line}\n", new.iter().map(|line| format!("  {line}\n")).collect::<String>());
            match Config::read(&Source::new("larum.yaml", all), Path::new("")) {
                Ok(_) => {
                    new.push(line);
                    return Ok(name);
                }
                Err(faults) => {
                    for fault in faults {
                        writeln!(self.out, "{}", fault.message)?;
                    }
                }
            }
        }
    }

    fn numbered(&mut self, lines: &[String]) -> io::Result<()> {
        for (at, line) in lines.iter().enumerate() {
            writeln!(self.out, "{:3}  {line}", at + 1)?;
        }
        Ok(())
    }

    /// The place of what is chosen, by its number or its name. `numbers` is the usual number and how many there are.
    fn choose(&mut self, question: &str, names: &[&str], numbers: Option<(usize, usize)>) -> io::Result<usize> {
        let count = numbers.map_or(names.len(), |(_, count)| count);
        let usual = numbers.map(|(usual, _)| usual.to_string());
        loop {
            let answer = self.line(question, usual.as_deref())?;
            let by_number = answer.parse().ok().filter(|number| (1..=count).contains(number)).map(|number| number - 1);
            match by_number.or_else(|| names.iter().position(|name| *name == answer)) {
                Some(at) => return Ok(at),
                None => writeln!(self.out, "`{answer}` is none of them: a number from 1 to {count}")?,
            }
        }
    }

    /// One answer; an empty one is the usual one, and without that is asked for again.
    fn line(&mut self, question: &str, usual: Option<&str>) -> io::Result<String> {
        loop {
            match usual {
                Some(usual) => write!(self.out, "{question} [{usual}] > ")?,
                None => write!(self.out, "{question} > ")?,
            }
            self.out.flush()?;
            let mut answer = String::new();
            if self.input.read_line(&mut answer)? == 0 {
                writeln!(self.out)?;
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match (answer.trim(), usual) {
                ("", Some(usual)) => return Ok(usual.to_owned()),
                ("", None) => {}
                (answer, _) => return Ok(answer.to_owned()),
            }
        }
    }
}

/// The address of `NAME <ADDRESS>`.
fn address(from: &str) -> &str {
    from.rsplit('<').next().unwrap_or(from).trim_end_matches('>')
}

/// What to do with a new playbook, line by line.
pub fn next_steps(draft: &Draft, connections: &[String]) -> Vec<String> {
    let sample = SAMPLES.iter().find(|(path, _)| draft.tests.contains(path));
    let event = match sample {
        Some((path, _)) => format!(" --event playbooks/{path}"),
        None if draft.needs().any(|need| need.key == "cron") => String::new(),
        None => " --event EVENT.json".to_owned(),
    };
    let mut steps = vec![
        ("larum check".to_owned(), "faults, each with its place"),
        ("larum test".to_owned(), "its tests"),
        (format!("larum run {}{event} --dry-run", draft.name), "what it would do; nothing is done"),
        ("larum serve".to_owned(), "everything in earnest"),
    ];
    if !connections.is_empty() {
        steps.insert(3, ("larum doctor".to_owned(), "whether the servers let Larum in"));
    }
    let width = steps.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
    steps.into_iter().map(|(command, does)| format!("  {command:width$}  # {does}")).collect()
}
