//! What both machines are told.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crypto_suite::Secret;
use esp::DontFragment;
use ike_sm::config::{ChildConfig, IkeVersion, PeerConfig, Ports, Prefix, PskOwner};
use ike_sm::{Selector, Selectors};

/// The configuration of [`Tunnels`](crate::Tunnels).
///
/// [`site_to_site`](Self::site_to_site) is a start for two gateways. Anything else starts from
/// [`ike_sm::config`], whose [`Config`](ike_sm::config::Config) turns into this one.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Config {
    /// Peers, keys and policies of IKE.
    pub ike: ike_sm::config::Config,
    /// The data plane.
    pub data: DataConfig,
    /// What is decided of inner packets before the peers' children are asked, in order.
    pub exceptions: Vec<Exception>,
}

impl From<ike_sm::config::Config> for Config {
    fn from(ike: ike_sm::config::Config) -> Self {
        Self {
            ike,
            ..Self::default()
        }
    }
}

/// One end of a tunnel between two sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// Its outer address.
    pub address: IpAddr,
    /// Its UDP ports.
    pub ports: Ports,
    /// What it protects.
    pub network: Selector,
}

impl Site {
    /// A site at UDP 500 and 4500 of `address`.
    #[must_use]
    pub fn new(address: impl Into<IpAddr>, network: Selector) -> Self {
        Self {
            address: address.into(),
            ports: Ports::default(),
            network,
        }
    }

    /// A site whose socket for NAT traversal is at another port than 4500; that of IKE stays at 500.
    #[must_use]
    pub fn at(nat_t: SocketAddr, network: Selector) -> Self {
        let mut site = Self::new(nat_t.ip(), network);
        site.ports.nat_t = nat_t.port();
        site
    }

    /// The same site with both sockets at other ports: that of IKE, and that of NAT traversal.
    ///
    /// ```
    /// # use ipsec::{Selector, Site};
    /// let network = Selector::subnet([10, 1, 0, 0].into(), 16).unwrap();
    /// let site = Site::new([192, 0, 2, 1], network).with_ports(10500, 14500);
    /// assert_eq!((site.ports.ike, site.ports.nat_t), (10500, 14500));
    /// ```
    #[must_use]
    pub const fn with_ports(mut self, ike: u16, nat_t: u16) -> Self {
        self.ports.ike = ike;
        self.ports.nat_t = nat_t;
        self
    }
}

impl Config {
    /// IKEv2 and a pre-shared key between two sites: a peer with a child, both of this name. ESP goes
    /// in UDP, so that no raw socket is needed, and IKE begins on the same port: one UDP socket
    /// suffices where the other site does not begin on port 500. Each end is known by its address.
    ///
    /// All fields can be changed afterwards, those of the only peer as `config.ike.peers[0]`:
    ///
    /// ```
    /// use core::time::Duration;
    /// use ipsec::ike_sm::config::{ChildConfig, Dpd, DpdTimes, Identity, IkeVersion, RemoteIdentity};
    /// use ipsec::{Config, Selector, Site, Tunnels, crypto_suite};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let net = |n| Selector::subnet([10, n, 0, 0].into(), 16).ok_or("prefix");
    /// # let (own, other) = (Site::new([192, 0, 2, 1], net(1)?), Site::new([192, 0, 2, 2], net(2)?));
    /// let mut config = Config::site_to_site("hub", own, other, &b"a long random string"[..]);
    /// let hub = &mut config.ike.peers[0];
    /// hub.version = IkeVersion::V1; // for a peer that speaks nothing else
    /// hub.remote_id = RemoteIdentity::Is(Identity::Fqdn("hub.example".into()));
    /// let (idle, retry) = (Duration::from_secs(10), Duration::from_secs(2));
    /// hub.dpd = Dpd::Periodic(DpdTimes { idle, retry, tries: 5 });
    /// hub.children.push(ChildConfig::new("second", net(3)?, net(4)?));
    /// let tunnels = Tunnels::new(config, &crypto_suite::DEFAULT)?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn site_to_site(name: &str, own: Site, other: Site, secret: impl Into<Secret>) -> Self {
        let mut peer = PeerConfig::new(name);
        peer.version = IkeVersion::V2;
        peer.addresses.push(other.address);
        peer.ports = other.ports;
        peer.local_address = Some(own.address);
        peer.nat_traversal.force = true;
        peer.nat_traversal.from_start = true;
        let child = ChildConfig::new(name, own.network, other.network);
        peer.children.push(child);
        let mut config = Self::default();
        config.ike.ports = own.ports;
        config.ike.peers.push(peer);
        let owner = PskOwner::Prefix(Prefix::host(other.address));
        config.ike.psks.insert(owner, secret.into());
        config
    }
}

/// Packets that no pair of IPsec SAs is for (RFC 4301 §4.4.1).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Exception {
    /// Our side of the traffic.
    pub local: Selectors,
    /// The far side of the traffic.
    pub remote: Selectors,
    /// Whether such packets pass as they are (BYPASS) or not at all (DISCARD).
    pub bypass: bool,
}

impl Exception {
    /// Packets between `local` and `remote` pass as they are.
    #[must_use]
    pub fn bypass(local: impl Into<Selectors>, remote: impl Into<Selectors>) -> Self {
        let (local, remote) = (local.into(), remote.into());
        Self {
            local,
            remote,
            bypass: true,
        }
    }

    /// Packets between `local` and `remote` are dropped.
    #[must_use]
    pub fn discard(local: impl Into<Selectors>, remote: impl Into<Selectors>) -> Self {
        let (local, remote) = (local.into(), remote.into());
        Self {
            local,
            remote,
            bypass: false,
        }
    }
}

/// One entry of the security policy database of a data plane (RFC 4301 §4.4.1), which reads it
/// from the first to the last.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    /// Our side of the traffic.
    pub local: Selectors,
    /// The far side of the traffic.
    pub remote: Selectors,
    /// What is done with packets that match.
    pub action: PolicyAction,
}

impl Policy {
    /// What is done with packets between `local` and `remote`.
    #[must_use]
    pub const fn new(local: Selectors, remote: Selectors, action: PolicyAction) -> Self {
        Self {
            local,
            remote,
            action,
        }
    }
}

impl Policy {
    /// Puts the policies with the narrowest far side first, so that a network within another one is
    /// found before it. Policies that are alike stay in their order.
    pub fn narrowest_first(policies: &mut [Self]) {
        policies.sort_by_key(|policy| width(&policy.remote));
    }
}

/// How many addresses the widest of these selectors has, less one.
pub(crate) fn width(side: &Selectors) -> u128 {
    side.iter().map(addresses).max().unwrap_or(0)
}

/// How many addresses a selector has, less one.
pub(crate) fn addresses(selector: &Selector) -> u128 {
    match (selector.start(), selector.end()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            u128::from(last.to_bits().saturating_sub(first.to_bits()))
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => last.to_bits().saturating_sub(first.to_bits()),
        _ => 0,
    }
}

impl From<Exception> for Policy {
    fn from(exception: Exception) -> Self {
        let action = if exception.bypass {
            PolicyAction::Bypass
        } else {
            PolicyAction::Discard
        };
        Self::new(exception.local, exception.remote, action)
    }
}

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The part that is about IKE has a fault.
    #[error(transparent)]
    Ike(#[from] ike_sm::config::ConfigError),
    /// An exception has a selector that no packet can match.
    #[error("exception {index}: no packet matches {selector}")]
    Exception {
        /// Its place in [`Config::exceptions`].
        index: usize,
        /// The selector.
        selector: Selector,
    },
}

/// Whether there are packets that a selector matches.
pub(crate) const fn can_match(selector: &Selector) -> bool {
    esp::Ports::from_wire(selector.ports.0, selector.ports.1).is_some()
}

/// What a policy does with its packets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyAction {
    /// They go through a pair of IPsec SAs with this peer, and with no other: of those that cover them
    /// the one with the narrowest selectors. Where a policy with the same selectors follows, its peer's
    /// pairs serve too, as long as this peer has none.
    Protect {
        /// The peer's name in the configuration.
        peer: String,
        /// The child's name in the configuration, which is asked for when there is no pair.
        child: String,
        /// A packet that finds no pair of IPsec SAs asks for one and waits for it. Otherwise it is
        /// dropped, and the peer or a command has to begin.
        on_demand: bool,
    },
    /// They pass as they are.
    Bypass,
    /// They are dropped.
    Discard,
}

/// The configuration of a data plane.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DataConfig {
    /// Anti-replay window in packets, 64 to 8192; 1024 by default.
    pub replay_window: u32,
    /// Don't Fragment of the outer header (RFC 4301 §8.1).
    pub dont_fragment: DontFragment,
    /// MTU in octets of the links that packets leave on, unless
    /// [`DataPlane::set_link_mtu`](crate::DataPlane::set_link_mtu) says otherwise of one.
    pub link_mtu: u16,
    /// Most octets of an inner packet, however much the path takes: the MTU of the inner interface.
    pub inner_mtu: Option<u16>,
    /// Lower the MSS that TCP announces to what fits the tunnel, in both directions.
    pub clamp_mss: bool,
    /// Packets that wait for a pair of IPsec SAs.
    pub hold: HoldLimits,
    /// Shortest time between two reports of what passed.
    pub traffic_interval: Duration,
    /// Time between two requests for the same policy's pair of IPsec SAs.
    pub acquire_interval: Duration,
    /// How long after the last message of quick mode, ours, the first packet leaves. Some responders
    /// install their half only after they have worked on that message (strongSwan does so in another
    /// thread) and drop what comes before.
    pub settle: Duration,
    /// How long a deleted pair whose place another has taken still takes packets in: the peer sent
    /// them before it knew.
    pub linger: Duration,
    /// Most pairs of IPsec SAs.
    pub max_pairs: usize,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            replay_window: 1024,
            dont_fragment: DontFragment::Copy,
            link_mtu: 1500,
            inner_mtu: None,
            clamp_mss: true,
            hold: HoldLimits::default(),
            traffic_interval: Duration::from_millis(100),
            acquire_interval: Duration::from_secs(1),
            settle: Duration::from_millis(50),
            linger: Duration::from_secs(1),
            max_pairs: 200_000,
        }
    }
}

/// Bounds of the packets that wait for a pair of IPsec SAs. The oldest makes room for the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HoldLimits {
    /// Most packets of all policies together; 0 keeps none.
    pub packets: usize,
    /// Longest stay of one.
    pub time: Duration,
}

impl Default for HoldLimits {
    fn default() -> Self {
        Self {
            packets: 64,
            time: Duration::from_secs(30),
        }
    }
}
