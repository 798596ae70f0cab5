//! Messages of main mode in which something comes more often than there is a use for.
use ike_sm::Outcome;
use isakmp_wire::v1::PayloadType;
use isakmp_wire::{ExchangeType, Header};

use crate::common::{A, B, Pair, config, secs};

/// Adds `n` payloads behind the last one of a message in the clear.
fn append(message: &mut Vec<u8>, kind: PayloadType, body: &[u8], n: usize) {
    let mut at = Header::LEN;
    while message[at] != 0 {
        at += usize::from(u16::from_be_bytes([message[at + 2], message[at + 3]]));
    }
    message[at] = kind.0;
    let length = u16::try_from(body.len() + 4).unwrap().to_be_bytes();
    for k in 0..n {
        let next = if k + 1 == n { 0 } else { kind.0 };
        message.extend([next, 0, length[0], length[1]]);
        message.extend(body);
    }
    let length = u32::try_from(message.len()).unwrap();
    message[24..28].copy_from_slice(&length.to_be_bytes());
}

/// Changes the clear messages of A: the first of them is number 0.
fn with(change: impl Fn(usize, &mut Vec<u8>) + 'static) -> Pair {
    let mut pair = Pair::new(config(A, B, b"secret"), config(B, A, b"secret"));
    let mut number = 0;
    pair.fate = Box::new(move |flight| {
        let header = Header::read(&flight.datagram).unwrap();
        let clear = !header.flags.contains(isakmp_wire::Flags::ENCRYPTION);
        if flight.to_b && clear && header.exchange_type == ExchangeType::IDENTITY_PROTECTION {
            change(number, &mut flight.datagram);
            number += 1;
        }
        true
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(2));
    pair
}

#[test]
fn l11_many_vendor_ids_and_certificate_requests_end_nothing() {
    for n in [80, 1000] {
        let mut pair = with(move |number, message| match number {
            0 => append(message, PayloadType::VENDOR_ID, &[5; 16], n),
            // One for each authority.
            _ => append(message, PayloadType::CERTIFICATE_REQUEST, &[4, 0x30, 0], n),
        });
        pair.assert_tunnel();
    }
}

#[test]
fn l11_a_message_full_of_known_vendor_ids_is_not_repeated_in_the_log() {
    let dpd = [
        0xaf, 0xca, 0xd7, 0x13, 0x68, 0xa1, 0xf1, 0xc9, 0x6b, 0x86, 0x96, 0xfc, 0x77, 0x57, 1, 0,
    ];
    let mut pair = with(move |number, message| {
        if number == 0 {
            append(message, PayloadType::VENDOR_ID, &dpd, 2000);
        }
    });
    pair.assert_tunnel();
    let named = pair
        .b
        .log
        .iter()
        .filter(|line| line.contains("vendor ID is"));
    assert!(named.count() < 100);
}
