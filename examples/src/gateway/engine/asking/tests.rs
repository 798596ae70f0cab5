//! Two gateways on loopback, as in the demo.

use super::*;
use crate::gateway::{
    config::{LogStyle, Version},
    demo::{EAST, WEST, Wish, free_ports, start},
    inside::Stack,
    run::Runner,
};
use ike_sm::{Command, IkeId};
use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs until `done`.
fn run(
    runner: &mut Runner,
    engine: &mut Engine,
    mut done: impl FnMut(&mut Engine) -> bool,
) -> bool {
    let end = runner.now() + PATIENCE;
    loop {
        if done(engine) {
            return true;
        }
        if runner.now() > end {
            return false;
        }
        runner.turn(engine, Duration::from_millis(20)).unwrap();
    }
}

fn answers(engine: &mut Engine) -> usize {
    let pinger = engine.inside.stack().and_then(Stack::pinger);
    pinger.map_or(0, |pinger| pinger.answers().count())
}

fn ikes(engine: &Engine) -> Vec<IkeId> {
    engine.endpoint().ike_sas().map(|ike| ike.id).collect()
}

#[test]
fn x9_packets_go_on_while_the_workers_are_busy_with_a_key_exchange() {
    let folder = std::env::temp_dir().join(format!("workers-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let wish = Wish {
        log: LogStyle::Compact,
        version: Version::Ikev2,
    };
    let ports = free_ports().unwrap();
    let (mut west, mut far) = start(&WEST, &EAST, ports, wish, &folder, false).unwrap();
    let (mut east, mut near) = start(&EAST, &WEST, ports, wish, &folder, true).unwrap();
    let gate = far.workers.as_ref().unwrap().gate();
    let (stop, waker) = (Arc::new(AtomicBool::new(false)), west.waker());
    let answering = thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let stopped = |_: &mut Engine, _| match stop.load(Ordering::Acquire) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            };
            west.run(&mut far, stopped).map(drop)
        }
    });
    near.start(east.now()).unwrap();
    // The first ping brings the tunnel up: group 20 in IKE_SA_INIT.
    assert!(run(&mut east, &mut near, |e| answers(e) >= 1));
    let before = ikes(&near);
    assert_eq!(before.len(), 1);
    // West's workers are busy now, and we want new keys of it, and pings besides.
    let busy = gate.lock().unwrap();
    near.tell(Event::Command(Command::RekeyIke(before[0])), east.now());
    assert!(run(&mut east, &mut near, |e| answers(e) >= 4));
    assert_eq!(ikes(&near), before, "no new keys without a worker");
    drop(busy);
    let renewed = run(&mut east, &mut near, |e| !ikes(e).contains(&before[0]));
    assert!(renewed, "new keys with one");
    stop.store(true, Ordering::Release);
    waker.wake().unwrap();
    answering.join().unwrap().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}
