//! ISAKMP and IKEv2 messages: what parses is written again byte for byte.

use isakmp_wire::{Limits, Message, v1, v2, vendor_id};

/// A whole datagram of either version.
pub fn message(data: &[u8]) {
    let limits = Limits::default();
    match Message::parse(data, &limits) {
        Ok(Message::V1(message)) => {
            let mut dialect = v1::Dialect::default();
            dialect.learn_from(&message.payloads());
            look_at_v1(message.payloads(), dialect, &limits);
            rewrite_v1(&message);
        }
        Ok(Message::V2(message)) => {
            for payload in message.payloads() {
                assert!(payload.raw.len() <= message.raw().len());
            }
            rewrite_v2(&message);
        }
        Err(error) => drop(error.to_string()),
    }
}

/// A payload chain as it lies decrypted, in each dialect.
pub fn v1_chain(data: &[u8]) {
    let limits = Limits::default();
    let Some((&first, octets)) = data.split_first() else {
        return;
    };
    let Ok(chain) = v1::PayloadChain::parse(v1::PayloadType(first), octets, &limits) else {
        return;
    };
    let mut draft = v1::Dialect::default();
    draft.learn(vendor_id::NAT_T_DRAFT);
    for dialect in [v1::Dialect::default(), draft] {
        look_at_v1(chain, dialect, &limits);
    }
}

/// The attributes of phase 1 and phase 2.
pub fn attributes(data: &[u8]) {
    let limits = Limits::default();
    let Some((&first, octets)) = data.split_first() else {
        return;
    };
    let Ok(chain) = v1::PayloadChain::parse(v1::PayloadType::SA, octets, &limits) else {
        return;
    };
    for payload in chain {
        let Ok(v1::View::Sa(sa)) = payload.view(v1::Dialect::default(), &limits) else {
            continue;
        };
        for proposal in sa.proposals() {
            for transform in proposal.transforms() {
                let read = if first & 1 == 0 {
                    v1::Phase1::read(transform.attributes()).map(|_| ())
                } else {
                    v1::Phase2::read(transform.attributes()).map(|_| ())
                };
                drop(read.map_err(|error| error.to_string()));
            }
        }
    }
}

fn look_at_v1(chain: v1::PayloadChain<'_>, dialect: v1::Dialect, limits: &Limits) {
    for payload in chain {
        match payload.view(dialect, limits) {
            Ok(v1::View::Sa(sa)) => {
                let proposals = sa.proposals().count();
                let transforms: usize = sa.proposals().map(|p| p.transforms().count()).sum();
                assert!(proposals <= limits.proposals && transforms <= limits.transforms);
                for transform in sa.proposals().flat_map(|p| p.transforms()) {
                    assert!(transform.attributes().into_iter().count() <= limits.attributes);
                }
            }
            Ok(v1::View::Delete(delete)) => assert_eq!(delete.spis().len(), delete.spis().count()),
            Ok(v1::View::VendorId(id)) => drop(vendor_id::name(id)),
            Ok(view) => drop(format!("{view:?}")),
            Err(error) => drop(error.to_string()),
        }
    }
}

fn rewrite_v1(message: &v1::Message<'_>) {
    let v1::Body::Clear(chain) = message.body else {
        return;
    };
    let mut again = Vec::new();
    let mut writer = v1::Writer::new(&mut again, &message.header).expect("a vector has room");
    for payload in chain {
        writer.copy(&payload).expect("it fitted before");
    }
    writer.finish().expect("it fitted before");
    let padding = chain.padding().len();
    let length = message.raw().len() - padding;
    // The writer knows no padding: everything but the length field and the padding is the same.
    assert_eq!(again[..24], message.raw()[..24]);
    let mut expected = message.raw()[28..length].to_vec();
    if let Some(last) = chain.iter().last() {
        // A fragment ends the chain whatever it announces; the writer ends it by number.
        expected[last.offset - 28] = 0;
    }
    assert_eq!(again[28..], expected);
}

fn rewrite_v2(message: &v2::Message<'_>) {
    drop(format!("{:?}", message.header));
}
