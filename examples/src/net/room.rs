//! How much a socket holds for us while we are busy.

use nix::sys::socket::{setsockopt, sockopt};
use std::os::fd::AsFd;

/// Octets of packets, with the kernel's own book-keeping, that wait in a socket.
const ROOM: usize = 4 << 20;

/// Gives a receiving socket room for a burst of packets: with `CAP_NET_ADMIN` past the machine's limit
/// (`net.core.rmem_max`, often 208 KiB), without it up to there.
///
/// A raw socket that overflows does worse than to lose packets: Linux then takes their protocol for one that nobody
/// listens to, and over IPv6 tells the sender so (ICMPv6 parameter problem, unrecognized next header).
pub(super) fn for_bursts(socket: &impl AsFd) {
    let _less = setsockopt(socket, sockopt::RcvBufForce, &ROOM)
        .or_else(|_| setsockopt(socket, sockopt::RcvBuf, &ROOM));
}
