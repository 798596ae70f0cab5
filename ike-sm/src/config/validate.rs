//! The checks behind [`Config::validate`].

mod auth;

use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use crypto_suite::{GroupId, Provider, Strength};

use super::{
    ChildConfig, Config, ConfigError, ConfigFault, Dpd, Lifetime, PeerConfig, Pfs, Phase1Mode,
    Phase1Policy, Place, RekeyMargin, Retransmit,
};
use crate::alg;
use crate::model::{ChildSuite, IkeVersion, Selectors};

type Check = Result<(), ConfigError>;

/// Most policies, peers' children and transform sets that one list may hold: an offer has to fit
/// into one message.
const MAX_OFFERS: usize = 64;
/// The wire carries lifetimes in 32 bits.
const MAX_LIFETIME: u64 = u32::MAX as u64;

pub(super) fn config(config: &Config, provider: &Provider) -> Check {
    limits(config)?;
    policies(config, provider, &config.policies, None)?;
    unique(
        config.peers.iter().map(|p| &p.name),
        &Place::Global,
        "peers",
    )?;
    for (_, key) in config.psks.owners() {
        if key.as_ref().is_empty() {
            return Err(fault(&Place::Global, "psks", ConfigFault::Missing));
        }
    }
    config
        .peers
        .iter()
        .try_for_each(|p| peer(config, provider, p))
}

fn limits(config: &Config) -> Check {
    let l = &config.limits;
    for (field, value) in [
        ("limits.ike_sas", l.ike_sas),
        ("limits.half_open", l.half_open),
        ("limits.half_open_per_address", l.half_open_per_address),
        ("limits.cookie_threshold", l.cookie_threshold),
        ("limits.half_open_per_prefix", l.half_open_per_prefix),
        (
            "limits.half_open_proved_per_address",
            l.half_open_proved_per_address,
        ),
        (
            "limits.half_open_proved_per_prefix",
            l.half_open_proved_per_prefix,
        ),
        ("limits.aggressive_per_second", l.aggressive_per_second),
        (
            "limits.aggressive_per_second_per_prefix",
            l.aggressive_per_second_per_prefix,
        ),
        ("limits.replaced_per_peer", l.replaced_per_peer),
        ("limits.ike_sas_per_identity", l.ike_sas_per_identity),
        ("limits.children_per_ike_sa", l.children_per_ike_sa),
        ("limits.exchanges_per_ike_sa", l.exchanges_per_ike_sa),
        ("limits.message_ids_per_ike_sa", l.message_ids_per_ike_sa),
    ] {
        if value == 0 {
            return Err(range(&Place::Global, field, 0, "at least 1"));
        }
    }
    for (field, value) in [
        ("limits.half_open_time", l.half_open_time),
        ("limits.question_time", l.question_time),
        ("limits.answer_time", l.answer_time),
    ] {
        if value.is_zero() {
            return Err(range(&Place::Global, field, 0, "more than 0 s"));
        }
    }
    Ok(())
}

fn policies(
    config: &Config,
    provider: &Provider,
    list: &[Phase1Policy],
    peer: Option<&PeerConfig>,
) -> Check {
    let place = |priority| match peer {
        None => Place::Policy { priority },
        Some(p) => Place::PeerPolicy {
            peer: p.name.clone(),
            priority,
        },
    };
    let whole = match peer {
        None => Place::Global,
        Some(p) => Place::Peer {
            peer: p.name.clone(),
        },
    };
    if list.len() > MAX_OFFERS {
        return Err(range(&whole, "policies", len(list), "at most 64"));
    }
    let mut seen = Vec::new();
    for policy in list {
        let place = place(policy.priority);
        if seen.contains(&policy.priority) {
            let twice = ConfigFault::Duplicate(policy.priority.to_string());
            return Err(fault(&place, "priority", twice));
        }
        seen.push(policy.priority);
        phase1(config, provider, policy, &place)?;
    }
    Ok(())
}

fn phase1(config: &Config, provider: &Provider, p: &Phase1Policy, place: &Place) -> Check {
    have(
        provider.cipher(p.encryption).is_some(),
        p.encryption,
        place,
        "encryption",
    )?;
    weak(config, p.encryption, place, "encryption")?;
    let prf = alg::prf_of_hash(p.hash).and_then(|id| provider.prf(id));
    have(
        provider.hash(p.hash).is_some() && prf.is_some(),
        p.hash,
        place,
        "hash",
    )?;
    weak(config, p.hash, place, "hash")?;
    group(config, provider, p.group, place, "group")?;
    group_of_v1(p.group, place, "group")?;
    if let Some((scheme, _)) = alg::signature_of_v1(p.authentication) {
        let there = provider.signature(scheme).is_some();
        have(there, scheme, place, "authentication")?;
    }
    lifetime(&p.lifetime, place)
}

fn peer(config: &Config, provider: &Provider, p: &PeerConfig) -> Check {
    let place = Place::Peer {
        peer: p.name.clone(),
    };
    if p.name.is_empty() {
        return Err(fault(&place, "name", ConfigFault::Missing));
    }
    if p.addresses.is_empty() && p.networks.is_empty() {
        return Err(fault(&place, "addresses", ConfigFault::Missing));
    }
    unique(p.addresses.iter(), &place, "addresses")?;
    if let Some(local) = p.local_address
        && p.addresses.iter().any(|a| a.is_ipv4() != local.is_ipv4())
    {
        return Err(fault(&place, "local_address", ConfigFault::MixedFamilies));
    }
    if p.version == IkeVersion::V1 && p.policies.is_empty() && config.policies.is_empty() {
        return Err(fault(&place, "policies", ConfigFault::Missing));
    }
    if p.mode == Phase1Mode::AggressiveExposingPskHash
        && p.local_id.is_none()
        && p.local_address.is_none()
        && !p.addresses.is_empty()
    {
        return Err(fault(&place, "local_id", ConfigFault::Missing));
    }
    policies(config, provider, &p.policies, Some(p))?;
    auth::auth(config, provider, p, &place)?;
    if p.version == IkeVersion::V1 && cfg!(not(feature = "v1")) {
        let built = ConfigFault::Unsupported("this build speaks no IKEv1");
        return Err(fault(&place, "version", built));
    }
    match p.version {
        IkeVersion::V1 => auth::of_v1(config, p, &place)?,
        IkeVersion::V2 => options(config, provider, p, &place)?,
    }
    retransmit(&p.retransmit, &place)?;
    if let Dpd::OnTraffic(times) | Dpd::Periodic(times) = p.dpd {
        positive(times.idle, &place, "dpd.idle")?;
        positive(times.retry, &place, "dpd.retry")?;
        if times.tries == 0 {
            return Err(range(&place, "dpd.tries", 0, "at least 1"));
        }
    }
    if let Some(interval) = p.nat_traversal.keepalive {
        positive(interval, &place, "nat_traversal.keepalive")?;
    }
    if p.keep_up && p.addresses.is_empty() {
        return Err(fault(&place, "addresses", ConfigFault::Missing));
    }
    margin(&p.margin, &place)?;
    if p.children.len() > MAX_OFFERS {
        return Err(range(&place, "children", len(&p.children), "at most 64"));
    }
    unique(p.children.iter().map(|c| &c.name), &place, "children")?;
    p.children
        .iter()
        .try_for_each(|c| child(config, provider, p, c))
}

fn child(config: &Config, provider: &Provider, p: &PeerConfig, c: &ChildConfig) -> Check {
    let place = Place::Child {
        peer: p.name.clone(),
        child: c.name.clone(),
    };
    if c.name.is_empty() {
        return Err(fault(&place, "name", ConfigFault::Missing));
    }
    families(c, &place)?;
    if p.version == IkeVersion::V1 {
        selectors_of_v1(c, &place)?;
    }
    if c.suites.is_empty() {
        return Err(fault(&place, "suites", ConfigFault::Missing));
    }
    if c.suites.len() > MAX_OFFERS {
        return Err(range(&place, "suites", len(&c.suites), "at most 64"));
    }
    for suite in &c.suites {
        match *suite {
            ChildSuite::Esp(id) => {
                have(provider.protection(id).is_some(), id, &place, "suites")?;
                weak(config, id, &place, "suites")?;
            }
            ChildSuite::Ah(id) => {
                have(provider.integrity(id).is_some(), id, &place, "suites")?;
                weak(config, id, &place, "suites")?;
            }
        }
        if p.version == IkeVersion::V1 && alg::suite_to_wire(*suite).is_none() {
            let text = "IKEv1 has no number for this protection";
            return Err(fault(&place, "suites", ConfigFault::Unsupported(text)));
        }
    }
    if let Pfs::Required(id) = c.pfs {
        group(config, provider, id, &place, "pfs")?;
        if p.version == IkeVersion::V1 {
            group_of_v1(id, &place, "pfs")?;
        }
    }
    super::v2::additional(provider, config.weak, &c.additional)
        .map_err(|(field, what)| fault(&place, field, what))?;
    if let Some(idle) = c.idle_timeout {
        positive(idle, &place, "idle_timeout")?;
    }
    margin(&c.margin, &place)?;
    lifetime(&c.lifetime, &place)
}

fn group(
    config: &Config,
    provider: &Provider,
    id: GroupId,
    place: &Place,
    field: &'static str,
) -> Check {
    have(provider.group(id).is_some(), id, place, field)?;
    weak(config, id, place, field)
}

fn group_of_v1(id: GroupId, place: &Place, field: &'static str) -> Check {
    if alg::group_to_wire(id).is_none() {
        let text = "IKEv1 has no number for this group";
        return Err(fault(place, field, ConfigFault::Unsupported(text)));
    }
    Ok(())
}

fn lifetime(l: &Lifetime, place: &Place) -> Check {
    let seconds = l.time.as_secs();
    if seconds == 0 || seconds > MAX_LIFETIME || l.time.subsec_nanos() != 0 {
        return Err(range(
            place,
            "lifetime.time",
            seconds,
            "whole seconds, 1 to 2^32-1",
        ));
    }
    match l.kilobytes {
        Some(kb) if kb == 0 || kb > MAX_LIFETIME => {
            Err(range(place, "lifetime.kilobytes", kb, "1 to 2^32-1"))
        }
        _ => Ok(()),
    }
}

fn margin(m: &RekeyMargin, place: &Place) -> Check {
    if m.volume_percent > 25 {
        return Err(range(
            place,
            "margin.volume_percent",
            m.volume_percent.into(),
            "at most 25",
        ));
    }
    if m.jitter_percent > 25 {
        return Err(range(
            place,
            "margin.jitter_percent",
            m.jitter_percent.into(),
            "at most 25",
        ));
    }
    Ok(())
}

fn retransmit(r: &Retransmit, place: &Place) -> Check {
    positive(r.first, place, "retransmit.first")?;
    if r.longest < r.first {
        let secs = r.longest.as_secs();
        return Err(range(
            place,
            "retransmit.longest",
            secs,
            "not below retransmit.first",
        ));
    }
    if !(100..=1000).contains(&r.growth_percent) {
        return Err(range(
            place,
            "retransmit.growth_percent",
            r.growth_percent.into(),
            "100 to 1000",
        ));
    }
    if r.jitter_percent > 50 {
        return Err(range(
            place,
            "retransmit.jitter_percent",
            r.jitter_percent.into(),
            "at most 50",
        ));
    }
    Ok(())
}

fn positive(d: Duration, place: &Place, field: &'static str) -> Check {
    // A millisecond is the finest step of any timer.
    if d < Duration::from_millis(1) {
        return Err(range(place, field, 0, "at least 1 ms"));
    }
    Ok(())
}

fn have(there: bool, id: impl ToString, place: &Place, field: &'static str) -> Check {
    if there {
        Ok(())
    } else {
        Err(fault(
            place,
            field,
            ConfigFault::Unavailable(id.to_string()),
        ))
    }
}

fn weak(config: &Config, id: impl Strength, place: &Place, field: &'static str) -> Check {
    config
        .weak
        .check(id)
        .map_err(|w| fault(place, field, ConfigFault::Weak(w)))
}

fn options(config: &Config, provider: &Provider, p: &PeerConfig, place: &Place) -> Check {
    let v2 = &p.v2;
    if v2.proposals.is_empty() {
        return Err(fault(place, "v2.proposals", ConfigFault::Missing));
    }
    if v2.proposals.len() > MAX_OFFERS {
        let count = len(&v2.proposals);
        return Err(range(place, "v2.proposals", count, "at most 64"));
    }
    for proposal in &v2.proposals {
        let checked = proposal.check(provider, config.weak);
        checked.map_err(|(field, what)| fault(place, field, what))?;
    }
    lifetime(&v2.lifetime, place)?;
    if !(1..=16).contains(&v2.window) {
        return Err(range(place, "v2.window", v2.window.into(), "1 to 16"));
    }
    if v2.additional_addresses.len() > crate::config::v2::MAX_ADDRESSES {
        let count = len(&v2.additional_addresses);
        return Err(range(place, "v2.additional_addresses", count, "at most 16"));
    }
    unique(
        v2.additional_addresses.iter(),
        place,
        "v2.additional_addresses",
    )?;
    match v2.fragment {
        // RFC 7383 §2.5.1: room for headers, an IV, an ICV and a chunk worth its header.
        Some(size) if size < 256 => Err(range(place, "v2.fragment", size.into(), "at least 256")),
        _ => Ok(()),
    }
}

/// Each family of one side has to be on the other side as well, else no packet goes both ways.
fn families(c: &ChildConfig, place: &Place) -> Check {
    let has = |side: &Selectors, v4| side.iter().any(|s| s.start().is_ipv4() == v4);
    if [true, false]
        .iter()
        .any(|v4| has(&c.local, *v4) != has(&c.remote, *v4))
    {
        return Err(fault(place, "remote", ConfigFault::MixedFamilies));
    }
    Ok(())
}

fn selectors_of_v1(c: &ChildConfig, place: &Place) -> Check {
    for (field, selectors) in [("local", &c.local), ("remote", &c.remote)] {
        let Some(selector) = selectors.single() else {
            // RFC 2409 §5.5: IDci and IDcr, one of each.
            let text = "IKEv1 carries one selector of each side";
            return Err(fault(place, field, ConfigFault::Unsupported(text)));
        };
        // RFC 2407 §4.6.2: an identity has one port, 0 for any.
        let (first, last) = selector.ports;
        if first != last && (first, last) != (0, u16::MAX) {
            let text = "IKEv1 carries one port or all, no range";
            return Err(fault(place, field, ConfigFault::Unsupported(text)));
        }
    }
    Ok(())
}

fn unique<T: PartialEq + ToString>(
    list: impl Iterator<Item = T>,
    place: &Place,
    field: &'static str,
) -> Check {
    let mut seen = Vec::new();
    for item in list {
        if seen.contains(&item) {
            return Err(fault(
                place,
                field,
                ConfigFault::Duplicate(item.to_string()),
            ));
        }
        seen.push(item);
    }
    Ok(())
}

fn fault(place: &Place, field: &'static str, fault: ConfigFault) -> ConfigError {
    ConfigError {
        place: place.clone(),
        field,
        fault,
    }
}

fn range(place: &Place, field: &'static str, value: u64, expected: &'static str) -> ConfigError {
    fault(place, field, ConfigFault::Range { value, expected })
}

fn len<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}
