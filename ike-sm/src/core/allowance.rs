//! How much goes to an address before its peer is authenticated.
//!
//! As RFC 9000 §8.1 has it for QUIC: "endpoints MUST limit the amount of data sent to the unvalidated
//! address to three times the amount of data received from that address". Here all messages of a
//! negotiation count, repetitions included, from the IKE header on. What shows that an address
//! receives is a cookie that comes back, or a message that can only be made with what went there.

use core::fmt;
use core::net::IpAddr;

use crate::model::Path;

/// "three times the amount of data received"
const FACTOR: usize = 3;

/// How often one answer goes out again before its peer is authenticated, where the address is proved.
const MOST_REPEATS: u8 = 10;

/// The longest answer to this many octets from an address that has shown nothing.
pub(crate) const fn most_for(octets: usize) -> usize {
    octets.saturating_mul(FACTOR)
}

/// Where an answer goes again before its peer is authenticated: nothing proves where a copy of a
/// request comes from, so where the first one came from and nowhere else, and not without end.
#[derive(Clone, Copy)]
pub(crate) struct Again {
    to: Path,
    left: u8,
}

impl Again {
    /// The request came by this path.
    pub(crate) const fn new(to: Path) -> Self {
        Self {
            to,
            left: MOST_REPEATS,
        }
    }

    /// Whether a copy that came by this path is answered.
    pub(crate) fn take(&mut self, path: Path) -> bool {
        let left = self.left.checked_sub(1).filter(|_| path == self.to);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }
}

impl fmt::Debug for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is left changes with each copy that comes, and no SA with it.
        self.to.fmt(f)
    }
}

/// What may be sent in a negotiation that a peer has started, and where to.
#[derive(Clone)]
pub(crate) struct Allowance {
    /// Where the first message came from.
    home: IpAddr,
    /// Octets that may still go there; no bound once it is proved.
    at_home: Option<usize>,
    /// The address that the peer, or somebody who says so, has gone to, and the octets that may still
    /// go there.
    away: Option<(IpAddr, usize)>,
    /// Datagrams of the current answer that have gone out. One that may not go out at once goes on
    /// from here when the request comes again.
    sent: usize,
}

impl Allowance {
    /// A first message of so many octets came from this address.
    pub(crate) const fn new(home: IpAddr, octets: usize, proved: bool) -> Self {
        Self {
            home,
            at_home: if proved { None } else { Some(most_for(octets)) },
            away: None,
            sent: 0,
        }
    }

    /// The peer has shown that it gets what goes to the address that it began at. Of another one that
    /// shows nothing: whoever has the keys can send from there without receiving there.
    pub(crate) const fn prove(&mut self) {
        self.at_home = None;
    }

    /// So many octets have come from this address; of a `new` message another answer is sent.
    pub(crate) fn received(&mut self, from: IpAddr, octets: usize, new: bool) {
        if new {
            self.sent = 0;
        }
        let more = most_for(octets);
        if from == self.home {
            self.at_home = self.at_home.map(|left| left.saturating_add(more));
        } else {
            let known = self.away.filter(|(address, _)| *address == from);
            let left = known.map_or(0, |(_, left)| left);
            self.away = Some((from, left.saturating_add(more)));
        }
    }

    /// Takes what the next datagrams of an answer need, as far as it goes: those of these `lengths`
    /// from the returned place on, in a circle, and how many.
    pub(crate) fn take(&mut self, to: IpAddr, lengths: &[usize]) -> (usize, usize) {
        let all = lengths.len();
        let left = if to == self.home {
            self.at_home
        } else {
            Some(
                self.away
                    .filter(|(address, _)| *address == to)
                    .map_or(0, |(_, left)| left),
            )
        };
        let Some(left) = left else {
            self.sent = 0;
            return (0, all);
        };
        let first = self.sent;
        let (mut rest, mut count) = (left, 0_usize);
        for length in lengths.iter().cycle().skip(first).take(all) {
            let Some(after) = rest.checked_sub(*length) else {
                break;
            };
            (rest, count) = (after, count.saturating_add(1));
        }
        self.sent = first.saturating_add(count).checked_rem(all).unwrap_or(0);
        if to == self.home {
            self.at_home = Some(rest);
        } else {
            self.away = Some((to, rest));
        }
        (first, count)
    }
}

impl fmt::Debug for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is left changes with each copy that comes, and no SA with it.
        self.home.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1));
    const AWAY: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(203, 0, 113, 1));

    #[test]
    fn x6_an_address_that_has_shown_nothing_gets_three_octets_for_one() {
        let mut allowance = Allowance::new(HOME, 100, false);
        assert_eq!(allowance.take(HOME, &[250]), (0, 1));
        assert_eq!(allowance.take(HOME, &[250]), (0, 0));
        // With each copy it is more, and never more than three for one.
        let mut sent = 250;
        for copies in 2..50 {
            allowance.received(HOME, 100, false);
            sent += 250 * allowance.take(HOME, &[250]).1;
            assert!(sent <= copies * 300);
        }
        assert!(sent > 48 * 250);
        allowance.prove();
        assert_eq!(allowance.take(HOME, &[60_000, 60_000]), (0, 2));
    }

    #[test]
    fn x6_an_answer_goes_again_where_its_request_came_from_and_not_without_end() {
        let [path, other] =
            [500, 501].map(|port| Path::plain((HOME, 500).into(), (AWAY, port).into()));
        let mut again = Again::new(path);
        let natt = Path { natt: true, ..path };
        assert!(!again.take(other) && !again.take(natt));
        for _ in 0..MOST_REPEATS {
            assert!(again.take(path));
        }
        assert!(!again.take(path));
    }

    #[test]
    fn x6_what_home_has_shown_counts_for_nothing_elsewhere() {
        let mut allowance = Allowance::new(HOME, 100, true);
        assert_eq!(allowance.take(AWAY, &[1]), (0, 0));
        allowance.received(AWAY, 66, true);
        assert_eq!(allowance.take(AWAY, &[4872]), (0, 0));
        assert_eq!(allowance.take(AWAY, &[198]), (0, 1));
        assert_eq!(allowance.take(HOME, &[4872]), (0, 1));
    }

    #[test]
    fn x6_fragments_that_may_not_go_at_once_go_one_after_the_other() {
        let mut allowance = Allowance::new(HOME, 100, true);
        let fragments = [500, 500, 500, 100];
        allowance.received(AWAY, 200, true);
        assert_eq!(allowance.take(AWAY, &fragments), (0, 1));
        allowance.received(AWAY, 200, false);
        assert_eq!(allowance.take(AWAY, &fragments), (1, 1));
        allowance.received(AWAY, 200, false);
        assert_eq!(allowance.take(AWAY, &fragments), (2, 2));
        allowance.received(AWAY, 200, false);
        assert_eq!(allowance.take(AWAY, &fragments), (0, 1));
        // Another answer begins with its first.
        allowance.received(AWAY, 200, true);
        assert_eq!(allowance.take(AWAY, &fragments), (0, 1));
    }
}
