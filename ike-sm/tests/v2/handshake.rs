//! IKE_SA_INIT and IKE_AUTH.
use ike_sm::config::v2::{Encryption, IkeProposal};
use ike_sm::{CloseReason, DropReason, Outcome, Selectors};

use crate::common::{A, B, Pair, config, net, secs};
use crate::{configs, pair};
use crypto_suite::GroupId;
use ike_sm::config::IkeVersion;

#[test]
fn i1_four_messages_give_one_ike_sa_and_one_pair() {
    let mut pair = pair();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    assert_eq!(pair.sent, 4, "{:?}", pair.outcomes);
    assert!(
        pair.outcomes.iter().all(|(_, o)| *o == Outcome::Handled),
        "{:?}",
        pair.outcomes
    );
    let (a, b) = (
        pair.a.children.values().next().unwrap(),
        pair.b.children.values().next().unwrap(),
    );
    assert_eq!((a.spi_in, a.spi_out), (b.spi_out, b.spi_in));
    assert_eq!((&a.local, &a.remote), (&b.remote, &b.local));
    assert_eq!((&a.keys_in, &a.keys_out), (&b.keys_out, &b.keys_in));
    assert!(a.keys_in != a.keys_out && a.initiator && !b.initiator);
    pair.assert_tunnel();
    for end in [&pair.a, &pair.b] {
        let ike = end.endpoint.ike_sas().next().unwrap();
        assert_eq!((ike.show().name(), ike.version), ("READY", IkeVersion::V2));
        assert_eq!(end.endpoint.ike_sas().count(), 1);
    }
}

#[test]
fn rfc7296_s1_2_another_group_is_asked_for_once_and_the_negotiation_goes_on() {
    let (a, mut b) = configs(|_| {});
    b.peers[0].v2.proposals = vec![IkeProposal {
        groups: vec![GroupId::Ecp384],
        ..IkeProposal::aead()
    }];
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    assert_eq!(pair.sent, 6);
    pair.assert_tunnel();
    let refused = Outcome::Dropped(DropReason::WrongGroup(GroupId::Ecp384));
    assert_eq!(pair.outcomes[0], (true, refused));
}

#[test]
fn c13_no_common_proposal_is_told_explained_and_believed_only_when_nobody_answers() {
    let (a, mut b) = configs(|_| {});
    b.peers[0].v2.proposals = vec![IkeProposal {
        encryption: vec![Encryption::Aead(crypto_suite::AeadId::Aes192Gcm8)],
        ..IkeProposal::aead()
    }];
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(30));
    assert!(
        pair.a.closed.is_empty(),
        "an unauthenticated error ended it"
    );
    pair.run_for(secs(200));
    assert_eq!(pair.a.closed[0].1, CloseReason::RefusedUnproven(14));
    assert_eq!(pair.b.endpoint.ike_sas().count(), 0);
}

#[test]
fn rfc7296_s2_21_2_another_key_fails_authentication_on_both_sides() {
    let (a, _) = configs(|_| {});
    let mut b = config(B, A, b"other");
    b.peers[0].version = IkeVersion::V2;
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    assert_eq!(pair.a.closed[0].1, CloseReason::RefusedByPeer(24));
    assert!(pair.a.ikes.is_empty() && pair.b.ikes.is_empty());
    assert!(pair.a.children.is_empty() && pair.b.children.is_empty());
    let told = |log: &[String]| log.iter().any(|l| l.contains("may differ"));
    assert!(told(&pair.a.log) && told(&pair.b.log));
}

#[test]
fn rfc7296_s2_9_selectors_are_narrowed_to_what_both_have() {
    let (mut a, b) = configs(|_| {});
    a.peers[0].children[0].local = net("10.0.0.0", 8).into();
    a.peers[0].children[0].remote = net("0.0.0.0", 0).into();
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    let child = pair.a.children.values().next().unwrap();
    assert_eq!(child.local, net("10.1.0.0", 16).into());
    assert_eq!(child.remote, net("10.2.0.0", 16).into());
}

#[test]
fn rfc7296_s2_9_a_peer_of_one_selector_per_child_is_granted_the_first_pair() {
    for one in [false, true] {
        let (mut a, mut b) = configs(|_| {});
        let local = [net("10.1.1.0", 24), net("10.1.2.0", 24)];
        a.peers[0].children[0].local = Selectors::new(local).unwrap();
        b.peers[0].v2.one_ts_per_child = one;
        let mut pair = Pair::new(a, b);
        pair.bring_up();
        let child = pair.a.children.values().next().unwrap();
        let granted: Vec<_> = child.local.iter().copied().collect();
        assert_eq!(granted, if one { &local[..1] } else { &local });
    }
}

#[test]
fn rfc7296_s2_21_2_the_ike_sa_stands_without_its_child() {
    let (mut a, b) = configs(|_| {});
    a.peers[0].children[0].local = net("172.16.0.0", 16).into();
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
    assert_eq!(pair.a.failed, [CloseReason::RefusedByPeer(38)]);
    assert_eq!(pair.sent, 4, "nothing is asked for again at once");
}

#[test]
fn rfc7296_s2_1_lost_messages_are_repeated_and_answered_byte_for_byte() {
    for lost in 0..4 {
        let mut pair = pair();
        let mut number = 0;
        let mut sent: Vec<Vec<u8>> = Vec::new();
        pair.fate = Box::new(move |flight| {
            number += 1;
            if number > lost + 1 && number <= lost + 2 && lost % 2 == 0 {
                // The repetition of a request is the request.
                assert_eq!(sent.last(), Some(&flight.datagram));
            }
            sent.push(flight.datagram.clone());
            number != lost + 1
        });
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(secs(20));
        pair.assert_tunnel();
        assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
        assert_eq!(pair.b.endpoint.ike_sas().count(), 1);
    }
}

#[test]
fn c11_every_message_twice_changes_nothing() {
    let mut pair = pair();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    for _ in 0..40 {
        let copies: Vec<_> = pair
            .flights
            .iter()
            .map(|f| (f.to_b, f.path, f.datagram.clone()))
            .collect();
        if !pair.step(secs(60)) {
            break;
        }
        for (to_b, path, datagram) in copies {
            pair.deliver(crate::common::Flight {
                at: pair.now,
                to_b,
                path,
                datagram,
            });
        }
        if pair.outcomes.len() > 60 {
            break;
        }
    }
    pair.flights.clear();
    assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
    let handled = |o: &&(bool, Outcome)| o.1 == Outcome::Handled;
    assert_eq!(pair.outcomes.iter().filter(handled).count(), 4);
}

#[test]
fn c14_a_changed_first_message_fails_authentication() {
    // Somebody in the middle takes ML-KEM out of the initiator's announcements.
    let (a, b) = configs(|c| {
        let with = IkeProposal::aead().with_ml_kem(true);
        c.peers[0].v2.proposals = vec![with, IkeProposal::aead()];
    });
    let mut pair = Pair::new(a, b);
    let announced = 16438u16.to_be_bytes();
    pair.fate = Box::new(move |flight| {
        let at = flight.datagram.windows(2).position(|w| w == announced);
        if let (Some(at), true) = (at, flight.datagram.get(18) == Some(&34)) {
            flight.datagram[at..at + 2].copy_from_slice(&50_000u16.to_be_bytes());
        }
        true
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    assert!(pair.a.ikes.is_empty() && pair.b.ikes.is_empty());
}

#[test]
fn rfc7296_s1_3_1_transport_mode_and_extended_sequence_numbers_are_agreed_on() {
    let (a, b) = configs(|c| {
        let child = &mut c.peers[0].children[0];
        child.mode = ike_sm::Mode::Transport;
        child.esn = true;
    });
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    let child = pair.b.children.values().next().unwrap();
    assert_eq!((child.mode, child.esn), (ike_sm::Mode::Transport, true));
    // A side that wants tunnel mode is not given transport mode.
    let (a, _) = configs(|_| {});
    let (_, b) = configs(|c| c.peers[0].children[0].mode = ike_sm::Mode::Transport);
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(2));
    assert_eq!(pair.a.failed, [CloseReason::RefusedByPeer(14)]);
}

#[test]
fn b10_rfc5685_s3_an_initiator_goes_where_it_is_sent_and_not_in_circles() {
    let gateways = |to: &str| {
        let (mut a, mut b) = configs(|_| {});
        a.peers[0].addresses.push("192.0.2.3".parse().unwrap());
        a.peers[0].initial_contact = false;
        b.peers[0].v2.redirect_to = Some(to.parse().unwrap());
        let mut pair = Pair::new(a, b);
        pair.run_for(secs(1));
        pair
    };
    let mut pair = gateways("192.0.2.3");
    pair.fate = Box::new(|flight| {
        flight.path.remote.ip() != "192.0.2.3".parse::<std::net::IpAddr>().unwrap()
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(2));
    assert_eq!(pair.outcomes[0].1, Outcome::Dropped(DropReason::Redirected));
    let ike = pair.a.endpoint.ike_sas().next().unwrap();
    assert_eq!(ike.path.remote.ip().to_string(), "192.0.2.3");
    // To an address that is not the peer's: nobody is followed there.
    let mut pair = gateways("198.51.100.1");
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(2));
    let ike = pair.a.endpoint.ike_sas().next().unwrap();
    assert_eq!(ike.path.remote.ip().to_string(), B);
    // Two gateways that send to each other, played by one.
    let mut pair = gateways("192.0.2.3");
    let mut answers = 0;
    pair.fate = Box::new(move |flight| {
        if flight.to_b {
            flight.path.remote.set_ip(B.parse().unwrap());
        } else {
            answers += 1;
            let at = flight.datagram.windows(4).position(|w| w == [192, 0, 2, 3]);
            if let (Some(at), 0) = (at, answers % 2) {
                flight.datagram[at + 3] = 2;
            }
        }
        true
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    assert_eq!(answered(&pair), 5, "RFC 5685 §7: as often as this");
    pair.run_for(secs(20));
    assert_eq!(answered(&pair), 5);
}

/// How many messages the initiator has taken in.
fn answered(pair: &Pair) -> usize {
    let taken = |o: &&(bool, Outcome)| !o.0 && o.1 == Outcome::Handled;
    pair.outcomes.iter().filter(taken).count()
}
