use super::*;

#[test]
fn tables_as_wireshark_writes_them() {
    let mut keys = Keys::default();
    keys.parse(
        "ikev1",
        "# made by Wireshark\n0011223344556677,aabb\n\n",
        Keys::ikev1_line,
    );
    keys.parse(
        "ikev2",
        "0011223344556677,8899aabbccddeeff,01,02,\"AES-CBC-128 [RFC3602]\",,,\"NONE [RFC4306]\"\n",
        Keys::ikev2_line,
    );
    keys.parse(
        "esp",
        "\"IPv4\",\"*\",\"192.0.2.2\",\"0xa3b0878d\",\"AES-CBC [RFC3602]\",\"0x01\",\"NULL\",\"\"\n\
         \"IPv6\",\"2001:db8::1\",\"\",\"*\",\"NULL\",\"\",\"NULL\",\"\",\"64-bit\",\"0x00000001\"\n",
        Keys::esp_line,
    );
    assert_eq!(keys.skipped, [""; 0]);
    assert_eq!(
        keys.ikev1.first().map(|key| key.key.clone()),
        Some(vec![0xaa, 0xbb])
    );
    let v2 = keys
        .ikev2
        .first()
        .map(|sa| (sa.encryption_name.as_str(), sa.integrity.clone()));
    assert_eq!(v2, Some(("AES-CBC-128 [RFC3602]", [vec![], vec![]])));
    let esp: Vec<_> = keys
        .esp
        .iter()
        .map(|sa| (sa.source, sa.spi, sa.esn))
        .collect();
    assert_eq!(
        esp,
        [
            (None, Some(0xa3b0_878d), None),
            (
                Some("2001:db8::1".parse().unwrap_or([0; 4].into())),
                None,
                Some(1)
            )
        ]
    );
}

#[test]
fn a_bad_line_does_not_hide_the_good_ones() {
    let mut keys = Keys::default();
    keys.parse(
        "t",
        "0011,aa\n\"open\n0011223344556677,zz\n0011223344556677,aa\n",
        Keys::ikev1_line,
    );
    assert_eq!(keys.ikev1.len(), 1);
    assert_eq!(
        keys.skipped,
        [
            "t:1: SPI \"0011\" is not 8 octets",
            "t:2: a quote is not closed",
            "t:3: key: Invalid character 'z' at position 0"
        ]
    );
}
