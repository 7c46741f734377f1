//! Larum is killed, hard, while reports come in: every acknowledged report is exactly one incident.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    net::TcpListener,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use support::{
    dovecot::Dovecot,
    larum::{DEADLINE, Site, dying},
    smtp::{DOMAIN, Smtp},
};

/// Mails, and as many form posts, that come in while Larum is killed again and again.
const REPORTS: usize = 500;
const KILLS: usize = 20;
/// Of the kills, how many must hit runs that have not ended, so that the test means something.
const KILLS_IN_RUNS: usize = 15;

/// Each run makes an incident, asks a slow server, and answers the reporter.
const MAIL_PLAYBOOK: &str = r#"
name: mail
trigger: {mailbox: {connection: mailbox, every: 5s, after: {mark_seen: true}}}
actions:
  - {id: create, action: create_incident, with: {title: "{{trigger.subject}}", description: "{{> mail-report}}"}}
  - {id: look, action: http, with: {method: GET, connection: slow, url: "@parameters('lookup')"}}
  - {id: answer, action: send_email, with: {to: "{{trigger.from}}", subject: "Re: {{trigger.subject}}", body: "Received."}}
parameters: {lookup: {type: string}}
"#;

const FORM_PLAYBOOK: &str = r#"
name: form
trigger: {form: {path: report, title: Report, fields: [{id: title, label: Title, type: text, required: true}]}}
actions:
  - {id: look, action: http, with: {method: GET, connection: slow, url: "@parameters('lookup')"}}
  - {id: create, action: create_incident, with: {title: "{{trigger.title}}"}}
parameters: {lookup: {type: string}}
"#;

/// A small generator of our own, so that a printed seed gives the same moments again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

/// Answers every request with 200 after 150 ms.
fn slow_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut stream = stream;
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                let mut request = [0; 4096];
                while matches!(stream.read(&mut request), Ok(read) if read > 0) {
                    thread::sleep(Duration::from_millis(150));
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// A mail from the reporter of this number; each has an address of its own, or the loop guard would hold answers back.
fn mail(number: usize) -> String {
    let from = format!("reporter+{number}@{DOMAIN}");
    format!(
        "Return-Path: <{from}>\r\nFrom: {from}\r\nTo: soc@{DOMAIN}\r\nSubject: mail {number}\r\nMessage-ID: <{number}@kill.test>\r\n\
         Date: Tue, 24 Nov 2026 09:00:00 +0000\r\n\r\nSomebody followed me in.\r\n"
    )
}

/// Posts every form report, again and again until it is answered 2xx; a report has one Idempotency-Key for all its tries.
fn post_forms(site: &Site, pause: Duration, prefix: &str, count: usize) {
    for number in 0..count {
        let body = serde_json::json!({"title": format!("{prefix} {number}")}).to_string();
        let started = Instant::now();
        loop {
            let answer = site.post("/forms/report", &format!("Idempotency-Key: {prefix}-{number}\r\n"), &body);
            match answer {
                Some(answer) if (200..300).contains(&answer.status) => break,
                Some(answer) if answer.status < 500 => panic!("a good report was refused: {answer:?}"),
                _ => {
                    assert!(started.elapsed() < DEADLINE, "no answer within {DEADLINE:?}:\n{}", site.log());
                    thread::sleep(Duration::from_millis(50));
                }
            }
        }
        thread::sleep(pause);
    }
}

/// Every incident's title by its number.
fn incidents(site: &Site) -> BTreeMap<u64, String> {
    let list = site.json(&["incidents", "list", "--limit", "100000"]);
    let number_and_title = |incident: &serde_json::Value| {
        let properties = &incident["properties"];
        let title = properties["title"].as_str().expect("a title").to_owned();
        (properties["incidentNumber"].as_u64().expect("a number"), title)
    };
    list.as_array().expect("a list").iter().map(number_and_title).collect()
}

/// One incident for each title, numbered from 1 without a gap.
fn assert_exactly_one_each(site: &Site, titles: &BTreeSet<String>) {
    let incidents = incidents(site);
    let numbers: Vec<u64> = incidents.keys().copied().collect();
    assert_eq!(numbers, (1..=titles.len() as u64).collect::<Vec<_>>(), "numbers run from 1 without gap or repeat");
    let mut made: Vec<&String> = incidents.values().collect();
    made.sort();
    assert_eq!(made, titles.iter().collect::<Vec<_>>(), "each report is exactly one incident");
}

fn unfinished(site: &Site) -> u64 {
    site.count("SELECT count(*) FROM run WHERE status = 'Running'")
}

#[test]
#[ignore = "needs dovecot and postfix"]
fn killed_twenty_times_every_report_is_exactly_one_incident() {
    let seed = std::env::var("LARUM_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_micros() as u64));
    println!("seed {seed}; LARUM_TEST_SEED={seed} gives the same moments again");
    let mut dice = Dice(seed);
    let dovecot = Dovecot::start();
    let smtp = Smtp::start(&dovecot);
    let port = slow_server();
    let config = format!(
        "connections:
  mailbox: {{imap: {{host: 127.0.0.1, port: {}, tls: none, username: soc, password: {{file: password}}, start: all}}}}
  outgoing: {{smtp: {{host: 127.0.0.1, port: {}, tls: none, from: soc@{DOMAIN}}}}}
  slow: {{http: {{base_url: \"http://127.0.0.1:{port}/\", allow_networks: [127.0.0.0/8]}}}}
parameters:
  mail: {{lookup: \"http://127.0.0.1:{port}/look\"}}
  form: {{lookup: \"http://127.0.0.1:{port}/look\"}}
",
        dovecot.port, smtp.port
    );
    let site = Arc::new(Site::new(&config, &[("mail.yaml", MAIL_PLAYBOOK), ("form.yaml", FORM_PLAYBOOK)]));
    std::fs::write(site.folder.path().join("password"), "secret").expect("the folder is writable");

    let feeding = Arc::new(AtomicBool::new(true));
    let forms = thread::spawn({
        let site = site.clone();
        move || post_forms(&site, Duration::from_millis(40), "form", REPORTS)
    });
    let mails = thread::spawn({
        let feeding = feeding.clone();
        move || {
            for number in 0..REPORTS {
                dovecot.deliver("soc", "INBOX", mail(number).as_bytes());
                thread::sleep(Duration::from_millis(50));
            }
            feeding.store(false, Ordering::SeqCst);
            dovecot
        }
    });

    let mut in_runs = 0;
    for kill in 0..KILLS {
        let larum = site.serve();
        let moment = Duration::from_millis(200 + dice.roll(1_300));
        thread::sleep(moment);
        larum.kill();
        let open = unfinished(&site);
        in_runs += usize::from(open > 0);
        println!(
            "kill {kill} after {moment:?}: {open} runs had not ended, reports still come: {}",
            feeding.load(Ordering::SeqCst)
        );
    }
    let larum = site.serve();
    forms.join().expect("every form report was answered");
    let dovecot = mails.join().expect("every mail was delivered");
    let all = 2 * REPORTS as u64;
    site.until("every report to be an incident", || site.count("SELECT count(*) FROM incident") >= all);
    site.until("every run to end", || unfinished(&site) == 0);
    site.until("every mail to be marked as seen", || {
        dovecot
            .files("soc", "INBOX")
            .iter()
            .all(|name| name.split_once(":2,").is_some_and(|(_, flags)| flags.contains('S')))
    });
    let answers = || dovecot.mails("reporter", "INBOX");
    site.until("every answer to be delivered", || {
        answers().iter().filter_map(|mail| message_id(mail)).collect::<BTreeSet<_>>().len() >= REPORTS
    });
    assert!(in_runs >= KILLS_IN_RUNS, "only {in_runs} of {KILLS} kills hit unfinished runs (seed {seed})");
    assert_eq!(larum.stop(), Some(0), "it stops in good order:\n{}", site.log());

    let titles = (0..REPORTS).flat_map(|number| [format!("mail {number}"), format!("form {number}")]).collect();
    assert_exactly_one_each(&site, &titles);
    let mut copies: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mail in answers() {
        copies.entry(subject(&mail)).or_default().push(message_id(&mail).expect("an answer has a Message-ID"));
    }
    assert_eq!(copies.len(), REPORTS, "every reporter was answered");
    for (subject, ids) in copies {
        assert!(ids.len() <= 2, "{subject}: at most two copies, not {ids:?}");
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{subject}: both under one Message-ID, not {ids:?}");
    }
    println!("{in_runs} of {KILLS} kills hit unfinished runs");
}

fn header(mail: &str, name: &str) -> Option<String> {
    let line = mail.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
    Some(line[name.len()..].trim().to_owned())
}

fn message_id(mail: &str) -> Option<String> {
    header(mail, "message-id:")
}

fn subject(mail: &str) -> String {
    header(mail, "subject:").expect("an answer has a subject")
}

/// The points: before and after the intake commit, before and after an effect, before the flags.
#[test]
#[ignore = "starts Larum many times"]
fn killed_at_each_point_every_report_is_exactly_one_incident() {
    const MAILS: usize = 6;
    const FORMS: usize = 6;
    let points = [
        "before accept",
        "after accept",
        "before record",
        "after record",
        "before reserve_mail",
        "after reserve_mail",
        "before finish",
        "after finish",
        "after mail_tasks",
        "before mail_tasks_done",
    ];
    for point in points {
        // The mails come in one batch, so their tasks are done once; everything else happens again and again.
        let counts: &[u32] = if point.contains("mail_tasks") { &[1] } else { &[1, 3] };
        for count in counts {
            let playbook = MAIL_PLAYBOOK.lines().filter(|line| !line.contains("look")).collect::<Vec<_>>().join("\n");
            let form = FORM_PLAYBOOK.lines().filter(|line| !line.contains("look")).collect::<Vec<_>>().join("\n");
            let config = "connections: {mailbox: {maildir: {path: mails}}}\n";
            let site = Site::new(config, &[("mail.yaml", &playbook), ("form.yaml", &form)]);
            let new = site.folder.path().join("mails/new");
            for part in ["new", "cur", "tmp"] {
                std::fs::create_dir_all(site.folder.path().join("mails").join(part)).expect("the folder is writable");
            }
            for number in 0..MAILS {
                std::fs::write(new.join(format!("{number}.host")), mail(number)).expect("the maildir is writable");
            }
            let mut doomed = Command::new(dying())
                .arg(site.folder.path())
                .args([point, &count.to_string()])
                .spawn()
                .expect("the program starts");
            let site = Arc::new(site);
            let forms = thread::spawn({
                let site = site.clone();
                move || post_forms(&site, Duration::ZERO, "form", FORMS)
            });
            let started = Instant::now();
            let died = loop {
                if let Some(status) = doomed.try_wait().expect("the program can be waited for") {
                    break status;
                }
                if started.elapsed() > DEADLINE {
                    let _ = doomed.kill();
                    panic!("{point} was not reached {count} times within {DEADLINE:?}");
                }
                thread::sleep(Duration::from_millis(10));
            };
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&died), Some(9), "{point}: it died by SIGKILL");

            let larum = site.serve();
            forms.join().expect("every form report was answered");
            let all = (MAILS + FORMS) as u64;
            site.until(&format!("{point}: every report to be an incident"), || {
                site.count("SELECT count(*) FROM incident") >= all
            });
            site.until(&format!("{point}: every run to end"), || unfinished(&site) == 0);
            site.until(&format!("{point}: every mail to be moved and marked"), || {
                let cur = std::fs::read_dir(site.folder.path().join("mails/cur")).into_iter().flatten().flatten();
                cur.filter(|file| file.file_name().to_string_lossy().ends_with('S')).count() == MAILS
            });
            drop(larum);
            let titles = (0..MAILS).map(|number| format!("mail {number}"));
            let titles = titles.chain((0..FORMS).map(|number| format!("form {number}"))).collect();
            assert_exactly_one_each(&site, &titles);
            let outbox = std::fs::read_dir(site.data().join("outbox")).into_iter().flatten().flatten();
            let ids: Vec<_> = outbox
                .filter_map(|file| message_id(&std::fs::read_to_string(file.path()).unwrap_or_default()))
                .collect();
            assert_eq!(ids.len(), MAILS, "{point}: every reporter was answered");
            assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), MAILS, "{point}: each answer has its own Message-ID");
        }
    }
}
