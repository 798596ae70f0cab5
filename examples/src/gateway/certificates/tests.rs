mod chains;
mod names;
mod profile;

use super::*;
use crypto_suite::{EcdsaCurve::P256, EcdsaForm, HashId::Sha256, SignatureId};
use std::{path::PathBuf, time::Duration};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/certificates")
        .join(name)
}

fn verify(authority: &str, chain: &str, identity: &Identity) -> Result<Vec<u8>, Refusal> {
    let mut authorities = Authorities::default();
    // 2026-01-01.
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600));
    authorities.load(&file(authority), now).unwrap();
    authorities.verify(&load_chain(&file(chain)).unwrap(), identity, now)
}

fn fqdn(name: &str) -> Identity {
    Identity::Fqdn(name.into())
}

#[test]
fn a_chain_proves_the_names_in_it() {
    let key = verify("ca.pem", "ecdsa.pem", &fqdn("a.lab")).unwrap();
    let own = load_key(&file("ecdsa.key")).unwrap();
    let scheme = crypto_suite::DEFAULT
        .signature(SignatureId::Ecdsa(P256, Sha256, EcdsaForm::Der))
        .unwrap();
    let signer = scheme.signing_key(own.secret_der()).unwrap();
    assert_eq!(key, signer.public_key());

    let address = Identity::Address("192.0.2.1".parse().unwrap());
    verify("ca.pem", "ecdsa.pem", &address).unwrap();
    let subject = load_chain(&file("ecdsa.pem")).unwrap();
    let subject = CertificateDer::from(subject[0].as_slice());
    let subject = der(
        0x30,
        &[EndEntityCert::try_from(&subject).unwrap().subject()],
    );
    verify("ca.pem", "ecdsa.pem", &Identity::DistinguishedName(subject)).unwrap();
    // Through an RSA intermediate.
    verify("ca.pem", "rsa-chain.pem", &fqdn("b.lab")).unwrap();
}

#[test]
fn other_names_authorities_times_and_uses_are_refused() {
    for (authority, chain, identity) in [
        ("ca.pem", "ecdsa.pem", fqdn("b.lab")),
        (
            "ca.pem",
            "ecdsa.pem",
            Identity::Address("192.0.2.2".parse().unwrap()),
        ),
        (
            "ca.pem",
            "ecdsa.pem",
            Identity::DistinguishedName(vec![0x30, 0]),
        ),
        ("ca.pem", "ecdsa.pem", Identity::KeyId(b"a.lab".to_vec())),
        ("other-ca.pem", "ecdsa.pem", fqdn("a.lab")),
        ("ca.pem", "ended-2021.pem", fqdn("a.lab")),
        ("ca.pem", "code-signing.pem", fqdn("c.lab")),
        ("ca.pem", "issued-by-no-authority.pem", fqdn("d.lab")),
    ] {
        let why = verify(authority, chain, &identity).unwrap_err();
        assert_ne!(why, Refusal::Nothing, "{chain} {identity}");
    }
    let none = Authorities::default();
    let chain = load_chain(&file("ecdsa.pem")).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600));
    none.verify(&chain, &fqdn("a.lab"), now).unwrap_err();
    none.verify(&[], &fqdn("a.lab"), now).unwrap_err();
}

#[test]
fn a_changed_octet_of_a_certificate_is_noticed() {
    let mut authorities = Authorities::default();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600));
    authorities.load(&file("ca.pem"), now).unwrap();
    let chain = load_chain(&file("ecdsa.pem")).unwrap();
    for place in 0..chain[0].len() {
        let mut changed = chain[0].clone();
        changed[place] ^= 1;
        let verdict = authorities.verify(&[changed], &fqdn("a.lab"), now);
        assert!(verdict.is_err(), "octet {place}");
    }
}

#[test]
fn files_that_are_none_are_named() {
    assert!(
        load_chain(&file("ecdsa.key"))
            .unwrap_err()
            .contains("ecdsa.key")
    );
    assert!(
        load_key(&file("ecdsa.pem"))
            .unwrap_err()
            .contains("ecdsa.pem")
    );
    assert!(load_chain(&file("nothing.pem")).is_err());
}
