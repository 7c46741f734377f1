//! A disk that is full and a file system that turned read-only: nothing acknowledged is lost, the sender or the mailbox
//! keeps what was not, and Larum goes on by itself once it can write again.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod support;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use support::larum::{Larum, Site};

const PLAYBOOKS: &[(&str, &str)] = &[
    (
        "form.yaml",
        "name: form\ntrigger:\n  form:\n    path: report\n    title: Report\n    fields: [{id: title, label: Title, type: text, required: true}, {id: what, label: What, type: long_text}]\n\
         actions:\n  - {id: create, action: create_incident, with: {title: \"{{trigger.title}}\", description: \"{{trigger.what}}\"}}\n",
    ),
    (
        "mail.yaml",
        "name: mail\ntrigger: {mailbox: {connection: box, every: 5s}}\nactions:\n  - {id: create, action: create_incident, with: {title: \"{{trigger.subject}}\"}}\n",
    ),
];

/// A small file system of its own, unmounted when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(megabytes: u32) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(folder.path())
            .status();
        assert!(mounted.is_ok_and(|status| status.success()), "a tmpfs can be mounted (needs root)");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room there is.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = fs::File::create(&path).expect("the disk is writable");
        for size in [65_536, 4096, 512, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn site(data: &Path) -> Site {
    let site = Site::new("", PLAYBOOKS);
    let config = fs::read_to_string(site.folder.path().join("larum.yaml")).expect("the configuration was written");
    let more = format!("data: {}\nconnections: {{box: {{maildir: {{path: mails}}}}}}\n", data.display());
    fs::write(site.folder.path().join("larum.yaml"), config + &more).expect("the folder is writable");
    site
}

fn post(site: &Site) -> u16 {
    let body = serde_json::json!({"title": "door", "what": "x".repeat(2_000)}).to_string();
    site.post("/forms/report", "", &body).map_or(0, |answer| {
        if answer.status == 503 {
            let said = answer.body.to_lowercase();
            assert!(said.contains("nothing was") || said.contains("not accepted") || said.contains("again"), "{said}");
        }
        answer.status
    })
}

fn drop_mail(site: &Site, subject: &str) -> PathBuf {
    let mail = format!(
        "From: a@example.com\r\nTo: soc@example.com\r\nSubject: {subject}\r\nMessage-ID: <{subject}@example.com>\r\n\r\nHello.\r\n"
    );
    let path = site.folder.path().join("mails/new").join(format!("{subject}.host"));
    fs::write(&path, mail).expect("the maildir is writable");
    path
}

fn incidents(site: &Site) -> Vec<(u64, String)> {
    let list = site.json(&["incidents", "list", "--limit", "100000"]);
    let list = list.as_array().expect("a list");
    let mut incidents: Vec<(u64, String)> = list
        .iter()
        .map(|incident| {
            let properties = &incident["properties"];
            (properties["incidentNumber"].as_u64().expect("a number"), properties["title"].to_string())
        })
        .collect();
    incidents.sort();
    incidents
}

/// Refused while it cannot write, taken by itself when it can again; every 2xx an incident, numbers without a gap.
fn refuses_and_recovers<T>(site: &Site, hurt: impl FnOnce(&Larum) -> T, heal: impl FnOnce(T)) {
    let larum = site.serve();
    assert!((200..300).contains(&post(site)), "{}", site.log());
    let mut accepted = 1;
    let hurt = hurt(&larum);
    // The write-ahead log may still have room; the refusal must come within a bounded number of posts.
    let mut refused = 0;
    for _ in 0..5_000 {
        match post(site) {
            200..300 => accepted += 1,
            503 => refused += 1,
            other => panic!("a report that cannot be kept is answered 503, not {other}:\n{}", site.log()),
        }
        if refused == 3 {
            break;
        }
    }
    assert_eq!(refused, 3, "reports are refused while nothing can be written");
    let mail = drop_mail(site, "left-where-it-is");
    thread::sleep(Duration::from_secs(7));
    assert!(mail.exists(), "the mail stays in new/ while it cannot be kept");
    assert_eq!(site.get("/healthz").map(|answer| answer.status), Some(200), "Larum itself goes on");
    let log = site.log();
    assert!(log.contains("cannot be written"), "the log says what is wrong:\n{log}");

    heal(hurt);
    site.until("a report to be taken again", || {
        (200..300).contains(&post(site)) && {
            accepted += 1;
            true
        }
    });
    site.until("the mail to become an incident", || !mail.exists());
    accepted += 1;
    site.until("every accepted report to be an incident", || incidents(site).len() >= accepted);
    drop(larum);
    let incidents = incidents(site);
    assert_eq!(incidents.len(), accepted, "each acknowledged report is exactly one incident");
    assert!(incidents.iter().enumerate().all(|(at, (number, _))| *number == at as u64 + 1), "numbers have no gap");
    assert_eq!(incidents.iter().filter(|(_, title)| title.contains("left-where-it-is")).count(), 1);
}

#[test]
#[ignore = "needs root to mount a small disk"]
fn a_full_disk_refuses_reports_and_recovers_by_itself() {
    let disk = Disk::new(12);
    let site = site(&disk.path().join("larum-data"));
    refuses_and_recovers(&site, |_| disk.fill(), |filler| fs::remove_file(filler).expect("the filler can be removed"));
}

#[test]
#[ignore = "needs strace"]
fn a_file_system_that_turned_read_only_refuses_reports_and_recovers_by_itself() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let site = site(&folder.path().join("larum-data"));
    refuses_and_recovers(
        &site,
        |larum| {
            // What a remounted file system answers: every write to a file ends with EROFS.
            let strace = Command::new("strace")
                .args(["-f", "-q", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", "inject=pwrite64:error=EROFS"])
                .args(["-p", &larum.id().to_string()])
                .stderr(Stdio::null())
                .spawn();
            thread::sleep(Duration::from_secs(1));
            strace.expect("strace is installed")
        },
        |mut strace| {
            let _ = Command::new("kill").args(["-INT", &strace.id().to_string()]).status();
            let _ = strace.wait();
        },
    );
}
