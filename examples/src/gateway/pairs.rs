//! Pairs of IPsec SAs in the words of the tables, and the networks that they cover.

use super::status::{ChildStatus, FittingStatus, Ident, Range, SaStatus};
use ike_sm::{Mode, Selector};
use ipsec::PairStatus;
use std::{net::IpAddr, time::Duration};

/// What the tables show of a pair.
#[must_use]
pub fn status(pair: &PairStatus, now: Duration) -> ChildStatus {
    let (i, o) = (&pair.inbound, &pair.outbound);
    let age = now.saturating_sub(pair.installed);
    let bytes = i.bytes.max(o.bytes);
    ChildStatus {
        conn_id: pair.id.number(),
        ike: pair.ike.number(),
        local_selectors: pair.local.iter().map(range).collect(),
        remote_selectors: pair.remote.iter().map(range).collect(),
        name: pair.name.clone(),
        peer: pair.peer.clone(),
        local: (pair.path.local.ip(), pair.path.local.port()),
        remote: (pair.path.remote.ip(), pair.path.remote.port()),
        local_ident: ident(pair.local.first()),
        remote_ident: ident(pair.remote.first()),
        mode: if pair.mode == Mode::Tunnel {
            "Tunnel"
        } else {
            "Transport"
        }
        .into(),
        udp: pair.udp,
        transform: super::words::transform(pair.suite),
        iv: pair.suite.iv_len(),
        esn: pair.esn,
        pfs: None,
        inbound: SaStatus {
            spi: pair.spi_in.value(),
            packets: i.packets,
            bytes: i.bytes,
            errors: i.malformed
                + i.replayed
                + i.too_old
                + i.authentication
                + i.inner
                + i.selectors
                + i.ecn
                + i.expired,
        },
        outbound: SaStatus {
            spi: pair.spi_out.value(),
            packets: o.packets,
            bytes: o.bytes,
            errors: o.errors,
        },
        active: pair.active,
        path_mtu: pair.path_mtu,
        media_mtu: pair.link_mtu,
        overhead: (pair.overhead.bound(), pair.overhead.fixed()),
        fitting: FittingStatus {
            fragmented: pair.fitting.fragmented,
            fragments: pair.fitting.fragments,
            answered: pair.fitting.too_big,
            told: pair.fitting.told,
        },
        lifetime: pair
            .lifetime
            .hard
            .map(|hard| hard.saturating_sub(age).as_secs()),
        kilobytes: pair
            .lifetime
            .hard_bytes
            .map(|hard| hard.saturating_sub(bytes) / 1024),
        replay_window: pair.replay_window,
        replay_bitmap: pair.replay_bitmap,
    }
}

fn range(s: &Selector) -> Range {
    Range {
        first: (s.start(), s.ports.0),
        last: (s.end(), s.ports.1),
        protocol: s.protocol,
    }
}

fn ident(s: &Selector) -> Ident {
    let mask = s
        .prefix_len()
        .and_then(|len| ipnet::IpNet::new(s.start(), len).ok());
    Ident {
        address: s.start(),
        mask: mask.map_or(s.end(), |net| net.netmask()),
        protocol: s.protocol,
        port: if s.ports.0 == s.ports.1 { s.ports.0 } else { 0 },
    }
}

/// The networks that `s` covers.
#[must_use]
pub fn networks(s: &Selector) -> Vec<ipnet::IpNet> {
    match (s.start(), s.end()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => ipnet::Ipv4Subnets::new(a, b, 0)
            .map(ipnet::IpNet::V4)
            .collect(),
        (IpAddr::V6(a), IpAddr::V6(b)) => ipnet::Ipv6Subnets::new(a, b, 0)
            .map(ipnet::IpNet::V6)
            .collect(),
        _ => Vec::new(),
    }
}
