//! The Protocol Type field (RFC 2784 §2.4): an EtherType, or one of the older numbers of RFC 1701.

use core::fmt;

/// What the payload of a GRE packet is. Any value is representable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EtherType(pub u16);

macro_rules! ether_types {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        impl EtherType {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// The usual name, if the value is a known one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

ether_types! {
    /// Payload of a GRE keepalive's inner packet; reserved as an EtherType.
    RESERVED_0 = 0x0000, "keepalive or reserved";
    /// IBM's Systems Network Architecture (RFC 1701).
    SNA = 0x0004, "SNA";
    /// OSI network layer (RFC 1701).
    OSI = 0x00fe, "OSI";
    /// IPv4 (RFC 2784 §3).
    IPV4 = 0x0800, "IPv4";
    /// ARP, and the marker of an ARP frame carried whole.
    ARP = 0x0806, "ARP";
    /// Frame Relay ARP (RFC 1701).
    FRAME_RELAY_ARP = 0x0808, "Frame Relay ARP";
    /// Banyan VINES, a network layer (RFC 1701).
    VINES = 0x0bad, "VINES";
    /// Cisco discovery protocol inside GRE.
    CDP = 0x2000, "CDP";
    /// NHRP (RFC 2332 §5.2).
    NHRP = 0x2001, "NHRP";
    /// A mirrored frame behind an ERSPAN type III header.
    ERSPAN_III = 0x22eb, "ERSPAN type III";
    /// DECnet phase IV (RFC 1701).
    DECNET = 0x6003, "DECnet";
    /// Transparent Ethernet bridging: a whole Ethernet frame (RFC 7637 §3.2).
    TRANSPARENT_ETHERNET = 0x6558, "transparent Ethernet";
    /// A Frame Relay frame carried whole.
    RAW_FRAME_RELAY = 0x6559, "raw Frame Relay";
    /// AppleTalk, "Ethertalk" in RFC 1701.
    APPLETALK = 0x809b, "AppleTalk";
    /// An Ethernet payload behind an IEEE 802.1Q tag.
    VLAN = 0x8100, "802.1Q";
    /// Novell IPX (RFC 1701).
    IPX = 0x8137, "IPX";
    /// RFC 1144 TCP/IP compression (RFC 1701).
    TCP_IP_COMPRESSION = 0x876b, "TCP/IP compression";
    /// Autonomous systems (RFC 1701).
    IP_AUTONOMOUS_SYSTEMS = 0x876c, "IP autonomous systems";
    /// Secure data (RFC 1701).
    SECURE_DATA = 0x876d, "secure data";
    /// PPP, the payload of PPTP's enhanced GRE (RFC 2637 §4.1).
    PPP = 0x880b, "PPP";
    /// A packet that a router has redirected to a cache by WCCP.
    WCCP = 0x883e, "WCCP";
    /// An MPLS label stack for unicast.
    MPLS = 0x8847, "MPLS";
    /// MPLS with upstream-assigned label.
    MPLS_UPSTREAM = 0x8848, "MPLS upstream-assigned";
    /// A packet of the PPPoE session stage (RFC 2516 §4).
    PPPOE_SESSION = 0x8864, "PPPoE session";
    /// IPv6 (RFC 7676 §3.1).
    IPV6 = 0x86dd, "IPv6";
    /// ERSPAN type I and II.
    ERSPAN = 0x88be, "ERSPAN";
    /// A frame protected by IEEE 802.1AE (MACsec).
    MACSEC = 0x88e5, "MACsec";
    /// Cisco MetaData (TrustSec SGT).
    CISCO_METADATA = 0x8909, "Cisco MetaData";
    /// Network service header (RFC 8300).
    NSH = 0x894f, "NSH";
    /// Reserved by RFC 1701: no payload has it.
    RESERVED = 0xffff, "reserved";
}

impl fmt::Debug for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (0x{:04x})", self.0),
            None => write!(f, "0x{:04x}", self.0),
        }
    }
}
