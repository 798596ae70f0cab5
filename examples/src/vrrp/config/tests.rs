use super::*;

const GOOD: &str = r#"
[daemon]
socket = "/tmp/vrrp.sock"

[[router]]
name = "lan"
interface = "eth0"
vrid = 5
version = 2
addresses = ["10.0.0.254/24", "10.0.0.253"]
priority = 150
interval = 2
preempt-delay = 60
learn-interval = true
password = "secret"
accept = false
track = [{ interface = "eth1", decrement = 100 }, { name = "upstream", fault = true }]

[[router]]
name = "lan6"
interface = "eth0"
vrid = 5
addresses = ["fe80::5/64", "2001:db8::fe/64"]
interval = 0.29
virtual-mac = false
track = [{ name = "upstream", decrement = 10 }]
announce = { rounds = 2, gap = 0.5, refresh = 60 }
"#;

#[test]
fn a_whole_file() {
    let config = parse("vrrp.toml", GOOD).unwrap();
    assert_eq!(config.socket, Path::new("/tmp/vrrp.sock"));
    let [lan, lan6] = &config.routers[..] else {
        panic!("two routers")
    };
    assert_eq!(lan.protocol.version, Version::V2);
    assert_eq!(lan.protocol.interval.centiseconds(), 200);
    assert_eq!(lan.protocol.preempt_delay, Duration::from_secs(60));
    assert_eq!(lan.addresses[1].prefix_len(), 32);
    assert!(!lan.protocol.accept_mode && lan6.protocol.accept_mode);
    assert_eq!(lan6.protocol.interval.centiseconds(), 29);
    assert_eq!(
        (lan6.protocol.version, lan6.virtual_mac),
        (Version::V3, false)
    );
    let interface = Object::Interface("eth1".into());
    assert_eq!(
        config.objects,
        [interface, Object::Named("upstream".into())]
    );
    assert_eq!(lan6.protocol.tracks[0].object, 1, "the same object");
}

#[test]
fn every_error_names_file_line_and_field() {
    let cases = [
        (
            "vrid = 5",
            "vrid = 0",
            "vrrp.toml:8: router[0].vrid: 1 to 255",
        ),
        (
            "vrid = 5",
            "vrid = 256",
            "vrrp.toml:8: router[0].vrid: invalid value: integer `256`, expected u8",
        ),
        (
            "version = 2",
            "version = 4",
            "vrrp.toml:9: router[0].version: 2 or 3",
        ),
        (
            "10.0.0.254/24",
            "10.0.0.999",
            "vrrp.toml:10: router[0].addresses[0]: `10.0.0.999` is no address",
        ),
        (
            "10.0.0.254/24",
            "2001:db8::1",
            "vrrp.toml:10: router[0].addresses: 10.0.0.253 is of another family than the first address",
        ),
        (
            "priority = 150",
            "priority = 0",
            "vrrp.toml:11: router[0].priority: priority 0 is reserved",
        ),
        (
            "interval = 2\n",
            "interval = 1.5\n",
            "vrrp.toml:12: router[0].interval: an interval of 150 centiseconds is not possible in version 2",
        ),
        (
            "interval = 2\n",
            "interval = 0.001\n",
            "vrrp.toml:12: router[0].interval: hundredths of a second, at least one",
        ),
        (
            "\"secret\"",
            "\"far too long\"",
            "vrrp.toml:15: router[0].password: at most eight octets",
        ),
        (
            "decrement = 100",
            "fault = false",
            "vrrp.toml:17: router[0].track[0]: either `decrement` or `fault = true`",
        ),
        (
            "name = \"lan6\"",
            "name = \"lan\"",
            "vrrp.toml:20: router[1].name: a second router `lan`",
        ),
        (
            "\"fe80::5/64\", ",
            "",
            "vrrp.toml:23: router[1].addresses: the first IPv6 address, 2001:db8::fe, is not link-local",
        ),
        (
            "gap = 0.5",
            "gap = 0",
            "vrrp.toml:27: router[1].announce: announcements repeat after no time",
        ),
        (
            "virtual-mac",
            "virtual-mca",
            "vrrp.toml:25: router[1].virtual-mca: unknown field `virtual-mca`",
        ),
    ];
    for (from, to, message) in cases {
        let error = parse("vrrp.toml", &GOOD.replacen(from, to, 1))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(message), "{error}\nexpected {message}");
    }
    let none = parse("vrrp.toml", "").unwrap_err().to_string();
    assert_eq!(none, "vrrp.toml: no `[[router]]`");
    let taken = GOOD.replace("\"fe80::5/64\", \"2001:db8::fe/64\"", "\"10.0.0.252\"");
    let error = parse("vrrp.toml", &taken).unwrap_err().to_string();
    assert_eq!(
        error,
        "vrrp.toml:22: router[1].vrid: router `lan` has it already"
    );
}

#[test]
fn l14_the_word_address_check_overrides_what_the_versions_rfc_says() {
    let checks = |text: &str| {
        let config = parse("vrrp.toml", text).unwrap();
        let each = config.routers.iter().map(|r| r.protocol.address_check);
        each.collect::<Vec<_>>()
    };
    // The first router speaks version 2, the second version 3.
    assert_eq!(checks(GOOD), [AddressCheck::Drop, AddressCheck::Warn]);
    let chosen = GOOD.replace("vrid = 5", "vrid = 5\naddress-check = \"drop\"");
    assert_eq!(checks(&chosen), [AddressCheck::Drop, AddressCheck::Drop]);
    let off = GOOD.replace("vrid = 5", "vrid = 5\naddress-check = \"off\"");
    assert_eq!(checks(&off), [AddressCheck::Off, AddressCheck::Off]);
}
