//! Main mode and quick mode between two endpoints in virtual time.
use crate::common::{A, B, Pair, config, ip, secs};
use ike_sm::config::IkeVersion;
use ike_sm::{ChildPhase, DropReason, KeyLog, Mode, Outcome};

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
    assert_eq!((&a.local, &a.remote), (&b.remote, &b.local));
    assert_eq!((&a.keys_in, &a.keys_out), (&b.keys_out, &b.keys_in));
    assert!(a.keys_in != a.keys_out);
    assert_eq!(a.keys_in.len(), a.suite.key_material_len());
    assert_eq!((a.mode, a.udp_encapsulation), (Mode::Tunnel, false));
    assert!(a.initiator && !b.initiator);
    pair.assert_tunnel();
}

#[test]
fn tables_show_states_suites_and_capabilities() {
    let mut pair = Pair::default();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    let half = pair.a.endpoint.ike_sas().next().unwrap();
    assert_eq!(half.show().name(), "MM_NO_STATE");
    assert!(half.established.is_none() && half.responder_spi == [0; 8]);
    pair.run_for(secs(3));
    for end in [&pair.a, &pair.b] {
        let ike = end.endpoint.ike_sas().next().unwrap();
        assert_eq!(ike.show().name(), "QM_IDLE");
        let up = ike.established.unwrap();
        assert_eq!(
            (up.capabilities.to_string(), up.replaced),
            ("D".into(), false)
        );
        assert_eq!(up.schedule.hard, secs(86_400));
        let child = end.endpoint.children().next().unwrap();
        assert_eq!(
            (child.name.as_str(), child.phase),
            ("net", ChildPhase::Active)
        );
        assert_eq!(child.spi_in, end.children.values().next().unwrap().spi_in);
    }
}

#[test]
fn a_peer_of_the_other_version_gets_no_answer_and_a_reason_of_its_own() {
    let mut other = config(B, A, b"secret");
    other.peers[0].version = IkeVersion::V2;
    let mut pair = Pair::new(config(A, B, b"secret"), other);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let reason = DropReason::PeerVersion(IkeVersion::V2);
    assert_eq!(pair.outcomes, [(true, Outcome::Dropped(reason))]);
    assert_eq!((pair.sent, pair.b.endpoint.ike_sas().count()), (1, 0));
}

#[test]
fn keys_of_children_are_logged_only_where_the_configuration_says_so() {
    for version in [IkeVersion::V1, IkeVersion::V2] {
        for wanted in [true, false] {
            let [mut a, mut b] = [config(A, B, b"secret"), config(B, A, b"secret")];
            a.key_log = wanted;
            a.peers[0].version = version;
            b.peers[0].version = version;
            let mut pair = Pair::new(a, b);
            pair.bring_up();
            let sa = pair.a.children.values().next().unwrap();
            let esp = pair.a.key_log.iter().filter_map(|key| match key {
                KeyLog::Esp {
                    source,
                    destination,
                    spi,
                    keys,
                    ..
                } => Some((*source, *destination, *spi, keys.clone())),
                _ => None,
            });
            let esp: Vec<_> = esp.collect();
            let both = [
                (ip(B), ip(A), sa.spi_in, sa.keys_in.clone()),
                (ip(A), ip(B), sa.spi_out, sa.keys_out.clone()),
            ];
            assert!(esp == both[..if wanted { 2 } else { 0 }], "{version}");
            assert_eq!(pair.a.key_log.is_empty(), !wanted);
        }
    }
}
