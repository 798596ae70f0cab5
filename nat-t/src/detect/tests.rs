#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use crypto_suite::{DEFAULT, HashId};
use hex_literal::hex;
use std::vec::Vec;

fn hash(id: HashId) -> &'static dyn Hash {
    DEFAULT.hash(id).unwrap()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A NAT-D exchange that somebody else recorded (`tests/data/PROVENANCE.md`).
struct Recorded {
    hash: HashId,
    cookies: ([u8; 8], [u8; 8]),
    source: &'static str,
    destination: &'static str,
    /// NAT-D bodies in wire order.
    bodies: [Vec<u8>; 2],
}

impl Recorded {
    fn of(&self, text: &str) -> Digest {
        nat_hash(
            hash(self.hash),
            &self.cookies.0,
            &self.cookies.1,
            address(text),
        )
    }

    /// What the receiver concludes when its own address is `own`.
    fn judge(&self, own: &str) -> Detection {
        let received = self.bodies.iter().map(Vec::as_slice);
        detect_v1(&[self.of(own)], &self.of(self.source), received).unwrap()
    }
}

/// joy `test/pcaps/ikev1.pcap`, frames 5 and 6: main mode with SHA-1.
fn direct_sha1() -> [Recorded; 2] {
    let cookies = (hex!("c6d1459285150c7e"), hex!("6e961f01bf179b35"));
    let responder = hex!("7048b170a54fa1c16582dce008d059de9295d7d3").to_vec();
    let initiator = hex!("c9e46dddfcc29d4ef72ba4da66d4720687e469e5").to_vec();
    [
        Recorded {
            hash: HashId::Sha1,
            cookies,
            source: "192.168.140.205:500",
            destination: "192.168.140.200:500",
            bodies: [responder.clone(), initiator.clone()],
        },
        Recorded {
            hash: HashId::Sha1,
            cookies,
            source: "192.168.140.200:500",
            destination: "192.168.140.205:500",
            bodies: [initiator, responder],
        },
    ]
}

/// Two strongSwan 6.0.6 without NAT, main mode with SHA-256 (v1-6-rawesp, frame 6).
fn direct_sha256() -> Recorded {
    Recorded {
        hash: HashId::Sha256,
        cookies: (hex!("389fb375a1160a7a"), hex!("20ad04e79e1b738a")),
        source: "192.0.2.1:500",
        destination: "192.0.2.2:500",
        bodies: [
            hex!("30c8a90838fb5eedfb836d3d1f648ae196599f8f47e47944d7aa6706bf2fe7cc").to_vec(),
            hex!("9c88ea591224cbd5560f08510c2698fd6281f2ae7a2f53fe96c91dde2c23289f").to_vec(),
        ],
    }
}

/// Main mode with SHA-256 across a masquerading NAT, seen behind it (v1-nat, frame 5). The
/// sender, 192.168.77.2, became 192.0.2.254.
fn through_nat() -> Recorded {
    Recorded {
        hash: HashId::Sha256,
        cookies: (hex!("010255c0da69f37f"), hex!("cc6e486e97730b33")),
        source: "192.0.2.254:500",
        destination: "192.0.2.2:500",
        bodies: [
            hex!("34e420360f2ea8ce25c50063e187054254fc7cbdec8572f9cd669cf0734af3fd").to_vec(),
            hex!("fb8451b0400d34bff999078873a4295ad5d6bf84584bb89a23af83fd993a250b").to_vec(),
        ],
    }
}

#[test]
fn n3_recorded_nat_d_payloads_put_the_destination_first() {
    for recorded in direct_sha1().into_iter().chain([direct_sha256()]) {
        let sources = [address(recorded.source)];
        let (initiator, responder) = &recorded.cookies;
        let built: Vec<_> = nat_hashes(
            hash(recorded.hash),
            initiator,
            responder,
            address(recorded.destination),
            &sources,
        )
        .collect();
        assert_eq!(built.len(), 2);
        for (built, body) in built.iter().zip(&recorded.bodies) {
            assert!(*built == *body.as_slice());
        }
    }
}

#[test]
fn rfc3947_s3_2_both_hashes_match_means_no_nat() {
    for recorded in direct_sha1().into_iter().chain([direct_sha256()]) {
        assert_eq!(recorded.judge(recorded.destination).verdict, Verdict::NoNat);
    }
}

#[test]
fn rfc3947_s3_2_a_rewritten_source_means_the_peer_is_behind_a_nat() {
    let recorded = through_nat();
    let detection = recorded.judge(recorded.destination);
    assert_eq!(detection.verdict, Verdict::PeerBehindNat);
    assert!(detection.local_matches && !detection.peer_matches);
    assert!(detection.verdict.follows_peer() && !detection.verdict.sends_keepalives());
}

/// GV12: "NAT does not match MINE hash", "NAT match HIS hash" makes the initiator the one behind
/// the NAT; it floats to 4500.
#[test]
fn gv12_mine_mismatch_and_his_match_put_the_initiator_behind_the_nat() {
    let [_, answer] = direct_sha1();
    // The initiator's real address is another one than the responder saw.
    let detection = answer.judge("10.0.68.1:500");
    assert!(!detection.local_matches && detection.peer_matches);
    assert_eq!(detection.verdict, Verdict::LocalBehindNat);
    assert!(detection.verdict.sends_keepalives());
    let floated = crate::float(detection.verdict, 500);
    assert_eq!(
        floated,
        crate::Float::Move {
            local_port: 4500,
            remote_port: 4500
        }
    );
    // draft-03 was announced both ways, so payload type 17 is a NAT-D.
    let versions: crate::Versions = [crate::Version::Draft03].into_iter().collect();
    assert_eq!(
        versions.best_common(versions),
        Some(crate::Version::Draft03)
    );
    assert!(versions.is_nat_d(17));
}

#[test]
fn both_hashes_differ_means_both_are_behind_nats() {
    let recorded = through_nat();
    assert_eq!(
        recorded.judge("10.9.9.9:500").verdict,
        Verdict::BothBehindNat
    );
    // A port alone counts as well.
    assert_eq!(
        recorded.judge("192.0.2.2:501").verdict,
        Verdict::BothBehindNat
    );
}

#[test]
fn rfc3947_s3_2_with_several_source_hashes_one_match_suffices() {
    let recorded = direct_sha256();
    let stranger = [0x5a; 32];
    let [destination, source] = &recorded.bodies;
    let peer = recorded.of(recorded.source);
    let own = [
        recorded.of("10.0.0.1:500"),
        recorded.of(recorded.destination),
    ];
    let judge = |bodies: &[&[u8]]| {
        detect_v1(&own, &peer, bodies.iter().copied()).map(|detection| detection.verdict)
    };
    assert_eq!(
        judge(&[destination, &stranger, source, &stranger]),
        Ok(Verdict::NoNat)
    );
    assert_eq!(
        judge(&[destination, &stranger, &stranger]),
        Ok(Verdict::PeerBehindNat)
    );
}

/// Two strongSwan 6.0.6, IKE_SA_INIT without NAT (v2-6-rawesp, frames 4 and 5): SHA-1 always, and
/// a responder SPI of zero in the request.
#[test]
fn rfc7296_s2_23_recorded_notifications() {
    let sha1 = hash(HashId::Sha1);
    let (a, b) = (address("192.0.2.1:500"), address("192.0.2.2:500"));
    let request = (hex!("6779684f01105ca5"), [0; 8]);
    let of = |spis: &([u8; 8], [u8; 8]), at| nat_hash(sha1, &spis.0, &spis.1, at);
    let source: &[u8] = &hex!("f3347752ac1a2b1b8832e94a9d1a2eaf4a5e25cf");
    let destination = &hex!("b4e005d250edbe6b1f49517ce9d3a30b770f76be");
    let judged = detect_v2(&[of(&request, b)], &of(&request, a), destination, [source]).unwrap();
    assert_eq!(judged.verdict, Verdict::NoNat);

    let response = (hex!("6779684f01105ca5"), hex!("2e3d2003d523883e"));
    let source: &[u8] = &hex!("4a8e0dde9a9d6279a0003dcf2af6816af7f76155");
    let destination = &hex!("a96b1693617f8aac0c05f52aaa27f15c5468610d");
    let judged = detect_v2(
        &[of(&response, a)],
        &of(&response, b),
        destination,
        [source],
    )
    .unwrap();
    assert_eq!(judged.verdict, Verdict::NoNat);
}

/// Through a NAT that changed the port to 40051 (v2-nat, frame 3).
#[test]
fn rfc7296_s2_23_a_recorded_nat_is_found() {
    let sha1 = hash(HashId::Sha1);
    let spi = hex!("331b4508789b63ac");
    let of = |text| nat_hash(sha1, &spi, &[0; 8], address(text));
    let source: &[u8] = &hex!("200a59825a82d4d84a66af08f7511480e1969611");
    let destination = &hex!("e02b12d4ac04c414e084758a199e788fa9bd6142");
    let own = [of("192.0.2.2:500")];
    let judged = detect_v2(&own, &of("192.0.2.254:40051"), destination, [source]).unwrap();
    assert_eq!(judged.verdict, Verdict::PeerBehindNat);
}

#[test]
fn ipv6_addresses_are_sixteen_octets() {
    let sha1 = hash(HashId::Sha1);
    let built = nat_hash(sha1, &[1; 8], &[2; 8], address("[2001:db8::1]:4500"));
    let mut by_hand = [&[1u8; 8][..], &[2; 8]].concat();
    by_hand.extend(hex!("20010db8000000000000000000000001 1194"));
    assert!(built == sha1.digest(&[&by_hand]));
    assert!(built != nat_hash(sha1, &[1; 8], &[2; 8], address("[2001:db8::1]:500")));
}

#[test]
fn missing_and_misshapen_hashes_are_errors() {
    let recorded = direct_sha256();
    let [destination, source] = &recorded.bodies;
    let peer = recorded.of(recorded.source);
    let own = [recorded.of(recorded.destination)];
    let judge = |bodies: &[&[u8]]| detect_v1(&own, &peer, bodies.iter().copied());
    assert_eq!(judge(&[]), Err(DetectError::NoDestination));
    assert_eq!(judge(&[destination]), Err(DetectError::NoSource));
    for len in 0..32 {
        let expected = Err(DetectError::Length {
            expected: 32,
            found: len,
        });
        assert_eq!(judge(&[&destination[..len], source]), expected);
        assert_eq!(judge(&[destination, &source[..len]]), expected);
    }
}

#[test]
fn source_hashes_are_bounded() {
    let recorded = direct_sha256();
    let sources = [address("10.0.0.1:500"); 100];
    let (initiator, responder) = &recorded.cookies;
    let destination = address(recorded.destination);
    let sha = hash(recorded.hash);
    assert_eq!(
        nat_hashes(sha, initiator, responder, destination, &sources).count(),
        MAX_HASHES
    );
    // The match behind the sixteenth source hash does not count.
    let [destination, source] = &recorded.bodies;
    let stranger = [0u8; 32];
    let flood = core::iter::once(&destination[..])
        .chain(core::iter::repeat_n(&stranger[..], MAX_HASHES))
        .chain([&source[..]]);
    let own = [recorded.of(recorded.destination)];
    let judged = detect_v1(&own, &recorded.of(recorded.source), flood).unwrap();
    assert_eq!(judged.verdict, Verdict::PeerBehindNat);
}
