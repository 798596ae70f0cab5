//! Who is heard in the log: this gateway and its authenticated peers with all that they do, strangers as far as
//! [`Strangers`](crate::gateway::strangers::Strangers) admits.

use super::{Engine, drop_word};
use crate::gateway::strangers::{Kind, Reason};
use ike_sm::{Event, Outcome, explain::Record};
use std::{net::IpAddr, time::Duration};

/// Datagrams of negotiations that are told in each second, of one source prefix: some negotiations whole.
const NEGOTIATIONS: u32 = 50;
/// Answers to questions of negotiations, which come later and name no source, of all together.
const ANSWERS: u32 = 200;

/// Whose doings are being told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Voice {
    /// Ours.
    Ours,
    /// Those of a peer that has authenticated itself, or of a stranger who is heard.
    Heard,
    /// Those of somebody whom nothing has authenticated yet, and of whom nothing was told yet.
    Stranger(Reason, Option<IpAddr>),
    /// A stranger's who is not heard for now.
    Hushed,
}

impl Voice {
    /// While `event` is worked off; `self` is whose doings led to it. None where they go on.
    pub(super) fn at(self, event: &Event<'_>) -> Option<impl FnOnce(&Outcome) -> Self + use<>> {
        let from = match event {
            Event::Datagram { path, .. } => Some(path.remote.ip()),
            Event::Answer(..) if matches!(self, Self::Ours) => None,
            _ => return None,
        };
        Some(move |outcome: &Outcome| {
            let reason = match outcome {
                Outcome::Dropped(reason) => Reason {
                    what: drop_word(reason),
                    kind: Kind::of(reason),
                    each_second: 1,
                },
                _ => Reason {
                    what: "IKE: messages of negotiations",
                    kind: Kind::of(&"taken"),
                    each_second: if from.is_some() {
                        NEGOTIATIONS
                    } else {
                        ANSWERS
                    },
                },
            };
            Self::Stranger(reason, from)
        })
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
            self.voice = if heard { Voice::Heard } else { Voice::Hushed };
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
        if self.strangers.admit(reason, Some(from), now) {
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
