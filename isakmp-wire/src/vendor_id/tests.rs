use md5::{Digest as _, Md5};

use super::*;

#[test]
fn hashed_vendor_ids_are_the_md5_of_their_text() {
    let hashed = VendorId::ALL
        .iter()
        .filter_map(|entry| entry.hashed.map(|text| (entry, text)));
    let mut count = 0;
    for (entry, text) in hashed {
        assert_eq!(Md5::digest(text).as_slice(), entry.octets, "{}", entry.name);
        count += 1;
    }
    assert!(count >= 25, "{count}");
}

#[test]
fn every_entry_finds_itself() {
    for entry in VendorId::ALL {
        assert_eq!(name(entry.octets), Some(entry.name));
    }
}

#[test]
fn a_version_behind_the_prefix_does_not_hide_the_name() {
    assert_eq!(name(DPD), Some("DPD"));
    assert_eq!(dpd_version(DPD), Some((1, 0)));
    assert_eq!(dpd_version(UNITY), None);
    assert_eq!(dpd_version(DPD.split_last().unwrap().1), None);
    assert_eq!(name(UNITY), Some("Cisco Unity"));
    assert_eq!(name(FRAGMENTATION), Some("FRAGMENTATION"));
    assert_eq!(name(FRAGMENTATION_MAIN_MODE), Some("FRAGMENTATION"));
    let windows = [&Md5::digest("MS NT5 ISAKMPOAKLEY")[..], &[0, 0, 0, 8]].concat();
    assert_eq!(name(&windows), Some("MS NT5 ISAKMPOAKLEY"));
}

#[test]
fn exact_vendor_ids_allow_no_suffix() {
    assert_eq!(name(&[RFC_3947, &[0]].concat()), None);
    assert_eq!(name(&[]), None);
}

#[test]
fn gv7_dpd_vendor_id() {
    assert_eq!(DPD, hex_literal::hex!("afcad71368a1f1c96b8696fc77570100"));
}

#[test]
fn all_drafts_of_nat_traversal_are_known_as_such() {
    assert!(
        NAT_T_DRAFTS
            .iter()
            .all(|draft| is_nat_t_draft(draft) && name(draft).is_some())
    );
    assert!(!is_nat_t_draft(RFC_3947));
}
