//! Acknowledged means on disk: under `strace`, every answer that says yes follows a sync of the database's log that began
//! after the request was read.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod support;

use std::{
    collections::HashMap,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use support::larum::Site;

const FORM: &str = "name: form
trigger:
  form: {path: report, title: Report, fields: [{id: what, label: What?, type: text, required: true}]}
actions: [{id: create, action: create_incident, with: {title: \"{{trigger.what}}\"}}]
";
const CALLS: &str = "trace=read,recvfrom,recvmsg,readv,write,writev,sendto,sendmsg,fdatasync,fsync";

/// One system call: when it began and ended, as places in the trace.
#[derive(Debug, Clone)]
struct Call {
    name: String,
    /// The file descriptor's number and what it stands for.
    descriptor: String,
    /// Everything the trace says of its arguments and result.
    text: String,
    began: usize,
    ended: usize,
}

impl Call {
    fn succeeded(&self) -> bool {
        self.text.rsplit_once("= ").is_some_and(|(_, result)| !result.starts_with('-') && !result.starts_with('?'))
    }

    fn bytes(&self) -> u64 {
        let result = self.text.rsplit_once("= ").map(|(_, result)| result.trim());
        result.and_then(|result| result.parse().ok()).unwrap_or(0)
    }
}

/// The calls of a trace in the order they ended. A call that another thread interrupted stands in two lines.
fn calls(trace: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut unfinished: HashMap<&str, Call> = HashMap::new();
    for (place, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some(mut call) = unfinished.remove(thread) else { continue };
            call.text += resumed;
            call.ended = place;
            calls.push(call);
            continue;
        }
        let Some((name, arguments)) = rest.split_once('(') else { continue };
        let descriptor = arguments.split([',', ')']).next().unwrap_or_default().trim_end_matches(" <unfinished ...>");
        let call = Call {
            name: name.to_owned(),
            descriptor: descriptor.to_owned(),
            text: arguments.to_owned(),
            began: place,
            ended: place,
        };
        if rest.ends_with("<unfinished ...>") {
            unfinished.insert(thread, call);
        } else {
            calls.push(call);
        }
    }
    calls
}

/// How many answers said yes to a post, each checked for a sync in time. An answer whose request was read before the trace
/// began proves nothing and is not counted.
fn acknowledged(calls: &[Call]) -> Result<usize, String> {
    let reading = |call: &Call| ["read", "recvfrom", "recvmsg", "readv"].contains(&call.name.as_str());
    let writing = |call: &Call| ["write", "writev", "sendto", "sendmsg"].contains(&call.name.as_str());
    let syncs: Vec<&Call> = calls
        .iter()
        .filter(|call| call.name == "fdatasync" || call.name == "fsync")
        .filter(|call| call.descriptor.contains("larum.db") && call.succeeded())
        .collect();
    let mut answers = 0;
    for answer in calls.iter().filter(|call| writing(call) && call.text.contains("\"HTTP/1.1 2")) {
        let request = calls
            .iter()
            .filter(|call| reading(call) && call.descriptor == answer.descriptor && call.bytes() > 0)
            .filter(|call| call.ended < answer.began)
            .max_by_key(|call| call.ended);
        let Some(request) = request else { continue };
        if !request.text.contains("POST /forms") {
            continue;
        }
        answers += 1;
        if !syncs.iter().any(|sync| sync.began > request.ended && sync.ended < answer.began) {
            return Err(format!("an answer before its sync:\n{request:#?}\n{answer:#?}"));
        }
    }
    Ok(answers)
}

fn attach(process: u32, trace: &Path) -> Child {
    Command::new("strace")
        .args(["-f", "-y", "-s", "48", "-e", CALLS, "-p", &process.to_string(), "-o"])
        .arg(trace)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace starts")
}

#[test]
#[ignore = "needs strace"]
fn an_answer_that_says_yes_follows_a_sync_that_began_after_its_request_was_read() {
    let site = Site::new("", &[("form.yaml", FORM)]);
    let larum = site.serve();
    let trace = site.folder.path().join("trace");
    let mut strace = attach(larum.id(), &trace);
    let read = || fs::read_to_string(&trace).unwrap_or_default();
    site.until("strace to see requests", || {
        let _ = site.get("/healthz");
        read().contains("GET /healthz")
    });
    // At once, so that requests are read while another's sync is under way.
    let yes: usize = thread::scope(|scope| {
        let post = || {
            (0..25)
                .filter(|_| {
                    site.post("/forms/report", "", r#"{"what":"x"}"#).is_some_and(|answer| answer.status == 202)
                })
                .count()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(post)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a client ends")).sum()
    });
    assert_eq!(yes, 200, "{}", site.log());
    let _ = Command::new("kill").args(["-INT", &strace.id().to_string()]).status();
    let _ = strace.wait();
    assert_eq!(larum.stop(), Some(0), "{}", site.log());
    match acknowledged(&calls(&read())) {
        Ok(seen) => assert_eq!(seen, yes, "every answer is in the trace"),
        Err(fault) => panic!("{fault}"),
    }
}

#[test]
fn the_check_itself_tells_good_from_bad() {
    let good = "\
1 recvfrom(9<TCP:[a]>, <unfinished ...>
2 fdatasync(7</d/larum.db-wal> <unfinished ...>
1 <... recvfrom resumed>\"POST /forms/report HTTP/1.1\\r\\n\"..., 8192, 0, NULL, NULL) = 180
2 <... fdatasync resumed>) = 0
2 fdatasync(7</d/larum.db-wal>) = 0
1 sendto(9<TCP:[a]>, \"HTTP/1.1 202 Accepted\\r\\n\"..., 300, MSG_NOSIGNAL, NULL, 0) = 300
1 recvfrom(9<TCP:[a]>, \"GET /healthz HTTP/1.1\\r\\n\"..., 8192, 0, NULL, NULL) = 50
1 sendto(9<TCP:[a]>, \"HTTP/1.1 200 OK\\r\\n\"..., 300, MSG_NOSIGNAL, NULL, 0) = 300
";
    assert_eq!(acknowledged(&calls(good)), Ok(1));
    let attached_late = good.lines().skip(5).collect::<Vec<_>>().join("\n");
    assert_eq!(acknowledged(&calls(&attached_late)), Ok(0), "what was asked before the trace began is not counted");
    let only_earlier = good.replace("2 fdatasync(7</d/larum.db-wal>) = 0\n", "");
    assert!(
        acknowledged(&calls(&only_earlier)).is_err(),
        "a sync that began before the request was read proves nothing"
    );
    let failed = good.replace("larum.db-wal>) = 0", "larum.db-wal>) = -1 ENOSPC (No space left on device)");
    assert!(acknowledged(&calls(&failed)).is_err(), "a sync that failed proves nothing");
    let other = good.replace("7</d/larum.db-wal>) = 0", "8</d/serve.log>) = 0");
    assert!(acknowledged(&calls(&other)).is_err(), "a sync of another file proves nothing");
}
