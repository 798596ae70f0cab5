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
        ("version = \"ikev2\"", "", "IKEv2"),
        ("name = \"alice\"", "user = \"alice\"", "user"),
    ] {
        let text = AUTH.replace(change, to);
        let error = Config::parse("test", &text).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}
