//! `--> HDR, SAi1, KEi, Ni` and our answer.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use crypto_suite::{GroupId, Secret};
use isakmp_wire::v2::{Gateway, KeyExchangeMethod, Message, NotifyType, PayloadType, Writer};
use isakmp_wire::{BuildError, Flags, Header, Limits};
use nat_t::Verdict;

use super::{Abilities, Announced, Init, NONCE_LEN, build, derive, group_of, in_the_clear, nonce};
use crate::alg::v2 as alg;
use crate::config::v2::{IkeProposal, RedirectWhen, RemoteAuth};
use crate::context::Context;
use crate::event::job::KeyExchangeDone;
use crate::event::{Question, What};
use crate::model::DropReason;
use crate::policy::v2::{
    Choice, IkeSuite, Proposal, ProposalRecord, SpiRule, Terms, choose, ike_offer, read_sa,
    what_would_match, write_sa,
};
use crate::v2::additional::Additional;
use crate::v2::auth::write_certificate_request;
use crate::v2::crypt::Crypt;
use crate::v2::error::Told;
use crate::v2::frame::Frame;
use crate::v2::keys::Nonces;
use crate::v2::nat;
use crate::v2::payloads::{Payloads, required};

/// Most different lists of proposals that one request is compared with: what a stranger's message
/// costs is bounded.
const MOST_LISTS: usize = 32;

/// Our public value and the shared secret.
type Exchanged = (Vec<u8>, Secret);

/// A request that is agreed to; our half of the key exchange is missing.
#[derive(Debug)]
pub(crate) struct Accepted {
    request: Bytes,
    method: KeyExchangeMethod,
    public: Vec<u8>,
    ni: Vec<u8>,
    suite: IkeSuite,
    choice: Choice,
    verdict: Option<Verdict>,
    announced: Announced,
    peer: Abilities,
    /// Of the peers that the initiator may be, by their places in the configuration, the first that has
    /// to prove itself with a certificate.
    certificate: Option<usize>,
}

/// Reads a request and chooses of its offer. When it is refused nothing is left of it.
///
/// The peer is the first of `candidates` that takes one of the proposals, as far as is known before it
/// says who it is; `frame` is made its own.
pub(crate) fn accept<'c>(
    ctx: &mut Context<'c>,
    frame: &mut Frame<'c>,
    candidates: &[usize],
    message: &Message<'_>,
) -> Result<Accepted, DropReason> {
    let payloads = Payloads::read(&message.payloads(), &ctx.config.wire)?;
    let sa = required(payloads.sa, PayloadType::SA)?;
    let ke = required(payloads.key_exchange, PayloadType::KEY_EXCHANGE)?;
    let ni = required(payloads.nonce, PayloadType::NONCE)?;
    let offered = alg::group_from_wire(ke.method);
    let peer = Abilities::read(&payloads);
    let choice = pick(ctx, frame, candidates, &peer, &read_sa(&sa), offered)?;
    let announced = Announced::towards(ctx, frame, candidates).common(&peer);
    let suite = choice.ike_suite().ok_or(DropReason::NoProposalChosen)?;
    if offered != Some(suite.group) {
        // RFC 7296 §1.2: the initiator guessed another group.
        return Err(DropReason::WrongGroup(suite.group));
    }
    let verdict = {
        // RFC 7296 §2.23: the responder's SPI is zero in the first message.
        let mut spis = frame.spis;
        spis.responder = [0; 8];
        nat::judge(ctx, frame, &spis, &payloads)
    };
    let signs = |index: &usize| {
        let peer = ctx.config.peers.get(*index);
        peer.is_some_and(|p| matches!(p.auth.remote, RemoteAuth::Signature { .. }))
    };
    let mut places = core::iter::once(frame.index).chain(candidates.iter().copied());
    Ok(Accepted {
        certificate: places.find(signs),
        request: Bytes::copy_from_slice(message.raw()),
        method: ke.method,
        public: ke.data.to_vec(),
        ni: ni.to_vec(),
        suite,
        choice,
        verdict,
        announced,
        peer,
    })
}

impl Accepted {
    /// The request as it came.
    pub(crate) const fn request(&self) -> &Bytes {
        &self.request
    }

    /// Refuses to answer with more than `most` octets, before the answer has cost a key exchange:
    /// then a cookie has to come back first.
    pub(crate) fn within(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        most: usize,
    ) -> Result<Self, DropReason> {
        let group = group_of(ctx, self.suite.group)?;
        let public = alloc::vec![0; group.responder_public_len()];
        let longest = self.response(ctx, frame, &public, &[0; NONCE_LEN])?;
        if longest.len() > most {
            return Err(DropReason::CookieWanted);
        }
        Ok(self)
    }

    /// The question for our half of the key exchange, where it is not computed here.
    pub(crate) fn question(&self, ctx: &mut Context<'_>) -> Result<Option<Question>, DropReason> {
        let group = group_of(ctx, self.suite.group)?;
        let question = ctx.key_exchange(group, &self.public);
        if question.is_some() {
            let usable = group.check_initiator(&self.public);
            usable.map_err(|_| DropReason::BadKeyExchange)?;
        }
        Ok(question)
    }

    /// Our half of the key exchange.
    pub(crate) fn exchange(&self, ctx: &mut Context<'_>) -> Result<Exchanged, DropReason> {
        let group = group_of(ctx, self.suite.group)?;
        let exchanged = group.respond(ctx.rng, &self.public);
        exchanged.map_err(|_| DropReason::BadKeyExchange)
    }

    /// Our half of the key exchange, as the embedder has computed it.
    pub(crate) fn exchanged(&self, done: KeyExchangeDone) -> Result<Exchanged, DropReason> {
        let exchanged = done.of(self.suite.group);
        exchanged.map_err(|_| DropReason::BadKeyExchange)
    }

    /// Answers the request, with keys.
    pub(crate) fn answer(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        (public, g_ir): &Exchanged,
    ) -> Result<(Box<Init>, Box<Crypt>), DropReason> {
        let nr = nonce(ctx);
        let nonces = Nonces {
            initiator: &self.ni,
            responder: &nr,
        };
        let crypt = derive(ctx, frame, &self.suite, &nonces, g_ir)?;
        let response = self.response(ctx, frame, public, &nr)?;
        let init = Init {
            request: self.request,
            response,
            ni: self.ni,
            nr,
            suite: self.suite,
            verdict: self.verdict,
            hashes: self.announced.negotiated(&self.peer),
            use_ppk: self.announced.ppk,
            int_auth: None,
            additional: Additional::new(&self.suite),
            peer: self.peer,
        };
        Ok((Box::new(init), Box::new(crypt)))
    }

    fn response(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        public: &[u8],
        nr: &[u8],
    ) -> Result<Bytes, DropReason> {
        let hashes = match self.verdict {
            Some(_) => nat::hashes(ctx, frame, &frame.spis),
            None => None,
        };
        let spis = (frame.spis.initiator, frame.spis.responder);
        let config = ctx.config;
        build(spis, Flags::RESPONSE, |w| {
            w.sa(|sa| write_sa(&[self.choice.answer(&[])], sa))?;
            w.key_exchange(self.method, public)?;
            w.nonce(nr)?;
            nat::write(w, &hashes)?;
            self.announced.write(w)?;
            if let Some(peer) = self.certificate.and_then(|index| config.peers.get(index)) {
                write_certificate_request(w, &peer.auth.remote)?;
            }
            if frame.peer.v2.childless {
                // RFC 6023 §3.
                w.notify(NotifyType::CHILDLESS_IKEV2_SUPPORTED, &[])?;
            }
            Ok(())
        })
    }
}

/// Chooses from an offer: the first of `candidates` that takes any of it.
fn pick<'c>(
    ctx: &mut Context<'c>,
    frame: &mut Frame<'c>,
    candidates: &[usize],
    abilities: &Abilities,
    theirs: &[Proposal],
    key_exchange: Option<GroupId>,
) -> Result<Choice, DropReason> {
    let config = ctx.config;
    let mut compared: Vec<&[IkeProposal]> = Vec::new();
    for index in candidates {
        let Some(peer) = config.peers.get(*index) else {
            continue;
        };
        let proposals = peer.v2.proposals.as_slice();
        if compared.contains(&proposals) {
            continue;
        }
        if compared.len() >= MOST_LISTS {
            break;
        }
        compared.push(proposals);
        (frame.index, frame.peer) = (*index, peer);
        let ours = ike_offer(proposals, &[]);
        let terms = Terms {
            subject: "IKE SA",
            spi: SpiRule::InHeader,
            key_exchange,
            additional: Announced::new(ctx, frame).common(abilities).intermediate,
        };
        let listens = ctx.config.explain;
        let mut note = |found: ProposalRecord| ctx.note(Some(frame.ike), found.into());
        let choice = choose(&ours, theirs, &terms, listens.then_some(&mut note));
        if let Some(choice) = choice {
            return Ok(choice);
        }
        let (provider, weak) = (ctx.provider, config.weak);
        if listens && let Some(miss) = what_would_match(&ours, theirs, &terms, provider, weak) {
            let miss = What::WouldMatch(Box::new(miss));
            ctx.note(Some(frame.ike), miss);
        }
    }
    Err(DropReason::NoProposalChosen)
}

/// An answer that leaves no state behind: the request's SPIs, exchange type and message ID, and why
/// (RFC 7296 §1.5): a cookie to bring back, another group, an error.
pub(crate) fn refuse(request: &Header, length: usize, told: &Told) -> Option<Bytes> {
    in_return(request, length, |w| {
        w.notify(told.notify, &told.data).map(|_| ())
    })
}

/// The answer to a request of `length` octets. It is never longer, so that nobody is flooded by way
/// of us.
fn in_return(
    request: &Header,
    length: usize,
    fill: impl FnOnce(&mut Writer<'_>) -> Result<(), BuildError>,
) -> Option<Bytes> {
    let spis = (request.initiator_spi, request.responder_spi);
    // RFC 7296 §3.1: of the two ends the original initiator alone sets the I bit.
    let role = if request.flags.contains(Flags::INITIATOR) {
        Flags::NONE
    } else {
        Flags::INITIATOR
    };
    let header = Header::v2(request.exchange_type, spis.0, spis.1)
        .message_id(request.message_id)
        .flags(Flags::RESPONSE | role);
    let answer = in_the_clear(&header, fill).ok();
    answer.filter(|answer| answer.len() <= length)
}

/// What a cookie is bound to and the cookie that a request brings back: Ni, N(COOKIE).
pub(crate) fn presented<'a>(
    message: &Message<'a>,
    limits: &Limits,
) -> Result<(&'a [u8], Option<&'a [u8]>), DropReason> {
    let payloads = Payloads::read(&message.payloads(), limits)?;
    let ni = required(payloads.nonce, PayloadType::NONCE)?;
    Ok((ni, payloads.notify(NotifyType::COOKIE).map(|n| n.data)))
}

/// `<-- HDR(A,0), N(COOKIE)`
pub(crate) fn challenge(request: &Header, length: usize, cookie: &[u8]) -> Option<Bytes> {
    let told = Told {
        notify: NotifyType::COOKIE,
        data: cookie.to_vec(),
    };
    refuse(request, length, &told)
}

/// `<-- HDR(A,0), N(REDIRECT, New_GW_ID, Ni_data)`: to an initiator that follows, where others are to
/// answer it (RFC 5685 §3).
pub(crate) fn redirect(frame: &Frame<'_>, message: &Message<'_>, limits: &Limits) -> Option<Bytes> {
    let options = &frame.peer.v2;
    // RFC 5685 §4: who was called at an anycast address may send on to its own.
    let to = options
        .redirect_to
        .filter(|to| *to != frame.path.local.ip());
    let to = Gateway::Address(to.filter(|_| options.redirect_when == RedirectWhen::FirstMessage)?);
    let payloads = Payloads::read(&message.payloads(), limits).ok()?;
    if !Abilities::read(&payloads).redirect {
        return None;
    }
    let ni = payloads.nonce?;
    in_return(&message.header, message.raw().len(), |w| {
        w.redirect(NotifyType::REDIRECT, &to, ni).map(|_| ())
    })
}
