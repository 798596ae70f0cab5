//! Addresses for road warriors: who has which.

use super::config;
use ike_sm::config::Identity;
use ike_sm::config::v2::{AddressRequest, Assignment, Wanted};
use ipnet::IpNet;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// One pool of the file and its leases.
#[derive(Debug)]
pub struct Pool {
    name: String,
    network: IpNet,
    dns: Vec<IpAddr>,
    domains: Vec<String>,
    /// Addresses that the file gives to somebody: nobody else gets them.
    reserved: BTreeMap<Identity, IpAddr>,
    leases: Vec<Lease>,
}

/// An address and whose it is. It stays with its owner until somebody else needs it.
#[derive(Debug)]
struct Lease {
    address: IpAddr,
    owner: Option<Identity>,
    /// Numbers of the IKE SAs that use it: two while one takes the other's place.
    held: BTreeSet<u64>,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(pool: &config::Pool) -> Self {
        Self {
            name: pool.name.get_ref().clone(),
            network: pool.network,
            dns: pool.dns.0.clone(),
            domains: pool.domain.0.clone(),
            reserved: BTreeMap::new(),
            leases: Vec::new(),
        }
    }

    /// Its name in the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Keeps an address for `owner`, if it is one of this pool.
    pub fn reserve(&mut self, owner: &Identity, address: IpAddr) {
        if self.network.contains(&address) {
            self.reserved.insert(owner.clone(), address);
        }
    }

    /// An address for `owner`, and what goes with it; none when all are in use.
    pub fn lease(
        &mut self,
        ike: u64,
        owner: &Identity,
        request: &AddressRequest,
    ) -> Option<Assignment> {
        let wish = match self.network {
            IpNet::V4(_) => match request.ipv4 {
                Wanted::No => return None,
                Wanted::Any => None,
                Wanted::Rather(address) => Some(IpAddr::V4(address)),
            },
            IpNet::V6(_) => match request.ipv6 {
                Wanted::No => return None,
                Wanted::Any => None,
                Wanted::Rather(address) => Some(IpAddr::V6(address)),
            },
        };
        let place = self.place(owner, wish)?;
        let lease = self.leases.get_mut(place)?;
        lease.held.insert(ike);
        if lease.owner.as_ref() != Some(owner) {
            lease.owner = Some(owner.clone());
        }
        let mut assignment = Assignment::default();
        match lease.address {
            IpAddr::V4(address) => assignment.ipv4 = Some(address),
            IpAddr::V6(address) => assignment.ipv6 = Some((address, self.network.prefix_len())),
        }
        assignment.dns.clone_from(&self.dns);
        assignment.domains.clone_from(&self.domains);
        Some(assignment)
    }

    /// The lease to hand out: the owner's, a new one, or the one that nobody has used for longest.
    fn place(&mut self, owner: &Identity, wish: Option<IpAddr>) -> Option<usize> {
        let leases = &self.leases;
        if let Some(address) = self.reserved.get(owner).copied() {
            // All devices of the user share it.
            let place = leases.iter().position(|l| l.address == address);
            return place.or_else(|| self.add(address));
        }
        // A new authentication of the same SA asks for the address that it has; a second device of the same user does
        // not.
        let own = leases.iter().position(|l| {
            l.owner.as_ref() == Some(owner) && (l.held.is_empty() || wish == Some(l.address))
        });
        if let Some(place) = own {
            return Some(place);
        }
        let reserved = |address: &IpAddr| self.reserved.values().any(|r| r == address);
        let free =
            |address: &IpAddr| leases.iter().all(|l| l.address != *address) && !reserved(address);
        let hosts = || {
            self.network
                .hosts()
                .filter(|a| *a != self.network.network())
        };
        let address = wish
            .filter(|wish| self.network.contains(wish) && hosts().take(1 << 16).any(|a| a == *wish))
            .filter(free)
            .or_else(|| hosts().take(1 << 16).find(free));
        if let Some(address) = address {
            return self.add(address);
        }
        let unused = |l: &Lease| l.held.is_empty() && !reserved(&l.address);
        self.leases.iter().position(unused)
    }

    fn add(&mut self, address: IpAddr) -> Option<usize> {
        self.leases.push(Lease {
            address,
            owner: None,
            held: BTreeSet::new(),
        });
        self.leases.len().checked_sub(1)
    }

    /// `new` has taken the place of `old`.
    pub fn replaced(&mut self, old: u64, new: u64) {
        for lease in &mut self.leases {
            if lease.held.contains(&old) {
                lease.held.insert(new);
            }
        }
    }

    /// An IKE SA has ended.
    pub fn released(&mut self, ike: u64) {
        // What was used last is given to others last.
        let last = self.leases.iter().position(|l| l.held.contains(&ike));
        if let Some(place) = last {
            let mut lease = self.leases.remove(place);
            lease.held.remove(&ike);
            self.leases.push(lease);
        }
    }

    /// Addresses in use, with their owners.
    pub fn in_use(&self) -> impl Iterator<Item = (IpAddr, &Identity)> {
        let held = self.leases.iter().filter(|l| !l.held.is_empty());
        held.filter_map(|l| Some((l.address, l.owner.as_ref()?)))
    }
}

#[cfg(test)]
mod tests;
