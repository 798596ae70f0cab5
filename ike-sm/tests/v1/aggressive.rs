//! Aggressive mode: both roles, its switch, its identities, its bounds.

use crypto_suite::{GroupId, Secret};
use ike_sm::config::{
    Config, Identity, Phase1Mode, Phase1Policy, Prefix, PskOwner, PskTable, RemoteIdentity,
};
use ike_sm::{Answer, CloseReason, Command, DropReason, Event, IkeId, Outcome, Question};
use isakmp_wire::registry::ExchangeType;

use crate::common::{A, B, Pair, config, ip, secs};

fn aggressive(mut config: Config) -> Config {
    config.peers[0].mode = Phase1Mode::AggressiveExposingPskHash;
    config
}

fn name(text: &str) -> Identity {
    Identity::Fqdn(text.into())
}

/// Both ends with names, as FQDN.
fn named() -> (Config, Config) {
    let mut a = aggressive(config(A, B, b"secret"));
    let mut b = aggressive(config(B, A, b"secret"));
    a.peers[0].local_id = Some(name("a.lab"));
    a.peers[0].remote_id = RemoteIdentity::Is(name("b.lab"));
    b.peers[0].local_id = Some(name("b.lab"));
    b.peers[0].remote_id = RemoteIdentity::Is(name("a.lab"));
    (a, b)
}

fn drops(pair: &Pair) -> Vec<&DropReason> {
    let outcomes = pair.outcomes.iter();
    outcomes.filter_map(|(_, o)| o.dropped()).collect()
}

#[test]
fn k2_three_messages_make_an_isakmp_sa() {
    let (a, b) = named();
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    assert!(drops(&pair).is_empty(), "{:?}", pair.outcomes);
    // Three of aggressive mode, three of quick mode, and INITIAL-CONTACT of either side.
    assert_eq!(pair.sent, 8);
    for log in [&pair.a.log, &pair.b.log] {
        let log = log.concat();
        assert!(log.contains("guess the key offline"), "{log}");
        assert!(
            log.contains("AM_EXCH") || log.contains("SA_REQ_AM"),
            "{log}"
        );
    }
    let (a, b) = (pair.a.log.concat(), pair.b.log.concat());
    assert!(a.contains("New State = IKE_I_AM1") && a.contains("New State = IKE_I_AM2"));
    assert!(b.contains("New State = IKE_R_AM1") && b.contains("New State = IKE_R_AM2"));
}

#[test]
fn it_is_off_until_it_is_switched_on() {
    let mut pair = Pair::new(aggressive(config(A, B, b"secret")), config(B, A, b"secret"));
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    let refused = DropReason::UnexpectedExchange(ExchangeType::AGGRESSIVE);
    assert_eq!(drops(&pair), [&refused]);
    // Not a byte of an answer: one message, nothing of B.
    assert_eq!(pair.sent, 1);
}

#[test]
fn who_may_be_asked_in_aggressive_mode_answers_main_mode_too() {
    let mut pair = Pair::new(config(A, B, b"secret"), aggressive(config(B, A, b"secret")));
    pair.bring_up();
    assert!(drops(&pair).is_empty());
}

#[test]
fn rfc2409_s5_4_peers_behind_one_address_have_keys_of_their_own() {
    // Two road warriors, from anywhere, with different keys: the name decides.
    let (mut a, mut b) = named();
    a.psks = PskTable::default();
    let owner = PskOwner::Prefix(Prefix::host(ip(B)));
    a.psks.insert(owner, Secret::from(&b"key of a"[..]));
    b.psks = PskTable::default();
    let mut other = b.peers[0].clone();
    other.name = "other".into();
    other.remote_id = RemoteIdentity::Is(name("other.lab"));
    b.peers.insert(0, other);
    for (who, key) in [
        ("other.lab", &b"key of the other"[..]),
        ("a.lab", b"key of a"),
    ] {
        b.psks
            .insert(PskOwner::Identity(name(who)), Secret::from(key));
    }
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    assert!(drops(&pair).is_empty(), "{:?}", pair.outcomes);
    assert_eq!(pair.b.children.values().next().unwrap().peer, "peer");
}

#[test]
fn c9_no_hash_for_an_identity_that_nobody_has() {
    let (mut a, b) = named();
    a.peers[0].local_id = Some(name("stranger.lab"));
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    let unknown = DropReason::UnknownIdentity(Box::new(name("stranger.lab")));
    assert_eq!(drops(&pair), [&unknown]);
    assert_eq!(pair.sent, 1);
}

#[test]
fn a_wrong_key_is_seen_by_the_initiator_who_sends_nothing_of_its_own() {
    let (a, mut b) = named();
    let owner = PskOwner::Prefix(Prefix::host(ip(A)));
    b.psks.insert(owner, Secret::from(&b"another"[..]));
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    assert_eq!(drops(&pair), [&DropReason::AuthenticationFailed]);
    assert!(pair.a.ikes.is_empty() && pair.b.ikes.is_empty());
    assert_eq!(pair.sent, 2);
}

#[test]
fn a_lost_third_message_comes_again_with_the_quick_mode() {
    let mut pair = Pair::new(
        aggressive(config(A, B, b"secret")),
        aggressive(config(B, A, b"secret")),
    );
    let mut third = 0;
    pair.fate = Box::new(move |flight| {
        // Message 3 is the only encrypted one of this exchange.
        let lost = flight.datagram[18] == 4 && flight.datagram[19] & 1 == 1;
        third += u32::from(lost);
        !(lost && third == 1)
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(6));
    pair.assert_tunnel();
}

/// An SA of aggressive mode stands, and `a` makes a new one, whose message 3 is lost so many times.
fn rekeyed(lost: u32) -> (Pair, IkeId) {
    let mut pair = Pair::new(
        aggressive(config(A, B, b"secret")),
        aggressive(config(B, A, b"secret")),
    );
    pair.bring_up();
    let old = pair.a.ikes[0];
    let mut third = 0;
    pair.fate = Box::new(move |flight| {
        let is = flight.datagram[18] == 4 && flight.datagram[19] & 1 == 1;
        third += u32::from(is);
        !is || third > lost
    });
    assert_eq!(
        pair.command(false, Command::RekeyIke(old)),
        Outcome::Handled
    );
    (pair, old)
}

fn replaced(pair: &Pair, ike: IkeId) -> Option<bool> {
    let sa = pair.a.endpoint.ike_sas().find(|sa| sa.id == ike)?;
    Some(sa.established?.replaced)
}

#[test]
fn an_older_sa_stays_until_the_responder_has_shown_that_it_has_the_new_one() {
    let (mut pair, old) = rekeyed(u32::MAX);
    for _ in 0..25 {
        pair.run_for(secs(1));
        assert_eq!(replaced(&pair, old), Some(false), "at {:?}", pair.now);
        pair.assert_tunnel();
    }
    // The new one is dead by now; the old one can still do what it is for.
    assert_eq!(pair.a.ikes, [old]);
    let child = pair.a.active[0];
    assert_eq!(
        pair.command(false, Command::DeleteChild(child)),
        Outcome::Handled
    );
    pair.run_for(secs(1));
    assert!(pair.b.children.is_empty());
}

#[test]
fn an_older_sa_goes_when_the_responder_has_shown_that_it_has_the_new_one() {
    for lost in [0, 1, 2] {
        let (mut pair, old) = rekeyed(lost);
        pair.run_for(secs(u64::from(lost) * 2 + 1));
        assert_eq!(replaced(&pair, old), Some(true), "{lost} lost");
        pair.run_for(secs(15));
        assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
        assert!(!pair.a.ikes.contains(&old));
        pair.assert_tunnel();
        let child = pair.a.active[0];
        assert_eq!(
            pair.command(false, Command::RekeyChild(child)),
            Outcome::Handled
        );
        pair.run_for(secs(1));
        pair.assert_tunnel();
        assert_ne!(pair.a.active.last(), Some(&child));
    }
}

#[test]
fn the_key_is_asked_for_with_the_identity() {
    let (mut a, mut b) = named();
    a.psks = PskTable::default();
    b.psks = PskTable::default();
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    // An initiator sends nothing before it has the key.
    assert_eq!(pair.sent, 0);
    for (end, who) in [(false, "b.lab"), (true, "a.lab")] {
        let (ticket, question) = pair.end(end).asked.remove(0);
        let Question::Psk { identity, .. } = question else {
            panic!("{question:?}");
        };
        assert_eq!(identity, Some(name(who)));
        let key = Answer::Psk(Some(Secret::from(&b"asked for"[..])));
        assert_eq!(pair.feed(end, Event::Answer(ticket, key)), Outcome::Handled);
        pair.run_for(secs(1));
    }
    pair.assert_tunnel();
}

#[test]
fn no_key_ends_it_without_an_answer() {
    let (a, mut b) = named();
    b.psks = PskTable::default();
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let (ticket, _) = pair.b.asked.remove(0);
    assert_eq!(
        pair.feed(true, Event::Answer(ticket, Answer::Psk(None))),
        Outcome::Handled
    );
    pair.run_for(secs(1));
    assert_eq!(pair.sent, 1);
}

#[test]
fn rfc2409_s5_only_policies_of_one_group_are_offered() {
    let (mut a, mut b) = named();
    let weaker = Phase1Policy {
        group: GroupId::Modp3072,
        ..Phase1Policy::new(20)
    };
    a.policies.push(weaker);
    b.policies = vec![weaker];
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    // B would take the second, which could not be offered.
    assert!(drops(&pair).contains(&&DropReason::NoProposalChosen));
    assert!(pair.a.ikes.is_empty());
}

#[test]
fn d2_strangers_cost_a_bounded_number_of_key_exchanges() {
    let (a, mut b) = named();
    b.limits.aggressive_per_second_per_prefix = 3;
    let mut pair = Pair::new(a, b);
    // Each attempt is new, and dies after its first message.
    let mut answered = 0;
    for round in 0..10 {
        pair.a = crate::common::End::new(named().0, 100 + round);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        let sent = pair.sent;
        let flight = pair.flights.remove(0);
        pair.deliver(flight);
        answered += pair.sent - sent;
        pair.flights.clear();
    }
    assert_eq!(answered, 3);
    assert!(drops(&pair).contains(&&DropReason::Limit("aggressive modes a second")));
    // Main mode goes on, and later aggressive mode too.
    pair.run_for(secs(1));
    pair.a = crate::common::End::new(named().0, 1);
    pair.flights.clear();
    pair.bring_up();
}

#[test]
fn initial_contact_follows_in_an_exchange_of_its_own() {
    let (a, b) = named();
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    let old = pair.b.ikes[0];
    // A restarts.
    pair.a = crate::common::End::new(named().0, 77);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    pair.assert_tunnel();
    let gone = (old, CloseReason::PeerRestarted);
    assert!(pair.b.closed.contains(&gone), "{:?}", pair.b.closed);
    assert_eq!((pair.b.ikes.len(), pair.b.children.len()), (1, 1));
}
