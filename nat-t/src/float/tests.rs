use super::*;

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

const VERDICTS: [Verdict; 4] = [
    Verdict::NoNat,
    Verdict::LocalBehindNat,
    Verdict::PeerBehindNat,
    Verdict::BothBehindNat,
];

#[test]
fn rfc3947_s4_any_nat_moves_both_ports() {
    for verdict in VERDICTS {
        let expected = if verdict == Verdict::NoNat {
            Float::Stay
        } else {
            Float::Move {
                local_port: 4500,
                remote_port: 4500,
            }
        };
        assert_eq!(float(verdict, 500), expected, "{verdict:?}");
    }
}

#[test]
fn rfc3947_s4_a_negotiation_that_begins_on_4500_does_not_move() {
    for verdict in VERDICTS {
        assert_eq!(float(verdict, 4500), Float::Already);
    }
}

#[test]
fn rfc3947_s4_packets_on_500_after_the_move_are_old() {
    assert_eq!(old_port(true, 500), OldPort::Stale);
    assert_eq!(old_port(true, 4500), OldPort::Current);
    assert_eq!(old_port(false, 500), OldPort::Current);
}

#[test]
fn rfc3947_s4_the_responder_answers_where_the_authenticated_message_came_from() {
    // UDP(500, X) becomes UDP(4500, Y).
    let (x, y) = (address(12312), address(23423));
    assert_eq!(follow(Verdict::PeerBehindNat, true, x, y), Some(y));
    assert_eq!(follow(Verdict::PeerBehindNat, false, y, y), None);
    let rebound = address(40000);
    assert_eq!(
        follow(Verdict::PeerBehindNat, false, y, rebound),
        Some(rebound)
    );
}

#[test]
fn rfc3947_s7_the_host_behind_the_nat_does_not_follow() {
    let (a, b) = (address(4500), address(4501));
    assert_eq!(follow(Verdict::LocalBehindNat, false, a, b), None);
    assert_eq!(follow(Verdict::NoNat, false, a, b), None);
    assert_eq!(follow(Verdict::BothBehindNat, false, a, b), Some(b));
}
