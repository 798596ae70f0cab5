//! `HDR, SAi1, KEi, Ni -->` and what comes back: an answer, or an order to ask again with a cookie
//! (RFC 7296 §2.6) or another group (§1.2).
//!
//! Whoever sees our request can forge what comes back. So an error ends nothing: it is remembered
//! as a hint for the day when nobody answers. And a key pair that another group has replaced is
//! kept: the true answer may still come for it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use bytes::Bytes;
use crypto_suite::{ActiveKeyExchange, GroupId};
use isakmp_wire::Flags;
use isakmp_wire::v2::{Gateway, Message, Notify, NotifyType, PayloadType};
use nat_t::Verdict;

use super::{Abilities, Announced, Init, build, derive, group_of, long_enough, nonce};
use crate::alg::v2 as alg;
use crate::context::Context;
use crate::event::job::{self, Computed};
use crate::event::{Question, What};
use crate::model::DropReason;
use crate::policy::v2::{
    Proposal, ProposalRecord, SpiRule, Terms, check_answer, ike_offer, read_sa, what_would_match,
    write_sa,
};
use crate::v2::additional::Additional;
use crate::v2::crypt::Crypt;
use crate::v2::frame::Frame;
use crate::v2::keys::{Nonces, Spis};
use crate::v2::payloads::{Payloads, required};
use crate::v2::{nat, redirect};

/// Times that a responder may make us ask again.
const MOST_TURNS: u8 = 6;
/// Octets of the longest cookie (RFC 7296 §2.6).
const MAX_COOKIE: usize = 64;

/// IKE_SA_INIT is out.
#[derive(Debug)]
pub(crate) struct Initiator {
    ni: Vec<u8>,
    offer: Vec<Proposal>,
    /// One for each group that was asked for, the latest last.
    attempts: Vec<Attempt>,
    cookie: Vec<u8>,
    /// The gateway that has sent us here.
    redirected_from: Option<IpAddr>,
    /// The group of the key pair that is to be drawn for the next request.
    drawing: Option<GroupId>,
    turns: u8,
    /// An error that nothing authenticates.
    pub(crate) hint: Option<NotifyType>,
}

#[derive(Debug)]
struct Attempt {
    group: GroupId,
    exchange: Arc<dyn ActiveKeyExchange>,
    request: Bytes,
}

/// What a response has led to.
pub(crate) enum Reply {
    /// Ask again, with this.
    Again(Bytes),
    /// Ask again, with a key pair of another group.
    Draw,
    /// An error that nothing authenticates.
    Hint,
    /// Ask there, with this (RFC 5685 §3).
    Redirect(IpAddr, Bytes),
    /// All is agreed on.
    Settled(Box<Agreed>),
}

/// What a response has settled; only the shared secret is missing.
#[derive(Debug)]
pub(crate) struct Agreed {
    init: Box<Init>,
    spis: Spis,
    exchange: Arc<dyn ActiveKeyExchange>,
    /// KEr
    public: Vec<u8>,
}

impl Agreed {
    /// The IKE SA with the SPIs of both.
    pub(crate) const fn frame<'f>(&self, frame: &Frame<'f>) -> Frame<'f> {
        Frame {
            spis: self.spis,
            ..*frame
        }
    }

    pub(crate) const fn verdict(&self) -> Option<Verdict> {
        self.init.verdict
    }

    /// The question for the shared secret, where it is not computed here.
    pub(crate) fn question(&self, ctx: &Context<'_>) -> Option<Question> {
        ctx.agreement(&self.exchange, &self.public)
    }

    /// The keys, with the shared secret that the embedder was asked for, or with one that is computed
    /// now.
    pub(crate) fn crypt(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        computed: Computed,
    ) -> Result<Box<Crypt>, DropReason> {
        let g_ir = job::shared(&*self.exchange, &self.public, computed)?;
        let init = &self.init;
        derive(ctx, frame, &init.suite, &init.nonces(), &g_ir).map(Box::new)
    }

    pub(crate) fn into_init(self) -> Box<Init> {
        self.init
    }
}

impl Initiator {
    /// Begins, after a redirect of the gateway at `redirected_from`. A key pair is to be drawn next.
    pub(crate) fn start(
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        redirected_from: Option<IpAddr>,
    ) -> Result<Self, DropReason> {
        let offer = ike_offer(&frame.peer.v2.proposals, &[]);
        // The group most likely to be taken: the first of the first proposal (RFC 7296 §1.2).
        let group = frame
            .peer
            .v2
            .proposals
            .first()
            .and_then(|p| p.groups.first());
        let group = *group.ok_or(DropReason::NoProposalChosen)?;
        Ok(Self {
            ni: nonce(ctx),
            offer,
            attempts: Vec::new(),
            cookie: Vec::new(),
            redirected_from,
            drawing: Some(group),
            turns: 0,
            hint: None,
        })
    }

    /// The question for the next key pair, where it is not drawn here.
    pub(crate) fn question(&self, ctx: &mut Context<'_>) -> Result<Option<Question>, DropReason> {
        let group = self.drawing.ok_or(DropReason::WrongState)?;
        let group = group_of(ctx, group)?;
        Ok(ctx.key_pair(group))
    }

    /// Builds the request with the next key pair: the one that the embedder was asked for, or one that is
    /// drawn now.
    pub(crate) fn draw(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        computed: Computed,
    ) -> Result<Bytes, DropReason> {
        let group = self.drawing.take().ok_or(DropReason::WrongState)?;
        let exchange = job::key_pair(group_of(ctx, group)?, ctx.rng, computed)?;
        let request = self.request(ctx, frame, &*exchange)?;
        self.attempts.push(Attempt {
            group,
            exchange,
            request: request.clone(),
        });
        Ok(request)
    }

    /// `HDR(A,0), [N(COOKIE),] SAi1, KEi, Ni -->`
    fn request(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        exchange: &dyn ActiveKeyExchange,
    ) -> Result<Bytes, DropReason> {
        let method = alg::group_to_wire(exchange.group()).ok_or(DropReason::Crypto)?;
        let spis = Spis {
            initiator: frame.spis.initiator,
            responder: [0; 8],
        };
        let nat = nat::hashes(ctx, frame, &spis);
        let announced = Announced::new(ctx, frame);
        build((spis.initiator, spis.responder), Flags::INITIATOR, |w| {
            if !self.cookie.is_empty() {
                // RFC 7296 §2.6: the cookie is the first payload, all others are unchanged.
                w.notify(NotifyType::COOKIE, &self.cookie)?;
            }
            w.sa(|sa| write_sa(&self.offer, sa))?;
            w.key_exchange(method, exchange.public())?;
            w.nonce(&self.ni)?;
            nat::write(w, &nat)?;
            if frame.peer.v2.follow_redirects {
                w.notify(NotifyType::REDIRECT_SUPPORTED, &[])?;
            }
            if let Some(from) = self.redirected_from {
                let from = Gateway::Address(from);
                w.redirect(NotifyType::REDIRECTED_FROM, &from, &[])?;
            }
            announced.write(w)
        })
    }

    /// Takes in a response.
    pub(crate) fn receive(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<Reply, DropReason> {
        let payloads = Payloads::read(&message.payloads(), &ctx.config.wire)?;
        if payloads.sa.is_none() {
            return self.turned_away(ctx, frame, &payloads);
        }
        self.answered(ctx, frame, message, &payloads)
    }

    /// `<-- HDR, N(COOKIE)`, `<-- HDR, N(INVALID_KE_PAYLOAD)`, or an error.
    fn turned_away(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        payloads: &Payloads<'_>,
    ) -> Result<Reply, DropReason> {
        if let Some(cookie) = payloads.notify(NotifyType::COOKIE) {
            if cookie.data.is_empty() || cookie.data.len() > MAX_COOKIE {
                return Err(DropReason::BadPayload(PayloadType::NOTIFY.into()));
            }
            self.may_turn()?;
            let before = core::mem::replace(&mut self.cookie, cookie.data.to_vec());
            return match self.again(ctx, frame) {
                Ok(request) => Ok(self.turn(request)),
                Err(reason) => {
                    self.cookie = before;
                    Err(reason)
                }
            };
        }
        if let Some(notify) = payloads.notify(NotifyType::REDIRECT) {
            return self.redirected(ctx, frame, notify);
        }
        let error = payloads.error().ok_or(DropReason::UnexpectedMessage)?;
        if error.notify_type == NotifyType::INVALID_KE_PAYLOAD {
            let number = error
                .u16()
                .ok_or(DropReason::BadPayload(PayloadType::NOTIFY.into()))?;
            let method = isakmp_wire::v2::KeyExchangeMethod(number);
            let group = alg::group_from_wire(method).ok_or(DropReason::NotOffered)?;
            // RFC 7296 §1.2: the full set of acceptable suites is offered again, so whoever forges
            // this can only choose among what is acceptable.
            let offered = frame.peer.v2.proposals.iter();
            if !offered.clone().any(|p| p.groups.contains(&group)) {
                return Err(DropReason::NotOffered);
            }
            if self.drawing.is_some() || self.attempts.iter().any(|a| a.group == group) {
                return Err(DropReason::UnexpectedMessage);
            }
            group_of(ctx, group)?;
            self.may_turn()?;
            self.turns = self.turns.saturating_add(1);
            self.drawing = Some(group);
            return Ok(Reply::Draw);
        }
        self.hint = Some(error.notify_type);
        Ok(Reply::Hint)
    }

    /// `<-- HDR(A,0), N(REDIRECT, New_GW_ID, Ni_data)`
    fn redirected(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        notify: &Notify<'_>,
    ) -> Result<Reply, DropReason> {
        let bad = DropReason::BadPayload(PayloadType::NOTIFY.into());
        let (gateway, nonce) = notify.redirect().ok_or(bad)?;
        // RFC 5685 §3: discarded in silence without the nonce of the request.
        if nonce != self.ni {
            return Err(DropReason::Unauthenticated);
        }
        let to = redirect::target(ctx, frame, gateway)?;
        let here = frame.path.remote.ip();
        let (before, cookie) = (self.redirected_from, core::mem::take(&mut self.cookie));
        self.redirected_from = Some(here);
        let mut path = frame.path;
        path.remote.set_ip(to);
        match self.again(ctx, &Frame { path, ..*frame }) {
            Ok(request) => {
                ctx.world.redirects.followed(frame.index, ctx.now);
                // Another responder: what the one before has asked for does not count.
                self.turns = 0;
                self.hint = None;
                Ok(Reply::Redirect(to, request))
            }
            Err(reason) => {
                (self.redirected_from, self.cookie) = (before, cookie);
                Err(reason)
            }
        }
    }

    fn may_turn(&self) -> Result<(), DropReason> {
        if self.turns >= MOST_TURNS {
            return Err(DropReason::Limit("repeated IKE_SA_INIT requests"));
        }
        Ok(())
    }

    fn turn(&mut self, request: Bytes) -> Reply {
        self.turns = self.turns.saturating_add(1);
        Reply::Again(request)
    }

    /// The latest request with the present cookie.
    fn again(&mut self, ctx: &mut Context<'_>, frame: &Frame<'_>) -> Result<Bytes, DropReason> {
        let latest = self.attempts.last().ok_or(DropReason::WrongState)?;
        let request = self.request(ctx, frame, &*latest.exchange)?;
        if let Some(latest) = self.attempts.last_mut() {
            latest.request = request.clone();
        }
        Ok(request)
    }

    /// `<-- HDR, SAr1, KEr, Nr, [CERTREQ]`
    fn answered(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
        payloads: &Payloads<'_>,
    ) -> Result<Reply, DropReason> {
        let spi = message.header.responder_spi;
        if spi == [0; 8] || spi == frame.spis.initiator {
            return Err(DropReason::BadCookie);
        }
        let sa = required(payloads.sa, PayloadType::SA)?;
        let ke = required(payloads.key_exchange, PayloadType::KEY_EXCHANGE)?;
        let nr = required(payloads.nonce, PayloadType::NONCE)?;
        let group = alg::group_from_wire(ke.method).ok_or(DropReason::NotOffered)?;
        let attempt = self.attempts.iter().find(|a| a.group == group);
        let attempt = attempt.ok_or(DropReason::NotOffered)?;
        let peer = Abilities::read(payloads);
        let announced = Announced::new(ctx, frame);
        let terms = Terms {
            subject: "IKE SA",
            spi: SpiRule::InHeader,
            key_exchange: Some(group),
            additional: announced.intermediate && peer.intermediate,
        };
        let answer = read_sa(&sa);
        let listens = ctx.config.explain;
        let mut note = |found: ProposalRecord| ctx.note(Some(frame.ike), found.into());
        let choice = check_answer(&self.offer, &answer, &terms, listens.then_some(&mut note));
        let Ok(choice) = choice else {
            let (provider, weak) = (ctx.provider, ctx.config.weak);
            let miss = what_would_match(&self.offer, &answer, &terms, provider, weak);
            if let Some(miss) = miss {
                let miss = What::WouldMatch(Box::new(miss));
                ctx.note(Some(frame.ike), miss);
            }
            return Err(DropReason::NotOffered);
        };
        let suite = choice.ike_suite().ok_or(DropReason::NotOffered)?;
        if suite.group != group {
            return Err(DropReason::NotOffered);
        }
        let spis = Spis {
            initiator: frame.spis.initiator,
            responder: spi,
        };
        let frame = Frame { spis, ..*frame };
        let verdict = nat::judge(ctx, &frame, &spis, payloads);
        group_of(ctx, group)?
            .check_responder(ke.data)
            .map_err(|_| DropReason::BadKeyExchange)?;
        let nonces = Nonces {
            initiator: &self.ni,
            responder: nr,
        };
        // Nothing protects this message: what is refused uses nothing up.
        long_enough(ctx, &suite, &nonces)?;
        let init = Init {
            hashes: announced.negotiated(&peer),
            use_ppk: announced.ppk && peer.ppk,
            int_auth: None,
            additional: Additional::new(&suite),
            peer,
            request: attempt.request.clone(),
            response: Bytes::copy_from_slice(message.raw()),
            ni: self.ni.clone(),
            nr: nr.to_vec(),
            suite,
            verdict,
        };
        Ok(Reply::Settled(Box::new(Agreed {
            init: Box::new(init),
            spis,
            exchange: Arc::clone(&attempt.exchange),
            public: ke.data.to_vec(),
        })))
    }
}
