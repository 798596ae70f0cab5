//! Additional key exchanges: IKE_INTERMEDIATE (RFC 9242, RFC 9370).
use crypto_suite::GroupId;
use ike_sm::config::v2::{AdditionalKeyExchange, IkeProposal};
use ike_sm::{CloseReason, DropReason, KeyLog, Outcome};
use isakmp_wire::v2::{Message, NotifyType, PayloadType, Writer};
use isakmp_wire::{ExchangeType, Limits};

use crate::common::{Pair, secs};
use crate::configs;

fn proposal(slots: &[(&[GroupId], bool)]) -> IkeProposal {
    let slot = |(methods, optional): &(&[GroupId], bool)| AdditionalKeyExchange {
        methods: methods.to_vec(),
        optional: *optional,
    };
    IkeProposal {
        additional: slots.iter().map(slot).collect(),
        ..IkeProposal::aead()
    }
}

use GroupId::{MlKem512 as K5, MlKem768 as K7, MlKem1024 as K10};

/// Two ends with these additional key exchanges.
fn pair(a: &[(&[GroupId], bool)], b: &[(&[GroupId], bool)]) -> Pair {
    let (mut ours, mut theirs) = configs(|config| config.key_log = true);
    ours.peers[0].v2.proposals = vec![proposal(a)];
    theirs.peers[0].v2.proposals = vec![proposal(b)];
    Pair::new(ours, theirs)
}

fn exchanges(pair: &Pair) -> usize {
    pair.a
        .log
        .iter()
        .filter(|line| line.contains("IKE_INTERMEDIATE") || line.contains("SKEYID state"))
        .count()
}

#[test]
fn rfc9370_s2_2_2_ml_kem_follows_ike_sa_init_and_ike_auth_follows_it() {
    let ml_kem: &[(&[GroupId], bool)] = &[(&[K7], false)];
    let mut pair = pair(ml_kem, ml_kem);
    pair.bring_up();
    // KEi has 1184 octets: two fragments of at most 1232. Seven datagrams, as between two
    // strongSwan 6 (`v2-6-mlkem768`).
    assert_eq!(pair.sent, 7, "{:?}", pair.outcomes);
    assert!(pair.outcomes.iter().all(|(_, o)| *o == Outcome::Handled));
    // Both ends changed their keys once, to the same ones.
    let keys = |log: &[KeyLog]| -> Vec<Vec<u8>> {
        let key = |entry: &KeyLog| match entry {
            KeyLog::Ikev2 { sk_ei, .. } => Some(sk_ei.expose().to_vec()),
            _ => None,
        };
        log.iter().filter_map(key).collect()
    };
    let (a, b) = (keys(&pair.a.key_log), keys(&pair.b.key_log));
    assert_eq!(a.len(), 2);
    assert_ne!(a[0], a[1]);
    assert_eq!(a, b);
}

#[test]
fn rfc9370_s2_2_2_several_follow_each_other_in_their_order() {
    let a: &[(&[GroupId], bool)] = &[(&[K7, K10], false), (&[K7, K10], false), (&[K5], true)];
    let b: &[(&[GroupId], bool)] = &[(&[K10, K7], false), (&[K7, K10], false)];
    let mut pair = pair(a, b);
    pair.bring_up();
    let derived = exchanges(&pair);
    assert!(derived >= 3, "{derived}: {:#?}", pair.a.log);
    pair.assert_tunnel();
}

#[test]
fn an_optional_key_exchange_is_left_out_with_a_peer_that_has_none() {
    let mut up = pair(&[(&[K7], true)], &[]);
    up.bring_up();
    assert_eq!(up.sent, 4);
    let mut up = pair(&[], &[(&[K7], true)]);
    up.bring_up();
    assert_eq!(up.sent, 4);
    // One that must be is not left out.
    let mut down = pair(&[(&[K7], false)], &[]);
    assert_eq!(down.initiate(false), Outcome::Handled);
    down.run_for(secs(3));
    let refused = Outcome::Dropped(DropReason::NoProposalChosen);
    assert_eq!(down.outcomes[0], (true, refused));
    assert!(down.a.ikes.is_empty());
}

#[test]
fn every_lost_datagram_is_made_good() {
    let ml_kem: &[(&[GroupId], bool)] = &[(&[K10], false)];
    for lost in 0..9 {
        let mut pair = pair(ml_kem, ml_kem);
        let mut number = 0;
        pair.fate = Box::new(move |_| {
            number += 1;
            number != lost + 1
        });
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(secs(20));
        pair.assert_tunnel();
        assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1), "{lost}");
    }
}

#[test]
fn c11_duplicates_and_reordering_of_every_datagram_change_nothing() {
    let ml_kem: &[(&[GroupId], bool)] = &[(&[K10], false), (&[K7], false)];
    let mut pair = pair(ml_kem, ml_kem);
    let mut number = 0u64;
    pair.fate = Box::new(move |flight| {
        number += 1;
        // Each datagram overtakes the one before.
        flight.at += std::time::Duration::from_millis(if number.is_multiple_of(2) { 0 } else { 7 });
        true
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    for _ in 0..200 {
        let copies: Vec<_> = pair
            .flights
            .iter()
            .map(|f| (f.to_b, f.path, f.datagram.clone()))
            .collect();
        if !pair.step(secs(30)) {
            break;
        }
        for (to_b, path, datagram) in copies.into_iter().take(2) {
            let at = pair.now;
            pair.deliver(crate::common::Flight {
                at,
                to_b,
                path,
                datagram,
            });
        }
        if pair.outcomes.len() > 300 {
            break;
        }
    }
    pair.flights.clear();
    assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
    pair.assert_tunnel();
}

/// C14: an attacker who takes the post-quantum key exchange out of the offer is found out by AUTH.
#[test]
fn c14_a_stripped_key_exchange_fails_authentication() {
    let mut pair = pair(&[(&[K7], true)], &[(&[K7], true)]);
    pair.fate = Box::new(|flight| {
        if let Some(stripped) = without_intermediate(&flight.datagram) {
            flight.datagram = stripped;
        }
        true
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    assert!(pair.a.ikes.is_empty() && pair.b.ikes.is_empty());
    assert!(pair.a.children.is_empty() && pair.b.children.is_empty());
}

/// IKE_SA_INIT without the notification and without transform types 6 to 12.
fn without_intermediate(datagram: &[u8]) -> Option<Vec<u8>> {
    let message = Message::parse(datagram, &Limits::DEFAULT).ok()?;
    if message.header.exchange_type != ExchangeType::IKE_SA_INIT {
        return None;
    }
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, &message.header).ok()?;
    for payload in message.payloads() {
        if payload.payload_type == PayloadType::SA {
            let sa = isakmp_wire::v2::Sa::parse(&payload, &Limits::DEFAULT).ok()?;
            let mut list = ike_sm::policy::v2::read_sa(&sa);
            for proposal in &mut list {
                let added = |t: &ike_sm::policy::v2::Transform| t.kind.is_additional_key_exchange();
                proposal.transforms.retain(|t| !added(t));
            }
            writer.sa(|w| ike_sm::policy::v2::write_sa(&list, w)).ok()?;
            continue;
        }
        let [high, low] = NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED.0.to_be_bytes();
        if payload.payload_type == PayloadType::NOTIFY && payload.body[2..4] == [high, low] {
            continue;
        }
        writer.copy(&payload).ok()?;
    }
    writer.finish().ok()?;
    Some(out)
}

/// RFC 9242 §3.4, RFC 7296 §2.21.2: what comes before IKE_AUTH is no more than it claims.
#[test]
fn ike_auth_before_the_key_exchange_is_over_is_not_taken() {
    let ml_kem: &[(&[GroupId], bool)] = &[(&[K5], false)];
    let mut pair = pair(ml_kem, ml_kem);
    pair.fate = Box::new(|flight| {
        // IKE_INTERMEDIATE made into IKE_AUTH: the header is authenticated, nobody is fooled.
        if flight.datagram[18] == ExchangeType::IKE_INTERMEDIATE.0 {
            flight.datagram[18] = ExchangeType::IKE_AUTH.0;
        }
        true
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    let forged = Outcome::Dropped(DropReason::IntegrityFailed);
    assert_eq!(pair.outcomes[2], (true, forged));
    pair.run_for(secs(300));
    assert!(matches!(pair.a.closed[0].1, CloseReason::Timeout));
    assert_eq!(pair.b.endpoint.ike_sas().count(), 0);
}

#[test]
fn the_ike_sa_is_rekeyed_without_losing_the_tunnel() {
    let ml_kem: &[(&[GroupId], bool)] = &[(&[K7], false)];
    for by_b in [false, true] {
        let mut pair = pair(ml_kem, ml_kem);
        pair.bring_up();
        let ike = *pair.end(by_b).ikes.last().unwrap();
        let outcome = pair.command(by_b, ike_sm::Command::RekeyIke(ike));
        assert_eq!(outcome, Outcome::Handled);
        pair.run_for(secs(30));
        assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
        assert_ne!(pair.end(by_b).ikes[0], ike);
        pair.assert_tunnel();
    }
}
