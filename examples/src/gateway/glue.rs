//! From the words of the file to the protocol machines' configuration, and to the words of tables and of Wireshark.

mod ikev2;

use super::{
    config::{self, Config, Encryption, Hash, PeerAddress, PskOwner, Rri, Tunnel},
    outside::source_towards,
};
use crypto_suite::{
    AeadId, CipherId, GroupId, HashId, IntegrityId, ProtectionId, Secret, WeakAlgorithms,
};
use ike_sm::{
    ChildSuite, Mode, Selector, Selectors,
    config::{
        Authentication, ChildConfig, Config as IkeConfig, Dpd, DpdTimes, EndpointLimits, Identity,
        IkeVersion, Lifetime, NatTraversal, PeerConfig, Pfs, Phase1Mode, Phase1Policy, Prefix,
        PskOwner as IkePskOwner, RemoteIdentity, Retransmit, ReverseRoute, SelectorMatch,
        Uniqueness,
    },
};
use std::{fmt, net::IpAddr, num::NonZeroUsize, time::Duration};

/// Something the file asks for and this build cannot do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported(pub String);

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unsupported {}

/// The endpoint's configuration; `keylog` makes it give its keys away.
///
/// # Errors
/// An algorithm, or the way to a peer, is not to be had.
pub fn ike_config(config: &Config, keylog: bool) -> Result<IkeConfig, Unsupported> {
    let mut ike = IkeConfig::default();
    // The file names each algorithm: naming a weak one is the wish to use it.
    ike.weak = WeakAlgorithms::ALL;
    ike.key_log = keylog;
    limits(&mut ike.limits, &config.limits);
    ike.policies = config
        .isakmp_policy
        .iter()
        .map(policy)
        .collect::<Result<_, _>>()?;
    for entry in &config.psk {
        let key = || Secret::new(entry.key().to_vec());
        match PskOwner::parse(entry.peer.get_ref()).map_err(Unsupported)? {
            PskOwner::Identity(id) => ike.psks.insert(IkePskOwner::Identity(identity(&id)), key()),
            PskOwner::Network(net) => {
                for prefix in prefixes(net) {
                    ike.psks.insert(IkePskOwner::Prefix(prefix), key());
                }
            }
        }
    }
    ike.peers = config
        .peer
        .iter()
        .map(|p| peer(config, p))
        .collect::<Result<_, _>>()?;
    Ok(ike)
}

fn limits(to: &mut EndpointLimits, from: &config::Limits) {
    for (to, from) in [
        (&mut to.ike_sas, from.ike_sas),
        (&mut to.half_open, from.half_open),
        (
            &mut to.half_open_proved_per_address,
            from.half_open_per_address,
        ),
        (
            &mut to.half_open_proved_per_prefix,
            from.half_open_per_prefix,
        ),
        (&mut to.half_open_per_address, from.unproved_per_address),
        (&mut to.half_open_per_prefix, from.unproved_per_prefix),
        (&mut to.cookie_threshold, from.cookies_from),
        (&mut to.aggressive_per_second, from.aggressive_per_second),
        (
            &mut to.aggressive_per_second_per_prefix,
            from.aggressive_per_prefix,
        ),
        (&mut to.replaced_per_peer, from.replaced_per_peer),
        (&mut to.ike_sas_per_identity, from.ike_sas_per_identity),
    ] {
        *to = from.map_or(*to, NonZeroUsize::get);
    }
    to.half_open_time = from.half_open_time.map_or(to.half_open_time, |s| s.0);
}

/// Both families when no network is named.
fn prefixes(net: Option<ipnet::IpNet>) -> Vec<Prefix> {
    match net {
        Some(net) => Prefix::new(net.addr(), net.prefix_len())
            .into_iter()
            .collect(),
        None => ["0.0.0.0", "::"]
            .into_iter()
            .filter_map(|any| Prefix::new(any.parse().ok()?, 0))
            .collect(),
    }
}

fn policy(p: &config::IsakmpPolicy) -> Result<Phase1Policy, Unsupported> {
    let mut policy = Phase1Policy::new(*p.priority.get_ref());
    policy.encryption = cipher(*p.encryption.get_ref())?;
    policy.hash = hash(p.hash);
    policy.authentication = match p.authentication {
        config::Authentication::PreShare => Authentication::PreSharedKey,
        config::Authentication::RsaSig => Authentication::RsaSignature,
        config::Authentication::EcdsaSig256 => Authentication::EcdsaP256,
        config::Authentication::EcdsaSig384 => Authentication::EcdsaP384,
        config::Authentication::EcdsaSig521 => Authentication::EcdsaP521,
    };
    policy.group = group(p.group)?;
    policy.lifetime = Lifetime {
        time: p.lifetime.0,
        kilobytes: None,
    };
    Ok(policy)
}

fn peer(config: &Config, p: &config::Peer) -> Result<PeerConfig, Unsupported> {
    let gateway = &config.gateway;
    let mut peer = PeerConfig::new(p.name.get_ref().clone());
    for address in &p.address.get_ref().0 {
        match address {
            PeerAddress::Host(host) => peer.addresses.push(*host),
            PeerAddress::Within(net) => peer.networks.extend(prefixes(Some(*net))),
            PeerAddress::Any => peer.networks.extend(prefixes(None)),
        }
    }
    peer.local_address = match (p.local_address, p.first_host()) {
        (Some(address), _) => Some(address),
        (None, Some(host)) => Some(local_towards(config, host)?),
        (None, None) => None,
    };
    peer.local_id = p.local_id.as_ref().map(identity);
    // A peer that may be anywhere may sit behind a NAT, with an address of its own inside: its key identifies it.
    let anywhere = if peer.networks.is_empty() {
        RemoteIdentity::Address
    } else {
        RemoteIdentity::Any
    };
    peer.remote_id = p
        .remote_id
        .as_ref()
        .map_or(anywhere, |id| RemoteIdentity::Is(identity(id)));
    peer.mode = match p.mode {
        config::Phase1Mode::Main => Phase1Mode::Main,
        config::Phase1Mode::Aggressive => Phase1Mode::AggressiveExposingPskHash,
    };
    peer.nat_traversal = nat_traversal(*p.nat_traversal.get_ref(), gateway.nat_keepalive.0);
    peer.dpd = p.dpd.as_ref().map_or(Dpd::Off, dpd);
    peer.unique = match p.unique {
        config::Unique::No => Uniqueness::UnlessInitialContact,
        config::Unique::Never => Uniqueness::Never,
        config::Unique::Keep => Uniqueness::Keep,
        config::Unique::Replace => Uniqueness::Replace,
    };
    peer.retransmit = retransmit(gateway);
    peer.keep_up = p
        .dpd
        .as_ref()
        .is_some_and(|d| d.action == config::DpdAction::Restart)
        || p.tunnel.iter().any(|t| t.start() == config::Start::Now);
    match p.version {
        config::Version::Ikev1 => {
            peer.version = IkeVersion::V1;
            peer.policies = config.policies(p).map(policy).collect::<Result<_, _>>()?;
        }
        config::Version::Ikev2 => {
            peer.version = IkeVersion::V2;
            peer.v2 = ikev2::options(config, p)?;
        }
    }
    peer.children = Vec::new();
    for t in &p.tunnel {
        peer.children.push(child(config, p, t)?);
    }
    Ok(peer)
}

fn local_towards(config: &Config, host: IpAddr) -> Result<IpAddr, Unsupported> {
    let listen = &config.gateway.listen.0;
    if let Some(only) = listen.iter().find(|l| l.is_ipv4() == host.is_ipv4()) {
        return Ok(*only);
    }
    source_towards(host)
        .map_err(|e| Unsupported(format!("no way to {host}: {e}; set local-address")))
}

fn nat_traversal(wish: config::NatTraversal, keepalive: Duration) -> NatTraversal {
    let mut nat = NatTraversal::default();
    nat.enabled = wish != config::NatTraversal::Off;
    nat.from_start = wish == config::NatTraversal::FromStart;
    nat.force = wish == config::NatTraversal::Force || nat.from_start;
    nat.keepalive = (!keepalive.is_zero()).then_some(keepalive);
    nat
}

fn dpd(d: &config::Dpd) -> Dpd {
    let tries = u8::try_from(d.retries).unwrap_or(u8::MAX);
    let times = DpdTimes {
        idle: d.interval.0,
        retry: d.retry.0,
        tries,
    };
    match d.mode {
        config::DpdMode::OnDemand => Dpd::OnTraffic(times),
        config::DpdMode::Periodic => Dpd::Periodic(times),
    }
}

fn retransmit(g: &config::Gateway) -> Retransmit {
    let tries = u8::try_from(g.retransmit_tries).unwrap_or(u8::MAX);
    Retransmit {
        first: g.retransmit.0,
        tries,
        ..Retransmit::default()
    }
}

fn child(config: &Config, p: &config::Peer, t: &Tunnel) -> Result<ChildConfig, Unsupported> {
    let [local, remote] = [&t.local, &t.remote].map(|n| selectors(&n.get_ref().0, t.protocol));
    let mut child = ChildConfig::new(t.name.get_ref().clone(), local?, remote?);
    child.suites = config
        .sets_of(t)
        .map(|set| protection(*set.encryption.get_ref(), set.hash).map(ChildSuite::Esp))
        .collect::<Result<_, _>>()?;
    child.mode = match config.mode_of(t) {
        config::Mode::Tunnel => Mode::Tunnel,
        config::Mode::Transport => Mode::Transport,
    };
    child.selector_match = match t.selectors {
        None => SelectorMatch::Usual,
        Some(config::Selectors::Exact) => SelectorMatch::Exact,
        Some(config::Selectors::Within) => SelectorMatch::Within,
    };
    child.shared = t.shared;
    child.pfs = match t.pfs {
        config::Pfs::Group(_) if p.quirks.rekey_pfs_as_offered && p.first_host().is_none() => {
            Pfs::AcceptIfOffered
        }
        config::Pfs::Off => Pfs::Off,
        config::Pfs::Accept => Pfs::AcceptIfOffered,
        config::Pfs::Group(g) => Pfs::Required(group(g)?),
    };
    child.additional = ikev2::additional_of_children(config, p)?;
    child.lifetime = Lifetime {
        time: t.lifetime.0,
        kilobytes: t.lifetime_kilobytes,
    };
    child.idle_timeout = t.idle_time.map(|s| s.0);
    child.esn = t.esn;
    child.reverse_route = match (t.reverse_route, t.remote_peer) {
        // In transport mode the route leads to the peer as it is seen, which a NAT decides: the engine's business.
        _ if child.mode == Mode::Transport => ReverseRoute::Off,
        (Rri::OnSa, None) => ReverseRoute::WithSa,
        (Rri::OnSa, Some(_)) => ReverseRoute::WithSaAndPeer,
        (Rri::Static | Rri::Off, _) => ReverseRoute::Off,
    };
    Ok(child)
}

fn selectors(networks: &[config::Network], protocol: u8) -> Result<Selectors, Unsupported> {
    let all = networks.iter().map(|n| selector(n, protocol));
    let all = all.collect::<Result<Vec<_>, _>>()?;
    Selectors::new(all).ok_or_else(|| Unsupported("no network, or too many".into()))
}

fn selector(network: &config::Network, protocol: u8) -> Result<Selector, Unsupported> {
    let net = network.0;
    Selector::subnet(net.network(), net.prefix_len())
        .map(|s| s.with_protocol(protocol, 0))
        .ok_or_else(|| Unsupported(format!("{network} is no selector")))
}

/// An identity of the file, for the endpoint.
pub(super) fn identity(id: &config::Identity) -> Identity {
    match id {
        config::Identity::Address(a) => Identity::Address(*a),
        config::Identity::Fqdn(s) => Identity::Fqdn(s.clone()),
        config::Identity::UserFqdn(s) => Identity::UserFqdn(s.clone()),
        config::Identity::DistinguishedName(_, der) => Identity::DistinguishedName(der.clone()),
        config::Identity::KeyId(octets) => Identity::KeyId(octets.clone()),
    }
}

fn cipher(e: Encryption) -> Result<CipherId, Unsupported> {
    Ok(match e {
        Encryption::Des => CipherId::DesCbc,
        Encryption::TripleDes => CipherId::TripleDesCbc,
        Encryption::Aes128 => CipherId::Aes128Cbc,
        Encryption::Aes192 => CipherId::Aes192Cbc,
        Encryption::Aes256 => CipherId::Aes256Cbc,
        _ => {
            return Err(Unsupported(format!(
                "IKEv1 cannot use {e} for its messages"
            )));
        }
    })
}

const fn hash(h: Hash) -> HashId {
    match h {
        Hash::Md5 => HashId::Md5,
        Hash::Sha1 => HashId::Sha1,
        Hash::Sha256 => HashId::Sha256,
        Hash::Sha384 => HashId::Sha384,
        Hash::Sha512 => HashId::Sha512,
    }
}

const fn integrity(h: Hash) -> IntegrityId {
    match h {
        Hash::Md5 => IntegrityId::HmacMd5_96,
        Hash::Sha1 => IntegrityId::HmacSha1_96,
        Hash::Sha256 => IntegrityId::HmacSha256_128,
        Hash::Sha384 => IntegrityId::HmacSha384_192,
        Hash::Sha512 => IntegrityId::HmacSha512_256,
    }
}

pub(super) fn protection(e: Encryption, h: Option<Hash>) -> Result<ProtectionId, Unsupported> {
    let missing = || Unsupported(format!("{e} needs a hash"));
    Ok(match e {
        Encryption::Aes128Gcm => ProtectionId::Aead(AeadId::Aes128Gcm16),
        Encryption::Aes256Gcm => ProtectionId::Aead(AeadId::Aes256Gcm16),
        Encryption::ChaCha20Poly1305 => ProtectionId::Aead(AeadId::ChaCha20Poly1305),
        Encryption::Null => ProtectionId::NullHmac(integrity(h.ok_or_else(missing)?)),
        _ => ProtectionId::CbcHmac(cipher(e)?, integrity(h.ok_or_else(missing)?)),
    })
}

fn group(g: config::Group) -> Result<GroupId, Unsupported> {
    Ok(match g.0 {
        1 => GroupId::Modp768,
        2 => GroupId::Modp1024,
        5 => GroupId::Modp1536,
        14 => GroupId::Modp2048,
        15 => GroupId::Modp3072,
        16 => GroupId::Modp4096,
        17 => GroupId::Modp6144,
        18 => GroupId::Modp8192,
        19 => GroupId::Ecp256,
        20 => GroupId::Ecp384,
        21 => GroupId::Ecp521,
        31 => GroupId::X25519,
        35 => GroupId::MlKem512,
        36 => GroupId::MlKem768,
        37 => GroupId::MlKem1024,
        n => return Err(Unsupported(format!("no implementation of group {n}"))),
    })
}

/// An identity of the endpoint in the file's terms; `None` for kinds that the file has no word for.
#[must_use]
pub fn written_identity(id: &Identity) -> Option<config::Identity> {
    Some(match id {
        Identity::Address(a) => config::Identity::Address(*a),
        Identity::Fqdn(s) => config::Identity::Fqdn(s.clone()),
        Identity::UserFqdn(s) => config::Identity::UserFqdn(s.clone()),
        Identity::DistinguishedName(der) => {
            config::Identity::DistinguishedName(id.to_string(), der.clone())
        }
        Identity::KeyId(octets) => config::Identity::KeyId(octets.clone()),
        _ => return None,
    })
}
