use super::*;
use std::{sync::mpsc, time::Instant};

/// A reader that takes one piece for each permit, and tells what it got.
struct Gate {
    permits: mpsc::Receiver<()>,
    taken: mpsc::Sender<String>,
    /// Octets of a piece.
    most: usize,
}

impl Write for Gate {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if self.permits.recv().is_err() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let piece = &text[..text.len().min(self.most)];
        self.taken
            .send(String::from_utf8(piece.into()).unwrap())
            .unwrap();
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lost(lines: u64) -> String {
    format!("{lines} lost")
}

fn gate(most: usize) -> (Gate, mpsc::Sender<()>, mpsc::Receiver<String>) {
    let (permit, permits) = mpsc::channel();
    let (taken, pieces) = mpsc::channel();
    let gate = Gate {
        permits,
        taken,
        most,
    };
    (gate, permit, pieces)
}

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);

#[test]
fn x10_a_reader_that_takes_nothing_costs_lines_and_no_time() {
    let (gate, permit, pieces) = gate(usize::MAX);
    let queue = Queue::new(1000, lost);
    queue.start(gate);
    queue.push(b"line 00000\n");
    let begin = Instant::now();
    while !queue.0.lock().writing {
        assert!(begin.elapsed() < LONG);
        thread::yield_now();
    }
    // It has taken one line and is stuck with it.
    for n in 1..100_000 {
        queue.push(format!("line {n:05}\n").as_bytes());
    }
    assert!(begin.elapsed() < LONG, "{:?}", begin.elapsed());
    assert!(!queue.flush(SHORT), "nobody reads");
    {
        let state = queue.0.lock();
        assert!(state.waiting.len() <= 1000, "{}", state.waiting.len());
    }
    // Drained again: what was kept, then how much was not, then what came after.
    drop(
        std::iter::repeat_n((), 10)
            .map(|()| permit.send(()))
            .collect::<Vec<_>>(),
    );
    assert!(queue.flush(LONG));
    queue.push(b"afterwards\n");
    assert!(queue.flush(LONG));
    let text: String = pieces.try_iter().collect();
    let lines: Vec<&str> = text.lines().collect();
    let [kept @ .., told, last] = &lines[..] else {
        panic!("{text}")
    };
    assert_eq!(*last, "afterwards");
    for (n, line) in kept.iter().enumerate() {
        assert_eq!(*line, format!("line {n:05}"), "in order and without a gap");
    }
    assert_eq!(*told, format!("{} lost", 100_000 - kept.len()));
    assert_eq!(kept.len(), 1 + 1000 / "line 00000\n".len());
}

#[test]
fn x10_every_lost_line_is_counted_where_it_would_have_stood() {
    let queue = Queue::new(12, lost);
    queue.push(b"one\ntwo\n");
    // Too long for the room that is left; what fits after it is lost too, for the order's sake.
    queue.push(b"three\nfour\n");
    queue.push(b"5\n");
    let (gate, permit, pieces) = gate(usize::MAX);
    permit.send(()).unwrap();
    queue.start(gate);
    assert!(queue.flush(LONG));
    assert_eq!(pieces.try_recv().unwrap(), "one\ntwo\n3 lost\n");
    queue.push(b"six\n");
    permit.send(()).unwrap();
    assert!(queue.flush(LONG));
    assert_eq!(pieces.try_recv().unwrap(), "six\n");
}

#[test]
fn x10_an_orderly_end_waits_for_a_slow_reader_and_not_for_one_that_has_gone() {
    let (gate, permit, pieces) = gate(1);
    let queue = Queue::new(1000, lost);
    queue.push(b"farewell\n");
    queue.start(gate);
    let reader = thread::spawn(move || {
        // Slower as a whole than the patience, and never as long without a word.
        for _ in 0..9 {
            thread::sleep(SHORT);
            permit.send(()).unwrap();
        }
        // It goes.
    });
    assert!(queue.flush(LONG));
    assert_eq!(pieces.try_iter().collect::<String>(), "farewell\n");
    reader.join().unwrap();
    queue.push(b"into the void\n");
    assert!(
        queue.flush(LONG),
        "what nobody can read is no reason to wait"
    );
}

#[test]
fn x10_the_notice_tells_one_line_from_many() {
    use crate::process::log::lost_text;
    assert!(lost_text(1).starts_with("1 line lost: "));
    assert!(lost_text(1500).starts_with("1500 lines lost: "));
}
