use super::*;
use crypto_suite::HashId;

#[test]
fn every_vendor_id_is_the_md5_of_the_documents_name() {
    let md5 = crypto_suite::DEFAULT.hash(HashId::Md5).unwrap();
    for version in Version::ALL {
        let name = version.name().replace("\\n", "\n");
        assert_eq!(
            md5.digest(&[name.as_bytes()]).as_ref(),
            version.vendor_id(),
            "{name:?}"
        );
    }
}

#[test]
fn rfc3947_s3_1_and_draft_02_print_their_vendor_ids() {
    use hex_literal::hex;
    assert_eq!(
        Version::Rfc3947.vendor_id(),
        hex!("4a131c81070358455c5728f20e95452f")
    );
    assert_eq!(
        Version::Draft02Newline.vendor_id(),
        hex!("90cb80913ebb696e086381b5ec427b1f")
    );
    assert_eq!(
        Version::Draft03.vendor_id(),
        hex!("7d9419a65310ca6f2c179d9215529d56")
    );
    assert_eq!(
        Version::Draft00.vendor_id(),
        hex!("4485152d18b6bbcd0be8a8469579ddcc")
    );
}

#[test]
fn the_best_common_version_wins_and_the_first_drafts_never() {
    let all: Versions = Version::ALL.into_iter().collect();
    let old: Versions = [Version::Draft00, Version::Draft02, Version::Draft03]
        .into_iter()
        .collect();
    assert_eq!(all.best_common(old), Some(Version::Draft03));
    assert_eq!(all.best_common(all), Some(Version::Rfc3947));
    let first: Versions = [Version::Draft00, Version::Draft01].into_iter().collect();
    assert_eq!(all.best_common(first), None);
    assert_eq!(all.best_common(Versions::NONE), None);
}

#[test]
fn seen_vendor_ids_are_collected_and_strangers_ignored() {
    let mut seen = Versions::NONE;
    assert_eq!(
        seen.see(&Version::Draft03.vendor_id()),
        Some(Version::Draft03)
    );
    assert_eq!(seen.see(b"strongSwan"), None);
    assert_eq!(seen.see(&Version::Rfc3947.vendor_id()[..15]), None);
    assert!(seen.contains(Version::Draft03) && !seen.contains(Version::Rfc3947));
}

#[test]
fn draft_payload_numbers_count_only_where_a_draft_was_announced() {
    let rfc: Versions = [Version::Rfc3947].into_iter().collect();
    let draft03: Versions = [Version::Draft03].into_iter().collect();
    let draft05: Versions = [Version::Draft05].into_iter().collect();
    assert!(rfc.is_nat_d(20) && rfc.is_nat_oa(21));
    assert!(
        [130, 15, 17]
            .into_iter()
            .all(|number| !rfc.is_nat_d(number))
    );
    assert!(
        [130, 15, 17, 20]
            .into_iter()
            .all(|number| draft03.is_nat_d(number))
    );
    assert!(draft05.is_nat_d(15) && draft05.is_nat_oa(16) && !draft05.is_nat_d(130));
    assert!(draft03.is_nat_oa(131) && !rfc.is_nat_oa(131) && !rfc.is_nat_oa(16));
}

#[test]
fn encapsulation_modes_of_every_document() {
    let read = |value| Encapsulation::from_value(value).map(|mode| (mode.tunnel, mode.udp));
    assert_eq!(read(1), Some((true, false)));
    assert_eq!(read(2), Some((false, false)));
    assert_eq!(read(3), Some((true, true)));
    assert_eq!(read(4), Some((false, true)));
    assert_eq!(read(61443), Some((true, true)));
    assert_eq!(read(61444), Some((false, true)));
    assert_eq!(read(0), None);
    assert_eq!(read(5), None);
    for version in Version::ALL {
        for (tunnel, udp) in [(true, true), (true, false), (false, true), (false, false)] {
            let mode = Encapsulation { tunnel, udp };
            assert_eq!(Encapsulation::from_value(mode.value(version)), Some(mode));
        }
    }
}
