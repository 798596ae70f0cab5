//! What both machines are told.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use esp::DontFragment;
use ike_sm::Selectors;

/// The configuration of [`Tunnels`](crate::Tunnels).
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

/// What a policy does with its packets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyAction {
    /// They go through the child of this name of this peer.
    Protect {
        /// The peer's name in the configuration.
        peer: String,
        /// The child's name in the configuration.
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
