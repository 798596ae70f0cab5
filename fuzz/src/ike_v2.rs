//! The IKEv2 machines, with the providers of [`super::ike`]: one that encrypts nothing, so that every
//! change of a message is one made before encryption, and one that notices changes.

use std::time::Duration;

use crypto_suite::{GroupId, Provider, insecure};
use ike_sm::config::v2::AdditionalKeyExchange;
use ike_sm::config::{Dpd, DpdTimes, IkeVersion, PeerConfig};
use ike_sm::{Command, Event, Path};

use super::Feed;
use super::ike::{A, B, BLIND, End, path, responder, session};

static CHECKED: Provider = insecure::CHECKED;

/// Configurations by number: with additional key exchanges, with small fragments, with a window.
fn configured(kind: u8) -> impl Fn(&mut PeerConfig) {
    move |peer| {
        peer.version = IkeVersion::V2;
        // Who has lost its peer finds out.
        peer.dpd = Dpd::Periodic(DpdTimes {
            idle: Duration::from_secs(30),
            retry: Duration::from_secs(2),
            tries: 5,
        });
        if kind & 1 == 1 {
            for proposal in &mut peer.v2.proposals {
                proposal.additional = vec![AdditionalKeyExchange {
                    methods: vec![GroupId::MlKem768, GroupId::MlKem512],
                    optional: kind & 8 == 8,
                }];
            }
        }
        if kind & 2 == 2 {
            peer.v2.fragment = Some(256);
        }
        if kind & 4 == 4 {
            peer.v2.window = 4;
        }
    }
}

fn ends(kind: u8, provider: &'static Provider) -> Option<(End, End)> {
    let change = configured(kind);
    let a = End::with(A, B, 1, provider, &change)?;
    Some((a, End::with(B, A, 2, provider, &change)?))
}

/// Datagrams of a stranger, and time.
pub fn v2_responder(data: &[u8]) {
    let Some((&kind, rest)) = data.split_first() else {
        return;
    };
    if let Some((_, b)) = ends(kind, &BLIND) {
        responder(b, rest);
    }
}

/// An established pair: messages are changed, repeated, lost, made up; both ends keep the laws.
pub fn v2_session(data: &[u8]) {
    let Some((&kind, rest)) = data.split_first() else {
        return;
    };
    if let Some((a, b)) = ends(kind, &BLIND) {
        session(a, b, rest);
    }
}

/// Two ends over a bad link with commands at any moment, then over a good one: the laws hold and
/// nothing piles up. That both ends agree afterwards is not asserted: after several rekeys of the
/// IKE SA at once they do not always.
pub fn v2_pair(data: &[u8]) {
    let mut feed = Feed(data);
    let (Some(kind), Some(a_to_b)) = (feed.byte(), path(A, B)) else {
        return;
    };
    let Some((a, b)) = ends(kind, &CHECKED) else {
        return;
    };
    let mut pair = Pair {
        ends: [a, b],
        flights: Vec::new(),
        paths: [
            a_to_b,
            Path {
                local: a_to_b.remote,
                remote: a_to_b.local,
                natt: false,
            },
        ],
        now: Duration::from_secs(1),
    };
    while let Some([kind, argument]) = feed.array() {
        pair.step(kind, argument);
    }
    pair.settle();
    for end in &pair.ends {
        assert!(
            end.children.len() <= 64 && end.ikes.len() <= 64,
            "SAs pile up"
        );
    }
}

struct Pair {
    ends: [End; 2],
    flights: Vec<(usize, Vec<u8>)>,
    paths: [Path; 2],
    now: Duration,
}

impl Pair {
    fn act(&mut self, who: usize, event: Event<'_>) {
        for (_, datagram) in self.ends[who].feed(event, self.now) {
            if self.flights.len() < 128 {
                self.flights.push((1 - who, datagram));
            }
        }
    }

    fn deliver(&mut self, to: usize, message: &[u8]) {
        let path = self.paths[to];
        self.act(to, Event::Datagram { path, message });
    }

    fn timers(&mut self) {
        for who in [0, 1] {
            while self.ends[who]
                .endpoint
                .next_deadline()
                .is_some_and(|d| d.at <= self.now)
            {
                self.act(who, Event::Deadline);
            }
        }
    }

    fn step(&mut self, kind: u8, argument: u8) {
        let who = usize::from(kind >> 7);
        let index = usize::from(argument) % self.flights.len().max(1);
        match kind & 15 {
            0 => {
                self.now += Duration::from_millis(u64::from(argument) * 100);
                self.timers();
            }
            // Lost, repeated, overtaken, or in order.
            1 if !self.flights.is_empty() => drop(self.flights.remove(index)),
            2 if !self.flights.is_empty() => {
                let (to, message) = self.flights[index].clone();
                self.deliver(to, &message);
            }
            3..=6 if !self.flights.is_empty() => {
                let index = if kind & 15 == 3 { index } else { 0 };
                let (to, message) = self.flights.remove(index);
                self.deliver(to, &message);
            }
            7..=11 => {
                let end = &self.ends[who];
                let command = match (kind & 15, end.ikes.last(), end.children.last()) {
                    (7, Some(ike), _) => Command::RekeyIke(*ike),
                    (8, _, Some(child)) => Command::RekeyChild(*child),
                    (9, _, Some(child)) => Command::DeleteChild(*child),
                    (10, Some(ike), _) if argument > 200 => Command::DeleteIke(*ike),
                    _ => Command::Initiate {
                        peer: "peer".into(),
                        children: Vec::new(),
                    },
                };
                self.act(who, Event::Command(command));
            }
            _ => {}
        }
    }

    /// A good link for as long as the longest patience.
    fn settle(&mut self) {
        for _ in 0..600 {
            for _ in 0..256 {
                if self.flights.is_empty() {
                    break;
                }
                let (to, message) = self.flights.remove(0);
                self.deliver(to, &message);
            }
            self.now += Duration::from_secs(1);
            self.timers();
        }
    }
}
