//! How much work the certificates of a peer can make before it is authenticated.

use super::*;

const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600));

/// The verdict on the chain of this name, and the checks of signatures that it took.
fn counted(name: &str) -> (Result<(), Refusal>, usize) {
    let mut authorities = Authorities::default();
    authorities.load(&file("profile/root.pem"), NOW).unwrap();
    let chain = load_chain(&file(&format!("profile/{name}.pem"))).unwrap();
    authorities.lead_counting(&chain, NOW)
}

#[test]
fn x9_three_intermediates_make_a_path_in_any_order_and_four_make_none() {
    for name in [
        "chain-three",
        "chain-three-shuffled",
        "chain-three-and-root",
    ] {
        assert_eq!(counted(name), (Ok(()), 4), "{name}");
    }
    assert_eq!(counted("chain-four"), (Err(Refusal::TooMany(4)), 0));
}

#[test]
fn x9_a_certificate_that_comes_twice_is_refused_before_a_signature_is_checked() {
    assert_eq!(counted("chain-twice-of-two"), (Err(Refusal::Twice), 0));
    assert_eq!(counted("chain-twice"), (Err(Refusal::TooMany(4)), 0));
}

#[test]
fn x9_key_identifiers_tell_authorities_of_one_name_apart() {
    for name in ["chain-turn", "chain-turn-other-order"] {
        assert_eq!(counted(name), (Ok(()), 2), "{name}");
    }
}

#[test]
fn x9_eight_certificates_of_one_name_cost_a_handful_of_signature_checks() {
    assert_eq!(counted("same-name-eight"), (Err(Refusal::TooMany(7)), 0));
    assert_eq!(counted("same-name-three"), (Err(Refusal::Signature), 1));
    // Each may have issued each by its name, and the key identifiers ask for all of them.
    let most = 12;
    let wanted = (Err(Refusal::TooMuchWork), most);
    assert_eq!(counted("same-name-by-key-id"), wanted);
}

#[test]
fn x9_what_a_path_may_cost_is_bounded_whatever_the_path_builder_does() {
    let mut authorities = Authorities::default();
    authorities.load(&file("profile/root.pem"), NOW).unwrap();
    let chain = load_chain(&file("profile/chain-three.pem")).unwrap();
    let path = CertificationPath::choose(&chain, &authorities).unwrap();
    for most in 0..4 {
        let checks = Checks::new(most);
        let verdict = authorities.check_signatures(&path, NOW, &checks);
        assert!(verdict.is_err() && checks.are_exhausted(), "{most}");
    }
    let enough = Checks::new(4);
    assert_eq!(authorities.check_signatures(&path, NOW, &enough), Ok(()));
    assert!(!enough.are_exhausted());
}
