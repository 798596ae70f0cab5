//! Frames that tell the link who answers for the addresses now: gratuitous ARP (RFC 9568 §6.4.1,
//! RFC 826) and unsolicited Neighbor Advertisements (RFC 9568 §6.4.1, RFC 4861 §4.4).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::checksum::Sum;
use crate::encode::put;
use crate::frame::{ETHERNET_LEN, ethernet, ip_header};
use crate::{EncodeError, Family, MacAddr};

const ARP_LEN: usize = 28;
const NA_LEN: usize = 32;
const PROTOCOL_ICMPV6: u8 = 58;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// One address announced at one link-layer address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// The address of the virtual router that is announced.
    pub address: IpAddr,
    /// The MAC address at which the address is reached: the virtual router's, or the interface's
    /// own if the embedder runs without virtual MACs.
    pub mac: MacAddr,
}

impl Announcement {
    /// Octets of the longest frame: 14 + 40 + 32.
    pub const MAX_LEN: usize = 86;

    /// Octets of the Ethernet frame: 42 or 86.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.address {
            IpAddr::V4(_) => 42,
            IpAddr::V6(_) => 86,
        }
    }

    /// Never: there is always a frame.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Writes the Ethernet frame to the start of `out`; gives back its length.
    ///
    /// # Errors
    /// [`EncodeError::Output`]; `out` is unchanged then.
    pub fn write_frame(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let needed = self.len();
        let available = out.len();
        let whole = out
            .get_mut(..needed)
            .ok_or(EncodeError::Output { needed, available })?;
        let (header, body) = whole.split_at_mut(ETHERNET_LEN);
        match self.address {
            IpAddr::V4(address) => {
                ethernet(header, MacAddr::BROADCAST, self.mac, Family::V4);
                let mut at = 12;
                put(header, &mut at, &[0x08, 0x06]);
                self.arp(body, address);
            }
            IpAddr::V6(address) => {
                ethernet(header, MacAddr::ALL_NODES, self.mac, Family::V6);
                self.neighbor_advertisement(body, address);
            }
        }
        Ok(needed)
    }

    /// RFC 5227 §3: an ARP announcement is a request with sender and target protocol address the
    /// same. RFC 9568 §6.4.1: the target link-layer address is the virtual router MAC, too.
    fn arp(&self, out: &mut [u8], address: Ipv4Addr) {
        debug_assert_eq!(out.len(), ARP_LEN);
        let mut at = 0;
        put(out, &mut at, &[0, 1, 0x08, 0x00, 6, 4, 0, 1]);
        for _ in 0..2 {
            put(out, &mut at, &self.mac.0);
            put(out, &mut at, &address.octets());
        }
    }

    /// RFC 4861 §4.4 with the flags of RFC 9568 §6.4.1: R set, S clear, O set; one option, the
    /// target link-layer address. The source is the address announced.
    fn neighbor_advertisement(&self, out: &mut [u8], address: Ipv6Addr) {
        let (header, body) = out.split_at_mut(40);
        debug_assert_eq!(body.len(), NA_LEN);
        let mut at = 0;
        put(body, &mut at, &[136, 0, 0, 0, 0xa0, 0, 0, 0]);
        put(body, &mut at, &address.octets());
        put(body, &mut at, &[2, 1]);
        put(body, &mut at, &self.mac.0);
        // RFC 4443 §2.3: the pseudo-header with Next Header 58.
        let len = NA_LEN.to_be_bytes();
        let sum = Sum::ZERO
            .octets(body)
            .octets(&address.octets())
            .octets(&ALL_NODES.octets())
            .octets(&len)
            .octets(&[0, PROTOCOL_ICMPV6]);
        let mut at = 2;
        put(body, &mut at, &sum.finish().to_be_bytes());
        ip_header(
            header,
            address.into(),
            ALL_NODES.into(),
            PROTOCOL_ICMPV6,
            NA_LEN,
        );
    }
}
