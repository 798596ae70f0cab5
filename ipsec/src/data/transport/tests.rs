use super::*;
use etherparse::{IpNumber, Ipv4Header, Ipv6Header, TcpHeader, UdpHeader};

#[test]
fn rfc3948_s3_1_2_a_checksum_is_computed_anew() {
    let (a, b) = ([192, 0, 2, 254], [192, 0, 2, 2]);
    for payload in [&b"even"[..], b"odd"] {
        let mut tcp = TcpHeader::new(5555, 80, 7, 1000);
        tcp.checksum = tcp.calc_checksum_ipv4_raw(a, b, payload).unwrap();
        let whole = [tcp.to_bytes().as_slice(), payload].concat();
        let mut spoilt = whole.clone();
        spoilt[16] ^= 0x5a;
        sum_anew(6, &mut spoilt, a.into(), b.into());
        assert_eq!(spoilt, whole);

        let header = Ipv4Header::new(0, 64, IpNumber::UDP, a, b).unwrap();
        let udp = UdpHeader::with_ipv4_checksum(500, 4500, &header, payload).unwrap();
        let whole = [udp.to_bytes().as_slice(), payload].concat();
        let mut spoilt = whole.clone();
        spoilt[7] ^= 0x5a;
        sum_anew(17, &mut spoilt, a.into(), b.into());
        assert_eq!(spoilt, whole);
        spoilt[6..8].fill(0);
        let none = spoilt.clone();
        sum_anew(17, &mut spoilt, a.into(), b.into());
        assert_eq!(spoilt, none);
    }
}

#[test]
fn a_header_is_what_another_library_reads() {
    let (a, b) = (
        IpAddr::from([192, 0, 2, 1]),
        IpAddr::from([198, 51, 100, 7]),
    );
    let v4 = Header::new((a, b), 17, 100);
    let (read, rest) = Ipv4Header::from_slice(v4.as_slice()).unwrap();
    assert!(rest.is_empty());
    assert_eq!(read.header_checksum, read.calc_header_checksum());
    assert_eq!(
        (read.source, read.destination),
        ([192, 0, 2, 1], [198, 51, 100, 7])
    );
    assert_eq!((read.total_len, read.protocol), (120, IpNumber::UDP));

    let (a, b): (IpAddr, IpAddr) = (
        "2001:db8::1".parse().unwrap(),
        "2001:db8::2".parse().unwrap(),
    );
    let v6 = Header::new((a, b), 6, 100);
    let (read, rest) = Ipv6Header::from_slice(v6.as_slice()).unwrap();
    assert!(rest.is_empty());
    assert_eq!(
        (IpAddr::from(read.source), IpAddr::from(read.destination)),
        (a, b)
    );
    assert_eq!(
        (read.payload_length, read.next_header),
        (100, IpNumber::TCP)
    );
}
