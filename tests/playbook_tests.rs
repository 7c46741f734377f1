//! `larum test` as an author meets it: the gallery's own tests, mutants of the gallery that they catch, whole outputs,
//! coverage, exit codes.

#![allow(clippy::unwrap_used, reason = "a test may end here")]

#[path = "tries/backtest.rs"]
mod backtest;
#[path = "tries/dry_run.rs"]
mod dry_run;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use larum::{
    action,
    diagnostic::Source,
    playbook,
    testing::{Coverage, Loader, Report},
};

fn run(paths: &[PathBuf], crash: bool) -> Report {
    let files = playbook::test_files(paths, &mut Vec::new());
    let (suites, faults) = Loader::new(None).load(&files);
    Report { suites: suites.iter().map(|suite| suite.run(&|_| true, crash)).collect(), faults }
}

/// The report on a test file with this text.
fn one(text: &str) -> Report {
    let name = "example.test.yaml";
    let suite = Loader::new(None)
        .source(&Source::new(name, text), Path::new(name))
        .unwrap_or_else(|faults| panic!("{}", faults.iter().map(|fault| format!("{fault}\n")).collect::<String>()));
    Report { suites: vec![suite.run(&|_| true, false)], faults: Vec::new() }
}

#[test]
fn the_gallerys_tests_pass_and_reach_everything_in_it() {
    for crash in [false, true] {
        let report = run(&["playbooks".into()], crash);
        assert!(report.passed(), "{}", report.text());
    }
    let report = run(&["playbooks".into()], false);
    let loading = playbook::load_files(&["playbooks".into()], None, None, &action::vocabulary());
    assert_eq!(report.suites.len(), loading.playbooks.len(), "a playbook of the gallery has no tests");
    let holes: Vec<_> = report.coverage().iter().flat_map(Coverage::holes).collect();
    assert_eq!(holes, []);
}

/// A playbook of the gallery, what is changed in it, and the cases that notice.
const MUTANTS: &[(&str, &str, &str, &[&str])] = &[
    (
        "create-incident-from-shared-mailbox",
        "'High', 'Medium'",
        "'Medium', 'High'",
        &[
            "a mail marked urgent becomes a High incident, and its sender gets a receipt",
            "any other mail becomes a Medium incident",
            "a mailing list gets no receipt",
        ],
    ),
    (
        "create-incident-from-shared-mailbox",
        "run_after: {create: [failed, timed_out]}",
        "run_after: {create: [timed_out]}",
        &["a report that is refused is answered with the reason, and stands in the queue all the same"],
    ),
    (
        "create-incident-from-shared-mailbox",
        "subject_contains: incident ",
        "subject_contains: lunch ",
        &[
            "a mail marked urgent becomes a High incident, and its sender gets a receipt",
            "any other mail becomes a Medium incident",
            "a mail that speaks of no incident starts nothing",
            "a mailing list gets no receipt",
            "a receipt that cannot be sent fails the run and leaves the incident",
            "a report that is refused is answered with the reason, and stands in the queue all the same",
        ],
    ),
    (
        "create-incident-from-labelled-mail",
        "    if: \"@equals(outputs('create_incident')?['statusCode'], 200)\"",
        "    if: \"@equals(outputs('create_incident')?['statusCode'], 400)\"",
        &[
            "the sample becomes an incident, field by field, and as it names no return path, nobody is answered",
            "whoever sent a sheet in HTML is told the number",
            "a sheet without a severity is refused, and its sender is told so",
        ],
    ),
    (
        "create-incident-from-labelled-mail",
        "        first(skip(split(body('email_body_to_text'), 'Assign Incident to:'), 1)),\n        null)",
        "        null, null)",
        &["the sample becomes an incident, field by field, and as it names no return path, nobody is answered"],
    ),
    (
        "create-incident-from-form",
        "      owner: \"@trigger.owner\"\n",
        "",
        &["every answer reaches the incident, and whoever left an address gets its number"],
    ),
    (
        "create-incident-from-form",
        "@not(empty(trigger.contact))",
        "@empty(trigger.contact)",
        &[
            "every answer reaches the incident, and whoever left an address gets its number",
            "what was not answered has its default, and nobody is written to",
            "whoever left an address is told that the incident was refused",
        ],
    ),
    (
        "create-incident-from-webhook",
        "      severity: \"@triggerBody()?['severity']\"\n",
        "",
        &["an alarm becomes an incident with what it says"],
    ),
    (
        "ask-before-blocking-an-account",
        "'High', 'Low'",
        "'Low', 'High'",
        &["those in charge are asked, and a block makes a High incident", "to leave it alone makes a Low incident"],
    ),
    (
        "ask-before-blocking-an-account",
        "run_after: {ask: [timed_out, failed]}",
        "run_after: {ask: [failed]}",
        &["nobody answers within four hours, and somebody must look"],
    ),
    (
        "weekly-access-review",
        "severity: Informational",
        "severity: Low",
        &["every tick opens a review that names its week and the one before"],
    ),
];

#[test]
fn each_mutant_of_the_gallery_is_caught_by_the_cases_that_speak_of_it() {
    for (name, from, to, wanted) in MUTANTS {
        let path = format!("playbooks/{name}.yaml");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{name} has not once: {from}");
        let mutant = Source::new(path, text.replace(from, to));
        let test = PathBuf::from(format!("playbooks/{name}.test.yaml"));
        let source = Source::new(test.display().to_string(), fs::read_to_string(&test).unwrap());
        let suite = Loader::new(None).with_playbook(&source, &test, &mutant).unwrap();
        let report = suite.run(&|_| true, false);
        let failed: Vec<&str> =
            report.cases.iter().filter(|case| !case.passed()).map(|case| case.name.as_str()).collect();
        assert_eq!(failed, *wanted, "{name}: {from} became {to}");
    }
}

const FAILING: &str = r#"playbook:
  name: example
  parameters: {token: {type: securestring}}
  variables: {n: {type: integer, default: 1}}
  trigger: {manual: {}}
  actions:
    - {id: get, action: http, with: {url: "https://example.com/@{parameters('token')}"}}
    - id: each
      for_each: "@createArray('a', 'b')"
      do: [{id: post, action: http, with: {method: POST, url: "https://example.com", body: "@item"}}]
    - {id: count, action: increment_variable, with: {name: n}}
    - {id: create, action: create_incident, with: {title: "@body('get')?['title']", tags: [a, b]}}
cases:
  - name: everything comes out otherwise
    answers:
      get: {returns: {title: "Door\nforced\nat eight"}}
      post/1: {status: 404}
    expect:
      status: succeeded
      lasts: 5m
      actions: {get: failed, each: succeeded, post: [succeeded, succeeded, succeeded], create: succeeded}
      errors: {count: {code: Other}}
      attempts: {get: 2}
      inputs: {get: {url: "https://example.com/secret"}}
      outputs: {get: {title: "Door\nclosed\nat eight", more: 1}}
      variables: {n: 2}
      incidents: [{title: Door, severity: High, tags: [a]}]
      mails: [{to: [a@example.com]}]
      calls: [{method: GET}, {method: POST, body: a}, {method: POST, body: c}]
      reply: {status_code: 200}

  - name: nothing more than is expected
    answers: {get: {returns: {title: Door, more: {}}}}
    expect:
      exactly: true
      status: succeeded
      actions: {get: succeeded, each: succeeded, post/0: succeeded, create: succeeded}
      outputs: {get: {title: Door}}

  - name: a run that fails is a difference where nothing is said of its status
    answers: {get: fails}
    expect: {incidents: []}

  - name: a run that never ends says why
    answers: {get: nothing}
    expect: {status: failed}

  - name: part of a text and of a list
    answers: {get: {returns: {title: Door forced}}}
    expect: {incidents: [{title: {$contains: window}, tags: {$contains: c}}]}
"#;

#[test]
fn a_failing_case_is_told_value_by_value() {
    insta::assert_snapshot!(one(FAILING).text());
}

#[test]
fn the_same_for_programs_and_build_servers() {
    let mut report = one(FAILING);
    insta::assert_json_snapshot!(report.json(true));
    report.suites.iter_mut().flat_map(|suite| &mut suite.cases).for_each(|case| case.took = Default::default());
    insta::assert_snapshot!(report.junit());
}

const HOLES: &str = r#"playbook:
  name: example
  trigger: {manual: {}}
  actions:
    - id: urgent
      if: "@equals(trigger.severity, 'High')"
      then: [{id: call, action: http, with: {url: "https://example.com"}}]
    - id: kind
      switch: "@trigger.kind"
      cases:
        - {case: Phishing, do: [{id: phishing, action: compose, with: {inputs: 1}}]}
        - case: Door
          do:
            - {id: door, scope: [{id: camera, action: compose, with: {inputs: 1}}]}
            - {id: guard, action: compose, with: {inputs: 1}}
      default: [{id: other, action: compose, with: {inputs: 1}}]
    - {id: mend, action: compose, run_after: {kind: [failed]}, with: {inputs: 1}}
cases:
  - name: an urgent phish
    given: {body: {severity: High, kind: Phishing}}
    expect: {status: succeeded}
  - name: something else
    given: {body: {severity: High, kind: Noise}}
    expect: {status: succeeded}
"#;

#[test]
fn coverage_shows_exactly_the_holes() {
    let report = one(HOLES);
    assert!(report.passed(), "{}", report.text());
    insta::assert_snapshot!(report.coverage_text());
    insta::assert_snapshot!(report.lcov());
}

#[test]
fn one_more_case_for_each_hole_closes_them() {
    let more = r#"  - name: a door
    given: {body: {severity: Low, kind: Door}}
    expect: {status: succeeded}
  - name: a kind that is none
    given: {body: {severity: Low, kind: null}}
    expect: {status: succeeded, actions: {kind: failed, mend: succeeded}}
"#;
    let report = one(&format!("{HOLES}{more}"));
    assert!(report.passed(), "{}", report.text());
    assert_eq!(report.coverage_text().lines().count(), 1, "{}", report.coverage_text());
}

#[test]
fn a_secret_shows_in_no_difference() {
    let report = one(&format!("parameters: {{token: s3cret-token}}\n{FAILING}"));
    let shown = [report.text(), report.junit(), report.json(true).to_string()].concat();
    assert!(shown.contains("[secret]") && !shown.contains("s3cret-token"), "{shown}");
}

/// The binary's exit code, and what it printed.
fn larum(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_larum")).arg("test").args(args).current_dir(folder).output().unwrap();
    let text = [out.stdout, out.stderr].concat();
    (out.status.code(), String::from_utf8(text).unwrap())
}

/// How long the watching command may take to notice a change.
const DEADLINE: Duration = Duration::from_secs(30);

#[test]
fn a_change_of_a_file_runs_the_tests_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("example.test.yaml");
    fs::write(&file, HOLES).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_larum"));
    let command = command.args(["test", "--watch", "."]).current_dir(folder.path()).stdout(Stdio::piped());
    let mut larum = command.spawn().unwrap();
    let lines = BufReader::new(larum.stdout.take().unwrap()).lines();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(tell.send(line))));
    let summary = || loop {
        let line = told.recv_timeout(DEADLINE).expect("a summary within the deadline");
        if line.contains(" passed, ") {
            return line;
        }
    };
    assert_eq!(summary(), "2 passed, 0 failed");
    // The watch may begin only after the first summary, so the change is made until it is seen.
    let changed = HOLES.replace("status: succeeded", "status: failed");
    let seen = loop {
        fs::write(&file, &changed).unwrap();
        if let Ok(line) = told.recv_timeout(Duration::from_secs(1)) {
            break line;
        }
    };
    assert_eq!(seen, "");
    assert_eq!(summary(), "0 passed, 2 failed");
    larum.kill().unwrap();
    larum.wait().unwrap();
}

#[test]
fn the_exit_code_says_whether_all_passed() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("good.test.yaml"), HOLES).unwrap();
    fs::write(here.join("bad.test.yaml"), FAILING).unwrap();
    fs::write(here.join("ugly.test.yaml"), "cases: [{name: a}]\n").unwrap();
    let (code, text) = larum(here, &["good.test.yaml", "--junit", "junit.xml", "--lcov", "lcov.info"]);
    assert_eq!((code, text.lines().last()), (Some(0), Some("2 passed, 0 failed")), "{text}");
    assert!(fs::read_to_string(here.join("junit.xml")).unwrap().contains("an urgent phish"));
    assert!(fs::read_to_string(here.join("lcov.info")).unwrap().contains("SF:good.test.yaml"));
    assert_eq!(larum(here, &["bad.test.yaml"]).0, Some(1));
    assert_eq!(larum(here, &["ugly.test.yaml"]).0, Some(1));
    assert_eq!(larum(here, &["bad.test.yaml", "--name", "PART of"]).1.lines().last(), Some("0 passed, 1 failed"));
    for wrong in [&["absent"][..], &["good.test.yaml", "--name", "nobody"], &["--crush"]] {
        assert_eq!(larum(here, wrong).0, Some(2), "{wrong:?}");
    }
}
