use super::*;
use alloc::vec;

const LIMITS: HoldLimits = HoldLimits {
    packets: 4,
    time: Duration::from_secs(30),
};

fn flow(to: u8) -> Flow {
    Flow::new([10, 0, 0, 1].into(), [10, 0, 1, to].into(), 17, &[])
}

fn octets(held: VecDeque<Held>) -> Vec<Vec<u8>> {
    held.into_iter().map(|held| held.packet).collect()
}

#[test]
fn each_flow_gets_its_packets_in_order() {
    let mut hold = Hold::new(LIMITS);
    for (to, octet) in [(1, 1), (2, 2), (1, 3)] {
        hold.push(0, flow(to), &[octet], Duration::ZERO);
    }
    let first = hold.release(|held| held.flow == flow(1));
    assert_eq!(octets(first), [[1], [3]]);
    assert_eq!(
        octets(hold.release(|held| held.flow == flow(1))),
        [[0u8; 0]; 0]
    );
    assert_eq!(hold.len(), 1);
}

#[test]
fn a_flood_of_packets_leaves_memory_flat() {
    let mut hold = Hold::new(LIMITS);
    for n in 0..100u8 {
        hold.push(0, flow(1), &[n], Duration::ZERO);
    }
    assert_eq!((hold.len(), hold.dropped()), (4, 96));
    assert_eq!(octets(hold.release(|_| true)), [[96], [97], [98], [99]]);
    let mut none = Hold::new(HoldLimits {
        packets: 0,
        ..LIMITS
    });
    none.push(0, flow(1), &[1], Duration::ZERO);
    assert_eq!((none.len(), none.dropped()), (0, 1));
}

#[test]
fn a_packet_does_not_wait_for_ever() {
    let mut hold = Hold::new(LIMITS);
    hold.push(0, flow(1), &[1], Duration::from_secs(1));
    hold.push(0, flow(1), &[2], Duration::from_secs(2));
    assert_eq!(hold.next_deadline(), Some(Duration::from_secs(31)));
    hold.expire(Duration::from_secs(31));
    assert_eq!(octets(hold.release(|_| true)), vec![vec![2]]);
    assert_eq!(hold.dropped(), 1);
}
