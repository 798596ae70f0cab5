//! Redirects after IKE_SA_INIT (RFC 5685 §5, §6): a client and two gateways.
use std::net::IpAddr;
use std::time::Duration;

use ike_sm::config::v2::RedirectWhen;
use ike_sm::config::{Config, IkeVersion, Prefix, PskOwner};
use ike_sm::{CloseReason, Command, DropReason, Event, Outcome, Path};
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::{Gateway, NotifyType};

use crate::common::{A, B, End, Pair, config, ip, secs};
use crate::configs;
use crate::forge::{Forge, hand};

const C: &str = "192.0.2.3";

/// A client and the gateways that it may be sent to, each reached by its address.
struct Net {
    ends: Vec<(IpAddr, End)>,
    flights: Vec<(Duration, Path, Vec<u8>)>,
    now: Duration,
    /// First messages that have come to each end, redirected from where.
    calls: Vec<(usize, bool)>,
}

impl Net {
    fn new(change: impl Fn(&mut Config, usize)) -> Self {
        let mut ends = Vec::new();
        for (n, own) in [A, B, C].into_iter().enumerate() {
            let mut c = if n == 0 {
                config(A, B, b"secret")
            } else {
                config(own, A, b"secret")
            };
            c.peers[0].version = IkeVersion::V2;
            c.key_log = true;
            if n == 0 {
                c.peers[0].addresses.push(ip(C));
                let owner = PskOwner::Prefix(Prefix::host(ip(C)));
                c.psks.insert(owner, b"secret"[..].into());
            }
            change(&mut c, n);
            ends.push((ip(own), End::new(c, n as u64)));
        }
        Self {
            ends,
            flights: Vec::new(),
            now: secs(1),
            calls: Vec::new(),
        }
    }

    fn feed(&mut self, n: usize, event: Event<'_>) -> Outcome {
        let (outcome, out) = self.ends[n].1.feed(event, self.now);
        let at = self.now + Duration::from_millis(10);
        let sent = out.into_iter();
        self.flights
            .extend(sent.map(|(path, datagram)| (at, path, datagram)));
        outcome
    }

    fn command(&mut self, n: usize, command: Command) -> Outcome {
        self.feed(n, Event::Command(command))
    }

    fn initiate(&mut self) {
        let children = Vec::new();
        let peer = "peer".into();
        let outcome = self.command(0, Command::Initiate { peer, children });
        assert_eq!(outcome, Outcome::Handled);
    }

    /// Lets time pass; `check` looks at it after each event.
    fn run_for(&mut self, time: Duration, check: impl Fn(&Self)) {
        let until = self.now + time;
        for _ in 0..10_000 {
            let flight = self.flights.iter().map(|f| f.0).min();
            let deadline = |n: usize| self.ends[n].1.endpoint.next_deadline().map(|d| d.at);
            let due = (0..3).filter_map(|n| Some((deadline(n)?, n))).min();
            let next = flight.into_iter().chain(due.map(|d| d.0)).min();
            let Some(next) = next.filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(next);
            if flight == Some(next) {
                let at = self.flights.iter().position(|f| f.0 == next).unwrap();
                let (_, path, datagram) = self.flights.remove(at);
                self.deliver(path, &datagram);
            } else {
                let outcome = self.feed(due.unwrap().1, Event::Deadline);
                assert_eq!(outcome, Outcome::Handled);
            }
            check(self);
        }
        panic!("no end");
    }

    fn deliver(&mut self, path: Path, datagram: &[u8]) {
        let to = self.ends.iter().position(|e| e.0 == path.remote.ip());
        let Some(to) = to else { return };
        let message = if path.natt { &datagram[4..] } else { datagram };
        if message[18] == 34 && message[8..16] == [0; 8] && to > 0 {
            let from = NotifyType::REDIRECTED_FROM.0.to_be_bytes();
            let redirected = message
                .windows(4)
                .any(|w| w[..2] == [0, 0] && w[2..] == from);
            self.calls.push((to, redirected));
        }
        let path = Path {
            local: path.remote,
            remote: path.local,
            natt: path.natt,
        };
        let _ = self.feed(to, Event::Datagram { path, message });
    }

    /// IKE SAs and children of each end.
    fn stands(&self) -> Vec<(usize, usize)> {
        let count = |e: &(IpAddr, End)| (e.1.endpoint.ike_sas().count(), e.1.children.len());
        self.ends.iter().map(count).collect()
    }
}

fn authenticated(to: &'static str) -> impl Fn(&mut Config, usize) {
    move |c, n| {
        if n == 1 {
            c.peers[0].v2.redirect_to = Some(ip(to));
            c.peers[0].v2.redirect_when = RedirectWhen::Authenticated;
        }
    }
}

#[test]
fn rfc5685_s6_ike_auth_sends_the_client_on_and_no_child_comes_up_before() {
    let mut net = Net::new(authenticated(C));
    net.initiate();
    net.run_for(secs(3), |net| assert!(net.ends[1].1.children.is_empty()));
    assert_eq!(net.stands(), [(1, 1), (0, 0), (1, 1)]);
    assert_eq!(net.calls, [(1, false), (2, true)]);
    assert_eq!(net.ends[0].1.closed[0].1, CloseReason::Redirected);
    assert!(net.ends[0].1.failed.is_empty());
}

#[test]
fn a_client_that_does_not_follow_is_served() {
    let mut net = Net::new(|c, n| {
        authenticated(C)(c, n);
        c.peers[0].v2.follow_redirects = false;
    });
    net.initiate();
    net.run_for(secs(3), |_| {});
    assert_eq!(net.stands(), [(1, 1), (1, 1), (0, 0)]);
    let ike = net.ends[1].1.ikes[0];
    let refused = net.command(1, Command::RedirectIke { ike, to: ip(C) });
    assert_eq!(refused, Outcome::Dropped(DropReason::WrongState));
}

#[test]
fn rfc5685_s3_a_client_goes_only_where_its_configuration_knows_the_peer() {
    let mut net = Net::new(authenticated("198.51.100.7"));
    net.initiate();
    net.run_for(secs(3), |_| {});
    assert_eq!(net.stands(), [(0, 0), (0, 0), (0, 0)]);
    assert_eq!(net.calls, [(1, false)]);
    assert_eq!(net.ends[0].1.closed[0].1, CloseReason::Refused);
}

#[test]
fn rfc5685_s5_in_mid_session_the_new_sas_come_before_the_end_of_the_old() {
    let mut net = Net::new(|_, _| {});
    net.initiate();
    net.run_for(secs(3), |_| {});
    let ike = net.ends[1].1.ikes[0];
    let outcome = net.command(1, Command::RedirectIke { ike, to: ip(C) });
    assert_eq!(outcome, Outcome::Handled);
    let again = net.command(1, Command::RekeyIke(ike));
    assert_eq!(again, Outcome::Handled, "other exchanges go on");
    net.run_for(secs(30), |net| {
        let client = &net.ends[0].1;
        let active = client
            .active
            .iter()
            .any(|c| client.children.contains_key(c));
        assert!(active, "without a tunnel");
    });
    assert_eq!(net.stands(), [(1, 1), (0, 0), (1, 1)]);
    assert_eq!(net.calls, [(1, false), (2, true)]);
    // The other way round nobody is redirected.
    let ike = net.ends[0].1.ikes[0];
    let refused = net.command(0, Command::RedirectIke { ike, to: ip(B) });
    assert_eq!(refused, Outcome::Dropped(DropReason::WrongState));
}

#[test]
fn a_client_that_stays_is_deleted_after_the_time_it_was_given() {
    let mut net = Net::new(|c, n| {
        if n == 1 {
            c.peers[0].v2.redirect_time = secs(20);
        }
    });
    net.initiate();
    net.run_for(secs(3), |_| {});
    let (ike, to) = (net.ends[1].1.ikes[0], ip("198.51.100.7"));
    let outcome = net.command(1, Command::RedirectIke { ike, to });
    assert_eq!(outcome, Outcome::Handled);
    net.run_for(secs(19), |_| {});
    assert_eq!(net.stands(), [(1, 1), (1, 1), (0, 0)]);
    net.run_for(secs(2), |_| {});
    assert_eq!(net.stands(), [(0, 0), (0, 0), (0, 0)]);
    assert_eq!(net.ends[1].1.closed[0].1, CloseReason::Redirected);
}

#[test]
fn b10_two_gateways_that_send_to_each_other_are_left_after_five_times_in_five_minutes() {
    let mut net = Net::new(|c, n| {
        let to = [None, Some(ip(C)), Some(ip(B))][n];
        c.peers[0].v2.redirect_to = to;
        c.peers[0].v2.redirect_when = RedirectWhen::Authenticated;
    });
    net.initiate();
    net.run_for(secs(4), |_| {});
    assert_eq!(net.calls.len(), 6);
    net.run_for(secs(290), |_| {});
    // Tried again later and later, and not sent on any more.
    assert!(
        net.calls.iter().skip(6).all(|call| !call.1),
        "{:?}",
        net.calls
    );
    assert!(net.calls.len() < 70);
}

#[test]
fn a_redirect_that_comes_from_the_client_or_with_a_nonce_moves_nothing() {
    let (mut a, b) = configs(|c| c.key_log = true);
    a.peers[0].addresses.push(ip(C));
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    for (from_a, nonce) in [(true, &[][..]), (false, &[9; 32][..])] {
        let mut forge = Forge::new(&pair.b, from_a);
        let id = if from_a { 2 } else { 0 };
        let message = forge.message(ExchangeType::INFORMATIONAL_V2, id, false, |w| {
            let to = Gateway::Address(ip(C));
            w.redirect(NotifyType::REDIRECT, &to, nonce).map(|_| ())
        });
        assert_eq!(hand(&mut pair, from_a, &message), Outcome::Handled);
        pair.flights.clear();
        pair.run_for(secs(2));
        assert_eq!(pair.a.endpoint.ike_sas().count(), 1);
        assert_eq!(pair.b.endpoint.ike_sas().count(), 1);
    }
}
