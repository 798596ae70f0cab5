//! Messages changed by who has the keys: what an authenticated peer could send.
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use isakmp_wire::v2::{Message, PayloadType};
use isakmp_wire::{ExchangeType, Flags, Header, Limits};

use crate::common::{Flight, Pair};
use crate::forge::Forge;

/// A datagram that was taken from the link.
pub type Caught = Rc<RefCell<Vec<Flight>>>;

/// Takes the first message of this kind from the link.
pub fn catch(pair: &mut Pair, exchange: ExchangeType, response: bool) -> Caught {
    let caught: Caught = Rc::default();
    let net = Rc::clone(&caught);
    pair.fate = Box::new(move |flight| {
        let header = Header::read(&flight.datagram).unwrap();
        let wanted = header.exchange_type == exchange
            && header.flags.contains(Flags::RESPONSE) == response
            && net.borrow().is_empty();
        if wanted {
            net.borrow_mut().push(Flight {
                at: flight.at,
                to_b: flight.to_b,
                path: flight.path,
                datagram: flight.datagram.clone(),
            });
        }
        !wanted
    });
    caught
}

/// Lets the link be as it was, and gives what was caught.
pub fn caught(pair: &mut Pair, caught: &Caught) -> Flight {
    pair.fate = Box::new(|_| true);
    caught.borrow_mut().pop().expect("nothing was caught")
}

/// Changes the body of a payload: in the clear, or under the latest keys of the IKE SA.
pub fn rewrite(
    pair: &Pair,
    flight: &mut Flight,
    kind: PayloadType,
    change: impl FnOnce(&mut [u8]),
) {
    let message = Message::parse(&flight.datagram, &Limits::DEFAULT).unwrap();
    let header = message.header;
    if message.protected().is_none() {
        let first = PayloadType(header.next_payload);
        let body = body_of(&flight.datagram[Header::LEN..], first, kind);
        change(&mut flight.datagram[Header::LEN..][body]);
        return;
    }
    let mut forge = Forge::new(&pair.a, header.flags.contains(Flags::INITIATOR));
    flight.datagram = forge.reseal(&flight.datagram, |first, octets| {
        let body = body_of(octets, first, kind);
        change(&mut octets[body]);
    });
}

fn body_of(chain: &[u8], first: PayloadType, kind: PayloadType) -> Range<usize> {
    let (mut at, mut here) = (0, first);
    loop {
        let len = usize::from(u16::from_be_bytes([chain[at + 2], chain[at + 3]]));
        if here == kind {
            return at + 4..at + len;
        }
        (here, at) = (PayloadType(chain[at]), at + len);
    }
}
