use super::*;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// Long enough for a thread to be scheduled on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn work(
    ticket: u64,
    unproved: bool,
    compute: impl FnOnce() -> Answer + Send + 'static,
) -> Work<u64> {
    Work {
        ticket,
        unproved,
        compute: Box::new(compute),
        refusal: Answer::Authorize(false),
    }
}

/// Workers whose one thread is busy until the sender goes, and the number of times that they woke somebody.
fn busy(most: usize) -> (Workers<u64>, mpsc::Sender<()>, Arc<AtomicUsize>) {
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    let wake = move || {
        count.fetch_add(1, Ordering::SeqCst);
    };
    let workers = Workers::start(1, most, wake).unwrap();
    let (release, wait) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let first = work(0, false, move || {
        begin.send(()).unwrap();
        let _ = wait.recv();
        Answer::Authorize(true)
    });
    assert!(workers.submit(first, |_| true).is_none());
    begun.recv_timeout(PATIENCE).unwrap();
    (workers, release, woken)
}

fn next(workers: &Workers<u64>) -> (u64, bool) {
    let end = Instant::now() + PATIENCE;
    loop {
        match workers.finished() {
            Some((ticket, Answer::Authorize(yes))) => return (ticket, yes),
            Some(other) => panic!("{other:?}"),
            None => assert!(Instant::now() < end),
        }
        thread::yield_now();
    }
}

#[test]
fn x9_work_is_handed_over_at_once_and_its_answer_wakes_the_loop() {
    let (workers, release, woken) = busy(8);
    for ticket in 1..4 {
        assert!(
            workers
                .submit(work(ticket, false, || Answer::Authorize(true)), |_| true)
                .is_none()
        );
    }
    // The thread is busy: nothing is finished, and nothing had to wait for it.
    assert!(workers.finished().is_none());
    assert_eq!(woken.load(Ordering::SeqCst), 0);
    drop(release);
    for ticket in 0..4 {
        assert_eq!(next(&workers), (ticket, true));
    }
    drop(workers);
    assert_eq!(woken.load(Ordering::SeqCst), 4);
}

#[test]
fn x9_a_full_queue_drops_the_oldest_work_of_strangers_first() {
    let (workers, release, _woken) = busy(3);
    let submit = |ticket, unproved| {
        let out = workers.submit(work(ticket, unproved, || Answer::Authorize(true)), |_| true);
        out.map(|work| work.ticket)
    };
    assert_eq!(
        [submit(1, false), submit(2, true), submit(3, true)],
        [None; 3]
    );
    assert_eq!(submit(4, true), Some(2));
    assert_eq!(submit(5, false), Some(3));
    assert_eq!(submit(6, false), Some(4));
    // Nobody is left to give way.
    assert_eq!(submit(7, true), Some(7));
    assert_eq!(submit(8, false), Some(8));
    drop(release);
    for ticket in [0, 1, 5, 6] {
        assert_eq!(next(&workers), (ticket, true));
    }
}

#[test]
fn x9_what_nobody_asks_any_more_makes_room_before_a_newcomer_has_to() {
    let (workers, release, _woken) = busy(3);
    // A flood: the negotiations of 1 and 2 have been evicted when 4 comes.
    let submit = |ticket| {
        let work = work(ticket, true, || Answer::Authorize(true));
        let out = workers.submit(work, |ticket| *ticket > 2);
        out.map(|work| work.ticket)
    };
    assert_eq!([1, 2, 3, 4, 5].map(submit), [None; 5]);
    drop(release);
    for ticket in [0, 3, 4, 5] {
        assert_eq!(next(&workers), (ticket, true));
    }
}

#[test]
fn x9_known_peers_do_not_wait_behind_strangers() {
    let (workers, release, _woken) = busy(8);
    for (ticket, unproved) in [(1, true), (2, true), (3, false), (4, true), (5, false)] {
        let work = work(ticket, unproved, || Answer::Authorize(true));
        assert!(workers.submit(work, |_| true).is_none());
    }
    drop(release);
    for ticket in [0, 3, 5, 1, 2, 4] {
        assert_eq!(next(&workers), (ticket, true));
    }
}

#[test]
fn x9_what_panics_is_refused_and_the_thread_goes_on() {
    let (workers, release, _woken) = busy(8);
    drop(release);
    assert_eq!(next(&workers), (0, true));
    assert!(
        workers
            .submit(work(1, true, || panic!("on purpose")), |_| true)
            .is_none()
    );
    assert!(
        workers
            .submit(work(2, true, || Answer::Authorize(true)), |_| true)
            .is_none()
    );
    assert_eq!(next(&workers), (1, false));
    assert_eq!(next(&workers), (2, true));
}
