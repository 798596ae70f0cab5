#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use crate::testing::*;
use crate::{Lifetime, Limit, Limits, OpenError, SelectorCheck};
use proptest::prelude::*;
use std::vec::Vec;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn outbound_config() -> OutboundConfig {
    let hard = Limits {
        time: Some(at(100)),
        ..Limits::NONE
    };
    let lifetime = Lifetime {
        soft: Limits::NONE,
        hard,
    };
    OutboundConfig {
        lifetime,
        ..OutboundConfig::new(spi(), crate::Mode::TUNNEL)
    }
}

#[test]
fn a_restored_pair_goes_on_where_it_stood() {
    let (mut outbound, mut inbound) = pair(
        AES_SHA1,
        outbound_config(),
        InboundConfig::new(spi(), true, SelectorCheck::ByCaller),
    );
    let inner = ip_packet(false, 30);
    let packets: Vec<_> = (0..9)
        .map(|_| sealed(&mut outbound, &inner).unwrap())
        .collect();
    for packet in packets.iter().step_by(2) {
        opened(&mut inbound, packet).unwrap();
    }
    let state = outbound.export(at(40));
    // Another node, another epoch.
    let mut outbound =
        Outbound::restore(key(AES_SHA1), outbound_config(), &state, 0, at(1000)).unwrap();
    assert_eq!(outbound.sequence(), 9);
    assert_eq!(outbound.usage().bytes, 9 * inner.len() as u64);
    assert_eq!(
        outbound.next_deadline(at(1000)).map(|due| due.at),
        Some(at(1060))
    );
    let state = inbound.export(at(40));
    let config = InboundConfig::new(spi(), true, SelectorCheck::ByCaller);
    let mut inbound = Inbound::restore(key(AES_SHA1), config, &state, 0, at(1000)).unwrap();
    for (index, packet) in packets.iter().enumerate() {
        assert_eq!(opened(&mut inbound, packet).is_ok(), index % 2 == 1);
    }
    let (mut bytes, range) = roomy(&inner);
    let mut packet = crate::PacketBuf::new(&mut bytes, range).unwrap();
    assert_eq!(outbound.seal(&mut packet, at(1059)).unwrap().sequence, 10);
    let (mut bytes, range) = roomy(&inner);
    let mut late = crate::PacketBuf::new(&mut bytes, range).unwrap();
    let expired = outbound.seal(&mut late, at(1060)).unwrap_err();
    assert_eq!(expired, crate::SealError::Expired(Limit::Time));
}

/// F4: on a takeover no number is used twice and no packet accepted twice.
#[test]
fn d12_f4_a_takeover_jumps_in_both_directions() {
    let (mut outbound, mut inbound) = pair(
        AES_SHA1,
        outbound_config(),
        InboundConfig::new(spi(), true, SelectorCheck::ByCaller),
    );
    let inner = ip_packet(false, 30);
    let (out_state, in_state) = (outbound.export(T0), inbound.export(T0));
    // The active node works on after its last export.
    let packets: Vec<_> = (0..50)
        .map(|_| sealed(&mut outbound, &inner).unwrap())
        .collect();
    packets
        .iter()
        .for_each(|packet| drop(opened(&mut inbound, packet).unwrap()));
    let mut standby =
        Outbound::restore(key(AES_SHA1), outbound_config(), &out_state, 100, T0).unwrap();
    let next = sealed(&mut standby, &inner).unwrap();
    let config = InboundConfig::new(spi(), true, SelectorCheck::ByCaller);
    let mut receiver = Inbound::restore(key(AES_SHA1), config, &in_state, 100, T0).unwrap();
    for packet in &packets {
        assert!(matches!(
            opened(&mut receiver, packet),
            Err(OpenError::Replayed { .. })
        ));
    }
    assert_eq!(opened(&mut receiver, &next).unwrap().0.sequence, 101);
    let config = outbound_config();
    let spent = Outbound::restore(key(AES_SHA1), config, &out_state, u64::MAX, T0).unwrap();
    assert_eq!(spent.sequence(), u64::MAX);
}

#[test]
fn d13_foreign_states_are_refused() {
    let (outbound, inbound) = tunnel(AES_SHA1);
    let state = inbound.export(T0);
    let restore = |config: InboundConfig, state: &[u8]| {
        Inbound::restore(key(AES_SHA1), config, state, 0, T0)
            .map(|_| ())
            .unwrap_err()
    };
    let config = || InboundConfig::new(spi(), true, SelectorCheck::ByCaller);
    assert_eq!(
        restore(config(), &outbound.export(T0)),
        RestoreError::Mismatch("direction")
    );
    let esn = InboundConfig {
        esn: true,
        ..config()
    };
    assert_eq!(restore(esn, &state), RestoreError::Mismatch("ESN"));
    let other = InboundConfig::new(crate::Spi::new(999).unwrap(), true, SelectorCheck::ByCaller);
    assert_eq!(restore(other, &state), RestoreError::Mismatch("SPI"));
    let mut version = state.clone();
    version[0] = 9;
    assert_eq!(restore(config(), &version), RestoreError::Version(9));
    let mut size = state.clone();
    size[32..36].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(restore(config(), &size), RestoreError::Range("window size"));
    let mut top = state.clone();
    top[36] = 1;
    assert_eq!(restore(config(), &top), RestoreError::Range("window top"));
    for len in 0..state.len() {
        assert_eq!(restore(config(), &state[..len]), RestoreError::Length(len));
    }
    let long = [&state[..], &[0; 8]].concat();
    assert_eq!(restore(config(), &long), RestoreError::Length(long.len()));
}

proptest! {
    /// A damaged state is refused or gives an SA whose own export is stable.
    #[test]
    fn d13_damaged_states_are_refused_or_sound(
        seen in prop::collection::vec(1u64..3000, 0..50),
        damage in prop::collection::vec((0usize..170, any::<u8>()), 0..4),
    ) {
        let config = || InboundConfig::new(spi(), true, SelectorCheck::ByCaller);
        let (_, mut inbound) = pair(AES_SHA1, outbound_config(), config());
        seen.iter().for_each(|sequence| inbound.window.mark(*sequence));
        let mut state = inbound.export(T0);
        prop_assert_eq!(state.len(), 44 + 16 * 8);
        for (at, value) in &damage {
            state[*at] = *value;
        }
        let restore = |state: &[u8]| Inbound::restore(key(AES_SHA1), config(), state, 0, T0);
        let restored = restore(&state);
        prop_assert!(restored.is_ok() || !damage.is_empty());
        if let Ok(restored) = restored {
            let again = restored.export(T0);
            prop_assert_eq!(restore(&again).unwrap().export(T0), again.clone());
            if damage.is_empty() {
                prop_assert_eq!(again, state);
            }
        }
    }

    #[test]
    fn any_octets_are_no_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let state = [&[VERSION, OUTBOUND, 0, 0][..], &octets].concat();
        let _ = Outbound::restore(key(AES_SHA1), outbound_config(), &state, 0, T0);
        let _ = Outbound::restore(key(AES_SHA1), outbound_config(), &octets, 0, T0);
    }
}
