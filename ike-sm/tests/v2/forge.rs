//! Messages under the keys of an IKE SA that its ends would not send by themselves.
use crypto_suite::{ProtectionId, Secret};
use ike_sm::v2::protect::{Inner, Opener, Sealer};
use ike_sm::{Event, KeyLog, Outcome, Path};
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::{Message, NotifyType, PayloadType, View, Writer};
use isakmp_wire::{BuildError, Flags, Header, Limits};

use crate::common::{End, Pair};

/// One end of an IKE SA, seen from its keys.
pub struct Forge {
    initiator: bool,
    spis: ([u8; 8], [u8; 8]),
    sealer: Sealer,
    /// Reads what the end has sent.
    opener: Opener,
}

impl Forge {
    /// Speaks for the initiator or the responder of the newest IKE SA whose keys `end` has logged.
    pub fn new(end: &End, initiator: bool) -> Self {
        let newest = end.key_log.iter().rev().find_map(|key| match key {
            KeyLog::Ikev2 {
                spis,
                protection,
                sk_ei,
                sk_er,
                sk_ai,
                sk_ar,
            } => Some((
                *spis,
                *protection,
                if initiator {
                    (sk_ei, sk_ai)
                } else {
                    (sk_er, sk_ar)
                },
            )),
            _ => None,
        });
        let (spis, protection, keys) = newest.expect("keys of an IKE SA");
        let key = || new_key(protection, keys);
        Self {
            initiator,
            spis,
            // IVs of its own.
            sealer: Sealer::resume(key(), 1 << 62),
            opener: Opener::new(key()),
        }
    }

    pub fn message(
        &mut self,
        exchange: ExchangeType,
        id: u32,
        response: bool,
        fill: impl FnOnce(&mut Writer<'_>) -> Result<(), BuildError>,
    ) -> Vec<u8> {
        let mut flags = Flags::NONE;
        if self.initiator {
            flags |= Flags::INITIATOR;
        }
        if response {
            flags |= Flags::RESPONSE;
        }
        let header = Header::v2(exchange, self.spis.0, self.spis.1)
            .flags(flags)
            .message_id(id);
        let inner = Inner::build(fill).unwrap();
        self.sealer.seal(&header, &inner).unwrap().to_vec()
    }

    /// A message that this end has sent, with other payloads in it.
    pub fn reseal(
        &mut self,
        datagram: &[u8],
        change: impl FnOnce(PayloadType, &mut [u8]),
    ) -> Vec<u8> {
        let message = Message::parse(datagram, &Limits::DEFAULT).unwrap();
        let inner = self.opener.open(&message).unwrap().inner;
        let first = inner.first();
        let mut octets = inner.into_octets();
        change(first, &mut octets);
        let inner = Inner::from_octets(first, octets);
        let sealed = self.sealer.seal(&message.header, &inner);
        sealed.unwrap().to_vec()
    }

    /// The notifications in a message that this end has sent.
    pub fn notifies(&self, datagram: &[u8]) -> Option<Vec<(NotifyType, Vec<u8>)>> {
        let message = Message::parse(datagram, &Limits::DEFAULT).ok()?;
        let opened = self.opener.open(&message).ok()?;
        let chain = opened.inner.payloads(&Limits::DEFAULT).ok()?;
        let notify = |view: View<'_>| match view {
            View::Notify(n) => Some((n.notify_type, n.data.to_vec())),
            _ => None,
        };
        let views = chain.iter().filter_map(|p| p.view(&Limits::DEFAULT).ok());
        Some(views.filter_map(notify).collect())
    }
}

fn new_key(
    protection: ProtectionId,
    (e, a): (&Secret, &Secret),
) -> Box<dyn crypto_suite::PacketKey> {
    let keys = Secret::concat(&[e.expose(), a.expose()]);
    let protection = crypto_suite::DEFAULT.protection(protection).unwrap();
    protection.new_key(keys.expose()).unwrap()
}

/// Hands a message to one end, from where the other end is.
pub fn hand(pair: &mut Pair, to_b: bool, message: &[u8]) -> Outcome {
    let ike = pair.end(to_b).endpoint.ike_sas().next().unwrap();
    let path: Path = ike.path;
    pair.feed(to_b, Event::Datagram { path, message })
}
