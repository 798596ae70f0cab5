//! IKEv2's part of `show crypto isakmp sa` on an ASA (I5, I6): sessions, their IKE SAs, and the child SAs of each.

use super::{ChildStatus, IkeStatus, Range, Status};
use std::{collections::BTreeMap, fmt::Write};

/// The sessions: all IKE SAs with one peer. Nothing when there is none.
#[must_use]
pub fn ikev2_sa(status: &Status) -> String {
    let mut sessions: BTreeMap<(&str, &str), Vec<&IkeStatus>> = BTreeMap::new();
    for sa in status.ike.iter().filter(|sa| sa.version == 2) {
        sessions
            .entry((&sa.peer, &sa.identity))
            .or_default()
            .push(sa);
    }
    if sessions.is_empty() {
        return String::new();
    }
    let mut out = String::new();
    if status.ike.iter().all(|sa| sa.version == 2) {
        out.push_str("There are no IKEv1 SAs\n\n");
    }
    out.push_str("IKEv2 SAs:\n");
    for sas in sessions.values() {
        write_session(&mut out, status, sas);
    }
    out
}

fn write_session(out: &mut String, status: &Status, sas: &[&IkeStatus]) {
    let mine = |c: &&ChildStatus| sas.iter().any(|sa| sa.conn_id == c.ike);
    let mut children: Vec<&ChildStatus> = status.children.iter().filter(mine).collect();
    // The newest first, as there.
    children.sort_by_key(|c| std::cmp::Reverse(c.conn_id));
    let state = match (
        sas.iter().any(|sa| sa.active),
        children.iter().any(|c| c.active),
    ) {
        (true, true) => "UP-ACTIVE",
        (true, false) => "UP-IDLE",
        (false, _) => "DOWN-NEGOTIATING",
    };
    let _ = writeln!(
        out,
        "\nSession-id:{}, Status:{state}, IKE count:{}, CHILD count:{}\n",
        sas.first().map_or(0, |sa| sa.conn_id),
        sas.len(),
        children.len()
    );
    let _ = writeln!(
        out,
        "{:9} {:51} {:55} {:14} Role",
        "Tunnel-id", "Local", "Remote", "Status"
    );
    for sa in sas {
        write_ike(out, sa);
    }
    for child in children {
        write_child(out, child);
    }
}

fn write_ike(out: &mut String, sa: &IkeStatus) {
    let end = |(address, port): (std::net::IpAddr, u16)| format!("{address}/{port}");
    let _ = writeln!(
        out,
        "{:>9} {:51} {:55} {:>8} {:>12}",
        sa.conn_id,
        end(sa.local),
        end(sa.remote),
        sa.state,
        if sa.initiator {
            "INITIATOR"
        } else {
            "RESPONDER"
        },
    );
    let (Some(left), Some(up_for)) = (sa.lifetime, sa.up_for) else {
        return;
    };
    let _ = writeln!(
        out,
        "      Encr: {}, keysize: {}, Hash: {}, DH Grp:{}, Auth sign: {}, Auth verify: {}",
        sa.encryption, sa.keysize, sa.hash, sa.group, sa.authentication, sa.verified
    );
    let _ = writeln!(
        out,
        "      Life/Active Time: {}/{up_for} sec",
        left.saturating_add(up_for)
    );
    let _ = match &sa.claimed {
        None => writeln!(out, "      Remote id: {}", sa.identity),
        Some(claimed) => writeln!(
            out,
            "      Remote id: {claimed} (claimed), EAP user: {}",
            sa.identity
        ),
    };
}

fn write_child(out: &mut String, c: &ChildStatus) {
    let range = |r: &Range| {
        let protocol = match r.protocol {
            0 => String::new(),
            n => format!(" protocol {n}"),
        };
        format!(
            "{}/{} - {}/{}{protocol}",
            r.first.0, r.first.1, r.last.0, r.last.1
        )
    };
    let mut label = "Child sa: local selector  ";
    for r in &c.local_selectors {
        let _ = writeln!(out, "{label}{}", range(r));
        label = "          local selector  ";
    }
    for r in &c.remote_selectors {
        let _ = writeln!(out, "          remote selector {}", range(r));
    }
    let _ = writeln!(
        out,
        "          ESP spi in/out: 0x{:08x}/0x{:08x}",
        c.inbound.spi, c.outbound.spi
    );
}

#[cfg(test)]
mod tests;
