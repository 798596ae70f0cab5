//! Peers: whom to talk to, as whom, and with what patience.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::child::ChildConfig;
use super::lifetime::RekeyMargin;
use super::phase1::Phase1Policy;
use super::ports::Ports;
use super::prefix::Prefix;
use super::v2::{AddressOptions, AuthOptions, V2Options};
use crate::model::{IdPort, Identity, IkeVersion, Path, RemoteIdentity};

/// A peer, or a group of peers with one configuration.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PeerConfig {
    /// Name, unique.
    pub name: String,
    /// The version of IKE that is spoken with it: the peer's messages of the other one are dropped.
    pub version: IkeVersion,
    /// Addresses to try, in this order, as initiator: the next one when one is dead. As responder
    /// the peer may come from any of them.
    pub addresses: Vec<IpAddr>,
    /// Networks that the peer may come from as well, when it is the initiator. The longest prefix
    /// of all peers decides who it is.
    pub networks: Vec<Prefix>,
    /// The ports that the peer listens on.
    pub ports: Ports,
    /// Our address towards this peer; `None` leaves it to the embedder's path.
    pub local_address: Option<IpAddr>,
    /// Who we say we are; `None` is our address.
    pub local_id: Option<Identity>,
    /// Whom the peer may say it is. After EAP an identity that is named here has to be the user's
    /// too, unless [`AuthOptions::users`](super::v2::AuthOptions::users) says otherwise.
    pub remote_id: RemoteIdentity,
    /// Protocol and port of our identity.
    pub id_port: IdPort,
    /// Phase 1 mode.
    pub mode: Phase1Mode,
    /// Phase 1 policies of this peer; empty: those of the [`Config`](super::Config).
    pub policies: Vec<Phase1Policy>,
    /// NAT traversal.
    pub nat_traversal: NatTraversal,
    /// Liveness.
    pub dpd: Dpd,
    /// Retransmission of what we initiate.
    pub retransmit: Retransmit,
    /// When to rekey phase 1.
    pub margin: RekeyMargin,
    /// Tell the peer to forget older SAs with the first SA to it (RFC 2407 §4.6.3.3); never with
    /// [`Uniqueness::Never`].
    pub initial_contact: bool,
    /// How many devices may prove the same identity of this peer at a time.
    pub unique: Uniqueness,
    /// Start the children without waiting for traffic or a command, and again when they end.
    pub keep_up: bool,
    /// How both ends prove who they are. IKEv1 knows pre-shared keys and signatures, the same on both
    /// sides, and the policies have to say so too.
    pub auth: AuthOptions,
    /// IKEv2: addresses inside the tunnel.
    pub addresses_inside: AddressOptions,
    /// What IKEv2 alone knows.
    pub v2: V2Options,
    /// Child SAs.
    pub children: Vec<ChildConfig>,
}

impl PeerConfig {
    /// A peer with the defaults of every field and no child. IKEv2 is spoken with it.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: IkeVersion::default(),
            addresses: Vec::new(),
            networks: Vec::new(),
            ports: Ports::default(),
            local_address: None,
            local_id: None,
            remote_id: RemoteIdentity::default(),
            id_port: IdPort::default(),
            mode: Phase1Mode::default(),
            policies: Vec::new(),
            nat_traversal: NatTraversal::default(),
            dpd: Dpd::default(),
            retransmit: Retransmit::default(),
            margin: RekeyMargin::default(),
            initial_contact: true,
            unique: Uniqueness::default(),
            keep_up: false,
            auth: AuthOptions::default(),
            addresses_inside: AddressOptions::default(),
            v2: V2Options::default(),
            children: Vec::new(),
        }
    }

    /// How specifically the peer is configured to come from `address`: the prefix length that
    /// holds it, `None` when it may not.
    #[must_use]
    pub fn covers(&self, address: IpAddr) -> Option<u8> {
        if self.addresses.contains(&address) {
            return Some(Prefix::host(address).prefix_len());
        }
        self.networks
            .iter()
            .filter(|p| p.contains(address))
            .map(Prefix::prefix_len)
            .max()
    }

    /// Whether the peer may say that it is `identity` when it comes from `address`.
    #[must_use]
    pub fn may_be(&self, identity: &Identity, address: IpAddr) -> bool {
        match &self.remote_id {
            RemoteIdentity::Any => true,
            RemoteIdentity::Is(wanted) => wanted.is(identity),
            RemoteIdentity::Address => match identity {
                Identity::Address(said) => *said == address || self.addresses.contains(said),
                _ => false,
            },
        }
    }

    /// What the peer is called from here on when it has said, and may say, that it is `identity`: as it
    /// is configured, so that another spelling is no other owner of SAs and addresses.
    pub(crate) fn known_as(&self, identity: Identity) -> Identity {
        match &self.remote_id {
            RemoteIdentity::Is(wanted) => wanted.clone(),
            RemoteIdentity::Any | RemoteIdentity::Address => identity,
        }
    }

    /// Whether a user that EAP has authenticated may be the peer: what an Identification payload says
    /// is not proved by EAP, so an identity that is named has to be the user's own.
    #[must_use]
    pub fn may_be_user(&self, user: &str) -> bool {
        match &self.remote_id {
            RemoteIdentity::Any | RemoteIdentity::Address => true,
            RemoteIdentity::Is(wanted) => wanted.names_user(user),
        }
    }

    /// Whether the peer is told to forget older SAs. RFC 7296 §2.4: that "MUST NOT be sent by an
    /// entity that may be replicated".
    pub(crate) fn announces_initial_contact(&self) -> bool {
        self.initial_contact && self.unique != Uniqueness::Never
    }

    /// Whether IKE begins on the port of NAT traversal.
    const fn begins_on_nat_t(&self) -> bool {
        self.nat_traversal.from_start && matches!(self.version, IkeVersion::V2)
    }

    /// Where a negotiation that we begin goes.
    pub(crate) const fn first_address(&self, address: IpAddr) -> SocketAddr {
        let port = if self.begins_on_nat_t() {
            self.ports.nat_t
        } else {
            self.ports.ike
        };
        SocketAddr::new(address, port)
    }

    /// The path on which a negotiation that we begin starts, from one of `ours`.
    pub(crate) const fn first_path(&self, local: IpAddr, ours: Ports, remote: IpAddr) -> Path {
        let remote = self.first_address(remote);
        if self.begins_on_nat_t() {
            Path::nat_traversal(SocketAddr::new(local, ours.nat_t), remote)
        } else {
            Path::plain(SocketAddr::new(local, ours.ike), remote)
        }
    }

    /// The child of this name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&ChildConfig> {
        self.children.iter().find(|c| c.name == name)
    }
}

/// How many devices may prove the same identity at a time: a user with a laptop and a telephone, a
/// group of routers with one name.
///
/// A device is known by where its packets come from (the address; behind a NAT the port too) and by
/// the IKE SAs that it rekeys. Whatever the policy, children follow the device that made them, a
/// device that comes back to where it was and has lost its state is noticed by a question on the
/// older IKE SA, and what ends because of another device is deleted towards its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Uniqueness {
    /// Several, side by side, until one of them says INITIAL_CONTACT, which ends what the others
    /// have. The default: only that notification says that an identity is not shared (RFC 7296
    /// §2.4), and whoever shares a key with others must not end their SAs by merely calling.
    #[default]
    UnlessInitialContact,
    /// Several, side by side: INITIAL_CONTACT is neither heeded nor sent.
    Never,
    /// The first: a new one is refused while an older one stands somewhere else. That one is asked
    /// for a sign of life at that moment, so a dead one makes room for the next attempt.
    Keep,
    /// The newest: it ends what the older ones have.
    Replace,
}

/// Phase 1 mode (RFC 2409 §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase1Mode {
    /// Main mode: six messages, identities encrypted.
    #[default]
    Main,
    /// Aggressive mode: three messages, identities in the clear. With a pre-shared key the
    /// responder's HASH lets whoever asks try out keys offline, hence the name. We start it, and
    /// answer it; main mode is answered too. As initiator it needs a
    /// [`local_id`](PeerConfig::local_id) or a [`local_address`](PeerConfig::local_address) to say
    /// who we are.
    AggressiveExposingPskHash,
}

/// NAT traversal (RFC 3947).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NatTraversal {
    /// Announce and detect at all.
    pub enabled: bool,
    /// Encapsulate in UDP even without a NAT: announces a NAT that is not there.
    pub force: bool,
    /// Also speak the drafts (their vendor IDs, payload and mode numbers).
    pub drafts: bool,
    /// Interval of keepalives when we are the one behind the NAT (RFC 3948 §4); `None` sends none.
    pub keepalive: Option<Duration>,
    /// IKEv2: begin on the port of NAT traversal. RFC 7296 §2.23 lets an initiator "use port 4500 for
    /// both IKE and ESP, regardless of whether or not there is a NAT, even at the beginning of IKE":
    /// for networks that let no port 500 through, and for programs with one socket. A responder of
    /// IKEv2 listens there anyway.
    pub from_start: bool,
}

impl Default for NatTraversal {
    /// On, drafts understood, a keepalive after 20 s without traffic.
    fn default() -> Self {
        Self {
            enabled: true,
            force: false,
            drafts: true,
            keepalive: Some(Duration::from_secs(20)),
            from_start: false,
        }
    }
}

/// Dead peer detection (RFC 3706).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dpd {
    /// Never ask; answer when asked.
    Off,
    /// Ask when nothing came in for `idle` and there is something to send (RFC 3706 §5.5).
    OnTraffic(DpdTimes),
    /// Ask after `idle` without inbound traffic, outbound or not.
    Periodic(DpdTimes),
}

/// How patient dead peer detection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DpdTimes {
    /// Silence before the first question.
    pub idle: Duration,
    /// Time between the questions.
    pub retry: Duration,
    /// Questions without an answer after which the peer is dead.
    pub tries: u8,
}

impl Default for Dpd {
    /// On traffic: 30 s, then five questions 2 s apart.
    fn default() -> Self {
        Self::OnTraffic(DpdTimes {
            idle: Duration::from_secs(30),
            retry: Duration::from_secs(2),
            tries: 5,
        })
    }
}

/// How a message is repeated until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retransmit {
    /// Wait after the first transmission.
    pub first: Duration,
    /// Each wait is this many percent of the one before, at least 100.
    pub growth_percent: u16,
    /// No wait is longer.
    pub longest: Duration,
    /// Repetitions, the first transmission not counted.
    pub tries: u8,
    /// Each wait is shortened by a random part of up to this many percent, at most 50.
    pub jitter_percent: u8,
}

impl Default for Retransmit {
    /// 4 s, 7.2 s, 12.96 s …, five repetitions: 165 s in all.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(4),
            growth_percent: 180,
            longest: Duration::from_secs(60),
            tries: 5,
            jitter_percent: 0,
        }
    }
}

impl Retransmit {
    /// The wait after transmission number `sent` (0 is the first), shortened by jitter from
    /// `random` (uniform over all `u32`); `None` when there is no further repetition: give up after
    /// [`last_wait`](Self::last_wait).
    #[must_use]
    pub fn wait(&self, sent: u8, random: u32) -> Option<Duration> {
        (sent < self.tries).then(|| self.nth(sent, random))
    }

    /// How long the last repetition is waited for.
    #[must_use]
    pub fn last_wait(&self, random: u32) -> Duration {
        self.nth(self.tries, random)
    }

    fn nth(&self, sent: u8, random: u32) -> Duration {
        let growth = u64::from(self.growth_percent.max(100));
        let cap = millis(self.longest);
        let mut wait = millis(self.first).min(cap);
        for _ in 0..sent {
            wait = wait
                .saturating_mul(growth)
                .checked_div(100)
                .unwrap_or(cap)
                .min(cap);
        }
        let jitter = u64::from(self.jitter_percent.min(50));
        let share = wait.saturating_mul(jitter).checked_div(100).unwrap_or(0);
        let part = u128::from(share).saturating_mul(u128::from(random)) >> 32;
        Duration::from_millis(wait.saturating_sub(u64::try_from(part).unwrap_or(0)))
    }
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_cap_and_end() {
        let r = Retransmit::default();
        let waits: Vec<u64> = (0..5)
            .map(|n| u64::try_from(r.wait(n, 0).unwrap().as_millis()).unwrap())
            .collect();
        assert_eq!(waits, [4000, 7200, 12960, 23328, 41990]);
        assert_eq!(r.wait(5, 0), None);
        assert_eq!(r.last_wait(0), Duration::from_secs(60));
    }

    #[test]
    fn jitter_only_shortens_and_never_reaches_zero() {
        let r = Retransmit {
            jitter_percent: 50,
            ..Retransmit::default()
        };
        let short = r.wait(0, u32::MAX).unwrap();
        assert!(short >= Duration::from_secs(2) && short < Duration::from_millis(2100));
        assert_eq!(r.wait(0, 0), Some(Duration::from_secs(4)));
    }

    #[test]
    fn the_longest_prefix_says_how_well_an_address_fits() {
        let mut peer = PeerConfig::new("branch");
        peer.addresses.push("192.0.2.1".parse().unwrap());
        peer.networks
            .push(Prefix::new("192.0.2.0".parse().unwrap(), 24).unwrap());
        peer.networks
            .push(Prefix::new("0.0.0.0".parse().unwrap(), 0).unwrap());
        assert_eq!(peer.covers("192.0.2.1".parse().unwrap()), Some(32));
        assert_eq!(peer.covers("192.0.2.9".parse().unwrap()), Some(24));
        assert_eq!(peer.covers("198.51.100.1".parse().unwrap()), Some(0));
        assert_eq!(peer.covers("::1".parse().unwrap()), None);
    }
}
