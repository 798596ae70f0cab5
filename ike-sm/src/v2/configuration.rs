//! The configuration payload: CFG_REQUEST of an initiator, CFG_REPLY of a responder (RFC 7296
//! §2.19, §3.15; RFC 8598). CFG_SET and CFG_ACK are ignored, as the RFC allows.

use alloc::string::String;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use isakmp_wire::BuildError;
use isakmp_wire::v2::{ConfigAttribute, ConfigType, ConfigValue, Configuration, Writer};

use crate::config::Prefix;
use crate::config::v2::{AddressRequest, Assignment, Wanted};

/// Longest domain name, octets (RFC 1035 §2.3.4).
const MAX_DOMAIN: usize = 253;

/// Writes a CFG_REQUEST, unless nothing is asked for.
pub(crate) fn write_request(
    writer: &mut Writer<'_>,
    request: &AddressRequest,
) -> Result<(), BuildError> {
    if request.is_empty() {
        return Ok(());
    }
    writer.configuration(ConfigType::REQUEST, |w| {
        match request.ipv4 {
            Wanted::No => {}
            Wanted::Any => w.attribute(ConfigAttribute::INTERNAL_IP4_ADDRESS, &[])?,
            Wanted::Rather(a) => w.address(ConfigAttribute::INTERNAL_IP4_ADDRESS, a.into())?,
        }
        if request.ipv4 != Wanted::No {
            w.attribute(ConfigAttribute::INTERNAL_IP4_DNS, &[])?;
        }
        match request.ipv6 {
            Wanted::No => {}
            Wanted::Any => w.attribute(ConfigAttribute::INTERNAL_IP6_ADDRESS, &[])?,
            Wanted::Rather(a) => w.attribute(
                ConfigAttribute::INTERNAL_IP6_ADDRESS,
                &[&a.octets()[..], &[128]].concat(),
            )?,
        }
        if request.ipv6 != Wanted::No {
            w.attribute(ConfigAttribute::INTERNAL_IP6_DNS, &[])?;
        }
        if request.split_dns {
            w.attribute(ConfigAttribute::INTERNAL_DNS_DOMAIN, &[])?;
        }
        Ok(())
    })?;
    Ok(())
}

/// What a CFG_REQUEST asks for; `None` for another type of payload. Several addresses of one family
/// count as one: a responder may send fewer than were asked for.
pub(crate) fn read_request(configuration: &Configuration<'_>) -> Option<AddressRequest> {
    if configuration.config_type != ConfigType::REQUEST {
        return None;
    }
    let mut request = AddressRequest::default();
    for value in configuration.iter() {
        match value.attribute {
            ConfigAttribute::INTERNAL_IP4_ADDRESS if request.ipv4 == Wanted::No => {
                let rather = value.ipv4().filter(|a| !a.is_unspecified());
                request.ipv4 = rather.map_or(Wanted::Any, Wanted::Rather);
            }
            ConfigAttribute::INTERNAL_IP6_ADDRESS if request.ipv6 == Wanted::No => {
                let rather = ipv6(&value).filter(|(a, _)| !a.is_unspecified());
                request.ipv6 = rather.map_or(Wanted::Any, |(a, _)| Wanted::Rather(a));
            }
            ConfigAttribute::INTERNAL_DNS_DOMAIN => request.split_dns = true,
            _ => {}
        }
    }
    Some(request)
}

/// Writes a CFG_REPLY: of `assignment` what was asked for.
pub(crate) fn write_reply(
    writer: &mut Writer<'_>,
    request: &AddressRequest,
    assignment: &Assignment,
) -> Result<(), BuildError> {
    let (v4, v6) = (request.ipv4 != Wanted::No, request.ipv6 != Wanted::No);
    writer.configuration(ConfigType::REPLY, |w| {
        if let Some(address) = assignment.ipv4.filter(|_| v4) {
            w.address(ConfigAttribute::INTERNAL_IP4_ADDRESS, address.into())?;
        }
        if let Some((address, length)) = assignment.ipv6.filter(|_| v6) {
            let value = [&address.octets()[..], &[length]].concat();
            w.attribute(ConfigAttribute::INTERNAL_IP6_ADDRESS, &value)?;
        }
        let mut resolves = false;
        for server in assignment.dns.iter().take(Assignment::MAX) {
            let attribute = match server {
                IpAddr::V4(_) if v4 => ConfigAttribute::INTERNAL_IP4_DNS,
                IpAddr::V6(_) if v6 => ConfigAttribute::INTERNAL_IP6_DNS,
                _ => continue,
            };
            w.address(attribute, *server)?;
            resolves = true;
        }
        // RFC 8598 §3.2: domains only beside DNS servers, and only for who understands them.
        if request.split_dns && resolves {
            for domain in assignment.domains.iter().take(Assignment::MAX) {
                w.attribute(ConfigAttribute::INTERNAL_DNS_DOMAIN, domain.as_bytes())?;
            }
        }
        for subnet in assignment.subnets.iter().take(Assignment::MAX) {
            match subnet.address() {
                IpAddr::V4(a) if v4 => {
                    let mask = mask(subnet.prefix_len());
                    let value = [a.octets(), mask].concat();
                    w.attribute(ConfigAttribute::INTERNAL_IP4_SUBNET, &value)?;
                }
                IpAddr::V6(a) if v6 => {
                    let value = [&a.octets()[..], &[subnet.prefix_len()]].concat();
                    w.attribute(ConfigAttribute::INTERNAL_IP6_SUBNET, &value)?;
                }
                _ => {}
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// What a CFG_REPLY assigns; `None` for another type of payload. Values that are no addresses or
/// names, and those beyond [`Assignment::MAX`], are left out.
pub(crate) fn read_reply(configuration: &Configuration<'_>) -> Option<Assignment> {
    if configuration.config_type != ConfigType::REPLY {
        return None;
    }
    let mut assignment = Assignment::default();
    for value in configuration.iter() {
        match value.attribute {
            ConfigAttribute::INTERNAL_IP4_ADDRESS => {
                assignment.ipv4 = assignment.ipv4.or_else(|| value.ipv4());
            }
            ConfigAttribute::INTERNAL_IP6_ADDRESS => {
                assignment.ipv6 = assignment.ipv6.or_else(|| ipv6(&value));
            }
            ConfigAttribute::INTERNAL_IP4_DNS => {
                keep(&mut assignment.dns, value.ipv4().map(IpAddr::V4));
            }
            ConfigAttribute::INTERNAL_IP6_DNS => {
                keep(&mut assignment.dns, value.ipv6().map(IpAddr::V6));
            }
            ConfigAttribute::INTERNAL_DNS_DOMAIN => keep(&mut assignment.domains, domain(&value)),
            ConfigAttribute::INTERNAL_IP4_SUBNET => {
                keep(&mut assignment.subnets, ipv4_subnet(&value));
            }
            ConfigAttribute::INTERNAL_IP6_SUBNET => {
                let subnet = value.ipv6_prefix();
                let subnet = subnet.and_then(|(a, length)| Prefix::new(a.into(), length));
                keep(&mut assignment.subnets, subnet);
            }
            _ => {}
        }
    }
    // RFC 8598 §3.2: domains without servers mean nothing.
    if assignment.dns.is_empty() {
        assignment.domains.clear();
    }
    Some(assignment)
}

fn keep<T: PartialEq>(list: &mut alloc::vec::Vec<T>, found: Option<T>) {
    if let Some(found) = found
        && list.len() < Assignment::MAX
        && !list.contains(&found)
    {
        list.push(found);
    }
}

/// An address with its prefix length; some peers leave the length out.
fn ipv6(value: &ConfigValue<'_>) -> Option<(Ipv6Addr, u8)> {
    let bare = || value.ipv6().map(|address| (address, 128));
    value.ipv6_prefix().or_else(bare)
}

/// A name in A-labels (RFC 8598 §4.1): letters, digits, hyphens, underscores, dots between labels.
fn domain(value: &ConfigValue<'_>) -> Option<String> {
    let name = value.as_str()?;
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    (name.len() <= MAX_DOMAIN && name.split('.').all(label)).then(|| name.into())
}

fn mask(length: u8) -> [u8; 4] {
    let host = 32_u32.saturating_sub(length.into());
    u32::MAX.checked_shl(host).unwrap_or(0).to_be_bytes()
}

fn ipv4_subnet(value: &ConfigValue<'_>) -> Option<Prefix> {
    let (address, mask) = value.ipv4_subnet()?;
    let bits = u32::from(mask);
    let length = bits.leading_ones();
    // A mask with holes is no prefix.
    let whole = bits.checked_shl(length).unwrap_or(0) == 0;
    let length = u8::try_from(length).ok().filter(|_| whole)?;
    Prefix::new(
        IpAddr::V4(Ipv4Addr::from(u32::from(address) & bits)),
        length,
    )
}

#[cfg(test)]
mod tests;
