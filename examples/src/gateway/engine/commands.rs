//! Commands from the control socket, and who waits for what.

use super::Engine;
use crate::gateway::{
    config::Version,
    control::{ClientId, Reply, Request},
};
use ike_sm::{ChildId, CloseReason, Command, Event, IkeId, Outcome, Takeover};
use isakmp_wire::registry::{v1, v2};
use std::{net::SocketAddr, time::Duration};

/// An answer that is ready for its client.
pub type Finished = (ClientId, Reply);

/// Clients that wait, at most.
const MAX_WAITING: usize = 64;

/// A client that waits.
pub(super) struct Waiting {
    client: ClientId,
    wish: Wish,
}

enum Wish {
    /// All these tunnels of `peer` carry packets.
    Up { peer: String, tunnels: Vec<String> },
    /// A new pair takes the place of this one.
    Successor {
        peer: String,
        tunnel: String,
        of: ChildId,
    },
    /// A new IKE SA with this peer.
    NewIke { peer: String },
}

impl Engine {
    /// Answers that have become ready.
    pub fn take_finished(&mut self) -> Vec<Finished> {
        std::mem::take(&mut self.finished)
    }

    /// Does what a client wants; the answer comes at once or later through [`take_finished`](Self::take_finished).
    pub fn request(&mut self, client: ClientId, request: Request, now: Duration) {
        // Clients that have hung up meanwhile.
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.remove(0);
        }
        match request {
            Request::Status => {
                let status = Box::new(self.status(now));
                self.finished.push((client, Reply::Status(status)));
            }
            Request::Initiate { name } => self.initiate(client, &name, now),
            Request::Delete { name } => self.delete(client, &name, now),
            Request::Rekey { name } => self.rekey(client, &name, now),
            Request::Redirect { name, to } => {
                self.at_once(client, &name, |ike| Command::RedirectIke { ike, to }, now);
            }
            Request::Synchronize {
                name,
                epoch,
                skip,
                peer_skip,
            } => {
                let takeover = Takeover {
                    epoch,
                    message_ids: true,
                    skip_outbound: skip,
                    skip_inbound: peer_skip,
                };
                let command = |ike| Command::SynchronizeIke { ike, takeover };
                self.at_once(client, &name, command, now);
            }
        }
    }

    fn initiate(&mut self, client: ClientId, name: &str, now: Duration) {
        let Some((peer, tunnels)) = self.named(name) else {
            return self.unknown(client, name);
        };
        let down: Vec<String> = tunnels
            .into_iter()
            .filter(|t| !self.data.summaries().any(|p| p.active && p.name == *t))
            .collect();
        if down.is_empty() {
            return self.finish(client, Reply::Done(format!("{name} is up already")));
        }
        let command = Command::Initiate {
            peer: peer.clone(),
            children: down.clone(),
        };
        self.waiting.push(Waiting {
            client,
            wish: Wish::Up {
                peer,
                tunnels: down,
            },
        });
        self.order(client, command, now);
    }

    fn delete(&mut self, client: ClientId, name: &str, now: Duration) {
        let Some((peer, tunnels)) = self.named(name) else {
            return self.unknown(client, name);
        };
        let commands: Vec<Command> = if peer == name {
            vec![Command::Terminate { peer }]
        } else {
            let mine = self
                .data
                .summaries()
                .filter(|p| tunnels.iter().any(|t| t == p.name));
            mine.map(|p| Command::DeleteChild(p.id)).collect()
        };
        if commands.is_empty() {
            return self.finish(client, Reply::Failed(format!("{name} is not up")));
        }
        for command in commands {
            self.tell(Event::Command(command), now);
        }
        self.finish(client, Reply::Done(format!("{name} deleted")));
    }

    fn rekey(&mut self, client: ClientId, name: &str, now: Duration) {
        let Some((peer, _)) = self.named(name) else {
            return self.unknown(client, name);
        };
        if peer == name {
            let Some(ike) = self.newest_ike(&peer) else {
                return self.finish(client, Reply::Failed(format!("{name} is not up")));
            };
            self.waiting.push(Waiting {
                client,
                wish: Wish::NewIke { peer },
            });
            return self.order(client, Command::RekeyIke(ike), now);
        }
        let Some(of) = self
            .data
            .summaries()
            .filter(|p| p.active && p.name == name)
            .map(|p| p.id)
            .max()
        else {
            return self.finish(client, Reply::Failed(format!("{name} is not up")));
        };
        let wish = Wish::Successor {
            peer,
            tunnel: name.into(),
            of,
        };
        self.waiting.push(Waiting { client, wish });
        self.order(client, Command::RekeyChild(of), now);
    }

    /// Gives a command for a peer's IKE SA; its client does not wait for what becomes of it.
    fn at_once(
        &mut self,
        client: ClientId,
        peer: &str,
        command: impl FnOnce(IkeId) -> Command,
        now: Duration,
    ) {
        let Some(ike) = self.newest_ike(peer) else {
            return self.finish(client, Reply::Failed(format!("{peer} is not up")));
        };
        let reply = match self.tell_outcome(Event::Command(command(ike)), now) {
            Outcome::Dropped(reason) => Reply::Failed(reason.to_string()),
            _ => Reply::Done(format!("{peer}: begun")),
        };
        self.finish(client, reply);
    }

    /// Gives the command of a waiting client; one that is refused fails at once.
    fn order(&mut self, client: ClientId, command: Command, now: Duration) {
        let outcome = self.tell_outcome(Event::Command(command), now);
        // Under way already: its end is this client's end too.
        if let Outcome::Dropped(reason) = outcome
            && reason != ike_sm::DropReason::AlreadyUnderWay
        {
            self.finish(client, Reply::Failed(reason.to_string()));
        }
    }

    /// The peer and the tunnels that `name` stands for.
    fn named(&self, name: &str) -> Option<(String, Vec<String>)> {
        if let Some(t) = self.tunnels.iter().find(|t| t.name == name) {
            return Some((t.peer.clone(), vec![t.name.clone()]));
        }
        let mut parts = self
            .tunnels
            .iter()
            .filter(|t| t.of.as_deref() == Some(name));
        if let Some(first) = parts.next() {
            let names = std::iter::once(first).chain(parts).map(|t| t.name.clone());
            return Some((first.peer.clone(), names.collect()));
        }
        let peer = self.config.peer.iter().find(|p| p.name.get_ref() == name)?;
        Some((
            name.into(),
            peer.tunnel
                .iter()
                .map(|t| t.name.get_ref().clone())
                .collect(),
        ))
    }

    fn unknown(&mut self, client: ClientId, name: &str) {
        self.finish(
            client,
            Reply::Failed(format!("no peer or tunnel is named {name}")),
        );
    }

    fn finish(&mut self, client: ClientId, reply: Reply) {
        self.waiting.retain(|w| w.client != client);
        self.finished.push((client, reply));
    }

    /// A pair lets packets out.
    pub(super) fn child_up(&mut self, name: &str, id: ChildId) {
        self.log.note(&format!("tunnel {name}: up ({id})"));
        let mut done = Vec::new();
        for w in &mut self.waiting {
            let finished = match &mut w.wish {
                Wish::Up { tunnels, .. } => {
                    tunnels.retain(|t| t != name);
                    tunnels.is_empty()
                }
                Wish::Successor { tunnel, of, .. } => tunnel == name && id > *of,
                Wish::NewIke { .. } => false,
            };
            if finished {
                done.push(w.client);
            }
        }
        for client in done {
            self.finish(client, Reply::Done(format!("{name} is up")));
        }
    }

    /// A pair is deleted.
    pub(super) fn child_removed(&mut self, name: &str, id: ChildId, reason: CloseReason) {
        let version = self.version_of_tunnel(name);
        let mut pairs = self.data.summaries();
        if !pairs.any(|p| p.name == name && p.id != id && !p.deleted) {
            self.log
                .note(&format!("tunnel {name}: down: {}", words(reason, version)));
        }
    }

    /// A negotiation of a pair has failed.
    pub(super) fn child_failed(&mut self, name: &str, reason: CloseReason) {
        let why = words(reason, self.version_of_tunnel(name));
        self.log.note(&format!("tunnel {name}: not up: {why}"));
        self.fail(&why, |wish| match wish {
            Wish::Up { tunnels, .. } => tunnels.iter().any(|t| t == name),
            Wish::Successor { tunnel, .. } => tunnel == name,
            Wish::NewIke { .. } => false,
        });
    }

    pub(super) fn ike_established(&mut self, peer: &str) {
        self.log.note(&format!("peer {peer}: IKE SA up"));
        let done: Vec<ClientId> = self
            .waiting
            .iter()
            .filter(|w| matches!(&w.wish, Wish::NewIke { peer: wanted } if wanted == peer))
            .map(|w| w.client)
            .collect();
        for client in done {
            self.finish(client, Reply::Done(format!("new IKE SA with {peer}")));
        }
    }

    pub(super) fn ike_closed(&mut self, peer: &str, reason: CloseReason) {
        // The old SA of a rekey ends too, and nobody minds.
        if matches!(reason, CloseReason::Replaced) || self.newest_ike(peer).is_some() {
            return;
        }
        let why = words(reason, self.version(peer));
        self.log.note(&format!("peer {peer}: IKE SA closed: {why}"));
        self.fail(&why, |wish| match wish {
            Wish::Up { peer: p, .. }
            | Wish::Successor { peer: p, .. }
            | Wish::NewIke { peer: p } => p == peer,
        });
    }

    pub(super) fn peer_dead(&mut self, peer: &str, next: Option<SocketAddr>) {
        let next = next.map(|n| format!("; next: {n}")).unwrap_or_default();
        self.log.note(&format!("peer {peer}: dead (DPD){next}"));
    }

    /// What has failed is tried again after this time.
    pub(super) fn next_attempt(&mut self, peer: &str, tunnel: Option<&str>, wait: Duration) {
        let what = match tunnel {
            Some(tunnel) => format!("tunnel {tunnel}"),
            None => format!("peer {peer}"),
        };
        let seconds = wait.as_secs_f64();
        self.log
            .note(&format!("{what}: next attempt in {seconds:.1} s"));
    }

    fn version_of_tunnel(&self, name: &str) -> Version {
        let tunnel = self.tunnels.iter().find(|t| t.name == name);
        tunnel.map_or(Version::Ikev1, |t| self.version(&t.peer))
    }

    fn fail(&mut self, why: &str, concerned: impl Fn(&Wish) -> bool) {
        let failed: Vec<ClientId> = self
            .waiting
            .iter()
            .filter(|w| concerned(&w.wish))
            .map(|w| w.client)
            .collect();
        for client in failed {
            self.finish(client, Reply::Failed(why.into()));
        }
    }
}

/// A reason as a sentence; the peer's notification by its RFC name.
fn words(reason: CloseReason, version: Version) -> String {
    match reason {
        CloseReason::Requested => "as requested".into(),
        CloseReason::DeletedByPeer => "the peer deleted it".into(),
        CloseReason::Expired => "its lifetime is over".into(),
        CloseReason::Replaced => "replaced by a newer one".into(),
        CloseReason::Idle => "no traffic for the idle time".into(),
        CloseReason::PeerDead => "the peer does not answer".into(),
        CloseReason::PeerRestarted => "the peer has started anew (INITIAL-CONTACT)".into(),
        CloseReason::Timeout => "no answer to our messages".into(),
        CloseReason::Refused => "refused here".into(),
        CloseReason::NoPsk => "no pre-shared key for this peer".into(),
        CloseReason::SelectorsChanged => {
            "the peer answered with other networks than were asked for: IKEv1 cannot narrow, they have to be the same on both sides".into()
        }
        CloseReason::RefusedUnproven(n) => {
            let name = match version {
                Version::Ikev1 => v1::NotifyType(n).to_string(),
                Version::Ikev2 => v2::NotifyType(n).to_string(),
            };
            format!("no answer, but for {name}, which nothing authenticates: a hint")
        }
        CloseReason::RefusedByPeer(n) => match version {
            Version::Ikev1 => format!("the peer refused: {}", v1::NotifyType(n)),
            Version::Ikev2 => format!("the peer refused: {}", v2::NotifyType(n)),
        },
        CloseReason::AuthenticationFailed => "the peer has not proved who it is".into(),
        CloseReason::Redirected => "redirected to another gateway".into(),
        CloseReason::ParentClosed => "its IKE SA has ended".into(),
        other => format!("{other:?}"),
    }
}
