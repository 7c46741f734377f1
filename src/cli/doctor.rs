//! `larum doctor`: tries every connection.

use serde_json::json;

use super::{
    ConfigArgs, Exit, Output,
    data::{self, Fault},
};
use crate::{
    action::{self, http::HttpClients},
    clock::{Clock, SystemClock},
    config::Config,
    doctor::{Doctor, Finding, Health},
    playbook,
    secret::Vault,
};

/// Tries the data folder, the addresses and every connection, and says what is wrong and what to do. No mail is marked,
/// moved or sent; a folder whose mails a playbook marks or moves is opened for changes (IMAP SELECT), as `serve` does, so
/// that its mails are no longer `\Recent`. Where files must be written, an empty one is made and removed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// How the findings are printed.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Tries and reports. [`Exit::WorldFailed`] when something does not work.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let config = match args.config.load() {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let done = data::block_on(async { Ok(findings(&config).await) }).and_then(|findings| {
        data::print(&match args.output {
            Output::Text => text(&findings),
            Output::Json => format!("{:#}\n", json!({"findings": findings})),
        })?;
        Ok(findings)
    });
    match done {
        Ok(findings) if findings.iter().any(|finding| finding.health == Health::Broken) => Exit::WorldFailed,
        Ok(_) => Exit::Done,
        Err(fault) => Fault::tell(&fault),
    }
}

async fn findings(config: &Config) -> Vec<Finding> {
    let vocabulary = action::vocabulary();
    let loading = playbook::load_folder(&config.playbooks, config.templates.as_deref(), config, &vocabulary);
    let playbooks: Vec<_> = loading.playbooks.into_iter().map(|loaded| loaded.playbook.into()).collect();
    let doctor = Doctor {
        config,
        playbooks: &playbooks,
        clients: HttpClients::default(),
        vault: Vault::ephemeral("doctor"),
        now: SystemClock.now(),
    };
    let mut findings = doctor.examine().await;
    let count = loading.faults.len();
    findings.insert(
        0,
        if count == 0 {
            let found = format!("{} without faults", playbooks.len());
            Finding { about: "playbooks".into(), health: Health::Well, found, advice: None }
        } else {
            let found = if count == 1 { "1 fault".to_owned() } else { format!("{count} faults") };
            let advice = Some("`larum check` shows each with its place".to_owned());
            Finding { about: "playbooks".into(), health: Health::Broken, found, advice }
        },
    );
    findings
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { about, health, found, advice } in findings {
        let mark = match health {
            Health::Well => "well    ",
            Health::Doubtful => "doubtful",
            Health::Broken => "broken  ",
        };
        // What a server said stands in it: on one line, and without anything a terminal would obey.
        let found = crate::mail::shown::line(found, 1_000);
        text.push_str(&format!("{mark}  {about}: {found}\n"));
        if let Some(advice) = advice {
            text.push_str(&format!("          to do: {advice}\n"));
        }
    }
    text
}
