use super::*;

const PACKET: [u8; 3] = [0x45, 1, 2];

fn frame(header: &[u8]) -> Vec<u8> {
    [header, &PACKET].concat()
}

#[test]
fn link_layers_are_stripped() {
    let ethernet = [[0; 12].as_slice(), &[0x08, 0x00]].concat();
    let vlan = [
        [0; 12].as_slice(),
        &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 0x08, 0x00],
    ]
    .concat();
    let sll = [[0; 14].as_slice(), &[0x08, 0x00]].concat();
    let sll2 = [&[0x08, 0x00], [0; 18].as_slice()].concat();
    for (link, header) in [
        (DataLink::ETHERNET, ethernet),
        (DataLink::ETHERNET, vlan),
        (DataLink::LINUX_SLL, sll),
        (DataLink::LINUX_SLL2, sll2),
        (DataLink::NULL, vec![2, 0, 0, 0]),
        (DataLink::NULL, vec![0, 0, 0, 2]),
        (DataLink::LOOP, vec![0, 0, 0, 2]),
        (DataLink::RAW, vec![]),
    ] {
        assert_eq!(
            content(Link::Captured(link), &frame(&header)),
            Content::Network(IPV4, &PACKET),
            "{link:?}"
        );
    }
}

#[test]
fn short_frames_are_nothing() {
    for link in [
        DataLink::ETHERNET,
        DataLink::LINUX_SLL,
        DataLink::LINUX_SLL2,
        DataLink::NULL,
        DataLink::RAW,
    ] {
        for len in 0..3 {
            assert_eq!(content(Link::Captured(link), &vec![0; len]), Content::Other);
        }
    }
}

#[test]
fn hex_may_be_a_bare_message_or_a_packet() {
    let mut message = [0; 28];
    message[0] = 7;
    message[17] = 0x10;
    message[27] = 28;
    assert_eq!(content(Link::Unknown, &message), Content::Isakmp(&message));
    let marked = [&[0; 4], message.as_slice()].concat();
    assert_eq!(content(Link::Unknown, &marked), Content::Isakmp(&message));
    let packet = [0x45; 30];
    assert_eq!(
        content(Link::Unknown, &packet),
        Content::Network(IPV4, &packet)
    );
}
