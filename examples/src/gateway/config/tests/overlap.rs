use super::*;

/// Two peers with a tunnel each, with these lines besides.
fn warnings(first: (&str, &str), second: (&str, &str)) -> Vec<String> {
    let peer = |number: u8, (remote, more): (&str, &str)| {
        format!(
            "[[peer]]\nname = \"p{number}\"\nversion = \"ikev1\"\naddress = \"192.0.2.{number}\"\n[[peer.tunnel]]\nname = \"t{number}\"\n\
             local = \"10.10.1.0/24\"\nremote = \"{remote}\"\ntransform-set = \"strong\"\n{more}\n"
        )
    };
    let (head, _) = WHOLE.split_once("[[peer]]").unwrap();
    let text = [head, &peer(2, first), &peer(3, second)].concat();
    let config = Config::parse("gw.toml", &text).unwrap();
    config.overlaps().iter().map(ToString::to_string).collect()
}

#[test]
fn x2_tunnels_that_keep_each_other_down_are_told() {
    let told = warnings(("10.20.0.0/16", ""), ("10.20.0.0/16", ""));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("tunnel `t2` of another peer"), "{told:?}");
    let one = warnings(("10.20.0.0/16", "shared = true"), ("10.20.0.0/16", ""));
    assert_eq!(one.len(), 1);
    for (first, second) in [
        (
            ("10.20.0.0/16", "shared = true"),
            ("10.20.0.0/16", "shared = true"),
        ),
        // The narrow one has its packets.
        (("0.0.0.0/0", ""), ("10.20.0.0/16", "")),
        (("10.20.0.0/16", ""), ("10.21.0.0/16", "")),
        (
            ("10.20.0.0/16", "protocol = 6"),
            ("10.20.0.0/16", "protocol = 17"),
        ),
    ] {
        assert!(warnings(first, second).is_empty(), "{first:?} {second:?}");
    }
}
