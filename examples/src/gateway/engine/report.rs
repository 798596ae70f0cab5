//! What the tables show: the SAs of both sides.

use super::Engine;
use crate::gateway::{
    config::Proof,
    pairs,
    status::{ChildStatus, Counter, IkeStatus, Status, TunnelStatus},
    words,
};
use ike_sm::{AgreedPolicy, IkeId, config::Authentication, explain::Role};
use ipsec::{PairStatus, PolicyAction};
use std::time::Duration;

impl Engine {
    /// What the tables show.
    #[must_use]
    pub fn status(&self, now: Duration) -> Status {
        let pairs: Vec<_> = self.data.pairs().collect();
        let up = |name: &str| pairs.iter().any(|p| p.active && p.name == name);
        let (waiting, in_vain) = self.data.held();
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
            count: waiting as u64,
        });
        counters.push(Counter {
            name: "held packets dropped".into(),
            count: in_vain,
        });
        Status {
            name: self.config.gateway.name.clone(),
            uptime: now.as_secs(),
            ike: self
                .endpoint()
                .ike_sas()
                .map(|sa| {
                    let mut status = ike_status(sa, now);
                    if status.version == 2 && status.up_for.is_some() {
                        (status.authentication, status.verified) = self.proofs(&status.peer);
                    }
                    status
                })
                .collect(),
            children: pairs.iter().map(|p| self.child_status(p, now)).collect(),
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
                    hits: self.hits(&t.peer, &t.name),
                })
                .collect(),
            gre: self.gre.status(now),
            routes: self.routing.words(),
            counters,
        }
    }

    /// What both ends of an IKE SA with `peer` prove themselves with, ours first.
    fn proofs(&self, peer: &str) -> (String, String) {
        let written = self.config.peer.iter().find(|p| p.name.get_ref() == peer);
        let word = |proof: Option<Proof>| match proof {
            Some(Proof::Signature) => "SIG".to_owned(),
            Some(Proof::Eap) => "EAP".to_owned(),
            _ => "PSK".to_owned(),
        };
        let auth = written.and_then(|p| p.auth.as_ref());
        (
            word(auth.map(|a| *a.local.get_ref())),
            word(auth.map(|a| *a.remote.get_ref())),
        )
    }

    /// How many packets have matched the policy of a tunnel.
    fn hits(&self, peer: &str, tunnel: &str) -> u64 {
        let mut policies = self.data.policies();
        let of_tunnel = |action: &PolicyAction| match action {
            PolicyAction::Protect { peer: p, child, .. } => p == peer && child == tunnel,
            _ => false,
        };
        policies
            .find(|(action, _)| of_tunnel(action))
            .map_or(0, |(_, hits)| hits)
    }

    /// The newest IKE SA with `peer` that is up.
    pub(super) fn newest_ike(&self, peer: &str) -> Option<IkeId> {
        let up = |sa: &ike_sm::IkeStatus| {
            sa.peer == peer && sa.established.as_ref().is_some_and(|e| !e.replaced)
        };
        self.endpoint().ike_sas().filter(up).map(|sa| sa.id).last()
    }

    fn child_status(&self, pair: &PairStatus, now: Duration) -> ChildStatus {
        let negotiated = self.endpoint().children().find(|c| c.id == pair.id);
        ChildStatus {
            ike: negotiated.as_ref().map_or(pair.ike, |c| c.ike).number(),
            pfs: negotiated.and_then(|c| c.pfs).map(words::group),
            ..pairs::status(pair, now)
        }
    }
}

fn ike_status(sa: ike_sm::IkeStatus, now: Duration) -> IkeStatus {
    let state = sa.show().to_string();
    let up = sa.established;
    let mut status = IkeStatus {
        conn_id: sa.id.number(),
        peer: sa.peer,
        version: sa.version.major(),
        local: (sa.path.local.ip(), sa.path.local.port()),
        remote: (sa.path.remote.ip(), sa.path.remote.port()),
        state,
        active: up.as_ref().is_some_and(|e| !e.replaced),
        initiator: sa.role == Role::Initiator,
        encryption: "-".into(),
        keysize: 0,
        hash: "-".into(),
        authentication: "-".into(),
        verified: "-".into(),
        identity: String::new(),
        claimed: None,
        up_for: None,
        group: 0,
        lifetime: None,
        capabilities: String::new(),
    };
    let Some(up) = up else {
        return status;
    };
    let age = now.saturating_sub(up.since);
    status.identity = up.remote_id.to_string();
    status.claimed = up.claimed_id.map(|id| id.to_string());
    status.up_for = Some(age.as_secs());
    status.lifetime = Some(up.schedule.hard.as_secs().saturating_sub(age.as_secs()));
    status.capabilities = up.capabilities.to_string();
    match up.policy {
        AgreedPolicy::V1(p) => {
            status.encryption = words::cipher(p.encryption).into();
            status.keysize = bits(p.encryption.key_len());
            status.hash = words::hash(p.hash).into();
            status.authentication = match p.authentication {
                Authentication::PreSharedKey => "psk".into(),
                Authentication::RsaSignature => "rsig".into(),
                _ => "ecdsa".into(),
            };
            status.group = words::group(p.group);
        }
        AgreedPolicy::V2(suite) => {
            let (encryption, octets, hash) = words::ikev2_suite(suite.protection, suite.prf);
            status.encryption = encryption.into();
            status.keysize = bits(octets);
            status.hash = hash.into();
            status.group = words::group(suite.group);
        }
        _ => {}
    }
    status
}

fn bits(octets: usize) -> u16 {
    u16::try_from(octets.saturating_mul(8)).unwrap_or(u16::MAX)
}
