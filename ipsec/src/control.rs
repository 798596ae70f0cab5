//! The slow path: IKE, and what it decides for data planes.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use crypto_suite::Provider;
use ike_sm::config::IkeVersion;
use ike_sm::{Action, Answer, ChildUpdate, Command, Endpoint, Outcome, Path, Question, Ticket};
use rand_core::CryptoRng;

use crate::actions::Actions;
use crate::config::{Config, ConfigError, Policy, PolicyAction, can_match};
use crate::event::Event;
use crate::message::{Deadline, DeadlineReason, Notice, Update};

/// What control wants done.
#[derive(Debug)]
#[non_exhaustive]
pub enum ControlAction {
    /// Send this UDP datagram, which is complete.
    Send(Path, Bytes),
    /// Hand this to the data plane that holds the pair of IPsec SAs ([`Update::child`]).
    Update(Update),
    /// Answer this with [`Control::answer`].
    Ask(Ticket, Question),
    /// This has happened.
    Event(Event),
}

/// IKE with all its peers: an [`Endpoint`] whose decisions come out as messages for data planes.
///
/// A program with one thread takes [`Tunnels`](crate::Tunnels) instead, which holds one control and
/// one data plane.
#[derive(Debug)]
pub struct Control {
    endpoint: Endpoint,
    /// Actions of the endpoint, taken within the call that made them.
    pending: ike_sm::Actions,
    policies: Vec<Policy>,
    versions: BTreeMap<String, IkeVersion>,
}

impl Control {
    /// Takes the part of the configuration that is about IKE, and derives the policies of the data
    /// planes from it: the exceptions first, then the children of all peers, the narrowest first.
    ///
    /// # Errors
    /// The first fault of the configuration, with the place and the field that it is in.
    pub fn new(config: Config, provider: &'static Provider) -> Result<Self, ConfigError> {
        for (index, exception) in config.exceptions.iter().enumerate() {
            let sides = exception.local.iter().chain(exception.remote.iter());
            if let Some(selector) = sides.copied().find(|s| !can_match(s)) {
                return Err(ConfigError::Exception { index, selector });
            }
        }
        let children = config.ike.peers.iter().flat_map(|peer| {
            peer.children.iter().map(|child| {
                let action = PolicyAction::Protect {
                    peer: peer.name.clone(),
                    child: child.name.clone(),
                    on_demand: !peer.addresses.is_empty(),
                };
                Policy::new(child.local.clone(), child.remote.clone(), action)
            })
        });
        let mut children: Vec<Policy> = children.collect();
        Policy::narrowest_first(&mut children);
        let exceptions = config.exceptions.into_iter().map(Policy::from);
        let policies = exceptions.chain(children).collect();
        let versions = config.ike.peers.iter();
        let versions = versions.map(|peer| (peer.name.clone(), peer.version));
        Ok(Self {
            versions: versions.collect(),
            endpoint: Endpoint::new(config.ike, provider)?,
            pending: ike_sm::Actions::new(),
            policies,
        })
    }

    /// The policies that a data plane begins with: each data plane is given its own update.
    #[must_use]
    pub fn policies(&self) -> Update {
        Update::Policies(self.policies.clone())
    }

    /// A UDP datagram with an IKE message has arrived: from a path with [`Path::natt`], where
    /// [`nat_t::classify`] has taken the non-ESP marker off, or from one without.
    pub fn datagram(
        &mut self,
        path: Path,
        message: &[u8],
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<ControlAction>,
    ) -> Outcome {
        let event = ike_sm::Event::Datagram { path, message };
        self.handle(event, now, rng, actions)
    }

    /// A data plane has seen something.
    pub fn notice(
        &mut self,
        notice: Notice,
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<ControlAction>,
    ) -> Outcome {
        self.handle(notice.into(), now, rng, actions)
    }

    /// The operator wants something.
    pub fn command(
        &mut self,
        command: Command,
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<ControlAction>,
    ) -> Outcome {
        self.handle(ike_sm::Event::Command(command), now, rng, actions)
    }

    /// The answer to a question is there. An answer to a question that is no longer open is dropped.
    pub fn answer(
        &mut self,
        ticket: Ticket,
        answer: Answer,
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<ControlAction>,
    ) -> Outcome {
        self.handle(ike_sm::Event::Answer(ticket, answer), now, rng, actions)
    }

    /// The time given by [`next_deadline`](Self::next_deadline) has come. Too early is harmless.
    pub fn deadline(
        &mut self,
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<ControlAction>,
    ) {
        if self.endpoint.next_deadline().is_some_and(|d| d.at <= now) {
            // A deadline is never refused.
            let _outcome = self.handle(ike_sm::Event::Deadline, now, rng, actions);
        }
    }

    /// When [`deadline`](Self::deadline) wants to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.endpoint.next_deadline().map(|d| Deadline {
            at: d.at,
            why: DeadlineReason::Ike(d.why),
        })
    }

    /// The IKE SAs and children, for tables.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Gives the endpoint an event; all that follows is in `actions` when the call returns.
    pub fn handle(
        &mut self,
        event: ike_sm::Event<'_>,
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<ControlAction>,
    ) -> Outcome {
        let outcome = self.endpoint.handle(event, now, rng, &mut self.pending);
        while let Some(action) = self.pending.pop() {
            self.act(action, actions);
        }
        outcome
    }

    fn act(&self, action: Action, actions: &mut Actions<ControlAction>) {
        let event = match action {
            Action::Send { path, datagram } => {
                return actions.push(ControlAction::Send(path, datagram));
            }
            Action::NatKeepalive(path) => {
                let datagram = Bytes::from_static(&nat_t::KEEPALIVE);
                return actions.push(ControlAction::Send(path, datagram));
            }
            Action::Ask(ticket, question) => {
                return actions.push(ControlAction::Ask(ticket, question));
            }
            Action::InstallChild(sa) => {
                // The last message of IKEv1 is ours, that of IKEv2 the responder's, who has installed
                // its half by then.
                let v1 = self.versions.get(&sa.peer) == Some(&IkeVersion::V1);
                let settle = v1 && sa.initiator;
                return actions.push(ControlAction::Update(Update::Install { sa, settle }));
            }
            Action::UpdateChild(child, change) => {
                let update = match change {
                    ChildUpdate::Activate { replaces } => Update::Activate { child, replaces },
                    ChildUpdate::StopSending => Update::StopSending(child),
                    ChildUpdate::Path(path) => Update::Path(child, path),
                    ChildUpdate::Lifetime(lifetime) => Update::Lifetime(child, lifetime),
                    ChildUpdate::SkipSequence(count) => Update::SkipSequence(child, count),
                    _ => return,
                };
                return actions.push(ControlAction::Update(update));
            }
            Action::RemoveChild { child, reason, .. } => {
                let update = Update::Remove { child, reason };
                return actions.push(ControlAction::Update(update));
            }
            Action::IkeEstablished {
                ike,
                peer,
                path,
                replaces,
            } => Event::IkeUp {
                ike,
                peer,
                path,
                replaces,
            },
            Action::IkeClosed { ike, peer, reason } => Event::IkeDown { ike, peer, reason },
            Action::ChildFailed {
                child,
                peer,
                name,
                reason,
            } => {
                let waiting = Update::Forget {
                    peer: peer.clone(),
                    child: name.clone(),
                };
                actions.push(ControlAction::Update(waiting));
                Event::ChildFailed {
                    child,
                    peer,
                    name,
                    reason,
                }
            }
            Action::PeerDead { peer, next } => Event::PeerDead { peer, next },
            Action::NextAttempt { peer, child, at } => Event::NextAttempt { peer, child, at },
            Action::Assigned {
                ike,
                peer,
                assignment,
            } => Event::Assigned {
                ike,
                peer,
                assignment,
            },
            Action::AddRoute(route) => Event::AddRoute(route),
            Action::DelRoute(route) => Event::DelRoute(route),
            Action::Report(record) => Event::Report(Box::new(record)),
            Action::KeyLog(key) => Event::KeyLog(key),
            _ => return,
        };
        actions.push(ControlAction::Event(event));
    }
}
