//! The IKE SAs as the tables show them, put together from what the endpoint reports.

use super::{status::IkeStatus, words};
use ike_sm::{
    IkeId, Path,
    config::Authentication,
    explain::{IkeState, Phase1Summary, Record, Role, State, What},
};
use std::{collections::BTreeMap, time::Duration};

/// The IKE SAs.
#[derive(Default)]
pub struct Sessions(BTreeMap<IkeId, Session>);

struct Session {
    peer: String,
    path: Option<Path>,
    state: String,
    role: Option<Role>,
    suite: Option<Phase1Summary>,
    established: Option<Duration>,
    replaced: bool,
    dpd: bool,
}

/// More are not shown: the endpoint's own limit is lower.
const MAX_SESSIONS: usize = 4096;

impl Sessions {
    /// Learns from a record.
    pub fn record(&mut self, record: &Record) {
        let Some(ike) = record.ike else { return };
        let Some(session) = self.entry(ike) else {
            return;
        };
        match &record.what {
            What::Received(packet) | What::Sent(packet) => {
                session.path = Some(packet.path);
                session.role = packet.role.or(session.role);
                session.state = packet.state.show().to_string();
            }
            What::Transition(t) => {
                if let State::Ike(state) = t.to {
                    session.state = state.show().to_string();
                    session.role = role(state).or(session.role);
                }
            }
            What::Phase1Suite(suite) => session.suite = Some(*suite),
            What::VendorId { name: "DPD" } | What::Dpd(_) => session.dpd = true,
            _ => {}
        }
    }

    /// An IKE SA is up.
    pub fn established(
        &mut self,
        ike: IkeId,
        peer: &str,
        path: Path,
        replaces: Option<IkeId>,
        now: Duration,
    ) {
        if let Some(old) = replaces.and_then(|old| self.0.get_mut(&old)) {
            old.replaced = true;
        }
        if let Some(session) = self.entry(ike) {
            session.peer = peer.into();
            session.path = Some(path);
            session.established = Some(now);
            session.state = IkeState::Complete.show().to_string();
        }
    }

    /// An IKE SA, or the attempt at one, has ended.
    pub fn closed(&mut self, ike: IkeId) {
        self.0.remove(&ike);
    }

    /// The newest IKE SA with `peer` that is up.
    #[must_use]
    pub fn newest(&self, peer: &str) -> Option<IkeId> {
        let up = |s: &Session| s.peer == peer && s.established.is_some() && !s.replaced;
        self.0.iter().rev().find(|(_, s)| up(s)).map(|(id, _)| *id)
    }

    /// The rows of the tables.
    #[must_use]
    pub fn status(&self, now: Duration) -> Vec<IkeStatus> {
        self.0
            .iter()
            .filter_map(|(id, s)| s.status(*id, now))
            .collect()
    }

    fn entry(&mut self, ike: IkeId) -> Option<&mut Session> {
        if self.0.len() >= MAX_SESSIONS && !self.0.contains_key(&ike) {
            return None;
        }
        Some(self.0.entry(ike).or_insert_with(|| Session {
            peer: String::new(),
            path: None,
            state: IkeState::Ready.show().to_string(),
            role: None,
            suite: None,
            established: None,
            replaced: false,
            dpd: false,
        }))
    }
}

/// Whose states these are.
fn role(state: IkeState) -> Option<Role> {
    let name = state.name();
    let begins = |prefix, role| name.starts_with(prefix).then_some(role);
    begins("IKE_I_", Role::Initiator).or(begins("IKE_R_", Role::Responder))
}

impl Session {
    fn status(&self, id: IkeId, now: Duration) -> Option<IkeStatus> {
        let path = self.path?;
        let policy = self.suite.map(|s| s.policy);
        let lifetime = self.suite.zip(self.established).map(|(suite, at)| {
            suite
                .lifetime
                .time
                .saturating_sub(now.saturating_sub(at))
                .as_secs()
        });
        let mut capabilities = String::new();
        capabilities.extend(self.dpd.then_some('D'));
        capabilities.extend(path.natt.then_some('N'));
        Some(IkeStatus {
            conn_id: id.number(),
            peer: self.peer.clone(),
            version: 1,
            local: (path.local.ip(), path.local.port()),
            remote: (path.remote.ip(), path.remote.port()),
            state: self.state.clone(),
            active: self.established.is_some() && !self.replaced,
            initiator: self.role == Some(Role::Initiator),
            encryption: policy.map_or("-", |p| words::cipher(p.encryption)).into(),
            hash: policy.map_or("-", |p| words::hash(p.hash)).into(),
            authentication: match policy.map(|p| p.authentication) {
                Some(Authentication::PreSharedKey) => "psk".into(),
                Some(Authentication::RsaSignature) => "rsig".into(),
                Some(_) => "ecdsa".into(),
                None => "-".into(),
            },
            group: policy.map_or(0, |p| words::group(p.group)),
            lifetime,
            capabilities,
        })
    }
}
