//! RFC 4945 §5.1.3 line by line, with RFC 5280 §6.1.4 for authorities. `profile.py` beside the certificates makes them.

use super::*;

const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600));

/// The verdict on the chain of this name, with the authority that all lead to.
fn verdict(name: &str) -> Result<(), Refusal> {
    verdict_with("root", name, &[])
}

fn verdict_with(root: &str, name: &str, purposes: &[KeyPurpose]) -> Result<(), Refusal> {
    let mut authorities = Authorities::default();
    let file = |name: &str| file(&format!("profile/{name}.pem"));
    authorities.load(&file(root), NOW).unwrap();
    authorities.accept_purposes(purposes);
    let chain = load_chain(&file(name)).unwrap();
    let a = fqdn("a.lab");
    authorities.verify(&chain, &a, NOW).map(drop)
}

fn accepted(names: &[&str]) {
    for name in names {
        assert_eq!(verdict(name), Ok(()), "{name}");
    }
}

fn refused(name: &str, why: &str) {
    let refusal = verdict(name).map_err(|refusal| refusal.to_string());
    assert_eq!(refusal, Err(why.into()), "{name}");
}

const LEAF: &str = "`O=lab, CN=a.lab`";
const BETWEEN: &str = "`O=lab, CN=between`";

#[test]
fn x4_rfc4945_s5_1_3_2_a_key_usage_without_a_bit_for_signatures_is_refused() {
    accepted(&[
        "ku-none",
        "ku-signature",
        "ku-non-repudiation",
        "ku-both-and-more",
    ]);
    for name in [
        "ku-encipherment",
        "ku-agreement",
        "ku-encipherment-not-critical",
        "ku-authority-bits",
        "ku-no-bit",
    ] {
        let why = format!("{LEAF} has a keyUsage without digitalSignature or nonRepudiation");
        refused(name, &why);
    }
}

#[test]
fn x4_rfc5280_s6_1_4_n_an_authority_without_key_cert_sign_vouches_for_nobody() {
    accepted(&["ca-ku-none", "ca-ku-cert-sign"]);
    for name in ["ca-ku-crl-sign", "ca-ku-signature-not-critical"] {
        refused(
            name,
            &format!("{BETWEEN} has a keyUsage without keyCertSign"),
        );
    }
    // Nor is one that we are told to trust.
    let path = file("profile/root-crl-sign.pem");
    let error = Authorities::default().load(&path, NOW).unwrap_err();
    let why = "`O=lab, CN=profile CA` has a keyUsage without keyCertSign";
    assert!(error.ends_with(why), "{error}");
}

#[test]
fn x4_rfc4945_s5_1_3_9_authorities_say_so_and_keep_their_path_length() {
    accepted(&["bc-length-kept", "bc-leaf-no-authority"]);
    for name in ["bc-none", "bc-no-authority"] {
        refused(
            name,
            &format!("{BETWEEN} is no authority (basicConstraints)"),
        );
    }
    let exceeded = "allows for 0 authorities below it, and there are more";
    refused("bc-length-exceeded", &format!("{BETWEEN} {exceeded}"));
    let short = |name| verdict_with("root-length", name, &[]);
    assert_eq!(short("bc-root-length-kept"), Ok(()));
    let why = short("bc-root-length-exceeded").unwrap_err().to_string();
    assert_eq!(why, format!("`O=lab, CN=short CA` {exceeded}"));
    // The certificate of an authority is no peer's.
    assert_eq!(verdict("bc-own"), Err(Refusal::Authority));
}

#[test]
fn x4_rfc4945_s5_1_3_12_extended_key_usages_are_ike_any_or_as_configured() {
    use KeyPurpose::*;
    accepted(&["ku-none", "eku-ike", "eku-any", "eku-ike-and-more"]);
    for (name, purpose, word) in [
        ("eku-server", ServerAuth, "server-auth"),
        ("eku-client", ClientAuth, "client-auth"),
        ("eku-end-system", IpsecEndSystem, "ipsec-end-system"),
        ("eku-tunnel", IpsecTunnel, "ipsec-tunnel"),
        ("eku-user", IpsecUser, "ipsec-user"),
        ("eku-ike-intermediate", IkeIntermediate, "ike-intermediate"),
    ] {
        let rest = "and neither for ipsecIKE nor for any use; `key-purposes` can accept others";
        refused(name, &format!("{LEAF} is for {word}, {rest}"));
        assert_eq!(verdict_with("root", name, &[purpose]), Ok(()), "{name}");
        let others: Vec<_> = KeyPurpose::ALL
            .into_iter()
            .filter(|p| *p != purpose)
            .collect();
        let verdict = verdict_with("root", name, &others);
        assert!(matches!(verdict, Err(Refusal::Purpose { .. })), "{name}");
    }
    for name in ["eku-code-signing-critical", "ca-eku-mail"] {
        let verdict = verdict_with("root", name, &KeyPurpose::ALL);
        assert!(
            matches!(verdict, Err(Refusal::Purpose { .. })),
            "{name}: {verdict:?}"
        );
    }
}

#[test]
fn x4_rfc4945_s5_1_3_what_is_not_understood_counts_when_it_is_critical() {
    for (name, oid) in [
        ("unknown", "1.3.6.1.4.1.32473.1"),
        // §5.1.3.3: "SHOULD ignore it".
        ("private-key-period", "2.5.29.16"),
        // §5.1.3.4, §5.1.3.5, §5.1.3.7, §5.1.3.8.
        ("policies", "2.5.29.32"),
        ("policy-mappings", "2.5.29.33"),
        ("issuer-names", "2.5.29.18"),
        ("directory-attributes", "2.5.29.9"),
        // §5.1.3.15 to §5.1.3.17.
        ("freshest-crl", "2.5.29.46"),
        ("authority-access", "1.3.6.1.5.5.7.1.1"),
        ("subject-access", "1.3.6.1.5.5.7.1.11"),
    ] {
        accepted(&[&format!("ext-{name}")]);
        let why = format!("{LEAF} has a critical extension that is not understood: {oid}");
        refused(&format!("ext-{name}-critical"), &why);
    }
    // §5.1.3.11, §5.1.3.14.
    for (name, oid) in [
        ("policy-constraints", "2.5.29.36"),
        ("inhibit-any-policy", "2.5.29.54"),
    ] {
        let why = format!("{LEAF} has a critical extension that is not understood: {oid}");
        refused(&format!("ext-{name}-critical"), &why);
    }
    let why = "has a critical extension that is not understood: 1.3.6.1.4.1.32473.1";
    refused("ca-ext-unknown-critical", &format!("{BETWEEN} {why}"));
}

#[test]
fn x4_rfc4945_s5_1_3_6_and_10_names_are_whole_and_within_constraints() {
    accepted(&["names-critical-without-subject", "names-permitted"]);
    assert_eq!(verdict("names-excluded"), Err(Refusal::NameConstraint));
    // §5.1.3.6.2: "the CIDR notation MUST NOT be used in the SubjectAltName extension".
    let address = Identity::Address("10.0.0.0".parse().unwrap());
    for (name, holds) in [("names-network", false), ("names-address", true)] {
        let mut authorities = Authorities::default();
        authorities.load(&file("profile/root.pem"), NOW).unwrap();
        let chain = load_chain(&file(&format!("profile/{name}.pem"))).unwrap();
        let verdict = authorities.verify(&chain, &address, NOW);
        assert_eq!(verdict.is_ok(), holds, "{name}: {verdict:?}");
    }
}

#[test]
fn x4_rfc4945_s5_1_3_13_a_crl_of_another_distribution_point_says_nothing() {
    let mut authorities = Authorities::default();
    authorities.load(&file("profile/root.pem"), NOW).unwrap();
    authorities
        .load_crl(&file("profile/point-a.crl"), NOW)
        .unwrap();
    for (name, wanted) in [("cdp-a", Ok(())), ("cdp-b", Err(Refusal::UnknownStatus))] {
        let chain = load_chain(&file(&format!("profile/{name}.pem"))).unwrap();
        assert_eq!(authorities.lead(&chain, NOW), wanted, "{name}");
    }
}

#[test]
fn keys_that_are_too_short_or_too_long_are_refused_before_they_are_used() {
    for (name, modulus, exponent) in [
        ("rsa-short", 1024, 17),
        ("rsa-long", 16384, 17),
        ("rsa-exponent", 2048, 41),
    ] {
        let wanted = Refusal::KeySize {
            subject: LEAF.into(),
            modulus,
            exponent,
        };
        assert_eq!(verdict(name), Err(wanted), "{name}");
    }
}
