//! Threads for what takes long: halves of key exchanges, chains of certificates, signatures. The loop hands work over and
//! goes on with packets; the results wake it.
//!
//! What waits is bounded. When it is too much, the oldest work that a stranger has caused goes: an honest peer repeats its
//! message, and a flood of strangers costs each other their place, never that of a peer that is known.

use ike_sm::Answer;
use std::{
    collections::VecDeque,
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

/// Most that waits for a thread.
pub const MOST_WAITING: usize = 256;

/// Something to compute, for a question that is known by its ticket.
pub struct Work<T> {
    /// The question that it answers.
    pub ticket: T,
    /// Nobody has proved who has caused it.
    pub unproved: bool,
    /// Computes the answer.
    pub compute: Box<dyn FnOnce() -> Answer + Send>,
    /// The answer when it is not computed.
    pub refusal: Answer,
}

impl<T: fmt::Debug> fmt::Debug for Work<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Work({:?})", self.ticket)
    }
}

/// The threads, what waits for them, and what they have finished.
pub struct Workers<T> {
    shared: Arc<Shared<T>>,
    finished: mpsc::Receiver<(T, Answer)>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared<T> {
    queue: Mutex<Queue<T>>,
    more: Condvar,
    /// Whoever holds it keeps all threads busy.
    #[cfg(test)]
    gate: Arc<Mutex<()>>,
}

struct Queue<T> {
    waiting: VecDeque<Work<T>>,
    most: usize,
    closed: bool,
}

impl<T> Shared<T> {
    fn queue(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for work; none at the end.
    fn next(&self) -> Option<Work<T>> {
        let mut queue = self.queue();
        loop {
            if queue.closed {
                return None;
            }
            // A peer that is known does not wait behind strangers.
            let known = queue.waiting.iter().position(|work| !work.unproved);
            if let Some(work) = queue.waiting.remove(known.unwrap_or(0)) {
                return Some(work);
            }
            let woken = self.more.wait(queue);
            queue = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T: Send + 'static> Workers<T> {
    /// Starts so many threads. `wake` is called, on one of them, when there is something to fetch with
    /// [`finished`](Self::finished).
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(
        threads: usize,
        most: usize,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue {
                waiting: VecDeque::new(),
                most,
                closed: false,
            }),
            more: Condvar::new(),
            #[cfg(test)]
            gate: Arc::default(),
        });
        let wake = Arc::new(wake);
        let (tell, finished) = mpsc::channel();
        let mut workers = Self {
            shared,
            finished,
            threads: Vec::new(),
        };
        for number in 0..threads {
            let (shared, tell, wake) =
                (Arc::clone(&workers.shared), tell.clone(), Arc::clone(&wake));
            let thread = thread::Builder::new().name(format!("worker {number}"));
            let thread = thread.spawn(move || {
                while let Some(work) = shared.next() {
                    #[cfg(test)]
                    drop(shared.gate.lock());
                    // What goes wrong with one piece of work ends that one.
                    let computed = catch_unwind(AssertUnwindSafe(work.compute));
                    let answer = computed.unwrap_or(work.refusal);
                    if tell.send((work.ticket, answer)).is_err() {
                        return;
                    }
                    wake();
                }
            })?;
            workers.threads.push(thread);
        }
        Ok(workers)
    }

    /// Hands work over. When too much waits, that which `asked` says nobody wants any more makes room: the negotiations of
    /// a flood are evicted long before their turn comes. Gives back what has to give way else: the oldest that nobody has
    /// proved, or this.
    pub fn submit(&self, work: Work<T>, asked: impl Fn(&T) -> bool) -> Option<Work<T>> {
        let mut queue = self.shared.queue();
        let mut out = None;
        if queue.waiting.len() >= queue.most {
            queue.waiting.retain(|waiting| asked(&waiting.ticket));
        }
        if queue.waiting.len() >= queue.most {
            match queue.waiting.iter().position(|waiting| waiting.unproved) {
                Some(oldest) => out = queue.waiting.remove(oldest),
                None => return Some(work),
            }
        }
        queue.waiting.push_back(work);
        drop(queue);
        self.shared.more.notify_one();
        out
    }

    /// Whoever holds it keeps all threads busy.
    #[cfg(test)]
    pub(super) fn gate(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.shared.gate)
    }

    /// The next answer that is there.
    #[must_use]
    pub fn finished(&self) -> Option<(T, Answer)> {
        self.finished.try_recv().ok()
    }
}

impl<T> Drop for Workers<T> {
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.more.notify_all();
        for thread in self.threads.drain(..) {
            // It has ended, one way or another.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
