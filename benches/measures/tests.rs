//! `larum test` over every test file of the repository: the gallery's and those of what the machine promises.

use std::{path::Path, process::Command, time::Instant};

use crate::{Promise, Row, process};

/// The folders of test files.
const FOLDERS: [&str; 2] = ["playbooks", "tests/behaviour"];

pub fn rows() -> Vec<Row> {
    vec![row("larum test, s", &[]), row("larum test --crash, s", &["--crash"])]
}

fn row(name: &str, flags: &[&str]) -> Row {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut times: Vec<f64> = (0..5)
        .map(|_| {
            let started = Instant::now();
            let tested = Command::new(process::program("larum"))
                .arg("test")
                .args(FOLDERS)
                .args(flags)
                .current_dir(root)
                .output()
                .expect("the program runs");
            let elapsed = started.elapsed().as_secs_f64();
            assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stdout));
            elapsed
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let seconds = times[times.len() / 2];
    Row {
        name: name.to_owned(),
        figure: format!("median of 5: {:.0} ms", seconds * 1000.0),
        value: seconds,
        promise: Promise::AtMost(1.0),
    }
}
