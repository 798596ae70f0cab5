//! What a session works with besides itself: the call's inputs and outputs, and what all sessions
//! share.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use crypto_suite::{ActiveKeyExchange, KeyExchange, PrfId, Provider};
use rand_core::CryptoRng;

use crate::auth::guesses::Guesses;
use crate::child::{Children, ReservedSpi};
use crate::config::{Config, PeerConfig};
use crate::core::effects::{Effect, TimerKey};
use crate::core::questions::{Asker, Place, Questions};
use crate::core::redirects::Redirects;
use crate::event::job::{Draw, KeyExchangeJob};
use crate::event::{Action, Actions, Question, Record, What};
use crate::model::{
    ChildId, CloseReason, Counter, DropReason, Identity, IkeId, IkeVersion, Path, Ticket,
};
use crate::peer::standing::Standings;

/// One call of the endpoint, as its sessions see it.
pub(crate) struct Context<'a> {
    pub(crate) config: &'a Config,
    pub(crate) provider: &'static Provider,
    pub(crate) now: Duration,
    /// The version of IKE that is spoken, where that is known.
    pub(crate) version: Option<IkeVersion>,
    pub(crate) rng: &'a mut dyn CryptoRng,
    pub(crate) actions: &'a mut Actions,
    pub(crate) world: &'a mut World,
}

/// What the sessions of an endpoint share.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) handles: Counter,
    pub(crate) questions: Questions,
    pub(crate) children: Children,
    /// The IKE SAs after phase 1.
    pub(crate) standing: Standings,
    /// Redirects of IKEv2 that were followed.
    pub(crate) redirects: Redirects,
    /// Passwords of EAP that were tried.
    pub(crate) guesses: Guesses,
    /// What one session's progress means to the others; worked off before the call returns.
    pub(crate) effects: VecDeque<Effect>,
    /// Objects whose deadline may have changed in this call.
    pub(crate) touched: BTreeSet<TimerKey>,
}

impl Context<'_> {
    /// Sends an IKE message, behind a marker where the path wants one.
    pub(crate) fn send(&mut self, path: Path, message: &Bytes) {
        let datagram = if path.natt {
            // RFC 3948 §2.2: four zero bytes where ESP has its SPI.
            let mut marked = Vec::with_capacity(message.len().saturating_add(nat_t::MARKER_LEN));
            marked.extend_from_slice(&nat_t::NON_ESP_MARKER);
            marked.extend_from_slice(message);
            Bytes::from(marked)
        } else {
            message.clone()
        };
        self.actions.push(Action::Send { path, datagram });
    }

    /// Hands a record to the embedder, if it wants any.
    pub(crate) fn note(&mut self, ike: Option<IkeId>, what: What) {
        if self.config.explain {
            self.actions.push(Action::Report(Record {
                at: self.now,
                ike,
                version: self.version,
                what,
            }));
        }
    }

    /// A negotiation has led to no child. Who wanted it learns of that by [`Effect::NotUp`].
    pub(crate) fn child_failed(
        &mut self,
        peer: usize,
        config: usize,
        child: ChildId,
        reason: CloseReason,
    ) {
        let peer = self.config.peers.get(peer);
        let config_of = |peer: &PeerConfig| peer.children.get(config).map(|c| c.name.clone());
        let name = peer.and_then(config_of).unwrap_or_default();
        let peer = peer.map(|peer| peer.name.clone()).unwrap_or_default();
        self.actions.push(Action::ChildFailed {
            child,
            peer,
            name,
            reason,
        });
    }

    /// Whether there is an SA with this peer: any of its identities, or one.
    pub(crate) fn knows_peer(&self, peer: usize, remote_id: Option<&Arc<Identity>>) -> bool {
        self.world.standing.knows(peer, remote_id) || self.world.children.knows(peer, remote_id)
    }

    /// Asks a question on behalf of an exchange.
    pub(crate) fn ask(&mut self, ike: IkeId, place: Place, question: Question) -> Ticket {
        let ticket = Ticket(self.world.handles.next());
        self.world.questions.open(ticket, Asker { ike, place });
        self.actions.push(Action::Ask(ticket, question));
        ticket
    }

    /// The question for our answer to an initiator's public value, where it is not computed here.
    pub(crate) fn key_exchange(
        &mut self,
        group: &'static dyn KeyExchange,
        peer_public: &[u8],
    ) -> Option<Question> {
        let job = KeyExchangeJob::respond(self.draw(group)?, peer_public);
        Some(Question::KeyExchange(job))
    }

    /// The question for an initiator's key pair, where it is not drawn here.
    pub(crate) fn key_pair(&mut self, group: &'static dyn KeyExchange) -> Option<Question> {
        let job = KeyExchangeJob::pair(self.draw(group)?);
        Some(Question::KeyExchange(job))
    }

    /// What a key pair is drawn with, where the embedder does it.
    fn draw(&mut self, group: &'static dyn KeyExchange) -> Option<Draw> {
        if !self.config.offload.asks_for(group.id()) {
            return None;
        }
        let prf = self.provider.prf(PrfId::HmacSha256);
        let prf = prf.or_else(|| self.provider.prfs.first().copied())?;
        Some(Draw::new(group, prf, |seed| self.rng.fill_bytes(seed)))
    }

    /// The question for what an initiator's key pair shares with the responder's public value, where
    /// it is not computed here.
    pub(crate) fn agreement(
        &self,
        pair: &Arc<dyn ActiveKeyExchange>,
        peer_public: &[u8],
    ) -> Option<Question> {
        let asks = self.config.offload.asks_for(pair.group());
        asks.then(|| Question::KeyExchange(KeyExchangeJob::agree(Arc::clone(pair), peer_public)))
    }

    /// Notes something for the other sessions.
    pub(crate) fn effect(&mut self, effect: Effect) {
        self.world.effects.push_back(effect);
    }

    /// Notes that the deadline of `key` may have changed.
    pub(crate) fn touch(&mut self, key: TimerKey) {
        self.world.touched.insert(key);
    }

    /// `N` random bytes.
    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// An inbound SPI that nobody has.
    pub(crate) fn inbound_spi(&mut self) -> Result<ReservedSpi, DropReason> {
        for _ in 0..64 {
            let spi = u32::from_be_bytes(self.random());
            if let Ok(reserved) = self.world.children.take_spi(spi) {
                return Ok(reserved);
            }
        }
        Err(DropReason::Crypto)
    }

    /// A cookie or SPI of an IKE SA: random and not zero.
    pub(crate) fn cookie(&mut self) -> Result<[u8; 8], DropReason> {
        for _ in 0..4 {
            let cookie = self.random();
            if cookie != [0; 8] {
                return Ok(cookie);
            }
        }
        // Four times 64 zero bits: the source of randomness is broken.
        Err(DropReason::Crypto)
    }
}
