//! What is said when nothing comes of an attempt.
use crypto_suite::GroupId;
use ike_sm::config::v2::IkeProposal;
use ike_sm::config::{Identity, PskTable, RemoteIdentity};
use ike_sm::{Answer, CloseReason, Command, Event, Outcome};

use crate::common::{Pair, secs};
use crate::{configs, established, settle};

#[test]
fn l15_a_refused_identity_is_not_taken_for_a_wrong_key() {
    let (a, mut b) = configs(|_| {});
    b.peers[0].remote_id = RemoteIdentity::Is(Identity::Fqdn("other.lab".into()));
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    assert_eq!(pair.a.failed, [CloseReason::RefusedByPeer(24)]);
    let log = pair.a.log.concat();
    let doubt = "the peer refuses our proof: the pre-shared keys may differ, or it does not accept our identity";
    assert!(log.contains(doubt), "{log}");
    assert!(!pair.b.log.concat().contains("keys may differ"));
}

#[test]
fn l15_an_error_in_the_clear_is_named_when_nothing_else_comes() {
    let (mut a, b) = configs(|_| {});
    let mut proposal = IkeProposal::aead();
    proposal.groups = vec![GroupId::Modp4096];
    a.peers[0].v2.proposals = vec![proposal];
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    assert!(pair.a.closed.is_empty());
    pair.run_for(secs(170));
    assert_eq!(pair.a.closed[0].1, CloseReason::RefusedUnproven(14));
    let log = pair.a.log.concat();
    assert!(log.contains("an error that nothing authenticates: NO_PROPOSAL_CHOSEN"));
}

#[test]
fn l15_nothing_that_ikev2_does_is_put_down_to_isakmp() {
    let mut pair = established();
    pair.b.log.clear();
    for command in [
        Command::RekeyChild(pair.a.active[0]),
        Command::RekeyIke(pair.a.ikes[0]),
    ] {
        assert_eq!(pair.command(false, command), Outcome::Handled);
        settle(&mut pair);
    }
    let ike = pair.a.ikes[0];
    assert_eq!(
        pair.command(false, Command::DeleteIke(ike)),
        Outcome::Handled
    );
    settle(&mut pair);
    // Of nobody's SA.
    let path = ike_sm::Path::plain(
        "192.0.2.2:500".parse().unwrap(),
        "192.0.2.1:500".parse().unwrap(),
    );
    let mut stray = [7; 28];
    stray[16..].copy_from_slice(&[46, 0x20, 37, 8, 0, 0, 0, 1, 0, 0, 0, 28]);
    let message = &stray;
    let _ = pair.feed(true, Event::Datagram { path, message });
    for log in [&pair.a.log, &pair.b.log] {
        let log = log.concat();
        assert!(log.contains("IKEv2:(SESSION ID = "), "{log}");
        for line in log.lines() {
            assert!(!line.starts_with("ISAKMP"), "{line}");
        }
    }
}

#[test]
fn l15_no_pre_shared_key_is_called_so() {
    let (mut a, b) = configs(|_| {});
    a.psks = PskTable::default();
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let (ticket, _) = pair.a.asked.pop().unwrap();
    let outcome = pair.feed(false, Event::Answer(ticket, Answer::Psk(None)));
    assert_eq!(outcome, Outcome::Handled);
    pair.run_for(secs(1));
    assert_eq!(pair.a.closed[0].1, CloseReason::NoPsk);
}

#[test]
fn both_ends_tell_the_states_and_the_messages_of_an_ike_sa() {
    let pair = established();
    let (waits, up) = ("WAIT_AUTH", "READY");
    let a = [("IDLE", "I_WAIT_INIT"), ("I_WAIT_INIT", waits), (waits, up)];
    let b = [("IDLE", waits), (waits, up)];
    for (end, expected) in [(&pair.a, &a[..]), (&pair.b, &b[..])] {
        let log = end.log.concat();
        let told = log
            .lines()
            .filter_map(|line| line.split("Old State = ").nth(1));
        let expected = expected.iter();
        let expected = expected.map(|(from, to)| format!("{from}  New State = {to}"));
        assert_eq!(told.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        // IKE_SA_INIT and IKE_AUTH.
        for kind in ["sending packet to", "received packet from"] {
            assert_eq!(log.matches(kind).count(), 2, "{kind}");
        }
    }
}
