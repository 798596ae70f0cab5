use super::*;

#[test]
fn every_algorithm_of_the_suite_has_one_number_and_is_read_back() {
    for id in CipherId::ALL {
        let (number, bits) = cipher_to_wire(*id).unwrap();
        assert_eq!(cipher_from_wire(number, bits), Some(*id));
        assert_eq!(aead_from_wire(number, bits), None);
        if let Some(bits) = bits {
            assert_eq!(usize::from(bits), id.key_len() * 8);
        }
    }
    for id in AeadId::ALL {
        let (number, bits) = aead_to_wire(*id).unwrap();
        assert_eq!(aead_from_wire(number, bits), Some(*id));
        assert_eq!(cipher_from_wire(number, bits), None);
        if let Some(bits) = bits {
            assert_eq!(usize::from(bits), id.key_len() * 8);
        }
    }
    for id in PrfId::ALL {
        assert_eq!(prf_from_wire(prf_to_wire(*id).unwrap()), Some(*id));
    }
    for id in IntegrityId::ALL {
        assert_eq!(
            integrity_from_wire(integrity_to_wire(*id).unwrap()),
            Some(*id)
        );
    }
    for id in GroupId::ALL {
        assert_eq!(group_from_wire(group_to_wire(*id).unwrap()), Some(*id));
    }
}

#[test]
fn the_names_of_the_registry_and_of_the_suite_agree() {
    for id in PrfId::ALL {
        assert_eq!(prf_to_wire(*id).unwrap().name(), Some(id.name()));
    }
    for id in IntegrityId::ALL {
        let name = integrity_to_wire(*id).unwrap().name().unwrap();
        assert_eq!(name.strip_prefix("AUTH_"), Some(id.name()));
    }
    for (number, id) in GROUPS.iter().take(11) {
        assert_eq!(number.name(), Some(id.name()));
    }
}

#[test]
fn rfc7296_s3_3_5_the_key_length_is_there_for_variable_keys_only() {
    assert_eq!(cipher_from_wire(Encr::AES_CBC, None), None);
    assert_eq!(cipher_from_wire(Encr::AES_CBC, Some(0)), None);
    assert_eq!(cipher_from_wire(Encr::AES_CBC, Some(160)), None);
    assert_eq!(cipher_from_wire(Encr::TRIPLE_DES, Some(192)), None);
    assert_eq!(aead_from_wire(Encr::CHACHA20_POLY1305, Some(256)), None);
    assert_eq!(aead_from_wire(Encr::AES_GCM_16, None), None);
}
