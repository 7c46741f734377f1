//! The data folder: who may have it, and what happens when it cannot be written.

use std::process::Command;

use larum::store::{OpenError, SqliteStore, Store, StoreError, intake::Verdict, query::IncidentFilter};

use crate::kit::*;

#[tokio::test]
async fn one_process_writes_and_others_are_told_which_folder_is_taken() {
    let kit = Kit::new().await;
    let Err(refused) = SqliteStore::open(kit.data.path()) else { panic!("opened twice") };
    assert!(matches!(refused, OpenError::InUse(_)));
    let told = refused.to_string();
    assert!(told.contains(kit.data.path().to_str().unwrap()), "{told}");
    kit.store.close();
    SqliteStore::open(kit.data.path()).unwrap();
}

#[test]
fn a_folder_without_a_database_is_said_to_be_so() {
    let data = tempfile::TempDir::new().unwrap();
    let missing = data.path().join("missing");
    assert!(matches!(SqliteStore::open(&missing), Err(OpenError::NoFolder(_))));
    assert!(matches!(SqliteStore::open_read_only(&missing), Err(OpenError::NoFolder(_))));
    assert!(matches!(SqliteStore::open_read_only(data.path()), Err(OpenError::NoDatabase(_))));
}

#[tokio::test]
async fn readers_beside_a_writer_see_what_is_committed_and_write_nothing() {
    let kit = Kit::new().await;
    let run = kit.run(fresh()).await;
    let reader = SqliteStore::open_read_only(kit.data.path()).unwrap();
    assert_eq!(reader.incidents(IncidentFilter::default()).await.unwrap(), []);
    let made = kit.file(run, 0, "seen by both").await;
    assert_eq!(reader.incidents(IncidentFilter::default()).await.unwrap(), [made]);
    let refused = reader.accept(intake("soc", vec![fresh()])).await;
    assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
    // Closing the reader leaves the writer's log alone, and a stopped server can be read too.
    reader.close();
    kit.file(run, 1, "still writes").await;
    kit.store.close();
    let reader = SqliteStore::open_read_only(kit.data.path()).unwrap();
    assert_eq!(reader.incidents(IncidentFilter::default()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn after_close_nothing_is_written_and_everything_before_is_there() {
    let kit = Kit::new().await;
    let runs = futures::future::join_all((0..50).map(|_| kit.run(fresh()))).await;
    kit.store.close();
    let refused = kit.store.accept(intake("soc", vec![fresh()])).await;
    assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
    let kit = kit.reopened();
    assert_eq!(kit.store.open_runs(None, 100).await.unwrap().len(), runs.len());
}

#[tokio::test]
async fn a_copy_of_the_folder_taken_at_any_moment_holds_all_that_was_acknowledged() {
    let kit = Kit::new().await;
    let mut acknowledged = Vec::new();
    for _ in 0..20 {
        acknowledged.push(kit.run(fresh()).await);
    }
    // As a kill -9 leaves it: the log is not moved into the database.
    let copy = tempfile::TempDir::new().unwrap();
    for file in ["larum.db", "larum.db-wal"] {
        std::fs::copy(kit.data.path().join(file), copy.path().join(file)).unwrap();
    }
    let store = open(copy.path());
    let open: Vec<_> = store.open_runs(None, 100).await.unwrap().into_iter().map(|open| open.run).collect();
    assert_eq!(open, acknowledged);
}

/// A small file system of its own, gone with its owner.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Self {
        let disk = Self(tempfile::TempDir::new().unwrap());
        disk.call("mount", &["-t", "tmpfs", "-o", "size=2m", "tmpfs"]);
        disk
    }

    fn grow(&self, mebibytes: u32) {
        self.call("mount", &["-o", &format!("remount,size={mebibytes}m")]);
    }

    fn call(&self, program: &str, arguments: &[&str]) {
        assert!(Command::new(program).args(arguments).arg(self.0.path()).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test]
#[ignore = "needs root, to mount a small file system"]
async fn a_full_disk_is_survived_and_nothing_acknowledged_is_lost() {
    let disk = SmallDisk::new();
    let store = open(disk.0.path());
    store.keep_version(version("file"), at(0)).await.unwrap();
    let mut acknowledged = Vec::new();
    for round in 1..4 {
        let full = loop {
            let mut report = fresh();
            report.outputs = serde_json::json!({"body": "x".repeat(20_000)}).to_string().into();
            match store.accept(intake("soc", vec![report])).await {
                Ok(verdicts) => acknowledged.extend(started(&verdicts[0])),
                Err(error) => break error,
            }
        };
        assert!(full.is_passing(), "{full}");
        // A file that finds no room is refused the same way.
        let mut large = fresh();
        large.raw = Some(vec![1; 3 << 20]);
        let refused = store.accept(intake("soc", vec![large])).await.unwrap_err();
        assert!(refused.is_passing(), "{refused}");
        // Room comes back, and the store goes on by itself.
        disk.grow(2 + 4 * round);
        let verdicts = store.accept(intake("soc", vec![fresh()])).await.unwrap();
        assert!(matches!(verdicts[..], [Verdict::Accepted { .. }]));
        acknowledged.extend(started(&verdicts[0]));
    }
    store.close();
    let store = open(disk.0.path());
    let kept: Vec<_> = store.open_runs(None, 10_000).await.unwrap().into_iter().map(|open| open.run).collect();
    assert_eq!(kept, acknowledged);
    assert!(kept.len() > 50, "{} reports were taken before the disk was full", kept.len());
}
