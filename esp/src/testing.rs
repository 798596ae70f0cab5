//! What the tests of this crate share.
#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use core::net::IpAddr;
use core::time::Duration;
use std::boxed::Box;
use std::vec;
use std::vec::Vec;

use crypto_suite::{CipherId, DEFAULT, IntegrityId, PacketKey, ProtectionId};

use crate::*;

pub(crate) const T0: Duration = Duration::ZERO;
pub(crate) const AES_SHA1: ProtectionId =
    ProtectionId::CbcHmac(CipherId::Aes128Cbc, IntegrityId::HmacSha1_96);

/// Every protection of the default provider.
pub(crate) fn suites() -> impl Iterator<Item = ProtectionId> {
    DEFAULT.protections.iter().map(|protection| protection.id())
}

pub(crate) fn key(id: ProtectionId) -> Box<dyn PacketKey> {
    let protection = DEFAULT.protection(id).unwrap();
    // Distinct octets: no weak DES key.
    let keymat: Vec<u8> = (0..protection.key_material_len())
        .map(|i| (i * 7 + 3) as u8)
        .collect();
    protection.new_key(&keymat).unwrap()
}

pub(crate) fn spi() -> Spi {
    Spi::new(0xcdd3_aca0).unwrap()
}

pub(crate) fn addresses(v6: bool) -> (IpAddr, IpAddr) {
    if v6 {
        (
            "2001:db8::1".parse().unwrap(),
            "2001:db8::2".parse().unwrap(),
        )
    } else {
        ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap())
    }
}

pub(crate) fn inner_addresses(v6: bool) -> (IpAddr, IpAddr) {
    if v6 {
        ("fd00::a".parse().unwrap(), "fd00::b".parse().unwrap())
    } else {
        ("10.0.68.5".parse().unwrap(), "10.1.1.10".parse().unwrap())
    }
}

/// An IP packet with a UDP datagram of `data` octets inside, built by another crate.
pub(crate) fn ip_packet(v6: bool, data: usize) -> Vec<u8> {
    use etherparse::PacketBuilder;
    let payload: Vec<u8> = (0..data).map(|i| i as u8).collect();
    let mut packet = Vec::new();
    let (source, destination) = inner_addresses(v6);
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            PacketBuilder::ipv4(source.octets(), destination.octets(), 64)
                .udp(1000, 2000)
                .write(&mut packet, &payload)
                .unwrap();
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            PacketBuilder::ipv6(source.octets(), destination.octets(), 64)
                .udp(1000, 2000)
                .write(&mut packet, &payload)
                .unwrap();
        }
        _ => panic!("addresses of two families"),
    }
    packet
}

/// `packet` in the middle of a generous buffer.
pub(crate) fn roomy(packet: &[u8]) -> (Vec<u8>, core::ops::Range<usize>) {
    let mut bytes = vec![0xeeu8; 128];
    bytes.extend_from_slice(packet);
    let end = bytes.len();
    bytes.extend_from_slice(&[0xeeu8; 2048]);
    (bytes, 128..end)
}

/// Seals `packet` and returns the result on its own.
pub(crate) fn sealed(outbound: &mut Outbound, packet: &[u8]) -> Result<Vec<u8>, SealError> {
    let (mut bytes, range) = roomy(packet);
    let mut packet = PacketBuf::new(&mut bytes, range).unwrap();
    outbound.seal(&mut packet, T0)?;
    Ok(packet.as_slice().to_vec())
}

/// Opens an ESP packet and returns the payload.
pub(crate) fn opened(inbound: &mut Inbound, packet: &[u8]) -> Result<(Opened, Vec<u8>), OpenError> {
    let mut bytes = packet.to_vec();
    let mut packet = PacketBuf::full(&mut bytes);
    let opened = inbound.open(&mut packet, &Outer::default(), T0)?;
    Ok((opened, packet.as_slice().to_vec()))
}

/// A tunnel-mode pair without outer headers.
pub(crate) fn tunnel(id: ProtectionId) -> (Outbound, Inbound) {
    let outbound = OutboundConfig::new(spi(), Mode::TUNNEL);
    let inbound = InboundConfig::new(spi(), true, SelectorCheck::ByCaller);
    pair(id, outbound, inbound)
}

pub(crate) fn pair(
    id: ProtectionId,
    outbound: OutboundConfig,
    inbound: InboundConfig,
) -> (Outbound, Inbound) {
    (
        Outbound::new(key(id), outbound, T0).unwrap(),
        Inbound::new(key(id), inbound, T0).unwrap(),
    )
}
