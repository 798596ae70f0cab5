use super::*;
use proptest::prelude::*;

fn ike(cookie: u8) -> [u8; 32] {
    let mut datagram = [0u8; 32];
    datagram[4..12].fill(cookie);
    datagram
}

#[test]
fn rfc3948_s2_2_a_marker_and_a_header_is_ike() {
    let datagram = ike(7);
    assert_eq!(classify(&datagram), Datagram::Ike(&datagram[4..]));
}

#[test]
fn rfc3948_s2_1_a_nonzero_spi_is_esp() {
    let datagram = [0, 0, 0, 1, 0, 0, 0, 9, 0xaa];
    assert_eq!(classify(&datagram), Datagram::Esp(&datagram));
    assert_eq!(esp_spi(&datagram), Some(1));
    assert_eq!(esp_spi(&[0xc0, 1, 2, 3, 4]), Some(0xc001_0203));
}

#[test]
fn rfc3948_s2_3_a_keepalive_is_one_octet_of_ff() {
    assert_eq!(classify(&KEEPALIVE), Datagram::Keepalive);
    // Four octets of 0xff are an SPI, not a keepalive.
    assert_eq!(classify(&[0xff; 8]), Datagram::Esp(&[0xff; 8]));
}

#[test]
fn d8_every_malformed_kind_is_named() {
    let kind = |payload: &[u8]| match classify(payload) {
        Datagram::Malformed(kind) => kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(kind(&[]), Malformed::Empty);
    assert_eq!(kind(&[0xfe]), Malformed::NotKeepalive(0xfe));
    assert_eq!(kind(&[0xff, 0xff]), Malformed::Short(2));
    assert_eq!(kind(&[0, 0, 0]), Malformed::Short(3));
    // A marker alone is also what ESP with the forbidden SPI 0 looks like.
    assert_eq!(kind(&[0; 4]), Malformed::IkeTooShort(0));
    assert_eq!(kind(&[0; 31]), Malformed::IkeTooShort(27));
    assert_eq!(kind(&[0; 32]), Malformed::ZeroInitiatorCookie);
    assert_eq!(
        kind(&[1, 2, 3, 4, 5, 6, 7]),
        Malformed::EspTooShort {
            spi: 0x0102_0304,
            len: 7
        }
    );
}

#[test]
fn a_doubled_marker_is_refused() {
    // RFC 2408 §2.5.3: an initiator cookie of zero is no cookie.
    let mut datagram = [0u8; 40];
    datagram[12..].fill(9);
    assert_eq!(
        classify(&datagram),
        Datagram::Malformed(Malformed::ZeroInitiatorCookie)
    );
}

#[test]
fn d8_every_prefix_of_a_message_has_a_defined_class() {
    let datagram = ike(3);
    for len in 0..datagram.len() {
        assert!(
            matches!(classify(&datagram[..len]), Datagram::Malformed(_)),
            "length {len}"
        );
    }
}

proptest! {
    #[test]
    fn classes_follow_length_and_marker(payload in prop::collection::vec(any::<u8>(), 0..80)) {
        let marked = payload.starts_with(&NON_ESP_MARKER);
        match classify(&payload) {
            Datagram::Ike(message) => {
                prop_assert!(marked && message.len() >= 28);
                prop_assert_eq!(message, &payload[4..]);
            }
            Datagram::Esp(packet) => {
                prop_assert!(!marked && packet.len() >= 8);
                prop_assert_eq!(packet, &payload[..]);
            }
            Datagram::Keepalive => prop_assert_eq!(&payload[..], &[0xff]),
            Datagram::Malformed(_) => prop_assert!(
                payload.len() < 32 || payload[4..12] == [0; 8]
            ),
        }
    }

    #[test]
    fn a_marked_message_comes_back(message in prop::collection::vec(1u8.., 28..200)) {
        let mut datagram = NON_ESP_MARKER.to_vec();
        datagram.extend_from_slice(&message);
        prop_assert_eq!(classify(&datagram), Datagram::Ike(&message));
    }
}
