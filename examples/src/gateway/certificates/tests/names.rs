//! Names, revocation and constraints.

use super::*;

const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600));

fn mail(identity: &Identity) -> Result<Vec<u8>, Refusal> {
    verify("ca2.pem", "mail.pem", identity)
}

#[test]
fn rfc4945_s3_1_an_identity_is_one_of_the_names() {
    let key = load_public_key(&file("mail.pub")).unwrap();
    for identity in [
        Identity::UserFqdn("alice@a.lab".into()),
        Identity::UserFqdn("Alice@A.LAB".into()),
        fqdn("a.lab"),
        Identity::Address("2001:db8::1".parse().unwrap()),
        Identity::distinguished_name("O=lab, CN=alice").unwrap(),
        Identity::KeyId(sha1(&key).unwrap().to_vec()),
    ] {
        assert_eq!(mail(&identity).as_ref(), Ok(&key), "{identity}");
    }
    for identity in [
        fqdn("alice@a.lab"),
        Identity::UserFqdn("bob@a.lab".into()),
        // RFC 4945 §3.1.2: no wildcards.
        fqdn("b.wild.lab"),
        Identity::Address("192.0.2.1".parse().unwrap()),
        Identity::distinguished_name("CN=alice, O=lab").unwrap(),
        // §3.1.9: names in the subject are none.
        fqdn("alice"),
        Identity::KeyId(b"alice".to_vec()),
    ] {
        let refused = matches!(mail(&identity), Err(Refusal::OtherName { .. }));
        assert!(refused, "{identity}");
    }
}

#[test]
fn a_refused_identity_is_told_with_the_names_that_there_are() {
    let why = mail(&fqdn("b.lab")).unwrap_err().to_string();
    assert_eq!(
        why,
        "ID_FQDN b.lab is none of its names: ID_DER_ASN1_DN O=lab, CN=alice; ID_USER_FQDN alice@a.lab; ID_FQDN A.lab; \
         ID_FQDN *.wild.lab; ID_IPV6_ADDR 2001:db8::1"
    );
    let why = verify("ca2.pem", "unnamed.pem", &fqdn("b.lab")).unwrap_err();
    assert!(why.to_string().ends_with("names: it has none"), "{why}");
}

#[test]
fn rfc5280_s4_2_1_10_a_constraint_that_cannot_be_checked_refuses() {
    let eve = Identity::UserFqdn("eve@b.lab".into());
    let verdict = verify("ca2.pem", "constrained.pem", &eve);
    assert_eq!(verdict, Err(Refusal::NameConstraint));
}

fn with_crl(
    crl: &str,
    unknown: UnknownStatus,
    chain: &str,
    identity: &Identity,
) -> Result<Vec<u8>, Refusal> {
    let mut authorities = Authorities::default();
    authorities.load(&file("ca2.pem"), NOW).unwrap();
    authorities.load(&file("ca.pem"), NOW).unwrap();
    authorities.load_crl(&file(crl), NOW).unwrap();
    authorities.unknown_status(unknown);
    authorities.verify(&load_chain(&file(chain)).unwrap(), identity, NOW)
}

#[test]
fn crls_revoke_and_what_they_do_not_speak_of_is_policy() {
    use UnknownStatus::{Accept, Refuse};
    let alice = Identity::UserFqdn("alice@a.lab".into());
    assert!(verify("ca2.pem", "revoked.pem", &fqdn("r.lab")).is_ok());
    for unknown in [Accept, Refuse] {
        let revoked = with_crl("lab.crl", unknown, "revoked.pem", &fqdn("r.lab"));
        assert_eq!(revoked, Err(Refusal::Revoked));
        assert!(with_crl("lab.crl", unknown, "mail.pem", &alice).is_ok());
        let forged = with_crl("forged.crl", unknown, "mail.pem", &alice);
        assert_eq!(forged, Err(Refusal::CrlForged));
    }
    // Another authority's certificate, of which there is no CRL.
    let other = |unknown| with_crl("lab.crl", unknown, "ecdsa.pem", &fqdn("a.lab"));
    assert!(other(Accept).is_ok());
    assert_eq!(other(Refuse), Err(Refusal::UnknownStatus));
    // An old CRL: what it lists is revoked all the same.
    let old = |unknown, chain, id: &_| with_crl("ended-2021.crl", unknown, chain, id);
    assert!(old(Accept, "mail.pem", &alice).is_ok());
    assert_eq!(
        old(Accept, "revoked.pem", &fqdn("r.lab")),
        Err(Refusal::Revoked)
    );
    assert_eq!(
        old(Refuse, "mail.pem", &alice),
        Err(Refusal::CrlEnded(1_609_459_200))
    );
    let mut authorities = Authorities::default();
    let odd = authorities.load_crl(&file("ended-2021.crl"), NOW).unwrap();
    assert!(
        odd[0].ends_with("the CRL ended at 2021-01-01T00:00:00Z"),
        "{odd:?}"
    );
    assert!(authorities.load_crl(&file("ca.pem"), NOW).is_err());
}

#[test]
fn a_changed_file_of_crls_is_read_again() {
    let path = std::env::temp_dir().join(format!("gateway-test-{}.crl", std::process::id()));
    std::fs::copy(file("ended-2021.crl"), &path).unwrap();
    let mut authorities = Authorities::default();
    authorities.load(&file("ca2.pem"), NOW).unwrap();
    authorities.load_crl(&path, NOW).unwrap();
    let chain = load_chain(&file("mail.pem")).unwrap();
    assert!(authorities.lead(&chain, NOW).is_err());
    std::fs::copy(file("lab.crl"), &path).unwrap();
    let written = std::fs::File::options().append(true).open(&path).unwrap();
    written
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    authorities.refresh();
    assert_eq!(authorities.lead(&chain, NOW), Ok(()));
    // What is no CRL changes nothing.
    std::fs::write(&path, "nonsense").unwrap();
    authorities.refresh();
    assert_eq!(authorities.lead(&chain, NOW), Ok(()));
    std::fs::remove_file(&path).unwrap();
}
