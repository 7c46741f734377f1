//! Start to ready, memory when idle, the binary's size.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use crate::{
    Promise, Row,
    process::{self, Site},
};

const PLAYBOOK: &str = "name: idle\ntrigger: {manual: {}}\nactions:\n  - {id: a, action: compose, with: {value: 1}}\n";

pub fn rows() -> Vec<Row> {
    let site = Site::new("{}", PLAYBOOK);
    // The first start makes the database; the promise is about every later one.
    drop({
        let first = site.serve();
        process::wait("the first start", || ready(&site));
        first
    });
    let mut times: Vec<Duration> = (0..5)
        .map(|_| {
            let started = Instant::now();
            let larum = site.serve();
            process::wait("larum to be ready", || ready(&site));
            let elapsed = started.elapsed();
            drop(larum);
            elapsed
        })
        .collect();
    times.sort();
    let larum = site.serve();
    process::wait("larum to be ready", || ready(&site));
    thread::sleep(Duration::from_secs(3));
    let idle = larum.memory("VmRSS") as f64 / 1024.0;
    let binary = std::fs::metadata(process::program("larum")).map_or(0.0, |file| file.len() as f64 / 1024.0 / 1024.0);
    let start = times[times.len() / 2].as_secs_f64() * 1000.0;
    vec![
        Row {
            name: "start to ready, ms".into(),
            figure: format!("median of 5: {start:.0} ms"),
            value: start,
            promise: Promise::AtMost(150.0),
        },
        Row {
            name: "memory when idle, MB".into(),
            figure: format!("{idle:.1} MB"),
            value: idle,
            promise: Promise::AtMost(40.0),
        },
        Row {
            name: "binary, MB".into(),
            figure: format!("{binary:.1} MB"),
            value: binary,
            promise: Promise::AtMost(30.0),
        },
    ]
}

/// Whether `/readyz` answers 200.
fn ready(site: &Site) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(site.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(
            format!("GET /readyz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", site.address).as_bytes(),
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}
