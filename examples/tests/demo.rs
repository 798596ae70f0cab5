//! The demo as a user runs it: the binary, real UDP sockets, no privilege.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use pcap_file::pcap::PcapReader;
use std::{fs, process::Command};

#[test]
fn i4_five_pings_over_ikev1_get_five_answers_and_the_capture_has_its_keys() {
    let folder = std::env::temp_dir().join(format!("demo-test-{}", std::process::id()));
    let output = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["demo", "--ikev1", "--log", "cisco", "--dir"])
        .arg(&folder)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");

    for n in 1..=5 {
        assert!(
            text.contains(&format!("ping {n} of 5 to 10.10.2.1: answer after")),
            "{text}"
        );
    }
    for line in [
        "Old State = IKE_I_MM1  New State = IKE_I_MM2",
        "a packet to 10.10.2.1 waits for it",
        "QM_IDLE",
        "#pkts encaps: 5, #pkts encrypt: 5, #pkts digest: 5",
        "#pkts decaps: 5, #pkts decrypt: 5, #pkts verify: 5",
        "PFS (Y/N): Y, DH group: group14",
        "in use settings ={Tunnel UDP-Encaps, }",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }

    // One ISAKMP SA; both directions of one pair of SAs.
    let lines = |name: &str| fs::read_to_string(folder.join("keys").join(name)).unwrap();
    let ike = lines("ikev1_decryption_table");
    let esp = lines("esp_sa");
    assert_eq!(
        (ike.lines().count(), esp.lines().count()),
        (1, 2),
        "{ike}{esp}"
    );

    // Each key belongs to packets of the capture.
    let capture = fs::read(folder.join("demo.pcap")).unwrap();
    let mut reader = PcapReader::new(capture.as_slice()).unwrap();
    let (mut cookies, mut spis) = (Vec::new(), Vec::new());
    while let Some(packet) = reader.next_packet() {
        let packet = packet.unwrap();
        let sliced = SlicedPacket::from_ip(packet.data()).unwrap();
        assert!(matches!(sliced.net, Some(NetSlice::Ipv4(_))));
        let Some(TransportSlice::Udp(udp)) = sliced.transport else {
            panic!("only UDP")
        };
        match udp.payload().split_first_chunk::<4>() {
            Some((&[0, 0, 0, 0], ike)) => cookies.push(hex::encode(&ike[..8])),
            Some((spi, _)) if udp.payload().len() < 160 => spis.push(hex::encode(spi)),
            _ => {}
        }
    }
    assert!(
        cookies.iter().all(|c| ike.starts_with(c)) && !cookies.is_empty(),
        "{cookies:?}"
    );
    let in_use = spis
        .iter()
        .filter(|spi| esp.contains(&format!("0x{spi}")))
        .count();
    assert!(
        in_use >= 10,
        "{in_use} ESP packets with a known key: {spis:?}"
    );
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn i5_the_demo_speaks_ikev2_and_shows_the_session() {
    let folder = std::env::temp_dir().join(format!("demo-test-v2-{}", std::process::id()));
    let output = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["demo", "--log", "cisco", "--dir"])
        .arg(&folder)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    for line in [
        "ping 5 of 5 to 10.10.2.1: answer after",
        "There are no IKEv1 SAs",
        "Status:UP-ACTIVE, IKE count:1, CHILD count:1",
        "Encr: AES-GCM, keysize: 256, Hash: SHA384, DH Grp:20, Auth sign: PSK, Auth verify: PSK",
        "Child sa: local selector  10.10.1.0/0 - 10.10.1.255/65535",
        "          remote selector 10.10.2.0/0 - 10.10.2.255/65535",
        "#pkts encaps: 5, #pkts encrypt: 5, #pkts digest: 5",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
    let table = fs::read_to_string(folder.join("keys/ikev2_decryption_table")).unwrap();
    assert_eq!(table.lines().count(), 1, "{table}");
    fs::remove_dir_all(folder).unwrap();
}

/// What stands for the lines that README leaves out.
const OMITTED: &str = "…";

/// Times, SPIs and the rest that differs from run to run, made the same.
fn normalised(line: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_matches(|c| "[]:".contains(c));
        let spi = |part: &str| part.len() == 8 && part.bytes().all(|b| b.is_ascii_hexdigit());
        if !bare.is_empty() && bare.split(':').all(spi) {
            word.replace(|c: char| c.is_ascii_hexdigit(), "0")
        } else {
            word.to_owned()
        }
    };
    // `SPI=[…]` is one word.
    let line = line.replace("SPI=[", "SPI= [");
    let line = line.trim_end().split(' ').map(word).collect::<Vec<_>>();
    let line = line.join(" ");
    // A child has another number where key exchanges are questions to workers, which a machine of one core has not.
    for (before, after) in [("answer after ", " ms"), ("up (child-", ")")] {
        if let Some((start, _)) = line.split_once(before) {
            return format!("{start}{before}0{after}");
        }
    }
    line
}

/// Who prints a line: one of the two gateways, which run at the same time, or the demo itself.
fn voice(line: &str) -> &str {
    let name = line.split_once(" | ").map(|(name, _)| name);
    name.filter(|name| ["east", "west"].contains(name))
        .unwrap_or("")
}

/// Whether `shown` is what was printed: of each voice the same lines in the same order, with none missing but where
/// [`OMITTED`] says so. How the lines of two voices interleave differs from run to run.
fn shows(shown: &str, printed: &str) -> Result<(), String> {
    let printed: Vec<String> = printed.lines().map(normalised).collect();
    let passages: Vec<Vec<String>> = shown
        .split(&format!("{OMITTED}\n"))
        .map(|passage| passage.lines().map(normalised).collect())
        .collect();
    let count = passages.len();
    // Whether something is left out before each passage.
    let mut left_out = vec![false; count];
    for who in ["east", "west", ""] {
        // The demo's own lines are set apart by empty ones.
        let says = |line: &&String| voice(line) == who && !line.is_empty();
        let mut rest: Vec<&String> = printed.iter().filter(says).collect();
        let mut next = 0;
        for (n, passage) in passages.iter().enumerate() {
            let passage: Vec<&String> = passage.iter().filter(says).collect();
            if passage.is_empty() {
                continue;
            }
            let found = rest.windows(passage.len()).position(|p| p == passage);
            let found = found.ok_or_else(|| {
                format!("these are not printed one after the other: {passage:#?}")
            })?;
            if found > 0 && n == 0 {
                return Err(format!("something is printed before {passage:#?}"));
            }
            if found > 0 {
                left_out[next.max(1)..=n].fill(true);
            }
            next = n + 1;
            rest.drain(..found + passage.len());
        }
        match rest.first() {
            Some(line) if next.max(1) == count => return Err(format!("`{line}` is not shown")),
            Some(_) => left_out[next.max(1)..].fill(true),
            None => {}
        }
    }
    match left_out.iter().skip(1).position(|some| !some) {
        Some(n) => Err(format!("nothing is left out before {:#?}", passages[n + 1])),
        None => Ok(()),
    }
}

/// The first block of README in this language.
fn readme(language: &str) -> &'static str {
    let text = include_str!("../../README.md");
    let (_, block) = text.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("```\n").unwrap().0
}

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let folder = std::env::temp_dir().join(format!("demo-test-readme-{}", std::process::id()));
    let output = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["demo", "--dir"])
        .arg(&folder)
        .output()
        .unwrap();
    fs::remove_dir_all(folder).unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    if let Err(what) = shows(readme("text"), &printed) {
        panic!("README.md: {what}\nThe demo prints:\n{printed}");
    }
}

#[test]
fn a_transcript_that_differs_is_noticed() {
    let printed =
        "east | a\nwest | x\neast | b 1.2\neast | SPI=[258d139a:7caeb822]\n\nend\nfiles\n";
    for good in [
        "east | a\nwest | x\neast | b 1.2\neast | SPI=[00000000:01234567]\nend\nfiles\n",
        "west | x\neast | a\n…\nend\nfiles\n",
        "…\neast | b 1.2\n…\nend\n…\n",
    ] {
        assert_eq!(shows(good, printed), Ok(()), "{good}");
    }
    for bad in [
        "east | b 1.2\n…\n",
        "east | a\nend\nfiles\n",
        "east | a\n…\neast | b 1.3\n…\n",
        "east | b 1.2\neast | a\n…\n",
        "east | a\neast | SPI=[258d139a:7caeb822]\n…\n",
        "east | a\nwest | x\neast | b 1.2\neast | SPI=[258d139a:7caeb822]\nend\nfiles\n…\n",
        "east | a\nwest | y\n…\n",
    ] {
        assert!(shows(bad, printed).is_err(), "{bad}");
    }
}

#[test]
fn the_readmes_file_is_sound() {
    let file = std::env::temp_dir().join(format!("readme-{}.toml", std::process::id()));
    fs::write(&file, readme("toml")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["check", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    fs::remove_file(file).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("peer west (ikev2), policies 10"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_mistake_in_the_file_names_file_line_and_field() {
    let file = std::env::temp_dir().join(format!("mistake-{}.toml", std::process::id()));
    fs::write(&file, "[gateway]\nname = \"east\"\nport = 70000\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["check", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        text.contains(&format!("{}:3: gateway.port:", file.display())),
        "{text}"
    );
    fs::remove_file(file).unwrap();
}
