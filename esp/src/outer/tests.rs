use super::*;

#[test]
fn rfc6040_figure_4_in_full() {
    const NOT: u8 = 0;
    const ECT1: u8 = 1;
    const ECT0: u8 = 2;
    const CE: u8 = 3;
    // Rows: inner; columns: outer Not-ECT, ECT(0), ECT(1), CE.
    let table = [
        (NOT, [Ok(NOT), Ok(NOT), Ok(NOT), Err(EcnDrop)]),
        (ECT0, [Ok(ECT0), Ok(ECT0), Ok(ECT1), Ok(CE)]),
        (ECT1, [Ok(ECT1), Ok(ECT1), Ok(ECT1), Ok(CE)]),
        (CE, [Ok(CE), Ok(CE), Ok(CE), Ok(CE)]),
    ];
    for (inner, row) in table {
        for (outer, expected) in [NOT, ECT0, ECT1, CE].into_iter().zip(row) {
            assert_eq!(
                decapsulated_ecn(outer, inner),
                expected,
                "inner {inner} outer {outer}"
            );
        }
    }
}

fn header() -> TunnelHeader {
    let address = |text: &str| text.parse().unwrap();
    TunnelHeader::new(address("9.1.1.146"), address("9.1.1.35")).unwrap()
}

#[test]
fn rfc6040_figure_3_and_dscp_policies() {
    static TABLE: [u8; 64] = {
        let mut table = [0; 64];
        table[26] = 18;
        table
    };
    let inner = 26 << 2 | 3;
    let class = |dscp, ecn| {
        TunnelHeader {
            dscp,
            ecn,
            ..header()
        }
        .traffic_class(inner, None)
    };
    assert_eq!(class(Dscp::Copy, EcnMode::Normal), inner);
    assert_eq!(class(Dscp::Copy, EcnMode::Compatibility), 26 << 2);
    assert_eq!(class(Dscp::Set(46), EcnMode::Normal), 46 << 2 | 3);
    assert_eq!(class(Dscp::Map(&TABLE), EcnMode::Normal), 18 << 2 | 3);
    assert_eq!(header().traffic_class(inner, Some(10)), 10 << 2 | 3);
}

#[test]
fn p8_dont_fragment_is_copied_set_or_cleared() {
    let df = |df, inner| TunnelHeader { df, ..header() }.dont_fragment(inner);
    assert_eq!(
        [df(DontFragment::Copy, false), df(DontFragment::Copy, true)],
        [false, true]
    );
    assert_eq!(
        [df(DontFragment::Set, false), df(DontFragment::Set, true)],
        [true, true]
    );
    assert_eq!(
        [
            df(DontFragment::Clear, false),
            df(DontFragment::Clear, true)
        ],
        [false, false]
    );
}

#[test]
fn families_do_not_mix() {
    let address = |text: &str| text.parse().unwrap();
    assert!(TunnelHeader::new(address("9.1.1.146"), address("::1")).is_none());
    assert_eq!(
        TunnelHeader::new(address("::2"), address("::1")).map(|header| header.len()),
        Some(40)
    );
}
