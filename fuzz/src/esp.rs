//! ESP: packets against an SA whose every ICV passes, so that what follows the check is reached too.

use std::time::Duration;

use crypto_suite::{CipherId, IntegrityId, ProtectionId, insecure};
use esp::{Inbound, InboundConfig, OpenError, Outer, PacketBuf, SelectorCheck, Spi, ip};

use super::Feed;

/// A stream of packets: a refused one leaves the SA as it was, an accepted one moves it on.
pub fn inbound(data: &[u8]) {
    let mut feed = Feed(data);
    let Some([flags, wait]) = feed.array() else {
        return;
    };
    let suite = ProtectionId::CbcHmac(CipherId::Aes128Cbc, IntegrityId::HmacSha1_96);
    let provider = if flags & 1 == 0 {
        &insecure::UNCHECKED
    } else {
        &insecure::CHECKED
    };
    let Some(protection) = provider.protection(suite) else {
        return;
    };
    let keymat = vec![0x42; protection.key_material_len()];
    let (Ok(key), Some(spi)) = (protection.new_key(&keymat), Spi::new(0x1000)) else {
        return;
    };
    let mut now = Duration::ZERO;
    let Ok(mut sa) = Inbound::new(
        key,
        InboundConfig::new(spi, flags & 2 == 0, SelectorCheck::ByCaller),
        now,
    ) else {
        return;
    };
    while let Some(bytes) = feed.bytes() {
        now += Duration::from_millis(u64::from(wait));
        let mut packet = [&0x1000_u32.to_be_bytes(), bytes].concat();
        let before = sa.export(now);
        let len = packet.len();
        let mut buffer = PacketBuf::full(&mut packet);
        match sa.open(&mut buffer, &Outer::default(), now) {
            Ok(opened) => {
                assert!(buffer.as_slice().len() < len);
                assert!(opened.sequence > 0);
            }
            // Refused before or by the integrity check: as if it had never come. What the peer
            // has authenticated uses up its sequence number (RFC 4303 §3.4.3).
            Err(
                error @ (OpenError::Truncated { .. }
                | OpenError::Spi { .. }
                | OpenError::Block { .. }
                | OpenError::Expired(_)
                | OpenError::Replayed { .. }
                | OpenError::TooOld { .. }
                | OpenError::Authentication),
            ) => assert_eq!(sa.export(now), before, "{error} changed the SA"),
            Err(error) => drop(error.to_string()),
        }
    }
}

/// A whole IP packet to a tunnel end: its headers, then its ESP or UDP.
pub fn ip_packet(data: &[u8]) {
    match ip::IpHeader::parse(data) {
        Ok(header) => drop(esp::Flow::of(data).map(|flow| (format!("{flow:?}"), header))),
        Err(error) => drop(error.to_string()),
    }
    let _ = esp::TooBig::parse(data);
    let mut copy = data.to_vec();
    let _ = esp::clamp_mss(&mut copy, 1360);
    assert_eq!(copy.len(), data.len());
}
