#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use crate::testing::*;
use crate::{OutboundConfig, PacketBuf, TunnelHeader, UdpPorts};
use crypto_suite::{CipherId, IntegrityId};
use std::string::ToString;
use std::vec;

const DES3_SHA1: ProtectionId =
    ProtectionId::CbcHmac(CipherId::TripleDesCbc, IntegrityId::HmacSha1_96);

/// GV5: the frame sizes of a DMVPN capture: 100 octets of IP in GRE with a key, AES-128, SHA-1,
/// 14 octets of Ethernet.
#[test]
fn gv5_frames_of_182_and_214_octets() {
    let gre_with_key = 20 + 8;
    let transport = Overhead::transport(AES_SHA1, 20, false).inside(gre_with_key);
    let tunnel = Overhead::tunnel(AES_SHA1, false, false).inside(gre_with_key);
    assert_eq!(14 + transport.sealed_len(100), 182);
    assert_eq!(14 + tunnel.sealed_len(100), 214);
    // Without the key, tunnel mode would give 198: the key was there.
    let plain = Overhead::tunnel(AES_SHA1, false, false).inside(20 + 4);
    assert_eq!(14 + plain.sealed_len(100), 198);
}

/// GV6: what a firewall prints, and what truly fits.
#[test]
fn gv6_overhead_74_44_and_the_largest_inner_packets() {
    let tunnel = Overhead::tunnel(AES_SHA1, false, false);
    assert_eq!((tunnel.bound(), tunnel.fixed()), (74, 44));
    assert_eq!(tunnel.to_string(), "74(44)");
    assert_eq!(tunnel.max_inner(1500), 1438);
    // The MTU told to 10.0.68.5 when the path has 1400.
    assert_eq!(
        Overhead::tunnel(DES3_SHA1, false, false).max_inner(1400),
        1350
    );
}

#[test]
fn the_bound_is_one_above_the_true_maximum() {
    for id in suites() {
        let tunnel = Overhead::tunnel(id, false, false);
        let most = (20..2000)
            .map(|len| tunnel.sealed_len(len) - len)
            .max()
            .unwrap();
        assert_eq!(most + 1, tunnel.bound(), "{id}");
    }
}

/// Calculated and sealed lengths are the same, for everything an SA can be.
#[test]
fn the_calculator_agrees_with_sealing() {
    for id in suites() {
        for bits in 0..8u8 {
            let [v6, udp, tunnel_mode] = core::array::from_fn(|bit| bits >> bit & 1 == 1);
            let (source, destination) = addresses(v6);
            let mode = if tunnel_mode {
                Mode::Tunnel {
                    header: TunnelHeader::new(source, destination),
                }
            } else {
                Mode::TRANSPORT
            };
            let ports = udp.then_some(UdpPorts {
                source: 4500,
                destination: 4500,
            });
            let config = OutboundConfig {
                udp: ports,
                ..OutboundConfig::new(spi(), mode)
            };
            let mut outbound = Outbound::new(key(id), config, T0).unwrap();
            let header_len = if v6 { 40 } else { 20 };
            let by_id = if tunnel_mode {
                Overhead::tunnel(id, v6, udp)
            } else {
                Overhead::transport(id, header_len, udp)
            };
            assert_eq!(Overhead::of(&outbound, header_len), by_id);
            for data in 0..70 {
                let inner = ip_packet(v6, data);
                let packet = sealed(&mut outbound, &inner).unwrap();
                assert_eq!(packet.len(), by_id.sealed_len(inner.len()), "{id} {data}");
            }
        }
    }
}

#[test]
fn the_largest_inner_packet_fits_and_one_more_does_not() {
    for id in suites() {
        for mtu in [576, 1280, 1400, 1492, 1500, 9000] {
            for overhead in [
                Overhead::tunnel(id, false, true),
                Overhead::tunnel(id, true, false).inside(24),
                Overhead::transport(id, 20, false),
            ] {
                let most = overhead.max_inner(mtu);
                assert!(overhead.sealed_len(most) <= mtu);
                assert!(overhead.sealed_len(most + 1) > mtu);
            }
        }
    }
    assert_eq!(Overhead::tunnel(AES_SHA1, false, false).max_inner(50), 0);
}

#[test]
fn gre_inside_esp_is_sealed_as_calculated() {
    // A GRE packet with key, as bytes: 20 + 8 + 100 octets of IP.
    let mut packet = vec![0u8; 128];
    packet[..4].copy_from_slice(&[0x45, 0, 0, 128]);
    packet[9] = 47;
    let config = OutboundConfig::new(spi(), Mode::TRANSPORT);
    let mut outbound = Outbound::new(key(AES_SHA1), config, T0).unwrap();
    let (mut bytes, range) = roomy(&packet);
    let mut packet = PacketBuf::new(&mut bytes, range).unwrap();
    outbound.seal(&mut packet, T0).unwrap();
    assert_eq!(14 + packet.len(), 182);
}
