//! `larum serve`: everything, in one process.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    io::{self, IsTerminal, Write},
    net::SocketAddr,
};

use chrono::{SecondsFormat, Utc};
use tokio::net::TcpListener;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{
    EnvFilter,
    fmt::{format::Writer, time::FormatTime},
};

use super::{ConfigArgs, Exit, data};
use crate::{
    app::{App, Core, Entrances, Reading},
    config::{Config, Connection},
    engine::Library,
    incident::automation::{TriggersOn, TriggersWhen},
    playbook::Trigger,
    secret,
    server::Certificates,
    store::StoreError,
    trigger::mailbox,
};

/// Runs everything: triggers, engine, forms.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Serves until Ctrl-C or SIGTERM.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let config = match args.config.load() {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let _log = log();
    data::block_on(async { Ok(serve(config).await) }).unwrap_or_else(|fault| fault.tell())
}

async fn serve(config: Config) -> Exit {
    let entrances = match entrances(&config).await {
        Ok(entrances) => entrances,
        Err(exit) => return exit,
    };
    let address = entrances.main.local_addr().unwrap_or(config.server.listen);
    let started = async {
        let core = Core::open(config)?;
        let (config, library) = (core.config.clone(), core.door.library.clone());
        let app = App::start(core, entrances, report).await?;
        Ok::<_, crate::app::StartError>((app, config, library))
    };
    let (app, config, library) = match started.await {
        Ok(started) => started,
        Err(error) => {
            eprintln!("larum: {error}");
            return Exit::WorldFailed;
        }
    };
    announce(&config, address, &library);
    if let Some(file) = app.first_admin() {
        eprintln!("there is no administrator yet: the link in {} makes the first token, once", file.display());
    }
    shutdown().await;
    eprintln!("larum: stopping; what is under way is brought to a safe point");
    app.stop().await;
    eprintln!("larum: stopped");
    Exit::Done
}

/// The ways in, before anything is opened, so that a second Larum on the same port leaves no trace.
async fn entrances(config: &Config) -> Result<Entrances, Exit> {
    let server = &config.server;
    let certificates = server.tls.as_ref().map(Certificates::load).transpose().map_err(|error| {
        eprintln!("larum: {error}");
        Exit::InputAtFault
    })?;
    let main = listen(server.listen, "listen").await?;
    let public = match server.public_listen {
        Some(address) => Some(listen(address, "public_listen").await?),
        None => None,
    };
    Ok(Entrances { main, public, certificates })
}

async fn listen(address: SocketAddr, key: &str) -> Result<TcpListener, Exit> {
    TcpListener::bind(address).await.map_err(|error| {
        eprintln!("larum: cannot listen on {address}: {error}; `server.{key}` in larum.yaml chooses another address");
        Exit::WorldFailed
    })
}

/// Takes the secrets that were read out of what is logged; each line comes in one piece.
struct Clean<W>(W);

impl<W: Write> Write for Clean<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_all(line).map(|()| line.len())
    }

    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        match secret::without_secrets(&String::from_utf8_lossy(line)) {
            Cow::Borrowed(_) => self.0.write_all(line),
            Cow::Owned(clean) => self.0.write_all(clean.as_bytes()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Readable lines on a terminal, JSON otherwise; `LARUM_LOG` chooses what is said. JSON lines are written by a thread of
/// their own, many at once: what is returned writes the last of them when it is dropped.
fn log() -> Option<WorkerGuard> {
    let wanted = std::env::var("LARUM_LOG").unwrap_or_else(|_| "warn,larum=info".to_owned());
    // At a finer level async-imap would log every line it sends, and with LOGIN the password.
    let filter = EnvFilter::new(format!("{wanted},async_imap=info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_timer(Instant);
    // Only a second subscriber in the same process could refuse, and there is none.
    if io::stderr().is_terminal() {
        let _ = builder.with_writer(|| Clean(io::stderr())).try_init();
        return None;
    }
    let (lines, guard) = tracing_appender::non_blocking(Clean(io::BufWriter::new(io::stderr())));
    let _ = builder.json().flatten_event(true).with_writer(lines).try_init();
    Some(guard)
}

/// The instant of a log line, as RFC 3339 in UTC; the subscriber's own clock takes several times as long to write the same.
struct Instant;

impl FormatTime for Instant {
    fn format_time(&self, line: &mut Writer<'_>) -> std::fmt::Result {
        line.write_str(&Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

/// Says what a reading of the playbook files came to.
fn report(reading: Result<Reading, StoreError>) {
    let reading = match reading {
        Ok(reading) => reading,
        Err(error) => {
            tracing::error!(%error, "edited playbooks could not be kept; the versions of before stay in force");
            return;
        }
    };
    for fault in &reading.faults {
        eprintln!("{fault}\n");
    }
    if reading.warnings > 0 {
        let warnings =
            if reading.warnings == 1 { "1 warning".to_owned() } else { format!("{} warnings", reading.warnings) };
        eprintln!("larum: {warnings} in the playbooks; `larum check` shows what is seldom meant");
    }
    for (playbook, version) in &reading.changed {
        tracing::info!(%playbook, version = &version[..version.len().min(12)], "playbook in force for new runs");
    }
    for playbook in &reading.withdrawn {
        tracing::info!(%playbook, "playbook withdrawn, its file is gone; its runs go on");
    }
    for playbook in &reading.kept {
        tracing::warn!(%playbook, "the playbook's file is at fault; its last good version stays in force");
    }
    for rule in &reading.rules.changed {
        tracing::info!(%rule, "automation rule taken from its file");
    }
    for rule in &reading.rules.withdrawn {
        tracing::info!(%rule, "automation rule withdrawn, its file is gone");
    }
    for rule in &reading.rules.kept {
        tracing::warn!(%rule, "the automation rule's file is at fault; it stays in force as it was");
    }
}

/// Prints what is watched, where mails can be dropped, where the forms are and which rules look on.
fn announce(config: &Config, address: SocketAddr, library: &Library) {
    let playbooks = library.current();
    let url = config.server.url_at(address);
    eprintln!("larum {} serves {url}, data in {}/", env!("CARGO_PKG_VERSION"), config.data.display());
    if address.ip().is_unspecified() && config.server.main_name().is_none() {
        eprintln!("it answers this machine only: server.url names the address that others use");
    }
    let links = config.server.link_url_at(address);
    let mut boxes = BTreeSet::new();
    for live in playbooks.iter() {
        let playbook = &live.playbook;
        let what = match &playbook.trigger {
            Trigger::Mailbox(trigger) => {
                let feed = mailbox::feed_name(trigger);
                let place = match config.connections.get(&feed.connection) {
                    None => Some(mailbox::embedded_maildir(&config.data)),
                    Some(Connection::Maildir(maildir)) => Some(maildir.path.clone()),
                    Some(_) => None,
                };
                if let Some(place) = place
                    && feed.folder == "INBOX"
                {
                    boxes.insert(place.join("new"));
                }
                format!("mails in {}/{}", feed.connection, feed.folder)
            }
            Trigger::Form(form) => format!("form {links}/forms/{}", form.path),
            Trigger::Webhook(webhook) => format!("webhook {links}/hooks/{}", webhook.path),
            Trigger::Schedule(schedule) => format!("schedule {} {}", schedule.timing, schedule.time_zone),
            Trigger::Incident(trigger) => match (trigger.created, trigger.updated) {
                (true, true) => "incidents created and updated".to_owned(),
                (true, false) => "incidents created".to_owned(),
                (false, true) => "incidents updated".to_owned(),
                (false, false) => "automation rules on incidents".to_owned(),
            },
            Trigger::Alert(trigger) if trigger.created => "alerts".to_owned(),
            Trigger::Alert(_) => "automation rules on alerts".to_owned(),
            Trigger::Manual => "larum run".to_owned(),
        };
        eprintln!("  {:<42} {what}", playbook.name);
    }
    for file in library.rules().iter() {
        let rule = &file.rule;
        let on = if rule.on == TriggersOn::Incidents { "incidents" } else { "alerts" };
        let when = if rule.when == TriggersWhen::Created { "created" } else { "updated" };
        let off = if rule.enabled { "" } else { ", switched off" };
        eprintln!("  {:<42} automation rule {} on {on} {when}{off}", file.name, rule.order);
    }
    for folder in boxes {
        eprintln!("drop a mail: cp report.eml {}/", folder.display());
    }
    if playbooks.is_empty() {
        eprintln!("no playbook is in force; `larum new` copies one from the gallery, `larum check` explains faults");
    }
}

/// Ends with Ctrl-C or SIGTERM.
async fn shutdown() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
