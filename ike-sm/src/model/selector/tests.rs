use alloc::string::ToString;
use core::net::IpAddr;

use crate::model::{Selector, Selectors};

fn ip(s: &str) -> IpAddr {
    s.parse().unwrap()
}

#[test]
fn a_subnet_clears_host_bits_and_shows_its_prefix() {
    for (address, len, shown) in [
        ("10.0.68.5", 24, "10.0.68.0/24"),
        ("0.0.0.0", 0, "0.0.0.0/0"),
        ("1.2.3.4", 32, "1.2.3.4/32"),
        ("2001:db8::1", 64, "2001:db8::/64"),
        ("2001:db8::1", 128, "2001:db8::1/128"),
        ("::", 0, "::/0"),
    ] {
        let s = Selector::subnet(ip(address), len).unwrap();
        assert_eq!(s.to_string(), shown);
        assert_eq!(s.prefix_len(), Some(len));
    }
    assert_eq!(Selector::subnet(ip("10.0.0.0"), 33), None);
    assert_eq!(Selector::subnet(ip("::"), 129), None);
}

#[test]
fn a_range_that_is_no_prefix_shows_both_ends() {
    let s = Selector::range(ip("10.0.0.1"), ip("10.0.0.2")).unwrap();
    assert_eq!(s.prefix_len(), None);
    assert_eq!(s.to_string(), "10.0.0.1-10.0.0.2");
    assert_eq!(Selector::range(ip("10.0.0.2"), ip("10.0.0.1")), None);
    assert_eq!(Selector::range(ip("10.0.0.2"), ip("::1")), None);
}

#[test]
fn containment_needs_family_addresses_protocol_and_ports() {
    let net = Selector::subnet(ip("10.0.0.0"), 8).unwrap();
    let host = Selector::host(ip("10.1.2.3"));
    let gre = host.with_protocol(47, 0);
    let web = host.with_protocol(6, 80);
    assert!(net.contains(&host) && net.contains(&gre) && net.contains(&web));
    assert!(!host.contains(&net));
    assert!(
        !gre.contains(&host),
        "a selector of one protocol does not hold any protocol"
    );
    assert!(!web.contains(&host.with_protocol(6, 0)));
    assert!(!net.contains(&Selector::host(ip("::1"))));
    assert!(web.matches(ip("10.1.2.3"), 6, 80));
    assert!(!web.matches(ip("10.1.2.3"), 6, 81));
    assert!(!web.matches(ip("10.1.2.3"), 17, 80));
    assert_eq!(web.to_string(), "10.1.2.3/32[6/80]");
}

#[test]
fn several_selectors_are_never_none_and_never_too_many() {
    let host = |n: u8| Selector::host([10, 0, 0, n].into());
    assert_eq!(Selectors::new([]), None);
    assert!(Selectors::new((0..32).map(host)).is_some());
    assert_eq!(Selectors::new((0..33).map(host)), None);
    let two = Selectors::new([host(1), host(2)]).unwrap();
    assert_eq!((two.len(), two.single()), (2, None));
    assert_eq!(two.to_string(), "10.0.0.1/32, 10.0.0.2/32");
    assert!(two.contains(&host(2).into()) && !Selectors::from(host(2)).contains(&two));
    assert!(two.matches([10, 0, 0, 2].into(), 6, 80) && !two.matches([10, 0, 0, 3].into(), 6, 80));
}

#[test]
fn rfc4301_s4_4_1_1_any_port_includes_opaque_and_no_range_does() {
    let host = Selector::host("192.0.2.1".parse().unwrap());
    let ports = |ports| Selector { ports, ..host };
    let opaque = ports(Selector::OPAQUE);
    assert!(host.contains(&opaque) && opaque.contains(&opaque));
    assert!(!opaque.contains(&host) && !opaque.contains(&ports((80, 80))));
    assert!(!ports((80, 80)).contains(&opaque) && !ports((1, u16::MAX)).contains(&opaque));
    assert_eq!(host.intersect(&opaque), Some(opaque));
    assert_eq!(ports((1, u16::MAX)).intersect(&opaque), None);
    assert_eq!(opaque.to_string(), "192.0.2.1/32[0/opaque]");
}

#[test]
fn an_intersection_is_what_both_contain() {
    let net = |a: &str, len| Selector::subnet(a.parse().unwrap(), len).unwrap();
    let (wide, narrow) = (net("10.0.0.0", 8), net("10.1.0.0", 16));
    assert_eq!(wide.intersect(&narrow), Some(narrow));
    assert_eq!(narrow.intersect(&net("10.2.0.0", 16)), None);
    assert_eq!(wide.intersect(&net("fd00::", 8)), None);
    let range = |a: &str, b: &str| Selector::range(a.parse().unwrap(), b.parse().unwrap()).unwrap();
    let overlap = range("10.0.0.9", "10.0.0.20").intersect(&range("10.0.0.1", "10.0.0.12"));
    assert_eq!(overlap, Some(range("10.0.0.9", "10.0.0.12")));
    let web = narrow.with_protocol(6, 443);
    assert_eq!(wide.intersect(&web), Some(web));
    assert_eq!(web.intersect(&narrow.with_protocol(17, 443)), None);
    assert_eq!(web.intersect(&narrow.with_protocol(6, 80)), None);
}
