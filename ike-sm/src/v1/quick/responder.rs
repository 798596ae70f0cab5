//! The responder's side of quick mode.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crypto_suite::Secret;
use isakmp_wire::BuildError;
use isakmp_wire::registry::{ExchangeType, ProtocolId};
use isakmp_wire::v1::{Message, NotifyType, PayloadType, Situation, Writer};

use super::{Parts, Progress, Quick, Refused, Secrets};
use crate::child::ReservedSpi;
use crate::context::Context;
use crate::event::{Answer, ChildFault, ChildRefusal, Question, SelectorCheck, What};
use crate::model::{
    ChildId, CloseReason, DropReason, IkeState, OriginalAddresses, Selector, Step, breadth,
};
use crate::policy::{self, ChildOffer, Closeness, Phase2Choice, Phase2Finding, Phase2Refusal};
use crate::v1::agreed::Agreed;
use crate::v1::keys::Iv;
use crate::v1::payloads::{self, QM_DONE, QM_SA};
use crate::v1::phase1::{self, Frame};
use crate::v1::protect;

/// What message 1 asks for and will get.
#[derive(Debug)]
struct Granted {
    child: ChildId,
    config: usize,
    choice: Phase2Choice,
    local: Selector,
    remote: Selector,
    /// The peer has sent client identities, so we do too.
    with_ids: bool,
    ni_b: Vec<u8>,
    g_xi: Option<Vec<u8>>,
    /// Our half of the key exchange, where the embedder has computed it.
    exchanged: Option<(Vec<u8>, Secret)>,
    original_addresses: Option<OriginalAddresses>,
    replaces: Option<ChildId>,
    message_id: u32,
    /// For our message.
    iv: Iv,
}

/// Message 1 is in, a question is open.
#[derive(Debug)]
pub(crate) struct Asked {
    granted: Box<Granted>,
    about: About,
}

/// What is asked.
#[derive(Debug)]
enum About {
    Authorization,
    KeyExchange,
    Spi,
}

/// Takes in the first message: `HDR*, HASH(1), SA, Ni [, KE ] [, IDci, IDcr ] -->`
pub(crate) fn receive_first(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    agreed: &Agreed,
    message: &Message<'_>,
) -> Result<Progress, DropReason> {
    let limits = &ctx.config.wire;
    let message_id = message.header.message_id;
    let iv = agreed
        .cipher
        .exchange_iv(&agreed.last_block, message_id)
        .ok_or(DropReason::Crypto)?;
    let (plain, iv) = protect::open(&agreed.cipher, &iv, message)?;
    let chain = protect::chain(message, &plain, limits)?;
    protect::note_received(
        ctx,
        frame,
        (Step::QmI1, IkeState::Complete),
        message,
        &chain,
    );
    let payloads = payloads::sort(chain, &QM_SA, agreed.vendor.dialect, limits)?;
    protect::verify(
        &agreed.keys.hash_1(message_id, payloads.after_hash),
        payloads.hash,
    )?;

    // From here on the peer has proved who it is: what cannot be granted is refused, not dropped.
    let ids = super::client_ids(&payloads)?;
    // RFC 2409 §5.5: without client identities the ends themselves are meant.
    let (remote, local) = ids.unwrap_or((
        Selector::host(frame.path.remote.ip()),
        Selector::host(frame.path.local.ip()),
    ));
    let offer = policy::read_phase2(payloads.sa()?);
    let spi = offer
        .first()
        .and_then(|o| <[u8; 4]>::try_from(o.spi.as_slice()).ok());
    let spi = spi.map(u32::from_be_bytes);
    let refuse = |notify, reason| {
        Ok(Progress::Refuse {
            notify,
            spi,
            reason,
        })
    };
    let (config, choice) = match choose(ctx, frame, agreed, &offer, local, remote) {
        Ok(chosen) => chosen,
        Err(Some(Phase2Refusal::ConflictingAttributes(_) | Phase2Refusal::MixedGroups)) => {
            return refuse(
                NotifyType::ATTRIBUTES_NOT_SUPPORTED,
                "attributes not supported",
            );
        }
        Err(Some(_)) => return refuse(NotifyType::NO_PROPOSAL_CHOSEN, "no proposal chosen"),
        Err(None) => {
            return refuse(NotifyType::INVALID_ID_INFORMATION, "invalid id information");
        }
    };
    // RFC 2409 §5.5: a KE payload goes with the group, and neither without the other.
    match (super::group_of(ctx, choice.group)?, payloads.ke) {
        (Some(group), Some(public)) => {
            if group.check_initiator(public).is_err() {
                return refuse(
                    NotifyType::INVALID_KEY_INFORMATION,
                    "invalid key information",
                );
            }
        }
        (None, None) => {}
        _ => {
            return refuse(
                NotifyType::INVALID_KEY_INFORMATION,
                "KE without group or reverse",
            );
        }
    }
    let world = &ctx.world;
    let device = world.standing.device(frame.ike);
    let active = |device| {
        let (local, remote) = (local.into(), remote.into());
        world.children.active_for(device, &local, &remote)
    };
    let replaces = device.and_then(active);
    world
        .children
        .room_for(ctx.config, frame.ike, 0, replaces.is_some())?;
    let granted = Box::new(Granted {
        child: ChildId(ctx.world.handles.next()),
        config,
        choice,
        local,
        remote,
        with_ids: ids.is_some(),
        ni_b: payloads.nonce.to_vec(),
        g_xi: payloads.ke.map(<[u8]>::to_vec),
        exchanged: None,
        original_addresses: super::original_addresses(&payloads),
        replaces,
        message_id,
        iv,
    });
    if ctx.config.authorize_children {
        let child = super::child_config(ctx, frame, config)?;
        let question = Question::AuthorizeChild {
            peer: frame.peer.name.clone(),
            identity: (*agreed.remote_id).clone(),
            name: child.name.clone(),
            local: local.into(),
            remote: remote.into(),
            suite: granted.choice.suite,
        };
        let next = Quick::Asked(Asked {
            granted,
            about: About::Authorization,
        });
        return Ok(Progress::Ask { next, question });
    }
    Ok(want_exchange(ctx, frame, agreed, granted))
}

/// The child of the configuration that the offer fits best, and what is taken of it: the one with
/// exactly the identities, else the narrowest that has them, of those whose transforms are offered.
/// `Err(None)`: the identities fit none.
fn choose(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    agreed: &Agreed,
    offer: &[ChildOffer],
    local: Selector,
    remote: Selector,
) -> Result<(usize, Phase2Choice), Option<Phase2Refusal>> {
    let config = ctx.config;
    let Some(peer) = config.peers.get(frame.index) else {
        return Err(None);
    };
    let context = super::phase2_context(ctx, frame, agreed);
    let mut fitting = Vec::new();
    let mut refused = Vec::new();
    for (index, child) in peer.children.iter().enumerate() {
        let ok = policy::fits(child, &local, &remote);
        let closeness = policy::closeness(child, &local, &remote);
        ctx.note(
            Some(frame.ike),
            What::SelectorCheck(Box::new(SelectorCheck {
                child: child.name.clone(),
                local: local.into(),
                remote: remote.into(),
                ok,
            })),
        );
        if ok {
            let breadth = breadth(&child.local, &child.remote);
            fitting.push((closeness, breadth, index, child));
        } else if closeness == Closeness::Within {
            refused.push((child, ChildFault::NotExact));
        } else {
            refused.push((child, ChildFault::Selectors));
        }
    }
    fitting.sort_by_key(|(closeness, breadth, index, _)| (*closeness, *breadth, *index));
    let mut refusal = None;
    for (_, _, index, child) in fitting {
        let sides = [&local.into(), &remote.into()];
        let claim = super::claim(frame, agreed, index, sides);
        if crate::child::refuse_overlap(ctx, &claim).is_err() {
            refused.push((child, ChildFault::Taken));
            continue;
        }
        let listens = ctx.config.explain;
        let mut note = |found: Phase2Finding| ctx.note(Some(frame.ike), found.into());
        let choice = policy::choose_phase2(child, offer, &context, listens.then_some(&mut note));
        match choice {
            Ok(choice) => return Ok((index, choice)),
            Err(why) => {
                refused.push((child, ChildFault::Proposals));
                refusal = refusal.or(Some(why));
            }
        }
    }
    for (child, why) in refused {
        let refusal = ChildRefusal {
            child: child.name.clone(),
            why,
        };
        ctx.note(Some(frame.ike), What::ChildRefused(Box::new(refusal)));
    }
    Err(refusal)
}

/// Asks for our half of the key exchange, where there is one and the embedder computes it.
fn want_exchange(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    agreed: &Agreed,
    granted: Box<Granted>,
) -> Progress {
    let group = super::group_of(ctx, granted.choice.group).ok().flatten();
    let question = group
        .zip(granted.g_xi.as_deref())
        .and_then(|(group, g_xi)| ctx.key_exchange(group, g_xi));
    match question {
        Some(question) => Progress::Ask {
            next: Quick::Asked(Asked {
                granted,
                about: About::KeyExchange,
            }),
            question,
        },
        None => want_spi(ctx, frame, agreed, granted),
    }
}

fn want_spi(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    agreed: &Agreed,
    granted: Box<Granted>,
) -> Progress {
    let (child, config) = (granted.child, granted.config);
    ctx.note(Some(frame.ike), What::SpiWanted { count: 1 });
    if ctx.config.ask_spis {
        let question = super::spi_question(
            ctx,
            frame,
            granted.config,
            child,
            granted.choice.suite.protocol(),
            Some(granted.choice.spi),
        );
        let next = Quick::Asked(Asked {
            granted,
            about: About::Spi,
        });
        return Progress::Ask { next, question };
    }
    match ctx.inbound_spi() {
        Ok(spi) => grant(ctx, frame, agreed, granted, spi),
        Err(_) => Progress::Fail {
            child,
            config,
            reason: CloseReason::Crypto,
        },
    }
}

impl Asked {
    pub(super) const fn child(&self) -> ChildId {
        self.granted.child
    }

    pub(super) const fn config(&self) -> usize {
        self.granted.config
    }

    pub(super) const fn traffic(&self) -> (Selector, Selector) {
        (self.granted.local, self.granted.remote)
    }

    /// The answer has come.
    pub(super) fn answer(
        mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        agreed: &Agreed,
        answer: Answer,
    ) -> Result<Progress, Refused<Self>> {
        let spi = Some(self.granted.choice.spi);
        match (&self.about, answer) {
            (About::Authorization, Answer::Authorize(true)) => {
                Ok(want_exchange(ctx, frame, agreed, self.granted))
            }
            (About::Authorization, Answer::Authorize(false)) => Ok(Progress::Refuse {
                notify: NotifyType::INVALID_ID_INFORMATION,
                spi,
                reason: "not authorized",
            }),
            (About::KeyExchange, Answer::KeyExchange(done)) => {
                let group = self.granted.choice.group;
                let done = done
                    .zip(group)
                    .and_then(|(done, group)| done.of(group).ok());
                if done.is_none() {
                    return Ok(Progress::Fail {
                        child: self.granted.child,
                        config: self.granted.config,
                        reason: CloseReason::Crypto,
                    });
                }
                self.granted.exchanged = done;
                Ok(want_spi(ctx, frame, agreed, self.granted))
            }
            (About::Spi, Answer::Spi(Some(own))) => match ctx.world.children.take_spi(own) {
                Ok(spi) => Ok(grant(ctx, frame, agreed, self.granted, spi)),
                Err(reason) => Err(Box::new((self, reason))),
            },
            (About::Spi, Answer::Spi(None)) => Ok(Progress::Refuse {
                notify: NotifyType::NO_PROPOSAL_CHOSEN,
                spi,
                reason: "no SPI",
            }),
            _ => Err(Box::new((self, DropReason::WrongAnswer))),
        }
    }
}

fn grant(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    agreed: &Agreed,
    granted: Box<Granted>,
    spi_in: ReservedSpi,
) -> Progress {
    let whose = (granted.child, granted.config);
    let answered = answer(ctx, frame, agreed, granted, spi_in);
    super::or_fail(whose, answered)
}

/// `<-- HDR*, HASH(2), SA, Nr [, KE ] [, IDci, IDcr ] [, NAT-OA … ] [, N(RESPONDER-LIFETIME) ]`
fn answer(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    agreed: &Agreed,
    mut granted: Box<Granted>,
    spi_in: ReservedSpi,
) -> Result<Progress, DropReason> {
    let exchanged = granted.exchanged.take();
    let choice = &granted.choice;
    let (public, g_xy) = match (super::group_of(ctx, choice.group)?, &granted.g_xi) {
        _ if exchanged.is_some() => exchanged.unzip(),
        (Some(group), Some(g_xi)) => {
            let (public, shared) = group
                .respond(ctx.rng, g_xi)
                .map_err(|_| DropReason::Crypto)?;
            (Some(public), Some(shared))
        }
        _ => (None, None),
    };
    let nr_b = phase1::nonce(ctx);
    let ids = super::client_id_bodies(&granted.remote, &granted.local)?;
    let nat_oa = granted
        .original_addresses
        .and_then(|_| super::nat_oa(agreed, choice.mode, frame.path, false));
    let protocol = crate::v1::payloads::protocol_id(choice.suite.protocol());
    let plain = protect::hashed(
        agreed.suite.prf.output_len(),
        |rest| agreed.keys.hash_2(granted.message_id, &granted.ni_b, rest),
        |writer| {
            write_answer(writer, choice, protocol, spi_in.get())?;
            writer.nonce(&nr_b)?;
            if let Some(public) = &public {
                writer.key_exchange(public)?;
            }
            if granted.with_ids {
                for id in &ids {
                    writer.payload(PayloadType::IDENTIFICATION, id)?;
                }
            }
            if let Some(oa) = &nat_oa {
                for address in oa.addresses {
                    writer.nat_oa(oa.number, address)?;
                }
            }
            if let Some(lifetime) = choice.lifetime_to_tell() {
                // RFC 2407 §4.5.4, §4.6.3.1: the initiator is told that we end it sooner.
                let spi = spi_in.get().to_be_bytes();
                writer.notification_with(protocol, &spi, NotifyType::RESPONDER_LIFETIME, |a| {
                    policy::write_lifetime(&lifetime, a)
                })?;
            }
            Ok(())
        },
    )?;
    let header = protect::header(&frame.cookies, ExchangeType::QUICK_MODE, granted.message_id);
    let plain = plain.noted(
        ctx,
        frame,
        Step::QmR1,
        IkeState::Complete,
        granted.message_id,
    );
    let (message, iv) = protect::seal(&agreed.cipher, &granted.iv, &header, plain)?;
    super::install(
        ctx,
        frame,
        agreed,
        &Secrets {
            g_xy: g_xy.as_ref(),
            ni_b: &granted.ni_b,
            nr_b: &nr_b,
        },
        Parts {
            child: granted.child,
            config: granted.config,
            initiator: false,
            choice,
            spi_in,
            local: granted.local,
            remote: granted.remote,
            replaces: granted.replaces,
            original_addresses: granted.original_addresses,
            lifetime: choice.lifetime,
        },
    )?;
    let next = Quick::Answered(Answered {
        child: granted.child,
        config: granted.config,
        traffic: (granted.local, granted.remote),
        message_id: granted.message_id,
        ni_b: granted.ni_b,
        nr_b,
        iv,
    });
    Ok(Progress::Send { next, message })
}

fn write_answer(
    writer: &mut Writer<'_>,
    choice: &Phase2Choice,
    protocol: ProtocolId,
    spi_in: u32,
) -> Result<(), BuildError> {
    writer.sa(Situation::IDENTITY_ONLY, |sa| {
        let spi = spi_in.to_be_bytes();
        sa.proposal(choice.proposal_number, protocol, &spi, |proposal| {
            let t = &choice.chosen;
            proposal.transform(t.number, t.id, |attributes| t.write(attributes))?;
            Ok(())
        })?;
        Ok(())
    })?;
    Ok(())
}

/// Message 2 is out; packets are taken in.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(super) child: ChildId,
    pub(super) config: usize,
    pub(super) traffic: (Selector, Selector),
    message_id: u32,
    ni_b: Vec<u8>,
    nr_b: Vec<u8>,
    iv: Iv,
}

impl Answered {
    /// `HDR*, HASH(3) -->`: the initiator is alive and has everything.
    pub(super) fn receive(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        agreed: &Agreed,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        if let Err(reason) = self.check(ctx, frame, agreed, message) {
            return Err(Box::new((self, reason)));
        }
        crate::child::activate(ctx, self.child);
        Ok(Progress::Done { message: None })
    }

    fn check(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        agreed: &Agreed,
        message: &Message<'_>,
    ) -> Result<(), DropReason> {
        let limits = &ctx.config.wire;
        let (plain, _) = protect::open(&agreed.cipher, &self.iv, message)?;
        let chain = protect::chain(message, &plain, limits)?;
        protect::note_received(
            ctx,
            frame,
            (Step::QmI2, IkeState::Complete),
            message,
            &chain,
        );
        let payloads = payloads::sort(chain, &QM_DONE, agreed.vendor.dialect, limits)?;
        let hash = agreed.keys.hash_3(self.message_id, &self.ni_b, &self.nr_b);
        protect::verify(&hash, payloads.hash)
    }
}
