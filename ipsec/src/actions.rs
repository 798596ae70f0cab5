//! What comes out besides the packet that went in: a queue of the caller's, filled by each call.

use alloc::collections::VecDeque;

use ike_sm::{ChildId, Path};

/// The actions of one or more calls, in the order in which they must be done.
///
/// The queue is the caller's. A machine keeps nothing back: all that follows from a call is in the
/// queue when the call returns.
#[derive(Debug)]
pub struct Actions<A>(VecDeque<A>);

impl<A> Default for Actions<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A> Actions<A> {
    /// An empty queue.
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

    /// Number of actions that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no action waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&mut self, action: A) {
        self.0.push_back(action);
    }
}

/// How a datagram leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// From where to where. [`Path::natt`] tells which of the two UDP sockets it leaves by.
    pub path: Path,
    /// What carries it.
    pub carrier: Carrier,
    /// Don't Fragment of the outer IPv4 header. IKE messages and keepalives leave it clear.
    pub dont_fragment: bool,
    /// DSCP and ECN of the outer header, as in its second octet (RFC 2983, RFC 6040): those of the
    /// inner packet, or 0.
    pub traffic_class: u8,
    /// The pair of IPsec SAs that protects it; none for IKE and keepalives.
    pub child: Option<ChildId>,
}

/// What carries a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// UDP, between the ports of the path.
    Udp,
    /// IP protocol 50 between the addresses of the path: a raw socket writes the IP header. Never
    /// asked for where [`NatTraversal::force`](ike_sm::config::NatTraversal) is on.
    Esp,
}

impl Transmit {
    /// An IKE message or a keepalive on `path`.
    pub(crate) const fn ike(path: Path) -> Self {
        Self {
            path,
            carrier: Carrier::Udp,
            dont_fragment: false,
            traffic_class: 0,
            child: None,
        }
    }
}
