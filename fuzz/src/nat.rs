//! NAT traversal: what a datagram on UDP 4500 is, and the pass-through table of a router.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use nat_t::{Datagram, Pat, PatConfig};

use super::Feed;

/// Every datagram is one of four things, and nothing of it is lost.
pub fn classify(data: &[u8]) {
    match nat_t::classify(data) {
        Datagram::Ike(message) => assert_eq!(data.len(), message.len() + nat_t::MARKER_LEN),
        Datagram::Esp(packet) => {
            assert_eq!(packet, data);
            assert!(nat_t::esp_spi(packet).is_some_and(|spi| spi != 0));
        }
        Datagram::Keepalive => assert_eq!(data, nat_t::KEEPALIVE),
        other => drop(format!("{other:?}")),
    }
}

/// The restricted table: bounded, and a bound SPI leads to one host.
pub fn pat(data: &[u8]) {
    let mut feed = Feed(data);
    let mut pat = Pat::new(PatConfig::default());
    let mut now = Duration::ZERO;
    let host = |octet: u8| IpAddr::V4(Ipv4Addr::new(10, 0, 0, octet & 3));
    let peer = |octet: u8| IpAddr::V4(Ipv4Addr::new(192, 0, 2, octet & 1));
    while let Some([kind, who, spi, wait]) = feed.array() {
        now += Duration::from_secs(u64::from(wait));
        let spi = u32::from(spi) + 0x100;
        match kind & 3 {
            0 => drop(pat.esp_outbound(host(who), peer(who >> 4), spi, now)),
            1 => {
                if let Ok(first) = pat.esp_inbound(peer(who >> 4), spi, now) {
                    let second = pat.esp_inbound(peer(who >> 4), spi, now);
                    assert!(second.is_ok(), "{first:?} was bound, then {second:?}");
                }
            }
            2 => drop(pat.ike_outbound(host(who), peer(who >> 4), [spi as u8; 8], now)),
            _ => drop(pat.ike_inbound(peer(who >> 4), [spi as u8; 8], now)),
        }
        pat.handle(now);
        assert!(
            pat.next_deadline().is_none_or(|deadline| deadline.at > now),
            "an entry outlived its time"
        );
    }
}
