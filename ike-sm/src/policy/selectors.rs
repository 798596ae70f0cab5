//! Client identities of quick mode: IDci and IDcr as selectors (RFC 2409 §5.5, RFC 2407 §4.6.2).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::{ChildConfig, SelectorMatch};
use crate::model::{Selector, Selectors};

/// The body of an Identification payload that stands for a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientId {
    /// ID type.
    pub id_type: u8,
    /// IP protocol, 0 for any.
    pub protocol: u8,
    /// Port, 0 for any.
    pub port: u16,
    /// Identification data.
    pub data: Vec<u8>,
}

/// Why a client identity is no selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientIdError {
    /// A type that names no addresses.
    #[error("ID type {0} names no addresses")]
    Type(u8),
    /// Data of a length that the type does not have.
    #[error("{0} bytes of data do not fit the ID type")]
    Length(usize),
    /// A mask with holes.
    #[error("a mask with holes")]
    Mask,
    /// A range that runs backwards.
    #[error("a range that runs backwards")]
    Range,
}

impl ClientId {
    /// The identity that names `selector`, in the shortest form: an address, a subnet, a range.
    /// `None` for a port range that is neither all nor one: there is no field for it.
    #[must_use]
    pub fn from_selector(selector: &Selector) -> Option<Self> {
        let port = match selector.ports {
            (0, u16::MAX) => 0,
            (first, last) if first == last => first,
            _ => return None,
        };
        let v4 = selector.start().is_ipv4();
        let (id_type, data) = match selector.prefix_len() {
            Some(32) if v4 => (1, octets(selector.start())),
            Some(128) if !v4 => (5, octets(selector.start())),
            Some(len) => {
                let mut data = octets(selector.start());
                data.extend(mask(v4, len));
                (if v4 { 4 } else { 6 }, data)
            }
            None => {
                let mut data = octets(selector.start());
                data.extend(octets(selector.end()));
                (if v4 { 7 } else { 8 }, data)
            }
        };
        Some(Self {
            id_type,
            protocol: selector.protocol,
            port,
            data,
        })
    }

    /// The body of the payload.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.data.len().saturating_add(4));
        body.extend([self.id_type, self.protocol]);
        body.extend(self.port.to_be_bytes());
        body.extend(&self.data);
        body
    }

    /// The selector that a client identity names.
    ///
    /// # Errors
    /// Types without addresses, wrong lengths, masks with holes, backward ranges.
    pub fn to_selector(
        id_type: u8,
        protocol: u8,
        port: u16,
        data: &[u8],
    ) -> Result<Selector, ClientIdError> {
        let selector = match id_type {
            1 | 5 => Selector::host(address(data, id_type == 1)?),
            4 | 6 => {
                let (first, second) = pair(data, id_type == 4)?;
                let len = prefix_len(second).ok_or(ClientIdError::Mask)?;
                Selector::subnet(first, len).ok_or(ClientIdError::Mask)?
            }
            7 | 8 => {
                let (first, second) = pair(data, id_type == 7)?;
                Selector::range(first, second).ok_or(ClientIdError::Range)?
            }
            other => return Err(ClientIdError::Type(other)),
        };
        Ok(selector.with_protocol(protocol, port))
    }
}

/// How the selectors of a child's configuration and those of a quick mode compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closeness {
    /// They are the same.
    Exact,
    /// Those of the quick mode lie within those of the child.
    Within,
    /// Neither.
    Apart,
}

/// Compares what a peer asks for in a quick mode with a child's configuration.
#[must_use]
pub fn closeness(child: &ChildConfig, local: &Selector, remote: &Selector) -> Closeness {
    let within = |outer: &Selectors, inner| outer.iter().any(|s| s.contains(inner));
    if child.local.single() == Some(local) && child.remote.single() == Some(remote) {
        Closeness::Exact
    } else if within(&child.local, local) && within(&child.remote, remote) {
        Closeness::Within
    } else {
        Closeness::Apart
    }
}

/// Does the child's configuration grant these selectors to a peer that asks for them in a quick mode?
#[must_use]
pub fn fits(child: &ChildConfig, local: &Selector, remote: &Selector) -> bool {
    match closeness(child, local, remote) {
        Closeness::Exact => true,
        Closeness::Within => child.selector_match == SelectorMatch::Within,
        Closeness::Apart => false,
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(a) => a.octets().into(),
        IpAddr::V6(a) => a.octets().into(),
    }
}

fn mask(v4: bool, len: u8) -> Vec<u8> {
    if v4 {
        return bits_v4(len).to_be_bytes().into();
    }
    let bits = u128::MAX
        .checked_shl(128u32.saturating_sub(u32::from(len)))
        .unwrap_or(0);
    bits.to_be_bytes().into()
}

fn bits_v4(len: u8) -> u32 {
    u32::MAX
        .checked_shl(32u32.saturating_sub(u32::from(len)))
        .unwrap_or(0)
}

fn address(data: &[u8], v4: bool) -> Result<IpAddr, ClientIdError> {
    let wrong = ClientIdError::Length(data.len());
    if v4 {
        <[u8; 4]>::try_from(data)
            .map(|b| IpAddr::V4(Ipv4Addr::from(b)))
            .map_err(|_| wrong)
    } else {
        <[u8; 16]>::try_from(data)
            .map(|b| IpAddr::V6(Ipv6Addr::from(b)))
            .map_err(|_| wrong)
    }
}

fn pair(data: &[u8], v4: bool) -> Result<(IpAddr, IpAddr), ClientIdError> {
    let half = if v4 { 4 } else { 16 };
    let (first, second) = data
        .split_at_checked(half)
        .ok_or(ClientIdError::Length(data.len()))?;
    let fault = |_| ClientIdError::Length(data.len());
    Ok((
        address(first, v4).map_err(fault)?,
        address(second, v4).map_err(fault)?,
    ))
}

fn prefix_len(mask: IpAddr) -> Option<u8> {
    let (ones, holes) = match mask {
        IpAddr::V4(m) => (m.to_bits().leading_ones(), m.to_bits().count_ones()),
        IpAddr::V6(m) => (m.to_bits().leading_ones(), m.to_bits().count_ones()),
    };
    (ones == holes).then(|| u8::try_from(ones).ok()).flatten()
}
