//! Where a machine puts what it wants done.

use alloc::collections::VecDeque;

/// Actions of one or more calls, first in, first out. The embedder drains it after every call.
#[derive(Debug, Clone)]
pub struct Actions<A> {
    queue: VecDeque<A>,
}

impl<A> Default for Actions<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A> Actions<A> {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            queue: VecDeque::new(),
        }
    }

    /// The next action to carry out.
    pub fn pop(&mut self) -> Option<A> {
        self.queue.pop_front()
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn push(&mut self, action: A) {
        self.queue.push_back(action);
    }
}

impl<A> Iterator for Actions<A> {
    type Item = A;

    fn next(&mut self) -> Option<A> {
        self.pop()
    }
}
