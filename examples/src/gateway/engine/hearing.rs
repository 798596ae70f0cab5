//! Who is heard in the log: this gateway and its authenticated peers with all that they do, strangers as far as
//! [`Strangers`](crate::gateway::strangers::Strangers) admits.

use super::{Engine, drop_word};
use crate::gateway::strangers::{Kind, Reason};
use ike_sm::{Event, IkeId, Outcome, explain::Record};
use std::{collections::BTreeSet, net::IpAddr, time::Duration};

/// Datagrams of negotiations that are told in each second, of one source prefix: some negotiations whole.
const NEGOTIATIONS: u32 = 50;
/// What comes of negotiations later and names no source, in each second: answers to questions, and of those whose time is
/// over each record.
const LATER: u32 = 200;
/// IKE SAs that we began, from which on those that are over are looked for.
const MANY: usize = 256;

/// Whose doings are being told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Voice {
    /// Ours.
    Ours,
    /// Time's: each record is its IKE SA's.
    Time,
    /// Those of a peer that has authenticated itself.
    Known,
    /// Those of a stranger who is heard.
    Heard,
    /// Those of somebody whom nothing has authenticated yet, and of whom nothing was told yet.
    Stranger(Reason, Option<IpAddr>),
    /// A stranger's who is not heard for now.
    Hushed,
}

/// Where an event comes from, if its doings are not those of the event that led to it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    Datagram(IpAddr),
    /// What was asked for somebody whom nothing has authenticated yet.
    Answer,
    Time,
}

impl Origin {
    /// Whose doings the event is that had this outcome.
    pub(super) fn voice(self, outcome: &Outcome) -> Voice {
        let from = match self {
            Self::Time => return Voice::Time,
            Self::Datagram(from) => Some(from),
            Self::Answer => None,
        };
        let reason = match outcome {
            Outcome::Dropped(reason) => Reason {
                what: drop_word(reason),
                kind: Kind::of(reason),
                each_second: 1,
            },
            _ => negotiations("taken", if from.is_some() { NEGOTIATIONS } else { LATER }),
        };
        Voice::Stranger(reason, from)
    }
}

fn negotiations(kind: &str, each_second: u32) -> Reason {
    Reason {
        what: "IKE: messages of negotiations",
        kind: Kind::of(&format_args!("{kind}")),
        each_second,
    }
}

/// IKE SAs that we began. A stranger's has its first record when a datagram comes, one of ours before that.
#[derive(Debug, Default)]
pub(super) struct Begun {
    ours: BTreeSet<IkeId>,
    /// Handles are given in order.
    newest: Option<IkeId>,
}

impl Begun {
    fn note(&mut self, ike: IkeId, ours: bool) {
        if self.newest.is_none_or(|newest| newest < ike) {
            self.newest = Some(ike);
            if ours {
                self.ours.insert(ike);
            }
        }
    }

    pub(super) fn closed(&mut self, ike: IkeId) {
        self.ours.remove(&ike);
    }
}

impl Engine {
    /// Where `event` comes from, before it is worked off.
    pub(super) fn origin(&self, event: &Event<'_>) -> Option<Origin> {
        match event {
            Event::Datagram { path, .. } => Some(Origin::Datagram(path.remote.ip())),
            Event::Deadline => Some(Origin::Time),
            // What is asked while a stranger is worked off and answered at once is of that stranger's voice.
            Event::Answer(ticket, _) if matches!(self.voice, Voice::Ours | Voice::Time) => {
                let unproved = self.endpoint().is_unproved(*ticket);
                unproved.then_some(Origin::Answer)
            }
            _ => None,
        }
    }

    /// Tells what a protocol machine has done.
    pub(super) fn report(&mut self, record: &Record, now: Duration) {
        if let Some(ike) = record.ike {
            let ours = matches!(self.voice, Voice::Ours | Voice::Time);
            self.begun.note(ike, ours);
        }
        let known = |ike| self.up.contains(&ike) || self.begun.ours.contains(&ike);
        let heard = match self.voice {
            Voice::Ours | Voice::Known => Voice::Known,
            Voice::Heard => Voice::Heard,
            Voice::Hushed => Voice::Hushed,
            Voice::Time if record.ike.is_none_or(known) => Voice::Known,
            Voice::Time => {
                let reason = negotiations("over", LATER);
                self.admitted(reason, None, now)
            }
            Voice::Stranger(reason, from) => {
                // What was dropped proves nothing, whatever SA it names.
                let dropped = reason.each_second == 1;
                let voice = if !dropped && record.ike.is_some_and(known) {
                    Voice::Known
                } else {
                    self.admitted(reason, from, now)
                };
                // One datagram is told as a whole or not at all.
                self.voice = voice;
                voice
            }
        };
        if matches!(heard, Voice::Hushed) {
            return;
        }
        let lines = self.log.record(record);
        if matches!(heard, Voice::Heard) {
            self.strangers.printed(lines);
        }
    }

    fn admitted(&mut self, reason: Reason, from: Option<IpAddr>, now: Duration) -> Voice {
        if self.strangers.admit(reason, from, now) {
            Voice::Heard
        } else {
            Voice::Hushed
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
            self.strangers.printed(1);
            self.log.note(text);
        }
    }

    /// Tells how much was not told.
    pub(super) fn tell_hushed(&mut self, now: Duration) {
        for line in self.strangers.due(now) {
            self.log.note(&line);
        }
        if self.begun.ours.len() > MANY {
            let there: BTreeSet<IkeId> = self.endpoint().ike_sas().map(|sa| sa.id).collect();
            self.begun.ours.retain(|ike| there.contains(ike));
        }
    }

    /// Tells it when there is no later.
    pub(super) fn tell_rest(&mut self, now: Duration) {
        for line in self.strangers.last_words(now) {
            self.log.note(&line);
        }
    }
}
