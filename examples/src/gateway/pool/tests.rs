use super::*;

fn pool(network: &str) -> Pool {
    let text = format!("name = \"road\"\nnetwork = \"{network}\"\ndns = \"10.10.2.53\"\n");
    Pool::new(&toml::from_str(&text).unwrap())
}

fn request(wish: Option<&str>) -> AddressRequest {
    let mut request = AddressRequest::default();
    request.ipv4 = wish.map_or(Wanted::Any, |a| Wanted::Rather(a.parse().unwrap()));
    request
}

fn user(name: &str) -> Identity {
    Identity::User(name.into())
}

fn ids() -> impl Iterator<Item = u64> {
    1..
}

#[test]
fn users_get_addresses_of_their_own_and_keep_them() {
    let mut pool = pool("10.10.9.0/29");
    let ids: Vec<u64> = ids().take(9).collect();
    let lease = |pool: &mut Pool, id: usize, owner, wish| {
        let got = pool.lease(ids[id], &user(owner), &request(wish));
        got.map(|a| a.ipv4.unwrap().to_string())
    };
    assert_eq!(lease(&mut pool, 0, "alice", None).unwrap(), "10.10.9.1");
    assert_eq!(lease(&mut pool, 1, "bob", None).unwrap(), "10.10.9.2");
    // A second device; then a new authentication of the first.
    assert_eq!(lease(&mut pool, 2, "alice", None).unwrap(), "10.10.9.3");
    assert_eq!(
        lease(&mut pool, 3, "alice", Some("10.10.9.1")).unwrap(),
        "10.10.9.1"
    );
    pool.released(ids[0]);
    pool.released(ids[3]);
    // Others leave it alone while there are fresh ones, and cannot have it by asking.
    assert_eq!(
        lease(&mut pool, 4, "carol", Some("10.10.9.1")).unwrap(),
        "10.10.9.4"
    );
    assert_eq!(lease(&mut pool, 5, "alice", None).unwrap(), "10.10.9.1");
    assert_eq!(
        lease(&mut pool, 6, "dave", Some("10.10.9.6")).unwrap(),
        "10.10.9.6"
    );
    assert_eq!(
        lease(&mut pool, 7, "erin", Some("192.0.2.1")).unwrap(),
        "10.10.9.5"
    );
    assert_eq!(lease(&mut pool, 8, "frank", None), None);
    pool.released(ids[1]);
    assert_eq!(lease(&mut pool, 8, "frank", None).unwrap(), "10.10.9.2");
}

#[test]
fn a_rekeyed_ike_sa_keeps_the_address() {
    let mut pool = pool("10.10.9.0/30");
    let ids: Vec<u64> = ids().take(4).collect();
    pool.lease(ids[0], &user("alice"), &request(None)).unwrap();
    pool.replaced(ids[0], ids[1]);
    pool.released(ids[0]);
    pool.lease(ids[2], &user("bob"), &request(None)).unwrap();
    assert_eq!(pool.lease(ids[3], &user("carol"), &request(None)), None);
    assert_eq!(pool.in_use().count(), 2);
}

#[test]
fn a_pool_of_the_other_family_gives_nothing() {
    let mut pool = pool("fd00::/120");
    let id = ids().next().unwrap();
    assert_eq!(pool.lease(id, &user("alice"), &request(None)), None);
}

#[test]
fn x1_a_reserved_address_is_its_users_alone() {
    let mut pool = pool("10.10.9.0/30");
    let address = |got: Option<Assignment>| got.and_then(|a| a.ipv4).map(|a| a.to_string());
    pool.reserve(&user("alice"), "10.10.9.1".parse().unwrap());
    pool.reserve(&user("bob"), "192.0.2.1".parse().unwrap());
    let got = pool.lease(1, &user("mallory"), &request(Some("10.10.9.1")));
    assert_eq!(address(got).unwrap(), "10.10.9.2");
    assert_eq!(pool.lease(2, &user("bob"), &request(None)), None);
    for ike in [3, 4] {
        let got = pool.lease(ike, &user("alice"), &request(None));
        assert_eq!(address(got).unwrap(), "10.10.9.1");
        pool.released(3);
    }
    // An identity of another kind is somebody else.
    let alice = Identity::Fqdn("alice".into());
    pool.released(4);
    assert_eq!(pool.lease(5, &alice, &request(None)), None);
}
