//! Who is heard in the log: this gateway and its authenticated peers with all that they do, strangers as far as
//! [`Strangers`](crate::gateway::strangers::Strangers) admits.

use super::{Engine, drop_word};
use crate::gateway::strangers::{Kind, Reason};
use ike_sm::{Outcome, explain::Record};
use std::{net::IpAddr, time::Duration};

/// Datagrams of negotiations that are told in each second, of one source prefix: some negotiations whole.
const NEGOTIATIONS: u32 = 50;

/// Whose doings are being told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Voice {
    /// Ours, or those of a peer that has authenticated itself.
    Known,
    /// A datagram's that nothing has authenticated yet.
    Stranger(Reason, IpAddr),
    /// A stranger's who is not heard for now.
    Hushed,
}

impl Voice {
    /// Of a datagram that came `from` there, and what became of it.
    pub(super) fn of(outcome: &Outcome, from: IpAddr) -> Self {
        let reason = match outcome {
            Outcome::Dropped(reason) => Reason {
                what: drop_word(reason),
                kind: Kind::of(reason),
                each_second: 1,
            },
            _ => Reason {
                what: "IKE: messages of negotiations",
                kind: Kind::of(&"taken"),
                each_second: NEGOTIATIONS,
            },
        };
        Self::Stranger(reason, from)
    }
}

impl Engine {
    /// Tells what a protocol machine has done.
    pub(super) fn report(&mut self, record: &Record, now: Duration) {
        if let Voice::Stranger(reason, from) = self.voice {
            // What was dropped proves nothing, whatever SA it names.
            let dropped = reason.each_second == 1;
            let known = !dropped && record.ike.is_some_and(|ike| self.up.contains(&ike));
            let heard = known || self.strangers.admit(reason, from, now);
            // One datagram is told as a whole or not at all.
            self.voice = if heard { Voice::Known } else { Voice::Hushed };
        }
        if !matches!(self.voice, Voice::Hushed) {
            self.log.record(record);
        }
    }

    /// Notes what somebody at `from` can cause with every packet.
    pub(super) fn note_of(&mut self, what: &'static str, from: IpAddr, text: &str, now: Duration) {
        let reason = Reason {
            what,
            kind: Kind::of(&""),
            each_second: 1,
        };
        if self.strangers.admit(reason, from, now) {
            self.log.note(text);
        }
    }

    /// Tells how much was not told.
    pub(super) fn tell_hushed(&mut self, now: Duration) {
        for line in self.strangers.due(now) {
            self.log.note(&line);
        }
    }
}
