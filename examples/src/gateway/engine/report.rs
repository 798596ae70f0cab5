//! What the tables show: the endpoint's SAs and the pairs installed here.

use super::Engine;
use crate::gateway::{
    pairs::Pair,
    status::{ChildStatus, Counter, IkeStatus, Status, TunnelStatus},
    words,
};
use ike_sm::{IkeId, config::Authentication, explain::Role};
use std::time::Duration;

impl Engine {
    /// What the tables show.
    #[must_use]
    pub fn status(&self, now: Duration) -> Status {
        let up = |name: &str| self.pairs.iter().any(|p| p.active && p.name == name);
        let mut counters: Vec<Counter> = self
            .counters
            .iter()
            .map(|(name, count)| Counter {
                name: (*name).into(),
                count: *count,
            })
            .collect();
        counters.push(Counter {
            name: "held packets".into(),
            count: self.hold.len() as u64,
        });
        counters.push(Counter {
            name: "held packets dropped".into(),
            count: self.hold.dropped(),
        });
        Status {
            name: self.config.gateway.name.clone(),
            uptime: now.as_secs(),
            ike: self
                .endpoint
                .ike_sas()
                .map(|sa| ike_status(sa, now))
                .collect(),
            children: self
                .pairs
                .iter()
                .map(|p| self.child_status(p, now))
                .collect(),
            tunnels: self
                .config
                .peer
                .iter()
                .flat_map(|p| &p.tunnel)
                .zip(&self.tunnels)
                .map(|(written, t)| TunnelStatus {
                    name: t.name.clone(),
                    peer: t.peer.clone(),
                    selectors: [written.local.get_ref(), written.remote.get_ref()]
                        .map(|n| n.to_string()),
                    up: up(&t.name),
                    hits: t.hits,
                })
                .collect(),
            gre: self.gre.status(now),
            routes: self.routing.words(),
            counters,
        }
    }

    /// The newest IKE SA with `peer` that is up.
    pub(super) fn newest_ike(&self, peer: &str) -> Option<IkeId> {
        let up = |sa: &ike_sm::IkeStatus| {
            sa.peer == peer && sa.established.as_ref().is_some_and(|e| !e.replaced)
        };
        self.endpoint.ike_sas().filter(up).map(|sa| sa.id).last()
    }

    fn child_status(&self, pair: &Pair, now: Duration) -> ChildStatus {
        let (path_mtu, media_mtu) = self.paths.mtu(&pair.path);
        let negotiated = self.endpoint.children().find(|c| c.id == pair.id);
        ChildStatus {
            pfs: negotiated.and_then(|c| c.pfs).map(words::group),
            path_mtu,
            media_mtu,
            ..pair.status(now)
        }
    }
}

fn ike_status(sa: ike_sm::IkeStatus, now: Duration) -> IkeStatus {
    let state = sa.show().to_string();
    let policy = sa.established.as_ref().and_then(|e| e.policy.v1().copied());
    let remaining = |e: &ike_sm::EstablishedStatus| {
        let age = now.saturating_sub(e.since);
        e.schedule.hard.saturating_sub(age).as_secs()
    };
    IkeStatus {
        conn_id: sa.id.number(),
        peer: sa.peer,
        version: 1,
        local: (sa.path.local.ip(), sa.path.local.port()),
        remote: (sa.path.remote.ip(), sa.path.remote.port()),
        state,
        active: sa.established.as_ref().is_some_and(|e| !e.replaced),
        initiator: sa.role == Role::Initiator,
        encryption: policy.map_or("-", |p| words::cipher(p.encryption)).into(),
        hash: policy.map_or("-", |p| words::hash(p.hash)).into(),
        authentication: match policy.map(|p| p.authentication) {
            Some(Authentication::PreSharedKey) => "psk".into(),
            Some(Authentication::RsaSignature) => "rsig".into(),
            Some(_) => "ecdsa".into(),
            None => "-".into(),
        },
        group: policy.map_or(0, |p| words::group(p.group)),
        lifetime: sa.established.as_ref().map(remaining),
        capabilities: sa
            .established
            .map(|e| e.capabilities.to_string())
            .unwrap_or_default(),
    }
}
