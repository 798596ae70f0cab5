//! The dissector against tshark: same frames, same values.
//!
//! Vendored captures are compared with files that tshark made; with a folder of captures in
//! `INTEROP_DATA`, `cargo test -p examples --test tshark -- --ignored` runs tshark on each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use examples::dissect::keys::Keys;
use examples::dissect::node::{Node, Value};
use examples::dissect::report::Report;
use examples::dissect::{Decoder, input};

/// tshark's field, and where the same value is in our tree: names of the fields above (any of
/// them), name of the field.
const FIELDS: &[(&str, &[&str], &[&str])] = &[
    (
        "isakmp.ispi",
        &["ISAKMP"],
        &["Initiator Cookie", "IKE SA Initiator's SPI"],
    ),
    (
        "isakmp.rspi",
        &["ISAKMP"],
        &["Responder Cookie", "IKE SA Responder's SPI"],
    ),
    ("isakmp.version", &["ISAKMP"], &["Version"]),
    ("isakmp.exchangetype", &["ISAKMP"], &["Exchange Type"]),
    ("isakmp.flags", &["ISAKMP"], &["Flags"]),
    ("isakmp.messageid", &["ISAKMP"], &["Message ID"]),
    ("isakmp.length", &["ISAKMP"], &["Length"]),
    ("isakmp.sa.doi", &["SA"], &["DOI"]),
    (
        "isakmp.prop.number",
        &["Proposal"],
        &["Proposal #", "Proposal Num"],
    ),
    (
        "isakmp.prop.transforms",
        &["Proposal"],
        &["# of Transforms", "Num Transforms"],
    ),
    ("isakmp.trans.number", &["Transform"], &["Transform #"]),
    ("isakmp.trans.id", &["Transform"], &["Transform-Id"]),
    ("isakmp.tf.type", &["Transform"], &["Transform Type"]),
    (
        "isakmp.ike.attr.encryption_algorithm",
        &["Transform"],
        &["Encryption Algorithm"],
    ),
    (
        "isakmp.ike.attr.hash_algorithm",
        &["Transform"],
        &["Hash Algorithm"],
    ),
    (
        "isakmp.ike.attr.authentication_method",
        &["Transform"],
        &["Authentication Method"],
    ),
    (
        "isakmp.ipsec.attr.life_type",
        &["Transform"],
        &["SA Life Type"],
    ),
    (
        "isakmp.ipsec.attr.life_duration",
        &["Transform"],
        &["SA Life Duration"],
    ),
    (
        "isakmp.ipsec.attr.encap_mode",
        &["Transform"],
        &["Encapsulation Mode"],
    ),
    (
        "isakmp.ipsec.attr.auth_algorithm",
        &["Transform"],
        &["Authentication Algorithm"],
    ),
    ("isakmp.ike.attr.life_type", &["Transform"], &["Life Type"]),
    (
        "isakmp.ike.attr.life_duration",
        &["Transform"],
        &["Life Duration"],
    ),
    ("isakmp.key_exchange.data", &["KE"], &["Key Exchange Data"]),
    ("isakmp.nonce", &["NONCE", "Nonce"], &["Nonce Data"]),
    ("isakmp.hash", &["HASH"], &["Hash Data"]),
    ("isakmp.id.type", &["ID", "IDi", "IDr"], &["ID Type"]),
    ("isakmp.notify.doi", &["N"], &["DOI"]),
    ("isakmp.notify.msgtype", &["N"], &["Notify Message Type"]),
    ("isakmp.delete.doi", &["D"], &["DOI"]),
    ("isakmp.delete.spi", &["D"], &["SPI"]),
    ("isakmp.spinum", &["D"], &["# of SPIs", "Num of SPIs"]),
    ("isakmp.vid_bytes", &["VID", "V"], &["Vendor ID"]),
    ("isakmp.cfg.type", &["ATTR", "CP"], &["Type", "CFG Type"]),
    (
        "isakmp.ts.start_port",
        &["Traffic Selector"],
        &["Start Port"],
    ),
    ("isakmp.ts.end_port", &["Traffic Selector"], &["End Port"]),
    ("isakmp.auth.method", &["AUTH"], &["Auth Method"]),
    ("isakmp.frag.packetid", &["FRAG"], &["Fragment_ID"]),
    ("isakmp.frag.seq", &["FRAG"], &["Fragment_Number"]),
    (
        "isakmp.ike.nat_hash",
        &["NAT-D"],
        &["HASH of the address and port"],
    ),
    ("esp.spi", &["ESP"], &["Security Parameters Index"]),
    ("esp.sequence", &["ESP"], &["Sequence Number"]),
    ("esp.pad_len", &["ESP"], &["Pad Length"]),
    ("esp.protocol", &["ESP"], &["Next Header"]),
    ("ah.spi", &["AH"], &["Security Parameters Index"]),
    ("ah.sequence", &["AH"], &["Sequence Number"]),
    ("ah.icv", &["AH"], &["Integrity Check Value"]),
    ("gre.flags_and_version", &["GRE"], &["Flags"]),
    ("gre.proto", &["GRE"], &["Protocol Type"]),
    ("gre.key", &["GRE"], &["Key"]),
    ("gre.sequence_number", &["GRE"], &["Sequence Number"]),
    ("gre.key.call_id", &["GRE"], &["Call ID"]),
    ("gre.ack_number", &["GRE"], &["Acknowledgment Number"]),
    ("vrrp.version", &["VRRP"], &["Version"]),
    ("vrrp.type", &["VRRP"], &["Type"]),
    ("vrrp.virt_rtr_id", &["VRRP"], &["Virtual Rtr ID"]),
    ("vrrp.prio", &["VRRP"], &["Priority"]),
    ("vrrp.addr_count", &["VRRP"], &["Count IP Addrs"]),
    ("vrrp.checksum", &["VRRP"], &["Checksum"]),
    ("vrrp.ip_addr", &["VRRP"], &["IPv4 Address"]),
    ("vrrp.ipv6_addr", &["VRRP"], &["IPv6 Address"]),
];

/// Per frame and field: the values, in order.
type Table = BTreeMap<u64, BTreeMap<&'static str, Vec<String>>>;

/// tshark speaks of a frame as damaged.
const MALFORMED: &str = "malformed";

fn column(name: &str) -> Option<&'static str> {
    FIELDS
        .iter()
        .map(|(field, ..)| *field)
        .find(|field| *field == name)
}

/// `0x` numbers and octets as they are, other numbers in decimal.
fn canonical(value: &str) -> String {
    match value.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).unwrap().to_string(),
        None => value.replace(':', "").to_ascii_lowercase(),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::Bytes(bytes) => Some(hex::encode(bytes)),
        Value::Text(text) => Some(text.replace(':', "")),
        Value::Flag(_) | Value::None => None,
    }
}

fn collect(parent: &str, node: &Node, into: &mut BTreeMap<&'static str, Vec<String>>) {
    for (field, parents, names) in FIELDS {
        if parents.contains(&parent)
            && names.contains(&node.name.as_ref())
            && let Some(value) = text(&node.value)
        {
            into.entry(field).or_default().push(value);
        }
    }
    for child in &node.children {
        collect(&node.name, child, into);
    }
}

/// The folder of key tables beside a capture. tshark reads nothing at all when a line of one is bad.
fn keys(capture: &Path) -> Option<PathBuf> {
    let folder = capture.with_file_name("keys");
    (folder.is_dir() && Keys::read(&folder).unwrap().skipped.is_empty()).then_some(folder)
}

fn reports(capture: &Path) -> Vec<Report> {
    let keys = keys(capture).map_or_else(Keys::default, |folder| Keys::read(&folder).unwrap());
    let (frames, damage) = input::frames(&fs::read(capture).unwrap());
    assert!(damage.is_none(), "{}: {damage:?}", capture.display());
    let mut decoder = Decoder::new(&keys, &[]);
    frames
        .iter()
        .filter_map(|frame| decoder.frame(frame))
        .collect()
}

fn ours(reports: &[Report]) -> Table {
    let mut table = Table::new();
    for report in reports {
        let row = table.entry(report.frame).or_default();
        for layer in &report.layers {
            layer
                .fields
                .iter()
                .for_each(|field| collect(layer.protocol, field, row));
        }
    }
    table
}

fn tshark(capture: &Path) -> Table {
    let mut command = Command::new("tshark");
    if let Some(keys) = keys(capture) {
        command.env("WIRESHARK_CONFIG_DIR", keys);
    }
    command.args([
        "-o",
        "esp.enable_encryption_decode:TRUE",
        "-o",
        "esp.enable_authentication_check:TRUE",
    ]);
    command.args([
        "-n",
        "-T",
        "fields",
        "-E",
        "occurrence=a",
        "-E",
        "aggregator=;",
    ]);
    command.args([
        "-e",
        "frame.number",
        "-e",
        "_ws.malformed",
        "-e",
        "_ws.short",
        "-e",
        "icmp.type",
        "-e",
        "icmpv6.type",
    ]);
    for (field, ..) in FIELDS {
        command.args(["-e", field]);
    }
    let output = command
        .arg("-r")
        .arg(capture)
        .output()
        .expect("tshark is not installed");
    assert!(
        !output.stdout.is_empty(),
        "tshark on {}: {}",
        capture.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let mut table = Table::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let mut cells = line.split('\t');
        let frame: u64 = cells.next().unwrap().parse().unwrap();
        let row = table.entry(frame).or_default();
        let [malformed, short, icmp, icmp6] = [(); 4].map(|()| cells.next().unwrap());
        if !malformed.is_empty() || !short.is_empty() {
            row.insert(MALFORMED, vec!["1".into()]);
        }
        // An ICMP error quotes messages: they were not sent in this frame.
        let icmp6_error = icmp6
            .split(';')
            .next()
            .unwrap()
            .parse::<u8>()
            .is_ok_and(|kind| kind < 128);
        if icmp.starts_with(['3', '5']) || icmp.starts_with("11") || icmp6_error {
            table.remove(&frame);
            continue;
        }
        for ((field, ..), cell) in FIELDS.iter().zip(cells) {
            if !cell.is_empty() {
                row.insert(field, cell.split(';').map(canonical).collect());
            }
        }
    }
    table.retain(|_, row| !row.is_empty());
    table
}

fn write(table: &Table) -> String {
    let mut out = String::new();
    for (frame, row) in table {
        for (field, values) in row {
            writeln!(out, "{frame}\t{field}\t{}", values.join(";")).unwrap();
        }
    }
    out
}

fn read(text: &str) -> Table {
    let mut table = Table::new();
    for line in text.lines() {
        let cells: Vec<_> = line.split('\t').collect();
        let [frame, field, values] = cells.as_slice() else {
            panic!("{line}")
        };
        let field = if *field == MALFORMED {
            MALFORMED
        } else {
            column(field).unwrap()
        };
        let values = values.split(';').map(Into::into).collect();
        table
            .entry(frame.parse().unwrap())
            .or_default()
            .insert(field, values);
    }
    table
}

/// Where we are stricter than tshark on purpose: part of the refusal, and the reason.
const STRICTER: &[(&str, &str)] = &[
    (
        "Identification Data at octet",
        "a NUL octet in a name (RFC 2407 §4.6.2.3)",
    ),
    (
        ": trailing bytes",
        "octets behind the last payload of an IKEv2 message",
    ),
    (
        "Integrity Checksum Data at octet",
        "tshark shows what it cannot authenticate",
    ),
    (
        "Integrity Check Value at octet",
        "tshark shows what it cannot authenticate",
    ),
    (
        "authentication type Cisco MD5",
        "the format of Cisco's authentication is not public",
    ),
    ("AH: ", "an AH whose length makes no header"),
    (
        "payload header at octet 812: truncated",
        "a chain that names a payload which is not there",
    ),
    (
        "Length at octet 24: length too large",
        "a message longer than any datagram",
    ),
    (
        "address list and authentication data",
        "version 2 always has authentication data (RFC 3768 §5.1)",
    ),
];

/// Known to tshark alone when a packet is shown with a note that its key is not usable here.
const OPENED: [&str; 2] = ["esp.pad_len", "esp.protocol"];

/// Differences, one line each. Frames that tshark finds damaged need only not be read as sound
/// with other values.
fn differences(name: &str, theirs: &Table, reports: &[Report]) -> Vec<String> {
    let ours = ours(reports);
    let mut lines = Vec::new();
    for (frame, wanted) in theirs {
        let report = reports.iter().find(|report| report.frame == *frame);
        let error =
            report.and_then(|report| report.layers.iter().find_map(|layer| layer.error.as_ref()));
        if wanted.contains_key(MALFORMED) {
            continue;
        }
        if error.is_some_and(|error| {
            STRICTER
                .iter()
                .any(|(part, _)| error.message.contains(part))
        }) {
            continue;
        }
        if let Some(error) = error {
            lines.push(format!(
                "{name} frame {frame}: refused where tshark reads it: {}",
                error.message
            ));
            continue;
        }
        let found = ours.get(frame).cloned().unwrap_or_default();
        // No AES-CTR in the suite; and tshark demands that the table's first column fits.
        let closed = report.is_some_and(|report| {
            report.layers.iter().any(|layer| {
                layer
                    .note
                    .as_deref()
                    .is_some_and(|note| note.starts_with("key not usable"))
            })
        });
        for (field, values) in wanted {
            let have = found.get(field).cloned().unwrap_or_default();
            if have != *values && !(closed && OPENED.contains(field)) {
                lines.push(format!(
                    "{name} frame {frame}: {field} is {values:?} for tshark, {have:?} here"
                ));
            }
        }
        for (field, values) in &found {
            if !wanted.contains_key(field) && !OPENED.contains(field) {
                lines.push(format!(
                    "{name} frame {frame}: {field} is {values:?} here, tshark has none"
                ));
            }
        }
    }
    lines
}

fn captures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/captures");
    let mut found: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("cap.pcap"))
        .collect();
    found.sort();
    assert!(found.len() > 10);
    found
}

#[test]
fn vendored_captures_read_as_tshark_reads_them() {
    let mut lines = Vec::new();
    for capture in captures() {
        let expected = capture.with_file_name("expected.tsv");
        if std::env::var_os("REGENERATE").is_some() {
            fs::write(&expected, write(&tshark(&capture))).unwrap();
        }
        let name = capture
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let expected = read(&fs::read_to_string(&expected).unwrap());
        lines.extend(differences(&name, &expected, &reports(&capture)));
    }
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

/// tshark has read all of these with their keys: nothing may stay closed here.
#[test]
fn vendored_captures_are_decrypted() {
    for (name, messages, packets) in [
        ("v1-main-aes128-sha1-modp1024", 5, 6),
        ("v1-main-pfs", 5, 6),
        ("v1-xauth", 10, 6),
        ("v2-aes256-sha256-modp2048", 2, 6),
        ("tcpdump-02-sunrise-sunset-esp", 0, 8),
    ] {
        let capture = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/captures")
            .join(name)
            .join("cap.pcap");
        let reports = reports(&capture);
        let opened = |protocol: &str| {
            reports
                .iter()
                .flat_map(|report| &report.layers)
                .filter(|layer| layer.protocol == protocol && layer.decrypted)
                .count()
        };
        assert!(
            opened("ISAKMP") >= messages,
            "{name}: {} messages",
            opened("ISAKMP")
        );
        assert!(
            opened("ESP") >= packets,
            "{name}: {} packets",
            opened("ESP")
        );
        assert!(
            reports
                .iter()
                .flat_map(|report| &report.layers)
                .all(|layer| layer.error.is_none()),
            "{name}"
        );
    }
}

/// No octet of a capture may bring the dissector down, wherever it is cut or changed.
#[test]
fn damaged_captures_are_survived() {
    for capture in captures() {
        let keys = keys(&capture).map_or_else(Keys::default, |folder| Keys::read(&folder).unwrap());
        let bytes = fs::read(&capture).unwrap();
        let bytes = &bytes[..bytes.len().min(3000)];
        let decode = |bytes: &[u8]| {
            let mut decoder = Decoder::new(&keys, &[]);
            for frame in input::frames(bytes).0 {
                if let Some(report) = decoder.frame(&frame) {
                    assert!(!report.to_text().is_empty());
                    assert!(report.to_json().is_object());
                }
            }
        };
        for cut in (0..bytes.len()).step_by(131) {
            decode(&bytes[..cut]);
        }
        for at in (24..bytes.len()).step_by(43) {
            for change in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= change;
                decode(&damaged);
            }
        }
    }
}

/// The second layer: every capture below `INTEROP_DATA`, tshark running beside us.
#[test]
#[ignore = "needs tshark and a folder of captures in INTEROP_DATA"]
fn all_captures_read_as_tshark_reads_them() {
    let root =
        PathBuf::from(std::env::var_os("INTEROP_DATA").expect("INTEROP_DATA names no folder"));
    let mut folders = vec![root];
    let (mut lines, mut count) = (Vec::new(), 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| {
                ["pcap", "pcapng", "cap"]
                    .iter()
                    .any(|wanted| kind == *wanted)
            }) {
                count += 1;
                lines.extend(differences(
                    &path.display().to_string(),
                    &tshark(&path),
                    &reports(&path),
                ));
            }
        }
    }
    println!("{count} captures compared, {} differences", lines.len());
    assert!(count > 0, "no captures found");
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}
