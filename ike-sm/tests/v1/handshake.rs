//! Main mode and quick mode between two endpoints in virtual time.
use crate::common::{Pair, secs};
use ike_sm::{Mode, Outcome};

#[test]
fn main_mode_and_quick_mode_take_nine_messages_and_give_one_pair() {
    let mut pair = Pair::default();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    assert_eq!(pair.sent, 9);
    assert!(
        pair.outcomes.iter().all(|(_, o)| *o == Outcome::Handled),
        "{:?}",
        pair.outcomes
    );
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
    let (a, b) = (
        pair.a.children.values().next().unwrap(),
        pair.b.children.values().next().unwrap(),
    );
    assert_eq!((a.spi_in, a.spi_out), (b.spi_out, b.spi_in));
    assert_eq!((a.local, a.remote), (b.remote, b.local));
    assert_eq!((&a.keys_in, &a.keys_out), (&b.keys_out, &b.keys_in));
    assert!(a.keys_in != a.keys_out);
    assert_eq!(a.keys_in.len(), a.suite.key_material_len());
    assert_eq!((a.mode, a.udp_encapsulation), (Mode::Tunnel, false));
    assert!(a.initiator && !b.initiator);
    pair.assert_tunnel();
}
