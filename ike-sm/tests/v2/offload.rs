//! Key exchanges that the embedder computes, on a thread of its own or not.

use std::net::SocketAddr;

use crypto_suite::GroupId;
use ike_sm::config::v2::AdditionalKeyExchange;
use ike_sm::config::{ChildConfig, Config, Dpd, DpdTimes, Offload, Pfs};
use ike_sm::{
    Answer, CloseReason, Command, DropReason, Event, Outcome, Question, Takeover, Traffic,
};

use crate::common::{A, Pair, ip, net, secs};
use crate::configs;
use crate::nat::{PUBLIC, up_with};

/// A pair whose B does not compute its key exchanges itself.
fn asking(group: GroupId, additional: &[GroupId]) -> Pair {
    one_asks(true, group, additional)
}

/// A pair of which one end, B or A, does not compute its key exchanges itself.
fn one_asks(at_b: bool, group: GroupId, additional: &[GroupId]) -> Pair {
    let slot = |id: &GroupId| AdditionalKeyExchange {
        methods: vec![*id],
        optional: false,
    };
    let slots: Vec<_> = additional.iter().map(slot).collect();
    let (mut a, mut b) = configs(|config| {
        let peer = &mut config.peers[0];
        peer.v2.proposals.truncate(1);
        peer.v2.proposals[0].groups = vec![group];
        peer.v2.proposals[0].additional = slots.clone();
        peer.children[0].pfs = Pfs::Required(group);
        peer.children[0].additional = slots.clone();
    });
    let asks = if at_b { &mut b } else { &mut a };
    asks.offload = Offload::heavy();
    Pair::new(a, b)
}

/// Computes what B, or A, asks for; the group.
fn compute(pair: &mut Pair) -> GroupId {
    let at_b = !pair.b.asked.is_empty();
    let asks = if at_b { &mut pair.b } else { &mut pair.a };
    let (ticket, question) = asks.asked.remove(0);
    let Question::KeyExchange(job) = question else {
        panic!("{question:?}");
    };
    let group = job.group();
    let done = std::thread::spawn(move || job.run()).join().unwrap();
    let answer = Event::Answer(ticket, Answer::KeyExchange(Some(done)));
    assert_eq!(pair.feed(at_b, answer), Outcome::Handled);
    group
}

/// Runs for so long and computes everything that is asked for, some time after it was asked.
fn run_computing(pair: &mut Pair, seconds: u64) -> Vec<GroupId> {
    let mut groups = Vec::new();
    for _ in 0..seconds {
        pair.run_for(secs(1));
        while !pair.a.asked.is_empty() || !pair.b.asked.is_empty() {
            groups.push(compute(pair));
        }
    }
    groups
}

#[test]
fn x9_the_responder_asks_for_its_half_and_absorbs_repetitions() {
    let mut pair = asking(GroupId::Modp2048, &[]);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(6));
    assert_eq!(pair.b.asked.len(), 1);
    let ticket = pair.b.asked[0].0;
    assert!(pair.b.endpoint.is_unproved(ticket));
    assert!(pair.outcomes.contains(&(true, Outcome::Repeated)));
    assert_eq!(compute(&mut pair), GroupId::Modp2048);
    pair.run_for(secs(3));
    pair.assert_tunnel();
    assert!(pair.b.asked.is_empty());
    assert!(pair.b.endpoint.leftovers().is_empty() && pair.b.endpoint.is_consistent());
}

#[test]
fn x9_a_half_that_nobody_computes_ends_the_attempt_in_time() {
    let mut pair = asking(GroupId::Ecp256, &[]);
    pair.fate = Box::new(|flight| flight.to_b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let (ticket, question) = pair.b.asked.remove(0);
    let Question::KeyExchange(job) = question else {
        panic!();
    };
    // Nobody answers, or the embedder has too much to do: nothing is left either way.
    let refused = Event::Answer(ticket, Answer::KeyExchange(None));
    assert_eq!(pair.feed(true, refused), Outcome::Handled);
    assert_eq!(pair.b.endpoint.ike_sas().count(), 0);
    pair.run_for(secs(6));
    assert_eq!(pair.b.asked.len(), 1, "the repeated request is a new one");
    pair.fate = Box::new(|_| false);
    pair.run_for(secs(12));
    assert_eq!(pair.b.endpoint.ike_sas().count(), 0);
    let late = Event::Answer(ticket, Answer::KeyExchange(Some(job.run())));
    assert!(pair.feed(true, late).dropped().is_some());
    assert!(pair.b.endpoint.leftovers().is_empty());
}

#[test]
fn x9_the_answer_to_another_question_is_no_answer() {
    let mut pair = asking(GroupId::Ecp256, &[]);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let (ticket, _) = pair.b.asked[0].clone();
    let wrong = pair.feed(true, Event::Answer(ticket, Answer::Authorize(true)));
    assert!(wrong.dropped().is_some(), "{wrong:?}");
    assert_eq!(compute(&mut pair), GroupId::Ecp256);
    pair.run_for(secs(3));
    pair.assert_tunnel();
}

#[test]
fn x9_rekeys_children_and_additional_exchanges_ask_too() {
    let (group, ml_kem) = (GroupId::Ecp384, GroupId::MlKem768);
    let mut pair = asking(group, &[ml_kem]);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    // IKE_SA_INIT, then IKE_INTERMEDIATE.
    assert_eq!(run_computing(&mut pair, 8), [group, ml_kem]);
    pair.assert_tunnel();
    // CREATE_CHILD_SA, then IKE_FOLLOWUP_KE.
    let child = pair.a.active[0];
    let _ = pair.command(false, Command::RekeyChild(child));
    assert_eq!(run_computing(&mut pair, 15), [group, ml_kem]);
    pair.assert_tunnel();
    assert!(pair.a.active != [child]);
    let ike = pair.a.endpoint.ike_sas().next().unwrap().id;
    let _ = pair.command(false, Command::RekeyIke(ike));
    assert_eq!(run_computing(&mut pair, 15), [group, ml_kem]);
    pair.assert_tunnel();
    assert!(pair.a.endpoint.ike_sas().all(|sa| sa.id != ike));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
    assert!(pair.b.endpoint.leftovers().is_empty() && pair.b.endpoint.is_consistent());
}

#[test]
fn x9_a_rekey_that_nobody_computes_is_put_off_and_the_child_stays() {
    let mut pair = asking(GroupId::Ecp256, &[]);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    assert_eq!(run_computing(&mut pair, 3), [GroupId::Ecp256]);
    let child = pair.a.active[0];
    let _ = pair.command(false, Command::RekeyChild(child));
    pair.run_for(secs(11));
    pair.b.asked.clear();
    // RFC 7296 §2.25: TEMPORARY_FAILURE, so it is tried again.
    pair.assert_tunnel();
    assert_eq!(pair.b.children.len(), 1);
    let groups = run_computing(&mut pair, 60);
    assert!(!groups.is_empty());
    pair.assert_tunnel();
    assert!(pair.a.active != [child]);
    let refused = |(_, why): &(_, CloseReason)| matches!(why, CloseReason::RefusedByPeer(_));
    assert!(!pair.a.closed.iter().any(refused));
    assert!(pair.b.endpoint.leftovers().is_empty());
}

#[test]
fn x9_curve25519_is_computed_at_once_and_so_is_all_where_nothing_is_asked() {
    let mut pair = asking(GroupId::X25519, &[]);
    pair.bring_up();
    assert!(pair.b.asked.is_empty());
    assert_eq!(Offload::default().groups, []);
}

#[test]
fn x9_an_invalid_public_value_is_refused_before_anything_is_asked() {
    let mut pair = asking(GroupId::Ecp256, &[]);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    let request = &mut pair.flights[0].datagram;
    // KE of group 19: a point that is on no curve.
    let mut places = request.windows(4);
    let place = places.position(|w| w == [0, 19, 0, 0]).unwrap();
    request[place + 4] ^= 1;
    pair.run_for(secs(1));
    assert!(pair.outcomes[0].1.dropped().is_some());
    assert!(pair.b.asked.is_empty());
    assert_eq!(pair.b.endpoint.ike_sas().count(), 0);
}

/// A tunnel whose A asks for its halves of P-256, which children take too.
fn up_asking() -> Pair {
    let mut pair = one_asks(false, GroupId::Ecp256, &[]);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    assert_eq!(run_computing(&mut pair, 4), [GroupId::Ecp256; 2]);
    pair
}

/// A holds nothing but its SAs.
fn nothing_is_left(pair: &Pair) {
    assert!(pair.a.endpoint.leftovers().is_empty() && pair.a.endpoint.is_consistent());
}

#[test]
fn x9_the_initiator_asks_for_its_shared_secret_and_sends_nothing_meanwhile() {
    let mut pair = one_asks(false, GroupId::Modp2048, &[]);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    // The key pair first: nothing is out before it is there.
    pair.run_for(secs(6));
    assert_eq!((pair.a.asked.len(), pair.sent), (1, 0));
    assert_eq!(compute(&mut pair), GroupId::Modp2048);
    let request = pair.flights[0].clone();
    pair.run_for(secs(1));
    assert_eq!(pair.a.asked.len(), 1);
    assert!(!pair.a.endpoint.is_unproved(pair.a.asked[0].0));
    // The response once more, and time.
    pair.deliver(request);
    pair.run_for(secs(1));
    let (to_b, last) = pair.outcomes.last().unwrap();
    assert_eq!((*to_b, last.dropped()), (false, Some(&DropReason::Stale)));
    let sent = pair.sent;
    pair.run_for(secs(5));
    assert_eq!((pair.a.asked.len(), pair.sent), (1, sent));
    assert_eq!(compute(&mut pair), GroupId::Modp2048);
    pair.run_for(secs(3));
    pair.assert_tunnel();
    assert!(pair.a.asked.is_empty() && pair.b.asked.is_empty());
    nothing_is_left(&pair);
}

#[test]
fn x9_a_half_of_the_initiator_that_nobody_computes_ends_the_attempt_in_time() {
    // The key pair or the shared secret, of IKE_SA_INIT or of IKE_INTERMEDIATE; refused or not answered.
    for case in 0..8 {
        let mut pair = one_asks(false, GroupId::Ecp256, &[GroupId::MlKem768]);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        for _ in 0..case / 2 {
            pair.run_for(secs(1));
            let _ = compute(&mut pair);
        }
        pair.run_for(secs(1));
        let (ticket, question) = pair.a.asked.remove(0);
        let Question::KeyExchange(job) = question else {
            panic!("{question:?}");
        };
        if case % 2 == 0 {
            pair.run_for(secs(12));
        } else {
            let none = Event::Answer(ticket, Answer::KeyExchange(None));
            assert_eq!(pair.feed(false, none), Outcome::Handled);
        }
        assert_eq!(pair.a.endpoint.ike_sas().count(), 0, "{case}");
        let late = Event::Answer(ticket, Answer::KeyExchange(Some(job.run())));
        assert!(pair.feed(false, late).dropped().is_some());
        nothing_is_left(&pair);
    }
}

#[test]
fn x9_another_group_is_asked_for_while_the_first_request_stands() {
    let (first, other) = (GroupId::Ecp384, GroupId::Ecp256);
    let groups = |config: &mut Config, groups: &[GroupId]| {
        let peer = &mut config.peers[0];
        peer.v2.proposals.truncate(1);
        peer.v2.proposals[0].groups = groups.to_vec();
    };
    for answered in [true, false] {
        let (mut a, mut b) = configs(|_| {});
        groups(&mut a, &[first, other]);
        groups(&mut b, &[other]);
        a.offload = Offload::heavy();
        let mut pair = Pair::new(a, b);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        assert_eq!(compute(&mut pair), first);
        pair.run_for(secs(1));
        // INVALID_KE_PAYLOAD has come.
        assert_eq!(pair.a.asked.len(), 1);
        if !answered {
            let (ticket, _) = pair.a.asked.remove(0);
            let none = Event::Answer(ticket, Answer::KeyExchange(None));
            assert_eq!(pair.feed(false, none), Outcome::Handled);
            // The request is repeated, and so is the question.
            pair.run_for(secs(8));
        }
        let groups = run_computing(&mut pair, 4);
        assert_eq!(groups, [other, other]);
        pair.assert_tunnel();
        nothing_is_left(&pair);
    }
}

#[test]
fn x9_the_initiator_of_rekeys_and_additional_exchanges_asks_too() {
    let (group, ml_kem) = (GroupId::Ecp384, GroupId::MlKem768);
    let mut pair = one_asks(false, group, &[ml_kem]);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    // A key pair and a shared secret for each.
    let all = [group, group, ml_kem, ml_kem];
    assert_eq!(run_computing(&mut pair, 8), all);
    pair.assert_tunnel();
    let child = pair.a.active[0];
    let _ = pair.command(false, Command::RekeyChild(child));
    assert_eq!(run_computing(&mut pair, 15), all);
    pair.assert_tunnel();
    assert!(pair.a.active != [child]);
    let ike = pair.a.endpoint.ike_sas().next().unwrap().id;
    let _ = pair.command(false, Command::RekeyIke(ike));
    assert_eq!(run_computing(&mut pair, 15), all);
    pair.assert_tunnel();
    assert!(pair.a.endpoint.ike_sas().all(|sa| sa.id != ike));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
    nothing_is_left(&pair);
}

#[test]
fn x9_a_childs_secret_that_nobody_computes_leaves_neither_half() {
    let mut pair = up_asking();
    let child = pair.a.active[0];
    let _ = pair.command(false, Command::RekeyChild(child));
    let _pair = compute(&mut pair);
    pair.run_for(secs(3));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 2));
    pair.run_for(secs(10));
    pair.a.asked.clear();
    // The peer's half is deleted, and the old pair stays until the next attempt.
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
    pair.assert_tunnel();
    assert_eq!(pair.a.active, [child]);
    assert!(!run_computing(&mut pair, 60).is_empty());
    pair.assert_tunnel();
    assert!(pair.a.active != [child]);
    nothing_is_left(&pair);
}

#[test]
fn x9_an_ike_rekey_that_nobody_computes_is_computed_here() {
    let mut pair = up_asking();
    let ike = pair.a.endpoint.ike_sas().next().unwrap().id;
    let _ = pair.command(false, Command::RekeyIke(ike));
    let _pair = compute(&mut pair);
    // The peer has the new IKE SA, and the child under it.
    pair.run_for(secs(15));
    pair.a.asked.clear();
    pair.assert_tunnel();
    assert!(pair.a.endpoint.ike_sas().all(|sa| sa.id != ike));
    nothing_is_left(&pair);
}

#[test]
fn x9_the_peer_deletes_what_is_still_being_computed() {
    let mut pair = up_asking();
    let child = pair.a.active[0];
    let _ = pair.command(false, Command::RekeyChild(child));
    let _pair = compute(&mut pair);
    pair.run_for(secs(1));
    let fresh = *pair.b.children.keys().max().unwrap();
    let _ = pair.command(true, Command::DeleteChild(fresh));
    pair.run_for(secs(1));
    assert_eq!(compute(&mut pair), GroupId::Ecp256);
    pair.run_for(secs(1));
    // With what it was to replace (L9), and neither end has a half of it.
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (0, 0));
    // And the IKE SA itself.
    assert_eq!(pair.initiate(false), Outcome::Handled);
    assert_eq!(run_computing(&mut pair, 4), [GroupId::Ecp256; 2]);
    let child = pair.a.active[0];
    let _ = pair.command(false, Command::RekeyChild(child));
    pair.run_for(secs(1));
    let (ticket, _) = pair.a.asked[0].clone();
    assert!(pair.a.endpoint.is_asked(ticket));
    let ike = pair.b.endpoint.ike_sas().next().unwrap().id;
    let _ = pair.command(true, Command::DeleteIke(ike));
    pair.run_for(secs(2));
    assert!(!pair.a.endpoint.is_asked(ticket));
    assert_eq!(pair.a.endpoint.ike_sas().count(), 0);
    nothing_is_left(&pair);
}

#[test]
fn x9_a_key_pair_that_nobody_draws_puts_a_rekey_off() {
    for (ike, answered) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut pair = up_asking();
        let (child, old) = (pair.a.active[0], pair.a.ikes[0]);
        let command = if ike {
            Command::RekeyIke(old)
        } else {
            Command::RekeyChild(child)
        };
        let _ = pair.command(false, command.clone());
        let (ticket, _) = pair.a.asked.remove(0);
        if answered {
            let none = Event::Answer(ticket, Answer::KeyExchange(None));
            assert_eq!(pair.feed(false, none), Outcome::Handled);
        } else {
            pair.run_for(secs(12));
        }
        assert!(!pair.a.endpoint.is_asked(ticket));
        assert_eq!(pair.a.active, [child]);
        pair.assert_tunnel();
        let _ = pair.command(false, command);
        assert_eq!(run_computing(&mut pair, 15), [GroupId::Ecp256; 2]);
        pair.assert_tunnel();
        assert_eq!(pair.a.active == [child], ike);
        assert_eq!(pair.a.endpoint.ike_sas().any(|sa| sa.id == old), !ike);
        nothing_is_left(&pair);
    }
}

#[test]
fn x9_what_is_more_urgent_does_not_wait_for_a_key_pair() {
    let mut pair = up_asking();
    let (child, ike) = (pair.a.active[0], pair.a.ikes[0]);
    let _ = pair.command(false, Command::RekeyChild(child));
    assert_eq!(pair.a.asked.len(), 1);
    let _ = pair.command(false, Command::DeleteIke(ike));
    pair.run_for(secs(1));
    assert_eq!(pair.a.endpoint.ike_sas().count(), 0);
    assert_eq!(pair.b.endpoint.ike_sas().count(), 0);
    assert!(!pair.a.endpoint.is_asked(pair.a.asked[0].0));
    nothing_is_left(&pair);
}

#[test]
fn x9_a_child_comes_up_where_its_peer_has_gone_meanwhile() {
    let group = GroupId::Ecp256;
    let (mut pair, base) = up_with(|config| {
        config.peers[0].children[0].pfs = Pfs::Required(group);
        config.offload.groups = vec![group];
    });
    let child = pair.a.active[0];
    let _ = pair.command(false, Command::RekeyChild(child));
    assert_eq!(compute(&mut pair), group);
    pair.run_for(secs(1));
    assert_eq!(pair.b.asked.len(), 1);
    // The NAT forgets A, whose next packet of ESP comes from another port.
    base.set(30_000);
    let moved = SocketAddr::new(ip(PUBLIC), 34_500);
    let old = pair.b.active[0];
    assert_eq!(pair.feed(true, Event::Moved(old, moved)), Outcome::Handled);
    assert_eq!(run_computing(&mut pair, 15), [group, group]);
    let children: Vec<_> = pair
        .b
        .children
        .values()
        .map(|c| (c.id, c.path.remote))
        .collect();
    assert!(children.len() == 1 && children[0].0 != old, "{children:?}");
    assert_eq!(children[0].1, moved);
    pair.assert_tunnel();
}

/// A pair whose A asks for what P-256 costs. Beside the first child there are one that needs it and one
/// that needs Curve25519.
fn three_children() -> Pair {
    let (mut a, b) = configs(|config| {
        let at_a = config.peers[0].local_address == Some(ip(A));
        for (nets, name, group) in [
            (["10.3.0.0", "10.4.0.0"], "heavy", GroupId::Ecp256),
            (["10.5.0.0", "10.6.0.0"], "light", GroupId::X25519),
        ] {
            let (here, there) = (nets[usize::from(!at_a)], nets[usize::from(at_a)]);
            let mut child = ChildConfig::new(name, net(here, 16), net(there, 16));
            child.pfs = Pfs::Required(group);
            config.peers[0].children.push(child);
        }
    });
    a.offload = Offload::heavy();
    Pair::new(a, b)
}

#[test]
fn x9_a_key_pair_is_for_the_exchange_that_it_was_drawn_for() {
    let mut pair = three_children();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    assert_eq!((pair.a.active.len(), pair.a.asked.len()), (1, 1));
    let (ticket, _) = pair.a.asked.remove(0);
    // B brings the heavy one up itself: A has nothing to begin but the light one.
    let command = Command::Initiate {
        peer: "peer".into(),
        children: vec!["heavy".into()],
    };
    assert_eq!(pair.command(true, command), Outcome::Handled);
    pair.run_for(secs(1));
    assert!(pair.a.endpoint.is_asked(ticket));
    assert_eq!(compute(&mut pair), GroupId::Ecp256);
    pair.run_for(secs(1));
    let heavy = *pair.a.children.keys().max().unwrap();
    let _ = pair.feed(false, Event::Traffic(heavy, Traffic::inbound(1)));
    pair.run_for(secs(3));
    assert!(!pair.a.endpoint.is_asked(ticket));
    assert_eq!((pair.a.active.len(), pair.b.active.len()), (3, 3));
    assert!(pair.a.failed.is_empty() && pair.a.asked.is_empty());
    nothing_is_left(&pair);
}

#[test]
fn x9_what_needs_no_key_pair_does_not_wait_behind_one() {
    let mut pair = three_children();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    assert_eq!(pair.a.asked.len(), 1);
    let child = pair.a.active[0];
    let _ = pair.command(false, Command::DeleteChild(child));
    pair.run_for(secs(1));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (0, 0));
}

#[test]
fn x9_a_dead_peer_is_found_while_a_key_pair_is_waited_for() {
    let times = DpdTimes {
        idle: secs(4),
        retry: secs(1),
        tries: 3,
    };
    let (mut a, b) = configs(|config| {
        config.peers[0].dpd = Dpd::Periodic(times);
        config.peers[0].children[0].pfs = Pfs::Required(GroupId::Ecp256);
    });
    a.offload = Offload::heavy();
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    pair.fate = Box::new(|_| false);
    let child = pair.a.active[0];
    let _ = pair.command(false, Command::RekeyChild(child));
    assert_eq!(pair.a.asked.len(), 1);
    // Before the question ends, which has nothing to do with the peer.
    pair.run_for(secs(9));
    assert_eq!(pair.a.dead.len(), 1);
}

#[test]
fn x9_the_end_of_an_ike_sa_waits_for_no_secret() {
    for ike_rekey in [false, true] {
        let mut pair = up_asking();
        let (child, ike) = (pair.a.active[0], pair.a.ikes[0]);
        let _ = pair.command(
            false,
            match ike_rekey {
                true => Command::RekeyIke(ike),
                false => Command::RekeyChild(child),
            },
        );
        let _pair = compute(&mut pair);
        pair.run_for(secs(1));
        let (ticket, _) = pair.a.asked.remove(0);
        let _ = pair.command(false, Command::DeleteIke(ike));
        pair.run_for(secs(3));
        assert!(!pair.a.endpoint.is_asked(ticket));
        for end in [&pair.a, &pair.b] {
            assert_eq!(end.endpoint.ike_sas().count(), 0, "{ike_rekey}");
            assert!(end.children.is_empty());
        }
        nothing_is_left(&pair);
    }
}

#[test]
fn x9_the_peer_deletes_the_old_ike_sa_before_the_new_one_is_computed() {
    let mut pair = up_asking();
    let (old, b_old) = (pair.a.ikes[0], pair.b.ikes[0]);
    let _ = pair.command(false, Command::RekeyIke(old));
    let _pair = compute(&mut pair);
    pair.run_for(secs(1));
    let (ticket, _) = pair.a.asked.remove(0);
    let _ = pair.command(true, Command::DeleteIke(b_old));
    pair.run_for(secs(3));
    // The tunnel goes on under the new one, at both ends.
    assert!(!pair.a.endpoint.is_asked(ticket));
    for (end, gone) in [(&pair.a, old), (&pair.b, b_old)] {
        let ikes: Vec<_> = end.endpoint.ike_sas().map(|sa| sa.id).collect();
        assert!(ikes.len() == 1 && ikes[0] != gone, "{ikes:?}");
        assert_eq!(end.children.len(), 1);
    }
    pair.assert_tunnel();
    nothing_is_left(&pair);
}

#[test]
fn x9_counters_are_synchronised_while_a_secret_is_computed() {
    for ike_rekey in [false, true] {
        let (mut a, b) = configs(|config| {
            config.peers[0].v2.proposals[0].groups = vec![GroupId::Ecp256];
            config.peers[0].v2.proposals.truncate(1);
            config.peers[0].children[0].pfs = Pfs::Required(GroupId::Ecp256);
        });
        a.offload = Offload::heavy();
        let mut pair = Pair::new(a, b);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        assert_eq!(run_computing(&mut pair, 4), [GroupId::Ecp256; 2]);
        let (child, ike) = (pair.a.active[0], pair.a.ikes[0]);
        let _ = pair.command(
            false,
            match ike_rekey {
                true => Command::RekeyIke(ike),
                false => Command::RekeyChild(child),
            },
        );
        let _pair = compute(&mut pair);
        pair.run_for(secs(1));
        let ike = pair.b.ikes[0];
        let takeover = Takeover {
            epoch: 1,
            message_ids: true,
            skip_outbound: 0,
            skip_inbound: 0,
        };
        let command = Command::SynchronizeIke { ike, takeover };
        assert_eq!(pair.command(true, command), Outcome::Handled);
        pair.run_for(secs(1));
        // The response was here before: what came of it is not asked for again.
        assert_eq!(run_computing(&mut pair, 15), [GroupId::Ecp256]);
        for end in [&pair.a, &pair.b] {
            assert_eq!((end.endpoint.ike_sas().count(), end.children.len()), (1, 1));
        }
        pair.assert_tunnel();
        nothing_is_left(&pair);
    }
}
