//! `show crypto isakmp sa`, its detail, and `show crypto ipsec sa`.

use super::{ChildStatus, Ident, IkeStatus, SaStatus, Status};
use std::fmt::Write;

/// `show crypto isakmp sa`: destination and source are the responder's and the initiator's address.
#[must_use]
pub fn isakmp_sa(status: &Status) -> String {
    let mut out = String::new();
    for v6 in [false, true] {
        let of_family = |sa: &&IkeStatus| sa.remote.0.is_ipv6() == v6 && sa.version == 1;
        let mut rows = status.ike.iter().filter(of_family).peekable();
        if v6 && rows.peek().is_none() {
            continue;
        }
        let _ = writeln!(out, "{} Crypto ISAKMP SA", if v6 { "IPv6" } else { "IPv4" });
        let width = if v6 { 39 } else { 15 };
        let _ = writeln!(
            out,
            "{:width$} {:width$} {:14} conn-id status",
            "dst", "src", "state"
        );
        for sa in rows {
            let (dst, src) = if sa.initiator {
                (sa.remote, sa.local)
            } else {
                (sa.local, sa.remote)
            };
            let _ = writeln!(
                out,
                "{:width$} {:width$} {:14} {:>7} {}",
                dst.0.to_string(),
                src.0.to_string(),
                sa.state,
                sa.conn_id,
                if sa.active { "ACTIVE" } else { "INACTIVE" },
            );
        }
    }
    out
}

/// `show crypto isakmp sa detail`.
#[must_use]
pub fn isakmp_sa_detail(status: &Status) -> String {
    let mut out = String::from(
        "Codes: C - IKE configuration mode, D - Dead Peer Detection\n       \
         K - Keepalives, N - NAT-traversal\n       X - IKE Extended Authentication\n\n",
    );
    let _ = writeln!(
        out,
        "{:7} {:15} {:15} {:7} {:6} {:4} {:>2} {:8} Capabilities",
        "Conn id", "Local", "Remote", "Encr", "Hash", "Auth", "DH", "Lifetime"
    );
    for sa in status.ike.iter().filter(|sa| sa.version == 1) {
        let _ = writeln!(
            out,
            "{:<7} {:15} {:15} {:7} {:6} {:4} {:>2} {:8} {}",
            sa.conn_id,
            sa.local.0.to_string(),
            sa.remote.0.to_string(),
            sa.encryption,
            sa.hash,
            sa.authentication,
            sa.group,
            sa.lifetime.map_or_else(|| "-".into(), clock),
            sa.capabilities,
        );
    }
    out
}

/// `show crypto ipsec sa`: the pairs of one tunnel together, the one in use first.
#[must_use]
pub fn ipsec_sa(status: &Status) -> String {
    let mut out = String::new();
    let mut children: Vec<&ChildStatus> = status.children.iter().collect();
    children.sort_by_key(|c| (&c.peer, &c.name, !c.active, c.conn_id));
    for child in children {
        write_child(&mut out, child);
    }
    if out.is_empty() {
        out.push_str("no IPsec SAs\n");
    }
    out
}

fn write_child(out: &mut String, c: &ChildStatus) {
    let (inbound, outbound) = (&c.inbound, &c.outbound);
    let _ = writeln!(
        out,
        "tunnel: {}\n    Crypto map tag: {}, local addr {}\n",
        c.name, c.peer, c.local.0
    );
    let _ = writeln!(
        out,
        "   local  ident (addr/mask/prot/port): {}",
        ident(&c.local_ident)
    );
    let _ = writeln!(
        out,
        "   remote ident (addr/mask/prot/port): {}",
        ident(&c.remote_ident)
    );
    let _ = writeln!(out, "   current_peer {} port {}", c.remote.0, c.remote.1);
    let p = outbound.packets;
    let _ = writeln!(
        out,
        "    #pkts encaps: {p}, #pkts encrypt: {p}, #pkts digest: {p}"
    );
    let p = inbound.packets;
    let _ = writeln!(
        out,
        "    #pkts decaps: {p}, #pkts decrypt: {p}, #pkts verify: {p}"
    );
    let _ = writeln!(out, "    #pkts compressed: 0, #pkts decompressed: 0");
    let _ = writeln!(out, "    #pkts not compressed: 0, #pkts compr. failed: 0");
    let _ = writeln!(
        out,
        "    #pkts not decompressed: 0, #pkts decompress failed: 0"
    );
    let f = &c.fitting;
    let _ = writeln!(
        out,
        "    #pre-frag successes: {}, #fragments created: {}",
        f.fragmented, f.fragments
    );
    let _ = writeln!(
        out,
        "    #PMTUs sent: {}, #PMTUs rcvd: {}",
        f.answered, f.told
    );
    let _ = writeln!(
        out,
        "    #send errors {}, #recv errors {}\n",
        outbound.errors, inbound.errors
    );
    let _ = writeln!(
        out,
        "     local crypto endpt.: {}/{}, remote crypto endpt.: {}/{}",
        c.local.0, c.local.1, c.remote.0, c.remote.1
    );
    let _ = writeln!(
        out,
        "     path mtu {}, media mtu {}, ipsec overhead {}({})",
        c.path_mtu, c.media_mtu, c.overhead.0, c.overhead.1
    );
    let _ = writeln!(out, "     current outbound spi: {}", spi(outbound.spi));
    match c.pfs {
        Some(group) => {
            let _ = writeln!(out, "     PFS (Y/N): Y, DH group: group{group}");
        }
        None => out.push_str("     PFS (Y/N): N\n"),
    }
    for (name, sa, is_inbound) in [("inbound", inbound, true), ("outbound", outbound, false)] {
        let _ = writeln!(out, "\n     {name} esp sas:");
        write_sa(out, c, sa, is_inbound);
    }
    out.push('\n');
}

fn write_sa(out: &mut String, c: &ChildStatus, sa: &SaStatus, inbound: bool) {
    let _ = writeln!(out, "      spi: {}", spi(sa.spi));
    let _ = writeln!(out, "        transform: {} ,", c.transform);
    let mut settings = format!("{}{}, ", c.mode, if c.udp { " UDP-Encaps" } else { "" });
    if c.esn {
        settings.push_str("ESN, ");
    }
    let _ = writeln!(out, "        in use settings ={{{settings}}}");
    let _ = writeln!(
        out,
        "        conn id: {}, crypto map: {}",
        c.conn_id, c.peer
    );
    let _ = writeln!(
        out,
        "        sa timing: remaining key lifetime (k/sec): ({}/{})",
        c.kilobytes.map_or_else(|| "-".into(), |k| k.to_string()),
        c.lifetime.map_or_else(|| "-".into(), |s| s.to_string()),
    );
    let _ = writeln!(out, "        IV size: {} bytes", c.iv);
    if inbound {
        let _ = writeln!(
            out,
            "        replay detection support: Y, window {}",
            c.replay_window
        );
        let (high, low) = (c.replay_bitmap >> 32, c.replay_bitmap & 0xffff_ffff);
        let _ = writeln!(
            out,
            "        Anti replay bitmap:\n         0x{high:08X} 0x{low:08X}"
        );
    }
    let status = if c.active || inbound {
        "ACTIVE"
    } else {
        "INACTIVE"
    };
    let _ = writeln!(out, "        Status: {status}");
}

/// `show interface tunnel`.
#[must_use]
pub fn gre(status: &Status) -> String {
    let mut out = String::new();
    for tunnel in &status.gre {
        let _ = writeln!(out, "{tunnel}");
    }
    out
}

/// The tunnels, the counters and the routes.
#[must_use]
pub fn summary(status: &Status) -> String {
    let mut out = format!("{}: up {}\n", status.name, clock(status.uptime));
    for t in &status.tunnels {
        let [local, remote] = &t.selectors;
        let state = if t.up { "up" } else { "down" };
        let _ = writeln!(
            out,
            "  {}: {state}, to {}, {local} === {remote}, {} hits",
            t.name, t.peer, t.hits
        );
    }
    for route in &status.routes {
        let _ = writeln!(out, "  route {route}");
    }
    for counter in &status.counters {
        let _ = writeln!(out, "  {}: {}", counter.name, counter.count);
    }
    out
}

fn ident(i: &Ident) -> String {
    format!("({}/{}/{}/{})", i.address, i.mask, i.protocol, i.port)
}

fn spi(spi: u32) -> String {
    format!("0x{spi:08X}({spi})")
}

fn clock(seconds: u64) -> String {
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        let ident = |a: &str| Ident {
            address: a.parse().unwrap(),
            mask: "255.255.255.0".parse().unwrap(),
            protocol: 0,
            port: 0,
        };
        Status {
            name: "east".into(),
            uptime: 3661,
            ike: vec![IkeStatus {
                conn_id: 1004,
                peer: "west".into(),
                version: 1,
                local: ("1.1.1.1".parse().unwrap(), 500),
                remote: ("6.6.6.6".parse().unwrap(), 500),
                state: "QM_IDLE".into(),
                active: true,
                initiator: false,
                encryption: "des".into(),
                keysize: 56,
                verified: "psk".into(),
                identity: "6.6.6.6".into(),
                claimed: None,
                up_for: Some(21),
                hash: "sha".into(),
                authentication: "psk".into(),
                group: 1,
                lifetime: Some(86_379),
                capabilities: "D".into(),
            }],
            children: vec![ChildStatus {
                conn_id: 91,
                ike: 1004,
                local_selectors: Vec::new(),
                remote_selectors: Vec::new(),
                name: "net".into(),
                peer: "west".into(),
                local: ("200.56.4.1".parse().unwrap(), 500),
                remote: ("200.100.1.1".parse().unwrap(), 500),
                local_ident: ident("192.168.100.0"),
                remote_ident: ident("172.18.30.0"),
                mode: "Tunnel".into(),
                udp: false,
                transform: "esp-3des esp-sha-hmac".into(),
                iv: 8,
                esn: false,
                pfs: Some(5),
                inbound: SaStatus {
                    spi: 0x52B9_05BC,
                    packets: 16,
                    bytes: 0,
                    errors: 0,
                },
                outbound: SaStatus {
                    spi: 0xCDD3_ACA0,
                    packets: 13,
                    bytes: 0,
                    errors: 57,
                },
                active: true,
                path_mtu: 1400,
                media_mtu: 1500,
                fitting: Default::default(),
                overhead: (74, 44),
                lifetime: Some(3565),
                kilobytes: Some(4_573_743),
                replay_window: 64,
                replay_bitmap: 0x1f,
            }],
            ..Status::default()
        }
    }

    #[test]
    fn s2_the_responder_is_the_destination_of_the_isakmp_table() {
        let expected = "IPv4 Crypto ISAKMP SA\n\
            dst             src             state          conn-id status\n\
            1.1.1.1         6.6.6.6         QM_IDLE           1004 ACTIVE\n";
        assert_eq!(isakmp_sa(&status()), expected);
    }

    #[test]
    fn s4_the_detail_has_the_columns_of_the_field() {
        let text = isakmp_sa_detail(&status());
        let row = "1004    1.1.1.1         6.6.6.6         des     sha    psk   1 23:59:39 D\n";
        assert!(text.ends_with(row), "{text}");
    }

    #[test]
    fn s1_the_lines_of_the_ipsec_table() {
        let text = ipsec_sa(&status());
        for line in [
            "   local  ident (addr/mask/prot/port): (192.168.100.0/255.255.255.0/0/0)",
            "    #pkts encaps: 13, #pkts encrypt: 13, #pkts digest: 13",
            "    #send errors 57, #recv errors 0",
            "     path mtu 1400, media mtu 1500, ipsec overhead 74(44)",
            "      spi: 0x52B905BC(1387857340)",
            "     current outbound spi: 0xCDD3ACA0(3453201568)",
            "        in use settings ={Tunnel, }",
            "        sa timing: remaining key lifetime (k/sec): (4573743/3565)",
            "     PFS (Y/N): Y, DH group: group5",
            "         0x00000000 0x0000001F",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\nnot in\n{text}");
        }
    }
}
