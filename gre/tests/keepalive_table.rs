//! The keepalive machine: every state × every event, and recorded events replayed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use gre::keepalive::{Action, Config, DropReason, Event, Inbound, Keepalive, Outcome};
use gre::{Actions, Delivery, EtherType, Header, IpPacket};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

const US: [u8; 4] = [9, 1, 1, 146];
const PEER: [u8; 4] = [9, 1, 1, 35];
const PERIOD: Duration = Duration::from_secs(20);
const RETRIES: u8 = 3;

fn config() -> Config {
    Config {
        period: PERIOD,
        retries: RETRIES,
        key: Some(7),
        require_protection: true,
        ..Config::new(US.into(), PEER.into())
    }
}

/// IP and GRE around `payload`.
fn wrap(
    from: [u8; 4],
    to: [u8; 4],
    ttl: u8,
    key: u32,
    protocol: EtherType,
    payload: &[u8],
) -> Vec<u8> {
    let header = Header {
        key: Some(key),
        ..Header::new(protocol)
    };
    let delivery = Delivery {
        ttl,
        ..Delivery::new(from.into(), to.into())
    };
    let room = delivery.len() + header.len();
    let mut packet = vec![0; room];
    packet.extend_from_slice(payload);
    delivery.encapsulate(&header, &mut packet, room).unwrap();
    packet
}

fn request(ttl: u8) -> Vec<u8> {
    let inner = wrap(US, PEER, ttl, 7, EtherType::RESERVED_0, &[]);
    wrap(PEER, US, 255, 7, EtherType::IPV4, &inner)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Up, nothing outstanding.
    Answered,
    /// Up, one outstanding.
    Waiting,
    /// Up, as many outstanding as there are retries.
    Last,
    Down,
}

const STATES: [State; 4] = [State::Answered, State::Waiting, State::Last, State::Down];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    DeadlineEarly,
    Deadline,
    Data,
    OtherKey,
    OtherEnds,
    Unprotected,
    Returned,
    ReturnedOther,
    Request,
    RequestTtlUsedUp,
    RequestNested,
    RequestElsewhere,
}

const INPUTS: [Input; 12] = [
    Input::DeadlineEarly,
    Input::Deadline,
    Input::Data,
    Input::OtherKey,
    Input::OtherEnds,
    Input::Unprotected,
    Input::Returned,
    Input::ReturnedOther,
    Input::Request,
    Input::RequestTtlUsedUp,
    Input::RequestNested,
    Input::RequestElsewhere,
];

impl Input {
    fn packet(self) -> Option<Vec<u8>> {
        let data = wrap([10, 0, 0, 1], [10, 0, 0, 2], 64, 7, EtherType::IPV4, &[]);
        Some(match self {
            Self::DeadlineEarly | Self::Deadline => return None,
            Self::Data | Self::Unprotected => wrap(PEER, US, 255, 7, EtherType::IPV6, &data),
            Self::OtherKey => wrap(PEER, US, 255, 8, EtherType::IPV4, &data),
            Self::OtherEnds => wrap([9, 9, 9, 9], US, 255, 7, EtherType::IPV4, &data),
            Self::Returned => wrap(PEER, US, 253, 7, EtherType::RESERVED_0, &[]),
            Self::ReturnedOther => wrap(PEER, US, 253, 7, EtherType::RESERVED_0, &[1; 8]),
            Self::Request => request(255),
            Self::RequestTtlUsedUp => request(1),
            Self::RequestNested => {
                let inner = wrap(US, PEER, 255, 7, EtherType::IPV4, &request(255));
                wrap(PEER, US, 255, 7, EtherType::IPV4, &inner)
            }
            Self::RequestElsewhere => {
                let inner = wrap(US, [9, 9, 9, 9], 255, 7, EtherType::RESERVED_0, &[]);
                wrap(PEER, US, 255, 7, EtherType::IPV4, &inner)
            }
        })
    }

    /// What the machine has to answer, the state that follows, and what it wants done.
    fn expected(self, from: State) -> (Outcome, State, &'static [&'static str]) {
        use DropReason as R;
        let dropped = |reason| (Outcome::Dropped(reason), from, &[][..]);
        match (self, from) {
            (Self::DeadlineEarly, _) => dropped(R::NotDue),
            (Self::Deadline, State::Answered) => (Outcome::Handled, State::Waiting, &["Send"]),
            // One more is outstanding: neither of the states named here.
            (Self::Deadline, State::Waiting) => (Outcome::Handled, State::Waiting, &["Send"]),
            (Self::Deadline, State::Last) => (Outcome::Handled, State::Down, &["LinkDown", "Send"]),
            (Self::Deadline, State::Down) => (Outcome::Handled, State::Down, &["Send"]),
            (Self::Data, State::Down) => dropped(R::LineProtocolDown),
            (Self::Data, _) => (Outcome::Data, from, &[]),
            (Self::OtherKey, _) => dropped(R::Key),
            (Self::OtherEnds, _) => dropped(R::NotOurTunnel),
            (Self::Unprotected, _) => dropped(R::Unprotected),
            (Self::Returned | Self::ReturnedOther, State::Answered) => dropped(R::Unsolicited),
            (Self::Returned, State::Down) => (Outcome::Handled, State::Answered, &["LinkUp"]),
            (Self::Returned, _) => (Outcome::Handled, State::Answered, &[]),
            (Self::ReturnedOther, _) => dropped(R::NotOurs),
            (Self::Request, _) => (Outcome::Handled, from, &["Reply"]),
            (Self::RequestTtlUsedUp, _) => dropped(R::TtlUsedUp),
            (Self::RequestNested | Self::RequestElsewhere, _) => dropped(R::BadRequest),
        }
    }
}

struct Bench {
    machine: Keepalive,
    rng: ChaCha20Rng,
    now: Duration,
}

impl Bench {
    fn new() -> Self {
        Self {
            machine: Keepalive::new(config(), Duration::ZERO).unwrap(),
            rng: ChaCha20Rng::seed_from_u64(7),
            now: Duration::ZERO,
        }
    }

    fn in_state(state: State) -> Self {
        let mut bench = Self::new();
        let deadlines = match state {
            State::Answered => 0,
            State::Waiting => 1,
            State::Last => RETRIES,
            State::Down => RETRIES + 1,
        };
        for _ in 0..deadlines {
            let _ = bench.give(Input::Deadline);
        }
        if state == State::Answered {
            // The first is due at once.
            let _ = bench.give(Input::Deadline);
            let _ = bench.give(Input::Returned);
        }
        assert_eq!(bench.state(), state);
        bench
    }

    fn due(&self) -> Duration {
        self.machine.next_deadline().unwrap().at
    }

    fn state(&self) -> State {
        match (self.machine.is_up(), self.machine.unanswered()) {
            (false, _) => State::Down,
            (true, 0) => State::Answered,
            (true, RETRIES..) => State::Last,
            (true, _) => State::Waiting,
        }
    }

    fn give(&mut self, input: Input) -> (Outcome, Vec<Action>) {
        let mut actions = Actions::new();
        let outcome = match input.packet() {
            None => {
                if input == Input::Deadline {
                    self.now = self.due();
                }
                let event = Event::Deadline;
                self.machine
                    .handle(event, self.now, &mut self.rng, &mut actions)
            }
            Some(packet) => {
                let delivery = IpPacket::parse(&packet).unwrap();
                let inbound = Inbound {
                    delivery: &delivery,
                    gre: &delivery.gre().unwrap(),
                    protected: input != Input::Unprotected,
                };
                let event = Event::Received(inbound);
                self.machine
                    .handle(event, self.now, &mut self.rng, &mut actions)
            }
        };
        (outcome, actions.drain().collect())
    }
}

fn name(action: &Action) -> &'static str {
    match action {
        Action::Send(_) => "Send",
        Action::Reply(_) => "Reply",
        Action::LinkUp => "LinkUp",
        Action::LinkDown { .. } => "LinkDown",
        _ => "?",
    }
}

#[test]
fn every_event_in_every_state() {
    for state in STATES {
        for input in INPUTS {
            let mut bench = Bench::in_state(state);
            let before = format!("{:?}", bench.machine);
            let (outcome, actions) = bench.give(input);
            let done: Vec<_> = actions.iter().map(name).collect();
            let expected = input.expected(state);
            let found = (outcome, bench.state(), &done[..]);
            assert_eq!(found, expected, "{input:?} in {state:?}");
            if let Outcome::Dropped(_) = outcome {
                assert_eq!(
                    format!("{:?}", bench.machine),
                    before,
                    "{input:?} in {state:?}"
                );
            }
            if input == Input::Deadline {
                assert_eq!(bench.due(), bench.now + PERIOD);
            }
        }
    }
}

/// A file has events with their second, each followed by the outcome, the actions and what is outstanding.
/// `GRE_REGENERATE=1` writes what the machine does now.
fn replay(text: &str) -> String {
    let mut bench = Bench::new();
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.starts_with("= ")) {
        writeln!(out, "{line}").unwrap();
        let Some((at, event)) = line.split_once(' ').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let input = INPUTS
            .into_iter()
            .find(|input| format!("{input:?}") == event);
        let input = input.unwrap_or_else(|| panic!("{event} is no event"));
        bench.now = Duration::from_secs(at.parse().unwrap());
        let (outcome, actions) = bench.give(input);
        let at = bench.now.as_secs();
        writeln!(
            out,
            "= {outcome:?}, {} outstanding at {at}",
            bench.machine.unanswered()
        )
        .unwrap();
        for action in actions {
            match action {
                Action::Send(packet) | Action::Reply(packet) => {
                    let delivery = IpPacket::parse(packet.as_bytes()).unwrap();
                    let ends: [IpAddr; 2] = [delivery.source(), delivery.destination()];
                    let (len, ttl) = (delivery.total_len(), delivery.ttl());
                    writeln!(out, "= send {}->{} (len={len} ttl={ttl})", ends[0], ends[1]).unwrap();
                }
                other => writeln!(out, "= {}", name(&other)).unwrap(),
            }
        }
    }
    out
}

#[test]
fn recorded_events_give_the_recorded_actions() {
    let folder = format!("{}/tests/data/replay", env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let recorded = std::fs::read_to_string(&path).unwrap();
        let found = replay(&recorded);
        if std::env::var_os("GRE_REGENERATE").is_some() {
            std::fs::write(&path, &found).unwrap();
        } else {
            assert!(found == recorded, "{}:\n{found}", path.display());
        }
        count += 1;
    }
    assert!(count >= 2);
}
