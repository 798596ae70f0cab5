//! Where a machine puts what the embedder has to do.

use alloc::collections::VecDeque;

/// The actions of one or more calls, in order. The caller owns the queue and empties it after
/// every call.
#[derive(Debug, Clone)]
pub struct Actions<A>(VecDeque<A>);

impl<A> Default for Actions<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A> Actions<A> {
    /// Makes an empty queue.
    #[must_use]
    pub const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Takes the next action.
    pub fn pop(&mut self) -> Option<A> {
        self.0.pop_front()
    }

    /// Takes all actions in order.
    pub fn drain(&mut self) -> impl Iterator<Item = A> + '_ {
        self.0.drain(..)
    }

    /// Looks at the actions without taking them.
    pub fn iter(&self) -> impl Iterator<Item = &A> + '_ {
        self.0.iter()
    }

    /// Returns the number of actions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&mut self, action: A) {
        self.0.push_back(action);
    }
}
