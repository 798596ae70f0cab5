//! What the operator, or a packet without an SA, wants.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Call;
use crate::child::{TrafficOf, Wanted};
use crate::context::Context;
use crate::core::effects::{Effect, TimerKey};
use crate::event::{Command, PacketEnd};
use crate::model::{ChildId, CloseReason, DropReason, IkeId, IkeVersion, Outcome};
use crate::peer::attempts::PeerState;
use crate::peer::session::Session;
use crate::policy::pfs::PfsOffer;
#[cfg(feature = "v1")]
use crate::v1;
use crate::v2;

impl Call<'_> {
    pub(super) fn command(&mut self, command: Command) -> Result<Outcome, DropReason> {
        if self.endpoint.shut_down {
            return Err(DropReason::ShutDown);
        }
        match command {
            Command::Initiate { peer, children } => self.initiate(&peer, &children),
            Command::Acquire {
                source,
                destination,
                protocol,
            } => self.acquire(source, destination, protocol),
            Command::RekeyIke(ike) => {
                let current = self
                    .endpoint
                    .sessions
                    .get(&ike)
                    .is_some_and(Session::is_current);
                if !current {
                    return Err(DropReason::NoSuchObject);
                }
                self.context().effect(Effect::RekeyIke(ike));
                Ok(Outcome::Handled)
            }
            Command::RekeyChild(child) => {
                let current = self.endpoint.world.children.get(child);
                if !current.is_some_and(crate::child::Child::is_current) {
                    return Err(DropReason::NoSuchObject);
                }
                self.context().effect(Effect::RekeyChild(child));
                Ok(Outcome::Handled)
            }
            Command::MoveIke { ike, local } => {
                let moved = self.of_v2(ike, |session, ctx| session.roam(ctx, local))?;
                let index = self.endpoint.sessions.get(&ike).map(|s| s.head().peer);
                let state = index.and_then(|index| self.endpoint.peers.get_mut(index));
                if let Some(state) = state {
                    state.local = Some(local.ip());
                }
                Ok(moved)
            }
            Command::AnnounceAddresses { ike, addresses } => {
                self.of_v2(ike, |session, ctx| session.announce(ctx, addresses))
            }
            Command::RedirectIke { ike, to } => {
                self.of_v2(ike, |session, ctx| session.send_away(ctx, to))
            }
            Command::SynchronizeIke { ike, takeover } => {
                self.of_v2(ike, |session, ctx| session.synchronize(ctx, takeover))
            }
            Command::DeleteIke(ike) => {
                if !self.endpoint.sessions.contains_key(&ike) {
                    return Err(DropReason::NoSuchObject);
                }
                self.delete_ike(ike);
                Ok(Outcome::Handled)
            }
            Command::DeleteChild(child) => {
                if self.endpoint.world.children.get(child).is_none() {
                    return Err(DropReason::NoSuchObject);
                }
                self.context()
                    .effect(Effect::DeleteChild(child, CloseReason::Requested));
                Ok(Outcome::Handled)
            }
            Command::Terminate { peer } => {
                let found = self.endpoint.config.peer(&peer).map(|(index, _)| index);
                let index = found.ok_or(DropReason::NoSuchObject)?;
                self.terminate(index);
                Ok(Outcome::Handled)
            }
            Command::Shutdown => {
                for index in 0..self.endpoint.peers.len() {
                    self.terminate(index);
                }
                self.endpoint.shut_down = true;
                Ok(Outcome::Handled)
            }
        }
    }

    /// Runs what IKEv2 alone has on an IKE SA.
    fn of_v2(
        &mut self,
        ike: IkeId,
        work: impl FnOnce(&mut v2::Session, &mut Context<'_>) -> Result<(), DropReason>,
    ) -> Result<Outcome, DropReason> {
        self.with(ike, |session, ctx| match session.v2_mut() {
            Some(session) => work(session, ctx),
            None => Err(DropReason::WrongState),
        })
        .unwrap_or(Err(DropReason::NoSuchObject))
        .map(|()| Outcome::Handled)
    }

    fn initiate(&mut self, name: &str, children: &[String]) -> Result<Outcome, DropReason> {
        let (index, peer) = self
            .endpoint
            .config
            .peer(name)
            .ok_or(DropReason::NoSuchObject)?;
        let place = |child: &String| peer.children.iter().position(|c| c.name == *child);
        let wanted: Option<Vec<usize>> = if children.is_empty() {
            Some((0..peer.children.len()).collect())
        } else {
            children.iter().map(place).collect()
        };
        let wanted = wanted.ok_or(DropReason::NoSuchObject)?;
        if wanted.is_empty() {
            return self.bring_up(index).map(|()| Outcome::Handled);
        }
        for config in wanted {
            if let Some(state) = self.endpoint.peers.get_mut(index) {
                state.want_at_once(config);
            }
        }
        self.context().touch(TimerKey::Peer(index));
        let _under_way = self.bring_up(index);
        Ok(Outcome::Handled)
    }

    fn acquire(
        &mut self,
        source: PacketEnd,
        destination: PacketEnd,
        protocol: u8,
    ) -> Result<Outcome, DropReason> {
        let matching = self
            .endpoint
            .config
            .peers
            .iter()
            .enumerate()
            .find_map(|(index, peer)| {
                let config = peer.children.iter().position(|c| {
                    c.local.matches(source.address, protocol, source.port)
                        && c.remote
                            .matches(destination.address, protocol, destination.port)
                })?;
                Some((index, config))
            });
        let (index, config) = matching.ok_or(DropReason::NoSuchObject)?;
        if self.is_under_way(index, config) {
            return Err(DropReason::AlreadyUnderWay);
        }
        self.want(index, config);
        Ok(Outcome::Handled)
    }

    fn is_under_way(&self, index: usize, config: usize) -> bool {
        let state = self.endpoint.peers.get(index);
        let standing = &self.endpoint.world.standing;
        let serving = standing.current(index);
        let serving = serving.and_then(|ike| standing.get(ike));
        // What the peer has refused is not asked for at the pace of packets.
        let waits = |s: &PeerState| {
            s.must_wait(config, self.now) || serving.is_none() && s.holds_back(self.now, true)
        };
        state.is_some_and(|s| s.wants(config) && (s.attempt.is_some() || waits(s)))
            || serving.is_some_and(|s| self.is_coming(index, s.device, config))
    }

    /// Brings up a child of a peer, an IKE SA first if there is none; not before the end of a wait
    /// that a refusal has led to.
    pub(super) fn want(&mut self, index: usize, config: usize) {
        let (now, serving) = (
            self.now,
            self.endpoint.world.standing.current(index).is_some(),
        );
        let Some(state) = self.endpoint.peers.get_mut(index) else {
            return;
        };
        state.want(config);
        let waits = state.must_wait(config, now) || !serving && state.holds_back(now, true);
        self.context().touch(TimerKey::Peer(index));
        if !waits {
            let _under_way = self.bring_up(index);
        }
    }

    /// Starts what a peer is wanted for.
    pub(super) fn bring_up(&mut self, index: usize) -> Result<(), DropReason> {
        if let Some(ike) = self.endpoint.world.standing.current(index) {
            self.start_wanted(index, ike);
            return Ok(());
        }
        self.start_phase1(index, None, None)
    }

    /// Starts a phase 1 with a peer, or instead of an SA of it, there or where its gateway has sent
    /// us. One at a time.
    pub(super) fn start_phase1(
        &mut self,
        index: usize,
        replaces: Option<IkeId>,
        to: Option<IpAddr>,
    ) -> Result<(), DropReason> {
        let endpoint = &*self.endpoint;
        let (Some(state), Some(peer)) =
            (endpoint.peers.get(index), endpoint.config.peers.get(index))
        else {
            return Err(DropReason::NoSuchObject);
        };
        if endpoint.shut_down {
            return Err(DropReason::ShutDown);
        }
        if let Some(attempt) = state.attempt
            && endpoint
                .sessions
                .get(&attempt)
                .is_some_and(|s| s.remote_id().is_none() && !s.is_gone())
        {
            return Err(DropReason::AlreadyUnderWay);
        }
        let version = peer.version;
        let old = replaces
            .and_then(|ike| endpoint.sessions.get(&ike))
            .map(|s| s.head().path);
        let from = old.filter(|_| to.is_some()).map(|path| path.remote.ip());
        let path = match (old, to) {
            (Some(path), Some(to)) => peer.first_path(path.local.ip(), endpoint.config.ports, to),
            // RFC 3947 §4: a rekey starts where the SA runs, on port 4500 too.
            (Some(path), None) => path,
            (None, _) => {
                let address = state.address(peer).ok_or(DropReason::UnknownPeer)?;
                let any: IpAddr = match address {
                    IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                    IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
                };
                let moved = state.local.filter(|ip| ip.is_ipv4() == address.is_ipv4());
                let local = moved.or(peer.local_address).unwrap_or(any);
                peer.first_path(local, endpoint.config.ports, address)
            }
        };
        let id = IkeId(self.endpoint.world.handles.next());
        let session = match version {
            #[cfg(feature = "v1")]
            IkeVersion::V1 => {
                let ctx = &mut self.context_of(Some(version));
                let session = v1::Session::initiate(ctx, id, index, path, replaces)?;
                Session::V1(Box::new(session))
            }
            // `Config::validate` lets no such peer in.
            #[cfg(not(feature = "v1"))]
            IkeVersion::V1 => return Err(DropReason::Version { major: 1, minor: 0 }),
            IkeVersion::V2 => {
                let first = self.first_wanted(index);
                let ctx = &mut self.context_of(Some(version));
                let session = v2::Session::initiate(ctx, id, index, path, (replaces, from), first)?;
                Session::V2(Box::new(session))
            }
        };
        self.endpoint
            .by_own_cookie
            .insert(session.head().spis.0, id);
        self.endpoint.sessions.insert(id, session);
        if let Some(state) = self.endpoint.peers.get_mut(index) {
            state.attempt = Some(id);
        }
        self.context().touch(TimerKey::Ike(id));
        Ok(())
    }

    /// Tries a peer again that did not answer before.
    pub(super) fn retry_peer(&mut self, index: usize) {
        let now = self.now;
        let Some(state) = self.endpoint.peers.get_mut(index) else {
            return;
        };
        if state.due(now) {
            self.begin(index);
        }
    }

    /// The child that an IKE SA of IKEv2 brings up with its own last message.
    fn first_wanted(&self, index: usize) -> Option<Wanted> {
        let config = self.endpoint.peers.get(index)?.first_wanted(self.now)?;
        let child = self
            .endpoint
            .config
            .peers
            .get(index)?
            .children
            .get(config)?;
        Some(Wanted {
            traffic: TrafficOf {
                config,
                local: child.local.clone(),
                remote: child.remote.clone(),
            },
            replaces: None,
            // RFC 7296 §1.2: the first child has no key exchange of its own.
            pfs: PfsOffer::default(),
        })
    }

    /// How the children of an IKE SA end with it: in IKEv2 its own end is theirs (RFC 7296 §1.4.1).
    fn end_of_child(&self, child: ChildId) -> Effect {
        let children = &self.endpoint.world.children;
        let ike = children.get(child).map(|c| c.ike);
        let session = ike.and_then(|ike| self.endpoint.sessions.get(&ike));
        match session.map(Session::version) {
            Some(IkeVersion::V2) => Effect::RemoveChild(child, CloseReason::Requested),
            _ => Effect::DeleteChild(child, CloseReason::Requested),
        }
    }

    /// Deletes an IKE SA, and its children first while there is an SA to tell it on.
    fn delete_ike(&mut self, ike: IkeId) {
        for child in self.children_of(ike) {
            let effect = self.end_of_child(child);
            self.context().effect(effect);
        }
        self.settle();
        self.with(ike, |session, ctx| {
            session.close(ctx, CloseReason::Requested, true)
        });
        self.settle();
    }

    /// Deletes everything of a peer and wants nothing of it any more.
    fn terminate(&mut self, index: usize) {
        if let Some(state) = self.endpoint.peers.get_mut(index) {
            state.give_up();
        }
        self.context().touch(TimerKey::Peer(index));
        let children: Vec<_> = self
            .endpoint
            .world
            .children
            .of_peer(index)
            .map(|c| c.id)
            .collect();
        for child in children {
            let effect = self.end_of_child(child);
            self.context().effect(effect);
        }
        self.settle();
        let sessions: Vec<IkeId> = self
            .endpoint
            .sessions
            .values()
            .map(Session::head)
            .filter(|head| head.peer == index)
            .map(|head| head.id)
            .collect();
        for ike in sessions {
            self.with(ike, |session, ctx| {
                session.close(ctx, CloseReason::Requested, true)
            });
        }
        self.settle();
    }
}
