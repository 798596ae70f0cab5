use alloc::vec::Vec;

use crypto_suite::{HashId, SignatureId, WeakAlgorithm};

use super::*;
use crate::config::v2::{self, Credential, EapMethod, LocalAuth, MAX_CHAIN, Ppk, RemoteAuth};
use crate::model::IkeVersion;

fn fault_of(change: impl FnOnce(&mut v2::AuthOptions)) -> (&'static str, ConfigFault) {
    fault_after(|config| {
        config.peers[0].version = IkeVersion::V2;
        change(&mut config.peers[0].auth);
    })
}

fn credential(chain: usize, schemes: &[SignatureId]) -> LocalAuth {
    LocalAuth::Signature(Credential {
        chain: alloc::vec![Vec::new(); chain],
        raw_key: None,
        schemes: schemes.into(),
        send: v2::SendCertificate::Always,
    })
}

const MSCHAPV2: RemoteAuth = RemoteAuth::Eap {
    method: EapMethod::MsChapV2 {
        ask_identity: true,
        retries: 0,
    },
    eap_only: false,
};

#[test]
fn each_fault_of_an_authentication_is_found() {
    let ed25519 = [SignatureId::Ed25519];
    let client = || LocalAuth::Eap {
        user: "alice".into(),
        eap_only: false,
    };
    assert_eq!(
        fault_of(|auth| auth.local = credential(0, &[])),
        ("auth.local.schemes", ConfigFault::Missing)
    );
    let (field, _) = fault_of(|auth| auth.local = credential(MAX_CHAIN + 1, &ed25519));
    assert_eq!(field, "auth.local.chain");
    let sha1 = [SignatureId::RsaPkcs1(HashId::Sha1)];
    assert_eq!(
        fault_of(|auth| auth.local = credential(1, &sha1)),
        (
            "auth.local.schemes",
            ConfigFault::Weak(WeakAlgorithm::Sha1Signature)
        )
    );
    // RFC 7296 §2.16: EAP with a signature of the responder, and on one end.
    assert_eq!(fault_of(|auth| auth.remote = MSCHAPV2).0, "auth.local");
    let both = |auth: &mut v2::AuthOptions| (auth.local, auth.remote) = (client(), MSCHAPV2);
    assert_eq!(fault_of(both).0, "auth");
    let nobody = fault_of(|auth| {
        auth.local = LocalAuth::Eap {
            user: Default::default(),
            eap_only: false,
        };
    });
    assert_eq!(nobody, ("auth.local.user", ConfigFault::Missing));
    let ppk = fault_of(|auth| {
        auth.ppk = Some(Ppk {
            id: Vec::new(),
            required: false,
        });
    });
    assert_eq!(ppk.0, "auth.ppk.id");
}

#[test]
fn eap_mschapv2_can_be_switched_off_in_the_provider() {
    let mut config = good();
    config.peers[0].version = IkeVersion::V2;
    config.peers[0].auth.local = credential(1, &[SignatureId::Ed25519]);
    config.peers[0].auth.remote = MSCHAPV2;
    assert_eq!(config.validate(&DEFAULT), Ok(()));
    let without = Provider {
        mschapv2: None,
        ..DEFAULT
    };
    let error = config.validate(&without).unwrap_err();
    assert_eq!(error.field, "auth.remote");
}
