//! Addresses that peers have given us (road warrior): on the tunnel device, for as long as the IKE SA stands.

use super::Engine;
use ike_sm::{IkeId, config::v2::Assignment};
use ipnet::IpNet;
use std::net::IpAddr;

impl Engine {
    pub(super) fn assigned(&mut self, ike: IkeId, peer: &str, assignment: &Assignment) {
        let v4 = assignment.ipv4.map(IpAddr::V4);
        let v6 = assignment.ipv6.map(|(address, _)| IpAddr::V6(address));
        let written = self.config.peer.iter().find(|p| *p.name.get_ref() == peer);
        let tunnels = written.iter().flat_map(|p| &p.tunnel);
        let networks: Vec<IpNet> = tunnels
            .flat_map(|t| &t.remote.get_ref().0)
            .map(|network| network.0)
            .collect();
        for address in v4.into_iter().chain(v6) {
            self.log
                .note(&format!("peer {peer}: our address inside is {address}"));
            if let Err(e) = self.routing.add_own(address, &networks) {
                self.log.note(&format!("address {address}: {e}"));
            }
            self.own_addresses.push((ike, address));
        }
        let servers = &assignment.dns;
        if !servers.is_empty() {
            let servers: Vec<String> = servers.iter().map(IpAddr::to_string).collect();
            let what = match &assignment.domains[..] {
                [] => "everything".into(),
                domains => domains.join(", "),
            };
            // What a resolver is told is the system's business.
            let servers = servers.join(", ");
            self.log
                .note(&format!("peer {peer}: DNS for {what} at {servers}"));
        }
    }

    /// `new` keeps the addresses of the IKE SA whose place it takes.
    pub(super) fn keep_addresses(&mut self, old: IkeId, new: IkeId) {
        for (ike, _) in &mut self.own_addresses {
            if *ike == old {
                *ike = new;
            }
        }
    }

    /// The addresses of an IKE SA that has ended.
    pub(super) fn drop_addresses(&mut self, ended: IkeId) {
        let gone = |own: &mut (IkeId, IpAddr)| own.0 == ended;
        let addresses: Vec<_> = self.own_addresses.extract_if(.., gone).collect();
        for (_, address) in addresses {
            // A new SA may have been given the same one.
            let kept = self.own_addresses.iter().any(|(_, own)| *own == address);
            if !kept && let Err(e) = self.routing.del_own(address) {
                self.log.note(&format!("address {address}: {e}"));
            }
        }
    }
}
