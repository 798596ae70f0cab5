//! The demo as a user runs it: the binary, real UDP sockets, no privilege.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

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
