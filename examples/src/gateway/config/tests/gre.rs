//! `[[gre]]` and `[[ipsec-profile]]`.

use super::*;

const GRE: &str = r#"
[[ipsec-profile]]
name = "gre"
transform-set = "strong"
lifetime = 300

[[gre]]
name = "tu0"
address = "192.168.1.1/24"
source = "192.0.2.1"
destination = "192.0.2.2"
key = 7
keepalive = { period = 20, retries = 3 }
protection = "gre"
"#;

#[test]
fn g5_a_profile_becomes_protocol_47_between_the_tunnels_ends() {
    let config = parse(&format!("{WHOLE}{GRE}")).unwrap();
    let [net, tu0] = &config.peer[0].tunnel[..] else {
        panic!("no tunnel made of the profile");
    };
    assert_eq!(net.name.get_ref(), "net");
    assert_eq!(tu0.name.get_ref(), "tu0");
    let ends = [&tu0.local, &tu0.remote].map(|n| n.get_ref().to_string());
    assert_eq!(ends, ["192.0.2.1/32", "192.0.2.2/32"]);
    assert_eq!((tu0.protocol, tu0.start()), (47, Start::OnDemand));
    assert_eq!(tu0.lifetime.0, Duration::from_secs(300));
    assert_eq!(tu0.reverse_route, Rri::Off);
}

#[test]
fn what_the_file_says_of_a_tunnel_is_what_runs() {
    let config = parse(&format!("{WHOLE}{GRE}")).unwrap();
    let settings = config.gre[0].settings(1400);
    assert_eq!((settings.key, settings.mtu), (Some(7), 1400 - 28));
    let keepalive = settings.keepalive();
    assert_eq!(
        (keepalive.period, keepalive.retries, keepalive.traffic_class),
        (Duration::from_secs(20), 3, 0xc0)
    );
    let text = GRE.replace(
        "key = 7",
        "mtu = 1300\ndscp = 26\nttl = 64\ndf-bit = \"set\"",
    );
    let settings = parse(&format!("{WHOLE}{text}")).unwrap().gre[0].settings(1400);
    assert_eq!((settings.mtu, settings.ttl), (1300, 64));
    assert_eq!(settings.dscp, ::gre::traffic_class::DscpPolicy::Set(26));
    assert_eq!(settings.df, ::gre::mtu::DfPolicy::Set);
}

#[test]
fn mistakes_of_a_gre_tunnel_name_line_and_field() {
    let cases = [
        (
            "protection = \"gre\"",
            "protection = \"none\"",
            "gre[0].protection",
            "no ipsec-profile is named `none`",
        ),
        (
            "destination = \"192.0.2.2\"",
            "destination = \"192.0.2.9\"",
            "gre[0].destination",
            "no peer has the address 192.0.2.9",
        ),
        (
            "destination = \"192.0.2.2\"",
            "destination = \"2001:db8::1\"",
            "gre[0].destination",
            "no peer has the address",
        ),
        (
            "source = \"192.0.2.1\"",
            "source = \"192.0.2.2\"",
            "gre[0].destination",
            "local and remote tunnel end are the same",
        ),
        (
            "period = 20",
            "period = 0",
            "gre[0].keepalive",
            "keepalive period 0",
        ),
        (
            "retries = 3 }",
            "retries = 0 }",
            "gre[0].keepalive",
            "keepalive retries 0",
        ),
        ("key = 7", "key = -7", "gre[0].key", "invalid value"),
        ("key = 7", "keys = 7", "gre[0].keys", "unknown field"),
        ("key = 7", "dscp = 64", "gre[0].dscp", "a DSCP has six bits"),
        ("key = 7", "mtu = 60", "gre[0].mtu", "68"),
        (
            "key = 7",
            "df-bit = \"maybe\"",
            "gre[0].df-bit",
            "unknown df-bit",
        ),
        (
            "name = \"tu0\"",
            "name = \"a-name-of-16-oct\"",
            "gre[0].name",
            "1 to 15",
        ),
        (
            "name = \"tu0\"",
            "name = \"ipsec0\"",
            "gre[0].name",
            "a second device `ipsec0`",
        ),
        (
            "name = \"tu0\"",
            "name = \"net\"",
            "gre[0].name",
            "the name `net` is taken",
        ),
    ];
    for (from, to, field, what) in cases {
        // The last one: the profile has a name too.
        let (before, after) = GRE.rsplit_once(from).unwrap();
        let text = format!("{WHOLE}{before}{to}{after}");
        let error = parse(&text).unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field), "{error}");
        assert!(error.what.contains(what), "{error}, not {what}");
        let key = format!("{} =", field.rsplit('.').next().unwrap());
        let line = text
            .lines()
            .collect::<Vec<_>>()
            .iter()
            .rposition(|l| l.starts_with(&key));
        assert_eq!(error.line, line.map(|n| n + 1), "{error}");
    }
}
