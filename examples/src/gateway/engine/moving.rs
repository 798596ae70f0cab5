//! MOBIKE (RFC 4555): this machine has lost an address, and its IKE SAs go on from another one.

use super::Engine;
use crate::{gateway::outside::source_towards, net::netlink::Netlink};
use ike_sm::{Command, Event, explain::Role};
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

impl Engine {
    /// Links or addresses have changed.
    pub fn addresses_changed(&mut self, now: Duration) {
        // Their links are looked at again with the next pair.
        self.links.clear();
        let known = Netlink::open().and_then(|mut netlink| netlink.addresses());
        let Ok(known) = known else { return };
        let ours: BTreeSet<IpAddr> = known.into_iter().map(|(_, ip, _)| ip).collect();
        // Only the end that started an IKE SA may move it (RFC 4555 §3.5).
        let stranded: Vec<_> = self
            .endpoint()
            .ike_sas()
            .filter(|sa| sa.role == Role::Initiator && sa.version.major() == 2)
            .filter(|sa| sa.established.is_some() && !ours.contains(&sa.path.local.ip()))
            .map(|sa| (sa.id, sa.path))
            .collect();
        let listen = &self.config.gateway.listen.0;
        let moves: Vec<_> = stranded
            .into_iter()
            .filter_map(|(ike, path)| {
                // Without a way to the peer the next change may bring one.
                let local = source_towards(path.remote.ip()).ok()?;
                let heard = listen.is_empty() || listen.contains(&local);
                heard.then_some((ike, SocketAddr::new(local, path.local.port())))
            })
            .collect();
        for (ike, local) in moves {
            self.log.note(&format!("our address is now {}", local.ip()));
            self.tell(Event::Command(Command::MoveIke { ike, local }), now);
        }
    }
}
