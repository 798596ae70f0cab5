//! Where the far sides of children are: found by address, so that a claim is held against few.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;

use crate::core::multimap::Bounded;
use crate::model::{ChildId, Selector, Selectors};

/// Where children are: both of their sides.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Areas {
    local: Nets,
    remote: Nets,
}

impl Areas {
    pub(super) fn insert(&mut self, local: &Selectors, remote: &Selectors, id: ChildId) {
        self.local.insert(local, id);
        self.remote.insert(remote, id);
    }

    pub(super) fn remove(&mut self, local: &Selectors, remote: &Selectors, id: ChildId) {
        self.local.remove(local, id);
        self.remote.remove(remote, id);
    }

    /// Children of which one may be in the way of a claim to these sides: what is in its way is near both of its
    /// sides, so both are searched in turn, and the one that ends first ends the search.
    pub(super) fn candidates<'a>(
        &'a self,
        local: &'a Selectors,
        remote: &'a Selectors,
    ) -> impl Iterator<Item = ChildId> + use<'a> {
        let mut remote = self.remote.near(remote);
        let mut local = self.local.near(local);
        let mut other = None;
        core::iter::from_fn(move || {
            if let Some(waits) = other.take() {
                return Some(waits);
            }
            let next = remote.next()?;
            other = Some(local.next()?);
            Some(next)
        })
    }
}

/// A prefix: its family, its bits from the left, its length.
type Net = (bool, [u8; 16], u8);

/// Children by the smallest prefix that holds each of their selectors of one side.
#[derive(Debug, Default, PartialEq, Eq)]
struct Nets {
    all: BTreeSet<(Net, ChildId)>,
    /// How many there are of each family and length.
    lengths: BTreeMap<(bool, u8), usize>,
}

impl Nets {
    fn insert(&mut self, side: &Selectors, id: ChildId) {
        for net in side.iter().map(enclosing) {
            if self.all.insert((net, id)) {
                let count = self.lengths.entry((net.0, net.2)).or_default();
                *count = count.saturating_add(1);
            }
        }
    }

    fn remove(&mut self, side: &Selectors, id: ChildId) {
        for net in side.iter().map(enclosing) {
            if !self.all.remove(&(net, id)) {
                continue;
            }
            let key = (net.0, net.2);
            if let Some(count) = self.lengths.get_mut(&key) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.lengths.remove(&key);
                }
            }
        }
    }

    /// The children whose prefixes hold one of these, or lie within one.
    fn near<'a>(&'a self, side: &'a Selectors) -> impl Iterator<Item = ChildId> + use<'a> {
        side.iter().flat_map(move |selector| {
            let net = enclosing(selector);
            let (family, bits, len) = net;
            let bits = u128::from_be_bytes(bits);
            let last = (family, (bits | !mask(len)).to_be_bytes(), u8::MAX);
            let within = self
                .all
                .range((net, ChildId::LOWEST)..=(last, ChildId::HIGHEST));
            let shorter = self.lengths.range((family, 0)..(family, len));
            let around = shorter.flat_map(move |((_, len), _)| {
                let net = (family, (bits & mask(*len)).to_be_bytes(), *len);
                self.all
                    .range((net, ChildId::LOWEST)..=(net, ChildId::HIGHEST))
            });
            around.chain(within).map(|(_, id)| *id)
        })
    }
}

/// The first `len` of 128 bits.
fn mask(len: u8) -> u128 {
    let rest = 128_u32.saturating_sub(u32::from(len));
    u128::MAX.checked_shl(rest).unwrap_or(0)
}

/// The smallest prefix that holds the addresses of a selector.
fn enclosing(selector: &Selector) -> Net {
    // An IPv4 address stands in the highest bits.
    let bits = |address: IpAddr| match address {
        IpAddr::V4(a) => u128::from(u32::from(a)) << 96,
        IpAddr::V6(a) => u128::from(a),
    };
    let (first, last) = (bits(selector.start()), bits(selector.end()));
    let v4 = selector.start().is_ipv4();
    let most = if v4 { 32 } else { 128 };
    let len = (first ^ last).leading_zeros().min(most);
    let len = u8::try_from(len).unwrap_or(0);
    (!v4, (first & mask(len)).to_be_bytes(), len)
}

#[cfg(test)]
mod tests;
