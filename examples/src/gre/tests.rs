//! The tunnel between its buffers: what goes out is read by `etherparse`, what comes in is written by hand.

use super::tunnel::{Encapsulated, HEADROOM, Out, Settings, Times, Tunnel};
use etherparse::{Ipv4Header, PacketBuilder, ip_number};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use std::{net::IpAddr, time::Duration};

const A: [u8; 4] = [9, 1, 1, 146];
const B: [u8; 4] = [9, 1, 1, 35];
const NOW: Duration = Duration::from_secs(100);

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(7)
}

fn settings() -> Settings {
    Settings::new("tu0".into(), A.into(), B.into(), 1500)
}

fn tunnel(change: impl FnOnce(&mut Settings)) -> Tunnel {
    let mut settings = settings();
    change(&mut settings);
    settings.mtu = 1500 - settings.overhead();
    Tunnel::new(settings, NOW).unwrap()
}

fn udp(length: usize, df: bool) -> Vec<u8> {
    let mut ip = Ipv4Header::new(0, 64, ip_number::UDP, [10, 0, 68, 5], [10, 0, 1, 5]).unwrap();
    ip.dont_fragment = df;
    ip.dscp = 18.try_into().unwrap();
    ip.ecn = 2.try_into().unwrap();
    let mut packet = Vec::new();
    let body = vec![7; length - 28];
    PacketBuilder::ip(etherparse::IpHeaders::Ipv4(ip, Default::default()))
        .udp(1000, 2000)
        .write(&mut packet, &body)
        .unwrap();
    packet
}

fn out(tunnel: &mut Tunnel, packet: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut buffer = vec![0; HEADROOM];
    buffer.extend_from_slice(packet);
    let range = HEADROOM..buffer.len();
    match tunnel.outbound(&mut buffer, range, NOW) {
        Ok(Encapsulated::InPlace(range)) => Ok(vec![buffer[range].to_vec()]),
        Ok(Encapsulated::Parts(parts)) => Ok(parts),
        Err(reason) => Err(reason.into_owned()),
    }
}

/// The delivery packet of the peer around `gre`.
fn delivered(gre: &[u8], ecn: u8) -> Vec<u8> {
    let length = u16::try_from(gre.len()).unwrap();
    let mut ip = Ipv4Header::new(length, 255, ip_number::GRE, B, A).unwrap();
    ip.ecn = ecn.try_into().unwrap();
    ip.header_checksum = ip.calc_header_checksum();
    [&ip.to_bytes()[..], gre].concat()
}

#[test]
fn g2_24_octets_are_added_and_the_header_is_copied_by_policy() {
    let mut tunnel = tunnel(|_| {});
    let packet = udp(100, true);
    let sent = out(&mut tunnel, &packet).unwrap().remove(0);
    assert_eq!(sent.len(), 124);
    let (ip, gre) = Ipv4Header::from_slice(&sent).unwrap();
    assert_eq!((ip.source, ip.destination, ip.time_to_live), (A, B, 255));
    assert_eq!(
        (ip.dont_fragment, ip.dscp.value(), ip.ecn.value()),
        (true, 18, 2)
    );
    assert_eq!(ip.header_checksum, ip.calc_header_checksum());
    assert_eq!(&gre[..4], [0, 0, 8, 0]);
    assert_eq!(&gre[4..], packet);
}

#[test]
fn key_checksum_and_sequence_are_added_and_counted() {
    let mut tunnel = tunnel(|s| (s.key, s.checksum, s.sequence) = (Some(7), true, true));
    assert_eq!(tunnel.settings().mtu, 1464);
    for n in 0..3u8 {
        let sent = out(&mut tunnel, &udp(100, true)).unwrap().remove(0);
        let gre = &sent[20..];
        assert_eq!(&gre[..4], [0xb0, 0, 8, 0]);
        assert_eq!(&gre[8..16], [0, 0, 0, 7, 0, 0, 0, n]);
        let sum = etherparse::checksum::Sum16BitWords::new().add_slice(gre);
        assert_eq!(sum.ones_complement(), 0);
    }
}

#[test]
fn what_does_not_fit_is_fragmented_or_its_source_is_told() {
    let mut tunnel = tunnel(|_| {});
    let parts = out(&mut tunnel, &udp(2000, false)).unwrap();
    assert_eq!(parts.len(), 2);
    let inner = |part: &Vec<u8>| Ipv4Header::from_slice(&part[24..]).unwrap().0;
    assert!(parts.iter().all(|part| part.len() <= 1500));
    assert!(inner(&parts[0]).more_fragments && !inner(&parts[1]).more_fragments);
    let error = out(&mut tunnel, &udp(1477, true)).unwrap_err();
    assert_eq!(error, "larger than the tunnel's MTU");
    let [Out::Deliver(icmp)] = &tunnel.take_out()[..] else {
        panic!("no ICMP message");
    };
    let (ip, message) = Ipv4Header::from_slice(icmp).unwrap();
    assert_eq!(ip.destination, [10, 0, 68, 5]);
    assert_eq!(
        (&message[..2], &message[6..8]),
        (&[3, 4][..], &1476u16.to_be_bytes()[..])
    );
}

#[test]
fn g11_the_path_says_what_fits_and_never_more_than_the_file() {
    let mut tunnel = tunnel(|_| {});
    for (fitting, mtu) in [(1400, 1376), (9000, 1476), (20, 68)] {
        tunnel.set_fitting(fitting);
        assert_eq!(tunnel.status(NOW).mtu, mtu);
    }
    tunnel.set_fitting(1400);
    let error = out(&mut tunnel, &udp(1377, true)).unwrap_err();
    assert_eq!(error, "larger than the tunnel's MTU");
    assert!(out(&mut tunnel, &udp(1376, true)).is_ok());
}

#[test]
fn df_cleared_by_policy_fragments_the_delivery_packet() {
    let mut tunnel = tunnel(|s| s.df = gre::mtu::DfPolicy::Clear);
    let parts = out(&mut tunnel, &udp(2000, true)).unwrap();
    let headers: Vec<_> = parts
        .iter()
        .map(|part| Ipv4Header::from_slice(part).unwrap().0)
        .collect();
    assert!(headers.iter().all(|h| h.source == A && !h.dont_fragment));
    assert!(
        headers
            .windows(2)
            .all(|w| { w[0].identification == w[1].identification && w[0].identification != 0 })
    );
}

#[test]
fn congestion_is_carried_inwards() {
    let mut tunnel = tunnel(|_| {});
    let inner = udp(100, true);
    let mut packet = delivered(&[&[0, 0, 8, 0], &inner[..]].concat(), 3);
    let range = tunnel
        .inbound(&mut packet, false, NOW, &mut rng())
        .unwrap()
        .unwrap();
    let (ip, _) = Ipv4Header::from_slice(&packet[range]).unwrap();
    assert_eq!((ip.dscp.value(), ip.ecn.value()), (18, 3));
    assert_eq!(ip.header_checksum, ip.calc_header_checksum());
}

#[test]
fn wrong_packets_are_counted_under_their_reason_and_change_nothing() {
    let mut tunnel = tunnel(|s| (s.key, s.sequence) = (Some(7), true));
    let inner = udp(60, true);
    let gre = |head: &[u8]| delivered(&[head, &inner].concat(), 0);
    let key = [0u8, 0, 0, 7];
    let to_peer = {
        let mut inner = inner.clone();
        inner[16..20].copy_from_slice(&B);
        let mut ip = Ipv4Header::from_slice(&inner).unwrap().0;
        ip.header_checksum = ip.calc_header_checksum();
        inner[..20].copy_from_slice(&ip.to_bytes());
        delivered(&[&[0x20, 0, 8, 0], &key[..], &inner].concat(), 0)
    };
    let mut elsewhere = gre(&[0, 0, 8, 0]);
    elsewhere[15] = 36;
    let mut ip = Ipv4Header::from_slice(&elsewhere).unwrap().0;
    ip.header_checksum = ip.calc_header_checksum();
    elsewhere[..20].copy_from_slice(&ip.to_bytes());
    let cases: [(Vec<u8>, &str); 8] = [
        (gre(&[0, 0, 8, 0]), "wrong key"),
        (gre(&[0x20, 0, 8, 0, 0, 0, 0, 8]), "wrong key"),
        (gre(&[0x40, 0, 8, 0]), "malformed: RoutingPresent"),
        (gre(&[0x80, 0, 8, 0, 0, 1, 0, 0]), "malformed: Checksum"),
        (gre(&[0, 1, 8, 0]), "malformed: Version"),
        (elsewhere, "not between the tunnel's ends"),
        (to_peer, "to the other end of the tunnel"),
        (gre(&[[0x20, 0, 0x88, 0x47], key].concat()), "protocol MPLS"),
    ];
    for (mut packet, reason) in cases {
        let before = tunnel.status(NOW);
        let error = tunnel
            .inbound(&mut packet, false, NOW, &mut rng())
            .unwrap_err();
        assert!(error.starts_with(reason), "{error}, not {reason}");
        let mut after = tunnel.status(NOW);
        let counted = after.dropped.iter().find(|(r, _)| *r == error).unwrap().1;
        let old = before.dropped.iter().find(|(r, _)| *r == error);
        assert_eq!(counted, old.map_or(0, |(_, n)| *n) + 1);
        after.dropped.clone_from(&before.dropped);
        assert_eq!(after, before);
    }
}

#[test]
fn an_old_sequence_number_is_dropped_until_the_line_comes_up_anew() {
    let keepalive = Times {
        period: Duration::from_secs(1),
        retries: 1,
        ..Times::default()
    };
    let mut tunnel = tunnel(|s| (s.sequence, s.keepalive) = (true, Some(keepalive)));
    let inner = udp(60, true);
    let data = |n: u8| {
        let head = [0x10, 0, 8, 0, 0, 0, 0, n];
        delivered(&[&head[..], &inner].concat(), 0)
    };
    assert!(tunnel.inbound(&mut data(5), false, NOW, &mut rng()).is_ok());
    let error = tunnel
        .inbound(&mut data(0), false, NOW, &mut rng())
        .unwrap_err();
    assert_eq!(error, "out of sequence");
    for n in 0..2 {
        tunnel.deadline(NOW + Duration::from_secs(n), &mut rng());
    }
    assert!(!tunnel.is_up());
    assert_eq!(
        tunnel
            .inbound(&mut data(9), false, NOW, &mut rng())
            .unwrap_err(),
        "line protocol is down"
    );
    let mut back = delivered(&[0, 0, 0, 0], 0);
    assert_eq!(tunnel.inbound(&mut back, false, NOW, &mut rng()), Ok(None));
    assert!(tunnel.is_up());
    assert!(tunnel.inbound(&mut data(0), false, NOW, &mut rng()).is_ok());
}

#[test]
fn g7_the_peers_keepalive_goes_back_even_without_keepalives_of_our_own() {
    let mut tunnel = tunnel(|_| {});
    assert_eq!(tunnel.next_deadline(), None);
    let mut ip = Ipv4Header::new(4, 255, ip_number::GRE, A, B).unwrap();
    ip.header_checksum = ip.calc_header_checksum();
    let request = [&[0, 0, 8, 0], &ip.to_bytes()[..], &[0; 4]].concat();
    let mut packet = delivered(&request, 0);
    assert_eq!(packet.len(), 48);
    assert_eq!(
        tunnel.inbound(&mut packet, false, NOW, &mut rng()),
        Ok(None)
    );
    let [Out::Send(reply)] = &tunnel.take_out()[..] else {
        panic!("no answer");
    };
    let (ip, gre) = Ipv4Header::from_slice(reply).unwrap();
    assert_eq!((reply.len(), ip.time_to_live, gre), (24, 254, &[0; 4][..]));
    assert_eq!((ip.source, ip.destination), (A, B));
}

#[test]
fn d9_a_bare_packet_does_not_pass_for_a_protected_one() {
    let mut tunnel = tunnel(|s| s.protection = Some("profile gre".into()));
    let mut packet = delivered(&[&[0, 0, 8, 0], &udp(60, true)[..]].concat(), 0);
    let error = tunnel
        .inbound(&mut packet, false, NOW, &mut rng())
        .unwrap_err();
    assert_eq!(error, "not protected by IPsec");
    assert!(
        tunnel
            .inbound(&mut packet, true, NOW, &mut rng())
            .unwrap()
            .is_some()
    );
}

#[test]
fn s4_the_lines_of_show_interface_tunnel() {
    let keepalive = Times {
        period: Duration::from_secs(20),
        ..Times::default()
    };
    let mut tunnel = tunnel(|s| s.keepalive = Some(keepalive));
    out(&mut tunnel, &udp(100, true)).unwrap();
    let text = tunnel.status(NOW + Duration::from_secs(7)).to_string();
    for line in [
        "tu0 is up, line protocol is up",
        "  Hardware is Tunnel",
        "  Keepalive set (20 sec), retries 3",
        "  Tunnel source 9.1.1.146, destination 9.1.1.35",
        "  Tunnel protocol/transport GRE/IP, key disabled, sequencing disabled",
        "  Tunnel TTL 255",
        "  Checksumming of packets disabled",
        "  Last input never, output 00:00:07",
        "     0 packets input, 0 bytes",
        "     1 packets output, 100 bytes",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\nnot in\n{text}");
    }
}

#[test]
fn ipv6_delivers_too() {
    let ends: [IpAddr; 2] = ["2001:db8::1", "2001:db8::2"].map(|s| s.parse().unwrap());
    let mut settings = Settings::new("tu0".into(), ends[0], ends[1], 1500);
    assert_eq!(settings.mtu, 1456);
    settings.key = Some(1);
    let mut tunnel = Tunnel::new(settings, NOW).unwrap();
    let sent = out(&mut tunnel, &udp(100, false)).unwrap().remove(0);
    let (ip, gre) = etherparse::Ipv6Header::from_slice(&sent).unwrap();
    assert_eq!(ip.next_header, ip_number::GRE);
    assert_eq!((ip.hop_limit, usize::from(ip.payload_length)), (255, 108));
    assert_eq!(&gre[..8], [0x20, 0, 8, 0, 0, 0, 0, 1]);
}
