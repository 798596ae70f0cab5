//! The IKEv1 key schedule against published vectors and against recorded negotiations of two
//! strongSwan daemons (see `data/PROVENANCE.md`).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use crypto_suite::{CipherId, DEFAULT, GroupId, HashId, PrfId, ProtectionId};
use ike_sm::alg;
use ike_sm::policy::{choose_phase1, read_phase1, read_phase2};
use ike_sm::v1::keys::{ChildKeyInput, Cookies, Keys, MessageCipher, Transcript, skeyid_psk};
use isakmp_wire::Limits;
use isakmp_wire::v1::{Message, PayloadChain, PayloadType, Sa};

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

#[test]
fn nist_cavs_ikev1_pre_shared_keys() {
    let mut prf = None;
    let mut fields: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut count = 0;
    for line in include_str!("data/nist-cavs-ikev1-psk.txt").lines() {
        match line {
            "[SHA-1]" => prf = DEFAULT.prf(PrfId::HmacSha1),
            "[SHA-256]" => prf = DEFAULT.prf(PrfId::HmacSha256),
            "[SHA-384]" => prf = DEFAULT.prf(PrfId::HmacSha384),
            "[SHA-512]" => prf = DEFAULT.prf(PrfId::HmacSha512),
            _ => {
                if let Some((name, value)) = line.split_once(" = ") {
                    fields.push((name, hex(value)));
                }
            }
        }
        if fields.len() == 10 {
            let f = |name| &fields.iter().find(|(n, _)| *n == name).unwrap().1[..];
            let prf = prf.unwrap();
            let cookies = Cookies {
                initiator: f("CKY_I").try_into().unwrap(),
                responder: f("CKY_R").try_into().unwrap(),
            };
            let skeyid = skeyid_psk(prf, f("pre-shared-key"), f("Ni"), f("Nr"));
            assert_eq!(skeyid.as_ref(), f("SKEYID"));
            let keys = Keys::derive(prf, skeyid, f("g^xy"), &cookies);
            assert_eq!(keys.skeyid_d().as_ref(), f("SKEYID_d"));
            assert_eq!(keys.skeyid_a().as_ref(), f("SKEYID_a"));
            assert_eq!(keys.skeyid_e().as_ref(), f("SKEYID_e"));
            fields.clear();
            count += 1;
        }
    }
    assert_eq!(count, 15);
}

/// One recorded negotiation: nine packets and what the initiator logged.
struct Recording {
    packets: Vec<Vec<u8>>,
    values: Vec<(String, Vec<u8>)>,
}

impl Recording {
    fn read(text: &str) -> Self {
        let mut recording = Self {
            packets: Vec::new(),
            values: Vec::new(),
        };
        for line in text.lines() {
            let (name, value) = line.split_once(" = ").unwrap();
            if name.starts_with("packet ") {
                recording.packets.push(hex(value));
            } else {
                recording.values.push((name.into(), hex(value)));
            }
        }
        recording
    }

    fn value(&self, name: &str) -> &[u8] {
        &self
            .values
            .iter()
            .find(|(n, _)| n == name)
            .unwrap_or_else(|| panic!("{name}"))
            .1
    }

    fn message(&self, n: usize) -> Message<'_> {
        Message::parse(&self.packets[n - 1], &Limits::DEFAULT).unwrap()
    }
}

fn body<'a>(chain: PayloadChain<'a>, kind: PayloadType) -> &'a [u8] {
    chain.find(kind).unwrap_or_else(|| panic!("{kind:?}")).body
}

/// Walks through main mode and quick mode as a third party that knows the pre-shared key and the
/// Diffie-Hellman secrets, and recomputes every value.
fn replay(text: &str, cipher: CipherId, hash: HashId, group: GroupId, esp: ProtectionId) {
    let r = Recording::read(text);
    let limits = Limits::DEFAULT;

    // Main mode 1 and 2: the suite.
    let offer = Sa::parse(
        &r.message(1).payloads().find(PayloadType::SA).unwrap(),
        &limits,
    )
    .unwrap();
    let sai_b = body(r.message(1).payloads(), PayloadType::SA);
    let answer = Sa::parse(
        &r.message(2).payloads().find(PayloadType::SA).unwrap(),
        &limits,
    )
    .unwrap();
    let policy = ike_sm::config::Phase1Policy {
        encryption: cipher,
        hash,
        group,
        ..ike_sm::config::Phase1Policy::new(1)
    };
    let choice = choose_phase1(&[policy], &read_phase1(&offer).unwrap(), None).unwrap();
    assert_eq!((choice.transform, choice.policy), (0, policy));
    assert_eq!(read_phase1(&answer).unwrap().len(), 1);

    // Main mode 3 and 4: the keys.
    let (three, four) = (r.message(3).payloads(), r.message(4).payloads());
    let (g_xi, g_xr) = (
        body(three, PayloadType::KEY_EXCHANGE),
        body(four, PayloadType::KEY_EXCHANGE),
    );
    let (ni, nr) = (
        body(three, PayloadType::NONCE),
        body(four, PayloadType::NONCE),
    );
    let header = r.message(4).header;
    let cookies = Cookies {
        initiator: header.initiator_spi,
        responder: header.responder_spi,
    };
    let prf = DEFAULT.prf(alg::prf_of_hash(hash).unwrap()).unwrap();
    let skeyid = skeyid_psk(prf, b"labsecret", ni, nr);
    assert_eq!(skeyid.as_ref(), r.value("SKEYID"));
    let keys = Keys::derive(
        prf,
        skeyid,
        r.value("shared Diffie Hellman secret"),
        &cookies,
    );
    assert_eq!(keys.skeyid_d().as_ref(), r.value("SKEYID_d"));
    assert_eq!(keys.skeyid_a().as_ref(), r.value("SKEYID_a"));
    assert_eq!(keys.skeyid_e().as_ref(), r.value("SKEYID_e"));
    // Appendix B: expanded when SKEYID_e is shorter than the key. The log's Ka may be longer.
    let key = keys.cipher_key(cipher.key_len());
    assert_eq!(
        Some(key.as_ref()),
        r.value("encryption key Ka").get(..cipher.key_len())
    );
    let protection = DEFAULT.cipher(cipher).unwrap();
    let messages = MessageCipher::new(protection, DEFAULT.hash(hash).unwrap(), &keys).unwrap();

    // Main mode 5 and 6: identities and hashes.
    let iv = messages.phase1_iv(g_xi, g_xr).unwrap();
    assert_eq!(iv.as_ref(), &r.value("initial IV")[..cipher.block_len()]);
    let transcript = Transcript {
        g_xi,
        g_xr,
        cookies,
        sai_b,
    };
    let mut plain = r.message(5).encrypted().unwrap().to_vec();
    let iv = messages.open(&iv, &mut plain).unwrap();
    let five = r.message(5).decrypted(&plain, &limits).unwrap();
    let idii_b = body(five, PayloadType::IDENTIFICATION);
    assert_eq!(idii_b, [&[2, 0, 0, 0][..], b"a.lab"].concat());
    let hash_i = keys.hash_i(&transcript, idii_b);
    assert_eq!(hash_i.as_ref(), body(five, PayloadType::HASH));
    assert_eq!(hash_i.as_ref(), r.value("HASH_I"));
    let mut plain = r.message(6).encrypted().unwrap().to_vec();
    let last = messages.open(&iv, &mut plain).unwrap();
    let six = r.message(6).decrypted(&plain, &limits).unwrap();
    let idir_b = body(six, PayloadType::IDENTIFICATION);
    let hash_r = keys.hash_r(&transcript, idir_b);
    assert_eq!(hash_r.as_ref(), body(six, PayloadType::HASH));
    assert_eq!(hash_r.as_ref(), r.value("HASH_R"));

    // Quick mode: HASH(1), HASH(2), HASH(3) and KEYMAT.
    let mid = r.message(7).header.message_id;
    let iv = messages.exchange_iv(&last, mid).unwrap();
    let mut plain = r.message(7).encrypted().unwrap().to_vec();
    let iv = messages.open(&iv, &mut plain).unwrap();
    let qm1 = r.message(7).decrypted(&plain, &limits).unwrap();
    let hash_payload = qm1.find(PayloadType::HASH).unwrap();
    let hash_1 = keys.hash_1(mid, qm1.octets_after(&hash_payload));
    assert_eq!(hash_1.as_ref(), hash_payload.body);
    assert_eq!(hash_1.as_ref(), r.value("Hash(1)"));
    let qni = body(qm1, PayloadType::NONCE);
    let offered = read_phase2(&Sa::parse(&qm1.find(PayloadType::SA).unwrap(), &limits).unwrap());

    let mut plain = r.message(8).encrypted().unwrap().to_vec();
    let iv = messages.open(&iv, &mut plain).unwrap();
    let qm2 = r.message(8).decrypted(&plain, &limits).unwrap();
    let hash_payload = qm2.find(PayloadType::HASH).unwrap();
    let hash_2 = keys.hash_2(mid, qni, qm2.octets_after(&hash_payload));
    assert_eq!(hash_2.as_ref(), hash_payload.body);
    assert_eq!(hash_2.as_ref(), r.value("Hash(2)"));
    let qnr = body(qm2, PayloadType::NONCE);
    let answered = read_phase2(&Sa::parse(&qm2.find(PayloadType::SA).unwrap(), &limits).unwrap());

    let mut plain = r.message(9).encrypted().unwrap().to_vec();
    messages.open(&iv, &mut plain).unwrap();
    let qm3 = r.message(9).decrypted(&plain, &limits).unwrap();
    let hash_3 = keys.hash_3(mid, qni, qnr);
    assert_eq!(hash_3.as_ref(), body(qm3, PayloadType::HASH));
    assert_eq!(hash_3.as_ref(), r.value("Hash(3)"));

    let pfs = r
        .values
        .iter()
        .find(|(n, _)| n == "DH secret")
        .map(|(_, v)| &v[..]);
    assert_eq!(pfs.is_some(), qm1.find(PayloadType::KEY_EXCHANGE).is_some());
    let len = esp.enc_key_len() + esp.integ_key_len();
    // The SPI is the one of the receiver: the responder's for what the initiator sends.
    for (spi, side) in [
        (&answered[0].spi, "initiator"),
        (&offered[0].spi, "responder"),
    ] {
        let input = ChildKeyInput {
            g_xy: pfs,
            protocol: 3,
            spi,
            ni_b: qni,
            nr_b: qnr,
        };
        let keymat = keys.keymat(&input, len);
        let (enc, integ) = keymat.as_ref().split_at(esp.enc_key_len());
        assert_eq!(enc, r.value(&format!("encryption {side} key")));
        assert_eq!(integ, r.value(&format!("integrity {side} key")));
    }
}

use crypto_suite::IntegrityId::{HmacMd5_96, HmacSha1_96, HmacSha256_128};

#[test]
fn strongswan_aes256_sha256_modp2048() {
    let text = include_str!("data/lab-strongswan/v1-main-aes256-sha256-modp2048.txt");
    let esp = ProtectionId::CbcHmac(CipherId::Aes256Cbc, HmacSha256_128);
    replay(
        text,
        CipherId::Aes256Cbc,
        HashId::Sha256,
        GroupId::Modp2048,
        esp,
    );
}

#[test]
fn strongswan_3des_sha1_modp1024_expands_the_cipher_key() {
    let text = include_str!("data/lab-strongswan/v1-main-3des-sha1-modp1024.txt");
    let esp = ProtectionId::CbcHmac(CipherId::TripleDesCbc, HmacSha1_96);
    replay(
        text,
        CipherId::TripleDesCbc,
        HashId::Sha1,
        GroupId::Modp1024,
        esp,
    );
}

#[test]
fn strongswan_3des_md5_modp768_expands_the_cipher_key() {
    let text = include_str!("data/lab-strongswan/v1-main-3des-md5-modp768.txt");
    let esp = ProtectionId::CbcHmac(CipherId::TripleDesCbc, HmacMd5_96);
    replay(
        text,
        CipherId::TripleDesCbc,
        HashId::Md5,
        GroupId::Modp768,
        esp,
    );
}

#[test]
fn strongswan_des_md5_modp768() {
    let text = include_str!("data/lab-strongswan/v1-main-des-md5-modp768.txt");
    let esp = ProtectionId::CbcHmac(CipherId::DesCbc, HmacMd5_96);
    replay(text, CipherId::DesCbc, HashId::Md5, GroupId::Modp768, esp);
}

#[test]
fn strongswan_aes128_sha1_with_pfs() {
    let text = include_str!("data/lab-strongswan/v1-main-pfs.txt");
    let esp = ProtectionId::CbcHmac(CipherId::Aes128Cbc, HmacSha1_96);
    replay(
        text,
        CipherId::Aes128Cbc,
        HashId::Sha1,
        GroupId::Modp1536,
        esp,
    );
}
