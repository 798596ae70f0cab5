//! The file's tables, and the checks that need more than one value.

use super::auth::{Auth, EapUser, Pool};
use super::gre::{GreTunnel, IpsecProfile};
use super::ikev2::{Ikev2Policy, Quirks, RedirectWhen};
use super::limits::Limits;
use super::words::*;
use super::workers::WorkerThreads;
use ipnet::IpNet;
use serde::Deserialize;
use std::{collections::BTreeSet, net::IpAddr, ops::Range, path::PathBuf};
use toml::Spanned;
use zeroize::Zeroizing;

pub(super) type Fault = (Range<usize>, String);

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// What concerns the gateway itself.
    #[serde(default)]
    pub gateway: Gateway,
    /// Bounds on IKE SAs.
    #[serde(default)]
    pub limits: Limits,
    /// Phase 1 policies; the lowest priority number is tried first.
    #[serde(default)]
    pub isakmp_policy: Vec<IsakmpPolicy>,
    /// Policies of IKEv2; the lowest priority number is the most wanted.
    #[serde(default)]
    pub ikev2_policy: Vec<Ikev2Policy>,
    /// Phase 2 suites, by name.
    #[serde(default)]
    pub transform_set: Vec<TransformSet>,
    /// Pre-shared keys; the longest matching prefix wins.
    #[serde(default)]
    pub psk: Vec<PskEntry>,
    /// Users of EAP.
    #[serde(default)]
    pub eap_user: Vec<EapUser>,
    /// Address pools.
    #[serde(default)]
    pub pool: Vec<Pool>,
    /// The peers.
    #[serde(default)]
    pub peer: Vec<Peer>,
    /// How GRE tunnels are protected, by name.
    #[serde(default)]
    pub ipsec_profile: Vec<IpsecProfile>,
    /// GRE tunnels.
    #[serde(default)]
    pub gre: Vec<GreTunnel>,
    /// What was parsed: mistakes that are found later have their place in it.
    #[serde(skip)]
    pub(super) source: Source,
}

/// A file as it was read. It holds secrets.
#[derive(Clone, Default)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) text: Zeroizing<String>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// What concerns the gateway itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Gateway {
    /// Its name in logs.
    pub name: String,
    /// Addresses to listen on; empty is all.
    pub listen: Several<IpAddr>,
    /// UDP port of IKE, here and at the peers.
    pub port: u16,
    /// UDP port of NAT traversal, here and at the peers.
    pub natt_port: u16,
    /// Name of the TUN device.
    pub tun: String,
    /// MTU of the TUN device, bytes.
    pub mtu: u16,
    /// Clamp the MSS of TCP connections that cross a tunnel.
    pub adjust_mss: bool,
    /// Don't Fragment of the packets that leave.
    pub df_bit: DfBit,
    /// Mark of the packets that leave, and number of the routing table that they pass by: routes that cover a peer
    /// itself stand there. 0 is none.
    pub mark: u32,
    /// Idle time of a NAT binding that is prevented by a keepalive.
    pub nat_keepalive: Seconds,
    /// Socket of `gateway status` and of the other commands.
    pub control: Option<PathBuf>,
    /// Packets held for all tunnels that are being negotiated.
    pub hold_packets: usize,
    /// ESP replay window, packets.
    pub replay_window: u32,
    /// Threads for key exchanges, certificates and signatures; 0: the packets wait for them.
    pub workers: WorkerThreads,
    /// First retransmission of an IKE message.
    pub retransmit: Seconds,
    /// Retransmissions before giving up.
    pub retransmit_tries: u32,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            name: "gateway".into(),
            listen: Several::default(),
            port: 500,
            natt_port: 4500,
            tun: "ipsec0".into(),
            mtu: 1400,
            adjust_mss: true,
            df_bit: DfBit::Copy,
            mark: 4500,
            nat_keepalive: Seconds::new(20),
            control: None,
            hold_packets: 64,
            replay_window: 1024,
            workers: WorkerThreads::default(),
            retransmit: Seconds::new(4),
            retransmit_tries: 5,
        }
    }
}

/// One Phase 1 policy.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct IsakmpPolicy {
    /// 1 is the most wanted.
    pub priority: Spanned<u16>,
    /// The cipher.
    pub encryption: Spanned<Encryption>,
    /// The hash; of an AEAD, the PRF.
    #[serde(default = "sha256")]
    pub hash: Hash,
    /// How the peers prove themselves.
    #[serde(default = "pre_share")]
    pub authentication: Authentication,
    /// The Diffie-Hellman group.
    pub group: Group,
    /// Lifetime of the ISAKMP SA.
    #[serde(default = "one_day")]
    pub lifetime: Seconds,
}

/// One Phase 2 suite.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TransformSet {
    /// Its name.
    pub name: Spanned<String>,
    /// The cipher.
    pub encryption: Spanned<Encryption>,
    /// The hash of the HMAC; absent with an AEAD.
    pub hash: Option<Hash>,
    /// The mode.
    #[serde(default = "tunnel")]
    pub mode: Mode,
}

/// A pre-shared key and whose it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PskEntry {
    /// An address, a network, `any`, or an identity.
    pub peer: Spanned<String>,
    /// The key.
    pub secret: Option<Psk>,
    /// A file with the key on its first line, in its place.
    pub secret_file: Option<Spanned<PathBuf>>,
}

/// A peer and the tunnels to it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Peer {
    /// Its name in logs and commands.
    pub name: Spanned<String>,
    /// The version of IKE.
    #[serde(default = "ikev2")]
    pub version: Version,
    /// How a Phase 1 of IKEv1 goes; main mode is always answered.
    #[serde(default = "main_mode")]
    pub mode: Phase1Mode,
    /// Where it is; further addresses are tried when the first is dead.
    pub address: Spanned<Several<PeerAddress>>,
    /// The address to call from; absent, the routing table says.
    pub local_address: Option<IpAddr>,
    /// Who we are to it; absent, our address.
    pub local_id: Option<Identity>,
    /// Who it has to be; absent, its address.
    pub remote_id: Option<Identity>,
    /// Priorities of the policies that apply; empty is all.
    #[serde(default = "none")]
    pub policy: Spanned<Several<u16>>,
    /// How many devices may be it at a time.
    #[serde(default = "unless_told")]
    pub unique: Unique,
    /// Dead peer detection; absent is none of our own.
    pub dpd: Option<Dpd>,
    /// What to do about NAT.
    #[serde(default = "auto")]
    pub nat_traversal: Spanned<NatTraversal>,
    /// How both ends prove themselves; absent, by a pre-shared key.
    pub auth: Option<Auth>,
    /// IKEv2: octets of the longest message that is not split (RFC 7383).
    pub fragment_size: Option<Spanned<u16>>,
    /// IKEv2: where it is sent, if it follows, instead of being served (RFC 5685).
    pub redirect_to: Option<IpAddr>,
    /// When that is done.
    #[serde(default)]
    pub redirect_when: RedirectWhen,
    /// What it needs that is not quite as the RFC has it.
    #[serde(default, deserialize_with = "Quirks::deserialize")]
    pub quirks: Quirks,
    /// The tunnels.
    #[serde(default)]
    pub tunnel: Vec<Tunnel>,
}

/// Dead peer detection.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Dpd {
    /// Silence before a question.
    pub interval: Seconds,
    /// Time between questions once one is open.
    #[serde(default = "two_seconds")]
    pub retry: Seconds,
    /// Unanswered questions before the peer is dead.
    #[serde(default = "three")]
    pub retries: u32,
    /// When to ask.
    #[serde(default = "dpd_on_demand")]
    pub mode: DpdMode,
    /// What follows.
    #[serde(default = "clear")]
    pub action: DpdAction,
}

/// One tunnel: a pair of networks and how to protect what flows between them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tunnel {
    /// Its name in logs and commands.
    pub name: Spanned<String>,
    /// The tunnel of the file that it is a part of, where that was split.
    #[serde(skip)]
    pub of: Option<String>,
    /// The networks on our side.
    pub local: Spanned<Several<Network>>,
    /// The networks on the peer's side.
    pub remote: Spanned<Several<Network>>,
    /// IP protocol; 0 is any.
    #[serde(default)]
    pub protocol: u8,
    /// How the networks that a peer asks for compare to these; without it as the version of IKE has it.
    #[serde(default)]
    pub selectors: Option<Selectors>,
    /// Other peers may have tunnels for the same packets, if those are shared too.
    #[serde(default)]
    pub shared: bool,
    /// Names of transform sets, the most wanted first.
    pub transform_set: Spanned<Several<String>>,
    /// Perfect forward secrecy.
    #[serde(default = "accept")]
    pub pfs: Pfs,
    /// Lifetime of the SAs.
    #[serde(default = "one_hour")]
    pub lifetime: Seconds,
    /// Lifetime in kilobytes; absent is no limit.
    pub lifetime_kilobytes: Option<u64>,
    /// Extended sequence numbers.
    #[serde(default)]
    pub esn: bool,
    /// Time without traffic after which the SAs are deleted.
    pub idle_time: Option<Seconds>,
    /// When to negotiate; absent, on demand where the peer has an address to call.
    pub(super) start: Option<Start>,
    /// The route to the remote network.
    #[serde(default = "on_sa")]
    pub reverse_route: Rri,
    /// With `reverse-route`: also a host route to the peer through this router.
    pub remote_peer: Option<IpAddr>,
}

fn sha256() -> Hash {
    Hash::Sha256
}
fn pre_share() -> Authentication {
    Authentication::PreShare
}
fn one_day() -> Seconds {
    Seconds::new(86_400)
}
pub(super) fn one_hour() -> Seconds {
    Seconds::new(3_600)
}
fn unless_told() -> Unique {
    Unique::No
}
fn two_seconds() -> Seconds {
    Seconds::new(2)
}
pub(super) fn three() -> u32 {
    3
}
fn tunnel() -> Mode {
    Mode::Tunnel
}
fn ikev2() -> Version {
    Version::Ikev2
}
fn main_mode() -> Phase1Mode {
    Phase1Mode::Main
}
pub(super) fn none<T>() -> Spanned<Several<T>> {
    Spanned::new(0..0, Several::default())
}
fn auto() -> Spanned<NatTraversal> {
    Spanned::new(0..0, NatTraversal::Auto)
}
fn dpd_on_demand() -> DpdMode {
    DpdMode::OnDemand
}
fn clear() -> DpdAction {
    DpdAction::Clear
}
pub(super) fn accept() -> Pfs {
    Pfs::Accept
}
fn on_sa() -> Rri {
    Rri::OnSa
}

impl Encryption {
    /// It carries its own integrity.
    #[must_use]
    pub const fn is_aead(self) -> bool {
        matches!(
            self,
            Self::Aes128Gcm | Self::Aes256Gcm | Self::ChaCha20Poly1305
        )
    }
}

impl Config {
    /// The transform set called `name`.
    #[must_use]
    pub fn transform_set(&self, name: &str) -> Option<&TransformSet> {
        self.transform_set.iter().find(|t| t.name.get_ref() == name)
    }

    /// The transform sets of `tunnel`, the most wanted first.
    pub fn sets_of<'a>(&'a self, tunnel: &'a Tunnel) -> impl Iterator<Item = &'a TransformSet> {
        let names = tunnel.transform_set.get_ref().0.iter();
        names.filter_map(|name| self.transform_set(name))
    }

    /// The mode of `tunnel`.
    #[must_use]
    pub fn mode_of(&self, tunnel: &Tunnel) -> Mode {
        self.sets_of(tunnel)
            .next()
            .map_or(Mode::Tunnel, |set| set.mode)
    }

    /// The checks that need more than one value.
    pub(super) fn resolve(&mut self) -> Result<(), Fault> {
        self.isakmp_policy.sort_by_key(|p| *p.priority.get_ref());
        self.ikev2_policy.sort_by_key(|p| *p.priority.get_ref());
        self.protect_gre()?;
        for peer in &mut self.peer {
            let callable = peer.first_host().is_some();
            for tunnel in &mut peer.tunnel {
                let default = if callable {
                    Start::OnDemand
                } else {
                    Start::Passive
                };
                tunnel.start.get_or_insert(default);
            }
        }
        self.split_tunnels();
        self.check_policies()?;
        self.check_ikev2_policies()?;
        self.check_transform_sets()?;
        self.check_pools()?;
        self.check_users()?;
        for entry in &mut self.psk {
            PskOwner::parse(entry.peer.get_ref()).map_err(|e| (entry.peer.span(), e))?;
            entry.read()?;
        }
        let mut names = BTreeSet::new();
        for peer in &self.peer {
            self.check_peer(peer, &mut names)?;
        }
        self.check_gre()
    }

    fn check_policies(&self) -> Result<(), Fault> {
        let mut seen = BTreeSet::new();
        for policy in &self.isakmp_policy {
            let priority = *policy.priority.get_ref();
            if !seen.insert(priority) {
                return Err((
                    policy.priority.span(),
                    format!("priority {priority} is taken"),
                ));
            }
            if *policy.encryption.get_ref() == Encryption::Null {
                return Err((
                    policy.encryption.span(),
                    "IKE cannot go without encryption".into(),
                ));
            }
        }
        Ok(())
    }

    fn check_transform_sets(&self) -> Result<(), Fault> {
        let mut seen = BTreeSet::new();
        for set in &self.transform_set {
            let name = set.name.get_ref();
            if !seen.insert(name) {
                return Err((set.name.span(), format!("a second transform set `{name}`")));
            }
            let encryption = *set.encryption.get_ref();
            if encryption.is_aead() && set.hash.is_some() {
                let what = format!("`{encryption}` has its own integrity: leave `hash` out");
                return Err((set.encryption.span(), what));
            }
            // Encryption without integrity is broken (Paterson and Yau, 2006); it cannot be configured.
            if !encryption.is_aead() && set.hash.is_none() {
                return Err((
                    set.encryption.span(),
                    format!("`{encryption}` needs a `hash`"),
                ));
            }
        }
        Ok(())
    }

    fn check_peer<'a>(
        &'a self,
        peer: &'a Peer,
        names: &mut BTreeSet<&'a str>,
    ) -> Result<(), Fault> {
        let mut unique = |name: &'a Spanned<String>| {
            if names.insert(name.get_ref()) {
                Ok(())
            } else {
                Err((
                    name.span(),
                    format!("the name `{}` is taken", name.get_ref()),
                ))
            }
        };
        unique(&peer.name)?;
        if peer.address.get_ref().0.is_empty() {
            return Err((peer.address.span(), "no address".into()));
        }
        let (table, priorities): (_, BTreeSet<u16>) = match peer.version {
            Version::Ikev1 => {
                let all = self.isakmp_policy.iter();
                (
                    "isakmp-policy",
                    all.map(|p| *p.priority.get_ref()).collect(),
                )
            }
            Version::Ikev2 => {
                let all = self.ikev2_policy.iter();
                ("ikev2-policy", all.map(|p| *p.priority.get_ref()).collect())
            }
        };
        for priority in &peer.policy.get_ref().0 {
            if !priorities.contains(priority) {
                let what = format!("no {table} has priority {priority}");
                return Err((peer.policy.span(), what));
            }
        }
        if peer.version == Version::Ikev1 {
            if *peer.nat_traversal.get_ref() == NatTraversal::FromStart {
                let what = "IKEv1 begins on UDP 500 (RFC 3947 §4)".into();
                return Err((peer.nat_traversal.span(), what));
            }
            let aead = self
                .policies(peer)
                .find(|p| p.encryption.get_ref().is_aead());
            if let Some(policy) = aead {
                let what = "IKEv1 has no AEAD ciphers for its own messages".into();
                return Err((policy.encryption.span(), what));
            }
        }
        self.check_auth(peer)?;
        if let Some(size) = peer.fragment_size.as_ref().filter(|s| *s.get_ref() < 256) {
            return Err((size.span(), "at least 256 octets".into()));
        }
        for tunnel in &peer.tunnel {
            unique(&tunnel.name)?;
            self.check_tunnel(peer, tunnel)?;
        }
        Ok(())
    }

    fn check_tunnel(&self, peer: &Peer, tunnel: &Tunnel) -> Result<(), Fault> {
        for (side, other) in [
            (&tunnel.remote, &tunnel.local),
            (&tunnel.local, &tunnel.remote),
        ] {
            if side.get_ref().0.is_empty() {
                return Err((side.span(), "no network".into()));
            }
            let family = |network: &Network| network.0.addr().is_ipv4();
            for network in &side.get_ref().0 {
                if !other
                    .get_ref()
                    .0
                    .iter()
                    .any(|o| family(o) == family(network))
                {
                    let what = format!(
                        "{network} and {} are of different families",
                        other.get_ref()
                    );
                    return Err((side.span(), what));
                }
            }
        }
        if tunnel.transform_set.get_ref().0.is_empty() {
            return Err((tunnel.transform_set.span(), "no transform set".into()));
        }
        for name in &tunnel.transform_set.get_ref().0 {
            if self.transform_set(name).is_none() {
                return Err((
                    tunnel.transform_set.span(),
                    format!("no transform-set is named `{name}`"),
                ));
            }
        }
        let modes: BTreeSet<Mode> = self.sets_of(tunnel).map(|set| set.mode).collect();
        if modes.len() > 1 {
            let what = "transform sets of one tunnel have one mode".into();
            return Err((tunnel.transform_set.span(), what));
        }
        if tunnel.start() != Start::Passive && peer.first_host().is_none() {
            let what = format!(
                "`{}` has no address to call: only start = \"passive\" works",
                peer.name.get_ref()
            );
            return Err((tunnel.name.span(), what));
        }
        Ok(())
    }

    /// What is said of policies that no peer goes by: of a file of IKEv1 that does not say so.
    pub fn idle_policies(&self) -> impl Iterator<Item = String> {
        let speak = |version| self.peer.iter().any(|peer| peer.version == version);
        let idle = |policies: bool, table: &str, version: Version| {
            (policies && !speak(version)).then(|| {
                format!("{table} is of no use: no peer has version = \"{version}\" (without the word it is ikev2)")
            })
        };
        let (v1, v2) = (&self.isakmp_policy, &self.ikev2_policy);
        let idle = [
            idle(!v1.is_empty(), "isakmp-policy", Version::Ikev1),
            idle(!v2.is_empty(), "ikev2-policy", Version::Ikev2),
        ];
        idle.into_iter().flatten()
    }

    /// The Phase 1 policies that apply to `peer`, the most wanted first. Where it names none, all whose authentication
    /// is the peer's.
    pub fn policies<'a>(&'a self, peer: &'a Peer) -> impl Iterator<Item = &'a IsakmpPolicy> {
        let wanted = &peer.policy.get_ref().0;
        let signs = peer.signs();
        self.isakmp_policy.iter().filter(move |p| {
            if wanted.is_empty() {
                (p.authentication != Authentication::PreShare) == signs
            } else {
                wanted.contains(p.priority.get_ref())
            }
        })
    }
}

impl Tunnel {
    /// When to negotiate.
    #[must_use]
    pub fn start(&self) -> Start {
        self.start.unwrap_or(Start::OnDemand)
    }
}

impl Peer {
    /// Whether we prove ourselves by a signature.
    pub(super) fn signs(&self) -> bool {
        let proof = self.auth.as_ref().map(|auth| *auth.local.get_ref());
        matches!(proof, Some(Proof::Signature | Proof::RawKey))
    }

    /// The first address that can be called.
    #[must_use]
    pub fn first_host(&self) -> Option<IpAddr> {
        self.hosts().next()
    }

    /// The addresses that can be called, in order.
    pub fn hosts(&self) -> impl Iterator<Item = IpAddr> {
        self.address.get_ref().0.iter().filter_map(|a| match a {
            PeerAddress::Host(address) => Some(*address),
            PeerAddress::Within(_) | PeerAddress::Any => None,
        })
    }
}

/// Whose key a [`PskEntry`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PskOwner {
    /// Peers within this network; `None` is anybody.
    Network(Option<IpNet>),
    /// The peer with this identity.
    Identity(Identity),
}

impl PskEntry {
    /// The key; empty before the file is checked.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.secret.as_ref().map_or(&[], Psk::octets)
    }

    fn read(&mut self) -> Result<(), Fault> {
        match (&self.secret, &self.secret_file) {
            (Some(_), None) => Ok(()),
            (None, Some(file)) => {
                let path = file.get_ref().display();
                let told = |what: &dyn std::fmt::Display| (file.span(), format!("{path}: {what}"));
                let text = std::fs::read_to_string(file.get_ref()).map_err(|e| told(&e))?;
                let text = Zeroizing::new(text);
                let line = text.lines().next().unwrap_or("").trim_end();
                self.secret = Some(Psk::parse(line).map_err(|e| told(&e))?);
                Ok(())
            }
            _ => {
                let what = "one of `secret` and `secret-file`".into();
                Err((self.peer.span(), what))
            }
        }
    }
}

impl PskOwner {
    /// Parses `peer` of a `[[psk]]` table.
    ///
    /// # Errors
    /// An empty or malformed identity.
    pub fn parse(s: &str) -> Result<Self, String> {
        match s.parse::<PeerAddress>() {
            Ok(PeerAddress::Any) => Ok(Self::Network(None)),
            Ok(PeerAddress::Within(net)) => Ok(Self::Network(Some(net))),
            Ok(PeerAddress::Host(address)) => Ok(Self::Network(Some(address.into()))),
            Err(_) if s.contains('/') && !s.contains('=') => Err(format!("`{s}` is no network")),
            Err(_) => s.parse().map(Self::Identity),
        }
    }
}

impl Config {
    /// The key for a peer at `address` (or with `identity`, which is asked first): the longest prefix wins.
    #[must_use]
    pub fn psk_for(&self, address: IpAddr, identity: Option<&Identity>) -> Option<&Psk> {
        let mut best: Option<(u8, Option<&Psk>)> = None;
        for entry in &self.psk {
            let rank = match PskOwner::parse(entry.peer.get_ref()) {
                Ok(PskOwner::Identity(owner)) if Some(&owner) == identity => 255,
                Ok(PskOwner::Network(None)) => 0,
                Ok(PskOwner::Network(Some(net))) if net.contains(&address) => net.prefix_len() + 1,
                _ => continue,
            };
            if best.is_none_or(|(r, _)| rank > r) {
                best = Some((rank, entry.secret.as_ref()));
            }
        }
        best.and_then(|(_, psk)| psk)
    }
}
