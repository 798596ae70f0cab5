//! The inner side of the gateway: a TUN device, or an embedded IP stack where none may be made.

mod stack;

pub use stack::{Pinger, Stack};

use crate::net::tun::Tun;
use std::{io, time::Duration};

/// Where inner packets come from and go to.
pub enum Inside {
    /// The kernel, through a TUN device.
    Tun(Tun),
    /// An IP stack of our own.
    Stack(Box<Stack>),
}

impl Inside {
    /// Takes one packet that wants out.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn recv(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tun(tun) => tun.recv(buffer),
            Self::Stack(stack) => stack.recv(buffer),
        }
    }

    /// Delivers one packet that came in.
    ///
    /// # Errors
    /// It is refused.
    pub fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        match self {
            Self::Tun(tun) => tun.send(packet),
            Self::Stack(stack) => {
                stack.send(packet);
                Ok(())
            }
        }
    }

    /// The embedded stack, if that is what it is.
    #[must_use]
    pub fn stack(&self) -> Option<&Stack> {
        match self {
            Self::Tun(_) => None,
            Self::Stack(stack) => Some(stack),
        }
    }

    /// Whether packets come from the kernel, which announces them.
    #[must_use]
    pub const fn is_kernel(&self) -> bool {
        matches!(self, Self::Tun(_))
    }

    /// Lets an embedded stack work.
    pub fn poll(&mut self, now: Duration) {
        if let Self::Stack(stack) = self {
            stack.poll(now);
        }
    }

    /// When an embedded stack wants to work next.
    pub fn next_deadline(&mut self, now: Duration) -> Option<Duration> {
        match self {
            Self::Tun(_) => None,
            Self::Stack(stack) => stack.next_deadline(now),
        }
    }
}
