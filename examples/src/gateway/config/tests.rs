use super::*;

mod auth;
mod gre;
mod ikev2;
mod overlap;
use std::time::Duration;

const WHOLE: &str = r#"
[gateway]
name = "east"
listen = "192.0.2.1"
nat-keepalive = 20

[[isakmp-policy]]
priority = 20
encryption = "3des"
hash = "sha"
group = 2

[[isakmp-policy]]
priority = 10
encryption = "aes-256"
hash = "sha256"
authentication = "pre-share"
group = 14
lifetime = 28800

[[transform-set]]
name = "strong"
encryption = "aes-128"
hash = "sha1"

[[psk]]
peer = "any"
secret = "weak"

[[psk]]
peer = "192.0.2.0/24"
secret = "0x00ff"

[[psk]]
peer = "b.lab"
secret = "by name"

[[peer]]
name = "west"
version = "ikev1"
address = ["192.0.2.2", "192.0.2.3"]
local-id = "a.lab"
remote-id = "b.lab"
policy = 10
dpd = { interval = 60, retry = 2, retries = 3 }

[[peer.tunnel]]
name = "net"
local = "10.10.1.0/24"
remote = "10.10.2.0/24"
transform-set = "strong"
pfs = 2
lifetime = 3600
idle-time = 120
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse("gw.toml", text)
}

/// The error of `WHOLE` after replacing `from` by `to`.
fn broken(from: &str, to: &str) -> ConfigError {
    assert!(WHOLE.contains(from), "{from}");
    parse(&WHOLE.replacen(from, to, 1)).expect_err("accepted")
}

#[test]
fn the_words_of_the_field_mean_what_they_say() {
    let config = parse(WHOLE).unwrap();
    assert_eq!(config.gateway.name, "east");
    let order: Vec<u16> = config
        .isakmp_policy
        .iter()
        .map(|p| *p.priority.get_ref())
        .collect();
    assert_eq!(order, [10, 20]);
    let peer = &config.peer[0];
    assert_eq!(config.policies(peer).count(), 1);
    assert_eq!(peer.hosts().count(), 2);
    assert_eq!(peer.remote_id, Some(Identity::Fqdn("b.lab".into())));
    let tunnel = &peer.tunnel[0];
    assert_eq!(tunnel.pfs, Pfs::Group(Group(2)));
    assert_eq!(tunnel.start(), Start::OnDemand);
    assert_eq!(tunnel.idle_time, Some(Seconds(Duration::from_secs(120))));
    assert_eq!(config.transform_set("strong").unwrap().mode, Mode::Tunnel);
}

#[test]
fn the_longest_prefix_gives_the_key_and_an_identity_beats_it() {
    let config = parse(WHOLE).unwrap();
    let of = |address: &str, id: Option<&str>| {
        let id = id.map(|i| i.parse().unwrap());
        config
            .psk_for(address.parse().unwrap(), id.as_ref())
            .unwrap()
            .octets()
            .to_vec()
    };
    assert_eq!(of("198.51.100.1", None), b"weak");
    assert_eq!(of("192.0.2.9", None), [0x00, 0xff]);
    assert_eq!(of("192.0.2.9", Some("b.lab")), b"by name");
    assert_eq!(of("192.0.2.9", Some("c.lab")), [0x00, 0xff]);
}

#[test]
fn each_error_names_file_line_and_field() {
    let cases = [
        (
            "\"aes-256\"",
            "\"aes-257\"",
            "isakmp-policy[1].encryption",
            "unknown encryption `aes-257`",
        ),
        (
            "group = 14",
            "group = 3",
            "isakmp-policy[1].group",
            "unknown group 3",
        ),
        (
            "\"10.10.1.0/24\"",
            "\"10.10.1.1/24\"",
            "peer[0].tunnel[0].local",
            "host bits",
        ),
        (
            "= \"10.10.2.0/24\"",
            "= \"fd00::/64\"",
            "peer[0].tunnel[0].remote",
            "different families",
        ),
        (
            "transform-set = \"strong\"",
            "transform-set = \"strnog\"",
            "peer[0].tunnel[0].transform-set",
            "`strnog`",
        ),
        (
            "\"192.0.2.3\"",
            "\"router.example\"",
            "peer[0].address",
            "names are not resolved",
        ),
        (
            "policy = 10",
            "policy = 11",
            "peer[0].policy",
            "priority 11",
        ),
        ("0x00ff", "0x0ff", "psk[1].secret", "not hex"),
        (
            "hash = \"sha1\"",
            "",
            "transform-set[0].encryption",
            "needs a `hash`",
        ),
        (
            "retries = 3",
            "retrys = 3",
            "peer[0].dpd.retrys",
            "unknown field",
        ),
        (
            "priority = 20",
            "priority = 10",
            "isakmp-policy[1].priority",
            "taken",
        ),
        (
            "interval = 60, ",
            "",
            "peer[0].dpd.interval",
            "missing field",
        ),
        (
            "lifetime = 3600",
            "lifetime = -1",
            "peer[0].tunnel[0].lifetime",
            "negative",
        ),
        (
            "name = \"net\"",
            "name = \"west\"",
            "peer[0].tunnel[0].name",
            "taken",
        ),
    ];
    for (from, to, field, what) in cases {
        let error = broken(from, to);
        // Two mistakes are noticed elsewhere than where they were made.
        let noticed = match from {
            "hash = \"sha1\"" => "encryption = \"aes-128\"",
            "priority = 20" => "priority = 10",
            _ => from,
        };
        let (before, _) = WHOLE.split_once(noticed).unwrap();
        let line = before.matches('\n').count() + 1;
        assert_eq!(
            (error.file.as_str(), error.line, error.field.as_deref()),
            ("gw.toml", Some(line), Some(field)),
            "{from} -> {to}: {error}"
        );
        assert!(error.what.contains(what), "{error}");
    }
}

#[test]
fn an_error_reads_as_one_line() {
    let error = broken("group = 2\n", "group = 99\n");
    let text = error.to_string();
    assert!(
        text.starts_with("gw.toml:11: isakmp-policy[0].group: unknown group 99"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn a_file_that_is_no_toml_names_its_line() {
    let error = parse("[gateway]\nname = \n").expect_err("accepted");
    assert_eq!(error.line, Some(2), "{error}");
}

#[test]
fn an_unreadable_file_is_named() {
    let error = Config::load(std::path::Path::new("/nonexistent/gw.toml")).expect_err("read");
    assert!(
        error.to_string().starts_with("/nonexistent/gw.toml: "),
        "{error}"
    );
}

#[test]
fn a_secret_does_not_print() {
    let config = parse(WHOLE).unwrap();
    assert!(!format!("{config:?}").contains("by name"));
}

#[test]
fn the_sample_file_is_sound_and_its_branch_is_awaited() {
    let config = parse(include_str!("../../../gateway.toml")).unwrap();
    let start = |name: &str| {
        let peer = config.peer.iter().find(|p| p.name.get_ref() == name);
        peer.unwrap().tunnel[0].start()
    };
    assert_eq!(start("partner"), Start::OnDemand);
    assert_eq!(start("site2"), Start::OnDemand);
    assert_eq!(start("branch"), Start::Passive);
}

#[test]
fn one_tunnel_has_one_mode() {
    let host = "[[transform-set]]\nname = \"host\"\nmode = \"transport\"\nencryption = \"null\"\nhash = \"md5\"\n";
    let text = format!("{WHOLE}\n{host}");
    parse(&text).unwrap();
    let both = "transform-set = [\"strong\", \"host\"]";
    let error = parse(&text.replace("transform-set = \"strong\"", both)).expect_err("accepted");
    assert_eq!(
        error.field.as_deref(),
        Some("peer[0].tunnel[0].transform-set")
    );
    assert!(error.what.contains("one mode"), "{error}");
}

#[test]
fn x7_bounds_are_words_of_the_file_and_the_example_shows_their_defaults() {
    let config = parse(include_str!("../../../gateway.toml")).unwrap();
    let (shown, library) = (config.limits, ike_sm::config::EndpointLimits::default());
    for (word, default) in [
        (shown.ike_sas, library.ike_sas),
        (shown.half_open, library.half_open),
        (
            shown.half_open_per_address,
            library.half_open_proved_per_address,
        ),
        (
            shown.half_open_per_prefix,
            library.half_open_proved_per_prefix,
        ),
        (shown.unproved_per_address, library.half_open_per_address),
        (shown.unproved_per_prefix, library.half_open_per_prefix),
        (shown.cookies_from, library.cookie_threshold),
        (shown.aggressive_per_second, library.aggressive_per_second),
        (
            shown.aggressive_per_prefix,
            library.aggressive_per_second_per_prefix,
        ),
        (shown.replaced_per_peer, library.replaced_per_peer),
        (shown.ike_sas_per_identity, library.ike_sas_per_identity),
    ] {
        assert_eq!(word.map(std::num::NonZeroUsize::get), Some(default));
    }
    let time = shown.half_open_time.map(|s| s.0);
    assert_eq!(time, Some(library.half_open_time));
    let error = parse("[limits]\nhalf-open = 0").unwrap_err().to_string();
    assert!(error.contains(":2"), "{error}");
}
