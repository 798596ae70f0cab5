//! Recorded negotiations of two strongSwan daemons (`data/PROVENANCE.md`), opened with the keys
//! that one of them logged.
#![allow(dead_code, reason = "each test file uses its part")]

use crypto_suite::{CipherId, DEFAULT, IntegrityId, Layout, ProtectionId};
use isakmp_wire::v2::{Message, Payload, PayloadChain, PayloadType, unpad};
use isakmp_wire::{ExchangeType, Flags, Limits};

pub(crate) const CBC_128: ProtectionId =
    ProtectionId::CbcHmac(CipherId::Aes128Cbc, IntegrityId::HmacSha256_128);
pub(crate) const CBC_256: ProtectionId =
    ProtectionId::CbcHmac(CipherId::Aes256Cbc, IntegrityId::HmacSha256_128);
pub(crate) const CBC_256_384: ProtectionId =
    ProtectionId::CbcHmac(CipherId::Aes256Cbc, IntegrityId::HmacSha384_192);

pub(crate) struct Recording {
    /// IKE messages in order.
    pub(crate) packets: Vec<Vec<u8>>,
    values: Vec<(String, Vec<u8>)>,
}

/// The payloads of one protected message, in the clear.
pub(crate) struct Opened {
    first: PayloadType,
    bytes: Vec<u8>,
}

impl Opened {
    pub(crate) fn chain(&self) -> PayloadChain<'_> {
        PayloadChain::parse(self.first, &self.bytes, &Limits::DEFAULT).unwrap()
    }

    pub(crate) fn find(&self, kind: PayloadType) -> Payload<'_> {
        self.chain().find(kind).unwrap_or_else(|| panic!("{kind}"))
    }
}

impl Recording {
    pub(crate) fn read(text: &str) -> Self {
        let mut recording = Self {
            packets: Vec::new(),
            values: Vec::new(),
        };
        for line in text.lines() {
            let (name, value) = line.split_once(" = ").unwrap();
            let value = hex::decode(value).unwrap();
            if name.starts_with("packet ") {
                recording.packets.push(value);
            } else {
                recording.values.push((name.into(), value));
            }
        }
        recording
    }

    /// The values that were logged under this name, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&[u8]> {
        let named = self.values.iter().filter(|(n, _)| n == name);
        named.map(|(_, value)| &value[..]).collect()
    }

    /// The last value that was logged under this name.
    pub(crate) fn value(&self, name: &str) -> &[u8] {
        self.all(name).last().unwrap_or_else(|| panic!("{name}"))
    }

    pub(crate) fn message(&self, n: usize) -> Message<'_> {
        Message::parse(&self.packets[n], &Limits::DEFAULT).unwrap()
    }

    /// The nonce of an IKE_SA_INIT message.
    pub(crate) fn nonce(&self, n: usize) -> &[u8] {
        let chain = self.message(n).payloads();
        chain.find(PayloadType::NONCE).unwrap().body
    }

    /// Opens the IKE_AUTH message of this ID and direction, whether it came whole or in fragments,
    /// with the last keys of the log.
    pub(crate) fn open(&self, protection: ProtectionId, message_id: u32, response: bool) -> Opened {
        let (e, a) = if response {
            ("Sk_er secret", "Sk_ar secret")
        } else {
            ("Sk_ei secret", "Sk_ai secret")
        };
        let mut keymat = self.value(e).to_vec();
        if matches!(protection, ProtectionId::CbcHmac(..)) {
            keymat.extend_from_slice(self.value(a));
        }
        let key = DEFAULT.protection(protection).unwrap();
        let key = key.new_key(&keymat).unwrap();
        let mut opened: Option<Opened> = None;
        for packet in &self.packets {
            let message = Message::parse(packet, &Limits::DEFAULT).unwrap();
            let header = message.header;
            if header.exchange_type != ExchangeType::IKE_AUTH
                || header.message_id != message_id
                || header.flags.contains(Flags::RESPONSE) != response
            {
                continue;
            }
            let protected = message.protected().unwrap();
            let mut copy = packet.clone();
            key.open(&mut copy, Layout::ike(protected.aad_len)).unwrap();
            let inside = protected.aad_len + key.iv_len()..copy.len() - key.icv_len();
            let plain = unpad(&copy[inside]).unwrap();
            match &mut opened {
                Some(opened) => opened.bytes.extend_from_slice(plain),
                None => {
                    opened = Some(Opened {
                        first: protected.first,
                        bytes: plain.to_vec(),
                    });
                }
            }
        }
        opened.expect("no such message")
    }
}

/// The SubjectPublicKeyInfo of a certificate (RFC 5280 §4.1): the seventh element of its first.
pub(crate) fn public_key(certificate: &[u8]) -> &[u8] {
    let (_, tbs, _) = element(element(certificate).1);
    let mut rest = tbs;
    for _ in 0..6 {
        rest = element(rest).2;
    }
    element(rest).0
}

/// One DER element: all of it, its contents, what follows.
fn element(der: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let (length, head) = match der[1] {
        0x82 => (usize::from(der[2]) << 8 | usize::from(der[3]), 4),
        0x81 => (usize::from(der[2]), 3),
        short => (usize::from(short), 2),
    };
    let end = head + length;
    (&der[..end], &der[head..end], &der[end..])
}
