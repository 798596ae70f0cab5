use super::*;

#[test]
fn the_high_half_follows_the_low_one() {
    let at = |highest: u64| Counter { highest };
    assert_eq!(at(5).high(6), 0);
    assert_eq!(at(0xffff_fff0).high(3), 1, "wrapped");
    assert_eq!(
        at(0x1_0000_0003).high(0xffff_fff0),
        0,
        "late from before the wrap"
    );
    assert_eq!(at(0).high(0xffff_fff0), 0);
}

#[test]
fn a_trailer_is_taken_off_and_checked() {
    let mut layer = Layer::new("ESP");
    let inner = trailer(&mut layer, &[9, 9, 1, 2, 2, 59]);
    assert_eq!(
        inner.map(|inner| (inner.next_header, inner.payload)),
        Some((59, vec![9, 9]))
    );
    for bad in [&[][..], &[1], &[0, 0, 200, 4]] {
        let mut layer = Layer::new("ESP");
        assert!(trailer(&mut layer, bad).is_none());
        assert!(layer.error.is_some());
    }
}

#[test]
fn a_short_packet_is_named() {
    let mut sas = EspSas::new(&Keys::default());
    let (layer, inner) = sas.decode(&[0; 7], [192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    assert!(inner.is_none());
    assert_eq!(
        layer.error.map(|error| error.message),
        Some("ESP header at octet 0: truncated (7 of 8 octets)".into())
    );
}
