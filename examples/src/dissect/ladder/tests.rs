use super::*;

fn report(frame: u64, source: &str, destination: &str, layer: Layer) -> Report {
    Report {
        frame,
        source: source.into(),
        destination: destination.into(),
        layers: vec![layer],
        ..Report::default()
    }
}

#[test]
fn an_exchange_becomes_arrows_between_two_lifelines() {
    let mut layer = Layer::new("ISAKMP");
    layer.exchange = Some("Identity <Protection>".into());
    layer.payloads = vec!["SA".into(), "VID".into()];
    let svg = svg(&[
        report(1, "192.0.2.1:500", "192.0.2.2:500", layer.clone()),
        report(2, "192.0.2.2:500", "192.0.2.1:500", layer),
    ]);
    assert_eq!(svg.matches("marker-end").count(), 2);
    assert_eq!(svg.matches("<rect x=").count(), 2, "two lifelines");
    assert!(svg.contains("Identity &lt;Protection&gt;") && svg.contains("SA, VID"));
    assert!(svg.trim_end().ends_with("</svg>"));
}

#[test]
fn runs_of_packets_are_one_arrow() {
    let reports: Vec<_> = (1..=5)
        .map(|frame| report(frame, "192.0.2.1", "192.0.2.2", Layer::new("ESP")))
        .collect();
    let svg = svg(&reports);
    assert_eq!(svg.matches("marker-end").count(), 1);
    assert!(svg.contains("ESP × 5"));
}

#[test]
fn the_host_of_an_end() {
    for (end, wanted) in [
        ("192.0.2.1:500", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]:500", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
    ] {
        assert_eq!(host(end), wanted);
    }
    assert!(svg(&[]).starts_with("<svg"));
}
