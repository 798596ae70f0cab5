//! IKEv2's part of the configuration, in the endpoint's terms.

use super::{Unsupported, cipher, group, integrity};
use crate::gateway::config::{self, Config, Encryption, Hash};
use crypto_suite::{AeadId, PrfId};
use ike_sm::config::{
    Lifetime,
    v2::{
        AdditionalKeyExchange, Encryption as IkeEncryption, IkeProposal, RedirectWhen, V2Options,
    },
};

/// Octets of a message that is not split (RFC 7383): what fits into an IPv6 packet of 1280.
const FRAGMENT: u16 = 1232;

/// How IKEv2 is spoken with `peer`.
///
/// # Errors
/// An algorithm is not to be had.
pub(super) fn options(config: &Config, peer: &config::Peer) -> Result<V2Options, Unsupported> {
    let mut options = V2Options::default();
    let policies: Vec<_> = config.ikev2_policies(peer).collect();
    if let Some(first) = policies.first() {
        options.lifetime = Lifetime {
            time: first.lifetime.0,
            kilobytes: None,
        };
        options.proposals = policies
            .into_iter()
            .map(proposal)
            .collect::<Result<_, _>>()?;
    }
    let size = peer
        .fragment_size
        .as_ref()
        .map_or(FRAGMENT, |s| *s.get_ref());
    options.fragment = (!peer.quirks.no_fragmentation).then_some(size);
    options.mobike = !peer.quirks.no_mobike;
    options.redirect_to = peer.redirect_to;
    options.redirect_when = match peer.redirect_when {
        config::RedirectWhen::FirstMessage => RedirectWhen::FirstMessage,
        config::RedirectWhen::Authenticated => RedirectWhen::Authenticated,
    };
    options.one_ts_per_child = peer.quirks.one_ts_per_child;
    Ok(options)
}

/// The key exchanges besides PFS of the children of `peer`: those of its IKE SAs, for peers that have them in children too.
///
/// # Errors
/// A group is not to be had.
pub(super) fn additional_of_children(
    config: &Config,
    peer: &config::Peer,
) -> Result<Vec<AdditionalKeyExchange>, Unsupported> {
    let mut policies = config.ikev2_policies(peer);
    let policy = policies.find(|p| !p.additional.0.is_empty());
    policy.map_or(Ok(Vec::new()), |p| additional(p, true))
}

fn additional(
    p: &config::Ikev2Policy,
    optional: bool,
) -> Result<Vec<AdditionalKeyExchange>, Unsupported> {
    let one = |g: &config::Group| {
        Ok(AdditionalKeyExchange {
            methods: vec![group(*g)?],
            optional,
        })
    };
    p.additional.0.iter().map(one).collect()
}

fn proposal(p: &config::Ikev2Policy) -> Result<IkeProposal, Unsupported> {
    let prf = match (&p.prf.0, &p.integrity.0) {
        (prf, integrity) if prf.is_empty() && integrity.is_empty() => &vec![Hash::Sha256],
        (prf, integrity) if prf.is_empty() => integrity,
        (prf, _) => prf,
    };
    let groups = p.group.get_ref().0.iter().map(|g| group(*g));
    Ok(IkeProposal {
        encryption: p
            .encryption
            .get_ref()
            .0
            .iter()
            .map(|e| encryption(*e))
            .collect::<Result<_, _>>()?,
        integrity: p.integrity.0.iter().map(|h| integrity(*h)).collect(),
        prf: prf.iter().map(|h| pseudo_random(*h)).collect(),
        groups: groups.collect::<Result<_, _>>()?,
        additional: additional(p, p.additional_optional)?,
    })
}

fn encryption(e: Encryption) -> Result<IkeEncryption, Unsupported> {
    Ok(match e {
        Encryption::Aes128Gcm => IkeEncryption::Aead(AeadId::Aes128Gcm16),
        Encryption::Aes256Gcm => IkeEncryption::Aead(AeadId::Aes256Gcm16),
        Encryption::ChaCha20Poly1305 => IkeEncryption::Aead(AeadId::ChaCha20Poly1305),
        other => IkeEncryption::Cbc(cipher(other)?),
    })
}

const fn pseudo_random(h: Hash) -> PrfId {
    match h {
        Hash::Md5 => PrfId::HmacMd5,
        Hash::Sha1 => PrfId::HmacSha1,
        Hash::Sha256 => PrfId::HmacSha256,
        Hash::Sha384 => PrfId::HmacSha384,
        Hash::Sha512 => PrfId::HmacSha512,
    }
}
