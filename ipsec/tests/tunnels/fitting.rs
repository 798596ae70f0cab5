//! What fits the path: fragments, path MTU, MSS.

use ipsec::esp::{DontFragment, Fragments};
use ipsec::{IcmpOutcome, Sent};

use crate::kit::{A, B, Link, config, inner, secs, too_big};

fn up() -> Link {
    let mut link = Link::usual();
    link.initiate(A);
    link.run(secs(2));
    link
}

#[test]
fn a_long_packet_is_cut_before_it_is_protected() {
    let mut link = up();
    let long = inner(A, 1, 3000, false);
    assert_eq!(link.send(A, &long), Sent::Done);
    link.run(secs(1));
    assert_eq!(link.b.inside.len(), 3);
    // The pieces are those of the whole packet.
    let most = link.b.inside.iter().map(Vec::len).max().unwrap();
    let mut pieces = Fragments::new(&long, most).unwrap();
    for came in &link.b.inside {
        let mut room = [0; 1500];
        let length = pieces.next_into(&mut room).unwrap().unwrap();
        assert_eq!(room[..length], came[..]);
    }
    assert!(
        link.a
            .sent
            .iter()
            .all(|(_, octets)| octets.len() + 28 <= 1500)
    );
}

#[test]
fn a_source_is_told_what_fits_and_not_more_often_than_sources_may() {
    let mut link = up();
    let long = inner(A, 1, 1460, true);
    assert_eq!(link.send(A, &long), Sent::Done);
    assert_eq!(link.a.inside.len(), 1);
    let told = ipsec::esp::ip::IpHeader::parse(&link.a.inside[0]).unwrap();
    assert_eq!(told.protocol, 1);
    let mtu = u16::from_be_bytes([link.a.inside[0][26], link.a.inside[0][27]]);
    for _ in 0..1000 {
        link.push(A, &long);
    }
    assert!(link.a.inside.len() <= 33, "{}", link.a.inside.len());
    // What is said fits, and nothing longer does.
    let sized = |len: u16| inner(A, 2, usize::from(len) - 28, true);
    assert!(matches!(link.send(A, &sized(mtu)), Sent::Send(_)));
    assert_eq!(link.send(A, &sized(mtu + 1)), Sent::Done);
}

#[test]
fn the_path_mtu_is_learnt_from_a_router_and_ages() {
    let mut link = up();
    link.mtu = 1400;
    let fits_ethernet = inner(A, 1, 1380, true);
    assert!(matches!(link.send(A, &fits_ethernet), Sent::Send(_)));
    assert_eq!(
        link.a.saw("MTU 1400 instead of 1500"),
        1,
        "{:?}",
        link.a.events
    );
    link.run(secs(1));
    assert!(link.b.inside.is_empty());
    assert_eq!(link.send(A, &fits_ethernet), Sent::Done);
    // RFC 1191 §6.3: a larger one is tried after ten minutes.
    link.run(secs(601));
    assert_eq!(link.a.saw("MTU 1500 instead of 1400"), 1);
}

#[test]
fn a_forged_message_lowers_nothing() {
    let mut link = up();
    link.push(A, &inner(A, 1, 500, true));
    let (transmit, octets) = link.a.sent.last().unwrap().clone();
    // Another sequence number than any that was used.
    let mut never_sent = octets.to_vec();
    never_sent[4] ^= 0x80;
    let message = too_big(&transmit, &never_sent, 600);
    assert_eq!(link.icmp(A, &message), IcmpOutcome::NotOurs);
    // Other ports.
    let mut elsewhere = transmit;
    elsewhere.path.remote.set_port(4501);
    assert_eq!(
        link.icmp(A, &too_big(&elsewhere, &octets, 600)),
        IcmpOutcome::NotOurs
    );
    let mtu = link.a.tunnels.data().pairs().next().unwrap().path_mtu;
    assert_eq!(mtu, 1500);
    // The genuine one.
    assert_eq!(
        link.icmp(A, &too_big(&transmit, &octets, 600)),
        IcmpOutcome::Believed
    );
    let mtu = link.a.tunnels.data().pairs().next().unwrap().path_mtu;
    assert_eq!(mtu, 600);
}

#[test]
fn dont_fragment_of_the_outer_header_is_as_configured() {
    let wants = [
        (DontFragment::Copy, [false, true]),
        (DontFragment::Set, [true, true]),
        (DontFragment::Clear, [false, false]),
    ];
    for (policy, outer) in wants {
        let mut a = config(A);
        a.data.dont_fragment = policy;
        let mut link = Link::new(a, config(B));
        link.initiate(A);
        link.run(secs(2));
        for (inside, outer) in [false, true].into_iter().zip(outer) {
            let Sent::Send(to) = link.send(A, &inner(A, 1, 100, inside)) else {
                panic!("not sent");
            };
            assert_eq!(to.dont_fragment, outer, "{policy:?} {inside}");
        }
    }
}

#[test]
fn dscp_and_ecn_of_the_inner_packet_show_outside() {
    let mut link = up();
    let mut packet = inner(A, 1, 100, false);
    packet[1] = 0xb9; // EF and ECT(1)
    let sum = ipsec::nat_t::adjust(0xffff, &[], &{
        let mut header = packet[..20].to_vec();
        header[10..12].fill(0);
        header
    });
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    let Sent::Send(to) = link.send(A, &packet) else {
        panic!("not sent");
    };
    assert_eq!(to.traffic_class, 0xb9);
    link.run(secs(1));
    assert_eq!(link.b.inside, [packet]);
}

#[test]
fn tcp_is_told_of_segments_that_fit_in_both_directions() {
    use etherparse::{PacketBuilder, TcpOptionElement};
    let mut link = up();
    let builder = PacketBuilder::ipv4(A.host(), B.host(), 64).tcp(5000, 80, 1, 1000);
    let syn = builder
        .syn()
        .options(&[TcpOptionElement::MaximumSegmentSize(1460)]);
    let mut packet = Vec::new();
    syn.unwrap().write(&mut packet, &[]).unwrap();
    assert!(matches!(link.send(A, &packet), Sent::Send(_)));
    link.run(secs(1));
    let came = &link.b.inside[0];
    let mss = u16::from_be_bytes([came[42], came[43]]);
    assert!((1300..1400).contains(&mss), "{mss}");
}
