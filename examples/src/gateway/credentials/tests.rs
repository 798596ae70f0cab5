use super::*;
use std::time::Duration;

const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600));

/// A file with one peer whose `[peer.auth]` has these lines.
fn load(auth: &str) -> Result<Credentials, ConfigError> {
    load_as("a.lab", auth)
}

fn load_as(local_id: &str, auth: &str) -> Result<Credentials, ConfigError> {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/certificates");
    let auth = auth.replace("DIR", data);
    let text = format!(
        "[[ikev2-policy]]\npriority = 1\nencryption = \"aes-256-gcm\"\nprf = \"sha256\"\ngroup = 31\n\
         [[peer]]\nname = \"p\"\nversion = \"ikev2\"\naddress = \"192.0.2.1\"\nlocal-id = \"{local_id}\"\n\
         [peer.auth]\n{auth}"
    );
    Credentials::load_at(&Config::parse("gw.toml", &text)?, NOW)
}

fn warnings(auth: &str) -> Vec<String> {
    let all = load(auth).unwrap();
    all.warnings().iter().map(ToString::to_string).collect()
}

const OURS: &str = "local = \"signature\"\ncertificate = \"DIR/ecdsa.pem\"\nprivate-key = \"DIR/ecdsa.key\"\n\
                    remote = \"signature\"\nauthority = \"DIR/ca.pem\"\n";

#[test]
fn what_the_file_names_is_loaded() {
    assert_eq!(warnings(OURS), [""; 0]);
    // An intermediate behind the certificate.
    let rsa = OURS
        .replace("ecdsa.pem", "rsa-chain.pem")
        .replace("ecdsa.key", "rsa.key");
    let all = load_as("b.lab", &rsa).unwrap();
    assert!(all.warnings().is_empty(), "{:?}", all.warnings());
    assert_eq!(all.peers["p"].chain.len(), 2);
}

#[test]
fn a_file_that_cannot_be_used_is_told_with_line_and_field() {
    for (from, to, line, field, what) in [
        ("ecdsa.pem", "none.pem", 13, "certificate", "none.pem"),
        (
            "ecdsa.pem",
            "ecdsa.key",
            13,
            "certificate",
            "no certificate",
        ),
        (
            "ecdsa.key",
            "rsa.key",
            14,
            "private-key",
            "rsa.key is not the key of",
        ),
        ("ecdsa.key", "ca.pem", 14, "private-key", "ca.pem"),
        ("DIR/ca.pem", "DIR/none.pem", 16, "authority", "none.pem"),
        (
            "DIR/ca.pem",
            "DIR/mail.pem",
            16,
            "authority",
            "`O=lab, CN=alice` is no authority",
        ),
        (
            "\"DIR/ca.pem\"",
            "\"DIR/ca.pem\"\ncrl = \"DIR/ca.pem\"",
            17,
            "crl",
            "no CRL",
        ),
    ] {
        let error = load(&OURS.replace(from, to)).unwrap_err();
        assert_eq!(error.line, Some(line), "{error}");
        assert_eq!(
            error.field.as_deref(),
            Some(format!("peer[0].auth.{field}").as_str())
        );
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn what_will_surprise_is_a_warning() {
    let one = |auth: &str, line: usize, field: &str, what: &str| {
        let all = warnings(auth);
        let place = format!("gw.toml:{line}: peer[0].auth.{field}: ");
        assert!(
            all.len() == 1 && all[0].starts_with(&place) && all[0].contains(what),
            "{all:?}"
        );
    };
    let ended = OURS.replace("ecdsa.pem", "ended-2021.pem");
    one(&ended, 13, "certificate", "ended at 2021");
    one(
        &OURS.replace("/ca.pem", "/ca2.pem"),
        13,
        "certificate",
        "none of `authority` has issued it",
    );
    let crl = OURS.to_owned() + "crl = \"DIR/ended-2021.crl\"\n";
    one(&crl, 17, "crl", "the CRL ended at 2021");
    let other = load_as("c.lab", OURS).unwrap();
    let told = other.warnings()[0].to_string();
    assert!(
        told.contains("local-id ID_FQDN c.lab is none of its names"),
        "{told}"
    );
    // A certificate behind the first that has not issued it.
    let folder = std::env::temp_dir().join(format!("gateway-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/certificates");
    let read = |name: &str| std::fs::read_to_string(format!("{data}/{name}")).unwrap();
    let file = folder.join("chain.pem");
    std::fs::write(&file, read("ecdsa.pem") + &read("other-ca.pem")).unwrap();
    let chain = OURS.replace("DIR/ecdsa.pem", file.to_str().unwrap());
    one(
        &chain,
        13,
        "certificate",
        "none of the certificates behind the first has issued it",
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn rfc7670_raw_keys_are_the_configured_ones() {
    let raw = "local = \"raw-key\"\nprivate-key = \"DIR/ecdsa.key\"\nremote = \"raw-key\"\npublic-key = \"DIR/mail.pub\"\n\
               send-certificate = \"if-asked\"\n";
    let mut all = load(raw).unwrap();
    let own = all.peers.get_mut("p").unwrap();
    assert!(own.chain.is_empty() && own.raw_key.is_some());
    let known = own.trust.peers_key.clone().unwrap();
    let anybody = Identity::Fqdn("b.lab".into());
    assert_eq!(own.trust.key_of(&[], None, &anybody), Ok(known.clone()));
    assert_eq!(own.trust.key_of(&[], Some(&known), &anybody), Ok(known));
    assert_eq!(
        own.trust.key_of(&[], Some(b"another"), &anybody),
        Err(Refusal::OtherKey)
    );
    // A certificate's key is as good as a bare one.
    load(&raw.replace("mail.pub", "mail.pem")).unwrap();
    for (from, to, field, what) in [
        ("mail.pub", "mail.key", "public-key", "mail.key"),
        (
            "public-key = \"DIR/mail.pub\"\n",
            "",
            "remote",
            "`public-key`",
        ),
        (
            "private-key = \"DIR/ecdsa.key\"\n",
            "",
            "local",
            "`private-key`",
        ),
        ("ecdsa.key", "mail.pub", "private-key", "mail.pub"),
    ] {
        let error = load(&raw.replace(from, to)).unwrap_err();
        assert_eq!(
            error.field.as_deref(),
            Some(format!("peer[0].auth.{field}").as_str())
        );
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn a_pre_shared_key_can_stand_in_a_file() {
    let path = std::env::temp_dir().join(format!("gateway-test-{}.psk", std::process::id()));
    let text = format!(
        "[[psk]]\npeer = \"any\"\nsecret-file = \"{}\"\n",
        path.display()
    );
    let error = Config::parse("gw.toml", &text).unwrap_err();
    assert_eq!(
        (error.line, error.field.as_deref()),
        (Some(3), Some("psk[0].secret-file"))
    );
    for (content, key) in [
        ("labsecret\n", &b"labsecret"[..]),
        ("0x00ff\r\n", &[0, 0xff]),
    ] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(Config::parse("gw.toml", &text).unwrap().psk[0].key(), key);
    }
    std::fs::write(&path, "\n").unwrap();
    let error = Config::parse("gw.toml", &text).unwrap_err();
    assert!(error.to_string().contains("an empty key"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let both = text + "secret = \"x\"\n";
    let error = Config::parse("gw.toml", &both).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("one of `secret` and `secret-file`"),
        "{error}"
    );
}

#[test]
fn x9_what_takes_long_is_work_for_other_threads() {
    let all = load(OURS).unwrap();
    let sign = Question::Sign {
        peer: "p".into(),
        scheme: all.peers["p"].schemes[0],
        octets: b"octets".to_vec(),
    };
    let (compute, refusal) = all.work(&sign).unwrap();
    assert!(matches!(refusal, Answer::Signature(None)));
    let signed = std::thread::spawn(compute).join().unwrap();
    assert!(matches!(signed, Answer::Signature(Some(_))), "{signed:?}");
    // What is looked up is answered at once, and so is what nobody has a key for.
    let id = b"key 1".to_vec();
    let peer = || "p".to_owned();
    assert!(all.work(&Question::Ppk { peer: peer(), id }).is_none());
    let raw = load("local = \"psk\"\nremote = \"psk\"\n").unwrap();
    assert!(raw.work(&sign).is_none());
}
