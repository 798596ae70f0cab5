//! Whoever knows an IKE SA's keys: opens its messages and makes others.
use crypto_suite::{DEFAULT, Layout, Secret};
use ike_sm::KeyLog;
use ike_sm::v2::protect::{Inner, Opener, Sealer};
use isakmp_wire::v2::{Message, PayloadType};
use isakmp_wire::{Cookie, Flags, Header, Limits};

use crate::common::{Flight, Pair};

/// Type and body of each payload of a message.
pub type Payloads = Vec<(PayloadType, Vec<u8>)>;

/// The keys of one IKE SA, of the original initiator's messages and of the responder's.
pub struct Insider {
    spis: ([u8; 8], [u8; 8]),
    keys: [Secret; 2],
    protection: crypto_suite::ProtectionId,
    /// Far from where the ends count their IVs.
    next: u64,
}

impl Insider {
    /// The newest IKE SA of B, once there are keys. Needs `key_log` in B's configuration.
    pub fn of(pair: &Pair) -> Option<Self> {
        Self::all(pair).next()
    }

    /// The one whose message this is.
    fn of_message(pair: &Pair, header: &Header) -> Option<Self> {
        Self::all(pair).find(|i| i.spis == (header.initiator_spi, header.responder_spi))
    }

    fn all(pair: &Pair) -> impl Iterator<Item = Self> {
        pair.b.key_log.iter().rev().filter_map(|key| match key {
            KeyLog::Ikev2 {
                spis,
                protection,
                sk_ei,
                sk_er,
                sk_ai,
                sk_ar,
            } => Some(Self {
                spis: *spis,
                keys: [(sk_ei, sk_ai), (sk_er, sk_ar)]
                    .map(|(e, a)| Secret::concat(&[e.expose(), a.expose()])),
                protection: *protection,
                next: 1 << 40,
            }),
            _ => None,
        })
    }

    /// The SPIs, the original initiator's first.
    pub fn spis(&self) -> (Cookie, Cookie) {
        self.spis
    }

    /// Leaves so many IVs out.
    pub fn skip(&mut self, ivs: u64) {
        self.next += ivs;
    }

    fn key(&self, header: &Header) -> Box<dyn crypto_suite::PacketKey> {
        let sender = usize::from(!header.flags.contains(Flags::INITIATOR));
        let protection = DEFAULT.protection(self.protection).unwrap();
        protection.new_key(self.keys[sender].expose()).unwrap()
    }

    /// The payloads of a message, in the clear or protected.
    pub fn open(this: Option<&Self>, raw: &[u8]) -> (Header, Payloads) {
        let message = Message::parse(raw, &Limits::DEFAULT).unwrap();
        let list = |chain: isakmp_wire::v2::PayloadChain<'_>| {
            let payloads = chain.iter().map(|p| (p.payload_type, p.body.to_vec()));
            payloads.collect()
        };
        if message.protected().is_none() {
            return (message.header, list(message.payloads()));
        }
        let opener = Opener::new(this.unwrap().key(&message.header));
        let opened = opener.open(&message).unwrap();
        let payloads = list(opened.inner.payloads(&Limits::DEFAULT).unwrap());
        (message.header, payloads)
    }

    /// `HDR, SK {payloads}`.
    pub fn seal(&mut self, header: &Header, payloads: &Payloads) -> Vec<u8> {
        let inner = Inner::build(|writer| {
            for (kind, body) in payloads {
                writer.payload(*kind, body)?;
            }
            Ok(())
        });
        self.seal_inner(header, &inner.unwrap())
    }

    /// The same with octets that need not be payloads; `first` is what the first one claims to be.
    pub fn seal_octets(&mut self, header: &Header, first: PayloadType, octets: &[u8]) -> Vec<u8> {
        self.seal_inner(header, &Inner::from_octets(first, octets.to_vec().into()))
    }

    fn seal_inner(&mut self, header: &Header, inner: &Inner) -> Vec<u8> {
        self.next += 1;
        let mut sealer = Sealer::resume(self.key(header), self.next);
        sealer.seal(header, inner).unwrap().to_vec()
    }

    /// The same of one block of octets that ends with this Pad Length.
    pub fn seal_padding(&mut self, header: &Header, pad_length: u8) -> Vec<u8> {
        let key = self.key(header);
        let mut octets = vec![0; key.block_len().max(4)];
        *octets.last_mut().unwrap() = pad_length;
        let len = 4 + key.iv_len() + octets.len() + key.icv_len();
        let header = Header {
            next_payload: PayloadType::ENCRYPTED.0,
            length: (Header::LEN + len) as u32,
            ..*header
        };
        let mut message = header.to_bytes().to_vec();
        let [high, low] = (len as u16).to_be_bytes();
        message.extend([PayloadType::NOTIFY.0, 0, high, low]);
        let aad_len = message.len();
        message.extend(vec![0; key.iv_len()]);
        message.extend(octets);
        message.extend(vec![0; key.icv_len()]);
        self.next += 1;
        let layout = Layout::ike(aad_len);
        key.seal(&mut message, layout, self.next).unwrap();
        message
    }
}

/// `HDR, payloads` in the clear.
pub fn clear(header: &Header, payloads: &Payloads) -> Vec<u8> {
    let mut message = Vec::new();
    let mut writer = isakmp_wire::v2::Writer::new(&mut message, header).unwrap();
    for (kind, body) in payloads {
        writer.payload(*kind, body).unwrap();
    }
    writer.finish().unwrap();
    message
}

/// A flight with other payloads, protected as the genuine one is.
pub fn rebuilt(pair: &Pair, flight: &Flight, change: impl FnOnce(&mut Payloads)) -> Vec<u8> {
    let raw = &flight.datagram;
    let mut insider = Insider::of_message(pair, &Header::read(raw).unwrap());
    let (header, mut payloads) = Insider::open(insider.as_ref(), raw);
    change(&mut payloads);
    let message = Message::parse(raw, &Limits::DEFAULT).unwrap();
    match (message.protected(), &mut insider) {
        (Some(_), Some(insider)) => insider.seal(&header, &payloads),
        _ => clear(&header, &payloads),
    }
}
