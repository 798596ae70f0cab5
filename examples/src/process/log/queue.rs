//! Lines on their way to somebody who may not read: bounded, counted, and never waited for.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// How long a writer that is not ready and cannot block is left alone.
const NOT_READY: Duration = Duration::from_millis(10);

/// The near end of the queue; clones are the same queue.
///
/// What does not fit is dropped and counted, whole pushes at a time, until the thread has taken all that waits: the line
/// that tells the count stands where the lost lines would have stood.
#[derive(Clone)]
pub struct Queue(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    limit: usize,
    lost: fn(u64) -> String,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    lost: u64,
    /// The thread has taken lines and not yet written them all.
    writing: bool,
    /// Pieces that the writer has taken, to see whether it takes anything.
    taken: u64,
    started: bool,
}

impl Queue {
    /// An empty queue for `limit` octets; `lost` words the line about lost ones.
    #[must_use]
    pub fn new(limit: usize, lost: fn(u64) -> String) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            limit,
            lost,
        }))
    }

    /// Appends whole lines, or counts them as lost. Never waits for the writer.
    pub fn push(&self, text: &[u8]) {
        let mut state = self.0.lock();
        // Behind lost lines nothing else may wait: it would be printed before their count.
        if state.lost > 0 || text.len() > self.0.limit.saturating_sub(state.waiting.len()) {
            let lines = text.iter().filter(|octet| **octet == b'\n').count();
            state.lost += u64::try_from(lines).unwrap_or(u64::MAX);
        } else {
            state.waiting.extend_from_slice(text);
        }
        drop(state);
        self.0.changed.notify_all();
    }

    /// Starts the thread that hands the lines to `writer`, once.
    pub fn start(&self, writer: impl Write + Send + 'static) {
        if std::mem::replace(&mut self.0.lock().started, true) {
            return;
        }
        let shared = Arc::clone(&self.0);
        let thread = thread::Builder::new().name("log".into());
        // Without the thread nothing is printed, and nothing else is wrong.
        let _ = thread.spawn(move || shared.serve(writer));
    }

    /// Waits until all is written, for as long as the writer takes something within each `patience`. Whether all was.
    #[must_use]
    pub fn flush(&self, patience: Duration) -> bool {
        let mut state = self.0.lock();
        loop {
            if state.waiting.is_empty() && state.lost == 0 && !state.writing {
                return true;
            }
            let before = state.taken;
            let waited = self.0.changed.wait_timeout_while(state, patience, |state| {
                let idle = state.waiting.is_empty() && state.lost == 0 && !state.writing;
                state.taken == before && !idle
            });
            let (after, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() {
                return false;
            }
            state = after;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut writer: impl Write) {
        loop {
            let state = self.changed.wait_while(self.lock(), |state| {
                state.waiting.is_empty() && state.lost == 0
            });
            let mut state = state.unwrap_or_else(PoisonError::into_inner);
            let mut lines = std::mem::take(&mut state.waiting);
            if state.lost > 0 {
                let told = (self.lost)(std::mem::take(&mut state.lost));
                lines.extend_from_slice(told.as_bytes());
                lines.push(b'\n');
            }
            state.writing = true;
            drop(state);
            self.hand_over(&mut writer, &lines);
            // Whoever waits for the end looks again once `writing` is off.
            self.lock().writing = false;
            self.changed.notify_all();
        }
    }

    /// Writes `lines`, however slowly they are taken. A reader that has gone takes nothing more.
    fn hand_over(&self, writer: &mut impl Write, mut lines: &[u8]) {
        while !lines.is_empty() {
            match writer.write(lines) {
                Ok(0) => return,
                Ok(length) => lines = lines.get(length..).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(NOT_READY);
                    continue;
                }
                Err(_) => return,
            }
            self.lock().taken += 1;
            self.changed.notify_all();
        }
        let _ = writer.flush();
    }
}

#[cfg(test)]
mod tests;
