//! `conditions`, `split_on` and `concurrency`: what starts, what waits, and that what waits begins once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use larum::store::{
    RunId, Store,
    intake::Verdict,
    query::{HistoryOutcome, RunFilter},
    run::RunStatus,
};
use serde_json::{Value, json};

use crate::{
    house::{House, until},
    mortal::{Death, Moment, Mortal},
    probe::asked,
};

/// A playbook with these keys beside its form.
fn guarded(keys: &str, actions: &str) -> String {
    let form = "{path: report, title: Report, fields: [{id: what, label: What, type: long_text}]}";
    format!("name: report\ntrigger:\n  form: {form}\n  {keys}\nactions:\n{actions}")
}

/// Takes until the clock has moved by a minute.
const HOLD: &str = r"
  - {id: hold, action: probe, with: {value: hold, answers: [{fails: {retryable: true, after: 30}}, done]}}
";

/// A playbook whose runs take a minute, under this limit.
fn limited(concurrency: &str) -> String {
    guarded(&format!("concurrency: {concurrency}"), HOLD)
}

impl House {
    /// How many runs there are of each status.
    async fn census(&self) -> BTreeMap<&'static str, usize> {
        let mut census = BTreeMap::new();
        let filter = RunFilter { limit: 10_000, ..RunFilter::default() };
        for run in self.living.disk.runs(filter).await.unwrap() {
            *census.entry(run.status.as_str()).or_default() += 1;
        }
        census
    }

    async fn status(&self, run: RunId) -> RunStatus {
        self.run(run).await.status
    }

    /// Waits until a run has come so far.
    async fn becomes(&self, run: RunId, status: RunStatus) {
        until(&format!("{run} is {status:?}"), async || (self.status(run).await == status).then_some(())).await;
    }

    /// Lets the runs that hold go on: each asked for the first time, its timer is on disk.
    async fn a_minute_passes(&self) {
        until("the timers are set", async || self.living.disk.next_timer().await.unwrap()).await;
        self.clock.advance(chrono::Duration::seconds(60));
    }

    /// Why reports were skipped, oldest first.
    async fn skipped(&self) -> Vec<String> {
        let lines = self.living.disk.history(None, 100).await.unwrap();
        let because = lines.into_iter().rev().filter_map(|line| match line.outcome {
            HistoryOutcome::Skipped { because } => Some(because),
            _ => None,
        });
        because.collect()
    }

    /// What each run was delivered, oldest first.
    async fn delivered(&self) -> Vec<Value> {
        let filter = RunFilter { limit: 10_000, ..RunFilter::default() };
        let mut delivered = Vec::new();
        for run in self.living.disk.runs(filter).await.unwrap().iter().rev() {
            delivered.push(serde_json::from_str(&self.stored(run.run).await.outputs).unwrap());
        }
        delivered
    }
}

#[tokio::test]
async fn one_run_at_a_time_and_the_others_in_order_of_arrival() {
    let house = House::new(&limited("{runs: 1}")).await;
    let mut runs = Vec::new();
    for key in ["1", "2", "3"] {
        runs.push(house.report(key, json!({})).await.unwrap());
    }
    assert_eq!(house.census().await, BTreeMap::from([("Running", 1), ("Waiting", 2)]));
    for (at, run) in runs.iter().enumerate() {
        house.becomes(*run, RunStatus::Running).await;
        for later in &runs[at + 1..] {
            assert_eq!(house.status(*later).await, RunStatus::Waiting);
        }
        until("it is asked", async || (asked(*run).len() == 1).then_some(())).await;
        house.a_minute_passes().await;
        house.becomes(*run, RunStatus::Succeeded).await;
    }
    let begun = house.stored(runs[2]).await.started;
    assert!(begun > house.stored(runs[0]).await.started, "a run that waited starts when it begins");
}

#[tokio::test]
async fn waiting_runs_begin_once_and_never_too_many_wherever_larum_dies() {
    let deaths = ["promote", "finish", "accept", "load_run"].into_iter().flat_map(|operation| {
        let moments = [Moment::Before, Moment::After].into_iter();
        // The start looks for waiting runs once, and has to come through.
        let first = usize::from(operation == "promote");
        moments.flat_map(move |moment| (first..first + 3).map(move |nth| Death { operation, nth, moment }))
    });
    for death in deaths {
        let mortal = Mutex::new(None);
        let actions = "\n  - {id: create, action: create_incident, with: {title: \"@trigger.what\"}}\n";
        let house = House::wrapped(&guarded("concurrency: {runs: 2}", actions), |store| {
            let dying = Mortal::new(store, death);
            *mortal.lock().unwrap() = Some(dying.clone());
            dying
        })
        .await;
        let mortal: Arc<Mortal> = mortal.into_inner().unwrap().unwrap();
        let sent = async {
            futures::future::join_all(
                (0..6).map(|n| house.report(["a", "b", "c", "d", "e", "f"][n], json!({"what": "x"}))),
            )
            .await;
            until("all is done", async || {
                let census = house.census().await;
                assert!(census.get("Running").copied().unwrap_or(0) <= 2, "{death:?}: {census:?}");
                (census.get("Succeeded") == Some(&6)).then_some(())
            })
            .await;
        };
        tokio::select! {
            () = sent => {}
            () = mortal.died() => {}
        }
        let house = house.killed(|store| store).await;
        for key in ["a", "b", "c", "d", "e", "f"] {
            house.report(key, json!({"what": "x"})).await.unwrap();
        }
        until("all is done", async || {
            let census = house.census().await;
            assert!(census.get("Running").copied().unwrap_or(0) <= 2, "{death:?}: {census:?}");
            (census == BTreeMap::from([("Succeeded", 6)])).then_some(())
        })
        .await;
        assert_eq!(house.living.disk.incidents(Default::default()).await.unwrap().len(), 6, "{death:?}");
        house.living.engine.drain().await;
    }
}

#[tokio::test]
async fn a_report_for_which_there_is_no_room_is_refused_and_may_come_again() {
    let house = House::new(&limited("{runs: 1, waiting: 1, overflow: reject}")).await;
    let first = house.report("1", json!({})).await.unwrap();
    let second = house.report("2", json!({})).await.unwrap();
    let refused = house.verdict(house.told("3", json!({}))).await.unwrap();
    let because = "1 of 1 runs are under way and 1 wait already".to_owned();
    assert_eq!(refused, Verdict::Busy { because: because.clone() });
    assert_eq!(house.skipped().await, [because]);
    // One that was taken before is a duplicate, however much is going on.
    let again = house.verdict(house.told("2", json!({}))).await.unwrap();
    assert!(matches!(again, Verdict::Duplicate { run, .. } if run == Some(second)), "{again:?}");
    until("it is asked", async || (asked(first).len() == 1).then_some(())).await;
    house.a_minute_passes().await;
    house.becomes(second, RunStatus::Running).await;
    let third = house.report("3", json!({})).await.unwrap();
    assert_eq!(house.status(third).await, RunStatus::Waiting);
}

#[tokio::test]
async fn the_run_that_waited_longest_is_dropped() {
    let house = House::new(&limited("{runs: 1, waiting: 2, overflow: drop_oldest}")).await;
    let mut runs = Vec::new();
    for key in ["1", "2", "3", "4"] {
        runs.push(house.report(key, json!({})).await.unwrap());
    }
    let mut statuses = Vec::new();
    for run in &runs {
        statuses.push(house.status(*run).await);
    }
    use RunStatus::{Cancelled, Running, Waiting};
    assert_eq!(statuses, [Running, Cancelled, Waiting, Waiting]);
    let error = house.run(runs[1]).await.error.unwrap();
    assert_eq!(error["code"], "Dropped");
    assert!(asked(runs[1]).is_empty());
}

#[tokio::test]
async fn the_limit_in_force_counts_whatever_version_a_run_follows() {
    let mut house = House::new(&guarded("{}", HOLD).replace("  {}\n", "")).await;
    let free = house.report("0", json!({})).await.unwrap();
    house.edit(&limited("{runs: 1}")).await;
    // The run that began before there was a limit counts.
    let first = house.report("1", json!({})).await.unwrap();
    let second = house.report("2", json!({})).await.unwrap();
    let third = house.report("3", json!({})).await.unwrap();
    assert_eq!(house.status(free).await, RunStatus::Running);
    assert_eq!(house.census().await, BTreeMap::from([("Running", 1), ("Waiting", 3)]));
    house.edit(&limited("{runs: 3}")).await;
    house.becomes(first, RunStatus::Running).await;
    house.becomes(second, RunStatus::Running).await;
    assert_eq!(house.status(third).await, RunStatus::Waiting);
    house.edit(&guarded("{}", HOLD).replace("  {}\n", "")).await;
    house.becomes(third, RunStatus::Running).await;
    let unlimited = house.report("4", json!({})).await.unwrap();
    assert_eq!(house.status(unlimited).await, RunStatus::Running);
}

#[tokio::test]
async fn a_waiting_run_can_be_cancelled_and_a_suspended_one_leaves_its_place() {
    let house = House::new(&limited("{runs: 1}")).await;
    let first = house.report("1", json!({})).await.unwrap();
    let second = house.report("2", json!({})).await.unwrap();
    let third = house.report("3", json!({})).await.unwrap();
    house.living.engine.cancel(second);
    house.becomes(second, RunStatus::Cancelled).await;
    house.living.engine.cancel(first);
    house.becomes(third, RunStatus::Running).await;
    assert!(asked(second).is_empty());
}

#[tokio::test]
async fn a_condition_that_is_not_met_skips_the_report_and_is_named() {
    let keys = r#"conditions: ["@equals(trigger.what, 'door')", "@contains(request.headers, 'x')"]"#;
    let house = House::new(&guarded(keys, HOLD)).await;
    for (key, what) in [("1", "window"), ("2", "door")] {
        let verdict = house.verdict(house.told(key, json!({"what": what}))).await.unwrap();
        assert!(matches!(verdict, Verdict::Skipped { .. }), "{verdict:?}");
    }
    assert_eq!(
        house.skipped().await,
        [
            "the condition @equals(trigger.what, 'door') is not met",
            "the condition @contains(request.headers, 'x') is not met"
        ]
    );
    assert!(house.census().await.is_empty());
}

#[tokio::test]
async fn what_the_trigger_cannot_evaluate_is_a_failed_run_and_an_incident_not_silence() {
    let table = [
        (
            r#"conditions: ["@greater(trigger.what, 5)"]"#,
            "Unable to process the trigger's condition '@greater(trigger.what, 5)'",
        ),
        (
            r#"conditions: ["@trigger.what"]"#,
            "The result of the evaluation of the trigger's condition '@trigger.what' is of type 'String' but is expected to be a value of type 'Boolean'.",
        ),
        (
            r#"split_on: "@trigger.what""#,
            "The result of the evaluation of 'split_on' is of type 'String' but is expected to be a value of type 'Array'.",
        ),
    ];
    for (keys, message) in table {
        let house = House::new(&guarded(keys, HOLD)).await;
        let run = house.report("1", json!({"what": "door"})).await.unwrap();
        let ended = house.ended(run).await;
        let error = ended.error.clone().unwrap();
        assert_eq!((ended.status, error["code"].as_str()), (RunStatus::Failed, Some("InvalidTemplate")), "{keys}");
        assert!(error["message"].as_str().unwrap().starts_with(message), "{keys}: {error}");
        assert_eq!(ended.incident, Some(1), "{keys}");
        assert!(asked(run).is_empty(), "{keys}");
        // The same after a crash before its end.
        let mortal = Mutex::new(None);
        let house = House::wrapped(&guarded(keys, HOLD), |store| {
            let death = Death { operation: "finish", nth: 0, moment: Moment::Before };
            let dying = Mortal::new(store, death);
            *mortal.lock().unwrap() = Some(dying.clone());
            dying
        })
        .await;
        let mortal = mortal.into_inner().unwrap().unwrap();
        let run = house.report("1", json!({"what": "door"})).await.unwrap();
        mortal.died().await;
        let house = house.killed(|store| store).await;
        let ended = house.ended(run).await;
        assert_eq!((ended.status, ended.incident), (RunStatus::Failed, Some(1)), "{keys}");
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Split {
    split_on: String,
    #[serde(rename = "trigger_outputs")]
    outputs: Value,
    #[serde(rename = "expected_runs_trigger_outputs")]
    expected: Vec<Value>,
}

/// What Logic Apps' documentation shows.
#[tokio::test]
async fn a_report_is_split_as_documented() {
    let rows: Vec<Split> = serde_json::from_str(include_str!("../data/split_on.json")).unwrap();
    for row in rows {
        let keys = format!("split_on: {:?}", row.split_on);
        let source = guarded(&keys, HOLD).replacen(
            "form: {path: report, title: Report, fields: [{id: what, label: What, type: long_text}]}",
            "manual: {}",
            1,
        );
        let house = House::new(&source).await;
        let mut report = house.told("1", json!({}));
        report.outputs = row.outputs.to_string().into();
        let report = house.decided(report);
        house.verdict(report).await.unwrap();
        assert_eq!(house.delivered().await, row.expected);
    }
}

const EACH: &str = r#"
  - {id: create, action: create_incident, with: {title: "@concat('row ', trigger.id)"}}
"#;

#[tokio::test]
async fn every_element_is_a_run_of_its_own_and_one_event() {
    let house = House::new(&guarded(r#"split_on: "@trigger.what""#, EACH)).await;
    let rows: Vec<Value> = (1..=30).map(|id| json!({"id": id})).collect();
    let body = json!({"what": rows, "responder": "outside"});
    let first = house.report("1", body.clone()).await.unwrap();
    until("all end", async || (house.census().await.get("Succeeded") == Some(&30)).then_some(())).await;
    let incidents = house.living.disk.incidents(Default::default()).await.unwrap();
    let mut titles: Vec<String> = incidents.into_iter().map(|incident| incident.title).collect();
    titles.sort_by_key(|title| title[4..].parse::<u32>().unwrap());
    assert_eq!(titles, (1..=30).map(|id| format!("row {id}")).collect::<Vec<_>>());
    // Headers are the request's; what stands beside the list is not there.
    assert_eq!(house.delivered().await[6], json!({"headers": {}, "body": {"id": 7}}));
    let accepted = house.living.disk.history(None, 100).await.unwrap();
    assert_eq!(accepted.len(), 30, "a line of history for each");
    let again = house.verdict(house.told("1", body)).await.unwrap();
    assert!(matches!(again, Verdict::Duplicate { run, .. } if run == Some(first)), "{again:?}");
    assert_eq!(house.census().await, BTreeMap::from([("Succeeded", 30)]));
}

#[tokio::test]
async fn an_empty_list_starts_nothing_and_says_so() {
    let house = House::new(&guarded(r#"split_on: "@trigger.what""#, EACH)).await;
    let verdict = house.verdict(house.told("1", json!({"what": []}))).await.unwrap();
    assert_eq!(verdict, Verdict::Skipped { because: "`split_on` gave an empty list".into() });
    assert_eq!(house.skipped().await, ["`split_on` gave an empty list"]);
}

#[tokio::test]
async fn the_elements_of_a_report_wait_for_each_other_and_survive_a_crash() {
    let keys = "split_on: \"@trigger.what\"\n  concurrency: {runs: 2}";
    let large = "x".repeat(100_000);
    let rows: Vec<Value> = (1..=12).map(|id| json!({"id": id, "text": large})).collect();
    for (operation, nth) in [("accept", 0), ("promote", 2), ("finish", 5), ("load_run", 3)] {
        let mortal = Mutex::new(None);
        let house = House::wrapped(&guarded(keys, EACH), |store| {
            let dying = Mortal::new(store, Death { operation, nth, moment: Moment::After });
            *mortal.lock().unwrap() = Some(dying.clone());
            dying
        })
        .await;
        let mortal = mortal.into_inner().unwrap().unwrap();
        let sent = async {
            house.report("1", json!({"what": rows})).await.unwrap();
            until("all end", async || (house.census().await.get("Succeeded") == Some(&12)).then_some(())).await;
        };
        tokio::select! {
            () = sent => panic!("{operation} number {nth} never came"),
            () = mortal.died() => {}
        }
        let house = house.killed(|store| store).await;
        house.report("1", json!({"what": rows})).await.unwrap();
        until("all end", async || {
            let census = house.census().await;
            assert!(census.get("Running").copied().unwrap_or(0) <= 2, "{operation}: {census:?}");
            (census == BTreeMap::from([("Succeeded", 12)])).then_some(())
        })
        .await;
        assert_eq!(house.living.disk.incidents(Default::default()).await.unwrap().len(), 12, "{operation}");
        house.living.engine.drain().await;
    }
}

#[tokio::test]
async fn a_report_of_a_hundred_thousand_elements_is_taken_whole() {
    let house = House::new(&guarded("split_on: \"@trigger.what\"\n  concurrency: {runs: 1}", HOLD)).await;
    let rows: Vec<Value> = (0..100_000).map(|id| json!({"id": id})).collect();
    let verdict = house.verdict(house.told("1", json!({"what": rows}))).await.unwrap();
    let Verdict::Accepted { runs, .. } = verdict else { panic!("not taken") };
    assert_eq!(runs.len(), 100_000);
    assert_eq!(runs.iter().filter(|run| !run.waiting).count(), 1);
    for at in [0, 1, 50_000, 99_999] {
        let outputs: Value = serde_json::from_str(&house.stored(runs[at].run).await.outputs).unwrap();
        assert_eq!(outputs["body"], json!({"id": at}));
    }
    let more: Vec<Value> = (0..100_001).map(|id| json!({"id": id})).collect();
    let run = house.report("2", json!({"what": more})).await.unwrap();
    assert_eq!(house.status(run).await, RunStatus::Waiting);
}
