use alloc::format;

use crypto_suite::{DEFAULT, PrfId};

use super::*;

fn draw(group: GroupId, seed: u8) -> Draw {
    let group = DEFAULT.group(group).unwrap();
    let prf = DEFAULT.prf(PrfId::HmacSha256).unwrap();
    Draw::new(group, prf, |octets| octets.fill(seed))
}

fn job(group: GroupId, peer_public: &[u8], seed: u8) -> KeyExchangeJob {
    KeyExchangeJob::respond(draw(group, seed), peer_public)
}

fn can_cross_threads<T: Send + 'static>(_: &T) {}

#[test]
fn x9_a_job_does_what_the_group_does_and_the_same_seed_does_it_again() {
    for group in DEFAULT.groups {
        let id = group.id();
        let mut rng = Drawn {
            prf: DEFAULT.prf(PrfId::HmacSha256).unwrap(),
            seed: &Secret::from(&b"peer"[..]),
            blocks: 0,
        };
        let peer = group.start(&mut rng).unwrap();
        let first = job(id, peer.public(), 1);
        can_cross_threads(&first);
        let (public, secret) = first.clone().run().of(id).unwrap();
        assert_eq!(
            first.run().of(id).unwrap(),
            (public.clone(), secret.clone())
        );
        let (other, _) = job(id, peer.public(), 2).run().of(id).unwrap();
        assert_ne!(other, public, "{id}");
        assert_eq!(peer.finish(&public).unwrap(), secret, "{id}");
    }
}

#[test]
fn x9_the_jobs_of_both_ends_meet() {
    for group in DEFAULT.groups {
        let id = group.id();
        let first = KeyExchangeJob::pair(draw(id, 1));
        can_cross_threads(&first);
        let pair = first.clone().run().drawn(id).unwrap();
        assert_eq!(first.run().drawn(id).unwrap().public(), pair.public());
        let (public, secret) = job(id, pair.public(), 2).run().of(id).unwrap();
        let done = KeyExchangeJob::agree(Arc::clone(&pair), &public).run();
        let agreed = shared(&*pair, &public, Some(Some(done)));
        assert_eq!(agreed.unwrap(), secret, "{id}");
    }
}

#[test]
fn x9_one_kind_of_result_is_none_of_another() {
    let id = GroupId::X25519;
    let pair = || KeyExchangeJob::pair(draw(id, 1)).run();
    let agree = |public: &[u8]| KeyExchangeJob::agree(pair().drawn(id).unwrap(), public).run();
    let agreed = || agree(&[9; 32]);
    let answer = || job(id, &[9; 32], 1).run();
    assert!(pair().of(id).is_err() && !pair().is_shared(id));
    assert!(agreed().of(id).is_err() && agreed().drawn(id).is_err());
    assert!(answer().drawn(id).is_err() && !answer().is_shared(id));
    assert!(pair().drawn(GroupId::Ecp256).is_err());
    assert!(agreed().is_shared(id) && !agreed().is_shared(GroupId::Ecp256));
    // Only an invalid value is the peer's fault.
    let own = pair().drawn(id).unwrap();
    let fault = |done| shared(&*own, &[9; 32], Some(done)).err();
    assert_eq!(fault(Some(agreed())), None);
    assert_eq!(
        fault(Some(agree(&[0; 32]))),
        Some(DropReason::BadKeyExchange)
    );
    for other in [None, Some(pair()), Some(answer())] {
        assert_eq!(fault(other), Some(DropReason::TemporaryFailure));
    }
}

#[test]
fn x9_a_job_and_its_result_print_no_secret() {
    let x25519 = GroupId::X25519;
    let job = job(x25519, &[9; 32], 0xab);
    assert_eq!(format!("{job:?}"), "KeyExchangeJob { group: X25519, .. }");
    let done = job.run();
    assert_eq!(
        format!("{done:?}"),
        "KeyExchangeDone { group: X25519, failed: None, .. }"
    );
}

#[test]
fn x9_the_result_of_one_group_is_none_of_another() {
    let done = job(GroupId::X25519, &[9; 32], 1).run();
    assert_eq!(done.group(), GroupId::X25519);
    assert_eq!(
        done.of(GroupId::Ecp256).err(),
        Some(CryptoError::KeyInvalid)
    );
    let bad = job(GroupId::X25519, &[0; 32], 1).run();
    assert!(bad.of(GroupId::X25519).is_err());
}
