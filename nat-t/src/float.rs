//! Moving IKE from port 500 to port 4500 (RFC 3947 §4, RFC 7296 §2.23).

use core::net::SocketAddr;

use crate::classify::{IKE_PORT, NAT_T_PORT};
use crate::detect::Verdict;

/// Whether and how one IKE SA moves to port 4500.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Float {
    /// There is no NAT: both ports stay.
    Stay,
    /// The exchange began on 4500 (a rekey, RFC 3947 §4): nothing moves, the marker is there.
    Already,
    /// Set both ports to 4500 and prepend the marker from the next message on: the one with the
    /// ID payload in main mode, the last of aggressive mode, IKE_AUTH in version 2.
    Move {
        /// The local port to send from.
        local_port: u16,
        /// The peer's port to send to.
        remote_port: u16,
    },
}

/// What an initiator does once it knows the verdict. `local_port` and `remote_port` are those of
/// the exchange so far.
///
/// An embedder that bound other ports than 500 and 4500 (a test, a user-space stack) tells its
/// own pair as `ike` and `nat_t`; [`float`] uses the registered ones.
#[must_use]
pub const fn float_with(
    verdict: Verdict,
    local_port: u16,
    nat_t_local: u16,
    nat_t_remote: u16,
) -> Float {
    if local_port == nat_t_local {
        return Float::Already;
    }
    if verdict.nat() {
        Float::Move {
            local_port: nat_t_local,
            remote_port: nat_t_remote,
        }
    } else {
        Float::Stay
    }
}

/// What an initiator does where the registered ports are used, see [`float_with`].
#[must_use]
pub const fn float(verdict: Verdict, local_port: u16) -> Float {
    float_with(verdict, local_port, NAT_T_PORT, NAT_T_PORT)
}

/// What a message's ports say about an IKE SA that has moved to 4500.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldPort {
    /// The message came on the port in use.
    Current,
    /// It came on port 500 after the move: an old packet (RFC 3947 §4). A main or aggressive mode
    /// message with the cookies of this SA is to be dropped, an informational one may be
    /// processed, a new exchange is processed normally.
    Stale,
}

/// Whether a message that arrived on `local_port` belongs to the time before the move.
#[must_use]
pub const fn old_port(floated: bool, local_port: u16) -> OldPort {
    if floated && local_port == IKE_PORT {
        OldPort::Stale
    } else {
        OldPort::Current
    }
}

/// The responder's rule: after a message was authenticated, answer where it came from.
///
/// `current` is the peer's address in use, `seen` the source of a **newly authenticated** message
/// that is not a replay, `floats` is true for the first message on port 4500 of an SA that began
/// on 500. Returns the address to use from now on if it changes.
#[must_use]
pub fn follow(
    verdict: Verdict,
    floats: bool,
    current: SocketAddr,
    seen: SocketAddr,
) -> Option<SocketAddr> {
    // RFC 3947 §7: ends "that are NOT behind NAT SHOULD use the last valid" packet's address, and
    // "The host behind dynamic NAT MUST NOT": its peer does not move.
    (current != seen && (floats || verdict.follows_peer())).then_some(seen)
}

#[cfg(test)]
mod tests;
