use larum::{
    playbook::{Concurrency, Overflow},
    store::{
        Store, StoreError,
        intake::{Decision, Uniqueness, Verdict},
        mailbox::{MailTaskKind, MessageRef, NewMailTask},
        query::HistoryOutcome,
        run::RunStatus,
    },
};

use crate::kit::*;

#[tokio::test]
async fn a_mail_that_comes_twice_is_one_event_with_one_run() {
    let kit = Kit::new().await;
    let run = kit.run(mail(Some("<a@x>"), "hello")).await;
    for kit in [&kit] {
        let again = kit.accept(vec![mail(Some("<a@x>"), "hello")]).await;
        assert!(matches!(again[0], Verdict::Duplicate { run: Some(first), .. } if first == run), "{again:?}");
    }
    let kit = kit.reopened();
    let again = kit.accept(vec![mail(Some("<a@x>"), "hello")]).await;
    assert!(matches!(again[0], Verdict::Duplicate { run: Some(first), .. } if first == run), "{again:?}");
    assert_eq!(kit.store.runs(Default::default()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_copy_within_one_batch_counts_too() {
    let kit = Kit::new().await;
    let verdicts = kit.accept(vec![keyed("k"), keyed("k"), keyed("other")]).await;
    assert!(matches!(verdicts[..], [Verdict::Accepted { .. }, Verdict::Duplicate { .. }, Verdict::Accepted { .. }]));
}

#[tokio::test]
async fn the_same_message_id_with_other_content_is_new_and_marked() {
    let kit = Kit::new().await;
    let first = mail(Some("<a@x>"), "hello");
    let original = first.event;
    kit.accept(vec![first]).await;
    let verdicts = kit.accept(vec![mail(Some("<a@x>"), "changed")]).await;
    let Verdict::Accepted { event, resembles, runs } = &verdicts[0] else { panic!("{verdicts:?}") };
    assert_eq!(*resembles, Some(original));
    assert_eq!(kit.store.event(*event).await.unwrap().unwrap().resembles, Some(original));
    assert_eq!(kit.store.load_run(runs[0].run).await.unwrap().unwrap().resembles, Some(original));
}

#[tokio::test]
async fn without_a_message_id_the_content_decides() {
    let kit = Kit::new().await;
    kit.accept(vec![mail(Some("<a@x>"), "hello")]).await;
    let verdicts = kit
        .accept(vec![mail(Some("<b@x>"), "hello"), mail(None, "hello"), mail(None, "other"), mail(None, "other")])
        .await;
    assert!(
        matches!(
            verdicts[..],
            [
                // Another Message-ID is another mail, whatever it says.
                Verdict::Accepted { resembles: None, .. },
                Verdict::Duplicate { .. },
                Verdict::Accepted { .. },
                Verdict::Duplicate { .. }
            ]
        ),
        "{verdicts:?}"
    );
}

#[tokio::test]
async fn uniqueness_holds_per_connection_and_not_beyond() {
    let kit = Kit::new().await;
    for connection in ["soc", "abuse"] {
        let verdicts = kit.store.accept(intake(connection, vec![keyed("k")])).await.unwrap();
        assert!(matches!(verdicts[..], [Verdict::Accepted { .. }]), "{connection}: {verdicts:?}");
    }
    let mut other_folder = intake("soc", vec![keyed("k")]);
    other_folder.feed.folder = "Reports".to_owned();
    let verdicts = kit.store.accept(other_folder).await.unwrap();
    assert!(matches!(verdicts[..], [Verdict::Duplicate { .. }]), "{verdicts:?}");
}

#[tokio::test]
async fn a_playbook_that_had_no_run_from_an_event_gets_one_when_it_comes_again() {
    let kit = Kit::new().await;
    let first = kit.run(keyed("k")).await;
    let both =
        report(Uniqueness::Key("k".to_owned()), vec![starts("file"), starts("ACKNOWLEDGE"), starts("acknowledge")]);
    kit.store.keep_version(version("ACKNOWLEDGE"), at(1)).await.unwrap();
    let verdicts = kit.accept(vec![both]).await;
    let Verdict::Accepted { event, runs, .. } = &verdicts[0] else { panic!("{verdicts:?}") };
    assert_eq!(runs.len(), 1, "names compare ignoring case, and a playbook listed twice runs once");
    assert_eq!(kit.store.load_run(runs[0].run).await.unwrap().unwrap().event, *event);
    assert_eq!(kit.store.load_run(first).await.unwrap().unwrap().event, *event);
}

#[tokio::test]
async fn keys_outlive_runs() {
    let kit = Kit::new().await;
    let run = kit.run(keyed("k")).await;
    kit.store.finish(ends(run, RunStatus::Succeeded, 3)).await.unwrap();
    assert_eq!(kit.store.prune(at(1000)).await.unwrap(), 1);
    let again = kit.accept(vec![keyed("k")]).await;
    assert!(matches!(again[..], [Verdict::Duplicate { run: Some(first), .. }] if first == run), "{again:?}");
    // A new playbook's run needs the event that was pruned.
    let late = kit.run(report(Uniqueness::Key("k".to_owned()), vec![starts("acknowledge")])).await;
    let loaded = kit.store.load_run(late).await.unwrap().unwrap();
    assert_eq!(&*loaded.outputs, &*fresh().outputs);
}

#[tokio::test]
async fn every_outcome_is_in_the_history_newest_first() {
    let kit = Kit::new().await;
    let first = report(Uniqueness::Key("k".to_owned()), vec![starts("file"), skips("acknowledge", "the filter")]);
    let (event, run) = (first.event, started(&kit.accept(vec![first]).await[0])[0]);
    let mut own = keyed("own");
    own.skipped = Some("our own mail".to_owned());
    let nobody = report(Uniqueness::Always, vec![]);
    let filtered = report(Uniqueness::Always, vec![skips("file", "no match"), skips("acknowledge", "the filter")]);
    let verdicts = kit.accept(vec![keyed("k"), own, nobody, filtered]).await;
    let because = |text: &str| Verdict::Skipped { because: text.to_owned() };
    assert_eq!(
        verdicts,
        [
            Verdict::Duplicate { event, run: Some(run) },
            because("our own mail"),
            because("no playbook listens"),
            because("file: no match; acknowledge: the filter"),
        ]
    );
    let history = kit.store.history(Some(&feed("soc")), 100).await.unwrap();
    let told: Vec<_> = history.iter().map(|entry| (entry.playbook.as_deref(), entry.outcome.clone())).collect();
    let skipped = |because: &str| HistoryOutcome::Skipped { because: because.to_owned() };
    assert_eq!(
        told,
        [
            (Some("acknowledge"), skipped("the filter")),
            (Some("file"), skipped("no match")),
            (None, skipped("no playbook listens")),
            (None, skipped("our own mail")),
            (Some("file"), HistoryOutcome::Duplicate { event, run: Some(run) }),
            (Some("acknowledge"), skipped("the filter")),
            (Some("file"), HistoryOutcome::Accepted { event, run }),
        ]
    );
    let seen = kit.store.feed(&feed("soc")).await.unwrap().unwrap();
    assert_eq!((seen.accepted, seen.duplicates, seen.skipped), (1, 1, 3));
    // Over all feeds, and cut.
    kit.store.accept(intake("abuse", vec![fresh()])).await.unwrap();
    let newest = kit.store.history(None, 2).await.unwrap();
    assert_eq!(newest.iter().map(|entry| entry.feed.connection.as_str()).collect::<Vec<_>>(), ["abuse", "soc"]);
}

#[tokio::test]
async fn a_batch_is_taken_whole_or_not_at_all() {
    let kit = Kit::new().await;
    let unknown = report(Uniqueness::Always, vec![starts("never-loaded")]);
    let failed = kit.store.accept(intake("soc", vec![keyed("k"), unknown])).await;
    assert!(matches!(failed, Err(StoreError::NotFound(_))), "{failed:?}");
    assert_eq!(kit.store.runs(Default::default()).await.unwrap(), []);
    assert_eq!(kit.store.history(None, 10).await.unwrap(), []);
    assert!(matches!(kit.accept(vec![keyed("k")]).await[..], [Verdict::Accepted { .. }]));
}

#[tokio::test]
async fn an_event_id_that_was_used_before_is_an_error_and_loses_nothing() {
    let kit = Kit::new().await;
    let first = fresh();
    let mut second = fresh();
    second.event = first.event;
    kit.accept(vec![first]).await;
    assert!(matches!(kit.store.accept(intake("soc", vec![second])).await, Err(StoreError::Failed(_))));
    assert_eq!(kit.store.runs(Default::default()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_mail_for_which_there_is_no_room_is_left_as_it_is_in_its_mailbox() {
    let kit = Kit::new().await;
    let message = MessageRef::Maildir { base_name: "1.host".to_owned() };
    let limited = |key: &str| {
        let mut report = keyed(key);
        let Decision::Start(opening) = &mut report.playbooks[0].decision else { unreachable!() };
        opening.limit = Some(Concurrency { runs: 1, overflow: Overflow::Reject { waiting: 0 } });
        let tasks = [MailTaskKind::ToCur, MailTaskKind::MarkSeen, MailTaskKind::MoveTo("Filed".to_owned())];
        report.mail_tasks = tasks.map(|what| NewMailTask { message: message.clone(), what }).to_vec();
        report
    };
    let tasks = async || kit.store.mail_tasks(&feed("soc"), 10).await.unwrap();
    let verdicts = kit.store.accept(intake("soc", vec![limited("1"), limited("2")])).await.unwrap();
    assert!(matches!(verdicts[..], [Verdict::Accepted { .. }, Verdict::Busy { .. }]), "{verdicts:?}");
    assert_eq!(
        tasks().await.len(),
        3,
        "those of the first; of the second only that its file was read, which is the same"
    );
    let kinds: Vec<_> = tasks().await.into_iter().map(|task| task.task.what).collect();
    kit.store.mail_tasks_done(&tasks().await.iter().map(|task| task.id).collect::<Vec<_>>()).await.unwrap();
    assert!(kinds.contains(&MailTaskKind::MarkSeen));
    let again = kit.store.accept(intake("soc", vec![limited("2")])).await.unwrap();
    assert!(matches!(again[..], [Verdict::Busy { .. }]), "it was not taken, so it is no duplicate: {again:?}");
    let kinds: Vec<_> = tasks().await.into_iter().map(|task| task.task.what).collect();
    assert_eq!(kinds, [MailTaskKind::ToCur]);
}
