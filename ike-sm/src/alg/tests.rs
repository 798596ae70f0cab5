use super::*;

#[test]
fn every_cipher_hash_group_and_method_round_trips() {
    for id in CipherId::ALL {
        let (value, bits) = cipher_to_wire(*id).unwrap();
        assert_eq!(cipher_from_wire(value, bits), Some(*id));
        if let Some(bits) = bits {
            assert_eq!(usize::from(bits), id.key_len() * 8);
        }
    }
    for id in HashId::ALL {
        assert_eq!(hash_from_wire(hash_to_wire(*id).unwrap()), Some(*id));
        assert!(prf_of_hash(*id).is_some());
    }
    for id in GroupId::ALL {
        if let Some(value) = group_to_wire(*id) {
            assert_eq!(group_from_wire(value), Some(*id));
        }
    }
    for (value, id) in AUTHENTICATIONS {
        assert_eq!(authentication_to_wire(*id), Some(*value));
        assert_eq!(authentication_from_wire(*value), Some(*id));
    }
    assert_eq!(group_to_wire(GroupId::X25519), None);
}

#[test]
fn every_protection_round_trips() {
    let cbc = CipherId::ALL.iter().flat_map(|c| {
        IntegrityId::ALL
            .iter()
            .map(|i| ProtectionId::CbcHmac(*c, *i))
    });
    let null = IntegrityId::ALL.iter().map(|i| ProtectionId::NullHmac(*i));
    let esp = cbc.chain(null).map(ChildSuite::Esp);
    let ah = IntegrityId::ALL.iter().map(|i| ChildSuite::Ah(*i));
    let mut n = 0;
    for suite in esp.chain(ah) {
        assert_eq!(suite_from_wire(&suite_to_wire(suite).unwrap()), Ok(suite));
        n += 1;
    }
    assert_eq!(n, 5 * 5 + 5 + 5);
    for aead in AeadId::ALL
        .iter()
        .filter(|a| **a != AeadId::ChaCha20Poly1305)
    {
        let suite = ChildSuite::Esp(ProtectionId::Aead(*aead));
        let wire = suite_to_wire(suite).unwrap();
        assert_eq!(usize::from(wire.key_length.unwrap()), aead.key_len() * 8);
        assert_eq!(suite_from_wire(&wire), Ok(suite));
    }
    let chacha = ChildSuite::Esp(ProtectionId::Aead(AeadId::ChaCha20Poly1305));
    assert_eq!(suite_to_wire(chacha), None);
}

#[test]
fn rfc2407_s4_5_key_length_is_required_for_aes_and_forbidden_for_des() {
    assert_eq!(cipher_from_wire(EncryptionAlgorithm::AES_CBC, None), None);
    assert_eq!(
        cipher_from_wire(EncryptionAlgorithm::DES_CBC, Some(64)),
        None
    );
    let mut wire = suite_to_wire(ChildSuite::Esp(ProtectionId::CbcHmac(
        CipherId::Aes128Cbc,
        IntegrityId::HmacSha1_96,
    )))
    .unwrap();
    wire.key_length = None;
    assert_eq!(suite_from_wire(&wire), Err(SuiteFault::KeyLength(None)));
    wire.key_length = Some(0);
    assert_eq!(suite_from_wire(&wire), Err(SuiteFault::KeyLength(Some(0))));
    wire.transform = EspTransform::TRIPLE_DES.0;
    wire.key_length = Some(192);
    assert_eq!(
        suite_from_wire(&wire),
        Err(SuiteFault::KeyLength(Some(192)))
    );
}

#[test]
fn encryption_without_integrity_is_refused() {
    let wire = SuiteOnWire {
        protocol: PROTO_ESP,
        transform: EspTransform::TRIPLE_DES.0,
        key_length: None,
        authentication: None,
    };
    assert_eq!(suite_from_wire(&wire), Err(SuiteFault::NoIntegrity));
    let null = SuiteOnWire {
        transform: EspTransform::NULL.0,
        ..wire
    };
    assert_eq!(suite_from_wire(&null), Err(SuiteFault::NoIntegrity));
}

#[test]
fn unknown_numbers_are_named() {
    let wire = SuiteOnWire {
        protocol: PROTO_ESP,
        transform: EspTransform::IDEA.0,
        key_length: None,
        authentication: Some(AuthenticationAlgorithm::HMAC_SHA),
    };
    assert_eq!(suite_from_wire(&wire), Err(SuiteFault::Transform(5)));
    let kpdk = SuiteOnWire {
        transform: EspTransform::NULL.0,
        authentication: Some(AuthenticationAlgorithm::KPDK),
        ..wire
    };
    assert_eq!(suite_from_wire(&kpdk), Err(SuiteFault::Authentication(4)));
    assert_eq!(
        suite_from_wire(&SuiteOnWire {
            protocol: 4,
            ..wire
        }),
        Err(SuiteFault::Protocol(4))
    );
    let ah = SuiteOnWire {
        protocol: PROTO_AH,
        transform: AhTransform::MD5.0,
        ..wire
    };
    assert_eq!(suite_from_wire(&ah), Err(SuiteFault::Transform(2)));
}

/// Cisco CVE-2018-0131, CVE-2018-9129: what decrypts nonces with RSA tells who asks about padding.
#[test]
fn c4_encryption_with_rsa_is_no_way_to_authenticate() {
    use AuthenticationMethod as M;
    let methods = [
        M::RSA_ENCRYPTION,
        M::RSA_REVISED_ENCRYPTION,
        M::XAUTH_INIT_RSA_ENCRYPTION,
        M::XAUTH_RESP_RSA_ENCRYPTION,
        M::XAUTH_INIT_RSA_REVISED_ENCRYPTION,
        M::XAUTH_RESP_RSA_REVISED_ENCRYPTION,
    ];
    for method in methods {
        assert_eq!(authentication_from_wire(method), None, "{method}");
    }
}
