use super::*;

fn path(remote: &str) -> Path {
    Path {
        local: "127.0.0.1:500".parse().unwrap(),
        remote: remote.parse().unwrap(),
        natt: false,
    }
}

#[test]
fn what_is_learnt_of_a_path_holds_for_its_ports_and_ages() {
    let mut paths = Paths::new(1500);
    paths.set_link(path("192.0.2.2:500").local.ip(), u16::MAX);
    let (one, other) = (path("192.0.2.2:500"), path("192.0.2.3:500"));
    paths.enter(&one);
    paths.enter(&other);
    assert_eq!(paths.mtu(&one), (u16::MAX, u16::MAX));
    assert_eq!(paths.next_deadline(), None);
    let floated = path("192.0.2.2:4500");
    let changed = paths
        .watch(&floated)
        .unwrap()
        .learn(1400, Duration::from_secs(1));
    assert_eq!(changed.map(|c| c.new), Some(1400));
    assert_eq!(paths.mtu(&one), (1400, u16::MAX));
    assert_eq!(paths.mtu(&other), (u16::MAX, u16::MAX));
    let due = paths.next_deadline().unwrap();
    assert_eq!(due, Duration::from_secs(1) + esp::DEFAULT_AGEING);
    assert_eq!(paths.age(due).len(), 1);
    assert_eq!(paths.mtu(&one), (u16::MAX, u16::MAX));
    assert_eq!(paths.next_deadline(), None);
    paths.leave(&one);
    assert_eq!(paths.mtu(&one), (1500, 1500));
}

#[test]
fn a_path_lasts_as_long_as_pairs_use_it() {
    let mut paths = Paths::new(1500);
    let one = path("192.0.2.2:500");
    paths.enter(&one);
    paths.enter(&one);
    let _ = paths.watch(&one).unwrap().learn(1400, Duration::ZERO);
    paths.leave(&one);
    assert_eq!(paths.mtu(&one), (1400, 1500));
    paths.leave(&one);
    assert_eq!(paths.mtu(&one), (1500, 1500));
    assert!(paths.watch(&one).is_none());
}
