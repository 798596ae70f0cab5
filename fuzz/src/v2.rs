//! The parts of IKEv2: payload chains, negotiation, reassembly.

use std::collections::BTreeMap;
use std::time::Duration;

use crypto_suite::{
    AeadId, DEFAULT, GroupId, Layout, PacketKey, ProtectionId, WeakAlgorithms, insecure,
};
use ike_sm::config::v2::IkeProposal;
use ike_sm::config::{ChildConfig, Pfs};
use ike_sm::policy::v2::{
    ChildKeyExchange, Proposal, SpiRule, Terms, check_answer, child_policy, choose, ike_offer,
    read_sa, what_would_match,
};
use ike_sm::v2::fragments::{FragmentError, FragmentLimits, Inserted, Reassembler};
use ike_sm::v2::narrow::{NarrowPolicy, from_wire, keeps_within, narrow, to_wire};
use ike_sm::v2::protect::{Inner, Opener, Sealer};
use ike_sm::{Selector, Selectors};
use isakmp_wire::v2::{self, Message, View};
use isakmp_wire::{ExchangeType, Header, Limits};

use super::Feed;

const LIMITS: Limits = Limits::DEFAULT;

/// A payload chain as it lies decrypted: every view, and the chain written again.
pub fn chain(data: &[u8]) {
    let Some((&first, octets)) = data.split_first() else {
        return;
    };
    let Ok(chain) = v2::PayloadChain::parse(v2::PayloadType(first), octets, &LIMITS) else {
        return;
    };
    let mut again = Vec::new();
    let mut writer = v2::Writer::chain_only(&mut again);
    for payload in chain {
        look(&payload);
        writer.copy(&payload).expect("it fitted before");
    }
    let mut expected = octets.to_vec();
    if let Some(last) = chain.last() {
        // What an SK payload announces is inside; the writer ends the chain.
        expected[last.offset] = 0;
    }
    assert_eq!(again, expected);
    let _ = chain.unsupported_critical();
}

fn look(payload: &v2::Payload<'_>) {
    match payload.view(&LIMITS) {
        Ok(View::Sa(sa)) => {
            let proposals = sa.proposals().count();
            let transforms: usize = sa.proposals().map(|p| p.transforms().count()).sum();
            assert!(proposals <= LIMITS.proposals && transforms <= LIMITS.transforms);
        }
        Ok(View::TsInitiator(ts) | View::TsResponder(ts)) => {
            assert_eq!(ts.iter().count(), ts.len());
            if let Some(selectors) = from_wire(&ts) {
                // What is understood is written to the same meaning.
                let again: Vec<_> = ts.ranges().collect();
                assert_eq!(to_wire(&selectors), again);
            }
        }
        Ok(View::Notify(notify)) => drop(format!("{notify:?} {:?}", notify.u16_list().is_some())),
        Ok(view) => drop(format!("{view:?}")),
        Err(error) => drop(error.to_string()),
    }
}

fn net(third: u8) -> Selector {
    Selector::subnet([10, third, 0, 0].into(), 16).expect("a prefix")
}

fn policies() -> [Vec<Proposal>; 3] {
    let child = |pfs| {
        let mut child = ChildConfig::new("net", net(1), net(2));
        (child.pfs, child.esn) = (pfs, true);
        child
    };
    let policy = |pfs, ke| child_policy(&child(pfs), ke, &DEFAULT, WeakAlgorithms::NONE);
    let ike: Vec<IkeProposal> = IkeProposal::defaults()
        .into_iter()
        .map(|p| p.with_ml_kem(true))
        .collect();
    [
        ike_offer(&ike, &[]),
        policy(Pfs::AcceptIfOffered, ChildKeyExchange::AsConfigured),
        policy(Pfs::Off, ChildKeyExchange::Never),
    ]
}

/// SA and TS payloads of a stranger against policies of ours, as offer and as answer. The first
/// octet says with which method the KE payload came.
pub fn negotiation(data: &[u8]) {
    let Some((&[kind, first], octets)) = data.split_first_chunk() else {
        return;
    };
    let Ok(chain) = v2::PayloadChain::parse(v2::PayloadType(first), octets, &LIMITS) else {
        return;
    };
    let (mut initiators, mut responders) = (None, None);
    for payload in chain {
        match payload.view(&LIMITS) {
            Ok(View::Sa(sa)) => negotiate(&read_sa(&sa), kind),
            Ok(View::TsInitiator(ts)) => initiators = from_wire(&ts),
            Ok(View::TsResponder(ts)) => responders = from_wire(&ts),
            _ => {}
        }
    }
    if let (Some(initiators), Some(responders)) = (initiators, responders) {
        let local = Selectors::new([net(2), net(3).with_protocol(6, 443)]).expect("two");
        let remote = Selectors::from(net(1));
        let policy = NarrowPolicy {
            child: "net",
            local: &local,
            remote: &remote,
            one_ts_per_child: kind & 1 == 1,
        };
        let mut shown = String::new();
        let mut report = |what| shown += &format!("{what:?}");
        if let Some(granted) = narrow(&policy, &responders, &initiators, Some(&mut report)) {
            assert!(keeps_within(&responders, &granted.local));
            assert!(keeps_within(&initiators, &granted.remote));
            assert!(local.contains(&granted.local) && remote.contains(&granted.remote));
        }
    }
}

fn negotiate(theirs: &[Proposal], kind: u8) {
    let groups = GroupId::ALL;
    for (policy, spi) in policies()
        .iter()
        .zip([SpiRule::InHeader, SpiRule::Child, SpiRule::Child])
    {
        let mut terms = Terms {
            subject: "fuzz",
            spi,
            key_exchange: groups.get(usize::from(kind >> 1)).copied(),
            additional: kind & 1 == 1,
        };
        match choose(policy, theirs, &terms, None) {
            Some(choice) => {
                assert!(choice.ike_suite().is_some() || choice.child().is_some());
                let spi = choice.peer_spi.clone();
                let answer = choice.answer(&spi);
                terms.key_exchange = choice
                    .ike_suite()
                    .map(|s| s.group)
                    .or_else(|| choice.child().and_then(|c| c.group));
                // Numbers that repeat name the first proposal of that number.
                let numbers: Vec<u8> = theirs.iter().map(|p| p.number).collect();
                let unique = numbers.iter().filter(|n| **n == choice.number).count() == 1;
                let agreed = check_answer(theirs, &[answer], &terms, None);
                assert!(!unique || agreed.is_ok(), "{agreed:?}");
            }
            None => {
                let none = WeakAlgorithms::NONE;
                if let Some(miss) = what_would_match(policy, theirs, &terms, &DEFAULT, none) {
                    assert!(!miss.changes.is_empty());
                    drop(miss.to_string());
                }
            }
        }
        drop(check_answer(policy, theirs, &terms, None));
    }
}

const BOUNDS: (usize, usize) = (8, 200);

/// Fragments in any order, of any division, some forged: the same comes out as of RFC 7383 §2.6
/// written down naively, and the bounds hold.
pub fn fragments(data: &[u8]) {
    let id = ProtectionId::Aead(AeadId::Aes128Gcm16);
    let Some(protection) = insecure::CHECKED.protection(id) else {
        return;
    };
    let keymat = vec![7; protection.key_material_len()];
    let key = || protection.new_key(&keymat).expect("its own length");
    let (sealer, opener) = (key(), Opener::new(key()));
    let mut limits = FragmentLimits::default();
    (limits.fragments, limits.octets) = (BOUNDS.0 as u16, BOUNDS.1);
    let mut reassembler = Reassembler::new(limits);
    let mut model = Model::default();
    let mut now = Duration::ZERO;
    let mut feed = Feed(data);
    while let Some([id, place, kind, time]) = feed.array() {
        now += Duration::from_millis(u64::from(time) * 20);
        let Some(text) = feed.bytes() else { return };
        let text = &text[..text.len().min(300)];
        let (number, total) = (u16::from(place >> 4), u16::from(place & 15));
        let Some(octets) = fragment(&*sealer, u32::from(id & 3), (number, total), text) else {
            continue;
        };
        let mut octets = octets;
        let forged = kind & 7 == 0;
        if forged {
            let last = octets.len() - 1;
            octets[last] ^= 0x55;
        }
        let Ok(message) = Message::parse(&octets, &LIMITS) else {
            panic!("our own fragment does not parse");
        };
        let got = reassembler.insert(&opener, &message, now);
        let expected = model.insert(u32::from(id & 3), (number, total), text, forged, now);
        match (got, expected) {
            (Ok(Inserted::Complete(whole)), Some(Some(text))) => {
                assert_eq!(whole.inner.octets(), text);
            }
            (Ok(Inserted::Waiting { have, total }), Some(None)) => {
                let (_, chunks, of, _) = model.current.as_ref().expect("in progress");
                assert_eq!((usize::from(have), total), (chunks.len(), *of));
            }
            (Err(error), None) => assert_ne!(error, FragmentError::NotAFragment),
            (got, expected) => panic!("{got:?} where {expected:?} is right"),
        }
        assert_eq!(reassembler.deadline().is_some(), model.current.is_some());
    }
}

/// One fragment with these numbers, whatever the others are.
fn fragment(
    key: &dyn PacketKey,
    id: u32,
    (number, total): (u16, u16),
    text: &[u8],
) -> Option<Vec<u8>> {
    let header = Header::v2(ExchangeType::IKE_AUTH, [1; 8], [2; 8]).message_id(id);
    let first = if number == 1 {
        v2::PayloadType::NOTIFY
    } else {
        v2::PayloadType::NONE
    };
    if number == 0 || number > total {
        return None;
    }
    let shape = v2::Protection {
        iv_len: key.iv_len(),
        icv_len: key.icv_len(),
        block_len: key.block_len(),
    };
    let mut octets = Vec::new();
    let mut writer = v2::Writer::new(&mut octets, &header).ok()?;
    let place = v2::FragmentNumber { number, total };
    let sealed = writer.encrypted_fragment(&shape, place, first, text).ok()?;
    writer.finish().ok()?;
    let layout = Layout::ike(sealed.aad_len);
    key.seal(&mut octets, layout, 1).ok()?;
    Some(octets)
}

/// Message ID, chunks by number, total, since when.
type InProgress = (u32, BTreeMap<u16, Vec<u8>>, u16, Duration);

#[derive(Default)]
struct Model {
    current: Option<InProgress>,
}

impl Model {
    /// `None`: refused. `Some(None)`: waiting.
    fn insert(
        &mut self,
        id: u32,
        (number, total): (u16, u16),
        text: &[u8],
        forged: bool,
        now: Duration,
    ) -> Option<Option<Vec<u8>>> {
        let live = self
            .current
            .as_ref()
            .filter(|(_, _, _, since)| now < *since + Duration::from_secs(30));
        let mut chunks = BTreeMap::new();
        let mut since = now;
        if usize::from(total) > BOUNDS.0 {
            return None;
        }
        if let Some((current, there, of, begun)) = live {
            if id < *current || (id == *current && total < *of) {
                return None;
            }
            if id == *current && total == *of {
                if there.contains_key(&number) {
                    return None;
                }
                (chunks, since) = (there.clone(), *begun);
            }
        }
        chunks.insert(number, text.to_vec());
        if forged || chunks.values().map(Vec::len).sum::<usize>() > BOUNDS.1 {
            return None;
        }
        if chunks.len() == usize::from(total) {
            self.current = None;
            return Some(Some(chunks.into_values().flatten().collect()));
        }
        self.current = Some((id, chunks, total, since));
        Some(None)
    }
}

/// Payloads through seal and open, in fragments of any size, under every protection.
pub fn protect(data: &[u8]) {
    let Some((&[suite, size], text)) = data.split_first_chunk() else {
        return;
    };
    let all = insecure::CHECKED.protections;
    let Some(protection) = all.get(usize::from(suite) % all.len()) else {
        return;
    };
    let keymat = vec![7; protection.key_material_len()];
    let key = || protection.new_key(&keymat).expect("its own length");
    let (mut sealer, opener) = (Sealer::new(key()), Opener::new(key()));
    let header = Header::v2(ExchangeType::INFORMATIONAL_V2, [1; 8], [2; 8]);
    let octets = text.to_vec().into();
    let inner = Inner::from_octets(v2::PayloadType::NOTIFY, octets);
    let mut together = Vec::new();
    let size = 60 + usize::from(size) * 8;
    let Ok(messages) = sealer.seal_fragments(&header, &inner, size) else {
        return;
    };
    for message in &messages {
        assert!(message.len() <= size);
        let parsed = Message::parse(message, &LIMITS).expect("our own");
        let opened = opener.open(&parsed).expect("our own");
        together.extend_from_slice(opened.inner.octets());
    }
    assert_eq!(together, text);
}
