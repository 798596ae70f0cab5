//! The end of a tunnel ends all that stands for its traffic, whatever a rekey has left.

use std::time::Duration;

use ike_sm::config::{ChildConfig, IkeVersion};
use ike_sm::{CloseReason, Command, DropReason, Outcome};

use crate::VERSIONS;
use crate::common::{A, B, Pair, config, net, secs};

fn pair(version: IkeVersion) -> Pair {
    let [a, b] = [(A, B), (B, A)].map(|(own, peer)| {
        let mut config = config(own, peer, b"secret");
        config.peers[0].version = version;
        let nets = match own {
            A => ["10.11.0.0", "10.12.0.0"],
            _ => ["10.12.0.0", "10.11.0.0"],
        };
        let [local, remote] = nets.map(|n| net(n, 16));
        config.peers[0]
            .children
            .push(ChildConfig::new("two", local, remote));
        config
    });
    let mut pair = Pair::new(a, b);
    let (peer, children) = ("peer".into(), vec!["net".into()]);
    let _ = pair.command(false, Command::Initiate { peer, children });
    pair.run_for(secs(3));
    pair.assert_tunnel();
    pair
}

#[test]
fn l9_a_deletion_takes_the_replaced_pair_along() {
    for version in VERSIONS {
        for rekeyed_by_b in [false, true] {
            // At once, while the old one lingers, and when it was told already.
            for after in [200, 3_000, 10_200, 11_000] {
                for newest in [true, false] {
                    let mut pair = pair(version);
                    let child = pair.end(rekeyed_by_b).active[0];
                    let _ = pair.command(rekeyed_by_b, Command::RekeyChild(child));
                    pair.run_for(Duration::from_millis(after));
                    pair.assert_tunnel();
                    let mut children = pair.a.children.keys().copied();
                    let one = if newest {
                        children.next_back()
                    } else {
                        children.next()
                    };
                    let outcome = pair.command(false, Command::DeleteChild(one.unwrap()));
                    assert_eq!(outcome, Outcome::Handled);
                    assert!(pair.a.children.is_empty(), "{version:?} {after}");
                    let requested = |(_, r): &(_, CloseReason)| *r == CloseReason::Requested;
                    assert!(pair.a.removed.iter().rev().any(requested));
                    // A new one may be asked for at once, and works.
                    assert_eq!(pair.initiate(false), Outcome::Handled);
                    pair.run_for(secs(1));
                    for _ in 0..40 {
                        pair.assert_tunnel();
                        pair.run_for(secs(1));
                    }
                    let both = (pair.a.children.len(), pair.b.children.len());
                    let case = (version, rekeyed_by_b, after, newest);
                    assert_eq!(both, (2, 2), "{case:?}");
                }
            }
        }
    }
}

/// The response to a rekey of the IKE SA is overtaken by what its sender wants next.
#[test]
fn l10_the_responder_of_an_ike_rekey_waits_until_the_initiator_knows_the_new_sa() {
    for version in VERSIONS {
        let mut pair = pair(version);
        let ike = pair.a.ikes[0];
        let rekeyed = pair.b.ikes.len();
        let mut late = 0;
        pair.fate = Box::new(move |flight| {
            if !flight.to_b && late == 0 && version == IkeVersion::V2 {
                late += 1;
                flight.at += Duration::from_millis(60);
            }
            true
        });
        let _ = pair.command(false, Command::RekeyIke(ike));
        while pair.b.ikes.len() == rekeyed {
            let until = pair.now + secs(1);
            assert!(pair.step(until));
        }
        let (peer, children) = ("peer".into(), vec!["two".into()]);
        let _ = pair.command(true, Command::Initiate { peer, children });
        pair.run_for(secs(3));
        let refused = |(_, o): &&(bool, Outcome)| {
            let reasons = [DropReason::UnknownCookies, DropReason::NoKeyYet];
            o.dropped().is_some_and(|why| reasons.contains(why))
        };
        assert!(!pair.outcomes.iter().any(|o| refused(&o)), "{version:?}");
        assert_eq!((pair.a.children.len(), pair.b.children.len()), (2, 2));
        pair.run_for(secs(60));
        assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
    }
}

/// An initiator that neither deletes the old SA nor says anything is not waited for longer than a
/// moment.
#[test]
fn l10_what_waits_goes_out_in_the_end() {
    let mut pair = pair(IkeVersion::V2);
    let ike = pair.a.ikes[0];
    let _ = pair.command(false, Command::RekeyIke(ike));
    let mut lost = false;
    // The Delete of the old SA gets lost.
    pair.fate = Box::new(move |flight| {
        let lose = flight.to_b && !lost;
        lost |= lose;
        !lose
    });
    pair.run_for(Duration::from_millis(100));
    let (peer, children) = ("peer".into(), vec!["two".into()]);
    let _ = pair.command(true, Command::Initiate { peer, children });
    pair.run_for(Duration::from_secs(6));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (2, 2));
}
