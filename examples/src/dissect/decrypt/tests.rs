use super::*;

/// RFC 3602 §4, case 5: AES-128-CBC, no integrity.
#[test]
fn rfc3602_case_5_without_integrity() {
    let key = hex::decode("90d382b410eeba7ad938c46cec1a82bf").unwrap_or_default();
    let packet = hex::decode(concat!(
        "0000432100000001",
        "e96e8c08ab465763fd098d45dd3ff893",
        "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856",
        "a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874a",
        "a269add047ad2d5913ac19b7cfbad4a6"
    ))
    .unwrap_or_default();
    let opener = Opener::new("AES-CBC [RFC3602]", &key, "NULL", &[]).map_err(|why| panic!("{why}"));
    let opened = opener.and_then(|opener| opener.open(&packet, Layout::esp(None)));
    let plaintext = opened.map(|opened| hex::encode(opened.plaintext));
    assert_eq!(
        plaintext.as_deref(),
        Ok(concat!(
            "08000ebda70a0000",
            "8e9c083db95b0700",
            "08090a0b0c0d0e0f1011121314151617",
            "18191a1b1c1d1e1f2021222324252627",
            "28292a2b2c2d2e2f3031323334353637",
            "01020304050607080 90a0b0c0d0e0e01"
        )
        .replace(' ', "")
        .as_str())
    );
}

#[test]
fn a_wrong_icv_is_told() {
    let opener = Opener::new("NULL", &[], "HMAC-SHA-1-96 [RFC2404]", &[7; 20]);
    let opened = opener.and_then(|opener| opener.open(&[0; 40], Layout::esp(None)));
    assert_eq!(
        opened.map(|opened| (opened.plaintext.len(), opened.authentic)),
        Ok((20, Some(false)))
    );
}

#[test]
fn unknown_names_and_lengths_are_refused() {
    for (cipher, key, integrity) in [
        ("AES-CBC", 15, "NULL"),
        ("Twofish", 16, "NULL"),
        ("AES-CBC", 16, "HMAC-Foo"),
    ] {
        assert!(
            Opener::new(cipher, &vec![1; key], integrity, &[]).is_err(),
            "{cipher} {integrity}"
        );
    }
    let opener = Opener::new(
        "AES-CBC",
        &[1; 16],
        "ANY 96 bit authentication [no checking]",
        &[],
    );
    let short = opener.and_then(|opener| opener.open(&[0; 35], Layout::esp(None)));
    assert_eq!(
        short.map(|_| ()),
        Err("35 octets are too few for IV and ICV".into())
    );
}
