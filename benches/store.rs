//! What the store alone can do: reports a second through accept, record (with its incident) and finish.
//!
//! `cargo bench --bench store -- [REPORTS] [CALLERS] [FOLDER]`

use std::{path::PathBuf, sync::Arc, time::Instant};

use chrono::Utc;
use larum::{
    action::Identity,
    incident::{Draft, Provenance},
    store::{
        SqliteStore, Store, Version,
        intake::{Decision, Intake, Listening, Report, Uniqueness, Verdict},
        mailbox::FeedName,
        run::{Finish, LocalEffect, Record, RunStatus},
    },
};
use uuid::Uuid;

type Fault = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Fault> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let reports: usize = arguments.next().map_or(Ok(200_000), |text| text.parse())?;
    let callers: usize = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let scratch = tempfile::tempdir_in(arguments.next().map_or_else(std::env::temp_dir, PathBuf::from))?;
    let store = SqliteStore::open(scratch.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let took = runtime.block_on(work(Arc::clone(&store), reports, callers))?;
    store.close();
    println!("{reports} reports by {callers} callers in {took:.2} s: {:.0} a second", reports as f64 / took);
    Ok(())
}

async fn work(store: Arc<SqliteStore>, reports: usize, callers: usize) -> Result<f64, Fault> {
    let version =
        Version { id: "v".repeat(64), playbook: "form".into(), path: "form.yaml".into(), bundle: "{}".into() };
    store.keep_version(version, Utc::now()).await?;
    let begun = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for _ in 0..reports / callers {
                    one(&store).await?;
                }
                Ok::<_, Fault>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(begun.elapsed().as_secs_f64())
}

async fn one(store: &SqliteStore) -> Result<(), Fault> {
    let run = Uuid::now_v7();
    let report = Report {
        event: Uuid::now_v7(),
        kind: "form",
        uniqueness: Uniqueness::Key(Uuid::new_v4().to_string()),
        summary: "form report, response 12".into(),
        outputs: format!(r#"{{"body":{{"what":"{}"}}}}"#, "x".repeat(700)).into(),
        raw: None,
        playbooks: vec![Listening { playbook: "form".into(), decision: Decision::start(run, "v".repeat(64), [1; 32]) }],
        mail_tasks: vec![],
        skipped: None,
    };
    let feed = FeedName { connection: "form".into(), folder: "report".into() };
    let verdicts = store.accept(Intake { feed, reports: vec![report], cursor: None, at: Utc::now() }).await?;
    let [Verdict::Accepted { event, .. }] = verdicts[..] else { return Err("not accepted".into()) };
    let provenance = Provenance {
        run: Some(run),
        playbook: Some("form".into()),
        version: Some("v".repeat(64)),
        event: Some(event),
        report: Some("form report, response 12".into()),
    };
    let draft = Draft { description: "x".repeat(600), tags: vec!["form".into()], ..Draft::new("A report of a form") };
    let local = Some(LocalEffect::CreateIncident {
        draft: Box::new(draft),
        provenance,
        at: Utc::now(),
        // As the action names it.
        id: Identity::of(run, "create").uuid_by_age(run, "incident"),
        repeated: false,
        causes: vec![],
        event: Box::new(|incident| format!("{} {}", incident.number, "x".repeat(1_500)).into_bytes()),
    });
    store.record(Record { local, ..Record::events(run, 0, vec![vec![b'x'; 500]]) }).await?;
    let actions = "x".repeat(800);
    let finish = Finish {
        run,
        status: RunStatus::Succeeded,
        at: Utc::now(),
        error: None,
        actions: actions.into(),
        fallback: None,
        note: None,
        parent: None,
    };
    store.finish(finish).await?;
    Ok(())
}
