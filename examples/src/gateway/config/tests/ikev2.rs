use super::*;

const V2: &str = r#"
[[ikev2-policy]]
priority = 10
encryption = ["aes-256-gcm", "chacha20-poly1305"]
prf = "sha384"
group = [31, "group20"]
additional = "ml-kem-768"
additional-optional = true

[[ikev2-policy]]
priority = 20
encryption = "aes-256"
integrity = "sha256"
group = 14

[[transform-set]]
name = "strong"
encryption = "aes-256"
hash = "sha256"

[[psk]]
peer = "site2.example"
secret = "shared"

[[peer]]
name = "site2"
version = "ikev2"
address = "192.0.2.2"
remote-id = "site2.example"
policy = 20

[[peer.tunnel]]
name = "net"
local = ["192.168.100.0/24", "192.168.200.0/24"]
remote = "172.16.10.0/24"
transform-set = "strong"
"#;

fn broken(from: &str, to: &str) -> ConfigError {
    assert!(V2.contains(from), "{from}");
    parse(&V2.replacen(from, to, 1)).expect_err("accepted")
}

#[test]
fn ikev2_needs_no_word_and_policies_of_another_version_are_told() {
    let silent = parse(&V2.replace("version = \"ikev2\"\n", "")).unwrap();
    assert_eq!(silent.peer[0].version, Version::Ikev2);
    assert_eq!(silent.idle_policies().count(), 0);
    let ike = super::super::super::glue::ike_config(&parse(WHOLE).unwrap(), false).unwrap();
    assert_eq!(ike.peers[0].version, ike_sm::config::IkeVersion::V1);
    // A file of IKEv1 that does not say so.
    let old = WHOLE
        .replace("version = \"ikev1\"\n", "")
        .replace("policy = 10\n", "");
    let told: Vec<String> = parse(&old).unwrap().idle_policies().collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("isakmp-policy is of no use"),
        "{told:?}"
    );
}

#[test]
fn a_policy_of_ikev2_has_lists() {
    let config = parse(V2).unwrap();
    let peer = &config.peer[0];
    let wanted: Vec<u16> = config
        .ikev2_policies(peer)
        .map(|p| *p.priority.get_ref())
        .collect();
    assert_eq!(wanted, [20]);
    let first = &config.ikev2_policy[0];
    assert_eq!(first.group.get_ref().0, [Group(31), Group(20)]);
    assert_eq!(first.additional.0, [Group(36)]);
    // Both networks go into one child.
    assert_eq!(peer.tunnel[0].local.get_ref().0.len(), 2);
}

#[test]
fn i3_a_peer_that_takes_one_selector_gets_one_child_per_pair() {
    for quirks in [
        "quirks = \"cisco-asa\"",
        "quirks = { one-ts-per-child = true }",
    ] {
        let config = parse(&V2.replace("policy = 20", quirks)).unwrap();
        let names: Vec<(&str, String, Option<&str>)> = config.peer[0]
            .tunnel
            .iter()
            .map(|t| {
                (
                    t.name.get_ref().as_str(),
                    t.local.get_ref().to_string(),
                    t.of.as_deref(),
                )
            })
            .collect();
        let expected = [
            ("net-1", "192.168.100.0/24".to_owned(), Some("net")),
            ("net-2", "192.168.200.0/24".to_owned(), Some("net")),
        ];
        assert_eq!(names, expected);
    }
    // RFC 2409 §5.5: IKEv1 has one identity of each side in any case.
    let v1 = V2
        .replace("version = \"ikev2\"", "version = \"ikev1\"")
        .replace("policy = 20", "");
    assert_eq!(parse(&v1).unwrap().peer[0].tunnel.len(), 2);
}

#[test]
fn mistakes_of_ikev2_are_named() {
    for (from, to, field, what) in [
        (
            "policy = 20",
            "policy = 30",
            "peer[0].policy",
            "no ikev2-policy",
        ),
        (
            "\"chacha20-poly1305\"]",
            "\"aes-128\"]",
            "ikev2-policy[0].encryption",
            "own",
        ),
        (
            "integrity = \"sha256\"",
            "",
            "ikev2-policy[1].encryption",
            "integrity",
        ),
        (
            "policy = 20",
            "quirks = \"asa\"",
            "peer[0].quirks",
            "cisco-asa",
        ),
        (
            "\"172.16.10.0/24\"",
            "\"fd00::/64\"",
            "peer[0].tunnel[0].remote",
            "families",
        ),
    ] {
        let error = broken(from, to);
        assert_eq!(error.field.as_deref(), Some(field), "{error}");
        assert!(error.what.contains(what), "{error}");
    }
}

#[test]
fn rfc7296_s2_23_ikev2_may_begin_on_4500_and_ikev1_may_not() {
    let from_start = V2.replace(
        "policy = 20\n",
        "policy = 20\nnat-traversal = \"from-start\"\n",
    );
    let ike = super::super::super::glue::ike_config(&parse(&from_start).unwrap(), false).unwrap();
    let nat = ike.peers[0].nat_traversal;
    assert!(nat.enabled && nat.force && nat.from_start);
    let v1 = WHOLE.replace(
        "policy = 10\n",
        "policy = 10\nnat-traversal = \"from-start\"\n",
    );
    let refused = parse(&v1).expect_err("accepted").to_string();
    assert!(refused.contains("IKEv1 begins on UDP 500"), "{refused}");
}
