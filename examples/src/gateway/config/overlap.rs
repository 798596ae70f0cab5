//! Tunnels of different peers for the same packets: only one of them can be up at a time, unless all are shared.

use super::{Config, ConfigError, Network, Peer, PeerAddress, Several, Tunnel};
use toml::Spanned;

impl Config {
    /// Tunnels that keep another peer's from coming up.
    #[must_use]
    pub fn overlaps(&self) -> Vec<ConfigError> {
        let all = || {
            self.peer
                .iter()
                .flat_map(|p| p.tunnel.iter().map(move |t| (p, t)))
        };
        let mut found = Vec::new();
        for (number, (peer, tunnel)) in all().enumerate() {
            let before = all().take(number);
            let other = before.filter(|(p, _)| !same(peer, p));
            let other = other.filter(|(_, t)| !(tunnel.shared && t.shared));
            if let Some((_, other)) = other.into_iter().find(|(_, t)| conflict(tunnel, t)) {
                let what = format!(
                    "tunnel `{}` of another peer is for the same packets: whichever is up keeps the other one down, \
                     unless both are `shared`",
                    other.name.get_ref()
                );
                found.push(self.mistake(tunnel.remote.span(), &what));
            }
        }
        found
    }
}

/// Whether two entries are of one device.
fn same(a: &Peer, b: &Peer) -> bool {
    match (&a.remote_id, &b.remote_id) {
        (Some(a), Some(b)) => a == b,
        (None, None) => {
            let known = &b.address.get_ref().0;
            let host = |address: &&PeerAddress| matches!(address, PeerAddress::Host(_));
            a.address
                .get_ref()
                .0
                .iter()
                .filter(host)
                .any(|address| known.contains(address))
        }
        _ => false,
    }
}

type Networks = Spanned<Several<Network>>;

fn conflict(a: &Tunnel, b: &Tunnel) -> bool {
    let common = |a: &Networks, b: &Networks| {
        let holds = |a: &Network, b: &Network| a.0.contains(&b.0) || b.0.contains(&a.0);
        let mut pairs = a.get_ref().0.iter();
        pairs.any(|a| b.get_ref().0.iter().any(|b| holds(a, b)))
    };
    let within = |inner: &Networks, outer: &Networks| {
        let holds = |i: &Network| outer.get_ref().0.iter().any(|o| o.0.contains(&i.0));
        inner.get_ref().0.iter().all(holds)
    };
    // One within the other is no conflict: the narrow one has its packets.
    let nested = within(&a.remote, &b.remote) != within(&b.remote, &a.remote);
    let protocols = a.protocol == b.protocol || a.protocol == 0 || b.protocol == 0;
    protocols && common(&a.local, &b.local) && common(&a.remote, &b.remote) && !nested
}
