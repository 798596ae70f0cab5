use alloc::format;

use crypto_suite::{DEFAULT, PrfId};

use super::*;

fn job(group: GroupId, peer_public: &[u8], seed: u8) -> KeyExchangeJob {
    let group = DEFAULT.group(group).unwrap();
    let prf = DEFAULT.prf(PrfId::HmacSha256).unwrap();
    KeyExchangeJob::respond(group, prf, peer_public, |octets| octets.fill(seed))
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
