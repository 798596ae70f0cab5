#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use crate::testing::ip_packet;
use proptest::prelude::*;
use std::vec;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn network(text: &str, prefix: u8) -> AddressRange {
    AddressRange::network(ip(text), prefix).unwrap()
}

#[test]
fn networks_have_their_first_and_last_address() {
    let range = network("192.168.100.77", 24);
    assert_eq!(
        (range.first(), range.last()),
        (ip("192.168.100.0"), ip("192.168.100.255"))
    );
    let all = network("1.2.3.4", 0);
    assert_eq!(
        (all.first(), all.last()),
        (ip("0.0.0.0"), ip("255.255.255.255"))
    );
    assert_eq!(network("1.2.3.4", 32), AddressRange::host(ip("1.2.3.4")));
    let six = network("2001:db8::1234", 64);
    assert_eq!(six.last(), ip("2001:db8::ffff:ffff:ffff:ffff"));
    assert_eq!(
        network("::", 0).last(),
        ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
    );
    assert!(AddressRange::network(ip("1.2.3.4"), 33).is_none());
    assert!(AddressRange::network(ip("::"), 129).is_none());
}

#[test]
fn ranges_are_checked_and_families_kept_apart() {
    assert!(AddressRange::new(ip("10.0.0.2"), ip("10.0.0.1")).is_none());
    assert!(AddressRange::new(ip("10.0.0.1"), ip("::1")).is_none());
    let range = AddressRange::new(ip("10.0.0.5"), ip("10.0.0.9")).unwrap();
    assert!(range.contains(ip("10.0.0.5")) && range.contains(ip("10.0.0.9")));
    assert!(!range.contains(ip("10.0.0.10")) && !range.contains(ip("10.0.0.4")));
    assert!(!network("0.0.0.0", 0).contains(ip("::1")));
}

#[test]
fn rfc7296_s3_13_1_port_fields() {
    assert_eq!(Ports::from_wire(0, 65535), Some(Ports::Any));
    assert_eq!(Ports::from_wire(65535, 0), Some(Ports::Opaque));
    assert_eq!(Ports::from_wire(80, 443), Some(Ports::Range(80, 443)));
    assert_eq!(Ports::from_wire(443, 80), None);
}

fn selectors(protocol: Option<u8>, ports: Ports) -> SelectorSet {
    let side = |text: &str, ports| TrafficSelector {
        addresses: network(text, 24),
        protocol,
        ports,
    };
    SelectorSet::new([side("10.0.68.0", Ports::Any)], [side("10.1.1.0", ports)])
}

#[test]
fn direction_decides_which_end_is_local() {
    let set = selectors(None, Ports::Any);
    let outbound = Flow::of(&ip_packet(false, 10)).unwrap();
    assert!(set.matches_outbound(&outbound));
    assert!(!set.matches_inbound(&outbound));
    let inbound = Flow {
        source: outbound.destination,
        destination: outbound.source,
        ..outbound
    };
    assert!(set.matches_inbound(&inbound));
}

#[test]
fn protocol_and_ports_narrow() {
    let flow = Flow::of(&ip_packet(false, 10)).unwrap();
    assert_eq!(
        (flow.protocol, flow.source_port, flow.destination_port),
        (17, Some(1000), Some(2000))
    );
    assert!(selectors(Some(17), Ports::Range(2000, 2000)).matches_outbound(&flow));
    assert!(!selectors(Some(6), Ports::Any).matches_outbound(&flow));
    assert!(!selectors(Some(17), Ports::Range(2001, 9000)).matches_outbound(&flow));
    assert!(!selectors(Some(17), Ports::Opaque).matches_outbound(&flow));
}

/// G3, G4: `permit gre host 1.1.1.1 host 6.6.6.6`.
#[test]
fn gre_between_two_hosts() {
    let side = |text: &str| TrafficSelector {
        addresses: AddressRange::host(ip(text)),
        protocol: Some(47),
        ports: Ports::Any,
    };
    let set = SelectorSet::new([side("1.1.1.1")], [side("6.6.6.6")]);
    assert!(set.matches_outbound(&Flow::new(ip("1.1.1.1"), ip("6.6.6.6"), 47, &[0, 0, 8, 0])));
    assert!(!set.matches_outbound(&Flow::new(ip("1.1.1.1"), ip("6.6.6.6"), 1, &[8, 0, 0, 0])));
}

#[test]
fn icmp_type_and_code_are_the_port() {
    let echo = Flow::new(ip("10.0.68.5"), ip("10.1.1.10"), 1, &[8, 0, 1, 2]);
    assert!(selectors(Some(1), Ports::Range(0x0800, 0x0800)).matches_outbound(&echo));
    assert!(!selectors(Some(1), Ports::Range(0x0000, 0x07ff)).matches_outbound(&echo));
}

#[test]
fn later_fragments_match_any_or_opaque_only() {
    let mut packet = ip_packet(false, 40);
    packet[7] = 3; // fragment offset 24
    let flow = Flow::of(&packet).unwrap();
    assert_eq!(flow.destination_port, None);
    assert!(selectors(Some(17), Ports::Any).matches_outbound(&flow));
    assert!(selectors(Some(17), Ports::Opaque).matches_outbound(&flow));
    assert!(!selectors(Some(17), Ports::Range(0, 65534)).matches_outbound(&flow));
}

#[test]
fn a_set_is_bounded_and_an_empty_side_matches_nothing() {
    let all = TrafficSelector::all(network("0.0.0.0", 0));
    let set = SelectorSet::new(vec![all; 1000], [all]);
    assert_eq!(set.local().len(), MAX_SELECTORS);
    let flow = Flow::of(&ip_packet(false, 1)).unwrap();
    assert!(!SelectorSet::new([], [all]).matches_outbound(&flow));
}

proptest! {
    #[test]
    fn a_network_contains_what_shares_its_prefix(base: u32, other: u32, prefix in 0u8..=32) {
        let address = |bits| IpAddr::V4(core::net::Ipv4Addr::from_bits(bits));
        let range = AddressRange::network(address(base), prefix).unwrap();
        let shift = 32 - u32::from(prefix);
        let same = u64::from(base) >> shift == u64::from(other) >> shift;
        prop_assert_eq!(range.contains(address(other)), same);
    }

    #[test]
    fn any_octets_have_a_flow_or_an_error(packet in prop::collection::vec(any::<u8>(), 0..120)) {
        if let Ok(flow) = Flow::of(&packet) {
            prop_assert_eq!(flow.source.is_ipv4(), packet[0] >> 4 == 4);
        }
    }
}
