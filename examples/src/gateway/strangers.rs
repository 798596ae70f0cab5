//! What strangers cause to be logged: for each reason, source prefix and second one line, and a count of the rest.
//!
//! Anybody can send a datagram that is dropped, and a spoofed source costs nothing. So the log tells the first of a kind,
//! counts those that follow, and tells the count when the second is over. The table is bounded; where it is full, all
//! other sources of a reason share one entry. All strangers together have a number of lines that grows slowly: a flood
//! from everywhere, which has a line for each prefix and second, fills no disk either.

use ipnet::IpNet;
use std::{collections::BTreeMap, net::IpAddr, time::Duration};

/// One line each.
const INTERVAL: Duration = Duration::from_secs(1);
/// Lines that all strangers together may cause at once: some dozens of negotiations, whole.
const MOST_LINES: i64 = 2_000;
/// Time after which there may be one more.
const LINE_INTERVAL: Duration = Duration::from_millis(20);
/// Source prefixes that are told apart, those of all reasons together.
const MAX_PREFIXES: usize = 64;
/// Prefix lengths that stand for one source: what is handed out to one network at the most usual.
const PREFIX_V4: u8 = 24;
const PREFIX_V6: u8 = 56;

/// Why a line would be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// In a few words, for the line about those that were not printed.
    pub what: &'static str,
    /// Tells kinds apart that share the words.
    pub kind: Kind,
    /// How many are printed in each second.
    pub each_second: u32,
}

/// The first letters of a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind([u8; 24]);

impl Kind {
    /// Of a variant without its fields.
    #[must_use]
    pub fn of(variant: &impl std::fmt::Debug) -> Self {
        use std::fmt::Write;
        struct Name(Kind, usize);
        impl Write for Name {
            fn write_str(&mut self, text: &str) -> std::fmt::Result {
                for octet in text.bytes() {
                    match self.0.0.get_mut(self.1) {
                        Some(room) if octet.is_ascii_alphanumeric() => *room = octet,
                        // The name is over, and formatting with it.
                        _ => return Err(std::fmt::Error),
                    }
                    self.1 += 1;
                }
                Ok(())
            }
        }
        let mut name = Name(Self([0; 24]), 0);
        let _ = write!(name, "{variant:?}");
        name.0
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// What was said within the last second, and what was not.
#[derive(Debug)]
pub struct Strangers {
    /// By reason and source prefix; without a prefix, all sources that have no entry of their own.
    said: BTreeMap<(Reason, Option<IpNet>), Said>,
    /// Lines that may still be printed, of all together. What is told as a whole may take more than there are: then this
    /// is negative, and nothing is told until it has grown.
    lines: i64,
    /// When `lines` last grew.
    grew: Duration,
    /// Counts for which there was no line, and when they are told.
    rest: u64,
    rest_due: Duration,
}

impl Default for Strangers {
    fn default() -> Self {
        Self {
            said: BTreeMap::new(),
            lines: MOST_LINES,
            grew: Duration::ZERO,
            rest: 0,
            rest_due: Duration::ZERO,
        }
    }
}

#[derive(Debug)]
struct Said {
    /// When the second is over.
    until: Duration,
    /// How many may still be printed in it.
    left: u32,
    hushed: u64,
}

impl Strangers {
    /// Whether what `from` has caused for `reason` may be printed now; if not, it is counted. Where nobody knows where it
    /// came from, all share one entry.
    pub fn admit(&mut self, reason: Reason, from: Option<IpAddr>, now: Duration) -> bool {
        self.grow(now);
        let mut key = (reason, from.map(prefix));
        if self.said.len() >= MAX_PREFIXES && !self.said.contains_key(&key) {
            key = (reason, None);
        }
        let said = self.said.entry(key).or_insert(Said {
            until: now + INTERVAL,
            left: reason.each_second,
            hushed: 0,
        });
        if said.left == 0 || self.lines <= 0 {
            said.hushed += 1;
            return false;
        }
        said.left -= 1;
        true
    }

    /// Notes that so many lines were printed of what was [admitted](Self::admit).
    pub fn printed(&mut self, lines: usize) {
        self.lines = self
            .lines
            .saturating_sub(i64::try_from(lines).unwrap_or(i64::MAX));
    }

    fn grow(&mut self, now: Duration) {
        let most = u32::try_from(MOST_LINES.saturating_sub(self.lines)).unwrap_or(u32::MAX);
        let more = now.saturating_sub(self.grew).as_nanos() / LINE_INTERVAL.as_nanos();
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if more >= most {
            (self.lines, self.grew) = (MOST_LINES, now);
        } else {
            self.lines += i64::from(more);
            self.grew += LINE_INTERVAL * more;
        }
    }

    /// Lines about what was not printed in the seconds that are over. An entry that had nothing to hush goes.
    pub fn due(&mut self, now: Duration) -> Vec<String> {
        self.due_unless(now, false)
    }

    /// Lines about all that was not printed, for a program that ends: nothing is hushed any more.
    pub fn last_words(&mut self, now: Duration) -> Vec<String> {
        self.due_unless(now, true)
    }

    fn due_unless(&mut self, now: Duration, last: bool) -> Vec<String> {
        self.grow(now);
        let (left, rest) = (&mut self.lines, &mut self.rest);
        let mut lines = Vec::new();
        self.said.retain(|(reason, prefix), said| {
            if now < said.until && !last {
                return true;
            }
            if said.hushed == 0 {
                return false;
            }
            if *left > 0 {
                *left -= 1;
                let from = prefix.map_or("elsewhere".to_owned(), |prefix| prefix.to_string());
                lines.push(format!("{} more from {from}: {}", said.hushed, reason.what));
            } else {
                *rest += said.hushed;
            }
            // This line is the one of the second that begins.
            *said = Said {
                until: now + INTERVAL,
                left: reason.each_second - 1,
                hushed: 0,
            };
            true
        });
        if self.rest > 0 && (last || self.rest_due <= now) {
            lines.push(format!("{} more from strangers, of all kinds", self.rest));
            (self.rest, self.rest_due) = (0, now + INTERVAL);
        }
        lines
    }

    /// When [`due`](Self::due) has something to say.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let rest = (self.rest > 0).then_some(self.rest_due);
        self.said.values().map(|said| said.until).chain(rest).min()
    }
}

fn prefix(from: IpAddr) -> IpNet {
    let length = if from.is_ipv4() { PREFIX_V4 } else { PREFIX_V6 };
    // The length fits the family.
    IpNet::new(from, length).map_or(IpNet::from(from), |net| net.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REASON: Reason = Reason {
        what: "IKE: malformed",
        kind: Kind([0; 24]),
        each_second: 1,
    };

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn x10_one_line_for_each_reason_prefix_and_second_and_a_count_of_the_rest() {
        let mut strangers = Strangers::default();
        let other = Reason {
            what: "IKE: unknown cookies",
            ..REASON
        };
        assert!(strangers.admit(REASON, ip("192.0.2.1"), at(0)));
        for n in 0..5000 {
            assert!(!strangers.admit(REASON, ip("192.0.2.99"), at(n / 10)));
        }
        // Another reason, another prefix: lines of their own.
        assert!(strangers.admit(other, ip("192.0.2.1"), at(1)));
        assert!(strangers.admit(REASON, ip("192.0.3.1"), at(1)));
        assert!(strangers.admit(REASON, ip("2001:db8::1"), at(1)));
        assert!(
            !strangers.admit(REASON, ip("2001:db8:0:ff::1"), at(2)),
            "one /56"
        );
        assert!(strangers.admit(REASON, ip("2001:db8:0:100::1"), at(2)));
        assert_eq!(strangers.next_deadline(), Some(at(1000)));
        assert!(strangers.due(at(999)).is_empty());
        let mut lines = strangers.due(at(1002));
        lines.sort();
        assert_eq!(
            lines,
            [
                "1 more from 2001:db8::/56: IKE: malformed",
                "5000 more from 192.0.2.0/24: IKE: malformed",
            ]
        );
        // The count was this second's line.
        assert!(!strangers.admit(REASON, ip("192.0.2.1"), at(1500)));
        assert_eq!(
            strangers.due(at(2002)),
            ["1 more from 192.0.2.0/24: IKE: malformed"]
        );
        // Quiet seconds are forgotten.
        assert!(strangers.due(at(3002)).is_empty());
        assert_eq!(strangers.next_deadline(), None);
        assert!(strangers.admit(REASON, ip("192.0.2.1"), at(3003)));
    }

    #[test]
    fn x10_spoofed_sources_without_number_fill_a_table_and_no_log() {
        let mut strangers = Strangers::default();
        let printed = (0..100_000_u32)
            .filter(|n| strangers.admit(REASON, Some((n << 8).to_be_bytes().into()), at(0)))
            .count();
        assert_eq!(printed, MAX_PREFIXES + 1);
        assert_eq!(strangers.said.len(), MAX_PREFIXES + 1);
        let lines = strangers.due(at(1000));
        let hushed = 100_000 - printed;
        assert_eq!(
            lines,
            [format!("{hushed} more from elsewhere: IKE: malformed")]
        );
    }

    /// Negotiations from everywhere, each told as a whole, with the lines about those that are not.
    #[test]
    fn x10_a_flood_from_all_prefixes_together_has_a_number_of_lines_that_grows_slowly() {
        const EACH: usize = 30;
        let taken = Reason {
            what: "IKE: messages of negotiations",
            each_second: 50,
            ..REASON
        };
        let (mut strangers, mut lines, mut counted) = (Strangers::default(), 0, 0);
        let (mut told, mut now) = (0, 0);
        for n in 0..3_600_u32 * 200 {
            now = u64::from(n) * 5;
            let from = (n.wrapping_mul(0x9e37_79b9)).to_be_bytes();
            if strangers.admit(taken, Some(from.into()), at(now)) {
                strangers.printed(EACH);
                (lines, told) = (lines + EACH, told + 1);
            }
            while strangers.next_deadline().is_some_and(|due| due <= at(now)) {
                for line in strangers.due(at(now)) {
                    lines += 1;
                    counted += line.split(' ').next().unwrap().parse::<u64>().unwrap();
                }
            }
        }
        // Fifty a second, and one that counts those that have no line.
        assert!(lines <= 2_000 + 51 * 3_600 + EACH, "{lines} lines");
        assert!(lines >= 50 * 3_600, "{lines} lines");
        for line in strangers.last_words(at(now)) {
            counted += line.split(' ').next().unwrap().parse::<u64>().unwrap();
        }
        assert_eq!(counted + told, 3_600 * 200, "each is told or counted");
        assert!(strangers.last_words(at(now)).is_empty());
    }

    #[test]
    fn x10_kinds_are_told_apart_by_their_names_alone() {
        use ike_sm::DropReason as R;
        assert_eq!(Kind::of(&R::Notified(1)), Kind::of(&R::Notified(2)));
        assert_ne!(Kind::of(&R::Stale), Kind::of(&R::OldPath));
        let [one, other] = [0, 1].map(|major| R::Version { major, minor: 0 });
        assert_eq!(Kind::of(&one), Kind::of(&other));
    }
}
