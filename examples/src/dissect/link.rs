//! From the octets of a frame to its IP packet.

use pcap_file::DataLink;

use super::input::Link;

/// EtherType of IPv4.
pub(super) const IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub(super) const IPV6: u16 = 0x86dd;
const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];

/// Cisco MetaData: the EtherType of what follows, version, number of options of four octets.
const CISCO_METADATA: u16 = 0x8909;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// A network packet behind its EtherType.
    Network(u16, &'a [u8]),
    /// Hex text with nothing around the message.
    Isakmp(&'a [u8]),
    /// Nothing this program looks into.
    Other,
}

/// Strips the link layer.
pub(super) fn content(link: Link, data: &[u8]) -> Content<'_> {
    match link {
        Link::Captured(DataLink::ETHERNET) => ethernet(data),
        Link::Captured(DataLink::RAW | DataLink::IPV4 | DataLink::IPV6) => by_version(data),
        Link::Captured(DataLink::NULL) => null(data, u32::from_le_bytes),
        Link::Captured(DataLink::LOOP) => null(data, u32::from_be_bytes),
        // https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html: the EtherType is at 14.
        Link::Captured(DataLink::LINUX_SLL) => match data.split_first_chunk::<16>() {
            Some((&[.., a, b], rest)) => network(u16::from_be_bytes([a, b]), rest),
            None => Content::Other,
        },
        // LINKTYPE_LINUX_SLL2: the EtherType comes first, the header has 20 octets.
        Link::Captured(DataLink::LINUX_SLL2) => match data.split_first_chunk::<20>() {
            Some((&[a, b, ..], rest)) => network(u16::from_be_bytes([a, b]), rest),
            None => Content::Other,
        },
        Link::Captured(_) => Content::Other,
        Link::Unknown => guess(data),
    }
}

/// DIX Ethernet with any number of VLAN tags up to four.
pub(super) fn ethernet(data: &[u8]) -> Content<'_> {
    match data.split_first_chunk::<14>() {
        Some((&[.., a, b], rest)) => network(u16::from_be_bytes([a, b]), rest),
        None => Content::Other,
    }
}

/// A network packet behind any number of tags up to four.
pub(super) fn network(mut ether_type: u16, mut data: &[u8]) -> Content<'_> {
    for _ in 0..4 {
        if ether_type == CISCO_METADATA {
            let Some((&[a, b, _, options], rest)) = data.split_first_chunk::<4>() else {
                return Content::Other;
            };
            let Some(rest) = rest.get(usize::from(options).saturating_mul(4)..) else {
                return Content::Other;
            };
            ether_type = u16::from_be_bytes([a, b]);
            data = rest;
            continue;
        }
        if !VLAN.contains(&ether_type) {
            break;
        }
        let Some((&[_, _, a, b], rest)) = data.split_first_chunk::<4>() else {
            return Content::Other;
        };
        ether_type = u16::from_be_bytes([a, b]);
        data = rest;
    }
    Content::Network(ether_type, data)
}

fn by_version(data: &[u8]) -> Content<'_> {
    match data.first().map(|octet| octet >> 4) {
        Some(4) => Content::Network(IPV4, data),
        Some(6) => Content::Network(IPV6, data),
        _ => Content::Other,
    }
}

/// The address family of BSD loopback, in the byte order of the machine that captured.
fn null(data: &[u8], order: fn([u8; 4]) -> u32) -> Content<'_> {
    let Some((family, rest)) = data.split_first_chunk::<4>() else {
        return Content::Other;
    };
    let family = order(*family);
    match family.min(family.swap_bytes()) {
        2 => Content::Network(IPV4, rest),
        10 | 24 | 28 | 30 => Content::Network(IPV6, rest),
        _ => Content::Other,
    }
}

/// Hex text says nothing about its link: an ISAKMP header is told by version and length.
fn guess(data: &[u8]) -> Content<'_> {
    let bare = data.strip_prefix(&[0, 0, 0, 0]).unwrap_or(data);
    let version = bare.get(17).copied().unwrap_or(0);
    let length = bare
        .get(24..28)
        .and_then(|length| <[u8; 4]>::try_from(length).ok());
    let length = length.map_or(0, u32::from_be_bytes);
    let fits = usize::try_from(length).is_ok_and(|length| length == bare.len());
    if fits || (matches!(version, 0x10 | 0x20) && data.get(12..14) != Some(&[8, 0])) {
        return Content::Isakmp(bare);
    }
    match by_version(data) {
        Content::Network(IPV4, packet) if packet.first().is_some_and(|octet| octet & 15 >= 5) => {
            Content::Network(IPV4, packet)
        }
        Content::Network(IPV6, packet) => Content::Network(IPV6, packet),
        _ => ethernet(data),
    }
}

#[cfg(test)]
mod tests;
