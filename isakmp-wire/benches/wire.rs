//! Parsing and building beside the `isakmp` crate (IKEv1) and `ipsec-parser` (IKEv2), in one run:
//! divide the lines of a group for the ratio.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use divan::{Bencher, black_box};
use isakmp_wire::{
    BuildError, ExchangeType, Header, Limits, Message, ProtocolId, SliceSink, v1, v2,
};

const LIMITS: Limits = Limits::DEFAULT;

fn main() {
    divan::main();
}

/// Four transforms, as the source documents offer them.
fn offers() -> [v1::Phase1; 4] {
    let offer = |encryption, hash, group| v1::Phase1 {
        encryption: Some(encryption),
        hash: Some(hash),
        authentication: Some(v1::AuthenticationMethod::PRE_SHARED_KEY),
        group: Some(group),
        life_seconds: Some(86_400),
        ..v1::Phase1::default()
    };
    use v1::{EncryptionAlgorithm as E, GroupDescription as G, HashAlgorithm as H};
    [
        offer(E::TRIPLE_DES_CBC, H::SHA, G::MODP_1024),
        offer(E::DES_CBC, H::MD5, G::MODP_768),
        offer(E::TRIPLE_DES_CBC, H::SHA, G::MODP_1024),
        offer(E::TRIPLE_DES_CBC, H::MD5, G::MODP_1024),
    ]
}

fn build_main_mode_1(
    sink: &mut dyn isakmp_wire::Sink,
    offers: &[v1::Phase1],
) -> Result<usize, BuildError> {
    let header = Header::v1(ExchangeType::IDENTITY_PROTECTION, [7; 8], [0; 8]);
    let mut message = v1::Writer::new(sink, &header)?;
    message.sa(v1::Situation::IDENTITY_ONLY, |sa| {
        sa.proposal(1, ProtocolId::ISAKMP, &[], |p| {
            (1..).zip(offers).try_for_each(|(number, offer)| {
                p.transform(number, v1::IsakmpTransform::KEY_IKE, |t| t.phase1(offer))
            })
        })
    })?;
    message.finish()
}

fn main_mode_1() -> Vec<u8> {
    let mut bytes = Vec::new();
    build_main_mode_1(&mut bytes, &offers()).unwrap();
    bytes
}

mod main_mode_1_parse {
    use super::{Bencher, LIMITS, Message, black_box, main_mode_1, v1};

    /// Header, chain, and the SA down to the value of every attribute.
    #[divan::bench]
    fn isakmp_wire(bencher: Bencher<'_, '_>) {
        let bytes = main_mode_1();
        bencher.bench(|| {
            let Message::V1(message) = Message::parse(black_box(&bytes), &LIMITS).unwrap() else {
                panic!()
            };
            let mut found = v1::Phase1::default();
            for payload in message.payloads() {
                if let v1::View::Sa(sa) = payload.view(v1::Dialect::STANDARD, &LIMITS).unwrap() {
                    for transform in sa.proposals().flat_map(|proposal| proposal.transforms()) {
                        found = black_box(v1::Phase1::read(transform.attributes()).unwrap());
                    }
                }
            }
            found
        });
    }

    #[divan::bench]
    fn isakmp_crate(bencher: Bencher<'_, '_>) {
        let bytes = main_mode_1();
        bencher.bench(|| isakmp::v1::parser::parse_packet(black_box(&bytes)).unwrap());
    }
}

mod main_mode_1_build {
    use super::{Bencher, SliceSink, black_box, build_main_mode_1, offers};
    use isakmp::v1::definitions::{
        AuthenticationMethod, EncryptionAlgorithm, GroupDescription, HashAlgorithm,
    };
    use isakmp::v1::generator::{MessageBuilder, Transform};

    #[divan::bench]
    fn isakmp_wire_into_a_slice(bencher: Bencher<'_, '_>) {
        let offers = offers();
        let mut buffer = [0; 256];
        bencher.bench_local(|| {
            build_main_mode_1(&mut SliceSink::new(&mut buffer), black_box(&offers)).unwrap()
        });
    }

    #[divan::bench]
    fn isakmp_wire_into_a_vec(bencher: Bencher<'_, '_>) {
        let offers = offers();
        bencher.bench(|| {
            let mut bytes = Vec::with_capacity(256);
            build_main_mode_1(&mut bytes, black_box(&offers)).unwrap();
            bytes
        });
    }

    /// Draws its own cookie.
    #[divan::bench]
    fn isakmp_crate(bencher: Bencher<'_, '_>) {
        let transform = Transform {
            encryption_algorithm: EncryptionAlgorithm::TrippleDES_CBC,
            hash_algorithm: HashAlgorithm::SHA,
            authentication_method: AuthenticationMethod::PreSharedKey,
            group_description: GroupDescription::MODP_1024,
            key_size: None,
        };
        bencher.bench(|| {
            (0..4)
                .fold(MessageBuilder::new(), |builder, _| {
                    builder.add_transform(black_box(&transform).clone())
                })
                .build()
        });
    }
}

mod sa_init {
    use super::{Bencher, LIMITS, Message, black_box, v2};

    /// The message that `ipsec-parser` tests itself with: SA, KE, Nonce and five notifications or
    /// vendor IDs.
    const BYTES: &[u8] = include_bytes!("../tests/data/captures/ike-sa-init-req.bin");

    /// Header, lengths, chain: all that an endpoint needs to find the session.
    #[divan::bench]
    fn isakmp_wire_message(bencher: Bencher<'_, '_>) {
        bencher.bench(|| Message::parse(black_box(BYTES), &LIMITS).unwrap());
    }

    /// The same, and every payload through its view, the SA down to its attributes.
    #[divan::bench]
    fn isakmp_wire_views(bencher: Bencher<'_, '_>) {
        bencher.bench(|| {
            let Message::V2(message) = Message::parse(black_box(BYTES), &LIMITS).unwrap() else {
                panic!()
            };
            for payload in message.payloads() {
                let _ = black_box(payload.view(&LIMITS).unwrap());
            }
        });
    }

    /// The same, and the algorithm and key length of every transform offered.
    #[divan::bench]
    fn isakmp_wire_transforms(bencher: Bencher<'_, '_>) {
        bencher.bench(|| {
            let Message::V2(message) = Message::parse(black_box(BYTES), &LIMITS).unwrap() else {
                panic!()
            };
            for payload in message.payloads() {
                if let v2::View::Sa(sa) = black_box(payload.view(&LIMITS).unwrap()) {
                    for transform in sa.proposals().flat_map(|proposal| proposal.transforms()) {
                        black_box((
                            transform.transform_type,
                            transform.id,
                            transform.key_length(),
                        ));
                    }
                }
            }
        });
    }

    #[divan::bench]
    fn ipsec_parser(bencher: Bencher<'_, '_>) {
        bencher.bench(|| ipsec_parser::parse_ikev2_message(black_box(BYTES)).unwrap());
    }
}
