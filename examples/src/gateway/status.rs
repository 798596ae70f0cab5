//! What the gateway shows of itself: one structured status, and the tables the field knows it by.

mod sessions;
mod tables;

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

pub use sessions::ikev2_sa;
pub use tables::{gre, ipsec_sa, isakmp_sa, isakmp_sa_detail, summary};

/// Everything at one moment. Times are seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The gateway's name.
    pub name: String,
    /// Seconds since it started.
    pub uptime: u64,
    /// IKE SAs.
    pub ike: Vec<IkeStatus>,
    /// Pairs of IPsec SAs.
    pub children: Vec<ChildStatus>,
    /// Tunnels of the configuration: name, and whether an SA is up.
    pub tunnels: Vec<TunnelStatus>,
    /// GRE tunnels.
    #[serde(default)]
    pub gre: Vec<crate::gre::status::TunnelStatus>,
    /// Routes in place, as text.
    pub routes: Vec<String>,
    /// What was refused or lost, by reason.
    pub counters: Vec<Counter>,
}

/// A number with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// What is counted.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// One tunnel of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunnelStatus {
    /// Its name.
    pub name: String,
    /// The peer's name.
    pub peer: String,
    /// Local and remote selector.
    pub selectors: [String; 2],
    /// Whether packets can cross it.
    pub up: bool,
    /// Packets that matched it.
    pub hits: u64,
}

/// One IKE SA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IkeStatus {
    /// Its number in tables.
    pub conn_id: u64,
    /// The peer's name.
    pub peer: String,
    /// 1 or 2.
    pub version: u8,
    /// Our end.
    pub local: (IpAddr, u16),
    /// The peer's end.
    pub remote: (IpAddr, u16),
    /// The field's name of the state, such as `QM_IDLE`.
    pub state: String,
    /// Whether it is of use, or on its way out.
    pub active: bool,
    /// Whether we began.
    pub initiator: bool,
    /// The cipher.
    pub encryption: String,
    /// Bits of its key.
    pub keysize: u16,
    /// The hash.
    pub hash: String,
    /// The authentication: ours and, in IKEv2, the peer's.
    pub authentication: String,
    /// The peer's authentication.
    pub verified: String,
    /// Who the peer has proved to be: after EAP the user.
    pub identity: String,
    /// After EAP, who the peer claims to be in its Identification payload: nothing proves it.
    #[serde(default)]
    pub claimed: Option<String>,
    /// The group's number.
    pub group: u16,
    /// Remaining lifetime.
    pub lifetime: Option<u64>,
    /// Time since it is up.
    pub up_for: Option<u64>,
    /// Capabilities: C, D, K, N, X.
    pub capabilities: String,
}

/// One pair of IPsec SAs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildStatus {
    /// Its number in tables.
    pub conn_id: u64,
    /// The number of its IKE SA.
    pub ike: u64,
    /// The tunnel's name.
    pub name: String,
    /// The peer's name.
    pub peer: String,
    /// Our end.
    pub local: (IpAddr, u16),
    /// The peer's end.
    pub remote: (IpAddr, u16),
    /// Our selector: first address, mask or last address, protocol, port.
    pub local_ident: Ident,
    /// The peer's selector.
    pub remote_ident: Ident,
    /// All our selectors.
    pub local_selectors: Vec<Range>,
    /// All the peer's selectors.
    pub remote_selectors: Vec<Range>,
    /// `Tunnel` or `Transport`.
    pub mode: String,
    /// Encapsulated in UDP.
    pub udp: bool,
    /// Words of the transform set, such as `esp-aes esp-sha-hmac`.
    pub transform: String,
    /// Octets of an IV.
    pub iv: usize,
    /// Extended sequence numbers.
    pub esn: bool,
    /// PFS group's number.
    pub pfs: Option<u16>,
    /// Inbound SA.
    pub inbound: SaStatus,
    /// Outbound SA.
    pub outbound: SaStatus,
    /// Whether packets are sent through it.
    pub active: bool,
    /// Path MTU of the outer path.
    pub path_mtu: u16,
    /// MTU of the link that the path begins with.
    pub media_mtu: u16,
    /// What did not fit the path.
    pub fitting: FittingStatus,
    /// Greatest and least overhead per packet.
    pub overhead: (usize, usize),
    /// Remaining lifetime.
    pub lifetime: Option<u64>,
    /// Remaining volume.
    pub kilobytes: Option<u64>,
    /// Replay window, packets.
    pub replay_window: u32,
    /// The last 64 positions of the replay window, newest in bit 0.
    pub replay_bitmap: u64,
}

/// Packets that did not fit the outer path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FittingStatus {
    /// Packets that were fragmented before encryption.
    pub fragmented: u64,
    /// The fragments made of them.
    pub fragments: u64,
    /// Packets whose source was told what fits.
    pub answered: u64,
    /// Messages of routers that a packet of ours was too big.
    pub told: u64,
}

/// A selector in the field's form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ident {
    /// First address.
    pub address: IpAddr,
    /// Its mask, or the last address of a range.
    pub mask: IpAddr,
    /// Protocol; 0 is any.
    pub protocol: u8,
    /// Port; 0 is any.
    pub port: u16,
}

/// A selector as a range: first and last address, each with its port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// First address and port.
    pub first: (IpAddr, u16),
    /// Last address and port.
    pub last: (IpAddr, u16),
    /// Protocol; 0 is any.
    pub protocol: u8,
}

/// One direction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaStatus {
    /// The SPI.
    pub spi: u32,
    /// Packets that passed.
    pub packets: u64,
    /// Octets that passed, inside.
    pub bytes: u64,
    /// Packets that were refused.
    pub errors: u64,
}
