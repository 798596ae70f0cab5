use super::*;

const AUTH: &str = r#"
[[ikev2-policy]]
priority = 10
encryption = "aes-256-gcm"
prf = "sha384"
group = 31

[[eap-user]]
name = "alice"
password = "labsecret"

[[pool]]
name = "road"
network = "10.10.9.0/24"
dns = ["10.10.2.53"]
domain = "lab.example"

[[peer]]
name = "warriors"
version = "ikev2"
address = "any"
local-id = "b.lab"

[peer.auth]
local = "signature"
certificate = "rsa-chain.pem"
private-key = "rsa.key"
remote = "eap-mschapv2"
pool = "road"
"#;

#[test]
fn certificates_users_and_pools_are_read() {
    let config = Config::parse("test", AUTH).unwrap();
    let auth = config.peer[0].auth.as_ref().unwrap();
    assert_eq!(*auth.local.get_ref(), Proof::Signature);
    assert_eq!(*auth.remote.get_ref(), Proof::Eap);
    assert_eq!(config.eap_user[0].password.octets(), b"labsecret");
    assert_eq!(config.pool[0].network.to_string(), "10.10.9.0/24");
}

#[test]
fn mistakes_of_authentication_are_named() {
    for (change, to, what) in [
        ("local = \"signature\"", "local = \"psk\"", "by a signature"),
        ("local = \"signature\"", "local = \"eap\"", "one end only"),
        ("private-key = \"rsa.key\"", "", "private-key"),
        (
            "remote = \"eap-mschapv2\"",
            "remote = \"signature\"",
            "authority",
        ),
        (
            "pool = \"road\"",
            "pool = \"rode\"",
            "no pool is named `rode`",
        ),
        (
            "version = \"ikev2\"",
            "version = \"ikev1\"",
            "EAP is of IKEv2",
        ),
        ("name = \"alice\"", "user = \"alice\"", "user"),
    ] {
        let text = AUTH.replace(change, to);
        let error = Config::parse("test", &text).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

const SIGNED: &str = r#"
[[isakmp-policy]]
priority = 10
encryption = "aes-256"
group = 14

[[isakmp-policy]]
priority = 20
encryption = "aes-256"
authentication = "rsa-sig"
group = 14

[[peer]]
name = "branch"
version = "ikev1"
address = "192.0.2.1"

[peer.auth]
local = "signature"
certificate = "rsa-chain.pem"
private-key = "rsa.key"
remote = "signature"
authority = "ca.pem"
"#;

#[test]
fn policies_of_ikev1_go_with_what_proves_the_peer() {
    let priorities = |config: &Config| -> Vec<u16> {
        let all = config.policies(&config.peer[0]);
        all.map(|p| *p.priority.get_ref()).collect()
    };
    let config = Config::parse("test", SIGNED).unwrap();
    assert_eq!(priorities(&config), [20]);
    let (plain, _) = SIGNED.split_once("[peer.auth]").unwrap();
    assert_eq!(priorities(&Config::parse("test", plain).unwrap()), [10]);
    for (change, to, what) in [
        (
            "\nname =",
            "\npolicy = [10, 20]\nname =",
            "isakmp-policy 10 has another",
        ),
        (
            "\nname =",
            "\nmode = \"aggressive-exposing-psk-hash\"\nname =",
            "main mode alone",
        ),
        ("authentication = \"rsa-sig\"", "", "no isakmp-policy has"),
        ("remote = \"signature\"", "remote = \"psk\"", "in one way"),
    ] {
        let text = SIGNED.replace(change, to);
        let error = Config::parse("test", &text).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn x1_which_user_may_be_which_peer_is_written_and_checked() {
    let with = |user: &str, peer: &str| {
        let text = AUTH
            .replace(
                "password = \"labsecret\"\n",
                &format!("password = \"labsecret\"\n{user}\n"),
            )
            .replace(
                "local-id = \"b.lab\"\n",
                &format!("local-id = \"b.lab\"\n{peer}\n"),
            );
        Config::parse("test", &text)
    };
    let alice = |config: &Config| config.eap_user[0].may_be(&config.peer[0]);
    for (user, peer) in [
        ("", ""),
        ("", "remote-id = \"alice\""),
        ("peer = \"warriors\"", "remote-id = \"admins@lab\""),
        ("address = \"10.10.9.7\"", ""),
    ] {
        assert!(alice(&with(user, peer).unwrap()), "{user} {peer}");
    }
    for (user, peer, what) in [
        ("", "remote-id = \"admins@lab\"", "nobody can be this peer"),
        ("", "remote-id = \"ALICE\"", "nobody can be this peer"),
        ("peer = \"worriers\"", "", "no peer is named `worriers`"),
        (
            "tunnel = \"lan\"",
            "",
            "no peer that the user may be has a tunnel `lan`",
        ),
        ("address = \"10.10.8.7\"", "", "10.10.8.7 is in no pool"),
        (
            "[[eap-user]]\nname = \"alice\"\npassword = \"x\"",
            "",
            "a second eap-user `alice`",
        ),
    ] {
        let mistake = with(user, peer).unwrap_err().to_string();
        assert!(mistake.contains(what), "{user} {peer}: {mistake}");
    }
}
