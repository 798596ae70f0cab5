//! Recorded events in, recorded actions out: `data/replay/*.txt`.
//!
//! A file has a configuration line, then events with their time, each followed by the outcome and
//! the actions (`= …`). `VRRP_REGENERATE=1` writes what the router does now.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::string_slice
)]

mod common;

use std::fmt::Write;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use common::Bench;
use vrrp::{Config, Event, Interval, Priority, Received, Track, TrackEffect, Version};

fn number(word: &str) -> u64 {
    word.parse()
        .unwrap_or_else(|_| panic!("{word} is not a number"))
}

fn configuration(line: &str) -> Config {
    let mut config = common::config(Version::V3, 100);
    for word in line.split_whitespace().skip(1) {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "version" => {
                config.version = if value == "2" {
                    Version::V2
                } else {
                    Version::V3
                }
            }
            "priority" => config.priority = Priority(value.parse().unwrap()),
            "interval" => {
                config.interval = Interval::from_centiseconds(value.parse().unwrap()).unwrap();
            }
            "preempt" => config.preempt = value == "yes",
            "preempt-delay" => config.preempt_delay = Duration::from_secs(number(value)),
            "startup-delay" => config.startup_delay = Duration::from_secs(number(value)),
            "learn" => config.learn_interval = true,
            "peer" => config.peers.push(value.parse().unwrap()),
            "track" => {
                let effect = TrackEffect::Decrement(value.parse().unwrap());
                config.tracks.push(Track { object: 1, effect });
            }
            other => panic!("{other}"),
        }
    }
    config
}

/// `advert FROM PRIORITY [CENTISECONDS] [to=ADDRESS] [ttl=N] [raw=HEX]`
fn received(bench: &mut Bench, words: &[&str], now: Duration) -> String {
    let source: IpAddr = words[0].parse().unwrap();
    let version = bench.router.config().version;
    let priority = words[1].parse().unwrap();
    let mut interval = Interval::DEFAULT;
    let mut destination: IpAddr = vrrp::GROUP_V4.into();
    let mut ttl = 255;
    let mut raw = None;
    for word in &words[2..] {
        match word.split_once('=') {
            Some(("to", value)) => destination = value.parse().unwrap(),
            Some(("ttl", value)) => ttl = value.parse().unwrap(),
            Some(("raw", value)) => {
                let digit = |at: usize| u8::from_str_radix(&value[at..at + 2], 16).unwrap();
                raw = Some((0..value.len()).step_by(2).map(digit).collect::<Vec<u8>>());
            }
            _ => interval = Interval::from_centiseconds(word.parse().unwrap()).unwrap(),
        }
    }
    let message = raw.unwrap_or_else(|| common::advertisement(version, source, priority, interval));
    let received = Received {
        source,
        destination,
        ttl,
        message: &message,
    };
    format!("{:?}", bench.handle(Event::Received(received), now))
}

fn replay(text: &str) -> String {
    let mut out = String::new();
    let mut bench: Option<Bench> = None;
    for line in text.lines().filter(|line| !line.starts_with('=')) {
        writeln!(out, "{line}").unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() || line.starts_with('#') {
            continue;
        }
        if words[0] == "config" {
            bench = Some(Bench::new(configuration(line)));
            continue;
        }
        let bench = bench.as_mut().unwrap();
        let now = Duration::from_millis(number(words[0]));
        let outcome = match words[1] {
            "startup" => {
                let address = words[2].parse().unwrap();
                format!("{:?}", bench.handle(Event::Startup { address }, now))
            }
            "shutdown" => format!("{:?}", bench.handle(Event::Shutdown, now)),
            "interface-down" => format!("{:?}", bench.handle(Event::InterfaceDown, now)),
            "track" => {
                let up = words[2] == "up";
                format!("{:?}", bench.handle(Event::Track { object: 1, up }, now))
            }
            "deadline" => {
                // At the time of the deadline itself, where it is not in whole milliseconds.
                let due = bench.router.next_deadline().unwrap().at;
                let now = if due.as_millis() == now.as_millis() {
                    due
                } else {
                    now
                };
                format!("{:?}", bench.handle(Event::Deadline, now))
            }
            "advert" => received(bench, &words[2..], now),
            other => panic!("{other}"),
        };
        writeln!(out, "= {outcome}").unwrap();
        for action in &bench.actions {
            writeln!(out, "=   {action:?}").unwrap();
        }
        if let Some(deadline) = bench.router.next_deadline() {
            writeln!(out, "=   next {:?} {:?}", deadline.why, deadline.at).unwrap();
        }
    }
    out
}

#[test]
fn recorded_events_give_the_recorded_actions() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/replay");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 6, "the recordings are there");
    for file in files {
        let recorded = fs::read_to_string(&file).unwrap();
        let replayed = replay(&recorded);
        if std::env::var_os("VRRP_REGENERATE").is_some() {
            fs::write(&file, replayed).unwrap();
        } else {
            assert!(recorded == replayed, "{}:\n{replayed}", file.display());
        }
    }
}
